"""A model on the rows of a file or folder, some at a time: what it predicts, and what was odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from triptych.contracts import Array, FloatArray, Preparation, Prepared
from triptych.errors import SpecError
from triptych.explain import SHARING
from triptych.models import cost
from triptych.report.wording import plural, visible
from triptych.saved.model import Model
from triptych.training.blas import threads_for

ROWS = 65_536
"""How many rows are in memory at a time."""
# Different values that are remembered of a column; more say nothing more.
_MOST_VALUES = 1_000
_NAMED = 5


@dataclass(frozen=True)
class Predictions:
    """What a model tells of some rows.

    Attributes
    ----------
    places : tuple of str
        What each row is called: a line of a file, the name of a picture.
    told : Array
        Classes (N,), as `Model.predict` returns them; or numbers (N, O) in their own unit.
    probabilities : FloatArray or None
        Of each class, (N, C), float64; None of numbers, or where the loss makes none.
    """

    places: tuple[str, ...]
    told: Array
    probabilities: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.places)


@dataclass
class Remarks:
    """What was odd about the rows that went past, in bounded memory."""

    rows: int = 0
    notes: dict[str, None] = field(default_factory=dict)
    _values: dict[str, Counter[str]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def hear(self, some: Prepared) -> None:
        """Take note of some rows."""
        self.rows += len(some)
        self.notes.update(dict.fromkeys(some.notes))
        for column, values in some.unseen.items():
            self._counts[column] += sum(values.values())
            known = self._values.setdefault(column, Counter())
            for value, count in values.items():
                if value in known or len(known) < _MOST_VALUES:
                    known[value] += count

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is to be said, a line each, with nothing in it that a terminal would obey."""
        found = [self._line(column) for column in self._values]
        return tuple(visible(line) for line in (*found, *self.notes))

    def _line(self, column: str) -> str:
        values = self._values[column]
        # The empty text stands for others that nobody counted one by one.
        named = [(value, count) for value, count in values.most_common() if value]
        first = [f"{_short(value)} ({count:,})" for value, count in named[:_NAMED]]
        more = ", ..." if len(named) > _NAMED or "" in values else ""
        return (
            f"{plural(self._counts[column], 'row')} with values of {column!r} that no training row "
            f"had: {', '.join(first)}{more}."
        )


def _short(value: str) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def predict_file(
    model: Model,
    path: str | Path,
    *,
    rows: int = ROWS,
    skip_bad: bool = False,
    encoding: str | None = None,
    remarks: Remarks | None = None,
) -> Iterator[Predictions]:
    """Give what a model predicts of the rows of a file or folder, some at a time.

    Parameters
    ----------
    model : Model
        With a preparation.
    path : path
        Data of the kind that it was trained on: a table whose columns are found by name, pictures
        in a folder or a single one, sequences. No label is needed.
    rows : int
        How many at a time, at most.
    skip_bad : bool
        Whether pictures that cannot be read are left out.
    encoding : str, optional
        Of text; absent: that of the file that the model was trained on.
    remarks : Remarks, optional
        Is told what is odd: unseen categories, columns that are not read.

    Yields
    ------
    Predictions

    Raises
    ------
    SpecError
        If the model has no preparation.
    DataError
        If the data cannot be read, or are of another kind.
    NumericsError
        If an output is not finite.

    Examples
    --------
    >>> for some in predict_file(model, "new.csv"):  # doctest: +SKIP
    ...     print(some.places[0], some.told[0])
    """
    from triptych.data import read_prepared

    remarks = remarks or Remarks()
    parts = read_prepared(
        checked_preparation(model), Path(path), rows=rows, skip_bad=skip_bad, encoding=encoding
    )
    for some in parts:
        remarks.hear(some)
        if not len(some):
            continue
        outputs = outputs_of(model, some.x)
        shares = model.shares(outputs) if has_probabilities(model) else None
        yield Predictions(some.places, model.told(outputs), shares)


def outputs_of(model: Model, x: Array) -> FloatArray:
    """Return what `Model.outputs` does, products on one thread where there is little to share.

    On a machine that does something else too, two threads wait for each other: a million rows
    through an MLP of 128-64 units took 17 s instead of 1.3 (docs/log.md, "predictions").
    """
    flops = cost(model.network, tuple(x.shape[1:]), model.n_outputs, model.symbols).flops
    # A step is three passes, and this is one.
    with threads_for(flops // 2, len(x) // 3):
        return model.outputs(x)


def checked_preparation(model: Model) -> Preparation:
    """Return the preparation of a model, without which no file can be read.

    Raises
    ------
    SpecError
    """
    if model.preparation is None:
        raise SpecError(
            "the model reads arrays, and does not say how a file becomes one; use it from Python: "
            "triptych.load(MODEL).predict(x)."
        )
    return model.preparation


def has_probabilities(model: Model) -> bool:
    """Whether a model's outputs stand for probabilities of classes."""
    return bool(model.classes) and model.loss in SHARING
