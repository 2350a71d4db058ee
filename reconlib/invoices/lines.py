"""Lines tallied by invoice, account and product, and the words the audit has for them (T72, T78)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any

from reconlib.invoices.arithmetic import DIGITS, Checked
from reconlib.money import format_amount

Row = dict[str, Any]
SHOWN = 3  # lines an explanation names
KEPT = 10  # lines whose evidence is kept


@dataclass(slots=True)
class Tally:
    """Lines of one invoice, account, product and currency after their arithmetic."""

    lines: int = 0
    stated: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)
    off: Decimal = Decimal(0)
    unknown: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)  # words, evidence
    first: str = ""

    def add(self, row: Row, checked: Checked | None) -> None:
        """One line more; null: not checked."""
        with localcontext(prec=DIGITS):
            self.lines += 1
            self.stated += row["amount"]
            self.first = self.first or row["evidence"]
            if checked is None or checked.expected_amount is None:
                self.unknown += 1
            else:
                self.expected += checked.expected_amount
                if checked.is_off:
                    self.off += row["amount"] - checked.expected_amount
                    day = row["order_date"] or row["start_date"] or "no day"
                    words = f"{row['charge_type'] or 'line'} of {day} says {format_amount(row['amount'], row['currency'])}, {checked.why}"
                    self.wrong.append((words, row["evidence"]))


def line_key(row: Row) -> tuple[str, str, str, str, str]:
    """What lines are tallied by."""
    return row["source"], row["invoice_id"] or "", row["vendor_account_id"], row["vendor_product_id"], row["currency"]


def line_row(key: tuple[str, str, str, str, str], tally: Tally, *, is_stopped: bool) -> Row:
    """The audit's row of one tally: the lines that do not cost what they say, by name, and by how much."""
    source, invoice, account, product, currency = key
    row: Row = {"source": source, "check": "lines", "invoice_id": invoice or None, "vendor_account_id": account, "currency": currency}
    row |= {"vendor_product_id": product, "lines": tally.lines, "stated_amount": tally.stated, "evidence": tally.first}
    if is_stopped:
        text = f"Not audited: the lines of invoice {invoice} do not add up to its head."
        return row | {"status": "stopped", "explanation": text}
    if tally.unknown:
        said = f"{tally.unknown} of {tally.lines} lines state no price that can be recomputed"
    else:
        row |= {"expected_amount": tally.expected}
        said = f"{tally.lines} {'line costs what it says' if tally.lines == 1 else 'lines cost what they say'}"
    if not tally.wrong:
        return row | {"status": "unchecked" if tally.unknown == tally.lines else "agrees", "explanation": f"{said}."}
    wrong = "; ".join(words for words, _ in sorted(tally.wrong)[:SHOWN])
    more = f"; and {len(tally.wrong) - SHOWN} more" if len(tally.wrong) > SHOWN else ""
    row |= {"status": "mismatch", "difference_amount": tally.off}
    row["evidence"] = " ".join(sorted(evidence for _, evidence in tally.wrong)[:KEPT])
    return row | {"explanation": f"{len(tally.wrong)} of {tally.lines} lines do not cost what they say: {wrong}{more}."}


def unknown_types(unknown: Mapping[tuple[str, str], Sequence[Row]]) -> Iterator[Row]:
    """Charge types nobody knows: passed through, and named so that a person looks (AppXite saw such in real files)."""
    for (source, currency), rows in unknown.items():
        words: dict[str, int] = {}
        for row in rows:
            words[row["charge_type"] or "(none)"] = words.get(row["charge_type"] or "(none)", 0) + 1
        named = ", ".join(f"{word} ({count})" for word, count in sorted(words.items())[:KEPT])
        amount = sum((row["amount"] for row in rows), Decimal(0))
        yield {
            "source": source,
            "check": "charge_type",
            "status": "mismatch",
            "lines": len(rows),
            "stated_amount": amount,
            "currency": currency,
            "confidence": Decimal("0.5"),
            "explanation": f"Charge types that are not known: {named}. Their {len(rows)} lines count as money, "
            f"{format_amount(amount, currency)} {currency}, and not as seats.",
            "evidence": " ".join(row["evidence"] for row in rows[:KEPT]),
        }
