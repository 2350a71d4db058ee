"""Random books for the laws: every kind of rule, line, record and mapping, from one seed; a book's clients share its rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
from properties.reference_counts import Given

from reconlib.engine import DUCKDB, Engine
from reconlib.period import Period
from reconlib.pipeline import Inputs, Made, run_stages
from reconlib.rules import Rules
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, COUNTS, PRODUCT_MAPPING, SOURCE_STATUS, make_table
from reconlib.settings import parse

Row = dict[str, Any]
AS_OF = date(2026, 10, 31)
# source -> connector, products; the meter reports daily, the others once
SOURCES = {"av": "av", "meter": "meter", "rmm east": "rmm", "rmm west": "rmm", "seller": "seller", "tenant": "tenant"}
SOLD = {
    "av": ["edr", "edr pilot", "free edr"],
    "meter": ["storage", "agent"],
    "rmm east": ["agent", "server agent"],
    "rmm west": ["agent", "server agent"],
    "seller": ["mail", "mail annual", "edr"],
    "tenant": ["mailbox", "mail"],
}
FEEDS = {  # what a product may count for
    "edr": ["EDR"],
    "edr pilot": ["EDR", "PLAIN"],
    "free edr": ["EDR"],
    "storage": ["GB"],
    "agent": ["RMM", "SRV"],
    "server agent": ["SRV", "RMM", "PLAIN"],
    "mail": ["MAIL"],
    "mail annual": ["MAIL", "PLAIN"],
    "mailbox": ["MAIL"],
}
SERVICES = ["CARE", "EDR", "FEE", "GB", "GOLD", "MAIL", "NONE", "PLAIN", "RMM", "SRV"]
QTY = ["0", "1", "1", "1", "2", "3", "5", "8", "13", "0.5", "2.25"]
DAYS = ["2026-01-01", "2026-09-30", "2026-10-01", "2026-10-01", "2026-10-12", "2026-10-31", "2026-11-01", "2026-11-03"]
SEEN = ["2026-10-31", "2026-10-31", "2026-10-20", "2026-10-01", "2026-09-30", "2026-09-16", "2026-01-01"]
PRINTER = "print'er \\n"  # what a vendor may write
CLASSES = ["server", "server", "workstation", PRINTER, "SharedMailbox"]


@dataclass(frozen=True)
class Book:
    """One random month of a few clients."""

    given: Given
    rules: Mapping[str, Any]


def make_book(seed: int, *, clients: int = 4) -> Book:
    """The book of a seed."""
    r = Random(seed)  # noqa: S311 - made-up data, not a secret
    rules = make_rules(r, clients)
    failed = r.choice([None] * 4 + [*SOURCES])
    names = [f"C{number:03d}" for number in range(clients)]
    tables = {name: list[Row]() for name in CANONICAL}
    tables["clients"] = [_client(r, name, number) for number, name in enumerate(names)]
    tables["services"] = [
        {**_named("service", code), "is_active": True, "unit_price": r.choice([None, Decimal("4.00"), Decimal("15.35")]), **_FROM}
        for code in SERVICES
    ]
    for name in names:
        _bill(r, tables, name)
    accounts = []
    for source in SOURCES:
        for product in SOLD[source]:
            tables["vendor_products"].append(
                {"source": source, "vendor_product_id": product, "product_name": f"{product} plan", "sku": f"sku {product}"}
                | {"is_free": product.startswith("free"), "evidence": "e"}
            )
        for owner in [*names, *names[:1], "nobody"]:
            account = f"{source} {owner} {len(accounts)}"
            tables["vendor_accounts"].append({"source": source, "vendor_account_id": account, "account_name": account, "evidence": "e"})
            is_known = owner != "nobody" and r.random() < 0.93
            state = "mapped" if is_known else r.choice(["unmapped", "excluded"])
            accounts.append(
                {
                    "source": source,
                    "vendor_account_id": account,
                    "account_name": account,
                    "state": state,
                    "client_id": owner if is_known else None,
                }
                | {"units_qty": Decimal(0), "evidence": "e", "decided_by": "exact_name" if is_known else None}
            )
            if source != failed:
                _deliver(r, tables, source, account)
    products = [row for source in SOURCES for product in SOLD[source] for row in _links(r, source, product)]
    status = [_status(source, failed=source == failed) for source in SOURCES]
    earlier = [_counts_before(r, names) for _ in range(r.choice([0, 1, 3]))]
    given = Given(tables, accounts, products, status, parse({"version": 1, **rules}, Rules, where="book"), AS_OF, "USD", earlier)
    return Book(sorted_rows(given), rules)


def sorted_rows(given: Given) -> Given:
    """The same month with rows in the order of their tables' keys."""
    tables = {name: make_table(CANONICAL[name], rows).to_pylist() for name, rows in given.tables.items()}
    return replace(
        given,
        tables=tables,
        accounts=make_table(ACCOUNT_MAPPING, given.accounts).to_pylist(),
        products=make_table(PRODUCT_MAPPING, given.products).to_pylist(),
        earlier=[make_table(COUNTS, rows).to_pylist() for rows in given.earlier],
    )


