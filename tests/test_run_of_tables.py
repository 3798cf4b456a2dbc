"""Studies of tables run whole: classes and numbers, on every engine, to the page."""

import math
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import balanced_accuracy_score, f1_score, r2_score, root_mean_squared_error

from triptych.cli import main
from triptych.data import load
from triptych.engines import create_learner
from triptych.errors import DataError, SpecError
from triptych.live import Watcher
from triptych.records import StudyFolder
from triptych.report import study_tables
from triptych.runner import RunEnded, RunStarted, Setting, execute_study, read_result
from triptych.spec import read_study

FLOWERS = """
title = "Which flowers?"
seeds = 6
[data]
source = "table"
path = "flowers.csv"
target = "species"
ignore = ["id"]
[arm.wide]
network = { kind = "mlp", hidden = [8] }
train = { epochs = 8, batch_size = 10, optimizer = { name = "adam", lr = 0.02 } }
[arm.linear]
network = { kind = "mlp", hidden = [] }
train = { epochs = 8, batch_size = 10, optimizer = { name = "adam", lr = 0.02 } }
[[claim]]
says = "A hidden layer helps the rare flower."
test = "wide.test_balanced_accuracy - linear.test_balanced_accuracy > -0.5"
[[claim]]
says = "It is soon there."
test = "wide.epochs_to(test_macro_f1, 0.1) < 9"
"""

PATIENTS = """
title = "How far does the disease go?"
seeds = 6
[data]
source = "diabetes"
[arm.wide]
network = { kind = "mlp", hidden = [4] }
train = { epochs = 6, batch_size = 32, loss = "squared", dtype = "float64" }
[arm.linear]
network = { kind = "mlp", hidden = [] }
train = { epochs = 6, batch_size = 32, loss = "squared", dtype = "float64" }
[[claim]]
says = "Both tell something."
test = ["wide.test_r2 > -1", "linear.test_rmse < 150"]
[[claim]]
says = "Soon."
test = "linear.epochs_to(test_rmse, 1000) < 6"
"""


