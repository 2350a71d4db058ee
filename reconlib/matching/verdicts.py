"""What may be done with a link: AUTO, PROPOSE, UNMATCHED or CONTRADICTION (MATCHING.md, "Verdicts"; FIELD.md T21, T24).

AUTO needs more than a high probability: a margin, no conflict, and an id, or a name that is the same and that nobody else has, or two kinds
of evidence that do not come from each other: one contact and a name of which no word is left over, or two and words left over on one side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reconlib.matching.contacts import compare_addresses, same_phone
from reconlib.matching.sides import Row, Sides

AUTO, PROPOSE, UNMATCHED, CONTRADICTION = "AUTO", "PROPOSE", "UNMATCHED", "CONTRADICTION"
VERDICTS = (AUTO, PROPOSE, UNMATCHED, CONTRADICTION)
SURE = 0.98
SHOWN = 0.05  # a link less likely than this is none
AHEAD = 1.0  # points before the runner-up
AGAINST, BETTER = 0.2, 0.9  # an existing mapping less likely than the one, where another is likelier than the other
SAME_ADDRESS = 0.7


@dataclass(frozen=True, slots=True)
class Unique:
    """How many rows of each side have a name, by the words it is judged by."""

    left: Mapping[str, int]
    right: Mapping[str, int]


def count_names(sides: Sides) -> Unique:
    """Names by how many rows have them; a row that stands under several names counts each of them once."""
    counts = [Counter(core for _, core in {(row.at, row.core.replace(" ", "")) for row in rows}) for rows in (sides.left, sides.right)]
    return Unique(*counts)


def is_same_name(left: Row, right: Row, names: Unique) -> bool:
    """Whether two names are equal but for the legal form, and nobody else is called so on either side, spaces or not.

    A web address has no spaces: there the letters are the name.
    """
    text = left.core.replace(" ", "")
    equal = text == right.core.replace(" ", "") if left.from_domain or right.from_domain else left.core == right.core
    return len(text) >= 3 and equal and names.left[text] == 1 and names.right[text] == 1


def is_certain(left: Row, right: Row, names: Unique) -> bool:
    """Whether an alias leads to one left row only: by the ids of both sides, or by a name no other left row has."""
    by_ids = bool(left.product and right.product and left.product.by_id and right.product.by_id)
    return by_ids or names.left[left.core.replace(" ", "")] == 1


def shared_contacts(left: Row, right: Row) -> int:
    """Kinds of contact both sides have in common: domain, phone, address. A name that spells the other's domain is no second kind."""
    hosts, labels = (
        {getattr(one, what) for one in left.domains} & {getattr(one, what) for one in right.domains} for what in ("host", "label")
    )
    near = compare_addresses(left.address, right.address)[0] >= SAME_ADDRESS
    return sum((bool(hosts or labels) and not (left.from_domain or right.from_domain), same_phone(left.phone, right.phone), near))


def may_be_auto(*, chance: float, margin: float, conflicts: bool, certain: bool, contacts: int, words: Mapping[str, str]) -> bool:
    """Whether a link needs no second look.

    ``margin``: points ahead of the runner-up. ``certain``: an id, a dated alias of one row only, or a name that is the same and unique.
    ``contacts``: kinds in common. ``words``: explained and not, of each side.
    """
    if chance < SURE or margin < AHEAD or conflicts:
        return False
    left_over = [side for side in ("left", "right") if words[f"{side}_unexplained"]]
    return certain or (contacts >= 2 and len(left_over) < 2) or (contacts == 1 and not left_over)


def contradicts(chance: float, better: float | None) -> bool:
    """Whether the evidence is against an existing mapping: it is unlikely, and another row is likely."""
    return chance < AGAINST and better is not None and better > BETTER
