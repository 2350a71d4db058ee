"""Where a made-up book stands, and the few facts every runner must know about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from reconlib.period import Period, parse_period
from reconlib.rules import Rules, read_rules

if TYPE_CHECKING:
    import pyarrow as pa

PERIOD: Period = parse_period("2026-10")
AS_OF = date(2026, 10, 31)
AS_OF_DAY = (AS_OF - date(1970, 1, 1)).days
CURRENCY = "USD"
RULES = Path(__file__).parent / "rules.yaml"
CONNECTORS = {"edr": "huntress", "m365": "msgraph", "rmm": "ninjaone"}
SMALL = ("clients", "services", "agreements", "agreement_lines", "vendor_accounts", "vendor_products", "purchases")


@dataclass(frozen=True)
class Book:
    """One made-up book on disk."""

    folder: Path

    @property
    def usage(self) -> Path:
        """Parquet of the usage records."""
        return self.folder / "usage_records.parquet"

    @property
    def rules(self) -> Rules:
        """The book's rules."""
        return read_rules([RULES])

    def table(self, name: str) -> pa.Table:
        """One of the small tables: canonical ones, both mappings, source_status."""
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.folder / f"{name}.parquet").read(use_threads=False)  # small; read_table would import much more
