"""The explore app on a made-up month: filters, the units behind a finding, and vendor text that must stay text."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from small_project import load_app

from reconlib.period import Period
from reconlib.pipeline import Inputs
from reconlib.rules import Bundle, Ignore, Rules, ServiceRule
from reconlib.schema import (
    ACCOUNT_MAPPING,
    CANONICAL,
    COMPARISON,
    COUNTS,
    FINDINGS,
    LINE_BUCKETS,
    PRODUCT_MAPPING,
    SOURCE_STATUS,
    TableSchema,
    make_table,
)

pytest.importorskip("marimo", reason="the extra 'marimo' is not installed")
HOSTILE = "<script>document.title='x'</script> https://example.invalid/x.png"
ZERO, ONE = Decimal(0), Decimal(1)
AS_OF = date(2026, 10, 31)
RULES = Rules(version=1, ignore=[Ignore(source="huntress", where={"unit_state": ["PENDING"]}, reason="not approved yet")])


@pytest.fixture(scope="module")
def explore() -> ModuleType:
    return load_app("explore")


def table(schema: TableSchema, *rows: dict) -> pa.Table:
    """Rows with what the schema wants and the test does not care about filled in."""
    blank = {"text": "-", "qty": ZERO, "price": ZERO, "amount": ZERO, "fine": ZERO, "int": 0, "bool": False, "date": date(2026, 10, 1)}
    needed = {column.name: blank[column.kind] for column in schema.columns if not column.null}
    return make_table(schema, [{**needed, **row} for row in rows])


def finding(number: str, kind: str, impact: str | None, **more: object) -> dict:
    names = {"client_id": "c1", "client_name": HOSTILE, "service_id": "edr", "service_name": "EDR", "source": "huntress"}
    return {
        "finding_id": number,
        "kind": kind,
        "monthly_impact": None if impact is None else Decimal(impact),
        "currency": "USD",
        "status": "open",
        **names,
        **more,
    }


def record(number: str, product: str, **more: object) -> dict:
    return {
        "source": "huntress",
        "usage_record_id": number,
        "vendor_account_id": "a1",
        "vendor_product_id": product,
        "quantity_qty": ONE,
        "unit_name": f"pc-{number}",
        "last_seen_date": AS_OF,
        "evidence": f"huntress/s/p00001/{number}",
        **more,
    }


def book_of(*records: dict, rules: Rules = RULES) -> tuple[Any, Inputs]:
    """A month of one client with these records, as the app reads it."""
    products = ("edr", "other")
    tables = {name: table(schema) for name, schema in CANONICAL.items()}
    tables |= {
        "clients": table(CANONICAL["clients"], {"client_id": "c1", "client_name": "Acme", "is_billable": True}),
        "services": table(
            CANONICAL["services"], *({"service_id": code.lower(), "service_code": code} for code in ("EDR", "OTHER", "CARE"))
        ),
        "vendor_products": table(
            CANONICAL["vendor_products"],
            *({"source": "huntress", "vendor_product_id": product, "product_name": product} for product in products),
        ),
        "usage_records": table(CANONICAL["usage_records"], *records),
    }
    mapped = ({"source": "huntress", "vendor_product_id": product, "service_id": product, "state": "mapped"} for product in products)
    inputs = Inputs(
        book="harbor",
        period=Period(2026, 10),
        as_of=AS_OF,
        currency="USD",
        tables=tables,
        status=table(SOURCE_STATUS, {"source": "huntress", "connector": "huntress", "status": "complete", "snapshot_id": "s"}),
        accounts=table(ACCOUNT_MAPPING, {"source": "huntress", "vendor_account_id": "a1", "client_id": "c1", "state": "mapped"}),
        products=table(PRODUCT_MAPPING, *mapped),
    )
    return SimpleNamespace(rules=rules), inputs


@pytest.fixture
def book() -> tuple[Any, Inputs]:
    return book_of(
        record("r1", "edr"),
        record("r2", "edr", last_seen_date=date(2026, 8, 1)),
        record("r3", "edr", unit_state="PENDING"),
        record("r4", "other"),
    )


@pytest.fixture
def tables() -> dict[str, pa.Table]:
    comparison = table(COMPARISON, {"client_id": "c1", "service_id": "edr", "billed_qty": ZERO, "status": "new_revenue", "currency": "USD"})
    return {
        "findings": table(
            FINDINGS,
            finding("f1", "new_revenue", "12.00"),
            finding("f2", "over_billed", "-30.00", client_id="c2", client_name="Blue Mesa"),
            finding("f3", "no_count", None, client_id="c2", client_name="Blue Mesa", currency="EUR"),
        ),
        "comparison": comparison,
        "counts": table(
            COUNTS,
            {"client_id": "c1", "service_id": "edr", "measure": "used", "source": "huntress", "is_known": True, "quantity_qty": ONE},
            {"client_id": "c1", "service_id": "other", "measure": "used", "source": "huntress", "is_known": True, "quantity_qty": ONE},
        ),
        "services": table(
            CANONICAL["services"], {"service_id": "edr", "service_code": "EDR"}, {"service_id": "care", "service_code": "CARE"}
        ),
        "agreements": table(CANONICAL["agreements"], {"agreement_id": "g1", "agreement_name": "Managed", "client_id": "c1"}),
        "agreement_lines": table(
            CANONICAL["agreement_lines"],
            {"agreement_line_id": "l1", "agreement_id": "g1", "client_id": "c1", "service_id": "edr", "quantity_qty": ONE},
            {"agreement_line_id": "l2", "agreement_id": "g1", "client_id": "c1", "service_id": "other", "quantity_qty": ONE},
        ),
        "line_buckets": table(
            LINE_BUCKETS,
            {"agreement_line_id": "l1", "client_id": "c1", "service_id": "edr", "bucket": "credit"},
            {"agreement_line_id": "l2", "client_id": "c1", "service_id": "other", "bucket": "matched"},
        ),
        "anchors": pa.table({"service_id": ["care"], "anchor_code": ["EDR"], "anchor_id": ["edr"]}),
        "history": comparison.add_column(0, "period", pa.array(["2026-10"])),
    }


def filtered(explore: ModuleType, findings: pa.Table, **filters: object) -> list[str]:
    every: dict = {"clients": [], "services": [], "kinds": [], "statuses": [], "minimum": ZERO, "unknown": True}
    return explore.filter_findings(findings, **{**every, **filters})["finding_id"].to_pylist()


def test_findings_stand_by_absolute_money_and_unknown_money_is_not_zero(explore: ModuleType, tables: dict) -> None:
    found = tables["findings"]
    assert filtered(explore, found) == ["f2", "f1", "f3"]
    assert filtered(explore, found, minimum=Decimal(12)) == ["f2", "f1", "f3"]
    assert filtered(explore, found, minimum=Decimal("12.01"), unknown=False) == ["f2"]
    assert filtered(explore, found, clients=["c2"], kinds=["no_count"]) == ["f3"]
    assert filtered(explore, found, clients=["nobody"]) == []


def test_under_and_over_billed_are_not_netted_and_currencies_not_added(explore: ModuleType, tables: dict) -> None:
    words = explore.totals(tables["findings"], 9)
    assert words.splitlines() == [
        "3 of 9 findings, 1 of them without money on the client's side",
        "under-billed 12.00 USD a month, over-billed 30.00 USD a month",
    ]


def test_a_finding_shows_what_was_counted_and_what_was_left_out(explore: ModuleType, tables: dict, book: tuple) -> None:
    records, notes, lines, history = explore.behind(tables["findings"].to_pylist()[0], tables, book)
    assert dict(zip(records["unit_name"].to_pylist(), records["bucket"].to_pylist(), strict=True)) == {
        "pc-r1": "counted",
        "pc-r2": "stale",
        "pc-r3": "ignored",
    }
    assert explore.tally(records) == "usage stale: 1 · usage ignored: 1 · usage counted: 1"
    assert notes == []
    assert lines.select(["agreement_line_id", "bucket"]).to_pylist() == [{"agreement_line_id": "l1", "bucket": "credit"}]
    assert history["period"].to_pylist() == ["2026-10"]


def test_one_vendor_record_with_the_counts_of_two_products_shows_only_its_own(explore: ModuleType, tables: dict) -> None:
    shared = record("r5", "other") | {"evidence": "huntress/s/p00001/r1"}
    records = explore.behind(tables["findings"].to_pylist()[0], tables, book_of(record("r1", "edr"), shared))[0]
    assert records["unit_name"].to_pylist() == ["pc-r1"]


def test_a_count_that_today_would_be_another_says_so(explore: ModuleType, tables: dict) -> None:
    """The rules or the mapping changed since the month was compared: the units listed are not those of the count shown."""
    notes = explore.behind(tables["findings"].to_pylist()[0], tables, book_of(record("r1", "edr"), record("r6", "edr")))[1]
    assert notes == ["Today huntress would count 2 used, not 1: rules or mapping changed since."]


def test_t65_a_bundle_shows_the_units_of_its_anchor(explore: ModuleType, tables: dict, book: tuple) -> None:
    finding = {**tables["findings"].to_pylist()[0], "kind": "under_billed", "service_id": "care"}
    records = explore.behind(finding, tables, book)[0]
    assert sorted(records["unit_name"].to_pylist()) == ["pc-r1", "pc-r2", "pc-r3"]
    rules = Rules(version=1, services={"CARE": ServiceRule(bundle=Bundle(anchor="EDR", covers={}))})
    assert explore.anchors(rules, tables["services"]).to_pylist() == tables["anchors"].to_pylist()


def test_unmapped_account_shows_that_account_only(explore: ModuleType, tables: dict, book: tuple) -> None:
    unmapped = finding("f9", "unmapped_account", None, client_id=None, service_id=None, vendor_account_id="a1", vendor_product_id=None)
    assert explore.behind(unmapped, tables, book)[0].num_rows == 4
    assert explore.behind({**unmapped, "vendor_account_id": "a2"}, tables, book)[0].num_rows == 0


def test_two_clients_of_one_name_are_told_apart(explore: ModuleType) -> None:
    twins = table(
        FINDINGS,
        finding("f1", "no_count", None, client_id="1", client_name="Acme"),
        finding("f2", "no_count", None, client_id="2", client_name="Acme"),
    )
    assert explore.options(twins, "client_id", "client_name") == {"Acme (1)": "1", "Acme (2)": "2"}


def test_a_name_cannot_make_the_page_fetch_a_picture(explore: ModuleType, tables: dict) -> None:
    name = explore.plain(tables["findings"])["client_name"][0].as_py()
    assert "https://" not in name
    assert name.replace("\u2060", "") == HOSTILE


@pytest.mark.parametrize(("price", "text"), [("12", "12.00"), ("1.5", "1.50"), ("0.000125", "0.000125"), (None, "")])
def test_a_price_is_never_rounded(explore: ModuleType, price: str | None, text: str) -> None:
    assert explore.format_price(None if price is None else Decimal(price)) == text


def test_the_app_runs_top_to_bottom(explore: ModuleType, tables: dict, book: tuple) -> None:
    read = {"head": "harbor", "tables": tables, "book": book, "problem": ""}
    outputs, defs = explore.app.run(defs={**read, "picked": SimpleNamespace(value=pa.table({"finding id": ["f1"]}))})
    assert defs["finding"]["kind"] == "new_revenue"
    page = "".join(output.text for output in outputs if output is not None)
    assert "usage stale: 1" in page
    assert "<script>" not in page


def test_nothing_is_open_before_a_finding_is_selected(explore: ModuleType, tables: dict, book: tuple) -> None:
    _, defs = explore.app.run(defs={"head": "harbor", "tables": tables, "book": book, "problem": ""})
    assert defs["picked"].value.num_rows == 0
    assert "finding" not in defs


def test_a_month_that_was_never_run_says_what_to_do(explore: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs, defs = explore.app.run(defs={"params_file": "params/none.yaml", "period": "2026-10"})
    assert defs["tables"] == {}
    assert "recon run" in "".join(output.text for output in outputs if output is not None)
