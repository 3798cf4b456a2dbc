"""A study of one's own pictures and sequences, from the file to the page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import without_scripts
from triptych.errors import SpecError
from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study, read_result
from triptych.spec import parse_study, read_study

STUDY = """
title = "Mine"
seeds = 1

[arm.mlp]
data = { source = "folder", path = "pets <i>& co" }
network = { kind = "mlp", hidden = [8] }
train = { epochs = 2, batch_size = 8 }

[arm.cnn]
engine = "ENGINE"
data = { source = "folder", path = "pets <i>& co" }
network = { kind = "cnn", channels = [4], pool_after = [1] }
train = { epochs = 2, batch_size = 8 }

[arm.rnn]
data = { source = "sequences", path = "inside/words.txt" }
network = { kind = "rnn", hidden = 8 }
train = { epochs = 2, recipe = "lengths" }

[arm.steps]
data = { source = "sequences", path = "inside/steps.csv" }
network = { kind = "rnn", hidden = 8 }
train = { epochs = 2, batch_size = 4 }
"""
CLASSES = [f"class {k} <b>ä</b>" for k in range(12)]


@pytest.fixture
def own(tmp_path):
    draw = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "pets <i>& co" / name).mkdir(parents=True)
        for i in range(4):
            picture = Image.fromarray(draw.integers(0, 256, (6, 6), dtype=np.uint8))
            picture.save(tmp_path / "pets <i>& co" / name / f"{i}.png")
    (tmp_path / "pets <i>& co" / CLASSES[0] / "<script>.txt").write_text("x")
    (tmp_path / "inside").mkdir()
    words = ["".join(draw.choice(list("abc"), draw.integers(1, 7))) for _ in range(60)]
    text = "".join(f"{word[0]}\t{word}\n" for word in words)
    (tmp_path / "inside" / "words.txt").write_text(text)
    rows = [f"{k},{t},{k % 2},{draw.normal():.3f}" for k in range(20) for t in range(1 + k % 4)]
    (tmp_path / "inside" / "steps.csv").write_text("id,time,label,v\n" + "\n".join(rows))
    return tmp_path


def write(folder, engine="torch"):
    (folder / "study.toml").write_text(STUDY.replace("ENGINE", engine))
    return folder / "study.toml"


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_every_network_trains_on_its_kind_of_file(own, tmp_path, monkeypatch, engine, one_thread):
    path = write(own, engine)
    monkeypatch.chdir(own / "inside")  # paths start from the study, not from here
    study = read_study(path)
    list(execute_study(study, StudyFolder(tmp_path / "out"), Setting()))
    result = read_result(tmp_path / "out")
    runs = {run.arm: run for run in result.record.runs}
    assert {name: run.status for name, run in runs.items()} == dict.fromkeys(runs, "finished")
    assert set(runs) == {"mlp", "cnn", "rnn", "steps"}
    assert runs["cnn"].data == "pets <i>& co"
    assert (runs["cnn"].train_rows, runs["cnn"].test_rows) == (36, 12)
    assert runs["rnn"].engine.startswith("compiled")
    page = without_scripts(result.to_html())
    assert "pets &lt;i&gt;&amp; co" in page
    for raw in ("<i>", "<script>", "<b>ä"):
        assert raw not in page


def test_a_run_folder_keeps_the_paths_absolute(own, tmp_path, monkeypatch, one_thread):
    monkeypatch.chdir(own)
    study = parse_study(write(own).read_text())  # from here, as it has no file
    arms = {"rnn": study.arms["rnn"]}
    list(execute_study(replace(study, arms=arms), StudyFolder(tmp_path / "out"), Setting()))
    monkeypatch.chdir("/")
    kept = read_result(tmp_path / "out").record
    assert kept.study.arms["rnn"].data.path == str(own / "inside" / "words.txt")
    assert len(kept.runs) == 1


def test_seeds_are_trained_together_though_copies_are_split_as_one(own, tmp_path, one_thread):
    study = read_study(write(own))
    arms = {
        "rnn": replace(study.arms["rnn"], engine="compiled"),
        "mlp": replace(study.arms["mlp"], engine="compiled"),
    }
    pets = own / "pets <i>& co"
    for k in range(3):
        (pets / CLASSES[k] / "copy.png").write_bytes((pets / CLASSES[k] / "0.png").read_bytes())
    study = replace(study, arms=arms, seeds=3)
    list(execute_study(study, StudyFolder(tmp_path / "out"), Setting()))
    runs = read_result(tmp_path / "out").record.runs
    assert len(runs) == 6
    for run in runs:
        assert run.status == "finished"
        assert any("3 seeds were trained at the same time" in note for note in run.notes)
    assert len({(run.arm, run.train_rows) for run in runs}) == 2
    assert len({run.fingerprint for run in runs}) == 6


def test_a_home_folder_and_absolute_paths_are_followed(own, monkeypatch):
    monkeypatch.setenv("HOME", str(own))
    text = STUDY.replace('"inside/', '"~/inside/').replace("ENGINE", "torch")
    study = parse_study(text, folder=Path("/somewhere"))
    assert study.arms["rnn"].data.path == str(own / "inside" / "words.txt")
    assert study.arms["cnn"].data.path == "/somewhere/pets <i>& co"
    with pytest.raises(SpecError, match="arm.rnn.data.path: '~nobody-here/inside/words.txt' is in"):
        parse_study(text.replace("~/", "~nobody-here/"))


def test_pictures_that_change_make_another_run(own, tmp_path, one_thread):
    study = read_study(write(own))
    study = replace(study, arms={"mlp": study.arms["mlp"]})
    list(execute_study(study, StudyFolder(tmp_path / "out"), Setting()))
    first = read_result(tmp_path / "out").record.runs[0]
    (own / "pets <i>& co" / CLASSES[3] / "0.png").unlink()
    list(execute_study(study, StudyFolder(tmp_path / "out"), Setting()))
    second = read_result(tmp_path / "out").record.runs[0]
    assert second.fingerprint != first.fingerprint
    assert second.train_rows + second.test_rows == 47


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (', path = "inside/words.txt"', "", "arm.rnn.data: the key 'path' is missing"),
        ('path = "inside/words', 'pth = "inside/words', "rnn.data.pth: unknown key. Did you mean"),
        ('kind = "cnn"', 'kind = "rnn"', "unknown key"),
        ('source = "folder"', 'source = "foldr"', "unknown source 'foldr'. Did you mean 'folder'"),
        ('words.txt"', 'words.txt", layout = "line"', "unknown value 'line'. Did you mean 'lines'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_study_is_named(own, old, new, says):
    text = STUDY.replace("ENGINE", "torch")
    assert old in text
    (own / "bad.toml").write_text(text.replace(old, new))
    with pytest.raises(SpecError, match=says):
        read_study(own / "bad.toml")
