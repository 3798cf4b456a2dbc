"""Sequences that grow while a network learns: what is drawn, and when they grow."""

import numpy as np
import pytest

from triptych.spec import GrowthSpec
from triptych.training.growth import Growth

LENGTHS = np.repeat(np.arange(2, 12), 40)  # 40 rows of each of ten lengths
ROWS = 1000 + np.random.default_rng(0).permutation(len(LENGTHS))
LENGTH_OF = dict(zip(ROWS.tolist(), LENGTHS.tolist(), strict=True))


def growth(batch=8, seed=3, rows=ROWS, lengths=LENGTHS, **spec):
    return Growth(GrowthSpec(**{"stages": 3, "every": 4, **spec}), rows, lengths, batch, seed)


def lengths_in(rows):
    return np.array([LENGTH_OF[row] for row in rows.ravel().tolist()]).reshape(rows.shape)


@pytest.mark.parametrize(("stage", "longest"), [(0, 5), (1, 8), (2, 11)])
def test_each_step_draws_rows_of_one_allowed_length_and_in_time_of_all(stage, longest):
    one = growth()
    one.stage = stage
    drawn = []
    for _ in range(60):
        drawn.append(one.order(4).reshape(4, 8))
        one.tell(np.ones(4))
    found = lengths_in(np.concatenate(drawn))
    assert (found == found[:, :1]).all()
    assert set(found[:, 0]) == set(range(2, longest + 1))
    assert one.stage == stage  # the losses were high
    # Uniform over lengths: 240 steps, between 4 and 10 lengths.
    counts = np.bincount(found[:, 0], minlength=12)[2 : longest + 1]
    assert counts.min() > 0.4 * 240 / len(counts)
    assert len(np.unique(np.concatenate(drawn))) > 0.9 * 40 * (longest - 1)


def test_rows_of_unequal_number_are_drawn_alike_often_by_length():
    lengths = np.repeat([2, 3], [20, 380])
    one = growth(lengths=lengths, stages=1, every=400)
    found = one.order(400).reshape(400, 8)
    of = dict(zip(ROWS.tolist(), lengths.tolist(), strict=True))
    short = np.mean([of[row] == 2 for row in found[:, 0].tolist()])
    assert short == pytest.approx(0.5, abs=0.1)


def test_neighbours_join_where_few_rows_have_a_length():
    lengths = np.array([2] * 20 + [3] * 3 + [4] * 20)
    rows = np.arange(43)
    one = growth(batch=10, rows=rows, lengths=lengths, stages=1, every=300)
    found = [lengths[step] for step in one.order(300).reshape(300, 10)]
    of_three = [step for step in found if 3 in step]
    assert of_three
    # The shorter ones join first, so that nothing longer comes before its time.
    assert all(set(step) <= {2, 3} for step in of_three)
    assert any(2 in step for step in of_three)
    assert all(len(set(step)) == 1 for step in found if 3 not in step)


def test_longer_rows_join_only_where_all_allowed_ones_are_fewer_than_a_batch():
    lengths = np.array([2] * 3 + [3] * 20 + [9] * 20)
    one = growth(batch=10, rows=np.arange(43), lengths=lengths, stages=7, every=50)
    assert one.longest == 3
    found = lengths[one.order(50)].reshape(50, 10)
    assert found.max() == 3
    assert all(3 in step for step in found)  # of length 2 there are only three
    lengths = np.array([2] * 3 + [9] * 40)
    one = growth(batch=10, rows=np.arange(43), lengths=lengths, stages=7, every=50)
    assert (lengths[one.order(50)] == 9).any()


def test_fewer_rows_than_a_batch_are_drawn_again_and_again():
    one = growth(batch=64, rows=np.arange(5), lengths=np.array([2, 2, 3, 4, 9]))
    assert set(one.order(4)) == set(range(5))
    alone = growth(batch=4, rows=np.array([7]), lengths=np.array([6]))
    assert (alone.order(4) == 7).all()
    assert alone.longest == 6


def test_it_grows_exactly_when_the_mean_loss_of_a_round_is_below_the_gate():
    one = growth(gate=0.5)
    for losses, stage in [
        ([0.5, 0.5, 0.5, 0.5], 0),  # not below
        ([0.0, 0.0, 0.0, 2.1], 0),
        ([2.1, 0.0, 0.0, 0.0], 0),
        ([1.9, 0.0, 0.0, 0.0], 1),
        ([9.0, 9.0, 9.0, 9.0], 1),  # it never shrinks
        ([0.1, 0.1, 0.1, 0.1], 2),
        ([0.0, 0.0, 0.0, 0.0], 2),  # that was the last
    ]:
        one.order(4)
        one.tell(np.array(losses))
        assert one.stage == stage
    assert one.longest == 11


def test_within_a_round_it_does_not_grow():
    one = growth()
    one.tell(np.zeros(3))
    assert (one.stage, one.left()) == (0, 1)
    one.tell(np.zeros(1))
    assert (one.stage, one.left()) == (1, 4)


@pytest.mark.parametrize("stages", [1, 7, 9, 10, 49, 99])
def test_equal_stages_reach_each_length_in_its_turn(stages):
    # Multiplied by the inverse of 49, 49 stages would each fall short of their length.
    lengths = np.arange(2, 3 + stages)
    one = growth(rows=lengths, lengths=lengths, stages=stages)
    for stage in range(stages):
        one.stage = stage
        assert one.longest == 3 + stage


def test_the_pieces_of_a_round_do_not_change_what_is_drawn():
    whole, pieces, other = growth(every=8), growth(every=8), growth(every=8, seed=4)
    losses = np.random.default_rng(0).uniform(0, 0.1, (40, 8))
    for row in losses:
        order = whole.order(8)
        parts = []
        for cut in (1, 3, 4):
            parts.append(pieces.order(cut))
            at = pieces.done % 8
            pieces.tell(row[at : at + cut])
        assert np.array_equal(order, np.concatenate(parts))
        assert not np.array_equal(order, other.order(8))
        whole.tell(row)
        other.tell(row)
        assert whole.stage == pieces.stage
    assert whole.stage == 2
