"""How units become money: price models, escalators, and what counts as an outlier (T40–T43, T89, T120)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from reconlib.rules.counts import Qty, exact
from reconlib.settings import Day, Strict

Amount = Annotated[Decimal, BeforeValidator(exact), Field(ge=0)]
Convention = Literal["inclusive", "exclusive", "actual_30", "months"]  # how part of a cycle is charged (T104, T105, T111)
Percent = Annotated[Decimal, BeforeValidator(exact), Field(ge=0, le=1000)]


class Tier(Strict):
    """One step of a price: units above the tier before, up to and with ``up_to`` (T42)."""

    up_to: Qty | None = None  # this many units belong to it; null: no end, only the last
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
        by_tiers = self.model in ("tiered", "volume")
        if by_tiers:
            _check_tiers(self.tiers)
        elif self.tiers:
            raise ValueError(f"tiers: {_a(self.model)} price has none; say model: tiered or model: volume")
        if by_tiers == (self.price is not None):
            raise ValueError(f"price: {_a(self.model)} price {'has it in its tiers' if by_tiers else 'needs one'}")
        is_overage = self.model == "overage"
        for key, is_there in (("over_price", self.over_price is not None), ("included", "included" in self.model_fields_set)):
            if is_overage != is_there:
                raise ValueError(
                    f"{key}: {_a(self.model)} price {'needs it, however small' if is_overage else 'has none; model: overage has'}"
                )
        return self


class Escalator(Strict):
    """A yearly price rise the contract allows (T120)."""

    base_price: Amount  # a unit and month on the first day
    since: Day
    percent: Percent  # a year, on what the year before cost


class Outlier(Strict):
    """When a price is odd enough to show (T89 and the fleet's median)."""

    percent: Percent = Decimal(25)  # away from the median of the clients that have the service
    clients: Annotated[int, Field(ge=3)] = 5  # fewer say nothing


def _a(model: str) -> str:
    return f"{'an' if model == 'overage' else 'a'} {model}"


def _check_tiers(tiers: list[Tier]) -> None:
    if not tiers:
        raise ValueError("tiers: none given")
    for number, (tier, after) in enumerate(zip(tiers, [*tiers[1:], None], strict=True)):
        if after is None:
            if tier.up_to is not None:
                raise ValueError(f"tiers.{number}: a gap above {tier.up_to}: the last tier leaves up_to out")
        elif tier.up_to is None:
            raise ValueError(f"tiers.{number}: only the last tier may leave up_to out: nothing would reach tiers.{number + 1}")
        elif after.up_to is not None and after.up_to <= tier.up_to:
            raise ValueError(
                f"tiers.{number + 1}: overlaps: up_to {after.up_to} does not lie above {tier.up_to}, the end of tiers.{number}"
            )
    if tiers[0].up_to == 0:
        raise ValueError("tiers.0: holds no unit: up_to is 0")