def run_book(given: Given, *, engine: Engine = DUCKDB, shuffle: int | None = None) -> Made:
    """What the stages make of a book; ``shuffle`` gives every table its rows in another order."""
    tables = {name: make_table(CANONICAL[name], rows) for name, rows in given.tables.items()}
    if shuffle is not None:
        order = Random(shuffle)  # noqa: S311 - made-up data, not a secret
        tables = {n: t.take(pa.array(order.sample(range(t.num_rows), t.num_rows), pa.int64())) for n, t in tables.items()}
    return run_stages(
        Inputs(
            book="random",
            period=Period(given.as_of.year, given.as_of.month),
            as_of=given.as_of,
            currency=given.currency,
            tables=tables,
            status=make_table(SOURCE_STATUS, given.status),
            accounts=make_table(ACCOUNT_MAPPING, given.accounts),
            products=make_table(PRODUCT_MAPPING, given.products),
            earlier_counts=tuple(make_table(COUNTS, rows) for rows in given.earlier),
            engine=engine,
        ),
        given.rules,
    )


# --- rules ------------------------------------------------------------------------------------------------------------------------------


def make_rules(r: Random, clients: int) -> Row:
    """Rules of a book, with any of the keys a rule can have."""
    daily = {"source": "meter", "take": r.choice(["last_day", "peak", "average", "any_time", "billing_day"])}
    if daily["take"] == "billing_day":
        daily["billing_day"] = r.choice([12, 31])
    buy = {"source": "seller"}
    services: dict[str, Row] = {
        "EDR": {"used": [_count(r, {"source": "av", "products": ["edr", "sku edr pilot"]})], **r.choice([{}, {"purchased": [buy]}])},
        "RMM": {
            "used": [_count(r, {"connector": "rmm"}, "agent"), *r.choice([[], [_count(r, {"connector": "rmm"}, "server agent plan")]])]
        },
        "SRV": {"used": [_count(r, {"connector": "rmm"}), *r.choice([[], [{"source": "av"}]])]},
        "GB": {"used": [daily]},
        "MAIL": {"used": [_count(r, {"source": "tenant"})], "purchased": [buy], "expect": r.choice(["used", "purchased", "greater"])},
        "FEE": {"basis": "flat"},
        "NONE": {"basis": "none"},
    }
    services["MAIL"]["basis"] = r.choice(["count", "user"])
    services = {code: rule for code, rule in services.items() if r.random() < 0.85}
    for code, anchor, covers in (("CARE", "RMM", {"RMM": 1, "EDR": 2}), ("GOLD", "RMM", {"RMM": "1", "MAIL": "0.5"})):
        if r.random() < 0.45:
            services[code] = {"bundle": {"anchor": anchor, "covers": covers}}
    for code, rule in services.items():
        if rule.get("basis") not in ("flat", "none"):
            _shape(r, rule)
        if "bundle" not in rule and code in ("RMM", "SRV", "EDR") and r.random() < 0.2:
            rule["once"] = True
    taken = [(f"C{n:03d}", code) for n in range(clients) for code in SERVICES if r.random() < 0.12]
    more: Row = {"tolerance": _tolerance(r)} if r.random() < 0.3 else {}
    if r.random() < 0.3:
        more["stale_days"] = r.choice([10, 45])
    if r.random() < 0.4:
        more["own_clients"] = ["C001"]
    return {
        **more,
        "services": services,
        "overrides": [{"client": c, "service": s, "reason": "agreed", "review_by": "2027-01-31", **_exception(r)} for c, s in taken],
        "ignore": [one for one in _IGNORES if r.random() < 0.2],
        "price_outlier": None,
        "unusual": None,
    }


_IGNORES: list[Row] = [
    {"where": {"unit_class": [PRINTER]}, "reason": "in the network fee"},
    {"source": "tenant", "products": ["mail plan"], "reason": "pilot"},
    {"connector": "rmm", "where": {"os name's": ["Linux"]}, "reason": "ours"},
]


