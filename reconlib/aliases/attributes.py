"""What a product's name says beside the product, taken out of it: term, billing plan, segment, add-on, plan number, size, unit.

"Business Premium" and "Business Premium (Nonprofit)" are two products at two prices, and to any measure of strings nearly one. So a
qualifier is never thrown away: it is taken out of the name into an attribute, and attributes are compared (``reconlib.aliases.conflicts``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from reconlib.aliases.words import cut_at, plain_words

EDITIONS = frozenset(
    """advanced basic bronze business complete control core datacenter diamond elite enterprise essentials express foundation free gold
    growth kiosk lite platinum plus premier premium pro professional server silver standard starter ultimate unlimited
    workstation""".split()  # noqa: SIM905 - forty quoted words read worse
)
_SAME = {"professional": "pro", "essential": "essentials"}
_IMPLIED = {  # a segment that says another one with it
    "gcc": ("government",),
    "gcc high": ("government", "gcc"),
    "dod": ("government", "gcc"),
    "faculty": ("education",),
    "student": ("education",),
    "student use benefit": ("education", "student"),
    "donation": ("nonprofit",),
}
_LESS = "audio conferencing|pstn conferencing|calling plan|phone system|project client|microsoft 365 apps|power bi|windows"
_YEAR = "yrs?|years?|y"
_MONTH = "mos?|mths?|months?"
_PAY = "billed|billing|bill|paid|pay|payments?|invoiced|invoicing|charged"
_KEPT = "(?! (?:[a-z]+ ){0,2}(?:retention|archiv|audit|history|warranty))"  # "1 year retention" is what is sold, not how long
_PATTERNS = {
    "keep": r"windows (?:server \d{4}|10 11|10|11|365)|(?:microsoft|office|dynamics) 365|prepaid legacy",
    "size_retention": rf"(?:infinite|unlimited|time based|\d+ ?(?:{_YEAR}|{_MONTH})) (?:[a-z]+ )?retention",
    "term_code": r"p\d{1,2}[my]",
    "term": rf"\d{{1,2}} ?(?:{_YEAR}|{_MONTH})\b(?: (?:commitment|commit|term|contract))?{_KEPT}",
    "term_word": r"(?:annual|ann|annually|yearly|monthly|mthly|mth|triennial|one year|three year) (?:commitment|commit|term|contract)"
    r"|month to month|m2m|mtm|triennial|one year|three years?",
    "billing_after": rf"(?:{_PAY}) (?:monthly|mthly|annually|annual|yearly|upfront|up front|in full)",
    "billing": rf"(?:monthly|mthly|mth|annually|annual|yearly|upfront|up front) (?:{_PAY})|upfront|up front|pre ?paid|prepay",
    "bare": r"annual|annually|yearly|ann|monthly|mthly|mth",
    "less": rf"(?:no|without|excl|excluding|minus|less) (?:{_LESS}|teams)|no ?teams|without [a-z]+",
    "donation": r"(?:non profit |nonprofit )?donation(?: non ?profit)?(?: pricing)?",
    "nonprofit": r"(?:for )?(?:non ?profits?|not for profit|nfp|npo|np|chty|charit(?:y|ies|able)|ngo)(?: staff)?(?: pricing)?",
    "student_use_benefit": r"(?:for )?(?:students? )?use benefit|stuusebnft",
    "faculty": r"(?:for )?(?:faculty|fac)",
    "student": r"(?:for )?students?",
    "alumni": r"(?:for )?alumni",
    "education": r"(?:for )?(?:edu|education|academic|acad)",
    "gcc_high": r"(?:for )?(?:us ?gov )?gcc ?h(?:igh)?",
    "dod": r"(?:for )?(?:us ?gov )?dod",
    "gcc": r"(?:for )?(?:us ?gov )?gcc",
    "government": r"(?:for )?(?:us ?gov(?:ernment)?|gov|govt|government|public sector)",
    "china": r"cn cn|21vianet",
    "eea": r"eea",
    "trial": r"(?:free |viral |v)?trials?|viral|evaluation|eval|poc",
    "free": r"(?<!toll )free",
    "preview": r"preview|beta",
    "not_for_resale": r"nfr|not for resale|internal use(?: rights)?|iur",
    "department": r"(?:for )?(?:departments?|dept)",
    "introductory_pricing": r"introductory(?: pricing)?",
    "hardware_only": r"hardware only",
    "qualified_offer": r"qualified offer|qlfd(?: offer)?",
    "attach": r"attach(?: to qualifying)?(?: dynamics 365)?(?: base offer)?(?: a)?",
    "step_up": r"step ?up",
    "add_on": r"add ?ons?|add ?ins?|addl|additional",
    "tier": r"(?:tier ?|t)\d",
    "plan": r"(?:plan |pln )?(?:[pefagk]|em)\d|(?:plan|pln) ?(?:\d(?! app)|i{1,3})",
    "size": r"\d+(?:\.\d+)? ?(?:gb|tb|mb|vcpus?|minutes?|mins?)",
    "unit": r"per (?:user|device|app|flow|process|minute|server|tenant|seat|endpoint|mailbox|site|vm|workload|socket|host|room|agent|core"
    r"|gb|tb)s?"
    r"(?: (?:per )?month)?",
    "quantity": r"\d+ to \d+(?: [a-z]*(?:users?|seats?|devices?|endpoints?))?"
    r"|(?!365 )(?:min(?:imum)? )?\d+\+? ?(?:users?|seats?|devices?|endpoints?|units?|packs?|pk|mailboxes|sites?)(?: min)?",
    "noise": r"do not use|nce|csp|aoam|new commerce(?: experience)?|com|commercial|corporate|licen[cs]es?|lics?|subscriptions?|subscr|sub"
    r"|shrdsvr|sngl|subsvl|alng|mvl|olp|olv|per month|commitment|commit|each",
}
_SEGMENTS = frozenset(
    """nonprofit donation student_use_benefit faculty student alumni education gcc_high dod gcc government china eea trial free preview
    not_for_resale department introductory_pricing hardware_only qualified_offer""".split()  # noqa: SIM905 - twenty quoted words read worse
)
_SCAN = re.compile(r"\b(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()) + r")\b")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_NUMBER = re.compile(r"\b\d+[a-z]?\b")
_NAMES_WITH_NUMBERS = re.compile(r"(?:microsoft|office|dynamics|windows) 365|windows 10 11|windows 1[01]")


@dataclass(frozen=True, slots=True)
class Attributes:
    """A name taken apart. Every word of it is in exactly one field; ``editions`` and ``numbers`` repeat words of ``core``."""

    core: str  # words that name the product itself
    term: str | None = None  # P1M, P1Y, P3Y: how long it is committed; None: not said
    billing_plan: str | None = None  # monthly, annual, upfront: how it is paid; None: not said
    segments: tuple[str, ...] = ()  # who may buy it, sorted: nonprofit, faculty, gcc high, trial, eea …
    add_on: str | None = None  # add-on, attach, step-up; None: stands by itself
    plan: str | None = None  # P1, E5, F3, T2; several in the order they stand
    without: tuple[str, ...] = ()  # what was left out of it: teams, audio conferencing
    sizes: tuple[str, ...] = ()  # 2 vcpu, 128 gb, 120 minutes, 1 year retention
    unit: str | None = None  # user, device, app: what one licence is for
    quantity: str | None = None  # band or pack: 25 49 users, 500 seats min
    editions: frozenset[str] = frozenset()  # basic, standard, premium, pro …
    numbers: frozenset[str] = frozenset()  # models and years inside the core: 60f, 2022
    noise: tuple[str, ...] = ()  # words sellers add that change nothing: nce, csp, licence, do not use
    cut_at: int | None = None  # characters the name was cut at; what stood behind is not known


@lru_cache(maxsize=1 << 16)
def split_attributes(name: str) -> Attributes:
    """A product's name as the product and what is said about it.

    Example:
        >>> said = split_attributes("NCE M365 Business Premium (Non-Profit) 1YR COMMIT - Monthly")
        >>> said.core, said.term, said.billing_plan, said.segments, said.noise
        ('microsoft 365 business premium', 'P1Y', 'monthly', ('nonprofit',), ('nce',))
    """
    text = " ".join(word for word in plain_words(name) if word not in ("and", "the"))
    found: dict[str, list[str]] = {}

    def take(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if kind == "keep":
            return match[0]
        found.setdefault(kind, []).append(match[0])
        return ""

    core = " ".join(_SCAN.sub(take, text).split())
    core = re.sub(r"^(?:for|with) | (?:for|with|per)$", "", core)
    core = re.sub(r"\b([a-z]+)(?: \1\b)+", r"\1", core)
    term, billing_plan = _commitment(found)
    editions = {_SAME.get(word, word) for word in core.split()} & EDITIONS
    return Attributes(
        core=core or text,
        term=term,
        billing_plan=billing_plan,
        segments=_segments(found),
        add_on=_joined(kind.replace("_", "-") for kind in ("attach", "step_up", "add_on") if kind in found),
        plan=_plans(found),
        without=tuple(sorted({re.sub(r"^(?:no|without|excl|excluding|minus|less) ?", "", text) for text in found.get("less", ())})),
        sizes=tuple(_size(text) for kind in ("size", "size_retention") for text in found.get(kind, ())),
        unit=_joined(text.split()[1].rstrip("s") for text in found.get("unit", ())),
        quantity=_joined(re.sub(r"\bp(?:k|acks)\b", "pack", text) for text in found.get("quantity", ())),
        editions=frozenset(editions),
        numbers=frozenset(_NUMBER.findall(_NAMES_WITH_NUMBERS.sub("", core))),
        noise=tuple(found.get("noise", ())),
        cut_at=cut_at(name),
    )


def _commitment(found: dict[str, list[str]]) -> tuple[str | None, str | None]:
    """Term and billing plan. A bare "annual" or "monthly" is the term, unless the term is said: then it is how it is paid."""
    terms = [text.upper() for text in found.get("term_code", ())]
    terms += [_term(text) for kind in ("term", "term_word") for text in found.get(kind, ())]
    paid = [_paid(text) for kind in ("billing_after", "billing") for text in found.get(kind, ())]
    bare = [_paid(text) for text in found.get("bare", ())]
    if not terms and bare:
        terms = ["P1Y" if "annual" in bare else "P1M"]
        bare = [text for text in bare if terms == ["P1Y"] and text != "annual"]
    return _joined(terms), _joined(paid + bare)


def _joined(texts: Iterable[str]) -> str | None:
    """What is said, each once, in the order it stands; None where nothing is."""
    return " + ".join(dict.fromkeys(texts)) or None


def _term(text: str) -> str:
    digits = _DIGITS.match(text)
    if digits is None:
        return "P1M" if text.startswith(("month", "mth", "m2m", "mtm")) else "P3Y" if text.startswith(("tri", "three")) else "P1Y"
    number, is_months = int(digits[0]), text[digits.end() :].lstrip().startswith("m")
    if is_months and number % 12 == 0:
        return f"P{number // 12}Y"
    return f"P{number}{'M' if is_months else 'Y'}"


def _paid(text: str) -> str:
    if re.search(r"up ?front|pre ?pa|in full", text):
        return "upfront"
    return "monthly" if re.search(r"\bmo?n?th", text) else "annual"


def _segments(found: dict[str, list[str]]) -> tuple[str, ...]:
    said = {kind.replace("_", " ") for kind in found.keys() & _SEGMENTS}
    return tuple(sorted(said - {implied for segment in said for implied in _IMPLIED.get(segment, ())}))


def _plans(found: dict[str, list[str]]) -> str | None:
    plans = [re.sub(r"^(?:plan|pln) ?", "", text) for text in found.get("plan", ())] + found.get("tier", [])
    said = [f"P{text}" if text.isdigit() else f"P{len(text)}" if set(text) == {"i"} else text for text in plans]
    return " ".join(dict.fromkeys(text.upper().replace("TIER", "T").replace(" ", "") for text in said)) or None


def _size(text: str) -> str:
    number = _DIGITS.match(text)
    unit = text[number.end() :].strip() if number else text
    unit = re.sub(r"^mins?$|^minutes?$", "minutes", re.sub(r"^(?:yrs?|years?|y) ", "year ", unit)).replace("vcpus", "vcpu")
    return f"{number[0]} {unit}" if number else unit
