"""The life of a study's folder, drawn step by step, and held against a small model of it.

    python tests/faults/folder_machine.py --seed 7 --examples 1000 --steps 40
    python tests/faults/folder_machine.py --broken        also what must be caught

A step trains, kills, stops a writer while it writes, damages files, deletes runs, changes settings,
seeds, data or the environment, or reads. `folder_model` says what must be true after it. Forks,
time and memory are as in `fault_trials`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fault_trials import FAULTS, OPERATIONS, Faults, _memory, stand_still
from folder_breaks import BREAKS
from folder_model import (
    CHECKPOINTS,
    DATA,
    FINDINGS,
    GOES_ON,
    KEPT,
    LOCKS,
    LOG,
    MADE,
    MIXED,
    PAGE,
    REFUSED,
    RESULT,
    SETTINGS,
    SPEC,
    UNSURE,
    WEIGHTS,
    WHERE,
    Call,
    Fate,
    Files,
    Known,
    Model,
    Place,
    Said,
    aim,
    command,
    header,
    is_mixed,
    of_run,
    use,
    write_studies,
)
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from triptych.records import study as study_module
from triptych.records.files import DISK
from triptych.runner import read_result
from triptych.runner.keeping import Rhythm
from triptych.training import loop, references

FOLDER = Path("life")
_TRACEBACK = 98
_EXAMPLES_OF_BROKEN = 200
_STEPS = Counter[str]()
_ANY = st.integers(0, 1_000)
_AT = st.integers(1, 260)
_ASKED = st.fixed_dictionaries(
    {
        "data": st.sampled_from([*DATA[:1] * 3, *DATA]),
        "here": st.sampled_from([True, True, True, False]),
        "inexact": st.sampled_from([False, False, False, True]),
        "disk": st.sampled_from(["", "", "", "", "20 kB", "40 kB", "80 kB"]),
    }
)
_HARM = st.sampled_from(["flip", "cut", "empty", "delete"])
_FILES = st.sampled_from(
    ["newest", "newest", "older", "both", LOG, LOG, RESULT, WEIGHTS, WHERE, FINDINGS, SPEC]
)


class Held:
    """Whether this process holds the folder, for a child to tell."""

    now = False


def tell_who_holds() -> None:
    """Let `Held` know."""
    hold = study_module.hold

    class Hold:
        def __init__(self, folder: Path) -> None:
            self.real = hold(folder)

        def __enter__(self) -> None:
            self.real.__enter__()
            Held.now = True

        def __exit__(self, *rest: Any) -> None:
            Held.now = False
            self.real.__exit__(*rest)

    study_module.hold = Hold


def fork(act: Callable[[], Said]) -> int:
    """Do something in a fork of this process, which ends with its exit code."""
    child = os.fork()
    if child == 0:
        code = _TRACEBACK
        try:
            said = act()
            Path("said").write_text(said.err)
            code = said.code
        except BaseException as error:
            with suppress(BaseException):
                Path("said").write_text(repr(error))
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    """Wait for a child; return its exit code, or below 0 the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at_call(number: int) -> None:
    """Let this process be killed at so many calls of functions from now."""
    left = [number]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def stop_at(number: int) -> None:
    """Let this process stop before an operation on the disk, if it holds the folder then."""
    left = [number]

    def passing(act: Callable[..., Any]) -> Callable[..., Any]:
        def do(*rest: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and Held.now:
                os.kill(os.getpid(), signal.SIGSTOP)
            return act(*rest)

        return do

    for name in OPERATIONS:
        setattr(DISK, name, passing(getattr(DISK, name)))


class LifeOfAFolder(RuleBasedStateMachine):
    """Draws what happens to a folder, and looks at it after each step."""

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(FOLDER, ignore_errors=True)
        self.model = Model(FOLDER)
        self.call = Call()
        self.holder: tuple[int, Call] | None = None

    def teardown(self) -> None:
        """End who holds the folder."""
        if self.holder is not None:
            os.kill(self.holder[0], signal.SIGKILL)
            ended(self.holder[0])

    # What is asked for changes.

    @rule(
        change=st.one_of(
            st.builds(dict, settings=st.sampled_from(sorted(SETTINGS))),
            st.builds(dict, first=st.sampled_from([0, 1]), seeds=st.sampled_from([1, 2, 3])),
        )
    )
    def ask_otherwise(self, change: dict[str, Any]) -> None:
        """Change settings or seeds, from the next call on."""
        self.call = replace(self.call, **change)
        _STEPS["change"] += 1

    # The study is called.

    def _foreseen(self, call: Call) -> tuple[Files, dict[Place, Fate]]:
        """Return what is there, and what must become of each run when the study is called."""
        use(call.data)
        files = self.model.files()
        return files, {place: self.model.fate(place, call, files) for place in call.wanted}

    @rule(asked=_ASKED)
    def train(self, asked: dict[str, Any]) -> None:
        self._called_by(replace(self.call, **asked))

    def _called_by(self, call: Call) -> None:
        before, fates = self._foreseen(call)
        said = self._said("train", call.arguments(FOLDER), here=call.here)
        if self.holder is not None:
            self._is_in_use(said, before)
            return
        self._settle(call, before, fates, said)

    @rule(at=_AT, kind=st.sampled_from(FAULTS), asked=_ASKED)
    def fail_at_an_operation(self, at: int, kind: str, asked: dict[str, Any]) -> None:
        self._in_child(lambda: Faults(at, kind).install(), kind, asked)

    @rule(at=st.integers(1, 60_000), asked=_ASKED)
    def kill_at_a_moment(self, at: int, asked: dict[str, Any]) -> None:
        self._in_child(lambda: die_at_call(at), "kill", asked)

    def _in_child(self, before_it: Callable[[], object], kind: str, asked: dict[str, Any]) -> None:
        if self.holder is not None:
            return
        call = replace(self.call, **asked)
        before, fates = self._foreseen(call)
        _STEPS[kind] += 1
        arguments = call.arguments(FOLDER)

        def act() -> Said:
            before_it()
            return command(arguments, here=call.here)

        code = ended(fork(act))
        err = "" if code < 0 else Path("said").read_text()
        assert code in ((0, 4, -9) if kind.startswith("kill") else (0, 4)), (code, err)
        self._settle(call, before, fates, Said(code, "", err), failed=not kind.startswith("kill"))

    def _settle(
        self,
        call: Call,
        before: Files,
        fates: dict[Place, Fate],
        said: Said,
        *,
        failed: bool = False,
    ) -> None:
        """Hold what a call of the study left against what must have come of each run."""
        if said.code == 4:
            assert self._may_be_refused(call, fates, said.err, failed=failed), said.err
        else:
            assert said.code in (0, -9), said
        if said.code == 0:
            assert REFUSED not in {fate.what for fate in fates.values()}, fates
        if call.disk:
            self.model.weightless |= set(self.model.runs) | set(call.wanted)
        after = self.model.files()
        for place in self._places(before, after):
            fate = fates.get(place, Fate(KEPT))
            old, new = of_run(before, place), of_run(after, place)
            if self._unchanged(place, old, new):
                assert said.code != 0 or fate.what in (KEPT, UNSURE) or place not in fates, place
                continue
            assert fate.what not in (KEPT, REFUSED), (place, fate, _differing(old, new))
            self._is_on_its_way(place, call, fate, new, whole=said.code == 0)
        if said.code == 0:
            self._is_tidy(call, after)

    def _may_be_refused(
        self, call: Call, fates: dict[Place, Fate], err: str, *, failed: bool
    ) -> bool:
        """Whether there is a reason for the error."""
        if failed and re.search(
            r"no space left to write|cannot (write|delete|drop|use|lock) ", err
        ):
            return True
        if call.disk and "leaves no room for a run within" in err:
            return True
        for (arm, number), fate in fates.items():
            of_it = f"{arm}/seed-{number}" in err
            if fate.what == REFUSED and fate.why in err and of_it and "triptych runs delete" in err:
                return True
            if fate.what == UNSURE and of_it and "triptych runs delete" in err:
                return True
        return False

    def _unchanged(self, place: Place, old: Files, new: Files) -> bool:
        """Whether a run's files are what they were, but for what may go at any time."""
        may_go = {name for name in old if name.endswith(".partial")}
        may_go |= set(CHECKPOINTS) if RESULT in old else set()
        may_go |= {WEIGHTS} if place in self.model.weightless and RESULT in old else set()
        return all(
            old.get(name) == new.get(name) or (name in may_go and name not in new)
            for name in old.keys() | new.keys()
        )

    def _is_on_its_way(
        self, place: Place, call: Call, fate: Fate, new: Files, *, whole: bool
    ) -> None:
        """Hold a run that was written at against what it is to become; note one that is whole."""
        if fate.what == MADE:
            self.model.late.discard(place)
        if RESULT in new:
            self.model.mend(place)
            pure, mixed = aim(place, call), fate.what == MIXED
            good = is_mixed(new, pure) if mixed else self.model.is_whole(place, new, pure)
            assert good, (place, fate, _differing(pure, new))
            self.model.late.discard(place)
            self.model.runs[place] = Known(call.settings, call.data, call.here, mixed)
            return
        assert not whole, (place, fate)
        self.model.runs.pop(place, None)
        if fate.what in (GOES_ON, MIXED):  # nothing that was kept may be lost
            steps = [header(new[name]).step for name in self._whole_checkpoints(place, new)]
            assert max(steps, default=-1) >= fate.step, (place, fate, steps)

    def _whole_checkpoints(self, place: Place, mine: Files) -> list[str]:
        damages = self.model.damages(place)
        return [name for name in CHECKPOINTS if name in mine and name not in damages]

    def _is_tidy(self, call: Call, after: Files) -> None:
        """Look at what must be so after a call of the study that ended well."""
        assert not [name for name in after if name.endswith(".partial")]
        for place in self._places(after):
            mine = of_run(after, place)
            if RESULT in mine and not self.model.damages(place):
                assert not set(mine) & set(CHECKPOINTS), place
        self._is_page(after)
        if call.disk:
            most = int(call.disk.split()[0]) * 1000
            weights = sum(len(v) for name, v in after.items() if name.endswith(WEIGHTS))
            used = sum(map(len, after.values()))
            assert used <= most or used - weights > most, (used, weights, most)

    def _is_page(self, files: Files) -> None:
        """Hold the page against what the records say by now."""
        assert files["report.html"] == read_result(FOLDER).to_html().encode()

    # Somebody else writes.

    @rule(at=st.integers(2, 260), another=st.booleans(), asked=_ASKED)
    def somebody_writes(self, at: int, another: bool, asked: dict[str, Any]) -> None:
        """Let a writer stop before it writes something, and maybe another one try."""
        if self.holder is not None:
            return
        call = replace(self.call, **asked)
        before, fates = self._foreseen(call)
        _STEPS["second writer"] += 1

        def act() -> Said:
            stop_at(at)
            return command(call.arguments(FOLDER), here=call.here)

        child = fork(act)
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            self.holder = child, call
            self._settle(call, before, fates, Said(-signal.SIGKILL, "", ""))
            if another:
                self._called_by(self.call)
            return
        said = Said(os.waitstatus_to_exitcode(status), "", Path("said").read_text())
        self._settle(call, before, fates, said)

    @rule(dies=st.booleans())
    def the_writer_goes_on_or_dies(self, dies: bool) -> None:
        if self.holder is None:
            return
        (child, call), self.holder = self.holder, None
        before, fates = self._foreseen(call)
        os.kill(child, signal.SIGKILL if dies else signal.SIGCONT)
        code = ended(child)
        assert code in ((-9,) if dies else (0, 4)), code
        self._settle(call, before, fates, Said(code, "", "" if dies else Path("said").read_text()))

    def _is_in_use(self, said: Said, before: Files) -> None:
        """Look whether a second writer was refused by name, and changed nothing."""
        assert self.holder is not None
        who = f"is in use by pid {self.holder[0]} on host {socket.gethostname()}."
        assert said.code == 4
        assert who in said.err or "lock.json" in self.model.damaged, said.err
        assert self.model.files() == before

    # Files are damaged.

    @rule(
        run=_ANY,
        what=_FILES,
        how=_HARM,
        at=st.floats(0, 1, exclude_max=True),
        bit=st.integers(0, 7),
    )
    def damage(self, run: int, what: str, how: str, at: float, bit: int) -> None:
        files = self.model.files()
        places = self._places(files)
        if self.holder is not None or not places:
            return
        _STEPS["damage"] += 1
        place = places[run % len(places)]
        mine = of_run(files, place)
        for name in self._named(what, place, mine):
            if name == SPEC and how == "flip":  # it may say something else that can be
                how = "cut"
            self._harm(FOLDER / "runs" / place[0] / f"seed-{place[1]}" / name, how, at, bit)

    def _named(self, what: str, place: Place, mine: Files) -> list[str]:
        if what in mine:
            return [what]
        whole = self._whole_checkpoints(place, mine)
        steps = sorted(whole, key=lambda name: header(mine[name]).step)
        return {"newest": steps[-1:], "older": steps[:-1], "both": steps}.get(what, [])

    @rule(which=st.sampled_from(sorted(LOCKS)), how=st.sampled_from(["empty", "delete", "text"]))
    def damage_a_lock(self, which: str, how: str) -> None:
        path = FOLDER / which
        if not path.exists() or (self.holder is not None and which != "lock.json"):
            return
        _STEPS["damage"] += 1
        if how == "text":
            path.write_bytes(b'{"pid": \xff\n')
            self.model.damaged[which] = path.read_bytes()
        else:
            self._harm(path, how, 0.0, 0)

    def _harm(self, path: Path, how: str, at: float, bit: int) -> None:
        content: bytearray | None = bytearray(path.read_bytes())
        assert content is not None
        place = int(at * len(content))
        if how == "delete":
            path.unlink()
            content = None
        elif how == "flip" and content:
            content[place] ^= 1 << bit
        else:
            del content[0 if how == "empty" else place :]
        if content is not None:
            path.write_bytes(content)
        name = path.relative_to(FOLDER).as_posix()
        self.model.damaged[name] = None if content is None else bytes(content)

    # Runs are deleted.

    @rule(
        run=_ANY, yes=st.sampled_from(["--yes", "--yes", "--yes", "--dry-run", ""]),
        by=st.sampled_from(["name", "name", "--arm", "--seed", "--former", "--older-than",
                            "unfinished", "damaged", "finished"]),
        kill=st.sampled_from([0, 0, 1, 2, 3, 5, 8]),
    )  # fmt: skip
    def delete(self, run: int, yes: str, by: str, kill: int) -> None:
        before = self.model.files()
        places = self._places(before)
        if "study.toml" not in before or not places:
            return
        named = places[run % len(places)]
        must, may = self._selected(by, named, before)
        words = [*self._filter(by, named), *([yes] if yes else [])]
        if kill and self.holder is None:

            def act() -> Said:
                Faults(kill, "kill before").install()
                return command(["runs", "delete", *words])

            _STEPS["kill"] += 1
            code = ended(fork(act))
        else:
            code = self._said("delete", ["runs", "delete", *words]).code
        after = self.model.files()
        if self.holder is not None:
            assert after == before
            assert code == (2 if may and not yes else 4 if must and yes == "--yes" else code)
            return
        assert code in ((0, -9) if yes or not may else (0, 2, -9)), code
        if yes != "--yes":
            must, may = set(), set()
        for place in places:
            self._is_deleted(place, of_run(before, place), of_run(after, place),
                             must=place in must and code == 0, may=place in may)  # fmt: skip

    def _is_deleted(self, place: Place, old: Files, new: Files, *, must: bool, may: bool) -> None:
        """Look whether a run is there, or gone, or unfinished where the deletion was cut short."""
        assert not (must and new), place
        assert old == new or (may and RESULT not in new), place
        if RESULT not in new:
            self.model.runs.pop(place, None)
        if not new:
            self.model.mend(place)
            self.model.late.discard(place)

    def _filter(self, by: str, named: Place) -> list[str]:
        words = {
            "name": [f"{FOLDER}/runs/{named[0]}/seed-{named[1]}"],
            "--arm": ["--arm", named[0], f"{FOLDER}"],
            "--seed": ["--seed", str(named[1]), f"{FOLDER}"],
            "--former": ["--former", f"{FOLDER}"],
            "--older-than": ["--older-than", "1 h", f"{FOLDER}"],
        }
        return words.get(by, ["--status", by, f"{FOLDER}"])

    def _selected(self, by: str, named: Place, files: Files) -> tuple[set[Place], set[Place]]:
        """Return the runs that must be taken, and those that may."""
        places = self._places(files)
        sure = {
            "name": {named}, "--older-than": set[Place](),
            "--arm": {p for p in places if p[0] == named[0]},
            "--seed": {p for p in places if p[1] == named[1]},
        }  # fmt: skip
        if by in sure:
            return sure[by], sure[by]
        status = {place: self.model.status(place, files) for place in places}
        wanted = by.removeprefix("--")
        return (
            {place for place in places if status[place] == {wanted}},
            {place for place in places if wanted in status[place]},
        )

    # It is read, at any moment.

    @rule(
        what=st.sampled_from(["list", "report", "export", "predict", "rerun", "compare"]), run=_ANY
    )
    def read(self, what: str, run: int) -> None:
        """Read the folder, at any moment."""
        ways = {"list": self._list, "report": self._report, "export": self._export}
        ways[what]() if what in ways else self._use(what, run)

    def _list(self) -> None:
        files = self.model.files()
        said = self._said("read", ["runs", "list", str(FOLDER), "--json"])
        if "study.toml" not in files:
            assert said.code == 4
            return
        assert said.code == 0, said
        found = {(r["arm"], r["seed"]): r["status"] for r in json.loads(said.out)["runs"]}
        # What a kill left of a run whose folder was just made has no file yet.
        assert set(self._places(files)) <= set(found)
        for place in self._places(files):
            assert found[place] in self.model.status(place, files), (place, found[place])
        assert self._said("read", ["runs", "list", str(FOLDER), "--sort", "size"]).code == 0
        assert self.model.files() == files

    def _report(self) -> None:
        before = self.model.files()
        said = self._said("read", ["report", str(FOLDER)])
        self._read_as_it_must_be(before, said)
        after = self.model.files()
        assert _without(before, PAGE) == _without(after, PAGE)
        if said.code == 0:
            self._is_page(after)

    def _export(self) -> None:
        before = self.model.files()
        said = self._said("read", ["export", str(FOLDER), "--tensorboard", "events"])
        self._read_as_it_must_be(before, said)
        assert self.model.files() == before
        shutil.rmtree("events", ignore_errors=True)

    def _read_as_it_must_be(self, files: Files, said: Said) -> None:
        """Hold whether the study can be read against what is damaged."""
        if "study.toml" not in files:
            assert said.code == 4
            return
        status = [self.model.status(place, files) for place in self._places(files)]
        may_fail = any("damaged" in one for one in status) or {"finished"} not in status
        must_fail = {"damaged"} in status or not any("finished" in one for one in status)
        assert said.code in ((0, 4) if may_fail else (0,)), said
        # A damaged run that the study has no more is not read.
        if must_fail and not any("former" in one for one in status) and said.code == 0:
            assert self._damaged_are_of_other_seeds(files), said

    def _damaged_are_of_other_seeds(self, files: Files) -> bool:
        import tomllib

        study = tomllib.loads(files["study.toml"].decode())
        first = study.get("first_seed", 0)
        return all(
            place[1] not in range(first, first + study["seeds"])
            for place in self._places(files)
            if self.model.status(place, files) == {"damaged"}
        )

    def _use(self, what: str, run: int) -> None:
        before = self.model.files()
        places = self._places(before)
        if not places:
            return
        place, second = places[run % len(places)], places[run // 7 % len(places)]
        path, its = (f"{FOLDER}/runs/{p[0]}/seed-{p[1]}" for p in (place, second))
        said = {
            "predict": lambda: self._said("read", ["predict", f"{path}/{WEIGHTS}", "rows.csv"]),
            "rerun": lambda: self._said("read", ["rerun", path, "--device", "cpu"]),
            "compare": lambda: self._said("read", ["runs", "compare", path, its]),
        }[what]()
        expected = {"predict": (3, 5), "rerun": (0, 1, 4), "compare": (0, 4)}[what]
        known, damages = self.model.runs.get(place), self.model.damages(place)
        if what == "rerun" and known and not damages and known.here and not known.mixed:
            expected = (0,) if known.data == Path("rows.csv").resolve().stem else (1,)
        assert said.code in expected, (what, said)
        assert self.model.files() == before

    def _said(self, kind: str, arguments: list[str], *, here: bool = True) -> Said:
        _STEPS[kind] += 1
        said = command(arguments, here=here)
        lines = [line for line in said.err.splitlines() if not line.startswith("triptych: note: ")]
        stays = kind == "delete" and " stays: " in said.out  # the list says which
        assert len(lines) == (said.code not in (0, 1) and not stays), said
        return said

    def _places(self, *some: Files) -> list[Place]:
        """Return the runs of which there are files."""
        found = {tuple(name.split("/")[1:3]) for files in some for name in files if "runs/" in name}
        return sorted((arm, int(text.removeprefix("seed-"))) for arm, text in found)


def _without(files: Files, names: set[str]) -> Files:
    return {name: content for name, content in files.items() if name not in names}


def _differing(one: Files, other: Files) -> list[str]:
    return sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))


