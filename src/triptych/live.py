"""What a terminal shows while a study runs: live where there is one, plain lines where not."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triptych.records import DIVERGED, RunRecord
from triptych.report.wording import plural, visible
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
from triptych.spec import (
    ArmSpec,
    Cifar10Spec,
    CNNSpec,
    DigitsSpec,
    PalindromeSpec,
    RNNSpec,
    StudySpec,
    ToySpec,
)
from triptych.training import Evaluation, Notice, Progress
from triptych.verdicts import Verdict

# Seconds that a step costs before any of it is arithmetic, and arithmetic a second: only to
# share out the time left among arms that have not run yet.
_SECONDS_A_CALL = {"compiled": 2e-7, "numpy": 3e-5, "torch": 1.5e-4, "auto": 1.5e-4}
_FLOPS_A_SECOND = 1e11
_CLAIMS_SHOWN = 4


def guess_seconds(arm: ArmSpec) -> float:
    """Return a rough guess of one run's seconds, from its spec alone."""
    match arm.data:
        case ToySpec():
            rows = arm.data.n_samples
        case DigitsSpec():
            rows = arm.data.train_limit or 1437
        case Cifar10Spec():
            rows = arm.data.train_limit or 50_000
        case PalindromeSpec():
            rows = arm.data.train_size
    calls = 1.0
    flops = 1e6
    if isinstance(arm.network, CNNSpec):
        calls = 5.0 * len(arm.network.channels)
        flops = 2e3 * sum(c * c for c in arm.network.channels)
    elif isinstance(arm.network, RNNSpec) and isinstance(arm.data, PalindromeSpec):
        calls = float(arm.data.length)
        flops = 2.0 * arm.data.length * arm.network.hidden**2
    steps = math.ceil(rows / (arm.train.batch_size or rows))
    a_step = calls * _SECONDS_A_CALL[arm.engine] + 3 * flops * rows / steps / _FLOPS_A_SECOND
    return arm.train.epochs * steps * a_step


@dataclass
class Forecast:
    """How much of a study is done and how long the rest takes, corrected by what was measured."""

    study: StudySpec
    measured: dict[str, float] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        if self.study.seeds != "auto":
            self.left = list(self.study.arms) * self.study.seeds

    @property
    def total(self) -> int:
        """Runs that were made or are planned by now."""
        return self.done + len(self.left)

    def plan(self, runs: Mapping[str, int]) -> None:
        """Take further runs, so many of each arm, to be made."""
        self.left += [arm for arm, count in runs.items() for _ in range(count)]

    def ended(self, arm: str, seconds: float, *, kept: bool) -> None:
        """Note that a run of `arm` took `seconds`, or had been there already."""
        self.left.remove(arm)
        self.done += 1
        if not kept:
            self.measured[arm] = seconds

    def seconds_left(self, arm: str, runs: int, share: float, elapsed: float) -> float:
        """Return the seconds left while some runs of `arm` are trained together.

        Parameters
        ----------
        arm : str
        runs : int
            How many of them there are.
        share : float
            How much of them is done, 0 to 1.
        elapsed : float
            Seconds spent on each of them so far.
        """
        expected = self._expected(arm)
        rest = sum(self._expected(name) for name in self.left) - runs * expected
        whole = elapsed / share if share > 0.02 else expected
        return max(0.0, rest) + runs * max(0.0, whole - elapsed)

    def _expected(self, arm: str) -> float:
        if arm in self.measured:
            return self.measured[arm]
        guessed = sum(guess_seconds(self.study.arms[name]) for name in self.measured)
        ratio = sum(self.measured.values()) / guessed if guessed else 1.0
        return guess_seconds(self.study.arms[arm]) * ratio


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss``, or ``h:mm:ss``.

    Examples
    --------
    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def label(study: StudySpec, arm: str) -> str:
    """Return how tables call an arm."""
    return study.arms[arm].label or arm


