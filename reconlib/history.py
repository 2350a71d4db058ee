"""A month beside the months before it: what moved since the last one, how long each finding has been there, what corrections brought back.

Money of the two directions is summed apart and never netted (T131); a month whose money is not known is named, never taken as zero (T1).
"Recovered" counts verified changes only: what was approved and never found in the PSA has brought back nothing (T118).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from math import lcm
from typing import TYPE_CHECKING, Any

from reconlib.findings import BILLING_KINDS, UNKNOWN_KINDS
from reconlib.ledger import Event
from reconlib.money import round_amount
from reconlib.period import Period, parse_period
from reconlib.schema import CELL_CHANGES, CHRONIC, METRICS, RECENT_CHANGES, make_table

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
Key = tuple[str, str]  # client, service
ZERO = Decimal(0)
MARK_PCT = 10  # a client whose billing moved so far is marked (docs/rules.md)
ASSUMPTION = "the lines stayed as they were set, at the price they had then"
_SET_ASIDE = ("dismissed", "excluded")
_NOT_BILLED = ("proration_helper", "cost_only")  # lines that bill a part of a month once, or nothing


@dataclass(frozen=True, slots=True)
class Billing:
    """Money a month on the lines of one client and service, credits taken off; None: a price is not known."""

    amount: Decimal | None
    currency: str


def sum_billing(tables: Mapping[str, pa.Table], line_buckets: pa.Table, *, currency: str) -> dict[Key, Billing]:
    """What the PSA bills a month for each client and service, flat fees and credits too; divided once, rounded half up (T112).

    Where its lines speak several currencies, the amount is None and the currency ``XXX``.
    """
    buckets = dict(zip(line_buckets["agreement_line_id"].to_pylist(), line_buckets["bucket"].to_pylist(), strict=True))
    contracts = {row["agreement_id"]: row for row in tables["agreements"].to_pylist()}
    clients = {row["client_id"]: row["currency"] for row in tables["clients"].to_pylist()}
    found: dict[Key, list[tuple[Decimal | None, int, str]]] = {}
    for line in tables["agreement_lines"].to_pylist():
        bucket = buckets[line["agreement_line_id"]]
        if bucket in _NOT_BILLED or bucket.startswith("out_of_scope_"):
            continue
        contract, price = contracts[line["agreement_id"]], line["unit_price"]
        units = line["quantity_qty"] if bucket == "credit" else max(ZERO, line["quantity_qty"] - line["included_qty"])
        code = contract["currency"] or clients.get(line["client_id"]) or currency
        part = (None if price is None else units * price, contract["cycle_months"] or 1, code)
        found.setdefault((line["client_id"], line["service_id"]), []).append(part)
    return {key: _billing(parts) for key, parts in found.items()}


def _billing(parts: list[tuple[Decimal | None, int, str]]) -> Billing:
    codes = {code for _, _, code in parts}
    if len(codes) > 1:
        return Billing(None, "XXX")
    code, months = codes.pop(), lcm(*(cycle for _, cycle, _ in parts))
    if any(amount is None for amount, _, _ in parts):
        return Billing(None, code)
    with localcontext(prec=60):
        whole = sum(((amount or ZERO) * (months // cycle) for amount, cycle, _ in parts), ZERO)
        return Billing(round_amount(whole / months, code), code)


def change_since(
    before: pa.Table, after: pa.Table, billing_before: Mapping[Key, Billing], billing_after: Mapping[Key, Billing], *, currency: str
) -> pa.Table:
    """What moved since the month before, client by client and service by service: its four numbers and its money. Returns CELL_CHANGES.

    ``before`` and ``after`` are COMPARISON. A pair that one month does not list has no line there and an unknown count.
    """
    was, now = _by_key(before), _by_key(after)
    rows = []
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key), now.get(key)
        cell = new or old
        assert cell is not None
        row = {name: cell[name] for name in ("client_id", "client_name", "service_id", "service_name")}
        for moment, side in (("before", old), ("after", new)):
            row |= {f"{name}_{moment}_qty": side[f"{name}_qty"] if side else None for name in ("expected", "used", "purchased")}
            row[f"billed_{moment}_qty"] = (side["billed_qty"] if side else None) or ZERO
        row |= _money(billing_before.get(key), billing_after.get(key), currency)
        names = ("billed", "expected", "used", "purchased")
        if row["monthly_change"] != 0 or any(row[f"{name}_before_qty"] != row[f"{name}_after_qty"] for name in names):
            rows.append(row)
    return make_table(CELL_CHANGES, rows)


def _money(old: Billing | None, new: Billing | None, currency: str) -> Row:
    code = (new or old or Billing(None, currency)).currency
    before, after = (ZERO if side is None else side.amount for side in (old, new))
    same = old is None or new is None or old.currency == new.currency
    change = after - before if before is not None and after is not None and same else None
    return {"monthly_before": before if same else None, "monthly_after": after, "monthly_change": change, "currency": code}


def recent_change(billing_before: Mapping[Key, Billing], billing_after: Mapping[Key, Billing], names: Mapping[str, str]) -> pa.Table:
    """How far each client's monthly billing moved since the month before, marked from 10 % on. Returns RECENT_CHANGES.

    The share is of this month's billing (docs/rules.md). A client with a price that is not known has no sum.
    """
    sums: dict[tuple[str, str], list[Decimal | None]] = {}
    for index, billing in enumerate((billing_before, billing_after)):
        for (client, _), one in billing.items():
            pair = sums.setdefault((client, one.currency), [ZERO, ZERO])
            so_far = pair[index]
            pair[index] = None if so_far is None or one.amount is None else so_far + one.amount
    rows = []
    for (client, code), (before, after) in sums.items():
        change = None if before is None or after is None else after - before
        share = None if change is None or not after else _percent(change, after)
        marked = change is not None and bool(change) and abs(change) * 100 >= abs(after or ZERO) * MARK_PCT
        row: Row = {"client_id": client, "client_name": names.get(client, client), "billed_before": before, "billed_after": after}
        rows.append(row | {"change_amount": change, "change_pct": share, "is_marked": marked, "currency": code})
    return make_table(RECENT_CHANGES, rows)


def metrics(cells: pa.Table) -> pa.Table:
    """The field's two figures of a month: seat-count variance rate and coverage score (docs/rules.md). Returns METRICS.

    Pairs whose expected count is not known are in neither side of the rate; a client with such a pair is not clean.
    """
    rows = cells.to_pylist()
    known = [row for row in rows if row["variance_qty"] is not None]
    unknown = sum(row["status"] in UNKNOWN_KINDS or row["status"] == "not_comparable" for row in rows)
    off, billed = (sum((abs(row[name] or ZERO) for row in known), ZERO) for name in ("variance_qty", "billed_qty"))
    analysed = {row["client_id"] for row in known}
    dirty = {row["client_id"] for row in rows if row["status"] in (*BILLING_KINDS, *UNKNOWN_KINDS, "not_comparable")}
    clean = Decimal(len(analysed - dirty))
    left_out = f"; {unknown} client and service pairs that cannot be compared are left out" if unknown else ""
    return make_table(
        METRICS,
        [
            _metric("seat-count variance rate", off, billed, f"units billed too many or too few ÷ units billed{left_out}; aim: below 2 %"),
            _metric(
                "coverage score",
                clean,
                Decimal(len(analysed)),
                "clients without a difference and without an unknown count ÷ clients analysed",
            ),
        ],
    )


def _metric(name: str, above: Decimal, below: Decimal, about: str) -> Row:
    return {
        "metric": name,
        "value_pct": _percent(above, below) if below else None,
        "numerator": above,
        "denominator": below,
        "about": about,
    }


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    with localcontext(prec=60):
        return (part * 100 / whole).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def chronic(findings: Mapping[Period, pa.Table], verified: pa.Table, events: Iterable[Event], *, period: Period) -> pa.Table:
    """Every finding of this month and the months before: for how long, what it came to, what corrections brought back. Returns CHRONIC.

    ``findings`` are FINDINGS by month, decisions applied; ``verified`` is what this month found of earlier months' changes, and ``events``
    the ledger, of which only months before this one are read. A month in which a finding was dismissed or excluded adds no money.
    """
    months = {month: {row["finding_id"]: row for row in table.to_pylist()} for month, table in sorted(findings.items()) if month <= period}
    changes: dict[str, list[Row]] = {}
    for change in _verified(verified, events, period):
        changes.setdefault(change["finding_id"], []).append(change)
    ids = {finding_id for rows in months.values() for finding_id in rows} | changes.keys()
    return make_table(CHRONIC, [_row(one, months, changes.get(one, []), period) for one in sorted(ids)])


def _row(finding_id: str, months: Mapping[Period, Mapping[str, Row]], changes: list[Row], period: Period) -> Row:
    seen = {month: rows[finding_id] for month, rows in months.items() if finding_id in rows}
    about = seen[max(seen)] if seen else changes[-1]
    made: Row = {name: about.get(name) for name in ("finding_id", "kind", "client_name", "service_name", "currency")}
    made |= {"is_open": period in seen, "status": about.get("status") if seen else None, "months_open": 0, "months_known": 0}
    made |= {"under_amount": ZERO, "over_amount": ZERO}
    if seen:
        first = min(parse_period(row["first_seen"]) for row in seen.values())
        gaps = [month for month in _between(first, max(seen)) if month not in months]
        unknown = [
            month for month, row in seen.items() if row["monthly_impact"] is None and row["kind"] in (*BILLING_KINDS, *UNKNOWN_KINDS)
        ]
        aside = [month for month, row in seen.items() if row["status"] in _SET_ASIDE]
        counted = [row for month, row in seen.items() if month not in aside and row["monthly_impact"] is not None]
        same = [row["monthly_impact"] for row in counted if row["currency"] == about["currency"]]
        unknown += [month for month, row in seen.items() if row in counted and row["currency"] != about["currency"]]
        made |= {
            "first_seen": str(first),
            "last_seen": str(max(seen)),
            "months_open": _run(seen, months),
            "months_known": len(same),
            "unknown_months": ", ".join(str(month) for month in sorted({*gaps, *unknown} - set(aside))) or None,
            "set_aside_months": ", ".join(str(month) for month in aside) or None,
            "under_amount": sum((max(ZERO, amount) for amount in same), ZERO),
            "over_amount": sum((max(ZERO, -amount) for amount in same), ZERO),
        }
    return made | _brought_back(changes, period)


def _run(seen: Mapping[Period, Row], months: Mapping[Period, object]) -> int:
    """Months in a row up to the last one it was there, over the months that were run."""
    number = 0
    for month in sorted((month for month in months if month <= max(seen)), reverse=True):
        if month not in seen:
            break
        number += 1
    return number


def _between(first: Period, last: Period) -> Iterator[Period]:
    while first <= last:
        yield first
        first = first.next


def _verified(verified: pa.Table, events: Iterable[Event], period: Period) -> Iterator[Row]:
    """Changes found in the PSA as planned, each once, with the month that found it."""
    planned: dict[str, Row] = {}
    found: dict[str, str] = {}
    for event in events:
        if event.period >= str(period):
            continue
        if event.kind == "change_planned":
            planned[event.subject] = dict(event.values)
        elif event.kind == "change_verified" and event.values["status"] == "verified":
            found.setdefault(event.subject, event.period)
    now = {row["change_id"]: row for row in verified.to_pylist() if row["status"] == "verified"}
    for change_id in sorted({change_id for change_id in found if change_id in planned} | now.keys()):
        row = now.get(change_id) or planned[change_id]
        effect = row["monthly_effect"]
        about = {name: row[name] for name in ("finding_id", "client_name", "service_name", "currency")}
        yield about | {"effect": None if effect is None else Decimal(effect), "month": parse_period(found.get(change_id, str(period)))}


def _brought_back(changes: list[Row], period: Period) -> Row:
    if not changes:
        return {}
    since = {id(change): sum(1 for _ in _between(change["month"], period)) for change in changes}
    parts = [change["effect"] * since[id(change)] for change in changes if change["effect"] is not None]
    unpriced = len(changes) - len(parts)
    return {
        "verified_in": str(min(change["month"] for change in changes)),
        "months_since": max(since.values()),
        "recovered_amount": sum((max(ZERO, part) for part in parts), ZERO) if parts else None,
        "returned_amount": sum((max(ZERO, -part) for part in parts), ZERO) if parts else None,
        "assumption": ASSUMPTION + (f"; {unpriced} without a price left out" if unpriced else ""),
    }


def _by_key(cells: pa.Table) -> dict[Key, Row]:
    return {(row["client_id"], row["service_id"]): row for row in cells.to_pylist()}
