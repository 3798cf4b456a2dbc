"""A model's file is read as an enemy's: all that is not a model is refused in one line."""

import contextlib
import json
import os
import pickle
import tracemalloc

import numpy as np
import pytest
from every_model import NAMES, made, model_of, of_channels, of_columns, samples_of

import triptych
from triptych.data.picture_preparation import PicturePreparation
from triptych.data.sequence_preparation import SequenceForm, SequencePreparation
from triptych.errors import DataError, NumericsError, UnsafeFileError
from triptych.spec import CNNSpec


def parts(content):
    """Return the header's table, the model's own header in it, and the bytes of all tensors."""
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    return table, json.loads(table["__metadata__"]["triptych"]), content[8 + length :]


def joined(table, own, data):
    """Return the content of a file; texts stand as they are."""
    if isinstance(table, dict):
        text = own if isinstance(own, str) else json.dumps(own)
        table = {**table, "__metadata__": {"triptych": text, **table.get("more", {})}}
        table.pop("more", None)
    raw = (table if isinstance(table, str) else json.dumps(table)).encode()
    return len(raw).to_bytes(8, "little") + raw + data


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    model_of("mlp scaled", "float32", facts={"data": "made up"}).save(path)
    return path.read_bytes()


@pytest.fixture
def refused(tmp_path):
    def check(content, says):
        path = tmp_path / "m.safetensors"
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(UnsafeFileError, match=says) as caught:
            triptych.load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100e6
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("m.safetensors: this is no model of Triptych's: ")
        assert len(str(caught.value)) < 500

    return check


def of_steps():
    form = SequenceForm(layout="table", label="kind")
    prepared = SequencePreparation(
        classes=NAMES[:3], form=form, steps="vectors", features=("x", "y"), mean=(1.0, 2.0),
        std=(0.5, 3.0), longest=7,
    )  # fmt: skip
    return model_of("rnn vectors", "float32", preparation=prepared, standardization=None)


def of_pictures():
    prepared = PicturePreparation(classes=NAMES[:3], size=(9, 7), channels=1, scaled=False)
    network = CNNSpec(channels=(4,), pool_after=(1,))
    scale = of_channels(1)
    return made(network, (1, 9, 7), 3, preparation=prepared, standardization=scale)


def try_outputs(model, x):
    """Compute; weights whose bits were flipped may make outputs that are not finite."""
    with contextlib.suppress(NumericsError):
        assert model.outputs(x).shape == (len(x), model.n_outputs)


class Canary:
    def __reduce__(self):
        return (os.mkdir, ("canary",))


def test_pickled_code_is_never_run(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(pickle.dumps(Canary(), protocol=5), "pickled code, which is never read")
    refused(pickle.dumps(Canary(), protocol=0), "no safetensors file, or has been cut")
    refused(b"PK\x03\x04" + b"\0" * 100, "pickled code")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no safetensors file, or has been cut: 0 bytes"),
        (b"\x10" + b"\0" * 7, "no safetensors file, or has been cut"),
        (b"\xff" * 8 + b"{}", "no safetensors file, or has been cut"),
        (b"\x02" + b"\0" * 7 + b"[]", "no table"),
        (b"\x02" + b"\0" * 7 + b"{}", "must hold 'triptych'"),
        (b"\x02" + b"\0" * 7 + b"\xff\xfe", "decode"),
        ((7).to_bytes(8, "little") + b'{"a":1}', "needs dtype, shape and data_offsets"),
    ],
)
def test_what_is_no_safetensors_file_is_refused(refused, raw, says):
    refused(raw, says)


def test_headers_too_large_or_too_deep_are_refused_before_there_is_room_for_them(refused):
    text = '{"a":' + "[" * 3_000_000 + "]" * 3_000_000 + "}"
    refused(joined(text, {}, b""), "nested deeper")
    refused(joined('{"a":' + "[" * 100 + "]" * 100 + "}", {}, b""), "nested deeper than 32")
    refused(joined('{"a":[' + "[]," * 2_000_000 + "[]]}", {}, b""), "more than 500,000 values")
    refused(joined('{"a":"' + "x" * 9_000_000 + '"}', {}, b""), "at most 8,000,000 are read")
    refused(joined('{"a":' + "9" * 5000 + "}", {}, b""), "digits")