def live(examples: int, steps: int, number: int, *, shrink: bool = True) -> None:
    """Draw so many lives of so many steps at most; raises what goes wrong."""
    machine = seed(number)(type("Life", (LifeOfAFolder,), {}))
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            phases=phases, suppress_health_check=list(HealthCheck), print_blob=False,
            report_multiple_bugs=False,
        ),
    )  # fmt: skip


def prepare() -> Path:
    """Go to a folder with the studies and their data; return it."""
    stand_still()
    references.time = loop.time  # which stands still
    tell_who_holds()
    Rhythm.is_due = lambda self: True
    home = Path(tempfile.mkdtemp(prefix="life-", dir=_memory()))
    os.chdir(home)
    write_studies(home)
    time.sleep(2.1)  # files that were just written are not taken for what they were
    return home


def main() -> int:
    """Do what is asked; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--steps", type=int, default=30, help="of an example, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--broken", nargs="*", choices=BREAKS, default=None,
                        help="also what must be caught: all of it, or these")  # fmt: skip
    asked = parser.parse_args()
    home, started = prepare(), time.monotonic()
    try:
        live(asked.examples, asked.steps, asked.seed)
        print(json.dumps({"examples": asked.examples, "steps": _STEPS.total(), **_STEPS,
                          "seconds": round(time.monotonic() - started, 1)}))  # fmt: skip
        broken = [] if asked.broken is None else asked.broken or BREAKS
        missed = [name for name in broken if not is_caught(name)]
    finally:
        os.chdir("/")
        shutil.rmtree(home)
    return 1 if missed else 0


def is_caught(name: str) -> bool:
    """Break something in a fork of this process, and return whether it is found there."""
    started, child = time.monotonic(), os.fork()
    if child == 0:
        code, found = 1, ""
        try:
            BREAKS[name]()
            live(_EXAMPLES_OF_BROKEN, 20, 0, shrink=False)
        except Exception as error:  # also one of a command that should have ended with a code
            code, found = 0, f"{type(error).__name__}: {error}".partition("\n")[0]
        finally:
            seconds = time.monotonic() - started
            word = "NOT CAUGHT" if code else "caught"
            print(f"{name:24}{word} {seconds:6.1f} s  {found[:120]}", flush=True)
            os._exit(code)
    return ended(child) == 0


if __name__ == "__main__":
    sys.exit(main())
