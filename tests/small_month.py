"""A month written as small text tables, for the rules' tests: columns by name, cells apart by two blanks or more, ``-`` for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import pyarrow as pa

from reconlib.comparison import NO_RATES
from reconlib.counting import list_records
from reconlib.engine import DUCKDB, Engine
from reconlib.explanations import Known, explain_cell
from reconlib.period import Period, parse_period
from reconlib.pipeline import Inputs, map_vendors, run_stages
from reconlib.rates import Rates
from reconlib.rules import Rules
from reconlib.schema import CANONICAL, SOURCE_STATUS, make_table
from reconlib.settings import parse

Row = dict[str, Any]
_BEST = [
    "counted",
    "duplicate",
    "stale",
    "other_day",
    "after_as_of",
    "free",
    "inactive",
    "ignored",
    "excluded",
    "unmapped_account",
    "unmapped_service",
    "unaccounted",
]
BILLABLE = {"yes": "billable", "no": "do_not_bill", "free": "no_charge"}


@dataclass(frozen=True)
class Decision:
    """What stands decided about one account or product."""

    state: str = "open"
    targets: tuple[str, ...] = ()
    rejected: frozenset[str] = frozenset()
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass
class Result:
    """What the stages made of a small month."""

    cells: list[Row]
    lines: list[Row]
    counts: list[Row]
    grouped: list[Row]
    findings: list[Row]
    accounts: list[Row]
    products: list[Row]
    _records: Callable[[], list[Row]] = field(compare=False, repr=False)

    @cached_property
    def records(self) -> list[Row]:
        """Every record and service it counts for, with its bucket."""
        return self._records()

    def cell(self, client: str, service: str) -> Row:
        """The one cell of a client and service."""
        (found,) = [row for row in self.cells if (row["client_id"], row["service_code"]) == (client, service)]
        return found

    def kinds(self) -> list[tuple[str | None, str | None, str]]:
        """Findings as (client, service, kind), sorted."""
        return sorted(((row["client_id"], row["service_id"], row["kind"]) for row in self.findings), key=str)

    def bucket(self, line: str) -> str:
        """Bucket of one agreement line."""
        (found,) = [row["bucket"] for row in self.lines if row["agreement_line_id"] == line]
        return str(found)

    def buckets(self) -> dict[str, str]:
        """Bucket of each record: counted for any service beats left out for another."""
        best: dict[str, str] = {}
        for row in self.records:
            best[row["record_id"]] = min(best.get(row["record_id"], row["bucket"]), row["bucket"], key=_BEST.index)
        return best


def rows_of(text: str) -> list[dict[str, str]]:
    """Rows of a text table, cells that are ``-`` left out."""
    table = [re.split(r"\s{2,}|\s*\|\s*", line.strip()) for line in text.strip().splitlines() if line.strip()]
    if not table:
        return []
    head, *body = table
    return [{name: cell for name, cell in zip(head, row, strict=True) if cell != "-"} for row in body]


def run_month(
    lines: str = "",
    *,
    usage: str = "",
    purchases: str = "",
    agreements: str = "",
    clients: str = "",
    services: str = "",
    rules: Mapping[str, Any] | None = None,
    period: str = "2026-10",
    failed: tuple[str, ...] = (),
    decisions: Mapping[tuple[str, str, str], Any] | None = None,
    accounts: str = "",
    previous: pa.Table | None = None,
    matched_before: frozenset[str] | None = None,
    earlier: tuple[pa.Table, ...] = (),
    history: tuple[pa.Table, ...] = (),
    rates: Rates = NO_RATES,
    engine: Engine = DUCKDB,
) -> Result:
    """Canonical tables from text, then every pure stage."""
    month = parse_period(period)
    parsed = parse({"version": 1, **(rules or {})}, Rules, where="test")
    tables = make_tables(lines, usage, purchases, agreements, clients, services, accounts)
    sources = sorted({row["source"] for name in ("usage_records", "purchases", "vendor_accounts") for row in tables[name].to_pylist()})
    status = make_table(SOURCE_STATUS, [_status(source, month, failed=source in failed) for source in {*sources, *failed}])
    for source in failed:
        tables = {n: t.filter(pa.compute.field("source") != source) if n in _FED else t for n, t in tables.items()}
    mapped, products = map_vendors(tables, status, decisions or {}, parsed, as_of=month.end, engine=engine)
    inputs = Inputs(
        book="test",
        period=month,
        as_of=month.end,
        currency="USD",
        tables=tables,
        status=status,
        accounts=mapped,
        products=products,
        previous=previous,
        earlier_counts=earlier,
        history=history,
        matched_before=matched_before,
        rates=rates,
        engine=engine,
    )
    made = run_stages(inputs, parsed)
    known = Known.of(parsed, status, mapped, products)
    cells = [
        row | {"explanation": explain_cell(judged, known)}
        for row, judged in zip(made.compared.cells.to_pylist(), made.compared.judged.to_pylist(), strict=True)
    ]
    parts = (made.compared.line_buckets, made.counted.counts, made.counted.buckets, made.findings, mapped, products)

    def records() -> list[Row]:
        return list_records(tables, mapped, products, status, parsed, as_of=month.end, engine=engine).to_pylist()

    return Result(cells, *(part.to_pylist() for part in parts), records)


_FED = ("vendor_accounts", "vendor_products", "usage_records", "purchases")


def make_tables(
    lines: str, usage: str, purchases: str, agreements: str, clients: str, services: str, accounts: str = ""
) -> dict[str, pa.Table]:
    """Canonical tables; clients, services, agreements, accounts and products not written out are filled in."""
    line_rows, use, bought = rows_of(lines), rows_of(usage), rows_of(purchases)
    client_rows = {row["client"]: row for row in rows_of(clients)}
    service_rows = {row["service"]: row for row in rows_of(services)}
    agreement_rows = {row["agreement"]: row for row in rows_of(agreements)}
    for row in (*line_rows, *use, *bought):
        if not row.get("account"):
            client_rows.setdefault(row["client"], {})
        if not row.get("product"):
            service_rows.setdefault(row["service"], {})
    for row in line_rows:
        agreement_rows.setdefault(row.get("agreement", f"agreement of {row['client']}"), {"client": row["client"]})
    vendor = [*use, *bought]
    known = {(r.get("source", "vendor"), r.get("account") or r["client"]) for r in vendor}
    known |= {(r.get("source", "vendor"), r["account"]) for r in rows_of(accounts)}
    sold = {(r.get("source", "vendor"), r.get("product") or r["service"]) for r in vendor}
    made = {
        "clients": [_client(name, row) for name, row in client_rows.items()],
        "services": [_service(name, row) for name, row in service_rows.items()],
        "agreements": [_agreement(name, row) for name, row in agreement_rows.items()],
        "agreement_lines": [_line(number, row) for number, row in enumerate(line_rows, 1)],
        "vendor_accounts": [{"source": s, "vendor_account_id": a, "account_name": a, "evidence": f"{s}/a"} for s, a in known],
        "vendor_products": [
            {"source": s, "vendor_product_id": p, "product_name": p, "is_free": p.startswith("free"), "evidence": f"{s}/p"} for s, p in sold
        ],
        "usage_records": [_usage(number, row) for number, row in enumerate(use, 1)],
        "purchases": [_purchase(number, row) for number, row in enumerate(bought, 1)],
    }
    return {name: make_table(schema, made.get(name, [])) for name, schema in CANONICAL.items()}


def _client(name: str, row: Mapping[str, str]) -> Row:
    made = {"client_id": name, "client_name": row.get("name", name), "client_code": row.get("code", name), "domain": row.get("domain")}
    return {
        **made,
        "currency": row.get("currency"),
        "is_deleted": "deleted" in row,
        "is_billable": row.get("billable", "yes") == "yes",
        "source": "psa",
        "evidence": f"psa/{name}",
    }


def _service(name: str, row: Mapping[str, str]) -> Row:
    made = {"service_id": name, "service_code": name, "service_name": row.get("name", name), "is_active": True}
    return {
        **made,
        "unit_price": _number(row.get("price")),
        "unit_cost": _number(row.get("cost")),
        "vendor_sku": row.get("sku"),
        "source": "psa",
        "evidence": f"psa/{name}",
    }


def _agreement(name: str, row: Mapping[str, str]) -> Row:
    return {
        "agreement_id": name,
        "agreement_name": name,
        "client_id": row["client"],
        "parent_agreement_id": row.get("parent"),
        "start_date": _day(row.get("from")),
        "end_date": _day(row.get("to")),
        "cancelled_date": _day(row.get("cancelled")),
        "status": row.get("status", "Active"),
        "cycle_months": None if row.get("cycle") == "none" else int(row.get("cycle", "1")),
        "currency": row.get("currency"),
        "source": "psa",
        "evidence": f"psa/{name}",
    }


def _line(number: int, row: Mapping[str, str]) -> Row:
    return {
        "agreement_line_id": row.get("line", f"L{number}"),
        "agreement_id": row.get("agreement", f"agreement of {row['client']}"),
        "client_id": row["client"],
        "service_id": row["service"],
        "quantity_qty": Decimal(row["qty"]),
        "included_qty": Decimal(row.get("included", "0")),
        "unit_price": _number(row.get("price", "10.00")),
        "unit_cost": _number(row.get("cost")),
        "billable": BILLABLE[row.get("billable", "yes")],
        "effective_date": _day(row.get("from")),
        "cancelled_date": _day(row.get("to")),
        "source": "psa",
        "evidence": f"psa/line{number}",
    }


def _usage(number: int, row: Mapping[str, str]) -> Row:
    source = row.get("source", "vendor")
    return {
        "source": source,
        "usage_record_id": row.get("id", f"u{number}"),
        "vendor_account_id": row.get("account") or row["client"],
        "vendor_product_id": row.get("product") or row["service"],
        "quantity_qty": Decimal(row.get("qty", "1")),
        "unit_name": row.get("name"),
        "unit_key": row.get("key"),
        "unit_class": row.get("class"),
        "unit_state": row.get("state"),
        "created_date": _day(row.get("since")),
        "last_seen_date": _day(row.get("seen")),
        "usage_date": _day(row.get("day")),
        "attributes": json.dumps({"groups": row["groups"]}) if "groups" in row else None,
        "evidence": f"{source}/u{number:03d}",
    }


def _purchase(number: int, row: Mapping[str, str]) -> Row:
    source = row.get("source", "vendor")
    return {
        "source": source,
        "purchase_id": row.get("id", f"b{number}"),
        "vendor_account_id": row.get("account") or row["client"],
        "vendor_product_id": row.get("product") or row["service"],
        "quantity_qty": Decimal(row["qty"]),
        "is_active": row.get("active", "yes") == "yes",
        "is_free": row.get("trial", "no") == "yes",
        "start_date": _day(row.get("since")),
        "commitment_end_date": _day(row.get("until")),
        "unit_cost": _number(row.get("cost")),
        "currency": None if row.get("currency") == "none" else row.get("currency", "USD"),
        "evidence": f"{source}/b{number:03d}",
    }


def _status(source: str, month: Period, *, failed: bool) -> Row:
    at = None if failed else datetime(month.next.year, month.next.month, 1, 6, tzinfo=UTC)
    state = {"status": "failed", "error": "down"} if failed else {"status": "complete", "snapshot_id": "0" * 12}
    return {
        "source": source,
        "connector": source,
        **state,
        "as_of_at": at,
        "pages": 1,
        "records": 1,
        "rejects": 0,
        "exit_code": 4 if failed else 0,
    }


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
