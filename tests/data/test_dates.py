"""Dates of ISO 8601 become days and points on circles; what is no date is told."""

import numpy as np
import pytest

from triptych.data import load, read_prepared
from triptych.data.dates import cycles, day_of, days_of, iso
from triptych.errors import DataError
from triptych.spec import TableSpec


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("1970-01-01", 0.0),
        (" 1970-01-02 ", 1.0),
        ("1969-12-31", -1.0),
        ("2024-02-29", 19782.0),
        ("1970-01-01T12:00", 0.5),
        ("1970-01-01 18:00:00", 0.75),
        ("1970-01-01T00:00:00.5", 0.5 / 86400),
        ("1970-01-02T00:00Z", 1.0),
        ("1970-01-02T00:00+06:00", 0.75),
        ("1970-01-02T00:00-0600", 1.25),
        ("0001-01-01", -719162.0),
        ("2023-02-29", None),
        ("2024-13-01", None),
        ("2024-1-1", None),
        ("20240101", None),
        ("2024-W01-1", None),
        ("2024-01", None),
        ("01.02.2024", None),
        ("٢٣٤٥-٢٣-٢٣", None),
        ("2024-01-01T25:00", None),
        ("0001-01-01T00:00+06:00", None),
        ("10:30", None),
        ("", None),
    ],
)
def test_a_date_is_days_from_1970(cell, day):
    assert day_of(cell) == (None if day is None else pytest.approx(day, abs=1e-12))


@pytest.mark.parametrize("text", ["2024-02-29", "1912-06-23", "2024-02-29 13:30:00"])
def test_days_are_written_as_the_date_they_came_from(text):
    assert iso(day_of(text)) == text


@pytest.mark.parametrize("day", [1e9, -1e9, 1e300])
def test_days_beyond_the_calendar_are_told_as_days(day):
    assert iso(day) == f"{day:g} days from 1970"


def test_days_of_moments_are_those_of_their_dates():
    moments = np.array(["2024-02-29T06:00", "NaT", "1969-12-31"], "M8[s]")
    assert days_of(moments)[[0, 2]].tolist() == [19782.25, -1]
    assert np.isnan(days_of(moments)[1])


def test_months_weekdays_and_times_are_points_on_circles():
    days = np.array([day_of(f"2024-{month:02}-15") for month in range(1, 13)])
    points = cycles(days, timed=False)
    assert points.shape == (12, 4)
    turns = np.arctan2(points[:, 0], points[:, 1]) / (2 * np.pi) % 1
    assert turns * 12 == pytest.approx(np.arange(12))
    # The 15th of July 2024 was a Monday.
    assert points[6, 2:].tolist() == [0, 1]
    assert np.hypot(points[:, 2], points[:, 3]) == pytest.approx(1)
    noon = cycles(np.array([0.5, np.nan]), timed=True)
    assert noon[0, 4:] == pytest.approx([0, -1], abs=1e-12)
    assert noon[1].tolist() == [0] * 6


@pytest.fixture
def table(tmp_path):
    def make(days, **settings):
        path = tmp_path / "x.csv"
        rows = [f"{day},{k},{k % 2}" for k, day in enumerate(days)]
        path.write_text("\n".join(["day,a,y", *rows]) + "\n")
        return load(TableSpec(path=str(path), target="y", **settings), 0)

    return make


def test_a_column_of_dates_becomes_inputs(table):
    data = table([f"2024-{k % 12 + 1:02}-{k % 28 + 1:02}" for k in range(60)])
    assert data.features[:5] == tuple(
        ("day", part) for part in ("days", "month (sin)", "month (cos)", "weekday (sin)",
                                   "weekday (cos)")
    )  # fmt: skip
    assert data.train.x[:, 0].mean() == pytest.approx(0, abs=1e-12)
    assert data.train.x[:, 0].std() == pytest.approx(1)
    assert (
        "'day' holds dates, 2024-01-01 to 2024-12-24: days, standardised, and month and weekday as "
        "points on circles" in data.notes[0]
    )


def test_times_of_day_are_inputs_where_there_are_any(table):
    data = table([f"2024-01-{k % 28 + 1:02}T{k % 24:02}:30" for k in range(60)])
    assert data.features[5:7] == (("day", "time (sin)"), ("day", "time (cos)"))
    assert "month, weekday and time of day" in data.notes[0]


def test_dates_may_be_missing_as_numbers_may(table, tmp_path):
    days = [f"2024-01-{k % 28 + 1:02}" for k in range(40)]
    days[3], days[5] = "", "NA"
    with pytest.raises(DataError, match="2 cells are empty"):
        table(days)
    data = table(days, missing="fill", duplicates="anywhere")
    x = np.concatenate([data.train.x, data.test.x])
    assert np.isfinite(x).all()
    assert (~x[:, 1:5].any(axis=1)).sum() == 2
    (tmp_path / "z.csv").write_text("a,day\n1,2031-05-06\n2,\n")
    (part,) = read_prepared(data.preparation, tmp_path / "z.csv")
    assert part.x[0, 0] > 10
    assert part.x[1, 1:5].tolist() == [0] * 4


def test_a_slip_among_dates_is_told_by_its_place(table):
    days = [f"2024-01-{k % 28 + 1:02}" for k in range(40)]
    days[20] = "2024-02-30"
    with pytest.raises(
        DataError,
        match=r"^x\.csv line 22 column 'day': '2024-02-30' is no date, .* 39 of 40 cells .* text =",
    ):
        table(days)
    assert table(days, text=["day"]).features[0][0] == "day"


def test_a_date_among_texts_is_a_text(table):
    assert table(["soon", "later", "2024-01-01"] * 10).features[0] == ("day", "2024-01-01")


def test_dates_are_not_told_but_as_classes(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,y\n" + "".join(f"{k},2024-01-{k % 2 + 1:02}\n" for k in range(20)))
    with pytest.raises(
        DataError, match=r"target 'y' holds dates, .* text = \[\.\.\.\] \(--text\) to take"
    ):
        load(TableSpec(path=str(path), target="y"), 0)
    data = load(TableSpec(path=str(path), target="y", text=("y",)), 0)
    assert data.classes == ("2024-01-01", "2024-01-02")
