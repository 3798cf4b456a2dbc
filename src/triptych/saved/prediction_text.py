"""Predictions as text: CSV that no spreadsheet runs, or lines of JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.contracts import FloatArray
from triptych.errors import SpecError
from triptych.report.wording import visible
from triptych.saved.model import Model
from triptych.saved.prediction import Predictions, has_probabilities

# What spreadsheets take for the start of a formula, as texts; also in full width.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ODD = re.compile(r"^\s*[=+\-@]|[^\n -~]", re.MULTILINE)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def spreadsheet_cell(text: str) -> str:
    r"""Return a text as a CSV may hold it: nothing invisible, and no formula (CWE-1236).

    Examples
    --------
    >>> spreadsheet_cell("=cmd()"), spreadsheet_cell("-1.5"), spreadsheet_cell("a\x1b[31m")
    ("'=cmd()", '-1.5', 'a␛[31m')
    """
    shown = visible(text)
    if shown.lstrip().startswith(_FORMULA) and not _NUMBER.fullmatch(shown):
        return f"'{shown}"
    return shown


@dataclass(frozen=True)
class Writer:
    """Predictions as text.

    Parameters
    ----------
    model : Model
    probabilities : bool, optional
        Whether those of all classes are written; absent: where there are any.
    as_json : bool
        As lines of JSON instead of CSV.

    Raises
    ------
    SpecError
        If probabilities are asked for, and there are none.
    """

    model: Model
    probabilities: bool | None = None
    as_json: bool = False

    def __post_init__(self) -> None:
        if self.probabilities and not has_probabilities(self.model):
            why = (
                f"loss '{self.model.loss}' makes none" if self.model.classes else "it tells numbers"
            )
            raise SpecError(f"--probabilities: the model has none; {why}.")

    @property
    def _has_shares(self) -> bool:
        wanted = self.probabilities
        return has_probabilities(self.model) if wanted is None else wanted

    @property
    def head(self) -> str:
        """The first line; of JSON none."""
        if self.as_json:
            return ""
        names = ["row", *self._numbers]
        if self._has_shares:
            names += [f"p({visible(name)})" for name in self.model.classes]
        return _csv([names])

    @property
    def _numbers(self) -> list[str]:
        """What the predictions are called: one, or a number for each output."""
        if self.model.classes or self.model.n_outputs == 1:
            return ["prediction"]
        return [f"prediction[{k}]" for k in range(self.model.n_outputs)]

    def text(self, some: Predictions) -> str:
        """Return some predictions as lines."""
        return self._json_lines(some) if self.as_json else self._csv_lines(some)

    def _csv_lines(self, some: Predictions) -> str:
        columns = [_cells(some.places)]
        if self.model.classes:
            told = some.told.tolist()
            cells = {label: spreadsheet_cell(str(label)) for label in set(told)}
            columns.append([cells[label] for label in told])
        else:
            columns += _figures(some.told, "%.9g")
        if self._has_shares and some.probabilities is not None:
            columns += _figures(some.probabilities, "%.6g")
        return _csv(zip(*columns, strict=True))

    def _json_lines(self, some: Predictions) -> str:
        told = some.told[:, 0] if some.told.ndim == 2 and some.told.shape[1] == 1 else some.told
        lines: list[dict[str, Any]] = [
            {"row": place, "prediction": value}
            for place, value in zip(some.places, told.tolist(), strict=True)
        ]
        if self._has_shares and some.probabilities is not None:
            for line, shares in zip(lines, some.probabilities.tolist(), strict=True):
                line["probabilities"] = dict(zip(self.model.classes, shares, strict=True))
        return "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines)


def _cells(places: tuple[str, ...]) -> list[str]:
    # One look at all of them: numbers of lines need none at each.
    text = "\n".join(places)
    if text.isascii() and not _ODD.search(text):
        return list(places)
    return [spreadsheet_cell(place) for place in places]


def _figures(values: FloatArray, form: str) -> list[list[str]]:
    """Return the columns of (N, K) as texts."""
    return [[form % value for value in column] for column in values.T.tolist()]


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
