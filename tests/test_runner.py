"""Runs are kept, repeated to the bit, continued and, where they diverge, counted."""

import re
from dataclasses import replace

import numpy as np
import pytest

import triptych
from triptych.data import load
from triptych.engines import choose_device, choose_engine, estimate, use_threads
from triptych.errors import NumericsError, RunError, SpecError
from triptych.records import StudyFolder
from triptych.runner import (
    RunEnded,
    RunStarted,
    RunTold,
    Setting,
    execute_runs,
    execute_study,
    read_result,
)
from triptych.spec import ClaimSpec, MLPSpec, OptimizerSpec, RNNSpec, parse_study
from triptych.training import Notice

TEXT = """
title = "small"
seeds = 2
[data]
source = "moons"
n_samples = 60
[arm.ours]
engine = "numpy"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 3, batch_size = 8, dtype = "float64" }
[arm.theirs]
engine = "torch"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 3, batch_size = 8, dtype = "float64" }
[[claim]]
says = "They are the same."
test = "ours.test_loss = theirs.test_loss within 1e-9"
"""


def test_all_engines_give_the_same_study(tmp_path):
    text = TEXT.replace('engine = "numpy"', 'engine = "compiled"').replace("seeds = 2", "seeds = 6")
    run(parse_study(text), tmp_path)
    assert read_result(tmp_path).verdicts[0].verdict == "holds"


def test_a_cnn_is_the_same_in_numpy_and_in_torch(tmp_path):
    cnn = 'kind = "cnn", channels = [4, 6], pool_after = [1]'
    text = TEXT.replace('kind = "mlp", hidden = [5]', cnn).replace("epochs = 3", "epochs = 2")
    text = text.replace("seeds = 2", "seeds = 6")
    digits = 'source = "digits"\ntrain_limit = 65\ntest_limit = 30'
    study = parse_study(text.replace('source = "moons"\nn_samples = 60', digits))
    told = run(study, tmp_path)
    result = read_result(tmp_path)
    assert {r.engine for r in result.record.runs} == {"numpy", "torch"}
    assert result.verdicts[0].verdict == "holds"
    # 65 rows leave one alone, of which BatchNorm can take no variance, on either engine.
    notices = [t.event for t in told if isinstance(t, RunTold) and isinstance(t.event, Notice)]
    assert len(notices) == 12
    arm = replace(study.arms["ours"], engine="auto")
    engine, why = choose_engine(arm, load(arm.data, 0))
    assert engine == "torch"
    assert "numpy's steps take" in why


@pytest.fixture
def study():
    return parse_study(TEXT)


def run(study, path):
    return list(execute_study(study, StudyFolder(path), Setting()))


def ended(events):
    return [e for e in events if isinstance(e, RunEnded)]


def contents(path):
    return {
        p.relative_to(path).as_posix(): p.read_bytes()
        for p in path.rglob("*")
        if p.is_file() and p.name in ("metrics.jsonl", "weights.safetensors", "spec.json")
    }


def without_times(files):
    """Drop the one thing that two runs may differ in: how long they took."""
    return {
        name: b"\n".join(line.split(b'"seconds"')[0] for line in content.split(b"\n"))
        if name.endswith(".jsonl")
        else content
        for name, content in files.items()
    }


def test_a_study_runs_seed_by_seed_and_ends_with_the_verdict(study, tmp_path):
    events = run(replace(study, seeds=6), tmp_path)
    order = [(e.arm, e.seeds) for e in events if isinstance(e, RunStarted)]
    assert order == [(arm, (seed,)) for seed in range(6) for arm in ("ours", "theirs")]
    assert any(isinstance(e, RunTold) for e in events)
    result = read_result(tmp_path)
    assert [v.verdict for v in result.verdicts] == ["holds"]
    assert str(result) == "    holds  They are the same."
    assert "They are the same." in result.to_html()


def test_seeds_of_a_compiled_arm_are_trained_together_and_equal_each_alone(study, tmp_path):
    arm = replace(study.arms["ours"], engine="compiled")
    arm = replace(arm, train=replace(arm.train, batch_size=1))
    study = replace(study, arms={"ours": arm, "theirs": study.arms["theirs"]}, seeds=3, claims=())
    events = run(study, tmp_path / "together")
    started = [(e.arm, e.seeds) for e in events if isinstance(e, RunStarted)]
    assert started == [("ours", (0, 1, 2)), *(("theirs", (seed,)) for seed in range(3))]
    record = ended(events)[0].record
    assert "3 seeds were trained at the same time" in record.notes[-1]
    for seed in range(3):
        folder = StudyFolder(tmp_path / "alone")
        folder.start(study)
        list(execute_runs("ours", arm, [seed], folder, Setting()))
        ours, alone = (
            StudyFolder(tmp_path / name).run("ours", seed) for name in ("together", "alone")
        )
        assert ours.read().scores == alone.read().scores
        assert all(np.array_equal(w, alone.weights()[n]) for n, w in ours.weights().items())
    assert all(e.kept for e in ended(run(study, tmp_path / "together")))


