"""Pax8's invoices and drafts: what is charged, for whom, and on which of the subscriptions' products."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from pydantic import SecretStr

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Fetch
from reconlib.errors import AuthenticationError, ShapeError
from reconlib.invoices.arithmetic import check_line
from reconlib.period import Period
from reconlib.sandbox.charges import HEAD_OFF
from reconlib.sandbox.server import serve
from reconlib.sandbox.world import make_world
from reconlib.schema import CANONICAL, make_table

PAX8 = CONNECTORS["pax8"]
SUBSCRIPTION = {
    "id": "s1", "companyId": "c1", "productId": "p1", "quantity": 10, "status": "Active", "billingTerm": "Monthly",
    "startDate": "2026-01-05T00:00:00Z", "commitmentTerm": {"term": "1-Year", "endDate": "2027-01-04T00:00:00Z"},
}  # fmt: skip
INVOICE = {"id": "i1", "invoiceDate": "2026-11-01", "total": 104.0, "carriedBalance": 0, "currencyCode": "USD", "status": "Unpaid"}


def item(**more):
    return {
        "id": "x1",
        "type": "subscription",
        "companyId": "c1",
        "startPeriod": "2026-10-01",
        "endPeriod": "2026-10-31",
        "quantity": 10,
        "term": "Monthly",
        "cost": 10.0,
        "costTotal": 100.0,
        "salesTax": 4.0,
        "productId": "p1",
        "productName": "Business Premium",
        "currencyCode": "USD",
        "subscriptionId": "s1",
    } | more


def paged(records, size=200):
    def answer(request):
        page = int(request.url.params["page"])
        facts = {"size": size, "totalElements": len(records), "totalPages": -(-len(records) // size), "number": page}
        return httpx.Response(200, json={"content": records[page * size : (page + 1) * size], "page": facts})

    return answer


@pytest.fixture
def pax8(vendor):
    vendor.answers = {
        "/token": {"access_token": "t1", "expires_in": 86400},
        "/v1/companies": paged([{"id": "c1", "name": "Birch"}]),
        "/v1/products": paged([{"id": "p1", "name": "Business Premium", "sku": "MST-BP"}]),
        "/v1/subscriptions": paged([SUBSCRIPTION]),
        "/v1/invoices": paged([INVOICE]),
        "/v1/invoices/i1/items": paged([item()]),
        "/v1/invoices/draftItems": paged([]),
    }
    return vendor


def fetch(now=datetime(2026, 11, 8, tzinfo=UTC)):
    names = {name: SecretStr("secret") for name in PAX8.credential_fields}
    base, token = "https://api.vendor.example/v1", "https://api.vendor.example/token"
    asked = Fetch("v", base, token, names, Period(2026, 10), date(2026, 10, 31), now=lambda: now, sleep=lambda _: None)
    return list(PAX8.fetch(asked))


@pytest.fixture
def charges(pax8, read):
    def run(*items):
        pax8.answers["/v1/invoices/i1/items"] = paged(list(items))
        tables, rejects = read(PAX8, fetch())
        run.tables, run.rejects = tables, rejects
        return tables.get("vendor_charges", [])

    return run


def test_t7_before_the_invoice_its_draft_is_read_and_may_still_change(pax8, read):
    pax8.answers |= {"/v1/invoices": paged([]), "/v1/invoices/draftItems": paged([item(id=None), item(id=None)])}
    tables, _ = read(PAX8, fetch(datetime(2026, 11, 3, tzinfo=UTC)))
    assert [(c["is_billed"], c["invoice_id"], c["charge_id"]) for c in tables["vendor_charges"]] == [
        (False, None, "draft#1"),
        (False, None, "draft#2"),
    ]
    assert pax8.sent("/v1/invoices/draftItems") == [{"page": "0", "size": "200", "monthOffset": "0"}]
    assert "vendor_invoices" not in tables


@pytest.mark.parametrize(("now", "offset"), [((2026, 10, 20), ["1"]), ((2026, 11, 4), ["0"]), ((2026, 12, 2), [])])
def test_t7_the_draft_asked_for_is_the_one_that_becomes_the_months_invoice(pax8, now, offset):
    pax8.answers["/v1/invoices"] = paged([])
    fetch(datetime(*now, tzinfo=UTC))
    assert [query["monthOffset"] for query in pax8.sent("/v1/invoices/draftItems")] == offset


def test_t7_once_the_invoice_is_there_the_draft_is_not_asked_for(pax8, read):
    tables, rejects = read(PAX8, fetch())
    assert pax8.sent("/v1/invoices/draftItems") == []
    (sent,) = pax8.sent("/v1/invoices")
    assert (sent["invoiceDateRangeStart"], sent["invoiceDateRangeEnd"]) == ("2026-11-01", "2026-11-30")
    (charge,) = tables["vendor_charges"]
    assert (charge["is_billed"], charge["invoice_id"], charge["amount"], charge["cycle_months"]) == (True, "i1", Decimal(100), 1)
    assert rejects == []


def test_every_page_of_items_is_read_for_any_page_size(pax8, read):
    pax8.answers["/v1/invoices/i1/items"] = paged([item(id=f"x{n}") for n in range(5)], 2)
    tables, _ = read(PAX8, fetch())
    assert [c["charge_id"] for c in tables["vendor_charges"]] == ["x0", "x1", "x2", "x3", "x4"]


def test_t6_t117_the_heads_total_is_with_tax_and_a_charge_keeps_its_tax_apart(charges):
    (charge,) = charges(item())
    (invoice,) = charges.tables["vendor_invoices"]
    assert (charge["amount"], charge["tax_amount"]) == (Decimal(100), Decimal(4))
    assert (invoice["invoice_id"], invoice["total_amount"], invoice["currency"]) == ("i1", Decimal(104), "USD")
    assert (invoice["invoice_date"], invoice.get("amount")) == (date(2026, 11, 1), None)


@pytest.mark.parametrize("more", [{"carriedBalance": 250.0}, {"status": "Void"}, {"status": "Credited"}])
def test_t6_a_head_that_states_no_amount_of_its_own_is_held_against_nothing(pax8, read, more):
    pax8.answers["/v1/invoices"] = paged([INVOICE | more])
    tables, _ = read(PAX8, fetch())
    assert [row["total_amount"] for row in tables["vendor_invoices"]] == [None]


@pytest.mark.parametrize("status", ["Void", "Credited"])
def test_a_void_or_credited_invoice_charges_nothing(pax8, read, status):
    pax8.answers["/v1/invoices"] = paged([INVOICE | {"status": status}])
    tables, _ = read(PAX8, fetch())
    assert "vendor_charges" not in tables
    assert pax8.sent("/v1/invoices/i1/items") == []


def test_t28_a_charge_lands_on_the_product_of_its_subscription_else_on_the_product_alone(charges):
    found = charges(item(), item(id="x2", subscriptionId="gone"), item(id="x3", productId="p2"), item(id="x4", subscriptionId=None))
    assert [c["vendor_product_id"] for c in found] == ["p1|Monthly|1-Year", "p1", "p2", "p1"]
    products = {p["vendor_product_id"]: p["term"] for p in charges.tables["vendor_products"]}
    assert products["p1"] == products["p2"] == "not known: charged without a listed subscription"


def test_t19_a_charge_without_a_company_and_one_of_an_unlisted_company_stay_in_view(charges):
    found = charges(item(companyId=None), item(id="x2", companyId="c9", companyName="Larch"))
    assert [c["vendor_account_id"] for c in found] == ["(no company)", "c9"]
    names = {a["vendor_account_id"]: a["account_name"] for a in charges.tables["vendor_accounts"]}
    assert names == {"c1": "Birch", "(no company)": "No company assigned", "c9": "Larch"}


@pytest.mark.parametrize(
    ("more", "unit_cost", "end"),
    [
        ({}, Decimal(10), date(2026, 10, 31)),
        ({"type": "prorate", "startPeriod": "2026-10-17", "costTotal": 48.39}, None, date(2026, 10, 31)),
        ({"chargeType": "flat", "costTotal": 10.0}, None, date(2026, 10, 31)),
        ({"endPeriod": "2026-11-01"}, Decimal(10), date(2026, 10, 31)),
        ({"type": "rebate", "cost": -10.0, "costTotal": -100.0}, Decimal(-10), date(2026, 10, 31)),
        ({"chargeType": "per", "costTotal": 120.0}, Decimal(10), date(2026, 10, 31)),  # it must make the amount
        ({"chargeType": "per", "rateType": "Tiered (Price dependant on quantity)", "costTotal": 120.0}, None, date(2026, 10, 31)),
        ({"chargeType": "per", "startPeriod": "2026-10-17", "costTotal": 48.39}, None, date(2026, 10, 31)),
    ],
)
def test_a_unit_cost_is_given_only_where_it_makes_the_amount_or_must(charges, more, unit_cost, end):
    (charge,) = charges(item(**more))
    assert (charge["unit_cost"], charge["end_date"]) == (unit_cost, end)
    assert charge["list_price"] == Decimal(str(more.get("cost", 10)))


def checked(charges, *items):
    """Each item's amount less what it should cost; none where it is right, or says too little."""
    charges(*items)
    rows = make_table(CANONICAL["vendor_charges"], charges.tables["vendor_charges"]).to_pylist()
    made = {row["charge_id"]: (row["amount"], check_line(row, rows)) for row in rows}
    return {name: round(amount - one.expected_amount, 2) for name, (amount, one) in made.items() if one.is_off}


