"""An analyst's first five minutes: the book of exports through every step, with the findings its papers promise."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from reconlib.findings import KINDS
from reconlib.month import Month, open_month, read_stage
from reconlib.steps import compare_month, sync_month

ROOT = Path(__file__).parents[3]


@pytest.fixture
def month(tmp_path: Path) -> Month:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    return open_month(tmp_path / "params/files.yaml", "2026-10", environ={}, now=lambda: datetime(2026, 11, 3, 6, tzinfo=UTC))


def promised() -> list[tuple[str, str, Decimal | None]]:
    """Client, kind and money of every finding in the exports' papers."""
    text = (ROOT / "params/exports/README.md").read_text("utf-8").split("## What the first run finds")[1]
    found = []
    for client, kind, money in re.findall(r"^\| ([^|]+) \| (\w+)[^|]*\| [^|]+ \| ([^|]*)\|$", text, re.MULTILINE):
        amount = re.search(r"[+−]?\d[\d.]*", money)
        found.append((client.strip("– "), kind, Decimal(amount[0].replace("−", "-")) if amount else None))
    return found


def test_the_first_run_finds_what_the_papers_promise(month):
    status = sync_month(month).to_pylist()
    assert [(row["source"], row["status"], row["rejects"]) for row in status] == [
        ("licences", "complete", 0),
        ("psa", "complete", 0),
        ("rmm", "complete", 0),
    ]
    findings = compare_month(month).findings.to_pylist()
    found = {
        (f["client_name"] or "", f["kind"]): f["monthly_impact"] if f["monthly_impact"] is not None else f["cost_impact"] for f in findings
    }
    several = [f for f in findings if f["kind"] == "unmapped_account"]
    assert len(several) == 3
    assert sum(f["variance_qty"] for f in several) == Decimal(17)
    del found["", "unmapped_account"]
    words = {(client, kind): money for client, kind, money in promised() if kind != "unmapped_account" and kind in KINDS}
    assert found == words
    assert len(findings) == len(words) + 3
    assert sum(f["monthly_impact"] or 0 for f in findings if (f["monthly_impact"] or 0) > 0) == Decimal("185.00")
    assert sum(f["monthly_impact"] or 0 for f in findings if (f["monthly_impact"] or 0) < 0) == Decimal("-101.00")


def test_t11_importing_the_same_exports_again_changes_nothing(month):
    sync_month(month)
    first, ids = compare_month(month), [row["snapshot_id"] for row in read_stage(month, "source_status").to_pylist()]
    sync_month(month, refresh=True)
    again = compare_month(month)
    assert [row["snapshot_id"] for row in read_stage(month, "source_status").to_pylist()] == ids
    assert first.findings == again.findings
    assert first.record_buckets == again.record_buckets
    assert first.line_buckets == again.line_buckets


def test_an_edited_export_is_read_again_and_a_removed_one_stays_as_it_was(month):
    sync_month(month)
    ids = {row["source"]: row["snapshot_id"] for row in read_stage(month, "source_status").to_pylist()}
    devices = month.root / "params/exports/rmm-devices-2026-10.csv"
    devices.write_text(devices.read_text("utf-8").replace("AD-XRAY", "AD-XRAY2"), "utf-8")
    (month.root / "params/exports/distributor-licences-2026-10.csv").unlink()
    sync_month(month)
    after = {row["source"]: (row["status"], row["snapshot_id"]) for row in read_stage(month, "source_status").to_pylist()}
    assert after["licences"] == ("complete", ids["licences"])
    assert after["psa"] == ("complete", ids["psa"])
    assert after["rmm"][0] == "complete"
    assert after["rmm"][1] != ids["rmm"]


def test_a_row_that_cannot_be_used_is_a_finding_until_somebody_decides(month):
    devices = month.root / "params/exports/rmm-devices-2026-10.csv"
    head, first, *rest = devices.read_text("utf-8").splitlines()
    spoiled = first.replace("2026", "20x6", 1) if "2026" in first else first.replace("/", "?", 1)
    assert spoiled != first
    devices.write_text("\n".join([head, spoiled, *rest]) + "\n", "utf-8")
    sync_month(month)
    (finding,) = [row for row in compare_month(month).findings.to_pylist() if row["kind"] == "unusable_rows"]
    assert (finding["source"], finding["variance_qty"]) == ("rmm", 1)
    assert finding["explanation"].startswith("1 row of rmm could not be used; the first: ")


def test_t16_a_line_gone_from_the_psa_is_gone_here_too(month):
    sync_month(month)
    before = {row["agreement_line_id"] for row in read_stage(month, "agreement_lines").to_pylist()}
    path = month.root / "params/exports/psa-lines-2026-10.csv"
    kept = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("1009,")]
    path.write_text("\n".join(kept) + "\n", "utf-8")
    sync_month(month)
    after = {row["agreement_line_id"] for row in read_stage(month, "agreement_lines").to_pylist()}
    assert before - after == {"1009"}
