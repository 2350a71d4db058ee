"""What to change in the PSA, from approved findings, and whether the changes of earlier months arrived (T102, T103, T112, T114).

A change sets the quantity of one line, adds a line or cancels one; it never touches a price. Together the changes of a finding move the
billed quantity by exactly what was decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from reconlib.comparison import money_a_month
from reconlib.cycles import cycle_of
from reconlib.errors import DataError
from reconlib.ledger import Event, Ledger, canonical_json, utc_text
from reconlib.money import format_qty, round_amount
from reconlib.period import Period
from reconlib.proration import first_invoice
from reconlib.review import CHANGE_KINDS, finding_decisions
from reconlib.rules import Convention
from reconlib.schema import CHANGES, make_table

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
_NOT_CHANGED = ("credit", "proration_helper")  # lines whose quantity is no count (T18, T33); out of scope ones neither
_ENDED = ("cancelled", "expired", "inactive")
_SETTLED = ("verified", "changed_since")  # outcomes nobody has to look for again


def plan_changes(
    findings: pa.Table,
    lines: pa.Table,
    agreements: pa.Table,
    line_buckets: pa.Table,
    events: Iterable[Event],
    *,
    book: str,
    period: Period,
    proration: Convention = "inclusive",
    modelled: frozenset[str] = frozenset(),
) -> pa.Table:
    """The changes that settle this month's approved findings; the same decisions give the same change ids.

    Grain: one change of one line. A surplus the line itself cannot give back is taken from the client's other lines of that service, latest
    effective first, each a row of its own. ``monthly_effect`` is the change of billed units × price ÷ months in the cycle.
    ``first_effect`` is what the first invoice that knows the change differs by: inside a cycle that is invoiced already, its rest by
    ``proration`` and the next cycle (T104), or the next cycle alone where the agreement does not prorate (T106).
    Services of ``modelled`` have a price model: units × price is not their money (T43), so a change that is the whole difference has the
    finding's effect, any other one and every first effect is not known.

    Raises:
        DataError: a chosen day the agreement cannot prorate (T103), or lines that do not add up to what the finding says is billed.
    """
    decided = {key: event for key, event in finding_decisions(events, period).items() if event.period == str(period)}
    buckets = {row["agreement_line_id"]: row["bucket"] for row in line_buckets.select(["agreement_line_id", "bucket"]).to_pylist()}
    by_cell: dict[tuple[str, str], list[Row]] = {}
    for line in lines.to_pylist():
        bucket = buckets.get(line["agreement_line_id"], "out_of_scope_unknown")
        if bucket not in _NOT_CHANGED and not bucket.startswith("out_of_scope"):
            by_cell.setdefault((line["client_id"], line["service_id"]), []).append(line)
    contracts = {row["agreement_id"]: row for row in agreements.to_pylist()}
    planned: list[Row] = []
    for finding in findings.to_pylist():
        event = decided.get(finding["finding_id"])
        if event and finding["status"] == "approved" and finding["kind"] in CHANGE_KINDS:
            cell = by_cell.get((finding["client_id"], finding["service_id"]), [])
            changes = list(_changes(finding, event.values, cell, contracts, period, proration))
            if finding["service_id"] in modelled:
                is_whole = len(changes) == 1 and event.values["new_qty"] is None
                effect = {"monthly_effect": finding["monthly_impact"] if is_whole else None, "first_effect": None}
                changes = [row | effect for row in changes]
            planned += [_with_id(row, book) for row in changes]
    return make_table(CHANGES, planned)


def verify_changes(planned: pa.Table, lines_now: pa.Table, agreements_now: pa.Table, *, as_of: date) -> pa.Table:
    """Changes of earlier months with what became of them: ``verified``, ``not_arrived`` or ``changed_since``.

    A change that takes effect after ``as_of`` stays ``planned``. A cancelled line is settled when it is cancelled, empty or gone.
    """
    contracts = {row["agreement_id"]: row for row in agreements_now.to_pylist()}
    rows = lines_now.to_pylist()
    in_force = [line for line in rows if _in_force(line, contracts.get(line["agreement_id"]), as_of)]
    by_id = {line["agreement_line_id"]: line["quantity_qty"] for line in in_force}
    by_cell: dict[tuple[str, str], list[Decimal]] = {}
    for line in in_force:
        if line["unit_price"] is None or line["unit_price"] >= 0:
            by_cell.setdefault((line["client_id"], line["service_id"]), []).append(line["quantity_qty"])
    verified = []
    for change in planned.to_pylist():
        if change["effective_date"] <= as_of:
            if change["action"] == "add":
                now = by_cell.get((change["client_id"], change["service_id"]), [])
                status = "verified" if change["new_qty"] in now else "changed_since" if now else "not_arrived"
            else:
                status = _arrived(by_id.get(change["agreement_line_id"]), change)
            change["status"] = status
        verified.append(change)
    return make_table(CHANGES, verified)


def list_planned(changes: pa.Table, *, book: str, period: Period, version: int, who: str, at: datetime) -> list[Event]:
    """The changes of an approved version as the events that record them, not yet in the ledger."""
    return [
        Event(
            *(book, str(period), "change_planned", row["change_id"], who, utc_text(at)),
            values={**row, "version": version},
            key=f"planned/{period}/v{version}/{row['change_id']}",
        )
        for row in changes.to_pylist()
    ]


def approved_changes(events: Iterable[Event], *, period: Period, version: int) -> pa.Table:
    """The changes one version of a month was approved with, as they were recorded then; never planned anew (T129)."""
    known = [event for event in events if event.kind == "change_planned" and event.period == str(period)]
    return _table([event for event in known if event.values["version"] == version])


def record_verified_changes(ledger: Ledger, verified: pa.Table, *, book: str, period: Period, who: str, at: datetime) -> list[Event]:
    """Append what became of earlier months' changes, once for each change and outcome; ``period`` is the month that looked."""
    return ledger.append_all(
        Event(
            *(book, str(period), "change_verified", row["change_id"], who, utc_text(at)),
            values={"status": row["status"], "planned_in": row["period"], "monthly_effect": row["monthly_effect"]},
            key=f"verified/{period}/{row['change_id']}/{row['status']}",
        )
        for row in verified.to_pylist()
        if row["status"] != "planned"
    )


