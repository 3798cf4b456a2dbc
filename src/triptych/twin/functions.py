"""The functions of a learner's file that stand in for ours."""

from __future__ import annotations

import importlib.util
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from triptych.errors import SpecError
from triptych.spec import nearest

Functions = dict[str, Callable[..., Any]]

_DENSE = {
    "dense_forward": "dense_forward(x, w, b) -> y",
    "dense_backward": "dense_backward(dy, x, w, b) -> (dx, dw, db)",
    "activation_forward": "activation_forward(x) -> y",
    "activation_backward": "activation_backward(dy, x) -> dx",
    "loss_forward": "loss_forward(z, y) -> mean loss over the batch",
    "loss_backward": "loss_backward(z, y) -> dz",
}
_CONVOLUTIONAL = {
    "conv_forward": "conv_forward(x, w, b) -> y",
    "conv_backward": "conv_backward(dy, x, w, b) -> (dx, dw, db)",
    "norm_forward": "norm_forward(x, w, b) -> y",
    "norm_backward": "norm_backward(dy, x, w, b) -> (dx, dw, db)",
    "pool_forward": "pool_forward(x) -> y",
    "pool_backward": "pool_backward(dy, x) -> dx",
}
_RECURRENT = {
    "elman_forward": "elman_forward(x, h, wx, bx, wh, bh) -> all states",
    "elman_backward": "elman_backward(dh, x, h, wx, bx, wh, bh) -> (dwx, dbx, dwh, dbh)",
    **{name: how for name, how in _DENSE.items() if not name.startswith("activation")},
}
SIGNATURES = {"mlp": _DENSE, "cnn": {**_CONVOLUTIONAL, **_DENSE}, "rnn": _RECURRENT}


def load_functions(path: Path, activation: str, kind: str = "mlp") -> Functions:
    """Return the functions of a learner's file that stand in for ours.

    Parameters
    ----------
    path : Path
        A Python file; it is run.
    activation : str
        The network's, whose name may stand for ``activation`` (``relu_backward``).
    kind : {"mlp", "cnn", "rnn"}
        Of the network.

    Raises
    ------
    SpecError
        If the file cannot be run, or has none of the functions.
    """
    module = _run(path)
    signatures = SIGNATURES[kind]
    names = {name.replace("activation", activation): name for name in signatures}
    names |= {name: name for name in signatures}
    found: Functions = {}
    for name, value in inspect.getmembers(module, inspect.isfunction):
        if name in names:
            found[names[name]] = value
        elif name.endswith(("_forward", "_backward")) and not name.startswith("_"):
            raise SpecError(f"{path}: no layer here has {name!r}.{nearest(name, names)}")
    if not found:
        known = "; ".join(signatures.values())
        raise SpecError(f"{path}: has none of the functions that can stand in for ours: {known}.")
    return found


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise SpecError(f"{path}: no such file.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SpecError(f"{path}: must be a Python file, with a name that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(f"{path}: {raised(error, path)}.") from error
    return module


def raised(error: Exception, path: Path) -> str:
    """Return what was raised, and at which line of the learner's file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    at = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    where = f" in line {at}" if at else ""
    return f"{type(error).__name__}{where}: {error}"
