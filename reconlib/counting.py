"""From usage records and purchases to counts (FIELD.md 2.3, 2.4); the rules become small tables, ``counting.sql`` does the rest."""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.engine import DUCKDB, Engine, is_small, read_sql, run_sql
from reconlib.errors import SettingsError, TieOutError, nearest
from reconlib.mapping import names_product, reads_source
from reconlib.product_overrides import moved_products
from reconlib.rules import Count, Ignore, Rules, ServiceRule
from reconlib.schema import COUNTS, RECORD_BUCKETS, RECORDS, check_table
from reconlib.splits import account_keys, check_splits, checks_script, part_keys, split_fields, split_inputs, unmatched_parts
from reconlib.traits import COLUMNS, Condition, Traits, groups_view, records_view, slim_view

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
BY_MAPPING = ServiceRule(used=[Count()], purchased=[Count()])  # a service no rule names: whatever is mapped to it
MAX_WHERES = 62  # bits of a whole number that hold which conditions a record passes
RESULTS: tuple[str, ...] = ("counts", "record_buckets", "unmatched", "keyless", "gaps", "totals")
REPEATS = {"twin_hashes": "key_hashes"}  # table of the hashes that stand more than once -> view of all hashes
NEVER_STALE = 10_000  # rank no record reaches
MANY = 2_000  # different sets of attributes above which records are not grouped by them


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting makes of a month."""

    counts: pa.Table  # COUNTS
    buckets: pa.Table  # RECORD_BUCKETS
    unmatched: list[Row]  # rules that caught no record: rule, service_id, sources
    gaps: list[Row]  # devices one service has and its pair lacks (T62): client_id, service_id, other_id, units, first_key, reason


@dataclass(slots=True)
class _Plan:
    """Rules laid out as rows the SQL can join."""

    as_of: date
    specs: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    ignores: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)  # products that count for another service at one client
    conditions: list[Condition] = field(default_factory=list)
    asked: dict[str, set[int]] = field(default_factory=dict)  # source -> conditions its records are asked
    stale_days: list[int] = field(default_factory=list)  # ascending

    def bits(self, key: str, where: Mapping[str, list[str]], unless: Mapping[str, list[str]], sources: list[str]) -> int:
        """The bit of one condition; 0 for none, so that every record passes."""
        if not where and not unless:
            return 0
        known = [number for number, known in enumerate(self.conditions) if (known.where, known.unless) == (where, unless)]
        if not known:
            known = [len(self.conditions)]
            self.conditions.append(Condition(key, where, unless))
        for source in sources:
            self.asked[source].add(known[0])
        return 1 << known[0]


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
    inputs, values, views = _laid_out(tables, accounts, products, status, rules, as_of, "twin", "pair")
    script, results = read_sql("counting.sql"), RESULTS
    is_split = "usage_records" in views
    if is_split:
        checks, more_views, more = checks_script(rules)
        script, results = checks + script, (*results, "split_totals", "claimed_twice")
        inputs, views = {**inputs, **more}, {**views, **more_views}
    out = run_sql(script, inputs, values=values, views=views, results=results, repeats=REPEATS, engine=engine)
    buckets = check_table(RECORD_BUCKETS, out["record_buckets"].cast(RECORD_BUCKETS.arrow()))
    if is_split:
        check_splits(rules, out["split_totals"].to_pylist(), out["claimed_twice"].to_pylist(), buckets)
    unmatched = sorted(out["unmatched"].to_pylist(), key=lambda row: row["rule"])
    _refuse_wrong(unmatched, out["keyless"].to_pylist(), rules, matched_before)
    unmatched += unmatched_parts(rules, buckets, {row["source"] for row in status.to_pylist() if row["status"] == "complete"})
    _check_tie_out(out["totals"].to_pylist(), buckets)
    gaps = sorted(out["gaps"].to_pylist(), key=lambda row: (row["client_id"], row["service_id"], row["other_id"]))
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
    laid_out = _laid_out(tables, accounts, products, status, rules, as_of, "twin", "pair", "chosen")
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
    inputs, values, views = _laid_out(tables, accounts, products, status, rules, as_of, "twin", "pair", "chosen")
    clients = {client for client, _ in cells}
    rows = accounts.select(["source", "vendor_account_id", "client_id", "state"]).to_pylist()
    chosen = [(row["source"], row["vendor_account_id"]) for row in rows if row["state"] == "mapped" and row["client_id"] in clients]
    inputs["wanted"] = _table({"client_id": "text", "service_id": "text"}, [{"client_id": c, "service_id": s} for c, s in sorted(cells)])
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
    inputs["chosen"] = _table({"source": "text", "vendor_account_id": "text"}, pairs)
    out = run_sql(read_sql("counting.sql") + script, inputs, values=values, views=views, results=results, repeats=REPEATS, engine=engine)
    listed = out[results[0]].select(RECORDS.names()).cast(RECORDS.arrow())
    order = [(name, "ascending") for name in ("source", "record_kind", "record_id", "service_id")]
    return {**out, results[0]: listed.sort_by(order)}


_SPEC = {
    "spec_id": "int",
    "service_id": "text",
    "measure": "text",
    "source": "text",
    "where_bits": "int",
    "stale_rank": "int",
    "dedupe": "bool",
    "key_scope": "text",
    "take": "text",
    "billing_date": "date",
    "rule": "text",
    "is_ruled": "bool",
    "only_client": "text",
}
_MOVED = {"client_id": "text", "source": "text", "vendor_product_id": "text"}
_IGNORE = {"source": "text", "vendor_product_id": "text", "where_bits": "int", "rule": "text"}
_PAIR = {"service_id": "text", "other_id": "text", "reason": "text"}


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
    given = {"used": using, "purchased": frozenset(_small(tables, "purchases")["source"].unique().to_pylist())}
    plan = _plan(rules, tables, products, status, as_of, given)
    inputs: dict[str, pa.Table | Path] = {
        **{name: tables[name] for name in ("usage_records", "purchases", "vendor_products")},
        "account_map": _account_map(accounts, rules),
        "product_map": products.select(["source", "vendor_product_id", "state", "service_id"]),
        "sources": _table({"source": "text", "is_complete": "bool", "evidence": "text"}, sources),
        "count_specs": _table(_SPEC, plan.specs),
        "spec_products": _table({"spec_id": "int", "vendor_product_id": "text"}, plan.products),
        "ignores": _table(_IGNORE, plan.ignores),
        "moved": _table(_MOVED, plan.moved),
        "pairs": _table(_PAIR, _pairs(rules, tables)),
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


def _plan(
    rules: Rules,
    tables: Mapping[str, pa.Table | Path],
    products: pa.Table,
    status: pa.Table,
    as_of: date,
    given: Mapping[str, frozenset[str]],
) -> _Plan:
    """``given`` says which sources list records of a measure."""
    connectors = {row["source"]: row["connector"] for row in status.to_pylist()}
    complete = {row["source"] for row in status.to_pylist() if row["status"] == "complete"}
    plan = _Plan(as_of, asked={source: set() for source in connectors})
    counts = [count for rule in rules.services.values() for count in rule.used]
    plan.stale_days = sorted({rules.stale_days, *(count.stale_days for count in counts if count.stale_days is not None)})
    services = _small(tables, "services").to_pylist()
    _refuse_unknown(rules, {row["service_code"] for row in services})
    mapped: dict[str, list[Row]] = {}
    for row in products.to_pylist():
        if row["state"] == "mapped":
            mapped.setdefault(row["service_id"], []).append(row)
    for service in services:
        code = service["service_code"]
        rule = rules.services.get(code, BY_MAPPING)
        if rule.basis in ("flat", "none", "cloud"):
            continue
        named = code in rules.services and bool(rule.used or rule.purchased)
        used, purchased = (rule.used, rule.purchased) if named else (BY_MAPPING.used, BY_MAPPING.purchased)
        for measure, parts in (("used", used), ("purchased", purchased)):
            # without a rule a source that lists no purchases says nothing about purchases; one that failed may have said anything
            read = connectors if named else {s: c for s, c in connectors.items() if s in given[measure] or s not in complete}
            for number, count in enumerate(parts):
                key, on = f"services.{code}.{measure}.{number}", mapped.get(service["service_id"], [])
                spec = {"service_id": service["service_id"], "measure": measure, "rule": key, "is_ruled": named}
                _add_count(plan, count, rule, spec, rules, on, read)
    _add_moved(plan, rules, tables, connectors)
    for number, ignore in enumerate(rules.ignore):
        _add_ignore(plan, number, ignore, rules, _small(tables, "vendor_products").to_pylist(), connectors)
    _refuse_too_many(plan, rules)
    return plan


def _refuse_unknown(rules: Rules, codes: set[str]) -> None:
    for code in rules.services:
        if code not in codes:
            raise SettingsError(
                f"no service {code!r} in the PSA catalogue", where=rules.where(f"services.{code}"), hint=nearest(code, codes)
            )


def _refuse_too_many(plan: _Plan, rules: Rules) -> None:
    if len(plan.conditions) > MAX_WHERES:
        key = plan.conditions[MAX_WHERES].key
        hint = "give counts that mean the same the same where, word for word"
        raise SettingsError(f"more than {MAX_WHERES} different where and unless", where=rules.where(key), hint=hint)


def _add_ignore(plan: _Plan, number: int, ignore: Ignore, rules: Rules, products: list[Row], connectors: Mapping[str, str]) -> None:
    key = f"ignore.{number}"
    like = Count(connector=ignore.connector, source=ignore.source, products=ignore.products)
    sources = _sources(like, connectors, rules.where(key))
    bits = plan.bits(key, ignore.where, {}, sources)
    for source in sources:
        ids: list[str | None] = [None]
        if ignore.products:
            ids = [p["vendor_product_id"] for p in products if p["source"] == source and names_product(like, p, connectors[source])]
        row = {"source": source, "where_bits": bits, "rule": f"{key}: {ignore.reason}"}
        plan.ignores += [{**row, "vendor_product_id": product} for product in ids]


def _add_count(
    plan: _Plan, count: Count, rule: ServiceRule, spec: Row, rules: Rules, mapped: list[Row], connectors: Mapping[str, str]
) -> None:
    sources = _sources(count, connectors, rules.where(spec["rule"]))
    conditions = _conditions(rule, count) if spec["measure"] == "used" else ({}, {})  # a purchase has no class
    bits = plan.bits(spec["rule"], *conditions, sources)
    stale = rules.stale_days if count.stale_days is None else count.stale_days
    _refuse_two_takes(plan, count, spec, sources, rules)
    day = count.billing_day and min(count.billing_day, monthrange(plan.as_of.year, plan.as_of.month)[1])
    for source in sources:
        found = [row for row in mapped if row["source"] == source]
        ids = sorted(p["vendor_product_id"] for p in found if not count.products or names_product(count, p, connectors[source]))
        spec_id = len(plan.specs) + 1
        plan.specs.append(
            {
                **spec,
                "spec_id": spec_id,
                "source": source,
                "where_bits": bits,
                "stale_rank": plan.stale_days.index(stale) + 1 if spec["measure"] == "used" else NEVER_STALE,
                "dedupe": spec["measure"] == "used" and (count.dedupe or rule.once or count.take == "any_time"),
                "key_scope": "" if rule.once else source,
                "take": count.take,
                "billing_date": plan.as_of.replace(day=day) if day else None,
                "only_client": None,
            }
        )
        plan.products += [{"spec_id": spec_id, "vendor_product_id": product} for product in ids]


def _add_moved(plan: _Plan, rules: Rules, tables: Mapping[str, pa.Table | Path], connectors: Mapping[str, str]) -> None:
    """A count of its own for each product a client's exception moves: days, twins and staleness as its service takes them there."""
    if not rules.product_overrides:
        return
    for number, one in enumerate(rules.product_overrides):
        _sources(Count(source=one.source), connectors, rules.where(f"product_overrides.{number}.source"))
    small = {name: _small(tables, name) for name in ("clients", "services", "vendor_products")}
    codes = {row["service_id"]: row["service_code"] for row in small["services"].to_pylist()}
    own = list(plan.specs)
    for moved in moved_products(rules, small):
        plan.moved += [dict(zip(_MOVED, place, strict=True)) for place in moved.places()]
        rule = rules.services.get(codes[moved.service_id], BY_MAPPING)
        for measure in ("used", "purchased"):
            about: Row = {"service_id": moved.service_id, "measure": measure, "source": moved.source}
            like = [spec for spec in own if about.items() <= spec.items()]
            spec = like[0] if like else _plain_spec(plan, rule, rules, measure, moved.source)
            bits = plan.bits(moved.key, *_conditions(rule, Count()), [moved.source]) if measure == "used" else 0
            about |= {
                "spec_id": len(plan.specs) + 1,
                "where_bits": bits,
                "rule": moved.key,
                "is_ruled": True,
                "only_client": moved.client_id,
            }
            plan.specs.append({**spec, **about})
            plan.products += [{"spec_id": about["spec_id"], "vendor_product_id": product} for product in moved.products]


