"""Where the ledger's events stand: one table that only grows, in SQLite or PostgreSQL.

Each event carries the hash of the one before it, so an altered, dropped or inserted event shows. A cut tail does not: that is what the head
hash printed in every signed report is for, and ``verify(heads=…)`` asks for it. SQLite (WAL) serves one machine, PostgreSQL a team; the law
is the same: one writer at a time, and triggers refuse update, delete and anything but the next number.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from reconlib.errors import DataError, SettingsError, nearest
from reconlib.ledger.events import Event, canonical_json, check_chain, event_hash, storable

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

Check = Callable[[list[Event]], None]
"""Looks at the events of a book and raises where another one may not follow them."""


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
        wanted = [storable(event) for event in events]
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
        """Events in the order they happened, of one book, kind or billing month where named.

        Raises:
            DataError: the ledger is damaged, or gone since it was opened.
        """
        with self._reading() as connection:
            return _read(connection, book=book, kind=kind, period=period)

    def head(self) -> str:
        """Hash of the last event; empty while there is none. A signed report prints it.

        Raises:
            DataError: the ledger is damaged, or gone since it was opened.
        """
        with self._reading() as connection:
            return _last(connection)[1]

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise DataError("cannot be read", where="ledger", hint=f"{_cause(error)}; restore it from a backup if it is damaged") from None

    def verify(self, heads: Iterable[str] = ()) -> list[str]:
        """What is wrong with the chain, in words; empty when it is whole and holds every head a signed report printed."""
        return check_chain(self.events(), heads)


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
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:  # SQLite's own while it looks at the file for the first time
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


def _cause(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    return (str(origin).strip().splitlines() or [type(origin).__name__])[0]
