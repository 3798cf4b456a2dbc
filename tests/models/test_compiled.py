"""Compiled kernels: kept on disk, equal alone and in lanes, stopped at what is not finite."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triptych.chance import orders
from triptych.models.compiled import Lanes, Orders, Plan, caching
from triptych.models.compiled.chance import make_orders
from triptych.models.compiled.lanes import make_lanes
from triptych.models.compiled.single import make_single, make_softplus, make_softplus_rows
from triptych.models.compiled.steps import make_steps
from triptych.spec import OptimizerSpec

CODE = """
import sys
import numpy as np
from triptych.models.compiled import Plan
from triptych.models.compiled.steps import make_steps
from triptych.spec import OptimizerSpec
rng = np.random.default_rng(0)
params = [(rng.normal(size=(2, 5)), np.zeros(5)), (rng.normal(size=(5, 2)), np.zeros(2))]
plan = Plan(sizes=(2, 5, 2), activation="relu", loss="softmax", optimizer=OptimizerSpec(),
            dtype="float64")
x, y = rng.normal(size=(8, 2)), rng.integers(0, 2, 8)
rows = plan.rows(x, y)
print(plan.fit(params, plan.new_state(), rows, np.arange(8), 2, np.full(4, 0.1))[0].sum())
print(sum(make_steps().stats.cache_hits.values()))
"""


def run(cache: Path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment
    ).stdout.split()


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    first, second = run(tmp_path), run(tmp_path)
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("0", "1")


def test_every_kernel_on_disk_depends_on_all_sources():
    kernels = [make_single(2, 8, 2, 0), make_lanes(2, 5, 2, 0, 8), make_softplus(),
               make_softplus_rows(), make_steps(), make_orders()]  # fmt: skip
    for kernel in kernels:
        function = kernel.py_func
        captured = dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))
        assert captured["source"].cell_contents == caching.SOURCE


@pytest.mark.parametrize("count", [1, 2, 3, 800])
@pytest.mark.parametrize("seeds", [1, 7])
def test_orders_are_those_of_the_reference(count, seeds):
    keys = [2**63 + 3, *range(1, seeds)]
    draw = Orders()
    draw(keys, 1, 4, count)
    found = draw(keys, 3, 4, count)
    assert found.shape == (seeds, 4 * count)
    for key, drawn in zip(keys, found, strict=True):
        assert np.array_equal(drawn, orders(key, 3, 4, count))


def weights(sizes, rng, runs=None, dtype="float64"):
    lead = () if runs is None else (runs,)
    return [
        ((rng.normal(size=(*lead, i, o)) * 0.7).astype(dtype),
         (rng.normal(size=(*lead, o)) * 0.1).astype(dtype))
        for i, o in itertools.pairwise(sizes)
    ]  # fmt: skip


def copies(params):
    return [(w.copy(), b.copy()) for w, b in params]


def flat(params):
    return np.concatenate([a.ravel() for layer in params for a in layer])


def plan_of(sizes=(2, 20, 2), **options):
    settings = {"activation": "relu", "loss": "softmax", "dtype": "float64"}
    optimizer = options.pop("optimizer", OptimizerSpec())
    return Plan(sizes=sizes, optimizer=optimizer, **{**settings, **options})


CASES = [
    ("relu", "softmax", 2, 20, "float64"), ("relu", "softmax", 2, 5, "float32"),
    ("tanh", "softmax", 2, 20, "float64"), ("logistic", "sigmoid", 1, 9, "float64"),
    ("identity", "sigmoid", 1, 17, "float32"), ("relu", "sigmoid", 1, 24, "float64"),
]  # fmt: skip


@pytest.mark.parametrize(("activation", "loss", "out", "hidden", "dtype"), CASES)
@pytest.mark.parametrize("shared", [False, True])
def test_a_run_in_a_lane_ends_with_the_bits_of_the_run_alone(
    activation, loss, out, hidden, dtype, shared
):
    runs = {"float64": 8 + 8 + 5 + 2, "float32": 16 + 6}[dtype]
    rng = np.random.default_rng(3)
    plan = plan_of((2, hidden, out), activation=activation, loss=loss, dtype=dtype)
    sets = [plan.rows(rng.normal(size=(50, 2)), rng.integers(0, 2, 50 if out == 2 else (50, 1)))
            for _ in range(1 if shared else runs)]  # fmt: skip
    sets = sets * runs if shared else sets
    assert plan.is_fast(sets[0], 1)
    params = weights(plan.sizes, rng, runs, dtype)
    taken, lrs = rng.integers(0, 50, (runs, 900)), np.linspace(0.05, 0.01, 900)
    many = copies(params)
    found = Lanes(plan, sets).fit(many, plan.new_state(runs), taken, lrs, 2)
    general = plan_of((2, hidden, out), activation=activation, loss=loss, dtype=dtype,
                      clip_norm=1e30)  # fmt: skip
    for k in range(runs):
        alone = [(w[k].copy(), b[k].copy()) for w, b in params]
        slow = copies(alone)
        losses, bad = plan.fit(alone, plan.new_state(), sets[k], taken[k], 1, lrs)
        assert bad is found[k][1] is None
        assert np.array_equal(losses[-100:], found[k][0])
        assert np.array_equal(flat(alone), flat([(w[k], b[k]) for w, b in many]))
        expected, _ = general.fit(slow, plan.new_state(), sets[k], taken[k], 1, lrs)
        close = (
            {"rtol": 1e-9, "atol": 1e-11} if dtype == "float64" else {"rtol": 0.02, "atol": 1e-3}
        )
        np.testing.assert_allclose(losses, expected, **close)
        np.testing.assert_allclose(flat(alone), flat(slow), **close)


@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.parametrize("batch", [1, 7])
def test_many_calls_give_the_bits_of_one(name, batch):
    rng = np.random.default_rng(1)
    plan = plan_of(optimizer=OptimizerSpec(name=name), dropout=0.3 if name == "adam" else 0.0)
    rows = plan.rows(rng.normal(size=(200, 2)), rng.integers(0, 2, 200))
    params = weights(plan.sizes, rng)
    order, lrs = rng.integers(0, 200, 1400), np.full(1400 // batch, 0.01)
    whole, parts = copies(params), copies(params)
    one, two = plan.new_state(), plan.new_state()
    losses, _ = plan.fit(whole, one, rows, order, batch, lrs)
    cut = 630
    first, _ = plan.fit(parts, two, rows, order[:cut], batch, lrs[: cut // batch])
    second, _ = plan.fit(
        parts, two, rows, order[cut:], batch, lrs[cut // batch :], first_step=cut // batch
    )
    assert np.array_equal(losses, np.concatenate([first, second]))
    assert np.array_equal(flat(whole), flat(parts))
    assert np.array_equal(one.first, two.first)


@pytest.mark.parametrize("clip", [None, 1e9])  # the fast and the general path
def test_a_step_that_is_not_finite_is_found_and_not_taken(clip):
    rng = np.random.default_rng(5)
    plan = plan_of(clip_norm=clip)
    x, y = rng.normal(size=(100, 2)), rng.integers(0, 2, 100)
    x[37, 1] = np.nan
    rows = plan.rows(x, y)
    params = weights(plan.sizes, rng)
    order = rng.integers(0, 37, 5000)
    order[3210] = 37
    mine, before, state = copies(params), copies(params), plan.new_state()
    losses, bad = plan.fit(mine, state, rows, order, 1, np.full(5000, 0.01))
    plan.fit(before, state, rows, order[:3210], 1, np.full(3210, 0.01))
    assert bad is not None
    assert bad.step == 3210
    assert np.isnan(bad.loss)
    assert np.isfinite(losses[:3210]).all()
    assert np.isnan(losses[3210:]).all()
    assert np.array_equal(flat(mine), flat(before))


def test_in_lanes_only_the_run_that_is_not_finite_stops():
    rng = np.random.default_rng(6)
    plan = plan_of()
    x, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    good, spoilt = plan.rows(x, y), plan.rows(np.where(np.arange(60)[:, None] == 9, np.inf, x), y)
    params = weights(plan.sizes, rng, 6)
    order = np.tile(np.delete(np.arange(60), 9), (6, 1))
    order[:, 40] = 9
    many = copies(params)
    sets = [good, good, spoilt, good, good, good]
    found = Lanes(plan, sets).fit(many, plan.new_state(6), order, np.full(59, 0.1), 2)
    assert [bad.step if bad else None for _, bad in found] == [None, None, 40, None, None, None]
    for k in range(6):
        alone = [(w[k].copy(), b[k].copy()) for w, b in params]
        plan.fit(alone, plan.new_state(), sets[k], order[k], 1, np.full(59, 0.1))
        assert np.array_equal(flat(alone), flat([(w[k], b[k]) for w, b in many]))


def test_arrays_of_another_kind_do_not_compile_anew():
    rng = np.random.default_rng(7)
    plan = plan_of((3, 4, 2), optimizer=OptimizerSpec(name="adam"))
    x, y = np.asfortranarray(rng.normal(size=(10, 3))), rng.integers(0, 2, 20)[::2]
    for array in (x, y):
        array.flags.writeable = False
    order = np.arange(20)[::2]
    params = weights(plan.sizes, rng)
    plan.fit(params, plan.new_state(), plan.rows(x, y), order[:5], 2, np.full(3, 0.1))
    before = len(make_steps().signatures)
    order.flags.writeable = False
    lrs = np.full(6, 0.1)[::2]
    plan.fit(params, plan.new_state(), plan.rows(x, y), order[:5], 2, lrs)
    assert len(make_steps().signatures) == before


def test_what_does_not_fit_is_refused():
    plan = plan_of()
    rows = plan.rows(np.zeros((5, 2)), np.zeros(5, int))
    params = weights(plan.sizes, np.random.default_rng(0))
    for order, lrs, error, says in [
        (np.array([0, 5]), np.ones(2), IndexError, "rows 0 to 4"),
        (np.array([-1]), np.ones(1), IndexError, "rows 0 to 4"),
        (np.arange(5), np.ones(4), ValueError, "one learning rate per batch"),
    ]:
        with pytest.raises(error, match=says):
            plan.fit(params, plan.new_state(), rows, order, 1, lrs)
    with pytest.raises(ValueError, match="classes must lie in 0 to 1"):
        plan.rows(np.zeros((2, 2)), np.array([0, 2]))