@pytest.mark.parametrize(
    ("more", "off"),
    [
        ({"chargeType": "per", "costTotal": 120.0}, {"x1": Decimal(20)}),
        ({"chargeType": "per", "costTotal": 90.0}, {"x1": Decimal(-10)}),
        ({"chargeType": "per", "costTotal": 100.05}, {}),  # within a coin a unit (T78)
        ({"chargeType": "per", "term": "Annual", "endPeriod": "2027-10-01", "costTotal": 120.0}, {"x1": Decimal(20)}),
        ({"chargeType": "flat", "costTotal": 120.0}, {}),
        ({"costTotal": 120.0}, {}),  # it does not say that it is priced a unit
    ],
)
def test_t78_an_item_that_does_not_cost_its_price_times_its_quantity_is_found(charges, more, off):
    assert checked(charges, item(**more)) == off


def test_t73_a_part_priced_as_a_part_is_held_against_the_whole_it_is_of(charges):
    part = {"id": "x2", "type": "prorate", "startPeriod": "2026-10-17", "quantity": 2, "chargeType": "per"}
    right, whole = part | {"cost": 4.84, "costTotal": 9.68}, part | {"cost": 10.0, "costTotal": 20.0}
    assert checked(charges, item(**right)) == {}  # 4.84 is what fifteen days cost: not said to be a month's price
    assert checked(charges, item(), item(**right)) == {}
    assert checked(charges, item(), item(**whole)) == {"x2": Decimal("10.32")}  # 20.00 − 2 × 10.00 × 15 ÷ 31


