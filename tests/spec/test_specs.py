"""Invalid specs cannot exist; a message says where, the rule, the value and what is near."""

import math
from dataclasses import replace

import pytest

from triptych.errors import SpecError
from triptych.spec import (
    ArmSpec,
    AugmentSpec,
    CNNSpec,
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    ReferenceSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
    plain,
    spec_id,
    structure,
)


@pytest.mark.parametrize("lr", [0, -1, math.nan, math.inf, 11, 10**400])
def test_a_learning_rate_outside_its_range_is_refused(lr):
    with pytest.raises(SpecError, match=r"^lr: .* not in \(0, 10\]\.$"):
        OptimizerSpec(lr=lr)


@pytest.mark.parametrize("epochs", [0, -3, 10**12])
def test_epochs_outside_their_range_are_refused(epochs):
    with pytest.raises(SpecError, match=rf"^epochs: {epochs} not in"):
        TrainSpec(epochs=epochs)


@pytest.mark.parametrize("value", [True, 1.5, "3", None])
def test_only_an_integer_is_an_integer(value):
    with pytest.raises(SpecError, match="epochs: must be an integer, got"):
        TrainSpec(epochs=value)


def test_an_integer_is_taken_for_a_number():
    assert OptimizerSpec(lr=1).lr == 1.0
    assert isinstance(OptimizerSpec(lr=1).lr, float)


def test_a_list_becomes_a_tuple_that_cannot_change():
    assert MLPSpec(hidden=[100, 50]).hidden == (100, 50)


def test_one_bad_item_of_a_list_is_named():
    with pytest.raises(SpecError, match="hidden: 0 not in"):
        MLPSpec(hidden=(100, 0))


def test_an_unknown_word_gets_the_nearest_known_one():
    with pytest.raises(SpecError, match="unknown value 'nestorov'. Did you mean 'nesterov'?"):
        OptimizerSpec(name="nestorov")


def test_an_unknown_key_gets_its_path_and_the_nearest_known_one():
    with pytest.raises(
        SpecError, match=r"^arm\.a\.train\.epoch: unknown key. Did you mean 'epochs'"
    ):
        structure(TrainSpec, {"epoch": 3}, "arm.a.train")


def test_a_nested_error_has_the_whole_path():
    table = {
        "data": {"source": "moons"},
        "network": {"kind": "mlp"},
        "train": {"optimizer": {"lr": -1}},
    }
    with pytest.raises(SpecError, match=r"^arm\.a\.train\.optimizer\.lr: -1 not in \(0, 10\]\.$"):
        structure(ArmSpec, table, "arm.a")


def test_a_missing_key_is_named():
    with pytest.raises(SpecError, match="arm.a: the key 'network' is missing"):
        structure(ArmSpec, {"data": {"source": "moons"}}, "arm.a")


def test_plain_and_structure_are_inverse():
    arm = ArmSpec(
        data=ToySpec(source="circles", noise=0.2),
        network=MLPSpec(hidden=(3, 4), dropout=0.5),
        train=TrainSpec(epochs=7, batch_size=1, patience=2, validation=0.25),
    )
    assert structure(ArmSpec, plain(arm), "arm") == arm


def test_pooling_past_the_last_convolution_is_refused():
    with pytest.raises(SpecError, match="pool_after: 3 is past the last of 2"):
        CNNSpec(channels=(4, 4), pool_after=(1, 3))


def test_early_stopping_needs_rows_to_judge_by():
    with pytest.raises(SpecError, match="needs both 'patience' and 'validation'"):
        TrainSpec(patience=3)


