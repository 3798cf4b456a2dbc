"""Known attacks on programs that read files of others, replayed: none has an effect.

Each shape is a file that `attack_shapes.py` makes, and the command that users give it to. It must
end with its exit code and one line, within seconds and within memory; nothing in it is run, and no
file anywhere is made, changed or lost.
"""

import csv
import io
import json
import os
import resource
import shutil
import signal
import stat
import sys
import tarfile
import time
from functools import partial
from pathlib import Path

import attack_shapes as made
import pytest
from fuzz_bytes import HARMED, PICKLE

from triptych import cli
from triptych.data import cifar10
from triptych.errors import DataError, UnsafeFileError
from triptych.spec import FolderSpec, SequenceFileSpec, TableSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "saved"))
from drawn_models import drawn_model, fill_folder, table_text, words_text

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory in /proc, pipes, devices")
MOST_BYTES, MOST_SECONDS = 200_000_000, 5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, trained_once):
    """Return a folder with data, models of them, and the folder of a study."""
    home = tmp_path_factory.mktemp("prepared")
    before = Path.cwd()
    os.chdir(home)
    try:
        (home / "t.csv").write_text(table_text())
        fill_folder(home / "pets")
        (home / "words.txt").write_text(words_text())
        models = {
            "table": TableSpec(path="t.csv", target="kind", ignore=("who",)),
            "folder": FolderSpec(path="pets"),
            "words": SequenceFileSpec(path="words.txt"),
        }
        for name, spec in models.items():
            drawn_model(spec)[0].save(f"{name}.safetensors")
        shutil.copytree(trained_once, home / "kept")
        # What is loaded once is no file's memory.
        made.zipped("good.npz", made.GOOD)
        for model, data in (("table", "t.csv"), ("table", "good.npz"), ("folder", "pets")):
            with pytest.raises(SystemExit) as left:
                cli.main(["predict", f"{model}.safetensors", data])
            assert left.value.code == 0
    finally:
        os.chdir(before)
    return home


@pytest.fixture
def struck(prepared, tmp_path, monkeypatch, capsys):
    """Return what makes a hostile file, gives it to a command, and looks at all that came of it."""
    home = Path(shutil.copytree(prepared, tmp_path / "home"))
    (tmp_path / "canary").write_text("alive")
    monkeypatch.chdir(home)

    def strike(make, command, code, says, own=()):
        made_by = make()
        assert made_by is None
        before = state_of(tmp_path, own)
        Path("/proc/self/clear_refs").write_text("5")
        idle, begin = memory("VmRSS"), time.process_time()
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(4 * MOST_SECONDS)
        whole = resource.getrlimit(resource.RLIMIT_AS)
        # So that one that reads for ever ends by itself, and not the machine.
        resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + (4 << 30), whole[1]))
        try:
            with pytest.raises(SystemExit) as left:
                cli.main(command.split())
        finally:
            signal.alarm(0)
            resource.setrlimit(resource.RLIMIT_AS, whole)
        assert time.process_time() - begin < MOST_SECONDS
        assert memory("VmHWM") - idle < MOST_BYTES
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if not line.startswith("triptych: note: ")]
        assert left.value.code == code, err
        assert len(lines) == (code != 0), err
        assert says in (lines[0] if code else out + err), err
        assert all(line.isprintable() for line in (out + err).splitlines())
        assert state_of(tmp_path, own) == before
        assert not Path(HARMED).exists()
        return out, err

    return strike


def too_long(*_):
    raise AssertionError(f"nothing for {4 * MOST_SECONDS} s")


def memory(name):
    status = Path("/proc/self/status").read_text()
    return next(int(t.split()[1]) * 1024 for t in status.splitlines() if t.startswith(f"{name}:"))


