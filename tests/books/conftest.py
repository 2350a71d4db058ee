"""A golden book run on the real path: vendor pages from ``in/`` as snapshots, then every step, then every output as plain CSV."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from reconlib import __version__, people, steps
from reconlib import month as months
from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Fetch, Page
from reconlib.period import parse_period
from reconlib.review import export_queue, write_queue
from reconlib.settings import Params, read_params
from reconlib.snapshot_writing import writing
from reconlib.sync import describe_origin

PAGE_NAME = re.compile(r"\d{2}-(?P<endpoint>[A-Za-z]+)(@(?P<context>.+))?\.json")
OUTPUTS = (
    *("source_status", "account_mapping", "product_mapping", "counts", "record_buckets", "line_buckets", "comparison", "findings"),
    *("changes", "verified_changes"),
)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def run_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], dict[str, str]]:
    """Every output of a book: file name under ``out/`` -> text."""

    def run(book: Path) -> dict[str, str]:
        shutil.copytree(book / "in", tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)
        params = read_params(tmp_path / "params.yaml")
        months = sorted(path for path in tmp_path.iterdir() if re.fullmatch(r"\d{4}-\d{2}", path.name))
        if not months:
            return dict(run_month(tmp_path, params, params.period))
        found: dict[str, str] = {}
        for folder in months:
            made = run_month(folder, params, folder.name, is_last=folder == months[-1])
            found |= {f"{folder.name}/{name}": text for name, text in made}
        return found

    return run


def run_month(pages: Path, params: Params, period: str, *, is_last: bool = True) -> Iterator[tuple[str, str]]:
    """One month of a book; a month that another one follows is signed and approved, so that its changes are planned."""
    read_at = datetime.combine(parse_period(period).next.start + timedelta(days=2), datetime.min.time(), UTC).replace(hour=6)
    month = months.open_month("params.yaml", period, environ=secrets(params), now=lambda: read_at)
    for name, source in params.sources.items():
        if (pages / name).is_dir():
            write_snapshot(month, name, source.connector, pages / name)
    steps.sync_month(month, sleep=lambda _: None)
    decisions = pages / "decisions.csv"
    if decisions.is_file():
        imported = people.import_month_decisions(month, decisions, who="golden analyst", at=read_at)
        assert not imported.rejects
        assert imported.recorded
    steps.prepare_sign_off(month)
    if not is_last:
        people.sign_month(month, role="preparer", who="golden analyst", at=read_at)
        people.sign_month(month, role="reviewer", who="golden reviewer", at=read_at)
    for name in OUTPUTS:
        yield f"{name}.csv", csv_text(months.read_stage(month, name))
    yield "queue.csv", queue_text(month)


def secrets(params: Params) -> dict[str, str]:
    """A made-up value for every secret the book's connectors ask for."""
    prefixes = {f"{source.credentials}_" if source.credentials else "": source.connector for source in params.sources.values()}
    return {f"{prefix}{field}".upper(): "made up" for prefix, name in prefixes.items() for field in CONNECTORS[name].credential_fields}


def write_snapshot(month: months.Month, source: str, connector: str, folder: Path) -> None:
    """A complete snapshot of the pages in a folder, in the order of their names."""
    root, period = month.workspace / "snapshots", str(month.period)
    asked, known = month.params.sources[source], CONNECTORS[connector]
    addresses = (asked.base_url or known.base_url, asked.token_url or known.token_url)
    origin = describe_origin(Fetch(source, *addresses, {}, month.period, month.as_of))
    facts = {"period": period, "source": source, "connector": connector, "version": __version__, "now": month.now}
    with writing(root, **facts, read_from=origin) as writer:
        for path in sorted(folder.iterdir()):
            match = PAGE_NAME.fullmatch(path.name)
            assert match, f"{path} is not named <nn>-<endpoint>[@key=value,…].json"
            pairs = (pair.split("=", 1) for pair in (match["context"] or "").split(",") if pair)
            writer.add(Page(match["endpoint"], f"GET /{match['endpoint']}", path.read_bytes(), dict(pairs)))


def csv_text(table: pa.Table) -> str:
    """A table as plain CSV: unknown is empty, numbers without trailing zeros."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows([cell_text(value) for value in row.values()] for row in table.to_pylist())
    return out.getvalue()


def cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime):
        return value.isoformat()
    return re.sub(r"\[Errno \d+\] ", "", str(value))  # the operating system's own number of the fault


def queue_text(month: months.Month) -> str:
    """What waits for a decision, as the file an analyst gets."""
    path = month.root / "queue.csv"
    write_queue(path, export_queue(*(months.read_stage(month, name) for name in ("account_mapping", "product_mapping", "findings"))))
    return path.read_text("utf-8-sig")
