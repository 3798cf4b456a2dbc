"""What a model is, as a reader is told it: in sections of rows, for a terminal or a pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triptych.contracts import Standardization
from triptych.data.dates import iso
from triptych.data.picture_preparation import PicturePreparation
from triptych.data.sequence_preparation import SequencePreparation
from triptych.data.table_columns import PreparedColumn
from triptych.data.table_preparation import TablePreparation
from triptych.report.wording import figure, metric_name, plural, shows
from triptych.spec import CNNSpec, MLPSpec, NetworkSpec

if TYPE_CHECKING:
    from triptych.saved.model import Model

# A terminal shows so many of what may be thousands, each no longer than this.
_MOST_ROWS, _MOST_NAMES, _MOST_LETTERS = 100, 12, 1000
_OUTPUTS = {
    "softmax": "softmax of the outputs", "sigmoid": "sigmoid of each output",
    "squared": "the outputs", "poisson": "exponentials of the outputs",
}  # fmt: skip
_TOLD = ("made_by", "data", "train_rows", "test_rows", "fingerprint", "seed", "epochs")
# In sections of their own, or of use to programs alone.
_APART = (
    "scores", "references", "environment", "notes", "features", "symbols", "key", "row_digests",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Some rows under a title.

    Attributes
    ----------
    title : str
    heads : tuple of str
        Of the columns; none where rows are names and values.
    rows : tuple of tuple of str
        As they are; whoever shows them makes control characters visible. There is one at least.
    numbers : bool
        Whether all columns but the first are numbers.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    heads: tuple[str, ...] = ()
    numbers: bool = False


def sections(model: Model) -> tuple[Section, ...]:
    """Return what is to be told of a model, without any section that would be empty."""
    found = [
        Section("Model", tuple(_network_rows(model))),
        Section("Inputs", _cut(list(_input_rows(model)), 2), ("input", "how it is prepared")),
        Section("Trained on", tuple(_fact_rows(model.facts))),
        _scores(model.facts),
        Section("Environment", _pairs(model.facts.get("environment"))),
    ]
    return tuple(section for section in found if section.rows)


def _network_rows(model: Model) -> Iterator[tuple[str, str]]:
    yield "network", network_text(model.network)
    yield "parameters", f"{model.parameters:,}, {model.dtype}"
    if model.classes:
        yield "tells", f"{len(model.classes)} classes: {_names(model.classes)}"
    else:
        yield "tells", f"{plural(model.n_outputs, 'number')}{_unit(model.target)}"
    what = _OUTPUTS[model.loss]
    if model.temperature != 1.0:
        what += f", divided by a temperature of {figure(model.temperature)}"
    yield "probabilities" if model.classes else "computed from", what


def network_text(network: NetworkSpec) -> str:
    """Return a network in words.

    Examples
    --------
    >>> network_text(MLPSpec(hidden=(20, 10), dropout=0.1))
    'MLP, hidden layers 20-10, relu, dropout 0.1'
    """
    if isinstance(network, MLPSpec):
        hidden = "-".join(map(str, network.hidden))
        layers = f"hidden layers {hidden}, {network.activation}" if hidden else "no hidden layer"
        return f"MLP, {layers}" + (f", dropout {network.dropout:g}" if network.dropout else "")
    if isinstance(network, CNNSpec):
        pools = ", ".join(map(str, network.pool_after)) or "none"
        channels = "-".join(map(str, network.channels))
        return f"CNN, design {network.design}, channels {channels}, pooling after {pools}"
    cell = {"elman": "Elman", "lstm": "LSTM", "gru": "GRU"}[network.cell]
    ways = ", both ways" if network.bidirectional else ""
    return f"RNN, {plural(network.layers, 'layer')} of {network.hidden} {cell} cells{ways}"


def _unit(target: Standardization | None) -> str:
    if target is None:
        return ""
    mean, std = (
        " and ".join(figure(float(v)) for v in a.ravel()) for a in (target.mean, target.std)
    )
    return f", of mean {mean} and deviation {std} in training"


def _input_rows(model: Model) -> Iterator[tuple[str, str]]:
    """Give what the model is fed with, and what is done with it first."""
    prepared = model.preparation
    if isinstance(prepared, TablePreparation):
        for column in prepared.columns:
            yield column.name, column_text(column)
    elif isinstance(prepared, PicturePreparation):
        colour = "grey" if prepared.channels == 1 else "RGB"
        height, width = prepared.size
        yield "pictures", f"{colour}, {height} x {width} pixels, {_scaled(model)}"
    elif isinstance(prepared, SequencePreparation):
        yield from _sequence_rows(prepared)
    else:
        yield from _array_rows(model)


def column_text(column: PreparedColumn) -> str:
    """Return how a table's column becomes inputs, in words.

    Examples
    --------
    >>> column_text(PreparedColumn("age", "number", 41.5, 12.0, fill=40.0))
    'number, standardised: mean 41.5, deviation 12.0; empty cells count as 40.0'
    """
    if column.kind == "text":
        words = [w for w, seen in zip(column.words, column.seen, strict=True) if seen]
        shared = "; all others share one more" if column.shared else ""
        return f"text, an input for each of {len(words)} words: {_names(words)}{shared}"
    is_date = column.kind == "date"
    value, unit = (_day, " days") if is_date else (figure, "")
    parts = f"mean {value(column.mean)}, deviation {figure(column.deviation)}{unit}"
    parts = f"{column.kind}, standardised: {parts}"
    if is_date:
        circles = "month, weekday and time of day" if column.timed else "month and weekday"
        parts += f"; {circles} as points on circles"
    return parts if column.fill is None else f"{parts}; empty cells count as {value(column.fill)}"


def _day(days: float) -> str:
    """Return a date; days from 1970 of one that no calendar has."""
    try:
        return iso(float(round(days)))
    except (OverflowError, ValueError):
        return f"day {figure(days)}"


def _sequence_rows(prepared: SequencePreparation) -> Iterator[tuple[str, str]]:
    if prepared.symbols is not None:
        known = [str(symbol) for symbol in prepared.strings or prepared.integers]
        yield "symbols", f"{len(known)} known: {_names(known)}"
    for name, mean, std in zip(prepared.features, prepared.mean, prepared.std, strict=True):
        yield name, f"standardised: mean {figure(mean)}, deviation {figure(std)}"


def _array_rows(model: Model) -> Iterator[tuple[str, str]]:
    names, shape = model.facts.get("features"), model.sample_shape
    if model.network.reads == "sequences":
        each = f"{model.symbols} symbols" if model.symbols else f"{shape[1]} numbers a step"
        yield "x", f"arrays of sequences of any length, {each}, {_scaled(model)}"
        return
    yield "x", f"arrays (n, {', '.join(map(str, shape))}), {_scaled(model)}"
    # Columns that became several inputs are there once for each.
    if isinstance(names, list) and all(isinstance(n, list) and len(n) == 2 for n in names):
        yield from ((str(name), f"= {part}" if part else "a column") for name, part in names)


def _scaled(model: Model) -> str:
    return "as they are" if model.standardization is None else "standardised"


def _fact_rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _TOLD:
        if facts.get(name) is not None:
            yield name.replace("_", " "), _text(facts[name])
    for name, value in list(facts.items())[:_MOST_ROWS]:
        if name not in (*_TOLD, *_APART) and value not in (None, "", [], {}):
            yield name.replace("_", " "), _text(value)
    notes = facts.get("notes")
    if isinstance(notes, list):
        yield from (("note", _text(note)) for note in notes[:_MOST_ROWS])


def _scores(facts: Mapping[str, Any]) -> Section:
    """Return the scores of the held-out rows, beside those of the reference models."""
    ours, others = (_mapping(facts.get(name)) for name in ("scores", "references"))
    beside = {name: _mapping(scores) for name, scores in list(others.items())[:_MOST_NAMES]}
    rows = [
        (
            metric_name(name),
            _score(name, value),
            *(_score(name, s.get(name)) for s in beside.values()),
        )
        for name, value in ours.items()
    ]
    shown = _cut(rows, 2 + len(beside))
    return Section("Scores", shown, ("score", "this model", *beside), numbers=True)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _score(name: str, value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return shows(name)(float(value)) if is_number else "–"  # type: ignore[arg-type]


def _pairs(value: object) -> tuple[tuple[str, ...], ...]:
    return _cut([(key, _text(item)) for key, item in _mapping(value).items()], 2)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}"
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def _names(names: Any) -> str:
    shown = ", ".join(str(name)[:40] for name in list(names)[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown}, ... ({len(names)} in all)"


def _cut(rows: list[tuple[str, ...]], width: int) -> tuple[tuple[str, ...], ...]:
    if len(rows) <= _MOST_ROWS:
        return tuple(rows)
    more = f"... {len(rows) - _MOST_ROWS:,} more; --json lists all"
    return (*rows[:_MOST_ROWS], (more, *[""] * (width - 1)))
