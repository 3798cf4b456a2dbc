"""Models on files of one's own, and the command line in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_models import drawn_model, fill_folder, kept, table_text, words_text

from triptych import cli
from triptych.saved import Model
from triptych.spec import FolderSpec, SequenceFileSpec, TableSpec


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
