"""All findings of a month, each with an id that stays, ranked by money."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.findings.billing import check_billing, check_bundles
from reconlib.findings.charges import check_charges
from reconlib.findings.cloud import check_cloud
from reconlib.findings.history import check_history, check_timing
from reconlib.findings.kinds import BILLING_KINDS, UNKNOWN_KINDS, Facts, Row, excepted
from reconlib.findings.mapping import check_accounts, check_products
from reconlib.findings.margins import check_margins
from reconlib.findings.prices import check_prices
from reconlib.findings.purchases import check_cost, check_purchases
from reconlib.findings.standards import check_expected, check_gaps, check_pools
from reconlib.findings.units import check_rejects, check_rules, check_unaccounted, check_units
from reconlib.schema import FINDINGS, make_table

if TYPE_CHECKING:
    import pyarrow as pa

CHECKS = (
    check_billing,
    check_timing,
    check_cloud,
    check_cost,
    check_margins,
    check_purchases,
    check_prices,
    check_bundles,
    check_expected,
    check_gaps,
    check_pools,
    check_units,
    check_unaccounted,
    check_accounts,
    check_products,
    check_rejects,
    check_rules,
    check_history,
    check_charges,
)

_SAID_ANYWAY = ("vendor_invoice_mismatch",)  # the MSP's own money, whatever the client's contract says
_BY_RULE = ("unmatched_rule", "vendor_invoice_mismatch")  # a service may have two of them, each of another rule or check


def find_differences(facts: Facts) -> pa.Table:
    """Every finding of a month, ranked by absolute monthly impact, unknown money last.

    Of a client and service a contract exception ignores nothing is said (T35) but what its vendor charges wrongly.
    """
    import pyarrow as pa

    history = {row["finding_id"]: row for row in facts.previous.to_pylist()} if facts.previous is not None else {}
    ignored = excepted(facts, "ignore")
    found = (row for check in CHECKS for row in check(facts))
    kept = (row for row in found if row["kind"] in _SAID_ANYWAY or (row.get("client_id"), row.get("service_id")) not in ignored)
    made = [_finished(row, facts.book, str(facts.period), history) for row in kept]
    table = make_table(FINDINGS, made)
    order = sorted(
        range(table.num_rows),
        key=lambda i: (
            -abs(table["monthly_impact"][i].as_py() or 0),
            -abs(table["cost_impact"][i].as_py() or 0),
            table["kind"][i].as_py(),
            table["finding_id"][i].as_py(),
        ),
    )
    return table.take(pa.array(order, pa.int64()))


def finding_id(book: str, row: Mapping[str, Any]) -> str:
    """Id that stays the same from month to month for the same kind of gap in the same place."""
    place = ("kind", "client_id", "service_id", "source", "vendor_account_id", "vendor_product_id")
    parts = [book, *(row.get(name) or "" for name in place if name != "source" or row["kind"] not in (*BILLING_KINDS, *UNKNOWN_KINDS))]
    parts += [row["rule"]] if row["kind"] in _BY_RULE else []
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _finished(row: Row, book: str, period: str, history: Mapping[str, Row]) -> Row:
    made = {"confidence": Decimal(1), "certainty": "calculated", "status": "open", **row}
    made["finding_id"] = finding_id(book, made)
    before = history.get(made["finding_id"])
    made["first_seen"] = before["first_seen"] if before else period
    made["months_open"] = before["months_open"] + 1 if before else 1
    return made
