"""From the pre-invoice pass to the post-invoice pass of one month: what moved, why, and what that means for the next invoice (T7, T114).

The month is compared twice: on counts before the invoices go out, and again about the 8th, when vendors' invoices and late records are
there. Both passes are as of the same day. What differs is named and never written into the month that is invoiced: it is proposed as a
back-charge or a credit on the next invoice, or waits where nobody can know yet. A number that one pass lacks makes the row unknown, never
zero (T1). Source: docs/rules.md T3, T7, T110, T114.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from reconlib.comparison import money_a_month
from reconlib.errors import TieOutError
from reconlib.money import SEVERAL, format_amount, format_qty, round_amount
from reconlib.product_overrides import Moved
from reconlib.schema import ROLL_FORWARD, make_table

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
Key = tuple[str, str]  # client, service
ZERO = Decimal(0)
_NUMBERS = ("expected_qty", "billed_qty", "purchased_qty", "used_qty", "variance_qty", "monthly_impact")


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass of a month left behind."""

    cells: pa.Table  # comparison
    counts: pa.Table


def roll_forward(before: Pass, after: Pass, charged: Mapping[Key, tuple[Decimal | None, str]] | None = None) -> pa.Table:
    """Every client × service of either pass, from what it said before to what it says after. Returns ROLL_FORWARD.

    A client × service that a pass does not list is a zero there only if that pass counted it and found none; otherwise it is not known.
    ``charged`` is what vendors billed for it, as ``sum_charges`` gives it.

    Raises:
        TieOutError: what moved does not lead from the units and money of the one pass to those of the other.
    """
    was, now = _by_key(before.cells), _by_key(after.cells)
    zero_before, zero_after, later = _counted_none(before.counts), _counted_none(after.counts), _later(after.counts)
    rows = []
    for key in sorted(was.keys() | now.keys()):
        old, new = _numbers(was.get(key), key in zero_before), _numbers(now.get(key), key in zero_after)
        rows.append(_row(was.get(key), now.get(key), old, new, later.get(key, ZERO), (charged or {}).get(key)))
    _tie_out(rows, before.cells.to_pylist(), after.cells.to_pylist())
    return make_table(ROLL_FORWARD, rows)


def sum_charges(
    charges: pa.Table, accounts: pa.Table, products: pa.Table, moved: Sequence[Moved] = ()
) -> dict[Key, tuple[Decimal | None, str]]:
    """Billed vendor charges of each client × service: amount, tax excluded (T117), and currency; None and ``XXX`` for several currencies.

    Drafts and unbilled lines are left out: they still change (T7). A product of several services is charged once, to the first of them
    (T27); at a client whose exception moves it, to the service named there. Charges of accounts and products that are not mapped belong to
    no client × service and are not in it.
    """
    clients = {(row["source"], row["vendor_account_id"]): row["client_id"] for row in accounts.to_pylist() if row["state"] == "mapped"}
    services: dict[tuple[str, str], str] = {}
    for row in products.to_pylist():
        if row["state"] == "mapped":
            key = (row["source"], row["vendor_product_id"])
            services[key] = min(row["service_id"], services.get(key, row["service_id"]))
    elsewhere = {place: one.service_id for one in moved for place in one.places()}
    found: dict[Key, dict[str, Decimal]] = {}
    with localcontext(prec=60):
        for row in charges.to_pylist():
            client = clients.get((row["source"], row["vendor_account_id"]))
            product = (row["source"], row["vendor_product_id"])
            service = elsewhere.get((client or "", *product)) or services.get(product)
            if row["is_billed"] and client and service:
                sums = found.setdefault((client, service), {})
                sums[row["currency"]] = sums.get(row["currency"], ZERO) + row["amount"]
        return {
            key: (round_amount(next(iter(sums.values())), next(iter(sums))), next(iter(sums))) if len(sums) == 1 else (None, SEVERAL)
            for key, sums in found.items()
        }


def _by_key(cells: pa.Table) -> dict[Key, Row]:
    return {(row["client_id"], row["service_id"]): row for row in cells.to_pylist()}


def _counted_none(counts: pa.Table) -> set[Key]:
    """Clients and services that were counted, all of it known: what the comparison does not list of them is a zero."""
    known: dict[Key, bool] = {}
    for row in counts.to_pylist():
        key = (row["client_id"], row["service_id"])
        known[key] = known.get(key, True) and row["is_known"]
    return {key for key, whole in known.items() if whole}


