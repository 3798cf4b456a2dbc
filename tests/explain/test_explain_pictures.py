"""What is found in a network of pictures is where it looks, and what its layers hold."""

import numpy as np
import pytest

from triptych.contracts import Split
from triptych.explain import Judged, class_shares, feature_maps, filters, levels, occlusion
from triptych.explain.thumbnails import thumbnails
from triptych.models import CNNNumpy, block_outputs, create_torch
from triptych.models.initial import cnn_weights, mlp_weights, whitened_weights
from triptych.spec import CNNSpec, MLPSpec

VGG = CNNSpec(channels=(4, 6), pool_after=(1,))
WHITENED = CNNSpec(design="whitened", channels=(8, 6), pool_after=(1, 2))


def test_black_and_white_are_what_the_pictures_make_of_them():
    def of(x):
        return levels(Split(x, np.zeros(len(x), np.int64)))

    digits = np.full((3, 1, 8, 8), 16, np.uint8)
    assert of(digits) == (0.0, 16.0)
    assert of(digits * 15) == (0.0, 255.0)
    assert of(digits.astype(float) - 17) == (-1.0, 0.0)
    assert of(np.zeros((2, 1, 8, 8), np.uint8)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1, 8, 8), (8, 8, 1)),
        ((3, 32, 32), (32, 32, 3)),
        ((3, 64, 64), (32, 32, 3)),
        ((3, 100, 70), (25, 17, 3)),
        ((5, 6, 7), (6, 7, 1)),
        ((1, 4, 200), (1, 28, 1)),
    ],
)
def test_pictures_of_any_size_become_small_ones(shape, shown):
    x = np.full((2, *shape), 128, np.uint8)
    small = thumbnails(x, (0.0, 255.0))
    assert small.shape == (2, *shown)
    assert small.dtype == np.uint8
    assert (small == 128).all()


def corner(x):
    """Tell class 1 by how bright the lower right corner is."""
    bright = x[:, :, 12:, 12:].mean(axis=(1, 2, 3)) / 32
    return np.stack([np.zeros(len(x)), bright], axis=1)


def test_covering_what_a_network_looks_at_is_what_counts():
    x = np.full((3, 3, 16, 16), 200, np.uint8)
    shares = class_shares(corner(x), "softmax")
    judged = Judged(x, np.array([1, 0, 1]), shares, ("off", "on"), (0.0, 255.0))
    found = occlusion(corner, "softmax", judged, np.zeros((3, 1, 1)))
    falls = found.arrays["falls"]
    assert falls.shape == (2, 16, 16)  # the first of each class
    assert found.labels == {"true": ("off", "on"), "predicted": ("on", "on")}
    assert falls[0, -1, -1] == 255
    assert (falls[0, :10, :10] == 0).all()
    assert (found.arrays["lowest"] < found.arrays["predicted"]).all()
    assert (x == 200).all()


@pytest.mark.parametrize("size", [4, 5, 9, 33])
def test_pictures_of_any_size_can_be_covered(size):
    x = np.random.default_rng(0).integers(0, 256, (2, 1, size, size + 1), dtype=np.uint8)
    shares = np.array([[0.4, 0.6], [0.4, 0.6]])
    judged = Judged(x, np.array([0, 1]), shares, ("a", "b"), (0.0, 255.0))
    found = occlusion(lambda x: np.zeros((len(x), 2)), "softmax", judged, np.zeros((1, 1, 1)))
    assert found.arrays["falls"].shape == found.arrays["pictures"].shape[:3]


def test_the_first_layer_is_shown_as_pictures_the_largest_weights_first():
    rng = np.random.default_rng(0)
    weights = mlp_weights(MLPSpec(hidden=(50,)), 64, 10, rng)
    weights["w1"][:, 7] *= 10
    found = filters(weights, (1, 8, 8))
    assert found.arrays["filters"].shape == (24, 8, 8, 1)
    expected = weights["w1"][:, 7].reshape(8, 8)
    expected = 127.5 * (1 + expected / np.abs(expected).max())
    np.testing.assert_allclose(found.arrays["filters"][0, ..., 0], expected, atol=0.51)
    assert "The 24 largest of 50" in found.labels["reading"][0]
    # Of large pictures there are fewer.
    large = filters(mlp_weights(MLPSpec(hidden=(50,)), 3 * 32 * 32, 10, rng), (3, 32, 32))
    assert large.arrays["filters"].shape == (4, 32, 32, 3)


def test_filters_of_each_convolutional_network_are_found():
    rng = np.random.default_rng(0)
    learnt = filters(cnn_weights(VGG, 3, 10, rng), (3, 8, 8))
    assert learnt.arrays["filters"].shape == (4, 3, 3, 3)
    whitening = filters(whitened_weights(WHITENED, 3, 10, rng), (3, 8, 8))
    assert whitening.arrays["filters"].shape == (24, 2, 2, 3)
    assert "not learnt" in whitening.labels["reading"][0]
    assert filters({"wx": np.zeros((3, 3))}, (3, 8, 8)) is None


def test_what_blocks_make_of_a_picture_is_what_the_head_reads():
    rng = np.random.default_rng(0)
    weights = cnn_weights(VGG, 3, 10, rng)
    x = rng.normal(size=(2, 3, 8, 8)).astype(np.float32)
    blocks = block_outputs(VGG, weights, x)
    assert [block.shape for block in blocks] == [(2, 4, 4, 4), (2, 6, 4, 4)]
    logits = blocks[-1].mean(axis=(2, 3)) @ weights["head.weight"].T + weights["head.bias"]
    np.testing.assert_allclose(CNNNumpy(VGG, weights).outputs(x), logits, rtol=1e-5)


def test_blocks_of_the_whitened_network_are_what_its_head_reads():
    import torch

    rng = np.random.default_rng(0)
    weights = whitened_weights(WHITENED, 3, 10, rng)
    weights["whiten.weight"] = rng.normal(size=(24, 3, 2, 2))
    weights = {name: w.astype(np.float32) for name, w in weights.items()}
    x = rng.normal(size=(2, 3, 9, 9)).astype(np.float32)
    blocks = block_outputs(WHITENED, weights, x)
    assert [block.shape for block in blocks] == [(2, 8, 4, 4), (2, 6, 2, 2)]
    logits = blocks[-1].max(axis=(2, 3)) @ weights["head.weight"].T / 6
    with torch.inference_mode():
        out = create_torch(WHITENED, weights).eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(out, logits, rtol=1e-4, atol=1e-6)


def test_the_maps_that_answer_most_are_shown_of_three_blocks():
    rng = np.random.default_rng(0)
    maps = [np.abs(rng.normal(size=(k, e, e))) for k, e in ((4, 16), (20, 8), (20, 4), (20, 2))]
    maps[1][13] += 100
    picture = np.zeros((16, 16, 1), np.uint8)
    found = feature_maps(maps, picture, "cat")
    shapes = [found.arrays[f"block_{k}"].shape for k in range(3)]
    assert shapes == [(4, 16, 16, 1), (8, 4, 4, 1), (8, 2, 2, 1)]
    assert found.labels["blocks"][0] == "block 1 of 4: 4 maps of 16 × 16"
    assert feature_maps([np.zeros((3, 1, 1))], picture, "cat") is None
