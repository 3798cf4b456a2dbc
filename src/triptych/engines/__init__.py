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
from triptych.engines.custom import NONE, Maker, Makers, described
from triptych.engines.learners import (
    create_cnn,
    create_learner,
    create_mlp,
    create_orders,
    create_rnn,
    create_together,
)
from triptych.engines.memory import PeakMemory, process_peak
from triptych.engines.room import check_room, free_memory
from triptych.engines.stacking import SEEDS_AT_ONCE, can_train_together
from triptych.engines.threads import (
    cores,
    device_name,
    inherited,
    machine,
    threads_of_blas,
    threads_taken,
    torch_threads,
    use_threads,
)

__all__ = [
    "NONE",
    "SEEDS_AT_ONCE",
    "DataShape",
    "Maker",
    "Makers",
    "PeakMemory",
    "can_train_together",
    "check_room",
    "choose_cnn_engine",
    "choose_device",
    "choose_engine",
    "choose_mlp_engine",
    "choose_rnn_engine",
    "cores",
    "create_cnn",
    "create_learner",
    "create_mlp",
    "create_orders",
    "create_rnn",
    "create_together",
    "described",
    "device_name",
    "estimate",
    "free_memory",
    "inherited",
    "machine",
    "process_peak",
    "threads_of_blas",
    "threads_taken",
    "torch_threads",
    "use_threads",
]
