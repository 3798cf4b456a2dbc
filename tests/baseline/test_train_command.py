"""`triptych train`: from data to a page, a model and a verdict, as a user meets it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_iris

import triptych
from triptych.baseline.options import TrainOptions
from triptych.baseline.plans import make_plan
from triptych.cli import main
from triptych.data import load
from triptych.data.looks import look
from triptych.errors import DataError, SpecError
from triptych.runner import load_for
from triptych.saved import load as load_model
from triptych.spec import DataSpec, structure_one
from triptych.training import split_rows


def command(*arguments, code=0):
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    assert ended.value.code == code


def write_iris(path, rows=slice(None)):
    iris = load_iris()
    lines = ["a,b,c,d,species"]
    lines += [
        ",".join([*map(str, x), str(iris.target_names[y])])
        for x, y in zip(iris.data[rows].tolist(), iris.target[rows], strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder in which iris has been trained on, and what that printed."""
    folder = tmp_path_factory.mktemp("own")
    write_iris(folder / "iris.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = triptych.train("iris.csv", "species", seeds=2)
    return folder, result


@pytest.fixture
def here(trained, monkeypatch):
    """Return that folder, as the current one; to be left as it is."""
    monkeypatch.chdir(trained[0])
    return trained[0]


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Return a folder of its own with a table, as the current one."""
    monkeypatch.chdir(tmp_path)
    write_iris(tmp_path / "iris.csv")
    return tmp_path


def test_it_ends_with_a_page_a_model_and_a_verdict(trained):
    folder, result = trained
    assert (folder / result.page).read_text().count("<html") == 1
    assert result.lines[0].arm == "network"
    assert {line.arm for line in result.lines} == {
        "network", "most_frequent", "linear", "boosting", "neighbours",
    }  # fmt: skip
    assert result.lines[0].score > 0.85
    assert result.result.record.answer[0] == result.verdict
    assert result.verdict in (folder / result.page).read_text()
    assert result.result.record.study.claims[0].says == "The MLP beats the most frequent class."


def test_the_model_s_held_out_score_is_exactly_the_one_shown(trained, monkeypatch):
    folder, result = trained
    monkeypatch.chdir(folder)
    model = load_model(result.path)
    arm = result.result.record.study.arms["network"]
    test = load_for(arm, 0, None).test
    right = model.predict(test.x) == np.array(model.classes)[test.y]
    assert right.mean() == result.run.scores["test_accuracy"]
    shares = model.probabilities(test.x)[np.arange(len(test)), test.y]
    assert -np.log(shares).mean() == pytest.approx(result.run.scores["test_loss"], rel=1e-6)
    assert model.temperature == result.run.scores["temperature"]
    assert model.facts["scores"]["test_accuracy"] == result.run.scores["test_accuracy"]


def test_called_again_it_is_finished_at_once(here, capsys):
    model, page = (
        here / "triptych-runs/iris" / name for name in ("model.safetensors", "report.html")
    )
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*") if path.is_file()}
    loads = load_model(model).facts["key"]
    command("train", "iris.csv", "--target", "species", "--seeds", 2)
    out = capsys.readouterr().out
    assert "kept from before" in out
    assert load_model(model).facts["key"] == loads
    assert page.stat().st_mtime_ns == before[page]
    assert model.stat().st_mtime_ns == before[model]


def test_what_is_asked_anew_is_added_to_what_is_there(fresh, capsys):
    # What was just written may be written again within a tick of the clock, and is looked at anew.
    os.utime("iris.csv", (0, 0))
    triptych.train("iris.csv", "species", seeds=1)
    command("train", "iris.csv", "--target", "species", "--seeds", 2)
    out = capsys.readouterr().out
    assert out.count("kept from before") == 5
    assert out.count("seed 1:") == 5


def test_it_says_what_it_took_the_data_for_and_what_comes_next(here, capsys):
    command("train", "iris.csv", "--target", "species", "--seeds", 2)
    out = capsys.readouterr().out
    assert "a table, 150 rows" in out
    assert "3 classes: setosa, versicolor, virginica" in out
    assert "copies" in out
    assert "held out" in out
    assert "Learning rate" in out
    assert "calibration error goes from" in out
    assert "Next: triptych predict triptych-runs/iris/model.safetensors NEW.csv" in out


def test_as_json_it_is_one_table(here, capsys):
    command("train", "iris.csv", "--target", "species", "--seeds", 2, "--json")
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["models"][0]["arm"] == "network"
    assert Path(found["page"]).exists()
    assert Path(found["model"]).exists()
    assert found["verdict"] in err


def test_a_changed_file_is_trained_anew(fresh, capsys):
    triptych.train("iris.csv", "species", seeds=1)
    write_iris(fresh / "iris.csv", slice(0, 140))
    command("train", "iris.csv", "--target", "species", "--seeds", 1)
    out = capsys.readouterr().out
    assert "kept from before" not in out
    assert "a table, 140 rows" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nothing.csv"], 3, "there is no such file"),
        (["iris.csv", "--target", "specis"], 3, "there is no column 'specis'"),
        (["iris.csv", "--model", "m.bin"], 2, "a model ends in .safetensors"),
        (["iris.csv", "--model", "no/m.safetensors"], 2, "there is no folder 'no'"),
        (["iris.csv", "--test-size", "2"], 2, "test_size"),
        (["iris.csv", "--seeds", "0"], 2, "--seeds"),
        (["iris.csv", "--skip-bad"], 2, "--skip-bad: is for pictures"),
        (["iris.csv", "--device", "tpu"], 2, "--device"),
        (["words.txt", "--missing", "drop"], 2, "--missing: is for tables"),
        (["one.csv", "--target", "y"], 3, "need 2 classes, found 1"),
        (["gap.csv"], 3, "gap.csv: 1 cell is empty or not finite, the first: line 3"),
        (["gap.csv"], 3, "--missing fill"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    arguments, code, says, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_iris(tmp_path / "iris.csv")
    Path("words.txt").write_text("".join(f"{k % 2}\t{'ab' * (1 + k % 3)}\n" for k in range(20)))
    Path("gap.csv").write_text("a,y\n1,cat\n,dog\n2,cat\n3,dog\n")
    Path("one.csv").write_text("x,y\n" + "".join(f"{k},cat\n" for k in range(20)))
    command("train", *arguments, code=code)
    err = capsys.readouterr().err
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("triptych-runs").exists()


def test_a_file_that_is_no_model_is_not_written_over(fresh, capsys):
    Path("mine.safetensors").write_bytes(b"something else")
    command("train", "iris.csv", "--model", "mine.safetensors", code=2)
    assert "is no model" in capsys.readouterr().err
    assert not Path("triptych-runs").exists()
    assert Path("mine.safetensors").read_bytes() == b"something else"


def test_numbers_are_told_beside_ridge_regression(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = 1000 + 50 * (x[:, 0] - x[:, 1]) + rng.normal(size=200)
    lines = [
        "a,b,c,price",
        *(",".join(map(repr, [*r, v])) for r, v in zip(x.tolist(), y.tolist(), strict=True)),
    ]
    Path("houses.csv").write_text("\n".join(lines))
    found = triptych.train("houses.csv", "price", seeds=1)
    labels = {line.arm: line.label for line in found.lines}
    assert labels["linear"] == "ridge regression"
    assert labels["most_frequent"] == "the mean"
    assert found.lines[0].score > 0.9
    assert 1 < found.lines[0].rmse < 20
    test = load(found.result.record.study.arms["network"].data, 0).test
    told = found.model.predict(test.x)[:, 0]
    target = found.model.target
    wanted = test.y[:, 0] * target.std[0] + target.mean[0]
    assert np.sqrt(np.mean((told - wanted) ** 2)) == pytest.approx(found.lines[0].rmse, rel=1e-5)


def test_rare_classes_are_told_and_weighed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (x[:, 0] + 0.3 * rng.normal(size=400) > 1.9).astype(int)
    lines = [
        "a,b,c,fraud",
        *(",".join([*map(repr, r), "ny"[v]]) for r, v in zip(x.tolist(), y, strict=True)),
    ]
    Path("skew.csv").write_text("\n".join(lines))
    found = triptych.train("skew.csv", "fraud", seeds=1)
    assert any("Classes are skewed" in text for text in found.says)
    arms = found.result.record.study.arms
    assert arms["network"].train.class_weight == "root"
    assert arms["linear"].network.class_weight == "root"
    assert (
        found.result.record.study.claims[0].tests[0].startswith("network.test_balanced_accuracy >")
    )


def test_a_folder_of_pictures_gets_a_cnn(tmp_path, monkeypatch, one_thread):
    monkeypatch.chdir(tmp_path)
    digits = load_digits(n_class=3)
    for k, (picture, y) in enumerate(zip(digits.images[:90], digits.target[:90], strict=True)):
        Path(f"digits/{y}").mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 15).astype(np.uint8)).save(f"digits/{y}/{k}.png")
    found = triptych.train("digits", seeds=1)
    assert found.lines[0].label.startswith("CNN")
    assert found.lines[0].score > 0.8
    assert {line.arm for line in found.lines} >= {"neighbours", "linear"}
    assert found.model.sample_shape == (1, 8, 8)


def test_sequences_of_unequal_length_get_a_recurrent_network(tmp_path, monkeypatch, one_thread):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ab"), size=rng.integers(2, 8))) for _ in range(120)]
    Path("words.txt").write_text("".join(f"{row[0]}\t{row}\n" for row in rows))
    found = triptych.train("words.txt", seeds=1)
    assert found.lines[0].label.startswith("GRU")
    assert [line.arm for line in found.lines] == ["network", "most_frequent"]
    assert any("sequences differ in theirs" in text for text in found.says)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_is_kept_as_a_file_and_shown_in_notebooks(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = pytest.importorskip(library)
    iris = load_iris()
    columns = {name: iris.data[:, k] for k, name in enumerate("abcd")}
    frame = frames.DataFrame({**columns, "kind": iris.target_names[iris.target].tolist()})
    found = triptych.train(frame, "kind", seeds=1, out="flowers")
    assert Path("flowers.csv").exists()
    assert found.lines[0].score > 0.7
    html = found._repr_html_()
    assert "<table>" in html
    assert found.verdict.split(":")[0] in html


@pytest.mark.fault(8, 13)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_of_other_cells_is_refused_before_it_is_written(
    library, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    frames = pytest.importorskip(library)
    for cell in ([1.0], {"a": 1}, b"x"):
        frame = frames.DataFrame({"p": [cell] * 4, "q": [1, 2, 3, 4], "y": ["a", "b"] * 2})
        says = r"data: column 'p' holds cells of kind \w+; numbers, texts and dates can be learnt"
        with pytest.raises(DataError, match=says):
            triptych.train(frame, "y")
    with pytest.raises(SpecError, match=r"^target: must be the name of a column, a text, got 1\.$"):
        triptych.train(frames.DataFrame({"p": [1, 2]}), 1)
    assert not list(tmp_path.iterdir())


def test_what_is_no_data_frame_is_refused():
    with pytest.raises(triptych.errors.DataError, match="must be a path or a data frame"):
        triptych.train(3.5)


def test_a_hostile_name_is_shown_and_not_obeyed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = "<img src=x onerror=alert(1)>\x1b[31m"
    lines = ["a,b,kind"] + [f"{k},{k % 3},{(name, 'other')[k % 2]}" for k in range(60)]
    Path("bad.csv").write_text("\n".join(lines))
    command("train", "bad.csv", "--target", "kind", "--seeds", 1)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "<img src=x" not in Path("triptych-runs/bad/report.html").read_text()


@pytest.fixture
def shops(tmp_path, monkeypatch):
    """Return a folder with a table of shops on days, as the current one."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        f"shop {k % 12},2024-{1 + k // 28:02d}-{1 + k % 28:02d},{a:.3f},{b:.3f},{'ny'[int(a > b)]}"
        for k, (a, b) in enumerate(rng.normal(size=(240, 2)).tolist())
    ]
    Path("shops.csv").write_text("\n".join(["shop,day,a,b,closed", *rows]) + "\n")
    return tmp_path


def test_groups_stay_on_one_side_also_of_the_rows_set_aside(shops):
    found = triptych.train("shops.csv", "closed", group="shop", seeds=1)
    assert any("rows of one 'shop' stay on one side" in text for text in found.says)
    data = load(found.result.record.study.arms["network"].data, 0)
    spec = found.result.record.study.arms["network"].train
    rows = split_rows(spec, data.train, np.random.default_rng(0))
    assert len(rows.validation)
    fit, held = (set(data.train.groups[part]) for part in (rows.fit, rows.validation))
    assert not fit & held


def test_where_texts_have_many_values_the_option_for_groups_is_told(shops):
    lines = Path("shops.csv").read_text().splitlines()
    # Of each patient four visits: a leak where rows are dealt.
    named = [f"p{k // 4},{line}" for k, line in enumerate(lines[1:])]
    Path("visits.csv").write_text("\n".join([f"patient,{lines[0]}", *named]) + "\n")
    says = make_plan(TrainOptions(data=Path("visits.csv"), target="closed")).says
    assert any("--group COLUMN" in text for text in says)
    parted = make_plan(TrainOptions(data=Path("visits.csv"), target="closed", time="day")).says
    assert not any("--group" in text for text in parted)


def test_an_empty_column_is_left_out(shops):
    lines = Path("shops.csv").read_text().splitlines()
    Path("shops.csv").write_text("\n".join([f"{lines[0]},more", *(f"{k}," for k in lines[1:])]))
    plan = make_plan(TrainOptions(data=Path("shops.csv"), target="closed"))
    assert plan.study.arms["network"].data.ignore == ("more",)
    assert any("Left out: 'more'" in text for text in plan.says)


def test_texts_that_few_rows_share_are_no_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"patient {k % 60},{k % 7},{'ny'[k % 60 < 20]}" for k in range(600)]
    Path("visits.csv").write_text("\n".join(["who,day,ill", *rows]) + "\n")
    found = triptych.train("visits.csv", "ill", seeds=1)
    assert found.result.record.study.arms["network"].data.ignore == ("who",)
    assert any("Left out: 'who'" in text for text in found.says)


