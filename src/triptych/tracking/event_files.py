"""A study as TensorBoard's event files: one for each run, and one for the study.

Each is written whole, so that exporting again replaces it and no point is there twice.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from triptych.errors import SpecError
from triptych.records import FINISHED, RunRecord, StudyRecord, make_folder, write_atomic
from triptych.report.outcome import summary
from triptych.report.wording import VerdictLike, visible
from triptych.tracking.figures import (
    began,
    claims,
    ended,
    final_figures,
    points,
    run_notes,
    settings,
)

# What a file's name must hold for TensorBoard to read it.
FILE = "events.out.tfevents.triptych"
_VERSION = "brain.Event:2"
_TEXT = "text_summary"


def export_tensorboard(
    record: StudyRecord, verdicts: Sequence[VerdictLike], folder: Path
) -> list[Path]:
    """Write a study for TensorBoard.

    Parameters
    ----------
    record : StudyRecord
    verdicts : sequence of VerdictLike
        On its claims.
    folder : Path
        What ``tensorboard --logdir`` is to be given. ``ARM/seed-N`` in it is a run: its evaluations
        by training step, its settings, its figures at the end. The folder's own run, ``.``, has the
        claims with their verdicts.

    Returns
    -------
    list of Path
        Of the files.

    Raises
    ------
    SpecError
        If TensorBoard is not installed.
    RunError
        If a file cannot be written.
    """
    require_tensorboard()
    make_folder(folder)
    runs = [
        _write(place_of(folder, run.arm, run.seed), _of_run(record, run)) for run in record.runs
    ]
    return [*runs, _write(folder, _of_study(record, verdicts))]


def require_tensorboard() -> None:
    """Refuse to go on where TensorBoard is not installed.

    Raises
    ------
    SpecError
    """
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise SpecError(
            "TensorBoard is not installed: pip install 'triptych[tensorboard]'."
        ) from None


def place_of(folder: Path, arm: str, seed: int) -> Path:
    """Return the folder of a run's event file."""
    return folder / arm / f"seed-{seed}"


def framed(events: Iterable[Any]) -> bytes:
    """Return events as a file has them: each with its length and checksums."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = io.BytesIO()
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString())
    return content.getvalue()


def _write(folder: Path, events: Iterator[Any]) -> Path:
    make_folder(folder)
    write_atomic(folder / FILE, framed(events))
    return folder / FILE


def first_event(when: float) -> Any:
    """Return what every file begins with."""
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=when, file_version=_VERSION)


def evaluation_event(when: float, step: int, figures: dict[str, float]) -> Any:
    """Return the figures of one evaluation, which are named as records name them."""
    return _scalars(when, step, {_tag(name): value for name, value in figures.items()})


def _of_run(record: StudyRecord, run: RunRecord) -> Iterator[Any]:
    """Give the events of one run."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams import summary_v2

    start, end = began(record, run), ended(record, run)
    yield first_event(start)
    asked = summary_v2.hparams_pb(
        settings(record, run), trial_id=f"{run.arm}/{run.seed}", start_time_secs=start
    )
    yield Event(wall_time=start, summary=_in_one_order(asked))
    yield _text(start, "run", _table(run_notes(run)))
    for point in points(record, run):
        yield evaluation_event(point.time, point.step, point.figures)
    last = int(run.curve[-1]["step"]) if run.curve else 0
    finals = {f"final/{name}": value for name, value in final_figures(run).items()}
    yield _scalars(end, last, finals)
    yield Event(wall_time=end, summary=_session_end(run, end))


def _of_study(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> Iterator[Any]:
    """Give the events of the study: what it is, and what became of each claim."""
    from tensorboard.compat.proto.event_pb2 import Event

    end = max(ended(record, run) for run in record.runs)
    yield first_event(end)
    yield Event(wall_time=end, summary=_columns(record, end))
    about = f"# {_safe(record.study.title)}\n\n{_safe(summary(record, verdicts))}"
    yield _text(end, "study", f"{about}\n\nThe page: triptych report {_safe(str(record.folder))}")
    for number, (verdict, measured) in enumerate(claims(record, verdicts), start=1):
        yield _text(end, f"claims/{number}", f"**{_safe(verdict)}**\n\n{_safe(measured)}")


def _columns(record: StudyRecord, when: float) -> Any:
    """Return what the HPARAMS page lists: settings that differ between runs, figures at the end."""
    from tensorboard.plugins.hparams import summary_v2

    asked = [settings(record, run) for run in record.runs]
    names = dict.fromkeys(name for one in asked for name in one)
    differ = [name for name in names if len({str(one.get(name)) for one in asked}) > 1]
    figures = dict.fromkeys(name for run in record.runs for name in final_figures(run))
    return summary_v2.hparams_config_pb(
        hparams=[summary_v2.HParam(name) for name in differ],
        metrics=[summary_v2.Metric(f"final/{name}") for name in figures],
        time_created_secs=when,
    )


def _tag(name: str) -> str:
    """Return a figure as tags have it: what is beside each other in one chart comes first.

    Examples
    --------
    >>> _tag("test_accuracy"), _tag("train_loss"), _tag("lr"), _tag("test_accuracy_at(100)")
    ('accuracy/test', 'loss/train', 'lr', 'accuracy_at(100)/test')
    """
    for split in ("train", "test", "validation"):
        if name.startswith(f"{split}_"):
            return f"{name.removeprefix(f'{split}_')}/{split}"
    return name


def _scalars(when: float, step: int, figures: dict[str, float]) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]
    return Event(wall_time=when, step=step, summary=Summary(value=values))


def _text(when: float, tag: str, text: str) -> Any:
    """Return a text, as Markdown."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.text import summary_v2

    return Event(wall_time=when, summary=summary_v2.text_pb(f"{tag}/{_TEXT}", text))


def _in_one_order(summary: Any) -> Any:
    """Return settings as bytes that are the same in every process: a map has no order."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    for value in summary.value:
        plugin = value.metadata.plugin_data
        content = plugin_data_pb2.HParamsPluginData.FromString(plugin.content)
        plugin.content = content.SerializeToString(deterministic=True)
    return summary


def _session_end(run: RunRecord, end: float) -> Any:
    """Return what tells the HPARAMS page that a run has ended, and how."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if run.status == FINISHED else api_pb2.STATUS_FAILURE
    content = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end)
    )
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=metadata.create_summary_metadata(content)
    )
    return Summary(value=[value])


def _table(rows: dict[str, str]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {_safe(name)} | {_safe(text)} |" for name, text in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _safe(text: str) -> str:
    """Return a text of which neither HTML nor Markdown makes anything else.

    Examples
    --------
    >>> _safe("<b>|a_b[x](y)")
    '&lt;b&gt;&#124;a&#95;b&#91;x&#93;&#40;y&#41;'
    """
    text = html.escape(visible(text)).replace("\n", " ")
    return "".join(f"&#{ord(letter)};" if letter in r"\`*_{}[]()|!~" else letter for letter in text)
