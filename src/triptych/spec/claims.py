"""Claims as small expressions over arms and metrics, read by a closed grammar (never eval).

::

    claim   = sum (">" | "<" | ">=" | "<=") sum
            | sum "=" sum "within" number
    sum     = ["-"] term {("+" | "-") term}
    term    = number ["*" metric] | metric ["*" number]
    metric  = arm "." name | arm ".epochs_to(" name "," number ")"
            | arm ".test_accuracy_at(" number ")"

The level of ``epochs_to`` may have a sign: R2 has no lower end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from triptych.errors import SpecError
from triptych.spec.naming import nearest

UNITS = {
    "train_accuracy": "share",
    "test_accuracy": "share",
    "test_views_accuracy": "share",
    "test_accuracy_at": "share",
    "train_balanced_accuracy": "share",
    "test_balanced_accuracy": "share",
    "train_macro_f1": "share",
    "test_macro_f1": "share",
    "train_r2": "R2",
    "test_r2": "R2",
    "train_rmse": "target",
    "test_rmse": "target",
    "train_loss": "loss",
    "test_loss": "loss",
    "test_loss_sum": "loss",
    "seconds": "seconds",
    "peak_memory": "MB",
    "epochs_to": "epochs",
}
"""Every metric that a claim may name, with its unit; ``"target"`` is that of a target's numbers."""

REACHED = tuple(
    f"{split}_{name}"
    for split in ("train", "test")
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "r2", "rmse")
)
"""The metrics that ``epochs_to`` takes: those of every evaluation with a scale that people know."""


@dataclass(frozen=True)
class Metric:
    """A figure of an arm's runs, such as ``cnn.test_accuracy``.

    Attributes
    ----------
    arm, name : str
        Which arm, which figure.
    of, level : str, float
        For ``epochs_to``: the metric and the value it is to reach. For ``test_accuracy_at``: the
        length of the sequences.
    """

    arm: str
    name: str
    of: str = ""
    level: float = 0.0

    def __str__(self) -> str:
        inside = f"({self.of}, {self.level:g})" if self.of else ""
        if self.name == "test_accuracy_at":
            inside = f"({self.level:.0f})"
        return f"{self.arm}.{self.name}{inside}"


