"""What a disk may hold when the power fails: what was done to it, less what it may have lost.

A system keeps what is written in memory until it is told to sync. So after the power failed, what
was written to a file since its last sync may be there, in part, as zeros, or not; and of the names
that were made, changed and taken away in a folder since that folder's last sync, any may be as
before. Some file systems promise more (ext4 and XFS keep the order of names). Nothing here relies
on it: a file's sync is not one of its name, and a folder's is not one of the folder's own name.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.records.files import DISK

OPERATIONS = (
    "open", "write", "sync", "cut", "rename", "remove", "make_folder", "remove_folder"
)  # fmt: skip
_FOLDER = -1  # where a name stands for no file
_KEPT, _LOST, _CUT, _ZEROED = "kept", "lost", "cut", "zeroed"
_DRAWN = 2

State = dict[str, bytes | None]
"""Content of each file by its path, None of each folder."""


@dataclass(frozen=True)
class Operation:
    """Something done to a disk.

    Attributes
    ----------
    name : str
        One of `OPERATIONS`.
    path, to : str
        Below the folder that is looked at; what it was renamed to.
    content : str
        What was written, a letter for each byte; how a file was opened.
    size : int
        To which it was cut.
    told : int
        Bytes of the diary before it: of what had been said to be kept by then.
    """

    name: str
    path: str
    to: str = ""
    content: str = ""
    size: int = 0
    told: int = 0


class Recorder:
    """Notes what is done to the disk below a folder."""

    def __init__(self, root: Path, diary: str) -> None:
        self.root, self.diary = root, root / diary
        self.done: list[Operation] = []

    def install(self) -> None:
        """Stand between this process and its disk."""
        for name in OPERATIONS:
            act = getattr(DISK, name)
            setattr(DISK, name, lambda *a, name=name, act=act: self._do(name, act, *a))

    def _do(self, name: str, act: Callable[..., Any], subject: Any, *rest: Any) -> Any:
        told = self.diary.stat().st_size if self.diary.exists() else 0
        path, more = self._place(subject), {}
        result = act(subject, *rest)
        if path is None:  # it is not of this disk
            return result
        if name == "rename":
            more = {"to": self._place(rest[0])}
        elif name == "write":
            more = {"content": bytes(rest[0]).decode("latin-1")}
        elif name == "open":
            more = {"content": rest[0]}
        elif name == "cut":
            more = {"size": rest[0]}
        self.done.append(Operation(name, path, told=told, **more))
        return result

    def _place(self, subject: Any) -> str | None:
        if isinstance(subject, int):  # a handle
            subject = Path(f"/proc/self/fd/{subject}").readlink()
        path = Path(subject.name if hasattr(subject, "write") else subject)
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else None


class Machine:
    """Names and contents as they are, and as much of both as is surely on the disk.

    Parameters
    ----------
    root : Path
        A folder; what is in it by now is on the disk.
    diary : str
        The name of a file in it that is none of the disk's.

    Attributes
    ----------
    coming : list of Operation
        What will be done.
    said : str
        What will have been said to be kept when all is done.
    done : int
        How many operations were done.
    """

    def __init__(self, root: Path, diary: str) -> None:
        self.contents: list[bytes] = []  # of every file that there ever was
        self.names: dict[str, int] = {}
        for path in sorted(root.rglob("*")):
            if path != root / diary:
                self.names[str(path.relative_to(root))] = (
                    _FOLDER if path.is_dir() else self._new(path.read_bytes())
                )
        self.synced = list(self.contents)
        self.on_disk = dict(self.names)
        self.pending: list[dict[str, int | None]] = []
        self.coming: list[Operation] = []
        self.said = ""
        self.done = 0

    def _new(self, content: bytes = b"") -> int:
        self.contents.append(content)
        return len(self.contents) - 1

    @property
    def told(self) -> str:
        """What had been said to be kept before the next operation began."""
        coming = self.coming[self.done :]
        return self.said[: coming[0].told] if coming else self.said

    def at(self, cut: int) -> Machine:
        """Return a machine on which so many more operations were done."""
        later = copy.deepcopy(self)
        for one in self.coming[self.done : cut]:
            later._do(one)
        later.done = cut
        return later

    def _do(self, one: Operation) -> None:
        number = self.names.get(one.path, _FOLDER)
        if one.name == "open":
            self._open(one.path, one.content)
        elif one.name == "write":
            self.contents[number] += one.content.encode("latin-1")
        elif one.name == "cut":
            self.contents[number] = self.contents[number][: one.size]
        elif one.name == "sync":
            self._sync(one.path, number)
        elif one.name == "rename":
            self._change({one.path: None, one.to: number})
        elif one.name == "make_folder":
            self._change({} if one.path in self.names else {one.path: _FOLDER})
        else:
            self._change({one.path: None} if one.path in self.names else {})

    def _open(self, path: str, mode: str) -> None:
        if path not in self.names:
            self._change({path: self._new()})
            self.synced.append(b"")
        if mode == "wb":
            self.contents[self.names[path]] = b""

    def _sync(self, path: str, number: int) -> None:
        if number != _FOLDER:
            self.synced[number] = self.contents[number]
            return
        inside = [c for c in self.pending if str(Path(next(iter(c))).parent) == path]
        self.pending = [change for change in self.pending if change not in inside]
        _apply(self.on_disk, inside)

    def _change(self, names: dict[str, int | None]) -> None:
        _apply(self.names, [names])
        self.pending += [names] if names else []

    def states(self, draw: random.Random) -> Iterator[tuple[str, State]]:
        """Give what the disk may hold if the power fails now, and how that came about.

        Parameters
        ----------
        draw : random.Random
            Draws some of the many.
        """
        yield "nothing but what is synced", self._state((), lambda: _LOST)
        yield "contents, but not names", self._state((), lambda: _KEPT)
        for how in (_KEPT, _LOST, _CUT, _ZEROED):
            yield f"names, and contents {how}", self._state(self.pending, lambda how=how: how)
        for how in (_KEPT, _LOST):
            names = self.pending[:-1]
            yield f"all names but the last, contents {how}", self._state(names, lambda how=how: how)
        for _ in range(_DRAWN):
            some = [change for change in self.pending if draw.random() < 0.5]
            yield (
                "names and contents as drawn",
                self._state(some, lambda: draw.choice((_KEPT, _LOST, _CUT, _ZEROED))),
            )

    def _state(self, changes: Iterable[dict[str, int | None]], how: Callable[[], str]) -> State:
        names = dict(self.on_disk)
        _apply(names, changes)
        found: State = {}
        for path, number in sorted(names.items()):
            folders = [str(folder) for folder in Path(path).parents][:-1]
            if all(names.get(folder) == _FOLDER for folder in folders):
                found[path] = None if number == _FOLDER else self._content(number, how)
        return found

    def _content(self, number: int, how: Callable[[], str]) -> bytes:
        now, before = self.contents[number], self.synced[number]
        if now == before:
            return now
        # What was added, or cut off; else another content was written over the one before.
        same = min(len(now), len(before)) if now.startswith(before) or before.startswith(now) else 0
        return {
            _KEPT: now,
            _LOST: before,
            _CUT: now[: (same + len(now)) // 2],
            _ZEROED: now[:same] + bytes(len(now) - same),
        }[how()]


def _apply(names: dict[str, int], changes: Iterable[dict[str, int | None]]) -> None:
    for change in changes:
        for path, number in change.items():
            if number is None:
                names.pop(path, None)
            else:
                names[path] = number


def write_out(state: State, root: Path) -> None:
    """Make a folder hold what a disk held."""
    for path, content in state.items():
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)
