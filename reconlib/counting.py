"""From usage records and purchases to counts (docs/rules.md); the rules become small tables, ``counting.sql`` does the rest."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.count_rules import list_pairs, plan_counts, small_table
from reconlib.engine import DUCKDB, Engine, input_table, is_small, read_sql, run_sql
from reconlib.errors import SettingsError, TieOutError
from reconlib.rules import Rules
from reconlib.schema import COUNTS, RECORD_BUCKETS, RECORDS, check_table
from reconlib.splits import account_keys, check_splits, checks_script, part_keys, split_fields, split_inputs, unmatched_parts
from reconlib.traits import COLUMNS, Traits, groups_view, records_view, slim_view

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
RESULTS: tuple[str, ...] = ("counts", "record_buckets", "unmatched", "keyless", "totals")
REPEATS = {"twin_hashes": "key_hashes"}  # table of the hashes that stand more than once -> view of all hashes
MANY = 2_000  # different sets of attributes above which records are not grouped by them


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting makes of a month."""

    counts: pa.Table  # COUNTS
    buckets: pa.Table  # RECORD_BUCKETS
    unmatched: list[Row]  # rules that caught no record: rule, service_id, sources
    gaps: list[Row]  # devices one service has and its pair lacks (T62): client_id, service_id, other_id, units, first_key, reason


def count_units(
    tables: Mapping[str, pa.Table | Path],
    accounts: pa.Table,
    products: pa.Table,
    status: pa.Table,
    rules: Rules,
    *,
    as_of: date,
    matched_before: frozenset[str] | None = None,
    engine: Engine = DUCKDB,
) -> Counted:
    """Counts a client, service, measure and source, and the one bucket every usage record and purchase ended in.

    ``accounts`` and ``products`` are mapping tables, ``status`` says which sources are complete. ``usage_records`` may be a Parquet
    file or folder. ``matched_before`` are rules that caught something last month: when they catch nothing now, a feed went quiet and
    that is reported; any other rule that catches nothing is wrong.

    Raises:
        SettingsError: a rule names a service, source, connector, product or field that does not exist, or catches nothing.
        TieOutError: a record is in no bucket or in two.
    """
    parts = ("twin", "pair") if rules.together else ("twin",)
    inputs, values, views = _laid_out(tables, accounts, products, status, rules, as_of, *parts)
    script, results = read_sql("counting.sql"), RESULTS
    if rules.together:
        script, results = script + read_sql("pairs.sql"), (*results, "gaps")
        inputs["pairs"] = list_pairs(rules, small_table(tables, "services"))
    is_split = "usage_records" in views
    if is_split:
        checks, more_views, more = checks_script(rules)
        script, results = checks + script, (*results, "split_totals", "claimed_twice")
        inputs, views = {**inputs, **more}, {**views, **more_views}
    order = {"record_buckets": RECORD_BUCKETS.key, "counts": COUNTS.key}
    out = run_sql(script, inputs, values=values, views=views, results=results, repeats=REPEATS, order=order, engine=engine)
    buckets = check_table(RECORD_BUCKETS, out["record_buckets"].cast(RECORD_BUCKETS.arrow()))
    if is_split:
        check_splits(rules, out["split_totals"].to_pylist(), out["claimed_twice"].to_pylist(), buckets)
    unmatched = sorted(out["unmatched"].to_pylist(), key=lambda row: row["rule"])
    _refuse_wrong(unmatched, out["keyless"].to_pylist(), rules, matched_before)
    unmatched += unmatched_parts(rules, buckets, {row["source"] for row in status.to_pylist() if row["status"] == "complete"})
    _check_tie_out(out["totals"].to_pylist(), buckets)
    gaps = sorted(out["gaps"].to_pylist() if rules.together else [], key=lambda row: (row["client_id"], row["service_id"], row["other_id"]))
    return Counted(_averaged(out["counts"]), buckets, unmatched, gaps)


def list_records(
    tables: Mapping[str, pa.Table | Path],
    accounts: pa.Table,
    products: pa.Table,
    status: pa.Table,
    rules: Rules,
    *,
    as_of: date,
    client_id: str | None = None,
    account: tuple[str, str] | None = None,
    engine: Engine = DUCKDB,
) -> pa.Table:
    """The records behind a client's counts, or of one account (source, vendor_account_id), or all, each with its bucket: RECORDS.

    Grain: one record and service it counts for; one row with no service where it counts for none.
    """
    rows = accounts.select(["source", "vendor_account_id", "client_id", "state"]).to_pylist()
    chosen = [
        (row["source"], row["vendor_account_id"])
        for row in rows
        if (row["state"] == "mapped" and row["client_id"] == client_id and client_id is not None)
        or (row["source"], row["vendor_account_id"]) == account
        or (client_id is None and account is None)
    ]
    laid_out = _laid_out(tables, accounts, products, status, rules, as_of, "twin", "chosen")
    return _listed(laid_out, chosen, read_sql("records.sql"), ("listed",), engine)["listed"]


