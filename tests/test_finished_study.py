"""A finished study called again: nothing heavy is loaded, nothing drawn, and it is yet sure."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from triptych import cli
from triptych.data import cifar10, identity, load, source_id
from triptych.records import StudyFolder, list_study
from triptych.runner import RunEnded, Setting, execute_study, inputs, kept, read_result
from triptych.spec import (
    Cifar10Spec,
    ClaimSpec,
    DigitsSpec,
    MLPSpec,
    PalindromeSpec,
    ToySpec,
    parse_study,
)

STUDY = """
title = "all engines"
seeds = "auto"
max_seeds = 6
[arm.numpy]
engine = "numpy"
data = { source = "moons", n_samples = 60 }
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 30 }
[arm.torch]
engine = "torch"
data = { source = "moons", n_samples = 60 }
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 30 }
[arm.compiled]
engine = "compiled"
data = { source = "digits", train_limit = 50, test_limit = 20 }
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 30 }
[arm.chosen]
data = { source = "moons", n_samples = 60 }
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 30 }
[arm.rnn]
data = { source = "palindromes", length = 3, train_size = 50, test_size = 20 }
network = { kind = "rnn", hidden = 3 }
train = { epochs = 1, batch_size = 30 }
[[claim]]
says = "They are far apart."
test = "numpy.test_loss > torch.test_loss + 5"
"""

CALL = """
import sys
from triptych.cli import main
try:
    main(["run", "s.toml", "--out", "out"])
except SystemExit as left:
    code = left.code
