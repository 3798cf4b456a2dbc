"""Every network on every kind of data, intact and scrambled, and references beside them."""

import math
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from triptych.chance import stream
from triptych.contracts import Split
from triptych.data import arrange
from triptych.engines import create_mlp
from triptych.errors import DataError, SpecError
from triptych.live import Watcher
from triptych.models import initial_weights
from triptych.records import StudyFolder
from triptych.runner import RunStarted, Setting, execute_study, load_for, read_result
from triptych.spec import parse_study

TEXT = """
title = "away"
seeds = 1
[data]
DATA
[arm.mlp]
network = { kind = "mlp", hidden = [4] }
train = { epochs = 2, batch_size = 16 }
[arm.cnn]
network = { kind = "cnn", channels = [3, 3], pool_after = [1] }
train = { epochs = 2, batch_size = 16 }
[arm.rnn]
network = { kind = "rnn", hidden = 4 }
train = { epochs = 2, batch_size = 16 }
[arm.moved]
scrambled = true
network = { kind = "rnn", hidden = 4 }
train = { epochs = 2, batch_size = 16 }
[arm.trees]
network = { kind = "reference", model = "random_forest" }
[arm.shares]
network = { kind = "reference", model = "most_frequent" }
"""
DATA = {
    "digits": 'source = "digits"\ntrain_limit = 60\ntest_limit = 30',
    "moons": 'source = "moons"\nn_samples = 60',
    "palindromes": 'source = "palindromes"\nlength = 6\ntrain_size = 60\ntest_size = 30',
}


def study(data, **changes):
    parsed = parse_study(TEXT.replace("DATA", DATA[data]))
    arms = {name: replace(arm, **changes.get(name, {})) for name, arm in parsed.arms.items()}
    return replace(parsed, arms=arms)


def run(study, path):
    list(execute_study(study, StudyFolder(path), Setting(device="cpu")))
    return read_result(path)


@pytest.mark.parametrize("data", DATA)
def test_every_network_is_trained_on_every_kind_of_data(data, tmp_path, one_thread):
    result = run(study(data), tmp_path)
    assert [r.status for r in result.record.runs] == ["finished"] * 6
    runs = {r.arm: r for r in result.record.runs}
    assert all(math.isfinite(r.scores["test_loss"]) for r in runs.values())
    assert runs["moved"].fingerprint != runs["rnn"].fingerprint
    assert runs["moved"].arranged.startswith("scrambled")
    assert (runs["trees"].parameters, runs["trees"].engine) == (0, "scikit-learn")
    assert not (tmp_path / "runs" / "trees" / "seed-0" / "weights.safetensors").exists()
    page = result.to_html()
    assert "reference: random forest of 100 trees" in page
    assert "A level line is a reference" in page
    assert runs["moved"].arranged in page
    # The same command does nothing anew.
    assert run(study(data), tmp_path).record.runs == result.record.runs


@pytest.mark.parametrize(
    ("data", "network"), [("digits", "rnn"), ("moons", "rnn"), ("moons", "cnn")]
)
def test_engines_agree_away_from_home(data, network, tmp_path, one_thread):
    base = study(data).arms[network]
    base = replace(base, train=replace(base.train, dtype="float64"), scrambled=True)
    engines = ("numpy", "torch") if network == "cnn" else ("numpy", "compiled", "torch")
    arms = {name: replace(base, engine=name) for name in engines}
    losses = [
        r.scores["test_loss"] for r in run(replace(study(data), arms=arms), tmp_path).record.runs
    ]
    assert losses == pytest.approx([losses[0]] * len(engines), rel=1e-9)


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_an_mlp_whose_first_weights_are_moved_with_the_pixels_trains_the_same(engine, one_thread):
    arm = study("digits").arms["mlp"]
    train = replace(arm.train, dtype="float64")
    intact, moved = (load_for(replace(arm, scrambled=s), 0, None) for s in (False, True))
    places = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    numbered = replace(intact, train=Split(places, np.zeros(1, np.int64)))
    order = arrange(numbered, "rows", 0, scrambled=True).train.x.ravel()
    weights = initial_weights(arm.network, intact, stream(0, "weights"))
    first = {**weights, "w1": weights["w1"][order]}
    scores = []
    for data, start in ((intact, weights), (moved, first)):
        learner = create_mlp(
            arm.network, train, engine, start, data.train, standardization=data.standardization
        )
        learner.fit(np.arange(60), 16, np.full(4, 0.1))
        scores.append(learner.evaluate(data.test).loss)
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)


def test_what_cannot_be_read_is_told_before_anything_is_written(tmp_path):
    arm = study("moons").arms["cnn"]
    arm = replace(arm, network=replace(arm.network, design="whitened"))
    with pytest.raises(
        SpecError, match="'whitened' reads patches of 2 x 2, got moons as pictures of 1 x 2"
    ):
        run(replace(study("moons"), arms={"a": arm}), tmp_path / "new")
    arm = study("palindromes").arms["mlp"]
    arm = replace(arm, data=replace(arm.data, length=1_000_001, train_size=100))
    with pytest.raises(DataError, match="more than 2 GB"):
        run(replace(study("palindromes"), arms={"a": arm}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_live_view_shows_references_too(tmp_path, one_thread):
    only = study("moons")
    only = replace(only, arms={name: only.arms[name] for name in ("trees", "moved")})
    console = Console(file=StringIO(), force_terminal=True, width=100)
    watcher = Watcher(only, console)
    for event in execute_study(only, StudyFolder(tmp_path), Setting(device="cpu")):
        watcher.watch([event])
        if isinstance(event, RunStarted) and event.arm == "trees":
            console.print(watcher.view())
    shown = console.file.getvalue()
    assert "fitting" in shown
    assert re.search(r"trees +[01]\.\d{3}", shown)
    assert watcher.forecast.done == 2


def test_a_reference_has_no_epochs_to_claim(tmp_path):
    claim = '[[claim]]\nsays = "x"\ntest = "trees.epochs_to(test_accuracy, 0.5) < 3"\n'
    with pytest.raises(SpecError, match="'trees' is a reference, which has no epochs"):
        parse_study(TEXT.replace("DATA", DATA["moons"]) + claim)
