"""A study's page: how long it takes to make, how large it is, how soon it shows and answers.

    python benchmarks/page.py triptych-runs/paper-quick [--runs 5]

Prints, beside the bars: wall seconds of ``triptych report`` on the folder, from process start
(median, smallest and largest); the size of the page and of what draws its charts anew; in Chromium,
a fresh profile each time, the milliseconds until the page is first painted and until its document
is complete, and from asking for the first chart until it answers.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from whole_process import timed

MAKE_BAR, SIZE_BAR, PAINT_BAR = 3.0, 5_000_000, 1000.0
_TIMES = """() => [performance.getEntriesByName("first-contentful-paint")[0].startTime,
    performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd]"""
_ANSWERS = """() => new Promise(resolve => {
    const plot = document.querySelector(".plot"), start = performance.now();
    const look = () => plot.querySelector(":scope > .drawn")
        ? resolve(performance.now() - start) : setTimeout(look, 5);
    plot.scrollIntoView();
    look();
})"""


def spread(values: list[float], digits: int) -> str:
    """Return median, smallest and largest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def opened(browser: Browser, address: str) -> list[float]:
    """Return when a page was painted and complete, and how long its first chart took to answer."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.wait_for_timeout(200)
    times: Any = page.evaluate(_TIMES)
    found = [*times, page.evaluate(_ANSWERS)]
    context.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of a study that was run")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    file = options.folder / "report.html"
    made = [timed("report", str(options.folder)).wall for _ in range(options.runs)]
    print(f"triptych report: {spread(made, 2)} s; the bar is {MAKE_BAR:g} s")
    html = file.read_text("utf-8")
    library = re.search(r'<script type="text/plain" id="vega">(.*?)</script>', html, re.DOTALL)
    drawn_by = len(library[1].encode()) / 1000 if library else 0
    print(f"the page: {len(html.encode()) / 1000:.0f} kB, {drawn_by:.0f} kB of them the library "
          f"that draws charts; the bar is {SIZE_BAR / 1000:.0f} kB")  # fmt: skip
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("no Chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        times = [opened(browser, file.resolve().as_uri()) for _ in range(options.runs)]
        browser.close()
    painted, complete, answers = (list(column) for column in zip(*times, strict=True))
    print(f"first painted after {spread(painted, 0)} ms; the bar is {PAINT_BAR:g} ms")
    print(f"complete after {spread(complete, 0)} ms")
    print(f"the first chart answers {spread(answers, 0)} ms after it is asked for")


if __name__ == "__main__":
    main()
