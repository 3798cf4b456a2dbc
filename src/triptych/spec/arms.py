"""What is compared: a network, trained one way, on one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked
from triptych.spec.matching import MatchSpec
from triptych.spec.networks import CNNSpec, MLPSpec, NetworkSpec, RNNSpec
from triptych.spec.sources import DataSpec, PalindromeSpec, ToySpec
from triptych.spec.training import TrainSpec


@dataclass(frozen=True, kw_only=True)
class ArmSpec(Checked):
    """One thing that is compared: a network, trained one way, on one data set, by one engine.

    Attributes
    ----------
    part : str
        Which part of the study it belongs to.
    label : str
        How tables and charts call it; its name where absent.
    engine : {"auto", "numpy", "compiled", "torch"}
        What computes it; ``"auto"`` picks by size and says which.
    match : MatchSpec, optional
        The arm whose cost it is to have. When the study starts, its sizes or epochs are replaced by
        those that give it, and this by nothing.
    """

    data: DataSpec
    network: NetworkSpec
    train: TrainSpec
    part: str = ""
    label: str = ""
    engine: Literal["auto", "numpy", "compiled", "torch"] = "auto"
    match: MatchSpec | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        sequences = isinstance(self.data, PalindromeSpec)
        if sequences != isinstance(self.network, RNNSpec):
            raise SpecError(
                f"network: kind '{self.network.kind}' cannot read data source "
                f"'{self.data.source}'. Sequences need kind 'rnn', and only they do."
            )
        if isinstance(self.network, CNNSpec) and isinstance(self.data, ToySpec):
            raise SpecError(f"network: kind 'cnn' needs pictures, got '{self.data.source}'.")
        if not isinstance(self.network, MLPSpec) and self.train.loss != "softmax":
            raise SpecError(
                f"train.loss: '{self.train.loss}' needs kind 'mlp', got '{self.network.kind}'."
            )
        if self.train.growth is not None and not isinstance(self.network, RNNSpec):
            raise SpecError(f"train.growth: needs kind 'rnn', got '{self.network.kind}'.")
        self._check_engine()
        self._check_pictures()

    def _check_engine(self) -> None:
        if self.engine in ("auto", "torch"):
            return
        if isinstance(self.network, RNNSpec) and not self.network.is_vanilla:
            raise SpecError(
                f"engine: '{self.engine}' trains one Elman layer, forward in time, got cell "
                f"'{self.network.cell}', layers {self.network.layers}, bidirectional "
                f"{self.network.bidirectional}. Use engine = 'torch'."
            )
        if self.engine == "compiled" and isinstance(self.network, CNNSpec):
            raise SpecError(
                "engine: 'compiled' trains kinds 'mlp' and 'rnn' only, got 'cnn'. "
                "Use engine = 'torch'."
            )

    def _check_pictures(self) -> None:
        used = self.train.for_pictures()
        if used and not isinstance(self.network, CNNSpec):
            raise SpecError(f"train.{used[0]}: needs kind 'cnn', got '{self.network.kind}'.")
        if isinstance(self.network, CNNSpec) and self.network.design != "vgg":
            used = (*used, "network.design")
        if self.engine == "numpy" and used:
            name = used[0] if "." in used[0] else f"train.{used[0]}"
            raise SpecError(f"{name}: not on the numpy engine. Use engine = 'torch'.")
