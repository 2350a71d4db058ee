"""Where two rules meet (found by holding the comparison against its reference): T37 with T47, T46 with itself, T48 with purchases, T43 with T113."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from small_month import run_month

from reconlib.errors import SettingsError
from reconlib.schema import COUNTS, make_table


def test_t48_purchases_of_a_user_service_count_because_a_licence_has_no_mailbox_class() -> None:
    rules = {
        "services": {
            "MAIL": {
                "basis": "user",
                "used": [{"source": "tenant", "products": ["MAIL"]}],
                "purchased": [{"source": "seller", "products": ["MAIL"]}],
            }
        }
    }
    month = run_month(
        "client  service  qty\nAcme  MAIL  1",
        usage="client  service  source  class\nAcme  MAIL  tenant  user\nAcme  MAIL  tenant  shared",
        purchases="client  service  qty  source\nAcme  MAIL  3  seller",
        rules=rules,
    )
    cell = month.cell("Acme", "MAIL")
    assert (cell["used_qty"], cell["purchased_qty"], cell["diagnosis"]) == (1, 3, "margin_leak waste")


@pytest.mark.parametrize(("to", "expected"), [("up", "12"), ("down", "11"), ("nearest", "12")])
def test_t37_t47_the_highest_month_is_rounded_to_what_is_sold_like_any_count(to: str, expected: str) -> None:
    rules = {"services": {"GB": {"used": [{"products": ["GB"]}], "high_water_since": "2026-01-01", "rounding": {"to": to}}}}
    month = run_month(
        "client  service  qty\nAcme  GB  11", usage="client  service  qty\nAcme  GB  9.3", rules=rules, earlier=(_counted("GB", "11.5"),)
    )
    assert month.cell("Acme", "GB")["expected_qty"] == Decimal(expected)


def _counted(service: str, quantity: str) -> pa.Table:
    nothing = dict.fromkeys(("duplicate_qty", "stale_qty", "later_qty", "committed_qty"), Decimal(0))
    key = {"client_id": "Acme", "service_id": service, "measure": "used", "source": "vendor", "take": "last_day"}
    return make_table(COUNTS, [{**key, **nothing, "is_known": True, "quantity_qty": Decimal(quantity), "records": 1}])


def test_t43_t113_what_agrees_costs_nothing_whatever_currency_the_vendor_bills_in() -> None:
    flat = {"used": [{"products": ["EDR"]}], "purchased": [{"products": ["EDR"]}], "included": 2, "price": {"model": "flat", "price": "99"}}
    month = run_month(
        "",
        usage="client  service  qty\nAcme  EDR  2",
        purchases="client  service  qty  cost  currency\nAcme  EDR  2  4.00  CAD",
        rules={"services": {"EDR": flat}},
    )
    cell = month.cell("Acme", "EDR")
    assert (cell["status"], cell["monthly_impact"]) == ("matched", 0)


def test_t113_lines_in_two_currencies_and_a_purchase_in_a_third_are_one_finding() -> None:
    month = run_month(
        "client  agreement  service  qty\nAcme  A1  M365  3\nAcme  A2  M365  2",
        purchases="client  service  qty  cost  currency\nAcme  M365  5  9.00  CAD",
        agreements="agreement  client  currency\nA1  Acme  USD\nA2  Acme  EUR",
    )
    assert month.kinds() == [("Acme", "M365", "currency_or_cycle_mismatch")]


def test_t3_t123_a_tolerated_difference_is_not_called_timing_because_it_is_not_the_only_one() -> None:
    month = run_month(
        "client  service  qty\nAcme  EDR  10",
        usage="client  service  qty  since\nAcme  EDR  9  -\nAcme  EDR  2  2026-11-02",
        rules={"tolerance": {"units": 1}},
    )
    assert (month.cell("Acme", "EDR")["status"], month.cell("Acme", "EDR")["variance_qty"]) == ("matched_within_tolerance", -1)


def test_t46_one_source_of_a_service_is_taken_one_way() -> None:
    rules: dict[str, Any] = {"services": {"GB": {"used": [{"products": ["hot"], "take": "peak"}, {"products": ["cold"]}]}}}
    usage = "client  product  qty  day\nAcme  hot  5  2026-10-30\nAcme  hot  4  2026-10-31\nAcme  cold  1  2026-10-31"
    with pytest.raises(SettingsError, match=r"services\.GB\.used\.1: vendor is read with take: last_day here and take: peak in .*used\.0"):
        run_month("client  service  qty\nAcme  GB  6", usage=usage, rules=rules)
