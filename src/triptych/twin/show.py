"""What the terminal says of twins."""

from __future__ import annotations

from rich.table import Table

from triptych.spec import CNNSpec
from triptych.twin.compare import TwinReport
from triptych.twin.mine import MineReport

_TENSORS = {
    "dx": "dX", "dw": "dW", "db": "db", "y": "the output", "dz": "dZ", "h": "h",
    "dwx": "dWx", "dwh": "dWh",
}  # fmt: skip


def twin_table(report: TwinReport) -> Table:
    """Return losses and differences at chosen steps."""
    ours, *others = report.engines
    table = Table(title=f"Largest differences from the {ours} engine", title_justify="left")
    table.add_column("step", justify="right")
    table.add_column(f"loss, {ours}", justify="right")
    for name in others:
        table.add_column(f"{name}: loss", justify="right")
        table.add_column("gradient", justify="right")
        table.add_column("weights", justify="right")
    for row in report.shown():
        cells = [f"{row.step:,}", f"{row.losses[ours]:.6f}"]
        for name in others:
            figures = (row.loss(name), row.gradient[name], row.weights[name])
            cells += ["0" if not f else f"{f:.1e}" for f in figures]
        table.add_row(*cells)
    return table


def twin_lines(report: TwinReport) -> list[str]:
    """Return what the figures mean, a sentence or two for each engine."""
    ours, *others = report.engines
    steps = len(report.rows)
    bar = report.spec.tolerance
    lines = []
    for name in others:
        largest = report.largest(name)
        if name not in report.first:
            lines.append(f"{name} equals {ours} to the last bit over {steps:,} steps.")
            continue
        if largest > bar and report.only_rounds():
            lines.append(
                f"{name} comes {largest:.1e} away from {ours}, by rounding alone, which this "
                f"training magnifies: {ours} comes {report.rounding:.1e} away from itself if its "
                "first weights are changed by a unit in the last place. Where every step begins "
                f"with the same weights, they agree to {report.apart:.1e} (the bar is {bar:g})."
            )
            continue
        if largest > bar:
            where = next(row.step for row in report.rows if row.largest(name) > bar)
            lines.append(
                f"{name} DEPARTS from {ours}: more than {bar:g} from step {where:,} on, "
                f"{largest:.1e} at most."
            )
            continue
        first = report.first[name]
        lines.append(
            f"{name} agrees with {ours} to {largest:.1e} over {steps:,} steps (the bar is "
            f"{bar:g}). It first differs at step {first.step:,}, in {first.tensor}, by "
            f"{max(1, round(first.ulps))} unit{'s' * (round(first.ulps) > 1)} in the last place: "
            "the same sum, its terms added in another order or rounded once less, and steps "
            "carry that on."
        )
    if isinstance(report.spec.network, CNNSpec):
        lines.append(
            "Of the weights, the convolutions' biases are left out: BatchNorm takes them away "
            "again, so that their gradient is nothing but rounding."
        )
    return lines


def mine_lines(report: MineReport) -> list[str]:
    """Return what came of a learner's functions."""
    names = ", ".join(report.functions)
    if report.departure is None:
        return [f"{names}: the same as ours over {report.steps:,} steps."]
    d = report.departure
    where = d.place
    tensor = _TENSORS.get(d.tensor, d.tensor)
    subject = d.function if not tensor else (
        tensor if tensor == where else f"{tensor} of {where}"
    )  # fmt: skip
    before = f" ({d.step - 1:,} steps agreed)" if d.step > 1 else ""
    place = "" if where in subject else f", {where}"
    return [f"step {d.step:,}{place}, {d.function}: {subject} {d.what}{before}"]
