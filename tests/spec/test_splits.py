"""T32, and many accounts of one client: whose the units of a vendor account are."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from small_month import Result, run_month

from reconlib.engine import DUCKDB, Engine, run_sql
from reconlib.errors import SettingsError, TieOutError
from reconlib.rules import Rules
from reconlib.schema import CANONICAL, make_table
from reconlib.settings import parse
from reconlib.splits import check_splits, split_accounts, split_inputs, unmatched_parts

PEOPLE = """
account  product  name                qty
group    mail     ann@dental.example  1
group    mail     bob@Dental.Example  1
group    mail     cay@lab.example     1
group    mail     dan@group.example   1
group    mail     meeting room        1
other    mail     eve@dental.example  1
"""
LINES = """
client  service  qty
Dental  mail     2
Lab     mail     1
HQ      mail     2
"""
BY_DOMAIN = {
    "source": "vendor",
    "account": "group",
    "by": "domain",
    "parts": {"dental": {"values": ["dental.example"], "client": "Dental"}, "lab": ["@LAB.example", "lab2.example"]},
}
MAIL = {"mail": {"used": [{"products": ["mail"]}]}}


def mapped(**targets: str) -> dict[tuple[str, str, str], Any]:
    """People's decisions: account -> client."""
    return {
        ("account", "vendor", name.replace("_", "/")): SimpleNamespace(state="mapped", targets=(client,), rejected=frozenset(), seen={})
        for name, client in targets.items()
    }


def split_month(usage: str = PEOPLE, *, split: dict[str, Any] = BY_DOMAIN, lines: str = LINES, **more: Any) -> Result:
    """The month of one tenant that serves three clients."""
    more.setdefault("decisions", mapped(group="HQ", group_lab="Lab", other="Other"))
    services = {"mail": MAIL["mail"] | more.pop("rules_more", {})}
    return run_month(lines + "Other  mail  1", usage=usage, rules={"services": services, "tenant_splits": [split]}, **more)


def used(month: Result) -> dict[str, Decimal]:
    """Units in use of every client that has any."""
    return {row["client_id"]: row["quantity_qty"] for row in month.counts if row["measure"] == "used"}


def of_accounts(month: Result) -> dict[str, tuple[int, Decimal, str | None]]:
    """Records, units and client of every account."""
    found: dict[str, tuple[int, Decimal, str | None]] = {}
    for row in month.grouped:
        records, units, _ = found.get(row["vendor_account_id"], (0, Decimal(0), None))
        found[row["vendor_account_id"]] = (records + row["records"], units + row["quantity_qty"], row["client_id"])
    return found


def test_t32_one_tenant_is_split_over_its_clients_and_the_remainder_stays_in_view() -> None:
    month = split_month()
    assert used(month) == {"Dental": 2, "Lab": 1, "HQ": 2, "Other": 1}
    assert {row["status"] for row in month.cells} == {"matched"}
    # dan belongs to no part, the room has no address: both are the remainder; other tenants are not touched
    assert of_accounts(month) == {
        "group": (2, 2, "HQ"),
        "group/dental": (2, 2, "Dental"),
        "group/lab": (1, 1, "Lab"),
        "other": (1, 1, "Other"),
    }
    assert {row["account_name"]: (row["units_qty"], row["decided_by"]) for row in month.accounts} == {
        "group / remainder": (2, "decision"),
        "group / dental": (2, "rule"),
        "group / lab": (1, "decision"),
        "other": (1, "decision"),
    }


def test_t32_parts_and_remainder_are_the_tenant() -> None:
    month, whole = split_month(), split_month(split=BY_DOMAIN | {"parts": {"none": ["nobody.example"]}})
    assert (
        sum(units for name, (_, units, _) in of_accounts(month).items() if name.startswith("group")) == of_accounts(whole)["group"][1] == 5
    )


