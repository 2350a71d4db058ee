"""The same comparison in polars, as a careful analyst would write it.

Lazy Parquet scans on the streaming engine, one a source, reading only the columns that source's rules name; decimals before any sum;
records summed to classes first, rules looked at once a class; twins found by hash, then by the key itself.
"""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING

from benchmarks.book import AS_OF, CONNECTORS, Book
from benchmarks.clock import run_timed
from benchmarks.rival_cells import add_sums, cells_of
from benchmarks.rival_plan import Plan, make_plan

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

os.environ.setdefault("POLARS_MAX_THREADS", "2")  # as the others


def load() -> None:
    """Imports."""
    import polars as pl
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    assert pl
    assert pc
    assert pq


def compare(book: Book, _given: Namespace) -> pa.Table:
    """Counts, compares, and returns the cells' numbers."""
    import numpy as np
    import polars as pl

    plan = make_plan(book)
    used, later = (np.zeros((len(plan.clients), len(plan.services)), np.int64) for _ in range(2))
    accounts = mapped_accounts(plan)
    specs = pl.DataFrame(
        {
            "spec": range(len(plan.specs)),
            "service": [s.service for s in plan.specs],
            "stale_level": [s.stale_level for s in plan.specs],
            "dedupe": [s.dedupe for s in plan.specs],
        }
    )
    for source in CONNECTORS:
        records = pl.scan_parquet(book.usage).filter(pl.col("source") == source)
        classes = _classes(records, plan, source)
        fates = _fates(classes, plan, source, accounts, specs)
        for matrix, rows in (
            (used, fates.filter(~pl.col("later") & (pl.col("level") < pl.col("stale_level")))),
            (later, fates.filter("later")),
        ):
            add_sums(matrix, rows["client"].to_numpy(), rows["service"].to_numpy(), rows["quantity_qty"].to_arrow())
        if plan.keyed(source):
            lost = _duplicates(records, plan, source, accounts, specs)
            add_sums(used, lost["client"].to_numpy(), lost["service"].to_numpy(), (-lost["quantity_qty"]).to_arrow())
    return cells_of(book, plan, used, later)


def mapped_accounts(plan: Plan) -> pl.DataFrame:
    """Every mapped account with its client's number."""
    import polars as pl

    return pl.DataFrame(
        [(source, account, client) for (source, account), client in plan.client_of.items()],
        schema={"source": pl.String, "vendor_account_id": pl.String, "client": pl.Int64},
        orient="row",
    )


def _traits(plan: Plan, source: str) -> list[pl.Expr]:
    import polars as pl

    level = pl.sum_horizontal((pl.col("last_seen_date") < day).fill_null(value=False).cast(pl.Int8) for day in plan.stale_before)
    is_later = (pl.col("created_date") > AS_OF).fill_null(value=False)
    keys = [pl.col(name) for name in ("vendor_account_id", "vendor_product_id", *plan.fields(source))]
    return [*keys, level.alias("level"), is_later.alias("later"), pl.col("quantity_qty").cast(pl.Decimal(18, 6))]


def _classes(records: pl.LazyFrame, plan: Plan, source: str) -> pl.DataFrame:
    """Records no rule can tell apart, summed."""
    import polars as pl

    keys = ["vendor_account_id", "vendor_product_id", *plan.fields(source), "level", "later"]
    return records.select(_traits(plan, source)).group_by(keys).agg(pl.col("quantity_qty").sum()).collect(engine="streaming")


def _fates(rows: pl.DataFrame, plan: Plan, source: str, accounts: pl.DataFrame, specs: pl.DataFrame) -> pl.DataFrame:
    """Each row with its client, once for every count that catches it."""
    import polars as pl

    names = ["vendor_product_id", *plan.fields(source)]
    kinds = rows.select(names).unique()
    caught = [plan.specs_of({"source": source, **kind}) for kind in kinds.to_dicts()]
    passed = kinds.with_columns(pl.Series("spec", caught, dtype=pl.List(pl.Int64))).explode("spec").drop_nulls("spec")
    mine = accounts.filter(pl.col("source") == source).drop("source")
    return rows.join(passed, on=names, nulls_equal=True).join(mine, on="vendor_account_id").join(specs, on="spec")


def _duplicates(records: pl.LazyFrame, plan: Plan, source: str, accounts: pl.DataFrame, specs: pl.DataFrame) -> pl.DataFrame:
    """Counted units whose key a more recent one of the same client has."""
    import polars as pl

    keyed = records.filter(pl.col("unit_key").is_not_null() & pl.col("vendor_product_id").is_in(plan.keyed(source)))
    twice = (
        keyed.select(key_hash=pl.col("unit_key").hash())
        .group_by("key_hash")
        .agg(pl.len())
        .filter(pl.col("len") > 1)
        .collect(engine="streaming")
    )
    chosen = [*_traits(plan, source), pl.col("unit_key"), pl.col("last_seen_date"), pl.col("created_date")]
    twins = (
        keyed.select(*chosen, key_hash=pl.col("unit_key").hash()).join(twice.lazy(), on="key_hash", how="semi").collect(engine="streaming")
    )
    counted = _fates(twins, plan, source, accounts, specs).filter(pl.col("dedupe") & _is_counted())
    latest = counted.sort("last_seen_date", "created_date", "quantity_qty", descending=True, nulls_last=True)
    return latest.filter(~pl.struct("client", "service", "unit_key").is_first_distinct())


def _is_counted() -> pl.Expr:
    import polars as pl

    return ~pl.col("later") & (pl.col("level") < pl.col("stale_level"))


if __name__ == "__main__":
    run_timed(load, compare)
