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
        Share of the rows that is held out, stratified by class; each seed splits anew.
    missing : {"refuse", "fill", "drop"}
        Of empty cells: an error; numbers become the median of the training rows, and texts none of
        their values; or their rows are left out. A row without a target is never filled.
    duplicates : {"together", "anywhere"}
        Whether rows that are exact copies stay on one side of the split.
    ignore : tuple of str
        Columns that are left out, such as an id.
    text : tuple of str
        Columns whose cells are names though they look like numbers, such as a postcode.
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
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        super().__post_init__()
        if Path(self.path).suffix.lower() not in TABLE_SUFFIXES:
            raise SpecError(f"path: must end in {', '.join(TABLE_SUFFIXES)}, got {self.path!r}.")
        if self.target in self.ignore:
            raise SpecError(f"ignore: {self.target!r} is the target; it cannot be left out.")
        # Kept in a run's folder, a study must find its file from anywhere.
        object.__setattr__(self, "path", absolute(self.path))


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
