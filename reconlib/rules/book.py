"""Every rule of a book, and how several files become one text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from reconlib.errors import SettingsError
from reconlib.rules.accounts import ProductOverride, TenantSplit
from reconlib.rules.counts import Bundle, Cloud, Count, Ignore, Qty, Rounded
from reconlib.rules.prices import Amount, Convention, Escalator, Outlier, Percent, PriceModel
from reconlib.settings import Strict, Text, read_yaml

Basis = Literal["count", "seat", "user", "device", "mailbox", "licence", "gb", "flat", "cloud", "none"]


class Tolerance(Strict):
    """A difference that counts as matched, in a state of its own (T121–T123); nothing by default (T122)."""

    units: Qty = Decimal(0)
    percent: Percent = Decimal(0)  # of the expected quantity (T121); the wider of the two holds
    side: Literal["both", "over", "under"] = "both"  # over: only what is billed too much is let pass


class ServiceRule(Strict):
    """How one service is counted and what should be billed for it."""

    basis: Basis = "count"  # what one unit is; flat: a fee; none: no vendor is connected (T1)
    used: list[Count] = Field(default_factory=list)
    purchased: list[Count] = Field(default_factory=list)
    once: bool = False  # a unit that several sources see counts once, by its unit_key (T62)
    expect: Literal["used", "purchased", "greater"] = "used"  # greater: the commitment is passed on (T86)
    period_offset: Literal[-1, 0] = 0  # -1: the vendor's count of the month before meets this month's invoice (T110)
    rounding: Rounded | None = None  # T47; null: fractions stay
    minimum: Qty | None = None  # T36
    maximum: Qty | None = None
    high_water_since: date | None = None  # never below the highest month since then (T37)
    pool: Qty | None = None  # units the MSP is committed to over all clients; what nobody uses is its own cost (T38)
    never_assigned: bool = False  # not assigned to anybody, such as server licences: idle ones are no waste (T54)
    included: Qty = Decimal(0)  # T39, on top of the lines' own
    bundle: Bundle | None = None
    cloud: Cloud | None = None  # billed by what the vendor charges, with a markup; its basis is cloud
    price: PriceModel | None = None  # null: quantity × the line's price
    escalator: Escalator | None = None
    tolerance: Tolerance | None = None  # null: the book's

    @field_validator("purchased")
    @classmethod
    def _only_units_have_fields(cls, counts: list[Count]) -> list[Count]:
        for count in counts:
            if count.where or count.unless or count.dedupe or count.stale_days is not None or count.take != "last_day":
                raise ValueError(
                    "a purchase has no class, serial, day or last-seen date: where, unless, dedupe, take and stale_days belong under used"
                )
        return counts

    @model_validator(mode="before")
    @classmethod
    def _cloud_is_a_basis(cls, content: object) -> object:
        return {"basis": "cloud", **content} if isinstance(content, dict) and content.get("cloud") is not None else content

    @model_validator(mode="after")
    def _cloud_has_no_count(self) -> ServiceRule:
        if (self.cloud is not None) != (self.basis == "cloud"):
            raise ValueError("cloud: basis: cloud and the cost it passes on belong together")
        if self.cloud is not None and (self.used or self.purchased or self.price):
            raise ValueError("cloud: what is billed by cost has no used, purchased or price")
        return self

    @model_validator(mode="after")
    def _not_below_the_minimum(self) -> ServiceRule:
        if self.minimum is not None and self.maximum is not None and self.maximum < self.minimum:
            raise ValueError(f"maximum: {self.maximum} lies below the minimum {self.minimum}")
        if self.price is not None and self.escalator is not None:
            raise ValueError("escalator: a price model states its own prices; raise those")
        if self.included and self.price is not None and self.price.included:
            raise ValueError("included: the price model's own included units and these would both be taken off; keep one")
        return self


class Override(Strict):
    """A contract exception of one client (T34, T35, T56, T57, T130)."""

    client: Text  # client id or code
    service: Text
    exclude_units: Qty = Decimal(0)
    count: Qty | None = None  # billed as so many, whatever is counted (T56)
    minimum: Qty | None = None
    maximum: Qty | None = None
    included: Qty | None = None
    ignore: bool = False  # no finding; its lines and records stay in view (T35)
    not_resold: bool = False  # the client buys it elsewhere: in use, never bought or billed by the MSP (T57)
    reason: Text
    review_by: date

    @model_validator(mode="after")
    def _not_below_the_minimum(self) -> Override:
        if self.minimum is not None and self.maximum is not None and self.maximum < self.minimum:
            raise ValueError(f"maximum: {self.maximum} lies below the minimum {self.minimum}")
        return self


class Expected(Strict):
    """Services a client must have once it has another: what a standard is sold with."""

    with_service: Text
    services: list[Text]
    reason: Text = "part of the standard"


class Together(Strict):
    """Services whose units should be the same devices: has one, lacks the other (T62)."""

    services: Annotated[list[Text], Field(min_length=2, max_length=2)]
    reason: Text = ""


class Unusual(Strict):
    """When a count is far enough from its own past to show: beyond both, against at least so many months that are known."""

    percent: Percent = Decimal(50)
    units: Qty = Decimal(5)
    months: Annotated[int, Field(ge=1, le=6)] = 3


class Rules(Strict):
    """Every rule of a book."""

    version: Literal[1]
    stale_days: Annotated[int, Field(ge=0)] = 30  # where a count does not say (T59)
    tolerance: Tolerance = Tolerance()
    price_outlier: Outlier | None = Outlier()  # null: never
    unusual: Unusual | None = Unusual()  # null: never
    proration: Convention = "inclusive"  # how the PSA charges part of a cycle (T104, T105)
    invoice_tolerance: Amount = Decimal("0.05")  # money a vendor invoice's lines may differ from its head, in its currency (T6)
    own_clients: list[Text] = Field(default_factory=list)  # the MSP itself, by id or code: its own cost, never billed (T55)
    ignore: list[Ignore] = Field(default_factory=list)
    tenant_splits: list[TenantSplit] = Field(default_factory=list)
    services: dict[Text, ServiceRule] = Field(default_factory=dict)
    overrides: list[Override] = Field(default_factory=list)
    product_overrides: list[ProductOverride] = Field(default_factory=list)
    expected: list[Expected] = Field(default_factory=list)
    together: list[Together] = Field(default_factory=list)
    _stands_in: dict[str, str] = PrivateAttr(default_factory=dict)  # key here -> file and key there

    def where(self, key: str) -> str:
        """File and key a rule stands under, for an error: ``services.EDR.used.0`` -> ``params/rules/default.yaml: services.EDR.used.0``."""
        parts = key.split(".")
        for end in range(len(parts), 0, -1):
            if found := self._stands_in.get(".".join(parts[:end])):
                return ".".join([found, *parts[end:]])
        return f"rules: {key}"

    def key_at(self, where: str) -> str | None:
        """The key an error's ``where`` is about, the other way round; null where it is about no rule."""
        for key, there in self._stands_in.items():
            if where == there or where.startswith(f"{there}."):
                return key + where.removeprefix(there)
        return where.removeprefix("rules: ") if where.startswith("rules: ") else None

    def without(self, key: str) -> Rules:
        """These rules without the one a key stands in: a service, or one of a list; the same where the key names neither."""
        name, _, rest = key.partition(".")
        if name == "services":
            code = next((code for code in sorted(self.services, key=len, reverse=True) if rest == code or rest.startswith(f"{code}.")), "")
            kept: object = {known: rule for known, rule in self.services.items() if known != code}
            moved = {f"services.{code}": ""} if code else {}
        elif name in _LISTS and rest.partition(".")[0].isdecimal():
            number, items = int(rest.partition(".")[0]), getattr(self, name)
            kept = [item for place, item in enumerate(items) if place != number]
            moved = {f"{name}.{place}": f"{name}.{place - 1}" if place > number else "" for place in range(number, len(items))}
        elif name == "own_clients":
            kept, moved = [], {}
        else:
            return self
        rules = self.model_copy(update={name: kept})
        stands = {moved.get(known, known): there for known, there in self._stands_in.items()}
        rules._stands_in = {known: there for known, there in stands.items() if known}  # noqa: SLF001 - its own
        return rules


