"""Random books, each with any rule, line and record there is: the stages make of them what a naive reference makes, in any order of rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from properties.books import make_book, run_book
from properties.reference import differences, make_month

from reconlib.pipeline import Made

SEEDS = st.integers(0, 1_000_000)


def some(count: int) -> settings:
    """A book is one number: there is nothing to shrink."""
    phases = (Phase.explicit, Phase.generate)
    return settings(max_examples=count, deadline=None, derandomize=True, database=None, phases=phases)


def rows(made: Made) -> tuple[list[dict[str, Any]], ...]:
    tables = (made.compared.cells, made.compared.line_buckets, made.counted.counts, made.counted.buckets)
    return tuple(table.to_pylist() for table in tables)


@some(40)
@given(SEEDS)
def test_the_stages_make_what_the_reference_makes(seed: int) -> None:
    book = make_book(seed)
    said = differences(make_month(book.given), *rows(run_book(book.given)))
    assert not said, "\n".join([f"make_book({seed})", *said[:20]])


@some(12)
@given(SEEDS)
def test_every_line_and_record_ends_in_one_bucket_and_rows_may_come_in_any_order(seed: int) -> None:
    book = make_book(seed)
    made, again = run_book(book.given), run_book(book.given, shuffle=seed)
    tables = book.given.tables
    assert made.compared.line_buckets["agreement_line_id"].to_pylist() == sorted(r["agreement_line_id"] for r in tables["agreement_lines"])
    for kind, name in (("usage", "usage_records"), ("purchase", "purchases")):
        ended = made.counted.buckets.filter(pc.field("record_kind") == kind)
        assert sum(ended["records"].to_pylist()) == len(tables[name])
        assert sum(ended["quantity_qty"].to_pylist(), Decimal(0)) == sum((r["quantity_qty"] for r in tables[name]), Decimal(0))
    for one, other in zip(all_tables(made), all_tables(again), strict=True):
        assert one.equals(other), f"make_book({seed})"


def all_tables(made: Made) -> list[pa.Table]:
    return [made.compared.cells, made.compared.line_buckets, made.counted.counts, made.counted.buckets, made.findings]


def test_the_books_reach_every_status_bucket_and_take() -> None:
    """A law over books that never get anywhere proves nothing."""
    reached: set[str] = set()
    for seed in range(30):
        made = make_month(make_book(seed).given)
        reached |= {cell["status"] for cell in made.cells.values()} | {bucket for *_, bucket, _, _, _ in made.buckets}
        reached |= {one["take"] for one in made.counts.values()} | {*made.lines.values()}
    wanted = "matched matched_within_tolerance under_billed over_billed new_revenue orphan_line no_count no_source flat timing covered"
    wanted += " out_of_scope own_use ignored not_resold not_comparable counted duplicate stale other_day after_as_of free inactive"
    wanted += " excluded unmapped_account unmapped_service unaccounted last_day peak average any_time billing_day credit cost_only"
    assert set(wanted.split()) <= reached
