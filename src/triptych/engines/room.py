"""Whether a training fits in memory at all, before anything of it is made.

What is counted is less than what a step takes, so that nothing is refused that would have fitted:
weights, gradients, moments, and what a backward pass needs of the forward pass.
"""

from __future__ import annotations

import gc
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from triptych.engines.choice import DataShape
from triptych.engines.memory import give_back
from triptych.errors import ResourceError
from triptych.models import cost_on
from triptych.spec import (
    CNNSpec,
    CustomSpec,
    MLPSpec,
    RNNSpec,
    TrainedSpec,
    TrainSpec,
    size_text,
)
from triptych.training.memory import JUDGED_ROWS, JUDGED_VALUES

# Arrays of the size of all weights that an optimiser keeps.
_MOMENTS = {
    "sgd": 0, "momentum": 1, "nesterov": 1, "rmsprop": 1, "adam": 2, "adamw": 2, "muon": 2,
}  # fmt: skip
# What is proposed must fit with all that is not counted: temporary arrays, and libraries.
_TIMES_FIXED, _TIMES_ROWS, _TIMES_JUDGED, _SHARE = 2.0, 4.0, 5, 0.8
# Below it nobody asks the system, which takes longer than a short training.
_NEVER_ASKED = 32_000_000

_MEMINFO, _STATUS = Path("/proc/meminfo"), Path("/proc/self/status")
_GROUP, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Needs:
    """What a training takes, in bytes.

    Attributes
    ----------
    fixed, a_row : int
        The least, whatever its batch; and for each row of it.
    judging : int
        About what an evaluation takes.
    """

    fixed: int
    a_row: int
    judging: int

    @classmethod
    def of(cls, network: TrainedSpec, train: TrainSpec, data: DataShape) -> Needs:
        """Return what `network` takes on such data."""
        size = 8 if train.dtype == "float64" else 4
        parameters = cost_on(network, data).parameters
        arrays = 2 + _MOMENTS[train.optimizer.name]
        layers = _kept_layers(network, data.sample_shape)
        longest = data.sample_shape[0] if isinstance(network, RNNSpec) else 1
        rows = min(data.rows, JUDGED_VALUES // math.prod(data.sample_shape), JUDGED_ROWS)
        judging = _TIMES_JUDGED * max(1, rows) * max(layers, default=0) * size
        one = (longest - 1) * sum(layers) * size
        return cls(arrays * parameters * size + one, sum(layers) * size, judging)

    def of_batch(self, rows: int) -> int:
        """Return the bytes of a step of so many rows, at least."""
        return self.fixed + rows * self.a_row

    def fitting(self, free: int, rows: int) -> int:
        """Return how many of `rows`, a power of two, surely fit into a step; 0 if none do."""
        left = _SHARE * free - _TIMES_FIXED * self.fixed - self.judging
        most = int(min(rows, left / (_TIMES_ROWS * max(1, self.a_row))))
        return 1 << (most.bit_length() - 1) if most > 0 else 0


def check_room(
    network: TrainedSpec,
    train: TrainSpec,
    data: DataShape,
    device: str = "cpu",
    setting: str = "train.batch_size",
) -> None:
    """Refuse a training that cannot fit.

    Parameters
    ----------
    network : TrainedSpec
    train : TrainSpec
    data : DataShape
        Of what it learns from.
    device : {"cpu", "cuda"}
    setting : str
        What the size of a batch is called where it is set.

    Raises
    ------
    ResourceError
        If there is less memory than it takes; says which batch would fit.
    """
    rows = min(train.batch_size or data.rows, data.rows)
    needs = Needs.of(network, train, data)
    least = needs.of_batch(rows)
    if least < _NEVER_ASKED or (free := free_memory(device)) is None:
        return
    if least > free and device == "cpu":
        # What a network before this one has left may still be held by this process.
        gc.collect()
        give_back()
        free = free_memory(device) or 0
    if least <= free:
        return
    fits = needs.fitting(free, rows)
    hint = f"{setting} = {fits} would fit" if fits > 1 else "take a smaller network"
    raise ResourceError(
        f"its weights and a batch of {rows:,} rows take at least {size_text(least)} of memory, "
        f"and {size_text(free)} are free; {hint}."
    )


def _kept_layers(network: TrainedSpec, shape: tuple[int, ...]) -> list[int]:
    """Return the values that each layer makes of a row, and a backward pass needs, at least."""
    match network:
        case MLPSpec():
            return list(network.hidden)
        case CNNSpec():
            return _of_pictures(network, shape)
        case RNNSpec():
            directions = 2 if network.bidirectional else 1
            # Of one step: other sequences may be much shorter than the longest, which `Needs` adds.
            return [network.hidden * directions] * network.layers
        case CustomSpec():
            return []  # nobody knows
        case _:
            assert_never(network)


def _of_pictures(network: CNNSpec, shape: tuple[int, ...]) -> list[int]:
    """Return the values that convolutions make of a picture, and those that are normalised."""
    _, height, width = shape
    layers, vgg = [], network.design == "vgg"
    for layer, channels in enumerate(network.channels, start=1):
        layers += [channels * height * width] * (2 if vgg else 1)
        if layer in network.pool_after:
            height, width = (-(-height // 2), -(-width // 2)) if vgg else (height // 2, width // 2)
    return layers


def free_memory(device: str = "cpu") -> int | None:
    """Return the bytes that this process may still take; None where nobody can tell.

    The least of what the system has (swap included), what its control groups leave, and what the
    limit on its address space does.
    """
    if device == "cuda":
        import torch

        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0]) + unused
    found = [_of_system(), _of_groups(), _of_limit()]
    return min((one for one in found if one is not None), default=None)


def _of_system() -> int | None:
    table = _table(_MEMINFO)
    if "MemAvailable" in table:
        return 1024 * (table["MemAvailable"] + table.get("SwapFree", 0))
    try:  # macOS: all there is, of which some is taken
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_limit() -> int | None:
    """Return what RLIMIT_AS leaves."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    taken = 1024 * _table(_STATUS).get("VmSize", 0)
    return max(0, most - taken)


def _of_groups() -> int | None:
    """Return what the control groups leave that this process is in, of either version."""
    try:
        lines = _GROUP.read_text().splitlines()
    except OSError:
        return None
    left = []
    for line in lines:
        _, kinds, name = line.split(":", 2)
        if kinds == "":
            top, most, taken = _GROUPS, "memory.max", "memory.current"
        elif "memory" in kinds.split(","):
            top, most, taken = _GROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        here = top / name.lstrip("/")
        for group in (here, *here.parents):
            if (room := _left(group, most, taken)) is not None:
                left.append(room)
            if group == top:
                break
    return min(left, default=None)


def _left(group: Path, most: str, taken: str) -> int | None:
    try:
        limit, now = int((group / most).read_text()), int((group / taken).read_text())
    except (OSError, ValueError):  # "max": none
        return None
    # What files are cached with is given up when it is needed.
    table = _table(group / "memory.stat")
    cached = table.get("total_cache", table.get("file", 0)) + table.get("slab_reclaimable", 0)
    return max(0, limit - now + cached) + _swap_left(group)


def _swap_left(group: Path) -> int:
    """Return what a group may still swap out, of all swap there is."""
    free = 1024 * _table(_MEMINFO).get("SwapFree", 0)
    try:
        taken = int((group / "memory.swap.current").read_text())
        return max(0, min(free, int((group / "memory.swap.max").read_text()) - taken))
    except (OSError, ValueError):  # version 1 counts it elsewhere; "max": all of it
        return free


def _table(path: Path) -> dict[str, int]:
    """Return the numbers of lines such as ``MemFree: 17 kB`` or ``file 17``."""
    found = {}
    try:
        for line in path.read_text().splitlines():
            name, *rest = line.replace(":", " ").split()
            if rest and rest[0].isdigit():
                found[name] = int(rest[0])
    except (OSError, ValueError):
        return {}
    return found
