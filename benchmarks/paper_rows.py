"""The report's rows on CIFAR-10 at their own settings, and what came of them in docs/results/.

    python benchmarks/paper_rows.py DATA_DIR mlp mlp_dropout mlp_steplr mlp_dropout_steplr --seeds 5
    python benchmarks/paper_rows.py DATA_DIR cnn --seeds 1 --epochs 20

DATA_DIR holds cifar-10-batches-bin. Arms are those of ``triptych run paper --scale full``; the
CNN's 400 epochs take more than a day on two cores, so ``--epochs`` may end it where it is flat.
Runs are kept in ``--out``: the same command goes on where it was stopped. Each arm's records are
written to docs/results/ARM.json, and all, beside what the report gives, to docs/results/README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path

from triptych.records import RunRecord, StudyFolder
from triptych.runner import RunEnded, RunStarted, Setting, execute_study
from triptych.spec import ArmSpec, StudySpec
from triptych.studies import find_study

RESULTS = Path(__file__).parents[1] / "docs" / "results"
METRICS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")


def study_of(names: list[str], seeds: int, epochs: int | None) -> StudySpec:
    """Return the paper study at full scale, with these arms only."""
    whole = find_study("paper", "full")

    def cut(arm: ArmSpec) -> ArmSpec:
        if epochs is None:
            return arm
        return replace(arm, train=replace(arm.train, epochs=epochs, eval_every=-(-epochs // 10)))

    arms = {name: cut(whole.arms[name]) for name in names}
    reported = tuple(r for r in whole.reported if r.arm in arms)
    return replace(whole, arms=arms, seeds=seeds, claims=(), reported=reported)


def run(study: StudySpec, folder: StudyFolder, data_dir: Path) -> list[RunRecord]:
    """Train what is missing, and tell."""
    found = []
    for event in execute_study(study, folder, Setting(data_dir, "cpu")):
        if isinstance(event, RunStarted):
            print(f"{event.arm}, seeds {event.seeds}", flush=True)
        elif isinstance(event, RunEnded):
            found.append(event.record)
            scores = ", ".join(f"{m} {event.record.scores[m]:.4f}" for m in METRICS)
            seconds = f"{event.record.seconds:.0f} s in steps"
            print(f"  seed {event.record.seed}: {scores}; {seconds}", flush=True)
    return found


def keep(arm: str, records: list[RunRecord]) -> None:
    """Write an arm's records, curves included, as one JSON file."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "seed": r.seed,
            "epochs": r.epochs,
            "seconds": round(r.seconds, 1),
            "engine": r.engine,
            "scores": r.scores,
            "curve": [
                {key: row[key] for key in ("epoch", *METRICS)} for row in r.curve
            ],
            "environment": r.environment,
        }
        for r in sorted(records, key=lambda r: r.seed)
    ]  # fmt: skip
    (RESULTS / f"{arm}.json").write_text(json.dumps(rows, indent=1) + "\n")


def table() -> str:
    """Return the table of all arms whose records are kept, beside what the report gives."""
    whole = find_study("paper", "full")
    lines = [
        "# The report's rows on CIFAR-10, at its own settings",
        "",
        "Written by `python benchmarks/paper_rows.py` (it says how) on a copy of CIFAR-10 whose",
        "pictures went through JPEG, so accuracy reads a little lower than on the originals. Means",
        "over seeds, in brackets the smallest and largest; what the report gives stands behind.",
        "Curves are in the JSON files beside this page. Minutes are those of a seed's steps; other",
        "programs ran beside some: docs/log.md says what they take alone.",
        "",
        "| arm | epochs | seeds | train accuracy | test accuracy | best test | test loss | min |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        rows = json.loads(path.read_text())
        reported = {r.metric: r for r in whole.reported if r.arm == path.stem}

        def cell(metric: str, rows: list = rows, reported: dict = reported) -> str:
            values = [row["scores"][metric] for row in rows]
            text = f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
            said = reported.get(metric)
            about = "about " if said is not None and said.approximate else ""
            return text + (f"; reported {about}{said.value:g}" if said is not None else "")

        best = statistics.mean(max(p["test_accuracy"] for p in row["curve"]) for row in rows)
        minutes = statistics.mean(row["seconds"] for row in rows) / 60
        lines.append(
            f"| {whole.arms[path.stem].label} | {rows[0]['epochs']} | {len(rows)} "
            f"| {cell('train_accuracy')} | {cell('test_accuracy')} | {best:.3f} "
            f"| {cell('test_loss')} | {minutes:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, keep, tabulate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("arms", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path, default=Path("triptych-runs/paper-rows"))
    options = parser.parse_args()
    study = study_of(options.arms, options.seeds, options.epochs)
    records = run(study, StudyFolder(options.out), options.data_dir)
    for arm in options.arms:
        keep(arm, [r for r in records if r.arm == arm])
    (RESULTS / "README.md").write_text(table())
    print(table())


if __name__ == "__main__":
    main()
