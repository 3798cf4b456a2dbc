"""Every case of docs/faults.md has a test that makes it happen."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "faults.md"


def _marked() -> set[int]:
    """Return the numbers of all marks `pytest.mark.fault(NUMBER)` in the tests."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                found |= {ast.literal_eval(argument) for argument in node.args}
    return found


def test_every_case_has_a_test_and_every_mark_a_case():
    written = {int(n) for n in re.findall(r"^\| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)}
    assert len(written) == 45
    assert _marked() == written
