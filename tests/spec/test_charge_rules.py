"""What vendors charge, as the field's rules read it: drafts before the invoice, cost of nobody, tax, and cloud cost passed on with a markup."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from small_month import make_tables, rows_of

from reconlib.errors import SettingsError
from reconlib.findings import BILLING_KINDS
from reconlib.mapping import measure_stakes, suggest_accounts, suggest_products
from reconlib.markup import cloud_due
from reconlib.period import Period
from reconlib.pipeline import Inputs, run_stages
from reconlib.rules import Rules
from reconlib.schema import CANONICAL, SOURCE_STATUS, make_table
from reconlib.settings import parse

AZURE = {"services": {"AZURE": {"cloud": {"connector": "focus", "markup_percent": "15"}}}}
OCTOBER = Period(2026, 10)
LINE = """
    client  service  qty  price
    ACME    AZURE    1    100.00
"""


def charge(number, row):
    tax = row.get("type") == "Tax"
    return {
        "source": row.get("source", "cloud"),
        "charge_id": f"x{number}",
        "invoice_id": row.get("invoice", "I1"),
        "is_billed": row.get("invoice", "I1") != "none",
        "vendor_account_id": row.get("account", "ACME"),
        "vendor_product_id": row.get("product", "VM"),
        "charge_type": row.get("type", "Usage"),
        "quantity_qty": Decimal(1),
        "amount": Decimal(0) if tax else Decimal(row["amount"]),
        "tax_amount": Decimal(row["amount"]) if tax else None,
        "currency": row.get("currency", "USD"),
        "evidence": f"cloud/s/p1/r{number}",
    }


def run(lines, charges, rules=AZURE, *, clients="", services="", failed=(), agreements=""):
    """A month of lines and charges through every pure stage; the findings in money."""
    made = make_tables(lines, "", "", agreements, clients or "client\nACME", services or "service\nAZURE")
    rows = [charge(number, row) for number, row in enumerate(rows_of(charges), 1)]
    rows = [row for row in rows if row["source"] not in failed]
    tables = {**made, "vendor_charges": make_table(CANONICAL["vendor_charges"], rows)}
    for name, key, label in (
        ("vendor_accounts", "vendor_account_id", "account_name"),
        ("vendor_products", "vendor_product_id", "product_name"),
    ):
        known = {(row["source"], row[key]): {"source": row["source"], key: row[key], label: row[key], "evidence": "e"} for row in rows}
        more = {"is_free": False} if name == "vendor_products" else {}
        tables[name] = make_table(CANONICAL[name], [row | more for row in known.values()])
    sources = {row["source"] for row in rows} | set(failed)
    connectors = {source: "focus" if source.startswith("cloud") else source for source in sources}
    status = make_table(
        SOURCE_STATUS,
        [
            {
                "source": s,
                "connector": c,
                "status": "failed" if s in failed else "complete",
                "pages": 1,
                "records": 1,
                "rejects": 0,
                "exit_code": 0,
            }
            for s, c in connectors.items()
        ],
    )
    parsed = parse({"version": 1, **rules}, Rules, where="test")
    on_accounts, on_products = measure_stakes(tables, as_of=OCTOBER.end)
    accounts = suggest_accounts(tables["clients"], tables["vendor_accounts"], {}, on_accounts)
    products = suggest_products(tables["services"], tables["vendor_products"], {}, on_products, rules=parsed, connectors=connectors)
    inputs = Inputs("test", OCTOBER, OCTOBER.end, "USD", tables, status, accounts, products)
    staged = run_stages(inputs, parsed)
    run.cells = staged.compared.cells.to_pylist()
    run.kinds = [row["kind"] for row in staged.findings.to_pylist() if row["service_id"] == "AZURE"]
    return [row for row in staged.findings.to_pylist() if (row["rule"] or "").endswith(".cloud")]


def in_money(findings):
    return [(row["client_id"], row["kind"], row["monthly_impact"]) for row in findings]


@pytest.mark.parametrize(
    ("price", "found"),
    [
        ("115.00", []),
        ("100.00", [("ACME", "under_billed", Decimal("15.00"))]),
        ("120.00", [("ACME", "over_billed", Decimal("-5.00"))]),
        ("115.01", [("ACME", "over_billed", Decimal("-0.01"))]),
    ],
)
def test_t99_cloud_cost_with_its_markup_is_compared_in_money(price, found):
    charges = """
        product      type      amount
        VM           Usage     60.123456789012345
        VM           Usage     0
        Reservation  Purchase  45
        VM           Credit    -5.123456789012345
    """
    findings = run(LINE.replace("100.00", price), charges)
    assert in_money(findings) == found
    assert {row["status"] for row in run.cells} == {"cloud"}
    for row in findings:
        assert (row["variance_qty"], row["billed_qty"], row["certainty"]) == (None, Decimal(1), "calculated")
        assert row["evidence"].endswith("cloud/s/p1/r1 cloud/s/p1/r2 cloud/s/p1/r3 cloud/s/p1/r4")


def test_the_sentence_names_cost_markup_due_and_billed():
    (found,) = run(LINE, "amount\n1234.564")
    text = "Cost 1,234.56 USD with 15 % markup is 1,419.75 USD due, 100.00 USD billed: 1,319.75 USD under-billed."
    assert (found["explanation"], found["monthly_impact"]) == (text, Decimal("1319.75"))
    assert found["rule"].endswith("services.AZURE.cloud")


def test_t117_tax_is_no_cost_to_pass_on():
    assert run(LINE.replace("100.00", "115.00"), "type   amount\nUsage  100\nTax    19") == []


def test_t7_cost_the_vendor_has_not_invoiced_is_an_estimate():
    (found,) = run(LINE, "amount  invoice\n60      I1\n40      none")
    assert (found["kind"], found["certainty"]) == ("under_billed", "estimated")
    assert "has not invoiced all of it" in found["explanation"]


def test_t1_cost_of_a_source_that_failed_is_not_known():
    (found,) = run(LINE, "amount  source\n100     cloud", failed=("cloud",))
    assert (found["kind"], found["monthly_impact"]) == ("no_count", None)
    assert "cloud was not received whole" in found["explanation"]


def test_t1_one_of_two_sources_that_failed_makes_the_sum_unknown():
    findings = run(LINE, "amount  source\n100     cloud\n50      cloud-b", failed=("cloud-b",))
    assert in_money(findings) == [("ACME", "no_count", None)]


def test_t1_a_client_no_charge_names_costs_nothing_known():
    lines = LINE + "    BIRCH   AZURE    1    50.00\n"
    findings = run(lines, "amount\n100", clients="client\nACME\nBIRCH")
    assert in_money([row for row in findings if row["client_id"] == "BIRCH"]) == [("BIRCH", "no_count", None)]


def test_t1_without_any_cloud_source_it_is_said_that_none_is_connected():
    findings = run(LINE, "amount  source\n100     other")
    assert in_money(findings) == [("ACME", "no_source", None)]


def test_t19_cost_of_nobody_is_in_no_clients_bill():
    charges = "account            amount\nACME               100\n(no_sub_account)  900"
    assert run(LINE.replace("100.00", "115.00"), charges) == []


def test_cost_no_line_bills_is_new_revenue():
    assert in_money(run("client  service  qty\n", "amount\n100")) == [("ACME", "new_revenue", Decimal("115.00"))]
    assert run.kinds == ["new_revenue"]  # the audit of charges does not say it again


@pytest.mark.parametrize(
    ("rules", "clients"),
    [
        ({"own_clients": ["ACME"]}, ""),
        ({"overrides": [{"client": "ACME", "service": "AZURE", "not_resold": True, "reason": "their own", "review_by": "2027-01-31"}]}, ""),
        ({}, "client  billable\nACME    no"),
    ],
)
def test_t55_t57_cost_that_is_never_billed_is_no_new_revenue(rules, clients):
    assert run("client  service  qty\n", "amount\n100", {**AZURE, **rules}, clients=clients) == []


def test_t17_t33_lines_of_several_prices_and_a_credit_beside_them_are_added_up():
    lines = """
        client  service  qty  included  price
        ACME    AZURE    1    -         100.00
        ACME    AZURE    3    1         10.00
        ACME    AZURE    1    -         -5.00
    """
    assert run(lines, "amount\n100") == []
    assert in_money(run(lines, "amount\n101")) == [("ACME", "under_billed", Decimal("1.15"))]


def test_t112_a_yearly_line_is_compared_by_the_month():
    lines = "client  agreement  service  qty  price\nACME    A1         AZURE    1    1380.00"
    assert run(lines, "amount\n100", agreements="agreement  client  cycle\nA1         ACME    12") == []


def test_t113_cost_in_another_currency_is_not_compared():
    (found,) = run(LINE, "amount  currency\n100     EUR")
    assert (found["kind"], found["monthly_impact"]) == ("currency_or_cycle_mismatch", None)


def test_only_the_products_a_rule_names_are_passed_on():
    rules = {"services": {"AZURE": {"cloud": {"source": "cloud", "products": ["VM"], "markup_percent": "0"}}}}
    assert run(LINE, "product  amount\nVM       100\nSupport  29", rules) == []


def test_one_cost_is_never_billed_by_two_services():
    rules = {"services": {code: {"cloud": {"connector": "focus", "markup_percent": 0}} for code in ("AZURE", "AWS")}}
    with pytest.raises(SettingsError, match="the cost of 'VM' would be billed by AWS and AZURE"):
        run(LINE, "amount\n100", rules, services="service\nAZURE\nAWS")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"cloud": {"markup_percent": "15"}}, "by connector or by source"),
        ({"cloud": {"connector": "focus", "markup_percent": 1.5}}, "binary float"),
        ({"cloud": {"connector": "focus", "markup_percent": "-1"}}, "greater than or equal to 0"),
        ({"basis": "cloud"}, "belong together"),
        ({"basis": "count", "cloud": {"connector": "focus", "markup_percent": "1"}}, "belong together"),
        ({"used": [{}], "cloud": {"connector": "focus", "markup_percent": "1"}}, "has no used, purchased or price"),
    ],
)
def test_a_cloud_rule_that_cannot_be_meant_is_refused(rule, words):
    with pytest.raises(SettingsError, match=words):
        parse({"version": 1, "services": {"AZURE": rule}}, Rules, where="test")


def test_the_sum_is_marked_up_and_never_its_parts():
    thirds = [Decimal("0.333")] * 3
    assert cloud_due(sum(thirds), Decimal(10), "USD") == Decimal("1.10")
    assert sum(cloud_due(part, Decimal(10), "USD") for part in thirds) == Decimal("1.11")


def test_a_book_without_cloud_rules_has_no_finding_of_it():
    findings = run(LINE, "amount\n100", {})
    assert not [row for row in findings if row["kind"] in BILLING_KINDS]
    assert isinstance(make_table(CANONICAL["vendor_charges"], []), pa.Table)
