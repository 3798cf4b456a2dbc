"""Findings on the page: which are shown, how they are drawn, and that nothing in them is obeyed."""

import base64
import html as html_module
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import (
    classes_findings,
    made_up_run,
    plane_findings,
    table_findings,
    without_scripts,
)
from triptych.errors import RunError
from triptych.records import StudyRecord
from triptych.report import render_html
from triptych.report.drawing import Figure, Group, Panel
from triptych.report.findings import findings, within_size
from triptych.report.pictures import png, sheet
from triptych.spec import ArmSpec, CNNSpec, DigitsSpec, MLPSpec, StudySpec, ToySpec, TrainSpec

TITLES = (
    "The decision boundary as it grew", "What is taken for what", "The worst mistakes",
    "What a prediction rests on", "What the first layer looks for",
    "What the network makes of one picture", "Which columns it uses",
    "Is it right as often as it says?",
)  # fmt: skip


def record(arms, found):
    study = StudySpec(title="t", arms=arms, seeds=1)
    return StudyRecord(
        study,
        tuple(
            made_up_run(study, name, 0, findings=found[name], epochs=one.train.epochs)
            for name, one in arms.items()
        ),
        Path("r"),
    )


def arm(network=None, data=None, epochs=10, **fields):
    return ArmSpec(
        data=data or DigitsSpec(), network=network or MLPSpec(), train=TrainSpec(epochs=epochs),
        **fields,
    )  # fmt: skip


def title_of(figures, title):
    return [figure for figure in figures if figure.title == title]


def test_every_kind_is_on_the_page_with_its_caption_and_its_run(explained_record):
    html = without_scripts(render_html(explained_record, (), "x"))
    for title in TITLES:
        assert f"<h3>{title}</h3>" in html
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html_module.unescape(html))
    for run in explained_record.runs:
        for one in run.findings:
            assert any(caption.startswith(one.caption[:60]) for caption in captions)
    assert html.count("Of the first seed.") >= len(TITLES)
    assert len(html) < 400_000


def test_every_picture_says_what_it_is_and_can_be_read(explained_record):
    html = without_scripts(render_html(explained_record, (), "x"))
    pictures = re.findall(r'<img[^>]* src="data:image/png;base64,([^"]+)"[^>]* alt="([^"]+)"', html)
    assert len(pictures) == html.count("<img") > 20
    for content, description in pictures:
        Image.open(io.BytesIO(base64.b64decode(content))).load()
        assert description.strip()
    for element in re.findall(r'<svg class="(?:plane|pixels)[^>]*>', html):
        assert 'role="img" aria-label="' in element


def test_confusions_are_a_table_whose_tints_are_shares(explained_record):
    (figure, *_) = title_of(findings(explained_record, ["table"]), "What is taken for what")
    table = figure.groups[0].table
    assert table.heads == ("true", "no", "yes")
    counts = [[float(cell.text) for cell in cells] for _, cells in table.rows]
    for k, ((_, cells), line) in enumerate(zip(table.rows, counts, strict=True)):
        for j, cell in enumerate(cells):
            assert cell.tint == pytest.approx((line[j] / sum(line)) ** 0.5)
            assert cell.wrong == (j != k)


def test_of_more_classes_without_pictures_the_pairs_are_a_table():
    one = classes_findings(tuple("abcde"))[0]
    one = replace(one, arrays={k: v for k, v in one.arrays.items() if k != "examples"})
    (figure,) = findings(record({"a": arm()}, {"a": (one,)}), ["a"])
    (group,) = figure.groups
    matrix, pairs = group.table, group.beside
    assert matrix.heads == ("true", *"abcde")
    assert pairs.heads == ("confused most", "taken for", "rows")
    assert len(pairs.rows) == 4


def test_the_calibration_error_stands_in_the_caption_and_the_table(explained_record):
    (figure,) = title_of(
        findings(explained_record, ["grey", "colours"]), "Is it right as often as it says?"
    )
    errors = [
        f"{float(one.arrays['error']):.3f}"
        for run in explained_record.runs[2:]
        for one in run.findings
        if one.kind == "calibration"
    ]
    assert f"ECE: grey {errors[0]}; colours {errors[1]}." in figure.caption
    assert [cells[2].text for _, cells in figure.groups[0].table.rows] == errors


def test_of_one_network_on_several_engines_the_one_that_was_trained_longest_is_shown():
    data = ToySpec(source="moons")
    arms = {
        "numpy": arm(data=data, engine="numpy"), "torch": arm(data=data, engine="torch"),
        "compiled": arm(data=data, engine="compiled", epochs=99),
        "other": arm(MLPSpec(hidden=(7,)), data),
    }  # fmt: skip
    (figure,) = findings(record(arms, dict.fromkeys(arms, plane_findings())), list(arms))
    labels = [group.label.split(":")[0] for group in figure.groups]
    assert labels == ["compiled", "other"]
    assert figure.caption.endswith(
        "2 arms of this part that differ from another only in engine or training are left out."
    )