_LISTS = ("ignore", "tenant_splits", "overrides", "product_overrides", "expected", "together")
_ONCE = ("stale_days", "tolerance", "price_outlier", "unusual", "proration", "invoice_tolerance")  # of the whole book


def read_rules(paths: Iterable[str | Path]) -> Rules:
    """Rules of a book: several files are one text, no service ruled twice; what one file says of the whole book holds for all.

    Raises:
        SettingsError: a file or key is wrong, or two files rule the same service or say the same of the whole book.
    """
    services: dict[str, ServiceRule] = {}
    lists: dict[str, list[object]] = {name: [] for name in _LISTS}
    own: list[str] = []
    once: dict[str, object] = {}
    stands_in: dict[str, str] = {}
    for path in paths:
        rules = read_yaml(path, Rules)
        for code in rules.services:
            _claim(stands_in, path, f"services.{code}", f"service {code!r} is ruled")
        services |= rules.services
        for name in _ONCE:
            if name in rules.model_fields_set:
                _claim(stands_in, path, name, f"{name} stands")
                once[name] = getattr(rules, name)
        for name, items in lists.items():
            for number, item in enumerate(getattr(rules, name)):
                stands_in[f"{name}.{len(items)}"] = f"{path}: {name}.{number}"
                items.append(item)
        if rules.own_clients:
            own += rules.own_clients
            stands_in["own_clients"] = f"{path}: own_clients"
    rules = Rules(version=1).model_copy(update={"services": services, "own_clients": own, **once, **lists})
    rules._stands_in = stands_in  # noqa: SLF001 - its own
    return rules


def _claim(stands_in: dict[str, str], path: str | Path, key: str, what: str) -> None:
    """Notes where a key stands, which may be in one file only."""
    if key in stands_in:
        raise SettingsError(f"{what} in two files", where=f"{path}: {key}", hint=f"keep one; the other is {stands_in[key]}")
    stands_in[key] = f"{path}: {key}"
