"""What runs in the page: its own script, and the library that draws its charts anew."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from triptych.report.charts import PLOT


@dataclass(frozen=True)
class Scripts:
    """What a page holds of scripts.

    Attributes
    ----------
    own : Markup
        The page's own, as it stands between its tags.
    library : Markup
        What its own unpacks and runs when a chart is asked for: gzip, base64. Empty where nothing
        needs it.
    notices : Markup
        The licences of that.
    allowed : tuple of str
        What a Content-Security-Policy lets in: the SHA-256 of just these texts.
    """

    own: Markup
    library: Markup
    notices: Markup
    allowed: tuple[str, ...]


def page_scripts(body: str) -> Scripts:
    """Return the scripts of a page with this body: the library only where a chart needs it."""
    own = _file("page.js").decode()
    if PLOT not in body:
        return Scripts(Markup(own), Markup(), Markup(), (_digest(own),))
    packed, text = _library()
    notices = Markup(_file("notices.txt").decode())
    return Scripts(Markup(own), packed, notices, (_digest(own), _digest(text)))


@cache
def _library() -> tuple[Markup, str]:
    """Return it packed, a third as large, and as the text that is run."""
    packed = _file("vega.js.gz")
    return Markup(base64.b64encode(packed).decode()), gzip.decompress(packed).decode()


def _file(name: str) -> bytes:
    return files("triptych.report").joinpath(name).read_bytes()


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
