"""Tables that set two moments against each other: two passes of a month, a month and those before, today and a renewal."""

from __future__ import annotations

from reconlib.schema.tables import TableSchema, column, required

_CELL = (
    required("client_id", "client"),
    required("client_name", "its name"),
    required("service_id", "service"),
    required("service_name", "its name"),
)

ROLL_FORWARD = TableSchema(
    "roll_forward",
    "one client × service that either pass of a month knows: what it said before invoicing, what moved, what it says after",
    ("client_id", "service_id"),
    (
        *_CELL,
        column("expected_before_qty", "qty", "units that should be billed, in the pre-invoice pass; null: not known (T1)"),
        column("expected_moved_qty", "qty", "after − before; null where one of them is not known"),
        column("expected_after_qty", "qty", "units that should be billed, in the post-invoice pass; null: not known (T1)"),
        required("expected_move", "none, late_count, other_rule, became_known, became_unknown or not_known"),
        column("billed_before_qty", "qty", "units on the lines in the pre-invoice pass; zero: no line", null=False),
        column("billed_moved_qty", "qty", "after − before", null=False),
        column("billed_after_qty", "qty", "units on the lines in the post-invoice pass; zero: no line", null=False),
        required("billed_move", "none, changed_in_psa, new_line or line_gone"),
        column("purchased_before_qty", "qty", "units the MSP pays for, before"),
        column("purchased_after_qty", "qty", "and after"),
        column("used_before_qty", "qty", "units in use, before"),
        column("used_after_qty", "qty", "and after"),
        column(
            "later_qty",
            "qty",
            "units dated after the as-of day, seen in the post-invoice pass: next month's, in neither number (T3)",
            null=False,
        ),
        column("variance_before_qty", "qty", "expected − billed, before; null: not known"),
        column("variance_after_qty", "qty", "and after"),
        column("unit_price", "price", "price a unit and cycle"),
        column("monthly_before", "amount", "money a month of the difference, before; null: not known"),
        column("monthly_moved", "amount", "after − before; null where one of them is not known"),
        column("monthly_after", "amount", "money a month of the difference, after; null: not known"),
        column("charged_amount", "amount", "what vendors billed for it in this month's files; null: no billed line received"),
        column("charged_currency", "text", "ISO 4217 of that; XXX: several, and no amount"),
        column("currency", "text", "ISO 4217 of the client's money", null=False),
        required("proposal", "none, back_charge, credit or wait: the invoice itself is not edited (T114)"),
        column("proposal_qty", "qty", "units to back-charge (positive) or to credit (negative); null: none or not known"),
        column("proposal_amount", "amount", "money of them, signed; null: none or not known"),
        column("explanation", "text", "one sentence", null=False),
    ),
)

CHRONIC = TableSchema(
    "chronic",
    "one finding over the months it was there: for how long, what it came to, and what a correction has brought back (T118)",
    ("finding_id",),
    (
        required("finding_id", "the same in every month"),
        column("kind", "text", "what was found, as in GLOSSARY.md; null: only its change is known"),
        column("client_name", "text", "client"),
        column("service_name", "text", "service"),
        column("status", "text", "in the last month it was there"),
        column("is_open", "bool", "there in this month", null=False),
        column("first_seen", "text", "first month it was there, of the months on disk and what they remember"),
        column("last_seen", "text", "last month it was there"),
        column("months_open", "int", "months in a row up to the last one, months that were never run left out", null=False),
        column("months_known", "int", "months whose money is in the sums", null=False),
        column("unknown_months", "text", "months in between whose money is not known: never run, or no price or count"),
        column("set_aside_months", "text", "months in which it was dismissed or excluded: not in the sums"),
        column("under_amount", "amount", "money the client was not billed, over those months", null=False),
        column("over_amount", "amount", "money the client was billed too much, over those months", null=False),
        column("currency", "text", "ISO 4217", null=False),
        column("verified_in", "text", "month in which its change was found in the PSA; null: none was"),
        column("months_since", "int", "months billed rightly since, that month and this one included"),
        column("recovered_amount", "amount", "months since × what the verified changes bill more a month; null: none"),
        column("returned_amount", "amount", "months since × what the verified changes bill less a month; null: none"),
        column("assumption", "text", "what the two amounts rest on"),
    ),
)

