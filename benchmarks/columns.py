"""Arrow columns out of whole arrays of numbers, without a Python object a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def words_column(places: np.ndarray, words: list[Any]) -> pa.Array:
    """Texts by their places in a list; null where the list says None."""
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), pa.array(words, pa.string())).dictionary_decode()


def _letters(matrix: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    rows, width = matrix.shape
    lengths = np.full(rows, width) if missing is None else np.where(missing, 0, width)
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    kept = matrix if missing is None else matrix[~missing]
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    return pa.StringArray.from_buffers(
        rows, pa.py_buffer(offsets.tobytes()), pa.py_buffer(kept.tobytes()), valid, -1 if missing is not None else 0
    )


def digits_column(numbers: np.ndarray, width: int) -> pa.Array:
    """Whole numbers as text of one width, zeros in front."""
    powers = 10 ** np.arange(width - 1, -1, -1)
    return _letters((numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8))


def serials_column(bits: np.ndarray, missing: np.ndarray) -> pa.Array:
    """Serial numbers of twelve letters and digits out of 64 random bits; null where missing."""
    alphabet = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRSTUVWX", np.uint8)
    shifts = np.uint64(5) * np.arange(12, dtype=np.uint64)
    return _letters(alphabet[(bits[:, None] >> shifts & np.uint64(31)).astype(np.int64)], missing)


def decimals_column(millionths: np.ndarray) -> pa.Array:
    """DECIMAL(18, 6) out of millionths, none below zero."""
    halves = np.zeros((len(millionths), 2), np.int64)
    halves[:, 0] = millionths
    return pa.Array.from_buffers(pa.decimal128(18, 6), len(millionths), [None, pa.py_buffer(halves.tobytes())])


def evidence_column(source: str, numbers: np.ndarray) -> pa.Array:
    """Where each record stands: source, snapshot, page and row, a hundred rows a page."""
    rows = words_column(numbers % 100, [f"/r{n}" for n in range(100)])
    return pc.binary_join_element_wise(pa.scalar(f"{source}/abcdef012345/p"), digits_column(numbers // 100, 6), rows, "")
