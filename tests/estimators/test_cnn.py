"""The CNN behind scikit-learn's interface."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from triptych import CNNClassifier
from triptych.errors import NumericsError, SpecError
from triptych.spec import CNNSpec

TINY = CNNSpec(channels=(4, 4), pool_after=(1,))


@parametrize_with_checks([CNNClassifier(TINY, max_iter=10)])
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return found.images.astype(np.uint8), found.target


@pytest.fixture(scope="module")
def colours():
    """Pictures (90, 9, 10, 3) whose brightest channel is their class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    x = rng.integers(0, 120, (90, 9, 10, 3), dtype=np.uint8)
    x[np.arange(90), :, :, y] += 60
    return x, np.array(["red", "green", "blue"])[y]


def fitted(x, y, sample_weight=None, **settings):
    base = {"preset": TINY, "max_iter": 4, "random_state": 0}
    return CNNClassifier(**{**base, **settings}).fit(x, y, sample_weight)


def assert_same(one, other):
    assert one.weights_.keys() == other.weights_.keys()
    for name, w in one.weights_.items():
        assert np.array_equal(w, other.weights_[name]), name


def test_digits_are_told_apart_by_a_short_fit(digits):
    x, y = digits
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    model = CNNClassifier(max_iter=5, random_state=0).fit(x, y)
    assert model.score(x_test, y_test) > 0.98
    assert model.classes_.tolist() == list(range(10))
    assert model.picture_shape_ == (1, 8, 8)
    assert model.n_features_in_ == 64
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert model.t_ == 5 * len(x)
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.engine_.startswith("torch (chosen")
    np.testing.assert_allclose(np.exp(model.predict_log_proba(x_test)).sum(1), 1, rtol=1e-5)


def test_every_layout_of_pictures_gives_the_same_weights_and_predictions(colours):
    x, y = colours
    plain = fitted(x, y)
    assert plain.picture_shape_ == (3, 9, 10)
    assert plain.score(x, y) > 0.6
    first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    flat, flat_first = x.reshape(90, -1), first.reshape(90, -1)
    for given, settings in [
        (first, {}),
        (first, {"channels": "first"}),
        (x, {"channels": "last"}),
        (list(x), {}),
        (x.tolist(), {"dtype": "float32"}),
        (x.astype(np.float64), {}),
        (flat, {"picture_shape": (9, 10, 3)}),
        (flat_first, {"picture_shape": (3, 9, 10)}),
    ]:
        model = fitted(given, y, **settings)
        np.testing.assert_allclose(
            model.predict_proba(given), plain.predict_proba(x), rtol=1e-3, atol=1e-5
        )
        assert model.n_features_in_ == 270
    assert_same(fitted(flat_first, y, picture_shape=[3, 9, 10]), plain)
    # What was fitted on one layout reads the others, and rows flattened as those it was fitted on.
    for given in (first, flat):
        assert np.array_equal(plain.predict_proba(given), plain.predict_proba(x))


def test_grey_pictures_need_no_axis_of_channels(digits):
    x, y = digits[0][:100], digits[1][:100]
    plain = fitted(x, y)
    for given in (x[..., None], x[:, None], x.reshape(100, 64)):
        assert_same(fitted(given, y), plain)


def test_rows_of_a_table_fill_the_smallest_square(digits):
    x, y = digits[0][:100, :5].reshape(100, 40), digits[1][:100]
    model = fitted(x, y)
    assert model.picture_shape_ == (1, 7, 7)
    padded = np.pad(x, ((0, 0), (0, 9))).reshape(100, 7, 7)
    assert_same(fitted(padded, y), model)
    assert fitted(x[:, :1], y).picture_shape_ == (1, 2, 2)


def test_pictures_of_uint8_are_never_copied_to_floats_whole(digits, monkeypatch):
    x, y = digits
    seen = []
    real = CNNClassifier._bound
    monkeypatch.setattr(
        CNNClassifier,
        "_bound",
        lambda self, rows, *seed: (seen.append(rows.x.dtype), real(self, rows, *seed))[1],
    )
    fitted(x[:200], y[:200], np.full(200, 0.5), max_iter=1)
    assert set(seen) == {np.dtype(np.uint8)}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_are_scaled_by_the_statistics_of_training(colours, dtype):
    x, y = colours
    plain = fitted(x.astype(dtype), y)
    scaled = fitted(x * np.float32(0.5) + np.array([3, -2, 9], np.float32), y)
    np.testing.assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=1e-2)


