"""A training on data of one's own, whole: from data to page, model and verdict."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from triptych.baseline.before import keep_asked
from triptych.baseline.frames import written_frame
from triptych.baseline.models import first_run, keep_model
from triptych.baseline.networks import NETWORK
from triptych.baseline.options import TrainOptions
from triptych.baseline.outcome import Line, effects, held_out, lines, verdict
from triptych.baseline.plans import Plan, make_plan
from triptych.records import RunRecord, finite
from triptych.report.wording import visible
from triptych.runner import StudyEvent, StudyResult, execute_study, read_result
from triptych.saved import Model, load
from triptych.spec import seconds_of


@dataclass(frozen=True)
class TrainResult:
    """What came of a training.

    Attributes
    ----------
    result : StudyResult
        Runs of the network and of what stands beside it, with verdicts.
    says : tuple of str
        What the data were taken for, and what was done with them.
    lines : tuple of Line
        Held-out scores, the network first, then the best of the others.
    effects : tuple of str
        What the first seed's network found on the way, in words: a learning rate, a temperature.
    verdict : str
        Whether the network is worth it.
    run : RunRecord
        The run that the model is of.
    page, path : Path
        Of the page, and of the model.
    """

    result: StudyResult
    says: tuple[str, ...]
    lines: tuple[Line, ...]
    effects: tuple[str, ...]
    verdict: str
    run: RunRecord
    page: Path
    path: Path

    @cached_property
    def model(self) -> Model:
        """The network of the first seed, as its file holds it."""
        return load(self.path)

    def __str__(self) -> str:
        """Return what was found, in lines."""
        scores = (f"{line.score:8.3f}  {line.label}" for line in self.lines)
        return "\n".join((*self.says, *scores, self.verdict, f"page: {self.page}",
                          f"model: {self.path}"))  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return it as values of JSON, as ``--json`` prints them."""
        values = {
            "says": list(self.says),
            "effects": list(self.effects),
            "verdict": self.verdict,
            "models": [asdict(line) for line in self.lines],
            "page": str(self.page),
            "model": str(self.path),
            "study": self.result.to_dict(),
        }
        found = finite(values)
        assert isinstance(found, dict)
        return found

    def _repr_html_(self) -> str:
        """Return what a notebook shows: scores, verdict, and where page and model are."""
        rows = Markup("").join(
            Markup("<tr><td style='text-align:left'>{}</td><td>{:.3f}</td><td>{}</td></tr>").format(
                line.label, line.score, _interval(line)
            )
            for line in self.lines
        )
        says = Markup("<br>").join(visible(text) for text in self.says)
        return Markup(
            "<p>{}</p><table><tr><th>model</th><th>held-out score</th><th>95 % interval</th></tr>"
            "{}</table><p><b>{}</b><br>{}<br>{}</p>"
        ).format(
            says, rows, visible(self.verdict), visible(str(self.page)), visible(str(self.path))
        )


def _interval(line: Line) -> str:
    return "–" if line.low != line.low else f"{line.low:.3f} to {line.high:.3f}"


def execute(plan: Plan, options: TrainOptions) -> Generator[StudyEvent, None, None]:
    """Train what a plan says, but for what is there already, and tell what happens."""
    is_told = False
    with closing(execute_study(plan.study, plan.folder, plan.setting)) as events:
        for number, event in enumerate(events):
            if not number:  # the folder is held, and made
                is_told = keep_asked(plan.folder, plan.study, plan.says, options)
            yield event
    if not is_told:
        keep_asked(plan.folder, plan.study, plan.says, options)


def finish(plan: Plan) -> TrainResult:
    """Write page and model of what was trained, unless they are there, and return the outcome.

    Raises
    ------
    NumericsError, RunError
        If no network finished; the page is there then.
    """
    result = read_result(plan.folder.path)
    if not result.record.finished(NETWORK):
        result.write_page()
    result.check_finished()
    run = first_run(plan, result)
    path = keep_model(plan, result, run)
    found = tuple(lines(result, plan.metric))
    told = verdict(result, plan.metric)
    held = f"{path.name}, of seed {run.seed}: {held_out(run, plan.metric)}"
    answer = (told, f"The model is {held}.")
    plan.folder.answer(answer)
    result = replace(result, record=replace(result.record, answer=answer))
    page = result.write_page()
    return TrainResult(result, plan.says, found, tuple(effects(run)), told, run, page, path)


def train(  # noqa: PLR0913 (what may be asked of a training)
    data: Any,
    target: str | None = None,
    *,
    group: str | None = None,
    time: str | None = None,
    ignore: tuple[str, ...] | list[str] = (),
    text: tuple[str, ...] | list[str] = (),
    missing: Literal["refuse", "fill", "drop"] | None = None,
    seeds: int | Literal["auto"] | None = None,
    test_size: float = 0.2,
    device: str = "auto",
    out: str | Path | None = None,
    model: str | Path | None = None,
    encoding: str = "utf-8",
    checkpoint: float | str | None = None,
    inexact: bool = False,
) -> TrainResult:
    """Train the network that fits some data, beside simpler models, and return what came of it.

    Parameters
    ----------
    data : path or data frame
        A table (CSV, TSV, Parquet, ``.npz``), a folder of pictures or a file of sequences; or a
        data frame of pandas or polars, which is kept as a CSV beside the folder of runs.
    target : str, optional
        The column or field to tell. By its name where absent, else the last.
    group, time, ignore, text, missing, seeds, test_size, device, out, model, encoding, inexact
        See `triptych.baseline.TrainOptions`.
    checkpoint : float or str, optional
        From one checkpoint to the next: seconds, or such as ``"1 min"``.

    Raises
    ------
    SpecError, DataError, UnsafeFileError, RunError, NumericsError

    Examples
    --------
    >>> found = triptych.train("iris.csv", "species")  # doctest: +SKIP
    >>> found.verdict, found.model.predict(rows)  # doctest: +SKIP
    """
    folder = None if out is None else Path(out)
    is_file = isinstance(data, str | Path)
    options = TrainOptions(
        data=Path(data) if is_file else Path(), target=target, group=group, time=time,
        ignore=tuple(ignore), text=tuple(text), missing=missing, seeds=seeds,
        test_size=test_size, device=device, out=folder,
        model=None if model is None else Path(model), encoding=encoding,
        checkpoint=None if checkpoint is None else seconds_of(checkpoint, "checkpoint"),
        inexact=inexact,
    )  # fmt: skip
    if not is_file:  # what is asked is looked at before anything is written
        options = replace(options, data=written_frame(data, folder))
    plan = make_plan(options)
    with closing(execute(plan, options)) as events:
        for _ in events:
            pass
    return finish(plan)
