"""What axe-core, the checker of the field, says of the pages."""

from importlib.resources import files

import pytest

from chromium import draw_all

pytestmark = pytest.mark.browser
HARMFUL = ("serious", "critical")


def problems(page, *rules):
    """Return which of some rules, or all, are so broken that it keeps somebody out, and where."""
    package = pytest.importorskip("axe_playwright_python")
    page.evaluate(files(package).joinpath("axe.min.js").read_text("utf-8"))
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    assert len(found["passes"]) + len(found["violations"]) >= (len(rules) or 20)
    return [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in HARMFUL
    ]


# Of what the checker looks at, only contrasts differ between light and dark.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
@pytest.mark.parametrize("kind", ["paper", "sequences", "explained"])
def test_nothing_keeps_anybody_out(
    opened, address, sequences_address, explained_address, kind, scheme, rules
):
    where = {"paper": address, "sequences": sequences_address, "explained": explained_address}
    page = opened(1440, scheme, address=where[kind])
    draw_all(page)
    assert problems(page, *rules) == []


def test_the_checker_finds_what_is_wrong(opened, explained_address):
    page = opened(address=explained_address)
    page.evaluate("document.querySelector('nav').innerHTML = '<button></button>'")
    assert [rule for rule, *_ in problems(page, "button-name")] == ["button-name"]


def test_on_a_phone_nothing_keeps_anybody_out_while_a_chart_tells(opened, explained_address):
    page = opened(360, address=explained_address)
    draw_all(page)
    page.locator(".plot").first.hover()
    assert page.locator(".tip").count() == 1
    assert problems(page) == []
