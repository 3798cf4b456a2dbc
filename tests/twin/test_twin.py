"""Twins: engines side by side, and a learner's own layers beside ours."""

import numpy as np
import pytest

from triptych.errors import SpecError
from triptych.spec import DigitsSpec, MLPSpec, OptimizerSpec, TrainSpec
from triptych.twin import (
    TwinSpec,
    compare_engines,
    compare_mine,
    load_functions,
    mine_lines,
    twin_lines,
    twin_table,
)
from triptych.twin import compare as compare_module

GOOD = """
import numpy as np
def dense_forward(x, w, b):
    return x @ w + b
def dense_backward(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)
def relu_forward(x):
    return np.maximum(x, 0)
def relu_backward(dy, x):
    return dy * (x > 0)
def loss_forward(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean()
def loss_backward(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)
"""
BATCH = TwinSpec(train=TrainSpec(batch_size=64), steps=30)


def test_the_engines_agree_to_1e_10_over_the_first_thousand_steps():
    report = compare_engines(TwinSpec())
    assert len(report.rows) == 1000
    assert report.agrees()
    for engine in ("compiled", "torch"):
        assert report.largest(engine) < 1e-10
        assert report.rows[999].losses[engine] == pytest.approx(report.rows[999].losses["numpy"])
    assert report.rows[0].losses["numpy"] > 2 * report.rows[999].losses["numpy"]


@pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop"])
def test_they_agree_with_dropout_penalty_and_clipping_on_digits(name):
    optimizer = OptimizerSpec(name=name, lr=0.002)
    train = TrainSpec(batch_size=32, optimizer=optimizer, l2=0.01, clip_norm=0.5)
    network = MLPSpec(hidden=(30, 20), activation="gelu", dropout=0.3)
    report = compare_engines(TwinSpec(data=DigitsSpec(), network=network, train=train, steps=150))
    assert report.agrees()


def test_an_engine_that_departs_is_named_with_its_step(monkeypatch):
    real = compare_module.Twin.step

    def bent(self, batch, step):
        loss, grads, weights = real(self, batch, step)
        if step >= 7 and type(self.learner).__name__ == "TorchLearner":
            weights["w1"] = weights["w1"] + 1e-8
        return loss, grads, weights

    monkeypatch.setattr(compare_module.Twin, "step", bent)
    report = compare_engines(TwinSpec(steps=12), ("numpy", "torch"))
    assert not report.agrees()
    assert "torch DEPARTS from numpy: more than 1e-10 from step 7 on" in twin_lines(report)[0]


def test_the_table_shows_few_steps_and_the_last():
    report = compare_engines(TwinSpec(steps=137), ("numpy", "torch"))
    assert [row.step for row in report.shown()] == [1, 2, 3, 5, 10, 20, 50, 100, 137]
    assert twin_table(report).row_count == 9
    assert "the bar is 1e-10" in twin_lines(report)[0]
    same = compare_engines(TwinSpec(steps=5), ("numpy", "numpy"))
    assert same.agrees()


def mine(tmp_path, text, spec=BATCH):
    path = tmp_path / "mine.py"
    path.write_text("import numpy as np\n" + text)
    report = compare_mine(spec, path)
    return report, mine_lines(report)[0]


def test_right_functions_agree_to_the_end(tmp_path):
    report, line = mine(tmp_path, GOOD)
    assert report.departure is None
    assert report.steps == 30
    assert len(report.functions) == 6
    assert "the same as ours over 30 steps" in line


