"""A GPU that is not there: one line with the way out; and what ``auto`` chose."""

import numpy as np
import pytest

import triptych
from triptych.errors import SpecError

STUDY = """
title = "small"
seeds = 1
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "ENGINE"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 2, batch_size = 8 }
"""
SAYS = "device: cuda is not available; use --device cpu, in Python device='cpu'."


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch, here):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    rng = np.random.default_rng(0)
    rows = "\n".join(
        f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(60, 2))
    )
    (here / "t.csv").write_text(f"a,b,kind\n{rows}\n")


@pytest.mark.fault(46)
@pytest.mark.parametrize("engine", ["numpy", "torch", "auto"])
def test_run_asks_for_the_cpu_before_it_makes_anything(engine, here, call):
    (here / "s.toml").write_text(STUDY.replace("ENGINE", engine))
    assert call("run", "s.toml", "--out", "o", "--device", "cuda")[::2] == (
        2,
        f"triptych: {SAYS}\n",
    )
    assert not (here / "o").exists()


@pytest.mark.fault(46)
def test_train_asks_for_the_cpu_before_it_makes_anything(here, call):
    code, _, said = call("train", "t.csv", "--out", "o", "--device", "cuda")
    assert (code, said.splitlines()[-1]) == (2, f"triptych: {SAYS}")
    assert not (here / "o").exists()


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    "name", ["MLPClassifier", "MLPRegressor", "CNNClassifier", "RNNClassifier"]
)
def test_estimators_ask_for_the_cpu(name):
    x, y = np.random.default_rng(0).normal(size=(20, 16)), np.arange(20) % 2
    with pytest.raises(SpecError) as told:
        getattr(triptych, name)(device="cuda").fit(x, y)
    assert str(told.value) == SAYS


@pytest.mark.fault(46)
def test_auto_says_which_engine_and_device_it_chose(here, call):
    (here / "s.toml").write_text(STUDY.replace("ENGINE", "auto"))
    result = triptych.run("s.toml", out=here / "o")
    (run,) = result.record.runs
    assert run.engine.startswith("numpy (chosen: about ")
    assert run.environment["device"] == "cpu"
    assert "numpy (chosen: about" in result.to_html()


@pytest.mark.fault(46)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    ("name", "chosen"),
    [("MLPClassifier", "numpy (chosen: about "), ("CNNClassifier", "torch (chosen: "),
     ("RNNClassifier", "compiled (chosen: ")],
)  # fmt: skip
def test_estimators_keep_what_auto_chose(name, chosen):
    x, y = np.random.default_rng(0).normal(size=(20, 16)).astype("f4"), np.arange(20) % 2
    model = getattr(triptych, name)(max_iter=1).fit(x, y)
    assert model.engine_.startswith(chosen)
    assert model.device_ == "cpu"
