"""Feed damaged and hostile files to every reader of Triptych: it must say no, and nothing else.

``python tests/faults/fuzzer.py --files 20000`` fuzzes every format, a batch of files in each forked
process. Of each file it asserts that

- it is read, or refused by an error raised on purpose: exit code 0 or 2 to 6, one line and no
  traceback;
- nothing hangs: 10 seconds, 30 where a command trains or draws; nothing dies of a signal;
- the process takes at most 256 MB more than before the batch;
- nothing in the file runs: what would make a file `harmed` has not, a canary is as it was;
- nothing that is printed holds what a terminal obeys.

A fault is printed with what makes it again: ``--format csv --only 123``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzz_bytes import HARMED, TOKENS
from fuzz_controls import BROKEN, broken
from fuzz_formats import make_home
from fuzz_readers import Format

CODES = (0, 2, 3, 4, 5, 6)
HANG_SECONDS, MOST_BYTES = 10, 256_000_000
BATCH = 200
# So much address space that a lie is refused by the machine before it is by the measure.
_SPACE = 8 << 30
_NAMES = (
    "\x1b[31m", "<img src=x onerror=alert(1)>", "=cmd()", "a\nb", "\u202egnp", "a" * 200,
    "%2e%2e%2f", "'\"`$(touch harmed)", " ", "-rf", "[red]", "{0}", "\udcff",
)  # fmt: skip


@dataclass
class Tally:
    """What became of the files of one format."""

    codes: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    peak: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many there were."""
        return sum(self.codes.values()) + len(self.faults)


def drawn(one: Format, seed: int, k: int, others: Sequence[bytes]) -> tuple[str, bytes]:
    """Return file `k` of a format: its name and what it holds."""
    draw = Random(f"{seed} {one.name} {k}")
    name, content = one.drawn(draw, others)
    if draw.random() < 0.05:
        name = draw.choice(_NAMES) + name
    return name, content


