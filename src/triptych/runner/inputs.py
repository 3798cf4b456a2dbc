"""The data of an arm, laid out as its network takes it."""

from __future__ import annotations

from pathlib import Path

from triptych.contracts import Dataset
from triptych.data import Handed, arrange, load, load_arrays
from triptych.errors import SpecError
from triptych.spec import ArmSpec, ArraysSpec, CNNSpec


def load_for(
    arm: ArmSpec, seed: int, data_dir: Path | None, handed: Handed | None = None
) -> Dataset:
    """Return the data set of `arm` for one seed of a study.

    Parameters
    ----------
    arm : ArmSpec
    seed : int
    data_dir : Path, optional
        See `triptych.data.load`.
    handed : mapping of str to Arrays or Dataset, optional
        See `triptych.data.load_arrays`.

    Raises
    ------
    DataError, UnsafeFileError
        If the data cannot be used, or the network cannot read them.
    SpecError
        If pictures are too small for the network, or arrays were not handed over.
    """
    if isinstance(arm.data, ArraysSpec):
        raw = load_arrays(arm.data, handed or {}, seed)
    else:
        raw = load(arm.data, seed, data_dir)
    data = arrange(raw, arm.network.reads, seed, scrambled=arm.scrambled)
    whitens = isinstance(arm.network, CNNSpec) and arm.network.design == "whitened"
    if whitens and min(data.sample_shape[1:]) < 2:
        height, width = data.sample_shape[1:]
        raise SpecError(
            f"network.design: 'whitened' reads patches of 2 x 2, got {data.name} as pictures of "
            f"{height} x {width}. Use design = 'vgg'."
        )
    return data
