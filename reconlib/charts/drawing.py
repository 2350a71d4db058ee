"""What every figure shares: rows in, labels that are safe and told apart, one look.

Under-billed is blue, over-billed is orange, unknown is grey: told apart without colour vision, and each also stands in words. Names are
cut with an ellipsis in a chart only; the whole name is in the hover and in the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from reconlib.money import format_amount

if TYPE_CHECKING:
    import plotly.graph_objects as go

UNDER, OVER, UNKNOWN, EVEN, LAST = "#3a7fc4", "#d0712a", "#9aa1ab", "#e9ecef", "#b9c0c9"
FONT = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
NAME_CHARS = 30
BAR_PX = 30  # height of one horizontal bar with its gap


def read_rows(frame: Any) -> list[dict[str, Any]]:
    """Rows with every null as None."""
    if hasattr(frame, "to_pylist"):
        rows: list[dict[str, Any]] = frame.to_pylist()
        return rows
    names = [str(name) for name in frame.columns]
    return [
        {name: None if _missing(value) else value for name, value in zip(names, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]


def _missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)  # noqa: PLR0124 - only NaN differs from itself


def keep_currency(rows: list[dict[str, Any]], currency: str) -> tuple[str, list[dict[str, Any]]]:
    """Code and rows of one currency: the one asked for, else the one most rows have."""
    codes = [str(row["currency"]) for row in rows]
    code = currency or (max(sorted(set(codes)), key=codes.count) if codes else "")
    return code, [row for row in rows if row["currency"] == code]


def signed(amount: Decimal, currency: str) -> str:
    """An amount with its sign before it."""
    return f"{'−' if amount < 0 else '+'}{format_amount(abs(amount), currency)}"


def cut_name(name: object, chars: int = NAME_CHARS) -> str:
    """A name cut for a chart and safe in plotly's own markup."""
    text = " ".join(str(name).split())
    return escape(text if len(text) <= chars else text[: chars - 1].rstrip() + "…", quote=False)


def tell_apart(labels: Iterable[str]) -> list[str]:
    """Labels told apart: two clients whose cut names are alike must not share a bar."""
    seen: dict[str, int] = {}
    out = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return out


def two_lines(first: str, second: str) -> str:
    """A label with a second line, where there is one."""
    return f"{first}<br>{second}" if second else first


def lay_out(fig: go.Figure, title: str, height: int, note: str = "") -> None:
    """Type, margins, grid and the title with its note; the page puts the light or dark colours on."""
    head: dict[str, Any] = {"text": f"<b>{title}</b>", "x": 0, "xanchor": "left", "xref": "container", "font": {"size": 15}}
    if note:
        head["subtitle"] = {"text": note, "font": {"size": 12}}
    fig.update_layout(
        template="none",
        title={**head, "yref": "container", "y": 1 - 22 / height, "yanchor": "bottom"},
        font={"family": FONT, "size": 13, "color": "#333a42"},
        height=height,
        margin={"l": 8, "r": 24, "t": 68 if note else 48, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hoverlabel={"font": {"family": FONT}},
    )
    fig.update_xaxes(automargin=True, gridcolor="#e3e5e8", zerolinecolor="#9aa1ab", fixedrange=True, separatethousands=True, ticks="")
    fig.update_yaxes(
        automargin=True,
        gridcolor="#e3e5e8",
        zerolinecolor="#9aa1ab",
        fixedrange=True,
        separatethousands=True,
        ticklabelstandoff=6,
        ticks="",
    )


def plot_nothing(why: str) -> go.Figure:
    """A figure that says why there is nothing to draw."""
    import plotly.graph_objects as go

    fig = go.Figure()
    lay_out(fig, why, 90)
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig
