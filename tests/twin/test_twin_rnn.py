"""Twins of the RNN: the engines side by side, and a learner's own recurrent layer beside ours."""

from dataclasses import replace

import numpy as np
import pytest

from triptych.cli import main
from triptych.errors import SpecError
from triptych.spec import MLPSpec, OptimizerSpec, PalindromeSpec, RNNSpec, TrainSpec
from triptych.twin import TwinSpec, compare_engines, compare_mine, mine_lines, twin_lines
from triptych.twin import compare as compare_module
from triptych.twin.rnn_mistakes import one_hot

SPEC = TwinSpec(
    data=PalindromeSpec(length=6, train_size=200, test_size=50),
    network=RNNSpec(hidden=7),
    train=TrainSpec(batch_size=16, optimizer=OptimizerSpec(lr=0.1)),
    steps=10,
)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["twin", "rnn", *arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_the_command_shows_the_engines_side_by_side(capsys):
    code, out, err = run(capsys, "--steps", "60")
    assert (code, err) == (0, "")
    assert "torch agrees with numpy to" in out
    assert "over 60 steps (the bar is 1e-10)" in out
    assert "compiled agrees with numpy to" in out
    code, out, _ = run(capsys, "--steps", "5", "--hidden", "4", "--length", "8", "--shortest", "3",
                       "--output", "softmax", "--init", "latch", "--batch", "8", "--l2", "0.1",
                       "--optimizer", "adam", "--lr", "0.002", "--clip-norm", "0.1")  # fmt: skip
    assert code == 0
    assert "over 5 steps" in out


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("output", ["logits", "softmax"])
def test_the_engines_agree_far_below_the_bar_whatever_the_optimizer(name, output):
    lr = {"sgd": 0.3, "adam": 0.005, "rmsprop": 0.002}[name]
    train = replace(SPEC.train, optimizer=OptimizerSpec(name=name, lr=lr), clip_norm=1.0)
    spec = replace(SPEC, train=train, steps=100, network=RNNSpec(hidden=7, output=output))
    report = compare_engines(spec)
    assert report.engines == ("numpy", "compiled", "torch")
    assert report.agrees()
    assert report.largest("compiled") < 1e-12
    assert report.largest("torch") < 1e-12
    # Two softmaxes, one after the other, learn slowly.
    least = 1.02 if output == "logits" else 1.001
    assert report.rows[0].losses["numpy"] > least * report.rows[-1].losses["numpy"]


def test_what_differs_first_is_named_as_the_weights_are(monkeypatch):
    real = compare_module.Twin.step

    def bent(self, batch, step):
        loss, grads, weights = real(self, batch, step)
        if type(self.learner).__name__ == "TorchLearner":
            grads["wh"] = grads["wh"] + 1e-8
        return loss, grads, weights

    monkeypatch.setattr(compare_module.Twin, "step", bent)
    report = compare_engines(replace(SPEC, steps=3), ("numpy", "torch"))
    assert report.first["torch"].tensor == "dWh"
    lines = twin_lines(report)
    assert "torch DEPARTS from numpy: more than 1e-10 from step 1 on" in lines[0]
    assert len(lines) == 1
    assert 0 < report.rounding < 1e-13


def test_a_training_that_magnifies_rounding_is_told_apart_from_an_engine_that_departs(monkeypatch):
    # Each unit holds its sign, so errors grow through time; RMSprop's first steps are large.
    optimizer = OptimizerSpec(name="rmsprop", lr=0.02)
    spec = TwinSpec(
        data=PalindromeSpec(length=14, train_size=200, test_size=50),
        network=RNNSpec(hidden=20, init="latch", output="softmax"),
        train=TrainSpec(batch_size=32, optimizer=optimizer),
        steps=25,
    )
    report = compare_engines(spec, ("numpy", "torch"))
    assert report.largest("torch") > 1e-9
    assert report.rounding > 1e-9
    assert report.apart < 1e-11
    assert report.agrees()
    assert "torch comes" in twin_lines(report)[0]
    assert "by rounding alone" in twin_lines(report)[0]
    # An engine with a mistake departs in its first step, however much rounding is magnified.
    real = compare_module.Twin.step

    def bent(self, batch, step):
        loss, grads, weights = real(self, batch, step)
        if type(self.learner).__name__ == "TorchLearner":
            weights["wh"] = weights["wh"] * (1 + 1e-8)
        return loss, grads, weights

    monkeypatch.setattr(compare_module.Twin, "step", bent)
    report = compare_engines(spec, ("numpy", "torch"))
    assert not report.agrees()
    assert "torch DEPARTS from numpy: more than 1e-10 from step 1 on" in twin_lines(report)[0]


def test_the_twins_of_an_mlp_agree_on_palindromes_too():
    spec = replace(SPEC, network=MLPSpec(hidden=(5,)), steps=5)
    assert compare_engines(spec).agrees()


def test_what_does_not_go_together_is_refused(capsys):
    for arguments, says in [
        (["--engines", "numpy", "fortran"], "choose from"),
        (["--hidden", "0"], "hidden: 0 not in"),
        (["--length", "1"], "length: 1 not in"),
        (["--shortest", "11"], "shortest: 11 is above the longest, length 10"),
        (["--init", "latched"], "Did you mean 'latch'"),
        (["--output", "softmx"], "Did you mean 'softmax'"),
        (["--clip-norm", "0"], "clip_norm: 0 not in"),
    ]:
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert says in err
    with pytest.raises(SpecError, match="'numpy' trains one Elman layer"):
        replace(SPEC, network=RNNSpec(cell="lstm"))
    data = replace(SPEC.data, shortest=3)
    with pytest.raises(SpecError, match="kind 'mlp' needs sequences of one length"):
        replace(SPEC, data=data, network=MLPSpec())


GOOD = """
import numpy as np

def elman_forward(x, h, wx, bx, wh, bh):
    states = [h]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ wx + bx + states[-1] @ wh + bh))
    return np.stack(states)

def elman_backward(dh, x, h, wx, bx, wh, bh):
    dwx, dwh, db = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bh)
    for t in reversed(range(x.shape[1])):
        dz = dh * (1 - h[t + 1] ** 2)
        dwx += x[:, t].T @ dz
        dwh += h[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ wh.T
    return dwx, db, dwh, db

def dense_forward(x, w, b):
    return x @ w + b
def dense_backward(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)
def loss_forward(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean()
def loss_backward(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)
"""


def mine(tmp_path, text, spec=SPEC):
    path = tmp_path / "mine.py"
    path.write_text(text)
    report = compare_mine(replace(spec, steps=5), path)
    return report, mine_lines(report)[0]


@pytest.mark.parametrize("output", ["logits", "softmax"])
def test_right_functions_of_ones_own_agree_to_the_end(tmp_path, output):
    spec = replace(SPEC, network=RNNSpec(hidden=7, output=output, init="latch"))
    report, line = mine(tmp_path, GOOD, spec)
    assert report.departure is None
    assert len(report.functions) == 6
    assert "the same as ours over 5 steps" in line


FORWARD = "h of the recurrent layer "
WRONG = [
    ("states[-1] @ wh", "states[0] @ wh", FORWARD + "is not carried on: each step starts from"),
    (" + states[-1] @ wh + bh", "", FORWARD + "is not carried on: Wh and its bias are missing"),
    (" + bx +", " +", FORWARD + "lacks bx"),
    (" + bh)", ")", FORWARD + "lacks bh"),
    ("np.tanh(x[:, t] @ wx + bx + states[-1] @ wh + bh)",
     "np.tanh(x[:, t] @ wx + states[-1] @ wh)", FORWARD + "lacks both biases"),
    ("np.tanh(x[:, t] @ wx + bx + states[-1] @ wh + bh)",
     "x[:, t] @ wx + bx + states[-1] @ wh + bh", FORWARD + "lacks its tanh"),
    ("states[-1] @ wh ", "states[-1] @ wh.T ", FORWARD + "is carried on through Wh transposed"),
    ("states[-1] @ wh ", "states[-1] ", FORWARD + "is carried on without Wh"),
    ("np.stack(states)", "np.stack(states[1:])", FORWARD + "lacks the state before the first step"),
    ("np.stack(states)", "states[-1]", FORWARD + "is the last state alone"),
    ("np.stack(states)", "np.stack(states, axis=1)", FORWARD + "has the batch first"),
    ("states = [h]", "states = [h + 1]", FORWARD + "differs in"),
    (" * (1 - h[t + 1] ** 2)", "", "dWx of the recurrent layer is what comes without the slope"),
    ("h[t + 1] ** 2)", "np.tanh(h[t + 1]) ** 2)",
     "step 1, elman_backward: dWx of the recurrent layer takes the slope of tanh at h"),
    ("h[t + 1] ** 2)", "(x[:, t] @ wx + bx + h[t] @ wh + bh) ** 2)", "takes 1 - z^2 for the slope"),
    ("dh = dz @ wh.T", "dh = 0 * dz", "dWx of the recurrent layer is that of the last step alone"),
    ("dh = dz @ wh.T", "dh = dz @ wh", "passed on through Wh, not its transpose"),
    ("dh = dz @ wh.T", "dh = dz", "passed on without Wh"),
    ("dh = dz @ wh.T", "dh = dh @ wh.T", "passed on without the slope of tanh"),
    ("dwx += x[:, t].T @ dz", "dwx = x[:, t].T @ dz",
     "dWx of the recurrent layer is that of the first step alone: overwritten, not summed"),
    ("dwh += h[t]", "dwh = h[t]",
     "dWh of the recurrent layer is 0 everywhere: never computed, or overwritten down to the"),
    ("dwh += h[t].T", "dwh += h[t + 1].T",
     "dWh of the recurrent layer takes the state after each step, not the one before it"),
    ("dwh += h[t].T @ dz", "dwh += dz.T @ h[t]", "dWh of the recurrent layer is the transpose"),
    ("dwh += h[t].T @ dz", "dwh += (t < x.shape[1] - 1) * h[t].T @ dz",
     "dWh of the recurrent layer has a sum over time that leaves out the last step"),
    ("dwx += x[:, t].T @ dz", "dwx += (t > 0) * x[:, t].T @ dz",
     "dWx of the recurrent layer has a sum over time that leaves out the first step"),
    ("dwh += h[t].T @ dz", "dwh += h[t].T @ dz / x.shape[1]",
     "dWh of the recurrent layer is 1/5 of what it should be: a mean over 5 steps?"),
    ("dz.sum(axis=0)", "dz.mean(axis=0)",
     "db of the recurrent layer is 1/16 of what it should be: divided by the batch twice?"),
    ("return dwx, db, dwh, db", "return dwx, db, -dwh, db", "dWh of the recurrent layer has the o"),
    ("return dwx, db, dwh, db", "return dwx, db, dwh, 2 * db", "dbh of the recurrent layer is 2 t"),
    ("return dwx, db, dwh, db", "return dwx, dwh, db",
     "must return (dwx, dbx, dwh, dbh), returned 3 things"),
    ("return x @ w + b", "return x @ w", "step 1, dense_forward: the output of the readout lacks"),
    ("x.T @ dy, dy.sum", "x.T @ dy / len(x), dy.sum", "dW of the readout is 1/16 of"),
    ("] -= 1", "] -= 0", "dZ of the loss is softmax(z) alone"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "says"), WRONG)
def test_what_is_wrong_is_named_with_its_cause(tmp_path, right, wrong, says):
    assert GOOD.count(right) == 1
    report, line = mine(tmp_path, GOOD.replace(right, wrong))
    assert report.steps == 1
    assert says.replace("db of", "dbx of") in line


def test_a_square_input_is_not_confused(tmp_path):
    # With ten units all weights but the readout's are (10, 10).
    spec = replace(SPEC, network=RNNSpec(hidden=10))
    assert mine(tmp_path, GOOD, spec)[0].departure is None
    line = mine(tmp_path, GOOD.replace("return dwx, db, dwh", "return dwh, db, dwx"), spec)[1]
    assert "dWx of the recurrent layer differs in" in line


def test_functions_and_data_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def elman_bakward(dh):\n    pass\ndef elman_backwards_backward(): pass\n")
    with pytest.raises(SpecError, match="no layer here has 'elman_backwards_backward'"):
        compare_mine(SPEC, path)
    path.write_text("def relu_backward(dy, x):\n    return dy\n")
    with pytest.raises(SpecError, match="no layer here has 'relu_backward'"):
        compare_mine(SPEC, path)
    path.write_text(GOOD)
    many = replace(SPEC, data=replace(SPEC.data, shortest=3))
    with pytest.raises(SpecError, match="sequences of one length only"):
        compare_mine(many, path)
    assert compare_engines(replace(many, steps=5)).agrees()


def test_vectors_are_handed_on_as_they_are():
    vectors = np.zeros((2, 3, 4))
    assert one_hot(vectors, np.zeros((4, 5))) is vectors
    assert one_hot(np.array([[1, 0]], np.uint8), np.zeros((2, 5))).tolist() == [[[0, 1], [1, 0]]]
