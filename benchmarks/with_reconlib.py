"""The project's own comparison of a book: from Parquet to cells a finding is made of, record tie-out included; on DuckDB or Spark."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from benchmarks.book import AS_OF, CURRENCY, PERIOD, SMALL, Book
from benchmarks.clock import run_timed
from reconlib.comparison import compare_quantities
from reconlib.counting import count_units
from reconlib.engine import Engine

if TYPE_CHECKING:
    import pyarrow as pa


def load() -> None:
    """Imports what the library imports where it is used."""
    import duckdb
    import pandas as pd  # pyarrow does, at the first array
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from sqlglot.dialects import duckdb as dialect

    assert dialect
    assert duckdb
    assert pc
    assert pd
    assert pq


def compare(book: Book, given: Namespace) -> pa.Table:
    """Counts, compares, and returns the cells' numbers."""
    engine = Engine(name=given.engine, memory_limit=given.memory) if given.memory else Engine(name=given.engine)
    tables = {name: book.table(name) for name in SMALL} | {"usage_records": book.usage}
    accounts, products, status = (book.table(name) for name in ("account_mapping", "product_mapping", "source_status"))
    rules = book.rules
    counted = count_units(tables, accounts, products, status, rules, as_of=AS_OF, engine=engine)
    compared = compare_quantities(
        tables, counted.counts, (accounts, products), status, rules, period=PERIOD, as_of=AS_OF, currency=CURRENCY, engine=engine
    )
    return compared.cells.select(["client_id", "service_id", "used_qty", "expected_qty", "variance_qty", "monthly_impact"]).rename_columns(
        {"monthly_impact": "monthly_amount"}
    )


if __name__ == "__main__":
    run_timed(load, compare)