def _later(counts: pa.Table) -> dict[Key, Decimal]:
    found: dict[tuple[str, str, str], Decimal] = {}
    for row in counts.to_pylist():
        key = (row["client_id"], row["service_id"], row["measure"])
        found[key] = found.get(key, ZERO) + row["later_qty"]
    most: dict[Key, Decimal] = {}
    for (client, service, _), quantity in found.items():  # one seat bought and assigned came once, not twice
        most[client, service] = max(quantity, most.get((client, service), ZERO))
    return most


def _numbers(cell: Row | None, is_zero: bool) -> Row:  # noqa: FBT001 - said by name at the call
    if cell is None:
        return {**dict.fromkeys(_NUMBERS, ZERO if is_zero else None), "billed_qty": ZERO}
    return {name: cell[name] for name in _NUMBERS} | {"billed_qty": cell["billed_qty"] or ZERO}


def _row(was: Row | None, now: Row | None, old: Row, new: Row, later: Decimal, charged: tuple[Decimal | None, str] | None) -> Row:
    cell = now or was
    assert cell is not None
    same_money = was is None or now is None or was["currency"] == now["currency"]
    row = {name: cell[name] for name in ("client_id", "client_name", "service_id", "service_name", "unit_price", "currency")}
    row |= {
        "expected_before_qty": old["expected_qty"],
        "expected_moved_qty": _difference(old["expected_qty"], new["expected_qty"]),
        "expected_after_qty": new["expected_qty"],
        "expected_move": _expected_move(old, new),
        "billed_before_qty": old["billed_qty"],
        "billed_moved_qty": new["billed_qty"] - old["billed_qty"],
        "billed_after_qty": new["billed_qty"],
        "billed_move": _billed_move(was, now, old, new),
        "purchased_before_qty": old["purchased_qty"],
        "purchased_after_qty": new["purchased_qty"],
        "used_before_qty": old["used_qty"],
        "used_after_qty": new["used_qty"],
        "later_qty": later,
        "variance_before_qty": old["variance_qty"],
        "variance_after_qty": new["variance_qty"],
        "monthly_before": old["monthly_impact"] if same_money else None,
        "monthly_moved": _difference(old["monthly_impact"], new["monthly_impact"]) if same_money else None,
        "monthly_after": new["monthly_impact"],
        "charged_amount": charged[0] if charged else None,
        "charged_currency": charged[1] if charged else None,
    }
    row |= _proposal(row, cell)
    return row | {"explanation": _explain(row)}


def _difference(before: Decimal | None, after: Decimal | None) -> Decimal | None:
    return None if before is None or after is None else after - before


def _expected_move(old: Row, new: Row) -> str:
    before, after = old["expected_qty"], new["expected_qty"]
    if before is None or after is None:
        return "became_known" if after is not None else "became_unknown" if before is not None else "not_known"
    if before == after:
        return "none"
    counted = any(old[name] != new[name] for name in ("used_qty", "purchased_qty"))
    return "late_count" if counted else "other_rule"


def _billed_move(was: Row | None, now: Row | None, old: Row, new: Row) -> str:
    lines_before, lines_after = (was or {}).get("lines", 0), (now or {}).get("lines", 0)
    if lines_after and not lines_before:
        return "new_line"
    if lines_before and not lines_after:
        return "line_gone"
    return "none" if old["billed_qty"] == new["billed_qty"] else "changed_in_psa"


def _proposal(row: Row, cell: Row) -> Row:
    """What the next invoice should carry: only what the pass before did not show, and only where the line is as it was then (T114).

    A difference that was there before is decided there. A line that changed since may have been invoiced either way, and a difference that
    shrank or turned may have been approved at its old size: both wait for a person.
    """
    before, after = row["variance_before_qty"], row["variance_after_qty"]
    units: Decimal | None = None
    if row["expected_move"] == "became_known" and row["billed_move"] == "none" and after is not None:
        units, amount = after, row["monthly_after"]
    elif after is None:
        return _said("wait" if row["expected_move"] == "became_unknown" or row["later_qty"] else "none")
    elif row["billed_move"] != "none":
        return _said("wait" if after else "none")
    elif before is not None and row["expected_move"] != "none":
        if before * after < 0 or abs(after) < abs(before):
            return _said("wait")
        units, amount = after - before, row["monthly_moved"]
        if amount is None and row["unit_price"] is not None:
            amount = money_a_month(units, row["unit_price"], cell["cycle_months"], row["currency"])
    if not units:
        return _said("wait" if row["later_qty"] else "none")
    return _said("back_charge" if units > 0 else "credit", units, amount)


