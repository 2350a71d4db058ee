"""What a product maps to by itself and what only suggests: decisions, rules, part numbers, aliases, names (T21, T25, T27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from small_month import Decision

from reconlib.mapping import suggest_products
from reconlib.rules import Rules
from reconlib.schema import CANONICAL, make_table
from reconlib.settings import parse

Row = dict[str, Any]


def map_products(
    product: Row,
    *services: Row,
    decisions: Mapping[tuple[str, str, str], Any] | None = None,
    rules: Row | None = None,
    before: Row | None = None,
    beside: Row | None = None,
    service: str | None = None,
) -> Row:
    """PRODUCT_MAPPING's row of one product, and of one ``service`` where it counts for several.

    ``before``: a product of last month, mapped; ``beside``: another product of this month.
    """
    made = [
        {"service_id": str(number), "service_code": f"S{number}", "is_active": True, "source": "psa", "evidence": f"psa/{number}"} | one
        for number, one in enumerate(services, 1)
    ]
    rows = [{"source": "vendor", "is_free": False, "evidence": "vendor/p"} | one for one in (product, beside) if one]
    products = make_table(CANONICAL["vendor_products"], rows)
    mapping = suggest_products(
        make_table(CANONICAL["services"], made),
        products,
        decisions or {},
        {},
        rules=parse({"version": 1, "services": rules or {}}, Rules, where="test"),
        connectors={"vendor": "x"},
        before=[{"source": "vendor", "state": "mapped", "decided_by": "exact_name", **before}] if before else [],
    ).to_pylist()
    mine = [row for row in mapping if row["vendor_product_id"] == product["vendor_product_id"]]
    (found,) = [row for row in mine if service in (None, row["service_id"])]
    return dict(found)


SKU = {"vendor_product_id": "f245ecc8-75af-4f8e-b61f-27d8114de5f3", "product_name": "Microsoft 365 Business Standard"}


def test_t21_an_id_of_the_same_product_maps_through_the_alias_table() -> None:
    row = map_products(SKU, {"service_name": "Office seats", "vendor_sku": "O365_BUSINESS_PREMIUM"}, {"service_name": "Backup seat"})
    assert (row["state"], row["service_id"], row["decided_by"]) == ("mapped", "1", "id")
    assert row["reason"] == "part number O365_BUSINESS_PREMIUM of the catalogue is the same product"


@pytest.mark.parametrize(
    "services",
    [
        [{"service_name": "Seats", "vendor_sku": "O365_BUSINESS_PREMIUM"}, {"service_name": "More", "vendor_sku": "O365_BUSINESS_PREMIUM"}],
        [{"service_name": "Business Standard (Nonprofit)", "vendor_sku": "O365_BUSINESS_PREMIUM"}],
        [{"service_name": "Office 365 Business Premium", "vendor_sku": None}],
    ],
    ids=["several services carry it", "another segment", "a name is no id"],
)
def test_t21_an_id_that_is_not_unique_or_of_another_segment_maps_nothing(services: list[Row]) -> None:
    assert map_products(SKU, *services)["state"] != "mapped"


def test_t21_what_maps_a_product_first_and_a_rejected_service_never() -> None:
    product = {"vendor_product_id": "p", "product_name": "Backup seat", "sku": "BK-1"}
    services = ({"service_name": "Ruled"}, {"service_name": "Carried", "vendor_sku": "BK-1"}, {"service_name": "Backup seat"})
    rule = {"S1": {"used": [{"products": ["p"]}]}}
    barred = {("product", "vendor", "p"): Decision(rejected=frozenset("2"))}
    found = [
        map_products(product, *services, rules=rule),
        map_products(product, *services),
        map_products(product, *services, decisions=barred),
        map_products(product, services[2], before={"vendor_product_id": "p", "product_name": "Old", "service_id": "1"}),
    ]
    assert [(row["service_name"], row["decided_by"]) for row in found] == [
        ("Ruled", "rule"),
        ("Carried", "id"),
        ("Backup seat", "exact_name"),
        ("Backup seat", "exact_name"),
    ]


def test_t25_a_renamed_product_keeps_its_service_and_a_known_name_under_a_new_id_maps_where_the_old_one_is_gone() -> None:
    services = ({"service_name": "Backup seat"}, {"service_name": "Other"})
    renamed = map_products(
        {"vendor_product_id": "p", "product_name": "Zzyzx"},
        *services,
        before={"vendor_product_id": "p", "product_name": "Backup seat", "service_id": "1"},
    )
    assert (renamed["service_id"], renamed["decided_by"], renamed["change"]) == ("1", "id", "renamed from Backup seat")
    moved = map_products(
        {"vendor_product_id": "p2", "product_name": "Backup seat"},
        *services,
        before={"vendor_product_id": "p", "product_name": "Backup seat", "service_id": "1"},
    )
    assert (moved["service_id"], moved["decided_by"], moved["change"]) == ("1", "exact_name", "new under a known name: p is gone")
    copied = map_products(
        {"vendor_product_id": "p2", "product_name": "Backup seat"},
        *services,
        before={"vendor_product_id": "p", "product_name": "Backup seat", "service_id": "1"},
        beside={"vendor_product_id": "p", "product_name": "Backup seat"},
    )
    assert (copied["state"], copied["decided_by"], copied["change"]) == ("suggested", None, "new under a known name: p still exists")


def test_t27_of_several_services_a_person_named_those_that_are_left_keep_the_product() -> None:
    services = ({"service_name": "Office seats"}, {"service_name": SKU["product_name"]})
    decided = {("product", "vendor", SKU["vendor_product_id"]): Decision("mapped", ("1", "9"))}
    row = map_products(SKU, *services, decisions=decided)
    assert (row["state"], row["service_id"], row["decided_by"]) == ("mapped", "1", "decision")
    assert "mapped it to service 9, which the PSA does not list any more; decided by a person" in row["reason"]
    assert map_products(SKU, *services)["service_id"] == "2"  # what it would have become


def test_t27_what_counts_for_several_services_is_held_against_none_of_them() -> None:
    services = ({"service_name": "Backup seat"}, {"service_name": "Zzyzx"})
    product = {"vendor_product_id": "p", "product_name": "Backup seats"}
    one = map_products(product, *services, decisions={("product", "vendor", "p"): Decision("mapped", ("2",))})
    both = map_products(product, *services, decisions={("product", "vendor", "p"): Decision("mapped", ("1", "2"))}, service="1")
    assert one["verdict"] == "CONTRADICTION"
    assert (both["state"], both["verdict"], both["probability"]) == ("mapped", None, None)
