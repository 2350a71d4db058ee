"""T13–T18, T33, T65–T69, T86, T112, T113, T131: which lines are compared, and what a difference is worth."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_month import run_month

from reconlib.errors import SettingsError

TEN_USED = "client  service  qty\nAcme  EDR  10"


@pytest.mark.parametrize(
    ("agreement", "bucket"),
    [
        ("status Cancelled", "out_of_scope_agreement_ended"),
        ("status Expired", "out_of_scope_agreement_ended"),
        ("to 2026-10-30", "out_of_scope_agreement_ended"),
        ("to 2026-10-31", "matched"),
        ("cancelled 2026-10-31", "out_of_scope_agreement_ended"),
        ("cancelled 2026-11-01", "matched"),
        ("from 2026-11-01", "out_of_scope_agreement_not_started"),
        ("cycle none", "out_of_scope_not_recurring"),
    ],
)
def test_t13_scope_of_the_agreement(agreement: str, bucket: str) -> None:
    name, value = agreement.split()
    month = run_month(
        "client  agreement  service  qty\nAcme  A1  EDR  10", usage=TEN_USED, agreements=f"agreement  client  {name}\nA1  Acme  {value}"
    )
    assert month.bucket("L1") == bucket


@pytest.mark.parametrize(
    ("start", "end", "bucket"),
    [
        ("2026-10-31", "-", "matched"),
        ("2026-11-01", "-", "out_of_scope_not_started"),
        ("-", "2026-10-31", "out_of_scope_ended"),
        ("-", "2026-11-01", "matched"),
    ],
)
def test_t13_scope_of_the_line(start: str, end: str, bucket: str) -> None:
    month = run_month(f"client  service  qty  from  to\nAcme  EDR  10  {start}  {end}", usage=TEN_USED)
    assert month.bucket("L1") == bucket


def test_t13_t14_clients_that_are_deleted_or_prospects_are_out_and_twins_do_not_map() -> None:
    month = run_month(
        "client  service  qty\nAcme  EDR  10\nOld Acme  EDR  3\nHope  EDR  1",
        usage=TEN_USED,
        clients="client  name  deleted  billable\nAcme  Acme  -  yes\nOld Acme  Acme  deleted  yes\nHope  Hope  -  no",
    )
    assert [month.bucket(line) for line in ("L1", "L2", "L3")] == [
        "matched",
        "out_of_scope_client_deleted",
        "out_of_scope_client_inactive",
    ]
    assert month.findings == []


def test_t15_lines_on_a_child_agreement_count() -> None:
    month = run_month(
        "client  agreement  service  qty\nAcme  A1  EDR  6\nAcme  A2  EDR  4",
        usage=TEN_USED,
        agreements="agreement  client  parent\nA1  Acme  -\nA2  Acme  A1",
    )
    assert month.cell("Acme", "EDR")["billed_qty"] == 10


def test_t17_several_lines_of_one_service_are_summed() -> None:
    month = run_month(
        "client  service  qty  from\nAcme  EDR  2  2026-03-01\nAcme  EDR  2  2026-03-15", usage="client  service  qty\nAcme  EDR  4"
    )
    cell = month.cell("Acme", "EDR")
    assert (cell["billed_qty"], cell["lines"], cell["status"], cell["agreement_line_id"]) == (4, 2, "matched", "L2")


def test_t18_a_line_that_bills_a_partial_month_is_not_steady_state() -> None:
    month = run_month(
        """
        client  service  qty  from        to
        Acme    EDR      12   2026-01-01  -
        Acme    EDR      2    2026-03-17  2026-03-31
        """,
        usage="client  service  qty\nAcme  EDR  12",
        period="2026-03",
    )
    assert month.cell("Acme", "EDR")["billed_qty"] == 12
    assert month.bucket("L2") == "proration_helper"
    assert month.findings == []


def test_t33_a_credit_line_changes_no_quantity() -> None:
    month = run_month("client  service  qty  price\nAcme  EDR  10  5.00\nAcme  EDR  1  -25.00", usage=TEN_USED)
    assert month.bucket("L2") == "credit"
    assert month.findings == []


def test_t69_a_cost_only_line_covers_its_units_and_is_no_revenue_gap() -> None:
    month = run_month("client  service  qty  billable\nAcme  EDR  8  no", usage=TEN_USED)
    assert month.bucket("L1") == "cost_only"
    assert [(row["kind"], row["monthly_impact"]) for row in month.findings] == [("under_billed", Decimal(0))]


CARE = {
    "services": {
        "CARE": {"bundle": {"anchor": "RMM", "covers": {"RMM": 1, "EDR": 1}}},
        "RMM": {"used": [{"products": ["RMM"]}]},
        "EDR": {"used": [{"products": ["EDR"]}]},
    }
}


def test_t65_a_bundle_is_compared_with_its_anchor_and_its_components_are_not_unbilled() -> None:
    month = run_month(
        "client  service  qty  price\nAcme  CARE  20  89.00", usage="client  service  qty\nAcme  RMM  23\nAcme  EDR  23", rules=CARE
    )
    assert [(row["service_id"], row["kind"], row["variance_qty"], row["monthly_impact"]) for row in month.findings] == [
        ("CARE", "under_billed", 3, Decimal("267.00"))
    ]


def test_t66_fewer_components_than_bundles_is_a_coverage_gap_without_money() -> None:
    month = run_month("client  service  qty\nAcme  CARE  20", usage="client  service  qty\nAcme  RMM  20\nAcme  EDR  18", rules=CARE)
    assert [(r["service_id"], r["kind"], r["variance_qty"], r["monthly_impact"]) for r in month.findings] == [
        ("EDR", "dependent_mismatch", 2, None)
    ]


def test_t67_residual_of_a_component_above_bundle_and_standalone_lines() -> None:
    month = run_month(
        "client  service  qty\nAcme  CARE  20\nAcme  EDR  3", usage="client  service  qty\nAcme  RMM  20\nAcme  EDR  24", rules=CARE
    )
    assert [(r["service_id"], r["kind"], r["variance_qty"]) for r in month.findings] == [("EDR", "under_billed", 1)]


def test_t66_t67_standalone_lines_nobody_uses_are_over_billed_beside_the_coverage_gap() -> None:
    month = run_month(
        "client  service  qty\nAcme  CARE  20\nAcme  EDR  2", usage="client  service  qty\nAcme  RMM  20\nAcme  EDR  18", rules=CARE
    )
    assert sorted((r["service_id"], r["kind"], r["variance_qty"]) for r in month.findings) == [
        ("EDR", "dependent_mismatch", 2),
        ("EDR", "over_billed", -2),
    ]


def test_t86_idle_committed_seats_are_waste_never_over_billing() -> None:
    rules = {
        "services": {
            "M365": {"used": [{"source": "tenant", "products": ["M365"]}], "purchased": [{"products": ["M365"]}], "expect": "purchased"}
        }
    }
    month = run_month(
        "client  service  qty  price\nAcme  M365  44  22.00",
        usage="client  service  qty  source\nAcme  M365  38  tenant",
        purchases="client  service  qty  cost\nAcme  M365  44  18.70",
        rules=rules,
    )
    assert [(r["kind"], r["variance_qty"], r["monthly_impact"], r["cost_impact"]) for r in month.findings] == [
        ("unused_commitment", 6, None, Decimal("112.20"))
    ]


@pytest.mark.parametrize(("cycle", "price", "impact"), [("1", "12.50", "25.00"), ("3", "37.50", "25.00"), ("12", "100.00", "16.67")])
def test_t112_quantities_in_every_cycle_money_by_the_month(cycle: str, price: str, impact: str) -> None:
    month = run_month(
        f"client  agreement  service  qty  price\nAcme  A1  EDR  8  {price}",
        usage=TEN_USED,
        agreements=f"agreement  client  cycle\nA1  Acme  {cycle}",
    )
    assert month.cell("Acme", "EDR")["monthly_impact"] == Decimal(impact)


def test_t113_a_purchase_in_another_currency_is_not_compared_in_money() -> None:
    month = run_month(
        "client  service  qty  cost\nAcme  M365  5  7.00",
        purchases="client  service  qty  cost  currency\nAcme  M365  5  9.00  CAD",
        rules={"services": {"M365": {"purchased": [{"products": ["M365"]}], "expect": "purchased"}}},
    )
    assert [(r["kind"], r["monthly_impact"], r["cost_impact"]) for r in month.findings] == [("currency_or_cycle_mismatch", None, None)]


BOUGHT_AND_USED = {
    "services": {
        "M365": {
            "used": [{"source": "tenant", "products": ["M365"]}],
            "purchased": [{"source": "vendor", "products": ["M365"]}],
            "expect": "purchased",
        }
    }
}


def test_t113_idle_seats_bought_in_another_currency_have_no_amount() -> None:
    month = run_month(
        "client  service  qty\nAcme  M365  5",
        usage="client  service  qty  source\nAcme  M365  4  tenant",
        purchases="client  service  qty  cost  currency\nAcme  M365  5  9.00  CAD",
        rules=BOUGHT_AND_USED,
    )
    assert sorted((r["kind"], r["currency"], r["cost_impact"]) for r in month.findings) == [
        ("currency_or_cycle_mismatch", "USD", None),
        ("unused_commitment", "USD", None),
    ]


@pytest.mark.parametrize(
    ("bought_later", "status", "words"),
    [("2026-11-02", "timing", "M365 agrees on the as-of date; 2 more came after it."), ("2026-10-02", "under_billed", "Billing 2 fewer")],
)
def test_t3_only_units_of_the_expected_measure_are_timing(bought_later: str, status: str, words: str) -> None:
    month = run_month(
        "client  service  qty\nAcme  M365  5\nBlue  M365  5",
        usage="""
        client  service  qty  source  since
        Acme    M365     5    tenant  -
        Acme    M365     2    tenant  2026-11-02
        Blue    M365     6    tenant  2026-11-02
        """,
        purchases=f"client  service  qty  since\nAcme  M365  5  -\nAcme  M365  2  {bought_later}\nBlue  M365  5  -",
        rules=BOUGHT_AND_USED,
    )
    cell = month.cell("Acme", "M365")
    assert (cell["status"], cell["explanation"][: len(words)]) == (status, words)
    assert month.cell("Blue", "M365")["status"] == "matched"  # later seats in use say nothing about what is bought


def test_t131_under_and_over_billing_stand_apart() -> None:
    month = run_month("client  service  qty\nAcme  EDR  8\nBlue  EDR  12", usage="client  service  qty\nAcme  EDR  10\nBlue  EDR  10")
    assert sorted((r["kind"], r["monthly_impact"]) for r in month.findings) == [
        ("over_billed", Decimal("-20.00")),
        ("under_billed", Decimal("20.00")),
    ]


@pytest.mark.parametrize(
    ("lines", "rule", "said"),
    [
        (
            "Acme  EDR  15",
            {"minimum": 20},
            "Billing 5 fewer EDR than is due for 10 in use: 15 billed, 20 expected, 50.00 USD a month lost.",
        ),
        (
            "",
            {"rounding": {"block": "100"}},
            "100 EDR due for 10 in use and no agreement line bills them: 1,000.00 USD a month at list price.",
        ),
        ("Acme  EDR  8", {}, "Billing 2 fewer EDR than in use: 8 billed, 10 expected, 20.00 USD a month lost."),
    ],
)
def test_t36_t47_what_the_rules_make_of_a_count_is_not_said_to_be_in_use(lines: str, rule: dict[str, Any], said: str) -> None:
    rules = {"services": {"EDR": {"used": [{"source": "vendor"}], **rule}}}
    month = run_month(f"client  service  qty\n{lines}", usage=TEN_USED, services="service  price\nEDR  10.00", rules=rules)
    (finding,) = month.findings
    assert finding["explanation"] == said


def test_new_revenue_is_priced_from_the_catalogue_and_estimated() -> None:
    month = run_month("", usage=TEN_USED, services="service  price\nEDR  4.25")
    (finding,) = month.findings
    assert (finding["kind"], finding["monthly_impact"], finding["certainty"]) == ("new_revenue", Decimal("42.50"), "estimated")


def test_cost_change_and_negative_margin() -> None:
    rules = {"services": {"M365": {"purchased": [{"products": ["M365"]}], "expect": "purchased"}}}
    month = run_month(
        "client  service  qty  price  cost\nAcme  M365  10  22.00  18.00\nBlue  M365  10  17.00  18.70",
        purchases="client  service  qty  cost\nAcme  M365  10  18.70\nBlue  M365  10  18.70",
        rules=rules,
    )
    assert [(r["client_id"], r["kind"], r["cost_impact"]) for r in month.findings] == [
        ("Blue", "negative_margin", Decimal("17.00")),
        ("Acme", "cost_change", Decimal("7.00")),
    ]


def test_t1_a_cost_change_without_a_known_count_has_no_amount() -> None:
    month = run_month(
        "client  service  qty  cost\nAcme  M365  5  7.00",
        purchases="client  service  qty  cost\nAcme  M365  6  9.00",
        failed=("rmm",),
    )
    assert sorted((r["kind"], r["cost_impact"]) for r in month.findings) == [("cost_change", None), ("no_count", None)]


TWO_BUNDLES = {
    "services": {
        "GOLD": {"bundle": {"anchor": "RMM", "covers": {"RMM": 1, "EDR": 1}}},
        "SILVER": {"bundle": {"anchor": "RMM", "covers": {"RMM": 1}}},
        "RMM": {"used": [{"products": ["RMM"]}]},
        "EDR": {"used": [{"products": ["EDR"]}]},
    }
}


@pytest.mark.parametrize(("seats", "findings"), [("15", []), ("17", [("GOLD", "under_billed", 2)]), ("12", [("GOLD", "over_billed", -3)])])
def test_t65_two_bundles_on_one_anchor_share_its_count(seats: str, findings: list[tuple[str, str, int]]) -> None:
    month = run_month(
        "client  service  qty\nAcme  GOLD  10\nAcme  SILVER  5",
        usage=f"client  service  qty\nAcme  RMM  {seats}\nAcme  EDR  10",
        rules=TWO_BUNDLES,
    )
    billing = [(r["service_id"], r["kind"], r["variance_qty"]) for r in month.findings if r["monthly_impact"] is not None]
    assert billing == findings
    assert all(r["certainty"] == "estimated" for r in month.findings if r["service_id"] == "GOLD" and r["monthly_impact"])


def care(**more: object) -> dict[str, object]:
    services = {**CARE["services"], "CARE": {**CARE["services"]["CARE"], **more}}
    return {"services": services}


def test_t36_a_bundle_has_its_own_minimum() -> None:
    month = run_month(
        "client  service  qty\nAcme  CARE  10", usage="client  service  qty\nAcme  RMM  7\nAcme  EDR  7", rules=care(minimum=10)
    )
    assert month.findings == []


def test_t34_an_exception_of_a_client_holds_for_its_bundle() -> None:
    override = {"client": "Acme", "service": "CARE", "exclude_units": 3, "reason": "loan laptops", "review_by": "2027-01-31"}
    month = run_month(
        "client  service  qty\nAcme  CARE  7",
        usage="client  service  qty\nAcme  RMM  10\nAcme  EDR  7",
        rules={**CARE, "overrides": [override]},
    )
    assert month.findings == []


def test_t39_units_included_in_a_bundle_line_are_free_on_both_sides() -> None:
    month = run_month(
        "client  service  qty  included\nAcme  CARE  10  2", usage="client  service  qty\nAcme  RMM  10\nAcme  EDR  10", rules=CARE
    )
    assert month.findings == []


def test_t65_standalone_anchor_units_nobody_uses_do_not_hide_behind_the_bundle() -> None:
    month = run_month(
        "client  service  qty\nAcme  CARE  1\nAcme  RMM  9", usage="client  service  qty\nAcme  RMM  4\nAcme  EDR  0", rules=CARE
    )
    assert {(r["service_id"], r["kind"], r["variance_qty"]) for r in month.findings} == {
        ("RMM", "over_billed", -5),
        ("CARE", "over_billed", -1),
    }


def test_t36_a_minimum_nobody_reaches_is_under_billed_not_an_orphan() -> None:
    rules = {"services": {"SAAS": {"used": [{"products": ["SAAS"]}], "minimum": 5}}}
    month = run_month(
        "client  service  qty\nAcme  SAAS  3",
        usage="client  service  qty\nAcme  SAAS  0\nBlue  SAAS  5",
        rules=rules,
        clients="client\nBlue",
    )
    assert ("Acme", "SAAS", "under_billed") in month.kinds()


def test_purchases_in_several_currencies_or_costs_make_no_amount() -> None:
    rules = {
        "services": {
            "M365": {
                "used": [{"source": "tenant", "products": ["M365"]}],
                "purchased": [{"source": "vendor", "products": ["M365"]}],
                "expect": "purchased",
            }
        }
    }
    line = "client  service  qty  price  cost\nAcme  M365  20  9.00  4.00"
    used = "client  service  qty  source\nAcme  M365  15  tenant"
    mixed = run_month(
        line,
        usage=used,
        purchases="client  service  qty  cost  currency\nAcme  M365  10  5.00  EUR\nAcme  M365  10  5.00  USD",
        rules=rules,
    )
    assert [(r["kind"], r["cost_impact"]) for r in mixed.findings] == [("currency_or_cycle_mismatch", None), ("unused_commitment", None)]
    unknown = run_month(line, usage=used, purchases="client  service  qty  cost\nAcme  M365  10  5.00\nAcme  M365  10  -", rules=rules)
    assert [(r["kind"], r["cost_impact"]) for r in unknown.findings] == [("unused_commitment", None)]


def test_usage_of_a_client_that_is_not_billed_is_shown_without_money() -> None:
    month = run_month(
        "client  service  qty\nHome  EDR  5",
        usage="client  service  qty\nHome  EDR  8",
        clients="client  billable\nHome  no",
        services="service  price\nEDR  10",
    )
    assert month.findings == []
    cell = month.cell("Home", "EDR")
    assert (cell["status"], cell["monthly_impact"], cell["used_qty"]) == ("out_of_scope", None, 8)


def test_t1_a_component_of_a_bundle_whose_count_is_missing_is_unknown_and_says_why() -> None:
    rules = {
        "services": {
            "CARE": {"bundle": {"anchor": "RMM", "covers": {"RMM": 1, "EDR": 1}}},
            "RMM": {"used": [{"source": "rmm", "products": ["RMM"]}]},
            "EDR": {"used": [{"source": "vendor", "products": ["EDR"]}]},
        }
    }
    month = run_month(
        "client  service  qty\nAcme  CARE  20",
        usage="client  service  qty  source\nAcme  RMM  23  rmm\nAcme  EDR  23  vendor",
        failed=("rmm",),
        rules=rules,
    )
    assert month.kinds() == [("Acme", "CARE", "no_count"), ("Acme", "EDR", "no_count")]
    assert month.cell("Acme", "EDR")["explanation"] == (
        "No count for EDR: 23 are in use, but the bundle that covers it has no count. Nothing can be said about the 0 billed."
    )


def test_t14_an_exception_named_by_code_is_the_live_client_s_and_one_of_two_live_ones_is_refused() -> None:
    given: dict[str, Any] = {"usage": "client  service  qty\nAcme  EDR  8"}
    rules = {"overrides": [{"client": "AC", "service": "EDR", "exclude_units": "3", "reason": "spares", "review_by": "2027-01-31"}]}
    deleted = "client  code  deleted\nAcme  AC  -\nOld  AC  yes"
    assert run_month("client  service  qty\nAcme  EDR  5", **given, clients=deleted, rules=rules).cell("Acme", "EDR")["status"] == "matched"
    with pytest.raises(SettingsError, match=r"2 clients have the code 'AC'\nHint: use the client id: Acme, New"):
        run_month("client  service  qty\nAcme  EDR  5", **given, clients="client  code\nAcme  AC\nNew  AC", rules=rules)
