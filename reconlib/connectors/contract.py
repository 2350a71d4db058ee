"""What every connector is: one function that yields raw pages, one that turns them into canonical rows.

A connector is a row of ``reconlib.connectors.CONNECTORS``. It decides nothing about billing: it reads, and names fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from pydantic import SecretStr

from reconlib.period import Period


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a vendor, exactly as received, with the request that asked for it."""

    endpoint: str  # stable name inside the connector: "companies", "additions"
    request: str  # method, path and query, without host and secrets
    body: bytes
    context: Mapping[str, str] = field(default_factory=dict)  # what the body does not say: {"agreement_id": "12"}


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page read back from a snapshot; ``evidence(i)`` names its i-th record."""

    page: Page
    address: str  # "<source>/<snapshot id>/p00003"

    def evidence(self, record: int) -> str:
        """Where record ``record`` (0-based) of this page stands."""
        return f"{self.address}/r{record}"


@dataclass(frozen=True, slots=True)
class Row:
    """One canonical row: the table it belongs to and its values, ``source`` and ``evidence`` included."""

    table: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reject:
    """One vendor row that cannot be used: which field, what stood there, why."""

    column_name: str
    value: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Everything a fetch may know: where, as whom, for which month."""

    source: str
    base_url: str
    token_url: str
    credentials: Mapping[str, SecretStr]
    period: Period
    as_of: date
    path: str | None = None  # file connector
    profile: str | None = None  # file connector
    now: Callable[[], datetime] | None = None
    sleep: Callable[[float], None] | None = None


@dataclass(frozen=True, slots=True)
class Connector:
    """One vendor: its functions, its default addresses, the secrets it needs."""

    fetch: Callable[[Fetch], Iterator[Page]]
    normalize: Callable[[Iterator[StoredPage], str], Iterator[Row | Reject]]
    role: Literal["psa", "vendor", "file"]
    credential_fields: tuple[str, ...] = ()
    base_url: str = ""
    token_url: str = ""
