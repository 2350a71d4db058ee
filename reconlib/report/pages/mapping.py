"""What page 20 shows: does every count belong to the right client and service? Table in, table out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa

from reconlib.ledger import Event
from reconlib.period import Period
from reconlib.report.pages.tables import ZERO, Card, Columns, Row, build_table, each_once, sum_money


def count_state(mapping: pa.Table, *states: str) -> int:
    """How many accounts or products are in one of these states."""
    return sum(row["state"] in states for row in each_once(mapping))


def sum_undecided_cost(mapping: pa.Table) -> str:
    """Monthly cost that hangs on what is not mapped, each currency apart, in words."""
    return sum_money((row for row in each_once(mapping) if row["state"] in ("suggested", "unmapped")), "monthly_cost")


def mapping_cards(accounts: pa.Table, products: pa.Table) -> list[Card]:
    """How much of the month belongs to a client and a service, and the money behind what does not yet."""
    cards: list[Card] = []
    for word, table in (("Accounts", accounts), ("Products", products)):
        waiting = count_state(table, "suggested", "unmapped")
        note = ", ".join(f"{count_state(table, state)} {state}" for state in ("suggested", "unmapped", "excluded"))
        cards.append(
            (f"{word} mapped", f"{count_state(table, 'mapped')} of {len(each_once(table))}", note, "unknown" if waiting else "good")
        )
    cards.append(("Behind unmapped accounts", sum_undecided_cost(accounts), "known monthly cost; more where no cost is known", "neutral"))
    cards.append(("Behind unmapped products", sum_undecided_cost(products), "the same money, seen by product", "neutral"))
    return cards


def keep_states(mapping: pa.Table, *states: str) -> pa.Table:
    """The rows of a mapping in these states."""
    return pa.Table.from_pylist([row for row in mapping.to_pylist() if row["state"] in states], schema=mapping.schema)


def list_choices(table: pa.Table, what: str) -> list[tuple[str, str]]:
    """Id and name of every client or service a person may choose, by name; the recycle bin is left out (T14)."""
    rows = [(row[f"{what}_id"], row[f"{what}_name"]) for row in table.to_pylist() if not row.get("is_deleted")]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def list_shared_clients(accounts: pa.Table) -> pa.Table:
    """Clients that several accounts of one source are mapped to: right for a client with two tenants, else a wrong mapping."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in accounts.to_pylist():
        if row["state"] == "mapped":
            groups[row["source"], row["client_id"]].append(row)
    rows = [
        {
            "source": key[0],
            "client_name": group[0]["client_name"],
            "accounts": len(group),
            "account_names": ", ".join(r["account_name"] for r in group),
            "units_qty": sum((r["units_qty"] for r in group), ZERO),
        }
        for key, group in sorted(groups.items())
        if len(group) > 1
    ]
    columns: Columns = {"source": "text", "client_name": "text", "accounts": "int", "account_names": "text", "units_qty": "qty"}
    return build_table(rows, columns)


def list_decisions(events: Iterable[Event], kind: str, period: Period) -> pa.Table:
    """What people decided in this billing month, latest last: who, when, about what, and why.

    Grain: one event of ``kind``; a later decision on the same thing stands above an earlier one.
    """
    rows = [
        {"at": event.at, "who": event.who, "decision": event.values.get("decision"), "subject": event.subject}
        | {"target": event.values.get("target_id"), "reason": event.why}
        for event in events
        if event.kind == kind and event.period == str(period)
    ]
    return build_table(rows, {"at": "text", "who": "text", "decision": "text", "subject": "text", "target": "text", "reason": "text"})
