"""An organisation's or product's name as plain words, its legal form and its numbers apart.

Legal forms come from rigour's list of the world's organisation types. Words are never thrown away: what is common weighs little.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_BREAKS, _HIDDEN = frozenset(("Cc", "Zl", "Zp")), frozenset(("Cf", "Cs", "Co", "Cn"))  # Unicode categories
LONGEST_NAME = 400  # characters compared; nobody tells two clients apart by what comes after
LITTLE_WORDS = frozenset(
    (
        *("a", "an", "and", "at", "by", "da", "de", "del", "der", "des", "di", "do", "dos", "du", "e", "el", "et", "for", "fur", "in"),
        *("la", "las", "le", "les", "los", "of", "on", "the", "to", "und", "van", "von", "y"),
    )
)
_RETIRED_WORD = "(?:old|inactive|closed|test|demo|sandbox|duplicate|obsolete|archived|deleted?)"
_RETIRED = re.compile(  # a mark, not a part of the name: "Old Mill Bakery" is open
    rf"\b(?:do not use|dont use|not in use|no longer)\b|[(\[]\s*{_RETIRED_WORD}\b|[-:]\s*{_RETIRED_WORD}\s*$|^\W*{_RETIRED_WORD}\s*[-:]"
)
_NUMBERS = {
    **{word: str(at) for at, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)},
    **{word: str(at) for at, word in enumerate(("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"), 1)},
}
_NUMERALS = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
# Words of one meaning, by the plainest spelling. Prefixes ("tech", "dent") need no line here: alignment.py sees them.
_SAME_WORD = {
    "corp": "corporation", "co": "company", "cie": "company", "compania": "company", "compagnie": "company",
    "incorporated": "inc", "limited": "ltd", "centre": "center", "ctr": "center", "svc": "services", "svcs": "services",
    "service": "services", "mgmt": "management", "mgt": "management", "assoc": "associates", "assn": "association", "dept": "department",
    "intl": "international", "natl": "national", "mfg": "manufacturing", "bros": "brothers", "ent": "enterprises",
    "govt": "government", "univ": "university", "hosp": "hospital", "acad": "academy", "elem": "elementary", "st": "saint",
    "mt": "mount", "ft": "fort", "hldgs": "holdings", "holding": "holdings", "grp": "group",
    "tech": "technology", "technologies": "technology",
    "labs": "laboratories", "lab": "laboratories", "ins": "insurance", "pharma": "pharmaceuticals", "med": "medical", "ltda": "ltd",
}  # fmt: skip
_SHOWN_LETTERS = 40
_FIRST_FORMS = frozenset(("pt", "as", "oy", "ab", "ao", "ud", "cv"))  # two letters that stand before a name
_EMPTY_FORMS = frozenset(("corporation", "company", "inc", "ltd"))  # say nothing of who it is, wherever they stand
_OTHER_NAME = re.compile(
    r"(?i)\b(?:d/b/a|dba|d\.b\.a\.|t/a|trading as|doing business as|a/k/a|aka|f/k/a|fka|formerly(?: known as)?)(?![\w/])"
)
_ASIAN_FORMS = re.compile("株式会社|有限会社|合同会社|股份有限公司|有限公司|주식회사")
_SPA = re.compile(r"\bS\.? ?[pP]\.? ?A\b")  # a società per azioni; "Juno Spa" is a bath
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$")
_INITIALS = re.compile(r"\b(?:[a-z]\b[. ] ?){2,}")
_CAPITALS = re.compile(r"\b(?:[A-Z]\.?){3,6}(?![\w])|\b[A-Z]&[A-Z]\b")
_WORD = re.compile(r"[a-z0-9]+")
_PLUS = re.compile(r"(?<=\w)\+(?!\w)")  # "A+ Computers", not "Alder + Birch"
_JOINERS = str.maketrans({"'": "", "’": "", "`": "", "´": "", "&": " and ", "+": " and ", "@": " at "})


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart. ``words`` are unique and in order; ``core`` is what equality is judged by: all words but the little ones."""

    words: tuple[str, ...]
    core: str
    forms: frozenset[str]
    numbers: frozenset[str]
    is_retired: bool
    initials: frozenset[str]  # words that may be initials: three to six capitals, or any such word where the case tells nothing
    doubtful: frozenset[str] = frozenset()  # legal forms where few stand: "PT Alder" and "Alder PT" may be a firm's initials
    letters: str = ""  # those of another script than the Latin one: two words of it may sound alike


