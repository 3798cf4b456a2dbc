"""What runs in the page is what its pictures are drawn by, and carries its licences."""

import base64
import gzip
import re

import vl_convert

from triptych.report.charts import PLOT, VEGA_LITE
from triptych.report.scripts import page_scripts


def library():
    return gzip.decompress(base64.b64decode(page_scripts(PLOT).library)).decode()


def test_the_library_is_of_the_versions_that_draw_the_pictures():
    versions = f"// Vega {vl_convert.get_vega_version()}, Vega-Lite {VEGA_LITE}"
    assert library().splitlines()[0] == versions, "python benchmarks/vega_bundle.py"


def test_no_script_ends_its_element_or_can_be_read_otherwise():
    own = page_scripts(PLOT).own
    assert not re.search("</script|<script|<!--|\r|\0", own, re.IGNORECASE)
    assert not re.search("\r|\0", library())


def test_the_licences_stand_in_the_page_as_a_comment():
    notices = page_scripts(PLOT).notices
    assert "--" not in notices
    assert "University of Washington Interactive Data Lab" in notices
    assert "Redistribution and use in source and binary forms" in notices


def test_a_page_without_charts_has_no_library():
    bare = page_scripts("<p>no chart</p>")
    assert (bare.library, bare.notices, len(bare.allowed)) == ("", "", 1)