def test_t32_a_sum_that_is_not_the_tenants_stops_the_run() -> None:
    import pyarrow as pa

    rules = parse({"version": 1, "tenant_splits": [BY_DOMAIN]}, Rules, where="test")
    kept = {"source": "vendor", "record_kind": "usage", "records": 2, "quantity_qty": Decimal(2)}
    buckets = pa.Table.from_pylist([{**kept, "vendor_account_id": "group"}, {**kept, "vendor_account_id": "group/dental"}])
    total = {"source": "vendor", "vendor_account_id": "group", "records": 4, "quantity_qty": Decimal(4)}
    check_splits(rules, [total], [], buckets)
    with pytest.raises(TieOutError, match="5 records with 5 units became 4 in parts and remainder with 4"):
        check_splits(rules, [total | {"records": 5, "quantity_qty": Decimal(5)}], [], buckets)
    assert [row["rule"] for row in unmatched_parts(rules, buckets, {"vendor"})] == ["tenant_splits.0.parts.lab"]
    assert unmatched_parts(rules, buckets, set()) == []


def test_t32_the_remainder_is_held_to_the_same_gates_as_any_account() -> None:
    month = split_month(decisions=mapped(other="Other"))
    assert month.buckets() == dict(
        zip(["u1", "u2", "u3", "u4", "u5", "u6"], ["counted", "counted", *["unmapped_account"] * 3, "counted"], strict=True)
    )
    waiting = {row["vendor_account_id"]: row["variance_qty"] for row in month.findings if row["kind"] == "unmapped_account"}
    assert waiting == {"group": 2, "group/lab": 1}


def test_t32_what_a_person_decides_about_a_part_stands_before_the_rule() -> None:
    month = split_month(decisions=mapped(group="HQ", group_dental="Lab", group_lab="Lab", other="Other"))
    assert used(month) == {"Lab": 3, "HQ": 2, "Other": 1}


GROUPED = """
account  product  name  groups
group    mail     ann   Dental; Staff
group    mail     bob   Staff ;Dental
group    mail     cay   Lab
group    mail     dan   Laboratory
group    mail     eve   -
"""
BY_GROUP = {"source": "vendor", "account": "group", "by": "groups", "separator": ";", "parts": {"dental": ["Dental"], "lab": ["Lab"]}}


def test_t32_a_group_is_one_of_several_values_of_a_field() -> None:
    month = split_month(GROUPED, split=BY_GROUP, decisions=mapped(group="HQ", group_dental="Dental", group_lab="Lab"))
    assert used(month) == {"Dental": 2, "Lab": 1, "HQ": 2}  # Laboratory is another group


LISTED = ["Dental", " Dental ", "Staff;Dental", "Staff ;   Dental;Lab office", "Dental\t;Staff", "Dentals", "Staff Dental", "", None]


@pytest.mark.parametrize("separator", [";", "|", "$", ".", "\\"])
def test_t32_values_are_told_apart_whatever_parts_them_and_however_many_blanks_stand_around(separator: str) -> None:
    split = BY_GROUP | {"by": "unit_class", "separator": separator, "parts": {"dental": ["Dental"], "lab": ["Lab office"]}}
    assert parts_of([text and text.replace(";", separator) for text in LISTED], split, "unit_class") == [
        *["group/dental"] * 5, *["group"] * 4
    ]  # fmt: skip


def test_t32_the_domain_of_an_address_with_blanks_behind_it_is_the_same() -> None:
    addresses = [
        "ann@dental.example ",
        "ANN@DENTAL.EXAMPLE",
        "a@b@dental.example",
        "@dental.example",
        "dental.example",
        "ann@sub.dental.example",
    ]
    assert parts_of(addresses, BY_DOMAIN, "unit_name") == [*["group/dental"] * 4, "group", "group"]


def parts_of(values: list[str | None], split: dict[str, Any], field: str, engine: Engine = DUCKDB) -> list[str]:
    """The account of every record with one of these values."""
    rules = parse({"version": 1, "tenant_splits": [split]}, Rules, where="test")
    record = {"source": "vendor", "vendor_account_id": "group", "vendor_product_id": "p", "quantity_qty": Decimal(1), "evidence": "e"}
    rows = [record | {"usage_record_id": f"u{place}", field: value} for place, value in enumerate(values)]
    accounts = {("vendor", "group"), ("vendor", "group/dental"), ("vendor", "group/lab")}
    inputs, views = split_inputs({"usage_records": make_table(CANONICAL["usage_records"], rows)}, rules, accounts)
    script = "CREATE TABLE found AS SELECT usage_record_id, vendor_account_id FROM usage_records;"
    found = run_sql(script, inputs, results=("found",), views=views, order={"found": ["usage_record_id"]}, engine=engine)["found"]
    return [str(row["vendor_account_id"]) for row in found.to_pylist()]


