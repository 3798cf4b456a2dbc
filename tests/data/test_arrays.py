"""Arrays of one's own as the data of a study."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris

import triptych
from triptych.contracts import Dataset, Split
from triptych.data import load, load_arrays, read_arrays
from triptych.errors import DataError, SpecError
from triptych.records import StudyFolder
from triptych.spec import (
    ArmSpec,
    ArraysSpec,
    BundledSpec,
    CNNSpec,
    MLPSpec,
    OptimizerSpec,
    RNNSpec,
    StudySpec,
    TrainSpec,
    parse_study,
)

pytestmark = pytest.mark.usefixtures("one_thread")

TRAIN = TrainSpec(epochs=3, batch_size=16, optimizer=OptimizerSpec(name="adam", lr=0.01))
IRIS = load_iris(return_X_y=True)


def loaded(given, seed=0, **fields):
    spec, rows = read_arrays(ArraysSpec(**fields), given)
    return load_arrays(spec, {spec.fingerprint: rows}, seed)


def study(network=None, train=TRAIN, **fields):
    network = network or MLPSpec(hidden=(5,))
    own = ArmSpec(data=ArraysSpec(**fields), network=network, train=train)
    return StudySpec(title="Own data", arms={"own": own}, seeds=2)


def test_a_table_is_split_by_class_and_standardised_as_one_from_a_file():
    data = loaded(IRIS)
    assert (len(data.train), len(data.test)) == (120, 30)
    assert data.classes == ("0", "1", "2")
    assert np.bincount(data.test.y).tolist() == [10, 10, 10]
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.train.x.std(axis=0), 1)
    theirs = load(BundledSpec(source="iris"), 0)
    assert {len(theirs.train), len(data.train)} == {120, len(theirs.train)}
    other = loaded(IRIS, seed=1)
    assert other.fingerprint != data.fingerprint
    assert loaded(IRIS).fingerprint == data.fingerprint


def test_rows_to_test_are_those_that_were_handed():
    x, y = IRIS
    data = [loaded((x[::2], y[::2], x[1::2], y[1::2]), seed) for seed in (0, 1)]
    assert len(data[0].test) == 75
    assert data[0].fingerprint == data[1].fingerprint
    scale = x[::2].mean(axis=0), x[::2].std(axis=0)
    np.testing.assert_allclose(data[0].test.x, (x[1::2] - scale[0]) / scale[1])


def test_labels_may_be_texts_and_frames_name_their_columns():
    frame = pd.DataFrame(IRIS[0], columns=["a", "b", "c", "d"])
    names = pd.Series(np.array(["setosa", "versi", "virginica"])[IRIS[1]])
    data = loaded((frame, names))
    assert data.classes == ("setosa", "versi", "virginica")
    assert [name for name, _ in data.features] == ["a", "b", "c", "d"]


def test_floats_are_numbers_to_tell_unless_it_is_said_otherwise():
    x, y = load_diabetes(return_X_y=True)
    data = loaded((x, y))
    assert data.classes == ()
    assert data.target is not None
    np.testing.assert_allclose(data.train.y.mean(), 0, atol=1e-12)
    classes = loaded((IRIS[0], IRIS[1].astype(float)), task="classification")
    assert classes.classes == ("0.0", "1.0", "2.0")
    two = loaded((x, np.stack([y, -y], axis=1)))
    assert two.outputs == 2


def test_pictures_keep_their_bytes():
    digits = load_digits(n_class=3)
    data = loaded((digits.images.astype(np.uint8), digits.target), holds="pictures")
    assert data.train.x.dtype == np.uint8
    assert data.sample_shape == (1, 8, 8)
    assert data.standardization.mean.shape == (1, 1, 1)
    colours = np.zeros((6, 3, 4, 5))
    colours[:, 0] = np.arange(6)[:, None, None]
    assert loaded((colours, [0, 1] * 3), holds="pictures").train.x.dtype == np.float32
    with pytest.raises(DataError, match=r"Channels last\? Use np.moveaxis\(x, -1, 1\)"):
        loaded((np.zeros((6, 8, 8, 3)), [0, 1] * 3), holds="pictures")


@pytest.mark.parametrize(
    ("x", "symbols", "shape"),
    [
        (["ab", "abc", "ba", "bc", "cab", "a"], 3, (3,)),
        ([[1, 2], [2, 1, 1], [2], [1], [1, 1], [2, 2]], 2, (3,)),
        ([np.ones((n, 2)) * n for n in (1, 2, 3, 4, 5, 6)], None, None),
        (np.random.default_rng(0).normal(size=(6, 4, 2)), None, (4, 2)),
        (np.random.default_rng(0).normal(size=(6, 4)), None, (4, 1)),
    ],
)
def test_sequences_in_every_form(x, symbols, shape):
    y = [0, 0, 0, 1, 1, 1]
    data = loaded((x, y), holds="sequences", test_size=0.3)
    assert data.kind == "sequences"
    assert data.symbols == symbols
    assert shape is None or data.sample_shape[1:] == shape[1:]
    handed = loaded((x, y, x, y), holds="sequences")
    assert len(handed.train) == len(handed.test) == 6


def test_a_data_set_is_taken_as_it_is():
    rng = np.random.default_rng(0)
    rows = [Split(rng.normal(size=(n, 4)), rng.integers(0, 2, n)) for n in (40, 10)]
    own = Dataset("mine", *rows, classes=("no", "yes"), kind="table", fingerprint="")
    data = [loaded(own, seed) for seed in (0, 1)]
    assert data[0].fingerprint == data[1].fingerprint != ""
    assert np.array_equal(data[0].train.x, rows[0].x)
    pictures = Dataset(
        "mine", *(Split(rng.integers(0, 9, (n, 1, 4, 4), np.uint8), rng.integers(0, 2, n))
                  for n in (40, 10)),
        classes=("no", "yes"), kind="pictures", fingerprint="",
    )  # fmt: skip
    spec, found = read_arrays(ArraysSpec(), pictures)
    assert (spec.holds, spec.task) == ("pictures", "classification")
    assert found.standardization is not None


@pytest.mark.parametrize(
    ("given", "fields", "says"),
    [
        (3, {}, r"must be \(x, y\), \(x, y, x_test, y_test\) or .*Dataset, got int"),
        ((np.ones((4, 2)), [0, 1]), {}, "x has 4 rows, y has 2"),
        ((np.ones((4, 2, 2)), [0, 1] * 2), {}, "x of a table must be .* holds='pictures'"),
        ((np.array([["a", "b"]] * 4), [0, 1] * 2), {}, "must be one array of numbers"),
        ((np.array([[1.0, np.nan]] * 4), [0, 1] * 2), {}, r"x\[0\]\[1\] is nan"),
        ((np.ones((4, 2)), [0, 0, 0, 0]), {}, "need 2 classes, found 1"),
        ((np.ones((4, 2)), [0, 1, None, 1]), {}, r"y\[2\] is missing"),
        ((np.ones((4, 2)), [0.5, 1, np.nan, 1]), {}, r"y\[2\] is nan"),
        ((np.ones((4, 2)), np.ones((4, 2), int)), {}, r"y must be \(rows,\) of classes"),
        ((np.ones((4, 2)), np.array([0, "a", 1, "b"], object)), {}, "labels of several kinds"),
        ((["ab", [1]], [0, 1]), {"holds": "sequences"}, "of the same kind"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(given, fields, says):
    with pytest.raises(DataError, match=says) as caught:
        read_arrays(ArraysSpec(name="mine", **fields), given)
    assert "\n" not in str(caught.value)
    assert "'mine'" in str(caught.value)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(DataError, match="each class needs 2 rows that differ"):
        loaded((np.arange(6.0).reshape(3, 2), [0, 0, 1]))
    with pytest.raises(DataError, match="needs 2 rows that differ"):
        loaded((np.ones((3, 2)), [0.0, 1.0, 2.0]))


def test_a_study_of_arrays_is_run_kept_and_told(tmp_path):
    result = triptych.run(study(name="iris"), arrays={"iris": IRIS}, out=tmp_path)
    first = result.record.runs
    assert [(r.status, r.data) for r in first] == [("finished", "iris")] * 2
    assert first[0].fingerprint != first[1].fingerprint
    stamp = (tmp_path / "runs/own/seed-0/result.json").stat().st_mtime_ns
    triptych.run(study(name="iris"), arrays={"iris": IRIS}, out=tmp_path)
    assert (tmp_path / "runs/own/seed-0/result.json").stat().st_mtime_ns == stamp
    x = IRIS[0].copy()
    x[0, 0] += 1
    other = triptych.run(study(name="iris"), arrays={"iris": (x, IRIS[1])}, out=tmp_path)
    assert {r.key for r in other.record.runs}.isdisjoint(r.key for r in first)
    assert "iris" in triptych.read_result(tmp_path).to_html()


@pytest.mark.parametrize(
    ("network", "fields", "given"),
    [
        (CNNSpec(channels=(4,), pool_after=()), {"holds": "pictures"},
         (load_digits(n_class=2).images[:60], load_digits(n_class=2).target[:60])),
        (RNNSpec(hidden=4), {"holds": "sequences"},
         ([c + "ab" * n for n in range(1, 16) for c in "ac"], ["a", "c"] * 15)),
        (MLPSpec(hidden=(4,)), {}, load_diabetes(return_X_y=True)),
    ],
)  # fmt: skip
def test_every_network_reads_them(network, fields, given, tmp_path):
    loss = "squared" if isinstance(given[1], np.ndarray) and given[1].dtype == float else "softmax"
    train = TrainSpec(epochs=2, batch_size=16, loss=loss)
    what = study(network, train, **fields)
    result = triptych.run(what, arrays={"data": given}, out=tmp_path)
    assert {r.status for r in result.record.runs} == {"finished"}


def test_a_loss_that_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    given = {"data": load_diabetes(return_X_y=True)}
    with pytest.raises(SpecError, match=r"^arm\.own\.train\.loss: 'softmax' does not fit 'arrays'"):
        triptych.run(study(), arrays=given, out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_without_arrays_a_study_says_where_they_come_from(tmp_path):
    triptych.run(study(name="iris"), arrays={"iris": IRIS}, out=tmp_path / "a")
    back = parse_study((tmp_path / "a/study.toml").read_text())
    assert len(back.arms["own"].data.fingerprint) == 64
    with pytest.raises(SpecError, match="arrays 'iris' are in no file. Run the study from Python"):
        triptych.run(back, out=tmp_path / "b")
    with pytest.raises(SpecError, match="arrays: has no 'iris', .* Did you mean 'irises'"):
        triptych.run(back, arrays={"irises": IRIS}, out=tmp_path / "b")
    assert StudyFolder(tmp_path / "a").read().runs
    with pytest.raises(SpecError, match="jobs: networks and arrays"):
        triptych.run(back, arrays={"iris": IRIS}, out=tmp_path / "b", jobs=2)
    with pytest.raises(SpecError, match="fingerprint: 'x' is no SHA-256"):
        ArraysSpec(fingerprint="x")
    with pytest.raises(SpecError, match=r"name: '\\x1b\[31m' must have letters"):
        ArraysSpec(name="\x1b[31m")
