"""Tables in study files: paths start at the file, and what does not fit is refused early."""

from pathlib import Path

import pytest

from triptych.errors import SpecError
from triptych.spec import (
    ArmSpec,
    BundledSpec,
    CNNSpec,
    MLPSpec,
    RNNSpec,
    TableSpec,
    ToySpec,
    TrainSpec,
    parse_claim,
    parse_study,
    read_study,
    task_of,
    write_study,
)

TEXT = """
title = "t"
seeds = 1
[data]
source = "table"
path = "data/x.csv"
target = "y"
[arm.a]
network = { kind = "mlp" }
train = {}
[arm.b]
data = { source = "table", path = "../z.npz", target = "y", task = "regression" }
network = { kind = "mlp" }
train = { loss = "squared" }
[arm.c]
data = { source = "table", path = "/there/x.csv", target = "y" }
network = { kind = "mlp" }
train = {}
"""
SQUARED = TrainSpec(loss="squared")


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(TEXT)
    return path


def test_a_relative_path_starts_at_the_study_file(study_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    study = read_study(Path(tmp_path.name) / "s.toml")
    paths = [study.arms[name].data.path for name in "abc"]
    assert [Path(path) for path in paths] == [
        tmp_path / "data" / "x.csv",
        tmp_path / ".." / "z.npz",
        Path("/there/x.csv"),
    ]
    monkeypatch.chdir("/")
    assert parse_study(write_study(study)) == study


def test_a_scale_may_have_a_file_of_its_own(tmp_path):
    quick = "[arm.b.quick]\ndata = { path = 'few.csv' }\n[scale.quick]\n"
    (tmp_path / "s.toml").write_text(TEXT + quick)
    assert Path(read_study(tmp_path / "s.toml").arms["b"].data.path) == tmp_path / "few.csv"


def test_from_python_a_path_starts_at_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(TableSpec(path="x.csv", target="y").path) == tmp_path / "x.csv"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Path(TableSpec(path="~/x.csv", target="y").path) == tmp_path / "x.csv"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "x.xls"}, r"path: must end in \.csv, .*, got 'x\.xls'"),
        ({"task": "regresion"}, "task: .*Did you mean 'regression'"),
        ({"missing": "ignore"}, "missing: unknown value 'ignore'"),
        ({"test_size": 1.0}, "test_size: 1 not in"),
        ({"ignore": ["y"]}, "ignore: 'y' is the target"),
        ({"group": "g", "ignore": ["g"]}, "ignore: 'g' is the group; it cannot be left out"),
        ({"time": "t", "ignore": ["t"]}, "ignore: 't' is the time; it cannot be left out"),
        ({"group": "y"}, "group: 'y' is the target; rows are parted by another column"),
        ({"time": "y"}, "time: 'y' is the target"),
        ({"group": "g", "time": "t"}, "group, time: rows are parted by 'g' or along 't'; leave"),
        ({"time": "t", "duplicates": "anywhere"}, "duplicates: time alone says on which side"),
        ({"time": "t", "text": ["t"]}, "text: 't' is the time, which holds numbers or dates"),
        ({"time_is_input": True}, "time_is_input: there is no time; name its column"),
        ({"many_texts": "all"}, "many_texts: unknown value 'all'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        TableSpec(**{"path": "x.csv", "target": "y", **changes})


def test_how_rows_are_parted_is_kept_in_study_files():
    more = 'path = "data/x.csv"\ngroup = "who"\nmany_texts = "frequent"'
    study = parse_study(TEXT.replace('path = "data/x.csv"', more).replace("../z", "/z"))
    data = study.arms["a"].data
    assert (data.group, data.time, data.many_texts) == ("who", None, "frequent")
    assert parse_study(write_study(study)) == study


def test_what_is_to_be_told_is_known_as_far_as_the_spec_says_it():
    assert task_of(TableSpec(path="x.csv", target="y")) is None
    assert task_of(TableSpec(path="x.csv", target="y", task="regression")) == "regression"
    assert task_of(BundledSpec(source="diabetes")) == "regression"
    assert task_of(BundledSpec(source="iris")) == task_of(ToySpec(source="moons"))


def test_every_network_tells_classes_of_a_table_but_only_an_mlp_numbers():
    for network in (CNNSpec(channels=(4,), pool_after=()), RNNSpec()):
        for data in (TableSpec(path="x.csv", target="y"), BundledSpec(source="iris")):
            assert ArmSpec(data=data, network=network, train=TrainSpec()).data.holds == "table"
        train = TrainSpec(loss="squared")
        with pytest.raises(SpecError, match=f"kind '{network.kind}' tells classes, and of 'dia"):
            ArmSpec(data=BundledSpec(source="diabetes"), network=network, train=train)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "poisson"])
def test_a_number_is_told_by_the_squared_loss(loss):
    for data in (
        BundledSpec(source="diabetes"),
        TableSpec(path="x.csv", target="y", task="regression"),
    ):
        ArmSpec(data=data, network=MLPSpec(), train=SQUARED)
        with pytest.raises(SpecError, match=rf"^train\.loss: '{loss}' does not fit .*'squared'"):
            ArmSpec(data=data, network=MLPSpec(), train=TrainSpec(loss=loss))
    ArmSpec(data=BundledSpec(source="iris"), network=MLPSpec(), train=SQUARED)


CLAIM = """
title = "t"
[arm.a]
data = { source = "SOURCE" }
network = { kind = "mlp" }
train = { loss = "LOSS" }
[[claim]]
says = "x"
test = "TEST"
"""


@pytest.mark.parametrize(
    ("source", "test", "message"),
    [
        ("iris", "a.test_r2 > 0", "'a.test_r2' needs a number to tell, and arm 'a' tells classes"),
        ("moons", "a.epochs_to(train_rmse, 3) < 4", "needs a number to tell"),
        ("diabetes", "a.test_accuracy > 0", "needs classes, .* Use test_r2 or test_rmse"),
        ("diabetes", "a.epochs_to(test_macro_f1, 1) < 4", "needs classes"),
        ("diabetes", "a.test_balanced_accuracy > 0", "needs classes"),
    ],
)
def test_a_claim_on_a_figure_that_no_run_has_is_refused(source, test, message):
    loss = "squared" if source == "diabetes" else "softmax"
    text = CLAIM.replace("SOURCE", source).replace("LOSS", loss).replace("TEST", test)
    with pytest.raises(SpecError, match=f"^claim 'x': .*{message}"):
        parse_study(text)


def test_a_claim_may_name_every_figure():
    for name in ("balanced_accuracy", "macro_f1", "r2", "rmse"):
        for split in ("train", "test"):
            claim = parse_claim(f"a.{split}_{name} - b.{split}_{name} > 0.1")
            assert claim.unit == {"r2": "R2", "rmse": "target"}.get(name, "share")
            (term,) = parse_claim(f"a.epochs_to({split}_{name}, 0.5) < 3").terms
            assert term[1].of == f"{split}_{name}"
    assert parse_claim("a.epochs_to(test_r2, -0.5) < 3").terms[0][1].level == -0.5
    with pytest.raises(SpecError, match=r"epochs_to cannot take 'test_loss'\.*"):
        parse_claim("a.epochs_to(test_loss, 0.5) < 3")
    with pytest.raises(SpecError, match=r"compares test_r2 \(R2\) with test_accuracy \(share\)"):
        parse_claim("a.test_r2 > b.test_accuracy")