def _said(word: str, units: Decimal | None = None, amount: Decimal | None = None) -> Row:
    return {"proposal": word, "proposal_qty": units, "proposal_amount": amount}


_EXPECTED = {
    "none": "Expected stays {after}",
    "late_count": "Expected {before} before invoicing and {after} now: the count changed late",
    "other_rule": "Expected {before} before invoicing and {after} now, from the same count: included units, a bundle or a rule changed",
    "became_known": "Expected is {after}; before invoicing it was not known",
    "became_unknown": "Expected was {before} and is not known now: no count was received in this pass",
    "not_known": "What should be billed is not known in either pass",
}
_BILLED = {
    "changed_in_psa": "the line was changed in the PSA from {before} to {after} since",
    "new_line": "a line of {after} was added in the PSA since",
    "line_gone": "the line of {before} is gone from the PSA since",
}


def _explain(row: Row) -> str:
    said = [_EXPECTED[row["expected_move"]].format(**_texts(row, "expected"))]
    if row["billed_move"] != "none":
        said.append(_BILLED[row["billed_move"]].format(**_texts(row, "billed")))
    if row["later_qty"]:
        said.append(f"{format_qty(row['later_qty'])} dated after the as-of day belong to the next month")
    return f"{'; '.join(said)}. {_step(row)}"


def _texts(row: Row, name: str) -> dict[str, str]:
    return {moment: format_qty(row[f"{name}_{moment}_qty"]) for moment in ("before", "after")}


def _step(row: Row) -> str:
    if row["proposal"] in ("back_charge", "credit"):
        units = format_qty(abs(row["proposal_qty"]))
        money = "an amount that is not known"
        if row["proposal_amount"] is not None:
            money = f"{format_amount(abs(row['proposal_amount']), row['currency'])} {row['currency']}"
        word = "Back-charge" if row["proposal"] == "back_charge" else "Credit"
        return f"{word} {units}, {money}, on the next invoice."
    if row["proposal"] == "none":
        return "Nothing to carry over."
    if row["expected_move"] == "became_unknown":
        return "Wait for the count."
    if row["billed_move"] != "none":
        return "See which quantity the invoice had before anything is charged or credited."
    if row["later_qty"] and row["expected_move"] in ("none", "not_known"):
        return "Wait for the next month."
    return "The difference is smaller than the one that was decided on, or has turned: look at what was approved."


def _tie_out(rows: list[Row], was: list[Row], now: list[Row]) -> None:
    """The sums of the passes' own cells are carried forward: known before + moved + became known − became unknown = after."""
    currencies: dict[Key, set[str]] = {}
    for cell in (*was, *now):
        currencies.setdefault((cell["client_id"], cell["service_id"]), set()).add(cell["currency"])
    for cell_name, name in (("expected_qty", "expected_{}_qty"), ("billed_qty", "billed_{}_qty"), ("monthly_impact", "monthly_{}")):
        before, moved, after = (name.format(moment) for moment in ("before", "moved", "after"))
        for currency in sorted({row["currency"] for row in rows}):
            keys = {key for key, codes in currencies.items() if codes == {currency}}  # where it changed, money is not carried
            own = [row for row in rows if (row["client_id"], row["service_id"]) in keys]
            start, end = (
                sum((cell[cell_name] or ZERO for cell in cells if (cell["client_id"], cell["service_id"]) in keys), ZERO)
                for cells in (was, now)
            )
            step = sum((row[moved] for row in own if row[moved] is not None), ZERO)
            step += sum((row[after] for row in own if row[moved] is None and row[after] is not None), ZERO)
            step -= sum((row[before] for row in own if row[moved] is None and row[before] is not None), ZERO)
            if start + step != end:
                raise TieOutError(f"{cell_name} in {currency}: {start} before and {step} moved are not {end} after", where="roll-forward")
