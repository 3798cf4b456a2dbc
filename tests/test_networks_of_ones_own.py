"""A PyTorch module of one's own as an arm: made, trained, kept, described, refused."""

import html
import tomllib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import triptych
from triptych.cli import main
from triptych.engines import DataShape, create_learner, described
from triptych.errors import SpecError
from triptych.models.custom_code import code_identity
from triptych.models.custom_torch import make_module, module_cost
from triptych.records import StudyFolder
from triptych.runner import load_for
from triptych.runner.runs import create_job
from triptych.spec import (
    ArmSpec,
    AugmentSpec,
    BundledSpec,
    ClaimSpec,
    CNNSpec,
    CustomSpec,
    DigitsSpec,
    MatchSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    StudySpec,
    ToySpec,
    TrainSpec,
    parse_study,
    spec_id,
    structure,
    write_study,
)
from triptych.training import split_rows

pytestmark = pytest.mark.usefixtures("one_thread")

MOONS = ToySpec(source="moons", n_samples=80)
TRAIN = TrainSpec(epochs=4, batch_size=8, optimizer=OptimizerSpec(name="adam", lr=0.01))


class Net(nn.Module):
    """Two layers with dropout, which draws from PyTorch's stream."""

    def __init__(self, inputs, outputs, units=6, share=0.2):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, units), nn.Linear(units, outputs)
        self.share = share

    def forward(self, x):
        h = torch.relu(self.first(x.flatten(1)))
        return self.last(F.dropout(h, self.share, self.training))


def make_net(data, **settings):
    return Net(int(np.prod(data.sample_shape)), data.outputs, **settings)


def arm(network=None, **fields):
    fields = {"data": MOONS, "train": TRAIN, **fields}
    return ArmSpec(network=network or CustomSpec(name="net"), **fields)


def study(seeds=2, **arms):
    return StudySpec(title="Own", arms=arms or {"own": arm()}, seeds=seeds)


def run(folder, made=make_net, what=None, **options):
    return triptych.run(what or study(), networks={"net": made}, out=folder, **options)


def weights(folder, name="own", seed=0):
    return StudyFolder(folder).run(name, seed).weights()


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_it_is_trained_kept_and_described(tmp_path):
    result = run(tmp_path / "a")
    (network,) = [a.network for a in result.record.study.arms.values()]
    assert (network.made, network.parameters, network.flops) == ("Net", 32, 2 * (2 * 6 + 6 * 2))
    assert [r.parameters for r in result.record.runs] == [32, 32]
    assert {r.status for r in result.record.runs} == {"finished"}
    assert set(weights(tmp_path / "a")) == {
        "first.weight", "first.bias", "last.weight", "last.bias",
    }  # fmt: skip
    spec = StudyFolder(tmp_path / "a").run("own", 0).read_spec()
    assert spec["arm"]["network"]["made"] == "Net"
    assert len(spec["arm"]["network"]["code"]) == 64
    page = result.to_html()
    assert "Net, of one" in page
    assert "Where it decides" in page or "boundar" in page.lower()  # two features: its boundary


def test_it_learns(tmp_path):
    long = replace(TRAIN, epochs=60, batch_size=16)
    digits = arm(data=DigitsSpec(train_limit=600), train=long)
    result = run(tmp_path / "a", partial(make_net, units=40), study(1, own=digits))
    assert result.record.runs[0].scores["test_accuracy"] > 0.85


def test_a_run_has_the_same_bits_whatever_was_drawn_before(tmp_path):
    run(tmp_path / "a")
    torch.rand(7)
    state = torch.get_rng_state()
    run(tmp_path / "b")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert torch.equal(torch.get_rng_state(), state)  # nor is the caller's stream touched
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "a", seed=1))


