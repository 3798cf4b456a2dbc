"""An ONNX graph under construction: nodes and constants, each with a name of its own.

The graph is written with the helpers of ``onnx`` alone. PyTorch's exporter would need PyTorch and
its own front end, and could express neither texts nor what columns are prepared by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from triptych.contracts import Array
from triptych.errors import SpecError

OPSET, ML_OPSET, IR_VERSION = 17, 3, 8
"""Of 2022: whatever reads ONNX files reads these."""
ML = "ai.onnx.ml"
OUTPUTS = ("outputs", "probabilities", "numbers")
_OURS = "triptych/"  # starts the names of what lies between


def require_onnx() -> Any:
    """Return the module ``onnx``, which is an extra.

    Raises
    ------
    SpecError
        If it is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise SpecError("to export ONNX, pip install 'triptych[onnx]'.") from None
    return onnx


class Graph:
    """Nodes, constants, inputs and outputs of a graph that is being written.

    Attributes
    ----------
    signature : dict of str to str
        Dtype and shape of each input and output, by name.
    """

    def __init__(self) -> None:
        self._onnx = require_onnx()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self.signature: dict[str, str] = {}

    def _name(self) -> str:
        return f"{_OURS}{len(self._nodes)}.{len(self._constants)}"

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Add an input, and return what it is called: `name`, unless that has another meaning.

        Texts in `shape` are sizes that may differ from call to call.
        """
        if not name or name in OUTPUTS or name.startswith(_OURS):
            name = f"column {name}"
        self._inputs.append(self._described(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Let a value be an output of the graph, called `name`."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._described(name, dtype, shape))

    def _described(self, name: str, dtype: str, shape: Sequence[int | str]) -> Any:
        self.signature[name] = f"{dtype} ({', '.join(map(str, shape))})"
        kind = getattr(self._onnx.TensorProto, dtype.upper())
        return self._onnx.helper.make_tensor_value_info(name, kind, list(shape))

    def constant(self, value: Any, dtype: str | None = None) -> str:
        """Add an array that the file holds, and return its name."""
        array: Array = np.array(value, dtype, order="C")
        name = self._name()
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return its name."""
        return self.add_many(op, inputs, 1, domain=domain, **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], count: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, and return their names."""
        stem = self._name()
        outputs = [f"{stem}:{k}" for k in range(count)]
        node = self._onnx.helper.make_node(
            op, list(inputs), outputs, domain=domain or None, **attributes
        )
        self._nodes.append(node)
        return outputs

    def cast(self, value: str, dtype: str) -> str:
        """Return a value in another dtype."""
        return self.add("Cast", value, to=getattr(self._onnx.TensorProto, dtype.upper()))

    def scaled(self, value: str, mean: Array, std: Array, dtype: str) -> str:
        """Return ``(value - mean) / std``, computed in `dtype`."""
        centred = self.add("Sub", value, self.constant(mean, dtype))
        return self.add("Div", centred, self.constant(std, dtype))

    def to_bytes(self, metadata: dict[str, str]) -> bytes:
        """Return the whole as a file's content, checked by ``onnx``."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "triptych", self._inputs, self._outputs, self._constants
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="triptych"
        )
        helper.set_model_props(model, metadata)
        self._onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content
