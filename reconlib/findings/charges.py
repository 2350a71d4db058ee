"""What the audit of the vendors' charges found, as findings (T6, T19, T29, T70–T101)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reconlib.findings.kinds import Facts, Row
from reconlib.money import SEVERAL, format_amount, round_amount

SURE = Decimal("0.9")  # below, a figure is an estimate
SHOWN = 3  # things an explanation names
_UNMAPPED = {"vendor_account_id": "unmapped_account", "vendor_product_id": "unmapped_service"}


def check_charges(facts: Facts) -> Iterator[Row]:
    """What vendors charge wrongly, one finding a check, client, service, source, account and product.

    ``cost_impact`` is positive where the vendor charges too much, null where the money is not known or its currencies differ. A stopped
    invoice names both of its sums and has no money: what is wrong is not known. Charges of accounts nobody mapped come as such (T19).
    """
    groups: dict[tuple[str | None, ...], list[Row]] = {}
    for row in facts.audit:
        if row["status"] == "stopped" and row["check"] == "invoice_sum":
            groups.setdefault((row["check"], None, None, row["source"], None, None), []).append(row)
        elif row["status"] == "mismatch":
            place = (row["client_id"], row["service_id"], row["source"], row["vendor_account_id"], row["vendor_product_id"])
            groups.setdefault((row["check"], *place), []).append(row)
    for (check, *_), rows in groups.items():
        yield _finding(str(check), rows)


def _finding(check: str, rows: list[Row]) -> Row:
    first = rows[0]
    currencies = {row["currency"] for row in rows}
    money = [row["difference_amount"] for row in rows]
    known = check != "invoice_sum" and len(currencies) == 1 and None not in money
    confidence = min(row["confidence"] for row in rows)
    more = f" And {len(rows) - SHOWN} more." if len(rows) > SHOWN else ""
    text = " ".join(row["explanation"] for row in rows[:SHOWN]) + more
    impact = round_amount(sum(money, Decimal(0)), first["currency"]) if known else None
    if impact is not None and len(rows) > 1:
        text = f"{format_amount(impact, first['currency'])} {first['currency']} over {len(rows)} things charged. {text}"
    kind = "vendor_invoice_mismatch"
    if check == "unmapped":
        kind = _UNMAPPED["vendor_account_id" if first["vendor_account_id"] is not None else "vendor_product_id"]
    return {
        "kind": kind,
        **{name: first[name] for name in ("client_id", "client_name", "service_id", "service_name", "source")},
        "vendor_account_id": first["vendor_account_id"],
        "vendor_product_id": first["vendor_product_id"],
        "variance_qty": _units(check, rows),
        "currency": first["currency"] if len(currencies) == 1 else SEVERAL,
        "cost_impact": impact,
        "confidence": confidence,
        "certainty": "calculated" if confidence >= SURE else "estimated",
        "explanation": text,
        "rule": f"vendor_audit.{check}",
        "evidence": " ".join(row["evidence"] for row in rows if row["evidence"]) or None,
    }


def _units(check: str, rows: list[Row]) -> Decimal | None:
    """Seats charged above those bought; null for what is no matter of seats."""
    if check not in ("seats", "refund"):
        return None
    six = Decimal("0.000001")
    return sum(((row["stated_qty"] - row["expected_qty"]).quantize(six) for row in rows), Decimal(0))
