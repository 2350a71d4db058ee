"""Executed pages of a month become one version of the archive: HTML, exports, first screen, manifest; whole, or not at all.

A draft that would come out the same is left as it stands, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconlib import __version__
from reconlib.changes import record_verified_changes
from reconlib.explain import write_units
from reconlib.ledger import open_ledger
from reconlib.month import Month, first_pass, month_events, month_state, product_hash, read_stage
from reconlib.months import list_changes_since, list_chronic, list_renewals
from reconlib.report.archive import MANIFEST, hash_file, hash_files, publish_version, write_manifest, write_month_index
from reconlib.report.export import write_changes, write_csv, write_findings
from reconlib.report.html import PageHead, render_notebook
from reconlib.report.pages.comparison import OVER, UNDER, comparison_cards
from reconlib.report.pages.over_time import roll_forward_cards
from reconlib.report.pages.sign_off import STATE_WORDS, describe_signatures, keep_if_ready
from reconlib.report.pages.sync import describe_failures
from reconlib.signoff import record_run
from reconlib.steps import SignOffState, prepare_sign_off

if TYPE_CHECKING:
    import pyarrow as pa

PAGES = (
    ("Sync", "10_sync", "Can we trust this month's data?"),
    ("Mapping review", "20_mapping_review", "Does every count belong to the right client and service?"),
    ("Comparison", "30_comparison", "What would we invoice wrongly, and what is it worth?"),
    ("Sign-off", "40_sign_off", "Is this month ready, and what will change?"),
)
RUNNER = "recon run"  # a run is no person
POST_INVOICE = "post_invoice"  # folder of the pass after invoicing, beside the versions; also the tag of what only its pages show
AFTER_PAGES = (
    ("Sync after invoicing", "10_sync", "What do the vendors and the PSA say now?"),
    ("Comparison after invoicing", "30_comparison", "What moved since the month was compared, and what belongs on the next invoice?"),
)


def publish_month(month: Month, folder: Path, final: Path, version: int) -> bool:
    """Puts a version in the archive from the executed notebooks in ``folder``; whether anything is different from what stood there.

    Raises:
        SignOffError: the month is signed and this run differs.
    """
    prepared = prepare_sign_off(month)
    with open_ledger(month.ledger_url) as ledger:
        book, at = month.params.book, month.now()
        record_run(ledger, book=book, period=month.period, version=version, who=RUNNER, at=at, hashes=prepared.hashes)
        record_verified_changes(ledger, prepared.verified, book=book, period=month.period, who=RUNNER, at=at)
    sources, cells = read_stage(month, "source_status"), read_stage(month, "comparison")
    head = _head(month, prepared, version)
    nav = [("Month", "index.html"), *((title, f"{name}.html") for title, name, _ in PAGES), ("All months", "../../../index.html")]
    for title, name, _ in PAGES:
        page = render_notebook(folder / f"{name}.ipynb", title=title, nav=nav, head=head, also_hidden=[POST_INVOICE])
        (folder / f"{name}.html").write_text(page, encoding="utf-8", newline="\n")
    write_findings(prepared.findings, folder)
    write_units(month, folder)
    write_changes(keep_if_ready(prepared.changes, prepared.gates), folder)
    write_csv(list_chronic(month, prepared.verified), folder / "chronic.csv")
    write_csv(list_renewals(month), folder / "renewals.csv")
    write_csv(list_changes_since(month)[0], folder / "since_last_month.csv")
    write_month_index(
        folder,
        head=head,
        cards=comparison_cards(prepared.findings, cells, sources),
        pages=[(title, f"{name}.html", about) for title, name, about in PAGES],
        provenance=_provenance(month, prepared, sources),
        warnings=describe_failures(sources, cells),
    )
    write_manifest(folder, _facts(month, prepared, sources, version))
    return _publish(folder, final)


def publish_after_invoicing(month: Month, folder: Path, final: Path) -> bool:
    """Puts the pass after invoicing in the archive, over the run before it; whether anything is different from what stood there.

    It says which version it is set beside, and changes nothing of it.
    """
    first, moved = first_pass(month), read_stage(month, "roll_forward")
    sources, cells = read_stage(month, "source_status"), read_stage(month, "comparison")
    state = month_state(first)
    head = PageHead(
        month.params.book, str(month.period), str(month.as_of), month.params.currency, "after invoicing", f"beside v{state.version}"
    )
    pages = [(title, f"{name}.html", about) for title, name, about in AFTER_PAGES]
    if final.with_name(f"v{state.version}").is_dir():
        pages.append(
            ("Before invoicing", f"../v{state.version}/index.html", "What was compared, and signed, before the invoices went out.")
        )
    nav = [("Month", "index.html"), *((title, href) for title, href, _ in pages), ("All months", "../../../index.html")]
    for title, name, _ in AFTER_PAGES:
        page = render_notebook(folder / f"{name}.ipynb", title=title, nav=nav, head=head)
        (folder / f"{name}.html").write_text(page, encoding="utf-8", newline="\n")
    write_findings(read_stage(month, "findings"), folder)
    write_units(month, folder)
    write_csv(moved, folder / "roll_forward.csv")
    hashes = {name: product_hash(month, name) for name in ("source_status", "comparison", "findings", "roll_forward")}
    write_month_index(
        folder,
        head=head,
        cards=roll_forward_cards(moved),
        pages=pages,
        provenance={
            "Params": month.params_path.as_posix(),
            "Rules": list(month.params.rules),
            "Snapshots": {row["source"]: row["snapshot_id"] or "none" for row in sources.to_pylist()},
            "Code version": __version__,
            "Products": hashes,
            "Set beside": {name: product_hash(first, name) for name in ("source_status", "comparison", "findings")},
        },
        warnings=describe_failures(sources, cells),
    )
    facts = {
        "book": month.params.book,
        "period": str(month.period),
        "as_of": str(month.as_of),
        "status": POST_INVOICE,
        "beside_version": state.version,
        "currency": month.params.currency,
        "sources": {row["source"]: {"status": row["status"], "snapshot": row["snapshot_id"]} for row in sources.to_pylist()},
        "hashes": hashes,
        "code_version": __version__,
    }
    write_manifest(folder, facts)
    return _publish(folder, final)


def _publish(folder: Path, final: Path) -> bool:
    if final.is_dir() and hash_files(final) == hash_files(folder) and hash_file(final / MANIFEST) == hash_file(folder / MANIFEST):
        return False
    publish_version(folder, final)
    return True


def _head(month: Month, prepared: SignOffState, version: int) -> PageHead:
    words = STATE_WORDS[prepared.state.state]
    status = words if words == "draft" else f"{words} ({describe_signatures(prepared.state)})"
    return PageHead(month.params.book, str(month.period), str(month.as_of), month.params.currency, status, f"v{version}")


def _provenance(month: Month, prepared: SignOffState, sources: pa.Table) -> dict[str, object]:
    return {
        "Params": month.params_path.as_posix(),
        "Rules": list(month.params.rules),
        "Snapshots": {row["source"]: row["snapshot_id"] or "none" for row in sources.to_pylist()},
        "Ledger head": _ledger_head(month) or None,
        "Signed": describe_signatures(prepared.state),
        "Code version": __version__,
        "Inputs and products": prepared.hashes,
    }


def _facts(month: Month, prepared: SignOffState, sources: pa.Table, version: int) -> dict[str, Any]:
    """What the manifest says; amounts are in the book's currency, findings in another one apart in the pages."""
    state, currency = prepared.state, month.params.currency
    findings, verified = prepared.findings.to_pylist(), prepared.verified.to_pylist()
    return {
        "book": month.params.book,
        "period": str(month.period),
        "as_of": str(month.as_of),
        "version": version,
        "status": STATE_WORDS[state.state],
        "currency": currency,
        "under_billed": _sum([r for r in findings if r["kind"] in UNDER], "monthly_impact", currency),
        "over_billed": _sum([r for r in findings if r["kind"] in OVER], "monthly_impact", currency),
        "recovered": _sum(
            [r for r in verified if r["status"] == "verified" and (r["monthly_effect"] or 0) > 0], "monthly_effect", currency
        ),
        "preparer": state.preparer,
        "signed_at": state.signed_at,
        "reviewer": state.reviewer,
        "approved_at": state.approved_at,
        "reopened_why": state.reopened_why,
        "params": month.params_path.as_posix(),
        "rules": list(month.params.rules),
        "sources": {r["source"]: {"status": r["status"], "snapshot": r["snapshot_id"]} for r in sources.to_pylist()},
        "hashes": prepared.hashes,
        "ledger_head": _ledger_head(month),
        "code_version": __version__,
    }


def _ledger_head(month: Month) -> str:
    """Hash of the last event up to this month: events of later months do not change what this one says."""
    return next((event.hash for event in reversed(month_events(month)) if event.period <= str(month.period)), "")


def _sum(rows: list[Mapping[str, Any]], column: str, currency: str) -> str:
    return str(sum((abs(row[column]) for row in rows if row[column] and row["currency"] == currency), Decimal("0.00")))