def read(
    one: Format, k: int, name: str, content: bytes, patience: float = 1.0
) -> dict[str, object]:
    """Read one file in this process, and return what became of it."""
    if one.place:
        path = Path(one.place)
    else:
        path = Path(f"f{k}-{name}") if not name.startswith("-") else Path("./" + name)
    path.parent.mkdir(exist_ok=True)
    before = path.read_bytes() if one.place and path.exists() else None
    path.write_bytes(content)
    reader = one.readers[k % len(one.readers)]
    _forget_peak()
    begin = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, patience * HANG_SECONDS)
    try:
        code, fault = _watched(reader, path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        seconds = time.monotonic() - begin
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    return {"code": code, "fault": fault or _harm(), "seconds": seconds, "peak": _memory("VmHWM")}


def _watched(reader, path: Path) -> tuple[int, str]:
    """Return the exit code of a reader, and what is wrong with how it ended or what it said."""
    # As strict as a terminal's: what cannot be written must not be.
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", newline="")
    code = -1
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = reader(path)
            out.flush()
    except BaseException:
        return code, traceback.format_exc(limit=-6)
    err.flush()
    said, told = (s.buffer.getvalue().decode("utf-8") for s in (out, err))
    if code not in CODES:
        return code, f"exit code {code}: {told[-300:]}"
    errors = [line for line in told.splitlines() if not line.startswith("triptych: note: ")]
    if len(errors) > (code != 0) or "Traceback" in told:
        return code, f"it says more than a line: {told[-1000:]!r}"
    if code and not errors:
        return code, "it does not say why"
    obeyed = {
        c for c in said + told if c not in "\n\r\t" and unicodedata.category(c) in ("Cc", "Cf")
    }
    if obeyed:
        return code, f"it prints {sorted(obeyed)!r}: {(said + told)[-400:]!r}"
    return code, ""


def _harm() -> str:
    if Path(HARMED).exists():
        Path(HARMED).unlink()
        return "what was in the file was run"
    return "" if Path("canary").read_text() == "alive" else "the canary was touched"


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _memory(name: str) -> int:
    """Return a figure of this process's memory, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def _child(one: Format, seed: int, wanted: Sequence[int], others: Sequence[bytes], to: int) -> None:
    """Read files, and write a line of JSON for each."""
    with os.fdopen(to, "w") as pipe:
        # What is loaded or compiled once is no file's memory.
        for name, content in one.seeds.items():
            found = (read(one, k, name, content, 9.0) for k in range(len(one.readers)))
            whole = [end["code"] for end in found]
            assert 0 in whole or name.startswith("pickled"), f"nobody reads {name}: {whole}"
        space = _memory("VmSize") + _SPACE
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        idle = _memory("VmRSS")
        for k in wanted:
            found = read(one, k, *drawn(one, seed, k, others), 3.0 if one.slow else 1.0)
            found["peak"] = max(0, found["peak"] - idle)  # type: ignore[operator]
            pipe.write(json.dumps({"k": k, **found}) + "\n")
            pipe.flush()


def batch(
    one: Format, seed: int, wanted: Sequence[int], others: Sequence[bytes]
) -> Iterator[dict[str, object]]:
    """Read files in a process of their own; another goes on after one that it died of."""
    left = list(wanted)
    while left:
        come, to = os.pipe()
        child = os.fork()
        if not child:
            os.close(come)
            status = 1
            try:
                _child(one, seed, left, others, to)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(to)
        with os.fdopen(come) as pipe:
            for line in pipe:
                found = json.loads(line)
                left.remove(found["k"])
                yield found
        _, status = os.waitpid(child, 0)
        if not left:
            return
        died = os.waitstatus_to_exitcode(status)
        fault = f"nothing for {HANG_SECONDS} s" if died == -signal.SIGALRM else f"it died: {died}"
        yield {"k": left.pop(0), "code": -1, "fault": fault, "seconds": 0.0, "peak": 0}


def count(one: Format, tally: Tally, found: dict) -> None:
    """Take note of what became of one file."""
    tally.slowest = max(tally.slowest, found["seconds"])
    tally.peak = max(tally.peak, found["peak"])
    fault = found["fault"]
    if not fault and found["peak"] > MOST_BYTES:
        fault = f"{found['peak'] / 1e6:.0f} MB more than idle"
    if fault:
        tally.faults.append(f"--format {one.name!r} --only {found['k']}\n{fault}")
    else:
        tally.codes[found["code"]] += 1


def parts_of(formats: Sequence[Format]) -> list[bytes]:
    """Return what is put into files of other formats."""
    return [*TOKENS[-8:], *(content for one in formats for content in one.seeds.values())]


def fuzz(
    formats: Sequence[Format],
    others: Sequence[bytes],
    files: int,
    seed: int,
    only: int | None = None,
) -> dict[str, Tally]:
    """Fuzz formats in turn, `files` of all together; of slow ones a tenth of what others get."""
    shares = {one.name: 0.1 if one.slow else 1.0 for one in formats}
    each = files / sum(shares.values())
    tallies = {one.name: Tally() for one in formats}
    for one in formats:
        n = max(1, round(each * shares[one.name]))
        wanted = range(n) if only is None else [only]
        for start in range(0, len(wanted), BATCH):
            for found in batch(one, seed, wanted[start : start + BATCH], others):
                count(one, tallies[one.name], found)
    return tallies


def with_some_slow(formats: Sequence[Format], count: int, seed: int) -> list[Format]:
    """Return all formats that are read quickly, and some of the others."""
    slow = [one for one in formats if one.slow]
    chosen = Random(seed).sample(slow, min(count, len(slow)))
    return [one for one in formats if not one.slow or one in chosen]


def missed_controls(seed: int) -> list[str]:
    """Fuzz readers that are broken on purpose; return those in which nothing was found."""
    global HANG_SECONDS
    HANG_SECONDS, before = 3, HANG_SECONDS
    missed = []
    for name, (_, words) in BROKEN.items():
        found = fuzz([broken(name)], [b"x"], 2, seed)[name].faults
        if len(found) != 2 or any(words not in fault for fault in found):
            missed.append(f"{name}: {found}")
        Path("canary").write_text("alive")
    HANG_SECONDS = before
    return missed


def shown(tallies: dict[str, Tally]) -> str:
    """Return what became of all files, as a table."""
    names = ("format", "files", "clean", *(f"exit {code}" for code in CODES[1:]), "faults")
    rows = [
        (name, t.files, *(t.codes[code] for code in CODES), len(t.faults), t.slowest, t.peak / 1e6)
        for name, t in tallies.items()
    ]
    most = (max(row[k] for row in rows) for k in (-2, -1))
    rows.append(("all", *(sum(row[k] for row in rows) for k in range(1, len(names))), *most))
    table = [(*names, "slowest s", "peak MB")]
    table += [(*map(str, row[:-2]), f"{row[-2]:.2f}", f"{row[-1]:.0f}") for row in rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table
    )


@contextlib.contextmanager
def home(folder: Path) -> Iterator[list[Format]]:
    """Work in a folder that has what the readers need."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        Path("canary").write_text("alive")
        yield make_home(folder)
    finally:
        os.chdir(before)


def main() -> int:
    """Fuzz, say what became of it, and return 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=2000, help="of all formats together")
    parser.add_argument("--format", action="append", help="only this one; repeatable")
    parser.add_argument("--slow", type=int, help="of slow formats only so many, drawn by the seed")
    parser.add_argument("--only", type=int, help="only the file of this number")
    parser.add_argument("--seed", type=int, default=0, help="other files")
    parser.add_argument(
        "--keep", action="store_true", help="with --only: write the file here, as 'fuzzed'"
    )
    options = parser.parse_args()
    start = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, home(Path(folder)) as formats:
        missed = missed_controls(options.seed) if options.only is None else []
        others = parts_of(formats)
        formats = [one for one in formats if not options.format or one.name in options.format]
        if options.slow is not None:
            formats = with_some_slow(formats, options.slow, options.seed)
        begin = time.monotonic()
        tallies = fuzz(formats, others, options.files, options.seed, options.only)
        if options.keep and options.only is not None:
            for one in formats:
                (start / "fuzzed").write_bytes(drawn(one, options.seed, options.only, others)[1])
        seconds = time.monotonic() - begin
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    print(*faults, sep="\n\n", end="\n\n" if faults else "")
    print(shown(tallies))
    print(f"{seconds:.0f} s, seed {options.seed}")
    print(f"broken readers found: {len(BROKEN) - len(missed)} of {len(BROKEN)}", *missed, sep="\n")
    return bool(faults or missed)


if __name__ == "__main__":
    sys.exit(main())