def test_a_file_with_holes_that_claims_terabytes_is_refused(tmp_path, content):
    table, own, _ = parts(content)
    size = 2**33
    table["w1"] = {"dtype": "F32", "shape": [2**31], "data_offsets": [0, size]}
    path = tmp_path / "m.safetensors"
    path.write_bytes(joined({"w1": table["w1"]}, own, b""))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + size)
    with pytest.raises(UnsafeFileError, match="at most 4,294,967,296 are read"):
        triptych.load(path)


def entry(**changes):
    def edit(table):
        table["w1"] = {**table["w1"], **changes}

    return edit


def extra(table):
    table["w9"] = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def overlap(table):
    table["w2"]["data_offsets"] = table["w1"]["data_offsets"]
    table["w2"]["shape"] = table["w1"]["shape"]


def gap(table):
    last = max(table.values(), key=lambda e: e.get("data_offsets", [0])[0])
    last["data_offsets"] = [n + 4 for n in last["data_offsets"]]


def rename(table):
    table["../../etc/passwd"] = table.pop("w1")


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (entry(shape=[2**40, 2**40]), "does not fit its data_offsets"),
        (entry(shape=[-1, -18]), "no counts"),
        (entry(shape=[True, 18]), "no counts"),
        (entry(shape="2x9"), "no counts"),
        (
            entry(shape=[18]),
            r"'w1' must be float32 of shape \(2, 9\), got float32 of shape \(18,\)",
        ),
        (entry(dtype="PICKLE"), "unknown dtype, 'PICKLE'"),
        (entry(dtype=["F32"]), "unknown dtype"),
        (entry(dtype="I32"), "must be float32 of shape .* got int32"),
        (entry(data_offsets=[0]), "no counts"),
        (entry(data_offsets=[10**30, 10**30 + 72]), "gap"),
        (entry(url="http://example.org"), "and no more"),
        (extra, "'w9' is none of its network's"),
        (overlap, "overlaps"),
        (gap, "gap"),
        (rename, "'w1' is missing"),
        (lambda table: table.update(more={"other": "1"}), "must hold 'triptych', and no more"),
    ],
)
def test_tensors_that_lie_are_refused(refused, content, edit, says):
    table, own, data = parts(content)
    edit(table)
    refused(joined(table, own, data), says)


def test_tensors_too_short_or_too_long_are_refused(refused, content):
    refused(content[:-4], "follow the header")
    refused(content + b"\0", "follow the header")


@pytest.mark.fault(21, 34)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(refused, content, value):
    table, own, data = parts(content)
    array = np.frombuffer(data, "<f4").copy()
    array[3] = value
    refused(joined(table, own, array.tobytes()), "not finite")


def put(path, value):
    def edit(own):
        *way, last = path.split(".")
        for key in way:
            own = own[key]
        own[last] = value

    return edit


