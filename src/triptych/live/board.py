"""The live view: a table of arms and seeds, what runs now, and each claim by now.

It is never taller than the terminal: rich would show its top alone, and that again at each change.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triptych.live.state import State, UnderWay
from triptych.report.readings import brief, strip
from triptych.report.wording import SYMBOLS, plural, visible
from triptych.spec import MIN_SEEDS, Comparison, StudySpec
from triptych.verdicts import FAILS, HOLDS, UNDECIDED, Outcome, Verdict

_CELL = 6  # columns of a seed, the space before it with it; more where seeds are long numbers
_LABEL = 26
_STRIP = 15
_RUNS_SHOWN = 4
NARROW = 72  # columns below which figures have no room beside words
# Below this there is no room for anything but what runs.
_LEAST_HEIGHT = 6
_STYLES = {HOLDS: "bold green", FAILS: "bold red", UNDECIDED: "yellow"}


def label(study: StudySpec, arm: str) -> str:
    """Return how tables call an arm."""
    return visible(study.arms[arm].label or arm)


def board(
    state: State, verdicts: Sequence[Verdict], last: Sequence[RenderableType], size: tuple[int, int]
) -> Group:
    """Return the view: at most as tall as the terminal.

    Parameters
    ----------
    state : State
    verdicts : sequence of Verdict
        By now.
    last : sequence of renderables
        Lines that stand below all.
    size : (int, int)
        Columns and lines of the terminal.
    """
    width, height = size
    room = height - 1 - len(last)
    runs = list(state.under_way.values())[: min(_RUNS_SHOWN, max(1, room - _LEAST_HEIGHT))]
    room -= len(runs)
    if height < _LEAST_HEIGHT:
        return Group(_running(state.study, runs, width), *last)
    # Claims take half of what is left, if arms need the rest.
    arms = len(state.study.arms) + 1
    claims = min(len(verdicts), max(room // 2, room - arms))
    parts: list[RenderableType] = [seeds_table(state, width, room - min(claims, len(verdicts)))]
    parts.append(_running(state.study, runs, width))
    if verdicts and claims > 0:
        parts.append(_claims(verdicts, claims, width))
    return Group(*parts, *last)


def seeds_table(state: State, width: int, lines: int) -> RenderableType:
    """Return a row for each arm and a column for each seed, in `lines` lines at most."""
    study, arms = state.study, list(state.study.arms)
    cut = len(arms) + 1 > lines
    shown = _most_wanted(state, max(1, lines - 2)) if cut else arms
    wide = min(_LABEL, max(len("seed"), *(len(label(study, arm)) for arm in arms)))
    cell = max(_CELL, len(str(study.all_seeds[-1])) + 2)
    seeds, before = _window(state, (width - wide) // cell)
    table = Table.grid()
    table.add_column(width=wide, no_wrap=True, overflow="ellipsis")
    for _ in range(len(seeds) + bool(before)):
        table.add_column(width=cell, justify="right", no_wrap=True)
    earlier = [Text(_earlier(before, cell), "dim")] if before else []
    heads = [Text(f"{seed}", "dim") for seed in seeds]
    table.add_row(Text("seed", "dim"), *earlier, *heads)
    for arm in shown:
        done = sum((arm, seed) in state.ended for seed in before)
        first = [Text(f"{done}✓" if done else "", "dim")] if before else []
        cells = [Text(*state.cell(arm, seed)) for seed in seeds]
        table.add_row(Text(label(study, arm)), *first, *cells)
    if not cut:
        return table
    hidden = [arm for arm in arms if arm not in shown]
    planned = sum(state.planned[arm] for arm in hidden)
    done = sum(arm in hidden for arm, _ in state.ended)
    more = f"and {plural(len(hidden), 'more arm')}: {done} of {plural(planned, 'run')} done"
    return Group(table, Text(more, "dim", no_wrap=True, overflow="ellipsis"))


def _most_wanted(state: State, count: int) -> list[str]:
    """Return the arms to show where not all can be: first those that run, then those to come."""

    def rank(arm: str) -> int:
        if any(name == arm for name, _ in state.under_way):
            return 0
        done = sum(name == arm for name, _ in state.ended)
        return 1 if done < state.planned[arm] else 2

    first = sorted(state.study.arms, key=rank)[:count]
    return [arm for arm in state.study.arms if arm in first]


def _earlier(seeds: range, cell: int) -> str:
    """Return the head of a column of several seeds."""
    text = f"{seeds[0]}-{seeds[-1]}"
    return text if len(text) < cell else f"≤{seeds[-1]}"


def _window(state: State, room: int) -> tuple[range, range]:
    """Return the seeds to show, about where the study is, and the earlier ones, which are not."""
    study, total = state.study, max(state.planned.values())
    if total <= room:
        return study.seeds_from(0, total), study.seeds_from(0, 0)
    room = max(1, room - 1)  # one column is for the earlier ones
    begun = [seed for _, seed in state.ended]
    begun += [seed for _, seeds in state.under_way for seed in seeds]
    last = max(begun, default=study.first_seed) - study.first_seed
    stop = min(total, max(room, last + 2))
    return study.seeds_from(stop - room, stop), study.seeds_from(0, stop - room)


def _running(study: StudySpec, runs: Sequence[UnderWay], width: int) -> Table:
    """Return a line for each of the runs that are made now."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=_LABEL + 12)
    for one in runs:
        seeds = one.seeds
        which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
        name = Text(f"{label(study, one.arm)}, {which}", "bold")
        progress, train = one.progress, study.arms[one.arm].train
        epoch = f"epoch {progress.epoch}/{train.epochs}" if progress and train else ""
        waiting = "loading" if train else "fitting"
        if study.arms[one.arm].engine == "compiled":  # some ten seconds, and no event meanwhile
            waiting = "loading (first time: compiling)"
        loss = f"loss {progress.loss:.4f}" if progress else waiting
        if width < NARROW:
            table.add_row(name, f"{one.share:.0%}")
        else:
            bar = ProgressBar(1.0, one.share, width=16)
            table.add_row(name, bar, Text(epoch, no_wrap=True), Text(loss, no_wrap=True))
    return table


