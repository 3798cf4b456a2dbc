"""An arm's figures: what was reported beside what was measured, and what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triptych.records import RunRecord, StudyRecord
from triptych.report.outcome import lost_runs, missing_runs
from triptych.report.wording import (
    accuracy,
    arm_label,
    figure,
    measured,
    metric_name,
    shows,
)
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    CustomSpec,
    MLPSpec,
    ReferenceSpec,
    Reported,
    RNNSpec,
    TrainSpec,
)

_OF_CLASSES = ("test_accuracy", "train_accuracy")
_OF_NUMBERS = ("test_r2", "train_r2", "test_rmse")
# Shown where a claim speaks of them.
_CLAIMED = (
    "test_balanced_accuracy",
    "train_balanced_accuracy",
    "test_macro_f1",
    "train_macro_f1",
    "peak_memory",
)
_MODELS = {
    "most_frequent": "the most frequent class",
    "linear": "logistic regression",
    "ridge": "ridge regression",
    "nearest_neighbours": "five nearest neighbours",
    "gradient_boosting": "gradient boosting of trees",
    "random_forest": "random forest of 100 trees",
}
_MODELS_OF_NUMBERS = {**_MODELS, "most_frequent": "the mean", "linear": "least squares"}


def columns(record: StudyRecord) -> tuple[str, ...]:
    """Return the metrics that a study's tables show, and what else was reported or scored."""
    reported = (value.metric.removesuffix("_sum") for value in record.study.reported)
    views = any(arm.train.views for arm in record.study.arms.values() if arm.train)
    test, *others = _judged(record)
    scored = ("test_views_accuracy",) if views else ()
    claimed = {
        metric.of or metric.name
        for claim in record.study.claims
        for comparison in claim.with_causes
        for _, metric in comparison.terms
    }
    more = (name for name in _CLAIMED if name in claimed)
    shown = (test, *scored, *others, *more, "test_loss", "seconds", *reported)
    return tuple(dict.fromkeys(shown))


def _judged(record: StudyRecord) -> tuple[str, ...]:
    """Return the metrics by which arms are told apart: of classes, of numbers, or of both."""
    # A run that diverged before it was judged says nothing.
    kinds = {tells_numbers([run]) for run in record.runs if run.scores or run.curve}
    of_classes = () if kinds == {True} else _OF_CLASSES
    return (*of_classes, *_OF_NUMBERS) if True in kinds else of_classes


def tells_numbers(runs: Sequence[RunRecord]) -> bool:
    """Whether runs tell numbers, and not classes."""
    rows = [row for run in runs for row in (run.scores, *run.curve[:1])]
    return any("test_r2" in row for row in rows)


def heading(column: str) -> str:
    """Return how tables head a metric, with its unit."""
    units = {"seconds": ", s", "peak_memory": ", MB"}
    return metric_name(column) + units.get(column, "")


def figures_row(record: StudyRecord, name: str) -> dict[str, Any]:
    """Return an arm's reported and measured figures, by column."""
    runs = record.finished(name)
    cells = {}
    for column in columns(record):
        mean, spread = measured(runs, column)
        reported = reported_text(record, name, column)
        cells[column] = {"reported": reported, "mean": mean, "range": spread}
    return {
        "label": arm_label(record, name),
        "cells": cells,
        "runs": len(runs),
        "lost": lost_runs(record.of(name)),
        "missing": missing_runs(record, name),
    }


def reported_text(record: StudyRecord, name: str, column: str) -> str:
    """Return what was published of an arm for one column; ``–`` where nothing was."""
    found = [
        _reported(record, value)
        for value in record.study.reported
        if value.arm == name and value.metric.removesuffix("_sum") == column
    ]
    return "; ".join(found) or "–"


def _reported(record: StudyRecord, value: Reported) -> str:
    about = "about " if value.approximate else ""
    if value.metric == "test_loss_sum":
        rows = next((run.test_rows for run in record.of(value.arm)), 0)
        mean = f", a mean of {figure(value.value / rows)}" if rows else ""
        return f"{about}{value.value:g} as a sum{mean}"
    if shows(value.metric) is accuracy:
        return about + accuracy(value.value)
    return f"{about}{value.value:g}"


def reported_notes(record: StudyRecord, names: tuple[str, ...]) -> list[str]:
    """Return the remarks on reported figures, each once, with what it is about."""
    notes: dict[str, list[str]] = {}
    for value in record.study.reported:
        if value.arm in names and value.note:
            about = f"{arm_label(record, value.arm)}, {metric_name(value.metric)}"
            notes.setdefault(value.note, []).append(about)
    return [f"{note} ({'; '.join(about)})" for note, about in notes.items()]


