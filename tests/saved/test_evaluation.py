"""Scores of a model on known rows: scikit-learn's, with intervals, and what is said of them."""

import json
import math

import numpy as np
import pytest
from sklearn import metrics

from triptych import cli, evaluate_file, predict_file
from triptych.contracts import Prepared
from triptych.data import load, read_prepared
from triptych.errors import DataError
from triptych.explain import Judged, calibration
from triptych.models import initial_weights
from triptych.saved import evaluation, model_of_run
from triptych.saved.intervals import wilson
from triptych.saved.measures import BINS, ClassRows
from triptych.saved.scoring import scores_of
from triptych.spec import ArmSpec, MLPSpec, SequenceFileSpec, TableSpec, TrainSpec

HEAD = "a,b,who,kind"


def rows_of(count, kinds=("x", "y", "z"), seed=0):
    draw = np.random.default_rng(seed)
    rows = []
    for k in range(count):
        kind = k % len(kinds)
        a, b = draw.normal(kind, 1.0), draw.normal(-kind, 2.0)
        rows.append(f"{a:.4f},{b:.4f},p{k % 30},{kinds[kind]}")
    return rows


def model_on(path, target="kind", loss="softmax", weights_of=None, **settings):
    """Return a model with drawn weights, as good as a poor training would leave it."""
    spec = TableSpec(path=str(path), target=target, ignore=("who",), **settings)
    data = load(spec, 0)
    train = TrainSpec(epochs=1, dtype="float64", loss=loss)
    arm = ArmSpec(data=spec, network=MLPSpec(hidden=(8,)), train=train)
    rng = np.random.default_rng(5)
    weights = initial_weights(arm.network, data, rng)
    return model_of_run(arm, data, weights), data


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([HEAD, *rows_of(240)]))
    return path


def known(model, path):
    """Return y, probabilities and predictions as somebody else would get them."""
    parts = list(read_prepared(model.preparation, path, needs_target=True))
    shares = model.probabilities(np.concatenate([part.x for part in parts]))
    return np.concatenate([part.y for part in parts]), shares, shares.argmax(axis=1)


@pytest.mark.parametrize("rows", [7, 65_536])
def test_classes_are_scored_as_by_scikit_learn(table, rows):
    model, _ = model_on(table)
    y, shares, told = known(model, table)
    found = evaluate_file(model, table, rows=rows)
    values = {name: score.value for name, score in found.scores.items()}
    one_hot = np.eye(3)[y]
    judged = Judged(np.zeros((len(y), 1)), y, shares, model.classes)
    assert values == pytest.approx({
        "accuracy": metrics.accuracy_score(y, told),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, told),
        "macro_f1": metrics.f1_score(y, told, average="macro"),
        "log_loss": metrics.log_loss(y, shares),
        "brier": float(np.square(shares - one_hot).sum(axis=1).mean()),
        "ece": float(calibration(judged).arrays["error"]),
    }, abs=1e-12)  # fmt: skip
    assert BINS == 15
    four = metrics.precision_recall_fscore_support(y, told, zero_division=np.nan)
    for k, one in enumerate(found.classes):
        assert one.name == "xyz"[k]
        ours = [one.precision.value, one.recall.value, one.f1.value, one.rows]
        assert ours == pytest.approx([values[k] for values in four], nan_ok=True)
    assert found.confusion.tolist() == metrics.confusion_matrix(y, told).tolist()
    assert found.rows == 240
    assert found.drawn == "rows"
    for name, score in found.scores.items():
        assert score.low < score.high, name
        if name != "ece":  # it is drawn upwards, and may lie below what is drawn
            assert score.low <= score.value <= score.high, name


