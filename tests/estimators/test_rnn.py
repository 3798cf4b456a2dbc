"""The RNN behind scikit-learn's interface."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from triptych import RNNClassifier
from triptych.errors import NumericsError, SpecError
from triptych.spec import GrowthSpec

SYMBOLS = [[3, 1], [1, 3, 3], [3], [1, 1, 3, 1]] * 5
FIRSTS = np.array([row[0] for row in SYMBOLS])


@parametrize_with_checks([RNNClassifier(hidden=8, max_iter=10)])
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


def fitted(x, y, sample_weight=None, lengths=None, **settings):
    base = {"hidden": 8, "max_iter": 3, "random_state": 0}
    return RNNClassifier(**{**base, **settings}).fit(x, y, sample_weight, lengths)


def assert_same(one, other):
    assert one.weights_.keys() == other.weights_.keys()
    for name, w in one.weights_.items():
        assert np.array_equal(w, other.weights_[name]), name


def palindromes(count, shortest, longest):
    """Return digits of palindromes without the last, which is to be told."""
    rng = np.random.default_rng(longest)
    found = []
    for _ in range(count):
        length = int(rng.integers(shortest, longest + 1))
        half = rng.integers(0, 10, (length + 1) // 2)
        found.append(np.concatenate([half, half[::-1][length % 2 :]])[:-1])
    return found, np.array([row[0] for row in found])


@pytest.fixture(scope="module")
def waves():
    """Sequences of two features and of many lengths: a feature rises, or it falls."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    x = []
    for slope in 2 * y - 1:
        t = np.arange(rng.integers(3, 12))
        x.append(np.stack([100 + slope * t + rng.normal(0, 0.1, len(t)), np.full(len(t), 7.0)], 1))
    return x, np.array(["falls", "rises"])[y]


def padded(x, fill, steps=20):
    lengths = np.array([len(row) for row in x])
    out = np.full((len(x), steps, *np.shape(x[0])[1:]), fill, np.asarray(x[0]).dtype)
    for k, row in enumerate(x):
        out[k, : len(row)] = row
    return out, lengths


def test_the_first_digit_of_palindromes_is_remembered_beyond_the_lengths_learnt():
    x, y = palindromes(2000, 2, 12)
    model = RNNClassifier(
        recipe="lengths", hidden=32, max_iter=20, learning_rate_init=0.005, random_state=0
    ).fit(x, y)
    x_test, y_test = palindromes(300, 12, 40)
    assert model.score(x_test, y_test) == 1.0
    assert model.network_.init == "uniform"
    assert model.symbols_.tolist() == model.classes_.tolist() == list(range(10))
    assert model.n_iter_ == len(model.loss_curve_) == 20
    assert model.n_features_in_ == 1
    assert model.t_ >= 20 * 2000
    assert model.engine_.startswith("compiled (chosen")
    np.testing.assert_allclose(np.exp(model.predict_log_proba(x_test)).sum(1), 1, rtol=1e-5)


def test_numbers_are_told_apart_and_a_constant_feature_does_no_harm(waves):
    model = fitted(*waves, max_iter=40)
    assert model.score(*waves) > 0.95
    assert model.n_features_in_ == 2
    assert model.symbols_ is None
    assert model._standardization.std[1] == 1.0
    scaled = [row * [1e3, -1e-3] + [5, 1e3] for row in waves[0]]
    again = fitted(scaled, waves[1], max_iter=40)
    np.testing.assert_allclose(again.loss_curve_, model.loss_curve_, rtol=0.05)


@pytest.mark.fault(10)
@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
@pytest.mark.parametrize("shape", [{}, {"layers": 2, "bidirectional": True}])
def test_padding_and_what_it_holds_never_matter(waves, cell, shape):
    x, y = waves
    plain = fitted(x, y, cell=cell, **shape)
    for fill, steps in [(np.nan, 11), (0.0, 20), (1e30, 30), (np.inf, 15)]:
        full, lengths = padded(x, fill, steps)
        model = fitted(full, y, lengths=lengths, cell=cell, **shape)
        assert_same(model, plain)
        assert np.array_equal(model.predict_proba(full, lengths), plain.predict_proba(x))
        assert model.score(full, y, lengths=lengths) == plain.score(x, y)
        assert np.array_equal(model.predict_log_proba(full, lengths), plain.predict_log_proba(x))


