"""How units are counted: from which sources, which of them, and how a count becomes a billable number (docs/rules.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from reconlib.errors import DataError
from reconlib.money import to_decimal
from reconlib.settings import Strict, Text


def exact(value: object) -> object:
    """The value as an exact decimal, for pydantic: a binary float is refused, because YAML has already lost its last digits."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        raise ValueError(f"YAML read this as a binary float; write '{value}' in quotes")
    try:
        return to_decimal(value)
    except DataError as error:
        raise ValueError(error.what) from None


Qty = Annotated[Decimal, BeforeValidator(exact), Field(ge=0)]
Where = dict[str, list[Text]]  # column of usage_records, or a key of its attributes: one of these values
Take = Literal["last_day", "peak", "average", "any_time", "billing_day"]


class Count(Strict):
    """Where one number of a service comes from."""

    connector: Text | None = None  # every source read by this connector …
    source: Text | None = None  # … or one source by its name in params
    products: list[Text] = Field(default_factory=list)  # vendor product ids, SKUs or exact names; empty: by mapping
    where: Where = Field(default_factory=dict)  # counted only where every field has one of its values
    unless: Where = Field(default_factory=dict)  # not counted where any field has one of its values
    dedupe: bool = False  # units with one unit_key inside a client count once (T61)
    stale_days: Annotated[int, Field(ge=0)] | None = None  # last seen longer ago: not counted (T59)
    take: Take = "last_day"  # which of a month's daily counts (T46)
    billing_day: Annotated[int, Field(ge=1, le=31)] | None = None  # the day, for take: billing_day; clamped to the month's end
    may_be_empty: bool = False  # catching nothing is reported, and is no error

    @model_validator(mode="after")
    def _day_and_take_belong_together(self) -> Count:
        if (self.billing_day is None) == (self.take == "billing_day"):
            raise ValueError("billing_day: take: billing_day and the day itself belong together")
        return self


class Rounded(Strict):
    """How a fractional count becomes whole units or blocks (T47)."""

    to: Literal["up", "down", "nearest"] = "up"  # nearest: half goes up
    block: Annotated[Decimal, BeforeValidator(exact), Field(gt=0)] = Decimal(1)  # sold in steps of so many units


class Bundle(Strict):
    """A service that stands for several others (T65)."""

    anchor: Text  # service whose count the bundle is compared with
    covers: dict[Text, Qty]  # service -> units inside one bundle


class Cloud(Strict):
    """Vendor charges passed on with a markup; such a service is billed by cost and has no count."""

    connector: Text | None = None  # every source read by this connector …
    source: Text | None = None  # … or one source by its name in params
    products: list[Text] = Field(default_factory=list)  # vendor product ids, SKUs or exact names; empty: all that is charged there
    markup_percent: Annotated[Decimal, BeforeValidator(exact), Field(ge=0, le=1000)]

    @model_validator(mode="after")
    def _from_somewhere(self) -> Cloud:
        if self.connector is None and self.source is None:
            raise ValueError("connector: say whose charges are passed on, by connector or by source")
        return self


class Ignore(Strict):
    """Usage that is never billed, said on purpose: not "unaccounted"."""

    connector: Text | None = None
    source: Text | None = None
    products: list[Text] = Field(default_factory=list)
    where: Where = Field(default_factory=dict)
    reason: Text