def test_two_classes_have_half_of_briers_score(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("\n".join([HEAD, *rows_of(100, ("no", "yes"))]))
    model, _ = model_on(path)
    y, shares, _ = known(model, path)
    found = evaluate_file(model, path)
    assert found.scores["brier"].value == pytest.approx(metrics.brier_score_loss(y, shares[:, 1]))


def test_numbers_are_scored_in_their_own_unit(tmp_path):
    path = tmp_path / "n.csv"
    draw = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},p{k % 25},{5000 + 300 * a + draw.normal():.3f}"
            for k, (a, b) in enumerate(draw.normal(size=(150, 2)))]  # fmt: skip
    path.write_text("\n".join([HEAD, *rows]))
    model, _ = model_on(path, loss="squared")
    y = np.array([float(row.split(",")[3]) for row in rows])
    told = np.concatenate([some.told for some in predicted(model, path)])[:, 0]
    found = evaluate_file(model, path, group="who")
    assert {name: score.value for name, score in found.scores.items()} == pytest.approx({
        "r2": metrics.r2_score(y, told),
        "rmse": metrics.root_mean_squared_error(y, told),
        "mae": metrics.mean_absolute_error(y, told),
    })  # fmt: skip
    assert found.drawn == "groups"
    first = found.groups[0]
    mine = np.array([row.split(",")[2] == first.name for row in rows])
    assert first.rows == mine.sum()
    assert first.scores["mae"].value == pytest.approx(np.abs(y - told)[mine].mean())
    assert first.scores["r2"].value == pytest.approx(metrics.r2_score(y[mine], told[mine]))
    assert found.confusion is None
    assert found.classes == ()


def predicted(model, path):
    return list(predict_file(model, path))


def test_groups_are_scored_by_themselves_and_drawn_whole_where_there_are_many(table):
    model, _ = model_on(table)
    y, _, told = known(model, table)
    found = evaluate_file(model, table, group="who")
    assert found.drawn == "groups"
    assert found.group_count == len(found.groups) == 30
    for k in range(30):
        one = next(group for group in found.groups if group.name == f"p{k}")
        assert one.rows == 8
        assert one.scores["accuracy"].value == (y == told)[k::30].mean()
    few = write(table.with_name("few.csv"), [row.replace(",p", ",p1") for row in rows_of(9)])
    found = evaluate_file(model, few, group="who")
    assert found.drawn == "rows"
    assert found.group_count == 9


def test_groups_that_are_all_right_say_so_as_many_as_they_are():
    y = np.repeat([0, 1], 100)
    rows = ClassRows(y, np.where(np.arange(200) == 150, 0, y), None, None, None, 2)
    units = np.arange(200) // 8
    scores, classes = scores_of(rows, units, np.random.default_rng(0), alone=False)
    assert scores["accuracy"].low < 0.995 < scores["accuracy"].high
    assert classes[0][1] == wilson(13, 13)  # rows of the first class are in 13 groups
    assert classes[1][1].low > wilson(13, 13).low
    alone = scores_of(rows, np.arange(200), np.random.default_rng(0), alone=True)
    assert alone[0]["accuracy"] == wilson(199, 200)
    assert alone[1][0][1] == wilson(100, 100)


def test_classes_that_the_model_does_not_know_are_left_out_counted_and_said(table):
    model, _ = model_on(table)
    new = table.with_name("new.csv")
    rows = rows_of(60)
    y, _, told = known(model, write(new, rows))
    right = int((y == told).sum())
    found = evaluate_file(model, write(new, [*rows, "0,0,p1,q", "1,1,p2,q"]))
    assert (found.rows, found.unknown) == (60, 2)
    assert found.scores["accuracy"].value == right / 60
    assert found.remarks[0] == (
        "2 of 62 rows are of classes that the model does not know; they are left out. Counted as "
        f"wrong, accuracy would be {right / 62:.3f}."
    )
    assert any("'q' (2)" in line for line in found.remarks)
    with pytest.raises(DataError, match=r"new.csv: no row has a class that the model knows; .*'x'"):
        evaluate_file(model, write(new, ["0,0,p1,q"]))


def write(path, rows):
    path.write_text("\n".join([HEAD, *rows]))
    return path


def test_a_class_without_rows_is_in_no_mean_and_named(table):
    model, _ = model_on(table)
    new = write(table.with_name("new.csv"), [r for r in rows_of(60) if not r.endswith("z")])
    found = evaluate_file(model, new)
    y, _, told = known(model, new)
    recalls = metrics.recall_score(y, told, labels=[0, 1], average=None)
    assert found.scores["balanced_accuracy"].value == pytest.approx(recalls.mean())
    assert math.isnan(found.classes[2].recall.value)
    assert "no row is of 'z'; no mean counts them." in found.remarks
    assert found.to_dict()["classes"][2]["recall"]["value"] is None


