"""Vendor text in every place a page has: nothing of it runs, with the policy and without it."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_output

from reconlib.charts import plot_client_service_map, plot_impact_by_client
from reconlib.report.archive import read_months, write_index, write_manifest, write_month_index
from reconlib.report.html import PageHead
from reconlib.report.show import callout, checklist, figure, kpi, md, show_table

from .conftest import shown, wait_until_drawn  # isort: skip

pytestmark = pytest.mark.browser

RUN = "window.PWNED=1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f'"><img src=x onerror={RUN}>',
    f"'><img src=x onerror={RUN}>",
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}" x="',
    f"<svg onload={RUN}>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<object data='javascript:{RUN}'>",
    f"<a href='javascript:{RUN}'>click</a>",
    f"<math><a xlink:href='javascript:{RUN}'>click",
    f"<form action='javascript:{RUN}'><button>click",
    f"[click](javascript:{RUN})",
    f'![x](x" onerror="{RUN})',
    f"<javascript:{RUN}>",
    f"[ref]\n\n[ref]: javascript:{RUN}",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"{{% raw %}}<script>{RUN}</script>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    "<base href='https://example.com/'><link rel=stylesheet href=//example.com/x>",
    "<style>@import '//example.com/x';body{background:url(//example.com/y)}</style>",
    f"<template><script>{RUN}</script></template>",
    '=HYPERLINK("https://example.com","x")',
]


def frame(names):
    rows = []
    for n, name in enumerate(names):
        row = {
            "client_id": str(n),
            "client_name": name,
            "service_id": name,
            "service_name": name,
            "status": "under_billed",
            "currency": "USD",
        }
        rows.append(row | {"monthly_impact": pd.NA if n % 7 == 6 else Decimal(n + 1)})
    return pd.DataFrame(rows)


def outputs(text):
    """Every kind of output a cell can have, holding the text."""
    raw = dict.fromkeys(
        ("text/html", "text/markdown", "text/latex", "image/svg+xml", "application/javascript", "application/vnd.jupyter.widget-view+json"),
        text,
    )
    title = go.Figure(
        go.Bar(x=[text], y=[1], name=text, hovertext=[text]),
        layout={"title": {"text": text}, "annotations": [{"text": text, "x": 0, "y": 1}]},
    )
    return [
        *[new_output("display_data", data={kind: value, "text/plain": text}) for kind, value in raw.items()],
        new_output("display_data", data={"image/png": text, "text/plain": text}),
        new_output("display_data", data={"text/html": f'<div class="recon" data-reconlib="shown">{text}</div>'}),
        new_output("stream", name="stdout", text=text),
        new_output("error", ename=text, evalue=text, traceback=[text]),
        shown(show_table([{text: text, "status": text, "why": text, "rule": text}], caption=text, details=["why", "rule"])),
        shown(show_table([], caption=text, empty=text)),
        shown(md("{x} **{x}**", x=text)),
        shown(md(text.replace("{", "{{").replace("}", "}}"))),
        shown(kpi([(text, text, text, "bad")])),
        shown(callout([text, text], title=text)),
        shown(checklist([(True, text, text, text), (False, text, text)])),
        shown(figure(title)),
    ]


@pytest.fixture
def hostile(write_page):
    cells = [f"# {PAYLOADS[0]}\n\n{PAYLOADS[5]}", *[f"## {text}\n\n{text}\n\n> {text}" for text in PAYLOADS]]
    drawn = [shown(figure(plot_impact_by_client(frame(PAYLOADS)))), shown(figure(plot_client_service_map(frame(PAYLOADS[:9]))))]
    names = PAYLOADS[6]
    head = PageHead(names, names, names, names, names, names)
    some = [outputs(text) for text in PAYLOADS[::4]]
    tables = [shown(show_table([{"client_name": text, "explanation": text} for text in PAYLOADS], caption="All", details=["explanation"]))]
    return write_page(*cells, drawn, tables, *some, title=names, head=head, nav=[(names, "index.html")])


def poke(page):
    """Does what a reader might: opens, hovers, sorts."""
    wait_until_drawn(page)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.evaluate("document.querySelectorAll('main button, main a[href^=\"#\"]').forEach((b) => b.click())")
    page.locator(".js-plotly-plot .point").first.hover(force=True)
    page.wait_for_timeout(200)


LIVE = """() => [...document.querySelectorAll('*')].filter((e) =>
  [...e.attributes].some((a) => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value))
  || ['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'LINK', 'FORM', 'VIDEO', 'MATH'].includes(e.tagName)).map((e) => e.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("bypass_csp", [False, True], ids=["as published", "by escaping alone"])
def test_nothing_of_a_vendors_text_runs(open_page, hostile, bypass_csp):
    page, seen = open_page(hostile, wait=False, bypass_csp=bypass_csp)
    poke(page)
    assert page.evaluate("window.PWNED") is None
    assert page.evaluate(LIVE) == []
    assert [url for url in seen.outside if not url.startswith(("blob:", "data:"))] == []
    assert seen.problems == []
    assert PAYLOADS[0] in page.locator("[data-name=All]").inner_text()


def test_the_policy_alone_stops_what_would_slip_through(open_page, write_page):
    path = write_page("# T", [shown(kpi([("a", 1, "", "good")]))])
    slipped = f'<script>{RUN}</script><img src=x onerror="{RUN}"><a id=j href="javascript:{RUN}">j</a><img src="https://example.com/x.png">'
    path.write_text(path.read_text().replace("<main", slipped + "<main"))
    page, seen = open_page(path)
    page.locator("#j").click()
    assert page.evaluate("window.PWNED") is None
    assert seen.outside == []
    assert "https://example.com/x.png" in seen.stopped
    assert any("Content Security Policy" in problem for problem in seen.problems)


def test_the_archive_pages_show_names_as_text(open_page, tmp_path):
    root, name = tmp_path / "reports", PAYLOADS[6]
    folder = root / "b" / "2026-10" / "v1"
    folder.mkdir(parents=True)
    (folder / "a'b<i>.csv").write_text("")
    head = PageHead(name, "2026-10", name, name, name, name)
    write_month_index(
        folder,
        head=head,
        cards=[(name, name, name, "bad")],
        pages=[(name, "x.html", name)],
        provenance={name: [name, name], "k": {name: name}},
        warnings=[name],
    )
    facts = {
        "book": name,
        "period": "2026-10",
        "version": 1,
        "status": name,
        "currency": name,
        "under_billed": "1",
        "preparer": name,
        "reviewer": name,
    }
    write_manifest(folder, facts)
    for path in (write_index(root, read_months(root)), folder / "index.html"):
        page, seen = open_page(path, bypass_csp=True)
        assert page.evaluate("window.PWNED") is None
        assert page.evaluate(LIVE) == []
        assert (seen.outside, seen.problems) == ([], [])
