"""Pictures as inputs: mirrored, shifted, cut and scaled, all functions of the step and the row."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triptych.contracts import Standardization
from triptych.spec import AugmentSpec, TrainSpec
from triptych.training.pictures import PictureInputs, edge_at, flips

SHAPE = (2, 9, 6)
SCALE = Standardization(np.array([[[100.0]], [[120.0]]]), np.array([[[50.0]], [[70.0]]]))


def pictures(n=40, shape=SHAPE):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, *shape)).astype(np.uint8))


def inputs(seed=3, dtype=torch.float64, layout=torch.channels_last, **augment):
    spec = TrainSpec(augment=AugmentSpec(**augment))
    return PictureInputs(spec, SCALE, seed, torch.empty(0, dtype=dtype), layout)


def varied(made, x, epoch=0, step=0, rows=None):
    return made.varied(x, np.arange(len(x)) if rows is None else rows, epoch, step)


def standardized(x):
    return (x.double() - torch.from_numpy(SCALE.mean)) / torch.from_numpy(SCALE.std)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pictures_that_nothing_varies_are_standardised_and_no_more(dtype, layout):
    x, made = pictures(), inputs(dtype=dtype, layout=layout)
    shift, scale = (torch.tensor(a, dtype=dtype) for a in (SCALE.mean, SCALE.std))
    expected = (x.to(dtype) - shift) / scale
    for found in (made.plain(x), varied(made, x)):
        assert found.dtype == dtype
        assert torch.equal(found, expected)
        assert found.is_contiguous(memory_format=layout)


def test_rows_that_are_no_pictures_are_standardised_as_they_are():
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 7)).astype(np.uint8))
    scale = Standardization(np.float64(1), np.float64(2))
    made = PictureInputs(TrainSpec(), scale, 0, torch.empty(0), torch.contiguous_format)
    made.edge = 3
    assert torch.equal(made.plain(x), (x.float() - 1) / 2)


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_each_row_is_mirrored_in_every_other_epoch_exactly(seed):
    rows = np.arange(2000)
    seen = np.array([flips(seed, rows, epoch) for epoch in range(6)])
    assert all((a != b).all() for a, b in pairwise(seen))
    assert seen[0].mean() == pytest.approx(0.5, abs=0.05)
    # Whichever batch a row is in.
    assert np.array_equal(flips(seed, rows[::-1][:9], 3), seen[3][::-1][:9])
    assert not np.array_equal(seen[0], flips(seed + 1 if seed < 2**63 else 1, rows, 0))


def test_what_is_mirrored_is_left_and_right():
    x, rows = pictures(), np.arange(5, 45)
    for epoch in (0, 1):
        found = varied(inputs(flip=True), x, epoch=epoch, rows=rows)
        mirrored = torch.from_numpy(flips(3, rows, epoch))
        assert 5 < int(mirrored.sum()) < 35
        expected = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        assert torch.equal(found, standardized(expected))


def crops(picture, most):
    """Return every crop of a picture padded by reflection, by its offset."""
    padded = np.pad(picture.numpy(), ((0, 0), (most, most), (most, most)), mode="reflect")
    height, width = picture.shape[1:]
    offsets = range(2 * most + 1)
    return {(i, j): padded[:, i : i + height, j : j + width] for i in offsets for j in offsets}


@pytest.mark.parametrize("most", [1, 2, 7])  # the last is wider than the picture
def test_shifts_are_crops_of_the_picture_padded_by_reflection(most):
    x = pictures(60)
    found = varied(inputs(translate=most), x) * torch.from_numpy(SCALE.std)
    found = (found + torch.from_numpy(SCALE.mean)).round().numpy()
    offsets = []
    for picture, shown in zip(x, found, strict=True):
        fits = [at for at, crop in crops(picture, most).items() if np.array_equal(crop, shown)]
        assert fits
        offsets += fits
    # All shifts are drawn, both ways and in both directions.
    assert {i for i, _ in offsets} == {j for _, j in offsets} == set(range(2 * most + 1))


def test_pictures_are_mirrored_and_shifted_at_once():
    x = pictures()
    both = varied(inputs(flip=True, translate=2), x)
    mirrored = torch.from_numpy(flips(3, np.arange(40), 0))[:, None, None, None]
    # The shift is drawn by place in the step alone, and what is shifted is mirrored.
    shifted = varied(inputs(translate=2), x)
    assert torch.equal(both, torch.where(mirrored, shifted.flip(3), shifted))


def test_a_square_is_set_to_the_mean_which_is_0_and_the_rest_is_left():
    x = pictures(200, (2, 12, 9))
    found, whole = varied(inputs(cutout=4), x), standardized(x)
    changed = (found != whole).any(dim=1)
    assert (found.movedim(1, -1)[changed] == 0).all()
    areas = set()
    for picture in changed:
        rows, columns = picture.any(1).nonzero(), picture.any(0).nonzero()
        height, width = (int(p.max() - p.min()) + 1 for p in (rows, columns))
        assert picture.sum() == height * width
        areas.add((height, width))
    # Whole inside, cut off where it reaches over the edge, and never smaller than half.
    assert max(areas) == (4, 4)
    assert min(min(area) for area in areas) == 2


KINDS = [{"flip": True, "translate": 3}, {"translate": 2}, {"cutout": 3}]


@pytest.mark.parametrize("augment", KINDS)
def test_the_same_step_gives_the_same_pictures_and_another_gives_others(augment):
    x = pictures()
    first = varied(inputs(**augment), x, 1, 5)
    assert torch.equal(first, varied(inputs(**augment), x, 1, 5))
    assert not torch.equal(first, varied(inputs(**augment), x, 1, 6))
    assert not torch.equal(first, varied(inputs(seed=4, **augment), x, 1, 5))


def test_pictures_of_one_step_are_varied_apart():
    x = pictures(1).expand(40, -1, -1, -1)
    found = varied(inputs(translate=2), x)
    assert len({picture.numpy().tobytes() for picture in found}) > 10


def test_evaluations_see_pictures_as_they_are():
    x = pictures()
    assert torch.equal(inputs(flip=True, translate=2, cutout=3).plain(x), standardized(x))


def edges(epochs, *resolutions, edge=32):
    spec = TrainSpec(epochs=epochs, resolutions=resolutions)
    return [edge_at(spec, epoch, edge) for epoch in range(epochs)]


def test_each_resolution_holds_for_an_equal_part_of_training():
    assert edges(8, 0.5625, 0.8125, 0.8125, 1.0) == [18, 18, 26, 26, 26, 26, 32, 32]
    assert edges(5, 0.5, 1.0) == [16, 16, 16, 32, 32]
    assert edges(3) == [32] * 3
    # Pictures are not made smaller than networks can pool, nor larger than they are.
    assert edges(4, 0.1, 0.3, 1.0, edge=20) == [8, 8, 8, 20]
    assert edges(2, 0.5, 1.0, edge=6) == [6, 6]


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 7])
def test_the_last_epoch_is_always_at_full_size(epochs):
    assert edges(epochs, 0.5625, 0.8125, 0.8125, 1.0)[-1] == 32


def test_pictures_are_scaled_only_where_their_size_differs(monkeypatch):
    x, made = pictures(), inputs()
    expected = F.interpolate(standardized(x), (6, 4), mode="bilinear", antialias=True)
    with monkeypatch.context() as patch:
        patch.delattr(F, "interpolate")
        made.edge = 6  # as their shorter edge is
        assert torch.equal(made.plain(x), standardized(x))
    made.edge = 4
    for found in (made.plain(x), varied(made, x)):
        torch.testing.assert_close(found, expected)
        assert found.is_contiguous(memory_format=torch.channels_last)
