"""Executed notebook → one page that opens anywhere: no request, no surprise, the same bytes from the same notebook.

What may execute is listed by hash in the page's own Content-Security-Policy: our two scripts and plotly.js, nothing else. An output's
HTML is shown only when ``reconlib.report.show`` made it; anything else falls back to its plain text.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import jinja2
import nbformat

from reconlib.period import parse_period
from reconlib.report.markup import MARK, TEMPLATE, esc, render_markdown
from reconlib.report.show import PLOT_CONFIG, PLOTLY_MIME

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STYLE = re.compile(r"\A<style>[^<]*</style>")
_HEADING = re.compile(r"<h([12])>(.*?)</h\1>", re.DOTALL)
POLICY = "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'"
HIDDEN_TAGS = frozenset({"parameters", "injected-parameters", "hide", "remove_output"})


@dataclass(frozen=True, slots=True)
class PageHead:
    """The facts at the head of every page: what it is about, and how far it can be trusted."""

    book: str
    period: str
    as_of: str
    currency: str
    status: str
    version: str

    @property
    def period_name(self) -> str:
        """The month in words, such as October 2026."""
        if not re.fullmatch(r"\d{4}-\d{2}", self.period):
            return self.period
        return f"{parse_period(self.period).start:%B %Y}"

    def facts(self) -> list[tuple[str, str]]:
        """Label and value of each fact that is known."""
        pairs = [
            ("Period", self.period),
            ("As of", self.as_of),
            ("Currency", self.currency),
            ("Status", self.status),
            ("Version", self.version),
        ]
        return [(label, value) for label, value in pairs if value]


def render_notebook(ipynb: Path, *, title: str, nav: list[tuple[str, str]], head: PageHead, also_hidden: Collection[str] = ()) -> str:
    """The page of an executed notebook, complete in one file.

    Args:
        ipynb: executed notebook.
        title: heading of the page; the notebook's own first heading is replaced by it.
        nav: label and relative address of each page of the month; the entry leading to this notebook's page is marked.
        head: facts at the top.
        also_hidden: tags of cells left out of this page, besides those that are always.
    """
    notebook = nbformat.read(ipynb, as_version=4)  # type: ignore[no-untyped-call] # nbformat has no types
    blocks: list[str] = []
    toc: list[tuple[str, str]] = []
    charts = 0
    for cell in notebook.cells:
        if set(cell.metadata.get("tags", [])) & {*HIDDEN_TAGS, *also_hidden}:
            continue
        if cell.cell_type == "markdown":
            blocks.append(_prose(cell.source, toc, first=not blocks))
        for output in cell.get("outputs", []) if cell.cell_type == "code" else []:
            block = render_output(output, charts + 1)
            charts += 'class="chart"' in block and PLOTLY_MIME in output.get("data", {})
            if block:
                blocks.append(block)
    lede = blocks.pop(0) if blocks and notebook.cells[0].cell_type == "markdown" else ""
    here = next((label for label, href in nav if href == f"{ipynb.stem}.html"), title)
    return render_page(title=title, nav=nav, head=head, lede=lede, blocks=blocks, toc=toc, here=here, charts=charts > 0)


def render_page(
    *,
    title: str,
    nav: list[tuple[str, str]],
    head: PageHead,
    blocks: list[str],
    lede: str = "",
    toc: list[tuple[str, str]] | None = None,
    here: str = "",
    charts: bool = False,
    foot: tuple[str, ...] = (),
) -> str:
    """A page of blocks that are safe HTML already, with the scripts it needs and the policy that allows only them."""
    scripts = [_template("page.js")]
    allowed = list(scripts)
    if charts:
        scripts.append(_template("boot.js"))
        allowed += [scripts[-1], _plotly()[0]]
    hashes = " ".join(f"'sha256-{_sha(script)}'" for script in allowed)
    csp = f"default-src 'none'; script-src {hashes}; {POLICY}"
    contents = next((i for i, block in enumerate(blocks) if '<h2 id="s1-' in block), 0)
    page = jinja2.Environment(autoescape=True, trim_blocks=True, keep_trailing_newline=True).from_string(_template("page.html.j2"))
    return page.render(
        title=title,
        nav=nav,
        head=head,
        lede=lede,
        before=blocks[:contents],
        blocks=blocks[contents:],
        toc=toc or [],
        here=here or title,
        csp=csp,
        style=_template("page.css") + _template("show.css"),
        scripts=scripts,
        plotly=_plotly()[1] if charts else "",
        foot=foot or (f"{head.book} · {head.period} · as of {head.as_of} · {head.status}".strip(" ·"),),
    )


def render_output(output: Any, number: int) -> str:
    """Safe HTML of one output; empty when it is not for readers (progress, warnings, widgets).

    Args:
        output: notebook output.
        number: number of the chart on the page, for its id.
    """
    kind = output.get("output_type")
    if kind == "error":
        text = _ANSI.sub("", f"{output.get('ename', '')}: {output.get('evalue', '')}")
        return f'<div class="recon recon-callout bad" role="note"><p class="head">This page stopped here</p><p>{esc(text)}</p></div>'
    if kind == "stream":
        return f"<pre>{esc(_ANSI.sub('', _joined(output.get('text', ''))))}</pre>" if output.get("name") == "stdout" else ""
    data = output.get("data", {})
    if PLOTLY_MIME in data:
        return _chart(data[PLOTLY_MIME], _joined(data.get("text/plain", "")), number)
    if "text/html" in data and output.get("metadata", {}).get(MARK, {}).get("shown") is True:
        return _STYLE.sub("", _joined(data["text/html"]))
    if "application/vnd.jupyter.widget-view+json" in data:
        return ""
    picture = re.sub(r"\s", "", _joined(data.get("image/png", "")))
    if re.fullmatch(r"iVBORw0KGgo[A-Za-z0-9+/]+=*", picture):  # a PNG's own first bytes
        return f'<img alt="{esc(_joined(data.get("text/plain", "picture")))}" src="data:image/png;base64,{picture}">'
    text = _ANSI.sub("", _joined(data.get("text/plain", "")))
    return f"<pre>{esc(text)}</pre>" if text else ""


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _chart(spec: Any, text: str, number: int) -> str:
    picked = {"data": spec.get("data", []), "layout": spec.get("layout", {}), "config": PLOT_CONFIG}
    packed = json.dumps(picked, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    height = int(picked["layout"].get("height") or 420)
    name = esc(text if text and not text.startswith(("Figure(", "{")) else "Chart")
    return (
        f'<figure class="chart"><div class="plot" id="chart-{number}" role="img" aria-label="{name}" style="min-height:{height}px">'
        f'<p class="wait">Chart: {name}. It is drawn by a script; the tables beside it hold the same figures.</p></div>'
        f'<script type="application/json">{packed}</script></figure>'
    )


def _prose(source: str, toc: list[tuple[str, str]], *, first: bool) -> str:
    html = render_markdown(source)
    if first:
        html = re.sub(r"<h1>.*?</h1>", "", html, count=1, flags=re.DOTALL)

    def anchor(match: re.Match[str]) -> str:
        text = unescape(re.sub(r"<[^>]+>", "", match[2])).strip()
        name = f"s{len(toc) + 1}-" + (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section")
        toc.append((name, text))
        return f'<h2 id="{name}">{match[2]}</h2>'

    return f'<div class="prose">{_HEADING.sub(anchor, html)}</div>'


@cache
def _template(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")


def _sha(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _plotly() -> tuple[str, str]:
    """plotly.js of the installed package: its source, and the same packed for a page."""
    from plotly.offline import get_plotlyjs

    # A script's text and its hash must agree after the parser's own clean-up of line ends.
    source = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    return source, base64.b64encode(gzip.compress(source.encode(), compresslevel=9, mtime=0)).decode()
