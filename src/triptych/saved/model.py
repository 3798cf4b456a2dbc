"""A trained network with all that it takes to use it, as one value and one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triptych.contracts import (
    Array,
    FloatArray,
    Preparation,
    Standardization,
    Weights,
)
from triptych.errors import SpecError, TriptychError
from triptych.explain import class_shares
from triptych.models import cost, weight_shapes
from triptych.records import open_model, write_model
from triptych.saved.checks import check_dtype, check_model, check_shape
from triptych.saved.computing import Engines, compute
from triptych.saved.header import fields_of, header_of
from triptych.spec import NetworkSpec, RNNSpec

if TYPE_CHECKING:
    import torch

    from triptych.saved.onnx_export import OnnxFile

Label = str | int | float | bool


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Model:
    """A trained network, how rows become what it reads, and what its outputs stand for.

    Attributes
    ----------
    network : NetworkSpec
    loss : {"softmax", "sigmoid", "squared", "poisson"}
        That it was trained by, see `triptych.spec.TrainSpec`: it says what outputs mean.
    dtype : {"float32", "float64"}
        Of weights, and of what is computed.
    weights : Weights
        By the names of `triptych.models.initial`.
    sample_shape : tuple of int
        Of what the network reads: ``(I,)``; ``(C, H, W)``; of sequences ``(T,)`` or ``(T, D)``,
        where T is that of the training rows, and others may have another.
    n_outputs : int
        Of the network.
    symbols : int, optional
        That sequences are made of; None of vectors, and of what is no sequence.
    standardization : Standardization, optional
        How samples are scaled before the network sees them; see `triptych.contracts.Dataset`.
    preparation : Preparation, optional
        How rows of a file become samples; None: only arrays are known.
    classes : tuple of str
        Names of the classes; none where numbers are told.
    labels : tuple, optional
        The classes as they were, where these were no texts: whole numbers, truth values, numbers.
    target : Standardization, optional
        How numbers to tell became those that the network learnt, (O,).
    temperature : float
        By which outputs are divided before they become probabilities (Guo et al., 2017).
    facts : mapping of str to values of JSON
        What it was trained on, how, with what scores; ``docs/models.md`` names them.

    Raises
    ------
    SpecError
        If these do not fit each other.
    """

    network: NetworkSpec
    loss: str
    dtype: str
    weights: Weights
    sample_shape: tuple[int, ...]
    n_outputs: int
    symbols: int | None = None
    standardization: Standardization | None = None
    preparation: Preparation | None = None
    classes: tuple[str, ...] = ()
    labels: tuple[Label, ...] | None = None
    target: Standardization | None = None
    temperature: float = 1.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    engines: Engines = field(default_factory=Engines, init=False)

    def __post_init__(self) -> None:
        check_model(self)

    def __repr__(self) -> str:
        return f"<triptych.Model: {self.summary}>"

    def outputs(self, x: Array, *, engine: str = "auto", device: str = "cpu") -> FloatArray:
        """Return what the network hands to its loss: logits, or numbers as it learnt them.

        Parameters
        ----------
        x : Array, shape (N, ...)
            Samples as `sample_shape` says; sequences as `triptych.contracts.lengths_of` does.
        engine : {"auto", "numpy", "compiled", "torch"}
            What computes them; ``"auto"``: the one that would take the least time.
        device : {"cpu", "cuda", "auto"}
            Of the torch engine.

        Returns
        -------
        FloatArray, shape (N, O), in `dtype`

        Raises
        ------
        DataError
            If `x` does not fit.
        NumericsError
            If an output is not finite.
        SpecError
            If the engine cannot compute the network.
        """
        return compute(self, np.asarray(x), engine, device)

    def probabilities(self, x: Array, *, engine: str = "auto", device: str = "cpu") -> FloatArray:
        """Return the probability of each class, (N, C), float64; see `outputs`.

        Raises
        ------
        DataError, NumericsError
        SpecError
            Also if it tells no classes, or was trained by a loss that makes no probabilities.
        """
        return self.shares(self.outputs(x, engine=engine, device=device))

    def shares(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities (N, C) that outputs (N, O) stand for, float64.

        Raises
        ------
        SpecError
            See `probabilities`.
        """
        if not self.classes:
            raise SpecError("probabilities: the model tells numbers, not classes.")
        out_NO = outputs.astype(np.float64)
        if isinstance(self.network, RNNSpec) and self.network.output == "softmax":
            # These are probabilities already, to which the loss applied a second softmax.
            if self.temperature == 1.0:
                return out_NO
            out_NO = np.log(np.maximum(out_NO, np.finfo(np.float64).tiny))
        out_NO = out_NO / self.temperature
        if self.loss == "sigmoid" and self.n_outputs == 1:
            # The second class's; of both, the logit 0 stands for the first.
            return _pair(out_NO)
        shares = class_shares(out_NO, self.loss)
        if shares is None:
            raise SpecError(f"probabilities: loss '{self.loss}' makes none of its outputs.")
        return shares

    def predict(self, x: Array, *, engine: str = "auto", device: str = "cpu") -> Array:
        """Return what the model tells of each row; see `outputs`.

        Returns
        -------
        Array
            Classes (N,), by their names, or as `labels` has them; or numbers (N, O) in their own
            unit, float64.
        """
        return self.told(self.outputs(x, engine=engine, device=device))

    def told(self, outputs: FloatArray) -> Array:
        """Return what outputs (N, O) stand for, see `predict`."""
        if self.classes:
            names = self.labels or self.classes
            # Of texts as objects, as NumPy's own would take the room of the longest each.
            labels = np.array(names, dtype=object if isinstance(names[0], str) else None)
            place_N = outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
            found: Array = labels[place_N.astype(np.int64)]
            return found
        numbers = outputs.astype(np.float64)
        if self.loss == "poisson":
            numbers = np.exp(numbers)
        if self.target is not None:
            numbers = numbers * self.target.std + self.target.mean
        return numbers

    @property
    def parameters(self) -> int:
        """How many weights were trained."""
        return cost(self.network, self.sample_shape, self.n_outputs, self.symbols).parameters

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        reads = " x ".join(map(str, self.sample_shape))
        if self.network.reads == "sequences":
            each = f"{self.symbols} symbols" if self.symbols else f"{self.sample_shape[1]} numbers"
            reads = f"sequences of {each}"
        elif len(self.sample_shape) == 3:
            reads = f"pictures {reads}"
        else:
            reads = f"{reads} inputs"
        tells = f"{len(self.classes)} classes" if self.classes else f"{self.n_outputs} numbers"
        if not self.classes and self.n_outputs == 1:
            tells = "a number"
        kind, count = self.network.kind.upper(), f"{self.parameters:,} parameters"
        return f"{kind} that reads {reads} and tells {tells}; {count}"

    def save(self, path: str | Path) -> None:
        """Write the model into one file, which replaces what is there.

        Raises
        ------
        RunError
            If it cannot be written.
        SpecError
            If `facts` hold what JSON cannot.
        """
        write_model(Path(path), header_of(self), self.weights)

    def to_torch(self) -> torch.nn.Module:
        """Return a PyTorch module with the weights, in eval mode: samples to `outputs`."""
        from triptych.saved.torch_module import create_module

        return create_module(self)

    def to_onnx(self, path: str | Path) -> OnnxFile:
        """Write the model as one ONNX file, in float32, for other programs and languages.

        Rows may be as many as one likes, and sequences as long. Inputs are columns by their names
        where a table was prepared, raw uint8 pictures, else ``x``; outputs are ``outputs`` and
        ``probabilities`` or ``numbers``.

        Returns
        -------
        OnnxFile
            Inputs and outputs of the graph, and what is left to whoever feeds it.

        Raises
        ------
        RunError
            If it cannot be written.
        SpecError
            If ``onnx`` is not installed (``pip install 'triptych[onnx]'``), or there are more than
            2 GB of weights.
        """
        from triptych.saved.onnx_export import write_onnx

        return write_onnx(self, Path(path))


