"""The explore app on a made-up month: filters, the units behind a finding, and vendor text that must stay text."""

import importlib.util
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reconlib.rules import Bundle, Rules, ServiceRule
from reconlib.schema import (
    CANONICAL,
    COMPARISON,
    COUNTS,
    FINDINGS,
    LINE_BUCKETS,
    PRODUCT_MAPPING,
    RECORD_BUCKETS,
    TableSchema,
    make_table,
)

pytest.importorskip("marimo", reason="the extra 'marimo' is not installed")
HOSTILE = "<script>document.title='x'</script> https://example.invalid/x.png"
ZERO, ONE = Decimal(0), Decimal(1)


@pytest.fixture(scope="module")
def explore() -> ModuleType:
    path = Path(__file__).parents[2] / "apps/explore.py"
    spec = importlib.util.spec_from_file_location("explore_app", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["explore_app"] = module
    spec.loader.exec_module(module)
    return module


def table(schema: TableSchema, *rows: dict) -> pa.Table:
    """Rows with what the schema wants and the test does not care about filled in."""
    blank = {"text": "-", "qty": ZERO, "price": ZERO, "amount": ZERO, "int": 0, "bool": False, "date": date(2026, 10, 1)}
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


def record(number: str, bucket: str, service: str | None = "edr") -> dict:
    return {
        "source": "huntress",
        "record_kind": "usage",
        "record_id": number,
        "bucket": bucket,
        "client_id": "c1",
        "service_id": service,
        "vendor_account_id": "a1",
        "vendor_product_id": "edr",
        "quantity_qty": ONE,
        "evidence": f"huntress/s/p00001/{number}",
    }


@pytest.fixture
def tables() -> dict[str, pa.Table]:
    buckets = [record("r1", "counted"), record("r2", "stale"), record("r3", "ignored", None), record("r4", "counted", "other")]
    usage = [
        {"source": "huntress", "usage_record_id": b["record_id"], "unit_name": f"pc-{b['record_id']}", "evidence": b["evidence"]}
        for b in buckets
    ]
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
            {"client_id": "c1", "service_id": "edr", "measure": "used", "source": "huntress", "evidence": "huntress/s/p00001/r1"},
            {"client_id": "c1", "service_id": "other", "measure": "used", "source": "huntress", "evidence": "huntress/s/p00001/r4"},
        ),
        "record_buckets": table(RECORD_BUCKETS, *buckets),
        "usage_records": table(CANONICAL["usage_records"], *usage),
        "purchases": table(CANONICAL["purchases"]),
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
        "product_mapping": table(
            PRODUCT_MAPPING, {"source": "huntress", "vendor_product_id": "edr", "service_id": "edr", "state": "mapped", "units_qty": ONE}
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


def test_a_finding_shows_what_was_counted_and_what_was_left_out(explore: ModuleType, tables: dict) -> None:
    records, lines, history = explore.behind(tables["findings"].to_pylist()[0], tables)
    assert dict(zip(records["unit"].to_pylist(), records["bucket"].to_pylist(), strict=True)) == {
        "pc-r1": "counted",
        "pc-r2": "stale",
        "pc-r3": "ignored",
    }
    assert explore.tally(records) == "usage stale: 1 · usage ignored: 1 · usage counted: 1"
    assert lines.select(["agreement_line_id", "bucket"]).to_pylist() == [{"agreement_line_id": "l1", "bucket": "credit"}]
    assert history["period"].to_pylist() == ["2026-10"]


def test_one_vendor_record_with_the_counts_of_two_products_shows_only_its_own(explore: ModuleType, tables: dict) -> None:
    shared = {**record("r5", "counted", "other"), "vendor_product_id": "sat", "evidence": "huntress/s/p00001/r1"}
    tables["record_buckets"] = table(RECORD_BUCKETS, *tables["record_buckets"].to_pylist(), shared)
    records = explore.behind(tables["findings"].to_pylist()[0], tables)[0]
    assert records.filter(pc.field("bucket") == "counted")["unit"].to_pylist() == ["pc-r1"]


def test_t65_a_bundle_shows_the_units_of_its_anchor(explore: ModuleType, tables: dict) -> None:
    records = explore.behind({**tables["findings"].to_pylist()[0], "kind": "under_billed", "service_id": "care"}, tables)[0]
    assert sorted(records["unit"].to_pylist()) == ["pc-r1", "pc-r2", "pc-r3"]
    services = table(CANONICAL["services"], {"service_id": "edr", "service_code": "EDR"}, {"service_id": "care", "service_code": "CARE"})
    rules = Rules(version=1, services={"CARE": ServiceRule(bundle=Bundle(anchor="EDR", covers={}))})
    assert explore.anchors(rules, services).to_pylist() == tables["anchors"].to_pylist()


def test_unmapped_account_shows_that_account_only(explore: ModuleType, tables: dict) -> None:
    unmapped = finding("f9", "unmapped_account", None, client_id=None, service_id=None, vendor_account_id="a1", vendor_product_id=None)
    assert explore.behind(unmapped, tables)[0].num_rows == 4
    assert explore.behind({**unmapped, "vendor_account_id": "a2"}, tables)[0].num_rows == 0


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


def test_the_app_runs_top_to_bottom(explore: ModuleType, tables: dict) -> None:
    read = {"head": "harbor", "tables": tables, "problem": ""}
    outputs, defs = explore.app.run(defs={**read, "picked": SimpleNamespace(value=pa.table({"finding id": ["f1"]}))})
    assert defs["finding"]["kind"] == "new_revenue"
    page = "".join(output.text for output in outputs if output is not None)
    assert "usage stale: 1" in page
    assert "<script>" not in page


def test_nothing_is_open_before_a_finding_is_selected(explore: ModuleType, tables: dict) -> None:
    _, defs = explore.app.run(defs={"head": "harbor", "tables": tables, "problem": ""})
    assert defs["picked"].value.num_rows == 0
    assert "finding" not in defs


def test_a_month_that_was_never_run_says_what_to_do(explore: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs, defs = explore.app.run(defs={"params_file": "params/none.yaml", "period": "2026-10"})
    assert defs["tables"] == {}
    assert "recon run" in "".join(output.text for output in outputs if output is not None)
