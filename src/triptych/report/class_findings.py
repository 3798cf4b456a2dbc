"""Findings on classifiers as figures: confusions, mistakes, calibration, importance of columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from triptych.records import Finding
from triptych.report.charts import Hover, by_label, draw
from triptych.report.drawing import Cell, Explained, Figure, Group, Key, Panel, Table
from triptych.report.pictures import image, sheet
from triptych.report.wording import accuracy, figure, plural, signed, visible

# Of so few classes a look at the matrix tells which pairs are confused.
_FEW = 3


def draw_confusion(series: Sequence[Explained]) -> Figure:
    """Return a table of counts for each arm, beside the pairs that are confused most."""
    groups = []
    for one in series:
        panels = _pairs(one.finding)
        labels = one.finding.labels
        listed = not panels and len(labels["classes"]) > _FEW and labels["true"]
        groups.append(
            Group(
                panels,
                "beside" if panels else "panels",
                one.label,
                _counts(one),
                _pair_table(one) if listed else None,
            )
        )
    first = series[0].finding
    has_panels = any(group.panels for group in groups)
    more = (
        " Beside it the pairs that are confused most, with the test pictures that were predicted "
        "wrong with most confidence."
        if has_panels
        else ""
    )
    return Figure(first.title, first.caption + more, groups)


def _counts(one: Explained) -> Table:
    counts, names = one.finding.arrays["counts"], one.finding.labels["classes"]
    rows = []
    for k, (name, line) in enumerate(zip(names, counts.tolist(), strict=True)):
        whole = max(1.0, sum(line))
        # A root, so that a few of many are still to be seen.
        cells = [
            Cell(f"{count:,.0f}", tint=math.sqrt(count / whole), wrong=j != k)
            for j, count in enumerate(line)
        ]
        rows.append(((name,), cells))
    upright = max(map(len, names)) > 3
    heads = ("true", *names)
    return Table(f"Confusion: {one.label}", heads, rows, tinted=True, upright=upright)


def _named(finding: Finding) -> list[tuple[str, str, str]]:
    """Return each pair: the true class, what it was predicted to be, and how often."""
    arrays, labels = finding.arrays, finding.labels
    often = [
        f"{count:,.0f} of {of:,.0f}"
        for count, of in zip(arrays["pairs"].tolist(), arrays["of"].tolist(), strict=True)
    ]
    return list(zip(labels["true"], labels["predicted"], often, strict=True))


def _pairs(finding: Finding) -> list[Panel]:
    if "examples" not in finding.arrays:
        return []
    found = []
    for k, (true, predicted, often) in enumerate(_named(finding)):
        pictures, shown = finding.arrays["examples"][k], int(finding.arrays["shown"][k])
        row = sheet(pictures, len(pictures), shown)
        label = f"{true} taken for {predicted}"
        found.append(Panel(image(row, f"{plural(shown, 'picture')}, {label}"), label, often))
    return found


def _pair_table(one: Explained) -> Table:
    rows = [((true, predicted), [Cell(often)]) for true, predicted, often in _named(one.finding)]
    name = f"Pairs that are confused most: {one.label}"
    return Table(name, ("confused most", "taken for", "rows"), rows)


def draw_mistakes(series: Sequence[Explained]) -> Figure:
    """Return the worst mistakes of each arm: pictures, or rows of a table."""
    groups = [
        Group(_wrong_pictures(one.finding), "tiles", _how_many(one))
        if "pictures" in one.finding.arrays
        else Group(label=_how_many(one), table=_wrong_rows(one))
        for one in series
    ]
    return Figure(series[0].finding.title, series[0].finding.caption, groups)


def _how_many(one: Explained) -> str:
    wrong, of = one.finding.arrays["wrong"].tolist()
    return f"{one.label}: {wrong:,.0f} of {of:,.0f} test rows predicted wrong"


def _wrong_pictures(finding: Finding) -> list[Panel]:
    arrays, labels = finding.arrays, finding.labels
    return [
        Panel(
            image(
                arrays["pictures"][k], f"test picture {int(row)}: {true}, predicted as {predicted}"
            ),
            f"{true}, predicted as {predicted}",
            f"{predicted}: {_share(arrays['predicted'][k])}, {true}: {_share(arrays['true'][k])}",
        )
        for k, (row, true, predicted) in enumerate(
            zip(arrays["rows"], labels["true"], labels["predicted"], strict=True)
        )
    ]


def _wrong_rows(one: Explained) -> Table:
    arrays, labels = one.finding.arrays, one.finding.labels
    heads = ("row", "true", "predicted", "p of predicted", "p of true", *labels["features"])
    places = labels.get("places") or [f"test row {row:,.0f}" for row in arrays["rows"].tolist()]
    rows = [
        (
            (place, true, predicted),
            [Cell(_share(p)) for p in (arrays["predicted"][k], arrays["true"][k])]
            + [Cell(text) for text in _row_texts(one.finding, k)],
        )
        for k, (place, true, predicted) in enumerate(
            zip(places, labels["true"], labels["predicted"], strict=True)
        )
    ]
    return Table(f"Worst mistakes: {one.label}", heads, rows)


def _row_texts(finding: Finding, k: int) -> list[str]:
    """Return the cells of a row as they stand in the data, or else what the network reads."""
    count = len(finding.labels["features"])
    if "cells" in finding.labels:
        return [text or "empty" for text in finding.labels["cells"][k * count : (k + 1) * count]]
    return [figure(value) for value in finding.arrays["values"][k].tolist()]


def _share(value: float) -> str:
    """Return a probability; the smallest are all the same to a reader."""
    return f"{value:.2f}" if value >= 0.005 else "<\N{NO-BREAK SPACE}0.01"


def draw_calibration(series: Sequence[Explained]) -> Figure:
    """Return accuracy by confidence: a line for each arm, and its distance from the diagonal."""
    who = ", ".join(one.label for one in series)
    heads = ("arm", "accuracy", "mean confidence", "ECE", "by chance")
    table = Table(f"Table of calibration: {who}", heads, [_calibrated(one) for one in series])
    errors = "; ".join(f"{one.label} {one.finding.arrays['error']:.3f}" for one in series)
    first = series[0].finding
    errors += "".join(_tempered(one) for one in series)
    caption = (
        f"{first.caption} ECE: {errors}. By chance: what it would be on as many rows of "
        "a network that is right as often as it says. Larger dots are of more rows."
    )
    chart = Markup(_calibration_chart(series, f"accuracy by confidence: {who}"))
    keys = [*(Key(one.label, one.colour) for one in series), Key("as it says", dashed=True)]
    return Figure(first.title, caption, [Group([Panel(chart)], "pair", table=table)], keys)


def _tempered(one: Explained) -> str:
    """Return what dividing by a temperature did, as the end of a sentence."""
    arrays = one.finding.arrays
    if "temperature" not in arrays:
        return ""
    before, after = (
        f"ECE {accuracy(error)} and log loss {figure(loss)}"
        for error, loss in zip(arrays["errors"].tolist(), arrays["losses"].tolist(), strict=True)
    )
    by = figure(float(arrays["temperature"]))
    return f"; of {one.label} outputs were divided by {by}: {before} before, {after} after"


def _calibrated(one: Explained) -> tuple[tuple[str], list[Cell]]:
    arrays = one.finding.arrays
    means = [float(arrays["share"] @ arrays[name]) for name in ("accuracy", "confidence")]
    errors = [float(arrays[name]) for name in ("error", "chance")]
    return (one.label,), [Cell(accuracy(value)) for value in (*means, *errors)]


def _calibration_chart(series: Sequence[Explained], description: str) -> str:
    points = [
        {"a": one.label, "c": round(c, 4), "r": round(r, 4), "n": round(share, 4)}
        for one in series
        for c, r, share in zip(
            *(one.finding.arrays[name].tolist() for name in ("confidence", "accuracy", "share")),
            strict=True,
        )
    ]
    whole = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": "~g"}}
    size = {"field": "n", "type": "quantitative", "legend": None,
            "scale": {"domain": [0, 1], "range": [12, 200]}}  # fmt: skip
    encoding = {
        "x": {"field": "c", "title": "confidence", **whole},
        "y": {"field": "r", "title": None, **whole},
        "color": by_label(series),
    }
    ends = [{"c": 0, "r": 0}, {"c": 1, "r": 1}]
    # Bins of few rows jump about: dots say more than the line through them.
    thin = {"type": "line", "strokeWidth": 1.2, "opacity": 0.5}
    diagonal = {"type": "line", "strokeDash": [4, 3], "stroke": "var(--muted)"}
    spec = {
        "data": {"values": points},
        "height": 300,
        "layer": [
            {"data": {"values": ends}, "mark": diagonal,
             "encoding": {"x": encoding["x"], "y": encoding["y"]}},
            {"mark": thin, "encoding": encoding},
            {"mark": {"type": "circle", "opacity": 1}, "encoding": {**encoding, "size": size}},
        ],
    }  # fmt: skip
    return draw(spec, description, Hover("c", "confidence", "r", "decimals"))


def draw_importance(series: Sequence[Explained]) -> Figure:
    """Return what each column is worth to each arm, as bars and as a table."""
    who = ", ".join(one.label for one in series)
    found = [(one.label, _by_column(one.finding)) for one in series]
    features = list(dict.fromkeys(column for _, drops in found for column in drops))
    rows = [
        ((feature,), [_drop_cell(drops.get(feature)) for _, drops in found]) for feature in features
    ]
    chart = Markup(_importance_chart(series, features, f"importance of columns: {who}"))
    table = Table(f"Table of importance: {who}", ("column", *(label for label, _ in found)), rows)
    first = series[0].finding
    keys = [Key(one.label, one.colour) for one in series]
    caption = f"{first.caption} In points: hundredths of {first.labels['score'][0]}."
    return Figure(first.title, caption, [Group([Panel(chart)], "pair", table=table)], keys)


def _by_column(finding: Finding) -> dict[str, tuple[float, float, float]]:
    """Return mean, least and most of what shuffling each column costs."""
    arrays = (finding.arrays[name].tolist() for name in ("drop", "least", "most"))
    columns = map(visible, finding.labels["features"])
    return dict(zip(columns, zip(*arrays, strict=True), strict=True))


def _drop_cell(drop: tuple[float, float, float] | None) -> Cell:
    if drop is None:
        return Cell("–")
    mean, least, most = (signed(value, "share") for value in drop)
    return Cell(mean, "" if least == most else f"{least} to {most}")


def _importance_chart(series: Sequence[Explained], features: Sequence[str], about: str) -> str:
    points = [
        {"a": one.label, "f": feature, "v": 100 * mean, "lo": 100 * least, "hi": 100 * most}
        for one in series
        for feature, (mean, least, most) in _by_column(one.finding).items()
    ]
    offset = {"field": "a", "type": "nominal", "sort": [one.label for one in series]}
    encoding: dict[str, Any] = {
        "y": {"field": "f", "type": "nominal", "sort": list(features), "title": None,
              "axis": {"labelLimit": 110}},
        "yOffset": offset,
        "color": by_label(series),
        "x": {"field": "v", "type": "quantitative", "title": "fall, in points"},
    }  # fmt: skip
    ends = {**encoding, "x": {**encoding["x"], "field": "lo"}, "x2": {"field": "hi"}}
    spec = {
        "data": {"values": points},
        "height": max(90, 18 * len(points)),
        "layer": [
            {"mark": {"type": "bar", "opacity": 0.75}, "encoding": encoding},
            {"mark": "rule", "encoding": {**ends, "color": {"value": "var(--ink)"}}},
        ],
    }
    return draw(spec, about, Hover("f", "", "v", "figure", axis="y"))
