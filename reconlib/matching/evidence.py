"""Ids and dated aliases: evidence that decides before any word is compared, and what contradicts it. Points are set, not learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconlib.matching.alignment import align_words
from reconlib.matching.contacts import compare_addresses, same_phone
from reconlib.matching.features import contrast_of
from reconlib.matching.products import product_conflicts, same_product
from reconlib.matching.sides import Row, shared_hosts, shared_labels

if TYPE_CHECKING:
    import numpy as np

    from reconlib.matching.comparing import Pairs

ID_POINTS, ALIAS_POINTS = 14.0, 12.0
OTHER_ID_POINTS = -6.0  # the id it carries is another row's
CONFLICT_POINTS = -2.5  # a product attribute that differs: term, plan, segment
OTHER_PRODUCT_POINTS = -6.0


def set_points(pairs: Pairs) -> np.ndarray:
    """Points by id, by alias and by products' attributes, one row a pair, three columns."""
    import numpy as np

    left, right = pairs.sides.left, pairs.sides.right
    out = np.zeros((len(pairs.left), 3))
    shared = _shared_ids(left)
    skus = Counter(sku for _, sku in {(row.at, row.sku) for row in left if row.sku})
    owners = {one: row.at for row in left for one in row.ids if shared[one] == 1}
    if not any(row.ids or row.sku or row.product for row in right):
        return out
    for at, (a, b) in enumerate(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)):
        one, two = left[a], right[b]
        met = {text for text in one.ids & two.ids if shared[text] == 1}
        if met or (one.sku and one.sku == two.sku and skus[one.sku] == 1):
            out[at, 0] = ID_POINTS
        elif any(owners.get(text, one.at) != one.at for text in two.ids):
            out[at, 0] = OTHER_ID_POINTS
        if one.product and two.product:
            if same_product(one.product, two.product):
                out[at, 1] = ALIAS_POINTS
            elif one.product.keys and two.product.keys and not set(one.product.keys) & set(two.product.keys):
                out[at, 1] = OTHER_PRODUCT_POINTS
            out[at, 2] = max(-7.5, CONFLICT_POINTS * len(product_conflicts(one.product, two.product)))
    return out


def say_conflicts(left: Row, right: Row) -> tuple[str, ...]:
    """What speaks against a pair and forbids AUTO, in words."""
    said = [*product_conflicts(left.product, right.product), *_name_conflicts(left, right)]
    if left.trading and right.trading and not left.trading & right.trading:
        said.append(f"trading as {_or_none(left.trading)} against {_or_none(right.trading)}")
    if len(left.ids) > 1 and right.ids and not left.ids & right.ids:
        said.append(f"the id it carries, {_or_none(right.ids)}, is another one")
    if left.sku and right.sku and left.sku != right.sku and not same_product(left.product, right.product):
        said.append(f"part number {left.sku} against {right.sku}")
    hosts = shared_hosts(left, right)
    if left.domains and right.domains and not hosts and not shared_labels(left, right):
        mine, other = (frozenset(one.host for one in row.domains) for row in (left, right))
        said.append(f"domain {_or_none(mine)} against {_or_none(other)}")
    elsewhere = compare_addresses(left.address, right.address)[1] == 1
    if elsewhere and not hosts and not same_phone(left.phone, right.phone):
        said.append("another address")
    return tuple(said)


def _name_conflicts(left: Row, right: Row) -> Iterator[str]:
    mine, other = left.name, right.name
    if not left.product and mine.numbers != other.numbers:
        yield f"number {_or_none(mine.numbers)} against {_or_none(other.numbers)}"
    if mine.forms and other.forms and mine.forms != other.forms:
        yield f"legal form {_or_none(mine.forms)} against {_or_none(other.forms)}"
    if mine.doubtful != other.doubtful:
        yield f"letters {_or_none(mine.doubtful)} against {_or_none(other.doubtful)}"
    if mine.letters and other.letters and mine.letters != other.letters:
        yield f"letters {mine.letters} against {other.letters}"
    if found := contrast_of(align_words(mine, other)):
        yield f"{found[0]} against {found[1]}"
    if mine.is_retired != other.is_retired:
        yield "only one is marked old, test or not to be used"


def _shared_ids(rows: tuple[Row, ...]) -> Counter[str]:
    """How many rows of a frame have an id; a row under several names counts once."""
    return Counter(one for row in {row.at: row for row in rows}.values() for one in row.ids)


def _or_none(found: frozenset[str]) -> str:
    return ", ".join(sorted(found)) or "none"
