"""Models on files of one's own, with weights that are drawn: as good as a poor training.

Test files that name it in `pytest_plugins` have its fixtures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triptych import cli
from triptych.contracts import Dataset
from triptych.data import load
from triptych.models import initial_weights
from triptych.saved import Model, model_of_run
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    FolderSpec,
    MLPSpec,
    RNNSpec,
    SequenceFileSpec,
    TableSpec,
    TrainSpec,
)

NETWORKS = {
    "table": MLPSpec(hidden=(8,)),
    "folder": CNNSpec(channels=(4,), pool_after=(1,)),
    "sequences": RNNSpec(hidden=6),
}
HEAD = "a,b,city,who,kind"


def drawn_model(spec, loss: str = "softmax") -> tuple[Model, Dataset]:
    """Return a model of the kind that reads `spec`, and its data."""
    data = load(spec, 0)
    arm = ArmSpec(data=spec, network=NETWORKS[spec.source], train=TrainSpec(epochs=1, loss=loss))
    weights = initial_weights(arm.network, data, np.random.default_rng(5))
    return model_of_run(arm, data, weights), data


def table_text(rows: int = 90, kinds=("x", "y", "z"), seed: int = 0) -> str:
    draw = np.random.default_rng(seed)
    lines = [HEAD]
    for k in range(rows):
        a, b = draw.normal(k % len(kinds)), draw.normal(-(k % len(kinds)), 2.0)
        lines.append(f"{a:.4f},{b:.4f},{'RS'[k % 2]},p{k % 30},{kinds[k % len(kinds)]}")
    return "\n".join(lines) + "\n"


def fill_folder(root: Path, names=("cat", "dog"), each: int = 6, seed: int = 0) -> None:
    draw = np.random.default_rng(seed)
    for name in names:
        (root / name).mkdir(parents=True)
        for i in range(each):
            x = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(x).save(root / name / f"{i}.png")


def words_text(kinds=("a", "b")) -> str:
    words = ["ab", "abc", "a", "b", "ba", "bcc", "bcca", "acb", "bac", "aabb"]
    names = dict(zip("ab", kinds, strict=True))
    return "".join(f"{names[word[0]]}\t{word}\n" for word in words)


def kept(model: Model) -> Model:
    """Return a model, and keep it as ``m.safetensors`` in the current folder."""
    model.save("m.safetensors")
    return model


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Return a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table_model(here) -> Model:
    """Return a model of ``t.csv``, and keep it as ``m.safetensors``."""
    (here / "t.csv").write_text(table_text())
    spec = TableSpec(path="t.csv", target="kind", ignore=("who",))
    return kept(drawn_model(spec)[0])


@pytest.fixture
def folder_model(here) -> Model:
    """Return a model of the folder ``pets``, and keep it as ``m.safetensors``."""
    fill_folder(here / "pets")
    return kept(drawn_model(FolderSpec(path="pets"))[0])


@pytest.fixture
def words_model(here) -> Model:
    """Return a model of ``words.txt``, and keep it as ``m.safetensors``."""
    (here / "words.txt").write_text(words_text())
    return kept(drawn_model(SequenceFileSpec(path="words.txt"))[0])


@pytest.fixture
def call(capsys):
    """Return what runs a command in this process, and returns code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main([str(one) for one in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return left.value.code, said.out, said.err

    return run
