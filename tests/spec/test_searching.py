"""Settings that find a learning rate, calibrate and weigh classes."""

import re

import pytest

from triptych.errors import SpecError
from triptych.spec import (
    ArmSpec,
    BundledSpec,
    MLPSpec,
    ReferenceSpec,
    SearchSpec,
    TrainSpec,
    parse_study,
    spec_id,
    structure,
    write_study,
)

STUDY = """
title = "t"
seeds = 1
[data]
source = "{source}"
[arm.a]
network = {network}
{train}
"""


def test_rates_are_at_equal_ratios():
    assert SearchSpec(low=0.001, high=0.1, rates=3).grid == (0.001, 0.01, 0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"search": {"low": 0.1, "high": 0.1}, "recipe": "table"}, "search.low: must be below"),
        ({"search": {}}, "search: judges by rows set aside"),
        ({"calibration": "temperature"}, "calibration: judges by rows set aside"),
        ({"recipe": "table", "loss": "squared"}, "calibration: needs loss 'softmax'"),
        ({"class_weight": "alike"}, "class_weight: unknown value 'alike'"),
    ],
)
def test_what_does_not_fit_is_refused(fields, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        structure(TrainSpec, fields, "t")


@pytest.mark.parametrize(
    ("source", "network", "train", "message"),
    [
        ("iris", '{kind = "reference", model = "ridge"}', "", "'ridge' tells numbers"),
        ("diabetes", '{kind = "reference", model = "linear", class_weight = "balanced"}', "",
         "has no classes"),
        ("diabetes", '{kind = "mlp"}', 'train = {loss = "squared", class_weight = "balanced"}',
         "has no classes"),
        ("iris", '{kind = "reference", model = "nearest_neighbours", class_weight = "balanced"}',
         "", "weighs no rows"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_data_is_refused(source, network, train, message):
    with pytest.raises(SpecError, match=message):
        parse_study(STUDY.format(source=source, network=network, train=train))


def test_a_study_with_all_of_it_reads_back_as_it_was():
    train = TrainSpec.from_name("table", class_weight="balanced")
    text = STUDY.format(source="iris", network='{kind = "mlp"}', train='train = {recipe = "table"}')
    study = parse_study(text)
    assert parse_study(write_study(study)) == study
    assert study.arms["a"].train.search == SearchSpec()
    assert train.class_weight == "balanced"


def test_arms_without_any_of_it_have_the_identity_that_they_had():
    arm = ArmSpec(data=BundledSpec(source="iris"), network=MLPSpec(), train=TrainSpec())
    assert spec_id(arm) == "a2774aba71804e51a31b3878dbbdddcb00a6183112d7f21a085f167746e9d5b3"
    reference = ArmSpec(data=BundledSpec(source="iris"), network=ReferenceSpec(model="linear"))
    assert spec_id(reference) == "50215f302034af8612763ba06c945c29a6b364be73ce6aad7903ce09e8b0a8dd"