def test_where_training_is_cut_into_pieces_changes_no_bit():
    found = []
    data = load_for(arm(), 0, None)
    for cuts in ([64], [8, 24, 32], [16] * 4):
        learner = create_learner(arm(), "torch", data, 0, "cpu", {"net": make_net})
        start = 0
        for count in cuts:
            learner.evaluate(data.test)
            learner.fit(np.arange(start, start + count), 8, np.full(count // 8, 0.01), 64)
            start += count
        found.append(learner.weights())
    assert same(found[0], found[1])
    assert same(found[0], found[2])


def test_the_twin_of_our_own_mlp_takes_the_same_steps(tmp_path):
    # Our MLP as a module of one's own, from the same first weights.
    ours = arm(MLPSpec(hidden=(6,)), engine="torch", train=replace(TRAIN, dtype="float64"))
    data = load_for(ours, 0, None)
    mine = create_learner(ours, "torch", data, 0, "cpu")
    first = mine.weights()

    def make(shape):
        net = make_net(shape, share=0.0)
        state = {
            "first.weight": first["w1"].T, "first.bias": first["b1"],
            "last.weight": first["w2"].T, "last.bias": first["b2"],
        }  # fmt: skip
        net.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
        return net

    own = arm(train=ours.train)
    theirs = create_learner(own, "torch", data, 0, "cpu", {"net": make})
    order, rates = np.arange(64), np.full(8, 0.01)
    np.testing.assert_allclose(
        mine.fit(order, 8, rates), theirs.fit(order, 8, rates), rtol=1e-6
    )  # float32 first weights


def test_the_same_code_keeps_its_runs_and_other_code_makes_them_again(tmp_path):
    first = run(tmp_path / "a")
    times = [
        (tmp_path / "a/runs/own" / f"seed-{s}" / "result.json").stat().st_mtime_ns for s in (0, 1)
    ]
    again = run(tmp_path / "a")
    assert [r.key for r in again.record.runs] == [r.key for r in first.record.runs]
    assert times == [
        (tmp_path / "a/runs/own" / f"seed-{s}" / "result.json").stat().st_mtime_ns for s in (0, 1)
    ]
    other = run(tmp_path / "a", partial(make_net, units=7))
    assert other.record.runs[0].key != first.record.runs[0].key
    assert other.record.runs[0].parameters == 2 * 7 + 7 + 7 * 2 + 2


def module_and_code(make):
    shape = DataShape(64, (2,), 2, 2)
    return code_identity(make, make_module("net", make, shape, 0, symbols=False))


def built(body, **names):
    """Return a maker whose code is text, as typed at a prompt."""
    space = {"__name__": "__main__", "nn": nn, "torch": torch, **names}
    exec(body, space)
    return space["make"]


PLAIN = "def make(data):\n    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))\n"
OWN = """
{helper}
class Own(nn.Sequential):
    {attribute}
    def forward(self, x):
        return {result}
def make(data):
    return Own(nn.Linear(2, 2))
"""


def own(helper="", attribute="scale = 2", result="super().forward(x)"):
    return OWN.format(helper=helper, attribute=attribute, result=result)


def test_identities_follow_code_structure_constants_and_helpers():
    texts = [
        PLAIN,
        PLAIN.replace("ReLU", "Tanh"),
        PLAIN.replace("4", "5"),
        PLAIN.replace("return", "x = 3\n    return"),
        own(),
        own(result="-super().forward(x)"),
        own(attribute="scale = 3"),
        own("def f(x): return x", result="f(super().forward(x))"),
        own("def f(x): return 2 * x", result="f(super().forward(x))"),
        own("WIDTH = 2", result="WIDTH * super().forward(x)"),
        own("WIDTH = 3", result="WIDTH * super().forward(x)"),
    ]
    found = [module_and_code(built(text)) for text in texts]
    assert len(set(found)) == len(found)
    assert found == [module_and_code(built(text)) for text in texts]


def test_identities_follow_what_a_function_holds():
    def factory(share):
        def make(data):
            return make_net(data, share=share)

        return make

    assert module_and_code(factory(0.1)) == module_and_code(factory(0.1))
    assert module_and_code(factory(0.1)) != module_and_code(factory(0.2))
    one, other = (partial(make_net, share=s) for s in (0.1, 0.2))
    assert module_and_code(one) != module_and_code(other)


class Words(nn.Module):
    def __init__(self, data):
        super().__init__()
        self.embed, self.cell = nn.Embedding(data.symbols or data.outputs, 4), nn.LSTM(4, 8)
        self.head = nn.Linear(8, data.outputs)

    def forward(self, x):
        assert x.dtype == torch.int64
        return self.head(self.cell(self.embed(x).transpose(0, 1))[0][-1])


def tiny_cnn(data):
    return nn.Sequential(
        nn.Conv2d(data.sample_shape[0], 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.LazyLinear(data.outputs),
    )  # fmt: skip


def test_pictures_with_batch_norm_lazy_layers_and_what_varies_them(tmp_path):
    varied = AugmentSpec(translate=1)
    train = TrainSpec(epochs=2, batch_size=31, label_smoothing=0.1, augment=varied)
    data = DigitsSpec(train_limit=63, test_limit=40)  # a last batch of one row
    result = run(tmp_path / "a", tiny_cnn, study(1, own=arm(data=data, train=train)))
    (record,) = result.record.runs
    assert record.status == "finished"
    kept = weights(tmp_path / "a")
    assert kept["1.num_batches_tracked"] == 4
    assert kept["4.weight"].shape == (10, 4 * 36)
    assert record.flops == 2 * (9 * 4 * 36 + 4 * 36 * 10)
    assert "occlusion" in {finding.kind for finding in record.findings}


def test_symbols_are_read_and_flops_of_an_lstm_are_not_known(tmp_path):
    data = PalindromeSpec(length=5, train_size=200, test_size=50)
    train = TrainSpec(epochs=2, batch_size=50)
    result = run(tmp_path / "a", Words, study(1, own=arm(data=data, train=train)))
    (record,) = result.record.runs
    assert (record.status, record.flops) == ("finished", 0)
    assert record.parameters > 0
    assert {f.kind for f in record.findings} >= {"confusion"}


@pytest.mark.parametrize(
    ("data", "reads", "shape"),
    [
        (DigitsSpec(train_limit=64), "sequences", (8, 8)),
        (MOONS, "pictures", (1, 1, 2)),
        (PalindromeSpec(length=5, train_size=100, test_size=50), "rows", (40,)),
    ],
)
def test_other_data_is_laid_out_where_it_says_what_it_reads(data, reads, shape, tmp_path):
    seen = []

    def make(data):
        seen.append(data.sample_shape)
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(data.outputs))

    own = arm(CustomSpec(name="net", reads=reads), data=data)
    result = run(tmp_path / "a", make, study(1, own=own))
    assert result.record.runs[0].status == "finished"
    assert set(seen) == {shape}


def test_early_stopping_keeps_the_best_weights(tmp_path):
    train = replace(TRAIN, epochs=30, patience=2, validation=0.25)
    result = run(tmp_path / "a", what=study(1, own=arm(train=train)))
    assert result.record.runs[0].status == "finished"


def test_flops_are_pytorchs_count():
    shape = DataShape(10, (1, 8, 8), 3, 3)
    net = make_module("net", tiny_cnn, shape, 0, symbols=False)
    assert module_cost(net, shape, symbols=False).flops == 2 * (9 * 4 * 36 + 4 * 36 * 3)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def transformer(data):
        return nn.Sequential(nn.TransformerEncoder(layer, 1), nn.Flatten(), nn.LazyLinear(3))

    shape = DataShape(10, (5, 8), 3, 3)
    net = make_module("net", transformer, shape, 0, symbols=False)
    assert module_cost(net, shape, symbols=False).flops > 2 * 5 * (8 * 24 + 8 * 8 + 2 * 8 * 16)


# Files name no code


def test_a_file_reads_back_and_trains_nothing(tmp_path, capsys, monkeypatch):
    result = run(tmp_path / "a")
    text = (tmp_path / "a" / "study.toml").read_text()
    back = parse_study(text)
    assert back == result.record.study
    assert write_study(back) == text
    with pytest.raises(SpecError, match=r"network 'net' is of kind 'custom': a file holds no code"):
        triptych.run(back, out=tmp_path / "b")
    assert not (tmp_path / "b").exists()
    monkeypatch.chdir(tmp_path)
    for command in (["run", "a/study.toml", "--out", "c"], ["check", "a/study.toml"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        err = capsys.readouterr().err
        assert "Run the study from Python: triptych.run(study, networks={'net':" in err
        assert len(err.strip().splitlines()) == 1


def test_the_page_is_made_from_records_alone(tmp_path):
    run(tmp_path / "a")
    (tmp_path / "a" / "report.html").unlink()
    text = triptych.read_result(tmp_path / "a").write_page().read_text("utf-8")
    assert "Net, of one" in text
    file = str(tmp_path / "a" / "study.toml")
    how = f"triptych.run(triptych.read_study({file!r}), networks={{'net': ...}}, out='again')"
    assert how in html.unescape(text)


def test_a_run_of_it_cannot_be_done_again_from_its_record(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "a")
    with pytest.raises(SystemExit) as ended:
        main(["rerun", str(tmp_path / "a/runs/own/seed-0")])
    assert ended.value.code == 2
    assert "a file holds no code" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"kind": "custom"}, "the key 'name' is missing"),
        ({"kind": "custom", "name": "os.system"}, "must have letters, digits and '_' only"),
        ({"kind": "custom", "name": "net", "made": "<b>x</b>"}, "is no name of a class"),
        ({"kind": "custom", "name": "net", "code": "import os"}, "is no SHA-256"),
        ({"kind": "custom", "name": "net", "path": "x.py"}, "network.path: unknown key"),
        ({"kind": "custom", "name": "net", "parameters": -1}, "parameters: -1 not in"),
    ],
)
def test_a_file_can_say_no_more_than_a_name(table, says):
    with pytest.raises(SpecError, match=says):
        structure(CustomSpec, table, "network")


