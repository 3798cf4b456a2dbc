"""A study of sequences from its file to its page: many lengths, growth, probes, their claims."""

import math
from dataclasses import replace

import numpy as np
import pytest

from triptych.data import load
from triptych.errors import SpecError
from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study, read_result
from triptych.spec import Metric, parse_study

TEXT = """
title = "Held"
seeds = 2
[data]
source = "palindromes"
length = 6
shortest = 3
probes = [4, 1200]
probe_size = 25
train_size = 120
test_size = 40
[arm.held]
network = { kind = "rnn", hidden = 6, init = "latch" }
[arm.held.train]
epochs = 4
batch_size = 8
optimizer = { name = "adam", lr = 0.02 }
growth = { stages = 3, every = 5, gate = 2.2 }
[arm.gates]
network = { kind = "rnn", cell = "lstm", hidden = 4, layers = 2, bidirectional = true }
train = { epochs = 2, batch_size = 8, patience = 1, validation = 0.2 }
[[claim]]
says = "It is an accuracy."
test = ["held.test_accuracy_at(1200) >= 0", "gates.test_accuracy_at(4) <= 1"]
[[claim]]
says = "What is far is told apart from what is near."
test = "held.test_accuracy_at(1200) < held.test_accuracy_at(4) + 2"
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    list(execute_study(parse_study(TEXT), StudyFolder(folder), Setting(device="cpu")))
    return read_result(folder)


def test_each_run_is_judged_at_each_length_once_at_the_end(result):
    assert len(result.record.runs) == 4
    for run in result.record.runs:
        assert {name for name in run.scores if "_at(" in name} == {
            "test_accuracy_at(4)", "test_accuracy_at(1200)",
        }  # fmt: skip
        assert not any("_at(" in name for row in run.curve for name in row)
        for length in (4, 1200):
            value, bound = run.measure(Metric(run.arm, "test_accuracy_at", level=length))
            assert not bound
            assert value * 25 == pytest.approx(round(value * 25))
        assert math.isnan(run.measure(Metric(run.arm, "test_accuracy_at", level=5))[0])


def test_what_is_judged_are_the_weights_that_are_kept(result):
    from triptych.models import RNNNumpy

    data = load(result.record.study.arms["held"].data, 1)
    (run,) = (r for r in result.record.of("held") if r.seed == 1)
    weights = StudyFolder(result.record.folder).run("held", 1).weights()
    network = RNNNumpy(result.record.study.arms["held"].network, weights)
    for length, probe in data.probes.items():
        found = (network.outputs(probe.x).argmax(axis=1) == probe.y).mean()
        # In float32 and another order of sums one row may fall to the other side.
        assert run.scores[f"test_accuracy_at({length})"] == pytest.approx(found, abs=1.5 / 25)


def test_claims_and_page_speak_of_them(result):
    assert np.isfinite(result.verdicts[0].outcomes[0].effect)
    assert result.verdicts[1].outcomes[0].effect >= 1
    assert "a verdict takes 6 seeds" in result.verdicts[1].outcomes[0].reason
    page = result.to_html()
    assert "held, test accuracy at length 1,200 0." in page
    assert "held, test accuracy at length 4 0." in page or "length 4 1.000" in page
    assert "palindromes, T = 3 to 6" in page
    assert "RNN, hidden 6, latch init, logits" in page
    assert "LSTM, hidden 4, 2 layers, both directions, logits" in page
    assert "lengths grow in 3 stages" in page


def test_a_claim_at_a_length_that_no_run_is_judged_at_is_refused():
    for wrong, says in [
        (TEXT.replace("test_accuracy_at(4)", "test_accuracy_at(5)"),
         r"'gates.test_accuracy_at\(5\)' needs 5 among data.probes of arm 'gates', which has "
         r"4, 1200"),
        (TEXT.replace("probes = [4, 1200]\n", ""), "which has none"),
    ]:  # fmt: skip
        with pytest.raises(SpecError, match=says):
            parse_study(wrong)
    study = parse_study(TEXT)
    assert replace(study, claims=()).arms == study.arms
