"""``triptych export``: what the command says, and what it refuses."""

import sys

import pytest

from triptych import cli

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def call(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(["export", *map(str, arguments)])
    return left.value.code


def test_a_study_is_exported_to_both_at_once(kept, store, capsys):
    pytest.importorskip("tensorboard")
    assert call(kept, "--tensorboard", "events", "--mlflow", store) == 0
    said = capsys.readouterr().out
    assert "4 runs for TensorBoard: tensorboard --logdir events" in said
    assert "4 runs added to MLflow: mlflow ui --backend-store-uri sqlite:///" in said
    assert call(kept, "--mlflow", store) == 0
    assert "0 runs added to MLflow, 4 were there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("KEPT",), 2, "to where? Name --onnx FILE for a model; for a study"),
        (("nowhere", "--tensorboard", "x"), 4, "'nowhere' is not the folder of a study"),
        (("KEPT", "--tensorboard", "triptych-runs/kept/study.toml"), 4, "it is a file"),
    ],
)
def test_what_cannot_be_exported_is_told_in_one_line(kept, arguments, code, says, capsys):
    pytest.importorskip("tensorboard")
    assert call(*(kept if word == "KEPT" else word for word in arguments)) == code
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "module", "extra"),
    [("--tensorboard", "tensorboard", "tensorboard"), ("--mlflow", "mlflow", "mlflow")],
)
def test_without_the_package_it_says_what_to_install(
    kept, option, module, extra, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    assert call(kept, option, "there") == 2
    assert f"pip install 'triptych[{extra}]'" in capsys.readouterr().err
