"""Decisions by click in a live notebook: a queue of rows, every click handed to a function that records it.

A headless run never waits: the widget only shows, the ledger decides, and a static table of the same rows always stands beside it
(STYLE, "Notebooks", 4). Without the ``lab`` extra there is no widget and nothing is missing.
"""

from reconlib.widgets.findings import finding_queue
from reconlib.widgets.mappings import mapping_queue

__all__ = ["finding_queue", "mapping_queue"]
