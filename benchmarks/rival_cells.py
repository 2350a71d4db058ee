"""From counts to cells for pandas and polars: whole matrices of clients × services in millionths, so exact and a few milliseconds.

Shared by both, so that what is measured is what each does with the records.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.book import CURRENCY
from reconlib.comparison import money_a_month
from reconlib.pricing import price_difference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.book import Book
    from benchmarks.rival_plan import Plan

MICRO = 1_000_000
NO_END = np.iinfo(np.int64).max
Matrix = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def cells_of(book: Book, plan: Plan, used: Matrix, later: Matrix) -> pa.Table:
    """Every cell's used, expected and billed quantity and the money between them; ``used`` and ``later`` in millionths."""
    shape = (len(plan.clients), len(plan.services))
    place = {row["service_code"]: n for n, row in enumerate(plan.services)}
    lines = book.table("agreement_lines")
    client = _places(lines["client_id"], plan.clients)
    service = _places(lines["service_id"], [row["service_id"] for row in plan.services])
    billed, line_count = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(billed, (client, service), _millionths(lines["quantity_qty"]))
    np.add.at(line_count, (client, service), 1)
    has_line = line_count > 0
    known = np.zeros(shape, bool)
    for spec in plan.specs:
        known[[n for (source, _), n in plan.client_of.items() if source == spec.source], spec.service] = True
    counted = known.copy()  # what a bundle asks for may be unknown where the count itself is known
    gross, included = _gross(plan, used, place)
    due = np.maximum(gross - included, 0)
    component = np.zeros(shape, bool)
    for code, rule in plan.rules.services.items():
        if rule.bundle is None:
            continue
        bundle, anchor = place[code], place[rule.bundle.anchor]
        sold, cover = has_line[:, bundle], gross[:, anchor] - billed[:, anchor]
        cover = np.maximum(cover, 0)
        due[sold, bundle], known[sold, bundle] = cover[sold], known[sold, anchor]
        for part, units in rule.bundle.covers.items():
            at = place[part]
            component[:, at] |= sold
            rest = gross[:, at] - cover * int(units) - included[:, at]
            inside = np.minimum(billed[:, at], np.maximum(gross[:, at] - included[:, at], 0)) if at == anchor else np.maximum(rest, 0)
            due[sold, at] = inside[sold]
            known[sold, at] &= known[sold, anchor]
    shown = has_line | (counted & ((used != 0) | (later != 0) | component))
    clients, services = np.nonzero(shown)
    return _table(book, plan, (clients, services), (used, due, billed), (counted, known))


def _gross(plan: Plan, used: Matrix, place: dict[str, int]) -> tuple[Matrix, Matrix]:
    """What counts ask for after exclusions, minimum and maximum; and included units."""
    shape = used.shape
    low, high = np.zeros(shape, np.int64), np.full(shape, NO_END)
    included, excluded = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for code, rule in plan.rules.services.items():
        low[:, place[code]] = _micro(rule.minimum or Decimal(0))
        included[:, place[code]] = _micro(rule.included)
        if rule.maximum is not None:
            high[:, place[code]] = _micro(rule.maximum)
    client = {f"C{int(number):05d}": n for n, number in enumerate(plan.clients)}
    for override in plan.rules.overrides:
        at = client[override.client], place[override.service]
        excluded[at] = _micro(override.exclude_units)
        low[at] = low[at] if override.minimum is None else _micro(override.minimum)
        included[at] = included[at] if override.included is None else _micro(override.included)
    return np.minimum(np.maximum(used - excluded, low), np.where(high == NO_END, np.maximum(used, low), high)), included


def _table(
    book: Book,
    plan: Plan,
    where: tuple[Matrix, Matrix],
    quantities: tuple[Matrix, Matrix, Matrix],
    flags: tuple[Flags, Flags],
) -> pa.Table:
    used, due, billed = (matrix[where] for matrix in quantities)
    counted, known = (matrix[where] for matrix in flags)
    clients, services = where
    expects = np.array([plan.rules.services[row["service_code"]].basis not in ("flat", "none") for row in plan.services])[services] & known
    variance = due - billed
    money: list[Decimal | None] = [Decimal(0) if yes else None for yes in expects.tolist()]
    price = [row["unit_price"] for row in plan.services]
    models = [plan.rules.services[row["service_code"]].price for row in plan.services]
    cycle = dict(zip(*(book.table("agreements")[name].to_pylist() for name in ("client_id", "cycle_months")), strict=True))
    lines = book.table("agreement_lines")
    billed_at = set(zip(lines["client_id"].to_pylist(), lines["service_id"].to_pylist(), strict=True))
    for i in np.nonzero(expects & (variance != 0))[0].tolist():
        at, owner = int(services[i]), plan.clients[int(clients[i])]
        model = models[at]
        if model is not None:
            money[i] = price_difference(model, _decimal(due[i]), _decimal(billed[i]), CURRENCY)
        else:
            months = cycle[owner] if (owner, plan.services[at]["service_id"]) in billed_at else 1
            money[i] = money_a_month(_decimal(variance[i]), price[at], months, CURRENCY)
    return pa.table(
        {
            "client_id": pa.array(plan.clients).take(pa.array(clients)),
            "service_id": pa.array([row["service_id"] for row in plan.services]).take(pa.array(services)),
            "used_qty": _decimals(used, counted),
            "expected_qty": _decimals(due, expects),
            "variance_qty": _decimals(variance, expects),
            "monthly_amount": pa.array(money, pa.decimal128(18, 6)),
        }
    )


def add_sums(matrix: Matrix, clients: Iterable[int], services: Iterable[int], quantities: pa.Array) -> None:
    """Adds exact decimals to a matrix of millionths."""
    np.add.at(matrix, (np.asarray(clients), np.asarray(services)), _millionths(quantities))


def _places(column: pa.ChunkedArray, names: list[str]) -> Matrix:
    import pyarrow.compute as pc

    return np.asarray(pc.index_in(column, pa.array(names)).to_numpy(), np.int64)


def _millionths(decimals: pa.Array | pa.ChunkedArray) -> Matrix:
    import pyarrow.compute as pc

    whole = pc.multiply(decimals.cast(pa.decimal128(24, 6)), pa.scalar(Decimal(MICRO), pa.decimal128(8, 0))).cast(pa.int64())
    return np.asarray(whole.to_numpy(zero_copy_only=False) if isinstance(whole, pa.Array) else whole.to_numpy(), np.int64)


def _decimals(millionths: Matrix, valid: Flags) -> pa.Array:
    halves = np.stack([millionths, millionths >> 63], axis=1)
    bits = np.packbits(valid, bitorder="little")
    return pa.Array.from_buffers(pa.decimal128(18, 6), len(millionths), [pa.py_buffer(bits.tobytes()), pa.py_buffer(halves.tobytes())])


def _micro(quantity: Decimal) -> int:
    return int(quantity * MICRO)


def _decimal(millionths: np.int64) -> Decimal:
    return Decimal(int(millionths)).scaleb(-6)
