"""The same comparison in polars, as a good analyst writes it first: one lazy scan, a filter a rule, ``unique`` for twins, a sum.

All counts are collected together on the streaming engine, which shares what they have in common. Nothing about the file is taken apart
by hand: no classes, no search for twins before the rules. ``with_polars`` is tuned.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from benchmarks.book import AS_OF, CONNECTORS, Book
from benchmarks.clock import run_timed
from benchmarks.rival_cells import add_sums, cells_of
from benchmarks.rival_plan import COLUMNS, Plan, make_plan
from benchmarks.with_polars import load, mapped_accounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    import pyarrow as pa


def compare(book: Book, _given: Namespace) -> pa.Table:
    """Counts, compares, and returns the cells' numbers."""
    import numpy as np
    import polars as pl

    plan = make_plan(book)
    used, later = (np.zeros((len(plan.clients), len(plan.services)), np.int64) for _ in range(2))
    records = (
        pl.scan_parquet(book.usage)
        .join(mapped_accounts(plan).lazy(), on=["source", "vendor_account_id"])
        .with_columns(pl.col("quantity_qty").cast(pl.Decimal(18, 6)), later=(pl.col("created_date") > AS_OF).fill_null(value=False))
    )
    counts = []
    for source in CONNECTORS:
        mine = records.filter(pl.col("source") == source).filter(~_ignored(plan, source))
        for spec in (spec for spec in plan.specs if spec.source == source):
            rows = mine.filter(pl.col("vendor_product_id").is_in(sorted(spec.products)) & _fits(spec.where))
            counts.append((later, spec.service, _summed(rows.filter("later"))))
            stale = (pl.col("last_seen_date") < plan.stale_before[spec.stale_level - 1]).fill_null(value=False)
            kept = rows.filter(~pl.col("later") & ~stale)
            if spec.dedupe:
                latest = kept.sort("last_seen_date", "created_date", "quantity_qty", descending=True, nulls_last=True)
                keyed = latest.filter(pl.col("unit_key").is_not_null()).unique(["client", "unit_key"], keep="first", maintain_order=True)
                kept = pl.concat([keyed, kept.filter(pl.col("unit_key").is_null())])
            counts.append((used, spec.service, _summed(kept)))
    found = pl.collect_all([sums for _, _, sums in counts], engine="streaming")
    for (matrix, service, _), sums in zip(counts, found, strict=True):
        add_sums(matrix, sums["client"].to_numpy(), np.full(len(sums), service), sums["quantity_qty"].to_arrow())
    return cells_of(book, plan, used, later)


def _summed(rows: pl.LazyFrame) -> pl.LazyFrame:
    import polars as pl

    return rows.group_by("client").agg(pl.col("quantity_qty").sum())


def _ignored(plan: Plan, source: str) -> pl.Expr:
    import polars as pl

    wheres = [rule.where for rule in plan.rules.ignore if rule.connector == CONNECTORS[source]]
    return pl.any_horizontal([_fits(where) for where in wheres]) if wheres else pl.lit(value=False)


def _fits(where: Mapping[str, list[str]]) -> pl.Expr:
    """Whether a record has one of the values wanted in each field."""
    import polars as pl

    tests = []
    for name, wanted in where.items():
        value = pl.col(name) if name in COLUMNS else pl.col("attributes").str.json_path_match(f"$.{name}")
        tests.append(value.is_in(wanted).fill_null(value=False))
    return pl.all_horizontal(tests) if tests else pl.lit(value=True)


if __name__ == "__main__":
    run_timed(load, compare)