@pytest.mark.parametrize(("field", "values"), [("unit_class", ["teeth"]), ("groups", ["teeth"])], ids=["a column", "a field of the vendor"])
def test_t32_any_field_tells_parts_apart(field: str, values: list[str]) -> None:
    usage = f"account  product  {'class' if field == 'unit_class' else field}\ngroup  mail  teeth\ngroup  mail  Teeth"
    month = split_month(
        usage,
        split=BY_GROUP | {"by": field, "separator": None, "parts": {"dental": values}},
        decisions=mapped(group="HQ", group_dental="Dental"),
    )
    assert used(month) == {"Dental": 1, "HQ": 1}


def test_t32_a_record_of_two_parts_stops_the_run_and_is_named() -> None:
    with pytest.raises(SettingsError, match=r"record u1 with groups 'Lab; Dental' belongs to parts\.dental and parts\.lab") as error:
        split_month(GROUPED.replace("Dental; Staff", "Lab; Dental"), split=BY_GROUP)
    assert "tenant_splits.0" in error.value.where


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parts": {"a": ["x.example"], "b": ["@X.example"]}}, "parts.b: 'x.example' is claimed by a already"),
        ({"parts": {"a/b": ["x.example"]}}, "a part's name has no slash"),
        ({"parts": {"remainder": ["x.example"]}}, "is not 'remainder'"),
        ({"parts": {}}, "parts: Dictionary should have at least 1 item"),
        ({"separator": ";"}, "separator: an address has one domain"),
        ({"by": "groups", "field": "unit_name"}, "field: it says where an address stands"),
        ({"by": "grups"}, "tenant_splits.0.by: no record has a field 'grups'\nHint: did you mean 'groups'?"),
        ({"field": "adress"}, "tenant_splits.0.field: no record has a field 'adress'"),
        ({"account": "grup"}, "tenant_splits.0.account: source 'vendor' lists no account 'grup'\nHint: did you mean 'group'?"),
        (
            {"parts": {"a": {"values": ["x.example"], "client": "Dentl"}}},
            "tenant_splits.0.parts.a.client: nothing is called 'Dentl'\nHint: did you mean 'Dental'?",
        ),
    ],
)
def test_t32_a_wrong_split_names_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        split_month(GROUPED, split=BY_DOMAIN | change)
    assert said in str(error.value)


DENTAL = "client  name  code  domain  deleted\nd0  Dental Studio  DENT  -  deleted\nd1  Dental Studio  DENT  dental.example  -"


def test_t14_t32_a_code_is_the_clients_that_is_in_use_not_its_deleted_twins() -> None:
    split = BY_DOMAIN | {"parts": {"dental": {"values": ["dental.example"], "client": "DENT"}}}
    month = split_month(split=split, clients=DENTAL, lines="client  service  qty\nd1  mail  2\nHQ  mail  3\n")
    assert used(month) == {"d1": 2, "HQ": 3, "Other": 1}
    both = DENTAL.replace("-  deleted", "-  -")
    with pytest.raises(SettingsError, match=r"parts\.dental\.client: 2 clients have the code 'DENT'\nHint: use the client id: d0, d1"):
        split_month(split=split, clients=both)


