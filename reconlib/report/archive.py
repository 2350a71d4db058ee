"""The archive: one folder a version, a manifest that proves it, the month's own index and the index of all months.

A version is published by renaming, never file by file; a signed one is never written again (T129). What an auditor needs in three years
is in the folder: ``verify_version`` recomputes every hash.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from reconlib.errors import DataError, SignOffError
from reconlib.locks import hold_lock
from reconlib.money import format_amount
from reconlib.report.html import PageHead, render_page
from reconlib.report.markup import esc
from reconlib.report.show import kpi

MANIFEST = "manifest.json"
SIGNED = frozenset({"signed", "approved"})
_READ_BYTES = 1 << 20
TREND_WIDTH_PX, TREND_HEIGHT_PX = 640, 120


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> Path:
    """Writes what a version is and the sha256 of every file in it; last, when nothing else will be written.

    Args:
        folder: the version's folder.
        facts: at least ``book``, ``period``, ``version``, ``status`` (draft, signed or approved) and ``currency``; the index of all months
            also reads ``under_billed``, ``over_billed``, ``recovered`` (amounts as text), ``preparer`` and ``reviewer``.
    """
    manifest = {**facts, "files": hash_files(folder)}
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return path


def hash_files(folder: Path) -> dict[str, str]:
    """sha256 of every file of a version, the manifest itself apart, by relative name."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {name: hash_file(folder / name) for name in names if name != MANIFEST}


def hash_file(path: Path) -> str:
    """sha256 of one file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a version says about itself.

    Raises:
        DataError: the manifest is missing or unreadable.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise DataError("there is no manifest", where=str(folder), hint="this folder is not a published version") from None
    except ValueError:
        raise DataError("the manifest is not readable", where=str(path), hint="restore it from a backup") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise DataError("the manifest lists no files", where=str(path), hint="restore it from a backup")
    return manifest


def verify_version(folder: Path) -> list[str]:
    """What does not match the manifest: changed, missing and extra files; empty when the version is as it was published."""
    listed: dict[str, str] = read_manifest(folder)["files"]
    found = hash_files(folder)
    wrong = [f"{name}: changed since it was published" for name in sorted(listed.keys() & found.keys()) if listed[name] != found[name]]
    wrong += [f"{name}: missing" for name in sorted(listed.keys() - found.keys())]
    wrong += [f"{name}: not part of the published version" for name in sorted(found.keys() - listed.keys())]
    return wrong


def publish_version(build: Path, final: Path) -> Path:
    """Puts a finished build in place of a draft, whole or not at all.

    A run killed between the two renames leaves the old draft under a name ending in ``.old``, which the next publishing clears away.

    Raises:
        SignOffError: the version standing there is approved, or signed and this is not its approval on the same hashes.
    """
    old = final.with_name(f".{final.name}.old")
    if old.exists():
        if not final.exists():
            old.replace(final)
        else:
            shutil.rmtree(old)
    if final.exists():
        status = read_manifest(final)["status"] if (final / MANIFEST).exists() else "draft"
        if status in SIGNED and not _approves(build, final):
            raise SignOffError(
                f"{final.name} is {status} and is never written again", where=str(final), hint="reopen the month: recon reopen"
            )
        final.replace(old)
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.copymode(final.parent, build)  # a temporary folder is closed to others; the archive is not
    build.replace(final)
    shutil.rmtree(old, ignore_errors=True)
    return final


def _approves(build: Path, final: Path) -> bool:
    """Whether the build is the signed version again, with the reviewer's approval and nothing else (T129)."""
    if not (build / MANIFEST).exists():
        return False
    new, old = read_manifest(build), read_manifest(final)
    return (old["status"], new["status"]) == ("signed", "approved") and bool(new.get("hashes")) and new["hashes"] == old.get("hashes")


