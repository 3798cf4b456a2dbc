"""What one run came to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from triptych.records.findings import Finding
from triptych.spec import Metric

FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"
LEARNING_RATE, TEMPERATURE = "learning_rate", "temperature"
"""What scores also hold where they were found on the way: see `triptych.spec.TrainSpec`."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What one run of one arm came to.

    Attributes
    ----------
    arm, seed : str, int
    key : str
        Identity of what was computed: spec, seed, data and versions.
    spec : str
        Identity of the arm's settings alone, see `triptych.spec.spec_id`.
    status : {"finished", "diverged", "failed"}
        Failed: its process died, or met an error that is not the network's; it is made again.
    engine : str
        What computed it, and why where the choice was automatic.
    data, fingerprint, notes : str, str, tuple of str
        What the data really was, and what a reader must know of it.
    source : str
        Identity of what the data were made from, see `triptych.data.source_id`; empty where it
        cannot be told without loading them.
    train_rows, test_rows : int
    sample_shape : tuple of int
        Of one row's features.
    outputs, classes : int, int
        Of the network; to tell apart, 0 where targets are numbers.
    symbols : int or None
        That sequences are made of, where that is not the number of classes.
    parameters, flops : int
        Of the network; FLOPs of one sample's forward pass. 0 of a reference, which has neither, and
        FLOPs of 0 where a network of one's own has some that cannot be counted.
    epochs : int
        Trained.
    seconds : float
        Spent in training steps.
    times : dict of str to float
        Seconds spent otherwise: on ``data``, next to nothing where they were loaded before; on
        ``evaluation``; on ``findings``. Empty of a run from before they were told.
    scores : dict of str to float
        At the end, ``train_`` and ``test_``: ``loss``, ``accuracy``, ``balanced_accuracy``,
        ``macro_f1`` of classes, ``r2``, ``rmse`` of numbers, see `triptych.contracts.Scores`;
        ``test_accuracy_at(T)`` where longer sequences were judged. Also `LEARNING_RATE` and
        `TEMPERATURE`, where they were found.
    steps : dict of str to float
        The smallest differences that some scores can show, where that is not one row in all.
    peak_memory : float or None
        The most resident memory that its process had, in MB (10^6 bytes); of a GPU where it was
        trained on one. None where it was not measured.
    shared : bool
        Whether other runs were made at the same time, so that its seconds are not those alone.
    error : str
        Why it diverged or failed.
    curve : tuple of dict
        One row an evaluation: epoch, step, lr, seconds and the scores.
    environment : dict of str to str
    arranged : str
        How places of the data were changed, see `triptych.contracts.Dataset`.
    findings : tuple of Finding
        What explains it, where that was looked into: of the first seed.
    """

    arm: str
    seed: int
    key: str
    spec: str
    status: str
    engine: str
    data: str
    fingerprint: str
    notes: tuple[str, ...]
    train_rows: int
    test_rows: int
    parameters: int
    flops: int
    source: str = ""
    sample_shape: tuple[int, ...] = ()
    outputs: int = 0
    classes: int = 0
    symbols: int | None = None
    epochs: int = 0
    seconds: float = 0.0
    scores: dict[str, float | None] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    peak_memory: float | None = None
    shared: bool = False
    error: str = ""
    curve: tuple[dict[str, Any], ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    arranged: str = ""
    # No run repeats them.
    times: dict[str, float] = field(default_factory=dict, compare=False)
    # Arrays have no truth value, and findings follow from the rest.
    findings: tuple[Finding, ...] = field(default=(), compare=False)

    def measure(self, metric: Metric) -> tuple[float, bool]:
        """Return the value of `metric`, and whether it is only a lower bound.

        ``epochs_to`` is a lower bound, the epochs trained, where the level was never reached.
        NaN where there is no such figure.
        """
        if metric.name == "epochs_to":
            sign = -1.0 if metric.of.endswith("rmse") else 1.0  # an error is to come down to it
            reached = [
                row["epoch"]
                for row in self.curve
                if row.get(metric.of) is not None and sign * (row[metric.of] - metric.level) >= 0
            ]
            return (float(min(reached)), False) if reached else (float(self.epochs), True)
        if metric.name == "seconds":
            return self.seconds, False
        if metric.name == "peak_memory":
            return math.nan if self.peak_memory is None else self.peak_memory, False
        name, factor = metric.name, 1.0
        if name == "test_accuracy_at":
            name = f"test_accuracy_at({metric.level:.0f})"
        if name == "test_loss_sum":
            name, factor = "test_loss", float(self.test_rows)
        value = self.scores.get(name)
        return (math.nan if value is None else value * factor), False
