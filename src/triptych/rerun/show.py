"""Comparisons of runs in words and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from triptych.records import RunRecord
from triptych.report.wording import plural, visible
from triptych.rerun.again import CLOSE, DIFFERS, SAME, Repeat
from triptych.rerun.compare import Difference, RunComparison, TensorDifference

_TENSORS_SHOWN = 20


def comparison_lines(found: RunComparison, names: tuple[str, str]) -> Iterator[RenderableType]:
    """Give what a terminal shows of two runs beside each other.

    Parameters
    ----------
    found : RunComparison
    names : tuple of str
        How the two are called.
    """
    for title, differences in (
        ("settings", found.spec), ("data", found.data), ("environment", found.environment),
    ):  # fmt: skip
        if differences:
            yield _table(f"Other {title}", differences, names)
        else:
            yield Text(f"The same {title}.")
    yield _outcome(found, names)
    if found.parts:
        yield Text(visible(f"The curves part at {_arrow(found.parts)}"))
    elif found.one.curve:
        yield Text(
            f"All {plural(len(found.one.curve), 'evaluation')} are the same to the last bit."
        )
    yield Text(weights_text(found))
    yield from _tensors(found.tensors)


def _arrow(one: Difference) -> str:
    return f"{one.name}: {one.one or 'none'} -> {one.other or 'none'}"


def _table(title: str, rows: Sequence[Difference], names: tuple[str, str]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("", *names):
        table.add_column(Text(visible(heading)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in (row.name, row.one, row.other)))
    return table


def _outcome(found: RunComparison, names: tuple[str, str]) -> Table:
    table = Table(title="Outcome", title_justify="left")
    for heading in ("", *names, "difference"):
        table.add_column(Text(visible(heading)), justify="right" if heading else "left")
    table.add_row("status", *(Text(visible(run.status)) for run in (found.one, found.other)), "")
    for score in found.scores:
        gap = "0" if score.one == score.other else _figure(score.other - score.one, sign=True)
        table.add_row(Text(visible(score.name)), _figure(score.one), _figure(score.other), gap)
    one, other = found.one.seconds, found.other.seconds
    ratio = f"x {other / one:.3g}" if one > 0 else ""
    table.add_row("seconds", _figure(one), _figure(other), ratio)
    table.add_row("epochs", str(found.one.epochs), str(found.other.epochs), "")
    return table


def _figure(value: float, *, sign: bool = False) -> str:
    return "-" if math.isnan(value) else f"{value:{'+' if sign else ''}.4g}"


def weights_text(found: RunComparison) -> str:
    """Return how the weights of two runs compare, in a sentence."""
    if found.weights == "equal":
        return "The weights are the same to the last bit."
    if found.weights == "shapes":
        return "The weights are of other names, shapes or types."
    if found.weights == "absent":
        without = [r for r in (found.one, found.other) if r.status == "finished"]
        return "No weights to compare: they are not kept." if without else "Neither has weights."
    worst = max(found.tensors, key=lambda tensor: tensor.relative)
    return (
        f"The weights differ in {plural(len(found.tensors), 'tensor')}, by at most "
        f"{worst.relative:.2g} of the largest value of {visible(worst.name)}."
    )


def _tensors(tensors: Sequence[TensorDifference]) -> Iterator[RenderableType]:
    if not tensors:
        return
    table = Table(title="Largest differences of weights", title_justify="left")
    table.add_column("tensor")
    for heading in ("shape", "absolute", "of its largest"):
        table.add_column(heading, justify="right")
    for one in tensors[:_TENSORS_SHOWN]:
        shape = " x ".join(map(str, one.shape))
        name = Text(visible(one.name))
        table.add_row(name, shape, f"{one.absolute:.3g}", f"{one.relative:.3g}")
    yield table
    if len(tensors) > _TENSORS_SHOWN:
        yield Text(f"and {len(tensors) - _TENSORS_SHOWN} more tensors")


def repeat_lines(repeat: Repeat, record: RunRecord) -> Iterator[str]:
    """Give what a terminal says of a run that was done again."""
    yield f"{repeat.outcome}: {_what(repeat, record)}"
    found = repeat.comparison
    if found and repeat.outcome != SAME:
        yield weights_text(found)
        if found.parts:
            yield visible(f"The curves part at {_arrow(found.parts)}")
    if found and found.weights == "absent" and record.status == "finished":
        yield "The record has no weights; it was compared by its evaluations."
    if repeat.causes:
        told = "; ".join(visible(_arrow(cause)) for cause in repeat.causes)
        may = "Not as recorded" if repeat.outcome == SAME else "The cause is probably"
        yield f"{may}: {told}."
    elif repeat.outcome != SAME:
        yield (
            "Nothing that was recorded of data, engine, versions and machine differs. Either the "
            "code was changed and its version was not, or this is a fault of Triptych's."
        )


def _what(repeat: Repeat, record: RunRecord) -> str:
    if repeat.comparison is None:
        return "the data are not those of the run, so nothing was trained."
    if repeat.outcome == DIFFERS:
        return "the run did not come out as it was recorded."
    if repeat.outcome == CLOSE:
        return f"all is within {repeat.tolerance:g} of what was recorded."
    what = f"all {plural(len(record.curve), 'evaluation')}"
    if record.status != "finished":
        return f"it diverged as recorded, after {what}."
    kept = repeat.comparison.weights == "equal"
    return f"{'the weights and ' if kept else ''}{what} are as recorded."
