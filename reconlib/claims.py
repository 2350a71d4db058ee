"""Which part of a split tenant a usage record belongs to, as SQL expressions (T32).

Built through sqlglot as the conditions of count rules are: what people wrote becomes quoted literals, never text of a script.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from sqlglot import exp

from reconlib.rules import Rules, TenantSplit
from reconlib.rules.accounts import DOMAIN
from reconlib.schema import CANONICAL
from reconlib.traits import COLUMNS, field_column

WHOLE = "tenant_records"  # usage_records before tenants are split
_BETWEEN = "\x1f"  # stands between values in place of the separator and the blanks around it; means nothing in a pattern
Account = tuple[str, str]  # source, vendor_account_id


def split_view(rules: Rules, accounts: Collection[Account], attributes: Collection[str] | None) -> exp.Expression:
    """``usage_records`` out of ``tenant_records``: every record on its part's account, or on its own where no part claims it.

    Parts that are not among ``accounts`` claim nothing. ``attributes``: names of the vendors' own fields; null: not checked.

    Raises:
        SettingsError: a split goes by a field no record has.
    """
    whose: Any = exp.Case()
    for number, one in enumerate(rules.tenant_splits):
        names = [name for name in one.parts if (one.source, one.part_id(name)) in accounts]
        if not names:
            continue
        value = _value(one, f"tenant_splits.{number}", rules, attributes)
        part: Any = exp.Case()
        for name in names:
            part = part.when(_claims(one, name, value), exp.Literal.string(one.part_id(name)))
        whose = whose.when(_is_tenant(one), part.else_(exp.column("vendor_account_id")))
    whose = exp.alias_(whose.else_(exp.column("vendor_account_id")), "vendor_account_id")
    kept = [whose if name == "vendor_account_id" else exp.column(name) for name in CANONICAL["usage_records"].names()]
    return exp.select(*kept).from_(WHOLE)


def _value(one: TenantSplit, key: str, rules: Rules, attributes: Collection[str] | None) -> exp.Expression:
    """What a record is told by: the domain of an address, or a field."""
    field, name = (one.field, "field") if one.by == DOMAIN else (one.by, "by")
    known = {field, *COLUMNS} if attributes is None else attributes
    column = field_column(field, known, rules.where(f"{key}.{name}"))
    if one.by != DOMAIN:
        return column
    last = exp.SplitPart(this=column, delimiter=exp.Literal.string("@"), part_index=exp.Literal.number(-1))
    return exp.Case().when(exp.Like(this=column.copy(), expression=exp.Literal.string("%@%")), exp.Lower(this=exp.Trim(this=last)))


def _claims(one: TenantSplit, name: str, value: exp.Expression) -> exp.Expression:
    """Whether a record belongs to a part."""
    wanted = one.wanted(one.parts[name])
    if one.separator is None:
        return exp.In(this=value.copy(), expressions=[exp.Literal.string(text) for text in wanted])
    around = exp.Literal.string(rf"\s*{re.escape(one.separator)}\s*")
    parted = exp.RegexpReplace(
        this=exp.Trim(this=value.copy()), expression=around, replacement=exp.Literal.string(_BETWEEN), modifiers=exp.Literal.string("g")
    )
    listed: Any = exp.func("CONCAT", exp.Literal.string(_BETWEEN), parted, exp.Literal.string(_BETWEEN))
    found = [exp.StrPosition(this=listed.copy(), substr=exp.Literal.string(f"{_BETWEEN}{text}{_BETWEEN}")) for text in wanted]
    tests = [exp.GT(this=place, expression=exp.Literal.number(0)) for place in found]
    return exp.Coalesce(this=exp.paren(exp.or_(*tests)), expressions=[exp.false()])


def claims_view(rules: Rules) -> exp.Expression:
    """Records of split tenants whose field holds several values: how many parts claim each."""
    parts = list(_claimed_of(rules))
    if not parts:
        names = ("source", "usage_record_id", "vendor_account_id", "value")
        nothing = [exp.alias_(exp.Cast(this=exp.null(), to=exp.DataType.build("text")), name) for name in names]
        return exp.select(*nothing, exp.alias_(exp.Literal.number(0), "claims")).from_("split_tenants").where(exp.false())
    view: Any = parts[0]
    for part in parts[1:]:
        view = exp.union(view, part, distinct=False)
    return view  # type: ignore[no-any-return] # sqlglot types no part of a query


def _claimed_of(rules: Rules) -> Iterator[exp.Expression]:
    for number, one in enumerate(rules.tenant_splits):
        if one.separator is None:
            continue  # one value belongs to one part: the rules are checked for it
        value = _value(one, f"tenant_splits.{number}", rules, None)
        claims: Any = exp.Literal.number(0)
        for name in one.parts:
            one_more = exp.Case().when(_claims(one, name, value), exp.Literal.number(1)).else_(exp.Literal.number(0))
            claims = exp.Add(this=claims, expression=one_more)
        kept = [exp.column(name) for name in ("source", "usage_record_id", "vendor_account_id")]
        yield exp.select(*kept, exp.alias_(value, "value"), exp.alias_(claims, "claims")).from_(WHOLE).where(_is_tenant(one))


def _is_tenant(one: TenantSplit) -> Any:
    return exp.and_(
        exp.EQ(this=exp.column("source"), expression=exp.Literal.string(one.source)),
        exp.EQ(this=exp.column("vendor_account_id"), expression=exp.Literal.string(one.account)),
    )
