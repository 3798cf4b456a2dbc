"""Shows a study's events as they come."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triptych.live.board import NARROW, board, label, seeds_table
from triptych.live.forecast import Forecast, clock
from triptych.live.state import State, score
from triptych.records import DIVERGED, FINISHED, RunRecord, StudyRecord
from triptych.report.tables import Writable
from triptych.report.wording import accuracy, plural, visible
from triptych.runner import (
    ArmsMatched,
    ClaimDecided,
    RunEnded,
    RunsPlanned,
    RunStarted,
    RunTold,
    SeedsEnded,
    StudyEvent,
)
from triptych.spec import StudySpec
from triptych.training import Notice
from triptych.verdicts import Verdict, judge

_CLAIMS_SHOWN = 4
_SECONDS_BETWEEN_VIEWS = 0.1
# Judging many seeds takes a while; no more than this share of the time goes there.
_SHARE_OF_JUDGING = 0.05


class Watcher:
    """Shows a study's events on a console.

    Parameters
    ----------
    study : StudySpec
    console : rich.console.Console
        A terminal gets a live view; anything else one line for each run.
    debug : bool
        Whether to show where errors of runs come from.
    """

    def __init__(self, study: StudySpec, console: Console, *, debug: bool = False) -> None:
        self.study = study
        self.console = console
        self.debug = debug
        self.forecast = Forecast(study)
        self.state = State(study)
        self.started = time.perf_counter()
        self.worked = 0.0
        self.decided = 0
        self.verdicts: tuple[Verdict, ...] = ()
        self._viewed = self._judge_next = 0.0

    def watch(self, events: Iterable[StudyEvent]) -> None:
        """Take all events and show them as they come."""
        if not self.console.is_terminal:
            for event in events:
                self._take(event)
            return
        with Live(console=self.console, auto_refresh=False, vertical_overflow="crop") as live:
            for event in events:
                self._take(event)
                self._judge(event)
                # A compiled run evaluates a thousand times a second; no eye needs each of them.
                if time.perf_counter() - self._viewed >= _SECONDS_BETWEEN_VIEWS:
                    live.update(self.view(), refresh=True)
                    self._viewed = time.perf_counter()
            live.update(self.outcome(), refresh=True)

    def _take(self, event: StudyEvent) -> None:
        match event:
            case ArmsMatched() | RunsPlanned() | ClaimDecided() | SeedsEnded():
                self._take_plans(event)
            case RunStarted():
                self.state.start(event)
            case RunTold(event=Notice() as notice):
                self._say(Text(f"note: {visible(notice.text)}", "yellow"))
            case RunTold():
                self.state.tell(event)
            case RunEnded():
                self._take_end(event)

    def _take_end(self, event: RunEnded) -> None:
        elapsed = self.state.end(event)
        self.forecast.ended(event.record.arm, elapsed, kept=event.kept)
        self.worked += 0.0 if event.kept else elapsed
        # A terminal's table shows it; why a run was lost has no room there.
        if not self.console.is_terminal or event.record.status != FINISHED:
            self._say(self._ended(event.record, elapsed, kept=event.kept))
        if self.debug and event.trace:
            self.console.print(Text(visible(event.trace), "dim"))

    def _take_plans(self, event: ArmsMatched | RunsPlanned | ClaimDecided | SeedsEnded) -> None:
        """Take what is told between runs, of what will be run."""
        if isinstance(event, ArmsMatched):
            self.study = self.forecast.study = self.state.study = event.study
            for note in event.notes:
                self._say(Text(f"note: {visible(note)}", "yellow"))
            return
        if isinstance(event, RunsPlanned):
            self.forecast.plan(event.runs)
            self.state.plan(event)
            self.verdicts = event.verdicts
            return
        text = f"No more seeds: {event.text}." if isinstance(event, SeedsEnded) else _decided(event)
        self.decided += isinstance(event, ClaimDecided)
        self._say(Text(visible(text), style="bold"))

    def _say(self, text: Text) -> None:
        """Print a line; a pipe gets it whole, so that what reads it finds a run on each."""
        self.console.print(text, soft_wrap=not self.console.is_terminal)

    def _ended(self, record: RunRecord, elapsed: float, *, kept: bool) -> Text:
        total = self.forecast.total
        place = f"[{self.forecast.done:>{len(str(total))}}/{total}]"
        text = Text(f"{place} {label(self.study, record.arm)}, seed {record.seed}: ")
        if record.status != FINISHED:
            what = "diverged" if record.status == DIVERGED else "failed"
            return text.append(f"{what}, {visible(record.error)}", style="bold red")
        name, word = ("r2", "R²") if "test_r2" in record.scores else ("accuracy", "accuracy")
        if (test := record.scores.get(f"test_{name}")) is None:
            text.append(f"test loss {score(record)}")
        else:
            text.append(f"test {word} {accuracy(test)}")
        if (train := record.scores.get(f"train_{name}")) is not None:
            text.append(f", train {accuracy(train)}")
        return text.append(", kept from before" if kept else f", {elapsed:.1f} s", style="dim")

    def _judge(self, event: StudyEvent) -> None:
        """Judge the claims by the runs so far, unless that was just done."""
        now = time.perf_counter()
        if not isinstance(event, RunEnded) or not self.study.claims or now < self._judge_next:
            return
        places = {arm: place for place, arm in enumerate(self.study.arms)}
        runs = sorted(
            (ended.record for ended in self.state.ended.values()),
            key=lambda run: (places[run.arm], run.seed),
        )
        self.verdicts = judge(StudyRecord(self.study, tuple(runs), Path()))
        took = time.perf_counter() - now
        self._judge_next = now + took / _SHARE_OF_JUDGING

    def view(self) -> RenderableType:
        """Return the live view: every run, what is made now, claims by now, time left."""
        last = [self._whole()]
        if self.study.seeds == "auto":
            last.append(Text(self._claims(), no_wrap=True, overflow="ellipsis"))
        return Writable(board(self.state, self.verdicts, last, self._size()))

    def outcome(self) -> RenderableType:
        """Return what stays on the terminal: every run."""
        width, _ = self._size()
        return Writable(Group(seeds_table(self.state, width, len(self.study.arms) + 1)))

    def _size(self) -> tuple[int, int]:
        return self.console.width, self.console.height

    def _whole(self) -> RenderableType:
        """Return the line about all runs: how many are done, and how long the rest takes."""
        spent = time.perf_counter() - self.started
        under_way = list(self.state.under_way.values())
        told = [(one.arm, len(one.seeds), one.share, one.seconds_each()) for one in under_way]
        worked = self.worked + sum(runs * elapsed for _, runs, _, elapsed in told)
        at_once = max(1.0, worked / spent) if spent > 1 else 1.0
        left = self.forecast.seconds_left(told) / at_once
        total, done = self.forecast.total, self.forecast.done
        part = done + sum(one.share * len(one.seeds) for one in under_way)
        text = f"run {min(done + 1, total)} of {total}"
        rest = f"{clock(spent)} so far, about {clock(left)} left"
        if self.console.width < NARROW:
            return Text(f"{text}  {rest}", no_wrap=True, overflow="ellipsis")
        whole = Table.grid(padding=(0, 2, 0, 0))
        whole.add_row(text, ProgressBar(max(1, total), part, width=16), rest)
        return whole

    def _claims(self) -> str:
        """Return how many claims are decided, and how many more seeds the others would take."""
        text = f"{self.decided} of {plural(len(self.study.claims), 'claim')} decided"
        more = [
            f"about {plural(verdict.more, 'more seed')} for claim {number}"
            for number, verdict in enumerate(self.verdicts, start=1)
            if 0 < verdict.more <= self.study.most_seeds
        ]
        return "; ".join((text, *more[:_CLAIMS_SHOWN]))


def _decided(event: ClaimDecided) -> str:
    verdict = event.verdict
    seeds = plural(verdict.seeds, "seed")
    return f"Claim {event.number} {verdict.verdict}, on {seeds}: {verdict.claim.says}"
