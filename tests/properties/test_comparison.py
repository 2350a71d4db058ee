"""Laws of counting, comparison and mapping, over made-up months with every kind of line and record in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import small_month
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from small_month import Result, run_month

from reconlib.findings import BILLING_KINDS
from reconlib.mapping import suggest_accounts
from reconlib.review import MappingDecision
from reconlib.schema import CANONICAL, make_table

LINE = ("line", "client", "agreement", "service", "qty", "included", "price", "cost", "billable", "from", "to")
USAGE = ("id", "client", "account", "service", "product", "source", "qty", "key", "class", "seen", "since")
PURCHASE = ("id", "client", "account", "service", "product", "source", "qty", "cost", "currency", "active", "trial", "since")
CLIENTS = "client  name  deleted  billable\nAcme  Acme  -  yes\nBirch  Birch  -  yes\nGone  Acme  deleted  yes\nHope  Hope  -  no\nBase  Base  -  yes"
SERVICES = "service  price\nEDR  4.00\nRMM  15.00\nMAIL  3.35\nCARE  89.00"
AGREEMENTS = "agreement  client  cycle  status\nA1  Acme  1  Active\nA2  Acme  12  Active\nB1  Birch  3  Active\nB2  Birch  1  Cancelled\nG1  Gone  1  Active\nH1  Hope  1  Active\nBase1  Base  1  Active"
OWNER = {"A1": "Acme", "A2": "Acme", "B1": "Birch", "B2": "Birch", "G1": "Gone", "H1": "Hope"}
# One client whose sources and products, EDR and MAIL, exist in every month.
BASE_LINES = [{"line": "base1", "client": "Base", "agreement": "Base1", "service": "EDR", "qty": 1, "price": "10.00"}]
TWIN = {"client": "Base", "service": "EDR", "class": "server", "key": "T1", "seen": "2026-10-31"}
BASE_USAGE = [{"id": "base2", "qty": 1, **TWIN}, {"id": "base4", "qty": 2, **TWIN}]  # nothing but the id tells them apart
BASE_PURCHASES = [{"id": "base3", "client": "Base", "service": "MAIL", "qty": 0, "source": "seller"}]

QTY = st.sampled_from(["0", "1", "2", "3", "5", "8", "0.5"])
SOME_DAY = st.sampled_from(
    ["-", "-", "-", "-", "2026-01-01", "2026-09-30", "2026-10-01", "2026-10-12", "2026-10-31", "2026-11-01", "2026-11-03"]
)
ONE_LINE = st.fixed_dictionaries(
    {
        "agreement": st.sampled_from(sorted(OWNER)),
        "service": st.sampled_from(["EDR", "RMM", "MAIL", "CARE"]),
        "qty": QTY,
        "included": st.sampled_from(["0", "0", "2"]),
        "price": st.sampled_from(["10.00", "10.00", "12.35", "-5.00"]),
        "cost": st.sampled_from(["-", "7.00"]),
        "billable": st.sampled_from(["yes", "yes", "no", "free"]),
        "from": SOME_DAY,
        "to": SOME_DAY,
    }
)
WHOSE = st.sampled_from([{"client": "Acme"}, {"client": "Acme"}, {"client": "Birch"}, {"client": "Hope"}, {"account": "Nobody knows"}])
WHAT = st.sampled_from(
    [
        {"service": "EDR"},
        {"service": "EDR"},
        {"service": "EDR"},
        {"service": "RMM"},
        {"service": "MAIL"},
        {"product": "mystery"},
        {"product": "free flow"},
    ]
)
ONE_USAGE = st.fixed_dictionaries(
    {
        "whose": WHOSE,
        "what": WHAT,
        "source": st.sampled_from(["vendor", "vendor", "other"]),
        "qty": QTY,
        "key": st.sampled_from(["S1", "S1", "S2", "-"]),
        "class": st.sampled_from(["server", "server", "server", "printer"]),
        "seen": st.sampled_from(["2026-10-31", "2026-10-31", "2026-10-01", "2026-09-30", "-"]),
        "since": st.sampled_from(["-", "-", "2026-10-31", "2026-11-01"]),
    }
)
ONE_PURCHASE = st.fixed_dictionaries(
    {
        "whose": WHOSE,
        "what": WHAT,
        "source": st.just("seller"),
        "qty": QTY,
        "cost": st.sampled_from(["-", "2.50", "8.00"]),
        "currency": st.sampled_from(["USD", "USD", "CAD"]),
        "active": st.sampled_from(["yes", "yes", "no"]),
        "trial": st.sampled_from(["no", "no", "yes"]),
        "since": SOME_DAY,
    }
)
EDR: dict[str, Any] = {"used": [{"products": ["EDR"], "dedupe": True, "where": {"unit_class": ["server"]}}]}
MAIL: dict[str, Any] = {"used": [{"products": ["MAIL"]}], "purchased": [{"source": "seller", "products": ["MAIL"]}], "expect": "greater"}
CARE: dict[str, Any] = {"bundle": {"anchor": "RMM", "covers": {"RMM": 1, "EDR": 2}}}
RULES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"services": {"EDR": EDR, "MAIL": MAIL}},
        {"services": {"EDR": EDR, "CARE": CARE, "MAIL": {**MAIL, "expect": "purchased", "minimum": 3}}},
        {"services": {"EDR": EDR}, "ignore": [{"where": {"unit_class": ["printer"]}, "reason": "in the network fee"}]},
    ]
)
BILLED_AND_USED = st.tuples(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from(["1", "3", "12"]), st.sampled_from(["10.00", "0.37", "100.05"])
)
Rows = list[dict[str, Any]]
Month = tuple[Rows, Rows, Rows, dict[str, Any]]  # lines, usage, purchases, rules


@st.composite
def months(draw: st.DrawFn) -> Month:
    lines = [
        {**row, "client": OWNER[row["agreement"]], "line": f"l{n}"}
        for n, row in enumerate(draw(st.lists(ONE_LINE, min_size=4, max_size=14)))
    ]
    usage = [_record(row, f"u{n}") for n, row in enumerate(draw(st.lists(ONE_USAGE, min_size=4, max_size=16)))]
    bought = [_record(row, f"b{n}") for n, row in enumerate(draw(st.lists(ONE_PURCHASE, max_size=8)))]
    return BASE_LINES + lines, BASE_USAGE + usage, BASE_PURCHASES + bought, draw(RULES)


def _record(row: dict[str, Any], number: str) -> dict[str, Any]:
    return {**{name: value for name, value in row.items() if name not in ("whose", "what")}, **row["whose"], **row["what"], "id": number}


def text(names: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(["  ".join(names), *("  ".join(str(row.get(name, "-")) for name in names) for row in rows)])


def run(month: Month, *, clients: str = CLIENTS, agreements: str = AGREEMENTS, **more: Any) -> Result:
    lines, usage, purchases, rules = month
    return run_month(
        text(LINE, lines),
        usage=text(USAGE, usage),
        purchases=text(PURCHASE, purchases),
        clients=clients,
        services=SERVICES,
        agreements=agreements,
        rules={**rules, **more},
    )


def units(rows: Iterable[Mapping[str, Any]], key: str, quantity: str = "quantity_qty") -> dict[str, Decimal]:
    """Quantity a key; a key that stands twice counts twice."""
    found: dict[str, Decimal] = {}
    for row in rows:
        found[row[key]] = found.get(row[key], Decimal(0)) + Decimal(str(row[quantity]))
    return found


def some(count: int) -> settings:
    phases = (Phase.explicit, Phase.generate)  # a month takes half a second: a failure is not shrunk
    return settings(max_examples=count, deadline=None, derandomize=True, database=None, phases=phases)


@some(15)
@given(months())
def test_every_line_and_record_is_in_one_bucket_and_no_unit_is_lost_or_counted_twice(month: Month) -> None:
    lines, usage, purchases, _ = month
    made = run(month)
    assert len(made.lines) == len(lines)
    assert units(made.lines, "agreement_line_id") == units(lines, "line", "qty")
    assert len(made.records) == len(usage) + len(purchases)
    assert units(made.records, "record_id") == units([*usage, *purchases], "id", "qty")
    # counts are made of the records in the bucket "counted", and of nothing else
    counted: Counter[Any] = Counter()
    for row in made.records:
        if row["bucket"] == "counted":
            measure = "used" if row["record_kind"] == "usage" else "purchased"
            counted[row["client_id"], row["service_id"], measure, row["source"]] += row["quantity_qty"]
    known = Counter({(r["client_id"], r["service_id"], r["measure"], r["source"]): r["quantity_qty"] for r in made.counts if r["is_known"]})
    assert +known == +counted


@some(8)
@given(months(), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(month: Month, seed: int) -> None:
    before, real = run(month), small_month.make_tables

    def shuffled(*texts: str) -> dict[str, pa.Table]:
        order = Random(seed)  # noqa: S311 - made-up data, not a secret
        return {
            name: table.take(pa.array(order.sample(range(table.num_rows), table.num_rows), pa.int64()))
            for name, table in real(*texts).items()
        }

    with patch.object(small_month, "make_tables", shuffled):
        assert run(month) == before


@some(8)
@given(months(), st.sampled_from(["0.5", "1", "3"]))
def test_a_wider_tolerance_never_adds_a_finding_and_touches_billing_only(month: Month, tolerance: str) -> None:
    narrow, wide = run(month), run(month, tolerance={"units": tolerance})

    def by_kind(made: Result) -> tuple[set[str], set[str]]:
        billing = {row["finding_id"] for row in made.findings if row["kind"] in BILLING_KINDS}
        return billing, {row["finding_id"] for row in made.findings} - billing

    (few, others), (more, same) = by_kind(wide), by_kind(narrow)
    assert few <= more
    assert others == same


@some(8)
@given(months(), st.integers(1, 9))
def test_a_client_that_agrees_changes_nothing_for_the_others(month: Month, quantity: int) -> None:
    lines, usage, purchases, rules = month
    line = {"line": "zed1", "client": "Zed", "agreement": "Z1", "service": "EDR", "qty": quantity, "price": "4.00"}  # as the catalogue says
    used = {"id": "a-zed", "client": "Zed", "service": "EDR", "qty": quantity, "class": "server", "key": "S1", "seen": "2026-10-31"}
    before = run(month)
    after = run(
        ([*lines, line], [*usage, used], purchases, rules),
        clients=f"{CLIENTS}\nZed  Zed  -  yes",
        agreements=f"{AGREEMENTS}\nZ1  Zed  1  Active",
    )
    assert after.cell("Zed", "EDR")["status"] == "matched"
    assert after.findings == before.findings
    assert [row for row in after.cells if row["client_id"] != "Zed"] == before.cells
    assert [row for row in after.lines if row["client_id"] != "Zed"] == before.lines


@some(10)
@given(st.lists(BILLED_AND_USED, min_size=1, max_size=8))
def test_what_is_used_and_what_is_billed_swapped_gives_the_opposite(clients: list[tuple[int, int, str, str]]) -> None:
    def variances(*, swapped: bool) -> list[tuple[str, Decimal, Decimal]]:
        agreements, lines, usage = ["agreement  client  cycle"], ["client  agreement  service  qty  price"], ["client  service  qty"]
        for number, (billed, used, cycle, price) in enumerate(clients):
            here, there = (used, billed) if swapped else (billed, used)
            agreements.append(f"A{number}  C{number}  {cycle}")
            lines.append(f"C{number}  A{number}  EDR  {here}  {price}")
            usage.append(f"C{number}  EDR  {there}")
        made = run_month("\n".join(lines), usage="\n".join(usage), agreements="\n".join(agreements))
        return [(row["client_id"], row["variance_qty"], row["monthly_impact"]) for row in made.cells]

    assert variances(swapped=True) == [(client, -variance, -impact) for client, variance, impact in variances(swapped=False)]


NAMES = st.lists(
    st.tuples(st.sampled_from(["Acme", "Birch", "Cedar"]), st.sampled_from(["Dental", "Dental LLC", "Legal", "Lab"])).map(" ".join),
    min_size=1,
    max_size=6,
    unique=True,
)


@some(40)
@given(NAMES, NAMES, st.booleans())
def test_a_rejected_pair_is_never_suggested_or_mapped_again(clients: list[str], accounts: list[str], has_id: bool) -> None:  # noqa: FBT001 - drawn
    known = make_table(
        CANONICAL["clients"],
        [
            {"client_id": f"c{n}", "client_name": name, "is_deleted": False, "is_billable": True, "source": "psa", "evidence": "e"}
            for n, name in enumerate(clients)
        ],
    )
    seen = make_table(
        CANONICAL["vendor_accounts"],
        [
            {"source": "v", "vendor_account_id": str(n), "account_name": name, "external_id": "c0" if has_id else None, "evidence": "e"}
            for n, name in enumerate(accounts)
        ],
    )
    rejected: dict[str, frozenset[str]] = {str(n): frozenset() for n in range(len(accounts))}
    for _ in range(len(clients)):
        decisions = {
            ("account", "v", account): MappingDecision("open", (), pairs, "golden analyst", "", "", None)
            for account, pairs in rejected.items()
        }
        for row in suggest_accounts(known, seen, decisions, {}).to_pylist():
            pairs = rejected[row["vendor_account_id"]]
            assert not pairs & {row["client_id"], row["runner_up_id"]}
            if row["client_id"]:
                rejected[row["vendor_account_id"]] = pairs | {row["client_id"]}
    assert any(rejected.values()) or not (set(clients) & set(accounts))
