"""Settings that cannot be, at every door that takes them: refused before any file is made.

The numbers are those of docs/faults.md.
"""

import math
import os
import re
import time
from pathlib import Path

import pytest

import triptych
from triptych.cli import main
from triptych.errors import SpecError
from triptych.spec import (
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    StudySpec,
    TableSpec,
    ToySpec,
    TrainSpec,
    parse_study,
    read_study,
)

GOOD = """
title = "t"
seeds = 1
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 8, optimizer = { name = "sgd", lr = 0.1 } }
[[claim]]
says = "x"
test = "a.test_accuracy > 0.5"
"""


OF_ARM = r"arm\.a\.train\."


def everything(folder):
    return {path: path.lstat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def is_refused(here, call, text, says):
    """Ask every door for one line with exit code 2, and that nothing was made or changed."""
    (here / "s.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = everything(here)
    for arguments in (("run", "s.toml"), ("check", "s.toml"), ("run", "s.toml", "--out", "o/p")):
        start = time.monotonic()
        code, out, err = call(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert re.search(rf"^triptych: s\.toml: {says}", err), err
        assert len(err) < 500
        assert time.monotonic() - start < 5
    assert everything(here) == before
    with pytest.raises(SpecError, match=rf"^s\.toml: {says}"):
        read_study("s.toml")
    with pytest.raises(SpecError, match=rf"^s\.toml: {says}"):
        triptych.run("s.toml", out="o")
    assert everything(here) == before


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds = 1", "seeds = 1\nseds = 2", r"seds: unknown key\. Did you mean 'seeds'\?"),
        ("seeds = 1", "Seeds = 1", r"Seeds: unknown key\. Did you mean 'seeds'\?"),
        ("n_samples", "n_sample", r"data\.n_sample: unknown key\. Did you mean 'n_samples'\?"),
        ("epochs", "epoch", r"arm\.a\.train\.epoch: unknown key\. Did you mean 'epochs'\?"),
        (
            "lr =",
            "learning_rate =",
            r"arm\.a\.train\.optimizer\.learning_rate: unknown key\. Known: ",
        ),
        ("hidden", "hiden", r"arm\.a\.network\.hiden: unknown key\. Did you mean 'hidden'\?"),
        ("engine", "engin", r"arm\.a\.engin: unknown key\. Did you mean 'engine'\?"),
        ("says", "say", r"claim 1\.say: unknown key\. Did you mean 'says'\?"),
        ('"moons"', '"moon"', r"data\.source: unknown source 'moon'\. Did you mean 'moons'\?"),
        (
            '"sgd"',
            '"sdg"',
            r"arm\.a\.train\.optimizer\.name: unknown value 'sdg'\. Did you mean 'sgd'",
        ),
        (
            "[[claim]]",
            "[scale.quick]\nseed = 2\n[[claim]]",
            r"scale\.quick\.seed: unknown key\. Did ",
        ),
        ("seeds = 1", 'seeds = 1\n"" = 3', r"'': unknown key\. Known: arm, "),
        (
            "seeds = 1",
            'seeds = 1\n"a\\u001b[31m" = 3',
            r"'a\\x1b\[31m': unknown key\. Known: arm, ",
        ),
        ("seeds = 1", f"seeds = 1\n{'s' * 900_000} = 3", r"'s{56}\.\.\.: unknown key\."),
    ],
    ids=lambda value: value[-20:],
)
def test_an_unknown_key_is_told_with_its_path_and_the_nearest(here, call, old, new, says):
    is_refused(here, call, GOOD.replace(old, new, 1), says)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("old", "new", "path", "line"),
    [
        ("n_samples = 60", "n_samples = 60\nn_samples = 70", "data.n_samples", 7),
        ("seeds = 1", "seeds = 1\nseeds = 2", "seeds", 4),
        ("epochs = 1", "epochs = 1, epochs = 2", "arm.a.train.epochs", 10),
        ("lr = 0.1", "lr = 0.1, lr = 0.2", "arm.a.train.optimizer.lr", 10),
        ("[data]", '[data]\nsource = "circles"\n[data]', "data", 6),
        ("[[claim]]", "[arm.a]\n[[claim]]", "arm.a", 11),
        ("[arm.a]", "[arm.a]\ntrain.epochs = 4", "arm.a.train", 11),
    ],
)
def test_a_key_that_is_there_twice_is_told_with_its_path_and_line(here, call, old, new, path, line):
    says = (
        rf"{re.escape(path)}: the key is there twice, again on line {line}; leave one of them out\."
    )
    is_refused(here, call, GOOD.replace(old, new, 1), says)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "s.toml", "--sedes", "2"), r"--sedes 2\. Did you mean '--seeds'\? See 'triptych"),
        (("train", "x.csv", "--tagret=y"), r"--tagret=y\. Did you mean '--target'\? See 'triptych"),
        (("predict", "m", "x", "--skipbad"), r"--skipbad\. Did you mean '--skip-bad'\? See"),
        (("run", "s.toml", "--zzz"), r"unrecognized arguments: --zzz\. See 'triptych --help'\."),
        (("run", "s.toml", " "), r"unrecognized arguments: \. See 'triptych --help'\."),
        (("run", "papr"), r"unknown study 'papr'\. Did you mean 'paper'\?"),
    ],
)
def test_an_option_that_nobody_knows_gets_the_nearest(here, call, arguments, says):
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(says, err), err
    assert not list(here.iterdir())


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        *(
            ("lr = 0.1", f"lr = {value}", rf"{OF_ARM}optimizer\.lr: {found} not in \(0, 10\]\.")
            for value, found in (
                ("nan", "nan"), ("-1", "-1"), ("0", "0"), ("11", "11"), ("inf", "inf"),
                ("1e400", "inf"), ("-0.0", "0"), ("10.5", r"10\.5"),
            )
        ),
        ("lr = 0.1", "lr = true", r"arm\.a\.train\.optimizer\.lr: must be a number, got True\."),
        ("lr = 0.1", 'lr = "0.1"', r"arm\.a\.train\.optimizer\.lr: must be a number, got '0\.1'\."),
        ("= 8", "= 0", r"arm\.a\.train\.batch_size: 0 not in \[1, 1000000000\]\."),
        ("= 8", "= true", r"arm\.a\.train\.batch_size: must be an integer or absent, got True\."),
        ("= 8", "= 8.0", r"arm\.a\.train\.batch_size: must be an integer or absent, got 8\.0\."),
        ("epochs = 1", f"epochs = {10**12}", r"arm\.a\.train\.epochs: 1000000000000 not in \[1,"),
        ("epochs = 1", "epochs = true", r"arm\.a\.train\.epochs: must be an integer, got True\."),
        ("epochs = 1", "epochs = 1e3", r"arm\.a\.train\.epochs: must be an integer, got 1000\.0\."),
        ("epochs = 1", f"epochs = {'9' * 5000}", r"a whole number has more digits than can be "),
        ("epochs = 1", f"epochs = {'9' * 4000}", r"arm\.a\.train\.epochs: 9+\.\.\. not in \[1, "),
        ("seeds = 1", "seeds = true", r"seeds: must be an integer or 'auto', got True\."),
        ("seeds = 1", "seeds = 0", r"seeds: 0 not in \[1, 100000\]\."),
        ("[3]", "[true]", r"arm\.a\.network\.hidden: must be a list, each an integer, got \[True"),
        ("[3]", "[0]", r"arm\.a\.network\.hidden: 0 not in \[1, 65536\]\."),
        ("= 60", "= nan", r"data\.n_samples: must be an integer, got nan\."),
    ],
    ids=lambda value: value[:24],
)  # fmt: skip
def test_a_number_outside_its_range_is_told_with_it(here, call, old, new, says):
    is_refused(here, call, GOOD.replace(old, new, 1), says)


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OptimizerSpec(lr=math.nan), r"^lr: nan not in \(0, 10\]\.$"),
        (lambda: OptimizerSpec(lr=-1), r"^lr: -1 not in \(0, 10\]\.$"),
        (lambda: TrainSpec(batch_size=0), r"^batch_size: 0 not in \[1, 1000000000\]\.$"),
        (lambda: TrainSpec(epochs=True), r"^epochs: must be an integer, got True\.$"),
        (lambda: TrainSpec(epochs=10**12), r"^epochs: 1000000000000 not in \[1, 1000000\]\.$"),
        (
            lambda: MLPSpec(hidden=(True,)),
            r"^hidden: must be a list, each an integer, got \(True,\)",
        ),
        (lambda: DigitsSpec(test_size=math.nan), r"^test_size: nan not in \[0\.01, 0\.99\]\.$"),
        (lambda: ToySpec(source="moons", noise=-1), r"^noise: -1 not in \[0, 100\]\.$"),
        (lambda: TableSpec(path="t.csv", target=3), r"^target: must be a text, got 3\.$"),
        (
            lambda: StudySpec(title="t", arms={}, seeds=True),
            r"^seeds: must be an integer or 'auto'",
        ),
    ],
)
def test_values_made_in_python_are_checked_alike(make, says):
    with pytest.raises(SpecError, match=says):
        make()


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "s.toml", "--seeds", "0"), r"argument --seeds: invalid number value: '0'"),
        (("run", "s.toml", "--seeds", "1.5"), r"argument --seeds: invalid number value: '1\.5'"),
        (("run", "s.toml", "--seeds", "1000000"), r"seeds: 1000000 not in \[1, 100000\]\."),
        (("run", "s.toml", "--first-seed", "-1"), r"first_seed: -1 not in \[0, 999000000\]\."),
        (("run", "s.toml", "--jobs", "-1"), r"argument --jobs: invalid number value: '-1'"),
        (
            ("train", "x.csv", "--test-size", "nan"),
            r"data\.test_size: nan not in \[0\.01, 0\.99\]\.",
        ),
        (("train", "x.csv", "--test-size", "2"), r"data\.test_size: 2 not in \[0\.01, 0\.99\]\."),
        (("train", "x.csv", "--seeds", "0"), r"argument --seeds: invalid number value: '0'"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else "",
)
def test_options_are_checked_alike(here, call, arguments, says):
    (here / "s.toml").write_text(GOOD)
    (here / "x.csv").write_text("a,b\n1,2\n3,4\n")
    before = everything(here)
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(rf"^triptych: {says}", err), err
    assert everything(here) == before


