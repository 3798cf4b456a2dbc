"""A network of one's own: the PyTorch module that a function makes, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from triptych.errors import SpecError
from triptych.models.costs import Cost, Samples


def make_module(
    name: str, maker: Callable[[Any], Any], data: Samples, seed: int, *, symbols: bool
) -> nn.Module:
    """Return the module that `maker` makes, its first weights drawn by `seed` alone.

    Parameters
    ----------
    name : str
        Of the network, for messages.
    maker : callable
        Takes `data` and returns a ``torch.nn.Module``. What it draws comes from PyTorch's global
        stream, which is seeded for it, and afterwards is as it was.
    data : Samples
        Shape of what it is to read, and how many outputs it is to have.
    seed : int
    symbols : bool
        Whether it reads integers, (B, T).

    Raises
    ------
    SpecError
        If that is no module, reads no row of that shape, returns another shape than (B, outputs),
        or has nothing to train.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # noqa: TID251 (in a fork: modules know no other stream)
        try:
            module = maker(data)
        except Exception as error:
            raise SpecError(_told(name, "could not be made", error)) from error
        if not isinstance(module, nn.Module):
            raise SpecError(
                f"network '{name}': its function must return a torch.nn.Module, got "
                f"{type(module).__name__}."
            )
        # Lazy layers draw their weights now.
        _look(name, module, data, symbols=symbols)
    parameters = list(module.parameters())
    if not parameters or not all(p.requires_grad for p in parameters):
        what = "has frozen parameters; make them buffers" if parameters else "has no parameters"
        raise SpecError(f"network '{name}': {type(module).__name__} {what}.")
    return module


def module_cost(module: nn.Module, data: Samples, *, symbols: bool) -> Cost:
    """Return what a module costs; FLOPs are 0 where PyTorch cannot count them, as of ``nn.LSTM``.

    Parameters
    ----------
    module : torch.nn.Module
        From `make_module`.
    data, symbols
        As there.
    """
    parameters = sum(p.numel() for p in module.parameters())
    if any(isinstance(part, nn.RNNBase) for part in module.modules()):
        return Cost(parameters, 0)
    counter = FlopCounterMode(display=False)
    # With gradients: without them transformers take a way that is not counted.
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), counter:
        module.eval()(_row(data, symbols=symbols))
    return Cost(parameters, counter.get_total_flops())


def _row(data: Samples, *, symbols: bool) -> Tensor:
    return torch.zeros(1, *data.sample_shape, dtype=torch.int64 if symbols else torch.float32)


def _look(name: str, module: nn.Module, data: Samples, *, symbols: bool) -> None:
    """Refuse a module that does not turn a row into as many outputs as there are to be."""
    row = _row(data, symbols=symbols)
    shape = f"a batch of shape {tuple(row.shape)}, {str(row.dtype).removeprefix('torch.')}"
    with torch.no_grad():
        try:
            out = module.eval()(row)
        except Exception as error:
            raise SpecError(_told(name, f"cannot read {shape}", error)) from error
    wanted = (1, data.outputs)
    if not isinstance(out, Tensor) or tuple(out.shape) != wanted:
        found = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise SpecError(
            f"network '{name}': {type(module).__name__} makes {found} of {shape}, and must make "
            f"{wanted}: one number for each class, or each number to tell."
        )


def _told(name: str, what: str, error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return f"network '{name}': it {what}: {type(error).__name__}: {text}"
