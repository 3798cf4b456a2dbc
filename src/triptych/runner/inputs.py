"""The data of an arm, laid out as its network takes it."""

from __future__ import annotations

from pathlib import Path

from triptych.contracts import Dataset
from triptych.data import Handed, arrange, load, load_arrays, source_id
from triptych.errors import SpecError
from triptych.spec import ArmSpec, ArraysSpec, CNNSpec, DataSpec


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
        raw = _LAST.load(arm.data, seed, data_dir)
    data = arrange(raw, arm.network.reads, seed, scrambled=arm.scrambled)
    whitens = isinstance(arm.network, CNNSpec) and arm.network.design == "whitened"
    if whitens and min(data.sample_shape[1:]) < 2:
        height, width = data.sample_shape[1:]
        raise SpecError(
            f"network.design: 'whitened' reads patches of 2 x 2, got {data.name} as pictures of "
            f"{height} x {width}. Use design = 'vgg'."
        )
    return data


class _Last:
    """The data set of one's own that was loaded last: the arms of a seed read it one by one."""

    def __init__(self) -> None:
        self.key: tuple[DataSpec, int, str] | None = None
        self.data: Dataset | None = None

    def load(self, spec: DataSpec, seed: int, data_dir: Path | None) -> Dataset:
        """Return a data set, the last one again where that is what would be loaded."""
        # What comes with Triptych is quickly made, or large.
        identity = source_id(spec, seed, data_dir) if hasattr(spec, "path") else ""
        key = (spec, seed, identity)
        if identity and self.key == key and self.data is not None:
            return self.data
        self.key = self.data = None  # before the next is made, so that memory never holds two
        data = load(spec, seed, data_dir)
        if identity:
            self.key, self.data = key, data
        return data


_LAST = _Last()
