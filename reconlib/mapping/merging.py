"""What stands and what the evidence says, put together as one row: state, verdict, reason (T21, T25).

The evidence never changes a state but from unmapped to suggested. It may contradict what is mapped, which is said and held at the gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconlib.mapping.decided import Decided, is_accepted
from reconlib.schema import EVIDENCE_KINDS

Row = dict[str, Any]


def mapped(target: str, decided_by: str, reason: str) -> Row:
    """A link that stands."""
    return {"state": "mapped", "id": target, "decided_by": decided_by, "reason": reason}


def excluded() -> Row:
    """A link a person left out."""
    return {"state": "excluded", "decided_by": "decision", "reason": "excluded by decision"}


def merge_link(settled: Row | None, judged: Row, again: Mapping[str, str]) -> Row:
    """One row's link: what stands, with what the evidence says of it; or what the evidence suggests.

    Args:
        settled: state, id, decided_by and reason of what stands; none where nothing does.
        judged: the matcher's columns; empty where it was not asked.
        again: why a target that was once rejected is suggested again.
    """
    if settled is None:
        target = judged.get("id") if judged.get("verdict") != "UNMATCHED" else None
        said = "; ".join(text for text in (again.get(target or ""), judged.get("reason")) if text)
        return {**judged, "id": target, "state": "suggested" if target else "unmapped", "reason": said or "nothing like it"}
    link = {**judged, **settled}
    if settled["state"] == "mapped" and judged.get("id") == settled["id"]:
        if judged["verdict"] == "CONTRADICTION":
            return {**link, "better_reason": judged["reason"]}
        if any(judged[f"points_{kind}"] for kind in EVIDENCE_KINDS):
            return link
    return {**settled, "verdict": None}  # nothing speaks for it, and nothing for another


def say_better(link: Row, name: str | None) -> Row:
    """A contradicted link with the one that is better, by name, and why."""
    if "better_reason" not in link:
        return link
    reason = f"{link['reason']}, but it looks like {name}: {link['better_reason']}"
    return {key: value for key, value in link.items() if key != "better_reason"} | {"reason": reason}


def contradict(link: Row, conflict: str) -> Row:
    """A mapped link that something other than the names speaks against."""
    return {**link, "verdict": "CONTRADICTION", "conflicts": "; ".join(text for text in (link.get("conflicts"), conflict) if text)} | {
        "reason": f"{link['reason']}, but {conflict}"
    }


def say_lost(relation: str, link: Row, decided: Decided | None, ours: Mapping[str, Any]) -> Row:
    """A link with what a person mapped it to that the PSA does not list any more."""
    lost = [target for target in decided.targets if target not in ours] if decided and decided.state == "mapped" else []
    if not lost:
        return link
    what = "client" if relation == "account" else "service"
    return {**link, "reason": f"a person mapped it to {what} {', '.join(lost)}, which the PSA does not list any more; {link['reason']}"}


def quiet_accepted(
    relation: str, link: Row, decided: Decided | None, vendor: Mapping[str, Any], ours: Mapping[str, Any], against: Iterable[str] = ()
) -> Row:
    """A contradiction that a person accepted stays quiet, until the evidence changes or something else speaks against it."""
    if link.get("verdict") != "CONTRADICTION":
        return link
    if not is_accepted(relation, decided, link["id"], link.get("runner_up_id"), vendor, ours, against):
        return link
    return {**link, "verdict": None, "reason": "decided by a person, who saw what speaks against it"}
