"""Two recorded runs beside each other: all that differs is named, and nothing else."""

import json

import numpy as np
import pytest
import safetensors.numpy

from triptych.errors import RunError
from triptych.records import StudyFolder
from triptych.rerun import compare_runs
from triptych.rerun.compare import compare_weights


def pair(kept, one, other):
    folder = StudyFolder(kept)
    return compare_runs(*(folder.run(arm, seed) for arm, seed in (one, other)))


def test_a_run_and_itself_differ_in_nothing(kept):
    found = pair(kept, ("wide", 0), ("wide", 0))
    assert (found.spec, found.data, found.environment, found.parts) == ((), (), (), None)
    assert (found.weights, found.tensors, found.same_bits) == ("equal", (), True)


def test_arms_of_one_seed_differ_in_their_settings_only(kept):
    found = pair(kept, ("narrow", 0), ("wide", 0))
    assert {(d.name, d.one, d.other) for d in found.spec} == {
        ("network.hidden", "[3]", "[9]"), ("train.dtype", "float64", "float32"),
    }  # fmt: skip
    assert found.data == ()
    assert found.weights == "shapes"
    assert found.parts.name == "epoch 1"
    assert not found.same_bits


def test_seeds_of_one_arm_differ_in_seed_and_data_and_tensor_by_tensor(kept):
    found = pair(kept, ("wide", 0), ("wide", 1))
    assert [(d.name, d.one, d.other) for d in found.spec] == [("seed", "0", "1")]
    assert [d.name for d in found.data] == ["fingerprint"]
    one, other = (StudyFolder(kept).run("wide", seed).weights() for seed in (0, 1))
    assert [t.name for t in found.tensors] == list(one)
    for tensor in found.tensors:
        gap = np.abs(one[tensor.name].astype(float) - other[tensor.name]).max()
        assert tensor.absolute == pytest.approx(gap)
        assert tensor.relative == pytest.approx(gap / np.abs(one[tensor.name]).max())


def test_the_first_evaluation_that_differs_is_named_and_times_are_not_compared(kept):
    path = kept / "runs/wide/seed-1/metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["seconds"] += 1.0
    rows[1]["test_loss"] += 1e-15
    other = StudyFolder(kept).run("narrow", 1)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (other.path / "metrics.jsonl").write_text(text)
    found = compare_runs(StudyFolder(kept).run("wide", 1), other)
    assert found.parts.name == "epoch 2"
    assert found.parts.one.startswith("test_loss ")
    rows[1]["test_loss"] -= 1e-15
    (other.path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows[:2]))
    found = compare_runs(StudyFolder(kept).run("wide", 1), other)
    assert (found.parts.name, found.parts.other) == ("epoch 3", "")


def test_environments_are_compared_by_all_that_was_recorded(kept):
    path = kept / "runs/wide/seed-1/environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": "64", "new": "thing"}))
    found = pair(kept, ("wide", 0), ("wide", 1))
    assert {(d.name, d.other) for d in found.environment} == {("threads", "64"), ("new", "thing")}


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ([0.0, 1.0], [-0.0, 1.0], ("differ", 0.0, 0.0)),
        ([1.0, 4.0], [1.0, 4.5], ("differ", 0.5, 0.125)),
        ([np.nan, 1.0], [np.nan, 1.0], ("equal", None, None)),
        ([np.nan, 1.0], [0.0, 1.0], ("differ", np.inf, np.inf)),
        ([np.inf, 1.0], [np.inf, 2.0], ("differ", 1.0, 1.0)),
        ([0.0, 0.0], [0.0, 1e-9], ("differ", 1e-9, np.inf)),
    ],
)
def test_weights_are_compared_by_their_bits(one, other, how):
    found, tensors = compare_weights({"w": np.array(one)}, {"w": np.array(other)})
    gap = (tensors[0].absolute, tensors[0].relative) if tensors else (None, None)
    assert (found, *gap) == how


def test_other_names_shapes_and_types_are_no_numbers_to_compare():
    w = np.zeros((2, 3))
    for other in ({"v": w}, {"w": w.T}, {"w": w.astype("float32")}, {}):
        assert compare_weights({"w": w}, other) == ("shapes", ())


def test_runs_whose_weights_are_gone_are_compared_by_the_rest(kept):
    (kept / "runs/wide/seed-1/weights.safetensors").unlink()
    found = pair(kept, ("wide", 1), ("wide", 1))
    assert (found.weights, found.same_bits) == ("absent", True)


def test_a_damaged_run_is_refused_by_name(kept):
    (kept / "runs/wide/seed-1/weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(RunError, match=r"wide/seed-1/weights.safetensors"):
        pair(kept, ("wide", 0), ("wide", 1))
    (kept / "runs/wide/seed-1/weights.safetensors").unlink()
    (kept / "runs/wide/seed-1/spec.json").write_text("{")
    with pytest.raises(RunError, match=r"wide/seed-1/spec.json is damaged"):
        pair(kept, ("wide", 0), ("wide", 1))


def test_one_bit_of_one_weight_is_seen(kept):
    path = kept / "runs/wide/seed-1/weights.safetensors"
    before = StudyFolder(kept).run("wide", 1).weights()
    changed = {name: w.copy() for name, w in before.items()}
    changed["w2"].view(np.uint32)[0, 0] ^= 1
    other = StudyFolder(kept).run("wide", 0).path
    for name in ("result.json", "metrics.jsonl"):
        (other / name).write_bytes((path.parent / name).read_bytes())
    (other / "weights.safetensors").write_bytes(safetensors.numpy.save(changed))
    found = pair(kept, ("wide", 1), ("wide", 0))
    assert (found.weights, [t.name for t in found.tensors]) == ("differ", ["w2"])
    assert not found.same_bits
