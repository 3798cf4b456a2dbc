"""One folder a study: what was asked, and the folders of its runs."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import RunError, SpecError
from triptych.records.disk import (
    CHECKPOINT_FILES,
    DISK_LOCK,
    RESULT_FILE,
    RUNS,
    DiskLimit,
    file_sizes,
    seed_folders,
)
from triptych.records.files import PARTIAL, dump_json, read_json, remove, write_atomic
from triptych.records.folders import check_folder, check_free, make_folder
from triptych.records.locks import HOLDER_FILE, LOCK_FILE, hold
from triptych.records.matching import (
    MATCHED_FILE,
    Matched,
    lookup,
    note_texts,
    read_matched,
    settled,
    write_matched,
)
from triptych.records.reading import MOST_STUDY, read_whole
from triptych.records.run_record import FINISHED, RunRecord
from triptych.records.runs import RUN_FILES, RunFolder
from triptych.spec import StudySpec, parse_study, spec_id, write_study

STUDIES = Path("triptych-runs")
"""Where studies are kept unless told otherwise."""
STUDY_FILE = "study.toml"
REPORT_FILE = "report.html"
REPORT_NOTE = "report.json"
STOPPED_FILE = "stopped.json"
ANSWER_FILE = "answer.json"
_WRITTEN = (
    STUDY_FILE, REPORT_FILE, REPORT_NOTE, HOLDER_FILE, STOPPED_FILE, ANSWER_FILE, MATCHED_FILE,
    *RUN_FILES,
)  # fmt: skip
# What a process that ended before it wrote the study file may have left.
_OURS = {LOCK_FILE, HOLDER_FILE, DISK_LOCK, HOLDER_FILE + PARTIAL, STUDY_FILE + PARTIAL}
DECIDED, MAX_SEEDS, BUDGET = "decided", "max_seeds", "budget"


@dataclass(frozen=True)
class StudyRecord:
    """A study and the runs of it that there are.

    Attributes
    ----------
    study : StudySpec
        At one scale; arms that are matched to others have what they were given.
    runs : tuple of RunRecord
        In the order of arms, then seeds.
    folder : Path
        Where it is kept.
    stopped : {"", "decided", "max_seeds", "budget"}
        Why no more seeds were run, with ``seeds = "auto"``; empty if it was cut short.
    matched : tuple of str
        What arms that are matched to others were given, in words.
    answer : tuple of str
        What its title asks, answered in sentences, where whoever ran it wrote them down.
    """

    study: StudySpec
    runs: tuple[RunRecord, ...]
    folder: Path
    stopped: str = ""
    matched: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()

    def of(self, arm: str) -> tuple[RunRecord, ...]:
        """Return the runs of one arm, by seed."""
        return tuple(run for run in self.runs if run.arm == arm)

    def finished(self, arm: str) -> tuple[RunRecord, ...]:
        """Return the runs of one arm that neither diverged nor failed, by seed."""
        return tuple(run for run in self.of(arm) if run.status == FINISHED)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of any table must know of arms and data, each once."""
        return tuple(dict.fromkeys([*self.matched, *(n for run in self.runs for n in run.notes)]))

    @property
    def seconds(self) -> float:
        """Time spent in the training steps of all runs."""
        return sum(run.seconds for run in self.runs)


