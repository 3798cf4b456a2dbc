"""Pictures of a page for README and docs, made in Chromium.

python benchmarks/screenshots.py triptych-runs/paper-quick/report.html docs/pictures
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

# name: width, height, colour scheme, the element at whose top the picture starts
PICTURES = {
    "page": (1280, 960, "light", "body"),
    "claims": (1100, 760, "light", "#evidence"),
    "curves": (1100, 560, "light", "[aria-labelledby=part-2] figure"),
    "phone": (390, 844, "dark", "body"),
}
# Pictures whose first chart is pointed at: how far from its left.
_POINTED = {"curves": 0.62}


def _point(chart: Locator, along: float) -> None:
    """Point at a chart, so that it tells what it measured there."""
    chart.locator(".drawn").wait_for()
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": along * box["width"], "y": box["height"] / 2})


def main() -> None:
    """Take every picture of the page named on the command line."""
    page_file, folder = Path(sys.argv[1]), Path(sys.argv[2])
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise SystemExit("no Chromium on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, (width, height, scheme, start) in PICTURES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto(page_file.resolve().as_uri())
            part = page.locator(start).first
            part.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY)")
            if name in _POINTED:
                _point(part.locator(".plot").first, _POINTED[name])
            page.screenshot(path=folder / f"{name}.png")
            print(folder / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
