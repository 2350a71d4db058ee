"""Figures of money: from billed to should-bill, and where the difference lies; under and over are never netted (T131)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.charts.drawing import (
    BAR_PX,
    OVER,
    UNDER,
    UNKNOWN,
    cut_name,
    keep_currency,
    lay_out,
    plot_nothing,
    read_rows,
    signed,
    tell_apart,
    two_lines,
)
from reconlib.money import format_amount

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHOWN_MAX = 15  # bars of a ranking; the rest is one bar

CAUSES = {
    "under_billed": "Billed too few",
    "new_revenue": "Used, no line",
    "over_billed": "Billed too many",
    "orphan_line": "Line, no use",
}


def plot_waterfall(comparison: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """From what is billed to what should be billed, one step a cause; what is not known is in no step.

    Steps start at what is billed today, so that a small difference stays visible beside a large invoice.

    Args:
        comparison: COMPARISON, or FINDINGS (their ``kind`` is the cause; the amount billed is then not shown).
        currency: ISO 4217 code; default the one most rows have. Other currencies are not drawn.
    """
    import plotly.graph_objects as go

    code, rows = keep_currency(read_rows(comparison), currency)
    steps = {cause: Decimal(0) for cause in CAUSES}
    for row in rows:
        cause = str(row.get("kind") or row.get("status") or "")
        if cause in steps and row.get("monthly_impact") is not None:
            steps[cause] += row["monthly_impact"]
    steps = {cause: amount for cause, amount in steps.items() if amount}
    billed = None if rows and "kind" in rows[0] else sum((_billed(row) for row in rows), Decimal(0))
    change = sum(steps.values(), Decimal(0))
    if not steps:
        return plot_nothing("No difference has a known amount this month.")
    ends = ("Billed today", "Should bill")
    marks = ["", ""] if billed is None else [format_amount(billed, code), format_amount(billed + change, code)]
    labels = [two_lines(ends[0], marks[0]), *[two_lines(CAUSES[c], _direction(steps[c])) for c in steps], two_lines(ends[1], marks[1])]
    fig = go.Figure(
        go.Waterfall(
            x=labels,
            y=[0.0, *[float(amount) for amount in steps.values()], 0.0],
            measure=["absolute", *["relative"] * len(steps), "total"],
            text=["", *[signed(amount, code) for amount in steps.values()], signed(change, code)],
            textposition="outside",
            increasing={"marker": {"color": UNDER}},
            decreasing={"marker": {"color": OVER}},
            totals={"marker": {"color": UNKNOWN}},
            connector={"line": {"color": UNKNOWN, "width": 1}},
            hovertemplate="%{x}: %{text} " + code + "<extra></extra>",
            cliponaxis=False,
        )
    )
    lay_out(fig, f"From billed to should-bill, {code} a month", 400)
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(title={"font": {"size": 12}, "text": f"change from what is billed, {code}"})
    return fig


def plot_impact_by_service(findings: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """Under-billed and over-billed money of each service, never netted (FINDINGS or COMPARISON)."""
    return _impact(read_rows(findings), "service_id", "service_name", "by service", currency)


def plot_impact_by_client(findings: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """Under-billed and over-billed money of each client, never netted (FINDINGS or COMPARISON)."""
    return _impact(read_rows(findings), "client_id", "client_name", "by client", currency)


def plot_decisions(findings: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """Money behind each state of decision, under- and over-billed apart (FINDINGS)."""
    named = [{**row, "state_id": row["status"], "state_name": str(row["status"]).replace("_", " ")} for row in read_rows(findings)]
    return _impact(named, "state_id", "state_name", "by decision", currency)


def _impact(found: list[dict[str, Any]], key: str, name: str, title: str, currency: str) -> go.Figure:
    import plotly.graph_objects as go

    code, rows = keep_currency(found, currency)
    under: dict[str, Decimal] = {}
    over: dict[str, Decimal] = {}
    names: dict[str, str] = {}
    for row in rows:
        amount = row["monthly_impact"]
        if amount:
            sums = under if amount > 0 else over
            group = str(row[key] or "")
            sums[group] = sums.get(group, Decimal(0)) + amount
            names[group] = str(row[name] or "not mapped")
    ranked = sorted(names, key=lambda k: (-(under.get(k, Decimal(0)) - over.get(k, Decimal(0))), k))
    if not ranked:
        return plot_nothing("No difference has a known amount this month.")
    rest = ranked[SHOWN_MAX:]
    labels = tell_apart([*(cut_name(names[k]) for k in ranked[:SHOWN_MAX]), *([f"{len(rest)} others"] if rest else [])])
    fig = go.Figure()
    for sums, colour, word in ((under, UNDER, "under-billed"), (over, OVER, "over-billed")):
        values = [sums.get(k, Decimal(0)) for k in ranked[:SHOWN_MAX]]
        values += [sum((sums.get(k, Decimal(0)) for k in rest), Decimal(0))] if rest else []
        fig.add_bar(
            y=labels,
            x=[float(v) for v in values],
            orientation="h",
            name=word,
            marker={"color": colour},
            text=[f"{format_amount(abs(v), code)} {word.split('-')[0]}" if v else "" for v in values],
            textposition="outside",
            textangle=0,
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    note = "over-billed to the left, under-billed to the right, never netted"
    lay_out(fig, f"Difference {title}, {code} a month", 120 + BAR_PX * len(labels), note)
    fig.update_layout(barmode="overlay", showlegend=False)
    most = max(abs(mark) for bar in fig.data for mark in bar.x)
    fig.update_xaxes(range=[-most * 1.35 if over else -most * 0.05, most * 1.35 if under else most * 0.05], zeroline=True)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def _billed(row: Mapping[str, Any]) -> Decimal:
    if row.get("billed_qty") is None or row.get("unit_price") is None:
        return Decimal(0)
    amount: Decimal = row["billed_qty"] * row["unit_price"] / (row.get("cycle_months") or 1)
    return amount


def _direction(amount: Decimal) -> str:
    return "under-billed" if amount > 0 else "over-billed"
