"""One folder a run: its spec, its environment, metrics as they came, weights, the result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from triptych.contracts import Weights
from triptych.errors import RunError
from triptych.records.checks import check_curve, check_result, check_texts
from triptych.records.disk import WEIGHTS_FILE, DiskLimit
from triptych.records.files import (
    append_line,
    dump_json,
    dump_line,
    make_folder,
    read_json,
    read_lines,
    write_atomic,
)
from triptych.records.findings import FINDINGS_FILE, Finding, read_findings, write_findings
from triptych.records.tensors import dump_tensors, read_tensors
from triptych.spec import ArmSpec, Metric, plain, size_text

FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"
LEARNING_RATE, TEMPERATURE = "learning_rate", "temperature"
"""What scores also hold where they were found on the way: see `triptych.spec.TrainSpec`."""
# What stands in files of its own.
_APART = ("curve", "environment", "findings")
RESULT_FILE, RESULT_BYTES = "result.json", 4_000
_LOG, _SPEC, _ENVIRONMENT = "metrics.jsonl", "spec.json", "environment.json"
RUN_FILES = (RESULT_FILE, _LOG, WEIGHTS_FILE, FINDINGS_FILE, _SPEC, _ENVIRONMENT)
"""Every file that a run's folder may hold; the result first, as without it no run is whole."""


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


class RunFolder:
    """Writes one run, from its start to its result, and reads it back.

    Parameters
    ----------
    path : Path
        The run's own folder.
    limit : DiskLimit, optional
        What its study may take on disk.

    Attributes
    ----------
    told : list of str
        What was dropped when it was written.
    """

    def __init__(self, path: Path, limit: DiskLimit | None = None) -> None:
        self.path = path
        self.limit = limit
        self.told: list[str] = []

    def start(self, arm: ArmSpec, seed: int, environment: Mapping[str, str]) -> None:
        """Make the folder and write spec and environment; what an unfinished run left goes."""
        if self.limit:
            self.limit.check()
        make_folder(self.path)
        for name in (RESULT_FILE, "metrics.jsonl", WEIGHTS_FILE, FINDINGS_FILE):
            (self.path / name).unlink(missing_ok=True)
        write_atomic(self.path / "spec.json", dump_json({"arm": plain(arm), "seed": seed}))
        write_atomic(self.path / "environment.json", dump_json(dict(environment)))
        write_atomic(self.path / "metrics.jsonl", b"")

    def append(self, row: Mapping[str, object]) -> None:
        """Add one evaluation to the metrics."""
        append_line(self.path / "metrics.jsonl", dump_line(dict(row)))

    def finish(self, record: RunRecord, weights: Weights | None) -> None:
        """Write weights and findings, then the result: where it is, the run is whole."""
        if weights is not None:
            content = dump_tensors(weights, {"key": record.key})
            if self._has_room(len(content)):
                write_atomic(self.path / WEIGHTS_FILE, content)
        if record.findings:
            write_findings(self.path, record.findings)
        table = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in _APART}
        write_atomic(self.path / "result.json", dump_json(table))

    def _has_room(self, size: int) -> bool:
        """Make room for weights of this size, where the study has a limit."""
        if self.limit is None:
            return True
        # The result comes after them.
        fits, told = self.limit.make_room(size + RESULT_BYTES)
        if not fits:
            most = size_text(self.limit.most)
            told = f"its weights, {size_text(size)}, do not fit within {most}; scores are kept."
        self.told += [told] if told else []
        return fits

    def weights(self) -> Weights:
        """Return the weights the run ended with.

        Raises
        ------
        RunError
            If they are missing or damaged.
        """
        try:
            return read_tensors(self.path / WEIGHTS_FILE)
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / WEIGHTS_FILE}: {error}.") from None

    def has_weights(self) -> bool:
        """Whether its weights are kept; of a run that diverged there are none."""
        return (self.path / WEIGHTS_FILE).exists()

    def contents(self) -> Iterator[bytes]:
        """Give the content of every file that `read` reads."""
        for name in ("result.json", "metrics.jsonl", "environment.json", FINDINGS_FILE):
            path = self.path / name
            yield path.read_bytes() if path.exists() else b""

    def is_finished(self) -> bool:
        """Whether the run's result has been written."""
        try:
            return (self.path / RESULT_FILE).exists()
        except OSError:  # a name that no folder can have
            return False

    def is_to_be_made(self) -> bool:
        """Whether there is no result, or that of a run that failed.

        Raises
        ------
        RunError
            If the result is damaged.
        """
        path = self.path / RESULT_FILE
        return not path.exists() or read_json(path).get("status") == FAILED

    def read_spec(self) -> dict[str, Any]:
        """Return what was asked for: the table ``arm`` and ``seed``.

        Raises
        ------
        RunError
            If the file is missing or damaged.
        """
        return read_json(self.path / "spec.json")

    def read(self) -> RunRecord:
        """Return the record of a finished run.

        Raises
        ------
        RunError
            If a file is missing or damaged.
        """
        try:
            return self._read()
        except (KeyError, TypeError) as error:
            problem = f"{self.path} is damaged: {error}."
        except RunError as error:
            problem = str(error)
        raise RunError(f"{problem} 'triptych runs delete {self.path}' makes room to run it again.")

    def _read(self) -> RunRecord:
        table = read_json(self.path / RESULT_FILE)
        curve = read_lines(self.path / "metrics.jsonl")
        environment = read_json(self.path / "environment.json")
        check_result(table, RunRecord)
        check_curve(curve)
        check_texts(environment)
        for name in {"notes", "sample_shape"} & table.keys():
            table[name] = tuple(table[name])
        return RunRecord(
            **table,
            curve=tuple(curve),
            environment=environment,
            findings=read_findings(self.path),
        )
