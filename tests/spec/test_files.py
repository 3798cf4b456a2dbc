"""Study files are validated whole, read back as they were written, and list their own cuts."""

from dataclasses import replace

import pytest

from triptych.errors import SpecError
from triptych.spec import (
    AugmentSpec,
    CNNSpec,
    OptimizerSpec,
    TrainSpec,
    parse_study,
    read_study,
    spec_id,
    write_study,
)
from triptych.studies import find_study, shipped

TEXT = """
title = "t"
[scale.quick]
seeds = 2
[scale.full]
seeds = 9
[data]
source = "moons"
[arm.a]
network = { kind = "mlp", hidden = [20] }
train = { epochs = 1500, optimizer = { name = "sgd", lr = 0.01 } }
quick = { train = { epochs = 60 } }
[arm.b]
network = { kind = "mlp" }
train = { epochs = 5 }
[[claim]]
says = "a wins"
test = "a.test_accuracy > b.test_accuracy"
[[claim.cause]]
says = "because"
test = "a.train_loss < b.train_loss"
"""


def test_the_first_scale_is_the_default_and_changes_only_what_it_names():
    quick, full = parse_study(TEXT), parse_study(TEXT, "full")
    assert (quick.scale, quick.seeds, full.seeds) == ("quick", 2, 9)
    assert quick.arms["a"].train == replace(full.arms["a"].train, epochs=60)
    assert quick.arms["b"] == full.arms["b"]


def test_what_a_scale_cuts_is_listed_without_being_told():
    assert parse_study(TEXT).cuts == ("a: train.epochs 1500 → 60",)
    assert parse_study(TEXT, "full").cuts == ()


def test_a_study_reads_back_as_it_was_written():
    study = parse_study(TEXT)
    assert parse_study(write_study(study)) == study


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("scale", [None, "full"])
def test_a_shipped_study_is_valid_at_every_scale_and_reads_back(name, scale):
    if scale and not find_study(name).scale:
        pytest.skip("it has one scale only")
    study = find_study(name, scale)
    assert parse_study(write_study(study)) == study


def test_the_paper_study_has_ten_claims_and_every_reported_figure():
    study = find_study("paper", "full")
    assert len(study.claims) == 10
    figures = {figure.value for figure in study.reported}
    assert figures >= {
        1.0, 0.0128, 103.9, 8.19e-5, 438.4, 0.795, 91.03, 96.0, 0.82, 0.4534, 428.8,
        0.94, 42.23, 95.4, 0.95, 0.173, 458.9, 0.88, 0.50, 0.84,
    }  # fmt: skip


def test_the_paper_study_at_full_scale_has_the_papers_settings():
    arms = find_study("paper", "full").arms
    moons = arms["moons_numpy"]
    assert (moons.network.hidden, moons.train.epochs, moons.train.batch_size) == ((20,), 1500, 1)
    assert (moons.train.optimizer.name, moons.train.optimizer.lr) == ("sgd", 0.01)
    both = arms["mlp_dropout_steplr"]
    assert (both.network.hidden, both.network.dropout) == ((100, 50), 0.5)
    assert (both.train.schedule.step_epochs, both.train.schedule.gamma) == (10, 0.1)
    cnn = arms["cnn"]
    assert cnn.network.channels == (64, 128, 256, 256, 512, 512, 512, 512)
    assert (cnn.train.epochs, cnn.train.batch_size, cnn.train.optimizer.lr) == (400, 32, 1e-4)
    assert [arms[f"rnn{t}"].data.length for t in (5, 12, 19)] == [5, 12, 19]
    assert arms["rnn5"].network.output == "softmax"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "t"', 'tilte = "t"', "tilte: unknown key. Did you mean 'title'"),
        ("a.test_accuracy >", "c.test_accuracy >", "unknown arm 'c'"),
        ('"moons"', '"mons"', "toml: data.source: unknown source 'mons'. Did you mean 'moons'"),
        ("seeds = 2", "seeds = 0", "seeds: 0 not in"),
        ("seeds = 2", "sed = 2", r"scale.quick.sed: unknown key"),
        (
            "seeds = 9",
            "seeds = 9\nseeds = 8",
            "scale.full.seeds: the key is there twice, again on line 7; leave one",
        ),
        ("[arm.b]", '[arm."b c"]', "letters, digits and '_' only"),
        ("test = ", "tset = ", "claim 1.tset: unknown key. Did you mean 'test'"),
    ],
)
def test_a_wrong_study_is_refused_with_file_path_rule_and_nearest_name(tmp_path, old, new, words):
    path = tmp_path / "study.toml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(SpecError, match=words) as caught:
        read_study(path)
    assert str(caught.value).startswith("study.toml: ")


