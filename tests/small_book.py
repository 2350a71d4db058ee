"""A book of two exports, small enough to follow by hand: one client, one line of 2 devices, 3 in the RMM; no notebook, no network."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from reconlib import month as months
from reconlib import steps
from reconlib.people import decide_finding_by

HERE = Path(__file__).parents[1]
PARAMS = "params/mini.yaml"
AT = datetime(2026, 11, 3, 6, tzinfo=UTC)
BOOK = """
book: mini
period: "2026-10"
currency: USD
rules: [params/rules.yaml]
sources:
  psa: {connector: file, path: psa.csv, profile: params/profiles/psa-lines.yaml}
  rmm: {connector: file, path: rmm.csv, profile: params/profiles/rmm-devices.yaml}
"""
LINES = """Line ID,Company,Company Code,Agreement,Billing Cycle,Product Code,Product,List Price,Quantity,Included,Unit Price,Billable,Effective
1001,Alder,ALDER,Care,Monthly,DEVICE,Managed device,45.00,2,0,45.00,Billable,1/1/2026
"""


def make_book(root: Path, *, devices: int = 3) -> Path:
    """The book's folder."""
    (root / "params").mkdir(parents=True)
    shutil.copytree(HERE / "params" / "profiles", root / "params" / "profiles")
    shutil.copytree(HERE / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (root / PARAMS).write_text(BOOK, "utf-8")
    (root / "params" / "rules.yaml").write_text("version: 1\nservices:\n  DEVICE: {used: [{source: rmm}]}\n", "utf-8")
    (root / "psa.csv").write_text(LINES, "utf-8")
    write_devices(root, devices)
    return root


def write_devices(root: Path, number: int) -> None:
    """The RMM's export with this many devices."""
    rows = [f"Alder,A{n},S{n},Workstation,1/5/2026,10/31/2026 16:20\n" for n in range(1, number + 1)]
    (root / "rmm.csv").write_text("Organization,Computer,Serial Number,Type,Added,Last Seen\n" + "".join(rows), "utf-8")


def open_book(root: Path, period: str = "") -> months.Month:
    """Its month, three days after it ended."""
    return months.open_month(root / PARAMS, period, environ={}, now=lambda: AT)


def open_empty(root: Path) -> months.Month:
    """The month of a book that has read nothing yet: for what is between a person and the ledger."""
    (root / "params").mkdir()
    path = root / "params" / "tiny.yaml"
    path.write_text('book: tiny\nperiod: "2026-10"\nsources:\n  psa: {connector: connectwise_psa}\n', "utf-8")
    return months.open_month(path, environ={}, now=lambda: AT)


def settle(month: months.Month) -> None:
    """Read, compared, and every billing difference approved."""
    steps.sync_month(month)
    for row in steps.compare_month(month).findings.to_pylist():
        decide_finding_by(month, "the analyst")(row, "approve" if row["kind"] == "under_billed" else "dismiss", "", "looked at")
    steps.prepare_sign_off(month)