DENSE = "def dense_backward(dy, x, w, b):\n    return {}\n"
WRONG = [
    (DENSE.format("dy @ w.T, x.T @ dy / len(x), dy.sum(axis=0)"),
     "step 1, dense_backward: dW of layer 2 is 1/64 of what it should be: divided by the batch "
     "twice?"),
    (DENSE.format("dy @ w.T, x.T @ dy, dy.mean(axis=0)"), "db of layer 2 is 1/64 of"),
    (DENSE.format("dy @ w.T, -x.T @ dy, dy.sum(axis=0)"), "dW of layer 2 has the opposite sign"),
    (DENSE.format("dy @ w.T, dy.T @ x, dy.sum(axis=0)"),
     "dW of layer 2 has shape (2, 20), should have (20, 2): transposed?"),
    (DENSE.format("dy @ w.T, x.T @ dy, dy"), "db of layer 2 has shape (64, 2), should have (2,): "
     "not summed over the batch?"),
    (DENSE.format("dy @ w.T, x.T @ dy, dy.sum(axis=0, keepdims=True)"), "its values are right"),
    (DENSE.format("0 * x, x.T @ dy, dy.sum(axis=0)"), "dX of layer 2 is 0 everywhere"),
    (DENSE.format("dy @ w.T, x.T @ dy"), "must return (dx, dw, db), returned 2 things"),
    (DENSE.format("None"), "must return (dx, dw, db), returned None"),
    (DENSE.format("dy @ w.T, None, dy.sum(axis=0)"), "dW of layer 2 is NoneType, should be"),
    (DENSE.format("dy @ w, x.T @ dy, dy.sum(axis=0)"), "raised ValueError in line 3"),
    (DENSE.format("dy @ w.T, x.T @ dy / 0 , dy.sum(axis=0)"), "values that are not finite"),
    ("def dense_forward(x, w, b):\n    return x @ w\n", "the output of layer 1 lacks its bias"),
    ("def relu_backward(dy, x):\n    return dy\n",
     "dX of layer 1 is dy itself: the activation's slope is missing"),
    ("def relu_forward(x):\n    return np.where(x > 0, x, 0.01 * x)\n", "of 1280 values, by up to"),
    ("def loss_forward(z, y):\n    return 128.0\n", "loss_forward: the loss is"),
    ("def loss_backward(z, y):\n    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)\n"
     "    p[np.arange(len(y)), y] -= 1\n    return p\n",
     "dZ of the loss is 64 times what it should be: not divided by the batch?"),
    ("def loss_backward(z, y):\n    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)\n"
     "    return p / len(y)\n", "is softmax(z) alone: 1 is not subtracted"),
    ("def activation_backward(dy, x):\n    return 2 * dy * (x > 0)\n", "a half that is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_is_wrong_is_named_by_step_layer_and_tensor(tmp_path, text, says):
    report, line = mine(tmp_path, text)
    assert report.departure is not None
    assert report.steps == 1
    assert line.startswith("step 1")
    assert says in line


def test_a_mistake_that_shows_late_is_named_at_its_first_step(tmp_path):
    text = "n = 0\n" + (
        "def relu_backward(dy, x):\n    global n\n    n += 1\n"
        "    return dy * (x > 0) * (1 if n < 12 else 1.5)\n"
    )
    report, line = mine(tmp_path, text)
    assert report.steps == 12
    assert "dX of layer 1 is 1.5 times what it should be" in line
    assert "(11 steps agreed)" in line


def test_a_function_that_spoils_its_arguments_does_not_spoil_ours(tmp_path):
    text = GOOD + "def relu_backward(dy, x):\n    dy[x <= 0] = 0\n    x[:] = 7\n    return dy\n"
    assert mine(tmp_path, text)[0].departure is None


def test_files_that_cannot_be_used_say_why(tmp_path):
    path = tmp_path / "mine.py"
    for text, says in [
        ("def dense_bakward():\n    pass\n", None),
        ("def relux_backward(dy, x):\n    pass\n", "Did you mean 'relu_backward'"),
        ("def dense_backward(:\n", "SyntaxError in line 1"),
        ("\n1 / 0\n", "ZeroDivisionError in line 2"),
    ]:
        path.write_text(text)
        with pytest.raises(SpecError, match=says or "none of the functions"):
            load_functions(path, "relu")
    with pytest.raises(SpecError, match="no such file"):
        load_functions(tmp_path / "none.py", "relu")
    text_file = tmp_path / "mine.txt"
    text_file.write_text(GOOD)
    with pytest.raises(SpecError, match="must be a Python file"):
        load_functions(text_file, "relu")


def test_steps_must_be_at_least_one():
    with pytest.raises(SpecError, match="steps: 0"):
        TwinSpec(steps=0)
    assert TwinSpec(train=TrainSpec(dtype="float32")).train.dtype == "float64"
    assert np.isfinite(
        compare_engines(TwinSpec(steps=1), ("numpy", "torch")).rows[0].losses["torch"]
    )