@pytest.mark.parametrize("content", [b"a = " + b"[" * 100_000, b'title = "' + b"x" * 1_000_001])
def test_a_too_deep_or_too_large_study_is_refused(tmp_path, content):
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="too deep|too large"):
        read_study(path)


def test_bytes_that_are_not_text_are_refused(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b"title = '\xff\xfe'")
    with pytest.raises(SpecError, match="not UTF-8 at byte 9"):
        read_study(path)


def test_an_unknown_study_or_scale_gets_the_nearest_name():
    with pytest.raises(SpecError, match="Did you mean 'paper'"):
        find_study("papr")
    with pytest.raises(SpecError, match="Did you mean 'full'"):
        find_study("paper", "ful")


def test_a_label_does_not_change_what_a_run_is_but_a_setting_does():
    arm = parse_study(TEXT).arms["a"]
    assert spec_id(replace(arm, label="other", part="")) == spec_id(arm)
    assert spec_id(replace(arm, engine="numpy")) != spec_id(arm)


NAMED = """
title = "t"
[scale.quick]
seeds = 1
[scale.full]
seeds = 3
[arm.ours]
data = { source = "digits" }
network = { kind = "cnn", preset = "small" }
quick = { train = { epochs = 4, resolutions = [] }, network = { channels = [32, 32, 64, 64, 64] } }
[arm.ours.train]
recipe = "fast"
epochs = 8
augment = { flip = true }
views = true
[arm.adam]
data = { source = "digits" }
network = { kind = "cnn", preset = "small" }
train = { recipe = "fast", optimizer = { name = "adam" } }
[[claim]]
says = "Views help."
test = "ours.test_views_accuracy > ours.test_accuracy + 0.001"
"""


def test_presets_and_recipes_are_asked_for_by_name_and_written_out():
    study = parse_study(NAMED, "full")
    ours = study.arms["ours"]
    assert ours.network == CNNSpec.from_name("small")
    assert ours.train == TrainSpec.from_name(
        "fast", epochs=8, views=True, augment=AugmentSpec(flip=True)
    )
    assert study.arms["adam"].train.optimizer == OptimizerSpec(name="adam")
    text = write_study(study)
    assert "recipe" not in text
    assert "preset" not in text
    assert parse_study(text) == study


def test_a_scale_changes_single_values_of_a_named_set():
    quick = parse_study(NAMED)
    train = quick.arms["ours"].train
    assert (train.epochs, train.resolutions, train.optimizer.name) == (4, (), "muon")
    assert quick.arms["ours"].network.channels == (32, 32, 64, 64, 64)
    assert "train.epochs 8 → 4" in quick.cuts[0]
    assert "train.resolutions 0.5625-1.0-1.0 → none" in quick.cuts[0]
    assert parse_study(write_study(quick)) == quick


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('recipe = "fast"\n', 'recipe = "fats"\n', "arm.ours.train.recipe: unknown recipe 'fats'"),
        ('"small"', '"smal"', "arm.ours.network.preset: unknown preset 'smal'. Did you mean"),
        ('"small"', "3", "arm.ours.network.preset: unknown preset 3"),
        ("flip = true", "cutout = 3", "arm.ours.train.views: 'augment' must flip"),
        ("epochs = 8\n", 'epochs = 8\noptimizer.name = "mun"\n', "optimizer.name: unknown value"),
        ("ours.test_views_accuracy", "ours.test_view_accuracy", "mean 'test_views_accuracy'"),
        ("test_accuracy +", "test_loss +", r"compares test_loss \(loss\) with test_views_accuracy"),
    ],
)
def test_a_wrong_name_in_a_study_is_refused_with_its_key_path(old, new, words):
    with pytest.raises(SpecError, match=words):
        parse_study(NAMED.replace(old, new, 1), "full")


