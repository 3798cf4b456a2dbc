"""One folder a run: its spec, its environment, metrics as they came, weights, the result."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.numpy

from triptych.contracts import Weights
from triptych.errors import RunError
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
from triptych.spec import ArmSpec, Metric, plain, spec_id

FINISHED, DIVERGED = "finished", "diverged"


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
    status : {"finished", "diverged"}
    engine : str
        What computed it, and why where the choice was automatic.
    data, fingerprint, notes : str, str, tuple of str
        What the data really was, and what a reader must know of it.
    train_rows, test_rows : int
    parameters, flops : int
        Of the network; FLOPs of one sample's forward pass.
    epochs : int
        Trained.
    seconds : float
        Spent in training steps.
    scores : dict of str to float
        ``train_loss``, ``train_accuracy``, ``test_loss``, ``test_accuracy`` at the end;
        ``test_accuracy_at(T)`` where longer sequences were judged.
    error : str
        Why it diverged.
    curve : tuple of dict
        One row an evaluation: epoch, step, lr, seconds and the scores.
    environment : dict of str to str
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
    epochs: int = 0
    seconds: float = 0.0
    scores: dict[str, float | None] = field(default_factory=dict)
    error: str = ""
    curve: tuple[dict[str, Any], ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # Arrays have no truth value, and findings follow from the rest.
    findings: tuple[Finding, ...] = field(default=(), compare=False)

    def measure(self, metric: Metric) -> tuple[float, bool]:
        """Return the value of `metric`, and whether it is only a lower bound.

        ``epochs_to`` is a lower bound, the epochs trained, where the level was never reached.
        NaN where there is no such figure.
        """
        if metric.name == "epochs_to":
            reached = [
                row["epoch"] for row in self.curve if (row.get(metric.of) or 0.0) >= metric.level
            ]
            return (float(min(reached)), False) if reached else (float(self.epochs), True)
        if metric.name == "seconds":
            return self.seconds, False
        name, factor = metric.name, 1.0
        if name == "test_accuracy_at":
            name = f"test_accuracy_at({metric.level:.0f})"
        if name == "test_loss_sum":
            name, factor = "test_loss", float(self.test_rows)
        value = self.scores.get(name)
        return (math.nan if value is None else value * factor), False


def run_key(arm: ArmSpec, seed: int, fingerprint: str, environment: Mapping[str, str]) -> str:
    """Return the identity of a run: two runs with one key give the same result."""
    parts = [spec_id(arm), str(seed), fingerprint]
    parts += [f"{name}={environment[name]}" for name in ("triptych", "numpy", "torch", "device")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class RunFolder:
    """Writes one run, from its start to its result, and reads it back.

    Parameters
    ----------
    path : Path
        The run's own folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, arm: ArmSpec, seed: int, environment: Mapping[str, str]) -> None:
        """Make the folder and write spec and environment; what an unfinished run left goes."""
        make_folder(self.path)
        for name in ("result.json", "metrics.jsonl", "weights.safetensors", FINDINGS_FILE):
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
            content = safetensors.numpy.save(weights, {"key": record.key})
            write_atomic(self.path / "weights.safetensors", content)
        if record.findings:
            write_findings(self.path, record.findings)
        table = asdict(record)
        # They stand in files of their own.
        del table["curve"], table["environment"], table["findings"]
        write_atomic(self.path / "result.json", dump_json(table))

    def weights(self) -> Weights:
        """Return the weights the run ended with.

        Raises
        ------
        RunError
            If they are missing or damaged.
        """
        try:
            return safetensors.numpy.load_file(self.path / "weights.safetensors")
        except (OSError, safetensors.SafetensorError) as error:
            raise RunError(f"{self.path / 'weights.safetensors'}: {error}.") from None

    def is_finished(self) -> bool:
        """Whether the run's result has been written."""
        return (self.path / "result.json").exists()

    def read(self) -> RunRecord:
        """Return the record of a finished run.

        Raises
        ------
        RunError
            If a file is missing or damaged.
        """
        table = read_json(self.path / "result.json")
        try:
            return RunRecord(
                **{**table, "notes": tuple(table["notes"])},
                curve=tuple(read_lines(self.path / "metrics.jsonl")),
                environment=read_json(self.path / "environment.json"),
                findings=read_findings(self.path),
            )
        except (KeyError, TypeError) as error:
            raise RunError(f"{self.path / 'result.json'} is damaged: {error}.") from None