def _count(r: Random, base: Row, *products: str) -> Row:
    made = dict(base)
    if products:
        made["products"] = [*products]
    if r.random() < 0.4:
        made["where"] = r.choice(
            [{"unit_class": ["server", "workstation"]}, {"os name's": ["Windows", "Mac"], "unit_class": ["server"]}, {"unit_state": ["on"]}]
        )
    if r.random() < 0.3:
        made["unless"] = r.choice([{"unit_class": [PRINTER]}, {"os name's": ["Linux"], "unit_state": ["off"]}])
    if r.random() < 0.4:
        made["dedupe"] = True
    if r.random() < 0.4:
        made["stale_days"] = r.choice([0, 30, 45])
    return made


def _shape(r: Random, rule: Row) -> None:
    """Everything that stands between a count and a billable number."""
    some = r.random
    if some() < 0.2:
        rule["minimum"] = r.choice(["2", "6"])
    if some() < 0.15:
        rule["maximum"] = r.choice(["6", "9.5"])
    if some() < 0.15:
        rule["included"] = r.choice(["1", "2"])
    if some() < 0.25:
        rule["tolerance"] = _tolerance(r)
    if "bundle" not in rule:
        if some() < 0.4:
            rule["rounding"] = {"to": r.choice(["up", "down", "nearest"]), "block": r.choice(["1", "5", "0.5"])}
        if some() < 0.2:
            rule["high_water_since"] = r.choice(["2026-08-15", "2026-09-01", "2026-10-01"])
        if some() < 0.15:
            rule["period_offset"] = -1
    if some() < 0.25:
        rule["price"] = r.choice([price for price in _PRICES if "included" not in rule or price["model"] != "overage"])


_STEPS = [{"up_to": 3, "price": "2.00"}, {"up_to": "7.5", "price": "1.255"}, {"price": "0.50"}]
_PRICES: list[Row] = [
    {"model": "tiered", "tiers": _STEPS},
    {"model": "volume", "tiers": _STEPS, "minimum": "3"},
    {"model": "flat", "price": "99"},
    {"model": "per_unit", "price": "3.335"},
    {"model": "overage", "price": "10", "included": "4", "over_price": "0.125"},
]


def _tolerance(r: Random) -> Row:
    return {
        "units": r.choice(["0", "0.5", "1", "2"]),
        "percent": r.choice(["0", "0", "10", "33.3"]),
        "side": r.choice(["both", "over", "under"]),
    }


def _exception(r: Random) -> Row:
    return r.choice(
        [
            *({"exclude_units": "2"}, {"count": "4"}, {"minimum": "4"}, {"maximum": "3"}, {"included": "1"}),
            *({"ignore": True}, {"not_resold": True}, {"exclude_units": "1", "minimum": "1", "maximum": "9"}),
        ]
    )


# --- rows -------------------------------------------------------------------------------------------------------------------------------

_FROM = {"source": "psa", "evidence": "psa/1"}


def _named(side: str, name: str) -> Row:
    return {f"{side}_id": name, f"{side}_code": name, f"{side}_name": f"{name} name"}


def _client(r: Random, name: str, number: int) -> Row:
    odd = r.random() if number > 1 else 1
    currency = r.choice([None, None, "USD", "EUR", "JPY"])
    return {**_named("client", name), "is_deleted": odd < 0.08, "is_billable": odd > 0.16, "currency": currency, **_FROM}


def _day(r: Random, chance: float) -> date | None:
    return date.fromisoformat(r.choice(DAYS)) if r.random() < chance else None


def _bill(r: Random, tables: dict[str, list[Row]], client: str) -> None:
    agreements = [f"{client} A{number}" for number in range(r.choice([1, 1, 2]))]
    for name in agreements:
        tables["agreements"].append(
            {
                "agreement_id": name,
                "agreement_name": name,
                "client_id": client,
                **_FROM,
                "start_date": _day(r, 0.1),
                "end_date": _day(r, 0.1),
                "cancelled_date": _day(r, 0.05),
                "status": r.choice(["Active"] * 12 + ["Cancelled", "expired"]),
                "cycle_months": r.choice([1, 1, 1, 1, 3, 12, None]),
                "currency": r.choice([None] * 8 + ["EUR"]),
            }
        )
    for _ in range(r.randrange(3, 12)):
        tables["agreement_lines"].append(
            {
                "agreement_line_id": str(len(tables["agreement_lines"]) + 90),
                "agreement_id": r.choice(agreements),
                "client_id": client,
                "service_id": r.choice(SERVICES),
                "quantity_qty": Decimal(r.choice(QTY)),
                **_FROM,
                "included_qty": Decimal(r.choice(["0", "0", "0", "2"])),
                "unit_price": r.choice([None, *map(Decimal, ["10.00", "10.00", "10.00", "12.355", "-5.00"])]),
                "unit_cost": r.choice([None, Decimal("7.00")]),
                "billable": r.choice(["billable"] * 5 + ["do_not_bill", "no_charge"]),
                "effective_date": _day(r, 0.3),
                "cancelled_date": _day(r, 0.2),
            }
        )