def load(path: str | Path) -> Model:
    """Return the model that a file holds.

    Nothing in the file is ever run, and nothing is read that does not belong to a model.

    Parameters
    ----------
    path : path

    Raises
    ------
    DataError
        If there is no such file.
    UnsafeFileError
        If it is anything else than a model that Triptych wrote.

    Examples
    --------
    >>> import tempfile
    >>> from triptych.spec import MLPSpec
    >>> spec, weights = MLPSpec(hidden=()), {"w1": np.eye(2), "b1": np.zeros(2)}
    >>> model = Model(network=spec, loss="softmax", dtype="float64", weights=weights,
    ...               sample_shape=(2,), n_outputs=2, classes=("left", "right"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/two.safetensors")
    ...     load(f"{folder}/two.safetensors").predict(np.array([[3.0, 1.0], [0.0, 1.0]])).tolist()
    ['left', 'right']
    """
    with open_model(Path(path)) as file:
        try:
            fields = fields_of(file.header)
            args = [fields[name] for name in ("network", "sample_shape", "n_outputs", "symbols")]
            check_shape(*args)
            check_dtype(fields["dtype"])
            weights = file.weights(weight_shapes(*args), fields["dtype"])
            return Model(weights=weights, **fields)
        except TriptychError as error:
            raise ValueError(str(error)[:300].removesuffix(".")) from None


def _pair(z_N1: FloatArray) -> FloatArray:
    """Return the probabilities (N, 2) of two classes, of which the second has the logit."""
    p_N1 = np.exp(-np.logaddexp(0, -z_N1))
    return np.hstack([1 - p_N1, p_N1])