@dataclass(frozen=True)
class Comparison:
    """``sum of factor * metric  +  constant  >  0``, or ``|...| <= margin``.

    Attributes
    ----------
    terms : tuple of (float, Metric)
        The left side after everything was moved there.
    constant : float
        What stands there without a metric.
    relation : {">", "="}
        A ``<`` is turned around while parsing.
    margin : float
        Of an equality.
    """

    terms: tuple[tuple[float, Metric], ...]
    constant: float
    relation: Literal[">", "="]
    margin: float = 0.0

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms it speaks of, each once, in order."""
        return tuple(dict.fromkeys(metric.arm for _, metric in self.terms))

    @property
    def unit(self) -> str:
        """The unit of both sides."""
        return UNITS[self.terms[0][1].name]


_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e-?\d+)?|\.\d+)|([A-Za-z_]\w*)|(>=|<=|[-+*><=.,()]))")


def parse_claim(text: str) -> Comparison:
    """Read one claim.

    Examples
    --------
    >>> claim = parse_claim("cnn.test_accuracy - mlp.test_accuracy > 0.02")
    >>> claim.arms, claim.constant
    (('cnn', 'mlp'), -0.02)

    Raises
    ------
    SpecError
        If the text does not follow the grammar, names no known metric or mixes units.
    """
    return Parser(text).claim()


class Parser:
    """Recursive descent with one token of look-ahead."""

    what, named = "test", "arm's metric"
    units = UNITS

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._scan())
        self.place = 0

    def _scan(self) -> Iterator[tuple[str, int]]:
        end = 0
        text = self.text.rstrip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                raise self._error(f"cannot read {text[end:].strip()[:12]!r}", end)
            yield match.group().strip(), match.end()
            end = match.end()

    def _error(self, what: str, end: int | None = None) -> SpecError:
        at = end if end is not None else self.tokens[self.place - 1][1] if self.place else 0
        end_of = "" if what.endswith(("?", ".")) else "."
        return SpecError(f"{self.what} {self.text!r}, character {at + 1}: {what}{end_of}")

    def _peek(self) -> str:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self.place += 1 if token else 0
        return token

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._error(f"expected {token!r}, found {self._peek() or 'the end'!r}")
        self._next()

    def claim(self) -> Comparison:
        """Return the whole text as a claim."""
        terms, constant = self._sum()
        relation = self._next()
        if relation not in (">", "<", ">=", "<=", "="):
            raise self._error(f"expected one of > < >= <= =, found {relation or 'the end'!r}")
        right_terms, right_constant = self._sum()
        terms += [(-factor, metric) for factor, metric in right_terms]
        constant -= right_constant
        margin = 0.0
        if relation == "=":
            if self._next() != "within":
                raise self._error("an equality needs 'within' and a margin")
            margin = self._number()
        if self._peek():
            raise self._error(f"expected the end, found {self._peek()!r}")
        if relation in ("<", "<="):
            terms = [(-factor, metric) for factor, metric in terms]
            constant = -constant
        self._check_units(terms)
        return Comparison(tuple(terms), constant, "=" if relation == "=" else ">", margin)

    def _check_units(self, terms: list[tuple[float, Metric]]) -> None:
        units = {self.units[metric.name]: metric.name for _, metric in reversed(terms)}
        if not units:
            raise self._error(f"names no {self.named}")
        if len(units) > 1:
            named = (f"{units[unit]} ({unit})" for unit in sorted(units))
            raise self._error(f"compares {' with '.join(named)}, which have no unit in common")

    def _sum(self) -> tuple[list[tuple[float, Metric]], float]:
        terms: list[tuple[float, Metric]] = []
        constant = 0.0
        sign = 1.0
        if self._peek() == "-":
            self._next()
            sign = -1.0
        while True:
            factor, metric = self._term()
            if metric is None:
                constant += sign * factor
            else:
                terms.append((sign * factor, metric))
            if self._peek() not in ("+", "-"):
                return terms, constant
            sign = 1.0 if self._next() == "+" else -1.0

    def _term(self) -> tuple[float, Metric | None]:
        if self._peek()[:1].isdigit() or self._peek()[:1] == ".":
            factor = self._number()
            if self._peek() != "*":
                return factor, None
            self._next()
            return factor, self._metric()
        metric = self._metric()
        if self._peek() != "*":
            return 1.0, metric
        self._next()
        return self._number(), metric

    def _number(self) -> float:
        token = self._next()
        try:
            return float(token)
        except ValueError:
            raise self._error(f"expected a number, found {token or 'the end'!r}") from None

    def _metric(self) -> Metric:
        arm = self._next()
        if not arm.isidentifier():
            raise self._error(f"expected a number or an arm, found {arm or 'the end'!r}")
        self._expect(".")
        return self._figure(arm)

    def _figure(self, arm: str) -> Metric:
        name = self._next()
        if name not in self.units:
            raise self._error(f"unknown metric {name!r}.{nearest(name, self.units)}")
        if name not in ("epochs_to", "test_accuracy_at"):
            return Metric(arm, name)
        self._expect("(")
        if name == "test_accuracy_at":
            length = self._number()
            if not length.is_integer():  # nor is infinity
                raise self._error(f"test_accuracy_at takes a whole number, found {length:g}")
            self._expect(")")
            return Metric(arm, name, level=length)
        of = self._next()
        if of not in REACHED:
            raise self._error(f"epochs_to cannot take {of!r}.{nearest(of, REACHED)}")
        self._expect(",")
        sign = -1.0 if self._peek() == "-" else 1.0
        if sign < 0:
            self._next()
        level = sign * self._number()
        self._expect(")")
        return Metric(arm, name, of, level)
