"""Which findings of a study's runs the page shows, and how each kind is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from triptych.errors import RunError
from triptych.records import Finding, StudyRecord
from triptych.report.attribution_findings import draw_attributions
from triptych.report.charts import COLOURS, colour
from triptych.report.class_findings import (
    draw_calibration,
    draw_confusion,
    draw_importance,
    draw_mistakes,
)
from triptych.report.drawing import Explained, Figure
from triptych.report.picture_findings import (
    draw_boundary,
    draw_filters,
    draw_maps,
    draw_occlusion,
)
from triptych.report.rate_findings import draw_rates
from triptych.report.sequences import draw_flow, draw_paths
from triptych.report.wording import arm_label, plural
from triptych.spec import RNNSpec

# Arms that are shown one below the other; those that share a chart are as many as its colours.
_ONE_BY_ONE = 4
# In what arms may differ that are one network, trained one way.
_ALIKE = ("part", "label", "engine")
# A page of many parts would else grow without end; charts of curves have the rest of its 5 MB.
_MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class Way:
    """How findings of one kind are drawn.

    Attributes
    ----------
    draw : callable
        From a finding of each of some arms to a figure.
    in_one : bool
        Whether arms share a chart, so that those which differ only in training are worth a look.
        Others are shown one below the other, those of one caption in one figure.
    by_data : bool
        Whether only those arms share a chart that have their data in common.
    """

    draw: Callable[[Sequence[Explained]], Figure]
    in_one: bool = False
    by_data: bool = False


# In the order of the page; the kinds are those of `triptych.explain`.
WAYS = {
    "gradient flow": Way(draw_flow, in_one=True),
    "hidden states": Way(draw_paths, in_one=True),
    "decision boundary": Way(draw_boundary),
    "confusion": Way(draw_confusion),
    "mistakes": Way(draw_mistakes),
    "occlusion": Way(draw_occlusion),
    "integrated gradients": Way(draw_attributions),
    "first layer": Way(draw_filters),
    "feature maps": Way(draw_maps),
    "permutation importance": Way(draw_importance, in_one=True, by_data=True),
    "calibration": Way(draw_calibration, in_one=True),
    "learning rate": Way(draw_rates, in_one=True),
}


def findings(record: StudyRecord, names: Sequence[str]) -> list[Figure]:
    """Return the figures of what explains some arms, by the first seed of each.

    Of arms that differ only in their engine one is shown; where each takes much of the page, also
    of those that differ only in how they were trained: the one trained for the most epochs.

    Parameters
    ----------
    record : StudyRecord
    names : sequence of str
        The arms of a part.

    Raises
    ------
    RunError
        If a finding lacks what is to be drawn.
    """
    arms = record.study.arms
    recurrent = [name for name in names if isinstance(arms[name].network, RNNSpec)]
    others = [name for name in names if name not in recurrent]
    found = []
    for kind, way in WAYS.items():
        # Recurrent arms have the colours and the charts that they have for accuracy by length.
        found += _figures(record, kind, way, recurrent, recurrent)
        found += _figures(record, kind, way, others)
    return found


def _figures(
    record: StudyRecord,
    kind: str,
    way: Way,
    names: Sequence[str],
    seats: Sequence[str] | None = None,
) -> list[Figure]:
    """Return the figures of one kind, each of as many arms as it can hold.

    `seats` are the arms that have places in charts, one for each colour; absent: those that are
    drawn.
    """
    there = {name: one for name in names if (one := _first(record, name, kind))}
    kept = _telling(list(there), record, in_one=way.in_one)
    seats = seats or kept
    source = _source(len(there) - len(kept), len(kept), in_one=way.in_one)
    series = {
        name: Explained(arm_label(record, name), colour(seats.index(name)), there[name])
        for name in kept
    }
    if not way.in_one:
        shown = _alike(series, lambda name: series[name].finding.caption, _ONE_BY_ONE)
    else:
        shown = []
        for start in range(0, len(seats), COLOURS):
            some = {n: series[n] for n in seats[start : start + COLOURS] if n in series}
            shown += _alike(some, lambda name: record.study.arms[name].data if way.by_data else 0)
    drawn = [_drawn(record, kind, way, group) for group in shown]
    return [replace(one, caption=one.caption + source) for one in drawn]


def _alike(
    series: dict[str, Explained], key: Callable[[str], object], most: int | None = None
) -> list[dict[str, Explained]]:
    """Return the first `most` arms in groups of one key."""
    groups: dict[object, dict[str, Explained]] = {}
    for name in list(series)[:most]:
        groups.setdefault(key(name), {})[name] = series[name]
    return list(groups.values())


def telling(record: StudyRecord) -> list[str]:
    """Return the explained arms of a study that tell something which the others do not."""
    names = [name for name in record.study.arms if record.finished(name)]
    return _telling(names, record, in_one=False)


def _first(record: StudyRecord, name: str, kind: str) -> Finding | None:
    first = [run for run in record.finished(name) if run.seed == record.study.first_seed]
    return next((one for run in first for one in run.findings if one.kind == kind), None)


def _telling(names: Sequence[str], record: StudyRecord, *, in_one: bool) -> list[str]:
    """Return those arms of some that tell something that the others do not."""
    alike = _ALIKE if in_one else (*_ALIKE, "train")
    best: dict[object, str] = {}
    for name in names:
        arm = record.study.arms[name]
        key = tuple(getattr(arm, field.name) for field in fields(arm) if field.name not in alike)
        if key not in best or _epochs(record, name) > _epochs(record, best[key]):
            best[key] = name
    return [name for name in names if name in best.values()]


def _epochs(record: StudyRecord, name: str) -> int:
    return max(run.epochs for run in record.finished(name))


def _drawn(record: StudyRecord, kind: str, way: Way, series: dict[str, Explained]) -> Figure:
    try:
        return way.draw(list(series.values()))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise RunError(
            f"{record.folder / 'runs'}: the finding '{kind}' of {' or '.join(series)} is damaged: "
            f"{error}. Delete that arm's seed-{record.study.first_seed}, and run the study again."
        ) from error


def _source(alike: int, kept: int, *, in_one: bool) -> str:
    """Return the end of a caption: which runs a figure is of, and which arms it leaves out."""
    text = " Of the first seed."
    if alike:
        only = "engine" if in_one else "engine or training"
        differ, are = ("differ", "are") if alike > 1 else ("differs", "is")
        text += f" {plural(alike, 'arm')} of this part that {differ} from another only in {only} "
        text += f"{are} left out."
    if not in_one and kept > _ONE_BY_ONE:
        text += f" Of {kept} arms of this part the first {_ONE_BY_ONE} are shown."
    return text


def within_size(parts: Sequence[Sequence[Figure]]) -> list[tuple[list[Figure], int]]:
    """Return the figures of each part that the page has room for, and how many it has not."""
    room = _MOST_BYTES
    found = []
    for figures in parts:
        shown = []
        for figure in figures:
            if figure.size <= room:
                room -= figure.size
                shown.append(figure)
        found.append((shown, len(figures) - len(shown)))
    return found
