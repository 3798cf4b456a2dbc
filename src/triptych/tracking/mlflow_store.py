"""A study in an MLflow store: a run that holds its page and verdicts, and below it one a run.

What is there already is found by its key, so that exporting again adds only what is new.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import RunError, SpecError
from triptych.records import FINISHED, RunRecord, StudyRecord, make_folder
from triptych.report.outcome import summary
from triptych.report.wording import VerdictLike, visible
from triptych.tracking.figures import (
    began,
    claims,
    ended,
    final_figures,
    points,
    run_notes,
    settings,
)

_DATABASE, _ARTIFACTS = "mlflow.db", "artifacts"
# What a store takes in one call.
_METRICS, _PARAMS, _TAGS = 1000, 100, 100
_LONGEST_PARAM, _LONGEST_TAG = 500, 5000
_PAGE = 1000
_STUDY, _KEY, _WHOLE = "triptych.study", "triptych.key", "triptych.whole"
_SERVERS = ("http://", "https://", "databricks")
_PARENT, _NAME, _NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
# Nothing phones home; and a server that is not there should be told of in seconds.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_LOGGING_LEVEL": "WARNING",
}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """How many runs were added to a store, how many were there, and where it is."""

    added: int
    kept: int
    uri: str


def export_mlflow(
    record: StudyRecord, verdicts: Sequence[VerdictLike], where: str, page: Path
) -> Exported:
    """Add a study to an MLflow store.

    Parameters
    ----------
    record : StudyRecord
    verdicts : sequence of VerdictLike
        On its claims.
    where : str
        The address of a tracking server or store, such as ``http://localhost:5000`` or
        ``sqlite:///mlflow.db``; else a folder, which gets a database and artifacts.
    page : Path
        The study's page, which becomes an artifact.

    Raises
    ------
    SpecError
        If MLflow is not installed.
    RunError
        If the store cannot be used.
    """
    with _quietly():
        client_of = require_mlflow(where)
        uri, artifacts = _store(where)
        with _told(uri):
            client = client_of(tracking_uri=uri)
            experiment = _experiment(client, record, artifacts)
            parent = _parent(client, experiment, record)
            there = _there(client, experiment, parent)
            missing = [run for run in record.runs if _identity(run) not in there]
            for run in missing:
                _add(client, experiment, parent, record, run)
            _describe(client, parent, record, verdicts)
            client.log_artifact(parent, str(page))
            client.set_terminated(
                parent, "FINISHED", _ms(max(ended(record, r) for r in record.runs))
            )
    return Exported(len(missing), len(record.runs) - len(missing), uri)


@contextmanager
def _quietly() -> Iterator[None]:
    """Let MLflow tell nobody of its use, and not wait long; what the user has set stays."""
    new = {name: value for name, value in _QUIET.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def require_mlflow(where: str) -> Callable[..., Any]:
    """Return MLflow's client for a server or store.

    Raises
    ------
    SpecError
        If MLflow is not installed, or what its stores need.
    """
    try:
        with _quietly():
            if not where.startswith(_SERVERS):  # a database, of whose libraries MLflow says nothing
                import alembic  # noqa: F401
                import sqlalchemy  # noqa: F401
            from mlflow import MlflowClient
    except ImportError:
        raise SpecError("MLflow is not installed: pip install 'triptych[mlflow]'.") from None
    client: Callable[..., Any] = MlflowClient
    return client


def _store(where: str) -> tuple[str, str | None]:
    """Return the address of a store, and where its artifacts go if that is not its own affair."""
    if "://" in where or where.startswith(("file:", "databricks")):
        return where, None
    folder = Path(where).absolute()
    make_folder(folder)
    return f"sqlite:///{folder / _DATABASE}", (folder / _ARTIFACTS).as_uri()


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Make an error of one line of what a store raises."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        what = " ".join(str(error).split())[:300].rstrip(".")
        raise RunError(f"MLflow at {visible(uri)}: {visible(what)}.") from None


def _experiment(client: Any, record: StudyRecord, artifacts: str | None) -> str:
    """Return the id of the experiment that has the study's title."""
    name = visible(record.study.title)
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage != "active":
        raise RunError(
            f"MLflow: the experiment {name!r} was deleted; restore it, or delete it for good."
        )
    return str(found.experiment_id)


