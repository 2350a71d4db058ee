"""The figures of the pages: money and counts as pictures, always beside the table that holds the exact values.

Decimals become floats here and only here, to place a mark on a screen; every label is formatted from the decimal. Under-billed is
blue, over-billed is orange, unknown is grey: told apart without colour vision, and each also stands in words. Names are cut with an
ellipsis in a chart only; the whole name is in the hover and in the table.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from reconlib.money import format_amount, format_qty

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

UNDER, OVER, UNKNOWN, EVEN, LAST = "#3a7fc4", "#d0712a", "#9aa1ab", "#e9ecef", "#b9c0c9"
FONT = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
NAME_CHARS = 30
BAR_PX = 30  # height of one horizontal bar with its gap
MAP_CHARS = 165  # characters of all the map's column headings side by side
LABEL_SHARE = 0.1  # a segment narrower than this share of the widest bar has its label in the hover only
SHOWN_MAX = 15  # bars of a ranking; the rest is one bar

CAUSES = {
    "under_billed": "Billed too few",
    "new_revenue": "Used, no line",
    "over_billed": "Billed too many",
    "orphan_line": "Line, no use",
}
UNKNOWN_STATUS = frozenset({"no_count", "no_source", "not_comparable"})
STATE_COLOURS = {"mapped": UNDER, "suggested": "#9cc3e8", "unmapped": OVER, "excluded": UNKNOWN}


def plot_waterfall(comparison: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """From what is billed to what should be billed, one step a cause; what is not known is in no step.

    Steps start at what is billed today, so that a small difference stays visible beside a large invoice.

    Args:
        comparison: COMPARISON, or FINDINGS (their ``kind`` is the cause; the amount billed is then not shown).
        currency: ISO 4217 code; default the one most rows have. Other currencies are not drawn.
    """
    import plotly.graph_objects as go

    code, rows = _one_currency(_rows(comparison), currency)
    steps = {cause: Decimal(0) for cause in CAUSES}
    for row in rows:
        cause = str(row.get("kind") or row.get("status") or "")
        if cause in steps and row.get("monthly_impact") is not None:
            steps[cause] += row["monthly_impact"]
    steps = {cause: amount for cause, amount in steps.items() if amount}
    billed = None if rows and "kind" in rows[0] else sum((_billed(row) for row in rows), Decimal(0))
    change = sum(steps.values(), Decimal(0))
    if not steps:
        return _empty("No difference has a known amount this month.")
    ends = ("Billed today", "Should bill")
    marks = ["", ""] if billed is None else [format_amount(billed, code), format_amount(billed + change, code)]
    labels = [_two_lines(ends[0], marks[0]), *[_two_lines(CAUSES[c], _direction(steps[c])) for c in steps], _two_lines(ends[1], marks[1])]
    fig = go.Figure(
        go.Waterfall(
            x=labels,
            y=[0.0, *[float(amount) for amount in steps.values()], 0.0],
            measure=["absolute", *["relative"] * len(steps), "total"],
            text=["", *[_signed(amount, code) for amount in steps.values()], _signed(change, code)],
            textposition="outside",
            increasing={"marker": {"color": UNDER}},
            decreasing={"marker": {"color": OVER}},
            totals={"marker": {"color": UNKNOWN}},
            connector={"line": {"color": UNKNOWN, "width": 1}},
            hovertemplate="%{x}: %{text} " + code + "<extra></extra>",
            cliponaxis=False,
        )
    )
    _lay_out(fig, f"From billed to should-bill, {code} a month", 400)
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(title={"font": {"size": 12}, "text": f"change from what is billed, {code}"})
    return fig


def plot_client_service_map(cells: pd.DataFrame, *, currency: str = "", max_clients: int = 25) -> go.Figure:
    """Client × service: under-billed and over-billed money, and where nothing can be said for want of a count.

    Args:
        cells: COMPARISON.
        currency: ISO 4217 code; default the one most rows have.
        max_clients: clients shown, those with most money or most unknown first; the title says how many there are.
    """
    import plotly.graph_objects as go

    code, rows = _one_currency(_rows(cells), currency)
    weight: dict[str, tuple[Decimal, int]] = {}
    for row in rows:
        money, unknown = weight.get(row["client_id"], (Decimal(0), 0))
        weight[row["client_id"]] = (money + abs(row["monthly_impact"] or 0), unknown + (row["status"] in UNKNOWN_STATUS))
    open_clients = sorted((c for c, w in weight.items() if any(w)), key=lambda c: (-weight[c][0], -weight[c][1], c))
    if not open_clients:
        return _empty("Every client and service matches; there is nothing to show on a map.")
    chosen = open_clients[:max_clients]
    names = {row["client_id"]: row["client_name"] for row in rows}
    services = {row["service_id"]: row["service_name"] for row in rows if row["client_id"] in chosen}
    order = sorted(services, key=lambda s: (services[s], s))
    at = {(row["client_id"], row["service_id"]): row for row in rows}
    grid = [[at.get((client, service)) for service in order] for client in chosen]
    peak = max((abs(float(row["monthly_impact"])) for row in rows if row["monthly_impact"] is not None), default=1.0) or 1.0
    common: dict[str, Any] = {
        "x": _unique(_wrapped(services[s], int(MAP_CHARS / len(order))) for s in order),
        "y": _unique(_label(names[c]) for c in chosen),
        "xgap": 3,
        "ygap": 3,
    }
    hover = [[_map_hover(row, code) for row in line] for line in grid]
    fig = go.Figure()
    fig.add_heatmap(
        z=[[float(row["status"] in UNKNOWN_STATUS) if row and row["monthly_impact"] is None else None for row in line] for line in grid],
        text=[[_no_amount(row) for row in line] for line in grid],
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
    _lay_out(fig, f"Where the money is, {code} a month", 124 + 28 * len(chosen), note)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(side="top", showgrid=False, tickangle=0, tickfont={"size": 11})
    fig.update_layout(margin={"t": 126, "b": 12})
    return fig


def plot_impact_by_service(findings: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """Under-billed and over-billed money of each service, never netted (FINDINGS or COMPARISON)."""
    return _impact(_rows(findings), "service_id", "service_name", "by service", currency)


def plot_impact_by_client(findings: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """Under-billed and over-billed money of each client, never netted (FINDINGS or COMPARISON)."""
    return _impact(_rows(findings), "client_id", "client_name", "by client", currency)


def _impact(found: list[dict[str, Any]], key: str, name: str, title: str, currency: str) -> go.Figure:
    import plotly.graph_objects as go

    code, rows = _one_currency(found, currency)
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
        return _empty("No difference has a known amount this month.")
    rest = ranked[SHOWN_MAX:]
    labels = _unique([*(_label(names[k]) for k in ranked[:SHOWN_MAX]), *([f"{len(rest)} others"] if rest else [])])
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
    _lay_out(fig, f"Difference {title}, {code} a month", 120 + BAR_PX * len(labels), note)
    fig.update_layout(barmode="overlay", showlegend=False)
    most = max(abs(mark) for bar in fig.data for mark in bar.x)
    fig.update_xaxes(range=[-most * 1.35 if over else -most * 0.05, most * 1.35 if under else most * 0.05], zeroline=True)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def plot_four_numbers(cells: pd.DataFrame) -> go.Figure:
    """Contracted, billed, purchased and used units of each service, over the clients whose use is known.

    Purchased is drawn only where it is known for every client counted: half a sum would look like a shortage.
    """
    import plotly.graph_objects as go

    rows = _rows(cells)
    known = [row for row in rows if row["used_qty"] is not None]
    services = {row["service_id"]: row["service_name"] for row in known}
    if not services:
        return _empty("No service has a count this month.")
    order = sorted(services, key=lambda s: (services[s], s))
    groups = {service: [row for row in known if row["service_id"] == service] for service in order}
    labels = _unique(_label(services[s]) for s in order)
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
    _lay_out(fig, "The four numbers, units by service", 150 + BAR_PX * len(labels), note)
    fig.update_layout(showlegend=True, legend={"orientation": "h", "y": -36 / (BAR_PX * len(labels)), "yanchor": "top", "x": 0})
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(rangemode="tozero")
    return fig


def plot_source_records(sources: pd.DataFrame) -> go.Figure:
    """Records of each source, this month and last; a source that failed has a word, not a bar (SOURCE_STATUS)."""
    import plotly.graph_objects as go

    rows = _rows(sources)
    if not rows:
        return _empty("No source is set up.")
    labels = _unique(_label(row["source"]) for row in rows)
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
    _lay_out(fig, "Records received, this month and last", 110 + 50 * len(labels))
    fig.update_layout(barmode="group", bargap=0.3, showlegend=False)
    most = max([float(v or 0) for v in [*current, *before]] or [1.0]) or 1.0
    fig.update_xaxes(range=[0, most * 1.25])
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def plot_mapping_states(mapping: pd.DataFrame) -> go.Figure:
    """How many accounts or products of each source are mapped, suggested, unmapped or excluded (ACCOUNT_MAPPING or PRODUCT_MAPPING)."""
    import plotly.graph_objects as go

    rows = _rows(mapping)
    key = "vendor_account_id" if rows and "vendor_account_id" in rows[0] else "vendor_product_id"
    what = "accounts" if key == "vendor_account_id" else "products"
    sources = sorted({row["source"] for row in rows})
    if not sources:
        return _empty("No vendor account or product was received.")
    ids = {source: {row[key] for row in rows if row["source"] == source} for source in sources}
    mapped = {source: {row[key] for row in rows if row["source"] == source and row["state"] == "mapped"} for source in sources}
    labels = [
        _two_lines(name, f"{len(mapped[s])} of {len(ids[s])} mapped")
        for s, name in zip(sources, _unique(map(_label, sources)), strict=True)
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
    _lay_out(fig, f"Vendor {what} by state of their mapping", 130 + 44 * len(sources))
    fig.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"orientation": "h", "y": -36 / (44 * len(sources)), "yanchor": "top", "traceorder": "normal"},
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def plot_decisions(findings: pd.DataFrame, *, currency: str = "") -> go.Figure:
    """Money behind each state of decision, under- and over-billed apart (FINDINGS)."""
    named = [{**row, "state_id": row["status"], "state_name": str(row["status"]).replace("_", " ")} for row in _rows(findings)]
    return _impact(named, "state_id", "state_name", "by decision", currency)


def _rows(frame: Any) -> list[dict[str, Any]]:
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
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)  # noqa: PLR0124


def _one_currency(rows: list[dict[str, Any]], currency: str) -> tuple[str, list[dict[str, Any]]]:
    codes = [str(row["currency"]) for row in rows]
    code = currency or (max(sorted(set(codes)), key=codes.count) if codes else "")
    return code, [row for row in rows if row["currency"] == code]


def _billed(row: Mapping[str, Any]) -> Decimal:
    if row.get("billed_qty") is None or row.get("unit_price") is None:
        return Decimal(0)
    amount: Decimal = row["billed_qty"] * row["unit_price"] / (row.get("cycle_months") or 1)
    return amount


def _signed(amount: Decimal, currency: str) -> str:
    return f"{'−' if amount < 0 else '+'}{format_amount(abs(amount), currency)}"


def _direction(amount: Decimal) -> str:
    return "under-billed" if amount > 0 else "over-billed"


def _no_amount(row: Mapping[str, Any] | None) -> str:
    if row is None or row["monthly_impact"] is not None:
        return ""
    return "no data" if row["status"] in UNKNOWN_STATUS else str(row["status"]).replace("_", " ")


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
    return _signed(row["monthly_impact"].quantize(Decimal(1)), currency).removesuffix(".00") if row["monthly_impact"] else "ok"


def _map_hover(row: Mapping[str, Any] | None, currency: str) -> str:
    if row is None:
        return ""
    amount = row["monthly_impact"]
    money = "amount not known" if amount is None else f"{_signed(amount, currency)} {currency} a month"
    return f"{escape(row['client_name'])}<br>{escape(row['service_name'])}<br>{str(row['status']).replace('_', ' ')}: {money}"


def _label(name: object, chars: int = NAME_CHARS) -> str:
    """A name cut for a chart and safe in plotly's own markup."""
    text = " ".join(str(name).split())
    return escape(text if len(text) <= chars else text[: chars - 1].rstrip() + "…", quote=False)


def _wrapped(name: object, chars: int) -> str:
    """A heading of a narrow column: at most four lines."""
    lines = textwrap.wrap(" ".join(str(name).split()), max(8, min(16, chars)), max_lines=4, placeholder="…")
    return "<br>".join(escape(line, quote=False) for line in lines)


def _unique(labels: Iterable[str]) -> list[str]:
    """Labels told apart: two clients whose cut names are alike must not share a bar."""
    seen: dict[str, int] = {}
    out = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return out


def _two_lines(first: str, second: str) -> str:
    return f"{first}<br>{second}" if second else first


def _lay_out(fig: go.Figure, title: str, height: int, note: str = "") -> None:
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


def _empty(why: str) -> go.Figure:
    import plotly.graph_objects as go

    fig = go.Figure()
    _lay_out(fig, why, 90)
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig
