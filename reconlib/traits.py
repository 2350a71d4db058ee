"""What rules can tell apart about usage records, as SQL views: which conditions a record passes, whether it is stale or later.

Rules become views through sqlglot's expression builder: values are quoted literals, columns are checked names, and no text of a rule
is ever pasted into SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlglot import exp

from reconlib.errors import SettingsError, nearest

FEW = ("unit_class", "unit_state")  # columns with few values: grouped by as they are
COLUMNS = ("unit_name", "unit_key", *FEW)  # of usage_records, what a rule may name beside the vendors' own fields
_BIG, _SMALL, _TEXT, _DATE = (exp.DataType.build(kind) for kind in ("bigint", "smallint", "text", "date"))
_PLACE = ("source", "vendor_account_id", "vendor_product_id")


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``where`` and ``unless`` of the rules."""

    key: str  # rule it stands under
    where: Mapping[str, list[str]]
    unless: Mapping[str, list[str]]

    def fields(self) -> set[str]:
        """Fields it names."""
        return {*self.where, *self.unless}


@dataclass(frozen=True, slots=True)
class Traits:
    """Everything the rules of a book ask about a record."""

    conditions: Sequence[Condition]  # one bit each
    asked: Mapping[str, frozenset[int]]  # every source -> numbers of the conditions its records are asked
    attributes: frozenset[str]  # vendors' own fields that exist
    few_attributes: bool  # whether records carry few different sets of them: grouped by as they are, looked into once a group
    stale_before: Sequence[date]  # last seen before this day is stale; one a distinct limit, shortest limit first
    as_of: date
    needs_key: bool  # whether a record without unit_key is told apart
    where: Callable[[str], str]  # file and key of a rule, for errors


