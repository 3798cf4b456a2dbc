"""Small studies for the fault harness: every engine and architecture, early stopping, growth."""

import re

_HEAD = """
title = "{name}"
seeds = {seeds}
{data}
[[claim]]
says = "It learns."
test = "a.test_accuracy > 0.1"
[arm.a]
engine = "{engine}"
{arm}
"""
_MOONS = '[data]\nsource = "moons"\nn_samples = 40'
_DIGITS = '[data]\nsource = "digits"\ntrain_limit = 40\ntest_limit = 20'
_STRINGS = (
    '[data]\nsource = "palindromes"\nlength = 7\nshortest = 3\ntrain_size = 60\ntest_size = 20\n'
    "probes = [9]\nprobe_size = 10"
)
_ADAM = 'optimizer = { name = "adam", lr = 0.02 }'
_MLP = """
network = { kind = "mlp", hidden = [5], dropout = 0.2 }
[arm.a.train]
epochs = 9
batch_size = 8
patience = 2
validation = 0.3
schedule = { name = "cosine" }
optimizer = { name = "adam", lr = 0.3 }
"""
_LANES = """
network = { kind = "mlp", hidden = [5] }
[arm.a.train]
epochs = 3
batch_size = 1
patience = 1
validation = 0.3
optimizer = { lr = 0.3 }
"""
_CNN = f"""
network = {{ kind = "cnn", channels = [4, 4], pool_after = [1] }}
[arm.a.train]
epochs = 3
eval_every = 2
batch_size = 15
{_ADAM}
"""
_VARIED = """
network = { kind = "cnn", design = "whitened", channels = [8, 8], pool_after = [1] }
[arm.a.train]
epochs = 3
batch_size = 15
label_smoothing = 0.1
views = true
resolutions = [0.75, 1.0, 1.0]
augment = { flip = true, translate = 1, cutout = 2 }
optimizer = { name = "muon", lr = 0.1 }
"""
_RNN = f"""
network = {{ kind = "rnn", hidden = 6 }}
[arm.a.train]
epochs = 3
batch_size = 10
clip_norm = 5.0
growth = {{ stages = 3, every = 4, gate = 2.4 }}
{_ADAM}
"""


def _study(name: str, data: str, engine: str, arm: str, seeds: int = 2) -> str:
    return _HEAD.format(name=name, data=data, engine=engine, arm=arm, seeds=seeds)


STUDIES = {
    name: _study(name, *parts)
    for name, parts in {
        "mlp-numpy": (_MOONS, "numpy", _MLP),
        "mlp-compiled": (_MOONS, "compiled", _MLP, 3),
        "lanes-compiled": (_MOONS, "compiled", _LANES, 3),
        "mlp-torch": (_MOONS, "torch", _MLP),
        "cnn-numpy": (_DIGITS, "numpy", _CNN),
        "cnn-torch": (_DIGITS, "torch", _CNN),
        "cnn-varied": (_DIGITS, "torch", _VARIED),
        "rnn-numpy": (_STRINGS, "numpy", _RNN),
        "rnn-compiled": (_STRINGS, "compiled", _RNN),
        "rnn-torch": (_STRINGS, "torch", _RNN),
    }.items()
}


def former(text: str) -> str:
    """Return a study of other settings, whose runs are none of those of `text`."""
    return re.sub(r"epochs = \d+", "epochs = 1", text)


TWO_JOBS = """
title = "two jobs"
seeds = 2
[data]
source = "moons"
n_samples = 60
[arm.numpy]
engine = "numpy"
network = { kind = "mlp", hidden = [5], dropout = 0.1 }
train = { epochs = 1000, batch_size = 8, eval_every = 50 }
[arm.torch]
engine = "torch"
network = { kind = "mlp", hidden = [5], activation = "logistic" }
train = { epochs = 400, batch_size = 8, eval_every = 50 }
"""
