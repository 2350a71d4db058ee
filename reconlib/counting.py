"""From usage records and purchases to counts (FIELD.md 2.3, 2.4); the rules become small tables, ``counting.sql`` does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from reconlib.engine import read_sql, run_sql, where_view
from reconlib.errors import SettingsError, TieOutError, nearest
from reconlib.mapping import names_product, reads_source
from reconlib.rules import Count, Ignore, Rules, ServiceRule
from reconlib.schema import COUNTS, RECORD_BUCKETS, check_table

if TYPE_CHECKING:
    import pyarrow as pa

BY_MAPPING = ServiceRule(used=[Count()], purchased=[Count()])  # a service no rule names: whatever is mapped to it


@dataclass(slots=True)
class _Plan:
    """Rules laid out as rows the SQL can join."""

    specs: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)
    ignores: list[dict[str, Any]] = field(default_factory=list)
    wheres: dict[int, tuple[str, Mapping[str, list[str]]]] = field(default_factory=dict)

    def where_id(self, key: str, where: Mapping[str, list[str]]) -> int:
        """Number of one ``where``; 0 stands for none."""
        if not where:
            return 0
        for number, (_, known) in self.wheres.items():
            if known == where:
                return number
        self.wheres[len(self.wheres) + 1] = (key, where)
        return len(self.wheres)


def count_units(
    tables: Mapping[str, pa.Table], accounts: pa.Table, products: pa.Table, status: pa.Table, rules: Rules, *, as_of: date
) -> tuple[pa.Table, pa.Table, list[dict[str, Any]]]:
    """Counts a client, service, measure and source; the one bucket of every usage record and purchase; rules that caught nothing.

    ``accounts`` and ``products`` are mapping tables, ``status`` says which sources are complete.

    Raises:
        SettingsError: a rule names a service, source, connector, product or field that does not exist.
        TieOutError: a record is in no bucket or in two.
    """
    connectors = {row["source"]: row["connector"] for row in status.to_pylist()}
    sources = {row["source"]: row["status"] == "complete" for row in status.to_pylist()}
    plan = _plan(rules, tables, products, connectors, complete={source for source, ok in sources.items() if ok})
    out = run_sql(
        read_sql("counting.sql"),
        {
            "usage_records": tables["usage_records"],
            "purchases": tables["purchases"],
            "vendor_products": tables["vendor_products"],
            "account_map": accounts,
            "product_map": products,
            "sources": _table({"source": "text", "is_complete": "bool"}, [{"source": s, "is_complete": ok} for s, ok in sources.items()]),
            "count_specs": _table(_SPEC, plan.specs),
            "spec_products": _table({"spec_id": "int", "vendor_product_id": "text"}, plan.products),
            "ignores": _table(_IGNORE, plan.ignores),
        },
        values={"as_of": as_of},
        views={"passes": where_view(plan.wheres, _attributes(tables["usage_records"]))},
        results=("counts", "record_buckets", "unmatched"),
    )
    counts = check_table(COUNTS, out["counts"].cast(COUNTS.arrow()))
    buckets = check_table(RECORD_BUCKETS, out["record_buckets"].cast(RECORD_BUCKETS.arrow()))
    _check_tie_out(tables, buckets)
    return counts, buckets, out["unmatched"].to_pylist()


_SPEC = {
    "spec_id": "int",
    "service_id": "text",
    "measure": "text",
    "source": "text",
    "where_id": "int",
    "dedupe": "bool",
    "stale_days": "int",
    "rule": "text",
    "is_ruled": "bool",
}
_IGNORE = {"ignore_id": "int", "source": "text", "vendor_product_id": "text", "where_id": "int", "rule": "text"}


def _plan(rules: Rules, tables: Mapping[str, pa.Table], products: pa.Table, connectors: Mapping[str, str], complete: set[str]) -> _Plan:
    plan = _Plan()
    given = {m: set(tables[t]["source"].unique().to_pylist()) for m, t in (("used", "usage_records"), ("purchased", "purchases"))}
    services = tables["services"].to_pylist()
    codes = {row["service_code"] for row in services}
    for code in rules.services:
        if code not in codes:
            raise SettingsError(f"no service {code!r} in the PSA catalogue", where=f"rules: services.{code}", hint=nearest(code, codes))
    mapped: dict[str, list[dict[str, Any]]] = {}
    for row in products.to_pylist():
        if row["state"] == "mapped":
            mapped.setdefault(row["service_id"], []).append(row)
    for service in services:
        code = service["service_code"]
        rule = rules.services.get(code, BY_MAPPING)
        if rule.basis != "count":
            continue
        named = code in rules.services and (rule.used or rule.purchased)
        used, purchased = (rule.used, rule.purchased) if named else (BY_MAPPING.used, BY_MAPPING.purchased)
        for measure, counts in (("used", used), ("purchased", purchased)):
            # without a rule a source that lists no purchases says nothing about purchases; one that failed may have said anything
            read = connectors if named else {s: c for s, c in connectors.items() if s in given[measure] or s not in complete}
            for number, count in enumerate(counts):
                key, on = f"services.{code}.{measure}" + (f".{number}" if number else ""), mapped.get(service["service_id"], [])
                _add_count(plan, count, service["service_id"], measure, key, rules.stale_days, on, read, is_ruled=bool(named))
    for number, ignore in enumerate(rules.ignore):
        _add_ignore(plan, number, ignore, tables["vendor_products"].to_pylist(), connectors)
    return plan


def _add_ignore(plan: _Plan, number: int, ignore: Ignore, products: list[dict[str, Any]], connectors: Mapping[str, str]) -> None:
    key = f"ignore.{number}"
    like = Count(connector=ignore.connector, source=ignore.source, products=ignore.products)
    where_id = plan.where_id(key, ignore.where)
    for source in _sources(like, connectors, key):
        ids: list[str | None] = [None]
        if ignore.products:
            ids = [p["vendor_product_id"] for p in products if p["source"] == source and names_product(like, p, connectors[source])]
        row = {"ignore_id": number, "source": source, "where_id": where_id, "rule": f"{key}: {ignore.reason}"}
        plan.ignores += [{**row, "vendor_product_id": product} for product in ids]


def _add_count(
    plan: _Plan,
    count: Count,
    service_id: str,
    measure: str,
    key: str,
    stale_days: int,
    mapped: list[dict[str, Any]],
    connectors: Mapping[str, str],
    *,
    is_ruled: bool,
) -> None:
    where_id = plan.where_id(key, count.where)
    for source in _sources(count, connectors, key):
        found = [row for row in mapped if row["source"] == source]
        ids = sorted(p["vendor_product_id"] for p in found if not count.products or names_product(count, p, connectors[source]))
        spec_id = len(plan.specs) + 1
        plan.specs.append(
            {
                "spec_id": spec_id,
                "service_id": service_id,
                "measure": measure,
                "source": source,
                "where_id": where_id,
                "dedupe": count.dedupe,
                "stale_days": stale_days if count.stale_days is None else count.stale_days,
                "rule": key,
                "is_ruled": is_ruled,
            }
        )
        plan.products += [{"spec_id": spec_id, "vendor_product_id": product} for product in ids]


def _sources(count: Count, connectors: Mapping[str, str], key: str) -> list[str]:
    if count.source is not None and count.source not in connectors:
        raise SettingsError(f"no source {count.source!r} in params", where=f"rules: {key}", hint=nearest(count.source, connectors))
    return sorted(source for source, connector in connectors.items() if reads_source(count, source, connector))


def _attributes(records: pa.Table) -> set[str]:
    import json

    texts = records["attributes"].drop_null().unique().to_pylist()
    return {name for text in texts[:10_000] for name in json.loads(text)}


def _table(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    types = {"text": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "qty": pa.decimal128(18, 6)}
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, types[kind]) for name, kind in columns.items()]))


def _check_tie_out(tables: Mapping[str, pa.Table], buckets: pa.Table) -> None:
    import pyarrow.compute as pc

    for kind, name in (("usage", "usage_records"), ("purchase", "purchases")):
        kept = buckets.filter(pc.field("record_kind") == kind)
        read, ended = pc.sum(tables[name]["quantity_qty"]).as_py() or 0, pc.sum(kept["quantity_qty"]).as_py() or 0
        if (tables[name].num_rows, read) != (kept.num_rows, ended):
            raise TieOutError(f"{tables[name].num_rows} {name} with {read} units became {kept.num_rows} in buckets with {ended}")
