"""Records that look like a study's, without training anything."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from chromium import (  # noqa: F401 (fixtures)
    address,
    browser,
    explained_address,
    opened,
    sequences_address,
)
from kept_study import KEPT
from triptych.contracts import Split
from triptych.explain import (
    Boundary,
    Judged,
    calibration,
    class_shares,
    confusion,
    feature_maps,
    filters,
    importance,
    mistakes,
    occlusion,
)
from triptych.models.initial import cnn_weights
from triptych.records import Finding, RunRecord, StudyRecord
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DigitsSpec,
    FolderSpec,
    MLPSpec,
    SequenceFileSpec,
    StudySpec,
    TableSpec,
    ToySpec,
    TrainSpec,
    parse_study,
    spec_id,
)
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


def without_scripts(html: str) -> str:
    """Return a page without what runs in it; the data of its charts stay."""
    found = re.sub(
        r'<script(?: type="text/plain" id="vega")?>.*?</script>', "", html, flags=re.DOTALL
    )
    assert len(found) < len(html)
    return found


def made_up_record(study: StudySpec, folder: Path = Path("runs/x")) -> StudyRecord:
    runs = [
        made_up_run(study, arm, seed) for arm in study.arms for seed in range(study.least_seeds)
    ]
    return StudyRecord(study, tuple(runs), folder)


def gradient_flow_finding(caption="how to read it", steps=100) -> Finding:
    back = np.arange(steps + 1.0)
    arrays = {"back": back, "before": 0.5**back, "after": 0.9**back}
    return Finding("gradient flow", "Gradients", caption, arrays)


def hidden_states_finding(classes=10, late=3) -> Finding:
    labels = np.repeat(np.arange(classes), 2).astype(float)
    arrays = {
        "paths": np.random.default_rng(0).normal(size=(len(labels), 8, 2)), "labels": labels,
        "times": np.arange(8.0), "late": np.array(float(late)), "explained": np.array([0.5, 0.25]),
    }  # fmt: skip
    return Finding("hidden states", "Paths", "where it goes", arrays)


def classes_findings(names=("cat", "dog", "cow"), channels=3, seed=0) -> tuple[Finding, ...]:
    """Return what is found in a network of pictures that guesses."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (60, channels, 8, 8), dtype=np.uint8)
    weights = cnn_weights(CNNSpec(channels=(4, 4), pool_after=(1,)), channels, len(names), rng)
    head = rng.normal(size=(x[0].size, len(names))) / 1000

    def tells(x):
        return x.reshape(len(x), -1) @ head

    shares = class_shares(tells(x), "softmax")
    judged = Judged(x, rng.integers(0, len(names), 60), shares, names, (0.0, 255.0))
    maps = [rng.random((4, 4, 4)), rng.random((4, 2, 2))]
    return (
        confusion(judged), mistakes(judged), filters(weights, x.shape[1:]),
        feature_maps(maps, judged.pictures(np.array([0]))[0], names[0]),
        occlusion(tells, "softmax", judged, np.zeros((channels, 1, 1))), calibration(judged),
    )  # fmt: skip


def plane_findings(names=("0", "1"), seed=0) -> tuple[Finding, ...]:
    """Return what is found in a network of two features that draws a line."""
    x = np.random.default_rng(seed).normal(size=(100, 2))
    boundary = Boundary(Split(x, (x[:, 0] > 0).astype(np.int64)), names, "softmax")
    for epoch in (0, 10, 100):
        boundary.look(
            epoch, lambda x, epoch=epoch: np.stack([0 * x[:, 0], epoch * x[:, 0]], axis=1)
        )
    return (boundary.finding(100),)


