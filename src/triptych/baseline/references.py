"""What a network is held against, on the same rows; and about how long each takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from triptych.baseline.networks import WEIGHT
from triptych.contracts import Dataset, lengths_of
from triptych.models import cost_on
from triptych.spec import NetworkSpec, ReferenceSpec, TrainSpec

# What one model may take on one seed; and pairs of rows, times inputs, that are compared at most.
_MOST_SECONDS = 60.0
_MOST_COMPARED = 3e9
# Of a 2-core AVX-512 CPU, as ``benchmarks/baseline.py`` finds them: seconds of a tree of 31 leaves,
# and of each of its values; of a value in a round of a linear model's solver; of a floating-point
# operation and of a step of a network.
_TREE, _TREE_VALUE, _ROUNDS = 2.5e-3, 5e-9, 100
_LINEAR_VALUE, _LINEAR_ROUNDS = 2e-9, 100
_OPERATION, _STEP = 1e-10, {"mlp": 3e-5, "cnn": 1.5e-3, "rnn": 3e-3}
_COMPARED = 3e-10


@dataclass(frozen=True)
class Reference:
    """A model to be held against, how tables call it, and what a claim says it is called."""

    name: str
    spec: ReferenceSpec
    label: str


def references(data: Dataset, *, weighted: bool) -> tuple[list[Reference], list[str]]:
    """Return the references of some data, and in words which were left out and why.

    Parameters
    ----------
    data : Dataset
    weighted : bool
        Whether rare classes are to weigh more.
    """
    weight = WEIGHT if weighted else None
    found = [
        Reference(
            "most_frequent",
            ReferenceSpec(model="most_frequent"),
            "the most frequent class" if data.classes else "the mean",
        )
    ]
    if data.kind == "sequences" and not _has_one_length(data):
        return found, ["other models read rows of one length, and these sequences differ in theirs"]
    linear = ReferenceSpec(model="linear", class_weight=weight)
    found.append(
        Reference("linear", linear, "logistic regression")
        if data.classes
        else Reference("linear", ReferenceSpec(model="ridge"), "ridge regression")
    )
    left = []
    seconds = boosting_seconds(data)
    if seconds <= _MOST_SECONDS:
        boosting = ReferenceSpec(model="gradient_boosting", class_weight=weight)
        found.append(Reference("boosting", boosting, "gradient boosting"))
    else:
        left.append(f"gradient boosting, which would take about {seconds / 60:.0f} min a seed")
    if compared(data) <= _MOST_COMPARED:
        neighbours = ReferenceSpec(model="nearest_neighbours")
        found.append(Reference("neighbours", neighbours, "five nearest neighbours"))
    elif data.kind == "pictures":
        left.append("nearest neighbours, which compare each picture with each other one")
    return found, left


def _has_one_length(data: Dataset) -> bool:
    lengths = {
        int(n) for split in (data.train, data.test) for n in set(lengths_of(split.x).tolist())
    }
    return len(lengths) == 1


def inputs_of(data: Dataset) -> int:
    """Return how many inputs rows have: pictures flattened, symbols one for each that there is."""
    symbols = data.step_inputs if data.kind == "sequences" and len(data.sample_shape) == 1 else 1
    return math.prod(data.sample_shape) * symbols


def boosting_seconds(data: Dataset) -> float:
    """Return about how long gradient boosting takes on one thread."""
    trees = _ROUNDS * (len(data.classes) if len(data.classes) > 2 else 1)
    return trees * (_TREE + _TREE_VALUE * data.rows * inputs_of(data))


def compared(data: Dataset) -> float:
    """Return how many numbers nearest neighbours compare, to judge all rows."""
    return float(data.rows) * (data.rows + len(data.test)) * inputs_of(data)


def seconds_a_seed(
    data: Dataset, network: NetworkSpec, train: TrainSpec, beside: list[Reference]
) -> float:
    """Return about how long one seed of all arms takes, from sizes and not from a clock.

    So the same data give the same number of seeds on any machine, and in every call.
    """
    batch = min(train.batch_size or data.rows, data.rows)
    search = train.search.rates * train.search.steps if train.search else 0
    steps = train.epochs * math.ceil(data.rows / batch) + search
    flops = 3.0 * batch * cost_on(network, data).flops
    total = steps * (_STEP[network.kind] + _OPERATION * flops)
    names = {one.name for one in beside}
    if "boosting" in names:
        total += boosting_seconds(data)
    if "linear" in names:
        total += _LINEAR_ROUNDS * _LINEAR_VALUE * data.rows * inputs_of(data) * data.outputs
    if "neighbours" in names:
        total += _COMPARED * compared(data)
    return total
