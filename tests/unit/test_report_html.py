"""The page of a notebook: trusts only what we made, allows only what it lists, gives the same bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from reconlib.report.html import PageHead, render_notebook
from reconlib.report.show import figure, md, show_table

HEAD = PageHead("harbor-msp", "2026-10", "2026-10-31", "USD", "draft", "v1")
NAV = [("Month", "index.html"), ("Sync", "10_sync.html")]


def shown(value) -> dict:
    data, metadata = value._repr_mimebundle_()
    return new_output("display_data", data=data, metadata=metadata)


@pytest.fixture
def page(tmp_path):
    def render(*cells, name="10_sync"):
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=list(cells)), path)
        return render_notebook(path, title="Sync", nav=NAV, head=HEAD)

    return render


def code(*outputs, source="secret_code()", tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def test_the_head_says_what_the_page_is_about(page):
    html = page(new_markdown_cell("# Old title\n\nThis page answers: x."))
    for fact in ("harbor-msp", "October 2026", "2026-10-31", "USD", "draft", "v1"):
        assert fact in html
    assert "Old title" not in html
    assert '<a href="10_sync.html" aria-current="page">Sync</a>' in html


def test_code_parameters_and_noise_are_not_shown(page):
    html = page(
        code(shown(md("kept")), new_output("stream", name="stderr", text="noise on stderr")),
        code(new_output("stream", name="stdout", text="hidden out"), tags=["parameters"]),
        code(new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "Widget()"})),
    )
    assert "kept" in html
    for absent in ("secret_code", "noise on stderr", "hidden out", "Widget()"):
        assert absent not in html


def test_foreign_html_falls_back_to_its_text(page):
    foreign = {"text/html": '<b class="recon">live</b><script>x()</script>', "text/plain": "<plain> text"}
    html = page(
        code(new_output("display_data", data=foreign)),
        code(new_output("display_data", data={"text/markdown": "<i>m</i>", "text/plain": "<m>"})),
    )
    assert "live" not in html
    assert "<i>" not in html
    assert "<pre>&lt;plain&gt; text</pre>" in html


def test_raw_html_in_prose_is_text(page):
    assert "<script>x()" not in page(new_markdown_cell("# T"), new_markdown_cell("a <script>x()</script>"))


def test_an_error_is_shown_as_such_and_escaped(page):
    html = page(code(new_output("error", ename="TieOutError", evalue="<b>rows\x1b[31m missing", traceback=[])))
    assert "TieOutError: &lt;b&gt;rows missing" in html


def test_headings_lead_to_their_sections(page):
    html = page(
        new_markdown_cell("# T"), new_markdown_cell("## One & two"), new_markdown_cell("## One & two"), new_markdown_cell("## Three")
    )
    anchors = re.findall(r'href="#(s[^"]+)"', html)
    assert len(anchors) == 3
    assert len(set(anchors)) == 3
    assert all(f'id="{anchor}"' in html for anchor in anchors)


def test_the_policy_lists_exactly_the_scripts_of_the_page(page):
    html = page(code(shown(show_table([{"a": 1}]))))
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1])
    allowed = re.search(r"script-src ([^;]*);", policy)[1].split()
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert allowed == [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts]
    assert "unsafe-eval" not in html
    assert policy.startswith("default-src 'none'; ")


def test_plotly_is_on_the_page_once_and_only_when_a_chart_is(page):
    bar = go.Figure(go.Bar(x=["</script><script>x()</script>"], y=[1]))
    without, with_charts = page(code(shown(md("x")))), page(code(shown(figure(bar))), code(shown(figure(bar))))
    assert "plotly-gz" not in without
    assert len(without) < 100_000
    assert with_charts.count('id="plotly-gz"') == 1
    assert [f'id="chart-{n}"' in with_charts for n in (1, 2, 3)] == [True, True, False]
    assert "</script><script>x()" not in with_charts


def test_the_same_notebook_gives_the_same_bytes(page):
    cells = [new_markdown_cell("# T"), code(shown(figure(go.Figure(go.Bar(x=["a"], y=[1])))), shown(show_table([{"a": 1}])))]
    assert page(*cells) == page(*cells)


def test_no_address_outside_the_archive_stands_in_the_page(page):
    html = page(new_markdown_cell("# T [doc](https://example.com/x)"), code(shown(show_table([{"a": "https://example.com"}]))))
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', html)
