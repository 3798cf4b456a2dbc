"""The hand-written C of `mlp_sgd.c`, compiled on the spot and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("mlp_sgd.c")


def build() -> ctypes.CDLL | str:
    """Return the library, or why there is none."""
    if shutil.which("gcc") is None:
        return "no gcc here"
    target = Path(tempfile.mkdtemp(prefix="triptych-")) / "mlp_sgd.so"
    command = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", str(SOURCE), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return "gcc could not compile it here (it needs AVX-512)"
    return ctypes.CDLL(str(target))


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def train(
    library: ctypes.CDLL, weights: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray,
    order: np.ndarray, lr: float,
) -> tuple[float, dict[str, np.ndarray], np.ndarray]:  # fmt: skip
    """Return the seconds, the weights and the losses of one step per place of `order`."""
    w1, b1, w2 = np.zeros((2, 24)), np.zeros(24), np.zeros((2, 24))  # 20 units, 3 registers
    w1[:, :20], b1[:20], w2[:, :20] = weights["w1"], weights["b1"], weights["w2"].T
    b2, margins, losses = weights["b2"].copy(), np.empty(len(order)), np.empty(len(order))
    x, y, order = np.ascontiguousarray(x), np.ascontiguousarray(y), np.ascontiguousarray(order)
    steps = ctypes.c_int64(len(order))
    started = time.perf_counter()
    library.train(*map(_pointer, (w1, b1, w2, b2, x, y, order)), steps, ctypes.c_double(lr),
                  _pointer(margins))  # fmt: skip
    library.softplus_many(_pointer(margins), _pointer(losses), steps)
    taken = time.perf_counter() - started
    found = {"w1": w1[:, :20], "b1": b1[:20], "w2": w2[:, :20].T, "b2": b2}
    return taken, found, losses
