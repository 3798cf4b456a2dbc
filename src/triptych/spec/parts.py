"""What a study's page is made of besides arms and claims: its parts, and what somebody reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from triptych.spec.fields import Checked, between


@dataclass(frozen=True, kw_only=True)
class Reported(Checked):
    """A published figure, to stand beside the measured one.

    Attributes
    ----------
    arm, metric : str
        What it is to be compared with.
    value : float
        As published.
    approximate : bool
        Whether the source says "about".
    note : str
        What a reader must know to compare.
    """

    arm: str
    metric: Literal[
        "train_accuracy",
        "test_accuracy",
        "test_views_accuracy",
        "train_balanced_accuracy",
        "test_balanced_accuracy",
        "train_macro_f1",
        "test_macro_f1",
        "train_r2",
        "test_r2",
        "train_rmse",
        "test_rmse",
        "train_loss",
        "test_loss",
        "test_loss_sum",
        "seconds",
    ]
    value: float = field(metadata=between(-1e300, 1e300))
    approximate: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PartSpec(Checked):
    """A chapter of the study.

    Attributes
    ----------
    name, title : str
        Key and heading.
    question : str
        What this part asks, in a sentence or two.
    chosen : str
        Settings on which the source is silent, and what was chosen.
    """

    name: str
    title: str
    question: str = ""
    chosen: str = ""
