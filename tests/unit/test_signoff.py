"""Sign-off: order and persons of signatures, runs of a signed month, and versions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reconlib.errors import SignOffError
from reconlib.ledger import Event, open_ledger
from reconlib.period import parse_period
from reconlib.review import record_finding_decision, record_mapping_decision
from reconlib.schema import ACCOUNT_MAPPING, FINDINGS, PRODUCT_MAPPING, SOURCE_STATUS, make_table
from reconlib.signoff import Gate, check_gates, check_unchanged, next_version, period_state, record_run, reopen, sign

OCTOBER = parse_period("2026-10")
AT = datetime(2026, 11, 3, 6, tzinfo=UTC)
MONTH = {"book": "harbor", "period": OCTOBER}
HASHES = {"findings": "aa", "changes": "bb"}
OPEN = (Gate("sources", ok=True, count=0, detail="", where_to_go=""),)


@pytest.fixture
def ledger():
    with open_ledger("sqlite://") as opened:
        yield opened


def signed(ledger, role="preparer", who="Ana", *, version=1, hashes=None, gates=OPEN):
    return sign(ledger, **MONTH, version=version, role=role, who=who, at=AT, hashes=hashes or HASHES, gates=gates)


def state(ledger):
    return period_state(ledger.events(), "harbor", OCTOBER)


def run(ledger, hashes=None, version=1):
    return record_run(ledger, **MONTH, version=version, who="scheduler", at=AT, hashes=hashes or HASHES)


def test_a_month_goes_from_collecting_to_approved(ledger):
    assert (state(ledger).state, state(ledger).version) == ("collecting", 1)
    run(ledger)
    assert state(ledger).state == "in_review"
    signed(ledger)
    assert (state(ledger).state, state(ledger).preparer, state(ledger).hashes, state(ledger).locked) == ("signed", "Ana", HASHES, False)
    signed(ledger, "reviewer", "Bo")
    assert (state(ledger).state, state(ledger).reviewer, state(ledger).locked) == ("approved", "Bo", True)
    assert state(ledger).approved_at == "2026-11-03T06:00:00Z"
    assert period_state(ledger.events(), "harbor", "2026-11").state == "collecting"
    assert period_state(ledger.events(), "other", OCTOBER).state == "collecting"


def test_signatures_come_in_order_and_once(ledger):
    with pytest.raises(SignOffError, match="no preparer has signed"):
        signed(ledger, "reviewer", "Bo")
    signed(ledger)
    with pytest.raises(SignOffError, match="is signed by Ana already"):
        signed(ledger, who="Cy")
    with pytest.raises(SignOffError, match="the preparer signed v1, not v2"):
        signed(ledger, "reviewer", "Bo", version=2)
    signed(ledger, "reviewer", "Bo")
    with pytest.raises(SignOffError, match="is approved by Bo already"):
        signed(ledger, "reviewer", "Cy")


def test_two_who_sign_at_once_do_not_both_sign(ledger):
    class Late:  # has read the ledger before the other one wrote
        def events(self, **_):
            return []

        def append_all(self, events, *, check):
            return ledger.append_all(events, check=check)

    signed(ledger)
    with pytest.raises(SignOffError, match="is signed by Ana already"):
        signed(Late(), who="Cy")
    with pytest.raises(SignOffError, match="is signed by Ana already"):
        signed(Late(), hashes={"findings": "zz"})
    assert len(ledger.events(kind="preparer_signed")) == 1


def test_a_signature_needs_a_name_and_checked_gates(ledger):
    with pytest.raises(SignOffError, match="needs a name"):
        signed(ledger, who=" ")
    with pytest.raises(SignOffError, match="no gate was checked"):
        signed(ledger, gates=())
    closed = (
        *OPEN,
        Gate("mapping", ok=False, count=2, detail="2 unmapped: a, b", where_to_go="20"),
        Gate("findings", ok=False, count=1, detail="x", where_to_go="30"),
    )
    with pytest.raises(SignOffError, match=r"mapping: 2 unmapped: a, b → 20\n  findings: x → 30"):
        signed(ledger, gates=closed)


def test_a_run_of_a_signed_month_must_be_the_same_month(ledger):
    assert run(ledger) == run(ledger)
    signed(ledger)
    assert run(ledger).seq == 1
    with pytest.raises(SignOffError, match="v1 is signed, and this run differs in findings, rules"):
        run(ledger, HASHES | {"findings": "cc", "rules": "dd"})
    with pytest.raises(SignOffError, match="differs in changes"):
        check_unchanged(state(ledger), {"findings": "aa"})
    reopen(ledger, **MONTH, who="Bo", at=AT, why="a late invoice")
    assert run(ledger, {"findings": "cc"}, version=2).values["version"] == 2


def test_reopening_makes_the_next_version_and_only_from_signed(ledger):
    with pytest.raises(SignOffError, match="nothing to reopen"):
        reopen(ledger, **MONTH, who="Bo", at=AT, why="x")
    assert next_version(ledger.events(), "harbor", OCTOBER) == 1
    signed(ledger)
    assert next_version(ledger.events(), "harbor", OCTOBER, [1]) == 1
    reopen(ledger, **MONTH, who="Bo", at=AT, why="x")
    assert next_version(ledger.events(), "harbor", OCTOBER, [1]) == 2
    signed(ledger, version=2)
    reopen(ledger, **MONTH, who="Bo", at=AT, why="y")
    assert state(ledger).version == 3


def test_versions_the_ledger_does_not_know_are_never_overwritten(ledger):
    assert next_version([], "harbor", OCTOBER, [1, 2]) == 3
    signed(ledger, version=3)
    assert (state(ledger).version, next_version(ledger.events(), "harbor", OCTOBER, [1, 2, 3])) == (3, 3)


def test_gates_count_everything_and_show_the_first_few():
    names = SOURCE_STATUS.names()
    rows = [
        dict.fromkeys(names)
        | {"source": f"s{number}", "connector": "c", "status": "failed", "pages": 0, "records": 0, "rejects": 0, "exit_code": 4}
        for number in range(7)
    ]
    gates = check_gates(
        status=make_table(SOURCE_STATUS, rows),
        accounts=make_table(ACCOUNT_MAPPING, []),
        products=make_table(PRODUCT_MAPPING, []),
        findings=make_table(FINDINGS, []),
        events=[],
        materiality=Decimal(0),
        as_of=OCTOBER.end,
    )
    assert [(gate.name, gate.ok) for gate in gates] == [
        ("sources", False),
        ("mapping", True),
        ("contradictions", True),
        ("findings", True),
        ("unknown money", True),
        ("exclusions", True),
    ]
    assert gates[0].count == 7
    assert gates[0].detail == "7 sources not complete: s0 failed, s1 failed, s2 failed, s3 failed, s4 failed and 2 more"


def test_only_exclusions_of_what_is_still_there_hold_up_a_month(ledger):
    facts = {"book": "harbor", "period": OCTOBER, "who": "Ana", "at": AT, "until": date(2026, 11, 15), "why": "parked"}
    finding = dict.fromkeys(FINDINGS.names()) | {
        "finding_id": "f1",
        "kind": "under_billed",
        "client_name": "Acme",
        "service_name": "EDR",
        "currency": "USD",
    }
    finding |= {
        "confidence": Decimal(1),
        "certainty": "calculated",
        "status": "open",
        "first_seen": "2026-10",
        "months_open": 1,
        "explanation": "x",
    }
    finding |= {"monthly_impact": Decimal(0)}
    record_mapping_decision(ledger, **facts, relation="product", source="pax8", vendor_id="p1", decision="exclude", seen={})
    record_finding_decision(ledger, **facts, finding=finding, decision="exclude")
    ledger.append(  # written by hand, without a reason
        Event(
            *("harbor", "2026-10", "mapping_decided", "product/pax8/p2", "Ana", "2026-11-03T06:00:00Z"),
            values={
                "relation": "product",
                "source": "pax8",
                "vendor_id": "p2",
                "decision": "exclude",
                "target_id": None,
                "until": "2030-01-01",
            },
        )
    )
    product = dict.fromkeys(PRODUCT_MAPPING.names()) | {
        "source": "pax8",
        "product_name": "P",
        "state": "unmapped",
        "units_qty": Decimal(0),
        "evidence": "e",
    }

    def gate(as_of, products, findings):
        made = check_gates(
            status=make_table(SOURCE_STATUS, []),
            accounts=make_table(ACCOUNT_MAPPING, []),
            products=make_table(PRODUCT_MAPPING, [product | {"vendor_product_id": name} for name in products]),
            findings=make_table(FINDINGS, findings),
            events=ledger.events(),
            materiality=Decimal(0),
            as_of=as_of,
        )
        return next(one for one in made if one.name == "exclusions").detail

    assert gate(date(2026, 10, 31), ["p1"], [finding]) == "every exclusion has a reason and is under review"
    assert gate(date(2026, 11, 30), ["p1"], [finding]).endswith(
        ": product/pax8/p1 until 2026-11-15, under billed Acme / EDR until 2026-11-15"
    )
    assert gate(date(2026, 11, 30), [], []) == "every exclusion has a reason and is under review"
    assert gate(date(2026, 10, 31), ["p2"], []).endswith(": product/pax8/p2 without a reason")
