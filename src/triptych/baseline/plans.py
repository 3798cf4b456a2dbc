"""From data of one's own to a study of them: what they were taken for, and what is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from triptych.baseline.before import check_folder, check_unfinished, kept_plan, other_settings
from triptych.baseline.networks import (
    NETWORK,
    TABLE_ENGINE,
    is_skewed,
    label_of,
    network_for,
)
from triptych.baseline.options import TrainOptions
from triptych.baseline.references import Reference, references, seconds_a_seed
from triptych.contracts import Dataset
from triptych.data import load
from triptych.data.looks import is_usual_target, look
from triptych.errors import SpecError, TriptychError
from triptych.models import cost_on
from triptych.records import STUDIES, StudyFolder
from triptych.report.wording import plural
from triptych.runner import Setting
from triptych.saved import load as load_model
from triptych.spec import (
    MIN_SEEDS,
    ArmSpec,
    ClaimSpec,
    DataSpec,
    MLPSpec,
    StudySpec,
    structure_one,
)
from triptych.studies.starter import describe

MODEL_SUFFIX = ".safetensors"
# What all runs may take together, as far as sizes tell, where each is to have enough seeds.
_MOST_SECONDS = 60.0
_METRICS = {"accuracy": "test_accuracy", "balanced": "test_balanced_accuracy", "r2": "test_r2"}


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes
    ----------
    study : StudySpec
        Its arms are the network, called `NETWORK`, and the references.
    folder : StudyFolder
    model : Path
        Where the model is kept.
    says : tuple of str
        What the data were taken for, and what is done with them, in lines.
    setting : Setting
    before : str
        What to say where the folder is of other settings; empty where it is not.
    """

    study: StudySpec
    folder: StudyFolder
    model: Path
    says: tuple[str, ...]
    setting: Setting
    before: str = ""

    @property
    def metric(self) -> str:
        """The score by which arms are compared: that of the claims."""
        return self.study.claims[0].comparisons[0].terms[0][1].name


def make_plan(options: TrainOptions) -> Plan:
    """Look at data, and return what is to be trained on them; nothing is written.

    Where the same was asked before, of data that have not changed, that plan is returned.

    Parameters
    ----------
    options : TrainOptions

    Raises
    ------
    SpecError, DataError, UnsafeFileError
    RunError
        If the folder cannot be used, or an unfinished run in it is of data that have changed.
    """
    folder = StudyFolder(options.out or STUDIES / (options.data.resolve().stem or "data"))
    check_folder(folder)
    model = options.model or folder.path / f"model{MODEL_SUFFIX}"
    _check_model(model, folder.path)
    setting = Setting(device=options.device, checkpoint=options.checkpoint, inexact=options.inexact)
    if kept := kept_plan(options, folder):
        return Plan(kept[0], folder, model, kept[1], setting)
    source = options.laid_over(look(options.data, options.target, options.encoding))
    spec: Any = structure_one(DataSpec, source, "data")
    data = load(spec, 0)
    study, says = _planned(options, spec, data)
    check_unfinished(options, folder, study)
    says = (*_taken_for(options, data, source), *says)
    return Plan(study, folder, model, says, setting, other_settings(options, folder))


def _check_model(path: Path, folder: Path) -> None:
    """Refuse names that no model can have, before anything is trained for it."""
    if path.suffix != MODEL_SUFFIX:
        raise SpecError(f"--model: a model ends in {MODEL_SUFFIX}, got {str(path)!r}.")
    if path.is_dir():
        raise SpecError(f"--model: {str(path)!r} is a folder.")
    if path.parent != folder and not path.parent.is_dir():
        raise SpecError(f"--model: there is no folder {str(path.parent)!r}.")
    if path.exists():
        try:
            load_model(path)
        except TriptychError as error:
            raise SpecError(
                f"--model: {str(path)!r} is there already and is no model ({error}) Name another."
            ) from None