def test_a_sequence_alone_gets_what_it_gets_beside_longer_ones(waves):
    x, y = waves
    for settings in ({}, {"cell": "gru", "bidirectional": True}):
        model = fitted(x, y, dtype="float64", **settings)
        together = model.predict_proba(x)
        for k in (0, 7):
            np.testing.assert_allclose(model.predict_proba(x[k : k + 1])[0], together[k], rtol=1e-9)


@pytest.mark.fault(10)
@pytest.mark.parametrize("fill", [0, -1, 99, 3])
def test_padded_symbols_are_those_of_the_list(fill):
    full, lengths = padded([np.array(row) for row in SYMBOLS], fill, 6)
    plain, model = fitted(SYMBOLS, FIRSTS), fitted(full, FIRSTS, lengths=lengths)
    assert model.symbols_.tolist() == [1, 3]
    assert_same(plain, model)
    assert np.array_equal(model.predict_proba(full, lengths), plain.predict_proba(SYMBOLS))


def test_every_form_of_symbols_gives_the_same_weights():
    plain = fitted(SYMBOLS, FIRSTS)
    letters = ["".join("?b?d"[s] for s in row) for row in SYMBOLS]
    forms = [
        letters,
        [list(word) for word in letters],
        tuple(letters),
        np.array(letters),
        np.array(letters, object),
        pd.Series(letters),
        [np.array(list(word)) for word in letters],
        [["one" if s == "b" else "two" for s in word] for word in letters],
        [np.array(row, np.uint8) for row in SYMBOLS],
        [np.array(row) - 2 for row in SYMBOLS],  # symbols -1 and 1
    ]
    for form in forms:
        assert_same(fitted(form, FIRSTS), plain)
    assert fitted(letters, FIRSTS).symbols_.tolist() == ["b", "d"]
    # Full arrays need no lengths.
    square = [row[:1] * 3 for row in SYMBOLS]
    for form in (np.array(square), np.array(square, object).astype(str), pd.DataFrame(square)):
        assert_same(fitted(form, FIRSTS), fitted(square, FIRSTS))


def test_every_form_of_one_number_a_step_gives_the_same_weights(waves):
    x, y = [row[:, 0] for row in waves[0]], waves[1]
    plain = fitted([row[:, None] for row in x], y)
    full, lengths = padded(x, np.nan)
    for form in ([x], [[row.tolist() for row in x]], [full, None, lengths]):
        assert_same(fitted(form[0], y, *form[1:]), plain)
    assert plain.predict(x[:2]).shape == (2,)
    assert plain.predict(np.array([[1.0, 2.0], [4.0, 3.0]])).shape == (2,)
    assert plain.predict([[1, 2, 3], [1, 2]]).shape == (2,)  # integers are numbers by now


def test_columns_of_a_table_are_steps(waves):
    x = np.random.default_rng(0).normal(size=(40, 5))
    y = (x.sum(1) > 0).astype(int)
    model = fitted(x, y)
    assert model.n_features_in_ == 5
    assert model.weights_["wx"].dtype == np.float64
    assert_same(fitted(x[:, :, None], y, dtype="float64"), model)
    frame = pd.DataFrame(x, columns=list("abcde"))
    assert fitted(frame, y).feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="X has 4 features, but RNNClassifier is expecting 5"):
        model.predict(x[:, :4])
    # Lengths say that columns are no features, so that any number of steps will do.
    assert model.predict(x[:, :4], [4] * 40).shape == (40,)


