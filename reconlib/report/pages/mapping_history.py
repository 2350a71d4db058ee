"""How good the suggestions have been, and what was decided by whom: the second half of page 20. Table in, table out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import pyarrow as pa

from reconlib.ledger import Event
from reconlib.period import Period
from reconlib.reliability import Judged, Reliability
from reconlib.report.pages.mapping_why import floor_probability, say_probability
from reconlib.report.pages.tables import Card, Columns, Row, build_table

Names = Mapping[str, str]
DECIDED = {"map": "mapped", "reject": "rejected", "exclude": "excluded", "undo": "taken back"}  # decision -> how people call it
BIN_HEADS = {
    "range": "p",
    "candidates": "Decided",
    "right": "Right",
    "said_share": "Said",
    "true_share": "True",
    "between": "Between",
    "gap": "In short",
}
ERROR_HEADS = {
    "name": "Vendor name",
    "source": "Source",
    "what": "Wrong",
    "said": "Said",
    "probability": "p",
    "became": "Became",
    "who": "Found by",
    "at": "When",
}
DECISION_HEADS = {
    "at": "When",
    "who": "Who",
    "decision": "Decision",
    "name": "Vendor name",
    "source": "Source",
    "target": "Client or service",
    "probability": "p shown",
    "verdict": "Verdict shown",
    "monthly_cost": "A month",
}
_WRONG = {"suggestion": "suggestion", "mapping": "mapping", "nearest": "not suggested"}
_BINS: Columns = {
    "range": "text",
    "candidates": "int",
    "right": "int",
    "said_share": "qty",
    "true_share": "qty",
    "between": "text",
    "gap": "text",
}
_ERRORS: Columns = {
    "name": "text",
    "source": "text",
    "what": "text",
    "said": "text",
    "probability": "qty",
    "became": "text",
    "who": "text",
    "at": "text",
}
_DECISIONS: Columns = {
    "at": "text",
    "who": "text",
    "decision": "text",
    "name": "text",
    "source": "text",
    "target": "text",
    "probability": "qty",
    "verdict": "text",
    "monthly_cost": "amount",
    "currency": "text",
    "reason": "text",
    "until": "text",
    "relation": "text",
    "vendor_id": "text",
}


def name_targets(clients: pa.Table, services: pa.Table) -> dict[str, dict[str, str]]:
    """Names of what accounts and products are mapped to: relation -> id -> name."""
    found = {"account": (clients, "client"), "product": (services, "service")}
    return {relation: {row[f"{what}_id"]: row[f"{what}_name"] for row in table.to_pylist()} for relation, (table, what) in found.items()}


def reliability_cards(found: Reliability, judged: Sequence[Judged]) -> list[Card]:
    """How far p can be taken at its word, how many suggestions were right, and which mappings were found wrong."""
    if found.ece is None:
        error: Card = ("Calibration error", "too early", f"{found.missing} more decisions before a share says anything", "unknown")
    else:
        error = ("Calibration error", f"{100 * found.ece:.1f} points", "mean distance between said and true share (ECE)", "neutral")
    suggestions, mappings = ([one for one in judged if one.shown_as == what] for what in ("suggestion", "mapping"))
    wrong = sum(not one.is_right for one in mappings)
    return [
        ("Decisions that judge it", found.judged, "by a person, on a row that showed a probability", "neutral"),
        error,
        (
            "Suggestions right",
            f"{sum(one.is_right for one in suggestions)} of {len(suggestions)}",
            "the others: Found wrong, page 20",
            "neutral",
        ),
        ("Mappings found wrong", f"{wrong} of {len(mappings)}", "mapped already when a person decided on them", "neutral"),
    ]


def list_bins(found: Reliability) -> pa.Table:
    """Said against true share, one row a range of probability, lowest first; empty while suggestions are missing."""
    rows = [
        {
            "range": f"{say_probability(one.low)} to {'1' if one.high == 1 else f'under {say_probability(one.high)}'}",
            "candidates": one.count,
            "right": one.right,
            "said_share": floor_probability(one.said),
            "true_share": floor_probability(one.true),
            "between": f"{say_probability(one.least)} to {say_probability(one.most)}",
            "gap": _say_gap(one.said, one.least, one.most),
        }
        for one in found.bins
    ]
    return build_table(rows, _BINS)


def say_missing(found: Reliability) -> str:
    """Why there is no reliability table yet."""
    return f"{found.judged} decisions judge it so far; {found.missing} more are needed before a share says anything."


def list_errors(judged: Iterable[Judged], names: Mapping[str, Names]) -> pa.Table:
    """What people found wrong, the surest first: suggestions, mappings that stood, and what was right though nothing was suggested."""
    wrong = [(one, _WRONG[one.shown_as]) for one in judged if one.is_right == (one.shown_as == "nearest")]
    wrong.sort(key=lambda pair: (-pair[0].probability, pair[0].at, pair[0].vendor_id))
    rows = [
        {
            "name": one.name,
            "source": one.source,
            "what": what,
            "said": names[one.relation].get(one.candidate_id, one.candidate_id),
            "probability": floor_probability(one.probability),
            "became": ", ".join(names[one.relation].get(key, key) for key in one.became) or ("right" if one.is_right else "rejected"),
            "who": one.who,
            "at": _moment(one.at),
        }
        for one, what in wrong
    ]
    return build_table(rows, _ERRORS)


def list_mapping_decisions(events: Iterable[Event], period: Period, names: Mapping[str, Names]) -> pa.Table:
    """What people decided about mappings in this billing month, latest first: who, what, and what the row showed them.

    Grain: one event; a later decision on the same thing stands above an earlier one.
    """
    found = [event for event in events if event.kind == "mapping_decided" and event.period == str(period)]
    return build_table([_decision(event, names) for event in reversed(found)], _DECISIONS)


def sum_by_person(decisions: pa.Table) -> pa.Table:
    """How many mappings each person decided this month, and how."""
    counted = [word.replace(" ", "_") for word in DECIDED.values()]
    groups: dict[str, Row] = {}
    for row in decisions.to_pylist():
        group = groups.setdefault(row["who"], {"who": row["who"], "decisions": 0} | dict.fromkeys(counted, 0))
        group["decisions"] += 1
        group[row["decision"].replace(" ", "_")] += 1
    columns: Columns = {"who": "text", "decisions": "int", "mapped": "int", "rejected": "int", "excluded": "int", "taken_back": "int"}
    return build_table(sorted(groups.values(), key=lambda group: (-group["decisions"], group["who"])), columns)


def _decision(event: Event, names: Mapping[str, Names]) -> Row:
    values, seen = event.values, event.values.get("seen") or {}
    target, probability, cost = values["target_id"], seen.get("probability"), seen.get("monthly_cost")
    return {
        "at": _moment(event.at),
        "who": event.who,
        "decision": DECIDED.get(values["decision"], values["decision"]),
        "name": seen.get("name") or values["vendor_id"],
        "source": values["source"],
        "relation": values["relation"],
        "target": names[values["relation"]].get(target, target) if target else None,
        "probability": None if probability is None else floor_probability(Decimal(probability)),
        "verdict": seen.get("verdict"),
        "monthly_cost": None if cost is None else Decimal(cost),
        "currency": seen.get("currency"),
        "reason": event.why,
        "until": values.get("until"),
        "vendor_id": values["vendor_id"],
    }


def _moment(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def _say_gap(said: Decimal, least: Decimal, most: Decimal) -> str:
    if said > most:
        return "says too much"
    return "says too little" if said < least else "as good as said"
