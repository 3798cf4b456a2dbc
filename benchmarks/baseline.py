"""What `triptych train` trains on tables, beside scikit-learn's models, on fourteen tables.

    python benchmarks/baseline.py [--seeds 3] [--only iris digits] [--first-seed 0] [--skewed]

Ten tables have classes, four have numbers to tell; some come with scikit-learn, the others are
made up. Of each and each seed, a quarter of the rows is held out. Prints of each model accuracy,
log loss (of numbers R2) and seconds, means over seeds; then mean ranks, and how many times our
seconds the others take. Ours are those of all it does: finding a learning rate, training, judging,
calibrating. With ``--skewed``: what weights of classes do on tables with rare classes.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sklearn import datasets
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from triptych.baseline.networks import TABLE_ENGINE, table_network
from triptych.chance import stream
from triptych.contracts import Array, Dataset, Split, Standardization
from triptych.data.table_fitting import columns_standardization
from triptych.data.table_splits import split_rows
from triptych.runner.runs import create_job, train_jobs
from triptych.spec import ArmSpec, BundledSpec, MLPSpec, TrainSpec
from triptych.training import Finished, cross_entropy

TABLES = (
    "iris", "wine", "breast_cancer", "digits", "two classes", "five classes", "moons and noise",
    "rare class", "checkerboard", "categories",
)  # fmt: skip
NUMBERS = ("diabetes", "friedman1", "friedman2", "friedman3")
SKEWED = ("rare class", "rarer class", "three skewed", "rare and linear")
_TEST_SIZE = 0.25


def table(name: str, seed: int) -> tuple[Array, Array, tuple[str, ...]]:
    """Return the rows (N, I) of a table, what is to be told of them (N,), and its classes."""
    rng = np.random.default_rng([seed, 7])
    made = int(rng.integers(2**31))
    if name in ("iris", "wine", "breast_cancer", "digits"):
        bunch = getattr(datasets, f"load_{name}")()
        return bunch.data.astype(float), bunch.target, tuple(map(str, bunch.target_names))
    if name == "diabetes":
        bunch = datasets.load_diabetes(scaled=False)
        return bunch.data, bunch.target, ()
    if name.startswith("friedman"):
        make = getattr(datasets, f"make_{name}")
        noise = {"friedman1": 1.0, "friedman2": 120.0, "friedman3": 0.1}[name]
        return *make(n_samples=2000, noise=noise, random_state=made), ()
    x, y = _classes(name, made, rng)
    return x, y, tuple(map(str, np.unique(y)))


def _classes(name: str, made: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a made up table with classes."""
    if name == "two classes":
        return datasets.make_classification(
            3000, 20, n_informative=8, n_redundant=4, n_clusters_per_class=3, flip_y=0.03,
            random_state=made,
        )  # fmt: skip
    if name == "five classes":
        return datasets.make_classification(
            4000, 25, n_informative=10, n_redundant=5, n_classes=5, n_clusters_per_class=2,
            class_sep=1.2, random_state=made,
        )  # fmt: skip
    if name == "moons and noise":
        x, y = datasets.make_moons(1000, noise=0.2, random_state=made)
        return np.column_stack([x, rng.normal(size=(1000, 8))]), y
    if name == "checkerboard":
        x = rng.uniform(0, 4, (3000, 2))
        y = np.floor(x).sum(axis=1).astype(int) % 2
        return np.column_stack([x, rng.normal(size=(3000, 2))]), np.where(
            rng.random(3000) < 0.05, 1 - y, y
        )
    if name == "categories":
        return _categories(rng)
    return _skewed(name, made)


