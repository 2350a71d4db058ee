"""Safe HTML for vendor text: every value is escaped, and only what is built here is marked as ours.

A page shows an output's HTML only when the output's *metadata* carries ``MARK``; text inside a vendor's value can never set it,
so a client called ``<script>`` stays a client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import mistune

MARK = "reconlib"
TEMPLATE = Path(__file__).parent / "template"


@dataclass(frozen=True, slots=True)
class Shown:
    """One displayed value of a notebook: our own HTML, and the same as plain text for logs and diffs."""

    html: str
    text: str
    mime: dict[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        return lab_style() + self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a notebook stores: our HTML with its style, the text, and the mark in the metadata."""
        del include, exclude
        html = {"text/html": self._repr_html_()} if self.html else {}
        return {"text/plain": self.text, **html, **self.mime}, {MARK: {"shown": True}}

    def __str__(self) -> str:
        return self.text


@cache
def lab_style() -> str:
    """The style every shown object carries in JupyterLab; a page has it once and cuts it here."""
    return f"<style>{(TEMPLATE / 'show.css').read_text(encoding='utf-8')}</style>"


def esc(value: object) -> str:
    """Text of a value, safe as HTML text and inside a quoted attribute.

    Example:
        >>> esc('<b a="1">')
        '&lt;b a=&quot;1&quot;&gt;'
    """
    return escape(str(value), quote=True)


class _Prose(mistune.HTMLRenderer):
    """Markdown without raw HTML, without pictures, and with links inside the archive only."""

    def __init__(self) -> None:
        super().__init__(escape=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        del title
        inside = not url.startswith(("/", "\\")) and ":" not in url
        return f'<a href="{esc(url)}">{text}</a>' if inside else f"{text} ({esc(url)})"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        del url, title
        return text


def render_markdown(text: str) -> str:
    """HTML of Markdown prose; raw HTML in it is shown as text, and links lead only inside the archive.

    Example:
        >>> render_markdown("**ok** <script>x</script>").strip()
        '<p><strong>ok</strong> &lt;script&gt;x&lt;/script&gt;</p>'
    """
    html = mistune.create_markdown(renderer=_Prose(), plugins=["table", "strikethrough"])(text)
    assert isinstance(html, str)
    return html.replace("<th>", '<th scope="col">')
