"""A bulk preview in words: exactly what would be accepted, with its money, and what would be left, with the reason."""

from __future__ import annotations

from reconlib.report.pages.mapping_why import say_probability, say_stake, say_why
from reconlib.report.pages.tables import sum_money
from reconlib.review.bulk import BulkPreview


def sum_preview(preview: BulkPreview) -> str:
    """How much would be accepted, in one line."""
    if not preview.rows:
        return f"Nothing is as sure as {preview.threshold}: nothing would be accepted."
    what = f"{preview.relation}s" if len(preview.rows) != 1 else preview.relation
    unknown = sum(row["monthly_cost"] is None for row in preview.rows)
    if unknown == len(preview.rows):
        return f"{len(preview.rows)} {what} would be accepted, without a known amount."
    rest = f", {unknown} of them without a known amount" if unknown else ""
    return f"{len(preview.rows)} {what} would be accepted, worth {sum_money(preview.rows, 'monthly_cost')} a month{rest}."


def say_preview(preview: BulkPreview) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of what would be accepted, in the order it would be recorded."""
    account = preview.relation == "account"
    name, target = ("account_name", "client_name") if account else ("product_name", "service_name")
    heads = [f"Vendor {preview.relation}", "Source", "Becomes", "p", "Why", "A month"]
    rows = [
        [
            str(row[name]),
            str(row["source"]),
            str(row[target] or ""),
            say_probability(row["probability"]),
            say_why(row),
            say_stake(row)[0],
        ]
        for row in preview.rows
    ]
    return heads, rows


def say_left_out(preview: BulkPreview) -> str:
    """What would be left to decide one by one, and why."""
    parts = [f"{count} {reason}" for reason, count in sorted(preview.left_out.items(), key=lambda item: (-item[1], item[0]))]
    return f"Left to decide one by one: {', '.join(parts)}." if parts else ""
