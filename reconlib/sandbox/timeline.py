"""What every slot holds in one month: units at the vendors, units on the agreement, units that should be billed.

Stateless: the month's number alone decides, so any month can be made without the ones before it, and two neighbours fit together.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconlib.period import Period
from reconlib.sandbox import unlike
from reconlib.sandbox.planting import Slot

_DRIFT = (0, 0, 0, 1, 1, 2, 2, 2, 3, 2, 1, 1)  # a year of joiners and leavers


@dataclass(frozen=True, slots=True)
class Fact:
    """One slot in one month."""

    slot: Slot
    units: int  # billable count at the vendor (used or purchased, by service), before exclusions
    expected: int  # units that should be billed
    billed: int  # units the client pays; 0 without a line
    has_line: bool
    used: int  # units in use, where the service has such a count
    purchased: int  # units bought, where the service is bought


def month_number(period: Period) -> int:
    """Months since year 0: the clock of every pattern."""
    return period.year * 12 + period.month - 1


def phase_of(slot: Slot, month: int) -> int:
    """Where a repeating pattern stands: 0 is the month the discrepancy shows first."""
    length = {"appears": 4, "cycle": 4, "wrong": 4, "surge": 4, "silent": 4, "seasonal": 2}.get(slot.pattern, 1)
    return (month + slot.offset) % length


def units_of(slot: Slot, month: int) -> int:
    """Billable units at the vendor on the last day of the month."""
    phase = phase_of(slot, month)
    if slot.moves:
        return slot.base + _DRIFT[(month + slot.offset) % 12]
    if slot.pattern == "cycle":
        return slot.base + (slot.step if phase in (0, 1) else 0)
    if slot.pattern == "wrong":
        return slot.base + (slot.step if phase < 3 else 0)
    if slot.pattern == "appears":
        return slot.base if phase in (0, 1) else 0
    if slot.pattern == "seasonal":
        return slot.base + slot.step * phase
    if slot.pattern == "surge":
        return slot.base + (max(8, slot.base) if phase == 0 else 0)
    if slot.pattern == "silent":
        return slot.base if phase else 0
    return 0 if slot.pattern == "orphan" else slot.base


def fact_of(slot: Slot, month: int) -> Fact:
    """The slot in that month."""
    units = units_of(slot, month)
    used = {"unused": units - slot.step, "uncommitted": units - slot.step, "shadow": units + slot.step}.get(slot.pattern, units)
    counted = units_of(slot, month - 1) if slot.code in unlike.ARREARS else used if slot.pattern == "uncommitted" else units
    expected = 0 if slot.pattern == "not_resold" else unlike.due(slot.code, counted) - slot.included
    if slot.pattern == "exempt":
        expected = units - slot.step
    if slot.pattern == "floor":
        expected = max(units, slot.step)
    billed = _billed(slot, phase_of(slot, month), expected)
    return Fact(slot, units, expected, billed or 0, billed is not None, used, 0 if slot.pattern == "not_resold" else units)


def _billed(slot: Slot, phase: int, expected: int) -> int | None:
    """Units on the agreement; None: no line in scope."""
    base, step = slot.base, slot.step
    if slot.pattern == "cycle":
        return (base, base + step, base + step, base)[phase]
    if slot.pattern == "wrong":
        return (base, base + step - 1, base + step, base)[phase]
    if slot.pattern == "appears":
        return (None, base, base, None)[phase]
    if slot.pattern in ("unbilled", "not_resold"):
        return None
    if slot.pattern == "silent":
        return base
    shift = {"short": -step, "near": -step, "over": step, "uncommitted": step, "ignored": step, "orphan": base}.get(slot.pattern, 0)
    return expected + shift