def test_the_target_may_have_another_name(table):
    model, _ = model_on(table)
    new = table.with_name("new.csv")
    new.write_text(table.read_text().replace("kind", "truth", 1))
    with pytest.raises(DataError, match="new.csv line 1: .*'kind'"):
        evaluate_file(model, new)
    found = evaluate_file(model, new, target="truth")
    assert found.scores == evaluate_file(model, table).scores


def test_it_is_said_whose_rows_these_are(table):
    model, data = model_on(table)
    (said,) = (line for line in evaluate_file(model, table).remarks if "rows that" in line)
    assert said.startswith("these are all the rows that the model was made of")
    lines = table.read_text().splitlines()
    sides = {row.tobytes(): "train" for row in data.train.x} | {
        row.tobytes(): "test" for row in data.test.x
    }
    parts = read_prepared(model.preparation, table)
    side = [sides[row.tobytes()] for part in parts for row in part.x]
    for name, words in (("test", "were held out"), ("train", "was trained on: new ones")):
        some = [line for line, which in zip(lines[1:], side, strict=True) if which == name]
        # In another order they are the same rows.
        found = evaluate_file(model, write(table.with_name("part.csv"), some[::-1]))
        assert any(words in line for line in found.remarks)
        found = evaluate_file(model, write(table.with_name("part.csv"), some[1:]))
        assert not any("these are" in line for line in found.remarks)


def test_sequences_are_scored_too_and_their_padding_does_not_count(tmp_path):
    words = ["ab", "abc", "a", "b", "ba", "bcc", "bcca", "acb", "bac", "aabb"]
    path = tmp_path / "w.txt"
    path.write_text("".join(f"{word[0]}\t{word}\n" for word in words))
    from triptych.spec import RNNSpec

    spec = SequenceFileSpec(path=str(path))
    data = load(spec, 0)
    arm = ArmSpec(data=spec, network=RNNSpec(hidden=4), train=TrainSpec(epochs=1))
    model = model_of_run(arm, data, initial_weights(arm.network, data, np.random.default_rng(0)))
    one, other = (evaluate_file(model, path, rows=rows) for rows in (3, 100))
    assert one.rows == 10
    assert one.scores["accuracy"] == other.scores["accuracy"]
    assert one.scores["log_loss"].value == pytest.approx(other.scores["log_loss"].value)
    assert any("all the rows" in line for line in one.remarks)


def test_of_rows_that_went_past_only_a_few_numbers_are_kept(table):
    model, data = model_on(table)
    seen = evaluation._Seen(model)
    x = np.repeat(data.test.x, 100, axis=0)
    seen.add(Prepared(x, np.repeat(data.test.y, 100), tuple(map(str, range(len(x))))))
    assert sum(a.nbytes for part in seen._parts for a in part) == 5 * 8 * len(x)


def test_the_command_prints_tables_and_json(table, tmp_path, capsys):
    model, _ = model_on(table)
    model.save(tmp_path / "m.safetensors")
    arguments = ["evaluate", str(tmp_path / "m.safetensors"), str(table), "--group", "who"]
    out, err = called(arguments, capsys)
    for words in (
        "240 rows", "balanced accuracy", "95 % interval", "precision", "The first 20 of 30 groups",
        "Intervals: the bootstrap over 1,000 draws of whole groups of 'who', 30 of them.",
    ):  # fmt: skip
        assert words in out
    assert "triptych: note: these are all the rows" in err
    out, _ = called([*arguments, "--json"], capsys)
    found = json.loads(out)
    assert found == evaluate_file(model, table, group="who").to_dict()
    assert found["resamples"] == 1_000
    out, _ = called(arguments[:3], capsys)
    assert "Intervals: shares of rows by Wilson's formula, the others by the bootstrap" in out


def called(arguments, capsys, code=0):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    said = capsys.readouterr()
    assert left.value.code == code, said.err
    return said.out, said.err