def write_month_index(
    folder: Path,
    *,
    head: PageHead,
    cards: Iterable[Sequence[object]],
    pages: Sequence[tuple[str, str, str]],
    provenance: Mapping[str, object],
    warnings: Sequence[str] = (),
    up: str = "../../../index.html",
) -> Path:
    """The month's first screen: headline numbers, the pages, every file with its hash, and where it all came from.

    Args:
        folder: the version's folder; every other file of it is written already.
        head: facts at the top.
        cards: as ``show.kpi`` takes.
        pages: label, relative address and the question each page answers.
        provenance: what the month was made of, such as snapshot ids and rule hashes.
        warnings: what stands first, such as failed sources.
        up: address of the index of all months; empty: none.
    """
    nav = [("Month", "index.html"), *((label, href) for label, href, _ in pages), *([("All months", up)] if up else [])]
    items = "".join(
        f'<li><a href="{esc(href)}">{esc(label)}</a><span class="note">{esc(about)}</span></li>' for label, href, about in pages
    )
    warned = "".join(f"<li>{esc(line)}</li>" for line in warnings)
    files = [(name, digest) for name, digest in hash_files(folder).items() if name != "index.html"]
    blocks = [
        f'<div class="recon recon-callout bad" role="note"><p class="head">Read this first</p><ul>{warned}</ul></div>' if warned else "",
        kpi(cards).html,
        f'<h2>Pages</h2><ul class="cover">{items}</ul>',
        f"<h2>Files</h2><p>{len(files)} files. <code>recon verify</code> recomputes every hash; the manifest lists this page too.</p>"
        + _table(
            "Files of this version", ("File", "sha256"), [(_link(name), f'<span class="hash">{digest}</span>') for name, digest in files]
        ),
        "<h2>Where it came from</h2>" + _table("Provenance", ("What", "Value"), [(esc(k), _value(v)) for k, v in provenance.items()]),
    ]
    path = folder / "index.html"
    page = render_page(title=f"{head.book}, {head.period_name}", nav=nav, head=head, blocks=[b for b in blocks if b], here="Month")
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def read_months(archive_root: Path) -> list[dict[str, Any]]:
    """Every published version of every book: its manifest, its ``folder`` relative to the root, and the manifest's own ``hash``."""
    months = []
    for path in sorted(archive_root.glob(f"*/*/v*/{MANIFEST}")):
        facts = {key: value for key, value in read_manifest(path.parent).items() if key != "files"}
        months.append({**facts, "folder": path.parent.relative_to(archive_root).as_posix(), "hash": hash_file(path)})
    return months


def refresh_index(archive_root: Path) -> Path:
    """The index of all books and months as they stand now; one writer at a time, so that no month published meanwhile is left out."""
    with hold_lock(archive_root / ".index.lock"):
        return write_index(archive_root, read_months(archive_root))


def write_index(archive_root: Path, months: list[dict[str, Any]]) -> Path:
    """The index of all books and months, one row a month, readable without scripts.

    Args:
        archive_root: the archive's folder.
        months: as ``read_months`` gives them.
    """
    blocks = []
    for book in sorted({str(month["book"]) for month in months}):
        own = [month for month in months if str(month["book"]) == book]
        latest = {str(m["period"]): m for m in sorted(own, key=lambda m: int(m["version"]))}
        rows = [latest[period] for period in sorted(latest, reverse=True)]
        earlier = {period: [m for m in own if str(m["period"]) == period and m is not latest[period]] for period in latest}
        later = {
            str(m["period"]) for m in rows if (archive_root / str(m["folder"])).with_name("post_invoice").joinpath("index.html").is_file()
        }
        blocks.append(f"<h2>{esc(book)}</h2>{_trend(rows[::-1])}" + _months_table(book, rows, earlier, later))
    if not blocks:
        blocks = ['<p class="recon">No month has been archived yet: <code>recon run</code> writes the first.</p>']
    head = PageHead("Archive", "", "", "", "", "")
    count = len({(str(m["book"]), str(m["period"])) for m in months})
    lede = (
        f"<p>This page answers: which months are settled, by whom, and what were they worth? {count} month{'' if count == 1 else 's'}.</p>"
    )
    page = render_page(title="All months", nav=[], head=head, blocks=blocks, lede=lede, foot=("Amounts are a month's own, not yearly.",))
    archive_root.mkdir(parents=True, exist_ok=True)
    path = archive_root / "index.html"
    temporary = path.with_name(".index.html.new")
    temporary.write_text(page, encoding="utf-8", newline="\n")
    return temporary.replace(path)


def _months_table(book: str, rows: list[dict[str, Any]], earlier: Mapping[str, list[dict[str, Any]]], later: Collection[str]) -> str:
    heads = (
        "Month",
        "Status",
        "Under-billed a month",
        "Over-billed a month",
        "Recovered",
        "Prepared by",
        "Approved by",
        "Version",
        "Manifest",
    )
    body = []
    for month in rows:
        code = str(month.get("currency") or "")
        home = str(month["folder"]).rpartition("/")[0]
        after = f' <a href="{esc(home)}/post_invoice/index.html">after invoicing</a>' if str(month["period"]) in later else ""
        older = "".join(f' <a href="{esc(m["folder"])}/index.html">v{esc(m["version"])}</a>' for m in earlier[str(month["period"])])
        body.append(
            (
                f'<a href="{esc(month["folder"])}/index.html">{esc(month["period"])}</a>',
                f'<span class="tag {_STATUS.get(str(month.get("status")), "unknown")}">{esc(month.get("status") or "not known")}</span>',
                *(_money(month.get(name), code) for name in ("under_billed", "over_billed", "recovered")),
                _value(month.get("preparer") or None),
                _value(month.get("reviewer") or None),
                f"v{esc(month['version'])}{f' (before:{older})' if older else ''}{after}",
                f'<span class="hash" title="{esc(month["hash"])}">{esc(str(month["hash"])[:12])}</span>',
            )
        )
    return _table(f"Months of {book}", heads, body, right=(2, 3, 4))


