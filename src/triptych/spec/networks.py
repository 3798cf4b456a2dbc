"""Which network: the three architectures, as values; and the models they are held against."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked, between

Reads = Literal["rows", "pictures", "sequences"]
"""What a network takes; data of another kind is laid out so, see `triptych.data.arrange`."""


@dataclass(frozen=True, kw_only=True)
class MLPSpec(Checked):
    """A multilayer perceptron: linear layers with an activation between, logits out.

    Attributes
    ----------
    hidden : tuple of int
        Units of each hidden layer; none makes it a linear model.
    activation : {"relu", "tanh", "logistic", "identity", "gelu"}
        Of every hidden layer; GELU is the exact one (Hendrycks and Gimpel, 2016), with erf.
    dropout : float
        Probability that a hidden unit is zeroed in training, after each activation.
    """

    reads: ClassVar[Reads] = "rows"
    kind: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = field(default=(100,), metadata=between(1, 65_536))
    activation: Literal["relu", "tanh", "logistic", "identity", "gelu"] = "relu"
    dropout: float = field(default=0.0, metadata=between(0.0, 0.99))


@dataclass(frozen=True, kw_only=True)
class CNNSpec(Checked):
    """3x3 convolutions with batch normalisation and max pooling, one linear layer.

    Attributes
    ----------
    design : {"vgg", "whitened"}
        ``"vgg"``, the paper's: convolution, BatchNorm, ReLU, then ``max_pool(3, stride 2, padding
        1)``; the mean over what pixels are left; a linear layer.

        ``"whitened"``, after airbench (Jordan, 2024): 2x2 patches are whitened by filters that are
        computed, not trained; then convolution, ``max_pool(2)``, BatchNorm that only shifts, GELU;
        the maximum over what pixels are left; a linear layer without bias, divided by its inputs.
    channels : tuple of int
        Output channels of each convolution; the default is the paper's.
    pool_after : tuple of int
        Which convolutions (counted from 1) pooling follows.

    Notes
    -----
    ``preset`` names a set of these: ``"paper"``, ``"small"`` (made for small pictures and few
    cores), ``"wide"`` (as accurate as airbench's on CIFAR-10).
    """

    named: ClassVar = (
        "preset",
        {
            "paper": {},
            "small": {
                "design": "whitened",
                "channels": [32, 32, 128, 128, 128, 128],
                "pool_after": [1, 3, 5],
            },
            "wide": {
                "design": "whitened",
                "channels": [64, 64, 256, 256, 256, 256],
                "pool_after": [1, 3, 5],
            },
        },
    )

    reads: ClassVar[Reads] = "pictures"
    kind: Literal["cnn"] = "cnn"
    design: Literal["vgg", "whitened"] = "vgg"
    channels: tuple[int, ...] = field(
        default=(64, 128, 256, 256, 512, 512, 512, 512), metadata=between(1, 4096)
    )
    pool_after: tuple[int, ...] = field(default=(1, 2, 4, 6, 8), metadata=between(1, 64))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.channels:
            raise SpecError("channels: must name at least one convolution, got [].")
        if any(place > len(self.channels) for place in self.pool_after):
            raise SpecError(
                f"pool_after: {max(self.pool_after)} is past the last of "
                f"{len(self.channels)} convolutions."
            )


@dataclass(frozen=True, kw_only=True)
class RNNSpec(Checked):
    """A recurrent network, read out after the last step of a sequence.

    Attributes
    ----------
    cell : {"elman", "lstm", "gru"}
        ``"elman"``, the paper's vanilla network: ``h = tanh(Wx x + bx + Wh h + bh)`` (Elman, 1990).
        LSTM (Hochreiter and Schmidhuber, 1997) and GRU (Cho et al., 2014) as PyTorch has them.
    hidden : int
        Units of the hidden state, in each layer and direction.
    layers : int
        Each reads the states of the one before.
    bidirectional : bool
        Whether each layer also reads backwards; both last states are read out.
    output : {"logits", "softmax"}
        What the network hands to the loss. The paper's code returns softmax probabilities, to
        which the cross-entropy applies a second softmax; ``"softmax"`` is that faithful variant.
    init : {"uniform", "latch"}
        First weights: all uniform in ``±1/sqrt(fan_in)``; or with ``Wh = 3 I`` and ``bx = bh = 0``,
        so that each unit of an Elman cell keeps its sign from the start.
    """

    reads: ClassVar[Reads] = "sequences"
    kind: Literal["rnn"] = "rnn"
    cell: Literal["elman", "lstm", "gru"] = "elman"
    hidden: int = field(default=128, metadata=between(1, 65_536))
    layers: int = field(default=1, metadata=between(1, 64))
    bidirectional: bool = False
    output: Literal["logits", "softmax"] = "logits"
    init: Literal["uniform", "latch"] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init == "latch" and not self.is_vanilla:
            raise SpecError(
                "init: 'latch' needs one Elman layer that reads forward, got cell "
                f"'{self.cell}', layers {self.layers}, bidirectional {self.bidirectional}."
            )

    @property
    def gates(self) -> int:
        """How many matrices a cell has of each kind: for its candidate state and its gates."""
        return {"elman": 1, "gru": 3, "lstm": 4}[self.cell]

    @property
    def is_vanilla(self) -> bool:
        """Whether it is the paper's network: one Elman layer, forward in time."""
        return self.cell == "elman" and self.layers == 1 and not self.bidirectional


NetworkSpec = MLPSpec | CNNSpec | RNNSpec


# Models that can be told how much each row counts.
_WEIGHING = ("linear", "gradient_boosting", "random_forest")


@dataclass(frozen=True, kw_only=True)
class CustomSpec(Checked):
    """A network of one's own: any PyTorch module, made by a function that `triptych.run` is handed.

    A spec never holds code, so that a file cannot name any: it holds the key of the function in
    `networks`, and once a study was run, what came of calling it.

    Attributes
    ----------
    name : str
        Key of the function in the `networks` of `triptych.run`.
    reads : {"rows", "pictures", "sequences"}, optional
        What data of another kind is laid out as, see `triptych.data.arrange`; absent: data come as
        they are.
    made : str
        Class of the module. This and what follows is filled in when a study is run.
    code : str
        SHA-256 of the module's structure and of the code that makes and computes it, hexadecimal.
    parameters, flops : int
        As `triptych.models.Cost` has them; FLOPs are 0 where they cannot be counted.
    """

    kind: Literal["custom"] = "custom"
    name: str
    reads: Reads | None = None
    made: str = ""
    code: str = ""
    parameters: int = field(default=0, metadata=between(0, 2**62))
    flops: int = field(default=0, metadata=between(0, 2**62))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[A-Za-z_]\w{0,63}", self.name):
            raise SpecError(
                f"name: {self.name!r} must have letters, digits and '_' only, at most 64."
            )
        if self.made and not self.made.isidentifier():
            raise SpecError(f"made: {self.made!r} is no name of a class; leave it out.")
        if not re.fullmatch(r"([0-9a-f]{64})?", self.code):
            raise SpecError(f"code: {self.code!r} is no SHA-256; leave it out.")


TrainedSpec = NetworkSpec | CustomSpec
"""What Triptych trains."""


@dataclass(frozen=True, kw_only=True)
class ReferenceSpec(Checked):
    """A model of scikit-learn that networks are held against, with scikit-learn's own settings.

    It is fitted on the rows, split and seed of the networks beside it, by no training of ours.

    Attributes
    ----------
    model : str
        ``"most_frequent"``: the class that is most frequent among the training rows, its
        probabilities their shares; of numbers their mean. ``"linear"``: logistic regression, L2
        penalty at C = 1; of numbers least squares. ``"ridge"``: of numbers alone, least squares
        with an L2 penalty of 1.
        ``"nearest_neighbours"``: five. ``"gradient_boosting"``: trees on histograms, 100 rounds.
        ``"random_forest"``: 100 trees.
    class_weight : {"balanced", "root"}, optional
        See `triptych.spec.TrainSpec`; of models that weigh rows.
    """

    kind: Literal["reference"] = "reference"
    model: Literal[
        "most_frequent", "linear", "ridge", "nearest_neighbours", "gradient_boosting",
        "random_forest",
    ]  # fmt: skip
    class_weight: Literal["balanced", "root"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weight and self.model not in _WEIGHING:
            raise SpecError(
                f"class_weight: '{self.model}' weighs no rows; {', '.join(_WEIGHING)} do."
            )

    @property
    def reads(self) -> Reads | None:
        """Rows; None where it does not look at what it is given."""
        return None if self.model == "most_frequent" else "rows"