def test_arms_that_differ_in_training_share_the_chart_of_calibration():
    arms = {"a": arm(), "twin": arm(engine="torch"), "long": arm(epochs=50)}
    found = dict.fromkeys(arms, classes_findings()[-1:])
    (figure,) = findings(record(arms, found), list(arms))
    assert [heads[0] for heads, _ in figure.groups[0].table.rows] == ["a", "long"]
    assert figure.caption.endswith(
        "1 arm of this part that differs from another only in engine is left out."
    )


def test_a_part_of_many_networks_shows_four_of_them_one_by_one():
    arms = {f"a{k}": arm(CNNSpec(channels=(k,), pool_after=())) for k in range(1, 12)}
    figures = findings(record(arms, dict.fromkeys(arms, classes_findings())), list(arms))
    (confusions,) = title_of(figures, "What is taken for what")
    assert [group.label for group in confusions.groups] == ["a1", "a2", "a3", "a4"]
    assert confusions.caption.endswith("Of 11 arms of this part the first 4 are shown.")
    # Charts that arms share take eight each.
    assert len(title_of(figures, "Is it right as often as it says?")) == 2


def test_columns_of_different_tables_do_not_share_a_chart():
    arms = {
        "one": arm(data=ToySpec(source="moons")), "two": arm(data=ToySpec(source="circles")),
        "three": arm(MLPSpec(hidden=(3,)), ToySpec(source="moons")),
    }  # fmt: skip
    found = {name: table_findings(seed=k)[:1] for k, name in enumerate(arms)}
    first, second = findings(record(arms, found), list(arms))
    assert first.groups[0].table.heads == ("column", "one", "three")
    assert second.groups[0].table.heads == ("column", "two")


def test_a_page_has_room_for_so_much_and_says_what_it_leaves_out(monkeypatch):
    large, small, tiny = (
        Figure("t", "c", [Group([Panel("x" * size)])]) for size in (1_500_000, 600_000, 100_000)
    )
    assert within_size([[large], [small, tiny]]) == [([large], 0), ([tiny], 1)]
    arms = {"a": arm()}
    monkeypatch.setattr("triptych.report.findings._MOST_BYTES", 4_000)
    html = render_html(record(arms, {"a": classes_findings()}), (), "x")
    assert "more figures would make this page too large" in html


def test_hostile_names_are_shown_not_obeyed():
    hostile = "<img src=x onerror=alert(1)>\x1b[31m\u202e"
    arms = {
        "a": arm(label=hostile), "b": arm(data=ToySpec(source="moons"), label=hostile),
        "c": arm(data=ToySpec(source="circles"), label=hostile),
    }  # fmt: skip
    found = {
        "a": classes_findings((hostile, "b", "c")), "b": plane_findings((hostile, "b")),
        "c": table_findings((hostile, "b", "c")),
    }  # fmt: skip
    found = {
        name: tuple(replace(one, title=hostile, caption=hostile) for one in some)
        for name, some in found.items()
    }
    html = without_scripts(render_html(record(arms, found), (), "x"))
    assert "<img src=x" not in html
    assert "onerror=alert(1)&gt;" in html
    assert "\x1b" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("damage", ["missing", "flat"])
def test_a_finding_that_lacks_what_is_drawn_is_an_error_that_says_where(place, damage):
    one = classes_findings()[place]
    arrays = {} if damage == "missing" else dict.fromkeys(one.arrays, np.zeros(0))
    arms = {"a": arm()}
    broken = record(arms, {"a": (replace(one, arrays=arrays),)})
    if damage == "flat" and one.kind == "calibration":
        pytest.skip("nothing is drawn of no bins")
    with pytest.raises(RunError, match=rf"the finding '{one.kind}' of a is damaged"):
        findings(broken, ["a"])


def test_a_kind_from_a_later_version_is_passed_over():
    later = replace(plane_findings()[0], kind="hologram")
    assert findings(record({"a": arm()}, {"a": (later,)}), ["a"]) == []


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_are_what_an_independent_reader_sees(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    seen = np.array(Image.open(io.BytesIO(png(pixels))))
    np.testing.assert_array_equal(seen.reshape(pixels.shape), pixels)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (4, 4, 4, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="no picture"):
        png(np.zeros(shape, np.uint8))


def test_a_sheet_magnifies_small_pictures_and_leaves_places_clear():
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] + np.zeros((5, 3, 2, 1), np.uint8)
    whole = sheet(pictures, 3, shown=4)
    # 3 x 2 pixels at 8 times their size, a frame of 1 around each, 3 between.
    assert whole.shape == (2 * 26 + 3, 3 * 18 + 2 * 3, 4)
    assert whole[1, 1].tolist() == [0, 0, 0, 255]
    assert whole[30, 1].tolist() == [3, 3, 3, 255]
    assert whole[30, 25, 3] == 0  # the fifth is not shown
    assert whole[0, 0].tolist() == [128, 128, 128, 255]
