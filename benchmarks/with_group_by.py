"""The yardstick: the cheapest GROUP BY over the same rows in DuckDB. It compares nothing and answers nothing.

``--engine keys`` is the cheapest one that counts each unit once, which a comparison with duplicates cannot do without.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from benchmarks.clock import run_timed

if TYPE_CHECKING:
    from benchmarks.book import Book

PLAIN = "SELECT vendor_account_id, vendor_product_id, sum(quantity_qty) FROM read_parquet(?) GROUP BY ALL"
KEYS = "SELECT vendor_account_id, vendor_product_id, sum(quantity_qty), count(DISTINCT unit_key) FROM read_parquet(?) GROUP BY ALL"


def load() -> None:
    """Imports."""
    import duckdb
    import pyarrow as pa

    assert duckdb
    assert pa


def group(book: Book, given: Namespace) -> None:
    """Sums a vendor account and product."""
    import duckdb

    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as connection:
        connection.sql(KEYS if given.engine == "keys" else PLAIN, params=[str(book.usage)]).to_arrow_table()


if __name__ == "__main__":
    run_timed(load, group)
