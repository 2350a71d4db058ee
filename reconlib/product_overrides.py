"""Vendor products that count for another service for one client than for everybody else (T130).

The exception is one client's: elsewhere the product counts as before. There it counts in full for the named service, and for no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconlib.errors import SettingsError
from reconlib.rules import Rules
from reconlib.rules.names import Named

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
NOT_COUNTED = ("flat", "none", "cloud")


@dataclass(frozen=True, slots=True)
class Moved:
    """What one exception moves."""

    key: str  # rule it stands under
    client_id: str
    source: str
    products: tuple[str, ...]  # vendor_product_ids; none where the source lists none of those the rule names
    service_id: str
    service_name: str

    def places(self) -> list[tuple[str, str, str]]:
        """Client, source and product of each."""
        return [(self.client_id, self.source, product) for product in self.products]


def moved_products(rules: Rules, tables: Mapping[str, pa.Table]) -> list[Moved]:
    """Every exception with its products; of the canonical tables, clients, services and vendor_products are read.

    Raises:
        SettingsError: a client or service nobody knows or several share, a service that counts nothing, or a client's product moved twice.
    """
    if not rules.product_overrides:
        return []
    clients, services, products = (tables[name].to_pylist() for name in ("clients", "services", "vendor_products"))
    by_client, by_service = Named(clients, "client"), Named(services, "service")
    about = {row["service_id"]: row for row in services}
    claimed: dict[tuple[str, str, str], str] = {}
    found = []
    for number, one in enumerate(rules.product_overrides):
        key = f"product_overrides.{number}"
        client = by_client.find(one.client, rules.where(f"{key}.client"))
        service = by_service.find(one.service, rules.where(f"{key}.service"))
        rule = rules.services.get(about[service]["service_code"])
        if rule is not None and rule.basis in NOT_COUNTED:
            said = f"{one.service!r} has basis {rule.basis}: nothing counts for it"
            raise SettingsError(said, where=rules.where(f"{key}.service"), hint="name a service that is counted")
        named = [row for row in products if row["source"] == one.source and not _words(row).isdisjoint(one.products)]
        moved = Moved(
            key, client, one.source, tuple(sorted(row["vendor_product_id"] for row in named)), service, about[service]["service_name"]
        )
        for place in moved.places():
            if claimed.setdefault(place, key) != key:
                hint = f"keep one; the other is {rules.where(claimed[place])}"
                raise SettingsError(f"{place[2]!r} of {one.client} is moved twice", where=rules.where(key), hint=hint)
        found.append(moved)
    return found


def _words(product: Row) -> set[str | None]:
    """What a rule may call a vendor product."""
    return {product["vendor_product_id"], product["sku"], product["product_name"]}
