"""The first scorer behind the matcher's interface, until the matcher itself is there."""

from __future__ import annotations

from typing import Any

from reconlib.schema import EVIDENCE_KINDS


def suggest_links(left: Any, right: Any, *, relation: str, decisions: Any = None, own_domains: Any = ()) -> Any:  # noqa: ARG001
    """As ``reconlib.matching.suggest_links``, without calibration."""
    import pandas as pd

    from reconlib.matching import Candidate, suggest_best

    candidates = [Candidate(row["id"], row["name"], row["domain"]) for row in left.to_dict("records")]
    said = decisions.to_dict("records")
    rows = []
    for row in right.to_dict("records"):
        mine = [one for one in said if one["right_id"] == row["id"]]
        rejected = frozenset(one["left_id"] for one in mine if one["decision"] == "reject")
        stands = next((one["left_id"] for one in mine if one["decision"] == "map"), None)
        found = suggest_best(Candidate(row["id"], row["name"], row["domain"]), candidates, rejected=rejected)
        probability = float(found.score) if found else None
        second = found.runner_up if found else None
        chosen = stands or (found.id if found else None)
        rows.append(
            {"right_id": row["id"], "left_id": chosen, "probability": probability, "verdict": "PROPOSE" if chosen else "UNMATCHED"}
            | {f"points_{kind}": None for kind in EVIDENCE_KINDS}
            | dict.fromkeys(("left_explained", "left_unexplained", "right_explained", "right_unexplained", "conflicts"), "")
            | {
                "runner_up_id": second.id if second else None,
                "proposals": ((found.id, probability),) if found else (),
                "decided_by": "none",
            }
            | {"runner_up_probability": float(found.runner_up_score) if found and found.runner_up_score else None}
            | {"reason": found.reason if found else "no similar name"}
        )
    return pd.DataFrame(rows)
