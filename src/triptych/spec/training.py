"""How to train: optimiser, schedule, stopping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked, between
from triptych.spec.searching import SearchSpec


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(Checked):
    """An optimiser, with PyTorch's definitions and defaults.

    Attributes
    ----------
    name : {"sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "muon"}
        The update rule. ``"muon"`` (Jordan, 2024): each convolution's kernels are kept at one
        norm, and go along the nearest orthogonal matrix to their Nesterov momentum; everything
        else goes by Adam, at `head_lr` and `shift_lr`.
    lr : float
        Learning rate before any schedule.
    momentum : float
        Of ``momentum``, ``nesterov`` and ``muon`` only.
    beta1, beta2 : float
        Decay of Adam's moment estimates.
    alpha : float
        Decay of RMSprop's mean square.
    eps : float
        Added to the denominator of Adam, AdamW and RMSprop.
    epsilon_hat : bool
        Whether Adam and AdamW add `eps` before the bias correction (Kingma and Ba, 2015, end of
        section 2), as scikit-learn and Keras do, and not after it as PyTorch does.
    weight_decay : float
        L2 penalty added to the gradient; decoupled from it for AdamW; Muon has none, as it keeps
        the norm of what it trains.
    head_lr, shift_lr : float
        Of what Muon leaves to Adam: matrices, and vectors. They move with the schedule as `lr`.
    """

    name: Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "muon"] = "sgd"
    lr: float = field(default=0.01, metadata=between(0.0, 10.0, open_low=True))
    momentum: float = field(default=0.9, metadata=between(0.0, 1.0))
    beta1: float = field(default=0.9, metadata=between(0.0, 0.99999999))
    beta2: float = field(default=0.999, metadata=between(0.0, 0.99999999))
    alpha: float = field(default=0.99, metadata=between(0.0, 0.99999999))
    # Not less: in float32 it would be 0, and 0 / 0 no number.
    eps: float = field(default=1e-8, metadata=between(1e-30, 1e9))
    epsilon_hat: bool = False
    weight_decay: float = field(default=0.0, metadata=between(0.0, 10.0))
    head_lr: float = field(default=0.05, metadata=between(0.0, 10.0, open_low=True))
    shift_lr: float = field(default=0.01, metadata=between(0.0, 10.0, open_low=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name == "muon" and self.weight_decay:
            raise SpecError(
                f"weight_decay: not with 'muon', which keeps the norm, got {self.weight_decay}."
            )


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec(Checked):
    """How the learning rate moves, as a factor on the optimiser's `lr`.

    Attributes
    ----------
    name : {"constant", "step", "linear", "cosine", "one-cycle"}
        ``linear``: down to 0, step by step. ``step``: times `gamma` every `step_epochs` epochs
        (StepLR). ``cosine``: to 0 along half a cosine, step by step. ``one-cycle``: up from 1/25
        to 1 in the first `warmup` share of the steps and down to 1/250,000, both along cosines
        (Smith and Topin, 2018).
    """

    name: Literal["constant", "step", "linear", "cosine", "one-cycle"] = "constant"
    step_epochs: int = field(default=10, metadata=between(1, 1_000_000))
    gamma: float = field(default=0.1, metadata=between(0.0, 1.0, open_low=True))
    warmup: float = field(default=0.3, metadata=between(0.0, 0.9, open_low=True))


@dataclass(frozen=True, kw_only=True)
class AugmentSpec(Checked):
    """How training pictures are varied, anew in every epoch.

    Attributes
    ----------
    flip : bool
        Left and right are swapped: half of the pictures in the first epoch, the other half in the
        second, and so on, so that each picture is seen both ways equally often (Jordan, 2024).
    translate : int
        Shifted by up to so many pixels each way; what comes in is reflected at the edge.
    cutout : int
        Edge length of a square, somewhere in the picture, that is set to the mean (DeVries and
        Taylor, 2017).
    """

    flip: bool = False
    translate: int = field(default=0, metadata=between(0, 64))
    cutout: int = field(default=0, metadata=between(0, 1024))


@dataclass(frozen=True, kw_only=True)
class GrowthSpec(Checked):
    """How sequences grow while a recurrent network learns: only short ones at first.

    Each step takes rows of one length, drawn uniformly from the lengths up to the longest that is
    allowed by then; where too few rows have it, those of the lengths next to it join. An epoch is
    still as many steps as the training rows make.

    Attributes
    ----------
    stages : int
        In how many equal stages the allowed length goes from the shortest to the longest.
    every : int
        Steps of a round, at whose end the allowed length may go up by a stage.
    gate : float
        Mean loss of the round, any penalty included, below which it does.
    """

    stages: int = field(default=9, metadata=between(1, 10_000))
    every: int = field(default=16, metadata=between(1, 1_000_000))
    gate: float = field(default=0.05, metadata=between(0.0, 1e9, open_low=True))


@dataclass(frozen=True, kw_only=True)
class TrainSpec(Checked):
    """One training: how long, in what batches, how judged.

    Attributes
    ----------
    epochs : int
        Passes over the training rows.
    batch_size : int, optional
        Rows a step, 1 to any; absent: all of them (full batch).
    eval_every : int
        Epochs between evaluations on train and test; the last epoch is always evaluated.
    clip_norm : float, optional
        Largest norm of the whole gradient; longer ones are scaled down to it.
    patience : int, optional
        Evaluations without a better validation loss after which training stops; the best
        weights are kept. Needs `validation`.
    validation : float
        Share of the training rows set aside for `patience`, never seen by a step.
    loss : {"softmax", "sigmoid", "squared", "poisson"}
        Cross-entropy of classes; cross-entropy of each output's 0 or 1; half the squared error;
        the Poisson deviance of ``exp(output)``, halved. All but the first sum over outputs, and
        take classes as one 0 or 1 for each. All are means over the batch.
    l2 : float
        Adds ``l2 / 2`` times the sum of squared weights, not biases, to the loss.
    l2_scale : {"loss", "rows"}
        Whether that is all, or divided by the rows of the batch, as scikit-learn's `alpha` is.
    dtype : {"float32", "float64"}
        Of weights and inputs.
    label_smoothing : float
        Share of each target that is spread evenly over all classes; of the softmax loss only.
    augment : AugmentSpec
        Of pictures only.
    resolutions : tuple of float
        Edge length of the pictures in each of as many equal parts of training, as a share of their
        own; the last is 1. Small pictures early cost less and teach nearly as much.
    views : bool
        Whether the last evaluation also scores the test rows by the mean output over six views of
        each (as they are and shifted by a pixel both ways, each with its mirror image), as far as
        `augment` varies pictures so. Only the least certain quarter is looked at again. Told apart
        from the plain score.
    growth : GrowthSpec, optional
        Of sequences only: how their length grows; absent: all lengths from the start.
    judged_rows : int, optional
        Training rows that training scores are computed on, drawn at random; absent: all.
    search : SearchSpec, optional
        How the learning rate is found, by the rows of `validation`; absent: it is ``optimizer.lr``.
    class_weight : {"balanced", "root"}, optional
        Each training row counts by how rare its class is, in the loss that is trained; scores stay
        those of rows. ``"balanced"``: all classes count alike, as in scikit-learn. ``"root"``: by
        the square roots of these weights, which tells more of rare classes and costs little
        accuracy (``benchmarks/baseline.py --skewed``).
    calibration : {"temperature"}, optional
        Outputs are divided by one number at the end, which makes the probabilities of the rows of
        `validation` most likely (Guo, Pleiss, Sun and Weinberger, 2017). The losses that a run ends
        with are those of the divided outputs.

    Notes
    -----
    ``recipe`` names a set of these. ``"fast"`` is made for CNNs on small pictures: Muon, a linear
    schedule, label smoothing and growing resolutions. Whether pictures may be flipped or shifted
    depends on what they show, so `augment` is left to the study. ``"lengths"`` is made for vanilla
    recurrent networks that are to remember: every batch has one length, drawn anew. ``"table"`` is
    made for MLPs on tables: it finds its learning rate, stops early and calibrates
    (``benchmarks/baseline.py`` compares it with others).
    """

    named: ClassVar = (
        "recipe",
        {
            "fast": {
                "batch_size": 500,
                "label_smoothing": 0.2,
                "judged_rows": 5000,
                "resolutions": [0.5625, 1.0, 1.0],
                "optimizer": {"name": "muon", "lr": 0.18, "momentum": 0.6, "beta2": 0.99},
                "schedule": {"name": "linear"},
            },
            "lengths": {
                "batch_size": 64,
                "clip_norm": 1.0,
                "growth": {"stages": 1},
                "optimizer": {"name": "adam", "lr": 0.003},
            },
            "table": {
                "validation": 0.15,
                "patience": 10,
                "search": {},
                "calibration": "temperature",
                "optimizer": {"name": "adamw", "lr": 0.015, "weight_decay": 0.2},
                "schedule": {"name": "one-cycle"},
            },
        },
    )

    epochs: int = field(default=10, metadata=between(1, 1_000_000))
    batch_size: int | None = field(default=None, metadata=between(1, 1_000_000_000))
    eval_every: int = field(default=1, metadata=between(1, 1_000_000))
    clip_norm: float | None = field(default=None, metadata=between(0.0, 1e9, open_low=True))
    patience: int | None = field(default=None, metadata=between(1, 1_000_000))
    validation: float = field(default=0.0, metadata=between(0.0, 0.9))
    loss: Literal["softmax", "sigmoid", "squared", "poisson"] = "softmax"
    l2: float = field(default=0.0, metadata=between(0.0, 1e9))
    l2_scale: Literal["loss", "rows"] = "loss"
    dtype: Literal["float32", "float64"] = "float32"
    label_smoothing: float = field(default=0.0, metadata=between(0.0, 0.99))
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    resolutions: tuple[float, ...] = field(default=(), metadata=between(0.1, 1.0))
    views: bool = False
    growth: GrowthSpec | None = None
    judged_rows: int | None = field(default=None, metadata=between(1, 1_000_000_000))
    search: SearchSpec | None = None
    class_weight: Literal["balanced", "root"] | None = None
    calibration: Literal["temperature"] | None = None
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.patience is None) != (self.validation == 0.0):
            raise SpecError(
                "patience: early stopping needs both 'patience' and 'validation' (a share of the "
                f"training rows), got patience {self.patience}, validation {self.validation}."
            )
        self._check_rows_set_aside()
        if self.resolutions and self.resolutions[-1] != 1.0:
            raise SpecError(f"resolutions: the last must be 1, got {self.resolutions[-1]}.")
        if self.resolutions and self.patience is not None:
            raise SpecError(
                "resolutions: cannot be used with 'patience', which would compare pictures of "
                "different sizes."
            )
        if self.views and not (self.augment.flip or self.augment.translate):
            raise SpecError("views: 'augment' must flip or translate, else there is one view only.")
        for name in ("label_smoothing", "calibration"):
            if getattr(self, name) and self.loss != "softmax":
                raise SpecError(f"{name}: needs loss 'softmax', got '{self.loss}'.")

    def _check_rows_set_aside(self) -> None:
        for name in ("search", "calibration"):
            if getattr(self, name) is not None and self.patience is None:
                raise SpecError(
                    f"{name}: judges by rows set aside; set 'validation' (a share of the training "
                    "rows) and 'patience'."
                )

    def rows_set_aside(self, rows: int) -> int:
        """Return how many of so many training rows are only judged by, as `validation` says.

        About so many, where rows belong together.
        """
        return round(rows * self.validation)

    def for_pictures(self) -> tuple[str, ...]:
        """Return the settings in use that only a CNN on the torch engine has."""
        used = {
            "optimizer": self.optimizer.name == "muon",
            "label_smoothing": self.label_smoothing > 0,
            "augment": self.augment != AugmentSpec(),
            "resolutions": bool(self.resolutions),
            "views": self.views,
        }
        return tuple(name for name, is_used in used.items() if is_used)
