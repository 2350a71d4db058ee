"""How units become money: price models, escalators, and what counts as an outlier (FIELD.md T40–T43, T89, T120)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from reconlib.rules.counts import Qty, exact
from reconlib.settings import Strict

Amount = Annotated[Decimal, BeforeValidator(exact), Field(ge=0)]
Percent = Annotated[Decimal, BeforeValidator(exact), Field(ge=0, le=1000)]


class Tier(Strict):
    """One step of a price: units above the tier before, up to and with ``up_to`` (T42)."""

    up_to: Qty | None = None  # null: no end; only the last
    price: Amount  # a unit and month


class PriceModel(Strict):
    """What a quantity costs the client a month, where price × quantity is not the answer (T40–T43)."""

    model: Literal["flat", "per_unit", "tiered", "volume", "overage"]
    price: Amount | None = None  # flat: the fee; per_unit: a unit; overage: the fee for the included units
    tiers: list[Tier] = Field(default_factory=list)  # tiered, volume
    included: Qty = Decimal(0)  # overage: units inside the fee
    over_price: Amount | None = None  # overage: a unit above them
    minimum: Amount = Decimal(0)  # a month is never charged less

    @model_validator(mode="after")
    def _whole(self) -> PriceModel:
        if self.model in ("tiered", "volume"):
            _check_tiers(self.tiers)
        elif self.tiers:
            raise ValueError(f"tiers: a {self.model} price has none; say model: tiered or model: volume")
        elif self.price is None:
            raise ValueError(f"price: a {self.model} price needs one")
        if (self.model == "overage") != (self.over_price is not None):
            raise ValueError("over_price: an overage price needs one, and no other has one")
        return self


class Escalator(Strict):
    """A yearly price rise the contract allows (T120)."""

    base_price: Amount  # a unit and month on the first day
    since: date
    percent: Percent  # a year, on what the year before cost


class Outlier(Strict):
    """When a price is odd enough to show (T89 and the fleet's median)."""

    percent: Percent = Decimal(25)  # away from the median of the clients that have the service
    clients: Annotated[int, Field(ge=3)] = 5  # fewer say nothing


def _check_tiers(tiers: list[Tier]) -> None:
    if not tiers:
        raise ValueError("tiers: none given")
    for number, (tier, after) in enumerate(zip(tiers, [*tiers[1:], None], strict=True)):
        if after is None:
            if tier.up_to is not None:
                raise ValueError(f"tiers.{number}: a gap above {tier.up_to}: the last tier has no up_to")
        elif tier.up_to is None:
            raise ValueError(f"tiers.{number}: only the last tier may leave up_to out: nothing would reach tiers.{number + 1}")
        elif after.up_to is not None and after.up_to <= tier.up_to:
            raise ValueError(f"tiers.{number + 1}: up_to {after.up_to} does not lie above {tier.up_to}")