@pytest.mark.parametrize("recipe", ["logits", "paper", "lengths"])
def test_the_engines_agree(waves, recipe):
    for x, y in (waves, (SYMBOLS, FIRSTS)):
        settings = {"recipe": recipe, "dtype": "float64", "batch_size": 16}
        one, *others = (fitted(x, y, engine=e, **settings) for e in ("numpy", "torch", "compiled"))
        assert one.engine_ == "numpy"
        for other in others:
            np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-9)
            np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), rtol=1e-7)


def test_recipes_are_what_they_promise():
    specs = [fitted(SYMBOLS, FIRSTS, recipe=r)._spec[0] for r in ("paper", "logits", "lengths")]
    paper, logits, lengths = specs
    assert paper == logits
    assert (paper.optimizer.name, paper.optimizer.lr, paper.clip_norm) == ("rmsprop", 0.001, 10)
    assert (lengths.optimizer.name, lengths.clip_norm) == ("adam", 1)
    assert (paper.growth, lengths.growth) == (None, GrowthSpec(stages=1))
    assert [fitted(SYMBOLS * 20, FIRSTS.tolist() * 20, recipe=r, max_iter=1)._spec[0].batch_size
            for r in ("paper", "logits")] == [34, 34]  # fmt: skip
    own = fitted(SYMBOLS, FIRSTS, clip_norm=np.inf, learning_rate_init=0.5, batch_size=4)
    assert own._spec[0].clip_norm is None
    assert own._spec[0].batch_size == 4
    assert own._rate == 0.5


def test_the_report_s_second_softmax_gives_probabilities_that_are_the_outputs():
    model = fitted(SYMBOLS, FIRSTS, recipe="paper", max_iter=40, learning_rate_init=0.01)
    assert model.network_.output == "softmax"
    found = model.predict_proba(SYMBOLS)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert found.max() > 0.9  # a second softmax would end at 0.73
    assert model.score(SYMBOLS, FIRSTS) == 1.0


@pytest.mark.parametrize("again", ["warm", "partial"])
def test_lengths_are_drawn_anew_however_training_goes_on(again):
    model = RNNClassifier(recipe="lengths", batch_size=4, hidden=8, max_iter=1, warm_start=True)
    for _ in range(2):
        if again == "partial":
            model.partial_fit(SYMBOLS, FIRSTS, classes=[1, 3])
        else:
            model.fit(SYMBOLS, FIRSTS)
        assert model._spec[0].growth == GrowthSpec(stages=1)


def test_early_stopping_keeps_the_best():
    x, y = palindromes(300, 2, 4)
    settings = {"early_stopping": True, "n_iter_no_change": 2, "validation_fraction": 0.3}
    model = fitted(x, y, max_iter=40, learning_rate_init=0.05, **settings)
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) < 40
    assert model.best_validation_score_ == max(scores)


def test_a_row_of_weight_zero_is_none_and_of_weight_two_is_two(waves):
    x, y = waves
    weight = np.random.default_rng(0).integers(0, 3, len(x))
    rows = np.repeat(np.arange(len(x)), weight)
    assert_same(fitted(x, y, weight), fitted([x[k] for k in rows], y[rows]))
    counts = {name: 0.5 + (name == "rises") for name in ("rises", "falls")}
    weighed = fitted(SYMBOLS, FIRSTS, np.where(FIRSTS == 1, 0.7, 0.1))
    assert_same(fitted(SYMBOLS, FIRSTS, class_weight={1: 0.7, 3: 0.1}), weighed)
    assert not np.array_equal(
        fitted(x, y, class_weight=counts).weights_["wy"], fitted(x, y).weights_["wy"]
    )


def test_a_pickled_model_predicts_and_goes_on_to_the_same_numbers(waves):
    for x, y in (waves, (SYMBOLS, FIRSTS), (["ab", "b", "ba"] * 5, list("xyy") * 5)):
        model = RNNClassifier(hidden=8, random_state=0)
        for _ in range(2):
            model.partial_fit(x, y, classes=np.unique(y))
        again = pickle.loads(pickle.dumps(model))  # noqa: S301
        assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
        for each in (model, again):
            each.partial_fit(x, y)
        assert_same(model, again)
        assert len(model.loss_curve_) == 3
    copied = clone(RNNClassifier("gru", symbols=["a", "b"], clip_norm=3.0))
    assert copied.get_params()["symbols"] == ["a", "b"]