RENEWALS = TableSchema(
    "renewals",
    "one purchase whose term ends soon, or whose last day to reduce is not over",
    ("source", "purchase_id"),
    (
        required("source", "name of the source in params"),
        required("purchase_id", "the vendor's own id"),
        column("client_name", "text", "client; null: its account is not mapped"),
        column("service_name", "text", "service; null: its product is not mapped"),
        column("account_name", "text", "as the vendor shows it"),
        required("product_name", "as the vendor shows it"),
        column("term", "text", "commitment and billing term"),
        column("quantity_qty", "qty", "units bought", null=False),
        column("used_qty", "qty", "units of the client and service in use; null: not known"),
        column("idle_qty", "qty", "units of this purchase nobody uses, first to renew first; null: not known"),
        column("renewal_date", "date", "day the term ends and renews", null=False),
        column("last_reduction_date", "date", "last day to reduce: seven days after the renewal at Microsoft (T85, T87)", null=False),
        column("days_ahead", "int", "days from the as-of day to the last day to reduce", null=False),
        column("unit_cost", "price", "what the MSP pays a unit and month"),
        column("monthly_stake", "amount", "idle units × cost; null: one of them is not known"),
        column("currency", "text", "ISO 4217"),
        required("evidence", "where the vendor's bytes stand"),
    ),
)

CELL_CHANGES = TableSchema(
    "cell_changes",
    "one client × service whose numbers differ from the month before",
    ("client_id", "service_id"),
    (
        *_CELL,
        column("billed_before_qty", "qty", "units billed the month before; zero: no line", null=False),
        column("billed_after_qty", "qty", "units billed this month", null=False),
        column("expected_before_qty", "qty", "units that should have been billed; null: not known"),
        column("expected_after_qty", "qty", "and this month"),
        column("used_before_qty", "qty", "units in use; null: not known"),
        column("used_after_qty", "qty", "and this month"),
        column("purchased_before_qty", "qty", "units paid for; null: not known"),
        column("purchased_after_qty", "qty", "and this month"),
        column("monthly_before", "amount", "billed money a month, the month before; null: a price is not known"),
        column("monthly_after", "amount", "and this month"),
        column("monthly_change", "amount", "after − before; null: one of them is not known, or the currency changed"),
        column("currency", "text", "ISO 4217 of this month", null=False),
    ),
)

RECENT_CHANGES = TableSchema(
    "recent_changes",
    "one client and currency: how far its monthly billing moved since the month before (field metric: badge from 10 %)",
    ("client_id", "currency"),
    (
        required("client_id", "client"),
        required("client_name", "its name"),
        column("billed_before", "amount", "money a month on its lines, the month before; null: a price is not known"),
        column("billed_after", "amount", "and this month"),
        column("change_amount", "amount", "net: after − before"),
        column("change_pct", "qty", "change ÷ this month's billing × 100, to a hundredth; null: nothing is billed now"),
        column("is_marked", "bool", "10 % or more either way, or all of it gone", null=False),
        column("currency", "text", "ISO 4217", null=False),
    ),
)

METRICS = TableSchema(
    "metrics",
    "one field metric of the month",
    ("metric",),
    (
        required("metric", "its name"),
        column("value_pct", "qty", "percent, to a hundredth; null: nothing to divide by"),
        column("numerator", "qty", "above the line", null=False),
        column("denominator", "qty", "below the line", null=False),
        column("about", "text", "what is divided by what, and what is left out", null=False),
    ),
)
