"""What may be done with a link: AUTO, PROPOSE, UNMATCHED or CONTRADICTION (docs/matching.md; T21, T24).

AUTO needs more than a high probability: a margin, no conflict, and an id, or a name that is the same and that nobody else has, or two kinds
of evidence that do not come from each other: one contact and a name of which no word is left over, or two and words left over on one side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reconlib.matching.contacts import same_house, same_phone
from reconlib.matching.products import product_conflicts
from reconlib.matching.sides import Row, Sides, shared_hosts, shared_labels

AUTO, PROPOSE, UNMATCHED, CONTRADICTION = "AUTO", "PROPOSE", "UNMATCHED", "CONTRADICTION"
VERDICTS = (AUTO, PROPOSE, UNMATCHED, CONTRADICTION)
SURE = 0.98
SHOWN = 0.05  # a link less likely than this is none
AHEAD = 1.0  # points before the runner-up
AGAINST, BETTER = 0.2, 0.9  # an existing mapping less likely than the one, where another is likelier than the other


@dataclass(frozen=True, slots=True)
class Unique:
    """How many rows of each side have a name, by the words it is judged by; and the left rows of each product, by its key."""

    left: Mapping[str, int]
    right: Mapping[str, int]
    products: Mapping[str, tuple[Row, ...]]


def count_names(sides: Sides) -> Unique:
    """Names by how many rows have them; a row that stands under several names counts each of them once."""
    counts = [Counter(core for _, core in {(row.at, row.core.replace(" ", "")) for row in rows}) for rows in (sides.left, sides.right)]
    products: dict[str, tuple[Row, ...]] = {}
    for row in sides.left:
        for key in row.product.keys if row.product else ():
            products[key] = (*products.get(key, ()), row)
    return Unique(counts[0], counts[1], products)


def is_same_name(left: Row, right: Row, names: Unique) -> bool:
    """Whether two names are equal but for the legal form, and nobody else is called so on either side, spaces or not.

    A web address has no spaces: there the letters are the name.
    """
    text = left.core.replace(" ", "")
    equal = text == right.core.replace(" ", "") if left.from_domain or right.from_domain else left.core == right.core
    return len(text) >= 3 and equal and names.left[text] == 1 and names.right[text] == 1


def is_certain(left: Row, right: Row, names: Unique) -> bool:
    """Whether an alias leads to one left row only: by the ids of both sides, or by a name no other left row has.

    Another left row of the product is no rival where it is sold otherwise than the right one says: by another term, plan or segment.
    """
    if not left.product or not right.product:
        return False
    rivals = [row for key in right.product.keys for row in names.products.get(key, ()) if row.at != left.at]
    if any(not product_conflicts(row.product, right.product) for row in rivals):
        return False
    by_ids = left.product.by_id and right.product.by_id
    return by_ids or names.left[left.core.replace(" ", "")] == 1


def shared_contacts(left: Row, right: Row) -> int:
    """Kinds of contact both sides have in common: domain, phone, address. A name that spells the other's domain is no second kind."""
    by_domain = bool(shared_hosts(left, right) or shared_labels(left, right)) and not (left.from_domain or right.from_domain)
    return sum((by_domain, same_phone(left.phone, right.phone), same_house(left.address, right.address)))


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
