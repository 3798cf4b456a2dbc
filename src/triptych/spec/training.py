"""How to train: optimiser, schedule, stopping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked, between


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(Checked):
    """An optimiser, with PyTorch's definitions and defaults.

    Attributes
    ----------
    name : {"sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"}
        The update rule.
    lr : float
        Learning rate before any schedule.
    momentum : float
        Of ``momentum`` and ``nesterov`` only.
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
        L2 penalty added to the gradient; decoupled from it for AdamW.
    """

    name: Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"] = "sgd"
    lr: float = field(default=0.01, metadata=between(0.0, 10.0, open_low=True))
    momentum: float = field(default=0.9, metadata=between(0.0, 1.0))
    beta1: float = field(default=0.9, metadata=between(0.0, 0.99999999))
    beta2: float = field(default=0.999, metadata=between(0.0, 0.99999999))
    alpha: float = field(default=0.99, metadata=between(0.0, 0.99999999))
    eps: float = field(default=1e-8, metadata=between(0.0, 1e9, open_low=True))
    epsilon_hat: bool = False
    weight_decay: float = field(default=0.0, metadata=between(0.0, 10.0))


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec(Checked):
    """How the learning rate moves, as a factor on the optimiser's `lr`.

    Attributes
    ----------
    name : {"constant", "step", "cosine", "one-cycle"}
        ``step``: times `gamma` every `step_epochs` epochs (StepLR). ``cosine``: to 0 along half a
        cosine, step by step. ``one-cycle``: up from 1/25 to 1 in the first `warmup` share of the
        steps and down to 1/250,000, both along cosines (Smith and Topin, 2018).
    """

    name: Literal["constant", "step", "cosine", "one-cycle"] = "constant"
    step_epochs: int = field(default=10, metadata=between(1, 1_000_000))
    gamma: float = field(default=0.1, metadata=between(0.0, 1.0, open_low=True))
    warmup: float = field(default=0.3, metadata=between(0.0, 0.9, open_low=True))


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
    """

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
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.patience is None) != (self.validation == 0.0):
            raise SpecError(
                "patience: early stopping needs both 'patience' and 'validation' (a share of the "
                f"training rows), got patience {self.patience}, validation {self.validation}."
            )
