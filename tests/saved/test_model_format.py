"""A model's file can be read by what docs/models.md says alone, without Triptych."""

import json

import numpy as np
import safetensors.numpy
from every_model import model_of, samples_of


def read(path):
    """Return header and tensors, as the page describes their bytes."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    header = json.loads(table.pop("__metadata__")["triptych"])
    tensors = {}
    for name, entry in table.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        dtype = {"F32": "<f4", "F64": "<f8"}[entry["dtype"]]
        tensors[name] = np.frombuffer(content[start:end], dtype).reshape(entry["shape"])
    return header, tensors


def scaled(x, scale):
    mean, std = (np.reshape(scale[name], scale["shape"]) for name in ("mean", "std"))
    return (x - mean) / std


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def test_an_mlp_is_computed_from_its_bytes(tmp_path):
    model = model_of("mlp pictures", temperature=1.7)
    model.save(tmp_path / "m.safetensors")
    header, w = read(tmp_path / "m.safetensors")
    x = samples_of(model)
    out = scaled(x, header["standardization"]).reshape(len(x), -1)
    out = np.maximum(out @ w["w1"] + w["b1"], 0) @ w["w2"] + w["b2"]
    shares = softmax(out / header["temperature"])
    np.testing.assert_allclose(shares, model.probabilities(x), rtol=1e-12)
    assert [header["classes"][k] for k in shares.argmax(axis=1)] == model.predict(x).tolist()


def test_numbers_come_back_into_their_unit(tmp_path):
    model = model_of("mlp numbers")
    model.save(tmp_path / "m.safetensors")
    header, w = read(tmp_path / "m.safetensors")
    x, target = samples_of(model), header["target"]
    out = np.maximum(x @ w["w1"] + w["b1"], 0) @ w["w2"] + w["b2"]
    np.testing.assert_allclose(out * target["std"] + target["mean"], model.predict(x), rtol=1e-12)


def test_an_elman_network_is_computed_from_its_bytes(tmp_path):
    model = model_of("rnn symbols")
    model.save(tmp_path / "m.safetensors")
    _, w = read(tmp_path / "m.safetensors")
    x = samples_of(model)
    rows = []
    for sequence in x:
        h = np.zeros(len(w["wh"]))
        for symbol in sequence[sequence >= 0]:
            h = np.tanh(w["wx"][symbol] + w["bx"] + h @ w["wh"] + w["bh"])
        rows.append(h @ w["wy"] + w["by"])
    np.testing.assert_allclose(rows, model.outputs(x), rtol=1e-10)


def test_other_cells_are_those_of_pytorch_by_name(tmp_path):
    import torch

    model = model_of("lstm layers both ways")
    model.save(tmp_path / "m.safetensors")
    _, w = read(tmp_path / "m.safetensors")
    cells = torch.nn.LSTM(2, 5, 2, batch_first=True, bidirectional=True, dtype=torch.float64)
    named = {n.removeprefix("cells."): w[n] for n in w if n.startswith("cells.")}
    cells.load_state_dict({name: torch.tensor(array) for name, array in named.items()})
    x = np.random.default_rng(0).normal(size=(4, 7, 2))
    _, (h, _) = cells(torch.from_numpy(x))
    read_out = torch.cat([h[-2], h[-1]], dim=1).detach().numpy() @ w["wy"] + w["by"]
    np.testing.assert_allclose(read_out, model.outputs(x), rtol=1e-10)


def test_any_reader_of_safetensors_reads_the_weights(tmp_path):
    model = model_of("cnn whitened", "float32")
    model.save(tmp_path / "m.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    assert found.keys() == model.weights.keys()
    assert all(np.array_equal(found[name], w) for name, w in model.weights.items())
