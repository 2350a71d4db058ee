"""What must be so before a month is signed (T128, T130)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.ledger import Event
from reconlib.period import Period
from reconlib.review import CHANGE_KINDS, finding_decisions, mapping_decisions
from reconlib.rules import Override, ProductOverride

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 5  # names a gate lists before it says "and n more"
# what makes a month uncertain whatever its money: each wants a word before anyone signs
_UNCERTAIN = ("no_count", "unusable_rows", "unaccounted_usage", "unmatched_rule", "currency_or_cycle_mismatch")
VENDOR_KINDS = ("vendor_invoice_mismatch",)  # a vendor charges wrongly; without an amount where its lines do not add up (T6)
_CLAIMS = (*CHANGE_KINDS, *VENDOR_KINDS)


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing that must be so before a month is signed."""

    name: str
    ok: bool
    count: int  # what stands in the way
    detail: str  # in words
    where_to_go: str


def check_gates(
    *,
    status: pa.Table,
    accounts: pa.Table,
    products: pa.Table,
    findings: pa.Table,
    events: Iterable[Event],
    materiality: Decimal,
    as_of: date,
    currency: str = "",
    period: Period | None = None,
    mapping_period: Period | None = None,
    overrides: Sequence[Override | ProductOverride] = (),
) -> tuple[Gate, ...]:
    """Every gate of a month, open or not (T128). ``findings`` carry their decisions already; ``period`` is ``as_of``'s unless said.

    ``materiality`` is money of ``currency``, the book's; a difference in another currency cannot be held against it and is decided
    whatever its amount. It counts what a client is billed wrongly and what a vendor charges wrongly, refunds due among it: claims that
    somebody makes or drops before the month is closed. Waste, a changed cost and a thin margin claim nothing and hold up no month.
    ``mapping_period`` is the last month whose mapping decisions hold; ``period``, unless said.
    """
    known, rows, period = list(events), findings.to_pylist(), period or Period(as_of.year, as_of.month)
    failed = [f"{row['source']} {row['status']}" for row in status.to_pylist() if row["status"] != "complete"]
    undecided = [row for row in rows if row["status"] == "open"]
    above = [row for row in undecided if _is_above(row, materiality, currency)]
    unknown = [row for row in undecided if row["kind"] in _UNCERTAIN or (row["kind"] in _CLAIMS and _claimed(row) is None)]
    return (
        _gate("sources", failed, "every source is complete", "sources not complete", "10 Sync"),
        _gate("mapping", _unmapped(accounts, rows), "all usage is mapped or excluded", "unmapped with usage", "20 Mapping review"),
        _gate(
            "contradictions",
            _contradicted(accounts, products),
            "nothing speaks against a mapping with usage",
            "mapped against the evidence, with usage",
            "20 Mapping review",
        ),
        _gate(
            "findings",
            [_named(row) for row in above],
            f"every finding above {materiality} a month is decided",
            f"undecided above {materiality} a month",
            "30 Comparison",
        ),
        _gate(
            "unknown money",
            [_named(row) for row in unknown],
            "every line without a count or a price, and every unusable row, is decided",
            "without a count, a price or a usable row undecided",
            "30 Comparison",
        ),
        _gate(
            "exclusions",
            _bad_exclusions(known, (accounts, products), rows, (period, mapping_period or period), as_of, overrides),
            "every exclusion has a reason and is under review",
            "exclusions without a reason or past their review",
            "20 Mapping review",
        ),
    )


def _gate(name: str, blocking: Sequence[str], ok_text: str, text: str, where_to_go: str) -> Gate:
    if not blocking:
        return Gate(name, ok=True, count=0, detail=ok_text, where_to_go=where_to_go)
    more = f" and {len(blocking) - _SHOWN} more" if len(blocking) > _SHOWN else ""
    detail = f"{len(blocking)} {text}: {', '.join(blocking[:_SHOWN])}{more}"
    return Gate(name, ok=False, count=len(blocking), detail=detail, where_to_go=where_to_go)


def _claimed(row: Mapping[str, Any]) -> Decimal | None:
    """Money a month between us and a client, or us and a vendor; null: not known, or no claim."""
    amount: Decimal | None = row["cost_impact"] if row["kind"] in VENDOR_KINDS else row["monthly_impact"]
    return amount


def _is_above(row: Mapping[str, Any], materiality: Decimal, currency: str) -> bool:
    amount = _claimed(row)
    return amount is not None and abs(amount) > (materiality if row["currency"] == (currency or row["currency"]) else 0)


def _unmapped(accounts: pa.Table, findings: Iterable[Mapping[str, Any]]) -> list[str]:
    # findings leave out products that are free or ignored on purpose; accounts are asked directly as well, so that none slips through
    kinds = {"unmapped_account": "vendor_account_id", "unmapped_service": "vendor_product_id"}
    found = [(row["kind"], row["source"], row[kinds[row["kind"]]], row["status"]) for row in findings if row["kind"] in kinds]
    blocking = {row[:3] for row in found if row[3] != "excluded"}
    excluded = {row[:3] for row in found if row[3] == "excluded"}
    for row in accounts.to_pylist():
        key = ("unmapped_account", row["source"], row["vendor_account_id"])
        if row["state"] in ("unmapped", "suggested") and row["units_qty"] and key not in excluded:
            blocking.add(key)
    return [f"{source}/{vendor_id}" for _, source, vendor_id in sorted(blocking)]


def _contradicted(*tables: pa.Table) -> list[str]:
    """Accounts and products with usage whose mapping the evidence contradicts, until a person decides again (docs/mapping.md)."""
    found = set()
    for table, relation in zip(tables, ("account", "product"), strict=True):
        for row in table.to_pylist():
            if row["state"] == "mapped" and row["verdict"] == "CONTRADICTION" and row["units_qty"]:
                found.add(f"{row['source']}/{row[f'vendor_{relation}_id']}")
    return sorted(found)


def _bad_exclusions(
    events: list[Event],
    tables: tuple[pa.Table, pa.Table],
    findings: Iterable[Mapping[str, Any]],
    periods: tuple[Period, Period],
    as_of: date,
    overrides: Sequence[Override | ProductOverride],
) -> list[str]:
    period, mapping_period = periods
    here = {("account", row["source"], row["vendor_account_id"]) for row in tables[0].to_pylist()}
    here |= {("product", row["source"], row["vendor_product_id"]) for row in tables[1].to_pylist()}
    bad = []
    for key, decision in sorted(mapping_decisions(events, as_of=as_of, period=mapping_period).items()):
        run_out = decision.review_by is not None and decision.review_by < as_of and decision.state == "open"
        if key in here and (run_out or (decision.state == "excluded" and not decision.why)):
            bad.append(f"{'/'.join(key)} {f'until {decision.review_by}' if run_out else 'without a reason'}")
    shown = {row["finding_id"]: row for row in findings}
    for finding_id, event in sorted(finding_decisions(events, period).items()):
        if event.values["decision"] == "exclude" and finding_id in shown:
            until = date.fromisoformat(event.values["until"]) if event.values["until"] else as_of
            if until < as_of or not event.why:
                bad.append(f"{_named(shown[finding_id])} {f'until {until}' if event.why else 'without a reason'}")
    return bad + [f"rule for {one.client} / {one.service} until {one.review_by}" for one in overrides if one.review_by < as_of]


def _named(row: Mapping[str, Any]) -> str:
    about = [row["client_name"], row["service_name"] or row["source"]]
    return f"{row['kind'].replace('_', ' ')} {' / '.join(text for text in about if text)}".strip()