def test_t32_a_part_says_what_the_evidence_says_of_the_client_its_rule_names() -> None:
    def part(client: str, clients: str = DENTAL) -> dict[str, Any]:
        split = BY_DOMAIN | {"parts": {"dental": {"values": ["dental.example"], "client": client}}}
        (row,) = [row for row in split_month(split=split, clients=clients).accounts if row["vendor_account_id"] == "group/dental"]
        return row

    agreed = part("d1")
    assert (agreed["state"], agreed["decided_by"], agreed["client_code"], agreed["doubt"]) == ("mapped", "rule", "DENT", 0)
    assert agreed["verdict"] in ("AUTO", "PROPOSE")
    assert agreed["points_domain"] > 0
    assert agreed["reason"] == "named by tenant_splits.0.parts.dental"
    assert (part("HQ")["client_id"], part("HQ")["verdict"], part("HQ")["probability"]) == ("HQ", None, None)
    gone = part("d0")
    assert (gone["client_id"], gone["verdict"], gone["conflicts"]) == ("d0", "CONTRADICTION", "the client is in the PSA's recycle bin")


def test_t32_what_speaks_for_the_tenants_client_does_not_speak_for_its_parts() -> None:
    tenant = {"source": "vendor", "vendor_account_id": "group", "account_name": "Group", "domain": "group.example", "evidence": "v/1"}
    tenant |= {"email": "it@group.example", "phone": "+1 555 0100", "address": "1 Main St", "tenant_id": "t", "external_id": "x"}
    accounts = make_table(CANONICAL["vendor_accounts"], [tenant])
    rules = parse({"version": 1, "tenant_splits": [BY_DOMAIN]}, Rules, where="test")
    made = {row["vendor_account_id"]: row for row in split_accounts(accounts, rules, {"vendor"}).to_pylist()}
    assert made["group"] == {**accounts.to_pylist()[0], "account_name": "Group / remainder"}
    assert {name for name, value in made["group/dental"].items() if value} == {
        "source", "vendor_account_id", "account_name", "domain", "evidence"
    }  # fmt: skip
    assert (made["group/dental"]["domain"], made["group/lab"]["domain"]) == ("dental.example", "lab.example")


def test_t32_a_part_is_not_split_again() -> None:
    twice = BY_DOMAIN | {"account": "group/dental", "parts": {"north": ["north.example"]}}
    with pytest.raises(SettingsError, match=r"tenant_splits\.1\.account: source 'vendor' lists no account 'group/dental'"):
        run_month(LINES, usage=PEOPLE, rules={"tenant_splits": [BY_DOMAIN, twice]})


def test_t32_a_tenant_is_split_once() -> None:
    with pytest.raises(SettingsError, match="is split twice"):
        run_month(LINES, usage=PEOPLE, rules={"tenant_splits": [BY_DOMAIN, BY_GROUP]})


def test_t32_a_part_that_is_an_account_already_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"tenant_splits\.0\.parts\.lab: 'group/lab' is an account of vendor already"):
        split_month(accounts="account\ngroup/lab")


def test_t32_a_part_that_claims_nothing_is_reported_as_any_rule() -> None:
    month = split_month(PEOPLE.replace("cay@lab.example", "cay@group.example"))
    (found,) = [row for row in month.findings if row["kind"] == "unmatched_rule"]
    assert (found["rule"], found["source"]) == ("tenant_splits.0.parts.lab", "vendor")
    assert month.cell("Lab", "mail")["status"] == "orphan_line"  # known to be zero: the tenant was read


def test_t32_a_source_that_failed_splits_nothing_and_says_so() -> None:
    month = split_month(failed=("vendor",))
    assert {row["status"] for row in month.cells} == {"no_count"}
    assert [row for row in month.findings if row["kind"] == "unmatched_rule"] == []


def test_t32_twins_are_counted_once_inside_a_part_and_apart_over_parts() -> None:
    usage = """
    account  product  name           key  seen
    group    mail     a@dental.example  S1  2026-10-30
    group    mail     b@dental.example  S1  2026-10-31
    group    mail     c@lab.example     S1  2026-10-31
    """
    month = run_month(
        "client  service  qty\nDental  mail  1\nLab  mail  1",
        usage=usage,
        rules={"services": {"mail": {"used": [{"products": ["mail"], "dedupe": True}]}}, "tenant_splits": [BY_DOMAIN]},
        decisions=mapped(group_lab="Lab", group="Dental"),
    )
    assert month.buckets() == {"u1": "duplicate", "u2": "counted", "u3": "counted"}


