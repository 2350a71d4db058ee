"""Write-once evidence: a vendor's pages exactly as received, with the requests that asked for them and a manifest.

How one is written: ``snapshot_writing``. It is never changed, every byte is checked when it is read, and equal bytes have equal ids.
Only a complete snapshot may be counted: a failed one is kept as evidence of what was read before the failure (T1).
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import zstandard

from reconlib.connectors.contract import Page, StoredPage
from reconlib.errors import SnapshotError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One attempt to read one source: where it lies and what its manifest says."""

    folder: Path
    id: str  # of the content: equal bytes, equal id
    source: str
    period: str
    connector: str
    version: str
    status: Literal["complete", "partial", "failed"]
    started_at: datetime
    finished_at: datetime
    pages: int
    records: int | None  # canonical rows made of it when it was taken
    error: str | None
    warnings: tuple[str, ...]
    files: tuple[tuple[str, str], ...]  # name, sha256
    read_from: Mapping[str, str] | None = None  # base_url, token_url and as_of; null: a snapshot older than these facts


def latest_any(root: Path, period: str, source: str) -> Snapshot | None:
    """Latest attempt, failed ones included."""
    return next(_newest_first(root, period, source), None)


def find_folder(root: Path, source: str, snapshot_id: str, period: str | None = None) -> Path | None:
    """Where a snapshot lies: among those of one month, or of all below ``root`` the newest of equal ones; none: it is not there."""
    months = "**" if period is None else glob.escape(period)
    return max(root.glob(f"{months}/{glob.escape(source)}/*-{glob.escape(snapshot_id)}"), default=None)


def read_snapshot(folder: Path) -> Snapshot:
    """What one snapshot's manifest says, of the source and month whose folder it lies in.

    Raises:
        SnapshotError: there is no readable manifest, or it is of another source or month: that one's counts would be taken for this one's.
    """
    try:
        facts = json.loads((folder / "manifest.json").read_bytes())
        snapshot = Snapshot(
            folder=folder,
            id=facts["id"],
            source=facts["source"],
            period=facts["period"],
            connector=facts["connector"],
            version=facts["version"],
            status=facts["status"],
            started_at=datetime.fromisoformat(facts["started_at"]),
            finished_at=datetime.fromisoformat(facts["finished_at"]),
            pages=facts["pages"],
            records=facts["records"],
            error=facts["error"],
            warnings=tuple(facts["warnings"]),
            files=tuple(sorted(facts["files"].items())),
            read_from=facts.get("read_from"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _altered(folder, f"its manifest cannot be read ({type(error).__name__})") from error
    place = folder.absolute()
    if (snapshot.period, snapshot.source) != (place.parent.parent.name, place.parent.name):
        raise _altered(folder, f"it is of source {snapshot.source} in {snapshot.period} and lies in another's folder")
    return snapshot


def read_pages(snapshot: Snapshot) -> Iterator[StoredPage]:
    """Pages in the order received, each checked against its sha256.

    Raises:
        SnapshotError: a file is missing, cut or altered.
    """
    lines = _read_lines(snapshot)
    for index, line in enumerate(lines):
        _check_file(snapshot, page_name(index))
        yield StoredPage(read_page(snapshot.folder, index, line), page_address(snapshot.source, snapshot.id, index))


def verify(snapshot: Snapshot) -> None:
    """Check every byte of a snapshot against its manifest, its id and its folder's name.

    Raises:
        SnapshotError: a file is missing, left over, cut or altered.
    """
    names = {str(path.relative_to(snapshot.folder).as_posix()) for path in snapshot.folder.rglob("*") if path.is_file()}
    if odd := names ^ {name for name, _ in snapshot.files} ^ {"manifest.json"}:
        raise _altered(snapshot.folder, f"{min(odd)} is missing or does not belong to it")
    content = hashlib.sha256()
    for stored in read_pages(snapshot):
        add_content(content, stored.page)
    if content.hexdigest()[:12] != snapshot.id or not snapshot.folder.name.endswith(f"-{snapshot.id}"):
        raise _altered(snapshot.folder, "its pages do not have its id")


def read_page(folder: Path, index: int, line: Mapping[str, Any]) -> Page:
    """The page a line of ``requests.jsonl`` speaks of, its body checked against the sha256 it was received with.

    Raises:
        SnapshotError: the file is missing, cut or altered.
    """
    name = page_name(index)
    try:
        body = zstandard.ZstdDecompressor().decompress((folder / name).read_bytes())
    except (OSError, zstandard.ZstdError) as error:
        raise _altered(folder, f"{name} cannot be read") from error
    if hashlib.sha256(body).hexdigest() != line["sha256"]:
        raise _altered(folder, f"{name} is not what was received")
    return Page(endpoint=line["endpoint"], request=line["request"], body=body, context=line["context"])


def page_name(index: int) -> str:
    """File of the page with this 0-based number."""
    return f"pages/{index + 1:05d}.zst"


def page_address(source: str, snapshot_id: str, index: int) -> str:
    """What evidence calls the page with this 0-based number."""
    return f"{source}/{snapshot_id}/p{index + 1:05d}"


def content_id(pages: Iterable[Page]) -> str:
    """Id a snapshot of these pages would have: the same bytes give the same id."""
    content = hashlib.sha256()
    for page in pages:
        add_content(content, page)
    return content.hexdigest()[:12]


def add_content(content: Any, page: Page) -> None:
    """Take one page into the hash an id is made of: each part with its length, so that none can move into its neighbour."""
    for part in (page.endpoint.encode(), page.request.encode(), page.body):
        content.update(len(part).to_bytes(8, "big"))
        content.update(part)


def _newest_first(root: Path, period: str, source: str) -> Iterator[Snapshot]:
    parent = root / period / source
    names = sorted((path.name for path in parent.glob("[0-9]*") if path.is_dir()), reverse=True) if parent.is_dir() else []
    for name in names:
        yield read_snapshot(parent / name)


def _read_lines(snapshot: Snapshot) -> list[dict[str, Any]]:
    content = _check_file(snapshot, "requests.jsonl")
    lines = [json.loads(line) for line in content.decode().splitlines()]
    if len(lines) != snapshot.pages:
        raise _altered(snapshot.folder, f"{len(lines)} requests for {snapshot.pages} pages")
    return lines


def _check_file(snapshot: Snapshot, name: str) -> bytes:
    try:
        content = (snapshot.folder / name).read_bytes()
    except OSError as error:
        raise _altered(snapshot.folder, f"{name} cannot be read") from error
    if hashlib.sha256(content).hexdigest() != dict(snapshot.files).get(name):
        raise _altered(snapshot.folder, f"{name} is not what was written")
    return content


def _altered(folder: Path, what: str) -> SnapshotError:
    return SnapshotError(
        what, where=f"snapshot {folder.parent.name}/{folder.name}", hint="restore it from a backup, or sync again with --refresh"
    )
