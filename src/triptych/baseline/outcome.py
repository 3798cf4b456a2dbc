"""What came of it: the network beside its references, and whether it is worth it, in a sentence."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from triptych.baseline.intervals import difference_by_chance, score_interval
from triptych.baseline.networks import NETWORK
from triptych.records import RunRecord
from triptych.report.wording import accuracy, arm_label, figure, metric_name, plural, signed
from triptych.runner import StudyResult
from triptych.spec import MIN_SEEDS
from triptych.verdicts import FAILS, HOLDS, Verdict

_BESIDE = ("loss", "rmse", "accuracy")


@dataclass(frozen=True)
class Line:
    """One model's held-out scores, means over seeds.

    Attributes
    ----------
    arm, label : str
    score : float
        By which models are compared; NaN where no run finished.
    low, high : float
        Its 95 % interval, see `triptych.baseline.intervals`; NaN where there is none.
    loss : float
        Of probabilities the log loss; of numbers half the squared error, scaled.
    rmse : float
        Of numbers, in their own unit; NaN of classes.
    accuracy : float
        Of classes; NaN of numbers.
    seconds : float
        Of one training.
    """

    arm: str
    label: str
    score: float
    low: float
    high: float
    loss: float
    rmse: float
    accuracy: float
    seconds: float


def lines(result: StudyResult, metric: str) -> list[Line]:
    """Return a line for each model, the network first, then the best reference."""
    record = result.record
    found = []
    for arm in record.study.arms:
        runs = record.finished(arm)
        interval = score_interval(runs, metric, same_rows=_same_rows(result))
        low, high = interval or (math.nan, math.nan)
        seconds = statistics.fmean(run.seconds for run in runs) if runs else math.nan
        loss, rmse, accuracy = (_mean(runs, f"test_{name}") for name in _BESIDE)
        label, score = arm_label(record, arm), _mean(runs, metric)
        found.append(Line(arm, label, score, low, high, loss, rmse, accuracy, seconds))
    return sorted(found, key=lambda line: (line.arm != NETWORK, -_or_least(line.score)))


def _mean(runs: Sequence[RunRecord], name: str) -> float:
    values = [value for run in runs if (value := run.scores.get(name)) is not None]
    return statistics.fmean(values) if values else math.nan


def _or_least(score: float) -> float:
    return -math.inf if math.isnan(score) else score


def verdict(result: StudyResult, metric: str) -> str:
    """Return in a sentence whether the network is worth it, beside the best of its references."""
    network, *others = lines(result, metric)
    if not others or math.isnan(network.score):
        return f"No verdict: {network.label} did not finish."
    best = others[0]
    claim = _claim_on(result, best.arm)
    by = signed(abs(network.score - best.score), "share" if "accuracy" in metric else "R2")
    by = by.lstrip("+−") + (" points" if "accuracy" in metric else "")
    by += f" of {metric_name(metric)}"
    name = network.label.split(",")[0]
    if _same_rows(result):
        return _along_time(result, network, best, metric, by)
    if claim is not None and claim.verdict == HOLDS:
        best_of = ", the best of the others," if len(others) > 1 else ""
        return f"Worth it: the {name} is better than {best.label}{best_of} by {by}."
    if claim is not None and claim.verdict == FAILS:
        return f"Not worth it: {best.label} is better than the {name} by {by}."
    return _open(result, network, best, metric, by) + _nothing(result, name)


def _same_rows(result: StudyResult) -> bool:
    """Whether every seed has the same held-out rows, so that seeds say nothing of other rows."""
    return getattr(result.record.study.arms[NETWORK].data, "time", None) is not None


def _along_time(result: StudyResult, network: Line, best: Line, metric: str, by: str) -> str:
    """Return the sentence where all seeds are judged by the same rows, the latest.

    Rows decide it then, however many seeds agree: six seeds on twenty rows are twenty rows.
    """
    if metric == "test_accuracy":
        return _by_rows(result, network, best, by)
    rows = result.record.finished(NETWORK)[0].test_rows
    return (
        f"No verdict: {_ahead(network, best, by)}, on {rows:,} held-out rows, the same for every "
        "seed, so that more seeds cannot tell what other rows would say."
    )


def effects(run: RunRecord) -> list[str]:
    """Return in words what a run of the network found on the way to its weights."""
    found = {one.kind: one.arrays for one in run.findings}
    told = []
    if "learning rate" in found:
        rates = found["learning rate"]["rates"].tolist()
        told.append(
            f"Learning rate {found['learning rate']['taken']:g}, found among {len(rates)} from "
            f"{min(rates):g} to {max(rates):g} (seed {run.seed})."
        )
    if "temperature" in found.get("calibration", {}):
        arrays = found["calibration"]
        (ece, ece_after), (loss, loss_after) = arrays["errors"].tolist(), arrays["losses"].tolist()
        told.append(
            f"Calibration: outputs are divided by {figure(float(arrays['temperature']))}; on its "
            f"held-out rows the calibration error goes from {accuracy(ece)} to "
            f"{accuracy(ece_after)}, the log loss from {figure(loss)} to {figure(loss_after)}."
        )
    return told


def held_out(run: RunRecord, metric: str) -> str:
    """Return the score of a run on its own held-out rows, and classes that it tells of none."""
    score = run.scores.get(metric)
    shown = accuracy(math.nan if score is None else score)
    told = f"{metric_name(metric)} {shown} on its {plural(run.test_rows, 'held-out row')}"
    return told + _never_told(run)


def _never_told(run: RunRecord) -> str:
    """Return which classes a run tells of no held-out row though some are of them."""
    confusion = next((one for one in run.findings if one.kind == "confusion"), None)
    if confusion is None or len(counts := confusion.arrays["counts"]) < run.outputs:
        return ""  # of many classes it holds a part only
    names = zip(confusion.labels["classes"], counts, counts.T, strict=True)
    never = [repr(name) for name, true, told in names if true.any() and not told.any()]
    return f"; it tells {' and '.join(never)} of none of them" if never else ""


def _claim_on(result: StudyResult, arm: str) -> Verdict | None:
    found = (v for v in result.verdicts if v.claim.comparisons[0].arms == (NETWORK, arm))
    return next(found, None)


def _open(result: StudyResult, network: Line, best: Line, metric: str, by: str) -> str:
    """Return what is to be said where no claim is decided."""
    runs = result.record.finished(NETWORK)
    seeds = plural(len(runs), "seed")
    if len(runs) < MIN_SEEDS and metric == "test_accuracy":
        return _by_rows(result, network, best, by)
    if len(runs) < MIN_SEEDS:
        return (
            f"No verdict on {seeds}: {_ahead(network, best, by)}; --seeds {MIN_SEEDS} may give one."
        )
    return f"Undecided on {seeds}: {_ahead(network, best, by)}, which may be chance."


def _by_rows(result: StudyResult, network: Line, best: Line, by: str) -> str:
    """Return the sentence by what as many held-out rows make by chance."""
    name, rows = network.label.split(",")[0], result.record.finished(NETWORK)[0].test_rows
    chance = difference_by_chance(network.score, best.score, rows)
    told = f"{rows:,} held-out rows, which make {100 * chance:.1f} points by chance"
    if network.score - best.score > chance:
        return f"Worth it: the {name} is better than {best.label} by {by}, on {told}."
    if best.score - network.score > chance:
        return f"Not worth it: {best.label} is better than the {name} by {by}, on {told}."
    return f"Undecided: {_ahead(network, best, by)}, on {told}."


def _nothing(result: StudyResult, name: str) -> str:
    """Return a sentence where even the model that does not look at the columns does as well."""
    claim = _claim_on(result, "most_frequent")
    runs = result.record.finished(NETWORK)
    if claim is None or claim.verdict == HOLDS or len(runs) < MIN_SEEDS:
        return ""
    blind = arm_label(result.record, "most_frequent")
    return f" Nor does the {name} beat {blind}: the inputs may say nothing of the target."


def _ahead(network: Line, best: Line, by: str) -> str:
    name = network.label.split(",")[0]
    if network.score == best.score:
        return f"{best.label} does as well as the {name}, and is simpler"
    if network.score > best.score:
        return f"the {name} is ahead of {best.label} by {by}"
    return f"{best.label} is ahead of the {name} by {by}, and is simpler"