def _claims(verdicts: Sequence[Verdict], lines: int, width: int) -> RenderableType:
    """Return a line for each claim: its verdict, its effect with the interval, what it says."""
    cut = len(verdicts) > lines
    shown = verdicts[: max(1, lines - 1)] if cut else verdicts
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(justify="right")
    table.add_column()
    if width >= NARROW:
        table.add_column(width=_STRIP, no_wrap=True)
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    table.expand = True
    for number, verdict in enumerate(shown, start=1):
        comparison, outcome = _telling(verdict)
        style = _STYLES[verdict.verdict]
        says = Text(visible(verdict.claim.says), "dim")
        cells: list[Text | str] = [f"{number}", Text(SYMBOLS[verdict.verdict], style)]
        if width >= NARROW:
            cells += [Text(_strip(comparison, outcome), style), brief(comparison, outcome)]
        table.add_row(*cells, says)
    if not cut:
        return table
    return Group(table, Text(f"and {plural(len(verdicts) - len(shown), 'more claim')}", "dim"))


def _telling(verdict: Verdict) -> tuple[Comparison, Outcome]:
    """Return the comparison that a claim hangs on: the first with the claim's own verdict."""
    pairs = list(zip(verdict.claim.comparisons, verdict.outcomes, strict=True))
    return next((p for p in pairs if p[1].verdict == verdict.verdict), pairs[0])


def _strip(comparison: Comparison, outcome: Outcome) -> str:
    """Return an interval as a line with a dot at its mean, and an upright one at what is needed."""
    found = strip(comparison, outcome)
    if found is None:
        return f"{outcome.seeds} of {MIN_SEEDS} seeds" if outcome.seeds < MIN_SEEDS else ""
    places = [min(_STRIP - 1, int(x * _STRIP / 100)) for x in (found.low, found.high, found.dot)]
    letters = [" "] * _STRIP
    for place in range(places[0], places[1] + 1):
        letters[place] = "─"
    for side in (-found.margin, found.margin):
        letters[max(0, min(_STRIP - 1, int((found.threshold + side) * _STRIP / 100)))] = "│"
    letters[places[2]] = "●"
    return "".join(letters)
