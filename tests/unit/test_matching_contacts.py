"""Domains, phones and addresses as evidence: what says nothing of its owner, and what is one house."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reconlib.matching import suggest_links
from reconlib.matching.contacts import compare_addresses, read_address, read_phone, same_house
from reconlib.matching.domains import read_domain


def link(ours: list[dict[str, Any]], theirs: dict[str, Any], **more: Any) -> pd.Series:
    left = pd.DataFrame([{"id": f"L{n}"} | row for n, row in enumerate(ours)], dtype=object)
    return suggest_links(left, pd.DataFrame([{"id": "R"} | theirs], dtype=object), relation="many_to_one", **more).iloc[0]


SAYS_NOTHING = """
    gmail.com                        a public mail domain
    owner@yahoo.ca                   a public mail domain abroad
    owner@hotmail.co.uk              a public mail domain abroad
    live.com.au                      a public mail domain abroad
    https://www.facebook.com/acme    a page on somebody's site
    acme.wixsite.com/home            a page on somebody's site
    onmicrosoft.us                   a cloud, and no tenant of it
    harbormsp.example                the MSP's own
    www.harbormsp.example            the MSP's own
    harbormsp.onmicrosoft.com        the MSP's own tenant
    harbormsp.mail.onmicrosoft.com   the MSP's own tenant
"""


@pytest.mark.parametrize("line", SAYS_NOTHING.strip().splitlines())
def test_what_says_nothing_of_its_owner_is_no_domain(line: str) -> None:
    own = frozenset(("harbormsp.example", "harbormsp.onmicrosoft.com"))
    assert read_domain(line.split(maxsplit=1)[0], own) is None


TENANTS = """
    acme.onmicrosoft.com       acme.onmicrosoft.com        acme
    acme.mail.onmicrosoft.com  acme.onmicrosoft.com        acme
    acme.onmicrosoft.us        acme.onmicrosoft.us         acme
    acme.partner.onmschina.cn  acme.partner.onmschina.cn   acme
    acme.sharepoint.us         acme.sharepoint.us          acme
    outlook-repairs.ca         outlook-repairs.ca          outlook-repairs
    live.church                live.church                 live
"""


@pytest.mark.parametrize("line", TENANTS.strip().splitlines())
def test_a_tenant_of_any_cloud_is_its_owners(line: str) -> None:
    text, host, label = line.split()
    found = read_domain(text)
    assert found is not None
    assert (found.host, found.label) == (host, label)


@pytest.mark.parametrize("domain", ["onmicrosoft.us", "facebook.com", "yahoo.ca", "harbormsp.onmicrosoft.com"])
def test_two_firms_behind_one_shared_domain_are_never_auto(domain: str) -> None:
    owner, other = (f"{name}.{domain}" if domain == "onmicrosoft.us" else domain for name in ("quarry", "thistle"))
    row = link(
        [{"name": "Alder Roofing", "domain": owner}, {"name": "Birch Freight"}],
        {"name": "Alders Roofing", "domain": other},
        own_domains=("harbormsp.onmicrosoft.com",),
    )
    assert row.points_domain <= 0
    assert row.verdict != "AUTO"


def test_the_msps_own_domain_stays_nothing_when_a_decision_lends_it_as_a_name() -> None:
    """An account called by the MSP's domain was mapped once; that the next one's name spells this domain makes it nobody's."""
    left = pd.DataFrame([{"id": "L0", "name": "Alder Roofing"}, {"id": "L1", "name": "Birch Freight"}], dtype=object)
    right = pd.DataFrame([{"id": "R0", "name": "harbormsp.example"}, {"id": "R1", "name": "Harbor MSP"}], dtype=object)
    known = pd.DataFrame([("R0", "L0", "map")], columns=["right_id", "left_id", "decision"], dtype=object)
    asked = {"relation": "many_to_one", "decisions": known}
    assert suggest_links(left, right, **asked).iloc[1].points_domain > 0
    assert suggest_links(left, right, own_domains=("harbormsp.example",), **asked).iloc[1].points_domain <= 0


def test_a_number_that_was_only_typed_to_fill_the_field_is_no_phone() -> None:
    assert [read_phone(text) for text in ("1234567890", "123-4567", "0000000", "(111) 111-1111", "+1 234 567 0142")] == [
        *("", "", "", ""),
        "+12345670142",
    ]


def test_a_phone_of_any_length_is_read_at_once() -> None:
    """Blanks inside it once cost the square of their number: minutes for a hundred thousand."""
    assert read_phone("312 555 0142" + " " * 100_000 + "y") == "3125550142"


HOUSES = """
    100 N Oak St, Springfield    | 100 Oak, Springfield       | same
    100 Oak St, Springfield, IL  | 100 Elm St, Springfield, IL | other
    100 N Main St                | 100 S Main St              | other
    100 Main St                  | 140 Main St                | other
    100 Main St, 60601           | 100 Main St, 60602         | other
    516-18 Fifth Ave             | 518 5th Avenue             | other
    516-18 5th Ave               | 518 5th Avenue             | same
    Springfield                  | Springfield                | other
"""


@pytest.mark.parametrize("line", HOUSES.strip().splitlines())
def test_one_house_is_its_number_and_its_street(line: str) -> None:
    one, two, expected = (part.strip() for part in line.split("|"))
    left, right = read_address(one), read_address(two)
    assert same_house(left, right) == same_house(right, left) == (expected == "same")


def test_another_street_of_the_same_town_is_no_contact_in_common() -> None:
    ours = [{"name": "Alder Dental Partners", "address": "100 Oak St, Springfield, IL"}, {"name": "Birch Freight"}]
    theirs = {"name": "Alder Dental Partner", "address": "100 Elm St, Springfield, IL"}
    assert compare_addresses(read_address(ours[0]["address"]), read_address(theirs["address"]))[0] > 0.5
    row = link(ours, theirs)
    assert row.verdict != "AUTO"
    assert "the same address" not in row.reason
    assert link(ours, theirs | {"address": "100 OAK STREET, Springfield"}).verdict == "AUTO"


def test_the_papers_read_a_row_as_the_matcher_does() -> None:
    """docs/matching.md, "One row, read": both rows as they stand there, and every figure and word said of them."""
    papers = (Path(__file__).parents[2] / "docs" / "matching.md").read_text("utf-8").split("## One row, read")[1].split("## ")[0]
    rows = {side: re.search(rf"^{side} +(.+) · domain (.+)$", papers, re.MULTILINE) for side in ("ours", "theirs")}
    ours, theirs = ({"name": found[1], "domain": found[2]} for found in rows.values() if found)
    said = re.search(
        r"says of it: (\w+), probability ([\d.]+); points (.+?); right words\s+explained \"(.+?)\", unexplained \"(.+?)\"", papers
    )
    assert said
    row = link([ours], theirs)
    kinds = [name.removeprefix("points_") for name in row.index if name.startswith("points_") and row[name]]
    points = ", ".join(f"{kind} {row[f'points_{kind}']:+.1f}" for kind in kinds)
    assert (row.verdict, f"{row.probability:.3f}", points.replace("-", "−")) == said.groups()[:3]
    assert (row.right_explained, row.right_unexplained) == said.groups()[3:]
