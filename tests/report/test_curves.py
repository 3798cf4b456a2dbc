"""Curves as specs: means, bands and seeds, and what a reader may switch."""

import json
import re
from dataclasses import replace

import pytest

from conftest import made_up_run
from triptych.records import DIVERGED
from triptych.report.curves import Series, curve_chart
from triptych.spec import ArmSpec, MLPSpec, StudySpec, ToySpec, TrainSpec

ARM = ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=TrainSpec())
STUDY = StudySpec(title="t", arms={"a": ARM}, seeds=3)


def chart(*runs, metric="loss", label="an arm", level=False):
    return curve_chart([Series(label, "var(--c1)", runs, is_level=level)], metric, "what it shows")


def spec_of(chart):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', chart)[1])


def picture_of(chart):
    return chart[: chart.index("<script")]


def rows_of(spec, name):
    return next(layer["data"]["values"] for layer in spec["layer"] if layer.get("name") == name)


RUNS = [made_up_run(STUDY, "a", seed) for seed in range(3)]


def test_a_mean_and_its_band_are_those_of_the_finished_runs():
    lost = replace(RUNS[2], status=DIVERGED)
    spec = spec_of(chart(*RUNS[:2], lost, metric="accuracy"))
    test, train = spec["data"]["values"]
    assert (test["s"], train["s"]) == ("test", "train")
    for row, name in ((test, "test_accuracy"), (train, "train_accuracy")):
        for k, epoch in enumerate(row["e"]):
            values = [run.curve[epoch - 1][name] for run in RUNS[:2]]
            assert row["v"][k] == pytest.approx(sum(values) / 2, rel=1e-4)
            assert row["lo"][k] == pytest.approx(min(values), rel=1e-4)
            assert row["hi"][k] == pytest.approx(max(values), rel=1e-4)


def test_single_seeds_are_in_the_spec_and_not_in_the_picture():
    shown = chart(*RUNS)
    seeds = rows_of(spec_of(shown), "seeds")
    assert [(row["s"], row["r"]) for row in seeds] == [
        (split, seed) for split in ("test", "train") for seed in range(3)
    ]
    for row in seeds:
        expected = [one[f"{row['s']}_loss"] for one in RUNS[row["r"]].curve]
        assert row["v"] == pytest.approx(expected, rel=1e-4)
    # A mean for each split; a band where seeds differ, which these do in their test loss alone.
    assert picture_of(shown).count('stroke="var(--c1)"') == 2
    assert picture_of(shown).count('fill="var(--c1)"') == 1


def test_runs_of_an_arm_that_has_no_mean_are_drawn_at_once():
    lost = [replace(run, status=DIVERGED) for run in RUNS]
    shown = chart(*lost)
    assert picture_of(shown).count('stroke="var(--c1)"') == 2 * 3
    assert all("name" not in layer for layer in spec_of(shown)["layer"])


def test_a_reader_may_switch_the_scales_of_loss_and_epochs():
    other = spec_of(chart(*RUNS))["usermeta"]["other"]
    assert other["y"]["on"]
    assert "type" not in other["y"]["to"]["scale"]  # to a linear one
    assert not other["x"]["on"]
    assert other["x"]["to"]["scale"]["type"] == "log"
    assert other["x"]["to"]["scale"]["domain"] == [1, 12]
    assert set(spec_of(chart(*RUNS, metric="accuracy"))["usermeta"]["other"]) == {"x"}


def test_epochs_that_start_at_0_have_no_logarithm():
    runs = [replace(RUNS[0], curve=({**RUNS[0].curve[0], "epoch": 0}, *RUNS[0].curve))]
    assert "x" not in spec_of(chart(*runs))["usermeta"]["other"]


def test_nothing_in_a_name_ends_the_element_that_holds_the_data():
    hostile = "</script><img src=x>"
    shown = chart(*RUNS, label=hostile)
    assert shown.count("</script>") == 1
    assert "<img" not in shown
    assert spec_of(shown)["data"]["values"][0]["a"] == hostile
