"""A first scorer of names: words and characters in common, legal forms set aside, a shared domain as evidence (FIELD.md T21, T24).

A score ranks suggestions for a person; it never decides. ``WRatio`` is not used: above 90 it is right about half the time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

LEGAL_FORMS = frozenset(
    """ab ag as bv co company corp corporation gmbh group holding holdings inc incorporated kg limited llc llp lp ltd nv oy plc pllc
    pty sa sarl sl spa srl the""".split()  # noqa: SIM905 - a list of thirty quoted words reads worse
)
PUBLIC_DOMAINS = frozenset(("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "aol.com", "onmicrosoft.com"))
_WORD = re.compile(r"[a-z0-9]+")
SHOWN_SCORE = 0.35  # below this a pair is not worth showing


@dataclass(frozen=True, slots=True)
class Candidate:
    """One side of a pair: its id, name, and what else may speak for it."""

    id: str
    name: str
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The best candidate for one name, why, and the runner-up. ``score`` is 0..1, two decimals."""

    id: str
    name: str
    score: Decimal
    reason: str
    runner_up: Candidate | None = None
    runner_up_score: Decimal | None = None


def normalize_name(name: str) -> str:
    """Name in plain lower-case words, legal forms removed unless nothing else is left.

    Example:
        >>> normalize_name("Müller & Söhne GmbH"), normalize_name("The Company")
        ('muller sohne', 'the company')
    """
    from anyascii import anyascii

    words = _WORD.findall(anyascii(name[:400]).lower().replace("'", ""))
    kept = [word for word in words if word not in LEGAL_FORMS]
    return " ".join(kept or words)


def domain_label(domain: str | None) -> str:
    """The part of a domain that names its owner; empty for public mail domains.

    Example:
        >>> domain_label("www.acmedental.com"), domain_label("acmedental.onmicrosoft.com"), domain_label("gmail.com")
        ('acmedental', 'acmedental', '')
    """
    if not domain or domain.lower() in PUBLIC_DOMAINS:
        return ""
    parts = [part for part in domain.lower().split(".") if part != "www"]
    return parts[0] if parts else ""


def suggest_best(item: Candidate, candidates: Sequence[Candidate], *, rejected: frozenset[str] = frozenset()) -> Suggestion | None:
    """The best candidate for one vendor name, or none worth showing. Pairs a person rejected never come back.

    Ties go to the smaller id, so that the order of candidates does not matter.

    Example:
        >>> found = suggest_best(Candidate("t1", "Acme Dental LLC"), [Candidate("9", "ACME Dental"), Candidate("8", "Acme Capital")])
        >>> found.id, found.reason
        ('9', 'words in common: acme dental')
    """
    ranked = sorted(
        ((_score(item, other), other) for other in candidates if other.id not in rejected), key=lambda pair: (-pair[0], pair[1].id)
    )
    if not ranked or ranked[0][0] < SHOWN_SCORE:
        return None
    (score, best), second = ranked[0], ranked[1] if len(ranked) > 1 else None
    return Suggestion(
        best.id,
        best.name,
        _two(score),
        _reason(item, best),
        second[1] if second else None,
        _two(second[0]) if second else None,
    )


def _score(left: Candidate, right: Candidate) -> float:
    from rapidfuzz import fuzz

    a, b = normalize_name(left.name), normalize_name(right.name)
    names = 0.6 * fuzz.token_sort_ratio(a, b) / 100 + 0.4 * fuzz.ratio(a.replace(" ", ""), b.replace(" ", "")) / 100
    label = domain_label(left.domain)
    if label and label == domain_label(right.domain):
        return max(names, 0.9)
    if label and label == b.replace(" ", ""):
        return max(names, 0.85)
    return names


def _reason(left: Candidate, right: Candidate) -> str:
    label = domain_label(left.domain)
    if label and label == domain_label(right.domain):
        return f"domain {label}"
    words = [word for word in normalize_name(left.name).split() if word in normalize_name(right.name).split()]
    if label and label == normalize_name(right.name).replace(" ", ""):
        return f"domain {label} spells the name"
    return f"words in common: {' '.join(words)}" if words else "similar letters"


def _two(score: float) -> Decimal:
    return Decimal(round(score * 100)) / 100