def state_of(folder, own):
    """Return every file below a folder: kind, size, time of change; but for a command's own."""
    paths = [path for path in folder.rglob("*") if path.stem not in own]
    found = {str(path): path.lstat() for path in paths if "events" not in path.parts}
    return {name: (one.st_mode, one.st_size, one.st_mtime_ns) for name, one in found.items()}


def shapes(*rows):
    """Return parameters (make, command, code, says), called by what makes them."""
    return pytest.mark.parametrize(
        ("make", "command", "code", "says"), [pytest.param(*row, id=called(row)) for row in rows]
    )


def called(row):
    make, command = row[0], row[1]
    name = getattr(make, "func", make).__name__
    arguments = "-".join(str(a)[:30] for a in getattr(make, "args", ()) if not isinstance(a, bytes))
    return " ".join(part for part in (name, arguments, command.split()[0]) if part)


PREDICT = "predict table.safetensors"
put = made.write


@linux
@pytest.mark.fault(33)
@shapes(
    (made.torch_archive, "predict m.pt t.csv", 5, "pickled code, which is never read"),
    (made.torch_archive, "inspect m.pt", 5, "pickled code, which is never read"),
    (made.torch_legacy_tar, "predict m.pt t.csv", 5, "no model of Triptych's"),
    (partial(put, "m.pkl", PICKLE), "export m.pkl --onnx m.onnx", 5, "pickled code"),
    (partial(put, "m.safetensors", PICKLE), "evaluate m.safetensors t.csv", 5, "pickled code"),
    (partial(made.torch_archive, "m.safetensors"), "predict m.safetensors t.csv", 5, "pickled"),
    (partial(made.pickle_of_protocol_0, "m.safetensors"), "inspect m.safetensors", 5, "no model"),
    (made.joblib_file, "predict m.joblib t.csv", 5, "no model of Triptych's"),
    (made.skops_archive, "predict m.skops t.csv", 5, "pickled code"),
    (made.keras_archive, "predict m.keras t.csv", 5, "pickled code"),
    (made.object_array, f"{PREDICT} t.npz", 5, "contains pickled code, which is never run"),
    (made.object_array, "train t.npz", 5, "contains pickled code, which is never run"),
    (made.record_of_objects, f"{PREDICT} t.npz", 5, "contains pickled code"),
    (partial(put, "t.npz", PICKLE), f"{PREDICT} t.npz", 5, "contains pickled code"),
    (partial(put, "t.npz", made.npy(made.np.array([{}], object))), f"{PREDICT} t.npz", 3,
     "no whole .npz file"),
    (made.code_in_an_array_header, f"{PREDICT} t.npz", 3, "no whole .npz file"),
    (partial(put, "x.csv", PICKLE), f"{PREDICT} x.csv", 3, "x.csv"),
    (partial(made.pickle_of_protocol_0, "x.csv"), f"{PREDICT} x.csv", 3, "x.csv"),
    (partial(put, "x.parquet", PICKLE), f"{PREDICT} x.parquet", 3, "no whole Parquet file"),
    (made.arrow_extension_type, f"{PREDICT} t.parquet", 0, "prediction"),
    (partial(put, "x.jsonl", PICKLE), "init x.jsonl --out s.toml", 3, "x.jsonl"),
    (partial(put, "p.png", PICKLE), "predict folder.safetensors p.png", 3, "not a picture"),
    (partial(put, "s.toml", PICKLE), "check s.toml", 2, "s.toml: not UTF-8"),
    (made.yaml_study, "check s.toml", 2, "no valid TOML"),
    (made.pickled_weights, "runs compare kept/narrow/seed-0 kept/wide/seed-0", 4, "pickled code"),
)  # fmt: skip
def test_33_pickles_are_never_read(struck, make, command, code, says):
    struck(make, command, code, says)


@linux
@pytest.mark.fault(33)
def test_33_a_run_does_not_go_on_from_a_pickle(struck):
    says = "checkpoint-a.safetensors and checkpoint-b.safetensors are damaged"
    struck(
        made.pickled_checkpoint,
        "run kept/study.toml --out kept",
        4,
        says,
        ("lock", "kept", "study"),
    )


