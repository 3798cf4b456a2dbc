"""A run is explained without being changed: the same bits, whatever watches it."""

import numpy as np
import pytest

from conftest import without_scripts
from triptych.contracts import Dataset, Split, Standardization
from triptych.records import StudyFolder
from triptych.runner import RunEnded, Setting, execute_study, read_result
from triptych.runner import runs as runs_module
from triptych.runner.explained import Explainer
from triptych.spec import ArmSpec, DigitsSpec, MLPSpec, TrainSpec, parse_study

pytestmark = pytest.mark.usefixtures("one_thread")

PLANE = """
title = "plane"
seeds = {seeds}
[data]
source = "moons"
n_samples = 60
[arm.net]
engine = "{engine}"
network = {{ kind = "mlp", hidden = [6] }}
[arm.net.train]
epochs = {epochs}
batch_size = {size}
dtype = "float64"
eval_every = 5
optimizer = {{ name = "sgd", lr = 0.1 }}
"""
PICTURES = """
title = "pictures"
seeds = 2
[data]
source = "digits"
train_limit = 80
test_limit = 40
[arm.mlp]
network = { kind = "mlp", hidden = [8] }
train = { epochs = 2, batch_size = 20 }
[arm.cnn]
engine = "numpy"
network = { kind = "cnn", channels = [4, 4], pool_after = [1] }
train = { epochs = 1, batch_size = 20 }
[arm.ours]
network = { kind = "cnn", design = "whitened", channels = [8, 8], pool_after = [1] }
train = { epochs = 1, batch_size = 20 }
[arm.squares]
network = { kind = "mlp", hidden = [8] }
train = { epochs = 1, batch_size = 20, loss = "squared" }
"""


def run(text, path):
    events = execute_study(parse_study(text), StudyFolder(path), Setting(device="cpu"))
    return [event.record for event in events if isinstance(event, RunEnded)]


def plane(engine="numpy", seeds=1, epochs=60, size=1):
    return PLANE.format(engine=engine, seeds=seeds, epochs=epochs, size=size)


class Blind:
    """Stands in for `Explainer`, and sees nothing."""

    seconds = 0.0

    def __init__(self, *_):
        pass

    def look(self, epoch):
        pass

    def findings(self, *_):
        return ()


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
@pytest.mark.parametrize(("seeds", "size"), [(1, 8), (3, 1)])
def test_a_run_that_is_watched_ends_with_the_same_bits(engine, seeds, size, tmp_path, monkeypatch):
    watched = run(plane(engine, seeds, 20, size), tmp_path / "watched")
    monkeypatch.setattr(runs_module, "Explainer", Blind)
    blind = run(plane(engine, seeds, 20, size), tmp_path / "blind")
    for one, other in zip(watched, blind, strict=True):
        assert bool(one.findings) == (one.seed == 0)
        assert not other.findings
        weights, same = (
            StudyFolder(tmp_path / name).run("net", one.seed).weights()
            for name in ("watched", "blind")
        )
        for name, w in weights.items():
            np.testing.assert_array_equal(w, same[name])


def test_the_boundary_grows_from_the_first_weights_to_the_last(tmp_path):
    (record,) = run(plane(epochs=200), tmp_path)
    boundary, calibration = record.findings
    assert (boundary.kind, calibration.kind) == ("decision boundary", "calibration")
    assert boundary.arrays["epochs"].tolist() == [0, 5, 15, 30, 80, 200]
    assert boundary.arrays["right"][-1] == pytest.approx(record.scores["train_accuracy"])
    by_epoch = {row["epoch"]: row["train_accuracy"] for row in record.curve}
    for epoch, right in zip(
        boundary.arrays["epochs"][1:], boundary.arrays["right"][1:], strict=True
    ):
        assert right == pytest.approx(by_epoch[epoch])


def test_seeds_trained_at_the_same_time_show_the_boundary_of_the_first(tmp_path):
    together = run(plane("compiled", 4), tmp_path / "together")[0]
    alone = run(plane("compiled", 1), tmp_path / "alone")[0]
    for name, array in together.findings[0].arrays.items():
        np.testing.assert_array_equal(array, alone.findings[0].arrays[name])


def test_with_early_stopping_the_last_look_is_at_the_weights_that_were_kept(tmp_path):
    text = plane(epochs=400).replace("lr = 0.1 }", "lr = 0.5 }\npatience = 2\nvalidation = 0.3")
    (record,) = run(text, tmp_path)
    epochs = record.findings[0].arrays["epochs"]
    losses = {row["validation_loss"]: row["epoch"] for row in record.curve}
    assert epochs[-1] == losses[min(losses)]
    assert record.epochs > epochs[-1]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    return run(PICTURES, path), path