def _plain_spec(plan: _Plan, rule: ServiceRule, rules: Rules, measure: str, source: str) -> Row:
    """How a service counts a source its own rule does not read."""
    return {
        "stale_rank": plan.stale_days.index(rules.stale_days) + 1 if measure == "used" else NEVER_STALE,
        "dedupe": measure == "used" and rule.once,
        "key_scope": "" if rule.once else source,
        "take": "last_day",
        "billing_date": None,
    }


def _refuse_two_takes(plan: _Plan, count: Count, spec: Row, sources: list[str], rules: Rules) -> None:
    """One source's days make one count of a service: a peak and a last day of it cannot be added (T46)."""
    for other in plan.specs:
        same = (other["service_id"], other["measure"]) == (spec["service_id"], spec["measure"]) and other["source"] in sources
        if same and other["take"] != count.take:
            said = f"{other['source']} is read with take: {count.take} here and take: {other['take']} in {other['rule']}"
            raise SettingsError(said, where=rules.where(spec["rule"]), hint="take both the same way, or make them two services")


def _conditions(rule: ServiceRule, count: Count) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    """A count's where and unless; a user is no shared mailbox unless the rule says so (T48)."""
    if rule.basis == "user" and "unit_class" not in {*count.where, *count.unless}:
        return count.where, {**count.unless, "unit_class": list(SHARED_MAILBOX)}
    return count.where, count.unless


