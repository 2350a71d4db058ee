"""One person at the mappings of one month: one decision at a time, or several after a preview; each is in the ledger at once.

The notebook's widget and the marimo board both go through here. What somebody else decided since the month was opened is never decided
over: the answer says so, and the page is run again (T125, T127, T129).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from reconlib.errors import DataError, SettingsError, SignOffError
from reconlib.ledger import Event, open_ledger
from reconlib.month import Month, month_events
from reconlib.people import check_name
from reconlib.reliability import Judged, judge_candidates
from reconlib.review.bulk import BulkPreview
from reconlib.review.decisions import keyed, mapping_event, refuse_decided_since, refuse_signed, replaced_service, shown_values
from reconlib.review.folds import mapping_decisions
from reconlib.review.undo import take_back

REVIEW_AFTER_DAYS = 365  # an exclusion is looked at again after a year, unless another day is given (T130)
Row = Mapping[str, Any]


def judge_month(month: Month) -> list[Judged]:
    """Candidates decided on up to this month, and whether each was right by what stands now."""
    events = [event for event in month_events(month) if event.period <= str(month.mapping_period)]
    return judge_candidates(events, mapping_decisions(events, as_of=month.as_of, period=month.mapping_period))


class MappingReview:
    """Decisions on the mappings of one month by one person; holds what had been decided when it was opened."""

    def __init__(self, month: Month, who: str = "", *, events: Sequence[Event] | None = None) -> None:
        """The month opened by somebody.

        Args:
            month: whose mappings they are.
            who: empty: RECON_WHO of the environment; without either it can be looked at, and every decision is refused.
            events: what the ledger held when the rows were read; default: what it holds now.
        """
        self._month = month
        self._who = who or month.environ.get("RECON_WHO", "")
        known = month_events(month) if events is None else events
        self._known = {event.subject: event.seq for event in known if event.kind == "mapping_decided"}
        self._decided: Counter[str] = Counter()  # since it was opened, less what was taken back
        self.refusal = self._why_not(month_events(month))
        self.review_by = month.period.end + timedelta(days=REVIEW_AFTER_DAYS)

    def decide(self, row: Row, action: str, target: str = "", reason: str = "", until: date | None = None) -> list[Event]:
        """Record one answer: ``accept``, ``reject``, ``exclude`` or ``undo``, on a row of ACCOUNT_MAPPING or PRODUCT_MAPPING.

        Args:
            row: as it was shown; what it said is kept with the decision.
            action: ``undo`` takes this month's last decision back, and what stood before it stands again.
            target: the client or service, of ``accept`` and ``reject``.
            reason: an exclusion needs one.
            until: day an exclusion is looked at again; default a year after the month.

        Raises:
            DataError: it cannot be decided so, or somebody else decided it meanwhile.
            SettingsError: nobody is named.
            SignOffError: the month is signed.
        """
        relation, vendor_id = _about(row)
        if action == "undo":
            with open_ledger(self._month.ledger_url) as ledger:
                events = ledger.events(book=self._month.params.book)
            steps = take_back(events, relation=relation, source=row["source"], vendor_id=vendor_id, period=self._month.period)
        else:
            excluding = action == "exclude"
            steps = [
                {
                    "decision": "map" if action == "accept" else action,
                    "target_id": None if excluding else target or None,
                    "replaces": replaced_service(shown_values(row), target) if action == "accept" else None,
                    "why": reason,
                    "until": (until or self.review_by) if excluding else None,
                }
            ]
        events = self._record([(row, step) for step in steps])
        subject = _subject(row)
        if action != "undo":
            self._decided[subject] += 1
        elif self._decided[subject]:  # else what was taken back is from before it was opened
            self._decided[subject] -= 1
        return events

    def has_decided(self, row: Row) -> bool:
        """Whether a row was decided since the month was opened, and not taken back."""
        return self._decided[_subject(row)] > 0

    def accept_all(self, preview: BulkPreview) -> list[Event]:
        """Record one ordinary decision for every row of a preview, all or none.

        Raises:
            DataError: there is nothing in it, or somebody else decided one of its rows meanwhile.
            SettingsError: nobody is named.
            SignOffError: the month is signed.
        """
        if not preview.rows:
            raise DataError("no row would be accepted", where="bulk", hint="lower the threshold, or decide one by one")
        if again := [_subject(row) for row in preview.rows if self.has_decided(row)]:
            raise DataError(f"{again[0]} was decided since this was listed", where="bulk", hint="ask for the preview again")
        target = "client_id" if preview.relation == "account" else "service_id"
        events = self._record([(row, {"decision": "map", "target_id": row[target], "why": preview.why}) for row in preview.rows])
        self._decided.update(event.subject for event in events)
        return events

    def _why_not(self, events: Iterable[Event]) -> str:
        try:
            refuse_signed(events, self._month.params.book, str(self._month.period))
            check_name(self._who)
        except (SignOffError, SettingsError) as error:
            return str(error)
        return ""

    def _record(self, answers: Sequence[tuple[Row, Mapping[str, Any]]]) -> list[Event]:
        book, period = self._month.params.book, self._month.period
        facts: dict[str, Any] = {"book": book, "period": period, "who": check_name(self._who), "at": self._month.now()}
        events = []
        for row, answer in answers:
            relation, vendor_id = _about(row)
            about: dict[str, Any] = {"relation": relation, "source": row["source"], "vendor_id": vendor_id}
            events.append(mapping_event(**facts, **about, **{"seen": shown_values(row), **answer}))

        def check(standing: list[Event]) -> None:
            refuse_signed(standing, book, str(period))
            refuse_decided_since(standing, {(event.kind, event.subject): self._known.get(event.subject, 0) for event in events})

        with open_ledger(self._month.ledger_url) as ledger:
            last = {event.subject: event for event in ledger.events(book=book, kind="mapping_decided")}
            recorded = ledger.append_all([keyed(event, last.get(event.subject)) for event in events], check=check)
        self._known |= {event.subject: event.seq for event in recorded}
        return recorded


def _about(row: Row) -> tuple[str, str]:
    relation = "account" if "vendor_account_id" in row else "product"
    return relation, row[f"vendor_{relation}_id"]


def _subject(row: Row) -> str:
    relation, vendor_id = _about(row)
    return f"{relation}/{row['source']}/{vendor_id}"
