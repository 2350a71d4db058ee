"""Made-up organisation names for the speed table: as many as asked, the same on every machine, written as two systems would write them.

Words are drawn as in real lists of clients: a few trades and towns are in very many names, most proper words in one or two. The right side
is a misspelt, cut, shortened or re-ordered writing of the same organisation; 30 % of either side have no partner on the other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import pandas as pd

from benchmarks.matching.sets import Case

PARTNERED_SHARE = 0.7
CUT_AT = (30, 50)  # characters at which distributors cut names

TRADES = """
    Dental|Construction|Law|Medical|Insurance|Accounting|Logistics|Engineering|Real Estate|Financial|Consulting|Manufacturing|Plumbing
    Electric|Roofing|Veterinary|Architecture|Transport|Foods|Foundation|Church|School|Academy|Energy|Capital|Wealth|Orthopedics|Optical
    Pharmacy|Marketing|Media|Design|Printing|Automotive|Aviation|Marine|Farms|Landscaping|Security|Staffing|Title|Mortgage|Credit Union
    Hospitality|Brewing|Bakery|Fitness|Chiropractic|Pediatrics|Dermatology|Surveying|Steel|Plastics|Packaging|Machine|Tool|Supply|Textiles
    """
KINDS = """
    Group|Services|Associates|Partners|Solutions|Holdings|Systems|Company|Center|Clinic|Studio|Works|Industries|International|Brothers
    & Sons|Management|Technologies|Enterprises|Trust
    """
TOWNS = """
    Springfield|Franklin|Clinton|Greenville|Bristol|Fairview|Salem|Madison|Georgetown|Arlington|Ashland|Dover|Oxford|Jackson|Burlington
    Manchester|Milton|Newport|Auburn|Dayton|Lexington|Milford|Riverside|Cleveland|Winchester|Hudson|Kingston|Oakland|Florence|Lancaster
    Northfield|Westbrook|Harbor|Lakeside|Cedar Falls|St. Albans|Port Huron|Mount Vernon|Grand Rapids|Santa Rosa
    """
LEGAL_FORMS = ("Inc.", "LLC", "Ltd.", "Corp.", "LLP", "P.C.", "PLLC", "Co.", "Limited", "Corporation", "Incorporated", "L.L.C.", "GmbH")
SHORT_WORDS = """
    Associates:Assoc|International:Intl|Services:Svcs|Management:Mgmt|Manufacturing:Mfg|Company:Co|Center:Ctr|Technologies:Tech
    Engineering:Eng|Construction:Const|Group:Grp|Brothers:Bros|Insurance:Ins|Financial:Fin|Medical:Med|& Sons:and Sons
    St. Albans:Saint Albans|Mount Vernon:Mt Vernon
    """
SYLLABLE_STARTS = ("b", "br", "c", "ch", "d", "f", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p", "r", "s", "sch", "st", "t", "v", "w")
SYLLABLE_ENDS = ("a", "e", "i", "o", "u", "ai", "ea", "ou", "ie", "oo")
WORD_ENDS = ("n", "r", "l", "s", "t", "nd", "rt", "ck", "lm", "ng", "ss", "x", "man", "son", "ton", "ley", "berg", "field", "wood", "ford")


def make_organisations(count: int, seed: int = 0) -> Case:
    """``count`` left and ``count`` right rows (id, name), one to one, seven of ten with a partner; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - names, not secrets
    words = _proper_words(max(400, count // 2), chance)
    first_right = count - round(count * PARTNERED_SHARE)
    names: dict[str, None] = {}
    while len(names) < first_right + count:
        names[_written_in_full(words, chance)] = None
    full = list(names)
    left = pd.DataFrame({"id": [f"c{at}" for at in range(count)], "name": full[:count]})
    order = list(range(first_right, first_right + count))
    chance.shuffle(order)
    right = pd.DataFrame({"id": [f"v{at}" for at in order], "name": [_written_again(full[at], chance) for at in order]})
    both = [at for at in order if at < count]
    truth = pd.DataFrame({"right_id": [f"v{at}" for at in both], "left_id": [f"c{at}" for at in both]})
    return Case(f"organisations {count:,} × {count:,}", left, right, truth, "one_to_one")


def _proper_words(count: int, chance: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = [chance.choice(SYLLABLE_STARTS) + chance.choice(SYLLABLE_ENDS) for _ in range(chance.choice((1, 1, 2, 2, 2, 3)))]
        found["".join([*syllables, chance.choice(WORD_ENDS)]).capitalize()] = None
    return list(found)


@cache
def _listed(text: str) -> tuple[str, ...]:
    """The words of a list above, in its order."""
    return tuple(word for line in text.split("\n") for word in line.strip().split("|") if word)


def _often_first(words: Sequence[str], chance: random.Random) -> str:
    """A word, the earlier ones far more often than the later: the curve of real word counts."""
    return words[int(len(words) ** chance.random()) - 1]


def _written_in_full(words: Sequence[str], chance: random.Random) -> str:
    parts = [_often_first(words, chance) if chance.random() < 0.5 else chance.choice(words)]
    shape = chance.random()
    if shape < 0.15:
        parts += ["&", chance.choice(words)]
    elif shape < 0.30:
        parts.insert(0, _often_first(_listed(TOWNS), chance))
    elif shape < 0.40:
        parts.append(chance.choice(words))
    if chance.random() < 0.80:
        parts.append(_often_first(_listed(TRADES), chance))
    if chance.random() < 0.50:
        parts.append(_often_first(_listed(KINDS), chance))
    if chance.random() < 0.10:
        parts += ["of", _often_first(_listed(TOWNS), chance)]
    if chance.random() < 0.65:
        parts.append(_often_first(LEGAL_FORMS, chance))
    return " ".join(parts)


def _written_again(name: str, chance: random.Random) -> str:
    """The name as another system has it: usually nearly the same, sometimes with two or three things wrong at once."""
    for long, _, short in (pair.partition(":") for pair in _listed(SHORT_WORDS)):
        if long in name and chance.random() < 0.35:
            name = name.replace(long, short)
    words = name.split()
    if words[-1] in LEGAL_FORMS and chance.random() < 0.6:
        words = [*words[:-1], *([chance.choice(LEGAL_FORMS)] if chance.random() < 0.3 else [])]
    if chance.random() < 0.12:
        words.append(f"- {_often_first(_listed(TOWNS), chance)}")
    if len(words) > 2 and chance.random() < 0.06:
        del words[-1]
    if chance.random() < 0.04:
        words = [f"{words[-1]},", *words[:-1]]
    name = " ".join(words)
    if chance.random() < 0.15:
        name = _misspelt(name, chance)
    if chance.random() < 0.06:
        name = name.replace(" ", "", 1)
    if chance.random() < 0.25:
        name = name.upper()
    return name[: chance.choice(CUT_AT)].strip() if chance.random() < 0.10 else name


def _misspelt(name: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(name))
    kind = chance.random()
    if kind < 0.35:
        return name[:at] + name[at + 1 :]
    if kind < 0.65:
        return name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :]
    letter = chance.choice("aeiorstnl")
    return name[:at] + letter + name[at + (kind < 0.85) :]
