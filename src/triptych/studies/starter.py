"""A first study of one's own data: a commented file that runs as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from string import Template
from typing import Any

import tomli_w

from triptych.contracts import Dataset

_WHOLE = Template("""\
# A study: arms that are compared, on the same data and seeds, and claims that are put to the test.
#   triptych check $file    what it would take; writes nothing
#   triptych run $file      trains, and writes a page with the verdicts

title = $title

# Each seed draws a split, first weights and the order of rows, the same for every arm.
seeds = "auto"      # until every claim is decided; or a number, such as 10
max_seeds = 30      # the most that "auto" takes; fewer than 6 decide nothing
budget = "5 min"    # of one call; the same command goes on from there. "2 h" is fine too

[data]              # $what
$data

$arms
$claims
""")
_ARM = Template("""\
[arm.$name]
label = "$label"
network = { $network }
train = { $train }
""")
_CLAIM = Template("""\
[[claim]]
says = "$says"
test = "$test"
""")
_MORE = Template("""\
# A claim compares what arms measure, with > or <, or "= ... within MARGIN":
# $metrics,
# each also as train_..., and seconds, peak_memory (MB), epochs_to($reached).
""")

_ABOUT_KEYS = {
    "size": "height and width that every picture is scaled to; smaller is quicker",
    "labels": "a CSV in the folder that says of what class each picture is",
    "target": "what is to be told",
    "missing": 'empty cells: "fill", "drop" or "refuse"',
    "ignore": "columns that are left out",
    "skip_bad": "leave out pictures that cannot be read",
    "test_size": "share that is held out, anew for each seed",
    "id": "rows of one are a sequence",
    "time": "the order of its steps",
    "sequence": "the field of the steps",
}


def describe(data: Dataset, source: Mapping[str, Any]) -> str:
    """Return in a line what a data set was taken for.

    Parameters
    ----------
    data : Dataset
    source : mapping
        The table ``[data]`` that reads it.
    """
    rows = f"{len(data.train) + len(data.test):,}"
    if data.kind == "pictures":
        channels, height, width = data.sample_shape
        scaled = ", scaled" if "size" in source else ""
        what = f"{rows} pictures, {height} x {width}{scaled}, {_colours(channels)}"
    elif data.kind == "sequences":
        longest = max(split.x.shape[1] for split in (data.train, data.test))
        of = "symbol" if len(data.sample_shape) == 1 else "feature"
        of += "" if data.step_inputs == 1 else "s"
        what = f"{rows} sequences, at most {longest:,} steps, {data.step_inputs:,} {of}"
    else:
        columns = f"{math.prod(data.sample_shape):,} inputs"
        what = f"a table, {rows} rows, {columns}, target '{source.get('target', '')}'"
    return f"{what}, {_classes(data.classes)}"


def _colours(channels: int) -> str:
    return "grey" if channels == 1 else "colour"


def _classes(names: tuple[str, ...]) -> str:
    if not names:
        return "which is a number"
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f"{len(names):,} classes: {shown}"


def starter(source: Mapping[str, Any], data: Dataset, file: str = "study.toml") -> str:
    """Return the text of a study file on one's own data, with comments on what may be changed.

    Parameters
    ----------
    source : mapping
        The table ``[data]``, as `triptych.data.looks.look` finds it.
    data : Dataset
        What it reads: its kind, size and classes choose the arms.
    file : str
        How the study will be called, for the comments.
    """
    plan = {"pictures": _pictures, "sequences": _sequences}.get(data.kind, _table)
    arms, claims = plan(data)
    table = {**source, "test_size": source.get("test_size", 0.2)}
    return _WHOLE.substitute(
        file=_one_line(file),
        title=_value(f"Which network for {data.name}?"),
        what=_one_line(describe(data, source)),
        data="\n".join(f"{key} = {_value(v)}{_about(key)}" for key, v in table.items()),
        arms=arms,
        claims=f"{_more(data)}\n{claims}".rstrip(),
    )


def _more(data: Dataset) -> str:
    metrics = "test_accuracy, test_balanced_accuracy, test_macro_f1, test_loss"
    reached = "test_accuracy, 0.9"
    if not data.classes:
        metrics, reached = "test_r2, test_rmse, test_loss", "test_r2, 0.5"
    return _MORE.substitute(metrics=metrics, reached=reached)


def _one_line(text: str) -> str:
    """Return `text` as a comment can hold it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _about(key: str) -> str:
    return f"    # {_ABOUT_KEYS[key]}" if key in _ABOUT_KEYS else ""


