"""Read every source of the month into snapshots; one source that fails is marked, and the others carry on.

Here, and only here, a failed source does not end the run: it is not counted (T1), and the run ends non-zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from glob import escape, glob
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from reconlib import __version__
from reconlib.connectors import CONNECTORS
from reconlib.connectors.addresses import is_loopback
from reconlib.connectors.contract import Connector, Fetch, Reject, StoredPage
from reconlib.errors import ReconError, SettingsError, VendorError, nearest
from reconlib.period import Period
from reconlib.settings import Source, read_credentials
from reconlib.snapshot_writing import writing
from reconlib.snapshots import Snapshot, content_id, latest_any, read_pages

LATE_DAYS = 45  # after this a count read now says nothing about the month


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How one source stands in this period."""

    source: str
    connector: str
    status: Literal["complete", "partial", "failed"]
    snapshot: Snapshot | None  # only one that may be counted
    as_of_at: datetime | None  # when the vendor was read
    pages: int
    records: int  # canonical rows the pages make
    rejects: int  # vendor rows that cannot be used
    error: str | None
    exit_code: int  # 0, or what the command line ends with


def sync_source(
    name: str,
    source: Source,
    *,
    snapshots_root: Path,
    root: Path,
    period: Period,
    as_of: date,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    sleep: Callable[[float], None] | None = None,
    refresh: bool = False,
) -> SourceResult:
    """One source: its snapshot of the period if the last attempt was complete and still stands, else a new one.

    A vendor's snapshot stands when it was read from the same addresses and with the same credentials' name, on the as-of day or later: one
    taken while the month still ran says nothing about its end, and one of a sandbox nothing about the real vendor (T2). A failed attempt is
    tried again, and never covered by an older complete snapshot: the month would be read at two dates (T2).

    Args:
        name: the source's name in params.
        source: its params.
        snapshots_root: folder of all snapshots.
        root: folder the paths in params are relative to.
        period: billing month.
        as_of: day the month is read as of.
        environ: where secrets come from.
        now: the clock.
        sleep: how to wait for a vendor.
        refresh: read again even where a complete snapshot exists.
    """
    snapshot: Snapshot | None = None
    try:
        connector = _connector(name, source)
        last = None if refresh else latest_any(snapshots_root, str(period), name)  # one that cannot be read is what refresh is for
        kept = last if last and last.status == "complete" and last.connector == source.connector else None
        if kept and _still_stands(kept, source, connector, root=root, fetch=(name, period, as_of)):
            snapshot = kept
            records, rejects = _count(connector, read_pages(kept), name)
        else:
            _refuse_late(name, connector, period, now(), kept, refresh=refresh)
            fetch = _fetch(name, source, connector, root=root, period=period, as_of=as_of, environ=environ, now=now, sleep=sleep)
            with writing(
                snapshots_root,
                period=str(period),
                source=name,
                connector=source.connector,
                version=__version__,
                now=now,
                read_from={**describe_origin(fetch), "credentials": source.credentials or ""},
            ) as writer:
                for page in connector.fetch(fetch):
                    writer.add(page)
                # A changed shape may show only in the records: what cannot be read must not be called complete.
                records, rejects = _count(connector, writer.pages(), name)
                writer.records = records
            snapshot = writer.snapshot
    except ReconError as error:
        return SourceResult(name, source.connector, "failed", None, None, 0, 0, 0, str(error), error.exit_code)
    assert snapshot is not None
    return SourceResult(name, source.connector, "complete", snapshot, snapshot.started_at, snapshot.pages, records, rejects, None, 0)


def _still_stands(kept: Snapshot, source: Source, connector: Connector, *, root: Path, fetch: tuple[str, Period, date]) -> bool:
    """Whether a snapshot may be used again.

    A vendor's: from the same place and as the same account, not before the as-of day. A file's: while its export and profile are
    unchanged, or gone.
    """
    name, period, as_of = fetch
    if connector.role != "file":
        addresses = source.base_url or connector.base_url, source.token_url or connector.token_url
        same = _same_place(kept.read_from, addresses) and _same_account(kept.read_from, source.credentials)
        return kept.started_at.astimezone(UTC).date() >= as_of and same
    pattern = _pattern(root, source.path or "").replace("{period}", str(period))
    if not glob(pattern, recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
        return True
    profile = str(root / source.profile) if source.profile else None
    asked = Fetch(name, "", "", {}, period, as_of, path=pattern, profile=profile)
    return content_id(connector.fetch(asked)) == kept.id


def describe_origin(fetch: Fetch) -> dict[str, str]:
    """Where a fetch reads and for which day, as a manifest keeps it: no query and no user in an address, so no secret."""
    return {"base_url": _bare(fetch.base_url), "token_url": _bare(fetch.token_url), "as_of": str(fetch.as_of)}


def _same_place(known: Mapping[str, str] | None, addresses: tuple[str, str]) -> bool:
    """Whether a snapshot was read from these addresses; a sandbox on this machine may have another port in every run."""
    if known is None:
        return False  # taken before manifests said it
    pairs = zip((known.get("base_url", ""), known.get("token_url", "")), addresses, strict=True)
    return all(_bare(before, any_port=True) == _bare(now, any_port=True) for before, now in pairs)


def _same_account(known: Mapping[str, str] | None, credentials: str | None) -> bool:
    """Whether a snapshot was read with the credentials params name now: others may open another account. One that does not say it was."""
    return known is None or known.get("credentials", credentials or "") == (credentials or "")


def _bare(address: str, *, any_port: bool = False) -> str:
    """Scheme, host, port and path of an address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""  # no address; the connector says so
    host = parts.netloc.rpartition("@")[2].lower()
    if any_port and host and is_loopback(f"{parts.scheme}://{host}"):
        host = parts.hostname or host
    return urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), "", ""))


def _refuse_late(name: str, connector: Connector, period: Period, at: datetime, kept: Snapshot | None, *, refresh: bool) -> None:
    """A vendor says what is there now; long after the month that is another month's count (T2)."""
    late = (at.date() - period.end).days
    if connector.role == "vendor" and late > LATE_DAYS:
        read = (
            f" and was read on {kept.started_at:%Y-%m-%d} only, too early, or from another address or account"
            if kept
            else " and was never read"
        )
        raise VendorError(
            f"{period} ended {late} days ago{'' if refresh else read}: the vendor would answer for today",
            where=f"source {name}",
            hint="give that month's export through the file connector, or run a recent month",
        )
    if connector.role != "file" and late < -LATE_DAYS:
        raise SettingsError(f"{period} has not begun", where="period", hint="run a month that has begun")


def _connector(name: str, source: Source) -> Connector:
    if source.connector not in CONNECTORS:
        raise SettingsError(
            f"{source.connector!r} is no connector", where=f"source {name}, connector", hint=nearest(source.connector, CONNECTORS)
        )
    return CONNECTORS[source.connector]


def _fetch(
    name: str,
    source: Source,
    connector: Connector,
    *,
    root: Path,
    period: Period,
    as_of: date,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    sleep: Callable[[float], None] | None,
) -> Fetch:
    """What the connector may know; secrets leave the environment here."""
    base_url, token_url = source.base_url or connector.base_url, source.token_url or connector.token_url
    if source.base_url and is_loopback(source.base_url) and token_url and not is_loopback(token_url):
        raise SettingsError(
            "base_url is on this machine, but the token would come from the vendor",
            where=f"source {name}, token_url",
            hint="give token_url too, so that no secret leaves for the real vendor",
        )
    if connector.role == "file" and not source.path:
        raise SettingsError("no path", where=f"source {name}, path", hint="name the file or a pattern, relative to params' folder")
    return Fetch(
        source=name,
        base_url=base_url,
        token_url=token_url,
        credentials=read_credentials(source.credentials, connector.credential_fields, environ, source=name),
        period=period,
        as_of=as_of,
        path=_pattern(root, source.path) if source.path else None,
        profile=str(root / source.profile) if source.profile else None,
        now=now,
        sleep=sleep,
    )


def _pattern(root: Path, path: str) -> str:
    """Pattern of a source's files: what stands in params is one, the folder it is relative to is not."""
    return str(Path(escape(str(root))) / path)


def _count(connector: Connector, pages: Iterable[StoredPage], name: str) -> tuple[int, int]:
    """Rows and rejects the pages make."""
    records = rejects = 0
    for row in connector.normalize(iter(pages), name):
        if isinstance(row, Reject):
            rejects += 1
        else:
            records += 1
    return records, rejects
