"""The naive reference of counting: every record looked at by itself, for every service, in plain loops."""

from __future__ import annotations

import json
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from reconlib.rules import Count, Rules, ServiceRule

Row = dict[str, Any]
Key = tuple[Any, ...]
ZERO = Decimal(0)
SHARED = ["shared", "shared_mailbox", "SharedMailbox", "room", "RoomMailbox", "equipment", "EquipmentMailbox"]  # no users (T48)


@dataclass
class Given:
    """A month as rows: canonical tables by name, mappings, statuses, counts of earlier months (newest first)."""

    tables: dict[str, list[Row]]
    accounts: list[Row]
    products: list[Row]
    status: list[Row]
    rules: Rules
    as_of: date
    currency: str = "USD"
    earlier: list[list[Row]] = field(default_factory=list)


@dataclass
class Spec:
    """One count of one service, read from one source."""

    number: int
    service: str
    measure: str
    source: str
    count: Count
    rule: str
    products: set[str]
    where: dict[str, list[str]]
    unless: dict[str, list[str]]
    stale_days: int
    once: bool
    dedupe: bool


def specs_of(given: Given) -> list[Spec]:
    """Every count of every service; a service no rule counts is counted by what is mapped to it, from the sources that list any of it."""
    rules, found = given.rules, []
    seen = {"used": {r["source"] for r in given.tables["usage_records"]}, "purchased": {r["source"] for r in given.tables["purchases"]}}
    for service in given.tables["services"]:
        rule = rules.services.get(service["service_code"], ServiceRule())
        if rule.basis in ("flat", "none", "cloud"):
            continue
        is_ruled = bool(rule.used or rule.purchased)
        for measure in ("used", "purchased"):
            counts = getattr(rule, measure) if is_ruled else [Count()]
            for number, one in enumerate(counts):
                for status in sorted(given.status, key=lambda row: row["source"]):
                    source = status["source"]
                    if one.source not in (None, source) or one.connector not in (None, status["connector"]):
                        continue
                    if not is_ruled and source not in seen[measure] and status["status"] == "complete":
                        continue
                    ids = _counted_products(given, one, source, service["service_id"])
                    unless = dict(one.unless)
                    if rule.basis == "user" and "unit_class" not in one.where and "unit_class" not in one.unless:
                        unless["unit_class"] = SHARED
                    found.append(
                        Spec(
                            len(found),
                            service["service_id"],
                            measure,
                            source,
                            one,
                            f"services.{service['service_code']}.{measure}.{number}",
                            ids,
                            dict(one.where),
                            unless,
                            rules.stale_days if one.stale_days is None else one.stale_days,
                            rule.once,
                            measure == "used" and (one.dedupe or rule.once or one.take == "any_time"),
                        )
                    )
    return found


def _counted_products(given: Given, one: Count, source: str, service: str) -> set[str]:
    products = {p["vendor_product_id"]: p for p in given.tables["vendor_products"] if p["source"] == source}
    ids = set()
    for mapping in given.products:
        product = products.get(mapping["vendor_product_id"], {})
        names = {mapping["vendor_product_id"], product.get("sku"), product.get("product_name")}
        is_mapped = (mapping["source"], mapping["state"], mapping["service_id"]) == (source, "mapped", service)
        if is_mapped and (not one.products or names & set(one.products)):
            ids.add(mapping["vendor_product_id"])
    return ids


def value(record: Row, name: str) -> Any:
    """A field of a record: a column, or one of the vendor's own."""
    return record[name] if name in ("unit_name", "unit_key", "unit_class", "unit_state") else (record["attributes"] or {}).get(name)


def passes(record: Row, where: Mapping[str, list[str]], unless: Mapping[str, list[str]]) -> bool:
    """Whether every field of ``where`` has one of its values, and no field of ``unless`` has."""
    return all(value(record, f) in wanted for f, wanted in where.items()) and not any(value(record, f) in u for f, u in unless.items())


def count_records(given: Given) -> tuple[dict[Key, Row], dict[Key, tuple[int, Decimal]]]:
    """Counts a client, service, measure and source; and where every record ended."""
    specs, as_of, start = specs_of(given), given.as_of, given.as_of.replace(day=1)
    complete = {row["source"] for row in given.status if row["status"] == "complete"}
    accounts = {(row["source"], row["vendor_account_id"]): row for row in given.accounts}
    states, asked = _states(given), _conditions(given, specs)
    records = [_usage(r, as_of) for r in given.tables["usage_records"]] + [_purchase(r, as_of) for r in given.tables["purchases"]]
    days: dict[str, set[date]] = defaultdict(set)
    for r in records:
        if r["day"] is not None and r["day"] >= start and not r["is_later"]:
            days[r["source"]].add(r["day"])

    spoken: set[Key] = set()
    for r in records:
        account, state = accounts[r["source"], r["account"]], states[r["source"], r["product"]]
        r["client"] = account["client_id"] if account["state"] == "mapped" else None
        r["ignored"] = _ignored(r, given)
        r["bits"] = [
            r["kind"] == "usage" and passes(r, *condition) and _is_asked(r["source"], condition, specs, given) for condition in asked
        ]
        caught = _caught(r, specs)
        if "free" not in state and r["ignored"] is None:
            spoken |= {(service, r["measure"], r["source"]) for service in caught}
        r["bucket"] = _bucket(r, account["state"], state)
        takes_part = r["bucket"] not in ("free", "inactive", "ignored") and r["client"] is not None
        r["fates"] = {s: [spec, _fate(r, spec, start, as_of, days)] for s, spec in caught.items()} if takes_part else {}
    _mark_duplicates(records)
    return _tally(given, records, specs, spoken, complete, days), _bucketed(records)