def groups_view(traits: Traits) -> exp.Expression:
    """``usage_records`` summed to what the rules can tell apart: one pass, only the fields that a source's rules name.

    Conditions are looked at once a group, not once a record.

    Raises:
        SettingsError: a condition names a field no record has.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for source in sorted(traits.asked):
        alike.setdefault(tuple(sorted(_fields(traits, source))), []).append(source)
    parts = [_groups_of(traits, fields, sources) for fields, sources in alike.items()]
    view: Any = parts[0] if parts else _groups_of(traits, (), [""])
    for part in parts[1:]:
        view = exp.union(view, part, distinct=False)
    return view  # type: ignore[no-any-return] # sqlglot types no part of a query


def records_view(traits: Traits, table: str) -> exp.Expression:
    """The records of ``table``, each with ``passes``, ``stale_level``, ``is_later`` and ``has_key``."""
    passes = _passes(traits, sorted(traits.asked), lambda field: _column(field, traits))
    return exp.select(exp.Star(), exp.alias_(passes, "passes"), *_dated(traits)).from_(table)


def slim_view(traits: Traits) -> exp.Expression:
    """``usage_records`` with the fields that rules name, and nothing in the place of the others: less to read."""
    named = {field if field in COLUMNS else "attributes" for condition in traits.conditions for field in condition.fields()} | {"unit_key"}
    kept = [exp.column(name) for name in (*_PLACE, "quantity_qty", "created_date", "last_seen_date", "usage_date")]
    fields = [exp.column(f) if f in named else exp.alias_(exp.Cast(this=exp.null(), to=_TEXT.copy()), f) for f in (*COLUMNS, "attributes")]
    return exp.select(*kept, *fields).from_("usage_records")


def _groups_of(traits: Traits, fields: tuple[str, ...], sources: list[str]) -> exp.Expression:
    values = {field: _grouped(field, traits, sources) for field in fields}  # field -> what is grouped by
    columns = {f"trait_{number}": column for number, column in enumerate(dict.fromkeys(values.values()))}
    names = {column: name for name, column in columns.items()}
    kept = [exp.column(name) for name in (*_PLACE, "usage_date")]
    shown: list[Any] = list(kept)
    keys = kept
    if len(sources) == 1:  # a name all records share is no key
        shown[0], keys = exp.alias_(exp.Literal.string(sources[0]), "source"), kept[1:]
    dated = _dated(traits)
    inner = (
        exp.select(
            *shown,
            *[exp.alias_(column, name) for name, column in columns.items()],
            *dated,
            exp.alias_(exp.Count(this=exp.Star()), "records"),
            exp.alias_(exp.Sum(this=exp.column("quantity_qty")), "quantity_qty"),
        )
        .from_("usage_records")
        .where(_one_of(exp.column("source"), sources))
        .group_by(*[item.copy() for item in (*keys, *columns.values(), *(part.this for part in dated if part.find(exp.Column)))])
    )

    def outer(field: str) -> exp.Expression:
        is_whole = _is_attribute(field) and traits.few_attributes
        return _inside(field, names[values[field]]) if is_whole else exp.column(names[values[field]])

    outside = [exp.column(name) for name in ("stale_level", "is_later", "has_key", "records", "quantity_qty")]
    passes = exp.alias_(_passes(traits, sources, outer), "passes")
    return exp.select(*[column.copy() for column in kept], passes, *outside).from_(inner.subquery("g"))


def _grouped(field: str, traits: Traits, sources: list[str]) -> exp.Expression:
    """A field to group by: as it is where it has few values, else only the values that rules name."""
    column = _column(field, traits)
    if field in FEW:
        return column
    if _is_attribute(field) and traits.few_attributes:
        return exp.column("attributes")
    named = {value for source in sources for number in traits.asked[source] for value in _values(traits.conditions[number], field)}
    return exp.Case().when(_one_of(column, sorted(named)), column.copy())


def _values(condition: Condition, field: str) -> list[str]:
    return [*condition.where.get(field, ()), *condition.unless.get(field, ())]


def _fields(traits: Traits, source: str) -> set[str]:
    fields: set[str] = set()
    for number in traits.asked[source]:
        fields |= traits.conditions[number].fields()
    return fields


def _passes(traits: Traits, sources: list[str], column: Callable[[str], exp.Expression]) -> exp.Expression:
    """One bit for each condition that is asked of a source and holds."""
    passes: Any = _number(0)
    for number, condition in enumerate(traits.conditions):
        asking = [source for source in sources if number in traits.asked[source]]
        if not asking:
            continue
        tests: list[Any] = [_one_of(exp.column("source"), asking)] if len(asking) < len(sources) else []
        tests += [_one_of(column(field), values) for field, values in sorted(condition.where.items())]
        for field, values in sorted(condition.unless.items()):
            tests.append(exp.not_(exp.Coalesce(this=_one_of(column(field), values), expressions=[exp.false()]), copy=False))
        passes = exp.Add(this=passes, expression=_case(exp.and_(*tests, copy=False), 1 << number))
    return passes  # type: ignore[no-any-return] # sqlglot types no part of a query


def _dated(traits: Traits) -> list[Any]:
    level: Any = exp.Case()
    for number, day in reversed(list(enumerate(traits.stale_before, 1))):  # the longest limit first
        level = level.when(_before("last_seen_date", day), _number(number, _SMALL))
    level = level.else_(_number(0, _SMALL))
    later = exp.or_(*(exp.GT(this=exp.column(name), expression=_day(traits.as_of)) for name in ("created_date", "usage_date")))
    has_key: Any = exp.Not(this=exp.Is(this=exp.column("unit_key"), expression=exp.null())) if traits.needs_key else exp.true()
    return [
        exp.alias_(level, "stale_level"),
        exp.alias_(exp.Coalesce(this=later, expressions=[exp.false()]), "is_later"),
        exp.alias_(has_key, "has_key"),
    ]


def field_column(field: str, attributes: Collection[str], where: str) -> exp.Expression:
    """What a rule calls ``field``: a column of usage_records, or one of the vendor's own fields.

    Raises:
        SettingsError: no record has it; ``where`` is the rule's file and key.
    """
    if field in COLUMNS:
        return exp.column(field)
    if field in attributes:
        return _inside(field, "attributes")
    raise SettingsError(f"no record has a field {field!r}", where=where, hint=nearest(field, {*COLUMNS, *attributes}))


def _column(field: str, traits: Traits) -> exp.Expression:
    key = next(condition.key for condition in traits.conditions if field in condition.fields())
    return field_column(field, traits.attributes, traits.where(key))


def _is_attribute(field: str) -> bool:
    return field not in COLUMNS


def _inside(field: str, column: str) -> exp.Expression:
    """One of the vendor's own fields, out of the column that holds them."""
    path = exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathKey(this=field)])
    return exp.JSONExtractScalar(this=exp.column(column), expression=path)


def _one_of(column: exp.Expression, wanted: Sequence[str]) -> exp.Expression:
    return exp.In(this=column, expressions=[exp.Literal.string(value) for value in wanted])


def _before(name: str, day: date) -> exp.Expression:
    return exp.LT(this=exp.column(name), expression=_day(day))


def _day(day: date) -> exp.Expression:
    return exp.Cast(this=exp.Literal.string(day.isoformat()), to=_DATE.copy())


def _number(value: int, kind: exp.DataType | None = None) -> exp.Expression:
    return exp.Cast(this=exp.Literal.number(value), to=(kind or _BIG).copy())


def _case(condition: Any, value: int) -> exp.Expression:
    return exp.Case(ifs=[exp.If(this=condition, true=_number(value))], default=_number(0))