def test_a_row_of_weight_zero_is_none_and_of_weight_two_is_two(digits):
    x, y = digits[0][:150], digits[1][:150]
    weight = np.random.default_rng(0).integers(0, 3, 150)
    rows = np.repeat(np.arange(150), weight)
    assert_same(fitted(x, y, weight), fitted(x[rows], y[rows]))
    half = np.where(weight > 0, 0.5, 0.0)
    there = weight > 0
    assert_same(fitted(x, y, half), fitted(x[there], y[there], half[there]))
    with pytest.raises(ValueError, match="sample_weight of 0|at least one non-zero"):
        fitted(x, y, np.zeros(150))


def test_weights_that_are_no_whole_numbers_weigh_the_loss(digits):
    x, y = digits[0][:200], digits[1][:200]
    weight = np.where(y < 5, 1.5, 0.01)
    found = fitted(x, y, weight, max_iter=10).predict(x)
    assert (found < 5).mean() > 0.9 > (fitted(x, y, max_iter=10).predict(x) < 5).mean()


def test_class_weights_are_row_weights(digits):
    x, y = digits[0][:200], digits[1][:200]
    given = {k: 0.5 + (k == 3) for k in range(10)}
    weighed = fitted(x, y, class_weight=given)
    assert_same(weighed, fitted(x, y, 0.5 + (y == 3)))
    counts = np.bincount(y)
    balanced = fitted(x, y, class_weight="balanced")
    assert_same(balanced, fitted(x, y, (200 / (10 * counts))[y]))
    with pytest.raises(ValueError, match="not supported for partial_fit"):
        CNNClassifier(class_weight="balanced").partial_fit(x, y, classes=range(10))


def test_early_stopping_ends_with_the_best_weights(digits):
    x, y = digits[0][:400], digits[1][:400]
    # So large a rate that the accuracy goes up and down.
    settings = {"early_stopping": True, "validation_fraction": 0.3, "learning_rate_init": 1.5}
    model = fitted(x, y, max_iter=40, n_iter_no_change=5, **settings)
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) < 40
    assert model.best_validation_score_ == max(scores) > scores[-1]
    rng = np.random.RandomState(0)
    rng.randint(2**31)  # of the first weights
    _, held, _, held_y = train_test_split(x, y, test_size=0.3, stratify=y, random_state=rng)
    assert model.score(held, held_y) == max(scores)


def test_the_best_epoch_is_kept_where_that_is_asked_for(digits):
    # Labels that mean nothing: losses go up and down. The first epoch that is worse comes last.
    x, y = digits[0][:300], np.random.default_rng(0).permutation(digits[1][:300])
    settings = {"recipe": None, "learning_rate_init": 0.3}
    curve = fitted(x, y, max_iter=20, **settings).loss_curve_
    last = next(k + 1 for k in range(1, 20) if curve[k] > min(curve[:k]))
    best = fitted(x, y, keep_best=True, max_iter=last, **settings)
    assert best.loss_curve_ == curve[:last]
    epoch = int(np.argmin(best.loss_curve_)) + 1
    assert epoch < last
    assert_same(best, fitted(x, y, max_iter=epoch, **settings))


def test_a_random_state_fixes_everything_and_another_changes_it(digits):
    x, y = digits[0][:200], digits[1][:200]
    varied = {"flip": True, "translate": 1, "cutout": 2, "preset": "small", "max_iter": 1}
    one, again, other = (fitted(x, y, random_state=s, **varied) for s in (3, 3, 4))
    assert_same(one, again)
    assert not np.array_equal(one.weights_["head.weight"], other.weights_["head.weight"])


@pytest.mark.parametrize("change", [{"flip": True}, {"translate": 2}, {"cutout": 3},
                                    {"label_smoothing": 0.0}, {"recipe": None}])  # fmt: skip
def test_each_parameter_of_training_matters(digits, change):
    x, y = digits[0][:100], digits[1][:100]
    plain, changed = fitted(x, y), fitted(x, y, **change)
    assert not np.array_equal(plain.weights_["head.weight"], changed.weights_["head.weight"])


@pytest.mark.parametrize("preset", ["small", TINY])
def test_a_pickled_model_predicts_and_goes_on_to_the_same_numbers(digits, preset):
    x, y = digits[0][:120], digits[1][:120]
    model = CNNClassifier(preset, random_state=0)
    for _ in range(2):
        model.partial_fit(x, y, classes=range(10))
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    for each in (model, again):
        each.partial_fit(x, y)
    assert_same(model, again)
    assert len(model.loss_curve_) == 3


