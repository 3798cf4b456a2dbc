"""The page in a real browser: nothing leaves it, nothing overflows, everything can be read."""

import pytest

from chromium import SEEN, draw_all, until

pytestmark = pytest.mark.browser

# Contrast as WCAG 2.2 defines it, of a text's colour against what is painted behind it.
CONTRASTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const read = "h1, h2, p, a, th, td, .badge, .mark, button, code, svg text, summary";
  for (const e of document.querySelectorAll(read)) {
    const style = getComputedStyle(e);
    const colour = e.closest("svg") ? style.fill : style.color;
    const pair = [light(rgb(colour)), light(behind(e))].sort((a, b) => b - a);
    found.push([e.textContent.slice(0, 30), (pair[0] + 0.05) / (pair[1] + 0.05)]);
  }
  return found;
}
"""


def test_nothing_is_logged_and_no_request_leaves_the_page(opened, address):
    page = opened()
    assert draw_all(page) == 22
    assert page.said == []
    assert page.asked == [address]


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_overflows(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.body.scrollWidth") <= width


@pytest.mark.parametrize("script", [False, True])
@pytest.mark.parametrize("width", [360, 1440])
def test_every_chart_is_drawn_and_fits(opened, width, script):
    page = opened(width, script=script)
    if script:
        draw_all(page)
    boxes = page.evaluate(
        f"""() => {SEEN}.map(svg => {{
            const lines = [...svg.querySelectorAll("path")].map(p => p.getBoundingClientRect());
            const box = svg.getBoundingClientRect();
            return [box.width, box.height, Math.max(...lines.map(l => l.width))];
        }})"""
    )
    assert len(boxes) == 22
    for box_width, height, line in boxes:
        assert 250 < box_width <= width
        assert height > 150
        assert line > 0.6 * box_width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_against_what_is_behind_it(opened, scheme):
    contrasts = opened(scheme=scheme).evaluate(CONTRASTS)
    assert len(contrasts) > 200
    assert [pair for pair in contrasts if pair[1] < 4.5] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_take_the_colours_of_the_scheme(opened, scheme):
    page = opened(scheme=scheme)
    draw_all(page)
    strokes = page.evaluate(
        f"() => {SEEN}.flatMap(svg => [...svg.querySelectorAll('path')])"
        ".map(path => getComputedStyle(path).stroke)"
    )
    blue = {"light": "rgb(11, 107, 203)", "dark": "rgb(98, 168, 255)"}[scheme]
    assert blue in strokes


def test_without_script_the_page_is_whole(opened):
    page = opened(script=False)
    assert page.locator(".claim").count() == 10
    assert page.evaluate(f"() => {SEEN}.length") == 22
    assert page.locator("button").count() == 0
    page.locator("figure summary").first.click()
    assert page.locator("figure details table").first.is_visible()


def test_the_labels_of_charts_can_be_read_on_a_phone(opened):
    page = opened(360)
    draw_all(page)
    heights = page.evaluate(
        f"() => {SEEN}.flatMap(svg => [...svg.querySelectorAll('text')])"
        ".map(text => text.getBoundingClientRect().height).filter(height => height > 0)"
    )
    assert len(heights) > 100
    assert min(heights) > 9


def test_charts_of_a_pair_stand_side_by_side_at_one_height(opened):
    boxes = opened(1440).evaluate(
        """() => [...document.querySelectorAll(".charts")].map(pair =>
            [...pair.querySelectorAll("svg")].filter(s => s.checkVisibility())
                .map(s => s.getBoundingClientRect().toJSON()))"""
    )
    assert boxes
    for left, right in boxes:
        assert left["top"] == right["top"]
        assert left["height"] == pytest.approx(right["height"], rel=0.02)


def test_paper_is_white_also_where_the_screen_is_dark(opened):
    page = opened(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_scrolled_table_still_names_its_arms(opened):
    page = opened(360)
    box = page.locator(".scroll:has(.figures)").first
    box.evaluate("e => { e.scrollLeft = 200; }")
    left = "e => e.querySelector('th[scope=row]').getBoundingClientRect().left"
    assert box.evaluate(left) >= 0


def test_links_lead_to_what_they_name(opened):
    page = opened()
    page.locator(".glance a").nth(6).click()
    until(page, "location.hash === '#claim-7'")
    assert page.locator("#claim-7").evaluate("e => e.getBoundingClientRect().top") < 900


def test_the_keyboard_reaches_what_scrolls(opened):
    page = opened(360)
    unreachable = page.evaluate(
        """() => [...document.querySelectorAll(".scroll")]
            .filter(e => e.tabIndex < 0 || !e.getAttribute("aria-label")).length"""
    )
    assert unreachable == 0


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_of_sequences_fit_and_can_be_read(opened, sequences_address, width, scheme):
    page = opened(width, scheme, address=sequences_address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.evaluate(
        f"() => {SEEN}.flatMap(svg => [...svg.querySelectorAll('text')])"
        ".map(text => text.getBoundingClientRect().height).filter(height => height > 0)"
    )
    assert len(heights) > 100
    assert min(heights) > 9
    assert [pair for pair in page.evaluate(CONTRASTS) if pair[1] < 4.5] == []


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_findings_fit_and_can_be_read(opened, explained_address, width, scheme):
    page = opened(width, scheme, script=False, address=explained_address)
    assert page.said == []
    assert page.asked == [explained_address]
    page = opened(width, scheme, address=explained_address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [pair for pair in page.evaluate(CONTRASTS) if pair[1] < 4.5] == []
    tints = page.evaluate(
        """() => [...document.querySelectorAll("td.right, td.wrong")]
            .map(td => getComputedStyle(td).backgroundColor)"""
    )
    assert len(set(tints)) > 20


@pytest.mark.parametrize("width", [360, 1440])
def test_every_picture_of_a_finding_is_decoded_and_large_enough(opened, explained_address, width):
    page = opened(width, address=explained_address)
    pictures = page.evaluate(
        """() => [...document.images].map(i => [i.complete && i.naturalWidth,
            i.getBoundingClientRect().width, i.alt])"""
    )
    assert len(pictures) > 20
    for natural, shown, alt in pictures:
        assert natural
        assert 60 < shown < width
        assert alt
    boxes = page.evaluate(
        """() => [...document.querySelectorAll(".plane, .pixels")]
            .map(s => s.getBoundingClientRect().toJSON())"""
    )
    assert len(boxes) > 8
    for box in boxes:
        assert box["width"] > 60
        assert box["height"] == pytest.approx(box["width"], rel=0.05)


def test_the_matrix_of_ten_classes_stays_in_its_column(opened, explained_address):
    page = opened(360, address=explained_address)
    boxes = page.evaluate(
        """() => [...document.querySelectorAll(".scroll:has(.tinted)")]
            .map(e => [e.clientWidth, e.scrollWidth])"""
    )
    assert boxes
    for there, needed in boxes:
        # What does not fit can be scrolled to, and is little.
        assert needed < 1.35 * there
