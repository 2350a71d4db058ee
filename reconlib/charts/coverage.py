"""Figures of coverage: what was received, mapped and counted, and where nothing can be said (T1)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from reconlib.charts.drawing import (
    BAR_PX,
    EVEN,
    LAST,
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
from reconlib.money import format_qty

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

HEADING_PX = 6  # height of one character of a heading that stands upright
DENSE = 10  # services; with more the fields of the map are too narrow for words
LABEL_SHARE = 0.1  # a segment narrower than this share of the widest bar has its label in the hover only
UNKNOWN_STATUS = frozenset({"no_count", "no_source", "not_comparable"})
STATE_COLOURS = {"mapped": UNDER, "suggested": "#9cc3e8", "unmapped": OVER, "excluded": UNKNOWN}


def plot_client_service_map(cells: pd.DataFrame, *, currency: str = "", max_clients: int = 25) -> go.Figure:
    """Client × service: under-billed and over-billed money, and where nothing can be said for want of a count.

    Args:
        cells: COMPARISON.
        currency: ISO 4217 code; default the one most rows have.
        max_clients: clients shown, those with most money or most unknown first; the title says how many there are.
    """
    import plotly.graph_objects as go

    code, rows = keep_currency(read_rows(cells), currency)
    weight: dict[str, tuple[Decimal, int]] = {}
    for row in rows:
        money, unknown = weight.get(row["client_id"], (Decimal(0), 0))
        weight[row["client_id"]] = (money + abs(row["monthly_impact"] or 0), unknown + (row["status"] in UNKNOWN_STATUS))
    open_clients = sorted((c for c, w in weight.items() if any(w)), key=lambda c: (-weight[c][0], -weight[c][1], c))
    if not open_clients:
        return plot_nothing("Every client and service matches; there is nothing to show on a map.")
    chosen = open_clients[:max_clients]
    names = {row["client_id"]: row["client_name"] for row in rows}
    services = {row["service_id"]: row["service_name"] for row in rows if row["client_id"] in chosen}
    order = sorted(services, key=lambda s: (services[s], s))
    at = {(row["client_id"], row["service_id"]): row for row in rows}
    grid = [[at.get((client, service)) for service in order] for client in chosen]
    peak = max((abs(float(row["monthly_impact"])) for row in rows if row["monthly_impact"] is not None), default=1.0) or 1.0
    headings = tell_apart(cut_name(services[s]) for s in order)
    common: dict[str, Any] = {
        "x": headings,
        "y": tell_apart(cut_name(names[c]) for c in chosen),
        "xgap": 3,
        "ygap": 3,
    }
    hover = [[_map_hover(row, code) for row in line] for line in grid]
    fig = go.Figure()
    fig.add_heatmap(
        z=[[float(row["status"] in UNKNOWN_STATUS) if row and row["monthly_impact"] is None else None for row in line] for line in grid],
        text=[[_no_amount(row, is_dense=len(order) > DENSE) for row in line] for line in grid],
        zmin=0,
        zmax=1,
        colorscale=[[0, EVEN], [1, LAST]],
        showscale=False,
        customdata=hover,
        texttemplate="<i>%{text}</i>",
        textfont={"size": 11},
        hovertemplate="%{customdata}<extra></extra>",
        **common,
    )
    fig.add_heatmap(
        z=[[float(row["monthly_impact"]) if row and row["monthly_impact"] is not None else None for row in line] for line in grid],
        text=[[_map_text(row, code) for row in line] for line in grid],
        zmin=-peak,
        zmax=peak,
        colorscale=[[0, OVER], [0.35, "#f0c7a3"], [0.5, EVEN], [0.65, "#a9cbea"], [1, UNDER]],
        showscale=False,
        customdata=hover,
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate="%{customdata}<extra></extra>",
        **common,
    )
    if hatch := _hatch(grid):
        fig.add_shape(type="path", path=hatch, line={"color": UNKNOWN, "width": 1}, layer="above")
    shown = f"{len(chosen)} of {len(weight)} clients" if len(chosen) < len(weight) else f"{len(chosen)} clients"
    note = f"{shown}; + under-billed (blue), − over-billed (orange), hatched: no data"
    note += "; ·: nothing to compare" if len(order) > DENSE else ""
    top = 80 + HEADING_PX * max(len(unescape(heading)) for heading in headings)
    lay_out(fig, f"Where the money is, {code} a month", top + 12 + 28 * len(chosen), note)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(side="top", showgrid=False, tickangle=-90, tickfont={"size": 12})  # upright: they meet at no width
    fig.update_layout(margin={"t": top, "b": 12})
    return fig


def plot_four_numbers(cells: pd.DataFrame) -> go.Figure:
    """Contracted, billed, purchased and used units of each service, over the clients whose use is known.

    Purchased is drawn only where it is known for every client counted: half a sum would look like a shortage.
    """
    import plotly.graph_objects as go

    rows = read_rows(cells)
    known = [row for row in rows if row["used_qty"] is not None]
    services = {row["service_id"]: row["service_name"] for row in known}
    if not services:
        return plot_nothing("No service has a count this month.")
    order = sorted(services, key=lambda s: (services[s], s))
    groups = {service: [row for row in known if row["service_id"] == service] for service in order}
    labels = tell_apart(cut_name(services[s]) for s in order)
    marks = (
        ("contracted_qty", "contracted", "square-open", UNKNOWN),
        ("billed_qty", "billed", "circle", OVER),
        ("purchased_qty", "purchased", "diamond-open", UNDER),
        ("used_qty", "used", "line-ns-open", UNDER),
    )
    fig = go.Figure()
    points: dict[str, list[float]] = {label: [] for label in labels}
    for column, word, symbol, colour in marks:
        xs, ys, text = [], [], []
        for service, label in zip(order, labels, strict=True):
            values = [row[column] for row in groups[service]]
            if column == "purchased_qty" and any(v is None for v in values):
                continue
            total = sum((v for v in values if v is not None), Decimal(0))
            xs.append(float(total))
            ys.append(label)
            text.append(format_qty(total))
            points[label].append(float(total))
        marker = {"symbol": symbol, "size": 17 if word == "used" else 12, "color": colour, "line": {"width": 3 if word == "used" else 2}}
        fig.add_scatter(
            x=xs,
            y=ys,
            mode="markers",
            name=word,
            marker=marker,
            customdata=text,
            hovertemplate="%{y}: %{customdata} " + word + "<extra></extra>",
        )
    for label, values in points.items():
        fig.add_shape(type="line", x0=min(values), x1=max(values), y0=label, y1=label, line={"color": LAST, "width": 4}, layer="below")
    note = f"{len(known)} of {len(rows)} client × service pairs: those whose use is known"
    lay_out(fig, "The four numbers, units by service", 150 + BAR_PX * len(labels), note)
    fig.update_layout(showlegend=True, legend={"orientation": "h", "y": -36 / (BAR_PX * len(labels)), "yanchor": "top", "x": 0})
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(rangemode="tozero")
    return fig


def plot_source_records(sources: pd.DataFrame) -> go.Figure:
    """Records of each source, this month and last; a source that failed has a word, not a bar (SOURCE_STATUS)."""
    import plotly.graph_objects as go

    rows = read_rows(sources)
    if not rows:
        return plot_nothing("No source is set up.")
    labels = tell_apart(cut_name(row["source"]) for row in rows)
    current = [row["records"] if row["status"] != "failed" else None for row in rows]
    words = [
        f"{row['status'].upper()}: no data"
        if row["status"] == "failed"
        else f"{int(row['records']):,}{'' if row['status'] == 'complete' else ' partial'}"
        for row in rows
    ]
    before = [row["previous_records"] for row in rows]
    fig = go.Figure()
    for values, text, colour, name in (
        (before, ["" if v is None else f"{int(v):,} last month" for v in before], LAST, "last month"),
        (current, words, UNDER, "this month"),
    ):
        fig.add_bar(
            y=labels,
            x=[float(v or 0) for v in values],
            orientation="h",
            name=name,
            marker={"color": colour},
            text=text,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    lay_out(fig, "Records received, this month and last", 110 + 50 * len(labels))
    fig.update_layout(barmode="group", bargap=0.3, showlegend=False)
    most = max([float(v or 0) for v in [*current, *before]] or [1.0]) or 1.0
    fig.update_xaxes(range=[0, most * 1.25])
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def plot_mapping_states(mapping: pd.DataFrame) -> go.Figure:
    """How many accounts or products of each source are mapped, suggested, unmapped or excluded (ACCOUNT_MAPPING or PRODUCT_MAPPING)."""
    import plotly.graph_objects as go

    rows = read_rows(mapping)
    key = "vendor_account_id" if rows and "vendor_account_id" in rows[0] else "vendor_product_id"
    what = "accounts" if key == "vendor_account_id" else "products"
    sources = sorted({row["source"] for row in rows})
    if not sources:
        return plot_nothing("No vendor account or product was received.")
    ids = {source: {row[key] for row in rows if row["source"] == source} for source in sources}
    mapped = {source: {row[key] for row in rows if row["source"] == source and row["state"] == "mapped"} for source in sources}
    labels = [
        two_lines(name, f"{len(mapped[s])} of {len(ids[s])} mapped")
        for s, name in zip(sources, tell_apart(map(cut_name, sources)), strict=True)
    ]
    widest = max(len(found) for found in ids.values())
    fig = go.Figure()
    for state, colour in STATE_COLOURS.items():
        counts = [len({row[key] for row in rows if row["source"] == source and row["state"] == state}) for source in sources]
        fig.add_bar(
            y=labels,
            x=counts,
            orientation="h",
            name=state,
            marker={"color": colour},
            text=[f"{n} {state}" if n >= LABEL_SHARE * widest else "" for n in counts],
            textposition="inside",
            insidetextanchor="start",
            textangle=0,
            hovertemplate="%{y}: %{x} " + state + "<extra></extra>",
        )
    lay_out(fig, f"Vendor {what} by state of their mapping", 130 + 44 * len(sources))
    fig.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"orientation": "h", "y": -36 / (44 * len(sources)), "yanchor": "top", "traceorder": "normal"},
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def _no_amount(row: Mapping[str, Any] | None, *, is_dense: bool) -> str:
    """Why a field has no amount; in a narrow one a sign, the words stand in its hover."""
    if row is None or row["monthly_impact"] is not None:
        return ""
    if row["status"] in UNKNOWN_STATUS:
        return "?" if is_dense else "no data"
    return "·" if is_dense else str(row["status"]).replace("_", " ")


def _hatch(grid: list[list[dict[str, Any] | None]]) -> str:
    """Path of diagonal strokes over every cell that is not known; positions count columns and rows."""
    strokes = []
    for y, line in enumerate(grid):
        for x, row in enumerate(line):
            if row and row["monthly_impact"] is None and row["status"] in UNKNOWN_STATUS:
                strokes += [f"M{x - 0.47 + at:.2f},{y + 0.44} L{x - 0.35 + at:.2f},{y - 0.44}" for at in (0.0, 0.2, 0.41, 0.62, 0.82)]
    return " ".join(strokes)


def _map_text(row: Mapping[str, Any] | None, currency: str) -> str:
    if row is None or row["monthly_impact"] is None:
        return ""
    return signed(row["monthly_impact"].quantize(Decimal(1)), currency).removesuffix(".00") if row["monthly_impact"] else "ok"


def _map_hover(row: Mapping[str, Any] | None, currency: str) -> str:
    if row is None:
        return ""
    amount = row["monthly_impact"]
    money = "amount not known" if amount is None else f"{signed(amount, currency)} {currency} a month"
    return f"{escape(row['client_name'])}<br>{escape(row['service_name'])}<br>{str(row['status']).replace('_', ' ')}: {money}"
