"""Charges nobody is billed for, and charges of accounts and products nobody mapped (T19, T22)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Protocol

from reconlib.invoices.arithmetic import DIGITS
from reconlib.money import format_amount

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
SpendKey = tuple[str, str, str, str]  # source, account, product, currency
_RECURS = ("start", "change", "usage")  # what an agreement should bill; a setup fee or a licence bought for good is invoiced once
_CLAIMED = ("lines", "double_charge", "seats", "refund", "price")  # money another finding asks back already


class Places(Protocol):
    """Client and services of accounts and products."""

    clients: dict[tuple[str, str], str]

    def services_of(self, client: str | None, source: str, product: str) -> frozenset[str]:
        """Services a product counts for at a client."""


@dataclass(slots=True)
class Spend:
    """What one vendor charges for one account and product."""

    lines: int = 0
    amount: Decimal = Decimal(0)
    recurring: Decimal = Decimal(0)
    evidence: str = ""

    def add(self, row: Row, kind: str) -> None:
        """One line more."""
        with localcontext(prec=DIGITS):
            self.lines += 1
            self.amount += row["amount"]
            self.recurring += row["amount"] if kind in _RECURS else 0
        self.evidence = self.evidence or row["evidence"]


def check_mapped(spends: Mapping[SpendKey, Spend], accounts: pa.Table, products: pa.Table) -> Iterator[dict[str, Any]]:
    """Money charged for an account that has no client, or a product that has no service: it surfaces, whatever the units say (T19)."""
    waiting = {(r["source"], r["vendor_account_id"]): r for r in accounts.to_pylist() if r["state"] in ("unmapped", "suggested")}
    unknown = {(r["source"], r["vendor_product_id"]): r for r in products.to_pylist() if r["state"] in ("unmapped", "suggested")}
    found: dict[tuple[str, str | None, str | None, str], list[Spend]] = {}
    for (source, account, product, currency), spend in spends.items():
        if (source, account) in waiting:
            found.setdefault((source, account, None, currency), []).append(spend)
        if (source, product) in unknown:
            found.setdefault((source, None, product, currency), []).append(spend)
    for (source, on_account, on_product, currency), parts in found.items():
        amount = sum((part.amount for part in parts), Decimal(0))
        if not amount:
            continue
        row = unknown[source, on_product or ""] if on_account is None else waiting[source, on_account]
        what = f"product {row['product_name']} has no service" if on_account is None else f"account {row['account_name']} has no client"
        yield {
            "source": source,
            "check": "unmapped",
            "status": "reported" if row["units_qty"] else "mismatch",
            "vendor_account_id": on_account,
            "vendor_product_id": on_product,
            "lines": sum(part.lines for part in parts),
            "stated_amount": amount,
            "currency": currency,
            "explanation": f"{source} charges {format_amount(amount, currency)} {currency}, and {what}.",
            "evidence": " ".join(part.evidence for part in parts[:10]),
        }


def check_billed(
    spends: Mapping[SpendKey, Spend],
    made: Sequence[Row],
    places: Places,
    states: Mapping[tuple[str, str], tuple[str, int]],
    own_clients: Collection[str],
    gone_clients: Collection[str],
    said_elsewhere: Collection[tuple[str | None, str]],
) -> Iterator[dict[str, Any]]:
    """Recurring charges of a mapped client and service that no agreement line bills, less what other checks ask back already.

    A bundle that covers the service bills it (T67). Where units are known the comparison has said so already: ``reported``. It says
    nothing of clients that are deleted or no customers (T13, T14): what is still charged for those is said here, cloud cost too.
    """
    claimed: dict[SpendKey, Decimal] = {}
    for done in made:
        if done["check"] in _CLAIMED and done["status"] == "mismatch" and done.get("difference_amount"):
            asked = done["source"], done["vendor_account_id"], done["vendor_product_id"], done["currency"]
            claimed[asked] = claimed.get(asked, Decimal(0)) + done["difference_amount"]
    for key, spend in spends.items():
        source, account, product, currency = key
        client = places.clients.get((source, account))
        services = places.services_of(client, source, product)
        if client is None or not services or spend.recurring <= 0:
            continue
        found = [states[client, service] for service in services if (client, service) in states]
        row: dict[str, Any] = {"source": source, "check": "unbilled", "vendor_account_id": account, "vendor_product_id": product}
        row |= {"lines": spend.lines, "stated_amount": spend.recurring, "currency": currency, "evidence": spend.evidence}
        said = f"{source} charges {format_amount(spend.recurring, currency)} {currency}"
        if client in own_clients:
            yield row | {"status": "agrees", "explanation": f"{said}: the MSP's own cost."}
        elif any(lines or status == "covered" for status, lines in found):
            yield row | {"status": "agrees", "explanation": f"{said}, and an agreement bills the service."}
        elif client in gone_clients and not any((client, service) in said_elsewhere for service in services):
            rest = _unasked(spend, claimed.get(key, Decimal(0)))
            text = f"{said} for a client that is deleted or no customer any more, so nobody is billed for it."
            yield row | {"status": "mismatch", "difference_amount": rest, "explanation": text, "confidence": Decimal("0.9")}
        elif found or any(place in said_elsewhere for service in services for place in ((None, service), (client, service))):
            yield row | {"status": "reported", "explanation": f"{said}; that no line bills it is said elsewhere, or left out by rule."}
        else:
            rest = _unasked(spend, claimed.get(key, Decimal(0)))
            text = f"{said}, and no agreement line bills the service to this client."
            yield row | {"status": "mismatch", "difference_amount": rest, "explanation": text, "confidence": Decimal("0.9")}


def _unasked(spend: Spend, claimed: Decimal) -> Decimal:
    """What recurs, less what another check asks back already: each coin is asked for once."""
    return max(Decimal(0), spend.recurring - max(Decimal(0), claimed))
