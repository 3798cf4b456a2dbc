"""What an arm of a study is: a network, or a model to hold it against, on one data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked
from triptych.spec.matching import MatchSpec
from triptych.spec.networks import (
    CNNSpec,
    CustomSpec,
    MLPSpec,
    NetworkSpec,
    ReferenceSpec,
    RNNSpec,
    TrainedSpec,
)
from triptych.spec.sources import DataSpec, PalindromeSpec, task_of
from triptych.spec.tasks import check_loss
from triptych.spec.training import TrainSpec

_OF_PICTURES = ("augment", "resolutions", "views")


@dataclass(frozen=True, kw_only=True)
class ArmSpec(Checked):
    """One thing that is compared: a network, trained one way, on one data set, by one engine.

    Attributes
    ----------
    data : DataSpec
        Of any kind: what a network does not read as it is, is laid out for it, see
        `triptych.data.arrange`.
    network : NetworkSpec, ReferenceSpec or CustomSpec
    train : TrainSpec, optional
        How the network is trained; a reference has none.
    scrambled : bool
        Whether pixels, steps or columns change places: by one permutation, drawn by the seed, for
        all rows of all arms.
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
    network: NetworkSpec | ReferenceSpec | CustomSpec
    train: TrainSpec | None = None
    scrambled: bool = False
    part: str = ""
    label: str = ""
    engine: Literal["auto", "numpy", "compiled", "torch"] = "auto"
    match: MatchSpec | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_sequences()
        if isinstance(self.network, ReferenceSpec):
            self._check_reference()
            return
        if self.train is None:
            raise SpecError(
                f"train: is missing, which kind '{self.network.kind}' needs; such as "
                "{ epochs = 10, batch_size = 32 }."
            )
        network, train = self.trained
        if task_of(self.data) == "regression" and not isinstance(network, MLPSpec | CustomSpec):
            raise SpecError(
                f"network: kind '{network.kind}' tells classes, and of '{self.data.source}' a "
                "number is to be told. Use kind 'mlp'."
            )
        if not isinstance(network, MLPSpec | CustomSpec) and train.loss != "softmax":
            raise SpecError(f"train.loss: '{train.loss}' needs kind 'mlp', got '{network.kind}'.")
        if train.growth is not None and not isinstance(network, RNNSpec):
            raise SpecError(f"train.growth: needs kind 'rnn', got '{network.kind}'.")
        check_loss(train.loss, task_of(self.data), f"'{self.data.source}'")
        self._check_engine()
        self._check_pictures(network, train)

    @property
    def trained(self) -> tuple[TrainedSpec, TrainSpec]:
        """The network and how it is trained.

        Raises
        ------
        SpecError
            Of a reference, which no training of ours makes.
        """
        if isinstance(self.network, ReferenceSpec) or self.train is None:
            raise SpecError(f"network: kind '{self.network.kind}' is not trained.")
        return self.network, self.train

    def _check_reference(self) -> None:
        if self.train is not None:
            raise SpecError("train: kind 'reference' takes none; scikit-learn fits it.")
        if self.engine != "auto":
            raise SpecError(
                f"engine: kind 'reference' takes none, got '{self.engine}'; scikit-learn fits it."
            )

    def _check_sequences(self) -> None:
        """Refuse sequences that have no one length where rows or pictures of one size are read."""
        data = self.data
        if not isinstance(data, PalindromeSpec) or self.network.reads in ("sequences", None):
            return
        if data.shortest not in (None, data.length):
            raise SpecError(
                f"network: kind '{self.network.kind}' needs sequences of one length, got "
                f"{data.shortest} to {data.length}. Use kind 'rnn', or leave out data.shortest."
            )
        if data.probes:
            raise SpecError(
                f"data.probes: kind '{self.network.kind}' reads sequences of the length it was "
                "trained on only. Use kind 'rnn', or leave out the probes."
            )

    def _check_engine(self) -> None:
        if self.engine in ("auto", "torch"):
            return
        if isinstance(self.network, CustomSpec):
            raise SpecError(
                f"engine: kind 'custom' is a PyTorch module, got '{self.engine}'. Use 'torch', or "
                "leave it out."
            )
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

    def _check_pictures(self, network: TrainedSpec, train: TrainSpec) -> None:
        used = train.for_pictures()
        if used and not isinstance(network, CNNSpec | CustomSpec):
            raise SpecError(f"train.{used[0]}: needs kind 'cnn', got '{network.kind}'.")
        for name in used:
            if name in _OF_PICTURES and self.data.holds != "pictures":
                raise SpecError(f"train.{name}: needs pictures, got source '{self.data.source}'.")
        if isinstance(network, CNNSpec) and network.design != "vgg":
            used = (*used, "network.design")
        if self.engine == "numpy" and used:
            name = used[0] if "." in used[0] else f"train.{used[0]}"
            raise SpecError(f"{name}: not on the numpy engine. Use engine = 'torch'.")
