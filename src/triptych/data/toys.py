"""Two-feature sets, drawn by scikit-learn with the paper's settings."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from triptych.chance import stream
from triptych.contracts import Dataset, Split
from triptych.data.fingerprints import fingerprint
from triptych.spec import ToySpec


def load_toy(spec: ToySpec, seed: int) -> Dataset:
    """Return moons, circles or classification, x float64 of shape (N, 2), two classes.

    Parameters
    ----------
    spec : ToySpec
    seed : int
        The study's seed; it draws the rows unless the spec has a `draw_seed`.
    """
    # Here, because scikit-learn takes a second to load.
    from sklearn.model_selection import train_test_split

    draw = spec.draw_seed
    if draw is None:
        draw = int(stream(seed, "draw").integers(2**32))
    x_train, x_test, y_train, y_test = train_test_split(
        *_draw(spec, draw), test_size=spec.test_size, random_state=spec.split_seed
    )
    train = Split(x_train, y_train.astype(np.int64))
    test = Split(x_test, y_test.astype(np.int64))
    classes = ("0", "1")
    return Dataset(spec.source, train, test, classes, "table", fingerprint(train, test))


def _draw(spec: ToySpec, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_circles, make_classification, make_moons

    match spec.source:
        case "moons":
            x, y = make_moons(n_samples=spec.n_samples, noise=spec.noise, random_state=seed)
        case "circles":
            x, y = make_circles(n_samples=spec.n_samples, noise=spec.noise, random_state=seed)
        case "classification":
            x, y = make_classification(
                n_samples=spec.n_samples,
                n_features=2,
                n_informative=2,
                n_redundant=0,
                n_clusters_per_class=1,
                random_state=seed,
            )
        case _:
            assert_never(spec.source)
    return x, y
