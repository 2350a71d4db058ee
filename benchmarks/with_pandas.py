"""The same comparison in pandas with Arrow-backed decimals, as a careful analyst would write it.

Only the columns needed, texts as categories straight from Parquet's dictionaries, dates and decimals left in Arrow, records summed to
classes first, rules looked at once a class, twins looked for in the key column alone before any join.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from benchmarks.book import AS_OF, CONNECTORS, Book
from benchmarks.clock import run_timed
from benchmarks.rival_cells import add_sums, cells_of
from benchmarks.rival_plan import TRAITS, Plan, make_plan

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Any  # a pandas frame; its stubs know no Arrow types
KEYS = [*TRAITS, "level", "later"]


def load() -> None:
    """Imports."""
    import pandas as pd
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    assert pd
    assert pc
    assert pq


def compare(book: Book, _given: Namespace) -> pa.Table:
    """Counts, compares, and returns the cells' numbers."""
    import numpy as np

    plan = make_plan(book)
    used, later = (np.zeros((len(plan.clients), len(plan.services)), np.int64) for _ in range(2))
    records = _records(book, plan)
    classes = records.groupby(KEYS, observed=True, sort=False, dropna=False)["quantity_qty"].sum().reset_index()
    fates = _fates(classes, plan)
    is_counted = ~fates["later"] & (fates["level"] < fates["stale_level"])
    for matrix, rows in ((used, fates[is_counted]), (later, fates[fates["later"]])):
        add_sums(matrix, rows["client"], rows["service"], _arrow(rows["quantity_qty"]))
    lost = _duplicates(records, plan)
    add_sums(used, lost["client"], lost["service"], _arrow(-lost["quantity_qty"]))
    return cells_of(book, plan, used, later)


def _records(book: Book, plan: Plan) -> Frame:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*TRAITS, "quantity_qty", "unit_key", "last_seen_date", "created_date"]
    table = pq.read_table(book.usage, columns=names, read_dictionary=list(TRAITS))
    frame = table.to_pandas(types_mapper=lambda kind: None if pa.types.is_dictionary(kind) else pd.ArrowDtype(kind), self_destruct=True)
    del table
    level = np.zeros(len(frame), np.int8)
    for day in plan.stale_before:
        level += (frame["last_seen_date"] < day).fillna(value=False).to_numpy(bool)
    frame["level"] = level
    frame["later"] = (frame["created_date"] > AS_OF).fillna(value=False).to_numpy(bool)
    return frame


def _fates(rows: Frame, plan: Plan) -> Frame:
    """Each row with its client, once for every count that catches it."""
    import pandas as pd

    names = [name for name in TRAITS if name != "vendor_account_id"]
    kinds = rows[names].drop_duplicates()
    caught = [plan.specs_of({k: None if pd.isna(v) else v for k, v in kind.items()}) for kind in kinds.to_dict("records")]
    passed = kinds.assign(spec=caught).explode("spec").dropna(subset="spec")
    passed["spec"] = passed["spec"].astype("int64")
    specs = pd.DataFrame([{"service": s.service, "stale_level": s.stale_level, "dedupe": s.dedupe} for s in plan.specs])
    accounts = pd.DataFrame([{"source": s, "vendor_account_id": a, "client": c} for (s, a), c in plan.client_of.items()])
    for name in ("source", "vendor_account_id"):
        accounts[name] = accounts[name].astype(rows[name].dtype)
    return rows.merge(passed.join(specs, on="spec"), on=names).merge(accounts, on=["source", "vendor_account_id"])


def _duplicates(records: Frame, plan: Plan) -> Frame:
    """Counted units whose key a more recent one of the same client has."""
    import pandas as pd

    parts = []
    for source in CONNECTORS:
        if products := plan.keyed(source):
            keyed = records[(records["source"] == source) & records["vendor_product_id"].isin(products) & records["unit_key"].notna()]
            parts.append(keyed[keyed["unit_key"].duplicated(keep=False)])
    fates = _fates(pd.concat(parts), plan)
    counted = fates[fates["dedupe"] & ~fates["later"] & (fates["level"] < fates["stale_level"])]
    latest = counted.sort_values(["last_seen_date", "created_date", "quantity_qty"], ascending=False, na_position="last")
    return latest[latest.duplicated(["client", "service", "source", "unit_key"])]


def _arrow(column: Any) -> Any:
    import pyarrow as pa

    return pa.chunked_array(pa.array(column))


if __name__ == "__main__":
    run_timed(load, compare)
