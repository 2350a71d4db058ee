"""T130: a vendor product that counts for another service for one client, with a reason and a review-by date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from small_month import Result, run_month

from reconlib import settings
from reconlib.errors import SettingsError
from reconlib.rules import ProductOverride
from reconlib.schema import ACCOUNT_MAPPING, FINDINGS, PRODUCT_MAPPING, SOURCE_STATUS, make_table
from reconlib.signoff import check_gates

LINES = """
client  service  qty
Acme    PLAIN    3
Blue    PLAIN    4
Blue    PREMIUM  2
Acme    PREMIUM  5
"""
USAGE = """
client  product  qty
Acme    e3       5
Acme    e1       3
Blue    e3       4
Blue    prem     2
"""
RULES = {"PLAIN": {"used": [{"products": ["e3", "e1"]}]}, "PREMIUM": {"used": [{"products": ["prem"]}]}}
MOVE = {
    "client": "Acme",
    "source": "vendor",
    "products": ["e3"],
    "service": "PREMIUM",
    "reason": "price of 2024",
    "review_by": "2027-06-30",
}


def moved_month(*moves: dict[str, Any], usage: str = USAGE, services: dict[str, Any] = RULES, lines: str = LINES, **more: Any) -> Result:
    """The month with exceptions."""
    return run_month(lines, usage=usage, rules={"services": services, "product_overrides": list(moves)}, **more)


def used(month: Result) -> dict[tuple[str, str], Any]:
    """Units in use of every client and service; none where the count is not known."""
    return {(row["client_id"], row["service_code"]): row["used_qty"] for row in month.cells}


def test_t130_a_clients_product_counts_for_the_named_service_and_for_no_other() -> None:
    plain, month = moved_month(), moved_month(MOVE)
    assert used(plain) == {("Acme", "PLAIN"): 8, ("Acme", "PREMIUM"): 0, ("Blue", "PLAIN"): 4, ("Blue", "PREMIUM"): 2}
    assert used(month) == {("Acme", "PLAIN"): 3, ("Acme", "PREMIUM"): 5, ("Blue", "PLAIN"): 4, ("Blue", "PREMIUM"): 2}
    assert {row["status"] for row in month.cells} == {"matched"}
    assert month.kinds() == []


def test_t130_nothing_is_lost_or_doubled_and_each_record_names_the_rule_that_decided() -> None:
    month = moved_month(MOVE)
    ended = [(r["client_id"], r["vendor_product_id"], r["bucket"], r["service_id"], r["rule"], r["quantity_qty"]) for r in month.grouped]
    assert sorted(ended) == [
        ("Acme", "e1", "counted", "PLAIN", "services.PLAIN.used.0", 3),
        ("Acme", "e3", "counted", "PREMIUM", "product_overrides.0", 5),
        ("Blue", "e3", "counted", "PLAIN", "services.PLAIN.used.0", 4),
        ("Blue", "prem", "counted", "PREMIUM", "services.PREMIUM.used.0", 2),
    ]
    assert [(r["record_id"], r["service_id"]) for r in month.records] == [
        ("u1", "PREMIUM"),
        ("u2", "PLAIN"),
        ("u3", "PLAIN"),
        ("u4", "PREMIUM"),
    ]


@pytest.mark.parametrize("state", ["unmapped", "excluded"])
def test_t130_a_product_that_counts_for_nothing_elsewhere_counts_at_this_client(state: str) -> None:
    services = {"PLAIN": {"used": [{"products": ["e1"]}]}, "PREMIUM": RULES["PREMIUM"]}
    excluded = {("product", "vendor", "e3"): SimpleNamespace(state="excluded", targets=(), rejected=frozenset(), seen={})}
    month = moved_month(MOVE, services=services, decisions=excluded if state == "excluded" else None)
    assert used(month)["Acme", "PREMIUM"] == 5
    assert month.buckets() == {
        "u1": "counted",
        "u2": "counted",
        "u3": "excluded" if state == "excluded" else "unmapped_service",
        "u4": "counted",
    }


def test_t130_what_is_known_of_other_clients_does_not_change() -> None:
    """The service may have no source at all, and the product no other user: neither becomes a zero, or unknown, elsewhere."""
    usage = "client  product  qty\nAcme  e3  5\nBlue  prem  2"
    services = {"PLAIN": {"used": [{"products": ["e3"]}]}}
    lines = LINES + "Acme  SUPPORT  5\nBlue  SUPPORT  4"
    month = moved_month(MOVE | {"service": "SUPPORT"}, usage=usage, services=services, lines=lines)
    assert (month.cell("Acme", "SUPPORT")["status"], month.cell("Acme", "SUPPORT")["used_qty"]) == ("matched", 5)
    assert (month.cell("Blue", "SUPPORT")["status"], month.cell("Blue", "SUPPORT")["used_qty"]) == ("no_source", None)
    assert (month.cell("Blue", "PLAIN")["status"], month.cell("Blue", "PLAIN")["used_qty"]) == ("orphan_line", 0)
    assert (month.cell("Acme", "PLAIN")["status"], month.cell("Acme", "PLAIN")["used_qty"]) == ("orphan_line", 0)


def test_t130_a_source_that_failed_makes_the_moved_count_unknown_at_this_client_only() -> None:
    usage = (
        USAGE.replace("product  qty", "source  product  qty")
        .replace("e3 ", "m365  e3 ")
        .replace("e1 ", "m365  e1 ")
        .replace("prem", "pax8  prem")
    )
    services = {
        "PLAIN": {"used": [{"source": "m365", "products": ["e3", "e1"]}]},
        "PREMIUM": {"used": [{"source": "pax8", "products": ["prem"]}]},
    }
    month = moved_month(MOVE | {"source": "m365"}, usage=usage, services=services, failed=("m365",))
    assert month.cell("Blue", "PREMIUM")["used_qty"] == 2
    assert month.cell("Acme", "PREMIUM")["used_qty"] is None
    assert month.cell("Blue", "PLAIN")["used_qty"] is None


def test_t130_purchases_and_their_cost_follow_the_product() -> None:
    bought = "client  product  qty  cost\nAcme  e3  6  4.00\nBlue  e3  4  4.00"
    services = {"PLAIN": {**RULES["PLAIN"], "purchased": [{"products": ["e3"]}]}, "PREMIUM": RULES["PREMIUM"]}
    month = moved_month(MOVE, services=services, purchases=bought)
    assert (month.cell("Acme", "PREMIUM")["purchased_qty"], month.cell("Acme", "PREMIUM")["unit_cost"]) == (6, 4)
    assert month.cell("Acme", "PLAIN")["purchased_qty"] == 0
    assert month.cell("Blue", "PLAIN")["purchased_qty"] == 4
    assert [(r["client_id"], r["service_id"], r["variance_qty"]) for r in month.findings if r["kind"] == "unused_commitment"] == [
        ("Acme", "PREMIUM", 1)
    ]


def test_t130_twins_and_stale_units_are_taken_as_the_named_service_takes_them() -> None:
    usage = """
    client  product  key  seen
    Acme    agent    S1   2026-10-31
    Acme    agent    S1   2026-10-30
    Acme    agent    S2   2026-10-01
    Blue    agent    S1   2026-10-31
    Blue    other    S9   2026-10-31
    """
    services = {"RMM": {"used": [{"products": ["agent"]}]}, "CARE": {"used": [{"products": ["other"], "dedupe": True, "stale_days": 20}]}}
    move = MOVE | {"products": ["agent"], "service": "CARE"}
    month = moved_month(move, usage=usage, services=services, lines="client  service  qty\nAcme  CARE  1\nBlue  RMM  1\nBlue  CARE  1")
    assert month.buckets() == {"u1": "counted", "u2": "duplicate", "u3": "stale", "u4": "counted", "u5": "counted"}
    assert used(month)["Acme", "CARE"] == 1


def test_t130_an_exception_that_catches_nothing_is_reported() -> None:
    month = moved_month(MOVE | {"products": ["e5"]})
    assert [(r["rule"], r["service_id"]) for r in month.findings if r["kind"] == "unmatched_rule"] == [("product_overrides.0", "PREMIUM")]


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ([MOVE | {"client": "Acmee"}], "product_overrides.0.client: nothing is called 'Acmee'\nHint: did you mean 'Acme'?"),
        ([MOVE | {"service": "PREMIUMS"}], "product_overrides.0.service: nothing is called 'PREMIUMS'\nHint: did you mean 'PREMIUM'?"),
        ([MOVE | {"source": "vender"}], "product_overrides.0.source: no source 'vender' in params\nHint: did you mean 'vendor'?"),
        (
            [MOVE, MOVE | {"service": "PLAIN"}],
            "product_overrides.1: 'e3' of Acme is moved twice\nHint: keep one; the other is rules: product_overrides.0",
        ),
        ([MOVE | {"service": "FEE"}], "product_overrides.0.service: 'FEE' has basis flat: nothing counts for it"),
        ([{name: value for name, value in MOVE.items() if name != "reason"}], "product_overrides.0.reason: Field required"),
        ([{name: value for name, value in MOVE.items() if name != "review_by"}], "product_overrides.0.review_by: Field required"),
        ([MOVE | {"products": []}], "product_overrides.0.products: List should have at least 1 item"),
    ],
)
def test_t130_a_wrong_exception_names_its_key(moves: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        moved_month(*moves, services={**RULES, "FEE": {"basis": "flat"}}, lines=LINES + "Acme  FEE  1")
    assert said in str(error.value)


def test_t130_an_exception_past_its_review_keeps_the_month_from_being_signed() -> None:
    held = {day: closed_by(parse([MOVE | {"review_by": day}])) for day in ("2026-10-30", "2026-10-31")}
    assert held == {
        "2026-10-30": "1 exclusions without a reason or past their review: rule for Acme / PREMIUM until 2026-10-30",
        "2026-10-31": "",
    }


def parse(moves: list[dict[str, Any]]) -> list[ProductOverride]:
    return [settings.parse(move, ProductOverride, where="test") for move in moves]


def closed_by(overrides: list[ProductOverride]) -> str:
    """What the gate of exclusions says, on the last day of October; nothing where it is open."""
    gates = check_gates(
        status=make_table(SOURCE_STATUS, []),
        accounts=make_table(ACCOUNT_MAPPING, []),
        products=make_table(PRODUCT_MAPPING, []),
        findings=make_table(FINDINGS, []),
        events=[],
        materiality=Decimal(10),
        as_of=date(2026, 10, 31),
        overrides=overrides,
    )
    (gate,) = [gate for gate in gates if gate.name == "exclusions"]
    return "" if gate.ok else gate.detail


def test_t14_t130_a_code_is_the_clients_that_is_in_use_not_its_deleted_twins() -> None:
    clients = "client  code  deleted\nBlue  BLUE  -\nOld  BLUE  deleted"
    move = MOVE | {"client": "BLUE"}
    assert used(moved_month(move, clients=clients))["Blue", "PREMIUM"] == 6
    with pytest.raises(SettingsError, match=r"product_overrides\.0\.client: 2 clients have the code 'BLUE'"):
        moved_month(move, clients=clients.replace("BLUE  deleted", "BLUE  -"))
