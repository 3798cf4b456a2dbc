"""What axe-core, the checker of the field, says of the pages."""

from importlib.resources import files

import pytest

from chromium import draw_all

pytestmark = pytest.mark.browser
HARMFUL = ("serious", "critical")


def problems(page):
    """Return the rules that are broken in a way that keeps somebody out, and where."""
    package = pytest.importorskip("axe_playwright_python")
    page.evaluate(files(package).joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 20
    return [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in HARMFUL
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["paper", "sequences", "explained"])
def test_nothing_keeps_anybody_out(
    opened, address, sequences_address, explained_address, kind, scheme
):
    where = {"paper": address, "sequences": sequences_address, "explained": explained_address}
    page = opened(1440, scheme, address=where[kind])
    draw_all(page)
    assert problems(page) == []


def test_the_checker_finds_what_is_wrong(opened, address):
    page = opened(address=address)
    page.evaluate("document.querySelector('nav').innerHTML = '<button></button>'")
    assert [rule for rule, *_ in problems(page)] == ["button-name"]


def test_on_a_phone_nothing_keeps_anybody_out_while_a_chart_tells(opened):
    page = opened(360)
    draw_all(page)
    page.locator(".plot").first.hover()
    assert problems(page) == []