def _deliver(r: Random, tables: dict[str, list[Row]], source: str, account: str) -> None:
    place = {"source": source, "vendor_account_id": account}
    if source == "seller":
        for _ in range(r.randrange(5)):
            tables["purchases"].append(
                {
                    **place,
                    "purchase_id": f"b{len(tables['purchases'])}",
                    "vendor_product_id": r.choice(SOLD[source]),
                    "quantity_qty": Decimal(r.choice(QTY)),
                    "is_active": r.random() < 0.9,
                    "is_free": r.random() < 0.1,
                    "start_date": _day(r, 0.4),
                    "commitment_end_date": _day(r, 0.5),
                    "unit_cost": r.choice([None, *map(Decimal, ["2.50", "2.50", "8.123456"])]),
                    "currency": r.choice(["USD", "USD", "USD", "CAD", None]),
                    "evidence": "e",
                }
            )
        return
    for _ in range(r.randrange(9)):
        is_daily = source == "meter"
        first = AS_OF - timedelta(days=r.choice([-1, 0, 0, 1, 2, 19, 30, 31])) if is_daily else None
        unit = {
            "vendor_product_id": r.choice(SOLD[source]),
            "unit_key": r.choice(["S1", "S2", "S3"] if is_daily else ["S1", "S1", "S2", None]),
            "unit_class": r.choice([*CLASSES, None]),
            "unit_state": r.choice(["on", "on", "off", None]),
            "attributes": r.choice(
                [None, *(json.dumps({"os name's": name, "x": "1"}) for name in ("Windows", "Mac", "Linux")), '{"x": "2"}']
            ),
            "created_date": _day(r, 0.3),
            "last_seen_date": date.fromisoformat(r.choice(SEEN)) if r.random() < 0.7 else None,
        }
        for back in range(r.choice([1, 3]) if is_daily else 1):
            tables["usage_records"].append(
                {
                    **place,
                    **unit,
                    "usage_record_id": f"u{len(tables['usage_records'])}",
                    "quantity_qty": Decimal(r.choice(QTY)),
                    "usage_date": first - timedelta(days=back) if first else None,
                    "evidence": "e",
                }
            )


def _links(r: Random, source: str, product: str) -> list[Row]:
    row: Row = {
        "source": source,
        "vendor_product_id": product,
        "product_name": f"{product} plan",
        "sku": f"sku {product}",
        "units_qty": Decimal(0),
    }
    row["evidence"] = "e"
    if r.random() < 0.08:
        return [row | {"state": r.choice(["unmapped", "excluded"])}]
    feeds = FEEDS[product]
    chosen = feeds if r.random() < 0.5 else [r.choice(feeds)]
    return [row | {"state": "mapped", "service_id": s, "service_code": s, "decided_by": "decision"} for s in chosen]


def _status(source: str, *, failed: bool) -> Row:
    at = None if failed else datetime(2026, 11, 1, 6, tzinfo=UTC)
    return {
        "source": source,
        "connector": SOURCES[source],
        "status": "failed" if failed else "complete",
        "as_of_at": at,
        "snapshot_id": None if failed else "0" * 12,
        "pages": 1,
        "records": 1,
        "rejects": 0,
        "exit_code": 4 if failed else 0,
    }


def _counts_before(r: Random, clients: list[str]) -> list[Row]:
    rows = []
    for client in clients:
        for service in ("EDR", "RMM", "SRV", "GB", "MAIL"):
            for measure, source in (("used", "av"), ("used", "rmm east"), ("purchased", "seller")):
                if r.random() < 0.4:
                    continue
                known, none = r.random() < 0.9, Decimal(0)
                rows.append(
                    {
                        "client_id": client,
                        "service_id": service,
                        "measure": measure,
                        "source": source,
                        "is_known": known,
                        "quantity_qty": Decimal(r.choice(QTY)) if known else None,
                        "take": "last_day",
                        "records": 1,
                        "duplicate_qty": none,
                        "stale_qty": none,
                        "later_qty": none,
                        "committed_qty": none if known else None,
                    }
                )
    return rows