@pytest.mark.parametrize(
    ("data", "network", "engine", "words"),
    [
        (
            PalindromeSpec(shortest=3),
            MLPSpec(),
            "auto",
            "needs sequences of one length, got 3 to 5",
        ),
        (PalindromeSpec(probes=(9,)), CNNSpec(), "auto", "data.probes: kind 'cnn' reads sequences"),
        (PalindromeSpec(), RNNSpec(cell="gru"), "numpy", "one Elman layer, forward in time, got"),
        (
            DigitsSpec(),
            CNNSpec(),
            "compiled",
            "'compiled' trains kinds 'mlp' and 'rnn' only, got 'cnn'",
        ),
    ],
)
def test_an_arm_whose_parts_do_not_fit_is_refused(data, network, engine, words):
    with pytest.raises(SpecError, match=words):
        ArmSpec(data=data, network=network, train=TrainSpec(), engine=engine)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"train": TrainSpec()}, "train: kind 'reference' takes none"),
        ({"engine": "torch"}, "engine: kind 'reference' takes none, got 'torch'"),
        ({"data": PalindromeSpec(shortest=3)}, "kind 'reference' needs sequences of one length"),
    ],
)
def test_a_reference_is_fitted_and_not_trained(fields, words):
    fields = {"data": DigitsSpec(), "network": ReferenceSpec(model="linear"), **fields}
    with pytest.raises(SpecError, match=words):
        ArmSpec(**fields)


def test_a_network_must_be_trained():
    with pytest.raises(SpecError, match=r"^arm.a.train: is missing, which kind 'mlp' needs"):
        structure(ArmSpec, {"data": {"source": "moons"}, "network": {"kind": "mlp"}}, "arm.a")


def test_tables_are_not_varied_as_pictures_are():
    train = TrainSpec(augment=AugmentSpec(flip=True))
    with pytest.raises(SpecError, match="train.augment: needs pictures, got source 'moons'"):
        ArmSpec(data=ToySpec(source="moons"), network=CNNSpec(), train=train)


def test_runs_from_before_arms_could_be_scrambled_stay_theirs():
    arm = ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=TrainSpec())
    known = "d19b2f9c774ee37c35455e358e1ab163aa786bbe2568d1ae47ff353439204327"
    assert spec_id(arm) == known
    assert spec_id(replace(arm, scrambled=True)) != known


def test_a_named_set_is_its_values_and_what_is_given_is_laid_over_it():
    fast = TrainSpec.from_name("fast")
    assert (fast.batch_size, fast.label_smoothing, fast.resolutions[-1]) == (500, 0.2, 1.0)
    assert fast.optimizer == OptimizerSpec(name="muon", lr=0.18, momentum=0.6, beta2=0.99)
    changed = TrainSpec.from_name("fast", batch_size=None, optimizer={"lr": 0.1})
    assert changed.batch_size is None
    assert changed.optimizer == OptimizerSpec(name="muon", lr=0.1, momentum=0.6, beta2=0.99)
    assert TrainSpec.from_name("fast", epochs=3) == structure(
        TrainSpec, {"recipe": "fast", "epochs": 3}, "t"
    )
    assert CNNSpec.from_name("paper") == CNNSpec()
    assert CNNSpec.from_name("small", channels=(8, 8, 8, 8, 8)).design == "whitened"


def test_another_optimiser_or_schedule_than_the_recipes_inherits_none_of_its_values():
    adam = {"name": "adam"}
    for given in (adam, OptimizerSpec(name="adam")):
        assert TrainSpec.from_name("fast", optimizer=given).optimizer == OptimizerSpec(name="adam")
    same = TrainSpec.from_name("fast", optimizer={"name": "muon", "head_lr": 0.5}).optimizer
    assert (same.lr, same.head_lr) == (0.18, 0.5)
    schedule = {"name": "step", "gamma": 0.5}
    assert TrainSpec.from_name("fast", schedule=schedule).schedule.gamma == 0.5


