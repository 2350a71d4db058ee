"""What people decided about one account or product, and whether it still stands on what they saw (T25, T125).

A rejection and an accepted contradiction hold as long as both sides look as they did: name, domain, ids. What changed is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Decided(Protocol):
    """What people decided about one vendor account or product."""

    @property
    def state(self) -> str:
        """``mapped``, ``excluded``, or anything else where only rejections are known."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Client or service ids."""

    @property
    def rejected(self) -> frozenset[str]:
        """Ids never to suggest again, unless what they were rejected on changed."""

    @property
    def seen(self) -> Mapping[str, Mapping[str, Any]]:
        """What the row showed when a target was mapped or rejected, by target; empty where it was not kept."""


Decisions = Mapping[tuple[str, str, str], Decided]  # (account | product, source, vendor id)

BOUND = {  # columns of a mapping row a decision about a pair stands on, and how people call a change of them
    "account": {"account_name": "its name", "domain": "its domain", "external_id": "the id it carries", "tenant_id": "its tenant"},
    "product": {"product_name": "its name", "sku": "its part number"},
}
OUR_BOUND = {
    "account": {"client_name": "the client's name", "client_domain": "the client's domain", "client_code": "the client's code"},
    "product": {"service_name": "the service's name", "service_code": "the service's code", "service_sku": "the service's part number"},
}
_ID_OF = {"account": "client_id", "product": "service_id"}


def bound_pair(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a decision on a row of a mapping is bound to, on both sides; kept with the decision."""
    relation = "account" if "vendor_account_id" in row else "product"
    return {name: row.get(name) for name in (*BOUND[relation], *OUR_BOUND[relation], _ID_OF[relation])}


def pair_changed(relation: str, target: str, seen: Mapping[str, Any], vendor: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """What differs between a pair today and as it was decided on, in words; empty where nothing does, or nothing was kept.

    Args:
        relation: account or product.
        target: the client or service that was decided on.
        seen: what was kept with the decision.
        vendor: the account or product today, in the columns of a mapping row.
        ours: the client or service today, likewise.
    """
    bound = seen.get("bound")
    if not isinstance(bound, Mapping):
        return []
    changed = [word for name, word in BOUND[relation].items() if name in bound and bound[name] != vendor.get(name)]
    if bound.get(_ID_OF[relation]) == target:  # of another one than was suggested, the row showed nothing
        changed += [word for name, word in OUR_BOUND[relation].items() if name in bound and bound[name] != ours.get(name)]
    return changed


def asked_again(
    relation: str, decided: Decided | None, vendor: Mapping[str, Any], ours: Mapping[str, Mapping[str, Any]]
) -> tuple[frozenset[str], dict[str, str]]:
    """The rejected ids that still stand, and those that may be suggested again, each with why."""
    if decided is None:
        return frozenset(), {}
    again = {
        target: f"asked again: {', '.join(changed)} changed"
        for target in sorted(decided.rejected)
        if (changed := pair_changed(relation, target, decided.seen.get(target, {}), vendor, ours.get(target, {})))
    }
    return decided.rejected - again.keys(), again


def is_accepted(
    relation: str,
    decided: Decided | None,
    target: str,
    better: str | None,
    vendor: Mapping[str, Any],
    ours: Mapping[str, Any],
    against: Iterable[str] = (),
) -> bool:
    """Whether a person mapped this pair knowing what speaks against it, and both sides look as they did.

    ``against``: what speaks against it beside the better one, in the words the row shows; each must have been shown then.
    """
    if decided is None or target not in decided.targets or not (seen := decided.seen.get(target)):
        return False
    knew = seen.get("verdict") == "CONTRADICTION" and seen.get("runner_up_id") == better
    chose_another = better is not None and seen.get("suggested_id") == better
    told = str(seen.get("conflicts") or "")
    return (knew or chose_another) and all(one in told for one in against) and not pair_changed(relation, target, seen, vendor, ours)
