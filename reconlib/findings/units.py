"""Units left out of a count, usage nothing counts, rows nothing could read."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reconlib.explanations import units
from reconlib.findings.kinds import Facts, Row


def check_units(facts: Facts) -> Iterator[Row]:
    """Units seen twice (T61) and units not seen for too long (T59), left out of the count."""
    words = {
        "duplicate_unit": ("duplicate_qty", "seen twice, counted once"),
        "stale_unit": ("stale_qty", "not seen for too long, not counted; the vendor may still charge them"),
    }
    for row in facts.counts.to_pylist():
        for kind, (column, text) in words.items():
            if row[column]:
                yield {
                    "kind": kind,
                    "client_id": row["client_id"],
                    "client_name": facts.clients[row["client_id"]],
                    "service_id": row["service_id"],
                    "service_name": facts.services[row["service_id"]],
                    "source": row["source"],
                    "variance_qty": row[column],
                    "currency": facts.currency,
                    "explanation": f"{units(row[column])} {text}.",
                    "evidence": row["evidence"],
                }


def check_unaccounted(facts: Facts) -> Iterator[Row]:
    """Usage of a known client and product that no rule catches and none names as ignored (T63)."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in facts.record_buckets.to_pylist():
        if row["bucket"] == "unaccounted":
            found.setdefault((row["client_id"], row["source"]), []).append(row)
    for (client_id, source), rows in found.items():
        caught = sum((row["quantity_qty"] for row in rows), Decimal(0))
        yield {
            "kind": "unaccounted_usage",
            "client_id": client_id,
            "client_name": facts.clients[client_id],
            "source": source,
            "variance_qty": caught,
            "currency": facts.currency,
            "explanation": f"{units(caught)} in {source} that no count rule catches; add a rule or name them as ignored.",
            "evidence": " ".join(row["evidence"] for row in rows),
        }


def check_rejects(facts: Facts) -> Iterator[Row]:
    """Rows of a source that could not be used: every count and line they belong to may be too low, so a person looks at them."""
    found: dict[str, list[Row]] = {}
    for row in facts.rejects.to_pylist() if facts.rejects is not None else ():
        found.setdefault(row["source"], []).append(row)
    for source, rows in found.items():
        first = f"{rows[0]['column_name']} {rows[0]['value']!r}: {rows[0]['reason']}"
        yield {
            "kind": "unusable_rows",
            "source": source,
            "variance_qty": Decimal(len(rows)),
            "currency": facts.currency,
            "explanation": f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} of {source} could not be used; the first: {first}.",
            "evidence": " ".join(row["evidence"] for row in rows),
        }


def check_rules(facts: Facts) -> Iterator[Row]:
    """Count rules that caught no record of any source: a typo, a renamed product, or a feed that went quiet."""
    for row in facts.unmatched:
        service = row["service_id"]
        after = "its counts are not known" if service else "its client's count has nothing in it"
        yield {
            "kind": "unmatched_rule",
            "service_id": service,
            "service_name": facts.services[service] if service else None,
            "source": row["sources"],
            "currency": facts.currency,
            "explanation": f"Rule {row['rule']} caught no record of {row['sources']}; {after}.",
            "rule": row["rule"],
        }
