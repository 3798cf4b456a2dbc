"""A small study whose runs are kept: what tests of folders and their damage begin with."""

KEPT = """
title = "kept"
seeds = 2
[data]
source = "moons"
n_samples = 60
[arm.narrow]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 3, batch_size = 8, dtype = "float64" }
[arm.wide]
engine = "numpy"
network = { kind = "mlp", hidden = [9] }
train = { epochs = 3, batch_size = 8 }
[[claim]]
says = "Width helps."
test = "wide.test_accuracy > narrow.test_accuracy"
"""