def test_partial_fit_knows_symbols_that_come_later_where_they_are_named():
    model = RNNClassifier(hidden=8, symbols="abc", random_state=0)
    model.partial_fit(["ab", "ba"], [0, 1], classes=[0, 1])
    assert model.partial_fit(["ac", "ca"], [0, 1]).predict(["c"]).shape == (1,)
    unnamed = RNNClassifier(hidden=8).partial_fit(["ab", "ba"], [0, 1], classes=[0, 1])
    with pytest.raises(ValueError, match=r"X\[0\]\[1\] is an unknown symbol, 'c': 2 are known"):
        unnamed.partial_fit(["ac", "ca"], [0, 1])


def test_grids_and_cross_validation_take_lists(waves):
    x, y = waves
    assert cross_val_score(RNNClassifier(hidden=8, max_iter=30, random_state=0), x, y).mean() > 0.8
    grid = GridSearchCV(RNNClassifier(hidden=8, max_iter=20, random_state=0),
                        {"learning_rate_init": [1e-7, 0.01]}, cv=2)  # fmt: skip
    assert grid.fit(x, y).best_params_ == {"learning_rate_init": 0.01}


GOOD = [[0, 1], [1, 0], [0]]


@pytest.mark.parametrize(
    ("x", "says"),
    [
        ([[0, 1], [], [1]], r"X\[1\] is empty: a sequence needs at least one step"),
        (["a", "", "b"], r"X\[1\] is empty"),
        ([np.zeros((2, 3)), np.zeros((0, 3)), np.zeros((1, 3))], r"X\[1\] is empty"),
        (np.zeros((3, 0, 2)), r"X\[0\] is empty"),
        ("abc", "Got a single string instead; put it in a list"),
        (None, "must be a list or an array of sequences. Got NoneType"),
        ({"a": [1]}, "must be a list or an array of sequences. Got dict"),
        ([], "0 sample"),
        ([1, 2, 3], r"X\[0\] must be a sequence: .* Got 1 instead"),
        ([{1, 2}, {1}, {2}], r"X\[0\] must be a sequence: .* Got \{1, 2\} instead"),
        ([[1], [2**63], [3]], r"X\[1\] has an integer beyond 9223372036854775807"),
        ([[1], [-(10**30)], [3]], r"X\[1\] has an integer beyond"),
        (["ab", [1, 2], "b"], r"Got strings in X\[0\] and numbers in X\[1\] instead"),
        ([["a", 1], ["b"], ["a"]], r"X\[0\] mixes strings and others.*'a' at X\[0\]\[0\] and 1 at"),
        ([[0, None], [1], [0]], r"X\[0\]\[1\] is missing"),
        ([[0, 1], 5, [0]], r"X\[1\] must be a sequence.* Got 5 instead"),
        ([b"ab", b"b", b"a"], r"X\[0\] must be a sequence: a string.* Got b'ab' instead"),
        ([np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((1, 3))],
         r"3 features in X\[0\] and 4 features in X\[1\]"),
        ([np.zeros((2, 3)), np.zeros(2), np.zeros(3)], r"3 features in X\[0\] and one number a st"),
        ([[[1.0, 2.0], [1.0]], [[1.0, 2.0]], [[1.0, 2.0]]],
         r"as many features in each step. Got 2 at X\[0\]\[0\] and 1 at X\[0\]\[1\]"),
        ([np.zeros((2, 3)), np.array([[0, 0, 0], [0, np.nan, 0]]), np.zeros((1, 3))],
         r"contains NaN: X\[1\]\[1\], feature 1"),
        ([[0.0, 1.0], [1.0], [np.inf]], r"contains infinity: X\[2\]\[0\], feature 0"),
        ([[0.0, 1.0], [1.0], [1j]], r"Complex data not supported: X\[2\]"),
        ([[0.0, 1.0], [1.0], [{}]], r"X\[2\] must hold numbers or strings"),
        ([[0.0, 1.0], [1.0], np.array(["2020-01-01"], "M8[D]")], r"X\[2\] must hold numbers"),
        ([np.zeros((2, 3, 4))] * 3, r"X\[0\] must have steps of one symbol.*Got shape \(2, 3, 4\)"),
        (np.zeros((3, 2, 2, 2)), r"must have 2 axes .*, or 3 .*Got shape \(3, 2, 2, 2\)"),
        ([[0, 1], [1]], "inconsistent numbers of samples"),
        (np.zeros((0, 4, 2)), "0 sample"),
        (np.arange(200_000).reshape(2, -1), "may hold 65,536 different symbols. Got 200,000"),
    ],
)  # fmt: skip
def test_sequences_that_cannot_be_used_are_named(x, says):
    with pytest.raises(ValueError, match=says):
        fitted(x, [0, 1, 0])


