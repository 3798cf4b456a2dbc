"""Invalid specs cannot exist; a message says where, the rule, the value and what is near."""

import math

import pytest

from triptych.errors import SpecError
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
    plain,
    structure,
)


@pytest.mark.parametrize("lr", [0, -1, math.nan, math.inf, 11, 10**400])
def test_a_learning_rate_outside_its_range_is_refused(lr):
    with pytest.raises(SpecError, match=r"^lr: .* not in \(0.0, 10.0\]\.$"):
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
    with pytest.raises(SpecError, match=r"^arm\.a\.train\.optimizer\.lr: -1\.0 not in"):
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
        (PalindromeSpec(), MLPSpec(), "auto", "cannot read data source 'palindromes'"),
        (ToySpec(source="moons"), RNNSpec(), "auto", "cannot read data source 'moons'"),
        (ToySpec(source="moons"), CNNSpec(), "auto", "needs pictures"),
        (PalindromeSpec(), RNNSpec(), "numpy", "'numpy' trains kinds 'mlp' and 'cnn' only"),
        (DigitsSpec(), CNNSpec(), "compiled", "'compiled' trains kind 'mlp' only, got 'cnn'"),
    ],
)
def test_an_arm_whose_parts_do_not_fit_is_refused(data, network, engine, words):
    with pytest.raises(SpecError, match=words):
        ArmSpec(data=data, network=network, train=TrainSpec(), engine=engine)
