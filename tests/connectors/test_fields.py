"""Fields of a vendor's records: what is a day, and what a fault says of the place it stands."""

from __future__ import annotations

from datetime import date

import pytest

from reconlib.connectors.fields import Record, UnreadableError, utc_day


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-10-31", date(2026, 10, 31)),
        ("2026-10-31T00:00:00", date(2026, 10, 31)),
        ("2026-10-31T23:30:00-05:00", date(2026, 11, 1)),
        ("2026-11-01T00:30:00.000+0100", date(2026, 10, 31)),
        ("2026-10-31 23:07:08 UTC", date(2026, 10, 31)),
        ("2026-10-31T23:59:59.9999999Z", date(2026, 10, 31)),
    ],
)
def test_t8_a_day_is_the_utc_day(written, day):
    assert utc_day(written) == day


@pytest.mark.parametrize("written", ["20261031", "1710123112345", "2026-W10", "2026-02-31", "10/31/2026", "9999-12-31T23:59:59-05:00", ""])
def test_t8_what_only_looks_like_a_day_is_none(written):
    with pytest.raises(ValueError, match=r".*"):
        utc_day(written)


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (lambda r: r.text("id"), {"id": None}),
        (lambda r: r.text("id"), {"id": " "}),
        (lambda r: r.text("id"), {"id": 1.5}),
        (lambda r: r.number("id"), {"id": "many"}),
        (lambda r: r.count("id"), {"id": -1}),
        (lambda r: r.day("id"), {"id": 20261031}),
        (lambda r: r.epoch_day("id"), {"id": 1793491200000}),
        (lambda r: r.flag("id"), {"id": "yes"}),
    ],
)
def test_a_fault_that_stops_a_source_says_where_it_stands(read, values):
    with pytest.raises(UnreadableError, match="source v, contracts, record 3: id "):
        read(Record(values, "source v, contracts, record 3", ""))