@pytest.fixture
def flowers(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["id,width,soil,species"]
    for k in range(60):
        species = "rare" if k % 6 == 0 else "plain"
        width = rng.normal(3 if species == "rare" else 0)
        rows.append(f"{k},{width:.4f},{'clay' if k % 3 else 'sand'},{species}")
    (tmp_path / "flowers.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "flowers.toml").write_text(FLOWERS)
    return tmp_path / "flowers.toml"


def run(path, folder):
    study = read_study(path)
    out = StringIO()
    watcher = Watcher(study, Console(file=out, width=200))
    watcher.watch(execute_study(study, StudyFolder(folder), Setting()))
    result = read_result(folder)
    console = Console(file=out, width=200)
    for shown in study_tables(result.record, result.verdicts):
        console.print(shown)
    return result, out.getvalue(), " ".join(re.sub("<[^>]*>", " ", result.to_html()).split())


def test_a_table_with_text_labels_goes_all_the_way(flowers, tmp_path):
    result, told, page = run(flowers, tmp_path / "out")
    assert [v.verdict for v in result.verdicts] == ["holds", "holds"]
    record = result.record.runs[0]
    assert record.data == "flowers.csv"
    assert (record.train_rows, record.test_rows) == (48, 12)
    assert record.steps["test_balanced_accuracy"] == 1 / 4
    assert "test balanced accuracy" in told
    assert "flowers.csv: 1 column is numbers" in page
    assert "test balanced accuracy" in page
    assert "R²" not in page
    assert re.search(r"wide, seed 0: test accuracy \d\.\d{3}, train \d\.\d{3}", told)


def test_a_run_has_scikit_learns_figures(flowers, tmp_path):
    result, _, _ = run(flowers, tmp_path / "out")
    record = result.record.runs[0]
    arm = result.record.study.arms["wide"]
    data = load(arm.data, 0)
    learner = create_learner(arm, "numpy", data, 0, "cpu")
    learner.load(StudyFolder(tmp_path / "out").run("wide", 0).weights())
    for split in ("train", "test"):
        part = getattr(data, split)
        told = learner.outputs(part.x).argmax(axis=1)
        scores = record.scores
        assert scores[f"{split}_balanced_accuracy"] == balanced_accuracy_score(part.y, told)
        assert scores[f"{split}_macro_f1"] == pytest.approx(f1_score(part.y, told, average="macro"))
        assert record.curve[-1][f"{split}_macro_f1"] == scores[f"{split}_macro_f1"]
    assert "test_r2" not in record.scores


def test_a_number_to_tell_goes_all_the_way(tmp_path):
    (tmp_path / "d.toml").write_text(PATIENTS)
    result, told, page = run(tmp_path / "d.toml", tmp_path / "out")
    assert [v.verdict for v in result.verdicts] == ["holds", "holds"]
    record = result.record.runs[0]
    arm = result.record.study.arms["wide"]
    data = load(arm.data, 0)
    learner = create_learner(arm, "numpy", data, 0, "cpu")
    learner.load(StudyFolder(tmp_path / "out").run("wide", 0).weights())
    y, found = (
        values * data.target.std + data.target.mean
        for values in (data.test.y, learner.outputs(data.test.x))
    )
    assert record.scores["test_r2"] == pytest.approx(r2_score(y, found))
    assert record.scores["test_rmse"] == pytest.approx(root_mean_squared_error(y, found))
    assert record.scores["test_rmse"] > 30  # of a target from 25 to 346
    assert record.scores["test_accuracy"] is None
    assert record.curve[0]["test_accuracy"] is None
    assert re.search(r"wide, seed 0: test R² [−0-9.]+, train", told)
    for text in (told, page):
        assert "test RMSE" in text
        assert "accuracy" not in text
    assert "training R²" in page


def test_an_arm_that_diverged_at_once_brings_no_figures_of_classes(tmp_path):
    text = PATIENTS.split("[[claim]]")[0].replace("seeds = 6", "seeds = 1")
    wild = 'dtype = "float64", optimizer = { lr = 10 } }\n[arm.linear]'
    (tmp_path / "d.toml").write_text(text.replace('dtype = "float64" }\n[arm.linear]', wild))
    result, told, page = run(tmp_path / "d.toml", tmp_path / "out")
    assert [r.status for r in result.record.runs] == ["diverged", "finished"]
    assert "accuracy" not in told
    assert "accuracy" not in page


def test_the_live_view_shows_r2(tmp_path):
    (tmp_path / "d.toml").write_text(PATIENTS)
    study = read_study(tmp_path / "d.toml")
    watcher = Watcher(study, Console(file=StringIO()))
    shown = Console(file=StringIO(), width=120)
    events = execute_study(study, StudyFolder(tmp_path / "out"), Setting())
    record = next(event.record for event in events if isinstance(event, RunEnded))
    watcher.watch([RunStarted("wide", (0,)), RunEnded(record, kept=False)])
    shown.print(watcher.view())
    assert f"{record.scores['test_r2']:.3f}".replace("-", "−") in shown.file.getvalue()
    assert re.search(r"test R² [−0-9.]+, train [−0-9.]+", watcher.console.file.getvalue())


def test_all_engines_tell_the_same_numbers(tmp_path):
    text = PATIENTS.split("[[claim]]")[0].replace("seeds = 6", "seeds = 2")
    engines = ("numpy", "compiled", "torch")
    for engine in engines:
        (tmp_path / "d.toml").write_text(text.replace("[4] }", f'[4] }}\nengine = "{engine}"'))
        run(tmp_path / "d.toml", tmp_path / engine)
    first, *others = (read_result(tmp_path / engine).record.of("wide") for engine in engines)
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert one.scores.keys() == two.scores.keys()
            for name in ("test_loss", "train_loss", "test_r2", "train_r2", "test_rmse"):
                assert one.scores[name] == pytest.approx(two.scores[name], rel=1e-9)


def test_a_kept_study_runs_again_from_anywhere(flowers, tmp_path, monkeypatch):
    run(flowers, tmp_path / "out")
    monkeypatch.chdir("/")
    study = read_study(tmp_path / "out" / "study.toml")
    told = list(execute_study(study, StudyFolder(tmp_path / "out"), Setting()))
    assert all(event.kept for event in told if hasattr(event, "kept"))
    data = tmp_path / "flowers.csv"
    data.write_text(data.read_text().replace("clay", "loam", 1))
    told = list(execute_study(study, StudyFolder(tmp_path / "out"), Setting()))
    assert not any(event.kept for event in told if hasattr(event, "kept"))


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ('target = "species"', 'target = "spcies"', DataError, "Did you mean 'species'"),
        ('target = "species"', 'target = "width"', SpecError, "of which a number is to be told"),
        ("wide.test_balanced_accuracy", "wide.test_r2", SpecError, r"compares test_r2 \(R2\) with"),
        ("wide.epochs_to(test_macro_f1", "wide.epochs_to(test_r2", SpecError, "tells classes"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(
    flowers, tmp_path, old, new, error, message
):
    flowers.write_text(FLOWERS.replace(old, new))
    with pytest.raises(error, match=message):
        run(flowers, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line_says_what_is_wrong_in_one_line(flowers, tmp_path, capsys):
    data = tmp_path / "flowers.csv"
    data.write_text(data.read_text() + "60,1.0,clay\n")
    with pytest.raises(SystemExit) as ended:
        main(["run", str(flowers), "--out", str(tmp_path / "out")])
    assert ended.value.code == 3
    assert capsys.readouterr().err == "triptych: flowers.csv line 62: 3 fields, expected 4.\n"


def test_hostile_names_of_columns_and_classes_are_shown_as_text(flowers, tmp_path):
    data = tmp_path / "flowers.csv"
    hostile = "<img onerror=x>\x1b[31m\u202e"
    data.write_text(data.read_text().replace("soil", hostile))
    flowers.write_text(FLOWERS.replace("seeds = 6", "seeds = 1"))
    result, told, _ = run(flowers, tmp_path / "out")
    page = result.to_html()
    assert "onerror" in page
    for text in (page, told):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<img" not in page


def test_a_study_of_classes_and_of_numbers_shows_both(flowers, tmp_path):
    arm = PATIENTS.split("[arm.linear]")[1].split("[[claim]]")[0]
    flowers.write_text(
        FLOWERS.split("[[claim]]")[0].replace("seeds = 6", "seeds = 1")
        + f'[arm.patients]\ndata = {{ source = "diabetes" }}\n{arm}'
    )
    result, told, page = run(flowers, tmp_path / "out")
    for text in (told, page):
        assert "test accuracy" in text
        assert "test R²" in text
    assert math.isfinite(result.record.of("patients")[0].scores["test_r2"])
    assert Path(result.record.study.arms["wide"].data.path).is_absolute()
