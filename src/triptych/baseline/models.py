"""The model's file: of the first seed's run of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.baseline.networks import NETWORK
from triptych.baseline.plans import Plan
from triptych.errors import RunError
from triptych.records import LEARNING_RATE, TEMPERATURE, RunRecord
from triptych.runner import StudyResult, load_for
from triptych.saved import load, model_of_run


def keep_model(plan: Plan, result: StudyResult, run: RunRecord) -> Path:
    """Write the model of a run, unless it is there; return its path.

    Raises
    ------
    RunError
        If its weights are gone, or the data have changed since.
    """
    if _is_there(plan.model, run):
        return plan.model
    arm = plan.study.arms[NETWORK]
    data = load_for(arm, run.seed, None)
    if data.fingerprint != run.fingerprint:
        raise RunError(
            f"{data.name} has changed since the run: fingerprint {run.fingerprint[:8]}… is now "
            f"{data.fingerprint[:8]}…. Run the same command again."
        )
    weights = plan.folder.run(NETWORK, run.seed).weights()
    temperature = run.scores.get(TEMPERATURE) or 1.0
    model = model_of_run(arm, data, weights, _facts(run, result), temperature)
    model.save(plan.model)
    return plan.model


def first_run(plan: Plan, result: StudyResult) -> RunRecord:
    """Return the network's run on the first seed.

    Raises
    ------
    RunError
        If it did not finish.
    """
    runs = result.record.finished(NETWORK)
    if not runs or runs[0].seed != plan.study.first_seed:
        lost = result.record.of(NETWORK)
        why = lost[0].error if lost else "it was not run"
        raise RunError(f"there is no model: the network's first run did not finish, {why}")
    return runs[0]


def _is_there(path: Path, run: RunRecord) -> bool:
    """Whether a file is the model of that very run."""
    return path.exists() and load(path).facts.get("key") == run.key


def _facts(run: RunRecord, result: StudyResult) -> dict[str, Any]:
    """Return what a reader of the model's file is told of where it comes from."""
    record = result.record
    beside = {
        record.study.arms[name].label: _scores(record.finished(name)[0])
        for name in record.study.arms
        if name != NETWORK and record.finished(name)
    }
    return {
        "made_by": "triptych train",
        "data": run.data,
        "fingerprint": run.fingerprint,
        "seed": run.seed,
        "key": run.key,
        "scores": _scores(run),
        "references": beside,
        LEARNING_RATE: run.scores.get(LEARNING_RATE),
        "epochs": run.epochs,
        "notes": list(run.notes),
        "environment": dict(run.environment),
    }


def _scores(run: RunRecord) -> dict[str, float]:
    """Return the scores of the held-out rows."""
    return {
        name: value
        for name, value in run.scores.items()
        if name.startswith("test_") and value is not None
    }
