"""A model as an ONNX file: preparation, network, and what its outputs stand for, in one graph."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triptych.data.picture_preparation import PicturePreparation
from triptych.data.sequence_preparation import SequencePreparation
from triptych.data.table_preparation import TablePreparation
from triptych.errors import SpecError
from triptych.records import write_atomic
from triptych.saved.onnx_graph import OUTPUTS, Graph
from triptych.saved.onnx_networks import add_network
from triptych.saved.onnx_tables import add_columns
from triptych.spec import RNNSpec

if TYPE_CHECKING:
    from triptych.saved.model import Model

# protobuf, which ONNX files are, holds no more.
_MOST_BYTES = 2**31 - 2**20


@dataclass(frozen=True)
class OnnxFile:
    """What a file takes and gives.

    Attributes
    ----------
    inputs, outputs : dict of str to str
        Dtype and shape of each, by name; sizes that may differ are called so.
    notes : tuple of str
        What is left to whoever feeds the graph, in sentences.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    notes: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it as lines of text."""
        ends = (("input", self.inputs), ("output", self.outputs))
        told = [f"{what} {name!r}: {kind}" for what, named in ends for name, kind in named.items()]
        return (*told, *(f"note: {note}" for note in self.notes))


def write_onnx(model: Model, path: Path) -> OnnxFile:
    """Write a model as one ONNX file, which replaces what is there.

    Parameters
    ----------
    model : Model
    path : Path

    Returns
    -------
    OnnxFile

    Raises
    ------
    SpecError
        If ``onnx`` is not installed, the file would be larger than ONNX files can be, or a name is
        no valid Unicode.
    RunError
        If it cannot be written.
    """
    if sum(w.size for w in model.weights.values()) * 4 > _MOST_BYTES:
        raise SpecError(f"{path.name}: an ONNX file holds at most 2 GB, and the weights have more.")
    try:
        content, about = _built(model)
    except UnicodeError as error:
        raise SpecError(f"{path.name}: a name cannot be written as ONNX: {error}.") from None
    write_atomic(path, content)
    return about


def _built(model: Model) -> tuple[bytes, OnnxFile]:
    """Return the content of the file, and what it takes and gives."""
    graph = Graph()
    x, notes, metadata = _add_input(graph, model)
    outputs = add_network(graph, model, x)
    graph.output(outputs, "outputs", "float", ["batch", model.n_outputs])
    if model.classes:
        _add_probabilities(graph, model, outputs)
        metadata["classes"] = json.dumps(list(model.classes))
    else:
        _add_numbers(graph, model, outputs)
    metadata["summary"] = model.summary
    content = graph.to_bytes(metadata)
    outputs_are = {k: v for k, v in graph.signature.items() if k in OUTPUTS}
    inputs_are = {k: v for k, v in graph.signature.items() if k not in OUTPUTS}
    return content, OnnxFile(inputs_are, outputs_are, notes)


def _add_input(graph: Graph, model: Model) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Add what the graph is given; return what the network reads, notes, and metadata."""
    shape: list[int | str] = ["batch", *model.sample_shape]
    if model.network.reads == "sequences":
        shape[1] = "steps"
    prepared = model.preparation
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    if isinstance(prepared, TablePreparation):
        x, notes = add_columns(graph, prepared.columns)
    elif model.symbols is not None:
        x = graph.input("x", "int64", shape)
        if isinstance(prepared, SequencePreparation):
            metadata["symbols"] = json.dumps(prepared.alphabet.tolist())
            notes = ("input 'x' takes symbols as their places in the metadata's 'symbols'",)
    elif isinstance(prepared, SequencePreparation):
        # In double: in float32 there is no second between today's time stamps.
        raw = graph.input("x", "double", shape)
        mean, std = np.array(prepared.mean), np.array(prepared.std)
        x = graph.cast(graph.scaled(raw, mean, std, "float64"), "float")
    elif isinstance(prepared, PicturePreparation):
        x = graph.cast(graph.input("x", "uint8", shape), "float")
        notes = ("input 'x' takes pictures that have been decoded and brought to that size",)
    else:
        x = graph.input("x", "float", shape)
    scale = model.standardization
    if scale is not None:
        x = graph.scaled(x, scale.mean, scale.std, "float32")
    return x, notes, metadata


def _add_probabilities(graph: Graph, model: Model, outputs: str) -> None:
    """Add the probabilities (N, C), where the loss makes any; see `Model.shares`."""
    if model.loss not in ("softmax", "sigmoid"):
        return
    out, cooled = outputs, model.temperature != 1.0
    done = isinstance(model.network, RNNSpec) and model.network.output == "softmax"
    if done and cooled:
        out = graph.add("Log", out)
    if cooled:
        out = graph.add("Div", out, graph.constant(model.temperature, "float32"))
    if model.loss == "sigmoid":
        out = graph.add("Sigmoid", out)
        if model.n_outputs == 1:
            other = graph.add("Sub", graph.constant(1.0, "float32"), out)
            out = graph.add("Concat", other, out, axis=1)
        else:
            whole = graph.add("ReduceSum", out, graph.constant([1], "int64"), keepdims=1)
            out = graph.add("Div", out, whole)
    elif cooled or not done:
        out = graph.add("Softmax", out, axis=1)
    graph.output(out, "probabilities", "float", ["batch", len(model.classes)])


def _add_numbers(graph: Graph, model: Model, outputs: str) -> None:
    """Add the numbers (N, O) in their own unit; see `Model.told`."""
    out = graph.add("Exp", outputs) if model.loss == "poisson" else outputs
    if model.target is not None:
        out = graph.add("Mul", out, graph.constant(model.target.std, "float32"))
        out = graph.add("Add", out, graph.constant(model.target.mean, "float32"))
    graph.output(out, "numbers", "float", ["batch", model.n_outputs])
