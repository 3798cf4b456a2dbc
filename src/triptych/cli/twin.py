"""``triptych twin``: engines, or a learner's own layer, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console
from triptych.errors import SpecError

if TYPE_CHECKING:
    from triptych.twin import TwinSpec

_ENGINES = ("numpy", "compiled", "torch")
_EXAMPLE = """\
A function of your own, in a file of your own, in place of ours:

  # my_backward.py
  def dense_backward(dy, x, w, b):
      return dy @ w.T, x.T @ dy, dy.sum(axis=0)

  triptych twin mlp --mine my_backward.py --batch 64

Functions: dense_forward(x, w, b), dense_backward(dy, x, w, b), activation_forward(x),
activation_backward(dy, x), loss_forward(z, y), loss_backward(z, y); relu_backward is one too.
"""


def add_twin_mlp(networks: Any, common: argparse.ArgumentParser) -> None:
    """Add ``twin mlp`` to the parsers of ``twin``."""
    mlp = networks.add_parser(
        "mlp",
        parents=[common],
        help="the multilayer perceptron",
        description="Train the engines side by side in float64, from the same weights, on the "
        "same batches, and show how far they are apart after each step.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = mlp.add_argument
    add("--mine", type=Path, metavar="FILE", help="a Python file with functions of your own")
    add("--steps", type=int, default=1000, help="optimiser steps to compare (default: 1000)")
    add("--data", default="moons", help="moons (default), circles, classification or digits")
    add("--hidden", type=int, nargs="+", default=[20], help="units of each hidden layer")
    add("--activation", default="relu", help="relu (default), tanh, logistic, identity or gelu")
    add("--loss", default="softmax", help="softmax (default), sigmoid, squared or poisson")
    add("--dropout", type=float, default=0.0, help="share of hidden units to drop")
    add("--batch", type=int, default=1, help="rows a step (default: 1)")
    add(
        "--optimizer", default="sgd", help="sgd (default), momentum, nesterov, adam, adamw, rmsprop"
    )
    add("--lr", type=float, default=0.01, help="learning rate (default: 0.01)")
    add("--l2", type=float, default=0.0, help="weight of the L2 penalty")
    add("--seed", type=int, default=0, help="of data, weights, order and dropout")
    add("--engines", nargs="+", choices=_ENGINES, default=list(_ENGINES), metavar="ENGINE",
        help="two or more of numpy, compiled, torch; the first is compared with")  # fmt: skip
    mlp.set_defaults(call=_twin_mlp)


def _spec(options: argparse.Namespace) -> TwinSpec:
    from triptych.spec import DigitsSpec, ToySpec, structure
    from triptych.spec.networks import MLPSpec
    from triptych.spec.training import TrainSpec
    from triptych.twin import TwinSpec

    network = {"hidden": options.hidden, "activation": options.activation}
    optimizer = {"name": options.optimizer, "lr": options.lr}
    train = {"batch_size": options.batch, "loss": options.loss, "l2": options.l2}
    data: ToySpec | DigitsSpec
    if options.data == "digits":
        data = DigitsSpec()
    else:
        data = structure(ToySpec, {"source": options.data}, "data")
    return TwinSpec(
        data=data,
        network=structure(MLPSpec, {**network, "dropout": options.dropout}, "network"),
        train=structure(TrainSpec, {**train, "optimizer": optimizer}, "train"),
        steps=options.steps,
        seed=options.seed,
    )


def _twin_mlp(options: argparse.Namespace) -> int:
    from triptych.twin import compare_engines, compare_mine, mine_lines, twin_lines, twin_table

    spec = _spec(options)
    console = create_console()
    if options.mine is not None:
        mine = compare_mine(spec, options.mine)
        for line in mine_lines(mine):
            console.print(line, highlight=False, soft_wrap=True)
        return 0 if mine.departure is None else 1
    engines = tuple(dict.fromkeys(options.engines))
    if len(engines) < 2:
        raise SpecError(f"--engines: needs two different ones, got {engines[0]!r} alone.")
    report = compare_engines(spec, engines)
    console.print(twin_table(report))
    for line in twin_lines(report):
        console.print(line, highlight=False)
    return 0 if report.agrees() else 1
