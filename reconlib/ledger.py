"""The ledger: who decided what, when, why and on which values, appended and never changed (DESIGN "Ledger", T127, T129).

Each event carries the hash of the one before it, so an altered, dropped or inserted event shows. A cut tail does not: that is what the head
hash printed in every signed report is for, and ``verify(heads=…)`` asks for it. SQLite (WAL) serves one machine, PostgreSQL a team; the law
is the same: one writer at a time, and triggers refuse update, delete and anything but the next number.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from reconlib.errors import DataError, SettingsError, nearest

KINDS = (
    "mapping_decided",
    "finding_decided",
    "run_finished",
    "preparer_signed",
    "reviewer_approved",
    "reopened",
    "change_planned",
    "change_verified",
)
BUSY_SECONDS = 30  # a writer waits this long for another one
_LOCK = 7_263_010  # PostgreSQL advisory lock of the ledger's writers

_META = sa.MetaData()
_EVENTS = sa.Table(
    "events",
    _META,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("book", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("values", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("prev", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.UniqueConstraint("book", "key"),
)
_SQLITE_LAW = (
    "CREATE TRIGGER IF NOT EXISTS events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    # INSERT OR REPLACE deletes without a delete trigger: only the next number may be written
    """CREATE TRIGGER IF NOT EXISTS events_next_only BEFORE INSERT ON events
       WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
)
_POSTGRES_LAW = (
    """CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF TG_OP = 'INSERT' THEN IF NEW.seq = (SELECT COALESCE(MAX(seq), 0) + 1 FROM events) THEN RETURN NEW; END IF; END IF;
       RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    "CREATE OR REPLACE TRIGGER events_rows BEFORE INSERT OR UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION events_append_only()",
    "CREATE OR REPLACE TRIGGER events_truncate BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``seq``, ``prev`` and ``hash`` are the ledger's; the rest is the writer's."""

    book: str
    period: str  # billing month, 2026-10
    kind: str  # one of KINDS
    subject: str  # what it is about: a finding id, relation/source/vendor id, a change id
    who: str
    at: str  # UTC, ISO 8601
    why: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)  # what it was decided on; texts, lists and mappings only
    key: str | None = None  # the same key again is the same event
    seq: int = 0
    prev: str = ""
    hash: str = ""


Check = Callable[[list[Event]], None]
"""Looks at the events of a book and raises where another one may not follow them."""


def utc_text(at: datetime) -> str:
    """A moment as the ledger writes it.

    Raises:
        DataError: a moment without a time zone, which could be any of 24 hours.

    Example:
        >>> utc_text(datetime(2026, 11, 3, 6, tzinfo=UTC))
        '2026-11-03T06:00:00Z'
    """
    if at.tzinfo is None:
        raise DataError(f"{at.isoformat()} has no time zone", where="ledger", hint="pass an aware UTC time")
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def canonical_json(value: object) -> str:
    """One text for one value: keys sorted, no spaces, quantities and days as text. Hashes stand on it.

    Raises:
        DataError: a binary float, or a type with no exact text.

    Example:
        >>> canonical_json({"b": Decimal("46.000"), "a": date(2026, 11, 1)})
        '{"a":"2026-11-01","b":"46"}'
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return format(value.normalize() if value else Decimal(0), "f")
        case datetime():
            return utc_text(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            raise DataError(f"{value!r} has no exact text", where="ledger", hint="use text, integers, decimals or days")


def standing_signature(events: Iterable[Event], book: str, period: str) -> Event | None:
    """The last signature on a month that no reopening took back; None while the month may still change (T129)."""
    kinds = ("preparer_signed", "reviewer_approved", "reopened")
    last = [event for event in events if (event.book, event.period) == (book, period) and event.kind in kinds][-1:]
    return last[0] if last and last[0].kind != "reopened" else None


def event_hash(event: Event) -> str:
    """Hash of everything an event says, the hash before it included."""
    said = {name: getattr(event, name) for name in Event.__slots__ if name != "hash"}
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


class Ledger:
    """An open ledger. Close it, or use it in a ``with``. Not to be shared across processes: each opens its own."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def append(self, event: Event, *, check: Check | None = None) -> Event:
        """The event as it now stands in the ledger; with a key seen before, the event that stands there already.

        Raises:
            DataError: an unknown kind, an empty name, or a text that cannot be stored.
        """
        return self.append_all([event], check=check)[0]

    def append_all(self, events: Iterable[Event], *, check: Check | None = None) -> list[Event]:
        """Several events in one transaction: all of them, or none.

        ``check`` gets the events of their book while no one else can write, and refuses by raising: what it saw is what they follow.

        Raises:
            DataError: see ``append``.
        """
        wanted = [_checked(event) for event in events]
        try:
            with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
                if self._engine.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                if check is not None:
                    for book in sorted({event.book for event in wanted}):
                        check(_read(connection, book=book))
                return [_append(connection, event) for event in wanted]
        except sa.exc.SQLAlchemyError as error:
            raise DataError("the event could not be written", where="ledger", hint=_cause(error)) from error

    def events(self, *, book: str | None = None, kind: str | None = None, period: str | None = None) -> list[Event]:
        """Events in the order they happened, of one book, kind or billing month where named."""
        with self._engine.connect() as connection:
            return _read(connection, book=book, kind=kind, period=period)

    def head(self) -> str:
        """Hash of the last event; empty while there is none. A signed report prints it."""
        with self._engine.connect() as connection:
            return _last(connection)[1]

    def verify(self, heads: Iterable[str] = ()) -> list[str]:
        """What is wrong with the chain, in words; empty when it is whole and holds every head a signed report printed."""
        faults = []
        number, prev, seen = 0, "", {""}
        for event in self.events():
            number += 1
            if event.seq != number:
                faults.append(f"event {number} is missing: {event.seq} follows")
                number = event.seq
            if event.prev != prev:
                faults.append(f"event {event.seq} does not follow the event before it")
            if event.hash != event_hash(event):
                faults.append(f"event {event.seq} was altered: its hash does not fit")
            prev = event.hash
            seen.add(event.hash)
        return faults + [f"the event with hash {head[:12]}… is gone: the end was cut" for head in heads if head not in seen]


