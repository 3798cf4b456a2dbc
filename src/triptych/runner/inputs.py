"""The data of an arm, laid out as its network takes it."""

from __future__ import annotations

from pathlib import Path

from triptych.contracts import Dataset
from triptych.data import Handed, arrange, load
from triptych.errors import SpecError
from triptych.spec import ArmSpec, CNNSpec


def load_for(
    arm: ArmSpec, seed: int, data_dir: Path | None, handed: Handed | None = None
) -> Dataset:
    """Return the data set of `arm` for one seed of a study.

    Parameters
    ----------
    arm : ArmSpec
    seed : int
    data_dir, handed
        See `triptych.data.load`.

    Raises
    ------
    DataError, UnsafeFileError
        If the data cannot be used, or the network cannot read them.
    SpecError
        If pictures are too small for the network, or arrays were not handed over.
    """
    raw = load(arm.data, seed, data_dir, handed)
    data = arrange(raw, arm.network.reads, seed, scrambled=arm.scrambled)
    whitens = isinstance(arm.network, CNNSpec) and arm.network.design == "whitened"
    if whitens and min(data.sample_shape[1:]) < 2:
        height, width = data.sample_shape[1:]
        raise SpecError(
            f"network.design: 'whitened' reads patches of 2 x 2, got {data.name} as pictures of "
            f"{height} x {width}. Use design = 'vgg'."
        )
    return data
