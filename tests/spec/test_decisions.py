"""How long a decision holds, who may sign, and what stops a signature: T124–T130 as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reconlib.errors import DataError, SignOffError
from reconlib.ledger import open_ledger
from reconlib.period import parse_period
from reconlib.review import apply_finding_decisions, mapping_decisions, record_finding_decision, record_mapping_decision
from reconlib.rules import Override
from reconlib.schema import ACCOUNT_MAPPING, FINDINGS, PRODUCT_MAPPING, SOURCE_STATUS, make_table
from reconlib.signoff import check_gates, period_state, reopen, sign

OCTOBER = parse_period("2026-10")
AT = datetime(2026, 11, 3, 6, tzinfo=UTC)
BLANK = dict.fromkeys(FINDINGS.names())


def table(text):
    """Rows of a text table; the first line names the columns, '-' is empty."""
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [pytest.param(*["" if cell == "-" else cell for cell in line], id=" ".join(line)) for line in lines if len(line) == len(head)]


VENDOR = {"kind": "vendor_invoice_mismatch", "monthly_impact": None}  # a vendor charges wrongly; its money is its cost_impact


def finding(**changes):
    row = {
        **BLANK,
        "finding_id": "f1",
        "kind": "under_billed",
        "client_id": "12",
        "client_name": "Acme",
        "service_id": "3",
        "service_name": "EDR",
        "billed_qty": Decimal(44),
        "expected_qty": Decimal(51),
        "used_qty": Decimal(51),
        "variance_qty": Decimal(7),
        "unit_price": Decimal(36),
        "currency": "USD",
        "monthly_impact": Decimal("252.00"),
        "confidence": Decimal(1),
        "certainty": "calculated",
        "status": "open",
        "first_seen": "2026-10",
        "months_open": 1,
        "explanation": "billing 7 fewer than used",
    }
    return row | changes


def decide(ledger, decision, *, row=None, period=OCTOBER, **more):
    return record_finding_decision(
        ledger, book="harbor", period=period, who="Ana", at=AT, finding=row or finding(), decision=decision, **more
    )


@pytest.fixture
def ledger():
    with open_ledger("sqlite://") as opened:
        yield opened


@pytest.mark.parametrize(
    ("decision", "until", "month", "status", "says"),
    table("""
        decision       | until      | month   | status    | says
        dismiss        | -          | 2026-10 | dismissed | -
        dismiss        | -          | 2026-11 | open      | reopened: dismissed in 2026-10, still there
        snooze         | 2026-12-15 | 2026-11 | snoozed   | -
        snooze         | 2026-12-15 | 2026-12 | open      | reopened: snoozed until 2026-12-15
        snooze         | -          | 2027-06 | snoozed   | -
        exclude        | 2027-03-31 | 2027-03 | excluded  | -
        exclude        | 2027-03-31 | 2027-04 | open      | reopened: excluded until 2027-03-31
        approve        | -          | 2026-10 | approved  | -
        approve        | -          | 2026-11 | open      | reopened: approved in 2026-10, still there
        credit_client  | -          | 2026-10 | approved  | -
        credit_client  | -          | 2026-11 | open      | reopened: credited in 2026-10, still there
        dispute_vendor | -          | 2026-12 | disputed  | -
        investigate    | -          | 2026-11 | open      | -
        undo           | -          | 2026-10 | open      | -
        dismiss        | -          | 2026-09 | open      | -
    """),
)
def test_t124_how_long_a_decision_holds(ledger, decision, until, month, status, says):
    decide(ledger, decision, until=date.fromisoformat(until) if until else None, why="agreed with the client")
    after = apply_finding_decisions(make_table(FINDINGS, [finding()]), ledger.events(), period=parse_period(month)).to_pylist()[0]
    assert after["status"] == status
    assert after["explanation"] == "billing 7 fewer than used" + (f"; {says}" if says else "")


@pytest.mark.parametrize(
    ("changed", "to", "status", "says"),
    table("""
        changed            | to | status   | says
        billed_qty         | 46 | open     | reopened: billed 44 → 46
        expected_qty       | 52 | open     | reopened: expected 51 → 52
        used_qty           | 50 | open     | reopened: used 51 → 50
        purchased_qty      | 55 | open     | reopened: purchased unknown → 55
        unit_price         | 38 | open     | reopened: price 36 → 38
        vendor_account_id  | x9 | open     | reopened: vendor account unknown → x9
        client_id          | 13 | open     | reopened: client 12 → 13
        currency           | EUR | open    | reopened: currency USD → EUR
        monthly_impact     | 1  | open     | reopened: money a month 252 → 1
        agreement_line_id  | L2 | open     | reopened: agreement line unknown → L2
        unit_cost          | 9  | snoozed  | -
        client_name        | AC | snoozed  | -
        explanation        | so | snoozed  | so
    """),
)
def test_t125_a_decision_is_void_when_its_values_change(ledger, changed, to, status, says):
    decide(ledger, "snooze")
    value = Decimal(to) if to.isdigit() and not changed.endswith("_id") else to
    later = make_table(FINDINGS, [finding(**{changed: value})])
    after = apply_finding_decisions(later, ledger.events(), period=OCTOBER).to_pylist()[0]
    assert after["status"] == status
    plain = "billing 7 fewer than used"
    assert after["explanation"] == (says if says == "so" else f"{plain}; {says}" if says else plain)


def unusable(**changes):
    place = {"finding_id": "u1", "kind": "unusable_rows", "client_id": None, "client_name": None, "service_id": None, "source": "psa"}
    numbers = dict.fromkeys(("billed_qty", "expected_qty", "used_qty", "unit_price", "monthly_impact")) | {"variance_qty": Decimal(1)}
    text = "1 row of psa could not be used; the first: quantity 'n/a (test line)': is not a number."
    return finding(**place | numbers | {"explanation": text} | changes)


@pytest.mark.parametrize(
    ("decision", "until", "word"),
    [("exclude", date(2027, 6, 30), "excluded"), ("snooze", None, "snoozed"), ("dismiss", None, "dismissed")],
)
def test_t125_rows_nobody_can_use_are_decided_for_their_own_month(ledger, decision, until, word):
    decide(ledger, decision, row=unusable(), until=until, why="a test line")

    def after(period, **changes):
        table = make_table(FINDINGS, [unusable(**changes)])
        row = apply_finding_decisions(table, ledger.events(), period=period).to_pylist()[0]
        return row["status"], row["explanation"].partition("; reopened: ")[2]

    assert after(OCTOBER) == (word, "")
    assert after(OCTOBER.next) == ("open", f"{word} in 2026-10, still there")
    other = {"explanation": "1 row of psa could not be used; the first: quantity '400 seats': is not a number."}
    assert after(OCTOBER, **other) == ("open", "other rows")
    assert after(OCTOBER.next, **other) == ("open", "other rows")
    assert after(OCTOBER, variance_qty=Decimal(2)) == ("open", "units 1 → 2")


def test_t125_a_decision_on_reopened_rows_holds(ledger):
    decide(ledger, "dismiss", row=unusable(), why="a test line")
    (again,) = apply_finding_decisions(make_table(FINDINGS, [unusable()]), ledger.events(), period=OCTOBER.next).to_pylist()
    decide(ledger, "dismiss", row=again, period=OCTOBER.next, why="still the test line")
    (row,) = apply_finding_decisions(make_table(FINDINGS, [unusable()]), ledger.events(), period=OCTOBER.next).to_pylist()
    assert row["status"] == "dismissed"


@pytest.mark.parametrize("kind", ["unaccounted_usage", "duplicate_unit", "stale_unit"])
def test_t125_units_are_decided_while_they_are_as_many(ledger, kind):
    def row(units):
        return unusable(kind=kind, variance_qty=Decimal(units), explanation=f"{units} units")

    decide(ledger, "snooze", row=row(4))
    later = [apply_finding_decisions(make_table(FINDINGS, [row(n)]), ledger.events(), period=OCTOBER.next).to_pylist()[0] for n in (4, 5)]
    assert [one["status"] for one in later] == ["snoozed", "open"]


def test_t125_a_decision_from_before_a_value_was_asked_for_stands(ledger):
    event = decide(ledger, "snooze")
    bound = {name: value for name, value in event.values["bound"].items() if name not in ("agreement_line_id", "monthly_impact")}
    old = replace(event, values=event.values | {"bound": bound})
    (row,) = apply_finding_decisions(make_table(FINDINGS, [finding(agreement_line_id="L2")]), [old], period=OCTOBER).to_pylist()
    assert row["status"] == "snoozed"


@pytest.mark.parametrize(
    ("preparer", "reviewer", "ok"),
    table("""
        preparer  | reviewer     | ok
        Ana Silva | Bo Berg      | yes
        Ana Silva | Ana Silva    | -
        Ana Silva | ANA  silva   | -
        Ana Silva | Ana Silva2   | yes
    """),
)
def test_t126_preparer_and_reviewer_are_different_people(ledger, preparer, reviewer, ok):
    signed(ledger, preparer)
    if ok:
        assert approve(ledger, reviewer).who == reviewer
    else:
        with pytest.raises(SignOffError, match=r"Ana Silva prepared this month\nHint: somebody else approves it"):
            approve(ledger, reviewer)


@pytest.mark.parametrize(
    ("hashes", "says"),
    [
        ({}, "there is nothing to sign"),
        ({"findings": "bb"}, "changed since the preparer signed: findings"),
        ({"findings": "aa", "more": "1"}, "signed: more"),
    ],
)
def test_t127_a_signature_stands_on_what_was_looked_at(ledger, hashes, says):
    event = signed(ledger, "Ana")
    assert event.values["hashes"] == {"findings": "aa"}
    assert event.values["gates"][0] == {"name": "sources", "count": 0}
    with pytest.raises(SignOffError, match=says):
        approve(ledger, "Bo", hashes)


@pytest.mark.parametrize(
    ("stands_in_the_way", "gate", "says"),
    [
        ({"status": "failed"}, "sources", "1 sources not complete: ninja failed"),
        ({"status": "partial"}, "sources", "1 sources not complete: ninja partial"),
        ({"account": "suggested"}, "mapping", "1 unmapped with usage: ninja/a1"),
        ({"account": "unmapped"}, "mapping", "1 unmapped with usage: ninja/a1"),
        (
            {"finding": {"kind": "unmapped_service", "source": "ninja", "vendor_product_id": "p1", "monthly_impact": None}},
            "mapping",
            "1 unmapped with usage: ninja/p1",
        ),
        ({"finding": {}}, "findings", "1 undecided above 10.00 a month: under billed Acme / EDR"),
        ({"finding": {"kind": "over_billed", "monthly_impact": Decimal("-10.01")}}, "findings", "1 undecided"),
        (
            {"finding": {"kind": "no_count", "monthly_impact": None}},
            "unknown money",
            "1 without a count, a price or a usable row undecided: no count Acme / EDR",
        ),
        ({"finding": {"kind": "new_revenue", "monthly_impact": None}}, "unknown money", "1 without a count"),
        ({"finding": VENDOR | {"cost_impact": Decimal("10.01")}}, "findings", "1 undecided above 10.00 a month: vendor invoice mismatch"),
        ({"finding": VENDOR | {"cost_impact": Decimal("-10.01")}}, "findings", "1 undecided"),  # charged too little: it may still come
        ({"finding": VENDOR}, "unknown money", "1 without a count"),
        ({"finding": {"currency": "EUR", "monthly_impact": Decimal("9.00")}}, "findings", "1 undecided"),  # ten dollars or not, who knows
        ({"override": date(2026, 10, 30)}, "exclusions", "rule for 12 / EDR until 2026-10-30"),
    ],
)
def test_t128_what_stops_a_signature(ledger, stands_in_the_way, gate, says):
    checked = gates(ledger, **stands_in_the_way)
    assert [one.name for one in checked if not one.ok] == [gate]
    (closed,) = [one for one in checked if not one.ok]
    assert says in closed.detail
    assert closed.count == 1
    with pytest.raises(SignOffError, match=f"is not ready\n  {gate}: "):
        signed(ledger, "Ana", checked)
    assert ledger.events(kind="preparer_signed") == []


@pytest.mark.parametrize(
    "is_fine",
    [
        {},
        {"account": "excluded"},
        {"account": "suggested", "units": 0},
        {"finding": {"monthly_impact": Decimal("10.00")}},
        {"finding": {"status": "dismissed"}},
        {"finding": VENDOR | {"cost_impact": Decimal("10.00")}},
        {"finding": VENDOR | {"cost_impact": Decimal("99.00"), "status": "disputed"}},
        {"finding": {"currency": "EUR", "monthly_impact": Decimal("0.00")}},
        {"finding": {"kind": "negative_margin", "monthly_impact": None, "cost_impact": Decimal("99.00")}},
        {"finding": {"status": "snoozed", "kind": "no_count", "monthly_impact": None}},
        {"finding": {"kind": "unused_commitment", "monthly_impact": None, "cost_impact": Decimal("99.00")}},
        {
            "finding": {
                "kind": "unmapped_service",
                "source": "ninja",
                "vendor_product_id": "p1",
                "monthly_impact": None,
                "status": "excluded",
            }
        },
        {"override": date(2026, 10, 31)},
    ],
)
def test_t128_what_does_not(ledger, is_fine):
    assert [one.name for one in gates(ledger, **is_fine) if not one.ok] == []


def test_t129_a_signed_month_changes_only_by_reopening_with_a_reason(ledger):
    signed(ledger, "Ana")
    for closed in (lambda: decide(ledger, "dismiss"), lambda: exclude(ledger, "parked", date(2027, 1, 1))):
        with pytest.raises(SignOffError, match="2026-10 is signed by Ana"):
            closed()
    approve(ledger, "Bo")
    before = period_state(ledger.events(), "harbor", OCTOBER)
    assert (before.state, before.version, before.locked, before.preparer, before.reviewer) == ("approved", 1, True, "Ana", "Bo")
    with pytest.raises(SignOffError, match="needs a reason"):
        reopen(ledger, book="harbor", period=OCTOBER, who="Bo", at=AT, why=" ")
    reopen(ledger, book="harbor", period=OCTOBER, who="Bo", at=AT, why="a late invoice")
    after = period_state(ledger.events(), "harbor", OCTOBER)
    assert (after.state, after.version, after.locked, after.hashes, after.reopened_why) == ("in_review", 2, False, {}, "a late invoice")
    decide(ledger, "dismiss")
    with pytest.raises(SignOffError, match="v1 is not open, v2 is"):
        signed(ledger, "Ana")
    assert signed(ledger, "Ana", version=2).seq == ledger.events()[-1].seq
    assert len(ledger.events(kind="preparer_signed")) == 2  # both kept


@pytest.mark.parametrize(
    ("reason", "until", "says"),
    table("""
        reason          | until      | says
        -               | 2027-03-31 | needs a reason
        parked domain   | -          | needs a review-by date
        parked domain   | 2026-10-31 | needs a review-by date after 2026-10-31
    """),
)
def test_t130_an_exclusion_needs_a_reason_and_a_review_by_date(ledger, reason, until, says):
    day = date.fromisoformat(until) if until else None
    with pytest.raises(DataError, match=says):
        exclude(ledger, reason, day)
    with pytest.raises(DataError, match=says):
        decide(ledger, "exclude", until=day, why=reason)
    assert ledger.events() == []


@pytest.mark.parametrize(
    ("as_of", "state", "gate_is_open"),
    table("""
        as_of      | state    | gate
        2026-10-31 | excluded | yes
        2027-03-31 | excluded | yes
        2027-04-30 | open     | -
    """),
)
def test_t130_an_expired_exclusion_reopens(ledger, as_of, state, gate_is_open):
    event = exclude(ledger, "parked domain", date(2027, 3, 31))
    day = date.fromisoformat(as_of)
    decision = mapping_decisions(ledger.events(), as_of=day)["account", "ninja", "a1"]
    assert (decision.state, decision.who, decision.why, decision.review_by) == (state, "Ana", "parked domain", date(2027, 3, 31))
    assert decision.at == event.at
    checked = {one.name: one.ok for one in gates(ledger, account="excluded" if state == "excluded" else "unmapped", as_of=day)}
    assert checked["exclusions"] is checked["mapping"] is bool(gate_is_open)


def exclude(ledger, why, until):
    return record_mapping_decision(
        ledger,
        book="harbor",
        period=OCTOBER,
        who="Ana",
        at=AT,
        relation="account",
        source="ninja",
        vendor_id="a1",
        decision="exclude",
        why=why,
        until=until,
        seen={"account_name": "Parked"},
    )


def gates(ledger, *, status="complete", account="mapped", units=5, finding=None, override=None, as_of=OCTOBER.end):
    source = dict.fromkeys(SOURCE_STATUS.names()) | {
        "source": "ninja",
        "connector": "ninjaone",
        "status": status,
        "pages": 1,
        "records": 5,
        "rejects": 0,
        "exit_code": 0,
    }
    mapped = dict.fromkeys(ACCOUNT_MAPPING.names()) | {"source": "ninja", "vendor_account_id": "a1", "account_name": "A", "state": account}
    return check_gates(
        status=make_table(SOURCE_STATUS, [source]),
        accounts=make_table(ACCOUNT_MAPPING, [mapped | {"units_qty": Decimal(units), "evidence": "e"}]),
        products=make_table(PRODUCT_MAPPING, []),
        findings=make_table(FINDINGS, [] if finding is None else [globals()["finding"](**finding)]),
        events=ledger.events(),
        materiality=Decimal("10.00"),
        currency="USD",
        as_of=as_of,
        overrides=[Override(client="12", service="EDR", reason="r", review_by=override)] if override else [],
    )


def signed(ledger, who, checked=None, *, version=1):
    return sign(
        ledger,
        book="harbor",
        period=OCTOBER,
        version=version,
        role="preparer",
        who=who,
        at=AT,
        hashes={"findings": "aa"},
        gates=gates(ledger) if checked is None else checked,
    )


def approve(ledger, who, hashes=None):
    stood = {"findings": "aa"} if hashes is None else hashes
    return sign(ledger, book="harbor", period=OCTOBER, version=1, role="reviewer", who=who, at=AT, hashes=stood, gates=gates(ledger))
