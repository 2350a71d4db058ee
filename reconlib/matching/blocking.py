"""Which pairs are worth comparing: about ten left rows for each right row, found by letters, words, initials, domains, phones, addresses.

The union of several indexes. Up to ``SMALL`` rows the nearest of either side are taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from reconlib.matching.names import LITTLE_WORDS
from reconlib.matching.sides import Row, Sides

if TYPE_CHECKING:
    import numpy as np

BY_LETTERS, BY_WORDS, BY_GLUED = 12, 6, 6  # nearest left rows taken of each index
LARGEST_KEY = 20  # left rows that share a phone, an address or initials before it says nothing
SMALL = 2000  # rows of a side up to which the nearest are looked up from both sides
LARGE, TOO_COMMON = 20_000, 0.01  # rows of a side from which letters that stand in more than this share of names are left out
KEPT = 10  # pairs compared for one right row, the nearest first


def find_pairs(sides: Sides, *, both_ways: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(left position, right position, likeness of letters 0..1) of the pairs to compare, by right then left position.

    ``both_ways``: the nearest right rows of each left row as well, so that the sides may be swapped; not in big books, where it costs too
    much.
    """
    import numpy as np

    if not sides.left or not sides.right:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    both_ways = both_ways and max(len(sides.left), len(sides.right)) <= SMALL
    found = _by_text(sides, both_ways=both_ways)
    keys = _by_keys(sides)
    size = len(sides.left)
    codes = np.concatenate([found[0], np.fromiter(keys, dtype=np.int64, count=len(keys))])
    cosines = np.concatenate([found[1], np.zeros(len(keys))])
    order = np.lexsort((-cosines, codes))
    codes, cosines = codes[order], cosines[order]
    first = np.concatenate([[True], codes[1:] != codes[:-1]]) if len(codes) else np.zeros(0, dtype=bool)
    codes, cosines = codes[first], cosines[first]
    keyed = np.isin(codes, np.fromiter(keys, dtype=np.int64, count=len(keys)))
    right, left = codes // size, codes % size
    kept = keyed | (_rank(right, cosines) < KEPT)
    if both_ways:
        kept |= _rank(left, cosines) < KEPT
    return left[kept], right[kept], cosines[kept]


def _rank(right: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Place of each pair among those of its right row, 0 for the nearest."""
    import numpy as np

    order = np.lexsort((-cosines, right))
    starts = np.concatenate([[True], right[order][1:] != right[order][:-1]]) if len(right) else np.zeros(0, dtype=bool)
    places = np.arange(len(right)) - np.maximum.accumulate(np.where(starts, np.arange(len(right)), 0))
    rank = np.empty(len(right), dtype=np.int64)
    rank[order] = places
    return rank


def _by_text(sides: Sides, *, both_ways: bool) -> tuple[np.ndarray, np.ndarray]:
    """Codes and cosines of the nearest left rows by letters, words, and letters without spaces."""
    import numpy as np

    spaced = [[row.core for row in rows] for rows in (sides.left, sides.right)]
    glued = [[text.replace(" ", "") for text in texts] for texts in spaced]
    codes, cosines = [], []
    for texts, options, top, scale in (
        (spaced, {"analyzer": "char_wb", "ngram_range": (3, 3)}, BY_LETTERS, 1.0),
        (spaced, {"analyzer": str.split}, BY_WORDS, 0.95),
        (glued, {"analyzer": "char", "ngram_range": (2, 4)}, BY_GLUED, 0.95),
    ):
        left, right = _vectors(texts, options)
        for one, other in ((right, left), (left, right)) if both_ways else ((right, left),):
            found = _nearest(one, other, top)
            at_left, at_right = (found.col, found.row) if one is right else (found.row, found.col)
            codes.append(at_right.astype(np.int64) * len(sides.left) + at_left)
            cosines.append(found.data * scale)
    return np.concatenate(codes), np.concatenate(cosines)


def _vectors(texts: Sequence[Sequence[str]], options: dict[str, Any]) -> tuple[Any, Any]:
    """TF-IDF vectors of both sides; without columns where no text has anything to index."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    large = max(map(len, texts)) >= LARGE
    index = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, max_df=TOO_COMMON if large else 1.0, **options)
    try:
        index.fit([*texts[0], *texts[1]])
    except ValueError:  # an empty vocabulary
        empty = [csr_matrix((len(side), 1), dtype=np.float32) for side in texts]
        return empty[0], empty[1]
    return index.transform(texts[0]), index.transform(texts[1])


def _nearest(one: Any, other: Any, top: int) -> Any:
    """Cosines of each row of ``one`` with the ``top`` nearest rows of ``other``."""
    from sparse_dot_topn import sp_matmul_topn

    return sp_matmul_topn(one, other.T.tocsr(), top_n=max(1, min(top, other.shape[0])), threshold=0.05, n_threads=1).tocoo()


def _by_keys(sides: Sides) -> set[int]:
    """Codes of pairs that share a phone, an address, a domain or its label, or where initials of one are a word of the other."""
    size = len(sides.left)
    codes: set[int] = set()
    index: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(sides.left):
        for key in set(_keys(row)):
            index[key].append(at)
    for at, row in enumerate(sides.right):
        for key in set(_keys(row)):
            if len(found := index.get(key, ())) <= LARGEST_KEY:
                codes.update(at * size + left for left in found)
    return codes


def _keys(row: Row) -> Iterator[str]:
    if row.phone:
        yield f"phone {row.phone[-7:]}"
    if row.address and row.address.house:
        yield from (f"address {number} {word}" for number in row.address.house[:50] for word in row.address.street)
    for domain in row.domains:
        yield f"host {domain.host}"
        yield f"letters {domain.label.replace('-', '')}"
    yield from (f"id {one}" for one in row.ids)
    if row.sku:
        yield f"sku {row.sku}"
    if row.product:
        yield from (f"product {key}" for key in row.product.keys)
    words = [word for word in row.name.words if word not in LITTLE_WORDS]
    if words:
        yield f"letters {''.join(words)}"
    yield from (f"letters {word}" for word in words if 3 <= len(word) <= 6)
    yield from (f"letters {text}" for text in _initials(words))


def _initials(words: Sequence[str]) -> Iterable[str]:
    """Initials of the first three to six words."""
    text = "".join(word[0] for word in words)
    return (text[:length] for length in range(3, min(len(text), 6) + 1))
