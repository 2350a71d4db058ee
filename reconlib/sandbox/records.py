"""The rows of the made-up MSP before any vendor gives them its shape. Ids never change between months."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

# How an account finds its client: by an id or its name alone, by the analyst's answer, set aside on purpose, never, or nothing is on it.
MappedBy = Literal["id", "name", "answer", "exclude", "unmapped", "empty"]


@dataclass(frozen=True, slots=True)
class Company:
    """One company of the PSA."""

    id: int
    code: str
    name: str
    website: str
    status: str = "Active"
    types: tuple[str, ...] = ("Client",)
    deleted: bool = False
    currency: str = ""  # "" is omitted, as live


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement of the PSA."""

    id: int
    company_id: int
    name: str
    type: str
    start: date
    cycle: str = "Monthly"  # "" is omitted
    end: date | None = None
    cancelled: date | None = None
    status: str = "Active"
    parent_id: int | None = None
    currency: str = ""
    prorates: bool = True


@dataclass(frozen=True, slots=True)
class Addition:
    """One line of an agreement."""

    id: int
    agreement_id: int
    service_id: int
    code: str
    description: str
    quantity: int
    price: Decimal
    cost: Decimal | None
    effective: date
    included: int = 0
    cancelled: date | None = None
    bill: str = "Billable"


@dataclass(frozen=True, slots=True)
class Account:
    """One customer account at one vendor, and whose it really is."""

    source: str
    id: str
    name: str
    domain: str
    mapping: MappedBy
    client_id: int | None  # None: nobody's
    code: str = ""  # PSA identifier of that client
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription at the distributor; price and cost for one billing term."""

    id: str
    company: str
    product_id: str
    product_name: str
    vendor_sku: str
    quantity: int
    price: Decimal
    cost: Decimal
    currency: str
    billing: str
    commitment: str | None
    start: date
    end: date | None
    status: str = "Active"


@dataclass(frozen=True, slots=True)
class Sku:
    """One Microsoft licence of one tenant."""

    tenant: str
    sku_id: str
    part_number: str
    consumed: int
    enabled: int


@dataclass(frozen=True, slots=True)
class Device:
    """One device at the RMM vendor."""

    id: int
    organization: int
    node_class: str
    name: str
    serial: str | None
    created: datetime
    last_contact: datetime
    approved: bool = True
    in_milliseconds: bool = False  # its times are not in seconds, as the vendor says they are: the row cannot be read


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent at the security vendor."""

    id: int
    organization: int
    hostname: str
    serial: str | None
    created: datetime
    last_callback: datetime


@dataclass(frozen=True, slots=True)
class SecurityCounts:
    """What the security vendor bills per organisation beside agents."""

    organization: int
    identities: int
    learners: int
