"""Growing sequences in a whole training: any pieces, early stopping, several jobs, study files."""

from dataclasses import replace

import numpy as np
import pytest

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, NonFiniteStep, Scores, Split, lengths_of
from triptych.data import load
from triptych.engines import create_orders
from triptych.errors import SpecError
from triptych.models import RNNNumpy, create_torch, initial_weights
from triptych.spec import (
    ArmSpec,
    GrowthSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
    parse_study,
)
from triptych.training import (
    Diverged,
    Evaluation,
    Finished,
    Job,
    NumpyLearner,
    split_rows,
    train,
    train_together,
)
from triptych.training import loop as loop_module
from triptych.training.growth import Growth
from triptych.training.torch_learner import TorchLearner

DATA = PalindromeSpec(length=9, shortest=3, train_size=210, test_size=42)
SPEC = TrainSpec(
    epochs=6, batch_size=16, dtype="float64", clip_norm=5.0,
    optimizer=OptimizerSpec(name="adam", lr=0.01), growth=GrowthSpec(stages=3, every=5, gate=2.4),
)  # fmt: skip
NETWORK = RNNSpec(hidden=6)


def job(engine="numpy", spec=SPEC, seed=0):
    data = load(DATA, seed)
    weights = initial_weights(NETWORK, data, stream(seed, "weights"))
    if engine == "numpy":
        learner = NumpyLearner(RNNNumpy(NETWORK, weights), data.train, spec)
    else:
        learner = TorchLearner(create_torch(NETWORK, weights), data.train, spec)
    rows = split_rows(spec, data.train, stream(seed, "validation"))
    return Job(learner, data, rows, stream_seed(seed, "order"))


def run(one, spec=SPEC):
    return list(train(one, spec, create_orders("numpy")))


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_training_in_pieces_ends_with_the_same_bits(engine, monkeypatch):
    whole = run(job(engine))[-1]
    for budget in (1, 2, 7):
        monkeypatch.setattr(loop_module._Loop, "_budget", lambda self, budget=budget: budget)
        cut = run(job(engine))[-1]
        assert cut.evaluation.test == whole.evaluation.test
        for name, w in whole.weights.items():
            assert np.array_equal(cut.weights[name], w)


def test_numpy_and_torch_grow_alike():
    ours, theirs = run(job("numpy"))[-1], run(job("torch"))[-1]
    for name, w in ours.weights.items():
        np.testing.assert_allclose(theirs.weights[name], w, rtol=1e-9, atol=1e-11)


def test_this_training_grows_by_its_losses_and_not_at_once():
    seen = {}
    real = Growth.tell

    def noted(self, losses):
        real(self, losses)
        seen[self.done] = self.stage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Growth, "tell", noted)
        run(job())
    stages = [seen[done] for done in sorted(seen)]
    assert stages == sorted(stages)
    assert set(stages) == {0, 1, 2}


def test_it_is_another_training_than_without():
    plain = replace(SPEC, growth=None)
    grown, whole = run(job())[-1], run(job(spec=plain), plain)[-1]
    assert grown.evaluation.step == whole.evaluation.step == 6 * 14
    assert not np.array_equal(grown.weights["wh"], whole.weights["wh"])


class Spy:
    """A learner that learns nothing, notes what it is given and loses what it is told to."""

    min_batch, unbounded = 1, frozenset()

    def __init__(self, data, loss=0.0):
        self.data, self.loss = data, loss
        self.seen, self.sizes = [], []

    def fit(self, order, batch_size, lrs, epoch):
        assert epoch is None
        assert len(order) == batch_size * len(lrs)
        self.seen += list(order.reshape(len(lrs), batch_size))
        self.sizes.append(len(lrs))
        if self.loss is None:
            raise NonFiniteStep(0, np.nan, np.nan)
        return np.full(len(lrs), self.loss)

    def evaluate(self, split):
        return Scores(1.0, 0.5)

    def weights(self):
        return {}

    def load(self, weights):
        pass

    def lengths(self):
        return np.array([lengths_of(self.data.train.x[rows]).max() for rows in self.seen])


def spied(spec, loss=0.0, seed=0):
    data = load(DATA, seed)
    rows = split_rows(spec, data.train, stream(seed, "validation"))
    return Job(Spy(data, loss), data, rows, stream_seed(seed, "order"))


