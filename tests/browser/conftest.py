"""Headless Chromium without a network: what a reader's browser does with a page from disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from reconlib.report.html import PageHead, render_notebook

ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HEAD = PageHead("harbor-msp", "2026-10", "2026-10-31", "USD", "draft", "v1")
NAV = [("Month", "index.html"), ("Comparison", "30_comparison.html")]
DRAWN = "document.getElementById('plotly-gz') === null || document.documentElement.dataset.charts !== undefined"


@dataclass
class Seen:
    """What happened while pages were open."""

    requests: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)  # by the page's own policy, before they left the browser
    problems: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        return [url for url in self.requests if not url.startswith("file:") and url not in self.stopped]


@pytest.fixture(scope="session")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test ran")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: in CI the pages must be opened")
        pytest.skip("Chromium is not installed: the pages were not opened in a browser")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens a file with the network cut; returns the page and what it did."""
    contexts = []

    def open_(path, *, wait=True, **options):
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True, **options)
        contexts.append(context)
        context.set_default_timeout(60_000)
        page, seen = context.new_page(), Seen()
        context.on("request", lambda request: seen.requests.append(request.url))
        context.on("requestfailed", lambda request: seen.stopped.append(request.url) if request.failure == "csp" else None)
        page.on("console", lambda message: seen.problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.problems.append(str(error)))
        page.goto(path.as_uri())
        if wait:
            wait_until_drawn(page)
        return page, seen

    yield open_
    for context in contexts:
        context.close()


def wait_until_drawn(page):
    """Waits for the charts by asking again and again: a poll inside the page is stopped by the page's own policy."""
    for _ in range(600):
        if page.evaluate(DRAWN):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the charts were not drawn in a minute")


def shown(value):
    """The output a kernel stores for one of our objects."""
    data, metadata = value._repr_mimebundle_()
    return new_output("display_data", data=data, metadata=metadata)


@pytest.fixture
def write_page(tmp_path):
    """Renders an executed notebook of the given cells; text is prose, lists are a cell's outputs."""

    def write(*cells, title="Comparison", head=HEAD, nav=NAV):
        notebook = tmp_path / "30_comparison.ipynb"
        nodes = [new_markdown_cell(cell) if isinstance(cell, str) else new_code_cell("…", outputs=cell) for cell in cells]
        nbformat.write(new_notebook(cells=nodes), notebook)
        page = tmp_path / "30_comparison.html"
        page.write_text(render_notebook(notebook, title=title, nav=nav, head=head), encoding="utf-8", newline="\n")
        return page

    return write
