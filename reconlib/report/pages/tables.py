"""Small tables for a page: typed rows in, Arrow out, and the few ways to look rows up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from reconlib.money import format_amount
from reconlib.schema import Column, Kind, TableSchema

Row = dict[str, Any]
Columns = Mapping[str, Kind]
Card = tuple[str, object, str, str]  # label, value, note, tone: what ``show.kpi`` takes

ZERO = Decimal(0)
NO_MONEY: Mapping[str, Decimal] = {"under_billed": ZERO, "over_billed": ZERO}


def build_table(rows: Iterable[Row], columns: Columns) -> pa.Table:
    """Rows as a table of exactly these columns; what a row lacks is not known."""
    schema = TableSchema("page", "one row shown", (), tuple(Column(name, kind, "") for name, kind in columns.items())).arrow()
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows], schema=schema)


def index_rows(table: pa.Table, *key: str) -> dict[Any, Row]:
    """Rows by key: a value for one key column, a tuple for several."""
    return {row[key[0]] if len(key) == 1 else tuple(row[k] for k in key): row for row in table.to_pylist()}


def each_once(mapping: pa.Table) -> list[Row]:
    """Rows of a mapping, each account or product once."""
    key = "vendor_account_id" if "vendor_account_id" in mapping.column_names else "vendor_product_id"
    return list(index_rows(mapping, "source", key).values())


def sum_money(rows: Iterable[Row], column: str) -> str:
    """Absolute money of one direction in words, each currency apart; what is not known is not in it."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row[column]:
            sums[row["currency"]] += abs(row[column])
    return " + ".join(f"{format_amount(amount, code)} {code}" for code, amount in sorted(sums.items())) or "0.00"


def add_directions(group: Row, impact: Decimal | None) -> None:
    """Adds a finding's money to the side it belongs to; the sides are never netted (T131)."""
    group["under_billed"] += max(ZERO, impact or ZERO)
    group["over_billed"] += max(ZERO, -(impact or ZERO))


def name_clients(*months: Mapping[str, pa.Table]) -> dict[str, str]:
    """Client names by id; the last month's name wins."""
    return {row["client_id"]: row["client_name"] for tables in months for row in tables["clients"].to_pylist()}
