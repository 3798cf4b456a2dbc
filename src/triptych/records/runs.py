"""One folder a run: its spec, its environment, metrics as they came, weights, the result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from triptych.contracts import Weights
from triptych.errors import RunError
from triptych.records.checkpoints import Checkpoint, Checkpoints, log_until, packed
from triptych.records.checks import check_curve, check_result, check_texts
from triptych.records.disk import CHECKPOINT_FILES, RESULT_FILE, WEIGHTS_FILE, DiskLimit
from triptych.records.files import (
    append_line,
    cut_log,
    dump_json,
    dump_line,
    read_json,
    read_lines,
    remove,
    remove_surely,
    sync_log,
    write_atomic,
)
from triptych.records.findings import FINDINGS_FILE, read_findings, write_findings
from triptych.records.folders import make_folder
from triptych.records.reading import read_whole
from triptych.records.run_record import FAILED, FINISHED, RunRecord
from triptych.records.tensors import dump_tensors, read_tensors
from triptych.spec import ArmSpec, plain, size_text

# What stands in files of its own.
_APART = ("curve", "environment", "findings")
RESULT_BYTES = 4_000
_LOG, _SPEC, _ENVIRONMENT = "metrics.jsonl", "spec.json", "environment.json"
_MADE = (RESULT_FILE, _LOG, WEIGHTS_FILE, FINDINGS_FILE, *CHECKPOINT_FILES)
RUN_FILES = (*_MADE, _SPEC, _ENVIRONMENT)
"""Every file that a run's folder may hold; the result first, as without it no run is whole."""


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
        self.checkpoints = Checkpoints(path, path / _LOG)

    def start(
        self,
        arm: ArmSpec,
        seed: int,
        environment: Mapping[str, str],
        begun: Mapping[str, object] | None = None,
    ) -> None:
        """Make the folder and write spec and environment; what an unfinished run left goes.

        `begun` is what `begun` will return until the run is started anew.
        """
        if self.limit:
            self.limit.check()
        is_new = not self.path.exists()
        make_folder(self.path)
        if not is_new:
            remove_surely(self.path / RESULT_FILE)
        for name in _MADE:
            remove(self.path / name)
        self.describe(arm, seed, environment, begun)
        write_atomic(self.path / _LOG, b"")

    def describe(
        self,
        arm: ArmSpec,
        seed: int,
        environment: Mapping[str, str],
        begun: Mapping[str, object] | None,
    ) -> None:
        """Write what the run is of, and where it is made."""
        asked = {"arm": plain(arm), "seed": seed} | ({"begun": dict(begun)} if begun else {})
        write_atomic(self.path / _SPEC, dump_json(asked))
        write_atomic(self.path / _ENVIRONMENT, dump_json(dict(environment)))

    def begun(self, arm: ArmSpec) -> dict[str, Any] | None:
        """Return what an unfinished run of `arm` was begun as; None where there is none."""
        try:
            found, unfinished = self.read_spec(), self.is_to_be_made()
        except RunError:
            return None
        same = found.get("arm") == json.loads(dump_json(plain(arm)))
        begun = found.get("begun", {})
        return begun if same and unfinished and isinstance(begun, dict) else None

    def resume(self, checkpoint: Checkpoint) -> list[dict[str, Any]]:
        """Make the folder what it was at a checkpoint; return the evaluations up to it."""
        remove(self.path / RESULT_FILE)
        cut_log(self.path / _LOG, checkpoint.log)
        return read_lines(self.path / _LOG)

    def keep(self, **fields: Any) -> bool:
        """Write a checkpoint, see `Checkpoint`; False where the limit leaves no room for it."""
        log = sync_log(self.path / _LOG)
        content = packed(Checkpoint(**fields, **log_until(log)))
        if self.limit and not self.limit.has_room(len(content)):
            most = size_text(self.limit.most)
            told = f"within {most} there was no room for checkpoints; cut short, it begins anew."
            self.told += [told] if told not in self.told else []
            return False
        self.checkpoints.write(content)
        return True

    def append(self, row: Mapping[str, object]) -> None:
        """Add one evaluation to the metrics."""
        append_line(self.path / _LOG, dump_line(dict(row)))

    def finish(self, record: RunRecord, weights: Weights | None) -> None:
        """Write weights and findings, then the result: where it is, the run is whole.

        Its checkpoints go; of a run that diverged or failed they stay.
        """
        sync_log(self.path / _LOG)
        if weights is not None:
            content = dump_tensors(weights, {"key": record.key})
            if self._has_room(len(content)):
                write_atomic(self.path / WEIGHTS_FILE, content)
        if record.findings:
            write_findings(self.path, record.findings)
        table = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in _APART}
        write_atomic(self.path / RESULT_FILE, dump_json(table))
        if record.status == FINISHED:
            self.checkpoints.drop()

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
        for name in (RESULT_FILE, _LOG, _ENVIRONMENT, FINDINGS_FILE):
            path = self.path / name
            yield read_whole(path) if path.exists() else b""

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
        return self.status() in (None, FAILED)

    def status(self) -> object:
        """Return what became of the run; None where there is no result.

        Raises
        ------
        RunError
            If the result is damaged.
        """
        path = self.path / RESULT_FILE
        return read_json(path).get("status") if path.exists() else None

    def read_spec(self) -> dict[str, Any]:
        """Return what was asked for: the table ``arm`` and ``seed``.

        Raises
        ------
        RunError
            If the file is missing or damaged.
        """
        return read_json(self.path / _SPEC)

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
        curve = read_lines(self.path / _LOG)
        environment = read_json(self.path / _ENVIRONMENT)
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
