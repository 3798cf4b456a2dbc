"""What runs in the page: its own script, and the library that draws its charts anew."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from triptych.report.charts import PLOT, VEGA_LITE

# Told by an event, so that it does not matter when the library runs.
_READY = 'window.vegaEmbed = vegaEmbed; window.dispatchEvent(new Event("vega-ready"));'


@dataclass(frozen=True)
class Script:
    """One script of a page.

    Attributes
    ----------
    text : Markup
        As it stands between the tags.
    name : str, optional
        Of one that only stands there as text, until the page's own script runs it.
    """

    text: Markup
    name: str = ""

    @property
    def digest(self) -> str:
        """What a Content-Security-Policy lets in: the SHA-256 of just this text."""
        found = base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()
        return f"sha256-{found}"


def page_scripts(body: str) -> Sequence[Script]:
    """Return the scripts of a page with this body: the library only where a chart needs it."""
    own = Script(Markup(_inert(_read("page.js"))))
    return [Script(Markup(_inert(_library())), "vega"), own] if PLOT in body else [own]


def _read(name: str) -> str:
    return files("triptych.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    import vl_convert

    text: str = vl_convert.javascript_bundle(_READY, VEGA_LITE)
    # What it declares stays its own; its licences ask to be named wherever it goes.
    return f"/*!\n{_read('notices.txt')}*/\n(() => {{\n{text}\n}})();"


def _inert(text: str) -> str:
    r"""Return a script so written that no part of it can end its element, or be read otherwise.

    Examples
    --------
    >>> _inert("a = '</script><!--';")
    "a = '<\\/script><\\!--';"
    """
    for start in ("</script", "</SCRIPT", "<script", "<!--"):
        text = text.replace(start, start[0] + "\\" + start[1:])
    return text