def open_ledger(url: str, *, sleep: Callable[[float], None] = time.sleep) -> Ledger:
    """The ledger at a SQLAlchemy address; folder and tables are made where missing.

    Raises:
        SettingsError: neither SQLite nor PostgreSQL, driver not installed, or not reachable. Never shows the password.
    """
    try:
        address = sa.make_url(url)
        shown = address.render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        raise SettingsError("not a database address", where="ledger", hint="sqlite:///folder/ledger.sqlite") from None
    dialect = address.get_backend_name()
    if dialect not in ("sqlite", "postgresql"):
        raise SettingsError(f"{dialect!r} cannot hold a ledger", where="ledger", hint=nearest(dialect, ("sqlite", "postgresql")))
    if dialect == "sqlite" and address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    try:
        engine = sa.create_engine(address, **({"connect_args": {"timeout": BUSY_SECONDS}} if dialect == "sqlite" else {}))
        if dialect == "sqlite":
            sa.event.listen(engine, "connect", _own_transactions)
            sa.event.listen(engine, "begin", _begin)
            _write_ahead(engine, sleep)
        _create(engine)
    except ModuleNotFoundError as error:
        raise SettingsError(f"{error.name} is not installed", where="ledger", hint="pip install 'reconlib[postgres]'") from None
    except sa.exc.SQLAlchemyError as error:
        raise SettingsError(f"cannot open {shown}", where="ledger", hint=_cause(error)) from None
    return Ledger(engine)


def _own_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA synchronous = FULL")  # a signature survives a power cut


def _begin(connection: sa.Connection) -> None:
    # a writer takes its lock at once: read, then write, would let two take the same number
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _write_ahead(engine: sa.Engine, sleep: Callable[[float], None]) -> None:
    tries = 100
    raw = engine.raw_connection()
    try:
        while raw.cursor().execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
            except Exception:  # SQLite does not wait here when two open a new ledger at once
                tries -= 1
                if not tries:
                    raise
                sleep(0.1)
    finally:
        raw.close()


def _create(engine: sa.Engine) -> None:
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            if sa.inspect(connection).has_table("events"):
                return
        _META.create_all(connection)
        for statement in _POSTGRES_LAW if engine.dialect.name == "postgresql" else _SQLITE_LAW:
            connection.exec_driver_sql(statement)


def _read(connection: sa.Connection, **wanted: str | None) -> list[Event]:
    query = sa.select(_EVENTS).order_by(_EVENTS.c.seq)
    for name, value in wanted.items():
        if value is not None:
            query = query.where(_EVENTS.c[name] == str(value))
    return [_event(row) for row in connection.execute(query).mappings()]


def _append(connection: sa.Connection, event: Event) -> Event:
    if event.key is not None:
        query = sa.select(_EVENTS).where(_EVENTS.c.book == event.book, _EVENTS.c.key == event.key)
        if found := connection.execute(query).mappings().first():
            return _event(found)
    seq, prev = _last(connection)
    event = replace(event, seq=seq + 1, prev=prev, hash="")
    event = replace(event, hash=event_hash(event))
    row = {name: getattr(event, name) for name in Event.__slots__} | {"values": canonical_json(event.values)}
    connection.execute(sa.insert(_EVENTS), row)
    return event


def _last(connection: sa.Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(_EVENTS.c.seq, _EVENTS.c.hash).order_by(_EVENTS.c.seq.desc()).limit(1)).first()
    return (row[0], row[1]) if row else (0, "")


def _event(row: sa.RowMapping) -> Event:
    try:
        values = json.loads(row["values"])
    except ValueError:  # tampered; verify() says which event
        values = {"unreadable": row["values"]}
    return Event(**({str(name): value for name, value in row.items()} | {"values": values}))


def _checked(event: Event) -> Event:
    if event.kind not in KINDS:
        raise DataError(f"{event.kind!r} is no kind of event", where="ledger", hint=nearest(event.kind, KINDS))
    for name in ("book", "period", "subject", "who", "at"):
        if not getattr(event, name).strip():
            raise DataError(f"an event needs {name}", where="ledger", hint="nothing is recorded without it")
    for name in ("book", "period", "subject", "who", "at", "why", "key"):
        text = getattr(event, name) or ""
        if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise DataError(f"{name} holds a character that cannot be stored", where="ledger", hint="take it out")
    return replace(event, values=json.loads(canonical_json(event.values)))


def _cause(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    return (str(origin).strip().splitlines() or [type(origin).__name__])[0]
