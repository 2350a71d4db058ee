"""Count rules as people write them: which usage counts for which service, and what should be billed (FIELD.md 2.3–2.5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from reconlib.errors import DataError, SettingsError
from reconlib.money import to_decimal
from reconlib.settings import Strict, Text, read_yaml


def _exact(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        raise ValueError(f"YAML read this as a binary float; write '{value}' in quotes")
    try:
        return to_decimal(value)
    except DataError as error:
        raise ValueError(error.what) from None


Qty = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0)]
Where = dict[str, list[Text]]  # column of usage_records, or a key of its attributes: one of these values


class Count(Strict):
    """Where one number of a service comes from."""

    connector: Text | None = None  # every source read by this connector …
    source: Text | None = None  # … or one source by its name in params
    products: list[Text] = Field(default_factory=list)  # vendor product ids, SKUs or exact names; empty: by mapping
    where: Where = Field(default_factory=dict)
    dedupe: bool = False  # units with one unit_key inside a client count once (T61)
    stale_days: Annotated[int, Field(ge=0)] | None = None  # last seen longer ago: not counted (T59)


class Bundle(Strict):
    """A service that stands for several others (T65)."""

    anchor: Text  # service whose count the bundle is compared with
    covers: dict[Text, Qty]  # service -> units inside one bundle


class ServiceRule(Strict):
    """How one service is counted and what should be billed for it."""

    basis: Literal["count", "flat", "none"] = "count"  # flat: a fee; none: no vendor is connected (T1)
    used: list[Count] = Field(default_factory=list)
    purchased: list[Count] = Field(default_factory=list)
    expect: Literal["used", "purchased", "greater"] = "used"
    minimum: Qty | None = None  # T36
    maximum: Qty | None = None
    included: Qty = Decimal(0)  # T39, on top of the lines' own
    bundle: Bundle | None = None

    @field_validator("purchased")
    @classmethod
    def _only_units_have_fields(cls, counts: list[Count]) -> list[Count]:
        for count in counts:
            if count.where or count.dedupe or count.stale_days is not None:
                raise ValueError("a purchase has no class, serial or last-seen date: where, dedupe and stale_days belong under used")
        return counts


class Ignore(Strict):
    """Usage that is never billed, said on purpose: not "unaccounted"."""

    connector: Text | None = None
    source: Text | None = None
    products: list[Text] = Field(default_factory=list)
    where: Where = Field(default_factory=dict)
    reason: Text


class Override(Strict):
    """A contract exception of one client (T34, T56, T130)."""

    client: Text  # client id or code
    service: Text
    exclude_units: Qty = Decimal(0)
    minimum: Qty | None = None
    included: Qty | None = None
    reason: Text
    review_by: date


class Rules(Strict):
    """Every rule of a book."""

    version: Literal[1]
    stale_days: Annotated[int, Field(ge=0)] = 30  # where a count does not say (T59)
    tolerance_qty: Qty = Decimal(0)  # T122
    ignore: list[Ignore] = Field(default_factory=list)
    services: dict[Text, ServiceRule] = Field(default_factory=dict)
    overrides: list[Override] = Field(default_factory=list)


def read_rules(paths: Iterable[str | Path]) -> Rules:
    """Rules of a book: several files are one text, no service ruled twice.

    Raises:
        SettingsError: a file or key is wrong, or two files rule the same service.
    """
    merged: dict[str, ServiceRule] = {}
    ignore: list[Ignore] = []
    overrides: list[Override] = []
    last = Rules(version=1)
    for path in paths:
        last = read_yaml(path, Rules)
        if twice := merged.keys() & last.services.keys():
            raise SettingsError(f"service {min(twice)!r} is ruled in two files", where=str(path), hint="keep one")
        merged |= last.services
        ignore += last.ignore
        overrides += last.overrides
    return last.model_copy(update={"services": merged, "ignore": ignore, "overrides": overrides})