def test_each_network_of_pictures_gets_the_findings_of_its_kind(pictures):
    kinds = {r.arm: [one.kind for one in r.findings] for r in pictures[0] if r.seed == 0}
    shared = ["integrated gradients", "calibration", "confusion", "mistakes", "first layer"]
    assert kinds["mlp"] == [*shared, "occlusion"]
    assert kinds["cnn"] == kinds["ours"] == [*shared, "feature maps", "occlusion"]
    assert kinds["squares"] == []
    assert not any(record.findings for record in pictures[0] if record.seed)


def test_confusions_agree_with_the_accuracy_of_the_record(pictures):
    for record in pictures[0]:
        for one in record.findings:
            if one.kind == "confusion":
                counts = one.arrays["counts"]
                right = counts.trace() / counts.sum()
                assert right == pytest.approx(record.scores["test_accuracy"])


def test_findings_are_small_and_read_back_as_they_were(pictures):
    records, path = pictures
    back = {(r.arm, r.seed): r for r in read_result(path).record.runs}
    for record in records:
        file = path / "runs" / record.arm / f"seed-{record.seed}" / "findings.json"
        assert file.exists() == bool(record.findings)
        assert not file.exists() or file.stat().st_size < 12_000
        read = back[record.arm, record.seed].findings
        for one, other in zip(record.findings, read, strict=True):
            assert one.labels == other.labels
            for name, array in one.arrays.items():
                np.testing.assert_allclose(array, other.arrays[name], rtol=1e-3)


def test_the_page_shows_them(pictures):
    html = without_scripts(read_result(pictures[1]).to_html())
    for title in (
        "What is taken for what", "The worst mistakes", "What a prediction rests on",
        "What the first layer looks for", "What the network makes of one picture",
        "Is it right as often as it says?",
    ):  # fmt: skip
        assert html.count(f"<h3>{title}</h3>") == 1
    assert len(html) < 400_000


def test_pictures_standardised_place_by_place_are_covered_by_one_grey():
    rng = np.random.default_rng(0)
    rows = Split(rng.integers(0, 256, (40, 3, 8, 8), dtype=np.uint8), rng.integers(0, 2, 40))
    mean = rng.uniform(100, 150, (3, 8, 8))
    by_place = Standardization(mean, np.full((3, 8, 8), 60.0))
    data = Dataset("d", rows, rows, ("a", "b"), "pictures", "f", by_place)
    arm = ArmSpec(data=DigitsSpec(), network=MLPSpec(hidden=(4,)), train=TrainSpec(epochs=1))
    seen = []

    class Learner:
        def outputs(self, x):
            seen.append(x)
            return np.zeros((len(x), 2))

    weights = {
        "w1": np.ones((192, 4)), "b1": np.ones(4), "w2": np.ones((4, 2)), "b2": np.ones(2),
    }  # fmt: skip
    found = Explainer(arm, 0, data, Learner()).findings(weights, 1)
    assert [one.kind for one in found][-1] == "occlusion"
    # The first is the picture itself; the upper left corner of the second is covered.
    first = seen[1]
    expected = mean.mean(axis=(1, 2)).round()
    np.testing.assert_array_equal(first[1][:, :2, :2], np.tile(expected[:, None, None], (1, 2, 2)))


TABLES = """
title = "tables"
seeds = 1
[arm.classes]
data = { source = "iris" }
network = { kind = "mlp", hidden = [6] }
train = { epochs = 3, batch_size = 20 }
[arm.numbers]
data = { source = "diabetes" }
network = { kind = "mlp", hidden = [6], activation = "tanh" }
train = { epochs = 3, batch_size = 20, loss = "squared" }
"""


def test_predictions_of_tables_are_shared_out_in_the_unit_of_what_is_told(tmp_path):
    records = {record.arm: record for record in run(TABLES, tmp_path)}
    for record in records.values():
        (one,) = [found for found in record.findings if found.kind == "integrated gradients"]
        gaps = one.arrays["sums"] - (one.arrays["predicted"] - one.arrays["plain"])
        assert np.abs(gaps).max() <= 0.01 * np.abs(one.arrays["predicted"]).max()
        assert set(record.times) == {"data", "evaluation", "findings"}
        assert all(seconds >= 0 for seconds in record.times.values())
        assert record.times["findings"] > 0
    probability, number = (
        next(f for f in records[arm].findings if f.kind == "integrated gradients")
        for arm in ("classes", "numbers")
    )
    assert ((probability.arrays["predicted"] > 0) & (probability.arrays["predicted"] < 1)).all()
    assert number.labels["of"] == ("number",)
    # The disease went on by 25 to 346.
    assert number.arrays["plain"][0] == pytest.approx(150, abs=60)
    html = read_result(tmp_path).to_html()
    assert html.count("Which columns made a prediction") == 2