@pytest.mark.parametrize(("term", "months"), [("Annual", 12), ("3 Year", 36), ("One-time", 0), ("Arrears", None), ("Lunar", None)])
def test_months_of_a_charge(charges, term, months):
    (charge,) = charges(item(term=term))
    assert (charge["term"], charge["cycle_months"]) == (term, months)


def test_t77_a_trial_is_marked_and_a_credit_without_cost_is_what_it_takes_off(charges):
    credit = item(id="x2", type="invoice-credit", amountDue=-12.5, productId=None, subscriptionId=None)
    del credit["costTotal"]
    trial, credited = charges(item(term="Trial", cost=0, costTotal=0), credit)
    assert (trial["qualifiers"], trial["amount"]) == ("Trial", Decimal(0))
    assert (credited["amount"], credited["vendor_product_id"]) == (Decimal("-12.5"), "(invoice-credit)")


def test_all_decimals_are_kept(charges):
    (charge,) = charges(item(quantity=0.1234567, cost=0.0123456789, costTotal=0.0015241577))
    assert (charge["quantity_qty"], charge["amount"]) == (Decimal("0.1234567"), Decimal("0.0015241577"))


@pytest.mark.parametrize(
    ("bad", "column"), [({"costTotal": "n/a"}, "costTotal"), ({"endPeriod": "2026-13-01"}, "endPeriod"), ({"quantity": None}, "quantity")]
)
def test_one_bad_value_rejects_one_item(charges, bad, column):
    assert [c["charge_id"] for c in charges(item(**bad), item(id="x2"))] == ["x2"]
    assert [r.column_name for r in charges.rejects] == [column]