MODEL = "predict m.safetensors t.csv"


@linux
@pytest.mark.fault(34)
@shapes(
    (made.overlapping_tensors, MODEL, 5, "overlaps"),
    (made.hole_between_tensors, MODEL, 5, "gap"),
    (made.zip_behind_tensors, MODEL, 5, "follow the header"),
    (partial(made.header_of, 2**63), MODEL, 5, "has been cut"),
    (partial(made.header_of, 1001), MODEL, 5, "1 follow the header"),
    (made.shape_that_wraps, MODEL, 5, "does not fit its data_offsets"),
    (made.terabytes_of_holes, MODEL, 5, "at most 4,294,967,296 are read"),
    (made.key_twice, MODEL, 5, "is there twice"),
    (made.extra_tensor, MODEL, 5, "is none of its network's"),
    (made.missing_tensor, MODEL, 5, "is missing"),
    (partial(made.weights_that_are, float("nan")), MODEL, 5, "not finite"),
    (partial(made.weights_that_are, 1.0, "i4"), MODEL, 5, "got int32"),
    (made.deep_header, MODEL, 5, "nested deeper"),
    (made.many_tensors, MODEL, 5, ""),
    (made.endless_number, MODEL, 5, "digits"),
)
def test_34_tensors_that_lie_are_refused_before_there_is_room_for_them(
    struck, make, command, code, says
):
    struck(make, command, code, says)