@pytest.mark.parametrize("preset", ["small", TINY])
def test_partial_fit_and_warm_start_go_on_from_the_present_weights(digits, preset):
    x, y = digits[0][:300], digits[1][:300]
    partial = CNNClassifier(preset, random_state=0, learning_rate_init=0.05)
    for _ in range(6):
        partial.partial_fit(x, y, classes=np.arange(10))
    assert partial.loss_curve_[5] < partial.loss_curve_[0]
    assert partial.score(x, y) > (0.9 if preset == "small" else 0.3)
    warm = fitted(x, y, preset=preset, max_iter=3, warm_start=True)
    filters = warm.weights_.get("whiten.weight")
    end = warm.loss_
    warm.fit(x, y)
    assert len(warm.loss_curve_) == 6
    assert warm.loss_ < end
    assert filters is None or np.array_equal(filters, warm.weights_["whiten.weight"])
    with pytest.raises(ValueError, match="'preset' names another"):
        warm.set_params(preset="wide").fit(x, y)


def test_filters_that_whiten_stay_where_training_goes_on_with_other_pictures(digits):
    x, y = digits[0][:120], digits[1][:120]
    model = fitted(x, y, preset="small", max_iter=1, warm_start=True)
    filters = model.weights_["whiten.weight"]
    model.fit(x[:, ::-1, ::-1], y)
    assert np.array_equal(model.weights_["whiten.weight"], filters)
    fresh = fitted(x[:, ::-1, ::-1], y, preset="small", max_iter=1)
    assert not np.allclose(fresh.weights_["whiten.weight"], filters)


@pytest.mark.parametrize("keeping", [{"early_stopping": True}, {"keep_best": True}])
def test_pictures_grow_unless_epochs_are_compared(colours, keeping):
    x, y = colours
    x = np.tile(x, (1, 2, 2, 1))
    plain, kept = fitted(x, y), fitted(x, y, **keeping)
    assert plain._spec[0].resolutions == (0.5625, 1.0, 1.0)
    assert kept._spec[0].resolutions == ()
    again = plain.set_params(warm_start=True).fit(x, y)
    assert again._spec[0].resolutions == ()


def test_pipelines_grids_and_clones(digits):
    x, y = digits[0][:200].reshape(200, 64), digits[1][:200]
    shape = FunctionTransformer(lambda rows: rows.reshape(-1, 8, 8))
    grid = GridSearchCV(
        make_pipeline(shape, CNNClassifier(TINY, max_iter=8, random_state=0)),
        {"cnnclassifier__learning_rate_init": [1e-6, 0.24]},
        cv=2,
    )
    assert grid.fit(x, y).best_params_ == {"cnnclassifier__learning_rate_init": 0.24}
    copied = clone(CNNClassifier(TINY, translate=2, picture_shape=(8, 8)))
    assert copied.get_params()["translate"] == 2
    assert copied.preset == TINY


