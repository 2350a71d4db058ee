"""The labelled sets, as the matcher is given them, and the open world made of them: some right rows have no right answer.

The files are public data kept in a folder ``shared`` beside the project (``RECON_SHARED`` names another place); nothing of them is copied
into it. A set is left rows (what we own), right rows (what a vendor calls it) and the true pairs. Every choice is made by a hash of the
seed and the id, so that the same rows are taken on every machine, whatever their order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pandas as pd

Relation = Literal["one_to_one", "many_to_one"]

PROJECT = Path(__file__).resolve().parents[2]
REMOVED_SHARE = 0.3  # of the left rows that have a partner
KNOWN_SHARE = 0.5  # of the right rows, when half the labels are known


class SharedDataAbsentError(Exception):
    """The labelled sets are not on this machine."""

    def __init__(self) -> None:
        super().__init__("shared data absent: quality not measured")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to match, and what is true of it. Frames are indexed 0..n; texts, null where unknown."""

    name: str
    left: pd.DataFrame  # id, name, and what else the set has of domain, phone, address, sku
    right: pd.DataFrame  # likewise
    truth: pd.DataFrame  # right_id, left_id: the pairs that are true and still possible
    relation: Relation
    decisions: pd.DataFrame | None = None  # right_id, left_id, decision: what is known beforehand
    asked: frozenset[str] | None = None  # right ids the measures are taken over; None: all
    judged: frozenset[tuple[str, str]] | None = field(default=None, repr=False)  # (right_id, left_id) with a label; None: all pairs


def shared_data(given: str | Path | None = None) -> Path:
    """The folder that holds the sets.

    Raises:
        SharedDataAbsentError: Neither the argument, nor RECON_SHARED, nor the sibling folder ``shared`` has one.
    """
    root = Path(given or os.environ.get("RECON_SHARED") or PROJECT.parent / "shared")
    if not (root / "data").is_dir():
        raise SharedDataAbsentError
    return root / "data"


def load_case(name: str, shared: str | Path | None = None) -> Case:
    """One set by its name, whole: every label, nothing removed, nothing known.

    Raises:
        SharedDataAbsentError: The set is not on this machine.
    """
    folder = shared_data(shared) / name
    if not folder.is_dir():
        raise SharedDataAbsentError
    return SETS[name](folder)


def open_world(case: Case, seed: int = 0) -> Case:
    """The case without 30 % of the left rows that have a partner: what they were partner of has no right answer any more."""
    gone = _chosen(case.truth["left_id"].unique(), seed, "removed", REMOVED_SHARE)
    return replace(
        case,
        left=_rows(case.left, ~case.left["id"].isin(gone)),
        truth=_rows(case.truth, ~case.truth["left_id"].isin(gone)),
        judged=None if case.judged is None else frozenset(pair for pair in case.judged if pair[1] not in gone),
    )


def half_labels(case: Case, seed: int = 0) -> Case:
    """The case with half its right rows decided beforehand; only the other half is measured.

    Called on an open world, a known row whose partner was removed is a decision too: it has no partner ("exclude").
    """
    known = _chosen(case.right["id"], seed, "known", KNOWN_SHARE)
    return _with_decisions(case, known, frozenset(case.right["id"]) - known)


def some_labels(case: Case, count: int, seed: int = 0) -> Case:
    """The case with ``count`` right rows decided beforehand, the ones with the smallest hash; only the others are measured."""
    ranked = sorted(case.right["id"], key=lambda one: _share(seed, "known", one))
    return _with_decisions(case, frozenset(ranked[:count]), frozenset(ranked[count:]))


def sample_rows(case: Case, count: int, seed: int = 0) -> Case:
    """A smaller case of the same kind: ``count`` right rows by hash, their partners, and as many other left rows."""
    right = _ranked(case.right["id"], seed)[:count]
    truth = _rows(case.truth, case.truth["right_id"].isin(right))
    partners = frozenset(truth["left_id"])
    others = [one for one in _ranked(case.left["id"], seed) if one not in partners][:count]
    left = _rows(case.left, case.left["id"].isin(partners.union(others)))
    return replace(case, left=left, right=_rows(case.right, case.right["id"].isin(right)), truth=truth)


