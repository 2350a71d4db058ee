"""One discrepancy that is there: what a label says."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Label:
    """One discrepancy that is there; None where the kind has no such value."""

    period: str
    kind: str
    client_id: str | None = None
    service_id: str | None = None
    source: str | None = None
    vendor_account_id: str | None = None
    vendor_product_id: str | None = None
    variance_qty: Decimal | None = None
    monthly_impact: Decimal | None = None
    cost_impact: Decimal | None = None
    rule: str | None = None  # the rule or check, for kinds of which one place may have several


def cents(amount: Decimal | None) -> Decimal | None:
    """Money to the cent, half up."""
    return None if amount is None else amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