@pytest.mark.fault(37)
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (put("network.kind", "transformer"), "unknown kind 'transformer'"),
        (put("network.kind", ["mlp"]), "unknown kind"),
        (put("network.kind", "torch.nn.Linear"), "unknown kind"),
        (put("network.activation", "os.system"), "activation: unknown value 'os.system'"),
        (put("network.layer", "http://example.org/x.py"), "unknown key"),
        (put("network", "builtins.eval"), "network: must be a table"),
        (put("network.hidden", [65536] * 50_000), "tensor 'w"),
        (put("network.hidden", [0]), "not in"),
        (put("network.hidden", "9"), "must be a list"),
        (put("loss", "file:///etc/passwd"), "loss: must be one of"),
        (put("loss", None), "loss: must be a text"),
        (put("dtype", "object"), "dtype: must be float32 or float64"),
        (put("code", "print(1)"), "'code': unknown key"),
        (lambda own: own.pop("classes"), "classes: is missing"),
        (put("format", 2), "format: '2' is unknown; this version reads 1"),
        (put("format", True), "format"),
        (put("sample_shape", [0]), "whole numbers from 1 on"),
        (put("sample_shape", [10**40]), "whole numbers from 1 on"),
        (put("sample_shape", []), "does not read"),
        (put("outputs", 1.5), "whole numbers from 1 on"),
        (put("symbols", 4), "symbols"),
        (put("classes", ["a", "a", "b"]), "each there once"),
        (put("classes", [1, 2, 3]), "must be texts"),
        (put("classes", "abc"), "must be a list"),
        (put("labels", [[], [], []]), "one kind"),
        (put("temperature", 0), "above 0"),
        (put("temperature", "1"), "must hold numbers"),
        (put("temperature", 10**400), "past the largest number"),
        (put("standardization.std", [0.0, 1.0]), "std above 0"),
        (put("standardization.mean", [1.0]), "do not fill shape"),
        (put("standardization.shape", [2**31, 2**31]), "do not fill shape"),
        (put("standardization.more", 1), "and no more"),
        (put("target", {"shape": [3], "mean": [0, 0, 0], "std": [1, 1, 1]}), "tells classes"),
        (put("facts", ["a"]), "facts: must be a table"),
        (put("preparation", {"kind": "../../module"}), "kind"),
        (put("preparation", 7), "preparation: must be a table"),
    ],
)
def test_headers_that_make_no_sense_are_refused(refused, content, edit, says):
    table, own, data = parts(content)
    edit(own)
    refused(joined(table, own, data), says)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"loss": "softmax"', '"loss": "softmax", "loss": "sigmoid"', "'loss' is there twice"),
        ('"temperature": 1.0', '"temperature": NaN', "NaN is no number"),
        ('"temperature": 1.0', '"temperature": -Infinity', "-Infinity is no number"),
        ('"temperature": 1.0', '"temperature": 1e999', "past the largest number"),
        ('"facts": {', '"facts": {"deep": ' + "[" * 40 + "]" * 40 + ", ", "nested deeper"),
        ("{", "", "Extra data|Expecting"),
    ],
)
def test_json_that_means_two_things_is_refused(refused, content, old, new, says):
    table, own, data = parts(content)
    text = json.dumps(own)
    assert old in text
    refused(joined(table, text.replace(old, new, 1), data), says)


def test_a_key_that_is_there_twice_in_the_outer_header_is_refused(refused, content):
    table, _, data = parts(content)
    text = json.dumps(table)
    refused(joined('{"b1": {}, ' + text[1:], {}, data), "'b1' is there twice")


@pytest.mark.parametrize(
    "make", [lambda: model_of("mlp scaled", "float32"), of_columns, of_steps, of_pictures]
)
def test_bits_flipped_bytes_cut_and_inserted_end_in_one_line_or_in_a_model(make, tmp_path):
    rng = np.random.default_rng(0)
    path, whole = tmp_path / "m.safetensors", make()
    whole.save(path)
    content, x = path.read_bytes(), samples_of(whole, 2)
    models, refusals = [], []
    header = int.from_bytes(content[:8], "little") + 8
    tracemalloc.start()
    for trial in range(250):
        raw = bytearray(content)
        if trial % 5 == 0:
            raw = raw[: rng.integers(0, len(raw))]
        elif trial % 5 == 1:
            at = rng.integers(0, len(raw))
            raw[at:at] = rng.bytes(rng.integers(1, 9))
        else:  # mostly in the header, where it matters
            most = header if trial % 5 < 4 else len(raw)
            for _ in range(rng.integers(1, 4)):
                raw[rng.integers(0, most)] ^= 1 << rng.integers(0, 8)
        path.write_bytes(raw)
        try:
            models.append(triptych.load(path))
        except UnsafeFileError as error:
            refusals.append(str(error))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert len(refusals) > 150
    assert not any("\n" in text for text in refusals)
    assert len(models) > 2
    for model in models:
        if model.sample_shape == whole.sample_shape:
            try_outputs(model, x)


def test_what_is_no_file_is_said_plainly(tmp_path):
    with pytest.raises(DataError, match="cannot read the model .*none: No such file"):
        triptych.load(tmp_path / "none")
    with pytest.raises(DataError, match="is no file"):
        triptych.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is no file"):
        triptych.load(tmp_path / "pipe")


def test_hostile_names_of_classes_are_kept_as_they_are(tmp_path):
    names = ("<img onerror=1>", "=cmd()", "\x1b[31m\u202e")
    model = model_of("mlp relu", classes=names)
    model.save(tmp_path / "m.safetensors")
    read = triptych.load(tmp_path / "m.safetensors")
    assert read.classes == names
    assert set(read.predict(samples_of(read))) <= set(names)
