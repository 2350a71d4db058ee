"""Fields picked out of a vendor's records by dotted path: what is missing stops the source, what is unreadable rejects the row.

A required field that is absent means the vendor changed the shape, and reading on would count wrong: ShapeError. A field that is there but
cannot be read costs one row, which is returned as a Reject with its evidence. Numbers are exact, days are UTC days (T8).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from reconlib.connectors.contract import Reject, Row, StoredPage
from reconlib.errors import DataError, ShapeError, nearest
from reconlib.money import to_decimal

_ABSENT = object()
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ].+)?", re.ASCII)
# What firmware writes where no serial number was set: not a key (T61).
_NO_SERIAL = re.compile(
    r"(?i)to be filled.*|default.*|system serial number|not (specified|available|applicable)|none|null|n/?a|unknown|[0 .-]*"
)


class UnreadableError(DataError):
    """One field of one record cannot be read; becomes a Reject, or stops the source where the next question hangs on the field."""

    def __init__(self, column_name: str, value: object, reason: str, *, where: str = "") -> None:
        self.column_name, self.value, self.reason = column_name, str(value)[:200], reason
        super().__init__(f"{column_name} {reason}: {self.value!r}", where=where, hint="the source cannot be read on without it")


@dataclass(frozen=True, slots=True)
class Record:
    """One vendor record, and where it stands."""

    values: Mapping[str, Any]
    where: str  # "source psa, additions, record 3"
    evidence: str

    def text(self, path: str) -> str:
        """Required text or id."""
        value = _as_text(self._required(path), path, self.where)
        if value is None:
            raise UnreadableError(path, "", "is empty", where=self.where)
        return value

    def optional_text(self, path: str) -> str | None:
        """Text or id; null where omitted, null or blank."""
        return _as_text(self._find(path), path, self.where)

    def number(self, path: str) -> Decimal:
        """Required exact number."""
        return _as_number(self._required(path), path, self.where)

    def count(self, path: str) -> Decimal:
        """Required exact number, not below zero."""
        number = self.number(path)
        if number < 0:
            raise UnreadableError(path, number, "is negative", where=self.where)
        return number

    def optional_number(self, path: str) -> Decimal | None:
        """Exact number; null where omitted or null."""
        value = self._find(path)
        return None if value in (_ABSENT, None) else _as_number(value, path, self.where)

    def day(self, path: str) -> date | None:
        """UTC day of an ISO date or time; null where omitted or null."""
        value = self._find(path)
        if value in (_ABSENT, None, ""):
            return None
        try:
            return utc_day(str(value))
        except ValueError:
            raise UnreadableError(path, value, "is not an ISO date", where=self.where) from None

    def epoch_day(self, path: str) -> date | None:
        """UTC day of seconds since 1970; null where omitted, null or 0."""
        number = self.optional_number(path)
        if not number:
            return None
        if not 0 < number < 10**11:
            raise UnreadableError(path, number, "is not in seconds since 1970", where=self.where)
        return datetime.fromtimestamp(int(number), UTC).date()

    def flag(self, path: str, *, default: bool = False) -> bool:
        """True or false; the default where omitted or null."""
        value = self._find(path)
        if value in (_ABSENT, None):
            return default
        if not isinstance(value, bool):
            raise UnreadableError(path, value, "is not true or false", where=self.where)
        return value

    def serial(self, path: str) -> str | None:
        """Serial number; null where firmware filled in a placeholder (T61)."""
        text = self.optional_text(path)
        return None if text is None or _NO_SERIAL.fullmatch(text) else text

    def _find(self, path: str) -> Any:
        value: Any = self.values
        for key in path.split("."):
            if not isinstance(value, Mapping):
                return _ABSENT
            value = value.get(key, _ABSENT)
        return value

    def _required(self, path: str) -> Any:
        value = self._find(path)
        if value is _ABSENT:
            _missing(path, self.values, where=self.where)
        if value is None:
            raise UnreadableError(path, "null", "is empty", where=self.where)
        return value


def read_json(body: bytes, *, where: str) -> Any:
    """JSON of a body, numbers exact, every text one that can be stored.

    Raises:
        ShapeError: the body is cut or not JSON.
    """
    try:
        content = json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
        return whole_texts(content) if b"\\ud" in body.lower() else content
    except (ValueError, RecursionError):
        page = body.lstrip()[:1] == b"<"
        raise ShapeError(
            f"the answer of {len(body)} bytes is {'a web page' if page else 'cut or not JSON'}",
            where=where,
            hint="base_url may lead to a login page or a proxy" if page else "run again; if it stays, the vendor changed its answers",
        ) from None


def whole_texts(content: Any) -> Any:
    r"""The same content with half a surrogate pair shown as ``?``: JSON may hold one, and nothing stores it.

    Example:
        >>> whole_texts({"name": ["Birch \ud83d", "\U0001f98a"]})
        {'name': ['Birch ?', '🦊']}
    """
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode("utf-8")
    if isinstance(content, list):
        return [whole_texts(part) for part in content]
    if isinstance(content, dict):
        return {whole_texts(key): whole_texts(part) for key, part in content.items()}
    return content


def items(content: Any, key: str | None, *, source: str, endpoint: str) -> list[Mapping[str, Any]]:
    """Records of one answer: the list under ``key``, or the bare list where ``key`` is null.

    Raises:
        ShapeError: there is no such list, or something in it is not an object.
    """
    where = f"source {source}, {endpoint}"
    if key is not None:
        if not isinstance(content, Mapping):
            raise ShapeError(f"expected an object with {key!r}, got {_kind(content)}", where=where, hint="the vendor changed its answers")
        if key not in content:
            _missing(key, content, where=where)
        content = content[key]
    if not isinstance(content, list) or not all(isinstance(item, Mapping) for item in content):
        what = f"{key!r} to be a list of objects" if key else "a list of objects"
        raise ShapeError(f"expected {what}, got {_kind(content)}", where=where, hint="the vendor changed its answers")
    return content


def read_records(stored: StoredPage, key: str | None, source: str) -> Iterator[Record]:
    """Records of one stored page, each with its evidence.

    Raises:
        ShapeError: the page is not the list it should be.
    """
    endpoint = stored.page.endpoint
    content = read_json(stored.page.body, where=f"source {source}, {endpoint}")
    for index, values in enumerate(items(content, key, source=source, endpoint=endpoint)):
        yield Record(values, f"source {source}, {endpoint}, record {index} of page {stored.address}", stored.evidence(index))


def read_rows(records: Iterable[Record], normalize: Callable[[Record], Iterator[Row | Reject]]) -> Iterator[Row | Reject]:
    """Rows of each record; a record with an unreadable field gives one Reject instead of any row."""
    for record in records:
        try:
            rows = list(normalize(record))
        except UnreadableError as error:
            rows = [Reject(error.column_name, error.value, error.reason, record.evidence)]
        yield from rows


def utc_day(text: str) -> date:
    """UTC day of an ISO date or time, as ``utc_moment`` reads it.

    Raises:
        ValueError: it is none.

    Example:
        >>> utc_day("2026-10-31T23:30:00-05:00"), utc_day("2026-10-31 01:07:08 UTC")
        (datetime.date(2026, 11, 1), datetime.date(2026, 10, 31))
    """
    return utc_moment(text).date()


def utc_moment(text: str) -> datetime:
    """UTC moment of an ISO date or time; one without a zone is UTC (T8). A bare number is no date, however it could be cut into one.

    Raises:
        ValueError: it is none, or none in UTC.
    """
    bare = text.strip()
    if not _ISO.fullmatch(bare):
        raise ValueError(text)
    at = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", bare))
    try:
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except OverflowError:  # the last evening of year 9999 elsewhere
        raise ValueError(text) from None


def domain_of(address: str | None) -> str | None:
    """Host of a web site without ``www.``, lower case; null where it is none.

    Example:
        >>> domain_of("https://www.Birch.example/about"), domain_of("n/a")
        ('birch.example', None)
    """
    host = re.sub(r"^[a-z][a-z0-9+.-]*://", "", (address or "").strip().lower())
    host = re.split(r"[/?#:]", host)[0].rpartition("@")[2].removeprefix("www.").strip(".")
    return host if re.fullmatch(r"[^\s.]+(\.[^\s.]+)+", host) else None


def email_of(address: str | None) -> str | None:
    """The first mail address of a text, lower case; null where there is none.

    Example:
        >>> email_of("Accounts <AP@Birch.example>; boss@birch.example"), email_of("none")
        ('ap@birch.example', None)
    """
    found = re.search(r"[^\s<>;,@]+@[^\s<>;,@]+\.[^\s<>;,@]+", (address or "").lower())
    return found[0] if found else None


def joined(*parts: str | None) -> str | None:
    """The parts of an address that are there, as one text.

    Example:
        >>> joined("1 Quay St", None, "Denver", "CO"), joined(None)
        ('1 Quay St, Denver, CO', None)
    """
    return ", ".join(part for part in parts if part) or None


def _as_text(value: Any, path: str, where: str) -> str | None:
    if value in (_ABSENT, None):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise UnreadableError(path, value, f"is {_kind(value)}, not a text", where=where)
    return str(value).strip() or None


def _as_number(value: Any, path: str, where: str) -> Decimal:
    try:
        return to_decimal(value)
    except DataError as error:
        raise UnreadableError(path, value, error.what, where=where) from None


def _missing(path: str, values: Mapping[str, Any], *, where: str) -> NoReturn:
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in values or not isinstance(values[parent], Mapping):
            name = parent
            break
        values = values[parent]
    raise ShapeError(
        f"no field {path!r}; reading on would count wrong", where=where, hint=f"{nearest(name, values)}; the vendor changed its answers"
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
