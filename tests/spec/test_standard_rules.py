"""T27, T34–T39, T46–T49, T55–T58, T62, T86, T87, T110, T121–T123: what is counted, committed, allowed and expected beside a plain count."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from small_month import run_month

from reconlib.errors import SettingsError
from reconlib.rates import make_rates
from reconlib.schema import COUNTS, make_table
from reconlib.settings import Rate

EDR = {"used": [{"products": ["EDR"]}]}


def month_before(*rows: tuple[str, str, int | None], measure: str = "used") -> pa.Table:
    """Counts of the month before: client, service, units; None for a count that was not known."""
    return make_table(
        COUNTS,
        [
            {
                "client_id": client,
                "service_id": service,
                "measure": measure,
                "source": "vendor",
                "take": "last_day",
                "records": 1,
                "is_known": quantity is not None,
                "quantity_qty": None if quantity is None else Decimal(quantity),
                **dict.fromkeys(("duplicate_qty", "stale_qty", "later_qty"), Decimal(0)),
            }
            for client, service, quantity in rows
        ],
    )


DAILY = """
client  service  qty  day
Acme    EDR      4    2026-10-01
Acme    EDR      9    2026-10-10
Acme    EDR      6    2026-10-30
Birch   EDR      1    2026-10-01
Birch   EDR      2    2026-10-10
"""


@pytest.mark.parametrize(
    ("take", "acme", "birch"),
    [
        ({"take": "last_day"}, 6, 0),  # the last day the source speaks of: Birch has none then
        ({"take": "peak"}, 9, 2),
        ({"take": "average"}, Decimal("6.333333"), 1),  # 19 and 3 over the three days of the source, divided once
        ({"take": "billing_day", "billing_day": 10}, 9, 2),
        ({"take": "billing_day", "billing_day": 5}, 0, 0),
    ],
)
def test_t44_t45_t46_which_of_a_months_daily_counts_is_a_rule_and_stays_with_the_result(take: dict, acme: Decimal, birch: int) -> None:
    month = run_month(
        "client  service  qty\nAcme  EDR  6\nBirch  EDR  2",
        usage=DAILY,
        rules={"services": {"EDR": {"used": [{"products": ["EDR"], **take}]}}},
    )
    assert [month.cell(client, "EDR")["used_qty"] for client in ("Acme", "Birch")] == [acme, birch]
    assert {row["take"] for row in month.counts if row["quantity_qty"]} <= {take["take"]}


def test_t46_any_time_counts_each_unit_of_the_month_once() -> None:
    usage = "client  service  key  day\nAcme  EDR  S1  2026-10-01\nAcme  EDR  S2  2026-10-01\nAcme  EDR  S2  2026-10-02\nAcme  EDR  S3  2026-10-31"
    rules = {"services": {"EDR": {"used": [{"products": ["EDR"], "take": "any_time"}]}}}
    assert run_month("client  service  qty\nAcme  EDR  3", usage=usage, rules=rules).cell("Acme", "EDR")["status"] == "matched"


def test_t46_any_time_without_a_key_stops_because_nobody_can_say_which_are_the_same() -> None:
    rules = {"services": {"EDR": {"used": [{"products": ["EDR"], "take": "any_time"}]}}}
    with pytest.raises(SettingsError, match=r"services\.EDR\.used\.0: any_time counts each unit once"):
        run_month("client  service  qty\nAcme  EDR  3", usage="client  service  day\nAcme  EDR  2026-10-01", rules=rules)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (None, "10.2"),
        ({"to": "up"}, "11"),
        ({"to": "down"}, "10"),
        ({"to": "nearest"}, "10"),
        ({"to": "up", "block": 5}, "15"),
        ({"to": "down", "block": 5}, "10"),
        ({"to": "up", "block": "0.5"}, "10.5"),
    ],
)
def test_t47_fractions_are_rounded_by_a_named_rule_and_block(rounding: dict | None, expected: str) -> None:
    rules = {"services": {"EDR": EDR | ({"rounding": rounding} if rounding else {})}}
    month = run_month("client  service  qty\nAcme  EDR  1", usage="client  service  qty\nAcme  EDR  10.2", rules=rules)
    assert month.cell("Acme", "EDR")["expected_qty"] == Decimal(expected)


def test_t47_half_a_block_goes_up_when_rounded_to_the_nearest() -> None:
    rules = {"services": {"EDR": EDR | {"rounding": {"to": "nearest", "block": 5}}}}
    usage = "client  service  qty\nAcme  EDR  12.5\nBirch  EDR  12.4"
    month = run_month("client  service  qty\nAcme  EDR  1\nBirch  EDR  1", usage=usage, rules=rules)
    assert [month.cell(client, "EDR")["expected_qty"] for client in ("Acme", "Birch")] == [15, 10]


def test_t48_a_user_is_no_shared_mailbox_unless_the_rule_counts_them() -> None:
    usage = "client  service  qty  class\nAcme  EDR  5  user\nAcme  EDR  2  shared"
    for rule, expected in (
        (EDR | {"basis": "user"}, 5),
        (EDR, 7),
        ({"basis": "user", "used": [{"products": ["EDR"], "where": {"unit_class": ["user", "shared"]}}]}, 7),
    ):
        month = run_month("client  service  qty\nAcme  EDR  1", usage=usage, rules={"services": {"EDR": rule}})
        assert month.cell("Acme", "EDR")["expected_qty"] == expected


def test_t49_t58_states_and_groups_named_under_unless_do_not_count_and_a_state_nobody_names_does() -> None:
    usage = "client  service  qty  state\nAcme  EDR  5  Active\nAcme  EDR  1  Paused\nAcme  EDR  1  Archived\nAcme  EDR  4  Unprotected\nAcme  EDR  1  -"
    rules = {"services": {"EDR": {"used": [{"products": ["EDR"], "unless": {"unit_state": ["Unprotected"]}}]}}}
    month = run_month("client  service  qty\nAcme  EDR  8", usage=usage, rules=rules)
    assert month.cell("Acme", "EDR")["status"] == "matched"
    assert month.buckets()["u4"] == "unaccounted"


def test_t37_a_high_water_mark_does_not_fall_inside_its_term() -> None:
    rules = {"services": {"EDR": EDR | {"high_water_since": "2026-09-01"}}}
    earlier = (month_before(("Acme", "EDR", 8)), month_before(("Acme", "EDR", 30)))  # September, and August before the term
    month = run_month("client  service  qty\nAcme  EDR  8", usage="client  service  qty\nAcme  EDR  5", rules=rules, earlier=earlier)
    assert (month.cell("Acme", "EDR")["expected_qty"], month.cell("Acme", "EDR")["status"]) == (8, "matched")


def test_t38_what_nobody_uses_of_a_pool_is_the_msps_own_cost_and_no_clients_difference() -> None:
    month = run_month(
        "client  service  qty\nAcme  EDR  4\nBirch  EDR  3",
        usage="client  service  qty\nAcme  EDR  4\nBirch  EDR  3",
        services="service  cost\nEDR  2.50",
        rules={"services": {"EDR": EDR | {"pool": 10}}},
    )
    assert [(row["kind"], row["client_id"], row["variance_qty"], row["cost_impact"]) for row in month.findings] == [
        ("unused_commitment", None, 3, Decimal("7.50"))
    ]


def test_t38_t131_idle_seats_of_a_pool_are_said_once_and_of_no_client() -> None:
    given: dict[str, Any] = {
        "lines": "client  service  qty\nAcme  EDR  4",
        "usage": "client  service  qty\nAcme  EDR  4",
        "purchases": "client  service  qty  cost\nAcme  EDR  10  2.50",
        "services": "service  cost\nEDR  2.50",
    }
    rule = {"used": [{"source": "vendor"}], "purchased": [{"source": "vendor"}]}
    for more, client in (({}, "Acme"), ({"pool": 10}, None)):
        month = run_month(**given, rules={"services": {"EDR": rule | more}})
        idle = [(row["client_id"], row["cost_impact"]) for row in month.findings if row["kind"] == "unused_commitment"]
        assert idle == [(client, Decimal("15.00"))]


def test_t38_a_pool_says_nothing_while_a_count_is_missing() -> None:
    usage = "client  service  qty  source\nAcme  EDR  4  one\nBirch  EDR  3  two"
    rules = {"services": {"EDR": EDR | {"pool": 10}}}
    month = run_month("client  service  qty\nAcme  EDR  4", usage=usage, rules=rules, failed=("two",))
    assert "unused_commitment" not in {row["kind"] for row in month.findings}


OVERRIDE = {"client": "Acme", "service": "EDR", "reason": "contract of 2024", "review_by": "2027-06-30"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"exclude_units": 2}, 28),  # T34
        ({"count": 2}, 2),  # T56: 30 people with web mail on two kiosks are billed as two
        ({"maximum": 25}, 25),
        ({"minimum": 40}, 40),
        ({"included": 5}, 25),
    ],
)
def test_t34_t56_a_clients_contract_exception_stands_beside_the_rule(more: dict, expected: int) -> None:
    rules = {"services": {"EDR": EDR}, "overrides": [{**OVERRIDE, **more}]}
    month = run_month("client  service  qty\nAcme  EDR  30", usage="client  service  qty\nAcme  EDR  30", rules=rules)
    assert month.cell("Acme", "EDR")["expected_qty"] == expected
    assert "contract of 2024" in month.cell("Acme", "EDR")["rule"]


def test_t35_a_product_ignored_for_a_client_gives_no_finding_and_its_line_stays_as_it_is() -> None:
    rules = {"services": {"EDR": EDR}, "overrides": [{**OVERRIDE, "ignore": True}]}
    month = run_month("client  service  qty\nAcme  EDR  30", usage="client  service  qty\nAcme  EDR  3", rules=rules)
    assert (month.cell("Acme", "EDR")["status"], month.bucket("L1"), month.findings) == ("ignored", "ignored", [])
    assert month.cell("Acme", "EDR")["expected_qty"] is None


@pytest.mark.parametrize(
    ("usage", "purchases", "cost"),
    [
        ("Acme  EDR  10  S1", "", "12.00"),  # sold below cost
        ("Acme  EDR  10  S1", "Acme  EDR  10  9.00", "8.00"),  # dearer than its line says
        ("Acme  EDR  1  S1\nAcme  EDR  1  S1", "", "1.00"),  # a unit seen twice
    ],
)
def test_t35_nothing_is_said_of_the_cost_or_units_of_what_is_ignored(usage: str, purchases: str, cost: str) -> None:
    rule = {"used": [{"source": "vendor", "dedupe": True}], "purchased": [{"source": "vendor"}]}
    given = {
        "lines": f"client  service  qty  price  cost\nAcme  EDR  10  10.00  {cost}",
        "usage": f"client  service  qty  key\n{usage}",
        "purchases": f"client  service  qty  cost\n{purchases}",
    }
    assert [row for row in run_month(**given, rules={"services": {"EDR": rule}}).findings if row["client_id"]] != []
    ignored = run_month(**given, rules={"services": {"EDR": rule}, "overrides": [{**OVERRIDE, "ignore": True}]})
    assert (ignored.cell("Acme", "EDR")["status"], [row for row in ignored.findings if row["client_id"]]) == ("ignored", [])


@pytest.mark.parametrize("why", ["ignore", "not_resold"])
def test_t35_t57_what_a_contract_leaves_out_is_not_missed(why: str) -> None:
    rules = {"expected": [{"with_service": "RMM", "services": ["EDR"]}], "overrides": [{**OVERRIDE, why: True}]}
    given = {"lines": "client  service  qty\nAcme  RMM  5", "services": "service\nEDR", "usage": "client  service  qty\nAcme  RMM  5"}
    assert run_month(**given, rules=rules).findings == []
    lacking = run_month(**given, rules={"expected": rules["expected"]}).findings
    assert [row["kind"] for row in lacking] == ["missing_expected_service"]


def test_t55_the_msps_own_agreement_has_no_margin() -> None:
    lines = "client  service  qty  price  cost\nAcme  EDR  10  0.00  6.00"
    assert {row["kind"] for row in run_month(lines).findings} == {"no_source", "negative_margin"}
    assert run_month(lines, rules={"own_clients": ["Acme"]}).findings == []


def test_t57_what_the_client_buys_elsewhere_is_in_use_and_neither_bought_nor_billed_here() -> None:
    rules = {"services": {"EDR": EDR}, "overrides": [{**OVERRIDE, "not_resold": True}]}
    usage = "client  service  qty\nAcme  EDR  3\nBirch  EDR  1"
    month = run_month("client  service  qty\nBirch  EDR  1", usage=usage, rules=rules)
    assert (month.cell("Acme", "EDR")["status"], month.findings) == ("not_resold", [])
    billed = run_month("client  service  qty\nAcme  EDR  3", usage=usage, rules=rules)
    assert (billed.cell("Acme", "EDR")["status"], billed.cell("Acme", "EDR")["variance_qty"]) == ("over_billed", -3)


def test_t55_the_msps_own_units_are_its_own_cost_and_never_billed() -> None:
    month = run_month(
        "client  service  qty\nAcme  EDR  1",
        usage="client  service  qty\nAcme  EDR  1\nUs  EDR  7",
        clients="client\nAcme\nUs",
        rules={"services": {"EDR": EDR}, "own_clients": ["Us"]},
    )
    cell = month.cell("Us", "EDR")
    assert (cell["status"], cell["used_qty"], cell["monthly_impact"], month.findings) == ("own_use", 7, None, [])


AGENTS = """
client  service  source  key
Acme    RMM      rmm     S1
Acme    RMM      rmm     S2
Acme    EDR      edr     S2
Acme    EDR      edr     S3
"""


def test_t62_a_device_with_several_agents_counts_once_for_a_service_over_all_of_them() -> None:
    usage = AGENTS.replace("EDR", "DEV").replace("RMM", "DEV")
    rules = {"services": {"DEV": {"once": True, "used": [{"source": "rmm"}, {"source": "edr"}]}}}
    month = run_month("client  service  qty\nAcme  DEV  3", usage=usage, rules=rules)
    assert (month.cell("Acme", "DEV")["used_qty"], month.cell("Acme", "DEV")["status"]) == (3, "matched")


def test_t62_what_one_agent_sees_and_the_other_does_not_is_a_finding_each_way() -> None:
    month = run_month("client  service  qty\nAcme  RMM  2\nAcme  EDR  2", usage=AGENTS, rules={"together": [{"services": ["RMM", "EDR"]}]})
    found = [(row["kind"], row["service_id"], row["variance_qty"], row["explanation"]) for row in month.findings]
    assert sorted(found) == [
        ("coverage_gap", "EDR", 1, "1 unit without EDR: 1 with RMM (first key S1)."),
        ("coverage_gap", "RMM", 1, "1 unit without RMM: 1 with EDR (first key S3)."),
    ]


def test_t62_a_device_its_pair_shows_under_another_service_is_no_gap() -> None:
    """A server with an agent is no workstation without management; one nobody manages is."""
    usage = """
    client  service  source  key  class
    Acme    RMM      rmm     W1   workstation
    Acme    RMM      rmm     V1   server
    Acme    EDR      edr     W1   -
    Acme    EDR      edr     V1   -
    Acme    EDR      edr     V2   -
    """
    services = {
        "RMM": {"used": [{"source": "rmm", "products": ["RMM"], "where": {"unit_class": ["workstation"]}}]},
        "SRV": {"used": [{"source": "rmm", "products": ["RMM"], "where": {"unit_class": ["server"]}}]},
    }
    lines = "client  service  qty\nAcme  RMM  1\nAcme  SRV  1\nAcme  EDR  3"
    month = run_month(lines, usage=usage, rules={"services": services, "together": [{"services": ["RMM", "EDR"]}]})
    found = [(row["kind"], row["service_id"], row["variance_qty"]) for row in month.findings]
    assert found == [("coverage_gap", "RMM", 1)]


def test_t62_a_missing_feed_is_no_gap_in_coverage() -> None:
    month = run_month(
        "client  service  qty\nAcme  RMM  2\nAcme  EDR  2",
        usage=AGENTS,
        rules={"together": [{"services": ["RMM", "EDR"]}]},
        failed=("edr",),
    )
    assert "coverage_gap" not in {row["kind"] for row in month.findings}


COMMITTED = "client  service  qty  cost  until\nAcme  EDR  10  4.00  2027-03-31"


@pytest.mark.parametrize(
    ("billed", "status", "variance"),
    [
        (10, "matched", 0),  # 7 assigned of 10 committed and billed: due until March
        (9, "matched", 0),
        (12, "over_billed", -2),  # above the commitment too
        (6, "under_billed", 1),  # what is assigned is due; the commitment is not passed on by itself
    ],
)
def test_t86_over_billing_against_assigned_seats_is_never_claimed_mid_term(billed: int, status: str, variance: int) -> None:
    rules = {"services": {"EDR": {"used": [{"source": "vendor"}], "purchased": [{"source": "vendor"}]}}}
    month = run_month(
        f"client  service  qty\nAcme  EDR  {billed}", usage="client  service  qty\nAcme  EDR  7", purchases=COMMITTED, rules=rules
    )
    cell = month.cell("Acme", "EDR")
    assert (cell["status"], cell["variance_qty"]) == (status, variance)
    (waste,) = [row for row in month.findings if row["kind"] == "unused_commitment"]
    assert (waste["variance_qty"], waste["cost_impact"]) == (3, Decimal("12.00"))
    assert "2027-03-31" in waste["explanation"]


def test_t86_after_the_term_idle_seats_that_are_billed_are_too_much() -> None:
    rules = {"services": {"EDR": {"used": [{"source": "vendor"}], "purchased": [{"source": "vendor"}]}}}
    over = COMMITTED.replace("2027-03-31", "2026-10-30")
    month = run_month("client  service  qty\nAcme  EDR  10", usage="client  service  qty\nAcme  EDR  7", purchases=over, rules=rules)
    assert month.cell("Acme", "EDR")["status"] == "over_billed"


@pytest.mark.parametrize(
    ("billed", "bought", "used", "diagnosis"),
    [
        ("8", "10", "10", "margin_leak"),
        ("10", "8", "10", "shadow_licences"),
        ("10", "10", "7", "refund_risk waste"),
        ("10", "10", "0", "not_deployed waste"),
        ("-", "5", "5", "unbilled"),
        ("10", "10", "10", None),
    ],
)
def test_t57_t86_the_four_numbers_are_named_by_what_they_say_together(billed: str, bought: str, used: str, diagnosis: str | None) -> None:
    lines = "client  service  qty\nBirch  EDR  1" + ("" if billed == "-" else f"\nAcme  EDR  {billed}")
    month = run_month(
        lines,
        usage=f"client  service  qty\nAcme  EDR  {used}\nBirch  EDR  1",
        purchases=f"client  service  qty\nAcme  EDR  {bought}\nBirch  EDR  1",
    )
    assert month.cell("Acme", "EDR")["diagnosis"] == diagnosis


def test_t110_a_vendor_in_arrears_meets_this_months_lines_with_the_month_before() -> None:
    rules = {"services": {"EDR": EDR | {"period_offset": -1}}}
    lines, usage = "client  service  qty\nAcme  EDR  8", "client  service  qty\nAcme  EDR  5"
    month = run_month(lines, usage=usage, rules=rules, earlier=(month_before(("Acme", "EDR", 8)),))
    assert (month.cell("Acme", "EDR")["used_qty"], month.cell("Acme", "EDR")["status"]) == (8, "matched")
    first = run_month(lines, usage=usage, rules=rules)
    assert (first.cell("Acme", "EDR")["status"], first.cell("Acme", "EDR")["monthly_impact"]) == ("no_count", None)
    assert "a month in arrears" in first.cell("Acme", "EDR")["explanation"]


@pytest.mark.parametrize(
    ("tolerance", "billed", "status"),
    [
        ({"percent": 10}, 90, "matched_within_tolerance"),  # bounds are inclusive
        ({"percent": 10}, 110, "matched_within_tolerance"),
        ({"percent": 10}, 89, "under_billed"),
        ({"percent": 10}, 111, "over_billed"),
        ({"units": 3, "side": "over"}, 103, "matched_within_tolerance"),
        ({"units": 3, "side": "over"}, 97, "under_billed"),
        ({"units": 3, "side": "under"}, 97, "matched_within_tolerance"),
        ({"units": 3, "side": "under"}, 103, "over_billed"),
        ({"percent": 10}, 100, "matched"),
    ],
)
def test_t121_t122_t123_a_tolerance_is_a_state_of_its_own_with_sides_and_inclusive_bounds(
    tolerance: dict, billed: int, status: str
) -> None:
    usage = "client  service  qty\nAcme  EDR  100"
    for rules in ({"tolerance": tolerance}, {"services": {"EDR": EDR | {"tolerance": tolerance}}}):
        assert run_month(f"client  service  qty\nAcme  EDR  {billed}", usage=usage, rules=rules).cell("Acme", "EDR")["status"] == status
    assert run_month(f"client  service  qty\nAcme  EDR  {billed}", usage=usage).cell("Acme", "EDR")["status"] in (
        "matched",
        "under_billed",
        "over_billed",
    )


def test_a_client_with_one_service_lacks_what_is_sold_with_it() -> None:
    rules = {"expected": [{"with_service": "RMM", "services": ["EDR"], "reason": "part of managed care"}]}
    month = run_month(
        "client  service  qty\nAcme  RMM  5\nBirch  RMM  2\nBirch  EDR  2",
        usage="client  service  qty\nAcme  RMM  5\nBirch  RMM  2\nBirch  EDR  2",
        rules=rules,
    )
    assert [(row["client_id"], row["service_id"], row["kind"]) for row in month.findings] == [("Acme", "EDR", "missing_expected_service")]
    assert month.findings[0]["explanation"] == "Acme has RMM and no line of EDR: part of managed care."


def test_t27_one_record_for_two_services_counts_in_each_and_costs_once() -> None:
    bought = "client  service  product  qty  cost\nAcme  MAIL  gate  5  2.00"
    rules = {"services": {name: {"expect": "purchased", "purchased": [{"products": ["gate"]}]} for name in ("MAIL", "CARE")}}
    month = run_month("client  service  qty  cost\nAcme  MAIL  5  2.00\nAcme  CARE  4  2.00", purchases=bought, rules=rules)
    assert [month.cell("Acme", name)["purchased_qty"] for name in ("MAIL", "CARE")] == [5, 5]
    assert [row["kind"] for row in month.findings] == ["under_billed"]
    assert sum(row["quantity_qty"] for row in month.grouped) == 5


ABROAD = "client  service  qty  cost  currency\nAcme  EDR  5  10.00  USD"
IN_CAD = {
    "agreements": "agreement  client  currency\nagreement of Acme  Acme  CAD",
    "purchases": ABROAD,
    "usage": "client  service  qty\nAcme  EDR  5",
}


def test_t98_t113_a_cost_in_another_currency_is_compared_at_the_recorded_rate_and_names_it() -> None:
    rate = Rate(**{"from": "USD", "to": "CAD", "rate": "1.3725", "date": date(2026, 10, 31), "source": "central bank"})
    month = run_month("client  service  qty  price  cost\nAcme  EDR  5  13.00  13.50", **IN_CAD, rates=make_rates([rate]))
    found = {row["kind"]: row for row in month.findings}
    assert sorted(found) == ["cost_change", "negative_margin"]  # 10.00 USD are 13.725 CAD: more than the line's 13.50, and than its price
    assert found["cost_change"]["cost_impact"] == Decimal("1.13")  # 5 x 0.225 = 1.125, half up
    assert "1.3725" in found["cost_change"]["explanation"]


def test_t98_t113_without_rates_two_currencies_are_not_compared_and_with_some_the_missing_one_stops() -> None:
    lines = "client  service  qty  price  cost\nAcme  EDR  5  13.00  13.50"
    assert [row["kind"] for row in run_month(lines, **IN_CAD).findings] == ["currency_or_cycle_mismatch"]
    other = Rate(**{"from": "EUR", "to": "CAD", "rate": "1.5", "date": date(2026, 10, 31), "source": "central bank"})
    with pytest.raises(SettingsError, match="rates"):
        run_month(lines, **IN_CAD, rates=make_rates([other]))


def test_t98_a_cost_without_a_currency_asks_for_no_rate() -> None:
    rate = Rate(**{"from": "EUR", "to": "USD", "rate": "1.5", "date": date(2026, 10, 31), "source": "central bank"})
    bought = "client  service  qty  cost  currency\nAcme  EDR  7  10.00  none"
    month = run_month(
        "client  service  qty  price  cost\nAcme  EDR  5  13.00  10.00",
        purchases=bought,
        usage="client  service  qty\nAcme  EDR  7",
        rates=make_rates([rate]),
    )
    assert [(row["kind"], row["monthly_impact"]) for row in month.findings] == [("under_billed", Decimal("26.00"))]


def test_t43_t69_price_models_price_the_difference_and_cost_only_lines_carry_none() -> None:
    volume = {"model": "volume", "tiers": [{"up_to": 100, "price": "1.00"}, {"price": "0.50"}]}
    rules = {"services": {"EDR": EDR | {"price": volume}}}
    usage = "client  service  qty\nAcme  EDR  101"
    month = run_month("client  service  qty\nAcme  EDR  100", usage=usage, rules=rules)
    (finding,) = month.findings
    assert (finding["kind"], finding["variance_qty"], finding["monthly_impact"]) == ("under_billed", 1, Decimal("-49.50"))
    assert "less money, not more" in finding["explanation"]
    free = run_month("client  service  qty  billable\nAcme  EDR  100  no", usage=usage, rules=rules)
    assert [row["monthly_impact"] for row in free.findings] == [0]


@pytest.mark.parametrize(("never_assigned", "kinds"), [(False, ["unused_commitment"]), (True, [])])
def test_t54_licences_that_are_never_assigned_are_no_waste_where_the_rule_says_so(never_assigned: bool, kinds: list[str]) -> None:  # noqa: FBT001 - drawn
    rule = {"expect": "purchased", "used": [{"source": "vendor"}], "purchased": [{"source": "vendor"}], "never_assigned": never_assigned}
    month = run_month(
        "client  service  qty\nAcme  EDR  5",
        usage="client  service  qty\nAcme  EDR  0",
        purchases="client  service  qty\nAcme  EDR  5",
        rules={"services": {"EDR": rule}},
    )
    assert [row["kind"] for row in month.findings] == kinds


def test_t63_a_device_class_no_rule_names_is_a_finding_and_no_default() -> None:
    rules = {
        "services": {name: {"used": [{"products": ["device"], "where": {"unit_class": [name]}}]} for name in ("SERVER", "WORKSTATION")}
    }
    usage = "client  product  class\nAcme  device  SERVER\nAcme  device  WORKSTATION\nAcme  device  TOASTER\nAcme  device  -"
    month = run_month("client  service  qty\nAcme  SERVER  1\nAcme  WORKSTATION  1", usage=usage, rules=rules)
    assert [(row["kind"], row["variance_qty"]) for row in month.findings] == [("unaccounted_usage", 2)]
    assert [month.cell("Acme", name)["status"] for name in ("SERVER", "WORKSTATION")] == ["matched", "matched"]
