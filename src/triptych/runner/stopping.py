"""Signals that ask to stop: held back until what is under way is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, Protocol, Self

_HELD = (signal.SIGINT, signal.SIGTERM)


class Stop(Protocol):
    """Whether runs are to stop; entered while they have something to lose by it."""

    @property
    def is_asked(self) -> bool:
        """Whether they are to stop as soon as what they came to is kept."""
        ...

    def obey(self) -> NoReturn:
        """Stop."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Signals:
    """Holds SIGINT and SIGTERM back while it is entered; the second of them acts at once.

    What they do is what they did before: raise KeyboardInterrupt, say. In other threads than the
    first, in which Python takes signals, it does nothing.

    Parameters
    ----------
    wake : callable, optional
        Called when the first arrives, for who waits for something else.
    """

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        self.wake = wake
        self.asked: int | None = None
        self._before: dict[int, Any] = {}
        self._depth = 0

    @property
    def is_asked(self) -> bool:
        """See `Stop.is_asked`."""
        return self.asked is not None

    def __enter__(self) -> Self:
        """Hold signals back; may be entered several times, one within the other."""
        self._depth += 1
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            for number in _HELD:
                # What is ignored, as in the background of a shell, stays so.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Let signals act as before."""
        self._depth -= 1
        if self._depth == 0:
            self._let_go()

    def _let_go(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            with suppress(ValueError):  # closed by another thread, which may not
                signal.signal(number, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        if self.is_asked:
            self._act(number)
        self.asked = number
        if self.wake is not None:
            self.wake()

    def _act(self, number: int) -> NoReturn:
        self._let_go()
        signal.raise_signal(number)
        raise KeyboardInterrupt  # where the signal did nothing

    def obey(self) -> NoReturn:
        """Let the signal that was held back act."""
        assert self.asked is not None
        self._act(self.asked)


class Told:
    """Lets runs stop in a process that is told so by another; signals are none of its business.

    Parameters
    ----------
    leave : callable
        Ends the process at once. Called by who asks, where the runs have nothing to lose by it.
    """

    class Stopped(BaseException):
        """They have stopped, and what they came to is kept."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self.leave = leave
        self.is_asked = False
        self._depth = 0
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Ask the runs to stop, from another thread."""
        with self._lock:  # so that they do not begin something meanwhile
            self.is_asked = True
            if not self._depth:
                self.leave()

    def __enter__(self) -> Self:
        """Keep the process until what is under way is kept; may be entered several times."""
        with self._lock:
            self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Let it be ended again."""
        with self._lock:
            self._depth -= 1

    def obey(self) -> NoReturn:
        """Raise `Stopped`."""
        raise Told.Stopped
