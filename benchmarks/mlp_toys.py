"""Small MLPs: Triptych's engines beside hand-written C, PyTorch, scikit-learn, in one run.

    python benchmarks/mlp_toys.py [--peer-epochs 4] [PART ...]

Parts: moons, seeds, digits, first. Every engine starts from the same weights and sees the same
rows in the same order; the weights after training are asserted equal. Compiling is done, and its
time printed, before anything is timed. On moons, peers that would take minutes take a few epochs
and are scaled up to 1500, which is said beside the figure; `--peer-epochs 1500` lets them take all.
Each figure of a compiled engine is the median of several runs, with their range.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import triptych
from c_yardstick import build
from c_yardstick import train as train_in_c
from triptych.chance import orders, stream, stream_seed
from triptych.contracts import Dataset, Split, Weights
from triptych.data import load
from triptych.engines import create_mlp, create_orders
from triptych.models import initial_weights
from triptych.models.initial import mlp_weights
from triptych.spec import DigitsSpec, MLPSpec, OptimizerSpec, ToySpec, TrainSpec
from triptych.training import CompiledTogether

EPOCHS, ROWS, LR = 1500, 800, 0.01
NETWORK = MLPSpec(hidden=(20,))
TRAIN = TrainSpec(epochs=EPOCHS, batch_size=1, dtype="float64")
BARS: list[str] = []


def bar(text: str, found: float, limit: float, *, above: bool) -> None:
    """Note whether a figure meets its bar."""
    met = found >= limit if above else found <= limit
    BARS.append(f"{'met   ' if met else 'MISSED'}  {text}: {found:.3g} (bar: "
                f"{'at least' if above else 'at most'} {limit:g})")  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    """Return the wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def spread(times: list[float], unit: float = 1.0, digits: int = 4) -> str:
    """Return the median with its range."""
    low, mid, high = (f(times) / unit for f in (min, statistics.median, max))
    return f"{mid:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def same(ours: Weights, theirs: Weights, tolerance: float) -> float:
    """Return the largest difference of weights, asserted to be within `tolerance`."""
    largest = max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)
    assert largest <= tolerance, f"weights differ by {largest}"
    return largest


