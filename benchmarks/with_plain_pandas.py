"""The same comparison in pandas with Arrow-backed columns, as a good analyst writes it first: filter by each rule, merge, sum.

Nothing about the file is taken apart by hand: no dictionaries, no classes, no search for twins before the rules. ``with_pandas`` is tuned.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from benchmarks.book import AS_OF, CONNECTORS, Book
from benchmarks.clock import run_timed
from benchmarks.rival_cells import add_sums, cells_of
from benchmarks.rival_plan import COLUMNS, Plan, make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Frame = Any  # a pandas frame; its stubs know no Arrow types
READ = [
    *("source", "vendor_account_id", "vendor_product_id", "quantity_qty", "unit_key", "unit_class", "unit_state"),
    *("created_date", "last_seen_date", "attributes"),
]


def load() -> None:
    """Imports."""
    import pandas as pd
    import pyarrow.compute as pc

    assert pd
    assert pc


def compare(book: Book, _given: Namespace) -> pa.Table:
    """Counts, compares, and returns the cells' numbers."""
    import numpy as np
    import pandas as pd

    plan = make_plan(book)
    used, later = (np.zeros((len(plan.clients), len(plan.services)), np.int64) for _ in range(2))
    records = pd.read_parquet(book.usage, columns=READ, dtype_backend="pyarrow")
    records["later"] = (records["created_date"] > AS_OF).fillna(value=False)
    accounts = pd.DataFrame([{"source": s, "vendor_account_id": a, "client": c} for (s, a), c in plan.client_of.items()])
    records = records.merge(accounts.astype({"source": "string[pyarrow]", "vendor_account_id": "string[pyarrow]"}))
    for source in CONNECTORS:
        mine = records[records["source"] == source]
        mine = mine[~_ignored(mine, plan, source)]
        for spec in (spec for spec in plan.specs if spec.source == source):
            rows = mine[mine["vendor_product_id"].isin(spec.products) & _fits(mine, spec.where)]
            _add(later, spec.service, rows[rows["later"]])
            stale = (rows["last_seen_date"] < plan.stale_before[spec.stale_level - 1]).fillna(value=False)
            kept = rows[~rows["later"] & ~stale]
            if spec.dedupe:
                kept = kept.sort_values(["last_seen_date", "created_date", "quantity_qty"], ascending=False, na_position="last")
                kept = kept[kept["unit_key"].isna() | ~kept.duplicated(["client", "unit_key"])]
            _add(used, spec.service, kept)
    return cells_of(book, plan, used, later)


def _add(matrix: Any, service: int, rows: Frame) -> None:
    import pyarrow as pa

    sums = rows.groupby("client")["quantity_qty"].sum()
    if len(sums):
        add_sums(matrix, sums.index, [service] * len(sums), pa.chunked_array(pa.array(sums)))


def _ignored(rows: Frame, plan: Plan, source: str) -> Any:
    ignored = rows["later"] & False
    for rule in plan.rules.ignore:
        if rule.connector == CONNECTORS[source]:
            ignored |= _fits(rows, rule.where)
    return ignored


def _fits(rows: Frame, where: Mapping[str, list[str]]) -> Any:
    """Whether each record has one of the values wanted in each field."""
    fits = rows["later"] | True
    for name, wanted in where.items():
        values = rows[name] if name in COLUMNS else rows["attributes"].str.extract(rf'"{name}": "(?P<found>[^"]*)"')["found"]
        fits &= values.isin(wanted)
    return fits


if __name__ == "__main__":
    run_timed(load, compare)
