"""``triptych twin``: engines, or a learner's own layer, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console
from triptych.errors import SpecError

if TYPE_CHECKING:
    from triptych.spec import TrainSpec
    from triptych.twin import TwinSpec

_SAYS = (
    "Train the engines side by side in float64, from the same weights, on the same batches, and "
    "show how far they are apart after each step."
)
_EXAMPLE = """\
A function of your own, in a file of your own, in place of ours:

  # my_backward.py
  def dense_backward(dy, x, w, b):
      return dy @ w.T, x.T @ dy, dy.sum(axis=0)

  triptych twin mlp --mine my_backward.py --batch 64

Functions: dense_forward(x, w, b), dense_backward(dy, x, w, b), activation_forward(x),
activation_backward(dy, x), loss_forward(z, y), loss_backward(z, y); relu_backward is one too.
"""
_CNN_EXAMPLE = """\
Functions of your own, with --mine FILE, as of 'triptych twin mlp', and: conv_forward(x, w, b),
conv_backward(dy, x, w, b), norm_forward(x, w, b), norm_backward(dy, x, w, b), pool_forward(x),
pool_backward(dy, x). Pictures are (batch, channels, height, width), kernels (out, in, 3, 3), with
zeros around the picture; windows of a pool are 3 x 3, two pixels apart, with one pixel around.
"""
_RNN_EXAMPLE = """\
Functions of your own, with --mine FILE: elman_forward(x, h, wx, bx, wh, bh), which returns all
states, from h (batch, hidden), before the first step, to the last: (time + 1, batch, hidden);
elman_backward(dh, x, h, wx, bx, wh, bh), which is given the gradient of the last state and all
states and returns (dwx, dbx, dwh, dbh); dense_forward, dense_backward, loss_forward and
loss_backward as of 'triptych twin mlp'. x is (batch, time, 10): each digit as a 1 in its place.
"""


def add_twin_mlp(networks: Any, common: argparse.ArgumentParser) -> None:
    """Add ``twin mlp`` to the parsers of ``twin``."""
    mlp = _parser(networks, common, "mlp", "the multilayer perceptron", _EXAMPLE)
    add = mlp.add_argument
    add("--steps", type=int, default=1000, help="optimiser steps to compare (default: 1000)")
    add("--data", default="moons", help="moons (default), circles, classification or digits")
    add("--hidden", type=int, nargs="+", default=[20], help="units of each hidden layer")
    add("--activation", default="relu", help="relu (default), tanh, logistic, identity or gelu")
    add("--loss", default="softmax", help="softmax (default), sigmoid, squared or poisson")
    add("--dropout", type=float, default=0.0, help="share of hidden units to drop")
    add("--batch", type=int, default=1, help="rows a step (default: 1)")
    mlp.set_defaults(call=_twin, spec=_mlp_spec)
    _add_training(mlp)


def add_twin_cnn(networks: Any, common: argparse.ArgumentParser) -> None:
    """Add ``twin cnn`` to the parsers of ``twin``."""
    cnn = _parser(networks, common, "cnn", "the convolutional network", _CNN_EXAMPLE)
    add = cnn.add_argument
    add("--steps", type=int, default=20, help="optimiser steps to compare (default: 20)")
    add("--data", choices=("digits",), default="digits", help="digits (default)")
    add("--channels", type=int, nargs="+", default=[8, 16, 16], metavar="N",
        help="output channels of each convolution (default: 8 16 16)")  # fmt: skip
    add("--pool-after", type=int, nargs="*", metavar="N",
        help="convolutions that a pool follows (default: the first and the last)")  # fmt: skip
    add("--batch", type=int, default=32, help="rows a step (default: 32)")
    cnn.set_defaults(call=_twin, spec=_cnn_spec)
    _add_training(cnn)


def add_twin_rnn(networks: Any, common: argparse.ArgumentParser) -> None:
    """Add ``twin rnn`` to the parsers of ``twin``."""
    rnn = _parser(networks, common, "rnn", "the vanilla recurrent network", _RNN_EXAMPLE)
    add = rnn.add_argument
    add("--steps", type=int, default=200, help="optimiser steps to compare (default: 200)")
    add("--length", type=int, default=10, help="digits of a palindrome (default: 10)")
    add("--shortest", type=int, metavar="LENGTH",
        help="palindromes of all lengths from this one on, padded")  # fmt: skip
    add("--hidden", type=int, default=20, help="units of the hidden state (default: 20)")
    add("--output", default="logits", help="what the loss reads: logits (default) or softmax")
    add("--init", default="uniform", help="first weights: uniform (default) or latch")
    add("--clip-norm", type=float, help="largest norm of the gradient")
    add("--batch", type=int, default=32, help="rows a step (default: 32)")
    rnn.set_defaults(call=_twin, spec=_rnn_spec)
    _add_training(rnn)


def _parser(
    networks: Any, common: argparse.ArgumentParser, name: str, network: str, epilog: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = networks.add_parser(
        name, parents=[common], help=network, description=_SAYS, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--mine", type=Path, metavar="FILE", help="a Python file with functions of your own"
    )
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--optimizer", default="sgd", help="sgd (default), momentum, nesterov, adam, adamw, rmsprop"
    )
    add("--lr", type=float, default=0.01, help="learning rate (default: 0.01)")
    add("--l2", type=float, default=0.0, help="weight of the L2 penalty")
    add("--seed", type=int, default=0, help="of all that is drawn")
    add("--engines", nargs="+", metavar="ENGINE",
        help="two or more; the first is compared with (default: all that train it)")  # fmt: skip


def _train(options: argparse.Namespace, loss: str = "softmax") -> TrainSpec:
    from triptych.spec import TrainSpec, structure

    optimizer = {"name": options.optimizer, "lr": options.lr}
    train = {"batch_size": options.batch, "loss": loss, "l2": options.l2, "optimizer": optimizer}
    if getattr(options, "clip_norm", None) is not None:
        train["clip_norm"] = options.clip_norm
    return structure(TrainSpec, train, "train")


def _mlp_spec(options: argparse.Namespace) -> TwinSpec:
    from triptych.spec import DigitsSpec, MLPSpec, ToySpec, structure
    from triptych.twin import TwinSpec

    network = {
        "hidden": options.hidden, "activation": options.activation, "dropout": options.dropout,
    }  # fmt: skip
    data: ToySpec | DigitsSpec
    if options.data == "digits":
        data = DigitsSpec()
    else:
        data = structure(ToySpec, {"source": options.data}, "data")
    return TwinSpec(
        data=data,
        network=structure(MLPSpec, network, "network"),
        train=_train(options, options.loss),
        steps=options.steps,
        seed=options.seed,
    )


def _cnn_spec(options: argparse.Namespace) -> TwinSpec:
    from triptych.spec import CNNSpec, DigitsSpec, structure
    from triptych.twin import TwinSpec

    pools = options.pool_after
    if pools is None:
        pools = sorted({1, len(options.channels)})
    network = {"channels": options.channels, "pool_after": pools}
    return TwinSpec(
        data=DigitsSpec(),
        network=structure(CNNSpec, network, "network"),
        train=_train(options),
        steps=options.steps,
        seed=options.seed,
    )


def _rnn_spec(options: argparse.Namespace) -> TwinSpec:
    from triptych.spec import PalindromeSpec, RNNSpec, structure
    from triptych.twin import TwinSpec

    # Rows enough for an epoch of many batches; none is judged by.
    data = {"source": "palindromes", "length": options.length, "train_size": 2000, "test_size": 500}
    if options.shortest is not None:
        data["shortest"] = options.shortest
    network = {"hidden": options.hidden, "output": options.output, "init": options.init}
    return TwinSpec(
        data=structure(PalindromeSpec, data, "data"),
        network=structure(RNNSpec, network, "network"),
        train=_train(options),
        steps=options.steps,
        seed=options.seed,
    )


def _twin(options: argparse.Namespace) -> int:
    from triptych.twin import (
        ENGINES,
        compare_engines,
        compare_mine,
        mine_lines,
        twin_lines,
        twin_table,
    )

    spec = options.spec(options)
    console = create_console()
    if options.mine is not None:
        mine = compare_mine(spec, options.mine)
        for line in mine_lines(mine):
            console.print(line, highlight=False, soft_wrap=True)
        return 0 if mine.departure is None else 1
    engines = tuple(dict.fromkeys(options.engines or ENGINES[options.network]))
    for engine in engines:
        if engine not in ENGINES[options.network]:
            known = ", ".join(ENGINES[options.network])
            raise SpecError(f"--engines: cannot compare {engine!r}; choose from {known}.")
    if len(engines) < 2:
        raise SpecError(f"--engines: needs two different ones, got {engines[0]!r} alone.")
    report = compare_engines(spec, engines)
    console.print(twin_table(report))
    for line in twin_lines(report):
        console.print(line, highlight=False)
    return 0 if report.agrees() else 1
