"""What may be asked of a training on data of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from triptych.errors import SpecError

# Options that only tables have, as a source of a study calls them.
_OF_TABLES = ("group", "time", "ignore", "text", "missing")
_OF_KEEPING = ("checkpoint", "inexact")


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What is trained on, and how it is split; what is left out is chosen by looking at the data.

    Attributes
    ----------
    data : Path
        A table, a folder of pictures, or sequences, see `triptych.data.looks.look`.
    target : str, optional
        The column or field to tell.
    group : str, optional
        A column whose values stay on one side of the split.
    time : str, optional
        A column by whose order the last rows are held out.
    ignore, text : tuple of str
        Columns to leave out besides those that are left out anyway; columns of names that look like
        numbers.
    missing : {"refuse", "fill", "drop"}, optional
        Of empty cells; they are refused where absent.
    seeds : int or "auto", optional
        Splits, each with first weights of its own; ``"auto"``: until every claim is decided.
    test_size : float
        Share of the rows that is held out.
    device : {"auto", "cpu", "cuda"}
    out : Path, optional
        Folder of runs and page; ``triptych-runs/NAME`` where absent.
    model : Path, optional
        The model's file; ``model.safetensors`` in that folder where absent.
    encoding : str
        Of text.
    skip_bad : bool
        Whether pictures that cannot be read are left out.
    checkpoint : float, optional
        Seconds from one checkpoint to the next; absent: 10, or what keeps them to 2 % of the time.
    inexact : bool
        Whether runs that were begun in another environment may go on, to other bits.
    """

    data: Path
    target: str | None = None
    group: str | None = None
    time: str | None = None
    ignore: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    missing: Literal["refuse", "fill", "drop"] | None = None
    seeds: int | Literal["auto"] | None = None
    test_size: float = 0.2
    device: str = "auto"
    out: Path | None = None
    model: Path | None = None
    encoding: str = "utf-8"
    skip_bad: bool = False
    checkpoint: float | None = None
    inexact: bool = False

    def __post_init__(self) -> None:
        for name in ("target", "group", "time"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise SpecError(f"{name}: must be the name of a column, a text, got {value!r}.")

    def laid_over(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the table ``[data]`` of a study: what was found, and what was asked on top of it.

        Raises
        ------
        SpecError
            If something was asked that data of this kind do not have.
        """
        table = {**found, "test_size": self.test_size}
        table.pop("ignore", None)  # below, less what is used after all
        table.pop("missing", None)  # a study's file shows that it fills; here only a word does
        asked = {name: getattr(self, name) for name in _OF_TABLES if getattr(self, name)}
        if asked and found["source"] != "table":
            kind = {"folder": "a folder of pictures", "sequences": "sequences"}[found["source"]]
            raise SpecError(
                f"--{next(iter(asked))}: is for tables, and {self.data.name} is {kind}."
            )
        if self.skip_bad and found["source"] != "folder":
            raise SpecError(f"--skip-bad: is for pictures, and {self.data.name} holds none.")
        if self.skip_bad:
            table["skip_bad"] = True
        used = {self.group, self.time, found.get("target")}
        ignored = dict.fromkeys((*found.get("ignore", ()), *self.ignore))
        asked["ignore"] = [name for name in ignored if name not in used | set(self.text)]
        return table | {k: list(v) if isinstance(v, tuple) else v for k, v in asked.items() if v}

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON, to be compared with what was asked before.

        How runs are kept while they are under way makes no difference to that.
        """
        names = [name for name in self.__dataclass_fields__ if name not in _OF_KEEPING]
        values = {name: getattr(self, name) for name in names}
        values["data"] = self.data.resolve()
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {k: str(v) if isinstance(v, Path) else v for k, v in plain.items()}
