"""Which table: a file of the user's own, or one that comes with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked, between
from triptych.spec.paths import absolute

Task = Literal["classification", "regression"]
"""Whether classes are to be told, or numbers."""

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".npz")

_SHARE = between(0.01, 0.99)


@dataclass(frozen=True, kw_only=True)
class TableSpec(Checked):
    """A table in a file: CSV, TSV, Parquet, or the arrays of an ``.npz``.

    Attributes
    ----------
    path : str
        The file. A relative path starts at the study file, or from Python at the current folder;
        it is kept absolute.
    target : str
        The column to be told from the others.
    task : {"auto", "classification", "regression"}
        ``"auto"``: texts, and at most ten different whole numbers, are classes; other numbers are
        quantities.
    test_size : float
        Share of the rows that is held out, stratified by class; each seed splits anew, but by
        `time`.
    missing : {"refuse", "fill", "drop"}
        Of empty cells: an error; numbers become the median of the training rows, and texts none of
        their values; or their rows are left out. A target, group or time is never filled.
    duplicates : {"together", "anywhere"}
        Whether rows that are exact copies stay on one side of the split.
    group : str, optional
        A column whose rows of one value stay on one side of the split, such as a patient. It is no
        input. Classes are held out alike as nearly as whole groups allow.
    time : str, optional
        A column of numbers or ISO dates by which the latest rows are held out, those of one time
        together, the same for every seed. It is no input unless `time_is_input`.
    time_is_input : bool
    many_texts : {"refuse", "frequent"}
        Of a column with more than 50 different texts: an error; or the 50 that are most frequent in
        the training rows have an input each, and all others share one.
    ignore : tuple of str
        Columns that are left out, such as an id.
    text : tuple of str
        Columns whose cells are names though they look like numbers or dates, such as a postcode.
    encoding : str
        Of CSV and TSV.
    """

    holds: ClassVar[Literal["table"]] = "table"
    source: Literal["table"] = "table"
    path: str
    target: str
    task: Literal["auto", "classification", "regression"] = "auto"
    test_size: float = field(default=0.2, metadata=_SHARE)
    missing: Literal["refuse", "fill", "drop"] = "refuse"
    duplicates: Literal["together", "anywhere"] = "together"
    ignore: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    time_is_input: bool = False
    many_texts: Literal["refuse", "frequent"] = "refuse"
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        super().__post_init__()
        if Path(self.path).suffix.lower() not in TABLE_SUFFIXES:
            raise SpecError(f"path: must end in {', '.join(TABLE_SUFFIXES)}, got {self.path!r}.")
        for what in ("target", "group", "time"):
            name = getattr(self, what)
            if name is not None and name in self.ignore:
                raise SpecError(f"ignore: {name!r} is the {what}; it cannot be left out.")
            if what != "target" and name == self.target:
                raise SpecError(
                    f"{what}: {name!r} is the target; rows are parted by another column."
                )
        self._check_time()
        # Kept in a run's folder, a study must find its file from anywhere.
        object.__setattr__(self, "path", absolute(self.path))

    def _check_time(self) -> None:
        if self.time is None:
            if self.time_is_input:
                raise SpecError("time_is_input: there is no time; name its column in time.")
            return
        if self.group is not None:
            raise SpecError(
                f"group, time: rows are parted by {self.group!r} or along {self.time!r}; leave one "
                "out."
            )
        if self.duplicates == "anywhere":
            raise SpecError("duplicates: time alone says on which side rows are; leave it out.")
        if self.time in self.text:
            raise SpecError(f"text: {self.time!r} is the time, which holds numbers or dates.")


@dataclass(frozen=True, kw_only=True)
class BundledSpec(Checked):
    """A small table that comes with scikit-learn; no network is needed.

    Attributes
    ----------
    source : {"iris", "wine", "breast_cancer", "diabetes"}
        150 flowers, 178 wines and 569 tumours have classes to tell; of 442 patients with diabetes
        a number is to be told, how far the disease went on in a year.
    test_size : float
        Share of the rows that is held out, stratified by class; each seed splits anew.
    """

    holds: ClassVar[Literal["table"]] = "table"
    source: Literal["iris", "wine", "breast_cancer", "diabetes"]
    test_size: float = field(default=0.2, metadata=_SHARE)
