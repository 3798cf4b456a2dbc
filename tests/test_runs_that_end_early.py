"""Runs that diverge or run out of memory: what is said, what is kept, and how they go on."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import triptych
from triptych.contracts import State
from triptych.data import load
from triptych.engines import DataShape, check_room, create_learner, free_memory, learners
from triptych.engines import room as room_module
from triptych.engines.room import Needs
from triptych.errors import NumericsError, ResourceError, RunError
from triptych.records import StudyFolder
from triptych.records.checkpoints import unpacked
from triptych.records.disk import CHECKPOINT_FILES
from triptych.runner import RunEnded, RunTold, Setting, execute_study, load_for
from triptych.runner.runs import create_job
from triptych.spec import (
    CNNSpec,
    CustomSpec,
    MLPSpec,
    OptimizerSpec,
    RNNSpec,
    TrainSpec,
    parse_study,
)
from triptych.training import Evaluation
from triptych.training import loop as loop_module
from triptych.training.compiled_learner import CompiledLearner
from triptych.training.numpy_learner import NumpyLearner
from triptych.training.torch_learner import TorchLearner

pytestmark = pytest.mark.usefixtures("one_thread")

STUDY = """
title = "small"
seeds = 1
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "ENGINE"
network = { kind = "mlp", hidden = [5] }
[arm.a.train]
epochs = 5
batch_size = 12
optimizer = { name = "sgd", lr = 0.1 }
"""
PICTURES = STUDY.replace('"moons"\nn_samples = 60', '"digits"\ntrain_limit = 48').replace(
    '{ kind = "mlp", hidden = [5] }', '{ kind = "cnn", channels = [8], pool_after = [1] }'
)
STRINGS = STUDY.replace(
    '"moons"\nn_samples = 60', '"palindromes"\nlength = 5\ntrain_size = 48\ntest_size = 10'
).replace('{ kind = "mlp", hidden = [5] }', '{ kind = "rnn", hidden = 4 }')
WILD = STUDY.replace("lr = 0.1 }", 'lr = 10 }\nloss = "squared"\nvalidation = 0.1\npatience = 99')
LEARNERS = {"numpy": NumpyLearner, "compiled": CompiledLearner, "torch": TorchLearner}
ALL = Setting(device="cpu", checkpoint=0.0)


@pytest.fixture(autouse=True)
def step_by_step(monkeypatch):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)


@pytest.fixture(autouse=True)
def always_asked(monkeypatch):
    """Let small trainings be looked at too."""
    monkeypatch.setattr(room_module, "_NEVER_ASKED", 0)


def spec_of(text, engine="numpy"):
    return parse_study(text.replace("ENGINE", engine))


def checkpoints(run):
    found = [unpacked((run.path / name).read_bytes()) for name in CHECKPOINT_FILES
             if (run.path / name).exists()]  # fmt: skip
    return {one.step: one for one in found}


@pytest.mark.fault(18, 19)
@pytest.mark.parametrize("engine", LEARNERS)
def test_a_run_that_diverges_keeps_the_step_before_and_says_what_to_try(engine, tmp_path):
    study = spec_of(WILD, engine)
    with pytest.raises(NumericsError, match="every run diverged; the first: step") as told:
        triptych.run(study, out=tmp_path / "s", setting=ALL)
    assert told.value.exit_code == 6
    found = re.search(
        r"step (\d+): loss (?:NaN|inf|[\d.e+]+) \(lr 10, gradient norm (?:NaN|inf|[\d.e+]+)\); "
        r"last finite checkpoint: step (\d+); try train.optimizer.lr = 1 or train.clip_norm = 1.$",
        str(told.value),
    )
    step, kept = int(found[1]), int(found[2])
    assert kept == step - 1
    run = StudyFolder(tmp_path / "s").run("a", 0)
    assert run.read().error in str(told.value)
    assert not run.has_weights()
    state = checkpoints(run)[kept].state
    assert not state.not_finite  # the best weights among it
    assert any(name.startswith("job/best/") for name in state.arrays) == (step > 4)
    arm = study.arms["a"]
    job = create_job(arm, engine, load_for(arm, 0, None), 0, "cpu")
    job.restore(state.part("job"))
    assert not State(job.learner.weights()).not_finite
    assert job.steps == kept
    page = (tmp_path / "s" / "report.html").read_text("utf-8")
    assert "1 run diverged" in page


@pytest.mark.fault(18)
def test_where_the_step_before_is_not_finite_either_the_checkpoint_before_it_stays(
    tmp_path, monkeypatch
):
    # Gradients of 0 and a decay of 3.5 a step: weights overflow long before any loss tells.
    text = STUDY.replace(
        'name = "sgd", lr = 0.1', 'name = "adamw", lr = 0.45, weight_decay = 10'
    ).replace("epochs = 5", "epochs = 50")
    step = NumpyLearner._step

    def without_gradient(self, k, rows, lr):
        if not np.isfinite(self.network.weights["w1"]).all():
            return step(self, k, rows, lr)
        self.optimizer.step({n: np.zeros_like(w) for n, w in self.network.weights.items()}, lr)
        return 0.5

    monkeypatch.setattr(NumpyLearner, "_step", without_gradient)
    with np.errstate(all="ignore"), pytest.raises(NumericsError) as told:
        triptych.run(spec_of(text), out=tmp_path / "s", setting=ALL)
    step, kept = map(
        int, re.search(r"step (\d+): .*checkpoint: step (\d+)", str(told.value)).groups()
    )
    assert kept == step - 2
    found = checkpoints(StudyFolder(tmp_path / "s").run("a", 0))
    assert max(found) == kept
    assert all(not one.state.not_finite for one in found.values())


def out_of_memory(kind):
    if kind == "numpy":
        return np._core._exceptions._ArrayMemoryError((1 << 40,), np.dtype("f4"))
    text = (
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 256000000 bytes. Error code 12 (Cannot allocate memory)"
    )
    gpu = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139 GiB"
    return {"torch": RuntimeError(text), "cuda": torch.OutOfMemoryError(gpu),
            "compiled": MemoryError("Allocation failed (probably too large).")}[kind]  # fmt: skip


CASES = [
    (STUDY, "numpy", "numpy"), (STUDY, "compiled", "compiled"), (STUDY, "torch", "torch"),
    (STUDY, "torch", "cuda"), (PICTURES, "numpy", "numpy"), (PICTURES, "torch", "torch"),
    (STRINGS, "compiled", "compiled"), (STRINGS, "torch", "torch"),
]  # fmt: skip


@pytest.mark.fault(24)
@pytest.mark.parametrize(("text", "engine", "kind"), CASES)
def test_memory_that_runs_out_in_training_is_a_line_and_the_same_command_goes_on(
    text, engine, kind, tmp_path, monkeypatch
):
    study = spec_of(text, engine)
    triptych.run(study, out=tmp_path / "whole", setting=ALL)
    fit, calls = LEARNERS[engine].fit, []

    def full(self, order, *args):
        calls.append(len(order))
        if len(calls) == 8:
            raise out_of_memory(kind)
        return fit(self, order, *args)

    with monkeypatch.context() as patch:
        patch.setattr(LEARNERS[engine], "fit", full)
        with pytest.raises(RunError) as told:
            triptych.run(study, out=tmp_path / "s", setting=ALL)
    taken = sum(count > 0 for count in calls) - 1  # a call without rows compiles
    assert told.value.exit_code == 4
    assert str(told.value) == (
        "no run finished; a, seed 0, failed: out of memory in batches of 12 rows; try "
        f"train.batch_size = 6. The last checkpoint is of step {taken}."
    )
    run, whole = (StudyFolder(tmp_path / name).run("a", 0) for name in ("s", "whole"))
    assert run.read().status == "failed"
    state = checkpoints(run)[taken].state
    assert not state.not_finite
    with monkeypatch.context() as patch:
        patch.setattr(LEARNERS[engine], "fit", lambda *a: calls.append(0) or fit(*a))
        calls.clear()
        triptych.run(study, out=tmp_path / "s", setting=ALL)
        assert len(calls) <= 21 - taken  # it went on
    ours, theirs = run.weights(), whole.weights()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    # A smaller batch is another run, which begins.
    smaller = spec_of(text.replace("batch_size = 12", "batch_size = 6"), engine)
    result = triptych.run(smaller, out=tmp_path / "s", setting=ALL)
    assert result.record.runs[0].status == "finished"
    assert result.record.runs[0].curve[0]["step"] * 6 >= 40


@pytest.mark.fault(24)
def test_memory_that_runs_out_while_judging_is_a_line(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError("Unable to allocate 3 GiB")

    monkeypatch.setattr(NumpyLearner, "evaluate", full)
    with pytest.raises(RunError, match=r"out of memory beside its steps \(Unable to allocate 3 "
                       r"GiB\); fewer rows or a smaller network take less$"):  # fmt: skip
        triptych.run(spec_of(STUDY), out=tmp_path / "s", setting=ALL)


IN_LITTLE_ROOM = """
import json, re, resource, sys
from pathlib import Path
from triptych import cli
from triptych.records import StudyFolder
from triptych.runner import RunEnded, Setting, execute_study
from triptych.spec import parse_study