def _planned(
    options: TrainOptions, spec: DataSpec, data: Dataset
) -> tuple[StudySpec, tuple[str, ...]]:
    """Return the study, and in lines what it trains."""
    network, train = network_for(data)
    skewed = is_skewed(data)
    beside, left = references(data, weighted=skewed)
    label = label_of(network)
    engine: Literal["compiled", "auto"] = "auto"
    if isinstance(network, MLPSpec) and options.device != "cuda":
        engine = TABLE_ENGINE
    arms = {NETWORK: ArmSpec(data=spec, network=network, train=train, label=label, engine=engine)}
    arms |= {one.name: ArmSpec(data=spec, network=one.spec, label=one.label) for one in beside}
    seeds, why = _seeds(options, seconds_a_seed(data, network, train, beside))
    metric = _METRICS["r2" if not data.classes else "balanced" if skewed else "accuracy"]
    study = StudySpec(
        title=f"Is a neural network worth it on {data.name}?",
        question=" ".join(
            (
                f"{label}, beside models that are simpler or quicker, on the same rows.",
                *([_skew_text(data)] if skewed else []),
                *(f"Not compared: {text}." for text in left),
            )
        ),
        arms=arms,
        seeds=seeds,
        claims=tuple(_claim(label, one, metric) for one in beside),
    )
    names = [one.label for one in beside]
    parameters = cost_on(network, data).parameters
    lines = [
        f"Network: {label}, {plural(parameters, 'parameter')}. Its learning rate is found, its "
        f"training stopped{' and its probabilities calibrated' if train.calibration else ''} by "
        f"{train.validation:.0%} of the training rows, which no step is taken on.",
        f"Beside it: {', '.join(names)}; same rows, same splits.",
        *(f"Left out: {text}." for text in left),
        f"Seeds: {seeds}, {why}.",
    ]
    if skewed:
        lines.insert(0, _skew_text(data))
    return study, tuple(lines)


def _claim(label: str, one: Reference, metric: str) -> ClaimSpec:
    return ClaimSpec(
        says=f"The {label.split(',')[0]} beats {one.label}.",
        tests=(f"{NETWORK}.{metric} > {one.name}.{metric}",),
    )


def _seeds(options: TrainOptions, seconds: float) -> tuple[int | Literal["auto"], str]:
    """Return on how many seeds all arms are made, and why."""
    if options.seeds is not None:
        return options.seeds, "as asked"
    if options.time is not None:  # a verdict over seeds would take one set of rows for many
        return 1, "as the latest rows are the same for every seed; they decide, not seeds"
    if MIN_SEEDS * seconds <= _MOST_SECONDS:
        return MIN_SEEDS, "the fewest that a verdict takes; each is another split of the rows"
    return 1, (f"as one takes about {seconds:.0f} s; --seeds {MIN_SEEDS} gives a verdict")


def _skew_text(data: Dataset) -> str:
    counts = np.bincount(data.train.y, minlength=len(data.classes))
    rarest = int(counts.argmin())
    return (
        f"Classes are skewed: {data.classes[rarest]!r} is {counts[rarest] / counts.sum():.1%} of "
        "the training rows. Rows of rare classes weigh more in training, of references too, so "
        "that probabilities lean towards them; models are compared by balanced accuracy."
    )


def _taken_for(options: TrainOptions, data: Dataset, source: dict[str, Any]) -> Iterator[str]:
    """Give what the data were taken for, and how they are split."""
    yield f"{data.name}: {describe(data, source)}"
    yield from _target_text(options, source)
    if ignored := [name for name in source.get("ignore", ()) if name not in options.ignore]:
        names = ", ".join(map(repr, ignored))
        yield f"Left out: {names}: ids, texts that few rows share, or nothing that can be inputs."
    if (ignored or source.get("many_texts")) and not (source.get("group") or source.get("time")):
        yield (
            "Do several rows share one of many values, as the visits of a patient do? "
            "--group COLUMN keeps them on one side of the split."
        )
    yield from (f"note: {note}" for note in data.notes)
    yield _split_text(data, source)


def _target_text(options: TrainOptions, source: dict[str, Any]) -> Iterator[str]:
    """Say how a target was found that nobody named."""
    if options.target is None and source["source"] == "table":
        why = "by its name" if is_usual_target(source["target"]) else "as the last column"
        yield f"Target: {source['target']!r}, {why}; --target names another."


def _split_text(data: Dataset, source: dict[str, Any]) -> str:
    held = len(data.test) / (len(data.train) + len(data.test))
    text = f"Split: {len(data.train):,} rows to learn from, {len(data.test):,} held out, {held:.0%}"
    if source.get("time"):
        return f"{text}: the latest by {source['time']!r}, for every seed."
    if source.get("group"):
        return f"{text}; rows of one {source['group']!r} stay on one side."
    return f"{text} of each class." if data.classes else f"{text}."