class StudyFolder:
    """Keeps a study's file, its runs and its report.

    Parameters
    ----------
    path : Path
    most : int, optional
        Bytes that it may take on disk, see `DiskLimit`.
    """

    def __init__(self, path: Path, most: int | None = None) -> None:
        self.path = path
        self.limit = None if most is None else DiskLimit(path, most)

    def check(self) -> None:
        """Refuse a folder that cannot be used, or is in use for something else, by a RunError."""
        check_folder(self.path)
        check_free(self.path, STUDY_FILE, _OURS)

    def make(self) -> None:
        """Make the folder, if it is not there.

        Raises
        ------
        RunError
            See `check`; or if the disk refuses.
        """
        self.check()
        make_folder(self.path)

    def start(self, study: StudySpec) -> None:
        """Make the folder and write the study file.

        Raises
        ------
        RunError
            See `make`.
        """
        self.make()
        remove(self.path / STOPPED_FILE)
        remove(self.path / ANSWER_FILE)
        write_atomic(self.path / STUDY_FILE, write_study(study).encode())

    def tidy(self) -> None:
        """Remove what a kill may have left: halves of files, checkpoints of runs that are whole.

        Only for who holds the lock. Raises a RunError if the disk refuses.
        """
        for folder in (self.path, *seed_folders(self.path)):
            names = set(file_sizes(folder))
            for name in names:
                if name.endswith(PARTIAL) and name.removesuffix(PARTIAL) in _WRITTEN:
                    remove(folder / name)
            if RESULT_FILE in names and names & set(CHECKPOINT_FILES):
                run = RunFolder(folder)
                with suppress(RunError):  # what is damaged is told when it is read
                    if run.status() == FINISHED:
                        run.checkpoints.drop()

    def is_there(self) -> bool:
        """Whether there is such a folder; where its name cannot be one, there is not."""
        try:
            return self.path.is_dir()
        except (OSError, ValueError):
            return False

    def matched(self) -> dict[str, Matched]:
        """Return what arms that are matched to others were given by now.

        Raises
        ------
        RunError
            If the file that says it is damaged.
        """
        return read_matched(self.path)

    def keep_matched(self, matched: Mapping[str, Matched]) -> None:
        """Write down what arms that are matched to others were given."""
        write_matched(self.path, matched)

    def stop(self, why: str) -> None:
        """Write down why no more seeds are run; see `StudyRecord.stopped`."""
        write_atomic(self.path / STOPPED_FILE, dump_json({"why": why}))

    def answer(self, sentences: Sequence[str]) -> None:
        """Write down what the study's title asks; see `StudyRecord.answer`."""
        write_atomic(self.path / ANSWER_FILE, dump_json({"answer": list(sentences)}))

    def lock(self) -> AbstractContextManager[None]:
        """Return what holds the folder while it is entered, see `triptych.records.locks.hold`."""
        return hold(self.path)

    def run(self, arm: str, seed: int) -> RunFolder:
        """Return the folder of one run, made or not."""
        return RunFolder(self.path / RUNS / arm / f"seed-{seed}", self.limit)

    def write_report(self, html: str, made_of: str, seconds: float = 0.0) -> Path:
        """Write the page, what it is made of and the seconds it took; return its path."""
        page = html.encode()
        write_atomic(self.path / REPORT_FILE, page)
        digest = hashlib.sha256(page).hexdigest()
        note = {"made_of": made_of, "page": digest, "seconds": seconds}
        write_atomic(self.path / REPORT_NOTE, dump_json(note))
        return self.path / REPORT_FILE

    def kept_report(self, made_of: str) -> Path | None:
        """Return the path of the page if it is whole and made of just that, else None."""
        try:
            page = read_whole(self.path / REPORT_FILE)
            note = read_json(self.path / REPORT_NOTE)
        except (OSError, RunError):
            return None
        whole = note.get("page") == hashlib.sha256(page).hexdigest()
        return self.path / REPORT_FILE if whole and note.get("made_of") == made_of else None

    def page_seconds(self) -> float | None:
        """Return the seconds that it took to draw the page; None where that is not known."""
        try:
            seconds = read_json(self.path / REPORT_NOTE).get("seconds")
        except RunError:
            return None
        return seconds if isinstance(seconds, float) else None

    def contents(self, record: StudyRecord) -> Iterator[bytes]:
        """Give the content of every file that `read` made `record` from, and the folder's name."""
        yield str(self.path).encode()
        yield read_whole(self.path / STUDY_FILE)
        yield "\n".join((record.stopped, *record.matched, *record.answer)).encode()
        for run in record.runs:
            yield from self.run(run.arm, run.seed).contents()

    def read(self) -> StudyRecord:
        """Return the study with every finished run of its arms and seeds.

        Raises
        ------
        RunError
            If this is no study's folder, or a file in it is damaged.
        """
        asked, matched = self._read_asked(), self.matched()
        study = settled(asked, lookup(matched))
        note = self.path / STOPPED_FILE
        why = read_json(note).get("why") if note.exists() else None
        stopped = why if why in (DECIDED, MAX_SEEDS, BUDGET) else ""
        notes = note_texts(asked, study, matched)
        said = self.path / ANSWER_FILE
        found = read_json(said).get("answer") if said.exists() else None
        answer = tuple(map(str, found)) if isinstance(found, list) else ()
        return StudyRecord(study, tuple(self._runs(study)), self.path, stopped, notes, answer)

    def read_study(self) -> StudySpec:
        """Return the study alone; arms that are matched to others have what they were given.

        Raises
        ------
        RunError
            If this is no study's folder, or its study file is damaged.
        """
        return settled(self._read_asked(), lookup(self.matched()))

    def _read_asked(self) -> StudySpec:
        try:
            text = read_whole(self.path / STUDY_FILE, MOST_STUDY).decode()
        except (OSError, UnicodeDecodeError):
            raise RunError(
                f"{str(self.path)!r} is not the folder of a study: it has no readable {STUDY_FILE}."
            ) from None
        try:
            return parse_study(text)
        except (SpecError, ValueError, RecursionError) as error:
            raise RunError(f"{self.path / STUDY_FILE} is damaged: {error}") from None

    def _runs(self, study: StudySpec) -> Iterable[RunRecord]:
        for arm, spec in study.arms.items():
            for seed in study.all_seeds:
                folder = self.run(arm, seed)
                run = folder.read() if folder.is_finished() else None
                # A run of other settings is left over from before the study was changed.
                if run is not None and run.spec == spec_id(spec):
                    if (run.arm, run.seed) != (arm, seed):
                        raise RunError(f"{folder.path} is damaged: it has another run's result.")
                    yield run


@contextmanager
def temporary_study(study: StudySpec) -> Iterator[StudyFolder]:
    """Give a study's folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="triptych-") as path:
        folder = StudyFolder(Path(path) / "study")
        folder.start(study)
        yield folder
