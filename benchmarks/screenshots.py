"""Pictures of a page for README and docs, made in Chromium.

python benchmarks/screenshots.py triptych-runs/paper-quick/report.html docs/pictures
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

# name: width, height, colour scheme, the element whose top the picture starts at
PICTURES = {
    "page": (1280, 960, "light", "body"),
    "claims": (1100, 760, "light", "#evidence"),
    "curves": (1100, 620, "light", "figure"),
    "phone": (390, 844, "dark", "body"),
}
# Where a chart is pointed at: how far from its left.
_POINTED = {"curves": 0.6}


def _point(page: Page, along: float) -> None:
    """Point at the first chart, so that it tells what it measured there."""
    plot = page.locator(".plot").first
    plot.scroll_into_view_if_needed()
    page.wait_for_selector(".plot > .drawn")
    box = plot.bounding_box()
    plot.hover(position={"x": along * box["width"], "y": box["height"] / 2})


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
            if name in _POINTED:
                _point(page, _POINTED[name])
            top = page.locator(start).first.bounding_box()["y"]
            clip = {"x": 0, "y": top, "width": width, "height": height}
            page.screenshot(path=folder / f"{name}.png", full_page=True, clip=clip)
            print(folder / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
