"""Every format that Triptych reads: whole files of it, how to damage one, and who reads it.

A reader is what users call: the command line, in this process; where a command would train, or
would want 180 MB of pictures, the function behind it.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import safetensors.numpy
from fuzz_bytes import in_gzip, in_json, in_png, in_safetensors, in_zip, mutated
from PIL import Image

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS), str(_TESTS / "saved")]
from drawn_models import drawn_model, fill_folder, table_text, words_text

from kept_study import KEPT
from triptych.cli.main import _guarded, _one_line
from triptych.data import cifar10
from triptych.errors import TriptychError
from triptych.spec import Cifar10Spec, FolderSpec, SequenceFileSpec, TableSpec

Change = Callable[[bytes, Sequence[bytes], Random], bytes]
Reader = Callable[[Path], int]
"""Reads a file, and returns the exit code; whatever else happens to it is a fault."""

RECORDS = 12
_STUDY = """\
title = "fuzzed"
[data]
{data}
[arm.one]
network = {{ kind = "{kind}", {size} }}
train = {{ epochs = 1 }}
"""
_TABLE = """\
source = "table"
path = {path}
target = "kind"
missing = "fill"
"""


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes
    ----------
    name : str
    seeds : dict of str to bytes
        Whole files, by names whose endings count.
    readers : tuple of Reader
        They take turns.
    repaired : dict of str to Change
        By ending: damage within, behind checksums and lengths that are right.
    place : str
        Where a file must stand for its readers; absent: under a name of its own.
    slow : bool
        Whether few files of it are to be tried: to read one takes a large part of a second.
    """

    name: str
    seeds: dict[str, bytes]
    readers: tuple[Reader, ...]
    repaired: dict[str, Change]
    place: str = ""
    slow: bool = False

    def drawn(self, draw: Random, others: Sequence[bytes]) -> tuple[str, bytes]:
        """Return the name of a seed, and what became of it."""
        name = draw.choice(sorted(self.seeds))
        change = self.repaired.get(Path(name).suffix)
        if change is None or draw.random() < 0.4:
            change = mutated
        return name, change(self.seeds[name], others, draw)


def command(*arguments: object) -> int:
    """Run a command in this process, and return its exit code."""
    return _guarded([str(one) for one in arguments])