def test_the_numpy_engine_agrees_with_torch(digits):
    x, y = digits[0][:64], digits[1][:64]
    settings = {"recipe": None, "max_iter": 2, "dtype": "float64"}
    one, two = (fitted(x, y, engine=engine, **settings) for engine in ("numpy", "torch"))
    assert one.engine_ == "numpy"
    np.testing.assert_allclose(one.predict_proba(x), two.predict_proba(x), rtol=1e-7)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"recipe": "fast"}, "must be 'torch' or 'auto' with recipe='fast'. Got 'numpy' instead"),
        ({"translate": 2}, "with translate=2. Got 'numpy' instead"),
        ({"label_smoothing": 0.1}, "with label_smoothing=0.1. Got 'numpy' instead"),
        ({"preset": "small"}, "with preset='small'. Got 'numpy' instead"),
        ({"device": "cuda"}, "with device='cuda'. Got 'numpy' instead"),
    ],
)
def test_what_the_numpy_engine_lacks_is_refused(digits, settings, says):
    with pytest.raises(ValueError, match=says):
        fitted(*digits, **{"engine": "numpy", "recipe": None, **settings})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"preset": "large"}, "The 'preset' parameter of CNNClassifier must be .* Got 'large'"),
        ({"recipe": "slow"}, "The 'recipe' parameter of CNNClassifier must be .* Got 'slow'"),
        ({"batch_size": 1}, r"'batch_size' parameter .* range \[2, inf\).* Got 1 instead"),
        ({"translate": 65}, r"'translate' parameter .* range \[0, 64\]. Got 65 instead"),
        ({"label_smoothing": 1.0}, "'label_smoothing' parameter .* Got 1.0 instead"),
        ({"channels": "middle"}, "'channels' parameter .* Got 'middle' instead"),
        ({"picture_shape": (8, 9)}, "must hold the 64 values of a row. Got (8, 9) instead"),
    ],
)
def test_wrong_parameters_are_named_in_the_words_of_scikit_learn(digits, settings, says):
    says = says.replace("Got (8, 9)", r"Got \(8, 9\)")
    with pytest.raises(ValueError, match=says):
        fitted(digits[0][:50], digits[1][:50], **settings)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((6, 9, 9, 5)), "1 to 4 channels, in its first or last axis. Got .*9, 9, 5"),
        (np.zeros((6, 3, 9, 4)), "must be 'first' or 'last' where both axes could hold them"),
        (np.zeros((6, 2, 3, 8, 8)), "2 axes, or of 3 .* Got pictures of shape .2, 3, 8, 8"),
        (np.zeros((6, 1, 9)), "at least 2 x 2 pixels"),
        (np.zeros((0, 8, 8)), "0 sample"),
        (np.full((6, 8, 8), np.nan), "Input X contains NaN"),
        (np.full((6, 8, 8), np.inf), "Input X contains infinity"),
        (np.zeros(6), "Expected 2D array, got 1D array instead"),
        (np.zeros((5, 8, 8)), "inconsistent numbers of samples"),
    ],
)
def test_pictures_that_cannot_be_used_are_refused(x, says):
    with pytest.raises(ValueError, match=says):
        fitted(x, [0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize("gather", [list, lambda x: np.array([*x, None], object)[:-1]])
def test_pictures_of_several_sizes_are_counted(gather):
    x = gather([np.zeros((8, 8)), np.zeros((8, 9)), np.zeros((8, 8))])
    says = r"same shape. Got 2 of shape \(8, 8\), 1 of shape \(8, 9\) instead"
    with pytest.raises(ValueError, match=says):
        fitted(x, [0, 1, 0])


def test_classes_that_cannot_be_used_are_refused(digits):
    x = digits[0][:6]
    with pytest.raises(ValueError, match="can't train with one class. Got only 4"):
        fitted(x, [4] * 6)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        fitted(x, [0, 1, np.nan, 1, 0, 1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        fitted(x, None)
    with pytest.raises(ValueError, match="Unknown label type"):
        fitted(x, [0.5, 1.5, 2.5, 0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="at least 2 pictures.* Got n_samples=1 instead"):
        CNNClassifier(TINY).partial_fit(x[:1], [0], classes=[0, 1])
    with pytest.raises(ValueError, match="does not support early_stopping"):
        CNNClassifier(TINY, early_stopping=True).partial_fit(x, [0, 1] * 3, classes=[0, 1])


def test_other_pictures_than_those_of_the_fit_are_refused(colours, digits):
    model = fitted(*colours)
    for x, now in ((np.zeros((2, 9, 10)), "1 channels of 9 x 10"),
                   (np.zeros((2, 3, 10, 9)), "3 channels of 10 x 9")):  # fmt: skip
        with pytest.raises(ValueError, match=f"{now} pixels, but .* on 3 channels of 9 x 10"):
            model.predict(x)
    with pytest.raises(ValueError, match="X has 5 features, but CNNClassifier is expecting 270"):
        model.predict(np.zeros((2, 5)))


def test_a_last_batch_of_one_row_is_left_out_and_said(digits):
    x, y = digits[0][:41], digits[1][:41]
    with pytest.warns(UserWarning, match="The last batch of 1 row is left out of each epoch"):
        model = fitted(x, y, batch_size=20, max_iter=1)
    assert model.t_ == 40
    assert fitted(x, y, max_iter=1).t_ == 41


def test_training_that_diverges_names_the_step(digits):
    x = digits[0][:100].astype(np.float32)
    with pytest.raises(NumericsError, match=r"^step \d+: loss .* Try a smaller learning_rate"):
        fitted(x, digits[1][:100], learning_rate_init=1e38, max_iter=20)


def test_a_gpu_that_is_not_there_is_named(digits, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SpecError, match="cuda is not available"):
        fitted(*digits, device="cuda")


def test_losses_are_told(digits, capsys):
    fitted(digits[0][:80], digits[1][:80], verbose=True, progress=True)
    told = capsys.readouterr()
    assert told.out.count("Iteration") == 4
    assert "CNNClassifier, loss" in told.err


def test_a_recipe_for_sequences_is_none_for_pictures():
    with pytest.raises(ValueError, match="'recipe' parameter of CNNClassifier must be"):
        CNNClassifier(recipe="lengths").fit(np.zeros((4, 8, 8), np.uint8), [0, 1, 0, 1])
