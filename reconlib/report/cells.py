"""One value as people read it: exact, with its unit or currency; unknown is written in words and is never 0 (T1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.money import format_amount, format_qty, round_amount

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# What stands where a value is not known, and why. Anything else: "–".
UNKNOWN = {
    "used_qty": ("no data", "no count was received: this is not zero"),
    "purchased_qty": ("no data", "no purchase was received: this is not zero"),
    "expected_qty": ("no data", "without a count nothing can be expected"),
    "variance_qty": ("no data", "without a count there is no difference"),
    "contracted_qty": ("no line", "no agreement line in scope"),
    "billed_qty": ("no line", "no agreement line in scope"),
    "records": ("no data", "nothing was received"),
    "previous_records": ("no data", "nothing was received last month"),
    "monthly_impact": ("no amount", "not known, so not part of any total"),
}
NOTHING = ("–", "not known, or does not apply")

HEADERS = {
    "monthly_impact": "A month",
    "cost_impact": "Cost a month",
    "monthly_effect": "Effect a month",
    "first_effect": "First invoice",
    "variance_qty": "Difference",
    "quantity_qty": "Units",
    "units_qty": "Units",
    "runner_up_name": "Runner-up",
    "client_name": "Client",
    "service_name": "Service",
    "product_name": "Vendor product",
    "account_name": "Vendor account",
    "previous_records": "Last month",
    "as_of_at": "As of",
    "kind": "What is wrong",
    "probability": "Sure",
    "runner_up_probability": "Runner-up sure",
    "confidence": "Sure",
    "reason": "Why",
}
CODED = frozenset({"kind", "status", "state", "bucket", "certainty", "billable", "decided_by", "measure", "record_kind", "action"})
TONES = {
    "under_billed": "under",
    "new_revenue": "under",
    "over_billed": "over",
    "orphan_line": "over",
    "failed": "bad",
    "not_arrived": "bad",
    "partial": "unknown",
    "no_count": "unknown",
    "no_source": "unknown",
    "unmapped": "unknown",
    "suggested": "unknown",
    "complete": "good",
    "verified": "good",
    "mapped": "good",
    "approved": "good",
    "matched": "good",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is shown, the plain number behind it when it is one, and its tone."""

    text: str
    number: str | None = None
    title: str = ""
    tone: str = ""
    word: str = ""
    code: str = ""  # currency, where it is not the heading's


def words(code: str) -> str:
    """A code of the tables as people read it.

    Example:
        >>> words("under_billed"), words("no_count")
        ('under-billed', 'no count')
    """
    return {"under_billed": "under-billed", "over_billed": "over-billed"}.get(code, code.replace("_", " "))


def header(name: str) -> str:
    """A column's name as people read it.

    Example:
        >>> header("contracted_qty"), header("first_seen")
        ('Contracted', 'First seen')
    """
    if name in HEADERS:
        return HEADERS[name]
    text = name
    for suffix in ("_qty", "_amount", "_date", "_at"):
        text = text.removesuffix(suffix)
    return text.replace("_", " ").strip().capitalize() or name


def is_missing(value: object) -> bool:
    """A null of any library: None, NaN, NaT, pandas NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def rows_of(table: pa.Table | pd.DataFrame | Sequence[Mapping[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Column names and rows of any table analysts hold, with exact values."""
    anything: Any = table  # told apart by what it can do: pyarrow and pandas are not imported for it
    if hasattr(anything, "to_pylist"):
        return list(anything.column_names), anything.to_pylist()
    if hasattr(anything, "itertuples"):
        names = [str(name) for name in anything.columns]
        return names, [dict(zip(names, row, strict=True)) for row in anything.itertuples(index=False, name=None)]
    rows = [dict(row) for row in anything]
    return list(dict.fromkeys(name for row in rows for name in row)), rows


SCORES = ("probability", "runner_up_probability", "confidence", "said_share", "true_share")


def format_value(name: str, value: object, *, currency: str | None = None) -> Cell:
    """One value as a cell: money when a currency is given, exact, unknown in words.

    Example:
        >>> format_value("used_qty", None).text, format_value("x", Decimal("33.000000")).text
        ('no data', '33')
        >>> format_value("probability", Decimal("0.4")).text, format_value("confidence", Decimal(1)).text
        ('0.40', '1.00')
    """
    if is_missing(value):
        text, title = UNKNOWN.get(name, NOTHING)
        return Cell(text, title=title, tone="missing")
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return Cell("yes" if value else "no")
    if isinstance(value, Decimal):
        return format_number(name, value, currency)
    if isinstance(value, int) or type(value).__name__.startswith(("int", "uint")):
        return format_number(name, Decimal(int(value)), currency)  # type: ignore[call-overload] # a numpy integer, known by its name
    if isinstance(value, float) or type(value).__name__.startswith("float"):
        return format_number(name, Decimal(repr(float(value))), None)  # type: ignore[arg-type] # a numpy float, known by its name
    if isinstance(value, datetime):
        return Cell(f"{value:%Y-%m-%d %H:%M} UTC")
    if isinstance(value, date):
        return Cell(value.isoformat())
    if isinstance(value, (list, tuple, set, frozenset)):
        return Cell(", ".join(str(v) for v in value))
    text = str(value)
    return Cell(words(text), tone=TONES.get(text, "code")) if name in CODED and text else Cell(text)


def format_number(name: str, value: Decimal, currency: str | None) -> Cell:
    """An exact number as a cell; an amount that its coin would round is shown whole."""
    exact = not currency or round_amount(value, currency) != value
    text = format_qty(value) if exact or currency is None else format_amount(value, currency)
    if name in SCORES:  # 0.40 beside 0.37
        whole, _, part = text.partition(".")
        text = f"{whole}.{part:0<2}"
    plain = text.replace(",", "")
    tone, word = "", ""
    if name == "monthly_impact" and value:
        tone, word = ("under", "under-billed") if value > 0 else ("over", "over-billed")
    return Cell(text.replace("-", "−"), number=plain, tone=tone, word=word)
