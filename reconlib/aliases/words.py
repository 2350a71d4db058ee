"""A product's name in plain words: case, punctuation, glued words, abbreviations and cut ends set right, nothing left out.

Distributors write "MS NCE M365 BusPrem", "microsoft365businesspremium" and "DO NOT USE - Microsoft Defende" (cut at 30 characters). Two
names can only be compared once both are the same kind of words.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

CUT_LENGTHS = frozenset((30, 50, 100))  # characters at which exports cut a name off
LONGEST = 400  # characters of a name that are read; a vendor's text has no other limit

ABBREVIATIONS = {
    "aad": "azure active directory",
    "acct": "account",
    "ad": "active directory",
    "adv": "advanced",
    "aip": "azure information protection",
    "biz": "business",
    "bsns": "business",
    "bsnss": "business",
    "bus": "business",
    "d365": "dynamics 365",
    "def": "defender",
    "ems": "enterprise mobility security",
    "ent": "enterprise",
    "eoa": "exchange online archiving",
    "eop": "exchange online protection",
    "ess": "essentials",
    "essntls": "essentials",
    "exch": "exchange",
    "exo": "exchange online",
    "m365": "microsoft 365",
    "mde": "microsoft defender for endpoint",
    "mdo": "microsoft defender for office 365",
    "ms": "microsoft",
    "msft": "microsoft",
    "o365": "office 365",
    "onln": "online",
    "pbi": "power bi",
    "prem": "premium",
    "prof": "professional",
    "proj": "project",
    "spo": "sharepoint online",
    "std": "standard",
    "svr": "server",
    "w365": "windows 365",
    "win": "windows",
}

VOCABULARY = frozenset(
    """1password 365 access account acronis active add addon advanced alto annual app apps archiving audio azure backup barracuda base
    baseline basic bitdefender business cal calling capacity central cloud commit complete compliance conferencing connect
    continuity control copilot core crowdstrike customer cyber data datto defender desk device direct directory domestic
    donation dropsuite duo dynamics edition edu education email encryption endpoint endpoints enterprise entra essentials
    exchange extended fabric faculty falcon field finance firewall for foundation governance government gravityzone huntress
    identity information insights intercept international intune ironscales keeper kiosk knowbe4 licence license licenses manage
    managed management microsoft mimecast mobility monitoring month monthly nce non nonprofit office one onedrive online
    operations patch per phish phone plan planner plus power powerapps premium pro professional project proofpoint protect
    protection purview recover recovery remote resource response room rooms saas safety sales security sentinelone server
    service services shared sharepoint shrdsvr siris skype sophos standalone standard storage student students subscription
    subsvl suite supply system team teams threat threatlocker training trial ultimate unlimited use user users vault veeam
    virtual visio voice web webroot windows workspace workstation yammer year""".split()  # noqa: SIM905 - two hundred quoted words read worse
)
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_TOKEN = re.compile(r"[^\W_](?:[^\W_]|\.)*")  # of any script: a name in Japanese is a name
_COMMITMENT = re.compile(r"\d{1,2}(?:yr|mth|mo|year|month)s?|commit|commitment|month|year|annual")
_COMMITMENT_WORDS = ("annual", "billing", "commit", "monthly", "paid", "upfront")
_GLUED = re.compile(r"[pefag][1-7]|plan[1-5]|\d{1,2}(?:yr|mth)?")  # "CONFERENCING1YR", "1DEVICE"
_SIGNS = (
    (re.compile(r"\bw/o(?![a-z])", re.IGNORECASE), " without "),
    (re.compile(r"\bw/", re.IGNORECASE), " with "),
    (re.compile(r"(?<=\w)\+(?!\w)"), " plus "),
    (re.compile(r"(?<=\d),(?=\d{3})"), ""),
    (re.compile(r"\b(\d+) ?- ?(\d+)\b"), r"\1 to \2"),
)
_ENDED = re.compile(r"(…|\.\.\.)\s*$")


def plain_words(name: str) -> list[str]:
    """The name's words: lower case, unglued, abbreviations written out, a cut last word completed where only one word fits.

    Example:
        >>> plain_words("MS_M365BusinessPremium (w/o Teams)"), plain_words("DO NOT USE - Microsoft Defende")[-1]
        (['microsoft', '365', 'business', 'premium', 'without', 'teams'], 'defender')
    """
    return list(_words(name[:LONGEST], cut_at(name) is not None))


def cut_at(name: str) -> int | None:
    """How many characters a name was cut at, where its end shows it: half a word, an open bracket, or dots.

    What is cut inside the words of a commitment ("1YR COMM") is whole again, and nothing of the product is lost.
    """
    if _ENDED.search(name):
        return len(name.rstrip())
    tokens = _TOKEN.findall(_ascii(name)) if len(name) in CUT_LENGTHS else []
    if not tokens:
        return None
    if _completed_commitment([token.lower() for token in tokens]):
        return None
    last = tokens[-1].lower()
    half = len(last) > 2 and last not in VOCABULARY | ABBREVIATIONS.keys() and any(word.startswith(last) for word in VOCABULARY)
    return len(name) if name.count("(") > name.count(")") or (half and name[-1].isalnum()) else None


@lru_cache(maxsize=1 << 16)
def _words(name: str, cut: bool) -> tuple[str, ...]:  # noqa: FBT001 - part of the cache's key
    text = _ascii(name).replace("_", " ")
    for pattern, said in _SIGNS:
        text = pattern.sub(said, text)
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found += _unglue(token.strip("."))
    whole = _completed_commitment(found)
    if whole:
        found[-1] = whole
    elif cut and found and found[-1] not in VOCABULARY:
        fitting = [word for word in VOCABULARY if word.startswith(found[-1])]
        found[-1] = fitting[0] if len(fitting) == 1 else found[-1]
    words = [part for word in found for part in ABBREVIATIONS.get(word, word).split()]
    return tuple(word for word, before in zip(words, ["", *words], strict=False) if word != before)


def _completed_commitment(words: list[str]) -> str:
    """The word a name's end was cut from, where the words before it already speak of the commitment; empty where they do not."""
    if len(words) < 2 or words[-1] in VOCABULARY or not any(_COMMITMENT.fullmatch(word) for word in words[-4:-1]):
        return ""
    fitting = [word for word in _COMMITMENT_WORDS if len(words[-1]) > 1 and word.startswith(words[-1])]
    return fitting[0] if len(fitting) == 1 else ""


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _unglue(token: str) -> list[str]:
    """Words of one token: known words as they are, "BusinessPremium" and "exchangeonline" apart, an unknown word whole."""
    low = token.lower()
    if low in VOCABULARY or low in ABBREVIATIONS or len(low) < 5:
        return [low]
    parts = _segment(low)
    if parts:
        return parts
    camel = [part.lower() for part in _CAMEL.findall(token)]
    known = [part for part in camel if part in VOCABULARY or (part in ABBREVIATIONS and len(part) > 2)]
    if len(camel) > 1 and known and "".join(camel) == low and not any(len(part) == 1 and part.isalpha() for part in camel):
        return camel
    return [low]


def _segment(low: str) -> list[str]:
    """The fewest known words that spell the token; empty where none do."""
    best: list[list[str] | None] = [[]] + [None] * len(low)
    for end in range(1, len(low) + 1):
        for start in range(max(0, end - 14), end):
            head = best[start]
            if head is not None and _is_part(low[start:end]) and (best[end] is None or len(head) + 1 < len(best[end] or ())):
                best[end] = [*head, low[start:end]]
    return best[len(low)] or []


def _is_part(text: str) -> bool:
    return text in VOCABULARY or (len(text) > 2 and text in ABBREVIATIONS) or _GLUED.fullmatch(text) is not None
