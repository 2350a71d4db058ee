"""One cell of an export as text, exact number, day, cycle or month; what cannot be read says why (T8, T10).

A text cell passes through as it stands: a formula, markup or control character is data here, and is escaped where it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeAlias

from reconlib.connectors.fields import utc_day
from reconlib.connectors.profile import Kind, Profile, plain
from reconlib.errors import DataError
from reconlib.money import SCALE, to_decimal

Cell: TypeAlias = str | int | float | Decimal | bool | date | datetime | time | timedelta | None

_EDGE = " \t\r\n\u00a0\ufeff"
_FIRST_S, _LAST_S = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1990, 2201))
_EXCEL_DIGITS = 10**15  # Excel keeps 15 digits; a longer number has been rounded
_MINUS = "-\u2212"
_LIKE_A_SPACE = " \u00a0\u202f"
_LIKE_A_QUOTE = "'\u2019"
_DAY = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[ T,]+\d{1,2}:\d{2}.*)?")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?")
_MONTH = re.compile(r"(\d{4})[-/]?(0?[1-9]|1[0-2])|(0?[1-9]|1[0-2])/(\d{4})")
_BILLABLE = {
    **dict.fromkeys(("billable", "bill", "yes", "y", "true", "1"), "billable"),
    **dict.fromkeys(("donotbill", "notbillable", "nonbillable", "no", "n", "false", "0"), "do_not_bill"),
    "nocharge": "no_charge",
}


class UnreadableCell(ValueError):  # noqa: N818 - it is a value on its way to a Reject, never shown as an error
    """A cell that cannot be what its column should hold; the text is the reason."""


def read_text(cell: Cell) -> str:
    """The cell as text, without blanks around it; empty when there is nothing.

    Raises:
        UnreadableCell: a number of more digits than Excel keeps.

    Example:
        >>> read_text(" Alder Dental "), read_text(4711.0), read_text(None)
        ('Alder Dental', '4711', '')
    """
    match cell:
        case None:
            return ""
        case str():
            return cell.strip(_EDGE)
        case bool():
            return str(cell).lower()
        case float():
            return _float_text(cell)
        case Decimal():
            return f"{cell:f}"
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def show_cell(cell: Cell) -> str:
    """The cell as text for a header, a message or a note, whatever it is."""
    try:
        return read_text(cell)
    except UnreadableCell:
        return repr(cell)


def _float_text(number: float) -> str:
    if not number.is_integer():
        return repr(number)
    if abs(number) >= _EXCEL_DIGITS:
        raise UnreadableCell("Excel has rounded it to 15 digits; format the column as text and export again")
    return str(int(number))


def read_number(cell: Cell, profile: Profile) -> Decimal:
    """Exact number as the profile's separators write it; parentheses are a minus.

    A spreadsheet's binary number becomes the shortest decimal that names it.

    Raises:
        UnreadableCell: not a number, or more than 6 decimals matter.
    """
    if isinstance(cell, float):
        return _exact(Decimal(repr(cell)))
    if isinstance(cell, bool) or not isinstance(cell, (str, int, Decimal)):
        raise UnreadableCell("is not a number")
    return _exact(Decimal(_digits(cell, profile)) if isinstance(cell, str) else Decimal(cell))


def _exact(number: Decimal) -> Decimal:
    try:
        return to_decimal(number)
    except DataError as error:
        raise UnreadableCell(error.what.split(" ", 1)[-1] + (f"; {error.hint}" if error.hint else "")) from None


def _digits(text: str, profile: Profile) -> str:
    bare = text.strip(_EDGE)
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare[1:-1].strip(_EDGE) if negative else bare
    for sign in ("", *sorted(profile.currency_signs, key=len, reverse=True)):
        if sign and sign in bare:
            bare = bare.removeprefix(sign).removesuffix(sign).strip(_EDGE)
        if bare[:1] in tuple(_MINUS) and not negative:
            negative, bare = True, bare[1:].strip(_EDGE)
    whole, _, part = bare.partition(profile.decimal)
    group = _group(profile.thousands)
    grouped = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d+" if group else r"\d+"
    whole = whole or ("0" if part else "")
    if not re.fullmatch(grouped, whole, re.ASCII) or not re.fullmatch(r"\d*", part, re.ASCII):
        raise UnreadableCell(_number_hint(bare, profile))
    return ("-" if negative else "") + (re.sub(group, "", whole) if group else whole) + (f".{part}" if part else "")


def _group(thousands: str | None) -> str:
    for family in (_LIKE_A_SPACE, _LIKE_A_QUOTE):
        if thousands and thousands in family:
            return f"[{family}]"
    return re.escape(thousands or "")


def _number_hint(bare: str, profile: Profile) -> str:
    said = f"decimal {profile.decimal!r}, thousands {profile.thousands!r}"
    if not any(digit.isdigit() for digit in bare):
        return "is not a number"
    if len(bare) < 40 and (sign := re.match(r"[^\d.,()\s-]+|.*?([^\d.,()\s-]+)$", bare)):
        return f"is not a number with {said}; if {sign[1] or sign[0]!r} is a currency sign, name it under currency_signs"
    return f"is not a number with {said}; say in the profile which sign stands for what"


def read_date(cell: Cell, profile: Profile) -> date:
    """The day: a real date of a spreadsheet, an ISO date, else by the profile's ``date_format``; with an offset, the day in UTC (T8).

    Raises:
        UnreadableCell: no such day, or a bare number.
    """
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if profile.date_format.startswith("epoch"):
        return _epoch(cell, profile.date_format)
    if not isinstance(cell, str):
        raise UnreadableCell("is not a date; format the column as a date")
    text = cell.strip(_EDGE)
    try:
        day = _parse_day(text, profile.date_format)
    except ValueError:
        raise UnreadableCell(f"is not a day written {profile.date_format}; see date_format in the profile") from None
    if day.year < 1900:
        raise UnreadableCell("is no real day; name it under blank_words if it means none")
    return day


def _parse_day(text: str, form: str) -> date:
    if _ISO.fullmatch(text):
        return utc_day(text)
    if "%" in form:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
    parts = _DAY.fullmatch(text)
    if not parts:
        raise ValueError(text)
    at = {letter: int(part) for letter, part in zip(form.split("/"), parts.groups(), strict=True)}
    return date(at["Y"] + 2000 if at["Y"] < 100 else at["Y"], at["M"], at["D"])


def _epoch(cell: Cell, form: str) -> date:
    text = show_cell(cell)
    if not re.fullmatch(r"-?\d{1,15}(\.\d+)?", text, re.ASCII):
        raise UnreadableCell(f"is no {form} moment")
    seconds = int(Decimal(text) / (1000 if form == "epoch_ms" else 1))
    if not _FIRST_S <= seconds < _LAST_S:
        raise UnreadableCell(f"is no {form} moment near today; seconds are epoch, milliseconds epoch_ms")
    return datetime.fromtimestamp(seconds, UTC).date()


def read_period(cell: Cell, profile: Profile) -> str:
    """Billing month of a row: ``2026-10``, ``10/2026``, ``October 2026``, or any day in it.

    Raises:
        UnreadableCell: none of these.
    """
    text = read_text(cell)
    if found := _MONTH.fullmatch(text):
        return f"{found[1] or found[4]}-{int(found[2] or found[3]):02d}"
    for form in ("%B %Y", "%b %Y", "%b-%Y", "%b-%y"):
        try:
            return datetime.strptime(text, form).strftime("%Y-%m")  # noqa: DTZ007 - a month has no zone
        except ValueError:
            continue
    return read_date(cell, profile).strftime("%Y-%m")


def _cycle(cell: Cell, profile: Profile) -> int:
    """Months of a billing-cycle word; 0: it does not recur."""
    word = plain(read_text(cell))
    if word not in profile.cycle_months:
        raise UnreadableCell("is not a billing cycle known here; add it under cycles with its months")
    return profile.cycle_months[word] or 0


def _billable(cell: Cell, _: Profile) -> str:
    word = re.sub(r"[^a-z0-9]", "", read_text(cell).casefold())
    if word not in _BILLABLE:
        raise UnreadableCell("says neither billable, do not bill nor no charge")
    return _BILLABLE[word]


def _currency(cell: Cell, _: Profile) -> str:
    code = read_text(cell).upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise UnreadableCell("is not a currency code such as USD")
    return code


READ: Mapping[Kind, Callable[[Cell, Profile], object]] = {
    "text": lambda cell, _: read_text(cell),
    "number": read_number,
    "date": read_date,
    "cycle": _cycle,
    "billable": _billable,
    "currency": _currency,
    "period": read_period,
}


def is_blank(cell: Cell, profile: Profile) -> bool:
    """Nothing stands there, or a word the profile says means nothing."""
    if cell is None or (isinstance(cell, str) and not cell.strip(_EDGE)):
        return True
    return bool(profile.blanks) and plain(show_cell(cell)) in profile.blanks


def per_month(amount: Decimal | None, months: int) -> Decimal | None:
    """Price a month of a price a cycle, rounded half-up to 6 decimals; unknown where nothing recurs (0 months).

    Example:
        >>> per_month(Decimal("100"), 12)
        Decimal('8.333333')
    """
    if amount is None or not months:
        return None
    return (amount / months).quantize(Decimal(1).scaleb(-SCALE), rounding=ROUND_HALF_UP)
