"""The audit of a month's vendor charges: every line, every invoice, every subscription, and who pays for it (T6, T19, T70–T101).

Pure: tables in, one table out. Lines that only say what was used are read in pieces and never kept; seats are worked out a subscription
at a time, so memory follows the number of subscriptions and not the length of an invoice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from reconlib.errors import TieOutError
from reconlib.invoices.arithmetic import DIGITS, check_line
from reconlib.invoices.charge_types import charge_kind
from reconlib.invoices.doubles import Double, find_plan_overlaps, find_repeats
from reconlib.invoices.heads import Sums, check_heads
from reconlib.invoices.lines import KEPT, SHOWN, Tally, line_key, line_row, unknown_types
from reconlib.invoices.subscriptions import charged_seats
from reconlib.invoices.three_way import compare_cost, compare_seats
from reconlib.invoices.unbilled import Spend, check_billed, check_mapped
from reconlib.money import format_amount
from reconlib.product_overrides import Moved, moved_products
from reconlib.rules import Rules
from reconlib.schema import VENDOR_AUDIT, make_table

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
PIECE = 20_000  # lines held at once
_HEAD = ["source", "invoice_id", "amount", "tax_amount", "currency"]


def audit_charges(
    tables: Mapping[str, pa.Table],
    cells: pa.Table,
    accounts: pa.Table,
    products: pa.Table,
    rules: Rules,
    *,
    as_of: date,
) -> pa.Table:
    """One row a thing of the vendors' charges that was checked: VENDOR_AUDIT. No vendor charges, no rows.

    Args:
        tables: canonical; ``vendor_charges``, ``vendor_invoices``, ``purchases``, ``vendor_products`` are read.
        cells: the comparison.
        accounts: account_mapping.
        products: product_mapping.
        rules: ``invoice_tolerance`` is the money an invoice's lines may differ from its head, in its currency; above it none of them is
            audited (T6). ``own_clients`` are the MSP itself, billed to nobody (T55). What of a ``cloud`` service is not billed is found
            with its markup, not here.
        as_of: the day seats are compared on.

    Raises:
        TieOutError: a line was lost or looked at twice.
    """
    charges = tables["vendor_charges"]
    names = ["client_id", "client_code", "is_deleted", "is_billable"]
    clients = list(_rows(tables["clients"], names))
    own = {r["client_id"] for r in clients if not {r["client_id"], r["client_code"]}.isdisjoint(rules.own_clients)}
    gone = {r["client_id"] for r in clients if r["is_deleted"] or not r["is_billable"]}
    heads = check_heads(tables["vendor_invoices"].to_pylist(), _sums(charges), rules.invoice_tolerance)
    stopped = {key for head in heads if head["status"] == "stopped" for key in head["ids"]}
    place = _Places(accounts, products, moved_products(rules, tables))
    tallies, kept, spends, unknown, touched = _read(charges, stopped)
    audited = {group: [row for row in rows if (row["source"], row["invoice_id"]) not in stopped] for group, rows in kept.items()}
    for rows in audited.values():
        for row in rows:
            tallies[line_key(row)].add(row, check_line(row, rows))
    made = [place.of({"check": "invoice_sum", **{k: v for k, v in head.items() if k != "ids"}}) for head in heads]
    made += [place.of(line_row(key, tally, is_stopped=(key[0], key[1]) in stopped)) for key, tally in tallies.items()]
    doubles = _doubles(audited, tables["vendor_products"])
    made += [place.of(row) for row in _double_rows(doubles)]
    again = {(d.line["source"], d.line["charge_id"]) for d in doubles}
    once = {key: [row for row in rows if (row["source"], row["charge_id"]) not in again] for key, rows in kept.items()}
    charged = list(charged_seats(once, as_of=as_of, touched=touched, clients=place.clients, services=place.services))
    bought = [p for p in _bought(tables["purchases"], as_of) if (p["source"], p["vendor_account_id"]) not in place.excluded]
    seen = [c for c in charged if (c.source, c.account) not in place.excluded]
    made += [place.of(row) for row in compare_seats(seen, bought, services=place.services, clients=place.clients)]
    made += [place.of(cost) for one in seen if (cost := compare_cost(one))]
    made += [place.of(row) for row in check_mapped(spends, accounts, products)]
    made += [place.of(row) for row in check_billed(spends, made, place, _states(cells), own, gone, _said_elsewhere(tables, rules))]
    made += [place.of(row) for row in unknown_types(unknown)]
    _tie_out(charges, made)
    return make_table(VENDOR_AUDIT, (_finished(row) for row in made))


@dataclass(slots=True)
class _Places:
    """Client and service of every account and product, by the mapping."""

    clients: dict[tuple[str, str], str]
    services: dict[tuple[str, str], frozenset[str]]
    excluded: set[tuple[str, str]]
    names: dict[str, str]
    moved: dict[tuple[str, str, str], str]  # client, source, product -> the service a client's exception names

    def __init__(self, accounts: pa.Table, products: pa.Table, moved: Sequence[Moved]) -> None:
        self.clients, self.excluded, self.names, self.services = {}, set(), {}, {}
        for row in accounts.to_pylist():
            key = row["source"], row["vendor_account_id"]
            if row["state"] == "mapped":
                self.clients[key] = row["client_id"]
                self.names[row["client_id"]] = row["client_name"]
            elif row["state"] == "excluded":
                self.excluded.add(key)
        for row in products.to_pylist():
            if row["state"] == "mapped":
                key = row["source"], row["vendor_product_id"]
                self.services[key] = self.services.get(key, frozenset()) | {row["service_id"]}
                self.names[row["service_id"]] = row["service_name"]
        self.moved = {place: one.service_id for one in moved for place in one.places()}
        self.names |= {one.service_id: one.service_name for one in moved}

    def of(self, row: Row) -> Row:
        """The row with its client and service."""
        client = self.clients.get((row["source"], row.get("vendor_account_id") or ""))
        service = min(self.services_of(client, row["source"], row.get("vendor_product_id") or ""), default=None)
        return {
            **row,
            "client_id": client,
            "client_name": self.names.get(client or ""),
            "service_id": service,
            "service_name": self.names.get(service or ""),
        }

    def services_of(self, client: str | None, source: str, product: str) -> frozenset[str]:
        """Services a product counts for at a client."""
        moved = self.moved.get((client or "", source, product))
        return frozenset({moved}) if moved else self.services.get((source, product), frozenset())


def _rows(table: pa.Table, columns: Sequence[str] | None = None) -> Iterator[Row]:
    for batch in (table.select(columns) if columns else table).to_batches(max_chunksize=PIECE):
        yield from batch.to_pylist()


def _sums(charges: pa.Table) -> dict[tuple[str, str], Sums]:
    found: dict[tuple[str, str], Sums] = {}
    for row in _rows(charges, _HEAD):
        if row["invoice_id"] is not None:
            found.setdefault((row["source"], row["invoice_id"]), Sums()).add(row)
    return found


Group = tuple[str, str, str | None, str]  # source, account, subscription, product


def _read(
    charges: pa.Table, stopped: Collection[tuple[str, str]]
) -> tuple[dict[Any, Tally], dict[Group, list[Row]], dict[Any, Spend], dict[Any, list[Row]], set[tuple[str, str | None]]]:
    """Every line once: tallied at once, or kept with its subscription where a line alone does not say enough."""
    tallies: dict[Any, Tally] = {}
    kept: dict[Group, list[Row]] = {}
    spends: dict[Any, Spend] = {}
    unknown: dict[Any, list[Row]] = {}
    touched: set[tuple[str, str | None]] = set()
    for row in _rows(charges):
        kind = charge_kind(row)
        tally = tallies.setdefault(line_key(row), Tally())
        spend_key = row["source"], row["vendor_account_id"], row["vendor_product_id"], row["currency"]
        spends.setdefault(spend_key, Spend()).add(row, kind)
        if kind == "unknown":
            unknown.setdefault((row["source"], row["currency"]), []).append({n: row[n] for n in ("charge_type", "amount", "evidence")})
        is_stopped = (row["source"], row["invoice_id"]) in stopped
        if is_stopped:
            tally.add(row, None)
            touched.add((row["source"], row["subscription_id"]))
        if kind in ("start", "change"):
            group = row["source"], row["vendor_account_id"], row["subscription_id"], row["vendor_product_id"]
            kept.setdefault(group, []).append(row)
        elif not is_stopped:
            tally.add(row, check_line(row))
    for rows in kept.values():
        rows.sort(key=lambda row: row["charge_id"])  # whatever order the file had
    return tallies, kept, spends, unknown, touched


def _doubles(kept: Mapping[Group, Sequence[Row]], products: pa.Table) -> list[Double]:
    bare = {(r["source"], r["vendor_product_id"]): r["sku"] or r["product_name"] for r in products.to_pylist()}
    found = []
    side: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for (source, account, subscription, product), rows in sorted(kept.items(), key=lambda item: tuple(part or "" for part in item[0])):
        if subscription is not None:
            found += find_repeats(rows)
            same = side.setdefault((source, account, bare.get((source, product), product)), {})
            same.setdefault(subscription, []).extend(rows)
    for subscriptions in side.values():
        if len(subscriptions) > 1:
            found += find_plan_overlaps(subscriptions)
    return found


def _double_rows(doubles: Sequence[Double]) -> Iterator[Row]:
    groups: dict[Any, list[Double]] = {}
    for double in doubles:
        row = double.line
        key = row["source"], row["vendor_account_id"], row["vendor_product_id"], row["subscription_id"], row["currency"]
        groups.setdefault(key, []).append(double)
    for (source, account, product, subscription, currency), found in groups.items():
        words = "; ".join(_double_words(d) for d in found[:SHOWN])
        yield {
            "source": source,
            "check": "double_charge",
            "status": "mismatch",
            "vendor_account_id": account,
            "vendor_product_id": product,
            "subscription_id": subscription,
            "lines": len(found),
            "stated_amount": sum((d.line["amount"] for d in found), Decimal(0)),
            "difference_amount": sum((d.amount for d in found), Decimal(0)),
            "currency": currency,
            "confidence": min(d.confidence for d in found),
            "explanation": f"Charged twice: {words}.",
            "evidence": " ".join(e for d in found[:KEPT] for e in (d.line["evidence"], d.other["evidence"])),
        }


def _double_words(double: Double) -> str:
    line = double.line
    amount = format_amount(line["amount"], line["currency"])
    return f"{line['charge_type']} of {line['start_date']} to {line['end_date']} ({amount}) {double.why}"


def _bought(purchases: pa.Table, as_of: date) -> Iterator[Row]:
    """Purchases that have begun and are no trial; a suspended one is still charged (T52)."""
    for row in _rows(purchases):
        if not row["is_free"] and (row["start_date"] is None or row["start_date"] <= as_of):
            yield row


def _states(cells: pa.Table) -> dict[tuple[str, str], tuple[str, int]]:
    names = ["client_id", "service_id", "status", "lines"]
    return {(r["client_id"], r["service_id"]): (r["status"], r["lines"]) for r in _rows(cells, names)}


def _said_elsewhere(tables: Mapping[str, pa.Table], rules: Rules) -> set[tuple[str | None, str]]:
    """(client, service) whose unbilled cost others speak of: what a contract exception ignores, and, without a client, cloud cost."""
    clients = _known(tables["clients"], "client")
    services = _known(tables["services"], "service")
    passed_on = {code for code, rule in rules.services.items() if rule.cloud is not None}
    found: set[tuple[str | None, str]] = {(None, services[code]) for code in passed_on if code in services}
    return found | {
        (clients[o.client], services[o.service]) for o in rules.overrides if o.ignore and o.client in clients and o.service in services
    }


def _known(table: pa.Table, side: str) -> dict[str, str]:
    rows = list(_rows(table, [f"{side}_id", f"{side}_code"]))
    return {r[f"{side}_code"]: r[f"{side}_id"] for r in rows if r[f"{side}_code"]} | {r[f"{side}_id"]: r[f"{side}_id"] for r in rows}


def _tie_out(charges: pa.Table, made: Sequence[Row]) -> None:
    lines = [row for row in made if row["check"] == "lines"]

    with localcontext(prec=DIGITS):
        amount = sum((row["stated_amount"] for row in lines), Decimal(0))
        total = sum((row["amount"] for row in _rows(charges, ["amount"])), Decimal(0))
    if sum(row["lines"] for row in lines) != charges.num_rows or amount != total:
        raise TieOutError(f"{charges.num_rows} vendor charges of {total} became {sum(r['lines'] for r in lines)} audited ones of {amount}")


def _finished(row: Row) -> Row:
    with localcontext(prec=DIGITS):
        fine = Decimal(1).scaleb(-18)
        money = {
            n: None if row.get(n) is None else row[n].quantize(fine) for n in ("stated_amount", "expected_amount", "difference_amount")
        }
    return {"confidence": Decimal(1), **row, **money}