def _ranked(ids: Iterable[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda one: _share(seed, "sampled", one))


def _with_decisions(case: Case, known: frozenset[str], asked: frozenset[str]) -> Case:
    partner = case.truth.drop_duplicates("right_id").set_index("right_id")["left_id"]
    right_ids = [one for one in case.right["id"] if one in known]
    left_ids = [partner.get(one) for one in right_ids]
    decisions = pd.DataFrame(
        {"right_id": right_ids, "left_id": left_ids, "decision": ["exclude" if one is None else "map" for one in left_ids]}, dtype="str"
    )
    return replace(case, truth=_rows(case.truth, case.truth["right_id"].isin(asked)), decisions=decisions, asked=asked)


def _share(seed: int, purpose: str, one: str) -> float:
    """A number 0..1 that belongs to this id, seed and purpose."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}:{one}".encode()).digest()[:8]) / 2**64


def _chosen(ids: Iterable[str], seed: int, purpose: str, share: float) -> frozenset[str]:
    return frozenset(one for one in ids if _share(seed, purpose, one) < share)


def _rows(frame: pd.DataFrame, kept: pd.Series) -> pd.DataFrame:
    return frame[kept].reset_index(drop=True)


def _three_files(relation: Relation, *columns: str) -> Callable[[Path], Case]:
    """A reader of left.csv, right.csv and truth.csv; ``columns`` are the ones given to the matcher besides id and name."""

    def read(folder: Path) -> Case:
        left, right, truth = (_read_text(folder / f"{side}.csv") for side in ("left", "right", "truth"))
        return Case(folder.name, _given(left, columns), _given(right, columns), _pairs(truth), relation)

    return read


def _name_domain(folder: Path) -> Case:
    """Names against web domains: the domain is all that is known of the right row, so it stands as its name as well."""
    case = _three_files("one_to_one")(folder)
    return replace(case, right=case.right.assign(domain=case.right["name"]))


def _sku(folder: Path) -> Case:
    """Old display names against today's products; the left id is the SKU's GUID. The right row is a name and nothing else."""
    left, right, truth = (_read_text(folder / f"{side}.csv") for side in ("left", "right", "truth"))
    left = left[["id", "name", "string_id"]].rename(columns={"string_id": "sku"})
    return Case(folder.name, left, right[["id", "name"]], _pairs(truth), "many_to_one")


def _amazon_google(folder: Path) -> Case:
    """Software over two shops: the labelled candidate pairs (train and valid). A record is its title and maker; prices are left out.

    A record has no id but its text, so its text is its id. A link between records that nobody labelled is neither right nor wrong.
    """
    pairs = pd.concat([_read_text(folder / f"ditto_{part}.csv") for part in ("train", "valid")])
    pairs = pairs.assign(left_id=pairs["a"].map(_title), right_id=pairs["b"].map(_title))
    labels = pairs.groupby(["right_id", "left_id"])["label"].max().reset_index()
    left, right = (sorted(labels[key].unique()) for key in ("left_id", "right_id"))
    truth = _rows(labels[["right_id", "left_id"]], labels["label"] == "1")
    judged = frozenset(zip(labels["right_id"], labels["left_id"], strict=True))
    frames = [pd.DataFrame({"id": side, "name": side}) for side in (left, right)]
    return Case(folder.name, frames[0], frames[1], truth, "many_to_one", judged=judged)


def _title(record: str) -> str:
    """``COL title VAL … COL manufacturer VAL … COL price VAL …`` as "maker title", the maker once."""
    values = dict(part.split(" VAL", 1) for part in record.split("COL ")[1:])
    title, maker = values["title"].strip(), values["manufacturer"].strip()
    return title if not maker or maker in title else f"{maker} {title}"


def _pairs(truth: pd.DataFrame) -> pd.DataFrame:
    return truth.rename(columns={"lid": "left_id", "rid": "right_id"})[["right_id", "left_id"]]


def _given(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    return frame[["id", "name", *columns]]


def _read_text(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    return frame.mask(frame == "", None)


SETS: dict[str, Callable[[Path], Case]] = {
    "canlobby": _three_files("many_to_one"),
    "sec_listings": _three_files("one_to_one"),
    "sec_yahoo": _three_files("one_to_one"),  # by name only
    "chicago_sites": _three_files("many_to_one", "address", "phone"),
    "twofa_name_domain": _name_domain,
    "fd_name_domain": _name_domain,
    "ms_sku_drift": _sku,
    "ms_sku_2018": _sku,
    "amazon_google": _amazon_google,
}
CLOSED = frozenset(("ms_sku_drift", "ms_sku_2018", "amazon_google"))  # top-1 of products; labelled pairs: nothing is removed
