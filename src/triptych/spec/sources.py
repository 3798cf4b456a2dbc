"""Which data: the sources that are built in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked, between
from triptych.spec.paths import absolute
from triptych.spec.tables import BundledSpec, TableSpec, Task

SEED = between(0, 2**32 - 1)

Holds = Literal["table", "pictures", "sequences"]
"""What a source is made of."""


@dataclass(frozen=True, kw_only=True)
class ToySpec(Checked):
    """Two-feature sets of scikit-learn, with the paper's settings as defaults.

    Attributes
    ----------
    source : {"moons", "circles", "classification"}
        ``make_moons``, ``make_circles`` or ``make_classification``.
    n_samples : int
        Rows in all.
    noise : float
        Deviation of the noise added to moons and circles; not used by classification.
    test_size : float
        Share of the rows that is held out.
    draw_seed : int, optional
        ``random_state`` of the draw. The paper fixed it for classification only; where it is
        absent each seed of a study draws its own rows.
    split_seed : int
        ``random_state`` of the split, 42 in the paper.
    """

    holds: ClassVar[Holds] = "table"
    source: Literal["moons", "circles", "classification"]
    n_samples: int = field(default=1000, metadata=between(10, 10_000_000))
    noise: float = field(default=0.1, metadata=between(0.0, 100.0))
    test_size: float = field(default=0.2, metadata=between(0.01, 0.99))
    draw_seed: int | None = field(default=None, metadata=SEED)
    split_seed: int = field(default=42, metadata=SEED)


@dataclass(frozen=True, kw_only=True)
class DigitsSpec(Checked):
    """scikit-learn's 1797 handwritten digits, 8 x 8 pixels in 17 shades.

    Attributes
    ----------
    test_size : float
        Share of the pictures that is held out, stratified by class; each seed splits anew.
    train_limit, test_limit : int, optional
        Keep only so many pictures.
    """

    holds: ClassVar[Holds] = "pictures"
    source: Literal["digits"] = "digits"
    test_size: float = field(default=0.2, metadata=between(0.01, 0.99))
    train_limit: int | None = field(default=None, metadata=between(1, 10_000_000))
    test_limit: int | None = field(default=None, metadata=between(1, 10_000_000))


@dataclass(frozen=True, kw_only=True)
class Cifar10Spec(Checked):
    """CIFAR-10 (Krizhevsky, 2009): 60,000 colour pictures, 32 x 32, ten classes.

    Attributes
    ----------
    train_limit, test_limit : int, optional
        Keep only so many pictures, a random subset for each seed.
    """

    holds: ClassVar[Holds] = "pictures"
    source: Literal["cifar10"] = "cifar10"
    train_limit: int | None = field(default=None, metadata=between(1, 50_000))
    test_limit: int | None = field(default=None, metadata=between(1, 10_000))


@dataclass(frozen=True, kw_only=True)
class PalindromeSpec(Checked):
    """Decimal palindromes; the last digit is to be predicted from the others.

    Attributes
    ----------
    length : int
        T, digits of the whole palindrome; the network sees T - 1 of them.
    shortest : int, optional
        Where present, palindromes of all lengths from this one to `length`, about equally many of
        each, with no string of the test split among the training strings.
    probes : tuple of int
        Further lengths at which the trained network is judged; in claims ``test_accuracy_at``.
    probe_size : int
        Strings of each of them; fewer where they would have more than 20 million digits.
    train_size, test_size : int
        Strings drawn for each split, with replacement as in the paper.
    split : {"held-out", "paper"}
        ``"held-out"``: no string of the test split is in the training split, where that is
        possible. ``"paper"``: both are drawn from all strings, so short ones recur.
    """

    holds: ClassVar[Holds] = "sequences"
    source: Literal["palindromes"] = "palindromes"
    length: int = field(default=5, metadata=between(2, 10_000_000))
    shortest: int | None = field(default=None, metadata=between(2, 10_000_000))
    probes: tuple[int, ...] = field(default=(), metadata=between(2, 10_000_000))
    probe_size: int = field(default=300, metadata=between(1, 10_000_000))
    train_size: int = field(default=80_000, metadata=between(1, 100_000_000))
    test_size: int = field(default=20_000, metadata=between(1, 100_000_000))
    split: Literal["held-out", "paper"] = "held-out"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shortest is None:
            return
        if self.shortest > self.length:
            raise SpecError(
                f"shortest: {self.shortest} is above the longest, length {self.length}."
            )
        if self.split == "paper":
            raise SpecError(
                "split: 'paper' draws strings of one length only; leave out 'shortest'."
            )
        lengths = self.length - self.shortest + 1
        if min(self.train_size, self.test_size) < lengths:
            raise SpecError(
                f"train_size, test_size: must be at least {lengths}, one string of each length, "
                f"got {self.train_size} and {self.test_size}."
            )


@dataclass(frozen=True, kw_only=True)
class FolderSpec(Checked):
    """Pictures of one's own: a folder with one sub-folder a class, or a file of labels.

    Attributes
    ----------
    path : str
        The folder. A relative path starts at the study file, or from Python at the current folder;
        it is kept absolute.
    size : tuple of int, optional
        Height and width that every picture is scaled to; absent: all have the same already.
    test_size : float
        Share of each class that is held out; each seed splits anew, copies of one picture together.
    skip_bad : bool
        Whether files that cannot be read are left out, and counted, instead of refused.
    labels : str, optional
        Name of a CSV in the folder with the columns ``file`` and ``label``, which says of what
        class each picture is; absent: its sub-folders do.
    """

    holds: ClassVar[Holds] = "pictures"
    source: Literal["folder"] = "folder"
    path: str
    size: tuple[int, ...] | None = field(default=None, metadata=between(2, 4096))
    test_size: float = field(default=0.2, metadata=between(0.01, 0.99))
    skip_bad: bool = False
    labels: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "path", absolute(self.path))
        if self.labels is not None and not _is_name(self.labels):
            raise SpecError(f"labels: must name a file in the folder, got {self.labels!r}.")
        if self.size is not None and len(self.size) != 2:
            raise SpecError(f"size: must be [height, width], got {list(self.size)}.")


@dataclass(frozen=True, kw_only=True)
class SequenceFileSpec(Checked):
    """Sequences of one's own: lines of symbols, a table with a row for each step, or JSON lines.

    Attributes
    ----------
    path : str
        The file; a relative one as of `FolderSpec`.
    layout, target, id, time, sequence, encoding : str
        As `triptych.read_sequences` takes them; `layout` by the end of the name where absent.
    test_size : float
        Share of each class that is held out; each seed splits anew, equal sequences together.
    """

    holds: ClassVar[Holds] = "sequences"
    source: Literal["sequences"] = "sequences"
    path: str
    layout: Literal["lines", "table", "json"] | None = None
    target: str | None = None
    id: str = "id"
    time: str = "time"
    sequence: str = "sequence"
    encoding: str = "utf-8"
    test_size: float = field(default=0.2, metadata=between(0.01, 0.99))

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "path", absolute(self.path))


@dataclass(frozen=True, kw_only=True)
class ArraysSpec(Checked):
    """Arrays of one's own, or a `triptych.contracts.Dataset`, that `triptych.run` is handed.

    Attributes
    ----------
    name : str
        Their key in the `arrays` of `triptych.run`.
    holds : {"table", "pictures", "sequences"}
        What rows are: numbers (N, I); pictures (N, H, W) or (N, C, H, W); or sequences in any form
        that `triptych.RNNClassifier` takes. A `Dataset` says so itself.
    task : {"auto", "classification", "regression"}
        ``"auto"``: floats are numbers to tell, all else are classes.
    test_size : float
        Share of each class that is held out, where no test rows are handed; each seed splits anew.
    fingerprint : str
        SHA-256 of what was handed, hexadecimal; filled in when a study is run.
    """

    source: Literal["arrays"] = "arrays"
    name: str = "data"
    holds: Holds = "table"
    task: Literal["auto", "classification", "regression"] = "auto"
    test_size: float = field(default=0.2, metadata=between(0.01, 0.99))
    fingerprint: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[A-Za-z_]\w{0,63}", self.name):
            raise SpecError(
                f"name: {self.name!r} must have letters, digits and '_' only, at most 64."
            )
        if not re.fullmatch(r"([0-9a-f]{64})?", self.fingerprint):
            raise SpecError(f"fingerprint: {self.fingerprint!r} is no SHA-256; leave it out.")


def _is_name(text: str) -> bool:
    return text not in ("", "..") and text == Path(text).name and text.isprintable()


DataSpec = (
    ToySpec
    | DigitsSpec
    | Cifar10Spec
    | PalindromeSpec
    | TableSpec
    | BundledSpec
    | FolderSpec
    | SequenceFileSpec
    | ArraysSpec
)


def task_of(data: DataSpec) -> Task | None:
    """Return what is to be told of a source; None where only its file can say."""
    if isinstance(data, TableSpec | ArraysSpec):
        return None if data.task == "auto" else data.task
    return "regression" if data.source == "diabetes" else "classification"