def test_a_name_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match="networks: has no 'net', .* Did you mean 'nets'"):
        triptych.run(study(), networks={"nets": make_net}, out=tmp_path / "a")


# What cannot be trained


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda data: 3, "must return a torch.nn.Module, got int"),
        (lambda data: 1 / 0, "could not be made: ZeroDivisionError"),
        (lambda data: nn.Linear(7, 2), r"cannot read a batch of shape \(1, 2\), float32: Runtime"),
        (lambda data: nn.Linear(2, 5), r"Linear makes \(1, 5\) of .* must make \(1, 2\)"),
        (lambda data: nn.Identity(), "Identity has no parameters"),
        (lambda data: nn.Linear(2, 2).requires_grad_(False), "has frozen parameters"),
        (lambda data: nn.LSTM(2, 2), "LSTM makes tuple of"),
    ],
)
def test_a_module_that_cannot_be_trained_is_refused_in_one_line(make, says, tmp_path):
    with pytest.raises(SpecError, match=says) as caught:
        run(tmp_path / "a", make)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_a_network_that_diverges_is_recorded(tmp_path):
    train = replace(TRAIN, optimizer=OptimizerSpec(name="sgd", lr=10.0), epochs=50)
    both = study(1, own=arm(train=train), calm=arm())

    class Wild(Net):
        def forward(self, x):
            out = super().forward(x)
            return out * float("nan") if self.training and (out.abs() > 50).any() else out

    def make(data):
        return Wild(2, 2, share=0.0)

    result = run(tmp_path / "a", make, both)
    statuses = {r.arm: r.status for r in result.record.runs}
    assert statuses == {"own": "diverged", "calm": "finished"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"engine": "numpy"}, "engine: kind 'custom' is a PyTorch module, got 'numpy'"),
        ({"engine": "compiled"}, "engine: kind 'custom' is a PyTorch module"),
        ({"train": None}, "train: is missing"),
        (
            {"train": structure(TrainSpec, {"augment": {"flip": True}}, "train")},
            "train.augment: needs pictures",
        ),
        (
            {"data": PalindromeSpec(length=9, shortest=3, train_size=90, test_size=90),
             "network": CustomSpec(name="net", reads="rows")},
            "needs sequences of one length",
        ),
    ],
)  # fmt: skip
def test_an_arm_that_cannot_be_is_refused(fields, says):
    with pytest.raises(SpecError, match=says):
        arm(**fields)


