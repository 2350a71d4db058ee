"""What count rules say about vendor products: which they name, which sources they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconlib.rules import Cloud, Count, Rules


def rule_services(product: Mapping[str, Any], rules: Rules, catalogue: Sequence[Mapping[str, Any]], connector: str) -> list[str]:
    """Ids of the services whose count rules name this product, or that pass its cost on."""
    return sorted(
        row["service_id"]
        for row in catalogue
        if (rule := rules.services.get(row["service_code"]))
        and (
            any(names_product(count, product, connector) for count in (*rule.used, *rule.purchased))
            or _passes_on(rule.cloud, product, connector)
        )
    )


def reads_cloud(cloud: Cloud, source: str, connector: str) -> bool:
    """Whether a service's cost comes from this source."""
    return reads_source(Count(connector=cloud.connector, source=cloud.source), source, connector)


def names_product(count: Count, product: Mapping[str, Any], connector: str) -> bool:
    """Whether a count rule names this product by id, SKU or exact name, in a source it reads."""
    return reads_source(count, product["source"], connector) and not {
        product["vendor_product_id"],
        product["sku"],
        product["product_name"],
    }.isdisjoint(count.products)


def reads_source(count: Count, source: str, connector: str) -> bool:
    """Whether a count rule reads this source."""
    return (count.source is None or count.source == source) and (count.connector is None or count.connector == connector)


def _passes_on(cloud: Cloud | None, product: Mapping[str, Any], connector: str) -> bool:
    """Whether a service bills what this product costs."""
    if cloud is None or cloud.products:
        return cloud is not None and names_product(Count(**cloud.model_dump(exclude={"markup_percent"})), product, connector)
    return reads_cloud(cloud, product["source"], connector)
