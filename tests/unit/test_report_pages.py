"""What the pages show: directions apart, unknown stays unknown, each thing counted once."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from reconlib.findings import BILLING_KINDS
from reconlib.report.pages import comparison, mapping, mapping_queue, sign_off, sync
from reconlib.schema import (
    ACCOUNT_MAPPING,
    CANONICAL,
    COMPARISON,
    FINDINGS,
    LINE_BUCKETS,
    PRODUCT_MAPPING,
    RECORD_BUCKETS,
    SOURCE_STATUS,
    TableSchema,
    make_table,
)
from reconlib.signoff import Gate, PeriodState

EMPTY: dict[str, Any] = {"text": "x", "qty": Decimal(0), "price": Decimal(0), "amount": Decimal(0), "int": 0, "bool": False}


def table(schema: TableSchema, *rows: dict[str, Any]) -> pa.Table:
    """Rows of a schema; what is not said is null, or empty where null is not allowed."""
    full = [
        {c.name: None if c.null else EMPTY.get(c.kind) for c in schema.columns} | {schema.key[-1]: str(i)} | row
        for i, row in enumerate(rows)
    ]
    return make_table(schema, full)


def finding(kind: str, impact: str | None, **more: Any) -> dict[str, Any]:
    money = None if impact is None else Decimal(impact)
    return {"kind": kind, "monthly_impact": money, "currency": "USD", "status": "open", "confidence": Decimal(1), **more}


def source(name: str, status: str = "complete", **more: Any) -> dict[str, Any]:
    return {"source": name, "status": status, "as_of_at": datetime(2026, 11, 3, 6, tzinfo=UTC), **more}


def test_t131_under_and_over_are_summed_apart_and_currencies_too() -> None:
    findings = table(
        FINDINGS,
        finding("under_billed", "100.00", client_name="Acme"),
        finding("over_billed", "-30.00", client_name="Acme"),
        finding("under_billed", "7.00", client_name="Acme", currency="CAD"),
        finding("no_count", None, client_name="Acme"),
    )
    rows = comparison.sum_by(findings, "client_name").to_pylist()
    found = {row["currency"]: (row["under_billed"], row["over_billed"], row["unknown"]) for row in rows}
    assert found == {"USD": (Decimal(100), Decimal(30), 1), "CAD": (Decimal(7), Decimal(0), 0)}
    cards = comparison.comparison_cards(findings, table(COMPARISON), table(SOURCE_STATUS, source("psa")))
    assert [card[1] for card in cards[:2]] == ["7.00 CAD + 100.00 USD", "30.00 USD"]


def test_t131_confidence_is_a_share_of_each_currency() -> None:
    sure, doubted = finding("under_billed", "10000", currency="JPY"), finding("under_billed", "100", confidence=Decimal("0.5"))
    assert comparison.share_confident(table(FINDINGS, sure, doubted)) == "100 % of JPY, 0 % of USD"
    assert comparison.share_confident(table(FINDINGS, doubted, finding("over_billed", "-300"))) == "75 %"
    assert comparison.share_confident(table(FINDINGS, finding("no_count", None))) == "–"


def test_t131_a_cost_that_fell_is_no_cost() -> None:
    cost = [finding("cost_change", None, client_name="Acme", cost_impact=Decimal(amount)) for amount in ("-50", "-5", "20")]
    (row,) = comparison.sum_by(table(FINDINGS, *cost), "client_name").to_pylist()
    assert (row["own_cost"], row["cost_fall"]) == (Decimal(20), Decimal(55))


def test_findings_are_ranked_by_absolute_money_with_unknown_money_last() -> None:
    findings = table(
        FINDINGS,
        finding("no_count", None, explanation="c"),
        finding("under_billed", "10.00", explanation="b", variance_qty=Decimal(2), expected_qty=Decimal(5)),
        finding("over_billed", "-90.00", explanation="a", variance_qty=Decimal(-3), expected_qty=Decimal(4)),
    )
    rows = comparison.rank_findings(findings, date(2026, 11, 1)).to_pylist()
    assert [(row["rank"], row["explanation"]) for row in rows] == [(1, "a"), (2, "b"), (3, "c")]
    assert rows[0]["difference"] == "billing 3 more than expected"
    assert rows[0]["what_to_do"] == "bill 4 from 2026-11-01"
    assert rows[2]["difference"] == "no count this month: not zero"


def test_every_finding_kind_has_its_direction_and_next_step_in_words() -> None:
    assert comparison._DIFFERENCE.keys() == comparison._STEP.keys()
    assert set(comparison.UNDER + comparison.OVER) < comparison._STEP.keys()


def test_each_pair_shows_one_pattern() -> None:
    def cell(
        lines: int, billed: int | None, bought: int | None, used: int | None, expected: int | None, status: str = "matched"
    ) -> dict[str, Any]:
        numbers = {"billed_qty": billed, "purchased_qty": bought, "used_qty": used, "expected_qty": expected}
        return {"lines": lines, "status": status} | {k: None if v is None else Decimal(v) for k, v in numbers.items()}

    cells = table(
        COMPARISON,
        cell(1, 5, None, 5, 5),
        cell(1, 5, None, 7, 7),
        cell(1, 5, None, 3, 3),
        cell(1, 9, 9, 7, 9),
        cell(1, 5, 5, 7, 5),
        cell(0, None, None, 4, 4),
        cell(1, 5, None, None, None, "no_count"),
        cell(1, 1, None, None, None, "flat"),
        cell(0, None, None, 3, None, "out_of_scope"),
    )
    assert [row["pairs"] for row in comparison.count_patterns(cells).to_pylist()] == [1] * 9


def test_t1_a_failed_source_stands_first_and_has_dropped_nothing() -> None:
    sources = table(SOURCE_STATUS, source("psa"), source("ninja", "failed", error="401 from the vendor", as_of_at=None))
    cards = sync.sync_cards(sources)
    assert cards[0][0] == "ninja FAILED"
    assert cards[1][1] == "1 of 2"
    assert sync.describe_failures(sources) == ["ninja: failed – 401 from the vendor"]
    account = {"source": "ninja", "vendor_account_id": "1", "account_name": "Acme"}
    empty = {name: make_table(schema, []) for name, schema in CANONICAL.items()}
    before = empty | {"vendor_accounts": table(CANONICAL["vendor_accounts"], account)}
    assert sync.list_vendor_changes(before, empty).num_rows == 0


def test_changes_in_the_psa_are_named_and_a_first_month_has_none() -> None:
    empty = {name: make_table(schema, []) for name, schema in CANONICAL.items()}

    def month(quantity: int, status: str) -> dict[str, pa.Table]:
        keys = {"client_id": "c", "service_id": "s", "agreement_id": "a", "agreement_line_id": "l"}
        names = {
            "client_name": "Acme",
            "service_name": "Backup",
            "agreement_name": "Managed",
            "status": status,
            "quantity_qty": Decimal(quantity),
        }
        made = {}
        for name in ("clients", "services", "agreements", "agreement_lines"):
            columns = CANONICAL[name].names()
            made[name] = table(CANONICAL[name], {k: v for k, v in (keys | names).items() if k in columns})
        return empty | made

    rows = sync.list_psa_changes(month(5, "Active"), month(7, "Cancelled")).to_pylist()
    assert [(r["client_name"], r["change"], r["before"], r["after"]) for r in rows] == [
        ("Acme", "agreement status", "Active", "Cancelled"),
        ("Acme", "line quantity", "5", "7"),
    ]
    assert sync.list_psa_changes(empty, month(5, "Active")).num_rows == 0


def test_the_queue_is_money_times_doubt_then_units() -> None:
    def account(name: str, cost: str | None, doubt: str, units: int, state: str = "suggested") -> dict[str, Any]:
        money = None if cost is None else Decimal(cost)
        return {
            "account_name": name,
            "state": state,
            "doubt": Decimal(doubt),
            "units_qty": Decimal(units),
            "monthly_cost": money,
            "currency": "USD",
        }

    accounts = table(
        ACCOUNT_MAPPING,
        account("sure", "100", "0.1", 1),
        account("doubtful", "100", "0.9", 1),
        account("many", None, "0.5", 50),
        account("done", "900", "0", 9, "mapped"),
    )
    assert mapping_queue.rank_queue(accounts)["account_name"].to_pylist() == ["doubtful", "sure", "many"]
    assert mapping.sum_undecided_cost(accounts) == "200.00 USD"
    assert mapping.count_state(accounts, "suggested", "unmapped") == 3


def test_t27_a_product_of_two_services_counts_once() -> None:
    row = {"source": "pax8", "vendor_product_id": "p", "state": "suggested", "monthly_cost": Decimal(40), "currency": "USD"}
    products = table(PRODUCT_MAPPING, {**row, "service_id": "1"}, {**row, "service_id": "2"})
    assert mapping.count_state(products, "suggested") == 1
    assert mapping.sum_undecided_cost(products) == "40.00 USD"


def test_a_month_that_is_not_ready_has_no_change_file_and_says_what_is_missing() -> None:
    gates = (
        Gate("sources", ok=True, count=0, detail="all", where_to_go="10 Sync"),
        Gate("findings", ok=False, count=3, detail="3 open", where_to_go="30 Comparison"),
    )
    changes = pa.table({"change_id": ["a"], "monthly_effect": [Decimal("5.00")], "currency": ["USD"]})
    assert sign_off.keep_if_ready(changes, gates).num_rows == 0
    assert sign_off.keep_if_ready(changes, gates[:1]).num_rows == 1
    assert sign_off.describe_missing(gates) == ["findings: 3 to settle – go to 30 Comparison"]
    assert sign_off.list_gates(gates)[1][3] == "30_comparison.html"
    assert sign_off.sign_off_cards(gates, changes, PeriodState("in_review", 2))[1][1] == "draft v2"


def test_every_pair_of_the_comparison_stands_in_a_table_of_the_page() -> None:
    (status,) = [column.about for column in COMPARISON.columns if column.name == "status"]
    said = set(re.findall(r"[a-z_]+", status.replace(" or ", ", ")))
    shown = {*BILLING_KINDS, *comparison.NOT_COMPARABLE, "out_of_scope", *comparison.MATCHED}
    assert said == shown  # what the rules let pass or leave out is in view too (T123)


def test_what_could_not_be_compared_says_why() -> None:
    pair = {"client_id": "1", "service_id": "EDR"}
    cells = table(COMPARISON, pair | {"status": "no_count"}, {"client_id": "2", "service_id": "EDR", "status": "out_of_scope"})
    findings = table(
        FINDINGS,
        finding("price_outlier", None, **pair, explanation="dear"),
        finding("no_count", None, **pair, explanation="edr could not be read"),
    )
    rows = comparison.list_not_comparable(cells, findings).to_pylist()
    assert [(row["client_id"], row["explanation"]) for row in rows] == [("1", "edr could not be read"), ("2", None)]


def purchase(account: str, end: str | None, **more: Any) -> dict[str, Any]:
    day = None if end is None else date.fromisoformat(end)
    row = {"source": "pax8", "vendor_account_id": account, "vendor_product_id": "p", "commitment_end_date": day}
    return row | {"is_active": True, "quantity_qty": Decimal(1)} | more


def test_t87_idle_seats_can_go_down_on_the_first_day_any_of_their_terms_ends() -> None:
    idle = [finding("unused_commitment", None, client_id=c, service_id="S", service_name="S", client_name=c) for c in ("A", "B")]
    purchases = table(
        CANONICAL["purchases"],
        *(purchase("a", end) for end in ("2027-03-31", "2026-11-14")),
        purchase("a", "2026-11-01", is_active=False),
        *(purchase("b", end) for end in ("2027-03-31", None)),
    )
    mapped = {"source": "pax8", "state": "mapped"}
    accounts = table(ACCOUNT_MAPPING, *(mapped | {"vendor_account_id": c.lower(), "client_id": c} for c in ("A", "B")))
    products = table(PRODUCT_MAPPING, mapped | {"vendor_product_id": "p", "service_id": "S"})
    rows = comparison.list_commitments(table(FINDINGS, *idle), purchases, accounts, products).to_pylist()
    assert [(row["client_name"], row["can_reduce_date"]) for row in rows] == [("A", date(2026, 11, 14)), ("B", None)]


def test_buckets_count_every_record_and_not_their_groups() -> None:
    line = {"client_id": "1", "service_id": "S", "bucket": "matched", "quantity_qty": Decimal(5)}
    grouped = {"source": "ninja", "record_kind": "usage", "bucket": "counted", "records": 7, "quantity_qty": Decimal(9)}
    rows = comparison.count_buckets(table(LINE_BUCKETS, line), table(RECORD_BUCKETS, grouped, grouped | {"records": 2})).to_pylist()
    assert [(row["rows_of"], row["rows"], row["quantity_qty"]) for row in rows] == [("agreement line", 1, 5), ("usage", 9, 18)]