def test_it_is_neither_matched_nor_matched_to():
    arms = {"own": arm(), "ours": arm(MLPSpec(), match=MatchSpec(arm="own", on="parameters"))}
    with pytest.raises(SpecError, match="'own' is of kind 'custom'"):
        study(**arms)


def test_processes_of_their_own_are_refused(tmp_path):
    with pytest.raises(SpecError, match="jobs: networks and arrays of one's own stay in the"):
        run(tmp_path / "a", jobs=2)
    claim = ClaimSpec(says="small", tests=("own.peak_memory < ours.peak_memory",))
    arms = {"own": arm(), "ours": arm(MLPSpec())}
    with pytest.raises(
        SpecError, match="'peak_memory' of '.*' is measured in a process of its own"
    ):
        run(tmp_path / "a", what=StudySpec(title="x", arms=arms, claims=(claim,), seeds=1))
    assert not (tmp_path / "a").exists()
    assert len(run(tmp_path / "a", jobs="auto").record.runs) == 2


def test_numbers_are_told(tmp_path):
    data = BundledSpec(source="diabetes")
    train = replace(TRAIN, loss="squared", batch_size=64)
    result = run(tmp_path / "a", what=study(1, own=arm(data=data, train=train)))
    assert result.record.runs[0].scores["test_r2"] > -1
    with pytest.raises(SpecError, match="Use loss = 'squared'"):
        arm(data=data)


def test_it_stands_beside_the_networks_that_come_with_triptych(tmp_path):
    data = DigitsSpec(train_limit=100, test_limit=50)
    arms = {
        "own": arm(data=data), "mlp": arm(MLPSpec(hidden=(6,)), data=data),
        "cnn": arm(CNNSpec(channels=(4,), pool_after=()), data=data),
    }  # fmt: skip
    claim = ClaimSpec(says="as good", tests=("own.test_accuracy = mlp.test_accuracy within 0.5",))
    what = StudySpec(title="Beside", arms=arms, claims=(claim,), seeds=1)
    result = run(tmp_path / "a", what=what)
    assert {r.fingerprint for r in result.record.runs} == {result.record.runs[0].fingerprint}
    assert tomllib.loads((tmp_path / "a/study.toml").read_text())["arm"]["own"]["network"]["made"]


def test_described_is_what_a_run_is_keyed_by():
    asked, shape = arm(), DataShape(64, (2,), 2, 2)
    found = [
        replace(asked, network=described(asked, asked.network, shape, {"net": make}))
        for make in (make_net, make_net, partial(make_net, share=0.5))
    ]
    ids = [spec_id(one) for one in found]
    assert ids[0] == ids[1] != ids[2]
    data = load_for(found[0], 0, None)
    job = create_job(found[0], "torch", data, 0, "cpu", {"net": make_net})
    assert len(job.rows.fit) == len(split_rows(TRAIN, data.train, np.random.default_rng(0)).fit)
