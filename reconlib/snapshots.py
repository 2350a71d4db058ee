"""Write-once evidence: a vendor's pages exactly as received, with the requests that asked for them and a manifest (DESIGN section 5).

A snapshot is written to a temporary sibling folder and renamed, so a crash leaves none; it is never changed; equal bytes have equal ids.
Only a complete snapshot may be counted: a failed one is kept as evidence of what was read before the failure (FIELD.md T1).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import zstandard

from reconlib.connectors.contract import Page, StoredPage
from reconlib.errors import ReconError, SnapshotError

_STAMP = "%Y%m%dT%H%M%S%fZ"
_TEMPORARY = ".tmp-"
_FORMAT = 1


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


class SnapshotWriter:
    """Snapshot being written; lives inside ``writing``."""

    def __init__(self, folder: Path, *, source: str) -> None:
        self.records: int | None = None
        self.warnings: list[str] = []
        self.snapshot: Snapshot | None = None  # set when it is in place
        self._folder, self._source = folder, source
        self._lines: list[dict[str, Any]] = []
        self._files: dict[str, str] = {}
        self._content = hashlib.sha256()

    def add(self, page: Page) -> None:
        """Keep one page, as received."""
        with _writable(self._folder.parent):
            self._write(_page_name(len(self._lines)), zstandard.ZstdCompressor().compress(page.body))
        _add_content(self._content, page)
        self._lines.append(
            {
                "endpoint": page.endpoint,
                "request": page.request,
                "context": dict(page.context),
                "sha256": hashlib.sha256(page.body).hexdigest(),
                "bytes": len(page.body),
            }
        )

    def pages(self) -> Iterator[StoredPage]:
        """Pages kept so far, read back from disk, under the address they will have."""
        for index, line in enumerate(self._lines):
            body = _body(self._folder / _page_name(index), line)
            yield StoredPage(_page(line, body), _address(self._source, self._id, index))

    @property
    def _id(self) -> str:
        return self._content.hexdigest()[:12]

    def _write(self, name: str, content: bytes) -> None:
        _write_file(self._folder / name, content)
        self._files[name] = hashlib.sha256(content).hexdigest()

    def _finish(self, facts: dict[str, Any]) -> str:
        lines = "".join(json.dumps(line, sort_keys=True) + "\n" for line in self._lines)
        self._write("requests.jsonl", lines.encode())
        manifest = {**facts, "id": self._id, "pages": len(self._lines), "records": self.records, "warnings": self.warnings}
        manifest |= {"format": _FORMAT, "files": self._files}
        _write_file(self._folder / "manifest.json", (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
        return self._id


@contextmanager
def writing(
    root: Path,
    *,
    period: str,
    source: str,
    connector: str,
    version: str,
    now: Callable[[], datetime],
    read_from: Mapping[str, str] | None = None,
) -> Iterator[SnapshotWriter]:
    """A snapshot under way: complete when the block ends, failed when it raises, absent when the process dies.

    ``read_from`` says where and for which day the source is read, without a secret; it decides whether the snapshot may be used again.

    Raises:
        SnapshotError: the folder cannot be written.
    """
    parent = root / period / source
    with _writable(parent):
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent)
        folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=parent))
        (folder / "pages").mkdir()
    writer = SnapshotWriter(folder, source=source)
    facts: dict[str, Any] = {"source": source, "period": period, "connector": connector, "version": version}
    facts["read_from"] = None if read_from is None else dict(read_from)
    facts["started_at"] = now().astimezone(UTC).isoformat()
    try:
        with _held(folder):
            try:
                yield writer
            except Exception as error:
                # Only our own errors are known to hold no secret.
                what = str(error) if isinstance(error, ReconError) else f"stopped by {type(error).__name__}"
                writer.snapshot = _place(writer, folder, {**facts, "status": "failed", "error": what}, now)
                raise
            writer.snapshot = _place(writer, folder, {**facts, "status": "complete", "error": None}, now)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def latest(root: Path, period: str, source: str) -> Snapshot | None:
    """Latest complete snapshot of a source in a period; null when there is none.

    Raises:
        SnapshotError: a manifest cannot be read.
    """
    return next((s for s in _newest_first(root, period, source) if s.status == "complete"), None)


def latest_any(root: Path, period: str, source: str) -> Snapshot | None:
    """Latest attempt, failed ones included."""
    return next(_newest_first(root, period, source), None)


def read_snapshot(folder: Path) -> Snapshot:
    """What one snapshot's manifest says.

    Raises:
        SnapshotError: there is no readable manifest.
    """
    try:
        facts = json.loads((folder / "manifest.json").read_bytes())
        return Snapshot(
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


def read_pages(snapshot: Snapshot) -> Iterator[StoredPage]:
    """Pages in the order received, each checked against its sha256.

    Raises:
        SnapshotError: a file is missing, cut or altered.
    """
    lines = _read_lines(snapshot)
    for index, line in enumerate(lines):
        name = _page_name(index)
        _check_file(snapshot, name)
        yield StoredPage(_page(line, _body(snapshot.folder / name, line)), _address(snapshot.source, snapshot.id, index))


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
        _add_content(content, stored.page)
    if content.hexdigest()[:12] != snapshot.id or not snapshot.folder.name.endswith(f"-{snapshot.id}"):
        raise _altered(snapshot.folder, "its pages do not have its id")


def _newest_first(root: Path, period: str, source: str) -> Iterator[Snapshot]:
    parent = root / period / source
    names = sorted((path.name for path in parent.glob("[0-9]*") if path.is_dir()), reverse=True) if parent.is_dir() else []
    for name in names:
        yield read_snapshot(parent / name)


def _place(writer: SnapshotWriter, folder: Path, facts: dict[str, Any], now: Callable[[], datetime]) -> Snapshot:
    """Finish the folder and give it its name: the moment it comes to exist."""
    finished = now().astimezone(UTC)
    with _writable(folder.parent):
        content_id = writer._finish({**facts, "finished_at": finished.isoformat()})  # noqa: SLF001 - one object in two halves
        _sync_folder(folder / "pages")
        _sync_folder(folder)
        while True:
            target = folder.parent / f"{_stamp_after(folder.parent, finished)}-{content_id}"
            try:
                folder.rename(target)
            except OSError:
                if target.exists():  # another run took the same name just now
                    continue
                raise
            break
        _sync_folder(folder.parent)
    return read_snapshot(target)


def _stamp_after(parent: Path, at: datetime) -> str:
    """Time stamp of a name, later than every snapshot there is: names are the order snapshots were taken in, whatever the clock did."""
    last = max((path.name.partition("-")[0] for path in parent.glob("[0-9]*")), default="")
    if last and at.strftime(_STAMP) <= last:
        at = datetime.strptime(last, _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1)
    return at.strftime(_STAMP)


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


def _body(path: Path, line: dict[str, Any]) -> bytes:
    try:
        body = zstandard.ZstdDecompressor().decompress(path.read_bytes())
    except (OSError, zstandard.ZstdError) as error:
        raise _altered(path.parent.parent, f"{path.name} cannot be read") from error
    if hashlib.sha256(body).hexdigest() != line["sha256"]:
        raise _altered(path.parent.parent, f"{path.name} is not what was received")
    return body


def _page(line: dict[str, Any], body: bytes) -> Page:
    return Page(endpoint=line["endpoint"], request=line["request"], body=body, context=line["context"])


def _page_name(index: int) -> str:
    return f"pages/{index + 1:05d}.zst"


def _address(source: str, snapshot_id: str, index: int) -> str:
    return f"{source}/{snapshot_id}/p{index + 1:05d}"


def content_id(pages: Iterable[Page]) -> str:
    """Id a snapshot of these pages would have: the same bytes give the same id."""
    content = hashlib.sha256()
    for page in pages:
        _add_content(content, page)
    return content.hexdigest()[:12]


def _add_content(content: Any, page: Page) -> None:
    for part in (page.endpoint.encode(), page.request.encode(), page.body):
        content.update(len(part).to_bytes(8, "big"))
        content.update(part)


def _write_file(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o444)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be synced there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Mark the folder as being written by a live process; false when another one holds it."""
    if sys.platform == "win32":
        yield True  # an open file cannot be removed there
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _remove_leftovers(parent: Path) -> None:
    """Remove what a crash left: temporary folders nobody holds."""
    for folder in parent.glob(f"{_TEMPORARY}*"):
        with suppress(FileNotFoundError), _held(folder) as free:
            if free:
                shutil.rmtree(folder)


@contextmanager
def _writable(parent: Path) -> Iterator[None]:
    """Turn what the disk refuses into words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SnapshotError(f"cannot write: {reason}", where=str(parent), hint="check rights and free space") from error


def _altered(folder: Path, what: str) -> SnapshotError:
    return SnapshotError(
        what, where=f"snapshot {folder.parent.name}/{folder.name}", hint="restore it from a backup, or sync again with --refresh"
    )
