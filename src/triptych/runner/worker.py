"""A worker process: makes runs that it is told of, one after the other, until nobody listens.

It obeys the process that started it alone. Signals to a whole group, such as Ctrl-C, are for that
one to act upon. When that one is gone, in whatever way, so is this.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from triptych.errors import TriptychError
from triptych.records import StudyFolder
from triptych.runner.events import RunEvent, RunTold
from triptych.runner.failures import execute_or_fail
from triptych.runner.stopping import Told
from triptych.runner.wire import STOP, Hello, Order, line, told, told_error
from triptych.spec import parse_study
from triptych.training import Evaluation

_PR_SET_PDEATHSIG = 1  # man 2 prctl
# Compiled runs evaluate a thousand times a second, which no watcher needs to see.
_SECONDS_BETWEEN_EVALUATIONS = 0.1


def main() -> None:
    """Make runs as the standard input says, and tell on what was the standard output."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _end_with_parent()
    faulthandler.enable()
    # What libraries print must not get among the messages.
    tell = _Mouth(os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    hello = Hello(**json.loads(sys.stdin.buffer.readline()))
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
    stop = Told(leave=tell.goodbye)
    threading.Thread(target=_listen, args=(orders, stop), daemon=True).start()
    try:
        _work(hello, orders, tell, stop)
    except Told.Stopped:
        tell.goodbye()
    except BrokenPipeError:  # nobody listens any more
        os._exit(0)


class _Mouth:
    """Tells messages, one after the other, whichever thread they are of."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe, self.lock = pipe, threading.Lock()

    def write(self, message: bytes) -> None:
        """Tell a message."""
        with self.lock:
            self.pipe.write(message)

    def goodbye(self) -> NoReturn:
        """Say that all is kept, and end this process at once: a thread that listens holds it."""
        try:
            self.write(line({"stopped": True}))
        finally:
            os._exit(0)


def _end_with_parent() -> None:
    """Let Linux kill this process when its parent ends, before another can take up its runs."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError, TypeError):  # elsewhere the end of the input has to do
        return


def _listen(orders: queue.SimpleQueue[Order], stop: Told) -> None:
    """Take orders, also while a run is made; end this process at once where they end."""
    for text in sys.stdin.buffer:
        table = json.loads(text)
        if table == STOP:
            stop.ask()
            continue
        orders.put(Order(**{**table, "seeds": tuple(table["seeds"])}))
    os._exit(0)


def _work(hello: Hello, orders: queue.SimpleQueue[Order], tell: _Mouth, stop: Told) -> None:
    def show(message: Warning | str, *_: object) -> None:
        tell.write(line({"warning": str(message)}))

    warnings.showwarning = show  # type: ignore[assignment] # it takes more than it uses
    study, folder = parse_study(hello.study), StudyFolder(Path(hello.folder))
    tell.write(line({"ready": os.getpid()}))
    while True:
        order = orders.get()
        runs = execute_or_fail(
            order.arm, study.arms[order.arm], order.seeds, folder, order.setting(hello), stop
        )
        try:
            for event in _thinned(runs):
                message = told(event)
                if message is not None:
                    tell.write(line(message))
            tell.write(line({"done": True}))
        except TriptychError as error:
            tell.write(line(told_error(error)))


def _thinned(events: Iterator[RunEvent]) -> Iterator[RunEvent]:
    """Leave out evaluations that follow another too soon."""
    last = 0.0
    for event in events:
        if isinstance(event, RunTold) and isinstance(event.event, Evaluation):
            now = time.monotonic()
            if now - last < _SECONDS_BETWEEN_EVALUATIONS:
                continue
            last = now
        yield event
