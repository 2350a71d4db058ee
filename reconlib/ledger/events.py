"""What an event is and says: who decided what, when, why and on which values, and the hash that chains it to the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from reconlib.errors import DataError, nearest

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
            text = format(value, "f") if value else "0"  # normalize() would round to 28 digits
            return text.rstrip("0").rstrip(".") if "." in text else text
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


def storable(event: Event) -> Event:
    """The event as it can be stored: its values as the texts the hash stands on.

    Raises:
        DataError: an unknown kind, an empty name, or a text that cannot be stored.
    """
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


def check_chain(events: Iterable[Event], heads: Iterable[str] = ()) -> list[str]:
    """What is wrong with a ledger's events, in words; empty when the chain is whole and holds every head a signed report printed."""
    faults = []
    number, prev, seen = 0, "", {""}
    for event in events:
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
