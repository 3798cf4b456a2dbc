"""Models on files of one's own, with weights that are drawn: as good as a poor training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from triptych.contracts import Dataset
from triptych.data import load
from triptych.models import initial_weights
from triptych.saved import Model, model_of_run
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    MLPSpec,
    RNNSpec,
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