SHARED_MAILBOX = ("shared", "shared_mailbox", "SharedMailbox", "room", "RoomMailbox", "equipment", "EquipmentMailbox")


def _sources(count: Count, connectors: Mapping[str, str], where: str) -> list[str]:
    if count.source is not None and count.source not in connectors:
        raise SettingsError(f"no source {count.source!r} in params", where=where, hint=nearest(count.source, connectors))
    if count.connector is not None and count.connector not in connectors.values():
        from reconlib.connectors import CONNECTORS

        if count.connector not in CONNECTORS:  # one that exists may belong to another book
            raise SettingsError(f"no connector {count.connector!r}", where=where, hint=nearest(count.connector, CONNECTORS))
    return sorted(source for source, connector in connectors.items() if reads_source(count, source, connector))


def _pairs(rules: Rules, tables: Mapping[str, pa.Table | Path]) -> list[Row]:
    ids = {row["service_code"]: row["service_id"] for row in _small(tables, "services").to_pylist()}
    rows = []
    for number, pair in enumerate(rules.together):
        for code in pair.services:
            if code not in ids:
                where = rules.where(f"together.{number}.services")
                raise SettingsError(f"no service {code!r} in the PSA catalogue", where=where, hint=nearest(code, ids))
        one, other = pair.services
        rows.append({"service_id": ids[one], "other_id": ids[other], "reason": pair.reason})
    return rows


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