def _parent(client: Any, experiment: str, record: StudyRecord) -> str:
    """Return the id of the study's own run, made anew where there is none."""
    place = str(record.folder.resolve())
    for run in _search(client, experiment):
        if run.data.tags.get(_STUDY) == place:
            return str(run.info.run_id)
    name = visible(record.folder.name)
    tags = {_STUDY: place, _NAME: name}
    start = _ms(min(began(record, run) for run in record.runs))
    return str(client.create_run(experiment, start, tags, name).info.run_id)


def _search(client: Any, experiment: str) -> Iterator[Any]:
    """Give all runs of an experiment."""
    token = None
    while True:
        found = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        yield from found
        token = found.token
        if not token:
            return


def _there(client: Any, experiment: str, parent: str) -> set[str]:
    """Return which runs of a study are in the store; what a former export left half goes."""
    found = set()
    for run in _search(client, experiment):
        tags = run.data.tags
        if tags.get(_PARENT) == parent and _KEY in tags:
            if tags.get(_WHOLE) == "true":
                found.add(tags[_KEY])
            else:
                client.delete_run(run.info.run_id)
    return found


def _identity(run: RunRecord) -> str:
    """Return what tells a run from every other one of its study, and from former ones."""
    return f"{run.arm}/{run.seed}/{run.key}"


def _add(client: Any, experiment: str, parent: str, record: StudyRecord, run: RunRecord) -> None:
    """Add one run with all that is known of it; only its last tag makes it whole."""
    from mlflow.entities import Metric, Param, RunTag

    name = f"{run.arm}, seed {run.seed}"
    tags = {_PARENT: parent, _NAME: name, _KEY: _identity(run)}
    start, end = _ms(began(record, run)), _ms(ended(record, run))
    made = client.create_run(experiment, start, tags, name).info.run_id
    asked = {_named(k): str(v)[:_LONGEST_PARAM] for k, v in settings(record, run).items()}
    for some in _batches([Param(k, v) for k, v in asked.items() if v], _PARAMS):
        client.log_batch(made, params=some)
    notes = {f"triptych.{k}": v[:_LONGEST_TAG] for k, v in run_notes(run).items()}
    for some in _batches([RunTag(_named(k), v) for k, v in notes.items() if k != _KEY], _TAGS):
        client.log_batch(made, tags=some)
    figures = [
        Metric(_named(k), v, _ms(point.time), point.step)
        for point in points(record, run)
        for k, v in point.figures.items()
    ]
    last = int(run.curve[-1]["step"]) if run.curve else 0
    figures += [Metric(f"final_{_named(k)}", v, end, last) for k, v in final_figures(run).items()]
    for some in _batches(figures, _METRICS):
        client.log_batch(made, metrics=some)
    client.set_terminated(made, "FINISHED" if run.status == FINISHED else "FAILED", end)
    client.set_tag(made, _WHOLE, "true")


def _describe(
    client: Any, parent: str, record: StudyRecord, verdicts: Sequence[VerdictLike]
) -> None:
    """Set what is told of the study: its outcome, and each claim with its verdict."""
    told = list(claims(record, verdicts))
    lines = [f"{number}. {verdict}. {text}" for number, (verdict, text) in enumerate(told, start=1)]
    note = "\n".join([visible(summary(record, verdicts)), *lines])
    tags: dict[str, str] = {_NOTE: note[:_LONGEST_TAG]}
    for number, (verdict, _) in enumerate(told, start=1):
        tags[f"claim.{number}"] = verdict[:_LONGEST_TAG]
    for name, text in tags.items():
        client.set_tag(parent, name, text)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _named(name: str) -> str:
    """Return a name as MLflow takes them.

    Examples
    --------
    >>> _named("test_accuracy_at(100)"), _named("train.optimizer.lr")
    ('test_accuracy_at_100', 'train.optimizer.lr')
    """
    return re.sub(r"[^\w./ -]+", "_", name).strip("_")


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