def planned_changes(events: Iterable[Event], *, before: Period) -> pa.Table:
    """Every change an earlier month still waits for: of each month's approved version, not settled before this month.

    A reopened month's changes stand until its next version is approved, then that one's do. A later month's change of the same line, or of
    the same missing line, takes the place of an earlier one unless that is to bill later: what is looked for twice would be counted twice.
    """
    approved: dict[str, int] = {}
    outcome: dict[str, str] = {}
    known: list[Event] = []
    for event in events:
        if event.period >= str(before):
            continue
        if event.kind == "reviewer_approved":
            approved[event.period] = event.values["version"]
        elif event.kind == "change_verified":
            outcome[event.subject] = event.values["status"]
        elif event.kind == "change_planned":
            known.append(event)
    for event in known:  # only an approval plans a change
        approved.setdefault(event.period, max(one.values["version"] for one in known if one.period == event.period))
    standing = [event for event in known if event.values["version"] == approved[event.period]]
    return _table(
        event for event in standing if outcome.get(event.subject) not in _SETTLED and not any(_replaces(later, event) for later in standing)
    )


def _table(events: Iterable[Event]) -> pa.Table:
    return make_table(
        CHANGES,
        [
            {c.name: _typed(event.values[c.name] if not c.null else event.values.get(c.name), c.kind) for c in CHANGES.columns}
            for event in events
        ],
    )


def _replaces(later: Event, event: Event) -> bool:
    about = ("agreement_line_id", "client_id", "service_id")
    same = all(later.values[name] == event.values[name] for name in about)
    return same and later.period > event.period and later.values["effective_date"] >= event.values["effective_date"]


