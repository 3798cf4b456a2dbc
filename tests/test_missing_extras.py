"""Every extra of the package that is not installed is named in one line, with how to get it."""

import sys
import tomllib
import warnings
from pathlib import Path

import pytest

import triptych
from triptych.errors import DataError, SpecError
from triptych.saved import from_sklearn

ROOT = Path(__file__).parents[1]
# By extra, what of it may be missing, and the commands that need it.
NEEDED = {
    "parquet": (
        ("pyarrow",),
        (
            ("train", "t.parquet", "--target", "y"),
            ("init", "t.parquet"),
            ("run", "table.toml"),
            ("check", "table.toml"),
        ),
    ),
    "tensorboard": (
        ("tensorboard",),
        (
            ("run", "s.toml", "--tensorboard", "events"),
            ("export", "triptych-runs/kept", "--tensorboard", "events"),
        ),
    ),
    "mlflow": (
        ("mlflow", "sqlalchemy", "alembic"),
        (("export", "triptych-runs/kept", "--mlflow", "store"),),
    ),
    "onnx": (("onnx",), (("export", "m.safetensors", "--onnx", "m.onnx"),)),
}
STUDY = """
seeds = 1
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1 }
"""


def extras():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(declared["optional-dependencies"]) - {"dev"}


def everything(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "lock"}


def model():
    """Return a model that has learnt next to nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so
        network = triptych.MLPClassifier((3,), max_iter=1, random_state=0)
        return from_sklearn(network.fit([[0.0], [1.0]] * 9, [0, 1] * 9))


@pytest.mark.fault(50)
@pytest.mark.parametrize("extra", sorted(extras()))
def test_an_extra_that_is_missing_is_named_and_nothing_is_made(kept, call, monkeypatch, extra):
    model().save("m.safetensors")
    (Path() / "s.toml").write_text(STUDY)
    data = 'source = "table"\npath = "t.parquet"\ntarget = "y"'
    (Path() / "table.toml").write_text(STUDY.replace('source = "moons"\nn_samples = 60', data))
    (Path() / "t.parquet").write_bytes(b"PAR1 PAR1")
    modules, commands = NEEDED[extra]
    before = everything(Path())
    for module in modules:
        with monkeypatch.context() as patch:
            without(patch, module)
            for arguments in commands:
                code, _, err = call(*arguments)
                assert code == (3 if extra == "parquet" else 2), (module, arguments, err)
                assert err.count("\n") == 1, err
                assert f"pip install 'triptych[{extra}]'" in err, (module, arguments)
    assert everything(Path()) == before


def without(patch, module):
    """Let a module be one that is not installed, with all that was loaded of it."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == module:
            patch.delitem(sys.modules, name)
    patch.setitem(sys.modules, module, None)


@pytest.mark.fault(50)
def test_python_gets_the_same_words(here, monkeypatch):
    (here / "t.parquet").write_bytes(b"PAR1 PAR1")
    made = model()
    for module in ("pyarrow", "onnx"):
        without(monkeypatch, module)
    with pytest.raises(SpecError, match=r"pip install 'triptych\[onnx\]'"):
        made.to_onnx("m.onnx")
    with pytest.raises(DataError, match=r"pip install 'triptych\[parquet\]'"):
        triptych.train("t.parquet", "y")