DOTTED = ".".join("a" * 50_000)


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "x = " + "[" * 100_000, r"config too deep\."),
        (GOOD + "x = " + "[" * 100_000 + "]" * 100_000, r"config too deep\."),
        (GOOD + "x = " + "{a = " * 100_000, r"config too deep\."),
        # Of 100 kB tomllib would make some ten gigabytes.
        (GOOD + DOTTED + " = 1\n", r"config too deep: a key of more than 32 parts\."),
        (GOOD + f"[{DOTTED}]\n", r"config too deep: a key of more than 32 parts\."),
        (GOOD + f"x = {{ {DOTTED} = 1 }}\n", r"config too deep: a key of more than 32 parts\."),
        (GOOD + " . ".join(['"a b"'] * 50_000) + " = 1\n", r"config too deep: a key of more than"),
        (
            GOOD.replace("[3]", "[" * 200 + "]" * 200),
            r"arm\.a\.network\.hidden: must be a list, each an integer, got \[+\.\.\.\.$",
        ),
        (GOOD + "#" + "x" * 1_000_000, r"config too large, 1,000,\d{3} bytes; at most 1 MB\."),
        ("a: &a [x, x]\nb: *a\n", r"this is no valid TOML: .*line 1, column 2"),
        (
            'b: !!python/object/apply:os.system ["touch canary"]\n',
            r"this is no valid TOML: .*line 1,",
        ),
        ('{"a":' * 100_000, r"this is no valid TOML: .*line 1, column 1"),
        (b"title = '\xff'", r"not UTF-8 at byte 9; save it as such\."),
        ("title = 't'".encode("utf-16"), r"not UTF-8 at byte 0; save it as such\."),
        ("\0", r"this is no valid TOML: .*line 1, column 1"),
    ],
    ids=range(15),
)
def test_a_study_that_is_nested_without_end_or_too_large_is_refused(here, call, text, says):
    is_refused(here, call, text, says)
    assert not (here / "canary").exists()