class Watcher:
    """Shows a study's events on a console.

    Parameters
    ----------
    study : StudySpec
    console : rich.console.Console
        A terminal gets a live view; anything else one line for each run.
    """

    def __init__(self, study: StudySpec, console: Console) -> None:
        self.study = study
        self.console = console
        self.forecast = Forecast(study)
        self.started = self.run_started = time.perf_counter()
        self.present: RunStarted | None = None
        self.progress: Progress | None = None
        self.evaluation: Evaluation | None = None
        self.decided = 0
        self.verdicts: tuple[Verdict, ...] = ()

    def watch(self, events: Iterable[StudyEvent]) -> None:
        """Take all events and show them as they come."""
        if not self.console.is_terminal:
            for event in events:
                self._take(event)
            return
        with Live(console=self.console, refresh_per_second=8, transient=True) as live:
            for event in events:
                self._take(event)
                # A compiled run evaluates a thousand times a second; no eye needs each of them.
                if not isinstance(event, RunTold) or isinstance(event.event, Progress):
                    live.update(self.view())

    def _take(self, event: StudyEvent) -> None:
        match event:
            case ArmsMatched() | RunsPlanned() | ClaimDecided() | SeedsEnded():
                self._take_plans(event)
            case RunStarted():
                self.present, self.progress, self.evaluation = event, None, None
                self.run_started = time.perf_counter()
            case RunTold(event=Progress() as progress):
                self.progress = progress
            case RunTold(event=Evaluation() as evaluation):
                self.evaluation = evaluation
            case RunTold(event=Notice() as notice):
                self.console.print(f"note: {notice.text}", style="yellow", highlight=False)
            case RunEnded():
                assert self.present is not None
                elapsed = (time.perf_counter() - self.run_started) / len(self.present.seeds)
                self.forecast.ended(event.record.arm, elapsed, kept=event.kept)
                self.console.print(self._ended(event.record, elapsed, kept=event.kept))

    def _take_plans(self, event: ArmsMatched | RunsPlanned | ClaimDecided | SeedsEnded) -> None:
        """Take what is told between runs, of what will be run."""
        if isinstance(event, ArmsMatched):
            self.study = self.forecast.study = event.study
            for note in event.notes:
                self.console.print(f"note: {visible(note)}", style="yellow", highlight=False)
            return
        if isinstance(event, RunsPlanned):
            self.forecast.plan(event.runs)
            self.verdicts = event.verdicts
            return
        text = f"No more seeds: {event.text}." if isinstance(event, SeedsEnded) else _decided(event)
        self.decided += isinstance(event, ClaimDecided)
        self.console.print(Text(visible(text), style="bold"))

    def _ended(self, record: RunRecord, elapsed: float, *, kept: bool) -> Text:
        total = self.forecast.total
        place = f"[{self.forecast.done:>{len(str(total))}}/{total}]"
        text = Text(f"{place} {label(self.study, record.arm)}, seed {record.seed}: ")
        if record.status == DIVERGED:
            return text.append(f"diverged, {record.error}", style="bold red")
        train, test = (record.scores.get(f"{s}_accuracy") for s in ("train", "test"))
        text.append(f"test accuracy {test:.3f}, train {train:.3f}")
        text.append(", kept from before" if kept else f", {elapsed:.1f} s", style="dim")
        return text

    def view(self) -> Group:
        """Return the live view: what runs, how far, loss and accuracy now, time left."""
        if self.present is None:
            return Group()
        elapsed = time.perf_counter() - self.run_started
        progress = self.progress
        share = progress.step / progress.steps if progress else 0.0
        arm = self.study.arms[self.present.arm]
        row = Table.grid(padding=(0, 2))
        loss = f"loss {progress.loss:.4f}" if progress else "loading"
        scores = self.evaluation
        accuracy = f"test accuracy {scores.test.accuracy:.3f}" if scores else ""
        epoch = f"epoch {progress.epoch}/{arm.train.epochs}" if progress else ""
        seeds = self.present.seeds
        which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
        name = f"{label(self.study, self.present.arm)}, {which}"
        row.add_row(Text(name, style="bold"), ProgressBar(1.0, share, width=24), epoch)
        row.add_row("", loss, accuracy)
        total, done = self.forecast.total, self.forecast.done
        left = self.forecast.seconds_left(self.present.arm, len(seeds), share, elapsed / len(seeds))
        whole = Table.grid(padding=(0, 2))
        whole.add_row(
            f"run {done + 1} of {total}",
            ProgressBar(total, done + share * len(seeds), width=24),
            f"{clock(time.perf_counter() - self.started)} so far, about {clock(left)} left",
        )
        if self.study.seeds == "auto":
            return Group(row, whole, Text(self._claims()))
        return Group(row, whole)

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
