"""Twins of the CNN: the engines side by side, and a learner's own layers beside ours."""

from dataclasses import replace

import numpy as np
import pytest

from triptych.cli import main
from triptych.errors import SpecError
from triptych.models import cnn_numpy
from triptych.spec import CNNSpec, DigitsSpec, MLPSpec, OptimizerSpec, ToySpec, TrainSpec
from triptych.twin import TwinSpec, compare_engines, compare_mine, mine_lines, twin_lines
from triptych.twin import compare as compare_module

SPEC = TwinSpec(
    data=DigitsSpec(),
    network=CNNSpec(channels=(4, 6), pool_after=(1, 2)),
    train=TrainSpec(batch_size=16),
    steps=10,
)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["twin", "cnn", *arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_the_command_shows_the_engines_side_by_side(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert "torch agrees with numpy to" in out
    assert "over 20 steps (the bar is 1e-09)" in out
    assert "compiled" not in out
    assert "biases are left out" in out
    code, out, _ = run(capsys, "--channels", "3", "--optimizer", "adam", "--steps", "4",
                       "--batch", "8", "--l2", "0.1", "--pool-after")  # fmt: skip
    assert code == 0
    assert "over 4 steps" in out


@pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop"])
def test_the_engines_agree_far_below_the_bar_whatever_the_optimizer(name):
    train = replace(SPEC.train, optimizer=OptimizerSpec(name=name, lr=0.01), clip_norm=0.5)
    report = compare_engines(replace(SPEC, train=train, steps=100))  # more than an epoch
    assert report.engines == ("numpy", "torch")
    assert report.agrees()
    assert report.largest("torch") < 1e-11
    assert report.rows[0].losses["numpy"] > 1.2 * report.rows[-1].losses["numpy"]


def test_a_running_mean_that_departs_ends_with_1(capsys, monkeypatch):
    def bent(x, mean, var):
        real(x, mean, var)
        mean += 1e-8

    real = cnn_numpy.track
    monkeypatch.setattr(cnn_numpy, "track", bent)
    code, out, _ = run(capsys, "--channels", "4", "--steps", "3")
    assert code == 1
    assert "torch DEPARTS from numpy: more than 1e-09 from step 1 on" in out


def test_what_differs_first_is_named_as_the_weights_are(monkeypatch):
    real = compare_module.Twin.step

    def bent(self, batch, step):
        loss, grads, weights = real(self, batch, step)
        if type(self.learner).__name__ == "TorchLearner":
            (grads if name in grads else weights)[name] += 1e-10
        return loss, grads, weights

    monkeypatch.setattr(compare_module.Twin, "step", bent)
    for name, called in [  # noqa: B007 (of which `bent` reads)
        ("norm2.bias", "in the gradient of norm2.bias, by"),
        ("norm1.running_var", "in norm1.running_var, by"),
    ]:
        assert called in twin_lines(compare_engines(replace(SPEC, steps=1)))[0]


def test_batches_of_one_row_are_left_out_as_in_training():
    rows = 2 * 16 + 1
    batches = compare_module.batches_of(replace(SPEC, steps=5), rows)
    assert [len(batch) for batch in batches] == [16] * 5
    mlp = TwinSpec(train=TrainSpec(batch_size=16), steps=3)
    assert [len(batch) for batch in compare_module.batches_of(mlp, rows)] == [16, 16, 1]


def test_the_twins_agree_on_a_table_too():
    spec = replace(SPEC, data=ToySpec(source="moons"), steps=5)
    assert compare_engines(spec).agrees()


def test_what_does_not_go_together_is_refused(capsys):
    for arguments, says in [
        (["--batch", "1"], "BatchNorm needs at least 2 rows, got 1"),
        (["--engines", "numpy", "compiled"], "choose from"),
        (["--channels", "0"], "channels: 0 not in"),
        (["--channels", "4", "--pool-after", "2"], "pool_after: 2 is past the last of 1"),
    ]:
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert says in err
    with pytest.raises(SpecError, match="'compiled' trains kinds 'mlp' and 'rnn' only, got 'cnn'"):
        compare_engines(SPEC, ("numpy", "compiled"))
    assert TwinSpec(network=MLPSpec()).tolerance == 1e-10


GOOD = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

def windows(x, value=0.0):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=value)
    return sliding_window_view(x, (3, 3), axis=(2, 3))

def conv_forward(x, w, b):
    return np.einsum("bchwij,ocij->bohw", windows(x), w) + b[:, None, None]
def conv_backward(dy, x, w, b):
    dx = np.einsum("bohwij,ocij->bchw", windows(dy), w[:, :, ::-1, ::-1])
    return dx, np.einsum("bohw,bchwij->ocij", dy, windows(x)), dy.sum(axis=(0, 2, 3))

def unit(x):
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    scale = 1 / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
    return (x - mean) * scale, scale
def norm_forward(x, w, b):
    return unit(x)[0] * w[:, None, None] + b[:, None, None]
def norm_backward(dy, x, w, b):
    axes = (0, 2, 3)
    hat, scale = unit(x)
    dhat = dy * w[:, None, None]
    dx = scale * (dhat - dhat.mean(axes, keepdims=True)
                  - hat * (dhat * hat).mean(axes, keepdims=True))
    return dx, (dy * hat).sum(axes), dy.sum(axes)

def relu_backward(dy, x):
    return dy * (x > 0)
def pool_forward(x):
    return windows(x, -np.inf)[:, :, ::2, ::2].max(axis=(4, 5))
def pool_backward(dy, x):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    dx = np.zeros_like(padded)
    for b, c, i, j in np.ndindex(dy.shape):
        window = padded[b, c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        k, l = divmod(window.argmax(), 3)
        dx[b, c, 2 * i + k, 2 * j + l] += dy[b, c, i, j]
    return dx[:, :, 1:-1, 1:-1]
def dense_forward(x, w, b):
    return x @ w + b
"""


def mine(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    report = compare_mine(replace(SPEC, steps=3), path)
    return report, mine_lines(report)[0]


def test_right_functions_of_ones_own_agree_to_the_end(tmp_path):
    report, line = mine(tmp_path, GOOD)
    assert report.departure is None
    assert len(report.functions) == 8
    assert "the same as ours over 3 steps" in line


WRONG = [
    (" + b[:, None, None]\ndef conv_b", "\ndef conv_b",
     "step 1, conv_forward: the output of conv1 lacks its bias"),
    ("windows(x), w)", "windows(x), w[:, :, ::-1, ::-1])",
     "the output of conv1 has its kernels turned by half a turn"),
    ("w[:, :, ::-1, ::-1])\n    return dx", "w)\n    return dx",
     "step 1, conv_backward: dX of conv2 has kernels that are not turned by half a turn"),
    ("dy.sum(axis=(0, 2, 3))", "dy.sum(axis=(2, 3))", "db of conv2 has shape (16, 6), should"),
    ("return dx, (dy * hat)", "return dhat * scale, (dy * hat)",
     "step 1, norm_backward: dX of norm2 takes mean and variance for constants"),
    ("np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)",
     "(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)",
     "step 1, norm_forward: the output of norm1 divides by the variance, not by its root"),
    ("keepdims=True) + 1e-5", "keepdims=True, ddof=1) + 1e-5",
     "the output of norm1 takes the variance with one less than its terms"),
    (" + 1e-5)", ")", "the output of norm1 lacks eps, which is added to the variance"),
    ("* (x > 0)", "", "step 1, activation_backward: dX of relu2 is dy itself"),
    ("windows(x, -np.inf)", "windows(x, 1.0)", "step 1, pool_forward: the output of pool1 differs"),
    ("+= dy[b, c, i, j]", "= dy[b, c, i, j]", "step 1, pool_backward: dX of pool2 differs in"),
    ("return x @ w + b", "return x @ w", "step 1, dense_forward: the output of head lacks its"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "says"), WRONG)
def test_what_is_wrong_is_named_by_layer_and_by_its_cause(tmp_path, right, wrong, says):
    assert GOOD.count(right) == 1
    report, line = mine(tmp_path, GOOD.replace(right, wrong))
    assert report.steps == 1
    assert says in line


def test_a_function_of_the_other_network_is_no_layer_of_this_one(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    mlp = TwinSpec(network=MLPSpec(hidden=(3,)))
    with pytest.raises(SpecError, match="no layer here has 'conv_backward'"):
        compare_mine(mlp, path)
    path.write_text("def poll_forward(x):\n    return x\n")
    with pytest.raises(SpecError, match="Did you mean 'pool_forward'"):
        compare_mine(SPEC, path)
    assert np.isfinite(compare_engines(replace(SPEC, steps=1)).rows[0].losses["torch"])
