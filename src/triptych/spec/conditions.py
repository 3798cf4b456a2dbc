"""Conditions on single runs, in the grammar of claims without arms (never eval).

::

    condition  = comparison {"and" comparison}
    comparison = sum (">" | "<" | ">=" | "<=" | "=") sum
    metric     = name | "epochs_to(" name "," number ")" | "test_accuracy_at(" number ")"

Sums and terms are those of `triptych.spec.claims`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from triptych.spec.claims import UNITS, Metric, Parser

COUNTS = {"seed": "seed", "epochs": "epochs", "parameters": "weights", "train_rows": "rows"}
"""What a condition may name beside the metrics of claims, with its unit."""

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "=": operator.eq,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """Comparisons that must all be true of a run.

    Attributes
    ----------
    comparisons : tuple
        Of each: factors and metrics, whose sum and a constant stand in a relation to 0.
    """

    comparisons: tuple[tuple[tuple[tuple[float, Metric], ...], float, str], ...]

    def holds(self, measure: Callable[[Metric], float]) -> bool:
        """Whether it is true of the run whose figures `measure` gives; never of a NaN."""
        return all(
            _RELATIONS[relation](sum(factor * measure(m) for factor, m in terms) + constant, 0.0)
            for terms, constant, relation in self.comparisons
        )


def parse_condition(text: str) -> Condition:
    """Read one condition.

    Examples
    --------
    >>> condition = parse_condition("train_accuracy - test_accuracy > 0.1 and seconds < 5")
    >>> figures = {"train_accuracy": 0.9, "test_accuracy": 0.7, "seconds": 4.0}
    >>> condition.holds(lambda metric: figures[metric.name])
    True

    Raises
    ------
    SpecError
        If the text does not follow the grammar, names no known metric or mixes units.
    """
    return _Conditions(text).condition()


class _Conditions(Parser):
    what, named = "where", "metric"
    units = UNITS | COUNTS

    def condition(self) -> Condition:
        found = [self._comparison()]
        while self._peek() == "and":
            self._next()
            found.append(self._comparison())
        if self._peek():
            raise self._error(f"expected 'and' or the end, found {self._peek()!r}")
        return Condition(tuple(found))

    def _comparison(self) -> tuple[tuple[tuple[float, Metric], ...], float, str]:
        terms, constant = self._sum()
        relation = self._next()
        if relation not in _RELATIONS:
            raise self._error(f"expected one of > < >= <= =, found {relation or 'the end'!r}")
        right_terms, right_constant = self._sum()
        terms += [(-factor, metric) for factor, metric in right_terms]
        self._check_units(terms)
        return tuple(terms), constant - right_constant, relation

    def _metric(self) -> Metric:
        return self._figure("")