def _states(given: Given) -> dict[Key, set[str]]:
    """States of each product; ``free`` beside them."""
    states: dict[Key, set[str]] = defaultdict(set)
    for mapping in given.products:
        states[mapping["source"], mapping["vendor_product_id"]].add(mapping["state"])
    for product in given.tables["vendor_products"]:
        if product["is_free"]:
            states[product["source"], product["vendor_product_id"]].add("free")
    return states


def _conditions(given: Given, specs: list[Spec]) -> list[Key]:
    """Different conditions in the order rules ask them: they tell twins apart that are alike in all else."""
    asked = [(spec.where, spec.unless) for spec in specs if spec.where or spec.unless]
    asked += [(ignore.where, {}) for ignore in given.rules.ignore if ignore.where]
    return [condition for number, condition in enumerate(asked) if condition not in asked[:number]]


def _caught(r: Row, specs: list[Spec]) -> dict[str, Spec]:
    """The first count of each service that counts this record (T27)."""
    caught: dict[str, Spec] = {}
    for spec in specs:
        is_it = (spec.source, spec.measure) == (r["source"], r["measure"]) and r["product"] in spec.products
        if is_it and spec.service not in caught and (r["kind"] == "purchase" or passes(r, spec.where, spec.unless)):
            caught[spec.service] = spec
    return caught


def _bucket(r: Row, account: str, product: set[str]) -> str:
    """Where a record ends that is counted for nothing."""
    words = {
        "free": r["is_free"] or "free" in product,
        "inactive": not r["is_active"],
        "ignored": r["ignored"] is not None,
        "excluded": account == "excluded" or "excluded" in product,
        "after_as_of": r["is_later"],
        "unmapped_account": account != "mapped",
        "unmapped_service": "mapped" not in product,
    }
    return next((word for word, holds in words.items() if holds), "unaccounted")


def _usage(r: Row, as_of: date) -> Row:
    later = any(day is not None and day > as_of for day in (r["created_date"], r["usage_date"]))
    attributes = json.loads(r["attributes"]) if r["attributes"] else {}
    return {
        **r,
        "kind": "usage",
        "measure": "used",
        "account": r["vendor_account_id"],
        "product": r["vendor_product_id"],
        "qty": r["quantity_qty"],
        "day": r["usage_date"],
        "is_later": later,
        "is_active": True,
        "is_free": False,
        "is_committed": False,
        "commitment_end_date": None,
        "unit_cost": None,
        "currency": None,
        "attributes": attributes,
    }


def _purchase(r: Row, as_of: date) -> Row:
    end = r["commitment_end_date"]
    return {
        **r,
        "kind": "purchase",
        "measure": "purchased",
        "account": r["vendor_account_id"],
        "product": r["vendor_product_id"],
        "qty": r["quantity_qty"],
        "day": None,
        "is_later": r["start_date"] is not None and r["start_date"] > as_of,
        "is_committed": end is not None and end >= as_of,
        "unit_key": None,
        "last_seen_date": None,
    }


def _ignored(r: Row, given: Given) -> str | None:
    products = {(p["source"], p["vendor_product_id"]): p for p in given.tables["vendor_products"]}
    connectors = {row["source"]: row["connector"] for row in given.status}
    product = products[r["source"], r["product"]]
    found = []
    for number, rule in enumerate(given.rules.ignore):
        if rule.source not in (None, r["source"]) or rule.connector not in (None, connectors[r["source"]]):
            continue
        if rule.products and not {r["product"], product["sku"], product["product_name"]} & set(rule.products):
            continue
        if rule.where and (r["kind"] == "purchase" or not passes(r, rule.where, {})):
            continue  # a purchase has no fields
        found.append(f"ignore.{number}: {rule.reason}")
    return min(found, default=None)


def _is_asked(source: str, condition: Key, specs: list[Spec], given: Given) -> bool:
    connectors = {row["source"]: row["connector"] for row in given.status}
    of_counts = any(spec.source == source and (spec.where, spec.unless) == condition for spec in specs)
    return of_counts or any(
        (rule.where, {}) == condition and rule.source in (None, source) and rule.connector in (None, connectors[source])
        for rule in given.rules.ignore
    )