@pytest.mark.parametrize(
    ("lengths", "says"),
    [
        ([1, 2], r"each of the 3 sequences of X. Got shape \(2,\)"),
        ([1, 2, 0], r"X\[2\] is empty"),
        ([1, 2, 5], r"must be 1 to 4, the steps that X has room for. Got lengths\[2\] = 5"),
        ([1, -2, 3], r"Got lengths\[1\] = -2"),
        ([1.0, 2.0, 3.0], "must be integers. Got float64"),
        ([True, True, True], "must be integers. Got bool"),
    ],
)
def test_lengths_that_cannot_be_are_named(lengths, says):
    for x in (np.zeros((3, 4, 2)), np.arange(12).reshape(3, 4)):
        with pytest.raises(ValueError, match=says):
            fitted(x, [0, 1, 0], lengths=lengths)
    with pytest.raises(ValueError, match="sequences of several lengths, which need none"):
        fitted(GOOD, [0, 1, 0], lengths=[2, 2, 1])


def test_nan_within_the_length_is_named_by_its_step():
    x = np.zeros((3, 4, 2))
    x[1, 2, 1] = np.nan
    with pytest.raises(ValueError, match=r"NaN: X\[1\]\[2\], feature 1. Where it pads"):
        fitted(x, [0, 1, 0])
    with pytest.raises(ValueError, match=r"NaN: X\[1\]\[2\], feature 1"):
        fitted(x, [0, 1, 0], lengths=[1, 3, 2])
    fitted(x, [0, 1, 0], lengths=[1, 2, 2])