def plain_torch(
    weights: Weights, x: np.ndarray, y: np.ndarray, order: np.ndarray, batch: int, optimizer: str,
    lr: float,
) -> Callable[[], Weights]:  # fmt: skip
    """Return a training as most write it: DataLoader, nn.Linear, optim; in the given order."""
    layers: list[torch.nn.Module] = []
    for k in range(1, len(weights) // 2 + 1):
        w, b = weights[f"w{k}"], weights[f"b{k}"]
        linear = torch.nn.Linear(*w.shape).to(torch.from_numpy(w).dtype)
        linear.weight.data.copy_(torch.from_numpy(w.T.copy()))
        linear.bias.data.copy_(torch.from_numpy(b.copy()))
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    rule, loss_function = kind(model.parameters(), lr=lr), torch.nn.CrossEntropyLoss()

    def train() -> Weights:
        for start in range(0, len(order), len(y)):
            epoch = order[start : start + len(y)].tolist()
            loader = torch.utils.data.DataLoader(rows, batch_size=batch, sampler=epoch)
            for x_B, y_B in loader:
                rule.zero_grad()
                loss_function(model(x_B), y_B).backward()
                rule.step()
        return {
            f"{kind}{k}": (linear.weight.T if kind == "w" else linear.bias).detach().numpy()
            for k, linear in enumerate(layers[::2], start=1)
            for kind in "wb"
        }

    return train


def sklearn_moons(weights: Weights, data: Dataset, order: np.ndarray) -> tuple[float, Weights]:
    """Return the seconds and weights of scikit-learn's network, fed in the given order."""
    x, y = data.train.x, data.train.y
    model = MLPClassifier(
        (20,), solver="sgd", alpha=0.0, batch_size=1, learning_rate_init=LR, momentum=0.0,
        shuffle=False,
    )  # fmt: skip
    model.partial_fit(x[:1], y[:1], classes=[0, 1])  # makes its arrays
    for k in (1, 2):
        model.coefs_[k - 1][...] = weights[f"w{k}"]
        model.intercepts_[k - 1][...] = weights[f"b{k}"]
    taken = 0.0
    for start in range(0, len(order), ROWS):
        rows = order[start : start + ROWS]
        x_N, y_N = x[rows], y[rows]
        taken += seconds(lambda x_N=x_N, y_N=y_N: model.partial_fit(x_N, y_N))
    found = {f"w{k + 1}": w for k, w in enumerate(model.coefs_)}
    return taken, found | {f"b{k + 1}": b for k, b in enumerate(model.intercepts_)}


def moons(peer_epochs: int) -> None:
    """Print the paper's experiment on every engine and peer."""
    data = load(ToySpec(source="moons"), 0)
    weights = initial_weights(NETWORK, data, stream(0, "weights"))
    order = orders(stream_seed(0, "order"), 1, EPOCHS, ROWS)
    lrs = np.full(len(order), LR)

    def ours(engine: str, epochs: int) -> tuple[float, Weights]:
        learner = create_mlp(NETWORK, TRAIN, engine, weights, data.train)
        count = epochs * ROWS
        return seconds(lambda: learner.fit(order[:count], 1, lrs[:count])), learner.weights()

    single = mlp_weights(NETWORK, 2, 1, stream(0, "weights"))
    print(f"\nmoons, 2-20-2, float64, one row a step, {EPOCHS} epochs of {ROWS} rows")
    print(f"  compiling or loading the kernels: {seconds(lambda: ours('compiled', 1)):.2f} s")
    runs = [ours("compiled", EPOCHS) for _ in range(9)]
    compiled = statistics.median(r[0] for r in runs)
    nanoseconds = compiled / len(order) * 1e9
    print(f"  compiled              {spread([r[0] for r in runs])} s, {nanoseconds:.0f} ns a step")
    bar("moons, compiled, seconds", compiled, 0.12, above=False)
    library = build()
    if isinstance(library, str):
        print(f"  hand-written C        not run: {library}")
    else:
        x, y = data.train.x, data.train.y
        c_runs = [train_in_c(library, weights, x, y, order, LR) for _ in range(9)]
        gap = same(runs[0][1], c_runs[0][1], 1e-10)
        in_c = statistics.median(r[0] for r in c_runs)
        print(f"  hand-written C        {spread([r[0] for r in c_runs])} s, weights within "
              f"{gap:.0e}")  # fmt: skip
        bar("moons, compiled / hand-written C", compiled / in_c, 1.3, above=False)

    scale = EPOCHS / peer_epochs
    note = "" if peer_epochs == EPOCHS else f" (scaled up from {peer_epochs} epochs)"
    reference = ours("compiled", peer_epochs)[1]
    count = peer_epochs * ROWS

    def peer(name: str, taken: float, found: Weights, against: Weights, least: float) -> None:
        gap = same(against, found, 1e-9)
        print(f"  {name:<21} {taken * scale:7.1f} s, {taken * scale / compiled:5.0f} times, "
              f"weights within {gap:.0e}{note}")  # fmt: skip
        if least:
            bar(f"moons, {name} / compiled", taken * scale / compiled, least, above=True)

    peer("NumPy engine", *ours("numpy", peer_epochs), reference, 100)
    peer("PyTorch engine", *ours("torch", peer_epochs), reference, 0)
    train = plain_torch(weights, data.train.x, data.train.y, order[:count], 1, "sgd", LR)
    found: list[Weights] = []
    taken = seconds(lambda: found.append(train()))
    peer("plain PyTorch loop", taken, found[0], reference, 1500)
    # scikit-learn gives two classes one logistic output; so does the network it is held to.
    sk_seconds, sk_weights = sklearn_moons(single, data, order[:count])
    peer("scikit-learn", sk_seconds, sk_weights, _sigmoid(data, single, order[:count]), 1000)


def _sigmoid(data: Dataset, weights: Weights, order: np.ndarray) -> Weights:
    train = TrainSpec(batch_size=1, dtype="float64", loss="sigmoid")
    split = Split(data.train.x, data.train.y[:, None].astype(float))
    learner = create_mlp(NETWORK, train, "compiled", weights, split)
    learner.fit(order, 1, np.full(len(order), LR))
    return learner.weights()


def seeds(count: int = 1000) -> None:
    """Print the time of many seeds of the same experiment, drawing of orders included."""
    print(f"\nmoons, {count} seeds of {EPOCHS} epochs, {os.cpu_count()} cores")
    sets = [load(ToySpec(source="moons"), seed) for seed in range(count)]
    first = [initial_weights(NETWORK, d, stream(s, "weights")) for s, d in enumerate(sets)]

    def learners() -> list:
        return [
            create_mlp(NETWORK, TRAIN, "compiled", w, d.train, seed=s)
            for s, (w, d) in enumerate(zip(first, sets, strict=True))
        ]

    draw, at_once = create_orders("compiled"), 10
    keys = [stream_seed(s, "order") for s in range(count)]
    lrs = np.full(at_once * ROWS, LR)

    def train(group: list, epochs: int) -> None:
        together = CompiledTogether()
        for epoch in range(1, epochs + 1, at_once):
            together(group, draw(keys[: len(group)], epoch, at_once, ROWS), 1, lrs, ROWS)

    train(learners()[:16], at_once)  # compiles or loads
    group = learners()
    cpu = time.process_time()
    taken = seconds(lambda: train(group, EPOCHS))
    cpu = time.process_time() - cpu
    steps = count * EPOCHS * ROWS
    for k in (0, 7, count // 2, count - 1):
        alone = create_mlp(NETWORK, TRAIN, "compiled", first[k], sets[k].train, seed=k)
        order = orders(keys[k], 1, EPOCHS, ROWS)
        alone.fit(order, 1, np.full(len(order), LR))
        same(alone.weights(), group[k].weights(), 0.0)
    print(f"  {taken:.2f} s, {cpu:.2f} s of processor time: {cpu / steps * 1e9:.1f} ns a step of "
          "one seed; four of them trained alone end with the same bits")  # fmt: skip
    bar(f"{count} seeds, seconds", taken, 15.0, above=False)


def digits(epochs: int = 20) -> None:
    """Print the digits, 64-100-50-10, Adam."""
    data = load(DigitsSpec(), 0)
    network = MLPSpec(hidden=(100, 50))
    x_test = data.standardization(data.test.x, "float64") if data.standardization else data.test.x
    for batch in (32, 200):
        for dtype in ("float64", "float32"):
            _digits(data, network, x_test.reshape(len(data.test), -1), batch, (dtype, epochs))


def _digits(
    data: Dataset, network: MLPSpec, x_test: np.ndarray, batch: int, kind: tuple[str, int]
) -> None:
    dtype, epochs = kind
    rows = len(data.train)
    optimizer = OptimizerSpec(name="adam", lr=1e-3)
    train = TrainSpec(batch_size=batch, dtype=dtype, optimizer=optimizer)
    weights = initial_weights(network, data, stream(0, "weights"))
    weights = {name: w.astype(dtype) for name, w in weights.items()}
    x = data.train.x if data.standardization is None else data.standardization(data.train.x, dtype)
    x = x.reshape(rows, -1).astype(dtype)
    order = orders(stream_seed(0, "order"), 1, epochs, rows)
    steps = epochs * -(-rows // batch)
    lrs = np.full(steps, 1e-3)
    times: list[float] = []
    for _ in range(8):
        learner = create_mlp(network, train, "compiled", weights, Split(x, data.train.y))
        times.append(seconds(lambda one=learner: one.fit(order, batch, lrs, rows)))
    compiled = statistics.median(times[1:])
    torch_times = []
    for _ in range(3):
        plain = plain_torch(weights, x, data.train.y, order, batch, "adam", 1e-3)
        found: list[Weights] = []
        torch_times.append(seconds(lambda p=plain, f=found: f.append(p())))
    gap = same(learner.weights(), found[0], 1e-8 if dtype == "float64" else 0.05)
    settings = {"hidden_layer_sizes": (100, 50), "alpha": 0.0, "batch_size": batch, "tol": 0.0,
                "max_iter": epochs, "n_iter_no_change": epochs + 1, "random_state": 0}  # fmt: skip
    sk_times, our_times = [], []
    for _ in range(3):
        theirs = MLPClassifier(**settings)
        sk_times.append(seconds(lambda m=theirs: m.fit(x, data.train.y)))
        ours = triptych.MLPClassifier(engine="compiled", **settings)
        our_times.append(seconds(lambda m=ours: m.fit(x, data.train.y)))
    if dtype == "float64":
        same({str(k): w for k, w in enumerate(ours.coefs_)},
             {str(k): w for k, w in enumerate(theirs.coefs_)}, 1e-8)  # fmt: skip
    accuracies = [m.score(x_test.astype(dtype), data.test.y) for m in (ours, theirs)]
    per_sk, per_torch = (statistics.median(t) / compiled for t in (sk_times, torch_times))
    estimator = statistics.median(sk_times) / statistics.median(our_times)
    print(f"  batch {batch:>3}, {dtype}: compiled {spread(times[1:], steps / 1e6, 0)} us a step; "
          f"scikit-learn {per_sk:.1f} times, plain PyTorch loop {per_torch:.1f} times (weights "
          f"within {gap:.0e}); as an estimator {estimator:.1f} times as fast as scikit-learn's, "
          f"test accuracy {accuracies[0]:.3f} and {accuracies[1]:.3f}")  # fmt: skip
    bar(f"digits, batch {batch}, {dtype}, scikit-learn / compiled", per_sk, 3, above=True)
    bar(f"digits, batch {batch}, {dtype}, plain PyTorch loop / compiled", per_torch, 5, above=True)


_FIRST = """
import time
import numpy as np
from triptych.chance import orders, stream, stream_seed
from triptych.data import load
from triptych.engines import create_mlp
from triptych.models import initial_weights
from triptych.spec import MLPSpec, OptimizerSpec, ToySpec, TrainSpec
data = load(ToySpec(source="moons"), 0)
network = MLPSpec(hidden=(20,))
weights = initial_weights(network, data, stream(0, "weights"))
order = orders(stream_seed(0, "order"), 1, 10, 800)
def call(train):
    started = time.perf_counter()
    learner = create_mlp(network, train, "compiled", weights, data.train)
    steps = 10 * -(-800 // train.batch_size)
    learner.fit(order, train.batch_size, np.full(steps, 0.01), 800)
    return time.perf_counter() - started
adam = TrainSpec(batch_size=32, dtype="float64", optimizer=OptimizerSpec(name="adam"))
one = TrainSpec(batch_size=1, dtype="float64")
for train in (FIRST, ):
    print(call(train), call(train))
"""


def first() -> None:
    """Print what the first call of a new process costs, with kernels in their cache."""
    print("\nfirst call in a new process, kernels in their cache")
    for name, order in (("one row a step, SGD", "one"), ("batch 32, Adam", "adam")):
        for trial in range(4):
            command = [sys.executable, "-c", _FIRST.replace("FIRST", order)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            calls = [float(word) for word in out.splitlines()[0].split()]
            if trial == 0:
                continue  # fills the cache
            extra = calls[0] - calls[1]
            print(f"  {name}: {calls[0]:.3f} s, the second call {calls[1]:.3f} s")
        bar(f"first call, {name}, seconds more than the second", extra, 1.0, above=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[[], "moons", "seeds", "digits", "first"])
    parser.add_argument("--peer-epochs", type=int, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(1)
    chosen = options.parts or ["moons", "seeds", "digits", "first"]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"PyTorch {torch.__version__}, NumPy {np.__version__}")  # fmt: skip
    if "moons" in chosen:
        moons(options.peer_epochs)
    if "seeds" in chosen:
        seeds()
    if "digits" in chosen:
        print("\ndigits, 64-100-50-10, Adam, 20 epochs")
        digits()
    if "first" in chosen:
        first()
    print("\n" + "\n".join(BARS))
    sys.exit(any(line.startswith("MISSED") for line in BARS))


if __name__ == "__main__":
    main()
