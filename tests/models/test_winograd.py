"""The convolution in Winograd's form is PyTorch's within rounding, whatever shares out its work."""

import os
import time
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from triptych.models.conv_torch import (
    Winograd,
    _kernel_transform,
    _share,
    conv3x3,
    has_wide_registers,
    pays,
)

pytestmark = pytest.mark.usefixtures("one_thread")
wide = pytest.mark.skipif(not has_wide_registers(), reason="no 64-byte registers here")


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=shape).astype(np.float32)) for shape in shapes]


LAYOUTS = {
    "channels first": lambda x: x,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "every other row": lambda x: torch.stack([x, -x], dim=1).flatten(0, 1)[::2],
    "turned": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "from the second row on": lambda x: torch.cat([x[:1], x])[1:],
}


def slopes(convolve, x, w, bias, dy):
    """Return a convolution's output and its gradients by all that it takes."""
    given = [x, w] if bias is None else [x, w, bias]
    leaves = [t.detach().requires_grad_() for t in given]
    y = convolve(*leaves, *([None] if bias is None else []))
    return [y.detach(), *torch.autograd.grad(y, leaves, dy)]


def pytorchs(x, w, bias, dy):
    doubles = [None if t is None else t.double() for t in (x, w, bias, dy)]
    return slopes(lambda x, w, b: F.conv2d(x, w, b, padding=1), *doubles)


def error(found, true):
    """Return the largest error, in parts of the largest value."""
    return float((found - true).abs().max() / true.abs().max())


shapes = st.tuples(
    st.integers(1, 9), st.sampled_from([16, 32, 48]), st.sampled_from([16, 32, 48]),
    st.integers(1, 19), st.integers(1, 19),
)  # fmt: skip


@wide
@settings(max_examples=60, deadline=None)
@given(shapes, st.booleans(), st.sampled_from(sorted(LAYOUTS)), st.integers(0, 99))
def test_outputs_and_gradients_are_pytorchs_at_any_shape_and_layout(shape, biased, layout, seed):
    n, c, k, height, width = shape
    x, w, bias, dy = drawn(seed, (n, c, height, width), (k, c, 3, 3), (k,), (n, k, height, width))
    bias = bias if biased else None
    # The slope comes in its own layout too, as from a pool or a sum.
    found = slopes(Winograd.apply, LAYOUTS[layout](x), w, bias, LAYOUTS[layout](dy))
    for ours, theirs in zip(found, pytorchs(x, w, bias, dy), strict=True):
        assert ours.shape == theirs.shape
        assert error(ours, theirs) < 1e-4


@wide
def test_the_slope_of_a_sum_which_is_one_number_everywhere_is_taken():
    x, w = drawn(0, (2, 32, 5, 5), (32, 32, 3, 3))
    dy = torch.ones(1, 1, 1, 1).expand(2, 32, 5, 5)
    found = slopes(Winograd.apply, x, w, None, dy)
    assert all(error(*pair) < 1e-4 for pair in zip(found, pytorchs(x, w, None, dy), strict=True))


@wide
@pytest.mark.parametrize("shape", [(1, 32, 16, 6, 6), (5, 16, 48, 7, 3), (9, 48, 32, 19, 13)])
def test_threads_and_repetition_change_no_bit(shape):
    n, c, k, height, width = shape
    given = drawn(1, (n, c, height, width), (k, c, 3, 3), (k,), (n, k, height, width))
    found = []
    for count in (1, 1, 2, 2):
        torch.set_num_threads(count)
        found.append(slopes(Winograd.apply, *given))
    for first, again in (found[:2], found[2:]):
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    # The kernels' gradient is a sum over pictures, whose shares are added in another order.
    one, _, two, _ = found
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert error(one[2], two[2]) < 1e-5


@wide
def test_the_way_back_is_the_adjoint_of_what_forward_computes():
    x, w, y = drawn(2, (4, 32, 9, 6), (48, 32, 3, 3), (4, 48, 9, 6))
    out, dx, dw = slopes(Winograd.apply, x, w, None, y)
    ahead = torch.vdot(y.double().flatten(), out.double().flatten())
    for a, b in ((dx, x), (dw, w)):
        back = torch.vdot(a.double().flatten(), b.double().flatten())
        assert float(back) == pytest.approx(float(ahead), rel=1e-5)


