"""One finding explained: how its numbers came about, under which rule, from which records, down to the vendor's own bytes."""

from reconlib.explain.finding import Explanation, explain_finding, explain_first, find_finding
from reconlib.explain.sections import MANY_RECORDS, Section, count_months, explain_sections, show_explanation, text_rows
from reconlib.explain.units import find_units, write_units
from reconlib.explain.vendor_record import VendorRecord, is_address, read_vendor_record

__all__ = [
    "MANY_RECORDS",
    "Explanation",
    "Section",
    "VendorRecord",
    "count_months",
    "explain_finding",
    "explain_first",
    "explain_sections",
    "find_finding",
    "find_units",
    "is_address",
    "read_vendor_record",
    "show_explanation",
    "text_rows",
    "write_units",
]
