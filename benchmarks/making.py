"""Writes a made-up book as Parquet. What is billed is what the book counts, with a difference planted in every eighth line."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.book import CONNECTORS, Book
from benchmarks.records import MICRO, PRODUCTS, SHARE_PCT, Records
from reconlib.schema import ACCOUNT_MAPPING, CANONICAL, PRODUCT_MAPPING, SOURCE_STATUS, make_table

SEED = 20261031
CHUNK_ROWS = 1 << 20  # made and written at a time: one row group, as the project writes its own tables


def make_book(folder: Path, records: int, *, clients: int = 0, seed: int = SEED) -> Book:
    """Writes a book of so many usage records (``clients``: 0 for one in five thousand, at least 200); what stands there is kept."""
    book = Book(folder)
    done = folder / "done"
    wanted = f"{records} {clients} {seed}\n"
    if done.exists() and done.read_text() == wanted:
        return book
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    maker = Records(clients or max(200, records // 5_000), seed)
    schema = CANONICAL["usage_records"].arrow()
    with pq.ParquetWriter(book.usage, schema, compression="zstd") as writer:
        for source, share in SHARE_PCT.items():
            rows = records * share // 100
            for start in range(0, rows, CHUNK_ROWS):
                count = min(CHUNK_ROWS, rows - start)
                writer.write_table(maker.usage(source, start, count, rows, schema), row_group_size=CHUNK_ROWS)
    for name, table in _small_tables(maker).items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    done.write_text(wanted)
    return book


def _small_tables(maker: Records) -> dict[str, pa.Table]:
    """Everything but the usage records."""
    codes = [f"C{n:05d}" for n in range(maker.clients)]
    psa = {"source": "psa"}
    services = [
        {
            "service_id": f"s{n:02d}",
            "service_code": code,
            "service_name": f"Service {code}",
            "is_active": True,
            "unit_price": _price(n),
            **psa,
        }
        for n, code in enumerate(maker.services)
    ]
    made: dict[str, list[dict[str, Any]]] = {
        "clients": [
            {"client_id": str(n), "client_name": f"Client {n}", "client_code": code, "is_deleted": False, "is_billable": True, **psa}
            for n, code in enumerate(codes)
        ],
        "services": services,
        "agreements": [
            {"agreement_id": f"a{n}", "agreement_name": f"Managed services {n}", "client_id": str(n), "status": "Active",
             "start_date": date(2024, 1, 1), "cycle_months": 12 if n % 20 == 0 else 1, **psa}
            for n in range(maker.clients)
        ],
        "agreement_lines": list(_lines(maker)),
        "vendor_accounts": [],
        "vendor_products": [
            {"source": source, "vendor_product_id": p, "product_name": p, "sku": p, "is_free": p == "FLOW_FREE"}
            for source, products in PRODUCTS.items()
            for p in products
        ],
    }  # fmt: skip
    mapping = _account_mapping(maker)
    made["vendor_accounts"] = [{k: row[k] for k in ("source", "vendor_account_id", "account_name")} for row in mapping]
    for rows in made.values():
        for number, row in enumerate(rows):
            row["evidence"] = f"{row['source']}/abcdef012345/p{number // 100:05d}/r{number % 100}"
    tables = {name: make_table(schema, made.get(name, [])) for name, schema in CANONICAL.items() if name != "usage_records"}
    tables["account_mapping"] = make_table(ACCOUNT_MAPPING, mapping)
    tables["product_mapping"] = make_table(PRODUCT_MAPPING, _product_mapping(maker, services))
    read_at = datetime(2026, 11, 1, 6, tzinfo=UTC)
    tables["source_status"] = make_table(
        SOURCE_STATUS,
        [
            {"source": s, "connector": c, "status": "complete", "snapshot_id": "abcdef012345", "as_of_at": read_at, "pages": 1,
             "records": 1, "rejects": 0, "exit_code": 0}
            for s, c in CONNECTORS.items()
        ],
    )  # fmt: skip
    return tables


def _lines(maker: Records) -> list[dict[str, Any]]:
    """What is billed: most of what is counted; in every eighth line something else."""
    place = {code: n for n, code in enumerate(maker.services)}
    random = np.random.default_rng(maker.seed + 1)
    rows: list[dict[str, Any]] = []
    for client in range(maker.clients):
        bundled = client % 3 == 0
        for code in maker.services:
            counted = int(maker.counted[client, place["RMM-WS" if code == "CARE" else code]])
            quantity = {"VOIP": 5 * MICRO, "VCIO": MICRO}.get(code, counted)
            if (code == "CARE") != bundled and code in ("CARE", "RMM-WS", "EDR-WS"):
                continue
            if random.random() < 0.1 and code not in ("CARE", "RMM-WS"):
                continue
            if random.random() < 0.125:
                quantity = max(0, quantity + int(random.integers(-5, 6)) * MICRO)
            rows.append(
                {
                    "agreement_line_id": f"l{len(rows)}",
                    "agreement_id": f"a{client}",
                    "client_id": str(client),
                    "service_id": f"s{place[code]:02d}",
                    "quantity_qty": Decimal(quantity).scaleb(-6),
                    "included_qty": Decimal(0),
                    "unit_price": _price(place[code]),
                    "unit_cost": _price(place[code]) / 2,
                    "billable": "billable",
                    "effective_date": date(2024, 1, 1),
                    "source": "psa",
                }
            )
    return rows


def _account_mapping(maker: Records) -> list[dict[str, Any]]:
    """Every account with its client; two of a hundred wait for a decision, one is excluded."""
    rows = []
    for source in CONNECTORS:
        ids = maker.account_ids(source)
        owner: dict[int, int] = {}
        for accounts in maker.accounts[source]:
            owner |= {int(account): client for client, account in enumerate(accounts) if account >= 0}
        for number, account in enumerate(ids):
            luck = int(maker.draw("mapping", source, np.array([number]))[0] % np.uint64(100))
            link: dict[str, Any] = {
                "state": "mapped",
                "client_id": str(owner[number]),
                "client_name": f"Client {owner[number]}",
                "decided_by": "id",
            }
            if luck < 3:
                link = {"state": "excluded" if luck == 0 else "unmapped"}
            rows.append(
                {"source": source, "vendor_account_id": account, "account_name": f"Account {number}", "units_qty": Decimal(0),
                 "evidence": f"{source}/abcdef012345/a{number}", **link}
            )  # fmt: skip
    return rows


def _product_mapping(maker: Records, services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every product with the services the rules count it for."""
    by_code = {row["service_code"]: row for row in services}
    rows = []
    for source, connector in CONNECTORS.items():
        for product in PRODUCTS[source]:
            fed = [c for c, r in maker.rules.services.items() if any(u.connector == connector and product in u.products for u in r.used)]
            base = {"source": source, "vendor_product_id": product, "product_name": product, "sku": product, "units_qty": Decimal(0)}
            base["evidence"] = f"{source}/abcdef012345/{product}"
            links = [
                {"state": "mapped", "decided_by": "rule", **{k: by_code[c][k] for k in ("service_id", "service_code", "service_name")}}
                for c in fed
            ]
            rows += [{**base, **link} for link in links or [{"state": "unmapped"}]]
    return rows


def _price(number: int) -> Decimal:
    return Decimal(250 + 137 * number) / 100


if __name__ == "__main__":
    make_book(Path(sys.argv[1]), int(sys.argv[2]))
