"""Vendors' names are hostile data: the matcher neither fails nor stalls on them, and says what is wrong with a table it cannot use.

What could stall runs in a process of its own that is killed after a minute; nothing here measures speed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matching.pairs import links

from reconlib.errors import DataError, ReconError
from reconlib.matching import suggest_links

RELATIONS = ("many_to_one", "one_to_one")
STALLED_SECONDS = 60
ROOT = Path(__file__).parents[2]
HOSTILE_NAMES = (
    "", " ", "\t\n", "\u200b", "\u200f", "\u202e\u202d", "\x00", "\x1b[31mred\x1b[0m", "\x7f\x80", "\ufeff", "\ufffd", "\U000e0001",
    "🦊", "🏳️‍🌈", "👩‍👩‍👧", "\u0301\u0301\u0301", "Z̷͑a̴l̵g̸o̶", "مكتبة النور", "שלום", "有限公司", "ﷺ", "ß", "İ", "ı", "№ 5", "½", "①", "Ⅷ", "٣",
    "-", "...", "&", "+ +", "()", "(", ")", "[]", "\\", "\\d+", ".*", "^$", "%s", "{0}", "{", "$(x)", "`x`", "'", '"', "'; DROP TABLE clients; --",
    "<script>alert(1)</script>", '=HYPERLINK("http://evil.example","x")', "nan", "NaN", "None", "null", "True", "0", "00", "-1", "1e309",
    "the", "The The", "Inc", "GmbH & Co. KG", "d/b/a", "dba dba dba", "c/o", "(", "a", "A", "aa", "1", "x" * 300, "word " * 200, "a.b.c.d.e.f.g.h",
    "http://", "https://x", "@", "@@", "x@", "@x.example", "..", "example..example", "xn--", "xn--a", "-.-", "[::1]", "127.0.0.1", "//", "C:\\x",
)  # fmt: skip
MORE = ("domain", "email", "phone", "address", "external_id", "sku", "term")
texts = st.one_of(st.sampled_from(HOSTILE_NAMES), st.text(max_size=12), st.none())
rows = st.lists(st.fixed_dictionaries({"name": texts}, optional=dict.fromkeys(MORE, texts)), min_size=0, max_size=6)


def table(names: list[Any], side: str, **more: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"{side}{n}" for n in range(len(names))], "name": names, **more}, dtype=object)


def check(left: pd.DataFrame, right: pd.DataFrame, relation: str) -> list[dict[str, Any]]:
    found = list(links(suggest_links(left, right, relation=relation)))
    assert [row["right_id"] for row in found] == right["id"].tolist()
    assert {row["left_id"] for row in found} <= {*left["id"], None}
    return found


@pytest.mark.parametrize("relation", RELATIONS)
def test_hostile_names_on_both_sides(relation: str) -> None:
    check(table(list(HOSTILE_NAMES), "L"), table(list(reversed(HOSTILE_NAMES)), "R"), relation)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("column", MORE)
def test_hostile_attributes_on_both_sides(column: str, relation: str) -> None:
    names = [f"Client {n}" for n in range(len(HOSTILE_NAMES))]
    values = list(HOSTILE_NAMES)
    check(table(names, "L", **{column: values}), table(names, "R", **{column: list(reversed(values))}), relation)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
@given(left=rows, right=rows, relation=st.sampled_from(RELATIONS))
def test_any_text_anywhere(left: list[dict[str, Any]], right: list[dict[str, Any]], relation: str) -> None:
    sides = [
        pd.DataFrame([{"id": f"{side}{n}", **row} for n, row in enumerate(rows)], columns=["id", "name", *MORE], dtype=object)
        for side, rows in (("L", left), ("R", right))
    ]
    check(sides[0], sides[1], relation)


@pytest.mark.parametrize("relation", RELATIONS)
def test_names_of_nothing_are_linked_to_nothing(relation: str) -> None:
    nothing = ["", " ", None, np.nan, pd.NA, "\u200b", "---", "…", "\x00", "\u202e"]
    found = check(table(nothing, "L"), table(nothing, "R"), relation)
    assert {row["verdict"] for row in found} == {"UNMATCHED"}
    assert {row["left_id"] for row in found} == {None}


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA, ""], ids=["None", "NaN", "NA", "empty"])
def test_fillers_in_attributes_are_no_evidence(empty: Any) -> None:
    more = {column: [empty, empty] for column in MORE}
    ours, theirs = ["Acme Dental", "Birch"], ["Acme Dental", "Elm"]
    bare = check(table(ours, "L"), table(theirs, "R"), "many_to_one")
    full = check(table(ours, "L", **more), table(theirs, "R", **more), "many_to_one")
    assert [_said(row) for row in full] == [_said(row) for row in bare]


def _said(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["left_id"], row["verdict"], None if pd.isna(row["probability"]) else row["probability"]


@pytest.mark.parametrize("relation", RELATIONS)
def test_lone_surrogates(relation: str) -> None:
    check(table(["\ud800", "Acme \udfff Dental", "Birch"], "L"), table(["\udfff", "Acme Dental", "\ud83d"], "R"), relation)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (0, 3), (3, 0), (1, 0)])
def test_empty_tables(ours: int, theirs: int, relation: str) -> None:
    names = ["Acme Dental", "Birch Freight", "Elm Hotels"]
    found = check(table(names[:ours], "L"), table(names[:theirs], "R"), relation)
    assert {row["verdict"] for row in found} <= {"UNMATCHED"}


def test_an_empty_answer_has_every_column() -> None:
    full = suggest_links(table(["Acme"], "L"), table(["Acme"], "R"), relation="many_to_one")
    empty = suggest_links(table(["Acme"], "L"), table([], "R"), relation="many_to_one")
    assert list(empty.columns) == list(full.columns)


def test_tables_without_a_single_column_beyond_id_and_name() -> None:
    found = check(table(["Acme Dental", "Birch Freight"], "L"), table(["Birch Freight"], "R"), "many_to_one")
    assert (found[0]["left_id"], found[0]["verdict"]) == ("L1", "AUTO")


def test_columns_nobody_asked_for_change_nothing() -> None:
    left, right = table(["Acme Dental", "Birch Freight"], "L"), table(["Birch Freight"], "R")
    extra = suggest_links(left.assign(colour="red"), right.assign(size=[object()]), relation="many_to_one")
    pd.testing.assert_frame_equal(extra, suggest_links(left, right, relation="many_to_one"))


@pytest.mark.parametrize("index", [[7, 7], ["x", "y"], [1, 0]])
def test_the_index_of_a_table_changes_nothing(index: list[Any]) -> None:
    left, right = table(["Acme Dental", "Birch Freight"], "L"), table(["Birch Freight", "Acme Dental"], "R")
    strange = suggest_links(left.set_axis(index), right.set_axis(index), relation="many_to_one")
    plain = suggest_links(left, right, relation="many_to_one")
    pd.testing.assert_frame_equal(strange.reset_index(drop=True), plain)


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_any_kind_of_text_column(dtype: Any) -> None:
    left, right = table(["Acme Dental", None, "Birch Freight"], "L"), table(["Birch Freight", None], "R")
    found = check(left.astype(dtype), right.astype(dtype), "many_to_one")
    assert [row["left_id"] for row in found] == ["L2", None]


@pytest.mark.parametrize("ids", [["1", "01"], ["1", "1.0"], ["a b", "a  b"], ["A", "a"], ["é", "e\u0301"], ["nan", "None"]], ids=str)
def test_ids_are_text_to_the_letter(ids: list[str]) -> None:
    names = ["Acme Dental", "Birch Freight"]
    frame = pd.DataFrame({"id": ids, "name": names}, dtype=object)
    answer = suggest_links(frame, frame, relation="one_to_one")
    assert answer["right_id"].tolist() == ids
    assert answer["left_id"].tolist() == ids


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_id_given_twice_is_named(side: str) -> None:
    once, twice = table(["Acme", "Birch"], "L"), pd.DataFrame({"id": ["C-77", "C-77"], "name": ["Acme", "Birch"]})
    with pytest.raises(DataError, match="C-77"):
        suggest_links(*((twice, once) if side == "left" else (once, twice)), relation="many_to_one")


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("empty", [None, np.nan, pd.NA], ids=["None", "NaN", "NA"])
def test_a_missing_id_is_an_error(side: str, empty: Any) -> None:
    good, bad = table(["Acme", "Birch"], "L"), pd.DataFrame({"id": ["x", empty], "name": ["Acme", "Birch"]}, dtype=object)
    with pytest.raises(DataError, match=r"\bid\b"):
        suggest_links(*((bad, good) if side == "left" else (good, bad)), relation="many_to_one")


@pytest.mark.parametrize("column", ["id", "name"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_missing_column_is_named(side: str, column: str) -> None:
    good = table(["Acme", "Birch"], "L")
    bad = good.drop(columns=column)
    with pytest.raises(DataError, match=column):
        suggest_links(*((bad, good) if side == "left" else (good, bad)), relation="many_to_one")


@pytest.mark.parametrize("relation", ["", "one-to-one", "n:1", "MANY_TO_ONE", None])
def test_an_unknown_relation_is_an_error(relation: Any) -> None:
    with pytest.raises((ReconError, ValueError), match="relation"):
        suggest_links(table(["Acme"], "L"), table(["Acme"], "R"), relation=relation)


@pytest.mark.parametrize(
    ("decision", "column"),
    [
        (("R9", "L0", "map"), "right_id"),
        (("R0", "L9", "map"), "left_id"),
        (("R0", "L9", "reject"), "left_id"),
        (("R9", None, "exclude"), "right_id"),
    ],
)
def test_a_decision_about_an_unknown_id_names_it_and_its_column(decision: tuple[str, str | None, str], column: str) -> None:
    decisions = pd.DataFrame([decision], columns=["right_id", "left_id", "decision"], dtype=object)
    with pytest.raises(DataError) as raised:
        suggest_links(table(["Acme"], "L"), table(["Acme"], "R"), relation="many_to_one", decisions=decisions)
    assert column in str(raised.value)
    assert next(value for value in decision if value and value.endswith("9")) in str(raised.value)


def test_an_unknown_word_for_a_decision_is_an_error() -> None:
    decisions = pd.DataFrame([("R0", "L0", "perhaps")], columns=["right_id", "left_id", "decision"], dtype=object)
    with pytest.raises(DataError, match="perhaps"):
        suggest_links(table(["Acme"], "L"), table(["Acme"], "R"), relation="many_to_one", decisions=decisions)


def test_decisions_without_the_optional_column_are_maps() -> None:
    decisions = pd.DataFrame([("R0", "L1")], columns=["right_id", "left_id"], dtype=object)
    found = links(suggest_links(table(["Acme", "Birch"], "L"), table(["Elm"], "R"), relation="many_to_one", decisions=decisions))
    assert [(row["left_id"], row["decided_by"]) for row in found] == [("L1", "decision")]


def test_no_decisions_are_no_decisions() -> None:
    left, right = table(["Acme Dental", "Birch"], "L"), table(["Acme Dental"], "R")
    empty = pd.DataFrame({"right_id": [], "left_id": [], "decision": []}, dtype=object)
    pd.testing.assert_frame_equal(
        suggest_links(left, right, relation="many_to_one", decisions=empty), suggest_links(left, right, relation="many_to_one")
    )


STALLS = {
    "one name two thousand times on each side": "['Acme Dental'] * 2000, ['Acme Dental'] * 2000",
    "two thousand clients against one name many times": "[f'Client {n} Dental' for n in range(2000)], ['Acme Dental'] * 2000",
    "names of ten thousand letters": "['x' * 10000, 'ab ' * 3333, '\\u0301' * 10000], ['x' * 9999, 'ba ' * 3333, 'ab ' * 3332, '(' * 10000]",
    "names of ten thousand words": "[' '.join(f'w{n}' for n in range(10000))] * 2, [' '.join(f'w{n}' for n in range(5000, 15000))] * 2",
    "names that set patterns thinking": "['a' * 5000 + '!', '-' * 9000, ' ' * 9000 + 'x'], ['d/b/a ' * 2000, '(((((' * 2000, '.a' * 5000]",
    "two thousand names of the same letters": "[f'{n:04} ' + 'Acme ' * 6 for n in range(2000)], [f'{n:04} ' + 'Acme ' * 5 for n in range(2000)]",
    "two thousand names with nothing in them": "[''] * 2000, ['---'] * 2000",
    "two thousand acronyms": "[''.join(chr(65 + n // k % 26) for k in (1, 26, 676)) for n in range(2000)], [' '.join(chr(65 + n // k % 26) + 'a' for k in (1, 26, 676)) for n in range(2000)]",
}


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("names", STALLS.values(), ids=STALLS.keys())
def test_neither_fails_nor_stalls(names: str, relation: str) -> None:
    code = f"""
import pandas as pd
from reconlib.matching import suggest_links
ours, theirs = {names}
left = pd.DataFrame({{"id": [f"L{{n}}" for n in range(len(ours))], "name": ours, "domain": "acme.example", "phone": "555-0100", "address": "1 High Street"}})
right = pd.DataFrame({{"id": [f"R{{n}}" for n in range(len(theirs))], "name": theirs, "domain": "acme.example", "phone": "555-0100", "address": "1 High Street"}})
answer = suggest_links(left, right, relation={relation!r})
assert len(answer) == len(right)
print("verdicts", sorted(set(answer["verdict"])))
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=STALLED_SECONDS, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "verdicts" in run.stdout


@pytest.mark.parametrize("relation", RELATIONS)
def test_one_name_many_times_is_never_auto(relation: str) -> None:
    names = ["Acme Dental"] * 40
    assert "AUTO" not in {row["verdict"] for row in check(table(names, "L"), table(names, "R"), relation)}
