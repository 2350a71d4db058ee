"""What pandas and polars must know to do the same comparison, read off the same rules: plain data, no Arrow, no SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.book import AS_OF, CONNECTORS

if TYPE_CHECKING:
    from benchmarks.book import Book
    from reconlib.rules import Rules

TRAITS = ("source", "vendor_account_id", "vendor_product_id", "unit_class", "unit_state", "attributes")
COLUMNS = ("unit_class", "unit_state")


@dataclass(frozen=True)
class Spec:
    """One count: which records of which source, for the service at which place."""

    service: int
    source: str
    products: frozenset[str]
    where: Mapping[str, list[str]]
    dedupe: bool
    stale_level: int  # a record whose level is this or higher is stale


@dataclass(frozen=True)
class Plan:
    """A book's rules and mappings, as the rivals use them."""

    rules: Rules
    clients: list[str]
    services: list[dict[str, Any]]
    specs: list[Spec]
    stale_before: list[date]  # ascending; a record's level is how many of them it was last seen before
    client_of: dict[tuple[str, str], int]  # mapped accounts

    def fields(self, source: str) -> list[str]:
        """Columns the rules of one source look at."""
        wheres = [spec.where for spec in self.specs if spec.source == source]
        wheres += [ignore.where for ignore in self.rules.ignore if ignore.connector == CONNECTORS[source]]
        named = {name for where in wheres for name in where}
        return [name for name in COLUMNS if name in named] + (["attributes"] if named - set(COLUMNS) else [])

    def keyed(self, source: str) -> list[str]:
        """Products of one source whose units count once."""
        return sorted({product for spec in self.specs if spec.source == source and spec.dedupe for product in spec.products})

    def specs_of(self, record: Mapping[str, str | None]) -> list[int]:
        """Places of the counts that catch records of one source, product, class, state and attributes; none where a rule ignores them."""
        texts = {name: record.get(name) for name in COLUMNS} | json.loads(record.get("attributes") or "{}")
        for ignore in self.rules.ignore:
            if ignore.connector == CONNECTORS[str(record["source"])] and _fits(ignore.where, texts):
                return []
        return [
            place
            for place, spec in enumerate(self.specs)
            if spec.source == record["source"] and record["vendor_product_id"] in spec.products and _fits(spec.where, texts)
        ]


def make_plan(book: Book) -> Plan:
    """The plan of a book."""
    rules = book.rules
    clients = book.table("clients")["client_id"].to_pylist()
    services = book.table("services").to_pylist()
    place = {row["service_code"]: number for number, row in enumerate(services)}
    mapped = {
        (r["source"], r["vendor_product_id"], r["service_code"])
        for r in book.table("product_mapping").to_pylist()
        if r["state"] == "mapped"
    }
    free = {(r["source"], r["vendor_product_id"]) for r in book.table("vendor_products").to_pylist() if r["is_free"]}
    limits = sorted({rules.stale_days, *(c.stale_days for rule in rules.services.values() for c in rule.used if c.stale_days is not None)})
    source_of = {connector: source for source, connector in CONNECTORS.items()}
    specs = []
    for code, rule in rules.services.items():
        for count in rule.used:
            source = source_of[str(count.connector)]
            products = frozenset(p for p in count.products if (source, p, code) in mapped and (source, p) not in free)
            days = rules.stale_days if count.stale_days is None else count.stale_days
            specs.append(Spec(place[code], source, products, count.where, count.dedupe, limits.index(days) + 1))
    number = {client: n for n, client in enumerate(clients)}
    accounts = book.table("account_mapping").select(["source", "vendor_account_id", "client_id", "state"]).to_pylist()
    client_of = {(r["source"], r["vendor_account_id"]): number[r["client_id"]] for r in accounts if r["state"] == "mapped"}
    return Plan(rules, clients, services, specs, [AS_OF - timedelta(days=days) for days in limits], client_of)


def _fits(where: Mapping[str, list[str]], texts: Mapping[str, str | None]) -> bool:
    return all(texts.get(name) in wanted for name, wanted in where.items())
