"""What a notebook cell ends in: tables, cards, prose, charts, checklists and warnings, all safe to show.

Every value is escaped here, once; a notebook never writes HTML. Direction and state stand in words, colour only repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import unescape
from string import Formatter
from typing import Any, Literal

from reconlib.errors import DataError
from reconlib.money import format_amount
from reconlib.report.cells import format_value
from reconlib.report.markup import Shown, esc, render_markdown
from reconlib.report.table import show_table

__all__ = ["PLOT_CONFIG", "Shown", "callout", "checklist", "figure", "kpi", "md", "show_table"]

Tone = Literal["under", "over", "unknown", "good", "bad", "neutral"]
TONE_NAMES = ("under", "over", "unknown", "good", "bad", "neutral")

# plotly's cloud upload, server and logo are off: nothing leaves the page (tests/browser).
PLOT_CONFIG: dict[str, Any] = {
    "showSendToCloud": False,
    "plotlyServerURL": "about:blank",
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
}
PLOTLY_MIME = "application/vnd.plotly.v1+json"


def md(template: str, **values: object) -> Shown:
    r"""Markdown prose with values that are never read as Markdown or HTML.

    ``{name}`` shows a value, unknown in words; ``{name:USD}`` an amount with its currency code; any other format as Python's.

    Raises:
        DataError: the template names a value that was not given, or puts one where text cannot stand, such as a link's address.

    Example:
        >>> md("**{n}** lines of {who}", n=3, who="<Acme>").html
        '<div class="recon recon-prose"><p><strong>3</strong> lines of &lt;Acme&gt;</p>\n</div>'
    """
    texts: list[str] = []
    parts: list[str] = []
    for literal, name, spec, _ in Formatter().parse(template):
        parts.append(literal)
        if name is None:
            continue
        if name not in values:
            raise DataError(f"no value for {name!r}", where="md()", hint="pass it by name")
        parts.append(f"\ue000{len(texts)}\ue001")
        texts.append(_format(values[name], spec or ""))
    html = render_markdown("".join(parts))
    for index, text in enumerate(texts):
        token = f"\ue000{index}\ue001"
        if token not in html:
            raise DataError("a value cannot stand in a link's address", where="md()", hint="write the value as text")
        html = html.replace(token, esc(text))
    return Shown(f'<div class="recon recon-prose">{html}</div>', _text(html))


def _format(value: object, spec: str) -> str:
    if re.fullmatch("[A-Z]{3}", spec) and isinstance(value, Decimal):
        return f"{format_amount(value, spec)} {spec}"
    if spec and value is not None and not re.fullmatch("[A-Z]{3}", spec):
        return format(value, spec)
    return "not known" if value is None else format_value("", value).text


def _text(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html)).strip()


def kpi(cards: Iterable[Sequence[object]]) -> Shown:
    """The first screen: a few figures, each with its label, a note in words and a tone.

    Args:
        cards: ``(label, value, note, tone)``; tone is under, over, unknown, good, bad or neutral.
    """
    out, text = [], []
    for label, value, note, tone in ((*card, "", "neutral")[:4] if len(card) < 4 else card for card in cards):
        shown = _format(value, "")
        out.append(
            f'<div class="card {_tone(str(tone))}"><dt>{esc(label)}</dt><dd><span class="value">{_value(shown)}</span>'
            f'<span class="note">{esc(note)}</span></dd></div>'
        )
        text.append(f"{label}: {shown} {note}".strip())
    return Shown(f'<dl class="recon recon-kpi">{"".join(out)}</dl>', "\n".join(text))


def _value(shown: str) -> str:
    """A figure with its currency code set smaller, so that the two stay on one line."""
    amount = re.fullmatch(r"(.*\d)\s+([A-Z]{3})", shown)
    return f"{esc(amount[1])}\u00a0<small>{amount[2]}</small>" if amount else esc(shown)


def _tone(tone: str) -> str:
    if tone not in TONE_NAMES:
        raise DataError(f"{tone!r} is not a tone", where="report", hint="use " + ", ".join(TONE_NAMES))
    return tone


def figure(fig: Any, *, caption: str = "") -> Shown:
    """A plotly figure that draws in JupyterLab and in the offline page, and uploads nothing.

    Args:
        fig: a ``plotly.graph_objects.Figure``.
        caption: read out in place of the picture; default the figure's title.
    """
    import json

    data = json.loads(fig.to_json())
    layout = data.get("layout", {})
    title = caption or str((layout.get("title") or {}).get("text") or "Chart")
    mime = {PLOTLY_MIME: {"data": data["data"], "layout": layout, "config": PLOT_CONFIG}}
    return Shown("", re.sub(r"<[^>]+>", " ", unescape(title)), mime)


def checklist(items: Iterable[Sequence[object]]) -> Shown:
    """Gates as a list: each passed, not passed, or to be looked at, with what stands behind it.

    Args:
        items: ``(passed, text, note)``, optionally with a page to go to; ``passed`` None means "look".
    """
    out, text = [], []
    for passed, label, note, *where in items:
        tone, word = ("unknown", "look") if passed is None else ("good", "passed") if passed else ("bad", "not passed")
        link = str(where[0]) if where and where[0] else ""
        safe = link if ":" not in link and not link.startswith(("/", "\\")) else ""
        go = f' <a href="{esc(safe)}">{esc(_page(safe))}</a>' if safe else ""
        out.append(
            f'<li class="{tone}"><span class="tag {tone}">{word}</span> <span class="what">{esc(label)}</span> '
            f'<span class="note">{esc(note)}{go}</span></li>'
        )
        text.append(f"[{word}] {label} {note}".strip())
    return Shown(f'<ul class="recon recon-checklist">{"".join(out)}</ul>', "\n".join(text))


def _page(link: str) -> str:
    """A page's name as people say it: 20_mapping_review.html is page "20 Mapping review"."""
    number, _, name = link.partition("#")[0].removesuffix(".html").partition("_")
    return f"{number} {name.replace('_', ' ').capitalize()}" if number.isdecimal() and name else link.partition("#")[0]


def callout(text: str | Sequence[str], tone: Tone = "bad", *, title: str = "") -> Shown:
    """A warning that cannot be overlooked: a failed source, a month that is not ready.

    Args:
        text: one sentence, or several as a list.
        tone: bad, unknown, good, under, over or neutral.
        title: heading; default says what the tone means.
    """
    lines = [text] if isinstance(text, str) else list(text)
    head = title or {"bad": "Stop", "unknown": "Not known", "good": "Done"}.get(tone, "Note")
    body = f"<p>{esc(lines[0])}</p>" if len(lines) == 1 else "<ul>" + "".join(f"<li>{esc(line)}</li>" for line in lines) + "</ul>"
    html = f'<div class="recon recon-callout {_tone(tone)}" role="note"><p class="head">{esc(head)}</p>{body}</div>'
    return Shown(html, "\n".join([head, *lines]))
