"""AUTO is never wrong on Microsoft's renames: the names of 2018 and of later years against the names of today, by name only and by part number.

The tables are Microsoft's own, kept in a folder ``shared`` beside this project; without it only the pairs of hard_pairs.csv are tried.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matching.pairs import links

from reconlib.matching import suggest_links

DATA = Path(__file__).parents[3] / "shared" / "data"


def read_set(name: str) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, set[str]]]:
    """Left, right, and right id → left ids that are right: every product the same old name stood for, under every id of its name of today."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no table of renames: {name} is not beside this project")
    left, right, truth = (pd.read_csv(folder / f"{part}.csv", dtype=str, keep_default_na=False) for part in ("left", "right", "truth"))
    today = left.groupby(left["name"].str.casefold())["id"].agg(set)
    name_of = dict(zip(left["id"], left["name"].str.casefold(), strict=True))
    known = right.merge(truth, left_on="id", right_on="rid")
    meant = known.groupby(known["name"].str.casefold())["lid"].agg(lambda ids: set().union(*(today[name_of[one]] for one in ids)))
    return left, right, {row.id: meant[row.name.casefold()] for row in known.itertuples(index=False)}


@pytest.mark.parametrize("relation", ["many_to_one", "one_to_one"])
@pytest.mark.parametrize("name", ["ms_sku_2018", "ms_sku_drift"])
def test_no_wrong_auto_by_the_old_name_alone(name: str, relation: str) -> None:
    left, right, truth = read_set(name)
    told, ours = dict(zip(right["id"], right["name"], strict=True)), dict(zip(left["id"], left["name"], strict=True))
    answers = links(suggest_links(left[["id", "name"]], right[["id", "name"]], relation=relation))
    wrong = [
        f"{told[row['right_id']]} ≠ {ours[row['left_id']]} (p {row['probability']:.3f}, {row['decided_by']}: {row['reason']})"
        for row in answers
        if row["verdict"] == "AUTO" and row["left_id"] not in truth[row["right_id"]]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_wrong_auto_where_the_product_of_the_old_name_is_not_ours() -> None:
    """The trap at its worst: the licence of today that bears the old words is there, and the one that is meant is not."""
    left, right, truth = read_set("ms_sku_2018")
    missing = set().union(*truth.values())
    kept = left[~left["id"].isin(missing)]
    ours, told = dict(zip(kept["id"], kept["name"], strict=True)), dict(zip(right["id"], right["name"], strict=True))
    answers = links(suggest_links(kept[["id", "name"]], right[["id", "name"]], relation="many_to_one"))
    wrong = [
        f"{told[row['right_id']]} ≠ {ours[row['left_id']]} (p {row['probability']:.3f})" for row in answers if row["verdict"] == "AUTO"
    ]
    assert not wrong, "\n".join(wrong)


def test_the_part_number_finds_what_the_name_hides() -> None:
    left, right, _ = read_set("ms_sku_2018")
    parts = left.assign(sku=left["string_id"])[["id", "name", "sku"]], right.assign(sku=right["string_id"])[["id", "name", "sku"]]
    by_part = dict(zip(left["string_id"], left["id"], strict=True))
    found = {row["right_id"]: row["left_id"] for row in links(suggest_links(*parts, relation="many_to_one"))}
    assert found == {row.id: by_part[row.string_id] for row in right.itertuples(index=False)}
