"""Records that look like a study's, without training anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from triptych.records import RunRecord, StudyRecord
from triptych.spec import StudySpec, spec_id
from triptych.studies import find_study


def made_up_run(study: StudySpec, arm: str, seed: int, **fields) -> RunRecord:
    """Return a plausible run; its figures depend on arm and seed only."""
    place = list(study.arms).index(arm)
    best = 0.6 + 0.02 * place + 0.005 * seed
    curve = tuple(
        {
            "epoch": e, "step": 10 * e, "lr": 0.1, "seconds": 0.1 * e,
            "train_loss": 1 / e, "test_loss": 1 / e + 0.02 * seed + 0.01,
            "train_accuracy": best + 0.05 - 0.3 / e, "test_accuracy": best - 0.3 / e,
        }
        for e in range(1, 13)
    )  # fmt: skip
    scores = {k: v for k, v in curve[-1].items() if k.endswith(("loss", "accuracy"))}
    base = {
        "arm": arm, "seed": seed, "key": "k", "spec": spec_id(study.arms[arm]),
        "status": "finished", "engine": "torch", "data": "digits", "fingerprint": f"{seed:064x}",
        "notes": ("CIFAR-10 was not found: the built-in digits stand in for it.",),
        "train_rows": 1437, "test_rows": 360, "parameters": 1234, "flops": 5678, "epochs": 12,
        "seconds": 1.0 + 0.1 * place + 0.01 * seed, "scores": scores, "curve": curve,
        "environment": {"python": "3.11", "processor": "made up"},
    }  # fmt: skip
    return RunRecord(**{**base, **fields})


def made_up_record(study: StudySpec, folder: Path = Path("runs/x")) -> StudyRecord:
    runs = [made_up_run(study, arm, seed) for arm in study.arms for seed in range(study.seeds)]
    return StudyRecord(study, tuple(runs), folder)


@pytest.fixture(scope="session")
def paper_record() -> StudyRecord:
    """Return the paper study at quick scale, as if it had been run on enough seeds."""
    return made_up_record(replace(find_study("paper"), seeds=10))


@pytest.fixture
def one_thread():
    """Let PyTorch compute with one thread: beside a busy program, steps this small wait for two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