def test_runs_whose_seconds_a_claim_compares_are_timed_alone(study, tmp_path):
    arm = replace(study.arms["ours"], engine="compiled")
    claim = ClaimSpec(says="It is fast.", tests=("ours.seconds < 9",))
    study = replace(study, arms={"ours": arm, "also": arm}, claims=(claim,))
    events = run(study, tmp_path)
    started = [(e.arm, e.seeds) for e in events if isinstance(e, RunStarted)]
    assert started == [("ours", (0,)), ("also", (0, 1)), ("ours", (1,))]


def test_the_same_study_gives_the_same_bits(study, tmp_path):
    for name in ("one", "two"):
        run(study, tmp_path / name)
    one, two = (without_times(contents(tmp_path / name)) for name in ("one", "two"))
    assert len(one) == 4 * 3
    assert one == two


def test_engines_start_from_the_same_weights_and_see_the_same_order(study, tmp_path):
    run(study, tmp_path)
    folder = StudyFolder(tmp_path)
    ours, theirs = (folder.run(arm, 1).weights() for arm in ("ours", "theirs"))
    for name, w in ours.items():
        np.testing.assert_allclose(w, theirs[name], rtol=1e-10, atol=1e-12)


def test_a_second_run_keeps_what_is_finished_and_does_what_is_missing(study, tmp_path):
    run(study, tmp_path)
    (tmp_path / "runs" / "theirs" / "seed-1" / "result.json").unlink()
    kept = {(e.record.arm, e.record.seed): e.kept for e in ended(run(study, tmp_path))}
    assert kept == {
        ("ours", 0): True, ("theirs", 0): True, ("ours", 1): True, ("theirs", 1): False,
    }  # fmt: skip


def test_a_changed_arm_runs_again_and_the_others_are_kept(study, tmp_path):
    run(study, tmp_path)
    arm = study.arms["theirs"]
    changed = replace(arm, train=replace(arm.train, epochs=4))
    study = replace(study, arms={**study.arms, "theirs": changed})
    kept = [(e.record.arm, e.kept) for e in ended(run(study, tmp_path))]
    assert sorted(set(kept)) == [("ours", True), ("theirs", False)]


def test_an_arm_that_diverges_is_recorded_and_the_others_go_on(study, tmp_path):
    arm = study.arms["ours"]
    wild = replace(arm, train=replace(arm.train, epochs=400, optimizer=OptimizerSpec(lr=10.0)))
    wild = replace(wild, data=replace(wild.data, noise=100.0))
    study = replace(study, arms={**study.arms, "ours": wild})
    with np.errstate(all="ignore"):
        records = [e.record for e in ended(run(study, tmp_path))]
    diverged = [r for r in records if r.status == "diverged"]
    assert {r.arm for r in diverged} == {"ours"}
    assert "last finite" in diverged[0].error
    assert [r.status for r in records if r.arm == "theirs"] == ["finished"] * 2
    assert "diverged" in read_result(tmp_path).to_html()
    alone = replace(study, arms={"ours": wild}, claims=())
    if len(diverged) == 2:
        with np.errstate(all="ignore"), pytest.raises(NumericsError, match="every run diverged"):
            triptych.run(alone, out=tmp_path / "alone")
        assert "2 runs diverged" in (tmp_path / "alone" / "report.html").read_text("utf-8")


def test_a_study_cut_short_shows_what_there_is(study, tmp_path):
    events = execute_study(study, StudyFolder(tmp_path), Setting())
    next(e for e in events if isinstance(e, RunEnded))
    events.close()
    result = read_result(tmp_path)
    assert len(result.record.runs) == 1
    assert result.verdicts[0].verdict == "undecided"
    assert "3 missing" in result.to_html()


def test_a_folder_without_a_run_is_refused(study, tmp_path):
    StudyFolder(tmp_path / "s").start(study)
    with pytest.raises(RunError, match="has no finished run"):
        read_result(tmp_path / "s")


def test_auto_picks_by_size_and_says_why(study):
    arm = replace(study.arms["ours"], engine="auto")
    data = load(arm.data, 0)
    long = replace(arm, train=replace(arm.train, batch_size=1, epochs=1000))
    large = replace(arm, network=MLPSpec(hidden=(4000, 4000)), train=long.train)
    # A few steps are over before another engine has loaded.
    assert choose_engine(arm, data)[0] == "numpy"
    assert choose_engine(long, data)[0] == "compiled"
    assert re.fullmatch(
        r"compiled \(chosen: about .* s; numpy .* s, torch .* s\)", choose_engine(long, data)[1]
    )
    guesses = estimate((2, 4000, 4000, 2), 1, 48_000)
    assert choose_engine(large, data)[0] == min(guesses, key=guesses.get)


