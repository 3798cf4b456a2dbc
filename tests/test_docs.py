"""What the documents show works, and versions agree everywhere."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

import triptych
from triptych.cli import main
from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study
from triptych.spec import parse_study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_study_in_the_readme_runs(tmp_path):
    (text,) = blocks("toml")
    study = parse_study(text).with_seeds(1)
    list(execute_study(study, StudyFolder(tmp_path), Setting()))
    result = triptych.read_result(tmp_path)
    assert len(result.record.runs) == 2


def test_the_python_in_the_readme_names_what_there_is():
    for code in blocks("python")[:2]:
        for name in re.findall(r"triptych\.(\w+)", code):
            assert hasattr(triptych, name)


def test_the_training_in_the_readme_gives_a_verdict(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    iris = load_iris()
    rows = [[*x, iris.target_names[y]] for x, y in zip(iris.data, iris.target, strict=True)]
    lines = ["a,b,c,d,species", *(",".join(map(str, row)) for row in rows)]
    Path("flowers.csv").write_text("\n".join(lines))
    exec(blocks("python")[1].replace('"species")', '"species", seeds=1)'), {})
    out = capsys.readouterr().out
    assert "report.html" in out
    assert "MLP" in out


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_estimator_in_the_readme_scores_well(capsys):
    exec(blocks("python")[2].replace("random_state=0", "random_state=0, max_iter=20"), {})
    assert float(capsys.readouterr().out) > 0.9


def test_the_estimator_of_pictures_in_the_readme_scores_well(capsys):
    exec(blocks("python")[3].replace("random_state=0", "random_state=0, max_iter=2"), {})
    assert float(capsys.readouterr().out) > 0.9


def test_the_estimator_of_sequences_in_the_readme_remembers(capsys):
    exec(blocks("python")[4], {})
    assert float(capsys.readouterr().out) > 0.95


def test_the_backward_pass_in_the_readme_departs_as_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("my_backward.py").write_text(blocks("python")[5])
    _, command, says = re.search(r"```\n(\$ )(triptych twin.*)\n(.*)\n```", README).groups()
    with pytest.raises(SystemExit) as ended:
        main(command.split()[1:])
    assert ended.value.code == 1
    assert capsys.readouterr().out.strip() == says


def test_the_commands_in_the_readme_are_read_by_the_command_line():
    from triptych.cli import build_parser

    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [
        shlex.split(line, comments=True)[1:] for line in lines if line.startswith("triptych")
    ]
    assert len(commands) == 33
    for command in commands:
        build_parser().parse_args(command)


def test_every_public_name_can_be_had():
    for name in triptych.__all__:
        assert getattr(triptych, name) is not None


def test_linked_files_exist():
    for page in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert triptych.__version__ == project["version"]
    assert f"version: {triptych.__version__}" in citation
    assert f"## [{triptych.__version__}]" in changelog


def test_every_dependency_is_pinned_for_development():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=]", line)[0].lower().replace("_", "-") for line in wanted}
    pins = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    assert {name for name in names if f"\n{name}==" not in pins} == set()