def called(function: Callable[[], object]) -> int:
    """Call a function as the command line does."""
    try:
        function()
    except TriptychError as error:
        print(f"triptych: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    return 0


def make_home(home: Path) -> list[Format]:
    """Fill the current folder, `home`, with what readers need, and return all formats."""
    (home / "t.csv").write_text(table_text())
    fill_folder(home / "pets")
    (home / "words.txt").write_text(words_text())
    models = {
        "table": TableSpec(path="t.csv", target="kind", ignore=("who",)),
        "folder": FolderSpec(path="pets"),
        "words": SequenceFileSpec(path="words.txt"),
        "steps": SequenceFileSpec(path="steps.csv"),
        "numbers": SequenceFileSpec(path="numbers.jsonl"),
    }
    (home / "steps.csv").write_text(_steps())
    (home / "numbers.jsonl").write_text(_json_lines([[[k * 0.5, 1.0]] * 2 for k in range(10)]))
    for name, spec in models.items():
        drawn_model(spec)[0].save(f"{name}.safetensors")
    return [
        *_tables(home), _pictures(), _labels(home), *_cifar10(home), *_sequences(),
        _studies(home), _models(home), *_run_folders(home), *_checkpoints(),
    ]  # fmt: skip


# Tables


def _tables(home: Path) -> Iterable[Format]:
    import pyarrow as pa
    from pyarrow import parquet

    text = table_text(40)
    rows = [line.split(",") for line in text.splitlines()]
    columns = dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))
    numbers = {name: np.array(columns[name], float) for name in "ab"}
    texts = {name: np.array(columns[name]) for name in ("city", "who", "kind")}
    days = np.datetime64("2026-01-01") + np.arange(40)
    readers = (
        lambda path: command("predict", "table.safetensors", path),
        lambda path: command("evaluate", "table.safetensors", path),
        lambda path: _checked(_TABLE.format(path=_quoted(path)), "mlp", "hidden = [3]"),
        lambda path: command("init", path, "--target", "kind", "--out", "made.toml", "--force"),
    )
    csv = {
        "t.csv": text, "t.tsv": text.replace(",", "\t"),
        "quoted.csv": '"a","b",city,who,kind\n' + "".join(
            f'{k},-{k}.5,"R, ""S""",p{k},x\n{k},1e{k},S,p1,"y\n"\n' for k in range(9)
        ),
        "gaps.csv": "a,b,city,who,day,kind\n" + "".join(
            f"{k},,R,p,2026-01-1{k},x\n,{k},,q,2026-01-03T1{k}:00,y\n" for k in range(9)
        ),
    }  # fmt: skip
    yield Format("csv", {name: one.encode() for name, one in csv.items()}, readers, {})
    found = {}
    for name, packing in (("plain", "none"), ("snappy", "snappy"), ("zstd", "zstd")):
        out = io.BytesIO()
        table = pa.table({**numbers, **texts, "day": days, "list": [[1]] * 40})
        parquet.write_table(
            table if name == "zstd" else table.drop(["list"]), out, compression=packing,
            use_dictionary=name != "plain", row_group_size=20,
        )  # fmt: skip
        found[f"{name}.parquet"] = out.getvalue()
    yield Format("parquet", found, readers, {})
    found = {}
    for name, save in (("stored", np.savez), ("packed", np.savez_compressed)):
        out = io.BytesIO()
        save(out, **numbers, **texts, day=days, x=np.asfortranarray(np.ones((40, 3))))
        found[f"{name}.npz"] = out.getvalue()
    out = io.BytesIO()
    np.savez(out, a=np.array([{}, 1], object), b=np.ones(2))
    found["pickled.npz"] = out.getvalue()
    yield Format("npz", found, readers, {".npz": in_zip})


def _checked(data: str, kind: str = "rnn", size: str = "hidden = 3") -> int:
    """Check a study of some data, training nothing."""
    Path("checked.toml").write_bytes(
        _STUDY.format(data=data, kind=kind, size=size).encode("utf-8", "surrogateescape")
    )
    return command("check", "checked.toml", "--no-trial")


def _quoted(path: object) -> str:
    """Return a path as TOML writes a text, whatever is in it."""
    escaped = (c if c.isalnum() or c in "/.-_" else f"\\U{ord(c):08X}" for c in str(path))
    return f'"{"".join(escaped)}"'


# Pictures


def _pictures() -> Format:
    x = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    rgb = Image.fromarray(x)
    kinds = {
        "rgb.png": rgb, "grey.png": rgb.convert("L"), "palette.png": rgb.convert("P"),
        "alpha.png": rgb.convert("RGBA"), "deep.png": Image.fromarray(x[...,
        0].astype("<u2") * 257),
        "rgb.jpg": rgb, "cmyk.jpg": rgb.convert("CMYK"), "rgb.bmp": rgb, "palette.gif": rgb,
        "rgb.webp": rgb, "rgb.ppm": rgb, "bits.pbm": rgb.convert("1"),
    }  # fmt: skip
    seeds = {}
    turned = Image.Exif()
    turned[0x0112] = 6
    for name, picture in kinds.items():
        out = io.BytesIO()
        form = {".jpg": "jpeg", ".pbm": "ppm"}.get(Path(name).suffix, Path(name).suffix[1:])
        more = {"exif": turned} if name in ("rgb.jpg", "alpha.png", "rgb.webp") else {}
        picture.save(out, form, **more)
        seeds[name] = out.getvalue()
    seeds["plain.ppm"] = b"P3\n# c\n8 8\n255\n" + b"1 2 3 " * 64
    readers = (
        lambda path: command("predict", "folder.safetensors", path),
        lambda path: _among_pets(path, ""),
        lambda path: _among_pets(path, "skip_bad = true\nsize = [8, 8]"),
    )
    return Format("pictures", seeds, readers, {".png": in_png})