def test_auto_takes_a_gpu_for_large_steps_where_there_is_one(monkeypatch, study):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    arm = replace(study.arms["ours"], engine="auto", network=MLPSpec(hidden=(4000, 4000)))
    arm = replace(arm, train=replace(arm.train, batch_size=None))
    data = load(arm.data, 0)
    assert choose_engine(arm, data, "auto")[0] == "torch"
    assert "GPU" in choose_engine(arm, data, "auto")[1]
    assert "GPU" not in choose_engine(arm, data, "cpu")[1]
    assert choose_engine(study.arms["ours"], data, "auto")[0] == "numpy"


def test_small_steps_are_not_shared_among_threads(monkeypatch, study):
    import torch

    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr("triptych.engines.threads._all_threads", lambda: 8)
    arm = study.arms["theirs"]
    data = load(arm.data, 0)
    use_threads(arm, data, "torch")
    wide = replace(arm, network=MLPSpec(hidden=(5000, 5000)))
    use_threads(wide, data, "torch")
    use_threads(wide, data, "compiled")
    assert asked == [1, 8]


def test_a_gpu_that_is_not_there_is_an_error_with_the_way_out(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SpecError, match="cuda is not available; use --device cpu"):
        choose_device("cuda", "torch")
    assert choose_device("auto", "torch") == choose_device("cuda", "numpy") == "cpu"


@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="no GPU on this machine")
def test_a_gpu_gives_the_same_within_rounding(study, tmp_path):
    for device in ("cpu", "cuda"):
        list(execute_study(study, StudyFolder(tmp_path / device), Setting(device=device)))
    cpu, gpu = (StudyFolder(tmp_path / d).run("theirs", 0).weights() for d in ("cpu", "cuda"))
    for name, w in cpu.items():
        np.testing.assert_allclose(w, gpu[name], rtol=1e-9, atol=1e-12)


def test_three_lines_of_python_run_a_study(tmp_path, study):
    result = triptych.run(study, seeds=3, out=tmp_path / "out")
    assert len(result.record.runs) == 6
    assert (tmp_path / "out" / "report.html").read_text("utf-8") == result.to_html()


def test_an_rnn_study_and_a_cnn_study_run(tmp_path):
    text = """
    title = "others"
    seeds = 1
    [arm.rnn]
    data = { source = "palindromes", length = 3, train_size = 200, test_size = 50 }
    network = { kind = "rnn", hidden = 8 }
    train = { epochs = 1, batch_size = 20 }
    [arm.cnn]
    data = { source = "digits", train_limit = 65, test_limit = 30 }
    network = { kind = "cnn", channels = [4, 4], pool_after = [1] }
    train = { epochs = 1, batch_size = 32 }
    """
    events = run(parse_study(text), tmp_path)
    assert [e.record.status for e in ended(events)] == ["finished"] * 2
    assert isinstance(read_result(tmp_path).record.study.arms["rnn"].network, RNNSpec)


PALINDROMES = """
title = "sequences"
seeds = 2
[data]
source = "palindromes"
shortest = 3
length = 6
train_size = 200
test_size = 50
probes = [3, 30]
probe_size = 20
[arm.elman]
network = { kind = "rnn", hidden = 8, output = "softmax" }
train = { recipe = "lengths", epochs = 1 }
[arm.gru]
network = { kind = "rnn", cell = "gru", hidden = 8 }
train = { epochs = 1, batch_size = 20 }
"""


def test_the_first_seed_of_a_vanilla_rnn_is_explained_and_the_page_shows_it(tmp_path):
    study = replace(parse_study(PALINDROMES), claims=())
    run(study, tmp_path)
    record = read_result(tmp_path).record
    kinds = {(r.arm, r.seed): [f.kind for f in r.findings] for r in record.runs}
    assert kinds == {
        ("elman", 0): ["gradient flow", "hidden states"], ("elman", 1): [],
        ("gru", 0): [], ("gru", 1): [],
    }  # fmt: skip
    before = record.runs[0].findings[0].arrays["before"]
    assert before[0] == 1
    assert before[-1] < 1e-3
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("findings.json")]
    assert files == ["runs/elman/seed-0/findings.json"]
    assert (tmp_path / files[0]).stat().st_size < 20_000
    html = read_result(tmp_path).to_html()
    assert "How far the error reaches back" in html
    assert "Accuracy against T" in html
    assert all(e.kept for e in ended(run(study, tmp_path)))