def test_classes_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="can't train with one class. Got only 4"):
        fitted(GOOD, [4, 4, 4])
    for y in ([0, None, 1], [0, np.nan, 1], ["a", None, "b"], ["a", np.nan, "b"]):
        with pytest.raises(ValueError, match=r"Input y contains NaN: y\[1\] is missing"):
            fitted(GOOD, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        fitted(GOOD, None)
    with pytest.raises(ValueError, match="Unknown label type"):
        fitted(GOOD, [0.5, 1.5, 2.5])
    with pytest.raises(ValueError, match="does not support early_stopping"):
        RNNClassifier(early_stopping=True).partial_fit(GOOD, [0, 1, 0], classes=[0, 1])
    with pytest.raises(ValueError, match="not supported for partial_fit"):
        RNNClassifier(class_weight="balanced").partial_fit(GOOD, [0, 1, 0], classes=[0, 1])


@pytest.mark.parametrize(
    ("train", "then", "says"),
    [
        (["ab", "ba"], ["ab", "aB"], r"X\[1\]\[1\] is an unknown symbol, 'B': the nearest known"),
        ([["left"], ["right"]], [["rigth"]], r"X\[0\]\[0\] .*'rigth': .* known is 'right'"),
        (GOOD[:2], [[0, 1, 7]], r"X\[0\]\[2\] is an unknown symbol, 7: 2 are known, 0, 1"),
        (GOOD[:2], ["01"], r"X has sequences of strings, but .* fitted on integers"),
        (GOOD[:2], [[0.0], [1.0]], "sequences of real numbers, but .* fitted on integers"),
        ([[0.5, 1.0], [1.5]], ["01"], "sequences of strings, but .* fitted on real numbers"),
        ([np.zeros((2, 3)), np.zeros((1, 3))], [np.zeros((2, 4))],
         "X has 4 features a step, but RNNClassifier is expecting 3 features a step"),
        ([np.zeros((2, 3)), np.zeros((1, 3))], np.zeros((5, 3)), "X has 1 features a step"),
    ],
)  # fmt: skip
def test_other_sequences_than_those_of_the_fit_are_refused(train, then, says):
    model = fitted(train, [0, 1])
    with pytest.raises(ValueError, match=says):
        model.predict(then)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"cell": "tanh"}, "The 'cell' parameter of RNNClassifier must be .* Got 'tanh'"),
        ({"hidden": 0}, r"'hidden' parameter .* range \[1, 65536\]. Got 0 instead"),
        ({"recipe": "fast"}, "'recipe' parameter .* Got 'fast'"),
        ({"clip_norm": 0.0}, "'clip_norm' parameter .* Got 0.0"),
        ({"cell": "lstm", "init": "latch"}, "'init' .* with cell='lstm'. Got 'latch' instead"),
        ({"engine": "numpy", "layers": 2}, "'torch' or 'auto' with layers=2. Got 'numpy'"),
        ({"engine": "numpy", "cell": "gru"}, "with cell='gru'. Got 'numpy' instead"),
        ({"engine": "numpy", "device": "cuda"}, "with device='cuda'. Got 'numpy' instead"),
        ({"symbols": [0.5]}, "'symbols' parameter must name strings, or integers"),
        ({"symbols": ["0"]}, "integers .symbols., but RNNClassifier is to know strings"),
    ],
)
def test_wrong_parameters_are_named_in_the_words_of_scikit_learn(settings, says):
    with pytest.raises(ValueError, match=says):
        fitted(GOOD, [0, 1, 0], **settings)


def test_another_network_is_not_gone_on_with():
    model = fitted(SYMBOLS, FIRSTS, warm_start=True)
    with pytest.raises(ValueError, match="'cell', 'hidden'.* describes another"):
        model.set_params(hidden=9).fit(SYMBOLS, FIRSTS)


def test_numbers_of_any_size_are_scaled_or_refused(waves):
    x, y = waves
    for dtype in ("float64", "float32"):
        plain = fitted(x, y, dtype=dtype)
        for change in (lambda v: v * 1e300, lambda v: v * 1e-300, lambda v: v + 1e9):
            scaled = fitted([change(row) for row in x], y, dtype=dtype)
            np.testing.assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=1e-5)
    with pytest.raises(NumericsError, match=r"^step \d+: loss .* Try a smaller learning_rate"):
        fitted(x, y, learning_rate_init=1e38, max_iter=20)


def test_a_gpu_that_is_not_there_is_named(waves, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SpecError, match="cuda is not available"):
        fitted(*waves, device="cuda")


def test_a_random_state_fixes_everything_and_another_changes_it():
    for recipe in ("logits", "lengths"):
        settings = {"recipe": recipe, "batch_size": 4, "learning_rate_init": 0.05, "max_iter": 80}
        one, again, other = (fitted(SYMBOLS, FIRSTS, random_state=s, **settings) for s in (3, 3, 4))
        assert_same(one, again)
        assert not np.array_equal(one.weights_["wy"], other.weights_["wy"])


def test_a_warm_start_goes_on_from_the_present_weights():
    model = fitted(SYMBOLS, FIRSTS, warm_start=True, max_iter=20)
    end = model.loss_
    model.fit(SYMBOLS, FIRSTS)
    assert len(model.loss_curve_) == 40
    assert model.loss_ < end


def test_losses_are_told(capsys):
    fitted(SYMBOLS, FIRSTS, verbose=True, progress=True)
    told = capsys.readouterr()
    assert told.out.count("Iteration") == 3
    assert "RNNClassifier, loss" in told.err