def _changes(
    finding: Row, decision: Mapping[str, Any], cell: list[Row], contracts: Mapping[str, Row], period: Period, proration: Convention
) -> Iterator[Row]:
    where = f"finding {finding['finding_id']}"
    billed = finding["billed_qty"] or Decimal(0)
    asked = finding["expected_qty"] if decision["new_qty"] is None else Decimal(decision["new_qty"])
    if asked is None:
        raise DataError("has no expected quantity", where=where, hint="adjust it with a quantity of your own")
    day = date.fromisoformat(decision["effective_date"]) if decision["effective_date"] else period.effective_date
    shared = {name: finding[name] for name in ("finding_id", "client_id", "client_name", "service_id", "service_name", "currency")}
    shared |= {"period": str(period), "effective_date": day, "status": "planned"}
    if finding["kind"] == "new_revenue":
        _check_day(day, None, where)
        if asked:
            price = finding["unit_price"]
            change = {"action": "add", "agreement_id": None, "agreement_line_id": None, "old_qty": Decimal(0), "new_qty": asked}
            effect = None if price is None else money_a_month(asked, price, 1, finding["currency"])
            yield shared | change | {"unit_price": price, "monthly_effect": effect, "first_effect": None}  # no agreement, no cycle yet
        return
    for line, moved in _spread(asked - billed, sorted(cell, key=lambda line: _order(line, finding)), where):
        contract = contracts.get(line["agreement_id"])
        _check_day(day, contract, where)
        price = line["unit_price"] if line["billable"] == "billable" else Decimal(0)
        old, left = line["quantity_qty"], _net(line) + moved
        cancel = finding["kind"] == "orphan_line" and not left
        cycle = contract["cycle_months"] if contract else 1
        new = Decimal(0) if cancel else left + line["included_qty"]
        change = {"action": "cancel" if cancel else "update", "old_qty": old, "new_qty": new, "unit_price": price}
        change |= {name: line[name] for name in ("agreement_id", "agreement_line_id")}
        first = _first_effect(moved, price, contract, day, proration, finding["currency"])
        effect = None if price is None else money_a_month(moved, price, cycle or 1, finding["currency"])
        yield shared | change | {"monthly_effect": effect, "first_effect": first}


def _spread(delta: Decimal, lines: list[Row], where: str) -> Iterator[tuple[Row, Decimal]]:
    if delta and not lines:
        raise DataError("has no agreement line to change", where=where, hint="compare the month again")
    for line in lines:
        moved = delta if delta > 0 else -min(_net(line), -delta)
        if moved:
            yield line, moved
        delta -= moved
    if delta:
        raise DataError(f"{format_qty(-delta)} units more to take back than its lines bill", where=where, hint="compare the month again")


def _order(line: Row, finding: Row) -> tuple[bool, bool, int, int, str]:
    # the line of the cell first, then what is billed, then the latest; ids are numbers or texts, the highest first
    started = line["effective_date"].toordinal() if line["effective_date"] else 0
    name = line["agreement_line_id"]
    high = "".join(chr(0x10FFFF - ord(letter)) for letter in name)
    return (name != finding["agreement_line_id"], line["billable"] != "billable", -started, -len(name), high)


def _net(line: Row) -> Decimal:
    return Decimal(max(Decimal(0), line["quantity_qty"] - line["included_qty"]))


def _check_day(day: date, contract: Row | None, where: str) -> None:
    if day.day != 1 and not (contract and contract["prorates"]):
        what = f"agreement {contract['agreement_name']!r} does not prorate" if contract else "a new line has no agreement that prorates yet"
        raise DataError(f"effective date {day} is inside a month, and {what}", where=where, hint="choose the first of a month (T103)")


def _first_effect(
    units: Decimal, price: Decimal | None, contract: Row | None, day: date, proration: Convention, currency: str
) -> Decimal | None:
    """Null where the price, the cycle, its first day or whether it is prorated is not known."""
    if price is None or contract is None or not contract["cycle_months"]:
        return None
    months = contract["cycle_months"]
    anchor = day.replace(day=1) if months == 1 else contract["start_date"]  # a monthly agreement is invoiced on the first (T115)
    if anchor is None:
        return None
    cycle = cycle_of(anchor, months, day)
    with localcontext(prec=60):
        amount = units * price
    if day == cycle.start:
        return round_amount(amount, currency)
    if contract["prorates"] is None:
        return None
    return first_invoice(amount, day, [cycle], prorates=contract["prorates"], convention=proration, currency=currency)


def _with_id(row: Row, book: str) -> Row:
    said = [book, row["period"], row["finding_id"], row["agreement_line_id"], row["new_qty"], row["effective_date"]]
    return row | {"change_id": hashlib.sha256(canonical_json(said).encode()).hexdigest()[:16]}


def _in_force(line: Row, contract: Row | None, as_of: date) -> bool:
    if contract is None or contract["status"].lower() in _ENDED:
        return False
    ended = any(day is not None and day <= as_of for day in (line["cancelled_date"], contract["cancelled_date"]))
    return not ended and (contract["end_date"] is None or contract["end_date"] >= as_of)


def _arrived(now: Decimal | None, change: Row) -> str:
    if now == change["new_qty"] or (change["action"] == "cancel" and now is None):
        return "verified"
    return "not_arrived" if now == change["old_qty"] else "changed_since"


def _typed(value: Any, kind: str) -> Any:
    if value is None or kind == "text":
        return value
    return date.fromisoformat(value) if kind == "date" else Decimal(value)
