"""Whose a vendor's account or product is where a mapping alone does not say: a tenant of several clients, a product of one client."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from reconlib.settings import Strict, Text

DOMAIN = "domain"
NO_PART = "remainder"


def _values_alone(content: object) -> object:
    return {"values": content} if isinstance(content, list) else content


class Part(Strict):
    """One part of a tenant, such as one practice of a group."""

    values: Annotated[list[Text], Field(min_length=1)]  # a record with one of them belongs to this part
    client: Text | None = None  # id or code; null: the part is mapped like any account


class TenantSplit(Strict):
    """One vendor account whose usage belongs to several clients (T32). What no part claims stays on the account itself: the remainder."""

    source: Text
    account: Text  # the vendor's own id
    by: Text  # domain: of the address in ``field``; else a column of usage_records or a field of the vendor
    field: Text = "unit_name"  # where the address stands, for by: domain
    separator: Text | None = None  # the field holds several values, such as groups, parted by this
    parts: Annotated[dict[Text, Annotated[Part, BeforeValidator(_values_alone)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_value_once(self) -> TenantSplit:
        claimed: dict[str, str] = {}
        for name, part in self.parts.items():
            if "/" in name or name == NO_PART:
                raise ValueError(f"parts.{name}: a part's name has no slash and is not {NO_PART!r}: it is the end of the account's id")
            for value in self.wanted(part):
                if claimed.setdefault(value, name) != name:
                    raise ValueError(f"parts.{name}: {value!r} is claimed by {claimed[value]} already")
        if self.by != DOMAIN and "field" in self.model_fields_set:
            raise ValueError("field: it says where an address stands, for by: domain; otherwise by names the field")
        if self.by == DOMAIN and self.separator:
            raise ValueError("separator: an address has one domain")
        return self

    def wanted(self, part: Part) -> list[str]:
        """The values of a part as they are compared: domains in lower case, without the sign."""
        return [value.strip().removeprefix("@").lower() for value in part.values] if self.by == DOMAIN else list(part.values)

    def part_id(self, name: str) -> str:
        """The id of the vendor account that a part is."""
        return f"{self.account}/{name}"

    def account_ids(self) -> list[str]:
        """The tenant's own account, which is the remainder, and its parts."""
        return [self.account, *map(self.part_id, self.parts)]


class ProductOverride(Strict):
    """A vendor product that counts for another service for one client, instead of those it is mapped to (T130)."""

    client: Text  # client id or code
    source: Text  # by its name in params
    products: Annotated[list[Text], Field(min_length=1)]  # vendor product ids, SKUs or exact names
    service: Text  # what they count for
    reason: Text
    review_by: date