heavy = ("torch", "sklearn", "numba", "vl_convert", "jinja2", "scipy.stats", "pandas")
print("LOADED", code, [name for name in heavy if name in sys.modules])
"""


def test_a_finished_study_loads_nothing_that_only_training_and_drawing_need(
    tmp_path, monkeypatch, capsys, one_thread
):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(STUDY)
    with pytest.raises(SystemExit):
        cli.main(["run", "s.toml", "--out", "out"])
    first = capsys.readouterr().out
    page = tmp_path / "out/report.html"
    written = page.stat().st_mtime_ns
    done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
    second, _, loaded = done.stdout.rpartition("LOADED ")
    assert loaded == "0 []\n"
    assert second.count("kept from before") == first.count(", seed ")
    assert page.stat().st_mtime_ns == written
    assert second.split("No more seeds")[1] == first.split("No more seeds")[1]


@pytest.fixture
def study():
    text = STUDY.replace('seeds = "auto"\nmax_seeds = 6', "seeds = 2")
    whole = parse_study(text)
    return replace(whole, arms={"numpy": whole.arms["numpy"]}, claims=())


def run(study, folder, setting=None):
    events = execute_study(study, StudyFolder(folder), setting or Setting())
    return {(e.record.arm, e.record.seed): e.kept for e in events if isinstance(e, RunEnded)}


@pytest.fixture
def drawn(monkeypatch):
    """Return the list of data sets that were loaded since."""
    found = []

    def counting(spec, seed, data_dir=None):
        found.append((spec, seed))
        return load(spec, seed, data_dir)

    monkeypatch.setattr(inputs, "load", counting)
    return found


def test_an_arm_that_is_added_is_all_that_is_run(study, tmp_path, drawn):
    run(study, tmp_path)
    drawn.clear()
    other = replace(study.arms["numpy"], network=MLPSpec(hidden=(4,)))
    claim = ClaimSpec(says="More is more.", tests=("more.test_accuracy > numpy.test_accuracy",))
    both = replace(study, arms={**study.arms, "more": other}, claims=(claim,))
    assert run(both, tmp_path) == {
        ("numpy", 0): True, ("numpy", 1): True, ("more", 0): False, ("more", 1): False,
    }  # fmt: skip
    assert [seed for _, seed in drawn] == [0, 1]


def test_other_versions_code_or_processor_mean_looking_at_the_data_again(
    study, tmp_path, drawn, monkeypatch
):
    run(study, tmp_path)
    drawn.clear()
    assert set(run(study, tmp_path).values()) == {True}
    assert drawn == []
    monkeypatch.setattr(identity, "code_id", lambda *names: "edited")
    # The data came out the same, so the runs are kept all the same.
    assert set(run(study, tmp_path).values()) == {True}
    assert [seed for _, seed in drawn] == [0, 0, 1]


def test_data_that_came_out_otherwise_are_trained_on_again(study, tmp_path, monkeypatch):
    run(study, tmp_path)
    monkeypatch.setattr(identity, "code_id", lambda *names: "edited")
    monkeypatch.setattr(
        inputs, "load", lambda spec, seed, folder: replace(load(spec, seed), fingerprint="f" * 64)
    )
    assert set(run(study, tmp_path).values()) == {False}


def test_runs_of_before_there_were_sources_are_looked_at_with_their_data(study, tmp_path, drawn):
    run(study, tmp_path)
    for path in tmp_path.rglob("result.json"):
        table = json.loads(path.read_text())
        for name in ("source", "sample_shape", "outputs"):
            del table[name]
        path.write_text(json.dumps(table))
    drawn.clear()
    assert set(run(study, tmp_path).values()) == {True}
    assert [seed for _, seed in drawn] == [0, 0, 1]


def test_a_run_that_neither_finished_nor_diverged_is_none_to_keep_unseen(study, tmp_path):
    run(study, tmp_path)
    folder = StudyFolder(tmp_path).run("numpy", 0)
    arm = study.arms["numpy"]
    assert kept.kept_run(arm, 0, folder, Setting(device="cpu")) == folder.read()
    path = folder.path / "result.json"
    path.write_text(path.read_text().replace('"finished"', '"failed"'))
    assert kept.kept_run(arm, 0, folder, Setting(device="cpu")) is None


N = 12


@pytest.fixture
def pictures(monkeypatch, tmp_path):
    import numpy as np

    monkeypatch.setattr(cifar10, "RECORDS", N)
    monkeypatch.setattr(identity, "_SETTLED_SECONDS", -1.0)
    cifar10._read_all.cache_clear()
    folder = tmp_path / cifar10.FOLDER
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in cifar10.FILES:
        labels = np.arange(N)[:, None] % 10
        rows = np.hstack([labels, rng.integers(0, 256, (N, 3072))]).astype(np.uint8)
        (folder / name).write_bytes(rows.tobytes())
    yield folder
    cifar10._read_all.cache_clear()


def test_a_picture_that_changed_is_noticed_and_a_copy_with_other_times_is_not_run_again(
    study, tmp_path, pictures, drawn
):
    arm = replace(study.arms["numpy"], data=Cifar10Spec())
    study = replace(study, arms={"numpy": arm}, seeds=1)
    setting = Setting(data_dir=pictures)
    assert run(study, tmp_path / "out", setting) == {("numpy", 0): False}
    drawn.clear()
    assert run(study, tmp_path / "out", setting) == {("numpy", 0): True}
    assert drawn == []
    file = pictures / cifar10.FILES[2]
    content = bytearray(file.read_bytes())
    cifar10._read_all.cache_clear()
    file.write_bytes(content)
    assert run(study, tmp_path / "out", setting) == {("numpy", 0): True}
    assert drawn
    content[500] ^= 1
    file.write_bytes(content)
    cifar10._read_all.cache_clear()
    assert run(study, tmp_path / "out", setting) == {("numpy", 0): False}


def test_the_source_of_files_is_unknown_while_they_may_still_change(pictures, monkeypatch):
    assert source_id(Cifar10Spec(), 0, pictures)
    monkeypatch.setattr(identity, "_SETTLED_SECONDS", 60.0)
    assert source_id(Cifar10Spec(), 0, pictures) == ""
    monkeypatch.setattr(identity, "_SETTLED_SECONDS", -1.0)
    (pictures / cifar10.FILES[1]).unlink()
    assert source_id(Cifar10Spec(), 0, pictures) == ""


def test_sources_differ_wherever_data_may():
    specs = [
        ToySpec(source="moons"), ToySpec(source="circles"), ToySpec(source="moons", noise=0.2),
        DigitsSpec(), DigitsSpec(train_limit=5), PalindromeSpec(), PalindromeSpec(length=6),
    ]  # fmt: skip
    found = {source_id(spec, seed) for spec in specs for seed in (0, 1)}
    assert len(found) == 2 * len(specs)
    assert source_id(specs[0], 0) == source_id(specs[0], 0)


def test_the_page_is_drawn_again_where_anything_that_it_shows_has_changed(
    study, tmp_path, monkeypatch
):
    run(study, tmp_path)
    result = read_result(tmp_path)
    page = result.write_page()
    whole = page.read_bytes()
    drawings = []

    def draw(self):
        drawings.append(1)
        return whole.decode()

    monkeypatch.setattr(type(result), "to_html", draw)
    assert read_result(tmp_path).write_page() == page
    assert drawings == []
    read_result(tmp_path).write_page(anew=True)
    assert len(drawings) == 1
    page.write_bytes(whole[:-10])  # somebody's edit, or half of it lost
    read_result(tmp_path).write_page()
    assert len(drawings) == 2
    page.unlink()
    read_result(tmp_path).write_page()
    assert len(drawings) == 3
    result_file = list_study(tmp_path).runs[0].folder.path / "result.json"
    result_file.write_text(result_file.read_text().replace('"seconds": 0', '"seconds": 1'))
    read_result(tmp_path).write_page()
    assert len(drawings) == 4
    StudyFolder(tmp_path).start(replace(study, title="Another title"))
    read_result(tmp_path).write_page()
    assert len(drawings) == 5


def test_pytorch_is_asked_for_a_gpu_only_where_there_may_be_one(monkeypatch, tmp_path):
    from triptych.engines import choice

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(choice, "_GPU_DEVICES", (str(tmp_path / "gpu"),))
    assert not choice._may_have_gpu()
    assert choice.choose_device("auto", "torch") == "cpu"
    assert "torch" not in sys.modules
    (tmp_path / "gpu").touch()
    assert choice._may_have_gpu()
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "gpu").unlink()
    assert choice._may_have_gpu()


def test_digits_that_stand_in_are_known_without_drawing_them_until_the_pictures_come(
    study, tmp_path, pictures, drawn, monkeypatch
):
    arm = replace(study.arms["numpy"], data=Cifar10Spec())
    study = replace(study, arms={"numpy": arm}, seeds=1)
    with monkeypatch.context() as context:
        for module in (cifar10, identity):
            context.setattr(module, "cifar10_folder", lambda data_dir: None)
        assert run(study, tmp_path / "out") == {("numpy", 0): False}
        drawn.clear()
        assert run(study, tmp_path / "out") == {("numpy", 0): True}
        assert drawn == []
    assert run(study, tmp_path / "out", Setting(data_dir=pictures)) == {("numpy", 0): False}