@wide
def test_a_picture_that_wants_no_gradient_gets_none_and_stays_as_it_is():
    x, w, dy = drawn(3, (3, 32, 8, 8), (32, 32, 3, 3), (3, 32, 8, 8))
    x = LAYOUTS["channels last"](x)
    before, leaf = x.clone(), w.clone().requires_grad_()
    (dw,) = torch.autograd.grad(Winograd.apply(x, leaf, None), leaf, dy)
    assert torch.equal(dw, slopes(Winograd.apply, x, w, None, dy)[2])
    assert torch.equal(x, before)


@wide
def test_what_is_not_finite_stays_in_the_pictures_where_it_is():
    x, w = drawn(4, (3, 32, 9, 9), (32, 32, 3, 3))
    whole = Winograd.apply(x, w, None)
    x[1, 0, 0, 0] = torch.nan
    found = Winograd.apply(x, w, None)
    assert found[1].isnan().any()
    assert torch.equal(found[[0, 2]], whole[[0, 2]])


@pytest.mark.parametrize(
    ("dtype", "c", "k", "n", "edge"),
    [(torch.float64, 32, 32, 32, 7), (torch.float32, 3, 32, 32, 7), (torch.float32, 32, 24, 32, 7),
     (torch.float32, 16, 32, 32, 7), (torch.float32, 32, 32, 31, 7),
     (torch.float32, 32, 32, 128, 2), (torch.float32, 32, 32, 32, 5)],
)  # fmt: skip
def test_where_it_does_not_pay_it_is_pytorchs_to_the_bit(dtype, c, k, n, edge):
    shapes = (n, c, edge, edge), (k, c, 3, 3), (k,), (n, k, edge, edge)
    given = [t.to(dtype) for t in drawn(5, *shapes)]
    assert not pays(*given[:2])
    theirs = slopes(lambda x, w, b: F.conv2d(x, w, b, padding=1), *given)
    assert all(torch.equal(*pair) for pair in zip(slopes(conv3x3, *given), theirs, strict=True))


@wide
def test_it_pays_on_enough_tiles_of_enough_channels():
    assert pays(*drawn(5, (32, 32, 7, 7), (32, 32, 3, 3)))
    assert pays(*drawn(5, (128, 32, 3, 3), (32, 32, 3, 3)))


def test_no_pictures_have_no_outputs():
    x, w = drawn(6, (0, 32, 5, 4), (48, 32, 3, 3))
    assert conv3x3(x, w).shape == (0, 48, 5, 4)


@wide
def test_it_trains_where_the_first_call_of_all_was_an_evaluation():
    _kernel_transform.cache_clear()
    x, w, dy = drawn(7, (2, 32, 4, 4), (32, 32, 3, 3), (2, 32, 4, 4))
    with torch.inference_mode():
        Winograd.apply(x, w, None)
    found = slopes(Winograd.apply, x, w, None, dy)
    assert all(error(*pair) < 1e-4 for pair in zip(found, pytorchs(x, w, None, dy), strict=True))


@wide
def test_a_second_derivative_is_refused_and_not_taken_for_0():
    x, w = drawn(8, (128, 32, 4, 4), (32, 32, 3, 3))
    x.requires_grad_()
    (dx,) = torch.autograd.grad(conv3x3(x, w).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        dx.sum().backward()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_has_threads_of_its_own():
    # Of ours only: PyTorch's own operations wait forever in a child once several threads took one.
    torch.set_num_threads(2)

    def shares():
        found = {}
        _share(5, lambda part, first, last: found.update({part: (first, last)}))
        return found

    assert shares() == {0: (0, 2), 1: (2, 5)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads
        child = os.fork()
    if child == 0:  # nothing of pytest may run on here
        same = False
        try:
            same = shares() == {0: (0, 2), 1: (2, 5)}
        finally:
            os._exit(0 if same else 1)
    for _ in range(200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child waits for threads that only its parent has")
    assert os.waitstatus_to_exitcode(status) == 0