# 35. Archives


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """Return what unpacks ``a.tar.gz`` as the download of CIFAR-10 is; all else must stay away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cifar10, "RECORDS", 2)
    home = tmp_path / "in" / "here"

    def unpack():
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(MOST_SECONDS)
        try:
            cifar10.unpack(tmp_path / "a.tar.gz", home)
        finally:
            signal.alarm(0)
            found = [p for p in tmp_path.rglob("*") if not p.is_dir() or p.is_symlink()]
            names = {p.relative_to(tmp_path).as_posix() for p in found}
            expected = {f"in/here/{cifar10.FOLDER}/{name}" for name in cifar10.FILES}
            assert names <= {"a.tar.gz", *expected}
            assert all(stat.S_ISREG(p.lstat().st_mode) for p in found)

    return unpack


SIX = [made.member(f"{cifar10.FOLDER}/{name}", bytes(2 * 3073)) for name in cifar10.FILES]
LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE)


@linux
@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "more",
    [
        made.member("../escaped"), made.member("/tmp/triptych-escaped"),
        made.member(f"{cifar10.FOLDER}/../../../escaped"),
        # A link, and a file written through it: CVE-2007-4559, CVE-2025-4138, CVE-2025-4517.
        *(made.member("way", kind=kind, to="../..") for kind in LINKS),
        made.member("way/escaped"),
        # A folder's name taken by a link: CVE-2024-12718, CVE-2025-4330.
        made.member(cifar10.FOLDER, kind=tarfile.SYMTYPE, to="/tmp"),
        made.member("dev", kind=tarfile.CHRTYPE), made.member("disk", kind=tarfile.BLKTYPE),
        made.member("fifo", kind=tarfile.FIFOTYPE),
        made.member(f"{cifar10.FOLDER}/{cifar10.TEST_FILE}", b"again"),
    ],
    ids=lambda one: f"{one[0].name}-{one[0].type.decode()}",
)  # fmt: skip
def test_35_members_that_were_not_asked_for_are_passed_over(unpacked, more):
    made.tar_of(*SIX, more)
    unpacked()


@linux
@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "kind", [*LINKS, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE], ids=bytes.decode
)
def test_35_an_expected_name_that_is_a_link_or_a_device_is_refused(unpacked, kind):
    name = SIX[0][0].name
    made.tar_of(made.member(name, kind=kind, to="/etc/passwd"), *SIX[1:])
    with pytest.raises(UnsafeFileError, match=r"must be a file of 6,146 bytes, got something else"):
        unpacked()


@linux
@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "more", [made.negative_size(), made.endless_pax_header()], ids=["size", "pax"]
)
def test_35_a_header_that_a_reader_could_read_for_ever_ends(unpacked, more):
    made.tar_of(*SIX[:3], more=more)
    with pytest.raises(DataError, match=r"damaged archive|has no"):
        unpacked()


@linux
@pytest.mark.fault(35, 36)
def test_35_a_member_larger_than_any_expected_is_refused_unread(unpacked):
    """A megabyte of gzip is a gigabyte of zeros, and to pass a member over is to unpack it."""
    big = tarfile.TarInfo("zeros")
    big.size = 8 << 40
    made.tar_of(*SIX[:3], more=big.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(UnsafeFileError, match=r"'zeros' has 8,796,093,022,208 bytes"):
        unpacked()


@linux
@pytest.mark.fault(35, 36)
@shapes(
    (made.overlapping_entries, f"{PREDICT} t.npz", 5, "overlap"),
    (made.sizes_that_lie, f"{PREDICT} t.npz", 3, "no whole .npz file: Bad CRC-32"),
    (made.encrypted_entry, f"{PREDICT} t.npz", 3, "encrypted"),
    (partial(made.slip, "../../canary"), f"{PREDICT} t.npz", 0, "prediction"),
    (partial(made.slip, "/tmp/triptych-escaped.npy"), f"{PREDICT} t.npz", 0, "prediction"),
    (partial(made.slip, "a"), f"{PREDICT} t.npz", 3, "there are two columns 'a'"),
    (made.link_entry, f"{PREDICT} t.npz", 3, "t.npz"),
    (made.nested_zips, f"{PREDICT} t.npz", 3, "t.npz"),
    (made.array_of_terabytes, f"{PREDICT} t.npz", 3, "claims 1,000,000,000,000 values"),
    (made.array_that_blows_up, f"{PREDICT} t.npz", 5, "more than 100 times as many"),
    (made.array_that_blows_up, "train t.npz", 5, "more than 100 times as many"),
)
def test_35_and_36_archives_of_arrays(struck, make, command, code, says):
    struck(make, command, code, says)


PICTURE = "predict folder.safetensors"


@linux
@pytest.mark.fault(36)
@shapes(
    (made.png_of_many_pixels, f"{PICTURE} p.png", 3, "more than 50 million"),
    (made.gif_of_many_pixels, f"{PICTURE} p.gif", 3, "more than 50 million"),
    (made.webp_of_many_pixels, f"{PICTURE} p.webp", 3, "p.webp"),
    (made.bmp_of_many_pixels, f"{PICTURE} p.bmp", 3, "more than 50 million"),
    (made.ppm_of_many_pixels, f"{PICTURE} p.ppm", 3, "more than 50 million"),
    (made.png_text_bomb, f"{PICTURE} p.png", 3, "damaged"),
    (made.png_profile_bomb, f"{PICTURE} p.png", 3, "damaged"),
    (made.tiff_as_png, f"{PICTURE} p.png", 3, "not a picture"),
    (made.eps_as_jpg, f"{PICTURE} p.jpg", 3, "not a picture"),
    (made.parquet_of_one_value, f"{PREDICT} t.parquet", 5, "unpacks to 100,663,296 values"),
)
def test_36_bombs_take_no_memory(struck, make, command, code, says):
    struck(make, command, code, says)


@linux
@pytest.mark.fault(36)
@pytest.mark.parametrize("make", [made.pipe, made.endless, made.sparse])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("x.csv", f"{PREDICT} x.csv"), ("x.csv", "train x.csv"), ("x.npz", f"{PREDICT} x.npz"),
        ("x.parquet", f"{PREDICT} x.parquet"), ("p.png", f"{PICTURE} p.png"),
        ("x.txt", "predict words.safetensors x.txt"), ("x.jsonl", "init x.jsonl --out s.toml"),
        ("m.safetensors", MODEL), ("s.toml", "check s.toml"), ("s.toml", "run s.toml --out r"),
        ("pets/labels.csv", "init pets --out s.toml"),
        ("kept/study.toml", "report kept"),
        (f"{made.RUN}/result.json", "report kept"), (f"{made.RUN}/metrics.jsonl", "report kept"),
        (f"{made.RUN}/findings.json", "report kept"), (f"{made.RUN}/environment.json", "runs kept"),
        (f"{made.RUN}/spec.json", "rerun kept/narrow/seed-0"),
        (f"{made.RUN}/weights.safetensors", "runs compare kept/narrow/seed-0 kept/wide/seed-0"),
    ],
)  # fmt: skip
def test_36_files_without_an_end_are_not_read(struck, make, name, command):
    """Pipes that nobody writes to, devices that never end, a terabyte of nothing."""
    code = {"s.toml": 2}.get(name, 5 if command == MODEL and make is made.sparse else None)
    listed = command in ("runs kept", "init pets --out s.toml")
    code = (4 if name.startswith("kept") else 3) if code is None else code
    says = "" if listed else Path(name).name
    struck(partial(make, name), command, 0 if listed else code, says, ("home", "s"))


# 35. Paths within files: of pictures in a file of labels, of arms in a study


@linux
@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "name",
    ["../outside.png", "/etc/passwd", "link.png", "cat/../../outside.png", "link/outside.png",
     "\u2025/outside.png", "..\\outside.png", "file:///etc/passwd", "cat/0.png/", "~/x.png"],
)  # fmt: skip
def test_35_a_file_of_labels_names_pictures_in_its_folder_only(struck, name):
    def labels():
        shutil.copy("pets/cat/0.png", "outside.png")
        Path("pets/link.png").symlink_to("../outside.png")
        Path("pets/link").symlink_to("..")
        lines = ["file,label", "cat/0.png,cat", "cat/1.png,cat", "dog/0.png,dog", f"{name},dog"]
        Path("pets/labels.csv").write_text("\n".join(lines) + "\n")
        put("s.toml", STUDY.format(arm="a"))

    struck(labels, "check s.toml --no-trial", 3, "pets/labels.csv")


STUDY = """\
[data]
source = "folder"
path = "pets"
labels = "labels.csv"
[arm."{arm}"]
network = {{ kind = "cnn", channels = [4], pool_after = [] }}
train = {{ epochs = 1 }}
"""


@linux
@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "arm", ["../../../escaped", "/tmp/triptych-escaped", "a/../../b", "..", "."]
)
def test_35_an_arm_is_no_path(struck, arm):
    struck(lambda: put("s.toml", STUDY.format(arm=arm)), "run s.toml --out r", 2, "arm")

    def renamed():
        whole = Path("kept/study.toml").read_text()
        put("kept/study.toml", whole.replace("[arm.narrow", f'[arm."{arm}"'))

    for command in ("report kept", "export kept --tensorboard events"):
        struck(renamed, command, 4, "is damaged")


# 37 and 38. Models that name something


@linux
@pytest.mark.fault(37)
@pytest.mark.parametrize(
    ("path", "value"),
    [
        # As model files of Keras, skops and TorchScript name code (CVE-2025-1550,
        # CVE-2025-54412, CVE-2022-45907): modules, classes, sources, addresses.
        ("network.kind", "keras.layers.Lambda"), ("network.kind", "os.system"),
        ("network.kind", "http://example.org/x"), ("network.kind", "../../mlp"),
        ("network.kind", {"module": "builtins", "class_name": "eval"}),
        ("network.class_name", "Lambda"), ("network.module", "os"), ("network.layers", ["eval"]),
        ("network.activation", "__import__('os').system('touch harmed')"),
        ("network.activation", "torch.nn.ReLU"), ("network.hidden", "__import__('os')"),
        ("loss", "os.system"), ("dtype", "O"), ("dtype", "object"), ("__reduce__", ["os.system"]),
        ("custom_objects", {"f": "x"}), ("url", "http://example.org/weights"),
        ("preparation.kind", "file:///etc/passwd"), ("preparation.code", "touch harmed"),
        ("preparation.kind", "../preparation"), ("classes", {"__class__": "x"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["inspect m.safetensors", MODEL])
def test_37_what_a_model_names_is_never_looked_up(struck, path, value, command):
    says = "kind" if path == "network.kind" and isinstance(value, str) else "no model of Triptych's"
    _, err = struck(partial(made.naming, path, value), command, 5, says)
    assert "unknown" in err or path.split(".")[-1] in err


@linux
@pytest.mark.fault(38)
@pytest.mark.parametrize(
    "command", ["predict m.onnx t.csv", "inspect m.onnx", "export m.onnx --onnx o"]
)
@pytest.mark.parametrize(
    "location",
    # CVE-2022-25882, CVE-2024-27318 and CVE-2026-27489, which each went around the mend before.
    ["../canary", "junk/../../canary", "./../canary", "/etc/passwd", "..\\canary", "link"],
)
def test_38_onnx_is_not_read_and_so_no_data_elsewhere(struck, location, command):
    says = "m.onnx: ONNX is written, not read; give the model's own file"
    struck(partial(made.onnx_with_data_at, location), command, 5, says)


# 39. Names


HOSTILE = "\x1b]0;x\x07\u202e<img src=x onerror=alert(1)>"


def named_table(first: str = "=cmd|'/C calc'!A0") -> None:
    """Write a table with names that are formulas (CWE-1236), markup and codes of terminals."""
    kinds = (first, f"@{HOSTILE}", "\t=1+1", "+1+1")
    rows = [f'{k % 9},{-(k % 7)},"{kinds[k % 4]}"' for k in range(60)]
    head = f'"=a{HOSTILE}",b,kind'
    Path("h.csv").write_text("\n".join([head, *rows]) + "\n")
    drawn_model(TableSpec(path="h.csv", target="kind", text=("kind",)))[0].save("h.safetensors")


@linux
@pytest.mark.fault(39)
@pytest.mark.parametrize(
    "command",
    [
        "predict h.safetensors h.csv", "evaluate h.safetensors h.csv", "inspect h.safetensors",
        "evaluate h.safetensors h.csv --json", "inspect h.safetensors --json",
        "predict h.safetensors h.csv --json",
    ],
)  # fmt: skip
def test_39_names_of_a_table_act_nowhere(struck, command):
    out, _ = struck(named_table, command, 0, "")
    if command == "predict h.safetensors h.csv":
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=+@\t"]


def named_run() -> None:
    """Write a run whose record says such things of its data, its machine and how it went."""
    path = made.RUN / "result.json"
    result = json.loads(path.read_text())
    result |= {"data": HOSTILE, "notes": [f"=cmd() {HOSTILE}"]}
    path.write_text(json.dumps(result))
    path = made.RUN / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "processor": HOSTILE}))


@linux
@pytest.mark.fault(39)
@pytest.mark.parametrize(
    "command",
    ["runs kept", "runs kept --json", "runs compare kept/narrow/seed-0 kept/wide/seed-0",
     "export kept --tensorboard kept/events", "report kept", "report kept --json"],
)  # fmt: skip
def test_39_names_of_a_record_act_nowhere(struck, command):
    struck(
        named_run,
        command,
        0,
        "",
        ("kept", "report", "events", "narrow", "wide", "seed-0", "seed-1"),
    )
    page = Path("kept/report.html").read_text()
    assert "<img src=x" not in page
    assert not {"\x1b", "\x07", "\u202e"} & set(page)
    if command == "report kept":
        assert "&lt;img src=x" in page