@pytest.mark.parametrize(
    ("bought", "kinds"),
    [
        (5, []),
        (7, [("HQ", "unused_commitment", "7 mail bought over the clients of tenant group, 5 in use: 2 paid for and idle.")]),
        (4, [("HQ", "shadow_usage", "5 mail in use over the clients of tenant group, 4 bought: 1 without a purchase.")]),
    ],
)
def test_t32_what_is_bought_for_a_tenant_stays_on_it_once_and_is_set_beside_all_its_use(bought: int, kinds: list[Any]) -> None:
    month = split_month(
        PEOPLE.replace("other    mail     eve@dental.example  1", ""),
        purchases=f"account  product  qty  cost\ngroup  mail  {bought}  3.00",
        rules_more={"purchased": [{"products": ["mail"]}]},
    )
    assert {row["client_id"]: row["purchased_qty"] for row in month.cells} == {"Dental": None, "Lab": None, "HQ": bought, "Other": None}
    found = [(r["client_id"], r["kind"], r["explanation"]) for r in month.findings if r["kind"] in ("unused_commitment", "shadow_usage")]
    assert found == kinds
    assert {r["record_id"]: r["vendor_account_id"] for r in month.records if r["record_kind"] == "purchase"} == {"b1": "group"}


def test_t32_a_part_is_never_expected_to_have_what_was_bought_for_the_tenant() -> None:
    rules = {"services": {"mail": {"expect": "purchased"}}, "tenant_splits": [BY_DOMAIN]}
    bought = "account  product  qty  cost\ngroup  mail  9  3.00"
    month = run_month(LINES, usage=PEOPLE, purchases=bought, rules=rules, decisions=mapped(group="HQ", group_lab="Lab"))
    assert {row["client_id"]: (row["status"], row["expected_qty"]) for row in month.cells} == {
        "Dental": ("no_count", None),
        "Lab": ("no_count", None),
        "HQ": ("under_billed", 9),
    }
    assert "stands on the whole tenant that group / lab is a part of" in month.cell("Lab", "mail")["explanation"]


def test_many_accounts_of_one_client_are_one_count_and_each_stays_in_view() -> None:
    """Σ over the accounts of a client is the client's count; a unit that two of its accounts see is one."""
    usage = """
    source  account     product  qty  key  seen
    rmm     main        agent    1    S1   2026-10-30
    rmm     branch      agent    1    S1   2026-10-31
    rmm     branch      agent    1    S2   2026-10-31
    rmm     old tenant  agent    4    -    2026-10-31
    edr     branch      agent    7    -    2026-10-31
    """
    decisions = {
        ("account", source, account): SimpleNamespace(state="mapped", targets=("Acme",), rejected=frozenset(), seen={})
        for source, account in [("rmm", "main"), ("rmm", "branch"), ("edr", "branch")]
    }
    rules = {"services": {"RMM": {"used": [{"source": "rmm", "products": ["agent"], "dedupe": True}]}}}
    bought = """
    source  account  product  qty  cost
    rmm     main     agent    2    3.00
    rmm     branch   agent    3    3.00
    """
    rules["services"]["RMM"]["purchased"] = [{"source": "rmm", "products": ["agent"]}]
    month = run_month("client  service  qty\nAcme  RMM  2", usage=usage, purchases=bought, rules=rules, decisions=decisions)
    assert (month.cell("Acme", "RMM")["used_qty"], month.cell("Acme", "RMM")["purchased_qty"]) == (2, 5)
    assert month.buckets() | {} == {
        "u1": "duplicate",
        "u2": "counted",
        "u3": "counted",
        "u4": "unmapped_account",  # an account nobody mapped never counts, whatever its siblings
        "u5": "unmapped_service",
        "b1": "counted",
        "b2": "counted",
    }
    assert [(r["kind"], r["vendor_account_id"], r["variance_qty"]) for r in month.findings if r["kind"] == "unmapped_account"] == [
        ("unmapped_account", "old tenant", 4)
    ]
    assert {r["vendor_account_id"] for r in month.records if r["client_id"] == "Acme"} == {"main", "branch"}
