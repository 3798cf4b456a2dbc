"""The layout is what ARCHITECTURE.md says, imports flow one way, and start-up is fast."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "triptych"


def test_the_tree_in_the_architecture_page_is_the_tree_on_disk():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    drawn = set(re.findall(r"^  ([a-z_]+/|[a-z_]+\.py) ", text, re.MULTILINE))
    on_disk = {p.name for p in PACKAGE.glob("*.py")}
    on_disk |= {f"{p.name}/" for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    assert drawn == on_disk


def test_files_are_short_enough_to_be_a_concept():
    long = {
        p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300
    }
    assert long == {}


@pytest.mark.parametrize(
    "statement", ["import triptych", "import triptych.cli as c; c.build_parser()"]
)
def test_start_up_loads_nothing_heavy(statement):
    heavy = ["torch", "sklearn", "scipy", "numpy", "rich", "jinja2", "pooch", "vl_convert"]
    code = f"{statement}; import sys; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_a_report_needs_neither_torch_nor_scikit_learn(tmp_path):
    code = (
        "import sys; from triptych.runner import read_result; import triptych.report.tables\n"
        "print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