def list_units(
    tables: Mapping[str, pa.Table | Path],
    accounts: pa.Table,
    products: pa.Table,
    status: pa.Table,
    rules: Rules,
    *,
    as_of: date,
    cells: Collection[tuple[str, str]],
    most: int,
    engine: Engine = DUCKDB,
) -> tuple[pa.Table, int]:
    """The records that bear on some clients' counts of some services, (client_id, service_id) each: RECORDS, and how many there are.

    At most ``most`` of them, in the order of the services, sources and records; never more than that is held.
    """
    inputs, values, views = _laid_out(tables, accounts, products, status, rules, as_of, "twin", "chosen")
    clients = {client for client, _ in cells}
    rows = accounts.select(["source", "vendor_account_id", "client_id", "state"]).to_pylist()
    chosen = [(row["source"], row["vendor_account_id"]) for row in rows if row["state"] == "mapped" and row["client_id"] in clients]
    inputs["wanted"] = input_table("client_id service_id", [{"client_id": c, "service_id": s} for c, s in sorted(cells)])
    script = read_sql("records.sql") + read_sql("units.sql")
    out = _listed((inputs, {**values, "most": most}, views), chosen, script, ("units", "units_total"), engine)
    return out["units"], out["units_total"]["records"][0].as_py()


def _listed(
    laid_out: tuple[dict[str, pa.Table | Path], Row, dict[str, Any]],
    chosen: list[tuple[str, str]],
    script: str,
    results: tuple[str, ...],
    engine: Engine,
) -> dict[str, pa.Table]:
    """Records of the accounts chosen, (source, vendor_account_id) each; the first result is RECORDS."""
    inputs, values, views = laid_out
    pairs = [{"source": source, "vendor_account_id": account} for source, account in chosen]
    inputs["chosen"] = input_table("source vendor_account_id", pairs)
    out = run_sql(read_sql("counting.sql") + script, inputs, values=values, views=views, results=results, repeats=REPEATS, engine=engine)
    listed = out[results[0]].select(RECORDS.names()).cast(RECORDS.arrow())
    order = [(name, "ascending") for name in ("source", "record_kind", "record_id", "service_id")]
    return {**out, results[0]: listed.sort_by(order)}


def _laid_out(
    tables: Mapping[str, pa.Table | Path], accounts: pa.Table, products: pa.Table, status: pa.Table, rules: Rules, as_of: date, *parts: str
) -> tuple[dict[str, pa.Table | Path], Row, dict[str, Any]]:
    """The tables, values and view counting.sql reads."""
    sources = [
        {"source": row["source"], "is_complete": row["status"] == "complete", "evidence": f"{row['source']}/{row['snapshot_id'] or 'none'}"}
        for row in status.to_pylist()
    ]
    usage = tables["usage_records"]
    using, texts = _seen(usage)
    given = {"used": using, "purchased": frozenset(small_table(tables, "purchases")["source"].unique().to_pylist())}
    plan = plan_counts(rules, tables, products, status, as_of, given)
    inputs: dict[str, pa.Table | Path] = {
        **{name: tables[name] for name in ("usage_records", "purchases", "vendor_products")},
        "account_map": _account_map(accounts, rules),
        "product_map": products.select(["source", "vendor_product_id", "state", "service_id"]),
        "sources": input_table("source evidence", sources, flags="is_complete"),
        **plan.tables(),
    }
    named = split_fields(rules).union(*(condition.fields() for condition in plan.conditions))
    attributes = _attributes(usage, texts) if named - set(COLUMNS) else frozenset()
    inputs, split = split_inputs(inputs, rules, account_keys(accounts), attributes)
    traits = Traits(
        conditions=plan.conditions,
        asked={source: frozenset(numbers) for source, numbers in plan.asked.items()},
        attributes=attributes,
        few_attributes=len(texts) <= MANY,
        stale_before=[as_of - timedelta(days=days) for days in plan.stale_days],
        as_of=as_of,
        needs_key=any(spec["take"] == "any_time" for spec in plan.specs),
        where=rules.where,
    )
    views = {**split, "usage_groups": groups_view(traits), "slim_records": slim_view(traits)}
    views |= {f"{part}_traits": records_view(traits, f"{part}_records") for part in parts}
    return inputs, {"as_of": as_of, "period_start": as_of.replace(day=1)}, views