def read_name(text: object) -> Name:
    """A name taken apart. Anything but text, and text without a letter or digit, is a name without words.

    Example:
        >>> read_name("Müller & Söhne GmbH").words, read_name("Müller & Söhne GmbH").core, sorted(read_name("Acme Pty. Ltd.").forms)
        (('muller', 'and', 'sohne'), 'muller sohne', ['ltd'])
        >>> read_name("Harbor Dental II, L.L.C.").numbers, read_name("DO NOT USE - Harbor").is_retired
        (frozenset({'2'}), True)
    """
    plain = plain_text(text)
    body, forms, doubtful = _split_form(plain, is_spa=not isinstance(text, str) or bool(_SPA.search(text)))
    words = tuple(dict.fromkeys(_SAME_WORD.get(word, word) for word in _WORD.findall(body)))
    if not words:
        words, forms, doubtful = tuple(dict.fromkeys(_WORD.findall(plain))), frozenset(), frozenset()
    told = [word for word in words if word not in LITTLE_WORDS and word not in _EMPTY_FORMS]
    numbers = frozenset(number for at, word in enumerate(words) if (number := number_of(word, first=not at)))
    core, is_retired = " ".join(told or words), bool(_RETIRED.search(plain))
    return Name(words, core, forms, numbers, is_retired, _initials(text, words), doubtful, _other_letters(text))


def _other_letters(text: object) -> str:
    if not isinstance(text, str) or text.isascii():
        return ""
    plain = unicodedata.normalize("NFKC", _ASIAN_FORMS.sub("", text[:LONGEST_NAME])).casefold()
    found = "".join(sign for sign in plain if ord(sign) > 127 and sign.isalpha() and not unicodedata.name(sign, "").startswith("LATIN"))
    return found[:_SHOWN_LETTERS]


def _initials(text: object, words: tuple[str, ...]) -> frozenset[str]:
    shown = text[:LONGEST_NAME] if isinstance(text, str) else ""
    short = frozenset(word for word in words if 3 <= len(word) <= 6 and word.isalpha())
    if shown.isupper() or shown.islower():
        return short
    return short & {found.lower().replace(".", "").replace("&", "") for found in _CAPITALS.findall(shown)}


def other_names(text: object) -> tuple[str, ...]:
    """The names in a name, before and after "doing business as", "formerly" and their abbreviations; nothing where there is one.

    Example:
        >>> other_names("Harbor Holdings LLC d/b/a Blue Mesa Dental"), other_names("Acme Dental")
        (('Harbor Holdings LLC', 'Blue Mesa Dental'), ())
    """
    parts = _OTHER_NAME.split(text[:LONGEST_NAME]) if isinstance(text, str) else []
    return tuple(kept for part in parts if (kept := part.strip(" ,;:()-"))) if len(parts) > 1 else ()


def plain_text(text: object) -> str:
    """Lower-case ASCII of a text, control and formatting characters taken out, initials joined ("I.B.M." is ibm)."""
    from anyascii import anyascii

    if not isinstance(text, str):
        return ""
    kinds = ((sign, unicodedata.category(sign)) for sign in text[:LONGEST_NAME])
    shown = "".join(" " if kind in _BREAKS else sign for sign, kind in kinds if kind not in _HIDDEN)
    plain = anyascii(_ASIAN_FORMS.sub(" ", unicodedata.normalize("NFKC", _PLUS.sub(" plus ", shown)))).lower().translate(_JOINERS)
    return _INITIALS.sub(lambda found: found.group().replace(".", "").replace(" ", "") + " ", plain + " ").strip()


def _split_form(plain: str, *, is_spa: bool) -> tuple[str, frozenset[str], frozenset[str]]:
    """The name without its legal forms, and these by their plainest spelling; those that stand where they may be something else apart.

    Two letters are a form only at the end or the beginning.
    """
    from rigour.names.org_types import extract_org_types

    words = _WORD.findall(plain)
    text = " ".join(words)
    forms, doubtful = set(), set()
    for found, target in extract_org_types(text):
        if (
            found in _NUMERALS
            or (found == "spa" and not is_spa)
            or (len(found) <= 2 and words[-1] != found and not (words[0] == found in _FIRST_FORMS))
        ):
            continue
        padded = f" {text} ".replace(f" {found} ", "  ")
        if padded.strip():
            text = padded.strip()
            forms.add(re.sub(r"[^a-z]", "", target.lower()))
            if words[0] == found or (words[-1] == found and found == "pt"):
                doubtful.add(found)
    return text, frozenset(forms), frozenset(doubtful)


def number_of(word: str, *, first: bool = False) -> str:
    """The number a word is, as figures; empty where it is none. A first word is no Roman numeral.

    Example:
        >>> number_of("2nd"), number_of("two"), number_of("ii"), number_of("007"), number_of("acme")
        ('2', '2', '2', '7', '')
    """
    if word.isdigit():
        return word.lstrip("0") or "0"
    if found := _ORDINAL.match(word):
        return found.group(1)
    return _NUMBERS.get(word, "" if first else _NUMERALS.get(word, ""))
