"""The vendor's own bytes of a record: from ``source/snapshot/p00003/r17`` to the JSON object or row that came over the wire.

A snapshot holds what was received and nothing that was sent but the path and query: no secret was ever in it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from re import fullmatch
from typing import Any

from reconlib.connectors.contract import StoredPage
from reconlib.errors import ReconError, SettingsError, SnapshotError
from reconlib.snapshots import Snapshot, find_folder, read_pages, read_snapshot

_ADDRESS = r"([a-z0-9][a-z0-9_-]*)/([0-9a-f]+)/p(\d+)(?:/r(\d+))?"
_LISTS = ("content", "value", "items", "results", "data")  # where vendors put the records of a page


@dataclass(frozen=True, slots=True)
class VendorRecord:
    """One record as the vendor sent it, pretty-printed and not otherwise changed."""

    evidence: str
    request: str  # what was asked for it: method, path and query
    received: str  # when its snapshot was finished, UTC
    text: str


def is_address(text: str) -> bool:
    """Whether a text names a record or page of a snapshot.

    Example:
        >>> is_address("ninja/20a8f83ee31f/p00003/r17"), is_address("2899e327a12f"), is_address("ninja/20a8f83ee31f")
        (True, False, False)
    """
    return fullmatch(_ADDRESS, text) is not None


def read_vendor_record(snapshots: Path, evidence: str) -> VendorRecord:
    """What the vendor sent for one record, or for a whole page where the evidence names no record.

    ``snapshots`` is the month's folder of them; every month of the book is looked through.

    Raises:
        SettingsError: the evidence names no record.
        SnapshotError: there is no such snapshot, page or record, or it is not what was received.
    """
    found = fullmatch(_ADDRESS, evidence)
    if found is None:
        raise SettingsError(f"{evidence!r} names no record of a snapshot", where="--bytes", hint="such as ninja/20a8f83ee31f/p00003/r17")
    source, snapshot_id, page, record = found.groups()
    snapshot = _snapshot(snapshots, source, snapshot_id)
    stored = next(islice(read_pages(snapshot), int(page) - 1, None), None) if int(page) else None
    if stored is None:
        raise SnapshotError(f"page {page} is not there", where=f"snapshot {source}/{snapshot_id}", hint=f"it has {snapshot.pages} pages")
    try:
        records = _records(stored, snapshot.connector)
        value = records if record is None else records[int(record)]
    except IndexError:
        raise SnapshotError(f"record {record} is not there", where=f"snapshot {stored.address}", hint="it has fewer records") from None
    except (ValueError, KeyError, OSError, ReconError) as error:
        what = error.what if isinstance(error, ReconError) else f"cannot be read as records ({type(error).__name__})"
        raise SnapshotError(what, where=f"snapshot {stored.address}", hint="the page is kept as it was received") from error
    return VendorRecord(evidence, stored.page.request, snapshot.finished_at.isoformat(timespec="seconds"), show_json(value))


def show_json(value: Any, before: str = "") -> str:
    """A JSON value over several lines, numbers with every digit the vendor wrote.

    Example:
        >>> print(show_json({"seats": Decimal("4.50"), "tags": []}))
        {
          "seats": 4.50,
          "tags": []
        }
    """
    inner = before + "  "
    if isinstance(value, Mapping) and value:
        parts = [f"{inner}{json.dumps(str(name), ensure_ascii=False)}: {show_json(part, inner)}" for name, part in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{before}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"{inner}{show_json(part, inner)}" for part in value) + f"\n{before}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)


def _snapshot(snapshots: Path, source: str, snapshot_id: str) -> Snapshot:
    if folder := find_folder(snapshots, source, snapshot_id):
        return read_snapshot(folder)
    raise SnapshotError(
        "there is no such snapshot", where=f"snapshot {source}/{snapshot_id}", hint="restore it from a backup: evidence is never made anew"
    )


def _records(stored: StoredPage, connector: str) -> list[Any]:
    """Records of a page in the order its evidence counts them."""
    body, context = stored.page.body, stored.page.context
    if connector == "file":
        import yaml

        from reconlib.connectors.file_table import read_table
        from reconlib.connectors.profile import Profile
        from reconlib.settings import parse

        profile = parse(yaml.safe_load(context["profile"]), Profile, where=context["profile_name"])
        table = read_table(body, profile, context["file"])
        return [dict(zip(table.header, cells, strict=False)) for _, cells in table.rows]
    if connector in ("focus", "partner_center_file"):
        return _rows(body)
    if body[:2] == b"\x1f\x8b" or (connector == "partner_center" and stored.page.endpoint != "invoices"):
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return [_json(line) for line in text.splitlines() if line.strip()]
    content = _json(body)
    if isinstance(content, dict):
        names = [name for name in (stored.page.endpoint, *_LISTS) if isinstance(content.get(name), list)]
        content = content[names[0]] if names else [content]
    return list(content)


def _rows(body: bytes) -> list[dict[str, str]]:
    text = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return [dict(zip(header, cells, strict=False)) for cells in rows]


def _json(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
