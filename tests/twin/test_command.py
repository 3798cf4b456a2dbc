"""``triptych twin mlp`` as a user meets it."""

import pytest

from triptych.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["twin", "mlp", *arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_it_shows_the_engines_side_by_side(capsys):
    code, out, err = run(capsys, "--steps", "30", "--optimizer", "adam", "--hidden", "7", "5",
                         "--activation", "tanh", "--dropout", "0.2", "--batch", "8")  # fmt: skip
    assert (code, err) == (0, "")
    assert "compiled: loss" in out
    assert "torch agrees with numpy to" in out
    assert "unit" in out
    code, out, _ = run(capsys, "--steps", "3", "--data", "digits", "--engines", "numpy", "torch")
    assert code == 0
    assert "compiled" not in out


def test_a_function_of_ones_own_ends_with_1_where_it_departs(capsys, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def relu_backward(dy, x):\n    return dy * (x > 0)\n")
    code, out, _ = run(capsys, "--mine", str(path), "--steps", "20")
    assert (code, out) == (0, "activation_backward: the same as ours over 20 steps.\n")
    path.write_text("def relu_backward(dy, x):\n    return dy * (x < 0)\n")
    code, out, _ = run(capsys, "--mine", str(path), "--batch", "4")
    assert code == 1
    assert "dX of layer 1 differs in" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "moon"], "Did you mean 'moons'"),
        (["--activation", "relux"], "Did you mean 'relu'"),
        (["--optimizer", "adma"], "Did you mean 'adam"),
        (["--hidden", "0"], "hidden: 0 not in"),
        (["--lr", "-1"], "lr: -1 not in"),
        (["--engines", "numpy"], "needs two different ones"),
        (["--mine", "none.py"], "none.py: no such file"),
        (["--steps", "0"], "steps: 0 not in"),
    ],
)
def test_what_is_wrong_is_one_line_and_code_2(capsys, arguments, says):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("triptych: ")
    assert err.count("\n") == 1
    assert says in err


def test_training_that_diverges_is_code_6(capsys):
    code, _, err = run(capsys, "--lr", "10", "--loss", "squared", "--activation", "identity",
                       "--hidden", "50", "50")  # fmt: skip
    assert code == 6
    assert err.startswith("triptych: step ")
    assert "numpy: loss" in err
