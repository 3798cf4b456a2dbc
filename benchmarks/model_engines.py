"""Which engine reads a model: seconds of each, and what `saved/computing.py` would choose.

python benchmarks/model_engines.py

Of CNNs and vanilla RNNs, in float32, on one thread: seconds of a floating-point operation once an
engine is loaded, and how long loading takes. MLPs are not here: NumPy's products are as quick.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from triptych.models import cost, weight_shapes
from triptych.saved import Model
from triptych.spec import CNNSpec, NetworkSpec, RNNSpec

CASES: list[tuple[NetworkSpec, tuple[int, ...], int | None, tuple[int, ...]]] = [
    (CNNSpec(channels=(8, 16, 16), pool_after=(1, 3)), (1, 8, 8), None, (1, 100, 2000)),
    (CNNSpec(channels=(32, 64, 64), pool_after=(1, 3)), (3, 32, 32), None, (1, 20, 200)),
    (RNNSpec(hidden=32), (20,), 10, (1, 100, 5000)),
    (RNNSpec(hidden=128), (100,), 10, (1, 100, 2000)),
]
STARTS = {
    "torch": "import torch; torch.zeros(1) @ torch.zeros(1, 1)",
    "compiled": "from triptych.models.compiled import ElmanPlan",
}


def made(network: NetworkSpec, shape: tuple[int, ...], symbols: int | None) -> Model:
    """Return a model with drawn weights."""
    rng = np.random.default_rng(0)
    shapes = weight_shapes(network, shape, 10, symbols)
    weights = {n: rng.uniform(0.01, 0.1, s).astype(np.float32) for n, s in shapes.items()}
    return Model(
        network=network, loss="softmax", dtype="float32", weights=weights, sample_shape=shape,
        n_outputs=10, symbols=symbols, classes=tuple("abcdefghij"),
    )  # fmt: skip


def main() -> None:
    """Print a line for each network, number of rows and engine."""
    import torch

    torch.set_num_threads(1)
    for name, code in STARTS.items():
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        bare = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import triptych.saved"], check=True)
        after = time.perf_counter()
        print(f"start of {name}: {bare - before - (after - bare):.2f} s more than triptych.saved")
    for network, shape, symbols, counts in CASES:
        model = made(network, shape, symbols)
        for count in counts:
            x = np.random.default_rng(1).integers(0, symbols or 2, (count, *shape))
            x = x.astype(np.int8 if symbols else np.float32)
            flops = count * cost(network, shape, 10, symbols).flops
            others = ("numpy", "torch") if network.kind == "cnn" else ("numpy", "compiled", "torch")
            for engine in others:
                before = time.perf_counter()
                model.outputs(x, engine=engine)
                first = time.perf_counter() - before
                times = []
                for _ in range(5):
                    before = time.perf_counter()
                    model.outputs(x, engine=engine)
                    times.append(time.perf_counter() - before)
                print(
                    f"{network.kind} {shape} {count:>5} rows {engine:>8}: {min(times):.4f} s, "
                    f"{min(times) / flops:.1e} s a FLOP (first call {first:.2f} s)"
                )


if __name__ == "__main__":
    main()
