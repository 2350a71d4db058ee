"""Terms that end soon, and the last day on which seats nobody uses can be given back (T85–T87).

Inside a term the quantity cannot go down. It can on the day of renewal; at Microsoft (new commerce) for seven days more, 168 hours. Whoever
misses that day pays for another term. The window is granted only where the product's part number is Microsoft's own: elsewhere the renewal
day itself is the last one, which is never too late.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.comparison import money_a_month
from reconlib.schema import RENEWALS, make_table

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
AHEAD_DAYS = 90
WINDOW_DAYS = 7  # after the renewal, new commerce only
_NEW_COMMERCE = re.compile(r"CFQ7TTC[0-9A-Z]{5}")  # how Microsoft's new-commerce product ids begin
ZERO = Decimal(0)


def renewals(
    tables: Mapping[str, pa.Table], accounts: pa.Table, products: pa.Table, cells: pa.Table, *, as_of: date, days: int = AHEAD_DAYS
) -> pa.Table:
    """Purchases whose term ends within ``days`` after ``as_of``, or whose last day to reduce is not over. Returns RENEWALS, soonest first.

    Free and inactive purchases, and those without a term, are left out. Seats nobody uses are known for a client and service, not for one
    purchase: they are laid on its purchases in the order they renew, so that none is counted twice. Used units that are not known leave
    the idle ones and their money unknown (T1).
    """
    clients = {(row["source"], row["vendor_account_id"]): row for row in accounts.to_pylist() if row["state"] == "mapped"}
    names = {(row["source"], row["vendor_account_id"]): row["account_name"] for row in tables["vendor_accounts"].to_pylist()}
    sold = {(row["source"], row["vendor_product_id"]): row for row in tables["vendor_products"].to_pylist()}
    services: dict[tuple[str, str], list[str]] = {}
    for row in products.to_pylist():
        if row["state"] == "mapped":
            services.setdefault((row["source"], row["vendor_product_id"]), []).append(row["service_id"])
    known = {(row["client_id"], row["service_id"]): row for row in cells.to_pylist()}
    left = {key: _idle(cell) for key, cell in known.items()}
    rows = []
    for row in sorted(tables["purchases"].to_pylist(), key=lambda r: (r["commitment_end_date"] or date.max, r["purchase_id"])):
        if not row["is_active"] or row["is_free"]:
            continue
        client = clients.get((row["source"], row["vendor_account_id"]))
        product = sold[row["source"], row["vendor_product_id"]]
        cell = _cell(known, client, services.get((row["source"], row["vendor_product_id"]), []))
        idle = None if cell is None else _take(left, cell, row["quantity_qty"])
        ends = row["commitment_end_date"]
        last = ends and (ends + timedelta(days=WINDOW_DAYS) if is_new_commerce(product) else ends)
        if not ends or last < as_of or ends > as_of + timedelta(days=days):
            continue
        stake = row["unit_cost"] is not None and row["currency"] and idle is not None
        rows.append(
            {
                **{name: row[name] for name in ("source", "purchase_id", "quantity_qty", "term", "unit_cost", "currency", "evidence")},
                "client_name": client and client["client_name"],
                "service_name": cell and cell["service_name"],
                "account_name": names.get((row["source"], row["vendor_account_id"])),
                "product_name": product["product_name"],
                "used_qty": cell and cell["used_qty"],
                "idle_qty": idle,
                "renewal_date": ends,
                "last_reduction_date": last,
                "days_ahead": (last - as_of).days,
                "monthly_stake": money_a_month(idle, row["unit_cost"], 1, row["currency"]) if stake and idle is not None else None,
            }
        )
    made = make_table(RENEWALS, rows)
    return made.sort_by([("last_reduction_date", "ascending"), ("source", "ascending"), ("purchase_id", "ascending")])


def is_new_commerce(product: Mapping[str, Any]) -> bool:
    """Whether a vendor product is a Microsoft new-commerce one, by its part number.

    Example:
        >>> [is_new_commerce({"sku": sku, "vendor_product_id": "p1"}) for sku in ("CFQ7TTC0LCHC:0002", None)]
        [True, False]
    """
    return any(_NEW_COMMERCE.match(text or "") for text in (product["sku"], product["vendor_product_id"]))


def _cell(known: Mapping[tuple[str, str], Row], client: Row | None, services: list[str]) -> Row | None:
    """The client and service a purchase belongs to; of several services (T27) the one that leaves the fewest units idle."""
    found = [known[client["client_id"], service] for service in sorted(services) if client and (client["client_id"], service) in known]
    return min(found, key=lambda cell: (_idle(cell) is None, _idle(cell) or ZERO), default=None)


def _idle(cell: Row) -> Decimal | None:
    bought, used = cell["purchased_qty"], cell["used_qty"]
    return None if bought is None or used is None else max(ZERO, bought - used)


def _take(left: dict[tuple[str, str], Decimal | None], cell: Row, quantity: Decimal) -> Decimal | None:
    key = (cell["client_id"], cell["service_id"])
    there = left[key]
    if there is None:
        return None
    taken = min(there, max(ZERO, quantity))
    left[key] = there - taken
    return taken
