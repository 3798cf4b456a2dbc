"""What a study would take, before it is run: its runs, its time, its memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from triptych.engines import DataShape, choose_device, choose_engine
from triptych.models import Cost, cost_on
from triptych.runner.inputs import load_for
from triptych.runner.kept import check_tasks
from triptych.runner.matching import match_arms
from triptych.runner.own import with_arrays, with_networks
from triptych.runner.seeds import arms_of
from triptych.runner.setting import Setting
from triptych.runner.trials import Trial, run_trial
from triptych.runner.ways import find_ways
from triptych.spec import MIN_SEEDS, ArmSpec, ReferenceSpec, StudySpec, spec_id


@dataclass(frozen=True)
class ArmEstimate:
    """What one arm is, and what a run of it would take.

    Attributes
    ----------
    data : str
        What the data really are.
    train_rows, test_rows : int
    sample_shape : tuple of int
        Of one row.
    cost : Cost
        Parameters, and FLOPs of a sample's forward pass.
    engine : str
    trial : Trial or None
        None where it was not tried.
    """

    data: str
    train_rows: int
    test_rows: int
    sample_shape: tuple[int, ...]
    cost: Cost
    engine: str
    trial: Trial | None = None


@dataclass(frozen=True)
class StudyEstimate:
    """What a study would take.

    Attributes
    ----------
    study : StudySpec
    arms : dict of str to ArmEstimate
    notes : tuple of str
        What a reader must know of the data.
    """

    study: StudySpec
    arms: dict[str, ArmEstimate]
    notes: tuple[str, ...]

    def runs(self, seeds: int) -> dict[str, int]:
        """Return how many runs each arm has by the time that open claims have so many seeds."""
        if self.study.seeds != "auto":
            return dict.fromkeys(self.study.arms, seeds)
        claimed = {name for claim in self.study.claims for name in arms_of(claim)}
        return {
            name: seeds if name in claimed else min(seeds, MIN_SEEDS) for name in self.study.arms
        }

    def seconds(self, seeds: int) -> float:
        """Return about how long these runs take; NaN where an arm was not tried.

        Without what is written at the end, the page.
        """
        trials = {name: arm.trial or Trial() for name, arm in self.arms.items()}
        # What is imported once is imported for all of them.
        once = max(trial.once for trial in trials.values())
        return once + sum(n * trials[name].seconds for name, n in self.runs(seeds).items())

    @property
    def memory(self) -> float:
        """The most memory of any arm, in bytes; NaN where it is not known of any."""
        known = [arm.trial.memory for arm in self.arms.values() if arm.trial]
        return max((one for one in known if not math.isnan(one)), default=math.nan)

    @property
    def seeds_in_budget(self) -> int:
        """How many seeds of every arm that still has open claims the budget is enough for."""
        most = self.study.most_seeds
        budget = self.study.budget_seconds
        return next((n for n in range(most, 0, -1) if self.seconds(n) <= budget), 0)

    @property
    def is_timed(self) -> bool:
        """Whether a time could be found for every arm."""
        return not math.isnan(self.seconds(1))


def estimate_study(
    study: StudySpec, setting: Setting, *, trials: bool, told: Callable[[str], None] = print
) -> StudyEstimate:
    """Load the data of every arm and try each of them for a few seconds; nothing is written.

    Parameters
    ----------
    study : StudySpec
    setting : Setting
    trials : bool
        Whether to train at all.
    told : callable
        Is given the name of each arm before it is tried.

    Raises
    ------
    SpecError, DataError, UnsafeFileError
        What the study would end with.
    """
    if setting.device == "cuda":
        choose_device("cuda", "torch")
    study, setting = with_arrays(study, setting)
    seen = {name: _see(arm, study.first_seed, setting) for name, arm in study.arms.items()}
    shapes = {name: one.shape for name, one in seen.items()}
    study = with_networks(study, shapes, setting)
    check_tasks(study, shapes)
    asked, (study, matched) = study, match_arms(study, shapes, None, setting)
    arms = {name: _described(arm, seen[name], setting) for name, arm in study.arms.items()}
    texts = [one.note for one in matched.values()] + [n for one in seen.values() for n in one.notes]
    notes = tuple(dict.fromkeys(texts))
    if not trials:
        return StudyEstimate(study, arms, notes)
    ways = find_ways(study, asked, shapes, setting)
    known: dict[tuple[str, int], Trial] = {}
    for name, arm in study.arms.items():
        seeds = study.seeds_from(0, min(ways[name].together, study.least_seeds))
        key = (spec_id(arm), len(seeds))
        if key not in known:
            told(name)
            known[key] = run_trial(arm, seeds, setting)
        arms[name] = ArmEstimate(**{**vars(arms[name]), "trial": known[key]})
    return StudyEstimate(study, arms, notes)


@dataclass(frozen=True)
class _Seen:
    """What there is to know of an arm's data, without keeping them."""

    data: str
    test_rows: int
    shape: DataShape
    notes: tuple[str, ...]


def _see(arm: ArmSpec, seed: int, setting: Setting) -> _Seen:
    data = load_for(arm, seed, setting.data_dir, setting.handed)
    return _Seen(data.name, len(data.test), DataShape.of(data), data.notes)


def _described(arm: ArmSpec, seen: _Seen, setting: Setting) -> ArmEstimate:
    network, shape = arm.network, seen.shape
    return ArmEstimate(
        data=seen.data,
        train_rows=shape.rows,
        test_rows=seen.test_rows,
        sample_shape=shape.sample_shape,
        cost=Cost(0, 0) if isinstance(network, ReferenceSpec) else cost_on(network, shape),
        engine=choose_engine(arm, shape, setting.device)[0],
    )