def test_an_item_without_a_currency_takes_its_invoices(charges):
    assert [c["currency"] for c in charges(item(currencyCode=None))] == ["USD"]


def test_a_renamed_cost_stops_the_source(pax8, read):
    renamed = item()
    renamed["costSum"] = renamed.pop("costTotal")
    pax8.answers["/v1/invoices/i1/items"] = paged([renamed])
    with pytest.raises(ShapeError, match=r"invoice_items, record 0 .*no field 'costTotal'"):
        read(PAX8, fetch())


@pytest.mark.parametrize("path", ["/v1/invoices", "/v1/invoices/i1/items"])
def test_t1_charges_that_may_not_be_read_fail_the_source(pax8, path):
    pax8.answers[path] = httpx.Response(403, json={"message": "Access denied"})
    with pytest.raises(AuthenticationError, match=r"credentials refused \(403\)\nHint: .*rights to read .*invoices"):
        fetch()


@pytest.mark.parametrize("day", ["2026-10-01", None])
def test_t2_an_invoice_of_another_month_is_not_taken(pax8, day):
    pax8.answers["/v1/invoices"] = paged([INVOICE | {"invoiceDate": day}])
    with pytest.raises(ShapeError, match="asked for invoices dated in 2026-11, got one of"):
        fetch()


def test_an_invoice_id_never_leads_elsewhere(pax8):
    pax8.answers["/v1/invoices"] = paged([INVOICE | {"id": "../companies?x="}])
    with pytest.raises(ShapeError, match="an invoice with id"):
        fetch()


@pytest.mark.parametrize("days", [0, 7])
def test_t6_the_sandboxs_draft_and_its_invoices_add_up(read, days):
    world = make_world(7, 12, Period(2026, 10))
    world = replace(world, now=world.now + timedelta(days=days))
    with serve(world) as server:
        names = {name: SecretStr(server.environ[f"PAX8_{name}"]) for name in PAX8.credential_fields}
        asked = Fetch(
            "pax8",
            server.url("pax8"),
            server.token_url("pax8"),
            names,
            world.period,
            world.period.end,
            now=lambda: world.now.astimezone(UTC),
        )
        tables, rejects = read(PAX8, list(PAX8.fetch(asked)))
    charges, products = tables["vendor_charges"], {p["vendor_product_id"] for p in tables["vendor_products"]}
    assert rejects == []
    assert {c["is_billed"] for c in charges} == {bool(days)}
    assert {c["vendor_product_id"] for c in charges} < {p["vendor_product_id"] for p in tables["purchases"]} <= products
    for name, rows in tables.items():
        make_table(CANONICAL[name], rows)
    sums = {}
    for c in charges:
        sums[c["invoice_id"]] = sums.get(c["invoice_id"], 0) + c["amount"] + c["tax_amount"]
    assert sum(sums.values()) > 1000
    if days:
        heads = {
            row["invoice_id"]: row["total_amount"] - (HEAD_OFF if row["currency"] == "CAD" else 0) for row in tables["vendor_invoices"]
        }
        assert sums == heads


@pytest.mark.parametrize("body", [{"items": [], "page": {}}, {"content": {}, "page": {}}, {"content": ["i1"], "page": {}}, []])
@pytest.mark.parametrize("path", ["/v1/invoices", "/v1/invoices/i1/items"])
def test_a_changed_envelope_is_the_sources_failure_and_not_the_runs(pax8, path, body):
    pax8.answers[path] = lambda _: httpx.Response(200, json=body)
    with pytest.raises(ShapeError, match="source v, invoice"):
        fetch()