def _categories(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return four columns of texts with 5 to 40 values, one input for each, and two of numbers."""
    kinds = (5, 10, 20, 40)
    codes = [rng.integers(k, size=4000) for k in kinds]
    numbers = rng.normal(size=(4000, 2))
    effects = [rng.normal(size=k)[c] for k, c in zip(kinds, codes, strict=True)]
    pairs = rng.normal(size=(5, 10))[codes[0], codes[1]]
    score = sum(effects) + 1.5 * pairs + numbers[:, 0] * effects[0] + 0.5 * rng.logistic(size=4000)
    one_hot = [
        (c[:, None] == np.arange(k)).astype(float) for k, c in zip(kinds, codes, strict=True)
    ]
    return np.column_stack([*one_hot, numbers]), (score > np.median(score)).astype(int)


def _skewed(name: str, made: int) -> tuple[Array, Array]:
    weights, rows = {
        "rare class": ([0.93], 4000), "rarer class": ([0.98], 6000),
        "three skewed": ([0.8, 0.15], 4000), "rare and linear": ([0.95], 3000),
    }[name]  # fmt: skip
    linear = name == "rare and linear"
    return datasets.make_classification(
        rows, 15, n_informative=6, n_redundant=3, n_classes=len(weights) + 1, weights=weights,
        n_clusters_per_class=1 if linear else 2, class_sep=0.8, flip_y=0.01, random_state=made,
    )  # fmt: skip


@dataclass(frozen=True)
class Halves:
    """A table as scikit-learn takes it, and as our networks do."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array
    data: Dataset


def split(name: str, seed: int) -> Halves:
    """Return a table with a quarter of its rows held out."""
    x, y, classes = table(name, seed)
    strata = y if classes else np.zeros(len(y), np.int64)
    train, test = split_rows(np.arange(len(y)), strata, _TEST_SIZE, stream(seed, "split"))
    scale = columns_standardization(x[train])
    target: Standardization | None = None
    told = y.astype(np.int64)
    if not classes:
        target = columns_standardization(y[train, None])
        told = target(y[:, None], "float64")
    z = scale(x, "float64")
    halves = Split(z[train], told[train]), Split(z[test], told[test])
    data = Dataset(name, *halves, classes, "table", "", target=target)
    return Halves(x[train], y[train], x[test], y[test], data)


@dataclass(frozen=True)
class Told:
    """What a model came to: probabilities or numbers of the held out rows, and seconds."""

    told: Array
    seconds: float

    def scores(self, halves: Halves) -> dict[str, float]:
        """Return the figures of a table with classes, or with numbers."""
        y = halves.y_test
        if not halves.data.classes:
            left = np.square(y - self.told)
            r2 = 1 - left.sum() / np.square(y - y.mean()).sum()
            return {"R2": r2, "RMSE": float(np.sqrt(left.mean())), "seconds": self.seconds}
        best = self.told.argmax(axis=1)
        return {
            "accuracy": float((best == y).mean()),
            "balanced": float(balanced_accuracy_score(y, best)),
            "macro F1": float(f1_score(y, best, average="macro")),
            "log loss": float(log_loss(y, self.told, labels=np.arange(len(halves.data.classes)))),
            "seconds": self.seconds,
        }


Choice = Callable[[Dataset], tuple[MLPSpec, TrainSpec]]


def ours(halves: Halves, seed: int, choice: Choice = table_network) -> Told:
    """Train what `triptych train` would."""
    data = halves.data
    started = time.process_time()
    network, train = choice(data)
    source = BundledSpec(source="iris" if data.classes else "diabetes")  # for its task alone
    arm = ArmSpec(data=source, network=network, train=train)
    job = create_job(arm, TABLE_ENGINE, data, seed, "cpu")
    events = [event for _, event in train_jobs([job], train, TABLE_ENGINE, stacked=False)]
    seconds = time.process_time() - started
    end = events[-1]
    assert isinstance(end, Finished), end
    out = job.learner.outputs(data.test.x).astype(float)
    if data.target is not None:
        return Told((out * data.target.std + data.target.mean)[:, 0], seconds)
    out /= end.temperature or 1.0
    if end.temperature:
        assert abs(cross_entropy(out, data.test.y) - end.evaluation.test.loss) < 1e-6
    shares = np.exp(out - out.max(axis=1, keepdims=True))
    return Told(shares / shares.sum(axis=1, keepdims=True), seconds)


def scikit(model: object) -> Callable[[Halves, int], Told]:
    """Return what fits a model of scikit-learn, with standardised columns."""

    def fit(halves: Halves, seed: int) -> Told:
        own = {"random_state": seed} if "random_state" in model.get_params() else {}
        whole = make_pipeline(StandardScaler(), model.set_params(**own))
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            whole.fit(halves.x, halves.y)
        seconds = time.process_time() - started
        tell = whole.predict_proba if halves.data.classes else whole.predict
        return Told(tell(halves.x_test), seconds)

    return fit


def models(*, numbers: bool) -> dict[str, Callable[[Halves, int], Told]]:
    """Return the models that stand beside each other."""
    if numbers:
        return {
            "triptych": ours, "sklearn MLP": scikit(MLPRegressor()), "ridge": scikit(Ridge()),
            "boosting": scikit(HistGradientBoostingRegressor()),
        }  # fmt: skip
    return {
        "triptych": ours, "sklearn MLP": scikit(MLPClassifier()),
        "logistic": scikit(LogisticRegression(max_iter=5000)),
        "boosting": scikit(HistGradientBoostingClassifier()),
    }  # fmt: skip


Scores = dict[str, dict[str, float]]


def compare(name: str, seeds: range, beside: dict[str, Callable[[Halves, int], Told]]) -> Scores:
    """Return the mean scores of each model on one table."""
    found: dict[str, list[dict[str, float]]] = {model: [] for model in beside}
    for seed in seeds:
        halves = split(name, seed)
        for model, fit in beside.items():
            found[model].append(fit(halves, seed).scores(halves))
    return {
        model: {key: float(np.mean([one[key] for one in each])) for key in each[0]}
        for model, each in found.items()
    }


def show(name: str, scores: Scores, keys: tuple[str, ...]) -> None:
    """Print a table's scores, a row a model."""
    for model, one in scores.items():
        cells = "  ".join(f"{one[key]:9.4f}" for key in keys)
        print(f"{name if model == 'triptych' else '':18}{model:14}{cells}", flush=True)


def ranks(tables: list[Scores], key: str, sign: float) -> dict[str, float]:
    """Return the mean rank of each model, 1 the best; equal ones share."""
    found: dict[str, list[float]] = {model: [] for model in tables[0]}
    for scores in tables:
        for model, one in scores.items():
            mine = sign * one[key]
            others = [sign * other[key] for other in scores.values()]
            better, same = sum(o > mine for o in others), sum(o == mine for o in others)
            found[model].append(better + (same + 1) / 2)
    return {model: float(np.mean(each)) for model, each in found.items()}


def tell(tables: list[Scores], keys: dict[str, float]) -> None:
    """Print mean ranks, and how long the others take."""
    for key, sign in keys.items():
        told = ", ".join(f"{model} {rank:.2f}" for model, rank in ranks(tables, key, sign).items())
        print(f"mean rank by {key}: {told}")
    for other in list(tables[0])[1:]:
        ratios = [t[other]["seconds"] / t["triptych"]["seconds"] for t in tables]
        whole = sum(t[other]["seconds"] for t in tables) / sum(
            t["triptych"]["seconds"] for t in tables
        )
        print(f"seconds, {other} over triptych: {whole:.2f} of all tables together, "
              f"{np.exp(np.mean(np.log(ratios))):.2f} the geometric mean, "
              f"{min(ratios):.2f} to {max(ratios):.2f}")  # fmt: skip


def skewed(seeds: range) -> None:
    """Print what weights of classes do where classes are rare."""

    def weighing(weight: str | None) -> Callable[[Halves, int], Told]:
        def choose(data: Dataset) -> tuple[MLPSpec, TrainSpec]:
            network, train = table_network(data)
            return network, replace(train, class_weight=weight)

        return lambda halves, seed: ours(halves, seed, choose)

    beside = {
        "triptych": weighing(None), "root": weighing("root"), "balanced": weighing("balanced"),
        "logistic": scikit(LogisticRegression()),
        "logistic, bal.": scikit(LogisticRegression(class_weight="balanced")),
        "boosting": scikit(HistGradientBoostingClassifier()),
        "boosting, bal.": scikit(HistGradientBoostingClassifier(class_weight="balanced")),
        "most frequent": scikit(DummyClassifier(strategy="prior")),
    }  # fmt: skip
    keys = ("accuracy", "balanced", "macro F1", "log loss", "seconds")
    print(f"{'':32}" + "  ".join(f"{key:>9}" for key in keys))
    for name in SKEWED:
        show(name, compare(name, seeds, beside), keys)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="tables")
    parser.add_argument("--skewed", action="store_true", help="what weights of classes do")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, seeds {seeds}")
    with threadpool_limits(limits=1):
        for warm_up in ("iris", "diabetes"):  # loading and compiling are not what is compared
            compare(warm_up, range(1), models(numbers=warm_up == "diabetes"))
        if options.skewed:
            skewed(seeds)
            return
        for names, keys in (
            (TABLES, {"accuracy": 1.0, "log loss": -1.0}),
            (NUMBERS, {"R2": 1.0}),
        ):
            wanted = [name for name in names if not options.only or name in options.only]
            shown = (*keys, "seconds")
            print(f"\n{'':32}" + "  ".join(f"{key:>9}" for key in shown))
            tables = []
            for name in wanted:
                tables.append(compare(name, seeds, models(numbers=names is NUMBERS)))
                show(name, tables[-1], shown)
            if tables:
                tell(tables, keys)


if __name__ == "__main__":
    main()