def _account_map(accounts: pa.Table, rules: Rules) -> pa.Table:
    """Accounts with their clients, and whether one is part of a tenant: what was bought for it is not known (T32)."""
    import pyarrow as pa

    kept = accounts.select(["source", "vendor_account_id", "state", "client_id"])
    parts = part_keys(rules)
    ids = zip(kept["source"].to_pylist(), kept["vendor_account_id"].to_pylist(), strict=True) if parts else ()
    return kept.append_column("is_part", pa.array([key in parts for key in ids] if parts else [False] * kept.num_rows, pa.bool_()))


def _refuse_wrong(unmatched: list[Row], keyless: list[Row], rules: Rules, matched_before: frozenset[str] | None) -> None:
    for row in keyless:
        hint = "without a key nobody can say which of a month's daily records are the same unit; take: peak, or another feed"
        raise SettingsError(
            "any_time counts each unit once, and some of its records have no unit_key", where=rules.where(row["rule"]), hint=hint
        )
    if matched_before is None:
        return
    for row in unmatched:
        if not row["rule"].startswith("services."):
            continue  # an exception that catches nothing is reported
        code, measure, number = row["rule"].removeprefix("services.").rsplit(".", 2)  # a code may hold dots itself
        count = getattr(rules.services[code], measure)[int(number)]
        if count.products and not count.may_be_empty and row["rule"] not in matched_before:
            hint = "check the names against the mapping page; say may_be_empty: true where nothing may be right"
            raise SettingsError(f"this count matches no record of {row['sources']}", where=rules.where(row["rule"]), hint=hint)


def _averaged(counts: pa.Table) -> pa.Table:
    """COUNTS; where a rule takes the average, the sum over its days becomes the average, divided once and rounded half up (T46)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    which = pc.and_(pc.equal(counts["take"], "average"), pc.greater(pc.fill_null(counts["days"], 0), 1))
    if pc.any(which).as_py():
        quantities = [
            (q / days).quantize(Decimal("0.000001"), rounding="ROUND_HALF_UP") if is_mean and q is not None else q
            for q, days, is_mean in zip(counts["quantity_qty"].to_pylist(), counts["days"].to_pylist(), which.to_pylist(), strict=True)
        ]
        index = counts.schema.get_field_index("quantity_qty")
        counts = counts.set_column(index, "quantity_qty", pa.array(quantities, pa.decimal128(18, 6)))
    return check_table(COUNTS, counts.select(COUNTS.names()).cast(COUNTS.arrow()))


def _seen(records: pa.Table | Path) -> tuple[frozenset[str], list[str]]:
    """Sources that list usage, and the different sets of vendors' own fields their records carry, or the first of very many."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if isinstance(records, Path) and is_small({"records": records}):
        few = ["source", "attributes"]
        records = pq.ParquetFile(records, read_dictionary=few).read(columns=few).unify_dictionaries()
    if isinstance(records, Path):
        script = "CREATE TABLE sources AS SELECT DISTINCT source FROM records;"
        script += f"CREATE TABLE texts AS SELECT DISTINCT attributes FROM records WHERE attributes IS NOT NULL LIMIT {MANY + 1};"  # noqa: S608 - a number
        found = run_sql(script, {"records": records}, results=("sources", "texts"))
        return frozenset(found["sources"]["source"].to_pylist()), found["texts"]["attributes"].to_pylist()
    texts = pc.unique(records["attributes"].drop_null()).slice(0, MANY + 1).to_pylist()
    return frozenset(records["source"].unique().to_pylist()), texts


def _attributes(records: pa.Table | Path, texts: list[str]) -> frozenset[str]:
    """Names of the vendors' own fields that any record carries."""
    if len(texts) <= MANY:
        return frozenset(name for text in texts for name in json.loads(text))
    script = "CREATE TABLE found AS SELECT DISTINCT unnest(json_keys(attributes)) AS name FROM records;"
    return frozenset(run_sql(script, {"records": records}, results=("found",))["found"]["name"].to_pylist())


def _check_tie_out(totals: list[Row], buckets: pa.Table) -> None:
    import pyarrow.compute as pc

    if sorted(total["record_kind"] for total in totals) != ["purchase", "usage"]:
        raise TieOutError("usage and purchases were not both summed as they were read")
    for total in totals:
        kept = buckets.select(["records", "quantity_qty"]).filter(pc.equal(buckets["record_kind"], total["record_kind"]))
        ended = (pc.sum(kept["records"]).as_py() or 0, pc.sum(kept["quantity_qty"]).as_py() or 0)
        if (total["records"], total["quantity_qty"]) != ended:
            read = f"{total['records']} {total['record_kind']} records with {total['quantity_qty']} units"
            raise TieOutError(f"{read} became {ended[0]} in buckets with {ended[1]}")
