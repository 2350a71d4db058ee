"""A tenant of several clients in a book on disk: from the rule to decisions, gates, the explanation and the bytes (T32)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_book import AT, make_book, open_book

from reconlib import splits, steps
from reconlib.errors import TieOutError
from reconlib.explain import explain_finding, read_vendor_record
from reconlib.month import read_stage
from reconlib.months import sum_split_tenants
from reconlib.people import import_month_decisions
from reconlib.report.pages.mapping import list_parts, list_split_tenants
from reconlib.review import write_queue
from reconlib.splits import sum_parts

RULES = """version: 1
tenant_splits:
  - source: rmm
    account: Alder
    by: unit_class
    parts:
      servers: {values: [Server], client: BEECH}  # by contract
      kiosks: [Kiosk]
services:
  DEVICE: {used: [{source: rmm}]}
"""
DEVICES = """Organization,Computer,Serial Number,Type,Added,Last Seen
Alder,A1,S1,Workstation,1/5/2026,10/31/2026 16:20
Alder,A2,S2,Server,1/5/2026,10/31/2026 16:20
Alder,A3,S3,Server,1/5/2026,10/31/2026 16:20
Alder,A4,S4,Kiosk,1/5/2026,10/31/2026 16:20
"""
BEECH = "1002,Beech,BEECH,Care,Monthly,DEVICE,Managed device,45.00,1,0,45.00,Billable,1/1/2026\n"


@pytest.fixture
def month(tmp_path: Path) -> Any:
    root = make_book(tmp_path)
    (root / "params" / "rules.yaml").write_text(RULES, "utf-8")
    (root / "rmm.csv").write_text(DEVICES, "utf-8")
    (root / "psa.csv").write_text((root / "psa.csv").read_text("utf-8") + BEECH, "utf-8")
    month = open_book(root)
    steps.sync_month(month)
    return month


def closed(month: Any) -> dict[str, str]:
    """Gates that are not open, with what they say."""
    return {gate.name: gate.detail for gate in steps.prepare_sign_off(month).gates if not gate.ok}


def test_t32_the_remainder_and_unmapped_parts_keep_the_month_from_being_signed_until_they_are_mapped(month: Any, tmp_path: Path) -> None:
    mapped = {row["vendor_account_id"]: (row["client_name"], row["decided_by"]) for row in steps.map_month(month).accounts.to_pylist()}
    assert mapped["Alder/servers"] == ("Beech", "rule")
    assert {"Alder", "Alder/kiosks"} < mapped.keys()
    waiting = " ".join(closed(month).values())
    assert "rmm/Alder" in waiting
    assert "rmm/Alder/kiosks" in waiting
    rows = [
        {"relation": "account", "source": "rmm", "vendor_id": one, "decision": "map", "target": "ALDER"}
        for one in ("Alder", "Alder/kiosks")
    ]
    write_queue(tmp_path / "q.csv", rows)
    assert import_month_decisions(month, tmp_path / "q.csv", who="the analyst", at=AT).recorded == 2
    assert "rmm/Alder" not in " ".join(closed(month).values())
    used = {row["client_name"]: row["used_qty"] for row in steps.compare_month(month).cells.to_pylist()}
    assert used == {"Alder": 2, "Beech": 2}


def test_t32_a_finding_of_a_part_is_explained_by_the_rule_and_walks_back_to_the_tenants_bytes(month: Any) -> None:
    findings = steps.compare_month(month).findings.to_pylist()
    (finding,) = [row for row in findings if row["client_name"] == "Beech" and row["kind"] == "under_billed"]
    explained = explain_finding(month, finding["finding_id"])
    texts = {row["key"]: row["text"] for row in explained.rules.to_pylist()}
    assert "by contract" in texts["tenant_splits.0"]
    records = explained.records.to_pylist()
    assert [(row["unit_name"], row["vendor_account_id"], row["bucket"]) for row in records] == [
        ("A2", "Alder/servers", "counted"),
        ("A3", "Alder/servers", "counted"),
    ]
    assert "A2" in str(read_vendor_record(month.snapshots, records[0]["evidence"]))


def test_t32_page_20_shows_parts_and_remainder_beside_what_was_received(month: Any) -> None:
    accounts = steps.map_month(month).accounts
    summed = sum_split_tenants(month, accounts)
    (tenant,) = list_split_tenants(summed, accounts).to_pylist()
    assert tenant == {"tenant": "Alder", "source": "rmm", "parts": 2} | {
        "parts_qty": 3, "remainder_qty": 1, "together_qty": 4, "received_qty": 4
    }  # fmt: skip
    parts = list_parts(summed, accounts).to_pylist()
    assert [(row["part"], row["client_name"], row["state"], row["records"], row["quantity_qty"]) for row in parts] == [
        ("servers", "Beech", "mapped", 2, 2),
        ("kiosks", None, "suggested", 1, 1),
        ("remainder", None, "suggested", 1, 1),
    ]
    assert {row["tenant"] for row in parts} == {"Alder"}


def test_t32_what_was_received_is_counted_without_the_split_and_a_mapping_from_before_it_splits_nothing(
    month: Any, monkeypatch: Any
) -> None:
    accounts, records = steps.map_month(month).accounts, read_stage(month, "usage_records")
    before = accounts.filter([one == "Alder" for one in accounts["vendor_account_id"].to_pylist()])
    assert sum_parts(records, month.rules, before).num_rows == 0
    whole = splits.split_view

    def loses_the_remainder(*args: Any) -> Any:
        return whole(*args).where("vendor_account_id <> 'Alder/kiosks' AND unit_class <> 'Kiosk'")

    monkeypatch.setattr(splits, "split_view", loses_the_remainder)
    with pytest.raises(TieOutError, match="4 records with 4 units became 3 in parts and remainder with 3"):
        sum_parts(records, month.rules, accounts)
