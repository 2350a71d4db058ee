"""What hangs on an account or product, and how doubtful its choice is: the queue is ranked by their product (docs/mapping.md)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.engine import read_sql, run_sql
from reconlib.money import round_amount

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

Stakes = Mapping[tuple[str, str], tuple[Decimal, Decimal | None, str | None]]  # (source, vendor id) -> units, monthly cost, currency
NOTHING = (Decimal(0), None, None)


def measure_stakes(tables: Mapping[str, pa.Table], *, as_of: date) -> tuple[Stakes, Stakes]:
    """Units and monthly cost that hang on each account, and on each product."""
    inputs = {name: tables[name] for name in ("usage_records", "purchases", "vendor_products")}
    out = run_sql(read_sql("mapping.sql"), inputs, values={"as_of": as_of}, results=("account_stakes", "product_stakes"))
    accounts, products = (
        {
            (row["source"], row["vendor_id"]): (
                row["units_qty"],
                None if row["monthly_cost"] is None else round_amount(row["monthly_cost"], row["currency"]),
                row["currency"],
            )
            for row in out[name].to_pylist()
        }
        for name in ("account_stakes", "product_stakes")
    )
    return accounts, products


def weigh(link: Mapping[str, Any], stake: tuple[Decimal, Decimal | None, str | None]) -> dict[str, Any]:
    """Units, cost, stake and doubt of one row of a mapping.

    doubt = 1 − probability of what is chosen; 1 where nothing is chosen or judged, 0 where it is settled: excluded, or mapped and not
    contradicted.

    Example:
        >>> row = weigh({"state": "suggested", "probability": Decimal("0.9")}, (Decimal(3), None, None))
        >>> row["stake"], row["doubt"]
        (Decimal('3'), Decimal('0.1'))
    """
    units, cost, currency = stake
    settled = link["state"] in ("mapped", "excluded") and link.get("verdict") != "CONTRADICTION"
    chosen = link.get("probability") if link["state"] in ("suggested", "mapped") else None
    doubt = Decimal(0) if settled else 1 - (chosen or Decimal(0))
    return {"units_qty": units, "monthly_cost": cost, "currency": currency, "stake": units if cost is None else cost, "doubt": doubt}


def rank_key(row: Mapping[str, Any]) -> tuple[Decimal, Decimal, str, str]:
    """Where a row of a mapping stands in the queue: money at stake × doubt, then units × doubt where no money is known."""
    money, doubt = row["monthly_cost"] or Decimal(0), row["doubt"]
    return (-money * doubt, -row["units_qty"] * doubt, row["source"], row["evidence"])