def trained(record: StudyRecord, name: str, arm: ArmSpec) -> dict[str, Any]:
    """Return what an arm was: data, network, recipe, engine."""
    runs = record.of(name)
    # Of a run that failed before it began nothing is known.
    first = next((run for run in runs if run.fingerprint), None)
    return {
        "label": arm_label(record, name),
        "network": _network(arm, tells_numbers(runs)),
        "parameters": f"{first.parameters:,}" if first and first.parameters else "–",
        "flops": f"{first.flops:,}" if first and first.flops else "–",
        "recipe": _recipe(arm.train) if arm.train else "fitted once, with scikit-learn's settings",
        "engine": first.engine if first else arm.engine,
        "rows": f"{first.train_rows:,} / {first.test_rows:,}" if first else "not run",
        "data": ", ".join(filter(None, (first.data, first.arranged))) if first else arm.data.source,
    }


def _network(arm: ArmSpec, numbers: bool) -> str:  # noqa: FBT001 (told apart by its name)
    match arm.network:
        case MLPSpec(hidden=hidden, activation=activation, dropout=dropout):
            text = f"MLP, hidden {'-'.join(map(str, hidden))}" if hidden else "MLP, no hidden layer"
            text += f", {activation}" if activation != "relu" else ""
            return f"{text}, dropout {dropout:g}" if dropout else text
        case CNNSpec(channels=channels, design=design):
            text = "whitened CNN" if design == "whitened" else "CNN"
            return f"{text}, channels {'-'.join(map(str, channels))}"
        case RNNSpec():
            return _recurrent(arm.network)
        case CustomSpec(name=name, made=made):
            return f"{made or name}, of one's own"
        case ReferenceSpec(model=model, class_weight=weight):
            named = (_MODELS_OF_NUMBERS if numbers else _MODELS)[model]
            return f"reference: {named}{_weighs(weight)}"


def _weighs(class_weight: str | None) -> str:
    told = {"balanced": ", all classes weigh alike", "root": ", rare classes weigh more"}
    return told.get(class_weight or "", "")


def _recurrent(network: RNNSpec) -> str:
    text = {"elman": "RNN", "lstm": "LSTM", "gru": "GRU"}[network.cell]
    text += f", hidden {network.hidden}"
    text += f", {network.layers} layers" if network.layers > 1 else ""
    text += ", both directions" if network.bidirectional else ""
    text += f", {network.init} init" if network.init != "uniform" else ""
    return f"{text}, {network.output}"


def _recipe(train: TrainSpec) -> str:
    optimizer = train.optimizer
    size = train.batch_size
    rows = f"{size} row{'s' if size > 1 else ''} a step" if size else "full batch"
    most = "at most " if train.patience else ""
    rate = f" at {optimizer.lr:g}"
    if train.search is not None:
        rate = f" at a rate found between {train.search.low:g} and {train.search.high:g}"
    text = f"{optimizer.name}{rate}, {rows}, {most}{train.epochs} epochs"
    if train.schedule.name == "step":
        text += f", times {train.schedule.gamma:g} every {train.schedule.step_epochs} epochs"
    elif train.schedule.name != "constant":
        text += f", {train.schedule.name}"
    text += f", {train.loss} loss" if train.loss != "softmax" else ""
    text += f", L2 {train.l2:g}" if train.l2 else ""
    text += f", weight decay {optimizer.weight_decay:g}" if optimizer.weight_decay else ""
    if train.patience:
        text += f", the best by {train.validation:.0%} of the training rows"
    text += f", clipped at {train.clip_norm:g}" if train.clip_norm else ""
    text += _weighs(train.class_weight)
    text += ", calibrated by a temperature" if train.calibration else ""
    if train.growth is not None:
        stages = train.growth.stages
        text += f", lengths grow in {stages} stages" if stages > 1 else ", one length a batch"
    return text + _pictures(train)


def _pictures(train: TrainSpec) -> str:
    """Return what is done to pictures and labels, where anything is."""
    varied = train.augment
    text = f", labels smoothed by {train.label_smoothing:g}" if train.label_smoothing else ""
    text += ", mirrored" if varied.flip else ""
    text += f", shifted by up to {varied.translate} px" if varied.translate else ""
    text += f", squares of {varied.cutout} px cut out" if varied.cutout else ""
    if train.resolutions:
        text += f", pictures at {', '.join(f'{r:.0%}' for r in train.resolutions)} of their size"
    return text
