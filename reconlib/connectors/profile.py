"""What an import profile may say about one kind of export: its table, its columns, its numbers and dates (T5, T9–T12).

A profile is a YAML file people write once per export and keep; ``params/profiles/README.md`` shows every key.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from reconlib.errors import nearest
from reconlib.settings import Strict, Text, read_yaml

Kind = Literal["text", "number", "date", "cycle", "billable", "currency", "period"]
Table = Literal["agreement_lines", "usage", "purchases"]


@dataclass(frozen=True, slots=True)
class Target:
    """One thing a column can be: how its cells are read, and whether a row needs it."""

    kind: Kind
    about: str
    need: bool = False  # a row without it is rejected


_CONTACT = {
    "email": Target("text", "mail address of the company"),
    "phone": Target("text", "main number"),
    "address": Target("text", "street, city and postcode, in one column"),
}
_ACCOUNT = {
    "account": Target("text", "customer as this vendor names it", need=True),
    "account_id": Target("text", "the vendor's id of it; without: the name"),
    "external_id": Target("text", "PSA id or code the vendor carries; maps by itself"),
    "domain": Target("text", "web or mail domain"),
    **_CONTACT,
    "tenant_id": Target("text", "Microsoft tenant GUID: the same tenant elsewhere maps by itself"),
    "account_status": Target("text", "the vendor's word"),
    "product": Target("text", "product as this vendor names it", need=True),
    "product_id": Target("text", "the vendor's id of it; without: the name"),
    "sku": Target("text", "part number; maps by itself when one service carries it"),
}
_PERIOD = {"period": Target("period", "billing month of the row; another month stops the import (T2)")}

TARGETS: dict[Table, dict[str, Target]] = {
    "agreement_lines": {
        "client": Target("text", "client as the PSA names it", need=True),
        "client_id": Target("text", "the PSA's id of it; without: the name"),
        "client_code": Target("text", "short identifier"),
        "domain": Target("text", "web or mail domain"),
        **_CONTACT,
        "client_status": Target("text", "the PSA's word"),
        "service": Target("text", "catalogue product billed", need=True),
        "service_id": Target("text", "the PSA's id of it; without: the code, else the name"),
        "service_code": Target("text", "catalogue identifier; rules name services by it"),
        "vendor_sku": Target("text", "part number the catalogue carries"),
        "list_price": Target("number", "catalogue price a unit"),
        "list_cost": Target("number", "catalogue cost a unit"),
        "agreement": Target("text", "agreement name; without: one agreement a client"),
        "agreement_id": Target("text", "the PSA's id of it; without: client and name"),
        "agreement_type": Target("text", "the PSA's type"),
        "agreement_status": Target("text", "the PSA's word; without: Active"),
        "parent_agreement_id": Target("text", "parent of a child agreement"),
        "start_date": Target("date", "first day of the agreement"),
        "end_date": Target("date", "last day of the agreement"),
        "agreement_cancelled_date": Target("date", "day the agreement was cancelled"),
        "cycle": Target("cycle", "billing cycle: Monthly, Quarterly, Annual, One Time …", need=True),
        "currency": Target("currency", "ISO 4217"),
        "agreement_line_id": Target("text", "the PSA's id of the line; without: file and row"),
        "description": Target("text", "text on the line"),
        "quantity": Target("number", "units on the line", need=True),
        "included": Target("number", "units included and not billed; blank: 0"),
        "unit_price": Target("number", "price a unit and cycle"),
        "unit_cost": Target("number", "cost a unit and cycle"),
        "billable": Target("billable", "Billable, Do Not Bill or No Charge (Yes and No do); blank: billable"),
        "effective_date": Target("date", "first day billed"),
        "cancelled_date": Target("date", "first day no longer billed"),
        **_PERIOD,
    },
    "usage": {
        **_ACCOUNT,
        "usage_record_id": Target("text", "unique id of the record; without: file and row"),
        "quantity": Target("number", "units; no such column: every row is one unit"),
        "unit_name": Target("text", "device or user name"),
        "unit_key": Target("text", "serial number: the same unit twice counts once where a rule says so"),
        "unit_class": Target("text", "device class, mailbox kind …"),
        "unit_state": Target("text", "approval or licence state"),
        "created_date": Target("date", "day it appeared"),
        "last_seen_date": Target("date", "day it was last seen"),
        **_PERIOD,
    },
    "purchases": {
        **_ACCOUNT,
        "purchase_id": Target("text", "subscription id; without: file and row"),
        "quantity": Target("number", "units bought", need=True),
        "status": Target("text", "the vendor's word; see inactive and free"),
        "start_date": Target("date", "first day"),
        "commitment_end_date": Target("date", "last day of the term"),
        "term": Target("text", "commitment and billing term; products of different terms stay apart (T28)"),
        "cycle": Target("cycle", "what the price and cost cover; they become monthly; without: a month"),
        "unit_price": Target("number", "suggested retail price a unit and cycle"),
        "unit_cost": Target("number", "what you pay a unit and cycle"),
        "currency": Target("currency", "ISO 4217 of price and cost"),
        **_PERIOD,
    },
}

CYCLES = {
    "monthly": 1,
    "month": 1,
    "quarterly": 3,
    "semi-annual": 6,
    "semi-annually": 6,
    "half-yearly": 6,
    "annual": 12,
    "annually": 12,
    "yearly": 12,
    "one time": None,
    "one-time": None,
    "none": None,
}
INACTIVE = ["cancelled", "canceled", "deleted", "disabled", "ended", "expired", "inactive", "not approved", "prospect", "terminated"]


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def plain(text: str) -> str:
    """A header or word without case and doubled spaces, for comparing.

    Example:
        >>> plain("  Company   Name ")
        'company name'
    """
    return " ".join(text.split()).casefold()


Texts = Annotated[list[Text], BeforeValidator(_as_list)]
Sign = Annotated[Text, Field(min_length=1, max_length=1)]


class Profile(Strict):
    """How one kind of export is read."""

    table: Table  # agreement_lines: a PSA export; usage: counts or devices; purchases: subscriptions
    format: Literal["csv", "xlsx", "json"] | None = None  # null: by the file's ending
    encoding: Text = "utf-8-sig"
    delimiter: Sign = ","
    header_row: int = Field(default=1, ge=1)
    sheet: Text | None = None  # xlsx; null: the first
    records: Text | None = None  # json: dotted path to the list; null: the file is the list
    columns: dict[Text, Texts]  # target -> header names accepted, first found wins; case and spaces do not matter
    optional: list[Text] = Field(default_factory=list)  # targets whose column may be missing from a file
    attributes: dict[Text, Texts] = Field(default_factory=dict)  # usage: other columns that rules may filter on
    constant: dict[Text, Text] = Field(default_factory=dict)  # target -> the value of every row
    date_format: Text = "M/D/Y"  # or D/M/Y, Y/M/D, epoch, epoch_ms, or a %-pattern; ISO dates are always understood
    decimal: Sign = "."
    thousands: Sign | None = None
    currency_signs: list[Text] = Field(default_factory=list)  # taken off amounts: ["$", "USD"]
    blank_words: list[Text] = Field(default_factory=list)  # words that mean an empty cell: ["NULL", "n/a"]
    cycles: dict[Text, int | None] = Field(default_factory=dict)  # more billing-cycle words -> months
    inactive: list[Text] = Field(default_factory=lambda: list(INACTIVE))  # status words: no longer charged, or no customer
    free: list[Text] = Field(default_factory=lambda: ["trial", "free"])  # status words: trial or free
    aggregate: Literal["keep", "sum", "refuse"] = "keep"  # several rows of one account and product (T12)
    skip_where_blank: list[Text] = Field(default_factory=list)  # rows without one of these are no records
    stop_at: Texts = Field(default_factory=list)  # text in the first column that ends the records: "Total"
    may_be_empty: bool = False  # a file with a header and no row says: known to be nothing

    @field_validator("cycles")
    @classmethod
    def _whole_months(cls, cycles: dict[str, int | None]) -> dict[str, int | None]:
        if wrong := [word for word, months in cycles.items() if months is not None and months < 1]:
            raise ValueError(f"{wrong[0]!r}: a cycle has at least one month; null: not recurring")
        return cycles

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            raise ValueError(f"{name!r} is not an encoding; try utf-8-sig, windows-1252 or utf-16") from None
        return name

    @field_validator("date_format")
    @classmethod
    def _known_date_format(cls, form: str) -> str:
        if form not in ("M/D/Y", "D/M/Y", "Y/M/D", "epoch", "epoch_ms") and "%" not in form:
            raise ValueError(f"{form!r} is not a date format; M/D/Y, D/M/Y, Y/M/D, epoch, epoch_ms or a pattern such as %d-%b-%Y")
        return form

    @model_validator(mode="after")
    def _known_targets(self) -> Profile:
        targets = TARGETS[self.table]
        for key in ("columns", "constant", "optional", "skip_where_blank"):
            for name in getattr(self, key):
                if name not in targets:
                    raise ValueError(f"{key}.{name}: nothing of {self.table}; {nearest(name, targets)}")
        said = self.columns.keys() | self.constant.keys()
        for name, target in targets.items():
            if target.need and name not in said:
                raise ValueError(f"columns.{name} is missing: {target.about}; name its header, or give it under constant")
        return self

    @model_validator(mode="after")
    def _no_contradiction(self) -> Profile:
        needed = {name for name, target in TARGETS[self.table].items() if target.need}
        if wrong := needed.intersection(self.optional) - self.constant.keys():
            raise ValueError(f"optional.{min(wrong)}: every row of {self.table} needs it")
        if unread := {*self.optional, *self.skip_where_blank} - self.columns.keys():
            raise ValueError(f"{min(unread)!r} is optional or may be blank, but columns does not name it")
        if self.attributes and self.table != "usage":
            raise ValueError("attributes: only usage has them")
        if self.aggregate == "sum" and self.table == "agreement_lines":
            raise ValueError("aggregate: agreement lines are never merged at import; the comparison sums them (T17)")
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        return self

    @cached_property
    def cycle_months(self) -> dict[str, int | None]:
        """Billing-cycle words, the profile's own first, and their months."""
        return {plain(word): months for word, months in {**CYCLES, **self.cycles}.items()}

    @cached_property
    def blanks(self) -> frozenset[str]:
        """Words that mean an empty cell."""
        return frozenset(plain(word) for word in self.blank_words)

    @cached_property
    def inactive_words(self) -> frozenset[str]:
        """Status words of something no longer charged."""
        return frozenset(plain(word) for word in self.inactive)

    @cached_property
    def free_words(self) -> frozenset[str]:
        """Status words of a trial."""
        return frozenset(plain(word) for word in self.free)


def read_profile(path: str | Path) -> Profile:
    """One import profile.

    Raises:
        SettingsError: the file or one of its keys is wrong.
    """
    return read_yaml(path, Profile)