def test_texts_of_many_values_are_inputs_and_ids_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"row {k},city {k % 60},{'ny'[k % 60 < 20]}" for k in range(1500)]
    Path("cities.csv").write_text("\n".join(["name,city,far", *rows]) + "\n")
    found = triptych.train("cities.csv", "far", seeds=1)
    data = found.result.record.study.arms["network"].data
    assert (data.ignore, data.many_texts) == (("name",), "frequent")
    assert found.model.sample_shape == (51,)  # one for each of 50 cities, one for all others


def test_along_time_the_latest_rows_are_held_out(shops):
    found = triptych.train("shops.csv", "closed", time="day", seeds=1)
    assert any("the latest by 'day'" in text for text in found.says)
    assert found.run.test_rows == 48
    # More seeds would be judged by the same rows.
    plan = make_plan(TrainOptions(data=Path("shops.csv"), time="day", out=Path("anew")))
    assert plan.study.seeds == 1


def test_a_target_that_nobody_named_is_told(shops, capsys):
    command("train", "shops.csv", "--seeds", 1)
    assert "Target: 'closed', as the last column" in capsys.readouterr().out


def test_a_network_that_loses_is_not_called_worth_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(300, 2))
    # Steps that trees cut, and that no smooth function of a few units follows.
    y = (np.floor(x[:, 0] * 24) % 2).astype(int)
    lines = ["a,b,kind", *(f"{a},{b},{'xy'[k]}" for (a, b), k in zip(x.tolist(), y, strict=True))]
    Path("steps.csv").write_text("\n".join(lines))
    found = triptych.train("steps.csv", "kind", seeds=6)
    best = found.lines[1]
    assert best.score > found.lines[0].score + 0.05
    assert found.verdict.startswith(("Not worth it", "Undecided"))
    assert best.label in found.verdict


def test_the_only_column_left_out_may_be_the_group_or_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    # Few patients came twice, so the column looks like an id.
    rows = [
        f"p{min(k, 225)},{a:.3f},{b:.3f},{'ny'[int(a > b)]}"
        for k, (a, b) in enumerate(rng.normal(size=(240, 2)).tolist())
    ]
    path = Path("visits.csv")
    path.write_text("\n".join(["patient,a,b,ill", *rows]) + "\n")
    found = look(path, "ill")
    assert found["ignore"] == ["patient"]
    misspelt = TrainOptions(data=path, group="patients").laid_over(found)
    with pytest.raises(DataError, match=r"no column 'patients'.* Did you mean 'patient'\?"):
        load(structure_one(DataSpec, misspelt, "data"), 0)
    assert "ignore" not in TrainOptions(data=path, text=("patient",)).laid_over(found)
    source = TrainOptions(data=path, group="patient").laid_over(found)
    data = load(structure_one(DataSpec, source, "data"), 0)
    assert not set(data.train.groups.tolist()) & set(data.test.groups.tolist())