_STATUS = {"approved": "good", "signed": "good", "draft": "neutral"}


def _amount(value: object) -> Decimal | None:
    try:
        return None if value in (None, "") else Decimal(str(value))
    except InvalidOperation:
        return None


def _money(value: object, currency: str) -> str:
    amount = _amount(value)
    return _value(None) if amount is None else f"{format_amount(amount, currency)} {esc(currency)}"


def _value(value: object) -> str:
    if value is None:
        return '<span class="missing" title="not known, or not yet">–</span>'
    if isinstance(value, (list, tuple)):
        return "<br>".join(esc(item) for item in value) or _value(None)
    if isinstance(value, Mapping):
        return "<br>".join(f'{esc(k)}: <span class="hash">{esc(v)}</span>' for k, v in value.items()) or _value(None)
    return esc(value)


def _link(name: str) -> str:
    """A link to a file of the folder; a name that could be read as an address stands as text."""
    return f'<a href="{esc(name)}">{esc(name)}</a>' if re.fullmatch(r"[\w.\-/]+", name, re.ASCII) else esc(name)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are safe HTML already."""

    def kind(index: int) -> str:
        return ' class="num"' if index in right else ""

    head = "".join(f'<th scope="col"{kind(i)}>{esc(text)}</th>' for i, text in enumerate(heads))
    lines = [
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td{kind(i)}>{cell}</td>" for i, cell in enumerate(row[1:], start=1)) + "</tr>"
        for row in rows
    ]
    count = f"{len(rows)} of {len(rows)} row{'' if len(rows) == 1 else 's'}"
    return (
        f'<div class="recon recon-table" data-name="{esc(caption)}"><div class="bar"><p class="count">{count}</p></div>'
        f'<div class="scroll" role="region" tabindex="0" aria-label="{esc(caption)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></div>"
    )


def _trend(rows: list[dict[str, Any]]) -> str:
    """Under- and over-billed money over the months, as a picture that needs no script; the table below it holds the amounts."""
    codes = {str(row.get("currency") or "") for row in rows}
    series = {name: [_amount(row.get(f"{name}_billed")) for row in rows] for name in ("under", "over")}
    known = [value for values in series.values() for value in values if value is not None]
    if len(rows) < 2 or len(codes) != 1 or not known or not max(known):
        return ""
    code, peak = codes.pop(), max(known)
    left, top, right, bottom = 8, 18, TREND_WIDTH_PX - 170, TREND_HEIGHT_PX - 22
    step = (right - left) / (len(rows) - 1)
    parts = [f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}" style="stroke:var(--r-line)"/>']
    ends: list[float] = []
    for name, values in series.items():
        points = [(left + step * i, bottom - float(v / peak) * (bottom - top)) for i, v in enumerate(values) if v is not None]
        if not points:
            continue
        colour = f"var(--r-{name})"
        parts.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" style="fill:none;stroke:{colour};stroke-width:2.5"'
            + (' stroke-dasharray="6 4"' if name == "over" else "")
            + "/>"
        )
        x, y = points[-1]
        place = y + 4 if not ends or abs(ends[0] - y) > 16 else ends[0] + (20 if y >= ends[0] else -12)
        ends.append(y)
        last = next(v for v in reversed(values) if v is not None)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" style="fill:{colour}"/>')
        parts.append(f'<text x="{x + 10:.1f}" y="{place:.1f}" style="fill:{colour}">{format_amount(last, code)} {name}-billed</text>')
    parts += [
        f'<text x="{left}" y="{TREND_HEIGHT_PX - 6}" style="fill:var(--r-muted)">{esc(rows[0]["period"])}</text>',
        f'<text x="{right}" y="{TREND_HEIGHT_PX - 6}" text-anchor="end" style="fill:var(--r-muted)">{esc(rows[-1]["period"])}</text>',
    ]
    label = f"Under-billed and over-billed {code} a month, {rows[0]['period']} to {rows[-1]['period']}; the table below has the amounts"
    return (
        f'<svg class="trend" viewBox="0 0 {TREND_WIDTH_PX} {TREND_HEIGHT_PX}" role="img" aria-label="{esc(label)}">'
        f"<title>{esc(label)}</title>{''.join(parts)}</svg>"
    )