def _among_pets(path: Path, more: str) -> int:
    held = Path("pets/cat") / path.name
    shutil.copy(path, held)
    try:
        vgg = "channels = [4], pool_after = []"
        return _checked(f'source = "folder"\npath = "pets"\n{more}', "cnn", vgg)
    finally:
        held.unlink()


def _labels(home: Path) -> Format:
    flat = home / "flat"
    fill_folder(home / "more", each=3)
    flat.mkdir()
    names = []
    for path in sorted((home / "more").glob("*/*.png")):
        names.append(f"{path.parent.name}{path.name}")
        shutil.copy(path, flat / names[-1])
    text = "file,label\n" + "".join(f"{name},{name[:3]}\n" for name in names)
    readers = (
        lambda path: _checked('source = "folder"\npath = "flat"\nlabels = "labels.csv"'),
        lambda path: command("init", "flat", "--out", "made.toml", "--force"),
    )
    return Format("labels", {"labels.csv": text.encode()}, readers, {}, "flat/labels.csv")


def _cifar10(home: Path) -> Iterable[Format]:
    """Give CIFAR-10 as its binary files and as their archive, of a few records each."""
    cifar10.RECORDS = RECORDS
    folder = home / cifar10.FOLDER
    folder.mkdir()
    draw = np.random.default_rng(0)
    content = b""
    for name in cifar10.FILES:
        records = draw.integers(0, 256, (RECORDS, cifar10.RECORD_BYTES), dtype=np.uint8)
        records[:, 0] %= 10
        content = records.tobytes()
        (folder / name).write_bytes(content)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in cifar10.FILES:
            tar.add(folder / name, f"{cifar10.FOLDER}/{name}")
        for name, kind in (("x", tarfile.SYMTYPE), ("../up", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)

    def load(path: Path) -> int:
        cifar10._read_all.cache_clear()
        return called(lambda: cifar10.load_cifar10(Cifar10Spec(), 0, home))

    def unpack(path: Path) -> int:
        with_name = home / "unpacked"
        try:
            return called(lambda: cifar10.unpack(path, with_name))
        finally:
            shutil.rmtree(with_name, ignore_errors=True)

    yield Format("cifar10", {"b.bin": content}, (load,), {}, f"{cifar10.FOLDER}/data_batch_2.bin")
    packed = {"c.tar.gz": gzip.compress(out.getvalue(), 1)}
    yield Format("cifar10 archive", packed, (unpack,), {".gz": in_gzip})


# Sequences


def _steps() -> str:
    lines = ["id,time,u,v,label"]
    lines += [
        f"s{k},{t},{t * 0.5:.1f},{k - t},{'ab'[k % 2]}" for k in range(10) for t in range(2 + k % 3)
    ]
    return "\n".join(lines) + "\n"


def _json_lines(sequences: Sequence[object]) -> str:
    records = ({"label": "ab"[k % 2], "sequence": one} for k, one in enumerate(sequences))
    return "".join(f"{json.dumps(record)}\n" for record in records)


def _sequences() -> Iterable[Format]:
    x = {
        "w.jsonl": [f"{k}abcab"[: 2 + k % 3] for k in range(10)],
        "n.jsonl": [[[k * 0.5, 1.0]] * (1 + k % 3) for k in range(10)],
        "i.json": [[k, 2, 3] for k in range(10)],
    }
    texts = {"w.txt": words_text(), "w.tsv": words_text(), "s.csv": _steps()}
    texts |= {name: _json_lines(sequences) for name, sequences in x.items()}
    models = {".csv": "steps", ".jsonl": "numbers", ".json": "numbers"}

    def predict(path: Path, what: str = "predict") -> int:
        return command(what, f"{models.get(path.suffix, 'words')}.safetensors", path)

    readers = (
        predict,
        lambda path: predict(path, "evaluate"),
        lambda path: _checked(f'source = "sequences"\npath = {_quoted(path)}'),
        lambda path: command("init", path, "--out", "made.toml", "--force"),
    )
    json_lines = {".jsonl": in_json, ".json": in_json}
    yield Format("sequences", {n: t.encode() for n, t in texts.items()}, readers, json_lines)


# Studies, models, runs


def _studies(home: Path) -> Format:
    from triptych.spec import read_study, write_study
    from triptych.studies import find_study, shipped

    seeds = {f"{name}.toml": write_study(find_study(name)).encode() for name in shipped()}
    seeds["fuzzed.toml"] = _STUDY.format(
        data='source = "table"\npath = "t.csv"\ntarget = "kind"', kind="mlp", size="hidden = [3]"
    ).encode()
    readers = (lambda path: called(lambda: write_study(read_study(path))),)
    return Format("study", seeds, readers, {})


def _models(home: Path) -> Format:
    seeds = {path.name: path.read_bytes() for path in home.glob("*.safetensors")}
    readers = (
        lambda path: command("inspect", path),
        lambda path: command("inspect", path, "--json"),
        lambda path: command("predict", path, "t.csv"),
        lambda path: command("predict", path, "words.txt"),
        lambda path: command("predict", path, "pets"),
    )
    return Format("model", seeds, readers, {".safetensors": in_safetensors})


def _run_folders(home: Path) -> Iterable[Format]:
    """Give each file of a study's folder, read by lists and by the page."""
    from triptych.records import RunFolder
    from triptych.runner import read_result

    (home / "kept.toml").write_text(KEPT)
    # In a process of its own: what draws the page begins threads, and forks have none of them.
    run_it = [sys.executable, "-m", "triptych", "run", "kept.toml", "--out", "kept"]
    subprocess.run(run_it, check=True, capture_output=True)
    (home / "kept/matched.json").write_text("{}")
    (home / "kept/stopped.json").write_text('{"why": "decided"}')
    run = "kept/runs/narrow/seed-0"
    readers = (
        lambda path: command("runs", "kept"),
        lambda path: command("runs", "kept", "--json"),
        lambda path: command("runs", "compare", run, "kept/runs/wide/seed-0"),
        lambda path: called(lambda: read_result(Path("kept")).to_dict()),
    )
    page = (lambda path: command("report", "kept"),)
    weights = (lambda path: called(RunFolder(Path(run)).weights),)
    for place in (
        f"{run}/result.json", f"{run}/metrics.jsonl", f"{run}/environment.json",
        f"{run}/findings.json", f"{run}/spec.json", "kept/study.toml", "kept/matched.json",
        "kept/stopped.json", "kept/report.json", f"{run}/weights.safetensors",
    ):  # fmt: skip
        name = Path(place).name
        seed = {name: (home / place).read_bytes()}
        repaired = {".json": in_json, ".jsonl": in_json, ".safetensors": in_safetensors}
        reads = weights if name.startswith("weights") else readers
        yield Format(name, seed, reads, repaired, place)
        if name in ("result.json", "findings.json", "metrics.jsonl"):
            yield Format(f"{name} on a page", seed, page, repaired, place, slow=True)


def _checkpoints() -> Iterable[Format]:
    """Give the checkpoint of a run under way."""
    from triptych.contracts import State
    from triptych.records import checkpoints as kept

    state = State({"w": np.ones((3, 2)), "m": np.zeros(4, np.float32)}, {"epoch": 2, "loss": 0.5})
    seed = kept.packed(
        kept.Checkpoint(
            spec="a" * 64, fingerprint="b" * 64, environment={"cpu": "x"}, step=3, state=state,
            **kept.log_until(b""),
        )
    )  # fmt: skip

    def rehashed(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
        """Return a checkpoint of which the text was changed, with the hash that it then has."""
        arrays = safetensors.numpy.load(content)
        length = int.from_bytes(content[:8], "little")
        text = json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"]
        text = in_json(text.encode(), others, draw).decode("utf-8", "replace")
        hashed = {"checkpoint": text, "sha256": kept._digest(text, arrays)}
        return safetensors.numpy.save(arrays, hashed)

    def newest(path: Path) -> int:
        Path("log").write_bytes(b"")
        return called(lambda: kept.Checkpoints(path.parent, Path("log")).newest())

    name = kept.CHECKPOINT_FILES[0]
    repaired = {Path(name).suffix: rehashed}
    yield Format("checkpoint", {name: seed}, (newest,), repaired, f"under-way/{name}")
