"""Names taken apart: nothing thrown away, and what disagrees is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconlib.aliases import compare_attributes, modern_name, name_key, plain_words, read_aliases, split_attributes

SPLIT = """
NCE M365 Business Premium (Non-Profit) 1YR COMMIT - Monthly | microsoft 365 business premium | term=P1Y billing_plan=monthly segments=nonprofit noise=nce
Microsoft Defender for Endpoint P2 (NCE COM MTH)            | microsoft defender for endpoint | term=P1M plan=P2 noise=nce,com
Visio Plan 2 (Annual Commitment, paid upfront)              | visio | term=P1Y billing_plan=upfront plan=P2
Microsoft 365 Copilot (1 Year - Monthly billing)            | microsoft 365 copilot | term=P1Y billing_plan=monthly
Monthly Annual-Commit Visio Plan 1                          | visio | term=P1Y billing_plan=monthly plan=P1
Visio Plan 1 36 months                                      | visio | term=P3Y plan=P1
Visio Plan 1 month-to-month                                 | visio | term=P1M plan=P1
Microsoft 365 Business Premium EEA (no Teams)               | microsoft 365 business premium | segments=eea without=teams
Office_365_w/o_Teams_Bundle_E1                              | office 365 bundle | plan=E1 without=teams
Microsoft 365 E5 without Audio Conferencing                 | microsoft 365 | plan=E5 without=audio conferencing
Microsoft 365 E3_USGOV_GCCHIGH                              | microsoft 365 | segments=gcc high plan=E3
Exchange Online (Plan 1) for GCC                            | exchange online | segments=gcc plan=P1
Office 365 A3 for faculty                                   | office 365 | segments=faculty plan=A3
Microsoft 365 Business Premium Donation (Non Profit Pricing) | microsoft 365 business premium | segments=donation
Dynamics 365 Sales Enterprise Attach to Qualifying Dynamics 365 Base Offer | dynamics 365 sales enterprise | add_on=attach
Power BI Premium Per User Add-On                            | power bi premium | add_on=add-on unit=user
Power Apps per app plan (1 app)                             | power apps plan 1 app | unit=app
Windows 365 Business 2 vCPU, 8GB, 128GB                     | windows 365 business | sizes=2 vcpu,8 gb,128 gb
Microsoft 365 Domestic Calling Plan (120 Minutes)           | microsoft 365 domestic calling plan | sizes=120 minutes
SaaS Protection - 1 Year Retention                          | saas protection | sizes=1 year retention
Sophos Intercept X Advanced with XDR - 25-49 users - 36 MOS | sophos intercept x advanced with xdr | term=P3Y quantity=25 to 49 users
exchangeonlineplan1                                         | exchange online | plan=P1
MS NCE M365BusinessPremium                                  | microsoft 365 business premium | noise=nce
O365BsnssPrem ShrdSvr SNGL Annual                           | office 365 business premium | term=P1Y noise=shrdsvr,sngl
MICROSOFT 365 E5 TRIAL                                      | microsoft 365 | segments=trial plan=E5
DO NOT USE - Microsoft Defende                              | microsoft defender | noise=do not use cut_at=30
"""


@pytest.mark.parametrize("line", SPLIT.strip().splitlines())
def test_a_name_is_taken_apart_and_nothing_of_it_is_lost(line):
    name, core, rest = (part.strip() for part in line.split("|"))
    said = split_attributes(name)
    fields = [field for field in said.__slots__ if field not in ("core", "editions", "numbers") and getattr(said, field)]
    values = [getattr(said, field) for field in fields]
    text = [f"{field}={','.join(value) if isinstance(value, tuple) else value}" for field, value in zip(fields, values, strict=True)]
    assert (said.core, " ".join(text)) == (core, rest)


CONFLICTS = """
Business Premium (Nonprofit) annual | Business Premium monthly          | term: annual against monthly; segment: nonprofit against none
Business Premium                    | Business Premium (Nonprofit)      | segment: none against nonprofit
Exchange Online (Plan 1)            | Exchange Online Plan 2            | plan: P1 against P2
Defender for Endpoint               | Defender for Endpoint P1          | plan: none against P1
Microsoft 365 E3                    | Microsoft 365 E3 (no Teams)       | without: none against teams
Microsoft 365 E3 EEA (no Teams)     | Microsoft 365 E3 (no Teams)       | segment: eea against none
Power BI Premium Per User           | Power BI Premium Per User Add-On  | add-on: none against add-on
Microsoft 365 Business Basic        | Microsoft 365 Business Standard   | edition: basic against standard
SentinelOne Core                    | SentinelOne Complete              | edition: core against complete
Office 365 E3 (Education)           | Office 365 E3 for Faculty         | segment: education against faculty
Domestic Calling Plan               | Domestic Calling Plan (120 min)   | size: none against 120 minutes
Power Apps per app                  | Power Apps                        | unit: app against none
Copilot P1Y paid monthly            | Copilot P1Y upfront               | billing plan: monthly against upfront
Copilot P3Y billed annually         | Copilot P3Y upfront               | billing plan: annual against upfront
Windows Server 2022 Standard        | Windows Server 2019 Standard      | number: 2022 against 2019
FortiGate 60F                       | FortiGate 61F                     | number: 60f against 61f
Keeper Business                     | Keeper Business Plus              | edition: none against plus
Cloud Storage                       | Cloud Storage 50-pack             | quantity: none against 50 pack
Acronis per GB                      | Acronis per workload              | unit: gb against workload
DO NOT USE - Microsoft Defende      | Microsoft Defender                | a name is cut at 30 characters
"""
AGREE = """
Microsoft 365 Business Premium      | NCE M365 Business Premium - Annual commit, monthly billing
Exchange Online (Plan 1)            | EXCHANGE ONLINE P1
Exchange Online Plan 1              | exchangeonlineplan1
Microsoft 365 E3 (nonprofit)        | M365 E3 Charity
Office 365 G3 Government GCC        | Office 365 G3 GCC
Power BI Pro                        | Power BI Professional per user
Copilot annual                      | Copilot P1Y
Copilot P1Y annual                  | Copilot P1Y upfront
Enterprise Mobility + Security E5   | Enterprise Mobility and Security E5
Office 365 Enterprise E3            | Office 365 E3
Cloud Storage 50-pack               | Cloud Storage 50 pk
"""


@pytest.mark.parametrize("line", CONFLICTS.strip().splitlines())
def test_what_disagrees_is_said_in_words(line):
    left, right, conflicts = (part.strip() for part in line.split("|"))
    assert "; ".join(compare_attributes(split_attributes(left), split_attributes(right))) == conflicts


@pytest.mark.parametrize("line", AGREE.strip().splitlines())
def test_what_is_written_another_way_or_not_said_is_no_conflict(line):
    left, right = (split_attributes(part.strip()) for part in line.split("|"))
    assert compare_attributes(left, right) == ()
    assert compare_attributes(right, left) == ()


def test_conflicts_are_the_same_both_ways_round():
    for line in CONFLICTS.strip().splitlines():
        left, right = (split_attributes(part.strip()) for part in line.split("|")[:2])
        assert len(compare_attributes(left, right)) == len(compare_attributes(right, left))


@pytest.mark.parametrize("name", ["", "   ", "-", "()", "é", "Annual", "\x00\x1b[31m", "365 " * 2000, "(" * 5000, "a" * 100])
def test_any_text_can_be_taken_apart(name):
    said = split_attributes(name)
    assert isinstance(said.core, str)
    assert compare_attributes(said, said) == () or said.cut_at


def test_a_name_of_a_cut_length_whose_last_word_is_whole_is_not_called_cut():
    assert len("Microsoft 365 Business Premium") == 30
    assert split_attributes("Microsoft 365 Business Premium").cut_at is None
    assert split_attributes("Microsoft 365 Business Voice...").cut_at == 31


def test_words_stay_in_their_order_and_brands_whole():
    assert plain_words("SharePoint OneDrive KnowBe4 ThreatLocker") == ["sharepoint", "onedrive", "knowbe4", "threatlocker"]


PRODUCTS = sorted({product.name for product in read_aliases().products.values()})
ANOTHER = (
    "(Nonprofit)",
    "for faculty",
    "for GCC",
    "GCC High",
    "Trial",
    "EEA",
    "no Teams",
    "without Audio Conferencing",
    "Add-on",
    "Attach",
)
SAME = (
    "NCE",
    "CSP",
    "License",
    "Subscription",
    "1YR COMMIT",
    "(NCE COM MTH)",
    "- annual commit, monthly billing",
    "P3Y upfront",
    "commercial",
)


def split_both(name, other):
    return split_attributes(name), split_attributes(other)


@given(st.sampled_from(PRODUCTS), st.sampled_from(ANOTHER))
def test_what_makes_another_product_is_a_conflict_on_any_name(name, said):
    if said not in name and compare_attributes(*split_both(name, f"{name} {said}")) == ():
        assert split_attributes(name) == split_attributes(f"{name} {said}")  # the name said so already, in other words
    assert compare_attributes(*split_both(name, name)) == ()


@given(st.sampled_from(PRODUCTS), st.sampled_from(SAME))
def test_what_sellers_add_is_no_conflict_and_no_other_name(name, said):
    assert compare_attributes(*split_both(name, f"{name} {said}")) == ()
    assert name_key(f"{name} {said}") == name_key(name)
    assert name_key(f"{said} {name}") == name_key(name)


@given(st.sampled_from(PRODUCTS))
def test_case_and_punctuation_are_no_difference(name):
    for written in (name.upper(), name.lower(), name.replace(" ", "  "), name.replace("-", " "), name.replace(" ", "_")):
        assert name_key(written) == name_key(name)
        assert compare_attributes(*split_both(name, written)) == ()


@given(st.sampled_from(PRODUCTS), st.sampled_from(PRODUCTS))
def test_conflicts_are_the_same_from_either_side(name, other):
    assert len(compare_attributes(*split_both(name, other))) == len(compare_attributes(*split_both(other, name)))


@given(st.text(max_size=120))
def test_no_text_stops_it(name):
    assert compare_attributes(*split_both(name, name)) == () or split_attributes(name).cut_at
    assert modern_name(modern_name(name)) == modern_name(name)
