"""What fits a source: the losses it can be trained with, and the figures its runs have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from triptych.errors import SpecError
from triptych.spec.claims import Comparison
from triptych.spec.tables import Task

_OF_CLASSES = ("accuracy", "macro_f1")
_OF_NUMBERS = ("r2", "rmse")


def check_loss(loss: str, task: Task | None, source: str) -> None:
    """Refuse a loss that does not fit what is to be told of a source.

    Parameters
    ----------
    loss : str
        See `triptych.spec.TrainSpec`.
    task : {"classification", "regression"}, optional
        Absent where only the file can say; everything passes then.
    source : str
        What to call the source.

    Raises
    ------
    SpecError
    """
    if task == "regression" and loss != "squared":
        raise SpecError(
            f"train.loss: '{loss}' does not fit {source}, of which a number is to be told. "
            "Use loss = 'squared'."
        )


def check_weights(class_weight: str | None, task: Task | None, source: str) -> None:
    """Refuse weights of classes where numbers are to be told; parameters as of `check_loss`.

    Raises
    ------
    SpecError
    """
    if task == "regression" and class_weight is not None:
        raise SpecError(f"class_weight: {source} has no classes, of which a number is to be told.")


def check_figures(
    comparisons: Iterable[Comparison], tasks: Mapping[str, Task | None], where: str
) -> None:
    """Refuse comparisons of figures that the runs of their arms will not have.

    Parameters
    ----------
    comparisons : iterable of Comparison
    tasks : mapping of str to task
        What each arm's data are for; None where only the file can say.
    where : str
        Whose comparisons they are, for the message.

    Raises
    ------
    SpecError
    """
    for comparison in comparisons:
        for _, metric in comparison.terms:
            task, name = tasks[metric.arm], metric.of or metric.name
            if task == "classification" and name.endswith(_OF_NUMBERS):
                raise SpecError(
                    f"{where}: '{metric}' needs a number to tell, and arm '{metric.arm}' tells "
                    "classes. Use test_accuracy, test_balanced_accuracy or test_macro_f1."
                )
            if task == "regression" and any(part in name for part in _OF_CLASSES):
                raise SpecError(
                    f"{where}: '{metric}' needs classes, and arm '{metric.arm}' tells a number. "
                    "Use test_r2 or test_rmse."
                )
