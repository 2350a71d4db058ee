"""Decisions of people as data: recorded in the ledger, bound to what was seen, folded back into the month (T124, T125, T130)."""

from __future__ import annotations

from reconlib.review.decisions import (
    CAUSES,
    CHANGE_KINDS,
    FINDING_DECISIONS,
    MAPPING_DECISIONS,
    finding_event,
    mapping_event,
    record_finding_decision,
    record_mapping_decision,
)
from reconlib.review.folds import (
    MappingDecision,
    apply_finding_decisions,
    finding_decisions,
    mapping_decisions,
    values_changed,
)
from reconlib.review.queue import QUEUE_COLUMNS, Imported, RejectedRow, export_queue, import_decisions, read_decisions, write_queue

__all__ = [
    "CAUSES",
    "CHANGE_KINDS",
    "FINDING_DECISIONS",
    "MAPPING_DECISIONS",
    "QUEUE_COLUMNS",
    "Imported",
    "MappingDecision",
    "RejectedRow",
    "apply_finding_decisions",
    "export_queue",
    "finding_decisions",
    "finding_event",
    "import_decisions",
    "mapping_decisions",
    "mapping_event",
    "read_decisions",
    "record_finding_decision",
    "record_mapping_decision",
    "values_changed",
    "write_queue",
]
