"""The ledger keeps what was written, in order, and shows when somebody touched it."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
import sqlalchemy as sa

from reconlib.errors import DataError, SettingsError
from reconlib.ledger import Event, canonical_json, event_hash, open_ledger, standing_signature, utc_text


def event(subject="f1", **changes):
    made = Event("harbor", "2026-10", "finding_decided", subject, "ana", "2026-11-03T06:00:00Z", "agreed", {"billed": Decimal("44.000000")})
    return replace(made, **changes)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'new folder' / 'ledger.sqlite'}"


@pytest.fixture
def ledger(url):
    with open_ledger(url) as opened:
        yield opened


def test_an_event_comes_back_as_written_and_chained(ledger):
    assert ledger.head() == ""
    first, second = ledger.append(event()), ledger.append(event("f2"))
    assert (first.seq, first.prev, second.seq, second.prev) == (1, "", 2, first.hash)
    assert first.values == {"billed": "44"}
    assert ledger.events() == [first, second]
    assert ledger.head() == second.hash == event_hash(second)
    assert ledger.verify() == []


def test_events_are_filtered_by_book_kind_and_period(ledger):
    wanted = ledger.append(event())
    ledger.append(event(book="other"))
    ledger.append(event(kind="run_finished"))
    ledger.append(event(period="2026-11"))
    assert ledger.events(book="harbor", kind="finding_decided", period="2026-10") == [wanted]
    assert len(ledger.events(book="harbor")) == 3


def test_the_same_key_is_the_same_event_within_a_book(ledger):
    first = ledger.append(event(key="k"))
    assert ledger.append(event("another", key="k")) == first
    assert ledger.append(event(book="other", key="k")).seq == 2
    assert [one.subject for one in ledger.append_all([event(key="k"), event("f3", key="m"), event("f4", key="m")])] == ["f1", "f3", "f3"]
    assert len(ledger.events()) == 3


def test_several_events_are_written_all_or_none(ledger):
    with pytest.raises(DataError, match="'guessed' is no kind of event"):
        ledger.append_all([event(), event(kind="guessed")])
    assert ledger.events() == []


def test_reopening_keeps_everything(url):
    with open_ledger(url) as ledger:
        written = ledger.append(event())
    with open_ledger(url) as ledger:
        assert ledger.events() == [written]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET who = 'somebody else'",
        "DELETE FROM events",
        'INSERT INTO events SELECT 7, book, period, kind, subject, who, at, why, "values", NULL, prev, hash FROM events WHERE seq = 1',
    ],
)
def test_the_database_itself_refuses_to_rewrite(ledger, url, statement):
    ledger.append(event())
    engine = sa.create_engine(url)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
    assert ledger.verify() == []
    assert len(ledger.events()) == 1


def test_sqlite_refuses_insert_or_replace_too(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.append(event())
        connection = sqlite3.connect(path)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(
                "INSERT OR REPLACE INTO events SELECT seq, book, period, kind, subject, 'x', at, why, \"values\", key, prev, hash FROM events"
            )
        connection.close()


def test_postgres_refuses_truncate(postgres_url):
    with open_ledger(postgres_url) as ledger:
        ledger.append(event())
        engine = sa.create_engine(postgres_url)
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql("TRUNCATE events")
        engine.dispose()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE events SET who = 'bo' WHERE seq = 2", "event 2 was altered"),
        ('UPDATE events SET "values" = \'{"billed":"45"}\' WHERE seq = 2', "event 2 was altered"),
        ("UPDATE events SET \"values\" = 'no json' WHERE seq = 2", "event 2 was altered"),
        ("DELETE FROM events WHERE seq = 2", "event 2 is missing: 3 follows"),
        ("UPDATE events SET prev = 'x' WHERE seq = 3", "event 3 does not follow"),
    ],
)
def test_verify_names_what_was_tampered_with(tmp_path, change, fault):
    path = tmp_path / "ledger.sqlite"
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.append_all([event(f"f{number}") for number in range(3)])
        connection = sqlite3.connect(path)
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute(change)
        connection.commit()
        connection.close()
        assert any(fault in line for line in ledger.verify())


def test_a_cut_tail_shows_only_against_a_printed_head(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.append(event())
    shutil.copy(path, tmp_path / "cut.sqlite")
    with open_ledger(f"sqlite:///{path}") as ledger:
        head = ledger.append(event("f2")).hash
        assert ledger.verify([head]) == []
    with open_ledger(f"sqlite:///{tmp_path / 'cut.sqlite'}") as cut:
        assert cut.verify() == []
        assert cut.verify([head]) == [f"the event with hash {head[:12]}… is gone: the end was cut"]


def test_a_damaged_ledger_is_one_message(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.append_all([event(f"f{number}") for number in range(100)])
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"A" * (len(whole) - 4096))
    with open_ledger(f"sqlite:///{path}") as ledger:
        for read in (ledger.events, ledger.head, ledger.verify):
            with pytest.raises(DataError, match="ledger: cannot be read\nHint: database disk image is malformed; restore it from a backup"):
                read()
    path.write_bytes(b"no database at all")
    with pytest.raises(SettingsError, match=r"ledger: cannot open sqlite:///.*\nHint: file is not a database"):
        open_ledger(f"sqlite:///{path}")


@pytest.mark.parametrize("field", ["book", "period", "subject", "who", "at"])
def test_an_event_without_a_name_is_refused(tmp_path, field):
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger, pytest.raises(DataError, match=f"needs {field}"):
        ledger.append(event(**{field: " "}))


@pytest.mark.parametrize("text", ["nul \x00", "half \ud800"])
def test_text_no_database_can_hold_is_refused(ledger, text):
    with pytest.raises(DataError, match="why holds a character"):
        ledger.append(event(why=text))


def test_values_are_exact_or_refused(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        kept = ledger.append(
            event(values={"price": Decimal("0.10"), "day": date(2026, 11, 1), "more": [{"none": None}], "text": "é\ud800"})
        )
        assert kept.values == {"price": "0.1", "day": "2026-11-01", "more": [{"none": None}], "text": "é\ud800"}
        assert ledger.events() == [kept]
        with pytest.raises(DataError, match=r"0\.1 has no exact text"):
            ledger.append(event(values={"price": 0.1}))


def test_canonical_json_is_one_text_for_one_value():
    assert canonical_json({"b": Decimal("1E+2"), "a": Decimal("-0.00")}) == canonical_json({"a": Decimal(0), "b": Decimal(100)})
    assert canonical_json([Decimal("12345678901234567890123456789.123450"), Decimal("-0.50")]) == (
        '["12345678901234567890123456789.12345","-0.5"]'
    )


def test_times_are_utc_and_never_without_a_zone():
    assert utc_text(datetime(2026, 11, 3, 1, tzinfo=timezone(timedelta(hours=-5)))) == "2026-11-03T06:00:00Z"
    with pytest.raises(DataError, match="no time zone"):
        utc_text(datetime(2026, 11, 3, 1))  # noqa: DTZ001 - without a zone on purpose


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:secret@h/d", "'mysql' cannot hold a ledger"),
        ("no address", "not a database address"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/d?connect_timeout=2", "cannot open postgresql"),
    ],
)
def test_a_wrong_address_is_a_settings_error_without_the_password(url, says):
    if "psycopg" in url:
        pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    with pytest.raises(SettingsError, match=says) as caught:
        open_ledger(url)
    assert "secret" not in str(caught.value)


def test_a_signature_stands_until_the_month_is_reopened():
    signed, reopened = event(kind="preparer_signed"), event(kind="reopened")
    assert standing_signature([signed, event()], "harbor", "2026-10") == signed
    assert standing_signature([signed], "harbor", "2026-11") is None
    assert standing_signature([signed, reopened], "harbor", "2026-10") is None
    assert standing_signature([signed, reopened, signed], "harbor", "2026-10") == signed
