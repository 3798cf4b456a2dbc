"""Compiled kernels are kept on disk where that can be, and work where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import numpy as np
from triptych.models.mlp_compiled import MLPCompiled, _single
from triptych.spec import OptimizerSpec
rng = np.random.default_rng(0)
weights = {"w1": rng.normal(size=(2, 5)), "b1": np.zeros(5),
           "w2": rng.normal(size=(5, 2)), "b2": np.zeros(2)}
x, y = rng.normal(size=(8, 2)), rng.integers(0, 2, 8)
print(MLPCompiled(weights, OptimizerSpec()).fit(x, y, np.arange(8), 1, np.full(8, 0.1)).sum())
print(sum(_single.stats.cache_hits.values()))
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


def test_without_a_place_for_the_cache_it_compiles_each_time(monkeypatch):
    from triptych.models import mlp_compiled

    real = mlp_compiled.njit

    def no_locator(*args, cache=False, **kwargs):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **kwargs)

    monkeypatch.setattr(mlp_compiled, "njit", no_locator)
    assert mlp_compiled._compiled(lambda a: a + 1)(2) == 3
