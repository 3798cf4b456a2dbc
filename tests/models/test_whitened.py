"""The whitened network: what its first layer does, where it starts, and what it takes."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triptych.contracts import Dataset, Split, Standardization
from triptych.engines import create_learner
from triptych.models import create_torch
from triptych.models.initial import whitened_weights
from triptych.spec import ArmSpec, CNNSpec, DigitsSpec, TrainSpec, parse_study

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = CNNSpec(design="whitened", channels=(32, 16, 40), pool_after=(1, 3))


def first_weights(spec=TINY, channels=3, classes=10, dtype=np.float64):
    weights = whitened_weights(spec, channels, classes, np.random.default_rng(0))
    return {name: w.astype(dtype) for name, w in weights.items()}


def pictures(n=200, channels=3, edge=12):
    """Return smooth noise, whose neighbouring pixels and channels go together as in photographs."""
    rng = np.random.default_rng(1)
    noise = torch.from_numpy(rng.normal(size=(n, channels, edge + 2, edge + 2)))
    smooth = F.avg_pool2d(noise, 3, stride=1)
    return 2 * (smooth + smooth.mean(dim=1, keepdim=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_have_the_identity_for_covariance(channels):
    x = pictures(channels=channels)
    network = create_torch(TINY, first_weights(channels=channels))
    network.whiten_patches(x)
    out = F.conv2d(x, network.whiten.get_buffer("weight"))
    kept = 4 * channels
    assert torch.equal(out[:, :kept], -out[:, kept:])
    rows = out[:, :kept].movedim(1, -1).flatten(0, 2)
    covariance = rows.T @ rows / len(rows)
    # Exact but for the variance that is added, which takes up to 2% where there is least.
    assert (covariance.diagonal() > 0.97).all()
    torch.testing.assert_close(covariance, torch.eye(kept).double(), atol=0.03, rtol=0)
    # Not so before.
    patches = F.unfold(x, 2).movedim(1, -1).flatten(0, 1)
    assert (patches.T @ patches / len(patches)).fill_diagonal_(0).abs().max() > 0.1


def test_directions_in_which_no_patch_varies_are_not_blown_up():
    network = create_torch(TINY, first_weights())
    network.whiten_patches(torch.ones(4, 3, 6, 6, dtype=torch.float64))
    weight = network.whiten.get_buffer("weight")
    assert weight.isfinite().all()
    assert weight.flatten(1).norm(dim=1).max() < 45  # 1 / sqrt(5e-4)


def test_the_first_kernels_pass_their_input_on_and_the_head_has_unit_variance():
    weights = first_weights(channels=3)
    for layer, inputs, passed in ((1, 24, 24), (2, 32, 16), (3, 16, 16)):
        x = torch.from_numpy(np.random.default_rng(layer).normal(size=(2, inputs, 5, 5)))
        out = F.conv2d(x, torch.from_numpy(weights[f"conv{layer}.weight"]), padding=1)
        assert torch.equal(out[:, :passed], x[:, :passed])
    head = whitened_weights(CNNSpec.from_name("wide"), 3, 100, np.random.default_rng(0))
    assert head["head.weight"].std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("size", [(8, 8), (20, 20), (32, 32), (9, 13), (2, 2), (33, 4)])
@pytest.mark.parametrize("preset", ["small", "wide"])
def test_pictures_of_any_size_give_logits(size, preset):
    spec = CNNSpec.from_name(preset)
    network = create_torch(spec, first_weights(spec, dtype=np.float32)).train()
    x = pictures(3, edge=40)[:, :, : size[0], : size[1]].float()
    network.whiten_patches(x)
    logits = network(x)
    assert logits.shape == (3, 10)
    assert logits.isfinite().all()


def test_the_network_is_its_description_written_out():
    weights = first_weights()
    network = create_torch(TINY, weights).train()
    x = pictures(6)
    network.whiten_patches(x)
    out = F.gelu(F.conv2d(x, network.whiten.get_buffer("weight")))
    for k in (1, 2, 3):
        out = F.conv2d(out, torch.from_numpy(weights[f"conv{k}.weight"]), padding=1)
        out = F.max_pool2d(out, 2) if k in TINY.pool_after else out
        spread, mean = torch.var_mean(out, (0, 2, 3), correction=0, keepdim=True)
        out = F.gelu((out - mean) / (spread + 1e-5).sqrt())
    expected = out.amax(dim=(2, 3)) @ torch.from_numpy(weights["head.weight"]).T / 40
    torch.testing.assert_close(network(x), expected, rtol=1e-9, atol=1e-11)


def test_channels_of_zeros_for_the_quick_way_change_nothing():
    spec = CNNSpec(design="whitened", channels=(64, 32), pool_after=(1, 2))
    x = pictures(40, edge=16)
    whitened = create_torch(spec, first_weights(spec))
    whitened.whiten_patches(x)
    weights = {name: w.numpy() for name, w in whitened.state_dict().items()}
    found = []
    for dtype in ("float64", "float32"):  # in float64 there are none
        network = create_torch(spec, {n: w.astype(dtype) for n, w in weights.items()}).train()
        logits = network(x.to(getattr(torch, dtype)))
        logits.square().sum().backward()
        assert all(p.grad.isfinite().all() for p in network.parameters())
        found.append(logits.detach().double())
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-4 * float(found[0].abs().max()))


def test_the_states_names_and_order_are_those_of_the_first_weights():
    weights = first_weights()
    state = create_torch(TINY, weights).state_dict()
    assert list(state) == list(weights)
    assert all(np.array_equal(state[name].numpy(), w) for name, w in weights.items())


def test_the_filters_that_whiten_are_not_trained():
    network = create_torch(TINY, first_weights())
    assert "whiten.weight" not in dict(network.named_parameters())


def test_a_learner_of_no_rows_has_no_outputs_but_as_many_columns_as_classes():
    spec = TrainSpec(batch_size=4)
    x, y = np.zeros((4, 3, 8, 8), np.uint8), np.zeros(4, np.int64)
    one = np.ones((3, 1, 1))
    split, classes = Split(x, y), tuple("abcdefg")
    data = Dataset("d", split, split, classes, "pictures", "f", Standardization(one, one))
    arm = ArmSpec(data=DigitsSpec(), network=TINY, train=spec, engine="torch")
    learner = create_learner(arm, "torch", data, 0, "cpu")
    assert learner.outputs(x).shape == (4, 7)
    assert learner.outputs(x[:0]).shape == (0, 7)


def test_a_preset_by_name_is_the_network_that_its_values_make():
    text = """
    title = "t"
    [arm.a]
    data = { source = "digits" }
    network = { kind = "cnn", preset = "small" }
    train = { epochs = 1 }
    """
    spec = parse_study(text).arms["a"].network
    assert spec == CNNSpec(
        design="whitened", channels=(32, 32, 128, 128, 128, 128), pool_after=(1, 3, 5)
    )


def two_steps(device):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (64, 3, 16, 16)).astype(np.uint8)
    split = Split(x, rng.integers(0, 10, 64))
    scale = Standardization(np.full((3, 1, 1), 127.5), np.full((3, 1, 1), 74.0))
    data = Dataset("noise", split, split, tuple("abcdefghij"), "pictures", "f", scale)
    spec = TrainSpec.from_name("fast", epochs=1, batch_size=32, augment={"flip": True})
    arm = ArmSpec(data=DigitsSpec(), network=CNNSpec.from_name("small"), train=spec)
    learner = create_learner(arm, "torch", data, 0, device)
    losses = learner.fit(np.arange(64), 32, np.full(2, 0.24), 64)
    return losses, learner.outputs(x)


@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="no GPU on this machine")
def test_two_steps_on_a_gpu_are_those_of_the_cpu():
    # By default cuDNN rounds what it multiplies to 11 bits, of which Muon makes other steps.
    with torch.backends.cudnn.flags(allow_tf32=False):
        (cpu, outputs), (gpu, theirs) = two_steps("cpu"), two_steps("cuda")
    np.testing.assert_allclose(gpu, cpu, rtol=1e-3)
    np.testing.assert_allclose(theirs, outputs, atol=1e-3 * np.abs(outputs).max())


def test_the_same_steps_give_the_same_bits():
    (one, outputs), (two, again) = two_steps("cpu"), two_steps("cpu")
    assert np.array_equal(one, two)
    assert np.array_equal(outputs, again)
    assert np.isfinite(outputs).all()
