"""Labels outside their range, and rows or steps that all are masked: told before anything trains.

The numbers are those of docs/faults.md.
"""

from dataclasses import replace

import numpy as np
import pytest

import triptych
from triptych.contracts import Dataset, Split
from triptych.errors import DataError
from triptych.spec import parse_study

STUDY = """
seeds = 1
[data]
source = "arrays"
holds = "HOLDS"
[arm.a]
engine = "ENGINE"
network = { NETWORK }
train = { epochs = 1, batch_size = 8 }
"""
MLP, RNN = 'kind = "mlp", hidden = [3]', 'kind = "rnn", hidden = 3'
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(60, 4)), np.arange(60) % 3
STEPS = DRAW.integers(0, 3, (60, 5)).astype(np.int8)


def run(given, engine="numpy", holds="table", network=MLP):
    text = STUDY.replace("ENGINE", engine).replace("HOLDS", holds).replace("NETWORK", network)
    return triptych.run(parse_study(text), arrays={"data": given}, out="o")


def changed(array, place, value):
    other = array.copy()
    other[place] = value
    return other


def data_set(x=X, y=Y, kind="table", weight=None, side="train", **changes):
    """Return a data set of which one side is as given."""
    whole = STEPS if kind == "sequences" else X
    sides = {"train": Split(whole, Y), "test": Split(whole, Y)}
    sides[side] = Split(x, y, weight=weight)
    symbols = 3 if kind == "sequences" else None
    made = Dataset("own", **sides, classes=("a", "b", "c"), kind=kind, fingerprint="")
    return replace(made, symbols=symbols, **changes)


@pytest.mark.fault(11)
@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
@pytest.mark.parametrize("side", ["train", "test"])
@pytest.mark.parametrize("label", [7, 3, -1])
def test_a_label_outside_the_range_is_named_with_the_range(here, engine, side, label):
    says = rf"^arrays 'data': {side}\.y\[5\]: label {label}, classes 0-2\.$"
    with pytest.raises(DataError, match=says):
        run(data_set(y=changed(Y, 5, label), side=side), engine)
    assert not list(here.iterdir())


@pytest.mark.fault(11)
@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("x", "says"),
    [
        (
            changed(STEPS, 4, -1),
            r"train\.x\[4\] has no step that counts: all of it is padding\. Lea",
        ),
        (
            changed(STEPS, (4, 2), 9),
            r"train\.x\[4\]\[2\] is 9; symbols are 0-2, and -1 only past the",
        ),
        (changed(STEPS, (4, 2), -1), r"train\.x\[4\]\[2\] is -1; symbols are 0-2"),
    ],
    ids=["all masked", "symbol 9", "a hole"],
)
def test_sequences_that_are_all_padding_or_of_other_symbols_are_named(here, engine, x, says):
    with pytest.raises(DataError, match=says):
        run(data_set(x=x, kind="sequences"), engine, "sequences", RNN)
    assert not list(here.iterdir())


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.zeros(60), r"train\.weight is 0 everywhere, so that no row counts\."),
        (changed(np.ones(60), 2, np.nan), r"train\.weight\[2\] is nan; 0 or more is one\."),
        (changed(np.ones(60), 2, -1), r"train\.weight\[2\] is -1\.0; 0 or more is one\."),
        (np.ones(3), r"train\.weight must be one number a row, got \(3,\)\."),
    ],
    ids=["zeros", "nan", "negative", "few"],
)
def test_weights_that_mask_every_row_are_refused(weight, says):
    with pytest.raises(DataError, match=says):
        run(data_set(weight=weight))


@pytest.mark.fault(5)
def test_numbers_that_are_not_finite_are_counted_and_three_named():
    bad = X.copy()
    bad[[3, 4, 5, 6], 2] = np.nan
    places = r"x\[3\]\[2\] is nan, {0}x\[4\]\[2\] is nan, {0}x\[5\]\[2\] is nan\. Leave them out\."
    says = rf"arrays 'data': 4 numbers are not finite, the first: {places.format('')}"
    with pytest.raises(DataError, match=says):
        run((bad, Y))
    with pytest.raises(DataError, match=r"the first: train\." + places.format(r"train\.")):
        run(data_set(x=bad))
    with pytest.raises(DataError, match=r"1 number is not finite, the first: y\[1\] is inf\."):
        run((X, changed(Y.astype(float), 1, np.inf)))


@pytest.mark.fault(11)
def test_a_label_that_only_rows_to_test_have_cannot_be_learnt():
    with pytest.raises(
        DataError, match=r"arrays 'data': y_test\[1\]: label 7, and no row of y has"
    ):
        run((X, Y, X[:2], np.array([0, 7])))


@pytest.mark.fault(6)
def test_arrays_of_one_class_are_told_which():
    with pytest.raises(DataError, match=r"arrays 'data': need 2 classes, found 1 \('cat'\)\."):
        run((X, np.array(["cat"] * 60)))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"x": X[:30]}, r"train has 30 rows of x and 60 of y; as many are needed"),
        ({"x": X[:0], "y": Y[:0], "side": "test"}, r"test has 0 rows of x and 0 of y"),
        ({"x": X.astype(str)}, r"train\.x must be numbers, got <U32"),
        ({"x": X[:, :3], "side": "test"}, r"test\.x has rows of shape \(3,\), train\.x \(4,\)"),
        (
            {"y": Y.astype(float)},
            r"train\.y must be int64 \(rows,\), 0 to 2, the places of classes",
        ),
    ],
)
def test_a_data_set_whose_parts_do_not_fit_is_refused(given, says):
    with pytest.raises(DataError, match=says):
        run(data_set(**given))


@pytest.mark.fault(11)
@pytest.mark.parametrize("name", ["MLPClassifier", "CNNClassifier", "RNNClassifier"])
def test_estimators_refuse_labels_and_weights_like_these(name):
    x = DRAW.normal(size=(60, 8, 8)) if name == "CNNClassifier" else X

    def model(**settings):
        return getattr(triptych, name)(max_iter=1, random_state=0, **settings)

    with pytest.raises(ValueError, match=r"y_val has classes that y has not: \[7\]"):
        model(early_stopping=True).fit(x, Y, X_val=x[:2], y_val=[7, 7])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`.* has \[0 1\]"):
        model().partial_fit(x, Y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"Input y contains NaN: y\[1\] is missing\. Give it a cl"):
        model().fit(x, [0, None, 1] * 20)
    for weights, says in ((np.zeros(60), "at least one non-zero"), (np.full(60, np.nan), "NaN")):
        with pytest.raises(ValueError, match=says):
            model().fit(x, Y, sample_weight=weights)


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("lengths", "says"),
    [
        (
            np.zeros(60, int),
            r"X\[0\] is empty: a sequence needs at least one step\. Leave it and its",
        ),
        (
            np.full(60, 9),
            r"lengths must be 1 to 5, the steps that X has room for\. Got lengths\[0\] = 9",
        ),
        (np.full(60, -1), r"lengths must be 1 to 5"),
    ],
    ids=["none", "past the end", "negative"],
)
def test_an_rnn_masks_no_whole_sequence_and_nothing_past_the_end(lengths, says):
    model = triptych.RNNClassifier(max_iter=1, random_state=0)
    with pytest.raises(ValueError, match=says):
        model.fit(STEPS.astype(int), Y, lengths=lengths)
