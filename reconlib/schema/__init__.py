"""The tables every stage reads and writes: the only list of columns.

Quantities and money are ``DECIMAL(18, 6)``, never float; dates are days, ``_at`` is UTC. A null is "not known", never zero (T1).
``evidence`` walks a row back to bytes: ``source/snapshot id/p<page>/r<record>``, several separated by a space.
"""

from reconlib.schema.canonical import CANONICAL
from reconlib.schema.mapping import ACCOUNT_MAPPING, EVIDENCE_KINDS, PRODUCT_MAPPING, SPLIT_PARTS
from reconlib.schema.over_time import CELL_CHANGES, CHRONIC, METRICS, RECENT_CHANGES, RENEWALS, ROLL_FORWARD
from reconlib.schema.stages import (
    CHANGES,
    COMPARISON,
    COUNTS,
    FINDINGS,
    LINE_BUCKETS,
    RECORD_BUCKETS,
    RECORDS,
    REJECTS,
    SOURCE_STATUS,
    STAGES,
)
from reconlib.schema.tables import Column, Kind, TableSchema, check_table, make_table
from reconlib.schema.vendor_audit import VENDOR_AUDIT

__all__ = [
    "ACCOUNT_MAPPING",
    "CANONICAL",
    "CELL_CHANGES",
    "CHANGES",
    "CHRONIC",
    "COMPARISON",
    "COUNTS",
    "EVIDENCE_KINDS",
    "FINDINGS",
    "LINE_BUCKETS",
    "METRICS",
    "PRODUCT_MAPPING",
    "RECENT_CHANGES",
    "RECORDS",
    "RECORD_BUCKETS",
    "REJECTS",
    "RENEWALS",
    "ROLL_FORWARD",
    "SOURCE_STATUS",
    "SPLIT_PARTS",
    "STAGES",
    "VENDOR_AUDIT",
    "Column",
    "Kind",
    "TableSchema",
    "check_table",
    "make_table",
]