def _long(rows: int, batch: int, steps: int, most: int) -> str:
    """Return epochs that make about so many steps, 5 at least, judged 50 times or so."""
    epochs = max(5, min(most, math.ceil(steps * batch / rows)))
    return f"epochs = {epochs}" + (f", eval_every = {epochs // 50}" if epochs >= 100 else "")


def _arm(name: str, label: str, network: str, train: str) -> str:
    return _ARM.substitute(name=name, label=label, network=network, train=train)


def _claim(says: str, test: str) -> str:
    return _CLAIM.substitute(says=says, test=test)


def _table(data: Dataset) -> tuple[str, str]:
    rows = len(data.train)
    batch = 32 if rows < 5_000 else 128
    loss = "" if data.classes else ', loss = "squared"'
    # What is trained too shortly loses to what learns faster, whatever it could do.
    train = f"{_long(rows, batch, 3_000, 1_000)}, batch_size = {batch}{loss}"
    train += ', optimizer = { name = "adam", lr = 0.003 }'
    arms = [
        "# Without hidden layers it is a linear model: what the networks have to beat.\n"
        + _arm("linear", "Linear model", 'kind = "mlp", hidden = []', train),
        _arm("small", "MLP, 16 units", 'kind = "mlp", hidden = [16]', train),
        "# Also: activation = \"tanh\", dropout = 0.2; in train: l2 = 0.001, patience = 5 with\n"
        "# validation = 0.1 (early stopping).\n"
        + _arm("large", "MLP, 128-64 units", 'kind = "mlp", hidden = [128, 64]', train),
    ]  # fmt: skip
    metric, by, unit = (
        ("test_accuracy", 0.01, "1 point") if data.classes else ("test_r2", 0.01, "0.01 of R2")
    )
    claims = [
        _claim(
            f"A small network is at least {unit} better than a linear model.",
            f"small.{metric} - linear.{metric} > {by}",
        ),
        _claim(
            f"A large network is at least {unit} better than a small one.",
            f"large.{metric} - small.{metric} > {by}",
        ),
    ]
    return "\n".join(arms), "\n".join(claims)


def _pictures(data: Dataset) -> tuple[str, str]:
    rows, edge = len(data.train), min(data.sample_shape[1:])
    batch = 32 if rows < 5_000 else 128
    train = f"{_long(rows, batch, 1_500, 200)}, batch_size = {batch}"
    large = max(16, min(500, rows // 8))
    recipe = f'recipe = "fast", {_long(rows, large, 160, 40)}, batch_size = {large}'
    if edge < 24:  # smaller still they would show nothing
        recipe += ", resolutions = []"
    adam = 'optimizer = { name = "adam", lr = 0.001 }'
    arms = [
        _arm("mlp", "MLP, 100 units", 'kind = "mlp", hidden = [100]', f"{train}, {adam}"),
        _arm(
            "small",
            "CNN, 16-32 channels",
            'kind = "cnn", channels = [16, 32], pool_after = [1, 2]',
            f"{train}, {adam}",
        ),
        "# preset and recipe stand for sets of values; what is written beside them changes one.\n"
        "# If a picture shows the same when mirrored or shifted, add to train:\n"
        "# augment = { flip = true, translate = 2 }\n"
        + _arm("large", "CNN, 32 to 128 channels", 'kind = "cnn", preset = "small"', recipe),
    ]
    claims = [
        _claim(
            "A small CNN is at least 1 point better than the MLP.",
            "small.test_accuracy - mlp.test_accuracy > 0.01",
        ),
        _claim(
            "The larger CNN is at least 1 point better than the small one.",
            "large.test_accuracy - small.test_accuracy > 0.01",
        ),
    ]
    return "\n".join(arms), "\n".join(claims)


def _sequences(data: Dataset) -> tuple[str, str]:
    # Each of its batches has one length, which no padding slows down.
    train = f'recipe = "lengths", {_long(len(data.train), 64, 1_000, 300)}'
    arms = [
        _arm("small", "RNN, 32 units", 'kind = "rnn", hidden = 32', train),
        _arm("large", "RNN, 128 units", 'kind = "rnn", hidden = 128', train),
        '# Cells: "elman" (the plain one), "lstm", "gru"; also layers = 2, bidirectional = true.\n'
        + _arm("gru", "GRU, 32 units", 'kind = "rnn", cell = "gru", hidden = 32', train),
    ]
    claims = [
        _claim(
            "A large RNN is at least 1 point better than a small one.",
            "large.test_accuracy - small.test_accuracy > 0.01",
        ),
        _claim(
            "A GRU is at least 1 point better than a plain RNN of its size.",
            "gru.test_accuracy - small.test_accuracy > 0.01",
        ),
    ]
    return "\n".join(arms), "\n".join(claims)
