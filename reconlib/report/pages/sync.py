"""What page 10 shows: can we trust this month's data? Table in, table out; a source without an answer is never zero (T1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from reconlib.money import format_amount, format_qty
from reconlib.report.pages.tables import Card, Columns, Row, build_table, index_rows, name_clients


def list_psa_changes(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> pa.Table:
    """What people changed in the PSA since last month: agreements and lines added, ended, repriced, requantified.

    Grain: one change. Order: client, what. Empty without a month before.
    """
    names = name_clients(before, after)
    rows = [
        {**change, "client_name": names.get(change["client_id"], change["client_id"])}
        for change in (*_agreement_changes(before, after), *_line_changes(before, after))
        if before["agreements"].num_rows
    ]
    columns: Columns = {"client_name": "text", "change": "text", "item": "text", "before": "text", "after": "text", "evidence": "text"}
    return build_table(sorted(rows, key=lambda r: (r["client_name"], r["change"], r["item"], r["evidence"])), columns)


def _agreement_changes(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> Iterable[Row]:
    old, new = index_rows(before["agreements"], "agreement_id"), index_rows(after["agreements"], "agreement_id")
    for key in sorted(old.keys() | new.keys()):
        row = new.get(key) or old[key]
        base = {"client_id": row["client_id"], "item": row["agreement_name"], "evidence": row["evidence"]}
        if key not in old:
            yield {**base, "change": "agreement added", "before": None, "after": row["status"]}
        elif key not in new:
            yield {**base, "change": "agreement no longer listed", "before": row["status"], "after": None}
        elif old[key]["status"] != row["status"]:
            yield {**base, "change": "agreement status", "before": old[key]["status"], "after": row["status"]}


def _line_changes(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> Iterable[Row]:
    old, new = index_rows(before["agreement_lines"], "agreement_line_id"), index_rows(after["agreement_lines"], "agreement_line_id")
    services = {k: r["service_name"] for tables in (before, after) for k, r in index_rows(tables["services"], "service_id").items()}
    texts: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("quantity_qty", "line quantity", format_qty),
        ("unit_price", "line price", format_amount),
        ("cancelled_date", "line ended", lambda value: str(value or "")),
    )
    for key in sorted(old.keys() | new.keys()):
        row = new.get(key) or old[key]
        base = {"client_id": row["client_id"], "item": services.get(row["service_id"], row["service_id"]), "evidence": row["evidence"]}
        if key not in old:
            yield {**base, "change": "line added", "before": None, "after": format_qty(row["quantity_qty"])}
        elif key not in new:
            yield {**base, "change": "line no longer listed", "before": format_qty(row["quantity_qty"]), "after": None}
        else:
            for column, words, text in texts:
                if old[key][column] != row[column]:
                    yield {**base, "change": words, "before": text(old[key][column]), "after": text(row[column])}


def list_vendor_changes(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> pa.Table:
    """Accounts and products a vendor added, dropped or renamed since last month.

    Grain: one change. Only sources read in both months: a source that failed has dropped nothing (T1).
    """
    rows: list[Row] = []
    for table, key, name, word in (
        ("vendor_accounts", "vendor_account_id", "account_name", "account"),
        ("vendor_products", "vendor_product_id", "product_name", "product"),
    ):
        old, new = index_rows(before[table], "source", key), index_rows(after[table], "source", key)
        both = {k[0] for k in old} & {k[0] for k in new}
        for k in sorted(old.keys() | new.keys()):
            was, now = (side[k][name] if k in side else None for side in (old, new))
            if k[0] in both and was != now:
                change = f"{word} {'added' if was is None else 'dropped' if now is None else 'renamed'}"
                rows.append({"source": k[0], "change": change, "vendor_id": k[1], "before": was, "after": now})
    return build_table(rows, {"source": "text", "change": "text", "vendor_id": "text", "before": "text", "after": "text"})


def list_awaited(sources: pa.Table, tables: Mapping[str, pa.Table]) -> pa.Table:
    """What this month still waits for: sources without a usable answer, and vendor invoices, which come after month end."""
    charged = set(tables["vendor_charges"]["source"].to_pylist()) | set(tables["clients"]["source"].to_pylist())
    rows = [
        {"source": r["source"], "awaited": "a complete answer", "why": r["error"] or f"the last answer was {r['status']}"}
        for r in sources.to_pylist()
        if r["status"] != "complete"
    ]
    bought = sorted(set(tables["purchases"]["source"].to_pylist()) - charged)
    rows += [{"source": s, "awaited": "the vendor's invoice", "why": "vendors send it around the 5th to the 8th"} for s in bought]
    return build_table(rows, {"source": "text", "awaited": "text", "why": "text"})


def sync_cards(sources: pa.Table) -> list[Card]:
    """Whether the month's data can be trusted: a source without a usable answer stands first, by name."""
    rows = sources.to_pylist()
    bad = [row for row in rows if row["status"] != "complete"]
    whole = [row for row in rows if row["status"] == "complete"]
    oldest = min((row["as_of_at"] for row in whole if row["as_of_at"]), default=None)
    rejects = sum(row["rejects"] for row in rows)
    cards: list[Card] = [(f"{row['source']} {row['status'].upper()}", "no usable answer", row["error"] or "", "bad") for row in bad]
    cards.append(
        (
            "Sources complete",
            f"{len(whole)} of {len(rows)}",
            "all counts received" if not bad else "the rest has no count",
            "bad" if bad else "good",
        )
    )
    cards.append(("Oldest count", oldest, "when the vendor was read", "neutral"))
    cards.append(
        ("Rows not usable", rejects, "each with its reason below" if rejects else "every row was used", "unknown" if rejects else "good")
    )
    return cards


def describe_failures(sources: pa.Table, cells: pa.Table | None = None) -> list[str]:
    """One sentence a source that gave no usable answer; empty when all are complete."""
    hit = Counter(row["status"] for row in cells.to_pylist()) if cells is not None else Counter()
    sentences = [
        f"{r['source']}: {r['status']} – {r['error'] or 'no reason given'}" for r in sources.to_pylist() if r["status"] != "complete"
    ]
    if sentences and hit["no_count"]:
        sentences.append(f"{hit['no_count']} client and service pairs have no count and no money this month: they are not zero")
    return sentences
