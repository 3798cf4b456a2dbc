"""The first 20 steps of each network are those that were written down."""

import json
import runpy
from pathlib import Path

import pytest

GOLDEN = runpy.run_path(str(Path(__file__).parent / "golden" / "golden.py"))


@pytest.mark.parametrize("name", GOLDEN["ARMS"])
def test_the_losses_are_those_written_down(name):
    written = json.loads(GOLDEN["FILE"].read_text())[name]
    # float64 in both; kernels of another machine sum in another order.
    assert GOLDEN["losses"](name) == pytest.approx(written, rel=1e-8)
