"""What page 20 shows: does every count belong to the right client and service? Table in, table out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import pyarrow as pa

from reconlib.ledger import Event
from reconlib.period import Period
from reconlib.report.pages.mapping_queue import ACCOUNT, words_of
from reconlib.report.pages.tables import ZERO, Card, Columns, Row, build_table, each_once, index_rows, sum_money
from reconlib.review import MappingDecision
from reconlib.rules.accounts import NO_PART

EXCLUDED_HEADS = {
    "name": "Vendor name",
    "source": "Source",
    "why": "Why",
    "review_by_date": "Look again on",
    "who": "Who",
    "units_qty": "Units",
}
SPLIT_HEADS = {
    "tenant": "Tenant",
    "source": "Source",
    "parts": "Parts",
    "parts_qty": "Units in parts",
    "remainder_qty": "Remainder",
    "together_qty": "Together",
    "received_qty": "As received",
}


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
    cards.append(("Behind unmapped accounts", sum_undecided_cost(accounts), "known monthly cost; more where none is known", "neutral"))
    cards.append(("Behind unmapped products", sum_undecided_cost(products), "may wait behind an account too: do not add up", "neutral"))
    return cards


def keep_states(mapping: pa.Table, *states: str) -> pa.Table:
    """The rows of a mapping in these states."""
    return pa.Table.from_pylist([row for row in mapping.to_pylist() if row["state"] in states], schema=mapping.schema)


def list_excluded(mapping: pa.Table, decisions: Mapping[tuple[str, str, str], MappingDecision]) -> pa.Table:
    """Accounts or products that count nowhere: by whom, why, and the day each is looked at again (T130)."""
    words = words_of(mapping)
    relation = "account" if words is ACCOUNT else "product"
    rows = []
    for row in each_once(keep_states(mapping, "excluded")):
        kept = {"name": row[words["name"]], "source": row["source"], "units_qty": row["units_qty"], "evidence": row["evidence"]}
        decided = decisions.get((relation, row["source"], row[words["vendor_id"]]))
        said = {"why": decided.why, "who": decided.who, "review_by_date": decided.review_by} if decided else {}
        rows.append(kept | said)
    columns: Columns = {"name": "text", "source": "text", "why": "text", "review_by_date": "date", "who": "text", "units_qty": "qty"}
    return build_table(rows, {**columns, "evidence": "text"})


def list_choices(table: pa.Table, what: str) -> list[tuple[str, str]]:
    """Id and name of every client or service a person may choose, by name; the recycle bin is left out (T14).

    Two of one name are told apart by their ids.
    """
    rows = [(row[f"{what}_id"], row[f"{what}_name"]) for row in table.to_pylist() if not row.get("is_deleted")]
    times = Counter(name for _, name in rows)
    return [(key, name if times[name] == 1 else f"{name} ({key})") for key, name in sorted(rows, key=lambda row: (row[1], row[0]))]


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


def list_split_tenants(parts: pa.Table, accounts: pa.Table) -> pa.Table:
    """Every tenant that serves several clients: what is in its parts, what is left, and what was received, which they come to (T32)."""
    known = index_rows(accounts, "source", "vendor_account_id")
    groups: dict[tuple[str, str], Row] = {}
    for row in parts.to_pylist():
        key = row["source"], row["tenant_account_id"]
        blank = {"parts": 0, "parts_qty": ZERO, "remainder_qty": ZERO, "received_qty": row["tenant_qty"]}
        group = groups.setdefault(key, {"source": key[0], "tenant": _name_tenant(known[key]), **blank})
        is_rest = row["part"] == NO_PART
        group["remainder_qty" if is_rest else "parts_qty"] += row["quantity_qty"]
        group["parts"] += not is_rest
    rows = [group | {"together_qty": group["parts_qty"] + group["remainder_qty"]} for group in groups.values()]
    columns: Columns = {"tenant": "text", "source": "text", "parts": "int", "parts_qty": "qty", "remainder_qty": "qty"}
    return build_table(rows, {**columns, "together_qty": "qty", "received_qty": "qty"})


def list_parts(parts: pa.Table, accounts: pa.Table) -> pa.Table:
    """Every part of a split tenant, most units first and the remainder last, with its client; without one it waits in the queue."""
    known = index_rows(accounts, "source", "vendor_account_id")
    rows = []
    for row in sorted(
        parts.to_pylist(), key=lambda row: (row["source"], row["tenant_account_id"], row["part"] == NO_PART, -row["quantity_qty"])
    ):
        about = known[row["source"], row["vendor_account_id"]]
        client = about["client_name"] if about["state"] == "mapped" else None
        kept = {name: row[name] for name in ("source", "part", "records", "quantity_qty")}
        tenant = _name_tenant(known[row["source"], row["tenant_account_id"]])
        rows.append(kept | {"tenant": tenant, "state": about["state"], "client_name": client})
    columns: Columns = {"tenant": "text", "source": "text", "part": "text", "client_name": "text", "state": "text"}
    return build_table(rows, {**columns, "records": "int", "quantity_qty": "qty"})


def _name_tenant(account: Row) -> str:
    return str(account["account_name"]).removesuffix(f" / {NO_PART}")


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
