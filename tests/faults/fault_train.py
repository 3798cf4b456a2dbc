"""Fails and kills `triptych train`: its search for a learning rate, its references, model and page.

    python tests/faults/fault_train.py points --every 40    operations on the disk x six faults
    python tests/faults/fault_train.py kills --count 100    killed at random times
    python tests/faults/fault_train.py broken               must be caught, all of them

As the other faults (fault_harness.py): a child is made to fail or killed, another goes on with the
same call, and every file is to have the bytes of one in one go. It trains for a few steps only.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

from fault_trials import DIARY, FAULTS, Break, Outcome, Trial, keep_diary, stand_still

from triptych.baseline import TrainOptions, execute, finish, make_plan
from triptych.baseline.networks import NETWORK
from triptych.contracts import State
from triptych.data import identity
from triptych.runner import RunEnded
from triptych.spec import SearchSpec, StudySpec
from triptych.training import references
from triptych.training.jobs import Job
from triptych.training.searches import Search

_ENDED = 10**9  # more than any step
_ARMS = (NETWORK, "most_frequent", "linear")


def stand_still_in_training() -> None:
    """Let time stand still in references too, and know a table that was just written."""
    stand_still()
    references.time = SimpleNamespace(perf_counter=lambda: 0.0)
    identity._SETTLED_SECONDS = -1e9


def small(study: StudySpec) -> StudySpec:
    """Return a study of few steps and of what is quickly fitted."""
    arms = {name: study.arms[name] for name in _ARMS}
    train = replace(
        study.arms[NETWORK].trained[1], epochs=2, eval_every=1,
        search=SearchSpec(low=0.005, high=0.05, rates=2, steps=4),
    )  # fmt: skip
    arms[NETWORK] = replace(arms[NETWORK], train=train)
    claims = tuple(one for one in study.claims if set(one.comparisons[0].arms) <= set(_ARMS))
    return replace(study, arms=arms, claims=claims)


def make_training(_: str, folder: Path) -> None:
    """Train on a table to the end, with model and page, keeping a diary beside the folder."""
    note = keep_diary(folder.parent / DIARY)
    options = TrainOptions(
        data=folder.parents[1] / "table.csv", seeds=2, device="cpu", out=folder, checkpoint=0.0
    )
    plan = make_plan(options)
    plan = replace(plan, study=small(plan.study))
    for event in execute(plan, options):
        if isinstance(event, RunEnded):
            note("ended", event.record.arm, event.record.seed, _ENDED)
    finish(plan)


class Training(Trial):
    """One training after another, each in a folder of its own, held against one in one go."""

    def __init__(self, broken: Break | None = None) -> None:
        super().__init__("mlp-compiled", broken, make_training)
        self.outcome.study = "train"

    def clear(self) -> None:
        """Begin with nothing but a table."""
        super().clear()
        path = self.home / "table.csv"
        if not path.exists():
            path.write_text(table())


def table() -> str:
    """Return 60 rows of two numbers, a town and a kind that follows from them."""
    draw = random.Random(0)
    rows = [(draw.gauss(0, 1), draw.gauss(0, 1), draw.choice("AB")) for _ in range(60)]
    lines = [f"{x:.3f},{y:.3f},{town},{'ny'[x + y > 0]}" for x, y, town in rows]
    return "\n".join(["a,b,town,kind", *lines]) + "\n"


def points(every: int, broken: Break | None = None) -> Outcome:
    """Let every so manyth operation fail, in each way in turn; if broken, until that is found."""
    trial = Training(broken)
    count = len(trial.operations().coming)
    pairs = [(at, kind) for at in range(1, count + 1) for kind in FAULTS][::every]
    if broken:
        random.Random(0).shuffle(pairs)
    for at, kind in pairs:
        trial.point(at, kind)
        if broken and not trial.outcome.is_good:
            break
    return trial.close()


def kills(count: int) -> Outcome:
    """Kill trainings at random times, `count` times in all."""
    trial, draw = Training(), random.Random(0)
    while trial.outcome.trials < count:
        trial.kill_until_done(draw)
    return trial.close()


def search_forgotten() -> None:
    """Begin a search anew."""
    restore = Job.restore

    def restore_all_else(job: Job, state: State) -> None:
        restore(job, state)
        job.search = None

    Job.restore = restore_all_else


def first_weights_forgotten() -> None:
    """Take the weights of a trial for those that each of them begins with."""
    restore = Job.restore

    def restore_the_trial(job: Job, state: State) -> None:
        restore(job, state)
        if job.search is not None and job.search.left is not None:
            job.learner.load(job.search.left.under("weights"))

    Job.restore = restore_the_trial


def losses_forgotten() -> None:
    """Forget what the trials that have ended came to, but for how many there were."""
    of = Search.of

    def without(state: State) -> Search:
        found = of(state)
        found.losses = [1.0] * len(found.losses)
        return found

    Search.of = without


VARIANTS: dict[str, Break] = {
    "search begun anew": search_forgotten,
    "first weights dropped": first_weights_forgotten,
    "losses of trials dropped": losses_forgotten,
}


def main() -> int:
    """Do what is asked; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", nargs="+", choices=("points", "kills", "broken"))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    asked = parser.parse_args()
    stand_still_in_training()
    found: dict[str, Outcome] = {}
    if "points" in asked.what:
        found["points"] = points(asked.every)
    if "kills" in asked.what:
        found["kills"] = kills(asked.count)
    good = all(outcome.is_good for outcome in found.values())
    if "broken" in asked.what:
        bad = {name: points(7, broken) for name, broken in VARIANTS.items()}
        good = good and not any(outcome.is_good for outcome in bad.values())
        found |= bad
    print(json.dumps({name: asdict(outcome) for name, outcome in found.items()}, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
