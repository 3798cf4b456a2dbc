"""What a study is: arms, claims, and what somebody reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from triptych.errors import SpecError
from triptych.spec.arms import ArmSpec
from triptych.spec.claims import Comparison, parse_claim
from triptych.spec.durations import seconds_of
from triptych.spec.fields import Checked, between
from triptych.spec.matching import match_order
from triptych.spec.naming import nearest
from triptych.spec.networks import ReferenceSpec
from triptych.spec.parts import PartSpec, Reported
from triptych.spec.sources import PalindromeSpec, task_of
from triptych.spec.tables import Task
from triptych.spec.tasks import check_figures, check_loss, check_weights

MIN_SEEDS = 6
"""The fewest seeds that decide anything, and what ``"auto"`` gives an arm that no claim names."""


@dataclass(frozen=True, kw_only=True)
class Evidence(Checked):
    """A sentence and the comparison that tests it."""

    says: str
    test: str

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_claim(self.test)

    @property
    def comparison(self) -> Comparison:
        """The parsed test."""
        return parse_claim(self.test)


@dataclass(frozen=True, kw_only=True)
class ClaimSpec(Checked):
    """A sentence, the comparisons that must all hold for it, and measured causes.

    Attributes
    ----------
    says : str
        The claim, in words.
    tests : tuple of str
        Comparisons (see `triptych.spec.claims`); the claim holds if all of them do.
    part : str
        Which part of the study it belongs to.
    causes : tuple of Evidence
        What would explain the outcome; each is tested on the same runs.
    """

    says: str
    tests: tuple[str, ...]
    part: str = ""
    causes: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tests:
            raise SpecError(f"tests: the claim {self.says!r} needs at least one comparison.")
        for test in self.tests:
            parse_claim(test)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The parsed tests."""
        return tuple(parse_claim(test) for test in self.tests)

    @property
    def with_causes(self) -> tuple[Comparison, ...]:
        """The parsed tests, and those of its causes."""
        return (*self.comparisons, *(cause.comparison for cause in self.causes))


