"""Pages in a real browser, for the tests beside it."""

import shutil
import time

import pytest

from triptych.report import render_html
from triptych.verdicts import judge

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

# What can be seen of charts: pictures, or what was drawn in their place.
SEEN = """
[...document.querySelectorAll(".chart svg")].filter(svg => svg.checkVisibility())
"""


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory, paper_record):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(paper_record, judge(paper_record), "triptych run"), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="session")
def sequences_address(tmp_path_factory, palindrome_record):
    path = tmp_path_factory.mktemp("sequences") / "report.html"
    html = render_html(palindrome_record, judge(palindrome_record), "triptych run")
    path.write_text(html, "utf-8")
    return path.as_uri()


@pytest.fixture(scope="session")
def explained_address(tmp_path_factory, explained_record):
    path = tmp_path_factory.mktemp("explained") / "report.html"
    path.write_text(render_html(explained_record, (), "triptych run"), "utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    contexts = []

    def open_page(width=1440, scheme="light", *, script=True, address=address):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def until(page, expression):
    """Wait until an expression is true; Playwright's own way needs eval, which pages forbid."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)


def draw_all(page):
    """Scroll to every chart that can be drawn anew, and wait until it is."""
    page.wait_for_load_state("load")
    count = page.locator(".plot").count()
    for k in range(count):
        page.locator(".plot").nth(k).scroll_into_view_if_needed()
    until(page, f"document.querySelectorAll('.plot > .drawn').length === {count}")
    return count
