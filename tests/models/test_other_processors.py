"""Processors without AVX-512, AVX2 or FMA: other instructions, the same numbers."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

IRIS = """
from triptych import MLPClassifier
from sklearn.datasets import load_iris
x, y = load_iris(return_X_y=True)
x = (x - x.mean(0)) / x.std(0)
make = lambda engine: MLPClassifier((8,), activation="tanh", max_iter=15, engine=engine, **options)
"""
# Channels enough for Winograd's form, where it pays.
DIGITS = """
from triptych import CNNClassifier
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
x, y = x[:96].reshape(-1, 1, 8, 8).astype("float32"), y[:96]
from triptych.spec import CNNSpec
import triptych.estimators.picture_network as pictures
pictures.picture_network = lambda _: CNNSpec(channels=(32, 32), pool_after=(1,))
make = lambda engine: CNNClassifier(max_iter=1, engine=engine, recipe=None, batch_size=32,
                                    learning_rate_init=0.001, **options)
"""
WAVES = """
from triptych import RNNClassifier
x = np.random.default_rng(0).normal(size=(60, 9, 2))
y = (x[:, -1, 0] > 0).astype(int)
make = lambda engine: RNNClassifier(hidden=6, max_iter=4, dtype="float64", engine=engine, **options)
"""
CODE = """
import json, sys
import numpy as np
options = {"random_state": 0}
CASE
found = {}
for engine in sys.argv[1:]:
    with np.errstate(all="ignore"):
        model = make(engine).fit(x, y)
        found[engine] = [model.loss_, *model.predict_proba(x).ravel().tolist()]
print(json.dumps(found))
"""
# What Numba, PyTorch, NumPy and OpenBLAS are told to do without.
OLD = {
    "NUMBA_CPU_NAME": "sandybridge",
    "NUMBA_CPU_FEATURES": "",
    "ATEN_CPU_CAPABILITY": "default",
    "OPENBLAS_CORETYPE": "SANDYBRIDGE",
}


@pytest.mark.fault(49)
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="instructions of x86")
@pytest.mark.parametrize(
    ("case", "engines", "tolerance"),
    [
        (IRIS, ("numpy", "compiled", "torch"), 1e-9),
        (DIGITS, ("numpy", "torch"), 1e-3),  # float32
        # Its kernels take half a minute to compile anew.
        pytest.param(WAVES, ("numpy", "compiled", "torch"), 1e-9, marks=pytest.mark.slow),
    ],
    ids=["mlp", "cnn", "rnn"],
)
def test_engines_agree_where_there_is_no_fma(case, engines, tolerance, tmp_path):
    def run(**variables):
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CODE.replace("CASE", case), *engines],
            capture_output=True, text=True, env={**os.environ, **variables}, check=True,
        )  # fmt: skip
        return {engine: np.array(values) for engine, values in json.loads(told.stdout).items()}

    here, there = run(), run(NUMBA_CACHE_DIR=str(tmp_path), **OLD)
    for engine in engines:
        assert np.abs(there[engine] - here["numpy"]).max() < tolerance, engine
