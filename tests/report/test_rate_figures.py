"""The loss against the learning rate on the page."""

import math

from triptych.explain import learning_rates
from triptych.report.drawing import Explained
from triptych.report.rate_findings import draw_rates


def test_every_rate_is_drawn_and_the_one_that_was_taken_is_marked():
    finding = learning_rates((0.001, 0.01, 0.1), (0.5, 0.25, math.inf), 0.01)
    figure = draw_rates([Explained("<MLP>", "var(--c1)", finding)])
    rows = figure.groups[0].table.rows
    assert [heads for heads, _ in rows] == [("0.001",), ("0.01",), ("0.1",)]
    assert [cells[0].text for _, cells in rows] == ["0.500", "0.250", "diverged"]
    assert [cells[0].beneath for _, cells in rows] == ["", "taken", ""]
    assert "Taken: <MLP> 0.01." in figure.caption
    drawing = str(figure.groups[0].panels[0].drawing)
    assert "<svg" in drawing
    assert "<MLP>" not in drawing


def test_where_all_diverged_there_is_still_a_table():
    finding = learning_rates((0.1, 1.0), (math.inf, math.inf), 0.01)
    figure = draw_rates([Explained("MLP", "var(--c1)", finding)])
    assert [cells[0].text for _, cells in figure.groups[0].table.rows] == ["diverged"] * 2
