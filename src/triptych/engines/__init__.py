"""Which engine and device compute a network, and the learner they make of it."""

from triptych.engines.choice import (
    DataShape,
    choose_cnn_engine,
    choose_device,
    choose_engine,
    choose_mlp_engine,
    choose_rnn_engine,
    estimate,
)
from triptych.engines.learners import (
    create_cnn,
    create_learner,
    create_mlp,
    create_orders,
    create_rnn,
)
from triptych.engines.threads import device_name, machine, torch_threads, use_threads

__all__ = [
    "DataShape",
    "choose_cnn_engine",
    "choose_device",
    "choose_engine",
    "choose_mlp_engine",
    "choose_rnn_engine",
    "create_cnn",
    "create_learner",
    "create_mlp",
    "create_orders",
    "create_rnn",
    "device_name",
    "estimate",
    "machine",
    "torch_threads",
    "use_threads",
]
