"""Every invoice's lines against what its head says they add up to (T6, T94, T97)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any

from reconlib.invoices.arithmetic import DIGITS
from reconlib.money import format_amount

Row = Mapping[str, Any]


@dataclass(slots=True)
class Sums:
    """What the lines of one invoice add up to."""

    lines: int = 0
    amount: Decimal = Decimal(0)
    tax: Decimal | None = Decimal(0)  # null: a line does not say its tax
    currencies: set[str] = field(default_factory=set)

    def add(self, row: Row) -> None:
        """One line more."""
        with localcontext(prec=DIGITS):
            self.lines += 1
            self.amount += row["amount"]
            self.tax = None if self.tax is None or row["tax_amount"] is None else self.tax + row["tax_amount"]
            self.currencies.add(row["currency"])


def check_heads(heads: Iterable[Row], sums: Mapping[tuple[str, str], Sums], tolerance: Decimal) -> list[dict[str, Any]]:
    """One row an invoice: do its lines, with the credit notes that amend it, add up to its head.

    A difference above ``tolerance`` (money of the invoice's currency) stops the audit of that invoice; no number is altered by it.
    Grain: source and invoice, credit notes inside the invoice they amend. An invoice whose head was not read is ``unchecked``.
    """
    notes: dict[tuple[str, str], list[Row]] = {}
    own: dict[tuple[str, str], Row] = {}
    for head in heads:
        own[head["source"], head["invoice_id"]] = head
    for key, head in own.items():
        amended = (head["source"], head["amends_invoice_id"] or "")
        notes.setdefault(amended if amended in own and amended != key else key, []).append(head)
    return [_checked(key, notes.get(key, []), sums, tolerance) for key in sorted({*notes, *(k for k in sums if k not in own)})]


def _checked(key: tuple[str, str], heads: list[Row], sums: Mapping[tuple[str, str], Sums], tolerance: Decimal) -> dict[str, Any]:
    source, invoice = key
    ids = [key, *((h["source"], h["invoice_id"]) for h in heads if h["invoice_id"] != invoice)]
    parts = [sums[one] for one in ids if one in sums]
    currencies = {h["currency"] for h in heads}.union(*(part.currencies for part in parts)) if parts else {h["currency"] for h in heads}
    lines = sum(part.lines for part in parts)
    row: dict[str, Any] = {"source": source, "invoice_id": invoice, "lines": lines, "currency": min(currencies), "ids": ids}
    row["evidence"] = " ".join(h["evidence"] for h in heads) or None
    with localcontext(prec=DIGITS):
        stated = sum((part.amount for part in parts), Decimal(0))
        row |= {"stated_amount": stated, "status": "unchecked"}
        if not heads:
            return row | {"explanation": f"Invoice {invoice}: its head was not read, so its {lines} lines are not proved complete."}
        if not lines and all(h["amends_invoice_id"] for h in heads):
            return row | {
                "explanation": f"Credit note {invoice} takes from {heads[0]['amends_invoice_id']}, which is not among these invoices."
            }
        if len(currencies) > 1:
            return row | {
                "status": "stopped",
                "explanation": f"Invoice {invoice} has lines in {' and '.join(sorted(currencies))}: not added up.",
            }
        with_tax = any(h["amount"] is None for h in heads)
        said = [h["total_amount"] if with_tax else h["amount"] for h in heads]
        taxes = [part.tax for part in parts]
        if None in said or (with_tax and None in taxes):
            return row | {"explanation": f"Invoice {invoice}: its head states no sum that its lines can be set against."}
        stated += sum((tax for tax in taxes if tax is not None), Decimal(0)) if with_tax else Decimal(0)
        total = sum((one for one in said if one is not None), Decimal(0))
        off = stated - total
    row |= {"stated_amount": stated, "expected_amount": total, "difference_amount": off}
    words = f"its {lines} lines add up to {_money(stated, row)}{' with tax' if with_tax else ''}, its head says {_money(total, row)}"
    notes = f" with {len(heads) - 1} credit notes" if len(heads) > 1 else ""
    if abs(off) > tolerance:
        text = f"Invoice {invoice}{notes}: {words}; a line is missing or doubled, so none of them is audited."
        return row | {"status": "stopped", "explanation": text}
    return row | {"status": "agrees", "explanation": f"Invoice {invoice}{notes}: {words}."}


def _money(amount: Decimal, row: Mapping[str, Any]) -> str:
    return f"{format_amount(amount, row['currency'])} {row['currency']}"
