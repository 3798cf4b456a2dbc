"""Every example of docs/python.md is run, in its order; every public name says what it is."""

import doctest
import inspect
import pydoc
import re
from pathlib import Path

import pytest

import triptych

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks():
    text = PAGE.read_text("utf-8")
    for found in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        yield found.group(1), text[: found.start()].count("\n") + 1


@pytest.mark.usefixtures("one_thread")
def test_every_example_on_the_python_page_gives_what_it_says(tmp_path, monkeypatch):
    pytest.importorskip("sklearn.callback", reason="the page shows scikit-learn 1.9's callbacks")
    monkeypatch.chdir(tmp_path)
    parser, names, said, count = doctest.DocTestParser(), {"__name__": "page"}, [], 0
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for number, (block, line) in enumerate(blocks()):
        test = parser.get_doctest(block, {}, f"python.md-{number}", str(PAGE), line)
        test.globs = names
        runner.run(test, out=said.append, clear_globs=False)
        count += len(test.examples)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    assert count > 60


def public_methods(cls):
    for name, value in inspect.getmembers(cls, callable):
        home = getattr(inspect.unwrap(value), "__module__", None) or ""
        if not name.startswith("_") and home.startswith("triptych"):
            yield name, value


@pytest.mark.parametrize("name", triptych.__all__)
def test_a_public_name_says_what_it_is(name):
    found = getattr(triptych, name)
    text = inspect.getdoc(found) or ""
    first = text.partition("\n")[0]
    assert first.endswith("."), first
    assert "Parameters\n" in text or "Attributes\n" in text
    if inspect.isclass(found):
        for method, value in public_methods(found):
            assert inspect.getdoc(value), f"{name}.{method}"
    else:
        for parameter in inspect.signature(found).parameters:
            assert re.search(rf"\b{parameter}\b", text), parameter


def test_the_help_of_the_package_names_them_all():
    text = pydoc.render_doc(triptych, renderer=pydoc.plaintext)
    assert all(name in text for name in triptych.__all__)
    summary = inspect.getdoc(triptych)
    assert all(f"`{name}`" in summary for name in triptych.__all__)
