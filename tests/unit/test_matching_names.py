"""Names that look the same once they are plain and are not: initials taken for a legal form, words of another script, a plus sign."""

from __future__ import annotations

import pandas as pd
import pytest

from reconlib.matching import suggest_links
from reconlib.matching.names import read_name

NEVER_AUTO = """
    AB Dental             | Dental              | letters ab against none
    PT Solutions          | Solutions           | letters pt against none
    Alder PT              | Alder               | letters pt against none
    Alder AB              | AB Alder            | letters none against ab
    Inc Magazine          | Magazine            | letters inc against none
    北京                  | 背景                | letters 北京 against 背景
    Ресторан              | Рєсторан            | letters ресторан against рєсторан
    A+ Computers          | A Computers         |
"""


@pytest.mark.parametrize("line", NEVER_AUTO.strip().splitlines())
@pytest.mark.parametrize("relation", ["many_to_one", "one_to_one"])
def test_what_only_looks_the_same_in_plain_letters_waits_for_a_person(line: str, relation: str) -> None:
    ours, theirs, conflicts = (part.strip() for part in line.split("|"))
    row = link(ours, theirs, relation)
    assert row.left_id == "L0"
    assert (row.verdict, row.conflicts) == ("PROPOSE", conflicts)


SAME = """
    Alder AB              | ALDER
    PT Alder              | pt alder
    Müller Söhne          | Muller Sohne
    株式会社北京          | 北京
    A+ Computers          | A Plus Computers
    Birch + Alder Dental  | Birch & Alder Dental
"""


@pytest.mark.parametrize("line", SAME.strip().splitlines())
def test_what_is_the_same_stays_auto(line: str) -> None:
    ours, theirs = (part.strip() for part in line.split("|"))
    row = link(ours, theirs, "many_to_one")
    assert (row.left_id, row.verdict, row.conflicts) == ("L0", "AUTO", "")


def link(ours: str, theirs: str, relation: str) -> pd.Series:
    left = pd.DataFrame([{"id": "L0", "name": ours}, {"id": "L1", "name": "Thistle Freight"}], dtype=object)
    return suggest_links(left, pd.DataFrame([{"id": "R", "name": theirs}], dtype=object), relation=relation).iloc[0]


def test_letters_of_a_script_are_kept_short_and_latin_ones_are_none() -> None:
    assert read_name("北" * 500).letters == "北" * 40
    assert [read_name(name).letters for name in ("Œuvre Straße Łódź", "Acme", "", None, "🦊 ½ №")] == [""] * 5
