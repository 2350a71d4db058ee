"""The rules' counts as rows that counting.sql joins: one a count and source, with the products it reads and the conditions it asks."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib.engine import input_table
from reconlib.errors import SettingsError, nearest
from reconlib.mapping import names_product, reads_source
from reconlib.product_overrides import moved_products
from reconlib.rules import Count, Ignore, Rules, ServiceRule
from reconlib.traits import Condition

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
BY_MAPPING = ServiceRule(used=[Count()], purchased=[Count()])  # a service no rule names: whatever is mapped to it
MAX_WHERES = 62  # bits of a whole number that hold which conditions a record passes
NEVER_STALE = 10_000  # rank no record reaches


@dataclass(slots=True)
class CountPlan:
    """Rules laid out as rows the SQL can join."""

    as_of: date
    specs: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    ignores: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)  # products that count for another service at one client
    conditions: list[Condition] = field(default_factory=list)
    asked: dict[str, set[int]] = field(default_factory=dict)  # source -> conditions its records are asked
    stale_days: list[int] = field(default_factory=list)  # ascending

    def tables(self) -> dict[str, pa.Table]:
        """The rows by the names counting.sql calls them."""
        texts = "service_id measure source key_scope take rule only_client"
        whole = "spec_id where_bits stale_rank"
        return {
            "count_specs": input_table(texts, self.specs, whole=whole, flags="dedupe is_ruled", dates="billing_date"),
            "spec_products": input_table("vendor_product_id", self.products, whole="spec_id"),
            "ignores": input_table("source vendor_product_id rule", self.ignores, whole="where_bits"),
            "moved": input_table("client_id source vendor_product_id", self.moved),
        }

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


def plan_counts(
    rules: Rules,
    tables: Mapping[str, pa.Table | Path],
    products: pa.Table,
    status: pa.Table,
    as_of: date,
    given: Mapping[str, frozenset[str]],
) -> CountPlan:
    """``given`` says which sources list records of a measure."""
    connectors = {row["source"]: row["connector"] for row in status.to_pylist()}
    complete = {row["source"] for row in status.to_pylist() if row["status"] == "complete"}
    plan = CountPlan(as_of, asked={source: set() for source in connectors})
    counts = [count for rule in rules.services.values() for count in rule.used]
    plan.stale_days = sorted({rules.stale_days, *(count.stale_days for count in counts if count.stale_days is not None)})
    services = small_table(tables, "services").to_pylist()
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
        _add_ignore(plan, number, ignore, rules, small_table(tables, "vendor_products").to_pylist(), connectors)
    _refuse_too_many(plan, rules)
    return plan


def _refuse_unknown(rules: Rules, codes: set[str]) -> None:
    for code in rules.services:
        if code not in codes:
            raise SettingsError(
                f"no service {code!r} in the PSA catalogue", where=rules.where(f"services.{code}"), hint=nearest(code, codes)
            )


def _refuse_too_many(plan: CountPlan, rules: Rules) -> None:
    if len(plan.conditions) > MAX_WHERES:
        key = plan.conditions[MAX_WHERES].key
        hint = "give counts that mean the same the same where, word for word"
        raise SettingsError(f"more than {MAX_WHERES} different where and unless", where=rules.where(key), hint=hint)


def _add_ignore(plan: CountPlan, number: int, ignore: Ignore, rules: Rules, products: list[Row], connectors: Mapping[str, str]) -> None:
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
    plan: CountPlan, count: Count, rule: ServiceRule, spec: Row, rules: Rules, mapped: list[Row], connectors: Mapping[str, str]
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


def _add_moved(plan: CountPlan, rules: Rules, tables: Mapping[str, pa.Table | Path], connectors: Mapping[str, str]) -> None:
    """A count of its own for each product a client's exception moves: days, twins and staleness as its service takes them there."""
    if not rules.product_overrides:
        return
    for number, one in enumerate(rules.product_overrides):
        _sources(Count(source=one.source), connectors, rules.where(f"product_overrides.{number}.source"))
    small = {name: small_table(tables, name) for name in ("clients", "services", "vendor_products")}
    codes = {row["service_id"]: row["service_code"] for row in small["services"].to_pylist()}
    own = list(plan.specs)
    for moved in moved_products(rules, small):
        plan.moved += [dict(zip(("client_id", "source", "vendor_product_id"), place, strict=True)) for place in moved.places()]
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


def _plain_spec(plan: CountPlan, rule: ServiceRule, rules: Rules, measure: str, source: str) -> Row:
    """How a service counts a source its own rule does not read."""
    return {
        "stale_rank": plan.stale_days.index(rules.stale_days) + 1 if measure == "used" else NEVER_STALE,
        "dedupe": measure == "used" and rule.once,
        "key_scope": "" if rule.once else source,
        "take": "last_day",
        "billing_date": None,
    }


def _refuse_two_takes(plan: CountPlan, count: Count, spec: Row, sources: list[str], rules: Rules) -> None:
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


def list_pairs(rules: Rules, services: pa.Table) -> pa.Table:
    """Services whose devices should be the same: service_id, other_id, reason."""
    ids = {row["service_code"]: row["service_id"] for row in services.to_pylist()}
    rows = []
    for number, pair in enumerate(rules.together):
        for code in pair.services:
            if code not in ids:
                where = rules.where(f"together.{number}.services")
                raise SettingsError(f"no service {code!r} in the PSA catalogue", where=where, hint=nearest(code, ids))
        one, other = pair.services
        rows.append({"service_id": ids[one], "other_id": ids[other], "reason": pair.reason})
    return input_table("service_id other_id reason", rows)


def small_table(tables: Mapping[str, pa.Table | Path], name: str) -> pa.Table:
    """A canonical table in memory."""
    import pyarrow.parquet as pq

    table = tables[name]
    return pq.ParquetFile(table).read() if isinstance(table, Path) else table
