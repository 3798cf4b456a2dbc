"""What a model is worth on rows whose answers are known: scores with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, IntArray, Prepared
from triptych.data.row_digests import added, row_digest
from triptych.errors import DataError
from triptych.records import finite
from triptych.saved.intervals import MOST_UNITS, RESAMPLES, Score, units_of
from triptych.saved.measures import (
    ClassRows,
    NumberRows,
    brier_scores,
    losses,
)
from triptych.saved.model import Model
from triptych.saved.prediction import (
    ROWS,
    Remarks,
    checked_preparation,
    has_probabilities,
    outputs_of,
)
from triptych.saved.scoring import ClassScore, GroupScore, group_scores, scores_of

# Fewer groups are too few to be drawn from, and rows are drawn instead.
LEAST_GROUPS = 20


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on some rows, each with its interval of 95 %.

    Attributes
    ----------
    rows : int
        That were scored.
    unknown : int
        Rows that were left out: their class is none that the model knows.
    scores : dict of str to Score
        Of classes accuracy, balanced_accuracy, macro_f1 and, where there are probabilities,
        log_loss, brier and ece; of numbers r2, rmse and mae, in their own unit.
    classes : tuple of ClassScore
    confusion : IntArray, shape (C, C), or None
        How many rows of each class (first) were told to be of each.
    groups : tuple of GroupScore
        The largest `triptych.saved.scoring.MOST_GROUPS`.
    group_count : int
        How many there are.
    drawn : {"rows", "groups"}
        What the bootstrap draws.
    remarks : tuple of str
        What a reader must know.
    """

    rows: int
    unknown: int
    scores: dict[str, Score]
    classes: tuple[ClassScore, ...] = ()
    confusion: IntArray | None = None
    groups: tuple[GroupScore, ...] = ()
    group_count: int = 0
    drawn: str = "rows"
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as values of JSON; what is not a number is None."""
        confusion = None if self.confusion is None else self.confusion.tolist()
        plain = asdict(self) | {
            "confusion": confusion, "level": 0.95, "resamples": RESAMPLES,
        }  # fmt: skip
        found = finite(plain)
        assert isinstance(found, dict)
        return found


def evaluate_file(  # noqa: PLR0913 (each is a choice of its own)
    model: Model,
    path: str | Path,
    *,
    target: str | None = None,
    group: str | None = None,
    rows: int = ROWS,
    skip_bad: bool = False,
    encoding: str | None = None,
) -> Evaluation:
    """Return what a model is worth on a file or folder; of all rows only a few numbers are kept.

    Parameters
    ----------
    model, path, rows, skip_bad, encoding
        As of `triptych.saved.predict_file`.
    target : str, optional
        The column of the answers, where it has another name than the one that was trained on.
    group : str, optional
        A column that says to what each row belongs: each group is scored by itself, and where
        there are `LEAST_GROUPS` or more, intervals are of whole groups drawn anew.

    Raises
    ------
    SpecError
        If the model has no preparation.
    DataError
        If the data cannot be read, have no answers, or none that the model knows.
    """
    from triptych.data import read_prepared

    remarks = Remarks()
    parts = read_prepared(
        checked_preparation(model), Path(path), rows=rows, needs_target=True, target=target,
        group=group, skip_bad=skip_bad, encoding=encoding,
    )  # fmt: skip
    seen = _Seen(model)
    for some in parts:
        remarks.hear(some)
        if len(some):
            seen.add(some)
    if not seen.known:
        raise DataError(
            f"{Path(path).name}: no row has a class that the model knows; it tells "
            f"{', '.join(map(repr, model.classes[:8]))}."
        )
    return _evaluation(seen, remarks)


@dataclass
class _Seen:
    """What is kept of the rows that went past."""

    model: Model
    known: int = 0
    unknown: int = 0
    digest: int = 0
    groups: list[str] = field(default_factory=list)
    _parts: list[tuple[Array, ...]] = field(default_factory=list)

    def add(self, some: Prepared) -> None:
        """Predict some rows, and keep what scores need of them."""
        model, y = self.model, some.y
        assert y is not None  # answers were asked for
        self.digest = added(self.digest, row_digest(some.x, y))
        outputs = outputs_of(model, some.x)
        told = model.told(outputs)
        if not model.classes:
            numbers = y.astype(np.float64)
            if model.target is not None:
                numbers = numbers * model.target.std + model.target.mean
            self._keep(some, np.ones(len(y), bool), (numbers, told))
            return
        place = {label: k for k, label in enumerate(model.labels or model.classes)}
        told = np.array([place[label] for label in told.tolist()], np.int64)
        known = y >= 0
        kept: tuple[Array, ...] = (y[known], told[known])
        if has_probabilities(model):
            shares = model.shares(outputs)[known]
            kept += (shares.max(axis=1), losses(shares, kept[0]), brier_scores(shares, kept[0]))
        self._keep(some, known, kept)

    def _keep(self, some: Prepared, known: Array, kept: tuple[Array, ...]) -> None:
        self._parts.append(kept)
        self.known += int(known.sum())
        self.unknown += int((~known).sum())
        self.groups += [
            name for name, is_known in zip(some.groups, known, strict=False) if is_known
        ]

    @property
    def rows(self) -> ClassRows | NumberRows:
        """All rows that are scored."""
        columns = [np.concatenate(part) for part in zip(*self._parts, strict=True)]
        if not self.model.classes:
            return NumberRows(columns[0], columns[1])
        confidence, loss, brier = columns[2:] if len(columns) > 2 else (None, None, None)
        count = len(self.model.classes)
        return ClassRows(columns[0], columns[1], confidence, loss, brier, count)


def _evaluation(seen: _Seen, remarks: Remarks) -> Evaluation:
    rows = seen.rows
    rng = stream(0, "bootstrap")
    names, codes = np.unique(np.array(seen.groups, dtype=object), return_inverse=True)
    by_group = len(names) >= LEAST_GROUPS
    units = codes.reshape(-1) if by_group else units_of(seen.known, MOST_UNITS, rng)
    scores, each = scores_of(rows, units, rng, alone=not by_group)
    classes: tuple[ClassScore, ...] = ()
    if isinstance(rows, ClassRows):
        there = np.bincount(rows.y, minlength=rows.count).tolist()
        classes = tuple(
            ClassScore(name, count, *three)
            for name, count, three in zip(seen.model.classes, there, each, strict=True)
        )
    return Evaluation(
        rows=seen.known,
        unknown=seen.unknown,
        scores=scores,
        classes=classes,
        confusion=rows.confusion if isinstance(rows, ClassRows) else None,
        groups=tuple(group_scores(rows, names.tolist(), codes.reshape(-1), rng)),
        group_count=len(names),
        drawn="groups" if by_group else "rows",
        remarks=(*_said(seen, rows), *remarks.lines),
    )


def _said(seen: _Seen, rows: ClassRows | NumberRows) -> Iterator[str]:
    """Give what is to be known of the rows as a whole."""
    if told := _trained_on(seen):
        yield told
    if seen.unknown and isinstance(rows, ClassRows):
        right = int((rows.y == rows.told).sum())
        wrong = right / (seen.known + seen.unknown)
        yield (
            f"{seen.unknown:,} of {seen.known + seen.unknown:,} rows are of classes that the model "
            f"does not know; they are left out. Counted as wrong, accuracy would be {wrong:.3f}."
        )
    if isinstance(rows, ClassRows):
        there = np.bincount(rows.y, minlength=rows.count)
        absent = [name for name, n in zip(seen.model.classes, there, strict=True) if not n]
        if absent:
            shown = ", ".join(map(repr, absent[:8]))
            yield f"no row is of {shown}{', ...' if len(absent) > 8 else ''}; no mean counts them."


def _trained_on(seen: _Seen) -> str:
    """Say whether these rows are those that the model was trained on, or that were held out."""
    digests = seen.model.facts.get("row_digests")
    if not isinstance(digests, dict):
        return ""
    try:
        train, test = (int(str(digests[name]), 16) for name in ("train", "test"))
    except (KeyError, ValueError):
        return ""
    if seen.digest == test:
        return "these are the rows that were held out when the model was trained."
    if seen.digest == train:
        return "these are the rows that the model was trained on: new ones are harder to tell."
    if seen.digest == added(train, test):
        return (
            "these are all the rows that the model was made of, most of which it was trained on: "
            "new ones are harder to tell."
        )
    return ""
