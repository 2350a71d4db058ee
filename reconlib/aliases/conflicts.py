"""What forbids that two names are taken for one product without a person: attributes that disagree, in words (T28).

Term and billing plan left unsaid are not known. A segment, an add-on, a plan number, a size or "no Teams" left unsaid is "none": Business
Premium is not Business Premium (Nonprofit).
"""

from __future__ import annotations

from reconlib.aliases.attributes import Attributes

_SOLD_OTHERWISE = 4  # checks of how one product is sold: a pack of fifty is billed as fifty; the others tell products apart
_NEVER_UNSAID = frozenset(("lite", "plus"))  # "Business Plus" is another product than "Business"
_UNIT_IS_PRODUCT = frozenset(("app", "flow", "process"))  # "per app" is another product; "per user" is how most things are sold


def compare_attributes(a: Attributes, b: Attributes, *, one_product: bool = False) -> tuple[str, ...]:
    """Conflicts between two names in words, none where nothing forbids that both mean one product.

    ``one_product``: the alias table says that they do ("Intune" and "Intune Plan 1"); then only what is sold otherwise is compared.

    Example:
        >>> from reconlib.aliases.attributes import split_attributes
        >>> compare_attributes(split_attributes("Business Premium (Nonprofit) annual"), split_attributes("Business Premium monthly"))
        ('term: annual against monthly', 'segment: nonprofit against none')
    """
    checks = (
        ("term", _term_words(a.term), _term_words(b.term), bool(a.term and b.term) and a.term != b.term),
        ("billing plan", a.billing_plan, b.billing_plan, _is_paid_otherwise(a, b)),
        ("segment", " + ".join(a.segments), " + ".join(b.segments), a.segments != b.segments),
        ("quantity", a.quantity, b.quantity, a.quantity != b.quantity and (bool(a.quantity and b.quantity) or _is_pack(a, b))),
        ("add-on", a.add_on, b.add_on, a.add_on != b.add_on),  # from here on it is the product that differs
        ("plan", a.plan, b.plan, a.plan != b.plan),
        ("without", " + ".join(a.without), " + ".join(b.without), a.without != b.without),
        ("size", " ".join(a.sizes), " ".join(b.sizes), sorted(a.sizes) != sorted(b.sizes)),
        ("unit", a.unit, b.unit, a.unit != b.unit and (bool(a.unit and b.unit) or not _UNIT_IS_PRODUCT.isdisjoint((a.unit, b.unit)))),
        ("edition", *_other(a.editions, b.editions), _is_other_edition(a, b)),
        ("number", *_other(a.numbers, b.numbers), all(_other(a.numbers, b.numbers))),
    )
    compared = checks[:_SOLD_OTHERWISE] if one_product else checks
    said = [f"{name}: {left or 'none'} against {right or 'none'}" for name, left, right, conflict in compared if conflict]
    cut = sorted({side.cut_at for side in (a, b) if side.cut_at})
    return tuple(said + [f"a name is cut at {length} characters" for length in cut])


def _term_words(term: str | None) -> str | None:
    return {"P1M": "monthly", "P1Y": "annual", "P3Y": "3 years"}.get(term or "", term)


def _is_paid_otherwise(a: Attributes, b: Attributes) -> bool:
    """Paid once a year and paid upfront are one thing for a year's term, and two for three years'."""
    plans = {a.billing_plan, b.billing_plan}
    if None in plans or len(plans) == 1:
        return False
    return "monthly" in plans or "P3Y" in (a.term, b.term)


def _is_pack(a: Attributes, b: Attributes) -> bool:
    return any("pack" in (side.quantity or "") for side in (a, b))


def _is_other_edition(a: Attributes, b: Attributes) -> bool:
    return bool((a.editions ^ b.editions) & _NEVER_UNSAID) or all(_other(a.editions, b.editions))


def _other(a: frozenset[str], b: frozenset[str]) -> tuple[str, str]:
    return " ".join(sorted(a - b)), " ".join(sorted(b - a))
