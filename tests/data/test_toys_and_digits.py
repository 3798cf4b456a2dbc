"""The toy sets are the paper's, the digits are stratified, and a seed fixes both."""

import numpy as np
import pytest
from sklearn.datasets import make_circles, make_classification, make_moons
from sklearn.model_selection import train_test_split

from triptych.chance import stream
from triptych.data import load
from triptych.data.digits import channel_standardization
from triptych.spec import DigitsSpec, ToySpec


def papers(source, seed):
    if source == "moons":
        return make_moons(n_samples=1000, noise=0.1, random_state=seed)
    if source == "circles":
        return make_circles(n_samples=1000, noise=0.1, random_state=seed)
    return make_classification(
        n_samples=1000, n_features=2, n_informative=2, n_redundant=0,
        n_clusters_per_class=1, random_state=seed,
    )  # fmt: skip


@pytest.mark.parametrize("source", ["moons", "circles", "classification"])
def test_a_toy_set_is_drawn_and_split_as_in_the_paper(source):
    data = load(ToySpec(source=source, draw_seed=42), seed=5)
    x, y = papers(source, 42)
    expected = train_test_split(x, y, test_size=0.2, random_state=42)
    found = (data.train.x, data.test.x, data.train.y, data.test.y)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (len(data.train), len(data.test), data.standardization) == (800, 200, None)


def test_without_a_draw_seed_every_seed_draws_its_own_rows():
    spec = ToySpec(source="moons")
    one, again, other = (load(spec, seed) for seed in (0, 0, 1))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    x, _ = papers("moons", int(stream(0, "draw").integers(2**32)))
    assert set(map(tuple, np.vstack([one.train.x, one.test.x]))) == set(map(tuple, x))


def test_digits_are_pictures_split_by_class_without_a_shared_row():
    data = load(DigitsSpec(), seed=0)
    assert data.train.x.dtype == np.uint8
    assert data.sample_shape == (1, 8, 8)
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert np.abs(np.bincount(data.test.y) - 36).max() <= 2
    assert (
        load(DigitsSpec(), 1).fingerprint != data.fingerprint == load(DigitsSpec(), 0).fingerprint
    )


def test_limits_keep_only_so_many_pictures():
    data = load(DigitsSpec(train_limit=50, test_limit=7), seed=0)
    assert (len(data.train), len(data.test)) == (50, 7)


def test_standardized_training_pixels_have_mean_0_and_deviation_1_by_channel():
    x = np.random.default_rng(0).integers(0, 256, (5000, 3, 4, 5)).astype(np.uint8)
    x[:, 1] //= 3
    scaled = channel_standardization(x)(x, "float64")
    np.testing.assert_allclose(scaled.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=(0, 2, 3)), 1, rtol=1e-12)


def test_a_channel_that_never_changes_is_centred_and_left_at_that():
    x = np.full((10, 1, 2, 2), 7, np.uint8)
    assert (channel_standardization(x)(x, "float32") == 0).all()
