"""Which words of one name the words of another explain, and how far: a beginning, a typo, an abbreviation, glued words, initials.

Credits go from 0 (nothing explains the word) to 1 (the same word). The two sides are treated alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from reconlib.matching.names import LITTLE_WORDS, Name, number_of

GLUED, ACRONYM, SPELLED_OUT = 0.97, 0.8, 0.6


@dataclass(frozen=True, slots=True)
class Alignment:
    """Credits by word for each side. ``has_acronym``: initials explain words."""

    left: Mapping[str, float]
    right: Mapping[str, float]
    has_acronym: bool = False


def align_words(one: Name, two: Name) -> Alignment:
    """Credits of two names' words.

    Example:
        >>> from reconlib.matching.names import read_name
        >>> found = align_words(read_name("Northwind Dental"), read_name("North Wind Dent. Studio"))
        >>> sorted(word for word, credit in found.left.items() if credit > 0.5), found.right["studio"]
        (['dental', 'northwind'], 0.0)
    """
    left, right = one.words, two.words
    common = set(left) & set(right)
    mine = {word: 1.0 if word in common else 0.0 for word in left}
    other = {word: 1.0 if word in common else 0.0 for word in right}
    if len(common) == len(mine) or len(common) == len(other):
        if len(common) == len(mine) == len(other):
            return Alignment(mine, other)
        _glue(left, right, mine, other)
        return Alignment(mine, other)
    _glue(left, right, mine, other)
    _pair(mine, other)
    found = _spell_out(one, two, mine, other)
    return Alignment(mine, other, _spell_out(two, one, other, mine) or found)


def _pair(mine: dict[str, float], other: dict[str, float]) -> None:
    """Words that are nearly the same, the nearest first."""
    near = sorted(
        (-credit, min(a, b), max(a, b), a, b)
        for a, done in mine.items()
        if not done
        for b, also in other.items()
        if not also and (credit := likeness(a, b))
    )
    for minus, _, _, a, b in near:
        if not mine[a] and not other[b]:
            mine[a] = other[b] = -minus


def _glue(left: Sequence[str], right: Sequence[str], mine: dict[str, float], other: dict[str, float]) -> None:
    """Words written as one here and apart there."""
    for words, credits_, others, other_credits in ((left, mine, right, other), (right, other, left, mine)):
        for word in words:
            if credits_[word] or len(word) < 4:
                continue
            for start in range(len(others)):
                if not word.startswith(others[start]):
                    continue
                joined, end = others[start], start + 1
                while end < len(others) and len(joined) < len(word):
                    joined += others[end]
                    end += 1
                if joined == word and end > start + 1:
                    credits_[word] = GLUED
                    for part in others[start:end]:
                        other_credits[part] = max(other_credits[part], GLUED)
                    break


def _spell_out(short: Name, long: Name, mine: dict[str, float], other: dict[str, float]) -> bool:
    """Words of ``short`` that may be initials and are those of ``long``: of all its words, or of four or more in a row."""
    found = False
    for word in short.words:
        if mine[word] or word not in short.initials:
            continue
        if run := initials_run(word, [w for w in long.words if not other[w] or w in LITTLE_WORDS]):
            mine[word] = ACRONYM
            for part in run:
                other[part] = max(other[part], SPELLED_OUT)
            found = True
    return found


def initials_run(word: str, words: Sequence[str]) -> tuple[str, ...]:
    """The words whose initials are ``word``, with or without little words: all of them, or a run of four; empty where there are none.

    Example:
        >>> initials_run("nta", ("the", "national", "teachers", "academy")), initials_run("dob", ("department", "of", "buildings"))
        (('national', 'teachers', 'academy'), ('department', 'of', 'buildings'))
        >>> initials_run("nta", ("northern", "national", "teachers", "academy"))
        ()
    """
    told = [w for w in words if w not in LITTLE_WORDS]
    for row in (told, words) if len(told) != len(words) else (told,):
        text = "".join(w[0] for w in row)
        at = text.find(word)
        if at >= 0 and (len(word) >= 4 or text == word):
            return tuple(row[at : at + len(word)])
    return ()


@lru_cache(maxsize=1 << 18)
def likeness(a: str, b: str) -> float:
    """How far two different words may be the same: the beginning of one another, one typo (two in long words), or an abbreviation.

    Example:
        >>> likeness("tech", "technology") > 0.6, likeness("meridian", "meridien") > 0.8, likeness("mgmnt", "management") > 0.5
        (True, True, True)
        >>> likeness("north", "south"), likeness("401", "410"), likeness("2nd", "second")
        (0.0, 0.0, 0.97)
    """
    from rapidfuzz.distance import OSA

    if (number := number_of(a)) and number == number_of(b):
        return GLUED
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    if len(short) < 3 or short[0] != long[0] or not (short.isalpha() and long.isalpha()):
        return 0.0
    if long.startswith(short):
        if len(short) == 3:
            return 0.5
        return 0.95 if len(long) - len(short) == 1 else 0.6 + 0.3 * len(short) / len(long)
    allowed = 1 if len(short) < 9 else 2
    if len(short) >= 5 and (edits := OSA.distance(a, b, score_cutoff=allowed)) <= allowed:
        return 0.9 - 0.05 * edits
    if len(long) >= len(short) + 2 and len(short) <= 6 and _is_subsequence(short, long):
        return 0.6
    same = next((at for at, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return 0.5 if same >= 5 and same >= 0.6 * len(long) else 0.0


def _is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return all(sign in rest for sign in short) and sum(sign in "aeiou" for sign in short[1:]) <= 1
