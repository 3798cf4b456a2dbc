"""Several runs at the same time, each in a process of its own that lives for many of them.

Why neither `concurrent.futures` nor `multiprocessing`: a pool of either is broken as soon as one of
its processes dies, which here costs one run and no more. And both load the caller's main script
again in each process, so a script without ``if __name__ == "__main__"`` would start itself over and
over. These are plain processes of the same Python, spoken to through pipes in JSON
(`triptych.runner.wire`).
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from triptych.engines import inherited
from triptych.errors import RunError
from triptych.records import RunRecord, StudyFolder
from triptych.runner.events import RunEnded, RunEvent, RunPrepared, RunStarted
from triptych.runner.failures import blank_of, fail
from triptych.runner.hanging import SECONDS_BETWEEN_LOOKS, Hanging, why_hung
from triptych.runner.kept import kept_run
from triptych.runner.seeds import Job
from triptych.runner.setting import Setting
from triptych.runner.stopping import Signals
from triptych.runner.ways import Way
from triptych.runner.wire import STOP, Hello, Message, Order, heard, heard_error, line
from triptych.spec import StudySpec, write_study

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from triptych.runner.worker import main; main()"
)
_LAST_WORDS = 40
_SECONDS_TO_END = 10


class Worker:
    """One process, and what was asked of it.

    Parameters
    ----------
    hello : Hello
    inbox : queue
        Gets every message as ``(worker, message)``, and ``(worker, None)`` when the process ended.
    """

    def __init__(
        self, hello: Hello, inbox: queue.SimpleQueue[tuple[Worker | None, Message | None]]
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=inherited(),
        )  # fmt: skip
        self.inbox = inbox
        self.is_ready = False
        self.order: Order | None = None
        self.last_arm = ""
        self.prepared: dict[int, RunRecord] = {}
        self.left: list[int] = []
        self.words: deque[str] = deque(maxlen=_LAST_WORDS)
        self.hung = False
        self.threads = [
            threading.Thread(target=task, daemon=True) for task in (self._read, self._drain)
        ]
        for thread in self.threads:
            thread.start()
        self._send(hello)

    def make(self, order: Order) -> None:
        """Let it make runs; it must not be at others."""
        self.order, self.last_arm = order, order.arm
        self.prepared, self.left = {}, list(order.seeds)
        self._send(order)

    def ask_to_stop(self) -> None:
        """Let it write checkpoints where it can, and end; it says so when it has."""
        self._send(STOP)

    def _send(self, message: Hello | Order | Message) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it died, which its end will tell
            self.process.stdin.write(line(message))
            self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            try:
                message = json.loads(text)
            except ValueError:  # it died in the middle of a line
                break
            self.inbox.put((self, message))
        self.inbox.put((self, None))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.words.append(text.decode(errors="replace").rstrip())

    def why_it_died(self) -> str:
        """Return what ended the process, in one line; waits for its end."""
        code = self.process.wait(_SECONDS_TO_END)
        if self.hung:
            return why_hung()
        if code >= 0:
            return f"its process ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = "; out of memory?" if name == "SIGKILL" else ""
        return f"its process was ended by signal {-code} ({name}){hint}"

    def kill(self) -> None:
        """End it at once; runs are written so that this harms none."""
        self.process.kill()
        self.let_go()

    def let_go(self) -> None:
        """Wait for the end of the process, and close what led to it."""
        self.process.wait(_SECONDS_TO_END)
        for thread in self.threads:
            thread.join(_SECONDS_TO_END)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class Workers:
    """Makes runs in as many processes as a study's setting has jobs."""

    def __init__(
        self, study: StudySpec, folder: StudyFolder, setting: Setting, ways: Mapping[str, Way]
    ) -> None:
        self.study, self.folder, self.setting, self.ways = study, folder, setting, ways
        data_dir = None if setting.data_dir is None else str(setting.data_dir.absolute())
        path = str(folder.path.absolute())
        self.hello = Hello(
            write_study(study), path, data_dir, setting.device, setting.first_seed, setting.disk,
            setting.checkpoint, setting.inexact,
        )  # fmt: skip
        self.inbox: queue.SimpleQueue[tuple[Worker | None, Message | None]] = queue.SimpleQueue()
        # A message of nobody ends the wait for one.
        self.stop = Signals(wake=lambda: self.inbox.put((None, None)))
        self.workers: list[Worker] = []
        self.hanging = Hanging()
        self.has_started = False
        self.last_places = 1

    def execute(
        self, sweeps: Iterable[list[Job]], goes_on: Callable[[], bool]
    ) -> Iterator[RunEvent]:
        """Make runs; see `triptych.runner.executors.Executor.execute`."""
        coming, waiting = iter(sweeps), list[Job]()
        with self.stop:
            while not self.stop.is_asked:
                while (job := self._next(waiting, coming)) and goes_on():
                    yield RunStarted(*job)
                    yield from self._begin(*job)
                if not any(worker.order for worker in self.workers):
                    return
                yield from self._hear(*self._next_message())
            for worker in self.workers:
                worker.ask_to_stop()
            while any(worker.order for worker in self.workers):
                yield from self._hear(*self._next_message())
            self.stop.obey()

    def close(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def _next(self, waiting: list[Job], coming: Iterator[list[Job]]) -> Job | None:
        """Take the next runs for which there is room from the sweep that waits, or a new one.

        Runs that need all cores wait for the others to end. So as to wait seldom, runs as large
        as the last come first.
        """
        if not waiting:
            waiting += next(coming, [])
        busy = [worker.order.arm for worker in self.workers if worker.order]
        free = self.setting.jobs - sum(self.ways[arm].places for arm in busy)
        fitting = [job for job in waiting if self.ways[job[0]].places <= free]
        if not fitting:
            return None
        job = min(fitting, key=lambda job: self.ways[job[0]].places != self.last_places)
        waiting.remove(job)
        return job

    def _begin(self, name: str, seeds: tuple[int, ...]) -> Iterator[RunEvent]:
        """Let a worker make runs, unless all are there."""
        found = [record for seed in seeds if (record := self._kept(name, seed)) is not None]
        if len(found) == len(seeds):
            yield from (RunEnded(record, kept=True) for record in found)
            return
        way = self.ways[name]
        self.last_places = way.places
        alone = way.places == self.setting.jobs
        self._free_worker(name).make(
            Order(name, seeds, self.setting.jobs, alone, way.timed, way.own_process)
        )

    def _kept(self, name: str, seed: int) -> RunRecord | None:
        way, folder = self.ways[name], self.folder.run(name, seed)
        setting = replace(self.setting, timed=way.timed, own_process=way.own_process)
        return kept_run(self.study.arms[name], seed, folder, setting)

    def _free_worker(self, name: str) -> Worker:
        """Return a worker that is at no run; best one that made runs of this arm before."""
        free = [worker for worker in self.workers if worker.order is None]
        if self.ways[name].own_process or not free:
            worker = Worker(self.hello, self.inbox)
            self.workers.append(worker)
            return worker
        return max(free, key=lambda worker: worker.last_arm == name)

    def _next_message(self) -> tuple[Worker | None, Message | None]:
        """Wait for what a worker says; one that hangs is ended, which is what it says then."""
        while True:
            busy = {worker.process.pid: worker for worker in self.workers if worker.order}
            for process in self.hanging.among(busy):
                busy[process].hung = True
                busy[process].process.kill()
            with suppress(queue.Empty):
                return self.inbox.get(timeout=SECONDS_BETWEEN_LOOKS)

    def _hear(self, worker: Worker | None, message: Message | None) -> Iterator[RunEvent]:
        """Take what a worker says."""
        if worker is None or worker not in self.workers:  # the end of one that has been let go
            return
        if message is None:
            yield from self._bury(worker)
        elif "ready" in message:
            worker.is_ready = self.has_started = True
        elif "warning" in message:
            warnings.warn(message["warning"], stacklevel=2)
        elif "error" in message:
            raise heard_error(message)
        elif "stopped" in message:
            worker.order = None
        elif worker.order is not None:
            yield from self._follow(worker, worker.order, message)

    def _follow(self, worker: Worker, order: Order, message: Message) -> Iterator[RunEvent]:
        """Take what a worker says of the runs that it makes."""
        event = heard(message, order.arm, self.folder)
        if isinstance(event, RunPrepared):
            worker.prepared[event.blank.seed] = event.blank
        elif isinstance(event, RunEnded):
            worker.left.remove(event.record.seed)
        if event is not None:
            yield event
        elif "done" in message:
            worker.order = None
            if order.own_process:
                self.workers.remove(worker)
                worker.kill()

    def _bury(self, worker: Worker) -> Iterator[RunEvent]:
        """Mark the runs of a worker that died as failed.

        Raises
        ------
        RunError
            If no worker has started yet: then none would.
        """
        self.workers.remove(worker)
        why = worker.why_it_died()
        worker.let_go()
        trace = "\n".join(worker.words)
        if worker.order is None:  # it had nothing to do, or has stopped as it was asked to
            return
        if not worker.is_ready and not self.has_started:
            last = worker.words[-1] if worker.words else "it said nothing"
            raise RunError(f"a worker process cannot start: {why}: {last}.")
        name = worker.order.arm
        for seed in worker.left:
            blank, folder = worker.prepared.get(seed), self.folder.run(name, seed)
            record = self._kept(name, seed)
            if record is not None:
                # Of a run that had begun, what is there now is what it came to.
                yield RunEnded(record, kept=blank is None)
                continue
            arm = self.study.arms[name]
            record = fail(folder, arm, blank or blank_of(name, arm, seed), why)
            yield RunEnded(record, kept=False, trace=trace)
