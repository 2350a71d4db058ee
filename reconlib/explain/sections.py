"""An explanation as sections: what a page shows, and what a terminal prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from reconlib.money import format_qty
from reconlib.report.cells import format_value, header
from reconlib.report.markup import Shown, esc
from reconlib.report.show import callout, md, show_table

if TYPE_CHECKING:
    import pyarrow as pa

    from reconlib.explain.finding import Explanation

MANY_RECORDS = 40  # rows of records a terminal prints; a page has them all


@dataclass(frozen=True, slots=True)
class Section:
    """One table of an explanation under its question."""

    title: str
    table: pa.Table
    columns: Mapping[str, str] = field(default_factory=dict)  # name -> heading; none: all, under their own
    money: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()  # columns of several lines, printed below the table


def explain_sections(explanation: Explanation) -> Iterator[Section]:
    """The sections of an explanation that hold anything, in the order one asks."""
    e = explanation
    sections = (
        Section("The numbers", e.numbers, {"number": "Number", "quantity_qty": "Units", "says": "From"}),
        Section(
            "How the expected number came about", e.steps, _without_empty(e.steps, {"step": "Step", "change_qty": "Change", "says": "Why"})
        ),
        Section("The money", e.money, {"part": "Part", "sum": "Worked out", "amount": "Amount", "currency": "Currency"}, ("amount",)),
        Section("Counts", e.counts, _without_empty(e.counts, {"records": "Records", "take": "Day taken"})),
        Section("The rules, as written", e.rules, {"key": "Key", "file": "File", "line": "Line", "text": "Text"}, texts=("text",)),
        Section("Who mapped it", e.mapping, _without_empty(e.mapping, {"at": "When", "who": "Who", "why": "Why", "probability": "Sure"})),
        Section("Agreement lines", e.lines, _without_empty(e.lines), money=("unit_price", "unit_cost")),
        Section(_record_title(e.records), e.records, _record_columns(e.records)),
        Section("What the vendor charged", e.charges, _without_empty(e.charges), money=("amount", "expected_amount")),
        Section("Rows nobody could read", e.rejects, _without_empty(e.rejects)),
        Section("The months so far", e.history, _without_empty(e.history), money=("monthly_impact", "cost_impact")),
        Section("Decided so far", e.decisions, _without_empty(e.decisions)),
    )
    return (section for section in sections if section.table.num_rows)


_RECORDS = {
    "bucket": "Bucket",
    "quantity_qty": "Units",
    "unit_name": "Unit",
    "unit_key": "Key",
    "unit_class": "Class",
    "unit_state": "State",
    "last_seen_date": "Last seen",
    "usage_date": "Day",
    "since_date": "Since",
    "commitment_end_date": "Committed until",
    "term": "Term",
    "rule": "Rule",
    "evidence": "Evidence",
}
_HIDDEN = ("client_id", "service_id", "vendor_account_id")


def _record_title(records: pa.Table) -> str:
    """How many units ended where: counted first, what was left out after it."""
    units: dict[tuple[str, str], Decimal] = {}
    for row in records.select(["record_kind", "bucket", "quantity_qty"]).to_pylist():
        key = ("bought" if row["record_kind"] == "purchase" else "in use", row["bucket"])
        units[key] = units.get(key, Decimal(0)) + row["quantity_qty"]
    told = [f"{format_qty(quantity)} {bucket.replace('_', ' ')} ({kind})" for (kind, bucket), quantity in units.items()]
    return f"Records, in units: {', '.join(told)}"


def _record_columns(records: pa.Table) -> dict[str, str]:
    """What says anything of a record; its id where it has no name."""
    said = _without_empty(records, _RECORDS)
    named = records["unit_name"].null_count == 0
    return {name: text for name, text in _RECORDS.items() if name in said} if named else _with_id(said)


def _with_id(said: dict[str, str]) -> dict[str, str]:
    known = {name: text for name, text in _RECORDS.items() if name in said}
    return {"bucket": known.pop("bucket"), "quantity_qty": known.pop("quantity_qty"), "record_id": "Record", **known}


def _without_empty(table: pa.Table, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Columns that say anything, with their headings."""
    said = [name for name in table.column_names if name not in _HIDDEN and any(v not in (None, "") for v in table[name].to_pylist())]
    return {name: (names or {}).get(name) or header(name) for name in said}


def show_explanation(explanation: Explanation | None) -> Shown:
    """A finding explained, for a page or a notebook: its sentence, what to know first, and its tables."""
    if explanation is None:
        return callout("There is no finding: every line that could be compared agrees with its count.", "good", title="Nothing to explain")
    finding = explanation.finding
    parts = [
        md("**{title}**", title=explanation.title),
        md(
            "{said} Finding {id}, first seen {first}, {months}.",
            said=f"{explanation.said.removesuffix('.')}.",
            id=finding["finding_id"],
            first=finding["first_seen"],
            months=count_months(finding["months_open"]),
        ),
    ]
    if explanation.notes:
        parts.append(callout(list(explanation.notes), "neutral", title="Before you read on"))
    for section in explain_sections(explanation):
        money = [name for name in section.money if name in section.columns]
        kept = {name: text for name, text in section.columns.items() if name not in section.texts and not (money and name == "currency")}
        parts.append(
            show_table(section.table, columns=kept, caption=section.title, money=money, currency=str(finding["currency"]), max_rows=15)
        )
        for name in section.texts:
            texts = [str(text) for text in section.table[name].to_pylist() if text]
            parts += [Shown(f'<div class="recon recon-prose"><pre><code>{esc(text)}</code></pre></div>', text) for text in texts]
    return Shown("".join(part.html for part in parts), "\n\n".join(part.text for part in parts))


def count_months(months: int) -> str:
    """For how long a finding has been there.

    Example:
        >>> count_months(1), count_months(3)
        ('new this month', '3 months in a row')
    """
    return "new this month" if months == 1 else f"{months} months in a row"


def text_rows(section: Section, most: int | None = None) -> tuple[list[str], list[list[str]], list[bool]]:
    """Headings, cells as text and which columns are numbers: for a terminal. A value that is not known is ``not known``."""
    names = [name for name in (section.columns or dict.fromkeys(section.table.column_names)) if name not in section.texts]
    rows: Sequence[Mapping[str, object]] = section.table.slice(0, most).to_pylist()
    cells = [
        [
            format_value(_coded(name), row[name], currency=str(row.get("currency") or "USD") if name in section.money else None).text
            for name in names
        ]
        for row in rows
    ]
    numbers = [name.endswith(("_qty", "_price", "_cost", "_amount", "_impact")) or name in ("amount", "records") for name in names]
    return [section.columns.get(name) or header(name) for name in names], cells, numbers


def _coded(name: str) -> str:
    """What a column before or after is about, so that its words are written like those."""
    return "status" if name in ("status_before", "status_after") else name
