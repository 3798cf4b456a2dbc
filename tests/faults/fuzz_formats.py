"""Every format that Triptych reads: whole files of it, how to damage one, and who reads it.

A reader is what users call: the command line, in this process; where a command would train, or
would want 180 MB of pictures, the function behind it.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from fuzz_bytes import in_gzip, in_json, in_png, in_safetensors, in_zip
from fuzz_readers import Format, called, command
from fuzz_runs import run_formats
from fuzz_training import training_formats
from PIL import Image

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS), str(_TESTS / "saved")]
from drawn_models import drawn_model, fill_folder, table_text, words_text

from triptych.data import cifar10
from triptych.spec import Cifar10Spec, FolderSpec, SequenceFileSpec, TableSpec

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
    found = [
        *_tables(home), _pictures(), _labels(home), *_cifar10(home), *_sequences(),
        _studies(home), _models(home),
    ]  # fmt: skip
    seeds = {name: content for one in found for name, content in one.seeds.items()}
    return [*found, *training_formats(home, seeds, _among_pets), *run_formats(home)]


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
        lambda path: _among_pets(path, lambda: command("evaluate", "folder.safetensors", "pets")),
        lambda path: _among_pets(path, lambda: _checked_pets("")),
        lambda path: _among_pets(path, lambda: _checked_pets("skip_bad = true\nsize = [8, 8]")),
    )
    return Format("pictures", seeds, readers, {".png": in_png})


def _among_pets(path: Path, use: Callable[[], int]) -> int:
    """Use the folder of pets while a picture is in it."""
    held = Path("pets/cat") / path.name
    shutil.copy(path, held)
    try:
        return use()
    finally:
        held.unlink()


def _checked_pets(more: str) -> int:
    vgg = "channels = [4], pool_after = []"
    return _checked(f'source = "folder"\npath = "pets"\n{more}', "cnn", vgg)


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
        lambda path: command("evaluate", path, "t.csv"),
        lambda path: command("export", path, "--onnx", "made.onnx"),
    )
    return Format("model", seeds, readers, {".safetensors": in_safetensors})
