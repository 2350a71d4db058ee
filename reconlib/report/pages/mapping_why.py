"""Why a suggestion was made, in words an analyst can check: the evidence, the words, and what speaks against it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from reconlib.report.cells import format_value, is_missing

Row = Mapping[str, Any]
KINDS = {
    "id": "an id",
    "alias": "a known other name",
    "domain": "domain",
    "phone": "phone",
    "address": "address",
    "name": "names",
    "conflict": "conflicts",
    "context": "context",
}


def say_why(row: Row) -> str:
    """One line for the queue: the reason, how many words of each side are explained, what is left over, and what conflicts.

    Example:
        >>> say_why({"reason": "domain acme.com", "our_explained": "acme", "our_unexplained": "dental", "vendor_explained": "acme"})
        'domain acme.com; words 1 of 2 of ours (not: dental), 1 of 1 of theirs'
    """
    parts = [str(row.get("reason") or "").strip(), say_words(row)]
    if not is_missing(row.get("conflicts")) and row["conflicts"] not in parts[0]:
        parts.append(f"against it: {row['conflicts']}")
    return "; ".join(part for part in parts if part)


def say_words(row: Row) -> str:
    """How much of both names is explained by the other, with the words that are not; empty where names were not compared.

    Example:
        >>> say_words({"our_explained": "acme", "our_unexplained": "dental", "vendor_explained": "acme"})
        'words 1 of 2 of ours (not: dental), 1 of 1 of theirs'
    """
    sides, common = [], False
    for side, whose in (("our", "ours"), ("vendor", "theirs")):
        explained, left = (_words(row.get(f"{side}_{name}")) for name in ("explained", "unexplained"))
        if explained or left:
            rest = f" (not: {' '.join(left)})" if left else ""
            common = common or bool(explained)
            sides.append(f"{len(explained)} of {len(explained) + len(left)} of {whose}{rest}")
    return "" if not sides else f"words {', '.join(sides)}" if common else "no word in common"


def say_points(row: Row) -> str:
    """Points for and against by kind of evidence, strongest first; kinds that say nothing are left out.

    Example:
        >>> say_points({"points_domain": Decimal("4.10"), "points_name": Decimal("-0.50"), "points_id": Decimal(0)})
        'domain +4.1, names −0.5'
    """
    found = [(row.get(f"points_{kind}"), word) for kind, word in KINDS.items()]
    known = [(points, word) for points, word in found if points is not None and not is_missing(points) and points]
    known.sort(key=lambda pair: -abs(pair[0]))
    return ", ".join(f"{word} {_signed(points)}" for points, word in known)


def say_runner_up(row: Row) -> str:
    """The next best one with its probability.

    Example:
        >>> say_runner_up({"runner_up_name": "Acme Capital", "runner_up_probability": Decimal("0.1100")})
        'Acme Capital 0.11'
    """
    if is_missing(row.get("runner_up_name")) or not row.get("runner_up_name"):
        return ""
    return f"{row['runner_up_name']} {say_probability(row.get('runner_up_probability'))}".strip()


def floor_probability(value: Decimal | None) -> Decimal | None:
    """Two decimals, rounded down: what stands as .98 is at least that."""
    return None if value is None or is_missing(value) else value.quantize(Decimal("0.01"), ROUND_FLOOR)


def say_probability(value: Decimal | None) -> str:
    """A probability as a table shows it, rounded down; empty where there is none.

    Example:
        >>> [say_probability(Decimal(p)) for p in ("0.9799", "0.9999", "1", "0.004")], say_probability(None)
        (['0.97', '0.99', '1', '<0.01'], '')
    """
    if value is None or is_missing(value):
        return ""
    if 0 < value < Decimal("0.01"):
        return "<0.01"
    return str(int(value)) if value in (0, 1) else str(floor_probability(value))


def say_proposals(row: Row, names: Mapping[str, str]) -> str:
    """Up to three candidates with their probability, best first."""
    text = row.get("proposals")
    found = json.loads(text, parse_float=Decimal) if text and not is_missing(text) else {}
    return ", ".join(f"{names.get(key, key)} {say_probability(Decimal(str(p)))}" for key, p in found.items())


def say_stake(row: Row) -> tuple[str, str]:
    """What hangs on a row a month: money with its currency, and units.

    Example:
        >>> say_stake({"monthly_cost": None, "units_qty": Decimal(38)})
        ('no amount', '38 units')
    """
    cost, code = row.get("monthly_cost"), str(row.get("currency") or "")
    money = "no amount" if is_missing(cost) else f"{format_value('monthly_cost', cost, currency=code or None).text} {code}".strip()
    units = format_value("units_qty", row.get("units_qty")).text
    return money, f"{units} {'unit' if units == '1' else 'units'}"


def _words(text: object) -> list[str]:
    return [] if is_missing(text) else str(text or "").split()


def _signed(points: Decimal) -> str:
    return f"{'+' if points > 0 else '−'}{abs(points):.1f}"