def _fate(r: Row, spec: Spec, start: date, as_of: date, days: Mapping[str, set[date]]) -> str:
    if r["is_later"]:
        return "after_as_of"
    if r["day"] is not None and r["day"] < start:
        return "other_day"
    if r["last_seen_date"] is not None and r["last_seen_date"] < as_of - timedelta(days=spec.stale_days):
        return "stale"
    if r["day"] is None:
        return "counted"
    if spec.count.take == "last_day" and r["day"] != max(days[r["source"]]):
        return "other_day"
    if spec.count.take == "billing_day" and spec.count.billing_day is not None:
        wanted = min(spec.count.billing_day, monthrange(as_of.year, as_of.month)[1])
        return "counted" if r["day"] == as_of.replace(day=wanted) else "other_day"
    return "counted"


def _newest_first(day: date | None) -> tuple[bool, int]:
    return (day is None, 0 if day is None else -day.toordinal())


def _mark_duplicates(records: list[Row]) -> None:
    """Twins of one key inside a client and service: the most recently seen stays, then the newest, the larger, the first (T61, T62)."""
    groups: dict[Key, list[Row]] = defaultdict(list)
    for r in records:
        for service, (spec, fate) in r["fates"].items():
            if spec.dedupe and fate == "counted" and r["unit_key"] is not None:
                scope = "" if spec.once else r["source"]
                day = None if spec.count.take == "any_time" else r["day"]
                groups[r["client"], service, scope, r["unit_key"], day].append(r)
    for (_, service, *_), twins in groups.items():
        twins.sort(
            key=lambda r: (
                *(_newest_first(r["last_seen_date"]), _newest_first(r["created_date"]), -r["qty"], r["source"], r["account"], r["product"]),
                [*reversed(r["bits"])],
                (r["day"] is None, r["day"] or date.min),
            )
        )
        for r in twins[1:]:
            r["fates"][service][1] = "duplicate"


def _tally(
    given: Given, records: list[Row], specs: list[Spec], spoken: set[Key], complete: set[str], days: Mapping[str, set[date]]
) -> dict[Key, Row]:
    clients: dict[str, set[str]] = defaultdict(set)
    for account in given.accounts:
        if account["state"] == "mapped":
            clients[account["source"]].add(account["client_id"])
    failing = {(spec.service, spec.measure) for spec in specs if spec.source not in complete}
    behind: dict[Key, list[Key]] = defaultdict(list)
    for r in records:
        for service, (spec, fate) in r["fates"].items():
            behind[r["client"], service, r["measure"], r["source"]].append((r, spec, fate))
    counts = {}
    for service, measure, source in spoken:
        for client in clients[source] if source in complete else ():
            parts = behind[client, service, measure, source]
            counted = [r for r, _, fate in parts if fate == "counted"]
            also = [r for r, _, fate in parts if fate in ("counted", "duplicate")]
            take = parts[0][1].count.take if parts else "last_day"
            committed = [r for r in also if r["is_committed"]]
            costs, money = {r["unit_cost"] for r in also}, {r["currency"] for r in also} - {None}
            known = (service, measure) not in failing
            by_day: dict[Any, Decimal] = defaultdict(Decimal)
            for r in counted:
                by_day[r["day"]] += r["qty"]
            qty = max(by_day.values(), default=ZERO) if take == "peak" else sum(by_day.values(), ZERO)
            on = len(days[source]) if days[source] and parts else None
            if take == "average" and on:
                qty = (qty / on).quantize(Decimal("0.000001"), ROUND_HALF_UP)
            counts[client, service, measure, source] = {
                "is_known": known,
                "quantity_qty": qty if known else None,
                "take": take,
                "days": on,
                "records": len(counted),
                "duplicate_qty": total_of(r["qty"] for r, _, fate in parts if fate == "duplicate"),
                "stale_qty": total_of(r["qty"] for r, _, fate in parts if fate == "stale"),
                "later_qty": total_of(r["qty"] for r, _, fate in parts if fate == "after_as_of"),
                "committed_qty": total_of(r["qty"] for r in committed) if known else None,
                "commitment_end_date": min((r["commitment_end_date"] for r in committed), default=None),
                "unit_cost": next(iter(costs)) if len(costs) == 1 else None,
                "currency": None if not money else next(iter(money)) if len(money) == 1 else "XXX",
            }
    return counts


def total_of(quantities: Iterable[Decimal]) -> Decimal:
    """The sum, zero of nothing."""
    return sum(quantities, ZERO)


ORDER = ["counted", "stale", "other_day", "after_as_of"]


def _bucketed(records: list[Row]) -> dict[Key, tuple[int, Decimal]]:
    found: dict[Key, tuple[int, Decimal]] = {}
    for r in records:
        bucket, service, rule = r["bucket"], None, r["ignored"]
        if r["fates"]:
            best = min((ORDER.index("counted" if f == "duplicate" else f), s) for s, (_, f) in r["fates"].items())
            service = best[1]
            rule = r["fates"][service][0].rule
            fates = {fate for _, fate in r["fates"].values()}
            bucket = "counted" if "counted" in fates else "duplicate" if "duplicate" in fates else ORDER[best[0]]
        key = (r["source"], r["kind"], r["account"], r["product"], bucket, r["client"], service, rule)
        before = found.get(key, (0, ZERO))
        found[key] = (before[0] + 1, before[1] + r["qty"])
    return found
