"""What page 40 shows: is this month ready, and what will change? Table in, table out; under and over apart (T131)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from reconlib.report.pages.tables import NO_MONEY, Card, Columns, Row, add_directions, build_table, sum_money
from reconlib.signoff import Gate, PeriodState

STATE_WORDS = {"collecting": "draft", "in_review": "draft", "signed": "signed", "approved": "approved"}


def sign_off_cards(gates: Sequence[Gate], changes: pa.Table, state: PeriodState) -> list[Card]:
    """Whether the month may be signed, how it stands, and what the change file would do, each direction apart (T131)."""
    closed = sum(not gate.ok for gate in gates)
    rows = changes.to_pylist()
    more = [row for row in rows if (row["monthly_effect"] or 0) > 0]
    less = [row for row in rows if (row["monthly_effect"] or 0) < 0]
    ready = ("Ready to sign", f"{len(gates) - closed} of {len(gates)} gates passed", "nothing is missing" if not closed else "see below")
    return [
        (*ready, "bad" if closed else "good"),
        ("Status", f"{STATE_WORDS[state.state]} v{state.version}", describe_signatures(state), "neutral"),
        ("To be billed more", sum_money(more, "monthly_effect"), f"a month, by {len(more)} changes", "under"),
        ("To be billed less", sum_money(less, "monthly_effect"), f"a month, by {len(less)} changes", "over"),
    ]


def describe_signatures(state: PeriodState) -> str:
    """Who has signed, in words."""
    names = [f"signed by {state.preparer}"] if state.preparer else []
    names += [f"approved by {state.reviewer}"] if state.reviewer else []
    return ", ".join(names) or "nobody has signed yet"


def describe_missing(gates: Iterable[Gate]) -> list[str]:
    """What keeps the month from being signed, one sentence a gate; empty when it is ready."""
    return [f"{gate.name}: {gate.count} to settle – go to {gate.where_to_go}" for gate in gates if not gate.ok]


def list_gates(gates: Iterable[Gate]) -> list[tuple[bool, str, str, str]]:
    """The gates as ``show.checklist`` takes them, each with the page that settles it."""
    return [(gate.ok, gate.name, gate.detail, f"{gate.where_to_go.lower().replace(' ', '_')}.html") for gate in gates]


def keep_if_ready(changes: pa.Table, gates: Iterable[Gate]) -> pa.Table:
    """The change file, or nothing while the month is not ready: nobody shall act on half a month."""
    return changes if all(gate.ok for gate in gates) else changes.slice(0, 0)


def list_signatures(state: PeriodState) -> pa.Table:
    """Preparer and reviewer, when, and on how many hashed inputs. Grain: one signature."""
    rows = [
        {"role": role, "who": who, "at": at, "version": state.version, "inputs": len(state.hashes)}
        for role, who, at in (("preparer", state.preparer, state.signed_at), ("reviewer", state.reviewer, state.approved_at))
        if who
    ]
    return build_table(rows, {"role": "text", "who": "text", "at": "text", "version": "int", "inputs": "int"})


def list_hashes(hashes: Mapping[str, str]) -> pa.Table:
    """What a signature stands for: the sha256 of each input and product. Grain: one file or table."""
    return build_table(({"name": name, "sha256": hashes[name]} for name in sorted(hashes)), {"name": "text", "sha256": "text"})


def sum_outcomes(findings: pa.Table) -> pa.Table:
    """Findings by what was decided, under- and over-billed money apart (T131). Grain: one status and currency."""
    groups: dict[tuple[str, str], Row] = {}
    for row in findings.to_pylist():
        key = (row["status"], row["currency"])
        group = groups.setdefault(key, {"status": row["status"], "findings": 0, "currency": row["currency"], **NO_MONEY})
        group["findings"] += 1
        add_directions(group, row["monthly_impact"])
    columns: Columns = {"status": "text", "findings": "int", "under_billed": "amount", "over_billed": "amount", "currency": "text"}
    return build_table((groups[key] for key in sorted(groups)), columns)