def _small(tables: Mapping[str, pa.Table | Path], name: str) -> pa.Table:
    import pyarrow.parquet as pq

    table = tables[name]
    return pq.ParquetFile(table).read() if isinstance(table, Path) else table


def _seen(records: pa.Table | Path) -> tuple[frozenset[str], list[str]]:
    """Sources that list usage, and the different sets of vendors' own fields their records carry, or the first of very many."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if isinstance(records, Path) and is_small({"records": records}):
        records = pq.ParquetFile(records).read(columns=["source", "attributes"])
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


def _table(columns: Mapping[str, str], rows: list[Row]) -> pa.Table:
    import pyarrow as pa

    types = {"text": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "date": pa.date32()}
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, types[kind]) for name, kind in columns.items()]))


def _check_tie_out(totals: list[Row], buckets: pa.Table) -> None:
    import pyarrow.compute as pc

    for total in totals:
        kept = buckets.select(["records", "quantity_qty"]).filter(pc.equal(buckets["record_kind"], total["record_kind"]))
        ended = (pc.sum(kept["records"]).as_py() or 0, pc.sum(kept["quantity_qty"]).as_py() or 0)
        if (total["records"], total["quantity_qty"]) != ended:
            read = f"{total['records']} {total['record_kind']} records with {total['quantity_qty']} units"
            raise TieOutError(f"{read} became {ended[0]} in buckets with {ended[1]}")