def test_the_palindrome_study_has_the_reports_rows_and_probes_a_million_digits():
    study = find_study("palindromes", "full")
    for length in (5, 12, 19):
        drawn, held, logits = (study.arms[f"{n}{length}"] for n in ("drawn", "held", "logits"))
        assert (drawn.data.split, held.data.split) == ("paper", "held-out")
        assert replace(drawn, data=held.data, label="", part="") == replace(held, label="", part="")
        network = replace(held.network, output="logits")
        assert replace(held, network=network, label="", part="") == replace(
            logits, label="", part=""
        )
    assert all(1_000_000 in study.arms[name].data.probes for name in ("lengths", "latch"))
    # What a claim asks for is measured.
    for claim in study.claims:
        comparisons = [*claim.comparisons, *(cause.comparison for cause in claim.causes)]
        for metric in (metric for c in comparisons for _, metric in c.terms):
            if metric.name == "test_accuracy_at":
                assert metric.level in study.arms[metric.arm].data.probes


def test_seeds_may_be_left_to_the_verdicts():
    assert parse_study(TEXT.replace("seeds = 2", 'seeds = "auto"')).max_seeds == 30
    study = parse_study(
        TEXT.replace("seeds = 2", 'seeds = "auto"\nmax_seeds = 8\nbudget = "1.5 min"')
    )
    assert (study.seeds, study.least_seeds, study.most_seeds) == ("auto", 6, 8)
    assert study.budget_seconds == 90
    assert parse_study(write_study(study)) == study
    fixed = study.with_seeds(4)
    assert (fixed.seeds, fixed.most_seeds, fixed.budget) == (4, 4, None)
    assert study.with_seeds(None, 30).budget_seconds == 30
    assert study.with_seeds("auto") == study


def test_a_scale_with_a_number_of_seeds_has_no_budget():
    text = TEXT.replace('title = "t"', 'title = "t"\nseeds = "auto"\nbudget = 60')
    assert parse_study(text).budget is None
    auto = parse_study(text.replace("seeds = 9", "max_seeds = 9"), "full")
    assert (auto.seeds, auto.max_seeds, auto.budget) == ("auto", 9, 60)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('seeds = "aut"', "seeds: unknown value 'aut'. Did you mean 'auto'?"),
        ("seeds = 2.5", "seeds: must be an integer or 'auto', got 2.5"),
        ("seeds = 0", "seeds: 0 not in [1, 100000]"),
        ('seeds = "auto"\nmax_seeds = 5', "max_seeds: 5 not in [6, 100000]"),
        ('seeds = "auto"\nmax_seed = 9', "scale.quick.max_seed: unknown key. Did you mean 'max"),
        ('seeds = "auto"\nbudget = "10 mins"', "'mins' in '10 mins'. Did you mean 'min'?"),
        ('seeds = "auto"\nbudget = "soon"', "'10 min' or '2 h', got 'soon'"),
        ('seeds = "auto"\nbudget = 0', "budget: 0.0 not in (0 s, 8784 h]"),
        ('seeds = "auto"\nbudget = nan', "budget: nan not in"),
        ("seeds = 3\nbudget = 60", "budget: needs seeds = 'auto', got 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_seeds_is_said(line, words):
    with pytest.raises(SpecError) as raised:
        parse_study(TEXT.replace("seeds = 2", line))
    assert words in str(raised.value)


def test_seeds_until_decided_need_a_claim():
    study = parse_study(TEXT)
    with pytest.raises(SpecError, match="'auto' needs a claim to decide; give a number"):
        replace(study, seeds="auto", claims=())
