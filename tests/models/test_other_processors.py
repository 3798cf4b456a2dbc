"""Processors without AVX-512, AVX2 or FMA: other instructions, the same numbers."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

CODE = """
import json
import numpy as np
from sklearn.datasets import load_iris
from triptych import MLPClassifier

x, y = load_iris(return_X_y=True)
x = (x - x.mean(0)) / x.std(0)
found = {}
for engine in ("numpy", "compiled", "torch"):
    model = MLPClassifier((8,), activation="tanh", max_iter=15, random_state=0, engine=engine)
    with np.errstate(all="ignore"):
        found[engine] = [model.fit(x, y).loss_, *model.predict_proba(x).ravel().tolist()]
print(json.dumps(found))
"""
# What Numba, PyTorch, NumPy and OpenBLAS are told to do without.
OLD = {
    "NUMBA_CPU_NAME": "sandybridge",
    "NUMBA_CPU_FEATURES": "",
    "ATEN_CPU_CAPABILITY": "default",
    "OPENBLAS_CORETYPE": "SANDYBRIDGE",
}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="instructions of x86")
def test_engines_agree_where_there_is_no_fma(tmp_path):
    def run(**variables):
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True,
            env={**os.environ, **variables}, check=True,
        )  # fmt: skip
        return {engine: np.array(values) for engine, values in json.loads(told.stdout).items()}

    here, there = run(), run(NUMBA_CACHE_DIR=str(tmp_path), **OLD)
    for engine in here:
        assert np.abs(there[engine] - here["numpy"]).max() < 1e-9, engine
