"""Decisions: what is refused, how mappings fold, and the decision file on its way out and back."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reconlib.errors import DataError, SignOffError
from reconlib.ledger import Event, open_ledger
from reconlib.period import parse_period
from reconlib.review import (
    apply_finding_decisions,
    export_queue,
    finding_decisions,
    import_decisions,
    mapping_decisions,
    read_decisions,
    record_finding_decision,
    record_mapping_decision,
    write_queue,
)
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, FINDINGS, PRODUCT_MAPPING, make_table

OCTOBER = parse_period("2026-10")
AT = datetime(2026, 11, 3, 6, tzinfo=UTC)
FACTS = {"book": "harbor", "period": OCTOBER, "who": "Ana", "at": AT}


def row(schema, **values):
    return dict.fromkeys(schema.names()) | {"evidence": "e", "source": "s"} | values


def client(client_id, code, *, is_deleted=False):
    return row(
        CANONICAL["clients"],
        client_id=client_id,
        client_name=f"Client {client_id}",
        client_code=code,
        is_deleted=is_deleted,
        is_billable=True,
    )


def service(service_id, code):
    return row(CANONICAL["services"], service_id=service_id, service_code=code, service_name=code, is_active=True)


def account(vendor_id, state="suggested", **more):
    facts = {
        "source": "ninja",
        "vendor_account_id": vendor_id,
        "account_name": f"Account {vendor_id}",
        "state": state,
        "units_qty": Decimal(5),
    }
    return row(ACCOUNT_MAPPING, **(facts | more))


def product(vendor_id, state="suggested", **more):
    facts = {
        "source": "pax8",
        "vendor_product_id": vendor_id,
        "product_name": f"Product {vendor_id}",
        "state": state,
        "units_qty": Decimal(5),
    }
    return row(PRODUCT_MAPPING, **(facts | more))


def finding(finding_id="f1", **more):
    facts = {"kind": "under_billed", "client_id": "1", "client_name": "Client 1", "service_id": "31", "service_name": "EDR", "source": None}
    facts |= {
        "billed_qty": Decimal(44),
        "expected_qty": Decimal(51),
        "variance_qty": Decimal(7),
        "unit_price": Decimal(36),
        "currency": "USD",
    }
    facts |= {"monthly_impact": Decimal("252.00"), "confidence": Decimal(1), "certainty": "calculated", "status": "open"}
    facts |= {"first_seen": "2026-10", "months_open": 1, "explanation": "billing 7 fewer than used", "finding_id": finding_id}
    return row(FINDINGS, **(facts | more))


CLIENTS = make_table(
    CANONICAL["clients"],
    [client("1", "ACME"), client("2", "BLUE"), client("3", "TWIN"), client("4", "TWIN"), client("9", "GONE", is_deleted=True)],
)
SERVICES = make_table(CANONICAL["services"], [service("31", "EDR"), service("32", "EDR-DATA")])
ACCOUNTS = make_table(
    ACCOUNT_MAPPING,
    [
        account("a1", client_id="1", client_name="Client 1", reason="1 word of 2", monthly_cost=Decimal(12)),
        account("a2", "unmapped", reason="no similar name"),
        account("a3", "mapped", client_id="2", client_name="Client 2"),
        account("a4", "unmapped", units_qty=Decimal(0)),
        account("=HYPERLINK(1)", "unmapped"),
    ],
)
PRODUCTS = make_table(PRODUCT_MAPPING, [product("p1", service_id="31", service_name="EDR", reason="similar name")])
TABLES = {"clients": CLIENTS, "services": SERVICES, "accounts": ACCOUNTS, "products": PRODUCTS}


@pytest.fixture
def ledger():
    with open_ledger("sqlite://") as opened:
        yield opened


def map_it(ledger, decision, target=None, *, relation="account", period=OCTOBER, until=None, why="because"):
    return record_mapping_decision(
        ledger,
        **(FACTS | {"period": period}),
        relation=relation,
        source="ninja",
        vendor_id="7",
        decision=decision,
        target_id=target,
        until=until,
        why=why,
        seen={"units_qty": Decimal("5.000000")},
    )


def folded(ledger, relation="account", as_of=OCTOBER.end):
    return mapping_decisions(ledger.events(), as_of=as_of).get((relation, "ninja", "7"))


def decide(ledger, decision, row=None, **more):
    return record_finding_decision(ledger, **FACTS, finding=row or finding(), decision=decision, **more)


def import_text(ledger, tmp_path, text, *, findings=None, **changes):
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()), "utf-8")
    rows = [finding(), finding("f2", kind="no_count")] if findings is None else findings
    return import_decisions(ledger, path, **(FACTS | TABLES | {"findings": make_table(FINDINGS, rows)} | changes))


def test_an_account_has_one_client_and_the_latest_wins(ledger):
    event = map_it(ledger, "map", "1")
    assert event.values["seen"] == {"units_qty": "5"}
    assert (folded(ledger).state, folded(ledger).targets, folded(ledger).who) == ("mapped", ("1",), "Ana")
    map_it(ledger, "map", "2")
    assert folded(ledger).targets == ("2",)
    map_it(ledger, "undo")
    assert folded(ledger) is None


def test_a_product_may_count_for_several_services(ledger):
    map_it(ledger, "map", "31", relation="product")
    map_it(ledger, "map", "32", relation="product")
    assert folded(ledger, "product").targets == ("31", "32")
    map_it(ledger, "undo", "31", relation="product")
    assert folded(ledger, "product").targets == ("32",)
    map_it(ledger, "exclude", relation="product", until=date(2027, 1, 31))
    assert (folded(ledger, "product").state, folded(ledger, "product").targets) == ("excluded", ())
    map_it(ledger, "map", "31", relation="product")
    assert (folded(ledger, "product").state, folded(ledger, "product").review_by) == ("mapped", None)


def test_t130_a_rejection_beside_an_exclusion_or_a_mapping_leaves_who_decided_it_and_why(ledger):
    map_it(ledger, "exclude", until=date(2027, 3, 31), why="test tenant")
    record_mapping_decision(
        ledger, **FACTS | {"who": "Bo"}, relation="account", source="ninja", vendor_id="7", decision="reject", target_id="1", seen={}
    )
    assert (folded(ledger).state, folded(ledger).who, folded(ledger).why) == ("excluded", "Ana", "test tenant")
    assert (folded(ledger).said["1"].who, folded(ledger).said["1"].why) == ("Bo", "")
    map_it(ledger, "map", "2", why="phoned them")
    map_it(ledger, "reject", "3", why="another town")
    assert (folded(ledger).state, folded(ledger).why) == ("mapped", "phoned them")
    map_it(ledger, "reject", "2", why="wrong after all")
    assert (folded(ledger).state, folded(ledger).why) == ("open", "wrong after all")


def test_a_rejection_is_kept_until_undone(ledger):
    map_it(ledger, "map", "1")
    map_it(ledger, "reject", "1")
    map_it(ledger, "reject", "2")
    assert (folded(ledger).state, folded(ledger).targets, folded(ledger).rejected) == ("open", (), {"1", "2"})
    map_it(ledger, "map", "2")
    assert (folded(ledger).state, folded(ledger).rejected) == ("mapped", {"1"})
    map_it(ledger, "undo", "1")
    assert folded(ledger).rejected == frozenset()


def test_t31_an_old_month_knows_only_its_own_decisions_and_a_later_month_wins(ledger):
    map_it(ledger, "map", "2", period=OCTOBER.next)
    map_it(ledger, "map", "1", period=OCTOBER)  # said later, about an earlier month
    assert folded(ledger, as_of=OCTOBER.previous.end) is None
    assert folded(ledger, as_of=OCTOBER.end).targets == ("1",)
    assert folded(ledger, as_of=OCTOBER.next.end).targets == ("2",)
    assert mapping_decisions(ledger.events(), as_of=date(2026, 11, 3), period=OCTOBER)["account", "ninja", "7"].targets == ("1",)


def test_sending_the_same_decision_at_once_twice_is_one_decision(ledger):
    first = map_it(ledger, "map", "1")
    twin = Event(**{name: getattr(first, name) for name in ("book", "period", "kind", "subject", "who", "at", "why", "values", "key")})
    assert ledger.append(twin) == first


@pytest.mark.parametrize(
    ("decision", "more", "where", "hint"),
    [
        ("aprove", {}, "decision: 'aprove'", "did you mean 'approve'"),
        ("adjust", {}, "new_qty: nothing", "adjust sets a quantity"),
        ("adjust", {"new_qty": "-1"}, "new_qty: -1", "negative"),
        ("adjust", {"new_qty": "many"}, "new_qty: 'many'", "digits"),
        ("approve", {"new_qty": 4}, "new_qty: 4", "use adjust"),
        ("dismiss", {"effective_date": date(2026, 11, 1)}, "effective_date: 2026-11-01", "changes nothing"),
        ("approve", {"effective_date": date(2026, 9, 30)}, "effective_date: 2026-09-30", "invoiced before 2026-10 already"),
        ("dismiss", {"until": date(2026, 12, 1)}, "until: 2026-12-01", "has no end"),
        ("snooze", {"until": date(2026, 10, 31)}, "until: 2026-10-31", "not after 2026-10-31"),
        ("dismiss", {"cause": "bad luck"}, "cause: 'bad luck'", "valid names"),
        ("approve", {"row": finding(kind="no_count")}, "decision: approve", "nothing is known to bill"),
        ("approve", {"row": finding(expected_qty=None)}, "decision: approve", "no quantity to set"),
        ("adjust", {"row": finding(kind="cost_change"), "new_qty": 3}, "new_qty: 3", "adjust sets a quantity"),
    ],
)
def test_a_wrong_decision_names_its_value(ledger, decision, more, where, hint):
    with pytest.raises(DataError) as caught:
        decide(ledger, decision, **more)
    assert where in str(caught.value)
    assert hint in caught.value.hint
    assert ledger.events() == []


@pytest.mark.parametrize(
    ("decision", "target", "says"),
    [
        ("map", None, "a client is needed to map"),
        ("reject", None, "a client is needed to reject"),
        ("exclude", "1", "leave it empty"),
        ("drop", "1", "valid names"),
    ],
)
def test_a_wrong_mapping_decision_names_its_value(ledger, decision, target, says):
    with pytest.raises(DataError, match=says):
        map_it(ledger, decision, target, until=date(2027, 1, 1))


def test_t125_cost_binds_only_findings_about_cost(ledger):
    about_cost = finding(kind="cost_change", unit_cost=Decimal("4.10"))
    decide(ledger, "snooze", about_cost)
    changed = make_table(FINDINGS, [about_cost | {"unit_cost": Decimal("4.20")}])
    (after,) = apply_finding_decisions(changed, ledger.events(), period=OCTOBER).to_pylist()
    assert after["explanation"].endswith("; reopened: cost 4.1 → 4.2")


def test_units_that_change_are_said_once_and_bind_findings_without_expected(ledger):
    units = finding(kind="unmapped_account", billed_qty=None, expected_qty=None, monthly_impact=None)
    decide(ledger, "snooze", units)
    (after,) = apply_finding_decisions(
        make_table(FINDINGS, [units | {"variance_qty": Decimal(8)}]), ledger.events(), period=OCTOBER
    ).to_pylist()
    assert (after["status"], after["explanation"]) == ("open", "billing 7 fewer than used; reopened: units 7 → 8")
    decide(ledger, "dismiss", finding("f2"))
    later = finding("f2", billed_qty=Decimal(45), variance_qty=Decimal(6))
    (after,) = apply_finding_decisions(make_table(FINDINGS, [later]), ledger.events(), period=OCTOBER).to_pylist()
    assert after["explanation"].endswith("; reopened: billed 44 → 45")


def test_decisions_set_status_and_cause_and_leave_rows_and_order(ledger):
    decide(ledger, "investigate", cause="Vendor_error")
    decide(ledger, "adjust", finding("f3"), new_qty="50.00", cause="")
    table = make_table(FINDINGS, [finding(), finding("f2"), finding("f3", cause="timing")]).take([2, 0, 1])
    after = apply_finding_decisions(table, ledger.events(), period=OCTOBER)
    assert after.schema == table.schema
    assert after.drop_columns(["status", "cause"]) == table.drop_columns(["status", "cause"])
    assert [(one["finding_id"], one["status"], one["cause"]) for one in after.to_pylist()] == [
        ("f3", "approved", "timing"),
        ("f1", "open", "vendor error"),
        ("f2", "open", None),
    ]
    assert finding_decisions(ledger.events(), OCTOBER)["f3"].values["new_qty"] == "50"


def test_the_queue_lists_what_waits_most_money_first(tmp_path):
    findings = [
        finding("f1"),
        finding("f2", status="dismissed"),
        finding("f3", monthly_impact=Decimal(-900)),
        finding("f4", kind="unmapped_account"),
    ]
    rows = export_queue(ACCOUNTS, PRODUCTS, make_table(FINDINGS, findings))
    assert [one["finding_id"] or one["vendor_id"] for one in rows] == ["f3", "f1", "a1", "=HYPERLINK(1)", "a2", "p1"]
    assert rows[2] | {"decision": ""} == rows[2]
    assert (rows[2]["target"], rows[2]["about"], rows[2]["units"], rows[2]["monthly"]) == (
        "1",
        "suggested: Client 1 (1 word of 2)",
        "5",
        "12.00",
    )
    path = tmp_path / "queue.csv"
    write_queue(path, rows)
    written = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    assert not [cell for line in written for cell in line if cell.startswith(("=", "+", "@"))]
    assert "-900.00" in written[1]
    assert read_decisions(path) == []  # nothing is decided yet


CONTRADICTED = {
    "verdict": "CONTRADICTION",
    "service_id": "31",
    "service_name": "EDR",
    "reason": "same id last month, but it looks like RMM",
}


def test_a_contradicted_mapping_waits_in_the_file_with_the_better_one():
    mapped = [product("p1", "mapped", runner_up_id="32", **CONTRADICTED), product("p2", "mapped", service_id="31")]
    rows = export_queue(make_table(ACCOUNT_MAPPING, []), make_table(PRODUCT_MAPPING, mapped), make_table(FINDINGS, []))
    assert [(one["vendor_id"], one["target"]) for one in rows] == [("p1", "32")]
    assert rows[0]["about"] == "contradicted: mapped to EDR (same id last month, but it looks like RMM)"


@pytest.mark.parametrize(("verdict", "counts_for"), [("CONTRADICTION", ("32",)), (None, ("31", "32"))])
def test_a_file_puts_another_service_in_the_place_of_a_contradicted_one(ledger, tmp_path, verdict, counts_for):
    facts = FACTS | {"relation": "product", "source": "pax8", "vendor_id": "p1", "decision": "map", "seen": {}}
    record_mapping_decision(ledger, **facts, target_id="31")
    shown = product("p1", "mapped", runner_up_id="32", **CONTRADICTED | {"verdict": verdict})
    tables = {"services": make_table(CANONICAL["services"], [service("31", "EDR"), service("32", "RMM")])}
    tables["products"] = make_table(PRODUCT_MAPPING, [shown])
    text = "relation,source,vendor_id,decision,target\nproduct,pax8,p1,map,RMM"
    assert import_text(ledger, tmp_path, text, **tables).recorded == 1
    assert mapping_decisions(ledger.events(), as_of=OCTOBER.end)["product", "pax8", "p1"].targets == counts_for
    both = import_text(ledger, tmp_path, f"{text}\nproduct,pax8,p1,map,EDR", **tables)
    assert [one.reason for one in both.rejects] == (["is decided twice in this file"] if verdict else [])


def test_what_somebody_decided_while_a_file_was_read_is_not_decided_over(ledger, tmp_path, monkeypatch):
    append = ledger.append_all

    def meanwhile(events, check=None):
        monkeypatch.setattr(ledger, "append_all", append)
        hers = FACTS | {"who": "Bea", "relation": "account", "source": "ninja", "vendor_id": "a1", "decision": "map", "target_id": "2"}
        record_mapping_decision(ledger, **hers, seen={})
        return append(events, check=check)

    monkeypatch.setattr(ledger, "append_all", meanwhile)
    with pytest.raises(DataError, match="decided meanwhile by Bea: map"):
        import_text(ledger, tmp_path, "relation,source,vendor_id,decision,target\naccount,ninja,a1,map,ACME\naccount,ninja,a2,map,BLUE")
    assert [event.who for event in ledger.events()] == ["Bea"]


def test_a_filled_queue_comes_back_and_a_second_import_changes_nothing(ledger, tmp_path):
    findings = [finding(), finding("f2", kind="no_count", monthly_impact=None)]
    rows = export_queue(ACCOUNTS, PRODUCTS, make_table(FINDINGS, findings))
    chosen = {
        "a1": {"decision": "map"},
        "a2": {"decision": "map", "target": "BLUE"},
        "=HYPERLINK(1)": {"decision": "exclude", "until": "2027-03-31", "reason": "test tenant"},
        "p1": {"decision": "map"},
        "f1": {"decision": "adjust", "new_qty": "50.0", "cause": "real quantity gap", "effective_date": "2026-12-01"},
        "f2": {"decision": "snooze", "until": "2026-12-15"},
    }
    path = tmp_path / "queue.csv"
    write_queue(path, [one | chosen[one["finding_id"] or one["vendor_id"]] for one in rows])
    tables = FACTS | TABLES | {"findings": make_table(FINDINGS, findings)}
    done = import_decisions(ledger, path, **tables)
    assert (done.recorded, done.unchanged, done.rejects) == (6, 0, ())
    standing = mapping_decisions(ledger.events(), as_of=OCTOBER.end)
    assert {key[2]: (one.state, one.targets) for key, one in standing.items()} == {
        "a1": ("mapped", ("1",)),
        "a2": ("mapped", ("2",)),
        "=HYPERLINK(1)": ("excluded", ()),
        "p1": ("mapped", ("31",)),
    }
    (event,) = [one for one in ledger.events() if one.subject == "account/ninja/a1"]
    assert event.values["seen"]["name"] == "Account a1"
    again = import_decisions(ledger, path, **(tables | {"who": "Bo"}))
    assert (again.recorded, again.unchanged, len(ledger.events())) == (0, 6, 6)


def test_every_wrong_row_is_named_and_nothing_is_written(ledger, tmp_path):
    done = import_text(
        ledger,
        tmp_path,
        """
        relation,source,vendor_id,decision,target,finding_id,new_qty,effective_date,until,cause,reason
        account,ninja,a1,map,ACME,,,,,,
        account,ninja,a2,map,ACMEE,,,,,,
        account,ninja,a3,map,TWIN,,,,,,
        account,ninja,a9,map,ACME,,,,,,
        account,ninja,a2,map,GONE,,,,,,
        account,ninja,a2,exclude,,,,,,,
        acount,ninja,a2,map,ACME,,,,,,
        account,,a2,map,ACME,,,,,,
        account,ninja,a1,map,BLUE,,,,,,
        finding,,,approve,,f9,,,,,
        finding,,,approve,,f2,,,,,
        finding,,,dismiss,,f1,,,12/01/2026,,
        finding,,,adjust,,f1,"1,5",,,,
        """,
    )
    assert (done.recorded, ledger.events()) == (0, [])
    assert [(one.row, one.column) for one in done.rejects] == [
        (3, "target"),
        (4, "target"),
        (5, "vendor_id"),
        (6, "target"),
        (7, "reason"),
        (8, "relation"),
        (9, "source"),
        (10, "decision"),
        (11, "finding_id"),
        (12, "decision"),
        (13, "until"),
        (14, "new_qty"),
    ]
    assert done.rejects[0].hint == "did you mean 'ACME'?"
    assert done.rejects[1].hint == "use the client id: 3, 4"
    assert done.rejects[7].reason == "is decided twice in this file"


def test_a_decision_taken_back_can_be_imported_again(ledger, tmp_path):
    text = "relation;source;vendor_id;decision;target\naccount;ninja;a1;map;ACME"
    assert import_text(ledger, tmp_path, text).recorded == 1
    record_mapping_decision(ledger, **FACTS, relation="account", source="ninja", vendor_id="a1", decision="undo", seen={})
    assert import_text(ledger, tmp_path, text).recorded == 1
    assert mapping_decisions(ledger.events(), as_of=OCTOBER.end)["account", "ninja", "a1"].targets == ("1",)


def test_the_same_rejection_of_what_looks_different_now_is_a_new_decision(ledger, tmp_path):
    text = "relation;source;vendor_id;decision;target\naccount;ninja;a1;reject;ACME"
    assert [import_text(ledger, tmp_path, text).recorded for _ in range(2)] == [1, 0]
    renamed = make_table(ACCOUNT_MAPPING, [account("a1", account_name="Another name", client_id="1", client_name="Client 1")])
    assert import_text(ledger, tmp_path, text, accounts=renamed).recorded == 1
    seen = mapping_decisions(ledger.events(), as_of=OCTOBER.end)["account", "ninja", "a1"].seen["1"]
    assert seen["bound"]["account_name"] == "Another name"


def test_a_file_for_a_decision_on_other_values_is_a_new_decision(ledger, tmp_path):
    text = "relation,decision,finding_id\nfinding,dismiss,f1"
    assert import_text(ledger, tmp_path, text).recorded == 1
    assert import_text(ledger, tmp_path, text, findings=[finding(billed_qty=Decimal(45))]).recorded == 1
    assert import_text(ledger, tmp_path, text, period=OCTOBER.next).recorded == 1


def test_a_signed_month_takes_no_file(ledger, tmp_path):
    ledger.append(Event("harbor", "2026-10", "preparer_signed", "v1", "Ana", "2026-11-03T06:00:00Z"))
    with pytest.raises(SignOffError, match="2026-10 is signed by Ana"):
        import_text(ledger, tmp_path, "relation,decision,finding_id\nfinding,dismiss,f1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"relation,decison\n", "did you mean 'decision'"),
        (b"relation,source\n", "column 'decision' is missing"),
        (b"", "column 'relation' is missing"),
        (b"relation,decision\n\xff\xfe", "not UTF-8"),
        (b"relation,decision,reason,decision\n", "column 'decision' is there twice"),
        (b"relation,decision,reason\nfinding,dismiss,known, agreed with them\n", "row 2 has 4 cells, its header 3\nHint: .* double quotes"),
    ],
)
def test_a_file_that_is_no_decision_file_says_why(tmp_path, content, says):
    path = tmp_path / "decisions.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_decisions(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_decisions(tmp_path / "absent.csv")


def test_empty_rows_and_columns_of_a_spreadsheet_are_passed_over_and_rows_keep_their_numbers(tmp_path):
    path = tmp_path / "decisions.csv"
    path.write_text("relation,decision,reason,,\n,,,,\n\nfinding,dismiss,known,,\n", "utf-8")
    assert [(one["row"], one["relation"], one["reason"]) for one in read_decisions(path)] == [("4", "finding", "known")]