engine, text = sys.argv[1], Path("large.toml").read_text().replace("ENGINE", sys.argv[1])

def limited(more):
    status = Path("/proc/self/status").read_text()
    size = 1024 * int(re.search(r"VmSize:\\s+(\\d+)", status)[1])
    soft = resource.RLIM_INFINITY if more is None else size + more
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))

def run(text, folder):
    events = execute_study(parse_study(text), StudyFolder(Path(folder)), Setting(device="cpu"))
    (record,) = [event.record for event in events if isinstance(event, RunEnded)]
    return record.status, record.error

run(text.replace("60000", "100"), "warm")
limited(330_000_000)
found = [run(text, "a"), run(text.replace("epochs", "batch_size = 2048, epochs"), "b")]
limited(None)
limited(600_000_000)
found.append(run(text, "c"))
limited(None)
found.append(run(text, "c"))
Path("found.json").write_text(json.dumps(found))
"""
LARGE = """
title = "Large"
seeds = 1
[data]
source = "moons"
n_samples = 60000
[arm.a]
engine = "ENGINE"
network = { kind = "mlp", hidden = [2000] }
train = { epochs = 1 }
"""


@pytest.mark.fault(24)
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_process_with_little_room_says_which_batch_fits_and_goes_on_with_more(engine, tmp_path):
    (tmp_path / "large.toml").write_text(LARGE)
    subprocess.run(
        [sys.executable, "-c", IN_LITTLE_ROOM, engine], cwd=tmp_path, timeout=120, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    refused, fits, stopped, more = json.loads((tmp_path / "found.json").read_text())
    assert refused[0] == stopped[0] == "failed"
    assert re.fullmatch(
        r"its weights and a batch of 48,000 rows take at least 384 MB of memory, and \d+ MB are "
        r"free; train.batch_size = 2048 would fit\.", refused[1]
    )  # fmt: skip
    assert fits == more == ["finished", ""]
    assert re.fullmatch(
        r"out of memory in batches of 48,000 rows; try train.batch_size = 24000\. There is no "
        r"checkpoint\.", stopped[1]
    )  # fmt: skip


TABLE = DataShape(1000, (20,), 3, 3)
PICTURE = DataShape(1000, (3, 32, 32), 10, 10)
WORDS = DataShape(1000, (50,), 5, 5, 7)


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("network", "train", "data", "parameters", "values"),
    [
        (MLPSpec(hidden=(30, 40)), "sgd", TABLE, 20 * 30 + 30 + 30 * 40 + 40 + 40 * 3 + 3, 70),
        (MLPSpec(hidden=(30,)), "adam", TABLE, 20 * 30 + 30 + 30 * 3 + 3, 30),
        (RNNSpec(hidden=8), "rmsprop", WORDS, 7 * 8 + 8 * 8 + 16 + 8 * 5 + 5, 8),
        (CustomSpec(name="own", parameters=99), "adam", TABLE, 99, 0),
        (CNNSpec(channels=(8, 16), pool_after=(1,)), "momentum", PICTURE, None,
         2 * (8 * 32 * 32 + 16 * 16 * 16)),
        (CNNSpec(design="whitened", channels=(8, 16), pool_after=(1,)), "adam", PICTURE, None,
         8 * 32 * 32 + 16 * 16 * 16),
    ],
)  # fmt: skip
def test_what_a_training_takes_at_least_follows_from_its_sizes(
    network, train, data, parameters, values
):
    arrays = {"sgd": 2, "momentum": 3, "rmsprop": 3, "adam": 4}[train]
    for dtype, size in (("float32", 4), ("float64", 8)):
        spec = TrainSpec(optimizer=OptimizerSpec(name=train), dtype=dtype)
        needs = Needs.of(network, spec, data)
        assert needs.a_row == values * size
        if parameters is not None:
            longest = 49 * 8 * size if data is WORDS else 0  # its steps after the first
            assert needs.fixed == arrays * parameters * size + longest


@pytest.mark.fault(24)
def test_what_cannot_fit_is_refused_and_only_that(monkeypatch):
    network, train = MLPSpec(hidden=(10_000,)), TrainSpec(batch_size=500)
    least = Needs.of(network, train, TABLE).of_batch(500)
    monkeypatch.setattr(room_module, "free_memory", lambda _: least)
    check_room(network, train, TABLE)
    monkeypatch.setattr(room_module, "free_memory", lambda _: None)
    check_room(network, train, TABLE)
    monkeypatch.setattr(room_module, "free_memory", lambda _: least - 1)
    with pytest.raises(ResourceError, match=r"a batch of 500 rows take at least 21\.9 MB of "):
        check_room(network, train, TABLE)
    few = replace(train, batch_size=None)
    with pytest.raises(ResourceError, match=r"a batch of 100,000 rows .*; batch_size = 8192 would"):
        check_room(MLPSpec(hidden=(60,)), few, replace(TABLE, rows=100_000), "cpu", "batch_size")
    with pytest.raises(ResourceError, match="take a smaller network"):
        check_room(MLPSpec(hidden=(60_000, 60_000)), train, TABLE)


@pytest.mark.fault(24)
def test_rows_set_aside_and_steps_that_shorter_sequences_lack_are_not_counted(monkeypatch):
    arm = spec_of(
        STUDY.replace("epochs = 5\nbatch_size = 12", "epochs = 5\nvalidation = 0.5\npatience = 9")
    ).arms["a"]
    data = load(arm.data, 0)
    asked = []
    monkeypatch.setattr(learners, "check_room", lambda *given: asked.append(given[2].rows))
    create_learner(arm, "numpy", data, 0, "cpu")
    assert asked == [data.rows // 2]
    strings = DataShape(64, (100_000, 1), 2, 2)
    one, all_rows = (
        Needs.of(RNNSpec(hidden=100), TrainSpec(batch_size=64), strings).of_batch(n)
        for n in (1, 64)
    )
    assert one > 100_000 * 100 * 4
    assert all_rows < 1.01 * one


@pytest.mark.fault(24)
def test_of_a_short_training_nobody_asks_the_system(monkeypatch):
    monkeypatch.setattr(room_module, "_NEVER_ASKED", 32_000_000)
    monkeypatch.setattr(room_module, "free_memory", lambda _: pytest.fail("it was asked"))
    check_room(MLPSpec(hidden=(1000,)), TrainSpec(), TABLE)


@pytest.mark.fault(24)
@pytest.mark.parametrize("version", [1, 2])
def test_the_least_of_what_system_groups_and_limit_leave_is_free(version, tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemAvailable:    9000 kB\nSwapFree:     0 kB\n")
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "7:memory:/a/b"),
             2: ("memory.max", "memory.current", "file", "0::/a/b")}[version]  # fmt: skip
    top = tmp_path / "memory" if version == 1 else tmp_path
    (tmp_path / "groups").write_text(f"9:cpu:/elsewhere\n{names[3]}\n")
    monkeypatch.setattr(room_module, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room_module, "_GROUP", tmp_path / "groups")
    monkeypatch.setattr(room_module, "_GROUPS", tmp_path)
    assert free_memory() == 9000 * 1024
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / names[0]).write_text("max\n")
    (top / "a" / names[0]).write_text("5000\n")
    (top / "a" / names[1]).write_text("4000\n")
    assert free_memory() == 1000
    (top / "a" / "memory.stat").write_text(f"{names[2]} 300\nanon 50\nslab_reclaimable 7\n")
    assert free_memory() == 1307
    (tmp_path / "meminfo").write_text("MemAvailable:    9000 kB\nSwapFree:  1 kB\n")
    assert free_memory() == 1307 + 1024  # what is swapped out
    if version == 2:
        (top / "a" / "memory.swap.max").write_text("500\n")
        (top / "a" / "memory.swap.current").write_text("100\n")
        assert free_memory() == 1307 + 400
    (tmp_path / "meminfo").write_text("MemAvailable:    9000 kB\nSwapFree:  1000 kB\n")
    (tmp_path / "groups").unlink()
    assert free_memory() == 10_000 * 1024


@pytest.mark.fault(24)
@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_estimators_name_their_own_setting(engine, monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2
    model = triptych.MLPClassifier((8,), batch_size=30, max_iter=3, engine=engine)

    def full(*_):
        raise out_of_memory("torch" if engine == "torch" else "compiled")

    with monkeypatch.context() as patch:
        patch.setattr(LEARNERS[engine], "_step" if engine != "compiled" else "fit_on_this_thread",
                      full if engine != "compiled" else _only_steps(full))  # fmt: skip
        with pytest.raises(ResourceError) as told:
            model.fit(x, y)
    assert str(told.value) == "out of memory in batches of 30 rows; try batch_size = 15."
    monkeypatch.setattr(room_module, "free_memory", lambda _: 1000)
    with pytest.raises(ResourceError, match="at least .* are free; take a smaller network"):
        model.fit(x, y)


def _only_steps(full):
    """Fail where rows are learnt from, but not where kernels are compiled."""
    fit = CompiledLearner.fit_on_this_thread
    return lambda self, order, *args: full() if len(order) else fit(self, order, *args)


@pytest.mark.fault(24)
@pytest.mark.parametrize("kind", ["CNNClassifier", "RNNClassifier"])
def test_estimators_of_pictures_and_sequences_look_before_they_train(kind, monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(20, 16)).astype("f4"), np.arange(20) % 2
    monkeypatch.setattr(room_module, "free_memory", lambda _: 5000)
    with pytest.raises(ResourceError, match="of memory, and 5 kB are free; take a smaller network"):
        getattr(triptych, kind)().fit(x, y)


@pytest.mark.fault(18)
def test_a_mask_of_infinities_is_no_divergence(tmp_path):
    class Masked(torch.nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.register_buffer("mask", torch.full((2, 2), -torch.inf))
            self.register_buffer("other", torch.full((2, 2), -torch.inf), persistent=False)

    arm = replace(spec_of(STUDY).arms["a"], engine="torch", network=CustomSpec(name="own"))
    study = replace(spec_of(STUDY), arms={"a": arm})
    events = execute_study(
        study, StudyFolder(tmp_path / "s"),
        replace(ALL, networks={"own": lambda _: Masked()}),
    )  # fmt: skip
    next(e for e in events if isinstance(e, RunTold) and isinstance(e.event, Evaluation))
    next(events)
    assert checkpoints(StudyFolder(tmp_path / "s").run("a", 0))
    assert [e.record.status for e in events if isinstance(e, RunEnded)] == ["finished"]


@pytest.mark.fault(24)
def test_what_this_process_still_holds_is_given_back_before_anything_is_refused(monkeypatch):
    told, given = iter([10, 10**12]), []
    monkeypatch.setattr(room_module, "free_memory", lambda _: next(told))
    monkeypatch.setattr(room_module, "give_back", lambda: given.append(1))
    check_room(MLPSpec(), TrainSpec(), TABLE)
    assert given == [1]
