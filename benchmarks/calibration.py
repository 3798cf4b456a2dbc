"""How often verdicts are wrong, and how many seeds they take: the tables of docs/verdicts.md.

Thousands of made-up studies, each looked at after every seed. A comparison's values are drawn so
that their mean lies exactly at the limit, where every verdict is (or is next to) a false one.

    python benchmarks/calibration.py            # prints the tables; about two minutes
    python benchmarks/calibration.py --write    # and puts them into docs/verdicts.md
"""

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

import triptych.verdicts.sequential as sq

ALPHA, SEEDS = 0.05, 100
PAGE = Path(__file__).parent.parent / "docs" / "verdicts.md"
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
Shown = tuple[np.ndarray, np.ndarray]  # mean shown to be above 0, below 0; studies x looks


class Looks:
    """Running moments of studies x seeds, from the second seed on."""

    def __init__(self, x: np.ndarray, resolution: float = 0.0) -> None:
        self.n = np.arange(2, x.shape[1] + 1)
        mean, second, third = (np.cumsum(x**k, 1)[:, 1:] / self.n for k in (1, 2, 3))
        variance = np.maximum(second - mean**2, 0.0)
        self.mean, self.spread = mean, np.sqrt(variance * self.n / (self.n - 1))
        scale = np.maximum(np.sqrt(variance), resolution / 2)
        third = third - 3 * mean * second + 2 * mean**3
        self.skewness = np.divide(third, scale**3, out=np.zeros_like(third), where=scale > 0)
        self.floored = np.maximum(self.spread, resolution / 2)

    def beyond(self, reach: np.ndarray) -> Shown:
        """Return where the mean is more than `reach` standard errors from 0."""
        wide = np.isinf(reach)
        half = np.where(wide, np.inf, np.where(wide, 1.0, reach) * self.spread / np.sqrt(self.n))
        return self.mean > half, self.mean < -half


def naive(x: np.ndarray, rate: float, _: float) -> Shown:
    looks = Looks(x)
    return looks.beyond(stats.t.isf(rate / 2, looks.n - 1))


def mixture(x: np.ndarray, rate: float, _: float) -> Shown:
    looks = Looks(x)
    return looks.beyond(sq.boundary(looks.n, rate))


def triptych(x: np.ndarray, rate: float, resolution: float) -> Shown:
    looks = Looks(x, resolution)
    error = looks.floored / np.sqrt(looks.n)
    low, high = (sq.reach(looks.n, side * looks.skewness, rate) * error for side in (-1, 1))
    return looks.mean > low, looks.mean < -high


def spending(kind: str, looks: int) -> Callable[[np.ndarray, float, float], Shown]:
    """Return a group-sequential t test of Lan and DeMets (1983): every seed up to `looks`."""
    boundaries: dict[float, np.ndarray] = {}

    def boundary(rate: float) -> np.ndarray:
        if rate not in boundaries:
            share = np.arange(2, looks + 1) / looks
            if kind == "O'Brien-Fleming":
                spent = 2 * stats.norm.sf(stats.norm.isf(rate / 2) / np.sqrt(share))
            else:
                spent = rate * np.log1p((math.e - 1) * share)
            # Both sides at once: the statistic's size against the whole rate.
            made = Looks(np.random.default_rng(5).normal(size=(200_000, looks)))
            size = np.abs(made.mean) * np.sqrt(made.n) / made.spread
            found, alive = np.full(looks - 1, np.inf), np.ones(len(size), bool)
            for k, total in enumerate(spent):
                left = round(total * len(size)) - int((~alive).sum())
                if left > 0:
                    found[k] = np.sort(size[alive, k])[-left]
                    alive &= size[:, k] < found[k]
            boundaries[rate] = found
        return boundaries[rate]

    def shown(x: np.ndarray, rate: float, _: float) -> Shown:
        made = Looks(x)
        reach = np.full(len(made.n), np.inf)
        found = boundary(rate)[: len(reach)]
        reach[: len(found)] = found
        return made.beyond(reach)

    return shown


def betting(x: np.ndarray, rate: float, _: float) -> Shown:
    """Hedged capital of Waudby-Smith and Ramdas (2024) for values in [-1, 1], mean against 0."""
    y = (x + 1) / 2
    t = np.arange(1, y.shape[1] + 1)
    mean = (0.5 + np.cumsum(y, 1)) / (t + 1)
    variance = (0.25 + np.cumsum((y - mean) ** 2, 1)) / (t + 1)
    before = np.hstack([np.full((len(y), 1), 0.25), variance[:, :-1]])
    bet = np.sqrt(2 * math.log(2 / rate) / (before * t * np.log(t + 1)))
    bet = np.minimum(bet, 0.9 / 0.5)  # their cap is 0.5 / 0.5 or 0.75 / 0.5, slower still
    up, down = (np.cumsum(np.log1p(sign * bet * (y - 0.5)), 1)[:, 1:] for sign in (1, -1))
    return up >= math.log(2 / rate), down >= math.log(2 / rate)


