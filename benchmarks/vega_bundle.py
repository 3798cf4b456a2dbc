"""Bundle what draws the page's charts anew, as vl-convert carries it.

    python benchmarks/vega_bundle.py

Writes src/triptych/report/vega.js.gz. It is kept, because bundling takes four to ten seconds and a
page less than three; tests/report/test_scripts.py says when it has to be written again.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import vl_convert

from triptych.report.charts import VEGA_LITE

FILE = Path(__file__).parent.parent / "src" / "triptych" / "report" / "vega.js.gz"
# Told by an event, so that it does not matter when the library runs.
_READY = 'window.vegaEmbed = vegaEmbed; window.dispatchEvent(new Event("vega-ready"));'


def bundled() -> bytes:
    """Return the script, compressed: the same bytes for the same versions."""
    text = vl_convert.javascript_bundle(_READY, VEGA_LITE)
    # The first line is compared with what pictures are drawn by; what is declared stays its own.
    versions = f"// Vega {vl_convert.get_vega_version()}, Vega-Lite {VEGA_LITE}"
    return gzip.compress(f"{versions}\n(() => {{\n{text}\n}})();\n".encode(), 9, mtime=0)


if __name__ == "__main__":
    FILE.write_bytes(bundled())
    print(f"{FILE}: {FILE.stat().st_size / 1000:.0f} kB")