@pytest.mark.fault(15)
def test_of_a_large_file_no_more_than_a_megabyte_is_read(here, call):
    with Path("s.toml").open("wb") as file:
        file.truncate(3_000_000_000)
    start = time.process_time()
    code, _, err = call("run", "s.toml")
    assert (code, err) == (
        2, "triptych: s.toml: config too large, 3,000,000,000 bytes; at most 1 MB.\n",
    )  # fmt: skip
    assert time.process_time() - start < 2


@pytest.mark.fault(15)
def test_dots_in_texts_and_comments_are_no_depth(here):
    dots = "a." * 100
    text = GOOD.replace('"t"', f'"{dots}"') + f"# {dots}\n"
    assert parse_study(text).title == dots
    long = f'"""\n{dots} = 1\n\\"""\n{dots}\n"""'
    assert dots in parse_study(GOOD.replace('"t"', long)).title
    quoted = f"'''\n{dots}'{dots}\n'''"
    assert dots in parse_study(GOOD.replace('"t"', quoted)).title


@pytest.mark.fault(15)
def test_a_name_that_is_no_file_is_told_and_never_waited_for(here, call):
    Path("folder.toml").mkdir()
    os.mkfifo("pipe.toml")
    for name in ("folder.toml", "pipe.toml"):
        code, _, err = call("run", name)
        assert (code, err) == (2, f"triptych: cannot read the study {name}: it is no file.\n")
    code, _, err = call("run", "nowhere.toml")
    assert (code, err) == (
        2, "triptych: cannot read the study nowhere.toml: No such file or directory.\n",
    )  # fmt: skip


def test_the_mark_that_some_editors_write_is_left_out(here):
    (here / "s.toml").write_text(GOOD, "utf-8-sig")
    assert read_study("s.toml").title == "t"


@pytest.mark.fault(13, 14, 15)
def test_debug_shows_where_it_comes_from(here):
    (here / "s.toml").write_text(GOOD.replace("lr = 0.1", "lr = -1"))
    with pytest.raises(SpecError, match=r"lr: -1 not in") as caught:
        main(["run", "s.toml", "--debug"])
    assert any("study_text" in str(f.path) or "files.py" in str(f.path) for f in caught.traceback)
