"""The report's table: complete, printable, exact; unknown is written in words and is never 0 (T1).

Under- and over-billing are never netted: a total over both signs is two totals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconlib.errors import DataError, nearest
from reconlib.report.cells import CODED, Cell, format_number, format_value, header, is_missing, rows_of
from reconlib.report.markup import Shown, esc

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")  # a date is never broken over two lines
NOT_KNOWN = "not known"
DENSE_COLUMNS = 11  # a table with more is set smaller
SENTENCES = ("explanation", "reason", "why")  # columns that need no name before them
PLAIN_ROWS = 20  # rows of a table's plain text, for logs


def show_table(
    table: pa.Table | pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    caption: str = "",
    total: Sequence[str] = (),
    money: Sequence[str] = (),
    max_rows: int | None = None,
    empty: str = "There are no rows.",
    folded: bool = False,
    details: Sequence[str] | None = None,
    currency: str = "",
) -> Shown:
    """A complete table for the page: every row, totals over all rows, sorted, filtered and saved by the page's script.

    Args:
        table: Arrow table, DataFrame or rows.
        columns: columns in order; a mapping gives each its heading. Default: all but those in ``details``.
        caption: what the table is.
        total: columns summed in the last row; under and over apart.
        money: columns that are money. Each row's ``currency`` column says which, else ``currency``.
        max_rows: rows visible until "show all" is pressed; print and a page without scripts show all.
        empty: why there is no row.
        folded: only the caption is visible until opened.
        details: columns a row opens to; the first that holds anything is the line that stays visible.
        currency: ISO 4217 code where the rows have no ``currency`` column.

    Raises:
        DataError: a column that the table does not have, or money without a currency.
    """
    names, rows = rows_of(table)
    chosen = list(columns or [name for name in names if name not in (details or ())])
    titles = dict(columns) if isinstance(columns, Mapping) else {}
    for name in [*chosen, *(details or ()), *total, *money]:
        if name not in names and (rows or names):
            raise DataError(f"no column {name!r}", where=f"table {caption!r}", hint=nearest(name, names))
    codes = [str(row.get("currency") or currency) for row in rows]
    if money and any(not code for code, row in zip(codes, rows, strict=True) if any(not is_missing(row[m]) for m in money)):
        raise DataError("money without a currency", where=f"table {caption!r}", hint="pass currency= or keep the currency column")
    usual = next((code for code in sorted(set(codes)) if 2 * codes.count(code) > len(codes)), "")  # in the heading; others in their cells
    cells = [
        {name: format_value(name, row[name], currency=code if name in money else None) for name in chosen}
        for row, code in zip(rows, codes, strict=True)
    ]
    cells = [
        {n: _with_code(cell, code) if n in money and code != usual else cell for n, cell in row.items()}
        for row, code in zip(cells, codes, strict=True)
    ]
    right = {n for n in chosen if n in money or n in total or any(row[n].number is not None for row in cells)}
    heads = {}
    for name in chosen:
        code = f", {usual}" if name in money and usual else ""
        heads[name] = titles.get(name, header(name)) + code
    totals = {name: _total(name, [row[name] for row in rows], codes if name in money else []) for name in total if rows}
    body = _html(chosen, heads, cells, right, totals, [_detail(row, details) for row in rows] if details else None, max_rows)
    return _frame(caption, body if rows else f'<p class="empty">{esc(empty)}</p>', len(rows), folded, _plain(caption, heads, cells, empty))


def _with_code(cell: Cell, code: str) -> Cell:
    return cell if cell.number is None else replace(cell, text=f"{cell.text} {code}", code=code)


def _total(name: str, values: list[Any], codes: list[str]) -> list[tuple[str, str]]:
    """Lines of a total: one for each currency and sign, each with its word, and how many rows are not in it."""
    sums: dict[tuple[str, bool], Decimal] = {}
    unknown = 0
    for value, code in zip(values, codes or [""] * len(values), strict=True):
        if is_missing(value):
            unknown += 1
            continue
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
        if exact or not sums:
            sums[(code, exact < 0)] = sums.get((code, exact < 0), Decimal(0)) + exact
    if len(sums) > 1:
        sums = {key: value for key, value in sums.items() if value}
    several = len(set(codes)) > 1
    lines = []
    for (code, _), value in sorted(sums.items(), key=lambda item: (item[0][0], item[0][1])):
        cell = format_number(name, value, code or None)
        text = f"{cell.text} {code}" if several and code else cell.text
        lines.append((text, cell.word))
    if unknown:
        lines.append((f"+ {unknown}", NOT_KNOWN))
    return lines


def _detail(row: Mapping[str, Any], details: Sequence[str] | None) -> str:
    known = [name for name in details or () if not is_missing(row[name]) and str(row[name])]
    first, *rest = known or list(details or ())[:1]
    facts = [(name, row[name]) for name in rest]
    line = esc(format_value(first, row[first]).text)
    if first not in SENTENCES:
        line = f"{esc(header(first))}: {line}"
    if not facts:
        return f'<p class="why">{line}</p>'
    inner = "".join(f"<dt>{esc(header(name))}</dt><dd>{esc(format_value(name, value).text)}</dd>" for name, value in facts)
    return f'<details class="why"><summary>{line}</summary><dl>{inner}</dl></details>'


def _html(
    chosen: list[str],
    heads: Mapping[str, str],
    cells: list[dict[str, Cell]],
    right: set[str],
    totals: Mapping[str, list[tuple[str, str]]],
    details: list[str] | None,
    max_rows: int | None,
) -> str:
    head = "".join(f'<th scope="col"{_class("num" if n in right else "")}>{esc(heads[n])}</th>' for n in chosen)
    out = [f"<thead><tr>{head}</tr></thead>"]
    label = next((index for index, name in enumerate(chosen) if name not in right), 0)
    lines = [_row(chosen, row, right, label) for row in cells]
    if details:
        span = len(chosen)
        out += [
            f'<tbody class="record">{line}<tr class="detail"><td colspan="{span}">{detail}</td></tr></tbody>'
            for line, detail in zip(lines, details, strict=True)
        ]
    else:
        out.append(f"<tbody>{''.join(lines)}</tbody>")
    if totals:
        out.append(f"<tfoot>{_total_row(chosen, right, totals, len(cells))}</tfoot>")
    limit = f' data-max="{max_rows}"' if max_rows and max_rows < len(cells) else ""
    dense = _class("dense" if len(chosen) > DENSE_COLUMNS else "")
    return f"<table{dense}{limit}>{''.join(out)}</table>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _row(chosen: list[str], row: Mapping[str, Cell], right: set[str], label: int) -> str:
    out = []
    for index, name in enumerate(chosen):
        cell = row[name]
        tag, scope = ("th", ' scope="row"') if index == label else ("td", "")
        value = f' data-v="{esc(cell.number)}"' if cell.number is not None else ""
        value += f' data-code="{esc(cell.code)}"' if cell.code else ""
        title = f' title="{esc(cell.title)}"' if cell.title else ""
        kind = " ".join(filter(None, ("num" if name in right else "", cell.tone if cell.tone == "missing" else "")))
        tagged = name in CODED and cell.tone and cell.tone != "missing"
        text = (
            f'<span class="tag {cell.tone}">{esc(cell.text)}</span>'
            if tagged
            else _DAY.sub(r'<span class="day">\g<0></span>', esc(cell.text))
        )
        word = f' <span class="word {cell.tone}">{esc(cell.word)}</span>' if cell.word else ""
        out.append(f"<{tag}{scope}{_class(kind)}{value}{title}>{text}{word}</{tag}>")
    return f"<tr>{''.join(out)}</tr>"


def _total_row(chosen: list[str], right: set[str], totals: Mapping[str, list[tuple[str, str]]], rows: int) -> str:
    label = "Total" if rows == 1 else f"Total of all {rows:,} rows"
    span = max(1, next((index for index, name in enumerate(chosen) if name in totals), 1))
    first = "".join(_sum(text, word) for text, word in totals.get(chosen[0], []))
    out = [f'<th scope="row" colspan="{span}">{label}{first}</th>']
    for name in chosen[span:]:
        sums = totals.get(name, [])
        bare = " bare" if not any(word and word != NOT_KNOWN for _, word in sums) else ""  # its cells have no words to stand under
        parts = "".join(_sum(text, word) for text, word in sums)
        out.append(f"<td{_class(f'num{bare}' if name in right else '')}>{parts}</td>")
    return f"<tr>{''.join(out)}</tr>"


def _sum(text: str, word: str) -> str:
    tail = f' <span class="word">{esc(word)}</span>' if word else ""
    return f'<span class="sum">{esc(text)}{tail}</span>'


def _frame(caption: str, body: str, rows: int, folded: bool, text: str) -> Shown:  # noqa: FBT001 - one private caller
    count = f"{rows:,} of {rows:,} rows" if rows != 1 else "1 of 1 row"
    label = esc(caption or "Table")
    box = f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{body}</div>' if rows else body
    bar = f'<div class="bar"><p class="count">{count}</p></div>' if rows else ""
    if folded:
        summary = f'<summary><span class="title">{label}</span> <span class="n">{count}</span></summary>'
        inner = f'<details class="fold">{summary}{bar}{box}</details>'
        return Shown(f'<div class="recon recon-table" data-name="{label}">{inner}</div>', text)
    title = f'<p class="title">{esc(caption)}</p>' if caption else ""
    return Shown(f'<div class="recon recon-table" data-name="{label}">{title}{bar}{box}</div>', text)


def _plain(caption: str, heads: Mapping[str, str], cells: list[dict[str, Cell]], empty: str) -> str:
    lines = [caption] if caption else []
    if not cells:
        return "\n".join([*lines, empty])
    lines.append(" | ".join(heads.values()))
    lines += [" | ".join(" ".join(cell.text.split()) for cell in row.values()) for row in cells[:PLAIN_ROWS]]
    if len(cells) > PLAIN_ROWS:
        lines.append(f"… {PLAIN_ROWS} of {len(cells)} rows")
    return "\n".join(lines)
