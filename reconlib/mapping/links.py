"""The matcher asked, and its answer as columns of a mapping: exact decimals, our words, JSON where several ids stand in one cell."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from reconlib.aliases import AliasTable
from reconlib.schema import EVIDENCE_KINDS

Row = dict[str, Any]
Relation = Literal["one_to_one", "many_to_one"]
_TEXTS = ("name", "domain", "email", "phone", "address", "external_id", "sku", "term")
_WORDS = {"our": "left", "vendor": "right"}  # our side of the table, the matcher's


def judge_links(
    left: Sequence[Mapping[str, Any]],
    right: Sequence[Mapping[str, Any]],
    decided: Iterable[Mapping[str, Any]],
    *,
    relation: Relation,
    own_domains: Iterable[str] = (),
    aliases: AliasTable | None = None,
    as_of: date | None = None,
) -> dict[str, Row]:
    """What the evidence says about every row of ``right``, by its id, as columns of a mapping; ``id`` is the best of ``left``.

    Args:
        left: what we own: ``id``, ``name`` and whatever else of domain, email, phone, address, external_id, sku, term is known.
        right: what one vendor calls it, likewise.
        decided: what stands already: right_id, left_id, decision (map, reject or exclude); judged all the same.
        relation: whether several of ``right`` may belong to one of ``left``.
        own_domains: the MSP's own, which say nothing about a client.
        aliases: what products are called; none: the packaged table.
        as_of: the day on which a vendor calls its products so; none: a name that two products had is ambiguous.
    """
    if not right:
        return {}
    if not left:
        return {row["id"]: {"verdict": "UNMATCHED", "reason": "there is nothing to compare it with"} for row in right}
    import pandas as pd

    from reconlib.matching import suggest_links

    frames = (
        pd.DataFrame([{"id": row["id"]} | {name: row.get(name) for name in _TEXTS} for row in side], dtype=object) for side in (left, right)
    )
    standing = pd.DataFrame(list(decided), columns=["right_id", "left_id", "decision"], dtype=object)
    around: dict[str, Any] = {"own_domains": tuple(own_domains), "aliases": aliases, "as_of": as_of}
    answer = suggest_links(*frames, relation=relation, decisions=standing, **around)
    return {row["right_id"]: _columns(row) for row in answer.to_dict("records")}


def audit_links(
    left: Sequence[Mapping[str, Any]],
    right: Sequence[Mapping[str, Any]],
    decided: Sequence[Mapping[str, Any]],
    named: Mapping[str, str],
    *,
    relation: Relation,
    own_domains: Iterable[str] = (),
    aliases: AliasTable | None = None,
    as_of: date | None = None,
) -> dict[str, Row]:
    """As ``judge_links``, where some stand by their name alone: these are judged, and teach nothing.

    Equal names say nothing about how unlike a right name may be; taught by hundreds of them the matcher would trust no other. So it is
    asked without them, and again only about those it would have put elsewhere.

    Args:
        left: what we own.
        right: what one vendor calls it.
        decided: what people and ids settled, and what was rejected.
        named: right id -> left id of what stands by its name.
        relation: whether several of ``right`` may belong to one of ``left``.
        own_domains: the MSP's own.
        aliases: what products are called.
        as_of: as in ``judge_links``.

    Returns:
        As ``judge_links``; the reason of a contradiction is why the better one is better.
    """
    around: dict[str, Any] = {"relation": relation, "own_domains": tuple(own_domains), "aliases": aliases, "as_of": as_of}
    found = judge_links(left, right, decided, **around)
    doubted = [
        {"right_id": right_id, "left_id": left_id, "decision": "map"}
        for right_id, left_id in named.items()
        if found[right_id].get("id") not in (None, left_id)
    ]
    if doubted:
        again = judge_links(left, right, [*decided, *doubted], **around)
        found |= {one["right_id"]: again[one["right_id"]] for one in doubted}
    contradicted = [row for row in right if found[row["id"]]["verdict"] == "CONTRADICTION"]
    freely = judge_links(left, contradicted, (), **around)
    for right_id, better in freely.items():
        if better.get("id") == found[right_id]["runner_up_id"]:
            found[right_id]["reason"] = better["reason"]  # why the other one is better, rather than that this one is not
    return found


def _columns(row: Mapping[Any, Any]) -> Row:
    shown = {str(one): f"{probability:.4f}" for one, probability in row["proposals"]}
    return {
        "id": _text(row["left_id"]),
        "verdict": row["verdict"],
        "best_evidence": _best_evidence(row),
        "probability": _number(row["probability"], 4),
        "reason": row["reason"],
        "runner_up_id": _text(row["runner_up_id"]),
        "runner_up_probability": _number(row["runner_up_probability"], 4),
        **{f"points_{kind}": _number(row[f"points_{kind}"], 2) for kind in EVIDENCE_KINDS},
        **{f"{ours}_{part}": _text(row[f"{side}_{part}"]) for ours, side in _WORDS.items() for part in ("explained", "unexplained")},
        "conflicts": _text(row["conflicts"]),
        "proposals": json.dumps(shown, ensure_ascii=False) if shown else None,
    }


def _best_evidence(row: Mapping[Any, Any]) -> str | None:
    """What speaks loudest for a pair, whether it is decided or not; null where nothing does."""
    found = {kind: row[f"points_{kind}"] or 0.0 for kind in EVIDENCE_KINDS if kind not in ("conflict", "context")}
    best = max(found, key=found.__getitem__)
    return best if found[best] > 0 else None


def _text(value: Any) -> str | None:
    return None if value is None or value == "" or (isinstance(value, float) and math.isnan(value)) else str(value)


def _number(value: Any, places: int) -> Decimal | None:
    if value is None or math.isnan(value):
        return None
    return Decimal(f"{value:.{places}f}") + 0  # no −0
