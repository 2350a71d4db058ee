"""Phone numbers and postal addresses, brought to what can be compared; less than an id or a domain, more than a name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconlib.matching.names import LONGEST_NAME, plain_text

_KINDS_OF_STREET = """st street str strasse ave av avenue rd road blvd boulevard dr drive ct court ln lane pl place pkwy parkway ter
terrace hwy highway sq square suite ste unit floor fl apt room rm bldg no saint"""
_STREET_WORDS = dict.fromkeys(_KINDS_OF_STREET.split(), "") | {"n": "north", "s": "south", "e": "east", "w": "west"}
_DIRECTIONS = frozenset(("north", "south", "east", "west"))
_COUNTED_UP = "01234567890123456789"  # what is typed where a number has to stand
NEAR_HOUSES = 20
SAME_HOUSE = 0.7  # sameness from which two addresses have a house number and most words in common
_HOUSE = re.compile(r"\D{0,20}?\b(\d{1,6})[a-z]?(?: ?- ?(\d{1,6})[a-z]?)?\b(?!(?:st|nd|rd|th)\b)")
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$")
_POSTCODE = re.compile(r"\b(\d{5})(?:-\d{4})?\b|\b([a-z]\d[a-z]) ?(\d[a-z]\d)\b|\b([a-z]{1,2}\d[a-z\d]?) ?(\d[a-z]{2})\b")


@dataclass(frozen=True, slots=True)
class Address:
    """House number and the words of the street; what kind of street it is says little and is left out."""

    house: range | None  # numbers; "516-18" is several
    street: frozenset[str]
    first: str  # the first of these words that is no direction: the street, not the town
    postcode: str


def read_phone(text: object) -> str:
    """The digits of a phone number, with its plus where it has one; empty where they are fewer than seven, all the same, or 1234567.

    Example:
        >>> read_phone("+1 (312) 555-0142"), read_phone("5550142 ext. 7"), read_phone("n/a"), read_phone("123-456-7890")
        ('+13125550142', '5550142', '', '')
    """
    shown = text.strip()[:LONGEST_NAME] if isinstance(text, str) else ""
    digits = re.sub(r"\D", "", re.split(r"(?i)\s*(?:x|ext)\.?\s*\d+$", shown)[0])
    if len(digits) < 7 or len(set(digits)) == 1 or digits in _COUNTED_UP:
        return ""
    return f"+{digits}" if shown.startswith("+") else digits


def same_phone(left: str, right: str) -> bool:
    """Whether two numbers are one; a number without its country or area is compared by the digits it has, ten at most.

    Example:
        >>> same_phone("+13125550142", "5550142"), same_phone("3125550142", "7735550142"), same_phone("+442079460123", "+12079460123")
        (True, False, False)
    """
    if not left or not right:
        return False
    if left[0] == right[0] == "+":
        return left == right
    digits = min(10, *(len(side.lstrip("+")) for side in (left, right)))
    return left[-digits:] == right[-digits:]


def read_address(text: object) -> Address | None:
    """House, street and postcode of an address in one line; none without a street.

    Example:
        >>> read_address("2010 N. Central Park Ave, 60647") == read_address("2010 North Central Park, 60647")
        True
    """
    plain = plain_text(text).replace(".", " ")
    found = [match for match in _POSTCODE.finditer(plain) if match.start() > 0]
    postcode = "".join(part for part in found[-1].groups() if part) if found else ""
    body = plain[: found[-1].start()] + plain[found[-1].end() :] if found else plain
    number = _HOUSE.match(body)
    words = re.findall(r"[a-z0-9]+", body[number.end() :] if number else body)
    street = [kept for word in words if (kept := _STREET_WORDS.get(word, _ORDINAL.sub(r"\1", word)))]
    first = next((word for word in street if word not in _DIRECTIONS), "")
    return Address(_houses(number), frozenset(street), first, postcode) if street else None


def _houses(found: re.Match[str] | None) -> range | None:
    """The numbers of "1710-1718" and "516-18"."""
    if not found:
        return None
    first, last = found.group(1), found.group(2) or ""
    end = int(first[: -len(last)] + last) if last and len(last) <= len(first) else int(first)
    return range(int(first), max(int(first), end) + 1)


def compare_addresses(left: Address | None, right: Address | None) -> tuple[float, float]:
    """(sameness, difference) of two addresses, each 0..1; both 0 where one is not known.

    The same house in the same street is 1; a house near by in it is half of that; another street, or another postcode, is a difference.

    Example:
        >>> home = read_address("1400 W. Augusta Blvd.")
        >>> compare_addresses(home, read_address("1400 W AUGUSTA")), compare_addresses(home, read_address("25 W. 47th St."))
        ((1.0, 0.0), (0.0, 1.0))
    """
    if left is None or right is None:
        return 0.0, 0.0
    if left.postcode and right.postcode and left.postcode != right.postcode:
        return 0.0, 1.0
    names_left, names_right = (side.street - _DIRECTIONS or side.street for side in (left, right))
    shared = len(names_left & names_right) / min(len(names_left), len(names_right))
    if shared < 0.5:
        return 0.0, 1.0
    if not left.house or not right.house:
        return 0.1, 0.0
    apart = max(left.house.start - right.house.stop, right.house.start - left.house.stop) + 1
    if apart <= 0:
        return (1.0 if shared == 1 else 0.7), 0.0
    return (0.5, 0.0) if apart <= NEAR_HOUSES else (0.1, 0.6)


def same_house(left: Address | None, right: Address | None) -> bool:
    """Whether two addresses are one house: its number and its street, and not only its number and its town.

    Example:
        >>> home = read_address("100 N Oak St, Springfield")
        >>> same_house(home, read_address("100 Oak, Springfield")), same_house(home, read_address("100 Elm St, Springfield"))
        (True, False)
        >>> same_house(home, read_address("100 S Oak St, Springfield"))
        False
    """
    if left is None or right is None or compare_addresses(left, right)[0] < SAME_HOUSE:
        return False
    sides = left.street & _DIRECTIONS, right.street & _DIRECTIONS
    is_across = bool(sides[0] and sides[1] and sides[0].isdisjoint(sides[1]))
    return left.first in right.street and right.first in left.street and not is_across