@dataclass(frozen=True, kw_only=True)
class StudySpec(Checked):
    """Arms, seeds and claims: all that is needed to repeat a study.

    Attributes
    ----------
    title, question : str
        Heading, and what the study asks.
    scale : str
        Which scale's settings these are; empty where a study has only one.
    seeds : int or "auto"
        Runs of every arm. ``"auto"``: until every claim is decided.
    max_seeds : int
        The most seeds that ``"auto"`` takes.
    first_seed : int
        The seeds are this one and those that follow it. What was tuned by looking at some seeds is
        judged on others.
    budget : float or str, optional
        The time that one call may take with ``"auto"``: seconds, or a text such as ``"10 min"``.
    arms : dict of str to ArmSpec
    parts, claims, reported : tuple
    cuts : tuple of str
        What this scale left out, in words.
    """

    title: str
    arms: dict[str, ArmSpec]
    seeds: int | Literal["auto"] = field(default=3, metadata=between(1, 100_000))
    max_seeds: int = field(default=30, metadata=between(MIN_SEEDS, 100_000))
    first_seed: int = field(default=0, metadata=between(0, 999_000_000))
    budget: float | str | None = None
    question: str = ""
    scale: str = ""
    parts: tuple[PartSpec, ...] = ()
    claims: tuple[ClaimSpec, ...] = ()
    reported: tuple[Reported, ...] = ()
    cuts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.arms:
            raise SpecError("arm: a study needs at least one arm.")
        for name in self.arms:
            if not re.fullmatch(r"[A-Za-z_]\w{0,63}", name):
                raise SpecError(
                    f"arm.{name!r}: a name has letters, digits and '_' only, at most 64."
                )
        match_order(self.arms)
        for claim in self.claims:
            for comparison in claim.with_causes:
                self._check_arms(comparison.arms, f"claim {claim.says!r}")
                self._check_measured(comparison, claim.says)
        for figure in self.reported:
            self._check_arms((figure.arm,), "reported")
        self.check_tasks({name: task_of(arm.data) for name, arm in self.arms.items()})
        self._check_parts()
        self._check_seeds()

    @property
    def most_seeds(self) -> int:
        """The most runs that an arm can have."""
        return self.seeds if isinstance(self.seeds, int) else self.max_seeds

    @property
    def least_seeds(self) -> int:
        """The runs that every arm has when the study is done."""
        return self.seeds if isinstance(self.seeds, int) else MIN_SEEDS

    @property
    def all_seeds(self) -> range:
        """The seeds that an arm can have runs of."""
        return self.seeds_from(0, self.most_seeds)

    def seeds_from(self, start: int, stop: int) -> range:
        """Return seeds by their place among those of the study: from `start` to before `stop`."""
        return range(self.first_seed + start, self.first_seed + stop)

    @property
    def budget_seconds(self) -> float:
        """The budget in seconds, infinite where there is none."""
        return float("inf") if self.budget is None else seconds_of(self.budget, "budget")

    def with_seeds(
        self,
        seeds: int | Literal["auto"] | None,
        budget: float | str | None = None,
        first_seed: int | None = None,
    ) -> StudySpec:
        """Return the study with other seeds; None keeps its own, a number drops the budget."""
        first = self.first_seed if first_seed is None else first_seed
        seeds = self.seeds if seeds is None else seeds
        if budget is None and seeds == "auto":
            budget = self.budget
        return replace(self, seeds=seeds, budget=budget, first_seed=first)

    def check_tasks(self, tasks: Mapping[str, Task | None]) -> None:
        """Refuse losses and claims that do not fit what is to be told.

        Parameters
        ----------
        tasks : mapping of str to {"classification", "regression"}
            Of each arm; None where that is not known yet, before its file was read.

        Raises
        ------
        SpecError
        """
        for name, arm in self.arms.items():
            source = f"the data of arm '{name}'"
            if arm.train is not None:
                check_loss(arm.train.loss, tasks[name], source)
                check_weights(arm.train.class_weight, tasks[name], source)
            if isinstance(arm.network, ReferenceSpec):
                check_weights(arm.network.class_weight, tasks[name], source)
                if arm.network.model == "ridge" and tasks[name] == "classification":
                    raise SpecError(
                        f"arm '{name}': model 'ridge' tells numbers, and {source} has classes. "
                        "Use 'linear'."
                    )
        for claim in self.claims:
            check_figures(claim.with_causes, tasks, f"claim {claim.says!r}")

    def _check_seeds(self) -> None:
        if self.seeds == "auto" and not self.claims:
            raise SpecError("seeds: 'auto' needs a claim to decide; give a number.")
        if self.budget is not None:
            seconds_of(self.budget, "budget")
            if self.seeds != "auto":
                raise SpecError(f"budget: needs seeds = 'auto', got {self.seeds}.")

    def _check_arms(self, names: tuple[str, ...], where: str) -> None:
        for name in names:
            if name not in self.arms:
                raise SpecError(f"{where}: unknown arm '{name}'.{nearest(name, self.arms)}")

    def _check_measured(self, comparison: Comparison, says: str) -> None:
        """Refuse what no run would measure: lengths not looked at, epochs of what has none."""
        for _, metric in comparison.terms:
            arm = self.arms[metric.arm]
            is_reference = isinstance(arm.network, ReferenceSpec)
            if metric.name == "epochs_to" and is_reference:
                raise SpecError(
                    f"claim {says!r}: '{metric}' needs an arm that is trained, and '{metric.arm}' "
                    "is a reference, which has no epochs."
                )
            data = None if is_reference else arm.data
            probes = data.probes if isinstance(data, PalindromeSpec) else ()
            if metric.name == "test_accuracy_at" and metric.level not in probes:
                known = ", ".join(map(str, probes)) or "none"
                raise SpecError(
                    f"claim {says!r}: '{metric}' needs {metric.level:.0f} among data.probes of arm "
                    f"'{metric.arm}', which has {known}."
                )

    def _check_parts(self) -> None:
        names = [part.name for part in self.parts]
        used = [arm.part for arm in self.arms.values()] + [claim.part for claim in self.claims]
        for name in used:
            if name and name not in names:
                raise SpecError(f"part: unknown part '{name}'.{nearest(name, names)}")