def table_findings(features=("age", "income", "size"), seed=0) -> tuple[Finding, ...]:
    """Return what is found in a network of a table that looks at the first two columns."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 3))
    y = (x[:, 0] + x[:, 1] > 0.5).astype(np.int64)

    def tells(x):
        return np.stack([0 * x[:, 0], x[:, 0] + x[:, 1]], axis=1)

    judged = Judged(x, y, class_shares(tells(x), "softmax"), ("no", "yes"))
    columns = tuple((name, "") for name in features)
    return (
        importance(tells, Split(x, y), columns, rng), confusion(judged),
        mistakes(judged, columns), calibration(judged),
    )  # fmt: skip


@pytest.fixture(scope="session")
def explained_record() -> StudyRecord:
    """Return a study of networks of every kind of data, as if it had been run and explained."""
    train, data = TrainSpec(epochs=10), DigitsSpec()
    arms = {
        "plane": ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=train),
        "table": ArmSpec(data=ToySpec(source="circles"), network=MLPSpec(), train=train),
        "grey": ArmSpec(data=data, network=CNNSpec(channels=(4, 4), pool_after=()), train=train),
        "colours": ArmSpec(data=data, network=CNNSpec(channels=(4, 8), pool_after=()), train=train),
    }
    study = StudySpec(title="Explained", arms=arms, seeds=1)
    names = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    found = {
        "plane": plane_findings(), "table": table_findings(),
        "grey": classes_findings(channels=1), "colours": classes_findings(names),
    }  # fmt: skip
    runs = tuple(made_up_run(study, arm, 0, findings=found[arm]) for arm in arms)
    return StudyRecord(study, runs, Path("runs/x"))


@pytest.fixture(scope="session")
def palindrome_record() -> StudyRecord:
    """Return the study of palindromes at quick scale, as if it had been run and explained."""
    study = find_study("palindromes").with_seeds(3)
    runs = []
    for arm, spec in study.arms.items():
        for seed in range(study.least_seeds):
            scores = {f"test_accuracy_at({t})": 0.9 - seed / 10 for t in spec.data.probes}
            findings = (gradient_flow_finding(), hidden_states_finding()) if seed == 0 else ()
            scores["test_accuracy"] = 0.5
            runs.append(made_up_run(study, arm, seed, scores=scores, findings=findings))
    return StudyRecord(study, tuple(runs), Path("runs/x"))


@pytest.fixture(scope="session")
def paper_record() -> StudyRecord:
    """Return the paper study at quick scale, as if it had been run on enough seeds."""
    return made_up_record(find_study("paper").with_seeds(10))


@pytest.fixture
def one_thread():
    """Let PyTorch compute with one thread: beside a busy program, steps this small wait for two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory) -> Path:
    """Return the folder of a study that was run, with its page."""
    import triptych

    folder = tmp_path_factory.mktemp("trained") / "kept"
    triptych.run(parse_study(KEPT), out=folder)
    return folder


@pytest.fixture
def kept(trained_once, tmp_path, monkeypatch) -> Path:
    """Return a copy of it as ``triptych-runs/kept`` below the current folder, which is its own."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(trained_once, "triptych-runs/kept"))


# Of tests/saved, whose drawn_models.py makes them: a conftest of its own would hide this one.


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Return a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table_model(here):
    """Return a model of ``t.csv``, and keep it as ``m.safetensors``."""
    from drawn_models import drawn_model, kept, table_text

    (here / "t.csv").write_text(table_text())
    spec = TableSpec(path="t.csv", target="kind", ignore=("who",))
    return kept(drawn_model(spec)[0])


@pytest.fixture
def folder_model(here):
    """Return a model of the folder ``pets``, and keep it as ``m.safetensors``."""
    from drawn_models import drawn_model, fill_folder, kept

    fill_folder(here / "pets")
    return kept(drawn_model(FolderSpec(path="pets"))[0])


@pytest.fixture
def words_model(here):
    """Return a model of ``words.txt``, and keep it as ``m.safetensors``."""
    from drawn_models import drawn_model, kept, words_text

    (here / "words.txt").write_text(words_text())
    return kept(drawn_model(SequenceFileSpec(path="words.txt"))[0])


@pytest.fixture
def call(capsys):
    """Return what runs a command in this process, and returns code, output and errors."""
    from triptych import cli

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main([str(one) for one in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return left.value.code, said.out, said.err

    return run


@pytest.fixture(scope="session")
def mlflow_tables(tmp_path_factory) -> Path:
    """Return a database with MLflow's tables, which take it seconds to make."""
    mlflow = pytest.importorskip("mlflow")
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(mlflow_tables, tmp_path) -> Path:
    """Return a folder as ``triptych export --mlflow`` makes it, with nothing in it."""
    (tmp_path / "store").mkdir()
    shutil.copy(mlflow_tables, tmp_path / "store" / "mlflow.db")
    return tmp_path / "store"
