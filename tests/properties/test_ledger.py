"""Laws of the ledger and of the folds over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from reconlib.ledger import KINDS, Event, canonical_json, event_hash, open_ledger
from reconlib.review import mapping_decisions

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
name = text.filter(lambda value: value.strip())
exact = st.none() | st.booleans() | st.integers() | text | st.decimals(-(10**9), 10**9, places=6) | st.dates()
values = st.dictionaries(
    text,
    st.recursive(exact, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=5),
    max_size=4,
)
events = st.builds(
    Event,
    book=name,
    period=st.just("2026-10"),
    kind=st.sampled_from(KINDS),
    subject=name,
    who=name,
    at=name,
    why=text,
    values=values,
    key=st.none() | name,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(events, max_size=8))
def test_whatever_is_appended_twice_verifies_and_comes_back(wanted):
    with open_ledger("sqlite://") as ledger:
        written = [ledger.append(event) for event in wanted]
        keyed = [event for event in wanted if event.key is not None]
        assert [ledger.append(event) for event in keyed] == [
            event for event, asked in zip(written, wanted, strict=True) if asked.key is not None
        ]
        stored = ledger.events()
        assert ledger.verify([event.hash for event in written]) == []
    assert [event for event in written if event in stored] == written
    assert [event.seq for event in stored] == list(range(1, len(stored) + 1))


@given(events, st.sampled_from([n for n in Event.__slots__ if n not in ("hash", "values")]))
def test_any_altered_field_changes_the_hash(event, field):
    now = getattr(event, field)
    other = now + 1 if isinstance(now, int) else (now or "") + "x"
    assert event_hash(replace(event, **{field: other})) != event_hash(event)


@given(st.decimals(-(10**9), 10**9, places=6))
def test_a_quantity_has_one_text(quantity):
    written = canonical_json(quantity)
    assert Decimal(written.strip('"')) == quantity
    assert written == canonical_json(quantity.quantize(Decimal("0.000000")))


steps = st.tuples(
    st.sampled_from(["map", "exclude", "reject", "undo"]),
    st.sampled_from(["s1", "s2", "s3"]),
    st.sampled_from(["account", "product"]),
    st.sampled_from(["2026-09", "2026-10", "2026-11"]),
)


def decided(number, step):
    decision, target, relation, period = step
    facts = {"relation": relation, "source": "ninja", "vendor_id": "7", "decision": decision}
    facts |= {"target_id": target if decision in ("map", "reject") else None, "until": "2027-01-31" if decision == "exclude" else None}
    return Event("b", period, "mapping_decided", "s", "ana", f"t{number}", "because", facts, seq=number)


@given(st.lists(steps, max_size=12))
def test_a_rejected_pair_is_never_mapped_and_an_account_has_one_client(taken):
    log = [decided(number, step) for number, step in enumerate(taken, start=1)]
    for (relation, _, _), decision in mapping_decisions(log, as_of=date(2026, 11, 30)).items():
        assert not decision.rejected & set(decision.targets)
        assert (decision.state == "mapped") == bool(decision.targets)
        assert len(set(decision.targets)) == len(decision.targets)
        assert relation == "product" or len(decision.targets) <= 1


@given(st.lists(steps, max_size=12))
def test_an_old_month_is_what_it_was_before_later_months_decided(taken):
    log = [decided(number, step) for number, step in enumerate(taken, start=1)]
    known = [event for event in log if event.period <= "2026-10"]
    assert mapping_decisions(log, as_of=date(2026, 10, 31)) == mapping_decisions(known, as_of=date(2026, 10, 31))