def test_an_epoch_has_as_many_steps_as_its_rows_make_and_all_are_whole():
    one = spied(SPEC)
    events = run(one)
    assert [e.step for e in events if isinstance(e, Evaluation)] == [14 * e for e in range(1, 7)]
    assert {len(rows) for rows in one.learner.seen} == {16}
    # It grew after rounds of five steps, wherever epochs end. Of palindromes of nine digits eight
    # are seen.
    lengths = one.learner.lengths()
    assert lengths[:5].max() <= 4
    assert lengths[5:10].max() <= 6
    assert lengths.max() == 8


def test_rows_of_the_validation_are_never_drawn():
    spec = replace(SPEC, patience=100, validation=0.3)
    one = spied(spec)
    run(one, spec)
    drawn = set(np.concatenate(one.learner.seen).tolist())
    assert drawn <= set(one.rows.fit.tolist())
    assert not drawn & set(one.rows.validation.tolist())
    assert len(drawn) > 0.9 * len(one.rows.fit)


def test_early_stopping_ends_it_and_keeps_the_best():
    spec = replace(SPEC, epochs=50, patience=2, validation=0.3)
    one = spied(spec)
    events = run(one, spec)  # the scores never get better than the first
    assert isinstance(events[-1], Finished)
    assert events[-1].evaluation.epoch == 1
    assert events[-1].epochs == 3


def together(learners, orders, size, lrs, epoch):
    found = []
    for one, order in zip(learners, orders, strict=True):
        try:
            found.append((one.fit(order, size, lrs, epoch), None))
        except NonFiniteStep as error:
            found.append((np.empty(0), error))
    return found


def test_jobs_together_each_grow_by_their_own_losses():
    jobs = [spied(SPEC, loss, seed) for seed, loss in enumerate((0.0, 9.0, None))]
    told = list(train_together(jobs, SPEC, create_orders("numpy"), together))
    quick, slow, wild = (one.learner for one in jobs)
    assert quick.lengths().max() == 8
    assert slow.lengths().max() == 4
    assert {type(e) for k, e in told if k == 2} == {Diverged}
    assert len(wild.seen) <= 5
    for k, loss in ((0, 0.0), (1, 9.0)):
        alone = spied(SPEC, loss, k)
        run(alone)
        assert np.array_equal(alone.learner.seen, jobs[k].learner.seen)


def test_learners_together_end_with_the_bits_of_each_alone():
    jobs = [job(seed=seed) for seed in range(2)]
    told = list(train_together(jobs, SPEC, create_orders("numpy"), together))
    ends = {k: event for k, event in told if isinstance(event, Finished)}
    for k in range(2):
        alone = run(job(seed=k))[-1]
        assert all(np.array_equal(w, ends[k].weights[name]) for name, w in alone.weights.items())


def test_vectors_grow_too():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6, 2))
    lengths = np.repeat(np.arange(1, 7), 10)
    x[np.arange(6) >= lengths[:, None]] = np.nan
    split = Split(x, rng.integers(0, 3, 60))
    data = Dataset("noise", split, split, tuple("012"), "sequences", "f")
    spec = replace(SPEC, growth=GrowthSpec(stages=2, every=3, gate=9.0), batch_size=5)
    weights = initial_weights(NETWORK, data, stream(0, "weights"))
    learner = NumpyLearner(RNNNumpy(NETWORK, weights), split, spec)
    rows = split_rows(spec, split, stream(0, "validation"))
    assert isinstance(run(Job(learner, data, rows, 1), spec)[-1], Finished)


def test_what_cannot_grow_is_refused():
    spec = TrainSpec(growth=GrowthSpec())
    with pytest.raises(SpecError, match=r"train.growth: needs kind 'rnn', got 'mlp'"):
        ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=spec)
    assert ArmSpec(data=PalindromeSpec(), network=RNNSpec(), train=spec).train.growth.stages == 9
    for field, value in (("stages", 0), ("every", 0), ("gate", 0.0)):
        with pytest.raises(SpecError, match=f"{field}: .* not in"):
            GrowthSpec(**{field: value})


def test_a_study_file_says_how_they_grow():
    text = """
    title = "t"
    [data]
    source = "palindromes"
    [arm.a]
    network = { kind = "rnn" }
    train = { growth = { stages = 4, gate = 0.1 } }
    """
    assert parse_study(text).arms["a"].train.growth == GrowthSpec(stages=4, gate=0.1)
    with pytest.raises(SpecError, match="Did you mean 'stages'"):
        parse_study(text.replace("stages", "stage"))