def test_asking_by_name_changes_no_set():
    TrainSpec.from_name("fast", optimizer={"lr": 0.1}, resolutions=[1.0])
    assert TrainSpec.from_name("fast").optimizer.lr == 0.18


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CNNSpec.from_name("smal"), "CNNSpec.preset: unknown preset 'smal'. Did you mean"),
        (lambda: TrainSpec.from_name("fst"), "TrainSpec.recipe: unknown recipe 'fst'. Did you"),
        (lambda: TrainSpec.from_name("fast", epoch=1), "TrainSpec.epoch: unknown key. Did you"),
        (lambda: TrainSpec.from_name("fast", epochs=0), "TrainSpec.epochs: 0 not in"),
        (lambda: structure(CNNSpec, {"preset": ["small"]}, "n"), r"n.preset: .* \['small'\]"),
        (lambda: structure(CNNSpec, {"presett": "small"}, "n"), "n.presett: .* mean 'preset'"),
        (lambda: structure(OptimizerSpec, {"": 1}, "o"), "^o.'': unknown key. Known: alpha"),
        (
            lambda: structure(ArmSpec, {"data": {"source": ["x"]}}, "a"),
            r"a.data.source: unknown source \['x'\]",
        ),
    ],
)
def test_a_name_that_is_none_gets_its_path_and_the_nearest_one(make, words):
    with pytest.raises(SpecError, match=words):
        make()


FLIP = {"augment": {"flip": True}}


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"resolutions": [0.5, 0.9]}, "^t.resolutions: the last must be 1, got 0.9"),
        ({"resolutions": [0.05, 1.0]}, r"^t.resolutions: 0.05 not in \[0.1, 1\]"),
        (
            {"resolutions": [0.5, 1.0], "patience": 1, "validation": 0.1},
            "^t.resolutions: cannot be used with 'patience'",
        ),
        ({"views": True}, "^t.views: 'augment' must flip or translate"),
        ({"views": True, "augment": {"cutout": 4}}, "^t.views: 'augment' must flip or translate"),
        ({"label_smoothing": 0.1, "loss": "squared"}, "^t.label_smoothing: needs loss 'softmax'"),
        ({"label_smoothing": 1.0}, "^t.label_smoothing: 1 not in"),
        ({"augment": {"translate": -1}}, "^t.augment.translate: -1 not in"),
        ({"augment": {"flips": True}}, "^t.augment.flips: unknown key. Did you mean 'flip'"),
        ({"judged_rows": 0}, "^t.judged_rows: 0 not in"),
    ],
)
def test_settings_of_pictures_that_do_not_fit_are_refused(train, words):
    with pytest.raises(SpecError, match=words):
        structure(TrainSpec, train, "t")


@pytest.mark.parametrize(
    ("train", "name"),
    [
        ({"optimizer": {"name": "muon"}}, "optimizer"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
        (FLIP, "augment"),
        ({"resolutions": [0.5, 1.0]}, "resolutions"),
        ({"views": True, **FLIP}, "augment"),
    ],
)
def test_only_a_cnn_on_torch_has_what_is_made_for_pictures(train, name):
    def table(**changes):
        network = {"kind": "cnn", "channels": [4], "pool_after": [1]}
        return {"data": {"source": "digits"}, "network": network, "train": train, **changes}

    with pytest.raises(SpecError, match=rf"^arm.a.train.{name}: needs kind 'cnn', got 'mlp'"):
        structure(ArmSpec, table(network={"kind": "mlp"}), "arm.a")
    with pytest.raises(SpecError, match=rf"^arm.a.train.{name}: not on the numpy engine"):
        structure(ArmSpec, table(engine="numpy"), "arm.a")
    for engine in ("auto", "torch"):
        assert structure(ArmSpec, table(engine=engine), "arm.a").engine == engine


def test_the_whitened_design_is_not_on_the_numpy_engine():
    network = CNNSpec.from_name("small")
    with pytest.raises(SpecError, match="^network.design: not on the numpy engine"):
        ArmSpec(data=DigitsSpec(), network=network, train=TrainSpec(), engine="numpy")
