"""Services billed in ways of their own: a price in steps, a fee with units above it, blocks, a month late, a yearly rise, a commitment.

Each is sold to a few clients, some of them among the first eight, so that every rule of the demo book catches something in a small world.
The numbers here are what ``params/rules/default.yaml`` says in its own words; labels are worked out from these, never by a stage.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

# service, client's index, units, pattern, size of the plant
SOLD: tuple[tuple[str, int, int, str, int], ...] = (
    ("ENTRA-P1", 0, 12, "clean", 0),
    ("ENTRA-P1", 4, 14, "unused", 3),  # committed until the term ends: due as bought, assigned or not (T86)
    ("ENTRA-P1", 24, 10, "uncommitted", 3),  # bought by the month: due as used
    ("ENTRA-P1", 27, 9, "clean", 0),
    ("ESIGN", 1, 23, "cycle", 4),  # over a step of the price
    ("ESIGN", 2, 12, "clean", 0),
    ("ESIGN", 25, 41, "cycle", 3),
    ("SMS", 0, 180, "cycle", 80),  # inside the fee, and above it
    ("SMS", 3, 150, "short", 20),  # both inside the fee: units differ, money does not
    ("SMS", 26, 410, "clean", 0),
    ("VAULT", 2, 340, "clean", 0),  # billed as four blocks
    ("VAULT", 6, 500, "clean", 0),  # exactly five
    ("VAULT", 28, 720, "short", 100),
    ("STORE", 3, 1240, "near", 40),  # inside the tolerance
    ("STORE", 7, 2000, "near", -60),
    ("STORE", 29, 1000, "cycle", 120),  # outside: the whole difference counts
    ("WEBFILT", 1, 22, "late", 0),  # the count moves, the lines follow a month later
    ("WEBFILT", 4, 15, "late", 0),
    ("WEBFILT", 30, 18, "short", 2),
    ("PWM", 0, 15, "clean", 0),
    ("PWM", 2, 9, "clean", 0),
    ("PWM", 6, 20, "clean", 0),
    ("PWM", 26, 12, "unraised", 0),  # its price never followed the rise
    ("PWM", 31, 8, "clean", 0),
)
CODES = tuple(dict.fromkeys(row[0] for row in SOLD))
ARREARS = ("WEBFILT",)  # this month's lines bill the month before (T110)
BLOCK = {"VAULT": 100}  # sold in steps of so many units (T47)
ESIGN_STEPS = ((10, Decimal("9.00")), (25, Decimal("8.00")), (None, Decimal("7.00")))  # up to so many units, a unit (T42)
SMS_FEE, SMS_INSIDE, SMS_ABOVE = Decimal("18.00"), 200, Decimal("0.05")  # a month, units in it, a unit above (T41)
RISE_FROM, RISE_SINCE, RISE_PERCENT = Decimal("4.00"), date(2025, 1, 1), 5  # of PWM (T120)


def sold_to(index: int) -> list[tuple[str, int, str, int]]:
    """What one client has of these: service, units, pattern, size of the plant."""
    return [(code, base, pattern, step) for code, client, base, pattern, step in SOLD if client == index]


def due(code: str, units: int) -> int:
    """Units that are billed for so many counted ones."""
    block = BLOCK.get(code, 1)
    return -(-units // block) * block


def amount(code: str, units: int) -> Decimal | None:
    """What so many units cost the client a month; None where it is units × the line's price."""
    if code == "SMS":
        return SMS_FEE + SMS_ABOVE * max(0, units - SMS_INSIDE)
    if code != "ESIGN":
        return None
    total, below = Decimal(0), 0
    for up_to, price in ESIGN_STEPS:
        inside = max(0, (units if up_to is None else min(units, up_to)) - below)
        total, below = total + inside * price, up_to or below
    return total


def raised_price(month: int) -> Decimal:
    """A unit of the password manager in that month, as its contract allows: every January a little more."""
    years = month // 12 - RISE_SINCE.year
    return (RISE_FROM * (1 + Decimal(RISE_PERCENT) / 100) ** years).quantize(Decimal("0.01"), ROUND_HALF_UP)