CANDIDATES = {
    "naive t": naive,
    "mixture t": mixture,
    "**chosen**": triptych,
    "O'Brien-Fleming": spending("O'Brien-Fleming", 30),
    "Pocock": spending("Pocock", 30),
    "betting": betting,
}


@dataclass(frozen=True)
class Case:
    """Values whose mean is 0, the limit of the claim.

    `resolution` is the step between neighbouring values, `unit` what one of them is as a share of
    the range of accuracies; 0 where there is no bound.
    """

    name: str
    draw: Draw
    resolution: float = 0.0
    unit: float = 0.0


def _spiky_seconds(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return seconds of one arm less four times another's, each now and then half as long again."""
    a, b = (
        np.exp(0.05 * rng.normal(size=size)) * (1 + 0.5 * (rng.random(size) < 0.1))
        for _ in range(2)
    )
    return 4 * a - 4 * b


CASES = [
    Case("no difference, Gaussian", lambda r, s: r.normal(size=s), unit=0.02),
    Case("2 points where more than 2 are claimed, 200 test rows",
         lambda r, s: r.binomial(200, 0.90, s) - r.binomial(200, 0.88, s) - 4.0, 1.0, 1 / 200),
    Case("no difference, 20 test rows",
         lambda r, s: r.binomial(20, 0.95, s) - 1.0 * r.binomial(20, 0.95, s), 1.0, 1 / 20),
    Case("tied on 9 seeds of 10, else a step up or down",
         lambda r, s: (r.random(s) < 0.1) * r.choice([-1.0, 1.0], s), 1.0, 1 / 200),
    Case("tied on 9 seeds of 10, else a step up; limit between the steps",
         lambda r, s: (r.random(s) < 0.1) - 0.1, 1.0, 1 / 200),
    Case("equal on every seed", lambda _, s: np.zeros(s), 1.0, 1 / 200),
    Case("uniform", lambda r, s: r.uniform(-1, 1, s), unit=0.05),
    Case("heavy tails: Student, 3 degrees of freedom", lambda r, s: r.standard_t(3, s)),
    Case("difference of two exponentials", lambda r, s: r.exponential(size=s)
         - r.exponential(size=s)),
    Case("seconds with spikes, one arm against four times another", _spiky_seconds),
    Case("lognormal, sigma 0.5", lambda r, s: np.exp(0.5 * r.normal(size=s)) - math.exp(0.125)),
    Case("exponential", lambda r, s: r.exponential(size=s) - 1),
    Case("lognormal, sigma 1", lambda r, s: np.exp(r.normal(size=s)) - math.exp(0.5)),
    Case("a collapse by 20 standard deviations on 1 seed of 20",
         lambda r, s: r.normal(size=s) - 20 * (r.random(s) < 0.05) + 1, unit=0.02),
]  # fmt: skip


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(found: np.ndarray) -> str:
    return f"{100 * found.any(1).mean():.1f}"


def errors(studies: int, rng: np.random.Generator) -> str:
    """Return how often each candidate ever says above, and below, where the mean is the limit."""
    rows = []
    for case in CASES:
        x = case.draw(rng, (studies, SEEDS))
        row = [case.name]
        for name, shown in CANDIDATES.items():
            if name == "betting" and not case.unit:
                row.append("–")
                continue
            above, below = shown(x * case.unit if name == "betting" else x, ALPHA, case.resolution)
            row.append(f"{percent(above)} / {percent(below)}")
        rows.append(row)
    return table(["values", *CANDIDATES], rows)


def equalities(studies: int, rng: np.random.Generator) -> str:
    """Return the same for claims of equality, with the effect at the margin."""
    rows = []
    z = rng.normal(size=(studies, SEEDS))
    for margin in (0.25, 1.0, 4.0):
        row = [f"margin of {margin:g} standard deviations"]
        for shown in (naive, mixture, triptych):
            beyond, within = shown(z, ALPHA, 0.0)  # the upper margin
            not_low, below = shown(z + 2 * margin, ALPHA, 0.0)  # the lower one
            row.append(f"{percent(within & not_low)} / {percent(beyond | below)}")
        rows.append(row)
    return table(["effect at the margin", *list(CANDIDATES)[:3]], rows)


def families(studies: int, rng: np.random.Generator) -> str:
    """Return how often any of several claims is wrong."""
    rows = []
    gauss: Draw = lambda r, s: r.normal(size=s)  # noqa: E731
    exponential: Draw = lambda r, s: 1 - r.exponential(size=s)  # noqa: E731
    for name, draw in (("Gaussian", gauss), ("exponential, the worse side", exponential)):
        for shared in [False, True] if draw is gauss else [False]:
            row = [f"{name}{', one arm in all of them' if shared else ''}"]
            for claims in (1, 3, 10, 20):
                wrong = np.zeros(studies, bool)
                common = draw(rng, (studies, SEEDS)) if shared else 0.0
                for _ in range(claims):
                    x = draw(rng, (studies, SEEDS)) - common
                    wrong |= triptych(x, ALPHA / claims, 0.0)[0].any(1)
                row.append(f"{100 * wrong.mean():.1f}")
            rows.append(row)
    row = ["claims of three comparisons that just hold, Gaussian: wrongly fails"]
    for claims in (1, 3, 10):
        wrong = np.zeros(studies, bool)
        for _ in range(3 * claims):
            wrong |= triptych(gauss(rng, (studies, SEEDS)), ALPHA / claims / 3, 0.0)[1].any(1)
        row.append(f"{100 * wrong.mean():.1f}")
    return table(["claims", "1", "3", "10", "20"], [*rows, [*row, "–"]])


def fixed(effect: float, rate: float, power: float = 0.9) -> int:
    """Return how many seeds a t test at a number fixed before needs."""
    n = 2
    while stats.nct.sf(stats.t.isf(rate / 2, n - 1), n - 1, effect * math.sqrt(n)) < power:
        n += 1
    return n


def taken(above: np.ndarray) -> str:
    """Return the mean, and in brackets the 90 % quantile, of the seeds until a verdict."""
    seeds = np.where(above.any(1), above.argmax(1) + 2, above.shape[1] + 2)
    late = int(np.quantile(seeds, 0.9))
    if late > above.shape[1] + 1:
        return "never" if not above.any() else f"({100 * above.any(1).mean():.0f} % decided)"
    return f"{seeds.mean():.1f} ({late})"


def power(studies: int, rng: np.random.Generator) -> str:
    """Return the seeds that effects need, of each candidate, and of the chosen with ten claims."""
    rows = []
    for effect in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        x = rng.normal(size=(studies, 200)) + effect
        row = [f"{effect:g}", f"{fixed(effect, ALPHA)}"]
        for name, shown in CANDIDATES.items():
            if name != "naive t":
                row.append(taken(shown(x * 0.02 if name == "betting" else x, ALPHA, 0.0)[0]))
        row += [f"{fixed(effect, ALPHA / 10)}", taken(triptych(x, ALPHA / 10, 0.0)[0])]
        rows.append(row)
    names = [name for name in CANDIDATES if name != "naive t"]
    return table(["effect", "fixed t", *names, "fixed t, 10 claims", "chosen, 10 claims"], rows)


def scales(studies: int, rng: np.random.Generator) -> str:
    """Return the seeds that effects need for several mixing scales."""
    rows, chosen = [], sq.MIXING
    z = rng.normal(size=(studies, 200))
    for sq.MIXING in (1.0, 2.0, 4.0, 8.0, 16.0):
        shown = [triptych(z + d, rate, 0.0)[0] for d in (0.5, 1, 2.5, 5) for rate in (0.05, 0.005)]
        rows.append([f"{sq.MIXING:g}", *map(taken, shown)])
    sq.MIXING = chosen
    head = [f"{d}{', 10 claims' if k else ''}" for d in ("0.5", "1", "2.5", "5") for k in (0, 1)]
    return table(["g", *head], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/verdicts.md")
    options = parser.parse_args()
    text = PAGE.read_text("utf-8") if options.write else ""
    for made in (errors, equalities, families, power, scales):
        found = made(options.studies, np.random.default_rng(0))
        print(f"\n{made.__name__}\n\n{found}", flush=True)
        marks = f"<!-- {made.__name__} -->", f"<!-- end of {made.__name__} -->"
        text = re.sub(
            f"{marks[0]}.*?{marks[1]}",
            lambda _, marks=marks, found=found: f"{marks[0]}\n{found}\n{marks[1]}",
            text,
            flags=re.DOTALL,
        )
    if options.write:
        PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
