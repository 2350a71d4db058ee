"""The changes of approved findings, line by line, and what became of them a month later."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reconlib.changes import list_planned, plan_changes, planned_changes, record_verified_changes, verify_changes
from reconlib.errors import DataError
from reconlib.ledger import Event, canonical_json, open_ledger
from reconlib.money import format_amount, format_qty
from reconlib.period import parse_period
from reconlib.review import apply_finding_decisions, record_finding_decision
from reconlib.schema import CANONICAL, CHANGES, FINDINGS, LINE_BUCKETS, make_table

OCTOBER = parse_period("2026-10")
AT = datetime(2026, 11, 3, 6, tzinfo=UTC)
FACTS = {"book": "harbor", "period": OCTOBER, "who": "Ana", "at": AT}


def lines(text):
    """Agreement lines from a table: id, quantity, included, price, effective day, bucket."""
    made, buckets = [], []
    for row in text.strip().splitlines():
        name, quantity, included, price, day, bucket = row.split()
        line = dict.fromkeys(CANONICAL["agreement_lines"].names()) | {
            "agreement_line_id": name,
            "agreement_id": "a1",
            "client_id": "1",
            "service_id": "31",
        }
        line |= {
            "quantity_qty": Decimal(quantity),
            "included_qty": Decimal(included),
            "unit_price": Decimal(price),
            "source": "psa",
            "evidence": "e",
        }
        line |= {
            "billable": "do_not_bill" if bucket == "cost_only" else "billable",
            "effective_date": None if day == "-" else date.fromisoformat(day),
        }
        made.append(line)
        buckets.append(
            {
                "agreement_line_id": name,
                "client_id": "1",
                "service_id": "31",
                "bucket": bucket,
                "quantity_qty": Decimal(quantity),
                "evidence": "e",
            }
        )
    return make_table(CANONICAL["agreement_lines"], made), make_table(LINE_BUCKETS, buckets)


def agreements(*, prorates=False, cycle=1, **more):
    row = dict.fromkeys(CANONICAL["agreements"].names()) | {
        "agreement_id": "a1",
        "agreement_name": "Managed",
        "client_id": "1",
        "status": "Active",
    }
    row |= {"prorates": prorates, "cycle_months": cycle, "source": "psa", "evidence": "e"} | more
    return make_table(CANONICAL["agreements"], [row])


def finding(kind, billed, expected, **more):
    row = dict.fromkeys(FINDINGS.names()) | {
        "finding_id": "f1",
        "kind": kind,
        "client_id": "1",
        "client_name": "Acme",
        "service_id": "31",
        "service_name": "EDR",
    }
    row |= {
        "billed_qty": Decimal(billed),
        "expected_qty": Decimal(expected),
        "variance_qty": Decimal(expected) - Decimal(billed),
        "unit_price": Decimal(36),
    }
    row |= {
        "currency": "USD",
        "confidence": Decimal(1),
        "certainty": "calculated",
        "status": "open",
        "first_seen": "2026-10",
        "months_open": 1,
    }
    return row | {"explanation": "differs", "agreement_line_id": "10"} | more


def planned(
    found,
    text="10 44 0 36 2026-01-01 under_billed",
    *,
    decision="approve",
    contracts=None,
    period=OCTOBER,
    proration="inclusive",
    modelled=frozenset(),
    **chosen,
):
    table, buckets = lines(text) if text else (make_table(CANONICAL["agreement_lines"], []), make_table(LINE_BUCKETS, []))
    with open_ledger("sqlite://") as ledger:
        record_finding_decision(ledger, **FACTS, finding=found, decision=decision, **chosen)
        events = ledger.events()
    findings = apply_finding_decisions(make_table(FINDINGS, [found]), events, period=period)
    terms = {"proration": proration, "modelled": modelled}
    return plan_changes(findings, table, contracts or agreements(), buckets, events, book="harbor", period=period, **terms)


def short(changes):
    return [
        f"{row['action']} {row['agreement_line_id']} {format_qty(row['old_qty'])} → {format_qty(row['new_qty'])} {format_amount(row['monthly_effect'])}"
        for row in changes.to_pylist()
    ]


@pytest.mark.parametrize(
    ("found", "text", "says"),
    [
        (finding("under_billed", 44, 51), "10 44 0 36 2026-01-01 under_billed", ["update 10 44 → 51 252.00"]),
        (finding("over_billed", 44, 40), "10 44 0 36 2026-01-01 over_billed", ["update 10 44 → 40 -144.00"]),
        # beyond the line itself: the others of the cell, latest effective first; credits, helpers and ended lines never
        (
            finding("over_billed", 25, 7),
            """
            10 5 0 36 2026-03-01 over_billed
            11 10 0 36 2026-01-01 over_billed
            12 10 0 30 2026-02-01 over_billed
            13 -5 0 -36 2026-09-01 credit
            14 9 0 36 2026-10-05 proration_helper
            15 9 0 36 2026-09-01 out_of_scope_ended
            """,
            ["update 10 5 → 0 -180.00", "update 12 10 → 0 -300.00", "update 11 10 → 7 -108.00"],
        ),
        # included units stay on the line and are not billed (T39)
        (finding("over_billed", 5, 2), "10 15 10 4 2026-01-01 over_billed", ["update 10 15 → 12 -12.00"]),
        (finding("under_billed", 0, 5), "10 3 10 4 2026-01-01 under_billed", ["update 10 3 → 15 20.00"]),
        (finding("over_billed", 5, 0), "10 15 10 4 2026-01-01 over_billed", ["update 10 15 → 10 -20.00"]),
        (finding("orphan_line", 5, 0), "10 15 10 4 2026-01-01 orphan_line", ["cancel 10 15 → 0 -20.00"]),
        (
            finding("orphan_line", 9, 0),
            "10 5 0 36 2026-03-01 orphan_line\n9 4 0 30 - orphan_line",
            ["cancel 10 5 → 0 -180.00", "cancel 9 4 → 0 -120.00"],
        ),
        # a line that is not billed covers units, without money (T69); it gives back last
        (
            finding("over_billed", 10, 1),
            "10 6 0 36 2026-01-01 over_billed\n11 4 0 36 2026-09-01 cost_only",
            ["update 10 6 → 0 -216.00", "update 11 4 → 1 0.00"],
        ),
        (finding("new_revenue", 0, 33, unit_price=Decimal("12.005"), agreement_line_id=None), "", ["add None 0 → 33 396.17"]),
        (finding("new_revenue", 0, 33, unit_price=None, agreement_line_id=None), "", ["add None 0 → 33 "]),
    ],
)
def test_a_change_moves_what_was_decided(found, text, says):
    made = planned(found, text)
    assert sorted(short(made)) == sorted(says)
    assert {row["status"] for row in made.to_pylist()} == {"planned"}


def test_t102_the_first_of_next_month_unless_chosen():
    (row,) = planned(finding("under_billed", 44, 51)).to_pylist()
    assert row["effective_date"] == date(2026, 11, 1)
    (row,) = planned(finding("under_billed", 44, 51), effective_date=date(2027, 1, 1)).to_pylist()
    assert row["effective_date"] == date(2027, 1, 1)


@pytest.mark.parametrize("prorates", [False, None])
def test_t103_a_day_inside_a_month_needs_an_agreement_that_prorates(prorates):
    found, day = finding("under_billed", 44, 51), date(2026, 11, 16)
    (row,) = planned(found, contracts=agreements(prorates=True), effective_date=day).to_pylist()
    assert row["effective_date"] == day
    with pytest.raises(
        DataError, match=r"finding f1: effective date 2026-11-16 is inside a month, and agreement 'Managed' does not prorate"
    ):
        planned(found, contracts=agreements(prorates=prorates), effective_date=day)
    with pytest.raises(DataError, match="a new line has no agreement that prorates yet"):
        planned(finding("new_revenue", 0, 3), "", effective_date=day)


def test_t112_money_a_month_is_the_price_over_the_months_in_the_cycle():
    found = finding("under_billed", 44, 51)
    assert short(planned(found, contracts=agreements(cycle=3))) == ["update 10 44 → 51 84.00"]
    assert short(planned(found, contracts=agreements(cycle=12), decision="adjust", new_qty=45)) == ["update 10 44 → 45 3.00"]


def test_an_adjustment_is_the_target_of_what_is_billed():
    assert short(planned(finding("under_billed", 5, 9), "10 15 10 4 2026-01-01 x", decision="adjust", new_qty=7)) == [
        "update 10 15 → 17 8.00"
    ]
    assert short(planned(finding("orphan_line", 5, 0), "10 5 0 4 2026-01-01 x", decision="adjust", new_qty=1)) == ["update 10 5 → 1 -16.00"]
    assert short(planned(finding("under_billed", 5, 9), "10 5 0 4 2026-01-01 x", decision="adjust", new_qty=5)) == []
    assert short(planned(finding("new_revenue", 0, 9), "", decision="adjust", new_qty=0)) == []


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        (finding("under_billed", 44, 51), "dismiss"),
        (finding("under_billed", 44, 51), "dispute_vendor"),
        (finding("unused_commitment", 44, 51), "approve"),
    ],
)
def test_only_approved_billing_findings_change_anything(found, decision):
    assert planned(found, decision=decision).num_rows == 0


def test_an_approval_of_an_earlier_month_is_not_planned_again():
    assert planned(finding("under_billed", 44, 51), period=OCTOBER.next).num_rows == 0


def test_lines_that_do_not_add_up_stop_the_plan():
    with pytest.raises(DataError, match="2 units more to take back than its lines bill"):
        planned(finding("over_billed", 12, 0), "10 10 0 36 2026-01-01 over_billed")
    with pytest.raises(DataError, match="no agreement line to change"):
        planned(finding("under_billed", 12, 13), "10 12 0 36 2026-01-01 out_of_scope_ended")


def test_the_change_id_is_an_idempotency_key():
    first, second = (planned(finding("under_billed", 44, 51))["change_id"].to_pylist() for _ in range(2))
    assert first == second
    assert planned(finding("under_billed", 44, 51), effective_date=date(2026, 12, 1))["change_id"].to_pylist() != first
    assert planned(finding("under_billed", 44, 51), decision="adjust", new_qty=50)["change_id"].to_pylist() != first


UPDATE = planned(finding("under_billed", 44, 51))
CANCEL = planned(finding("orphan_line", 5, 0), "10 5 0 36 2026-01-01 orphan_line")
ADD = planned(finding("new_revenue", 0, 33, agreement_line_id=None), "")
NOVEMBER = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("change", "now", "status"),
    [
        (UPDATE, "10 51 0 36 2026-01-01 -", "verified"),
        (UPDATE, "10 44 0 36 2026-01-01 -", "not_arrived"),
        (UPDATE, "10 50 0 36 2026-01-01 -", "changed_since"),
        (UPDATE, "", "changed_since"),
        (CANCEL, "", "verified"),
        (CANCEL, "10 0 0 36 2026-01-01 -", "verified"),
        (CANCEL, "10 5 0 36 2026-01-01 -", "not_arrived"),
        (CANCEL, "10 4 0 36 2026-01-01 -", "changed_since"),
        (ADD, "77 33 0 36 2026-11-01 -", "verified"),
        (ADD, "77 30 0 36 2026-11-01 -", "changed_since"),
        (ADD, "77 3 0 36 2026-11-01 -\n78 33 0 36 2026-11-01 -", "verified"),
        (ADD, "77 33 0 -36 2026-11-01 -", "not_arrived"),
        (ADD, "", "not_arrived"),
    ],
)
def test_next_month_says_what_became_of_a_change(change, now, status):
    table = lines(now)[0] if now else make_table(CANONICAL["agreement_lines"], [])
    (row,) = verify_changes(change, table, agreements(), as_of=NOVEMBER).to_pylist()
    assert row["status"] == status
    assert verify_changes(change, table, agreements(), as_of=OCTOBER.end)["status"].to_pylist() == ["planned"]


@pytest.mark.parametrize(
    ("cancelled", "contract", "status"),
    [
        (date(2026, 11, 1), {}, "verified"),
        (date(2026, 12, 1), {}, "not_arrived"),
        (None, {"status": "Cancelled"}, "verified"),
        (None, {"cancelled_date": date(2026, 11, 1)}, "verified"),
        (None, {"end_date": date(2026, 11, 29)}, "verified"),
        (None, {"end_date": date(2026, 11, 30)}, "not_arrived"),
    ],
)
def test_a_cancelled_line_or_agreement_settles_a_cancellation(cancelled, contract, status):
    row = lines("10 5 0 36 2026-01-01 -")[0].to_pylist()[0] | {"cancelled_date": cancelled}
    now = make_table(CANONICAL["agreement_lines"], [row])
    assert verify_changes(CANCEL, now, agreements(**contract), as_of=NOVEMBER)["status"].to_pylist() == [status]


def test_planned_changes_come_back_from_the_ledger_of_the_last_version():
    with open_ledger("sqlite://") as ledger:
        assert planned_changes(ledger.events(), before=OCTOBER.next) == make_table(CHANGES, [])
        for _ in range(2):
            ledger.append_all(list_planned(UPDATE, **FACTS, version=1))
        ledger.append_all(list_planned(ADD, **FACTS, version=2))
        assert len(ledger.events()) == 2
        assert planned_changes(ledger.events(), before=OCTOBER.next) == ADD
        assert planned_changes(ledger.events(), before=OCTOBER).num_rows == 0
        verified = verify_changes(ADD, make_table(CANONICAL["agreement_lines"], []), agreements(), as_of=NOVEMBER)
        for _ in range(2):
            record_verified_changes(ledger, verified, **(FACTS | {"period": OCTOBER.next}))
        (event,) = ledger.events(kind="change_verified")
        assert event.values == {"status": "not_arrived", "planned_in": "2026-10", "monthly_effect": "1188"}
        assert record_verified_changes(ledger, ADD, **FACTS) == []


NOV, DEC, JAN = OCTOBER.next, OCTOBER.next.next, OCTOBER.next.next.next


def event(kind, month, subject, **values):
    return Event("harbor", str(month), kind, subject, "Ana", "2026-11-01T00:00:00Z", values=values)


def plan(period, name, *, version=1, effective="2026-11-01", line="10"):
    (row,) = UPDATE.to_pylist()
    row |= {"change_id": name, "period": str(period), "agreement_line_id": line, "effective_date": date.fromisoformat(effective)}
    return event("change_planned", period, name, **json.loads(canonical_json(row)), version=version)


def approved(period, version):
    return event("reviewer_approved", period, f"v{version}", version=version, hashes={})


def looked_for(events, before):
    return planned_changes(events, before=before)["change_id"].to_pylist()


def test_a_reopened_version_is_looked_for_until_the_next_is_approved():
    events = [approved(OCTOBER, 1), plan(OCTOBER, "old"), event("reopened", OCTOBER, "v1", version=1)]
    assert looked_for(events, NOV) == ["old"]
    assert looked_for([*events, approved(OCTOBER, 2)], NOV) == []
    assert looked_for([*events, approved(OCTOBER, 2), plan(OCTOBER, "new", version=2)], NOV) == ["new"]


def test_every_change_is_looked_for_until_it_is_settled():
    later = plan(OCTOBER, "for january", effective="2027-01-01")
    events = [approved(OCTOBER, 1), later, approved(NOV, 1), plan(NOV, "november", effective="2026-12-01", line="11")]
    assert looked_for(events, NOV) == ["for january"]
    assert looked_for(events, DEC) == looked_for(events, JAN) == ["for january", "november"]
    events.append(event("change_verified", DEC, "november", status="not_arrived"))
    assert looked_for(events, JAN) == ["for january", "november"]
    for status in ("verified", "changed_since"):
        settled = [*events, event("change_verified", DEC, "november", status=status)]
        assert looked_for(settled, JAN) == ["for january"]
        assert looked_for(settled, DEC) == ["for january", "november"]  # the month that saw it says so again


def test_a_change_planned_again_is_looked_for_once():
    events = [plan(OCTOBER, "first"), plan(NOV, "again", effective="2026-12-01"), plan(NOV, "other", effective="2026-12-01", line="11")]
    assert looked_for(events, DEC) == ["again", "other"]
    events[0] = plan(OCTOBER, "first", effective="2027-01-01")  # to bill later than what was planned after it
    assert looked_for(events, DEC) == ["again", "first", "other"]


def test_a_change_that_takes_effect_later_stays_planned():
    events = [plan(OCTOBER, "for january", effective="2027-01-01")]
    verified = verify_changes(planned_changes(events, before=DEC), lines("10 51 0 36 2026-01-01 -")[0], agreements(), as_of=DEC.end)
    assert verified["status"].to_pylist() == ["planned"]
    verified = verify_changes(planned_changes(events, before=JAN), lines("10 51 0 36 2026-01-01 -")[0], agreements(), as_of=JAN.end)
    assert verified["status"].to_pylist() == ["verified"]


@pytest.mark.parametrize(
    ("contract", "day", "proration", "first"),
    [
        # T104, T105: 7 units of 36.00 from 15 October: what is left of October, and November
        ({"prorates": True}, "2026-10-15", "inclusive", Decimal("138.19") + 252),
        ({"prorates": True}, "2026-10-15", "exclusive", Decimal("130.06") + 252),
        ({"prorates": True}, "2026-10-15", "actual_30", Decimal("142.80") + 252),
        ({"prorates": True}, "2026-10-15", "months", Decimal(252) + 252),
        ({"prorates": True}, "2026-11-01", "inclusive", Decimal(252)),
        ({"prorates": False}, "2026-11-01", "inclusive", Decimal(252)),
        ({"prorates": None}, "2026-11-01", "inclusive", Decimal(252)),
        # T112: a cycle of a year runs from the agreement's start; inside it the rest is caught up, and the next year billed
        ({"prorates": True, "cycle": 12, "start_date": date(2026, 1, 1)}, "2026-11-01", "months", Decimal(42) + 252),
        ({"prorates": True, "cycle": 12, "start_date": date(2025, 11, 1)}, "2026-11-01", "months", Decimal(252)),
        # T106: without proration the next cycle's invoice bears it in full
        ({"prorates": False, "cycle": 12, "start_date": date(2026, 1, 1)}, "2026-11-01", "months", Decimal(252)),
        # not known is not zero: whether it prorates, where its cycle begins, whether it has one
        ({"prorates": None, "cycle": 12, "start_date": date(2026, 1, 1)}, "2026-11-01", "months", None),
        ({"prorates": True, "cycle": 12}, "2026-11-01", "months", None),
        ({"prorates": True, "cycle": None}, "2026-11-01", "months", None),
    ],
)
def test_t106_t104_the_first_invoice_bears_what_is_caught_up(contract, day, proration, first):
    changes = planned(
        finding("under_billed", 44, 51), contracts=agreements(**contract), proration=proration, effective_date=date.fromisoformat(day)
    )
    assert changes["first_effect"].to_pylist() == [first]


def test_t104_less_units_are_credited_from_the_day_on():
    changes = planned(finding("over_billed", 44, 43), contracts=agreements(prorates=True), effective_date=date(2026, 10, 15))
    assert changes["first_effect"].to_pylist() == [Decimal("-19.74") - 36]


def test_a_line_that_is_not_there_yet_has_no_first_invoice():
    changes = planned(finding("new_revenue", 0, 5, agreement_line_id=None), "")
    assert changes.select(["monthly_effect", "first_effect"]).to_pylist() == [{"monthly_effect": Decimal(180), "first_effect": None}]


def test_a_change_recorded_before_first_invoices_were_known_is_read():
    changes = planned(finding("under_billed", 44, 51))
    (event,) = list_planned(changes, book="harbor", period=OCTOBER, version=1, who="Ana", at=AT)
    older = {name: value for name, value in event.values.items() if name != "first_effect"}
    known = Event(event.book, event.period, event.kind, event.subject, event.who, event.at, values=canonical_values(older), key=event.key)
    (row,) = planned_changes([known], before=OCTOBER.next).to_pylist()
    assert (row["first_effect"], row["monthly_effect"]) == (None, Decimal(252))


def canonical_values(values):
    """Values as the ledger gives them back."""
    return json.loads(canonical_json(values))


def test_t43_under_a_price_model_a_change_has_the_findings_money_or_none():
    found = finding("under_billed", 44, 51, monthly_impact=Decimal("-49.50"))
    (whole,) = planned(found, modelled=frozenset({"31"})).to_pylist()
    assert (whole["new_qty"], whole["monthly_effect"], whole["first_effect"]) == (51, Decimal("-49.50"), None)
    (other,) = planned(found, decision="adjust", new_qty=50, modelled=frozenset({"31"})).to_pylist()
    assert (other["new_qty"], other["monthly_effect"]) == (50, None)
