"""Products as the matcher reads them: names with the day, ids that contradict, names cut off beside a term, ids equal by chance."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from reconlib.aliases import read_aliases
from reconlib.aliases.table import Alias, AliasTable, Product, make_table
from reconlib.mapping import suggest_products
from reconlib.matching import suggest_links
from reconlib.matching.products import _read_product, product_conflicts
from reconlib.rules import Rules
from reconlib.schema import CANONICAL
from reconlib.schema import make_table as make_rows
from reconlib.settings import parse

TODAY = date(2026, 10, 31)
F1_NOW, F1_UNTIL_2020 = "M365_F1_COMM", "SPE_F1"  # string ids of the two products that were called Microsoft 365 F1 in turn


def link(ours: list[dict[str, Any]], theirs: dict[str, Any], **more: Any) -> pd.Series:
    """What is said of one vendor product."""
    left = pd.DataFrame([{"id": f"L{n}", "sku": None} | row for n, row in enumerate(ours)], dtype=object)
    right = pd.DataFrame([{"id": "R", "sku": None, "term": None} | theirs], dtype=object)
    return suggest_links(left, right, relation="many_to_one", **more).iloc[0]


CATALOGUE = [{"name": "Frontline seats", "sku": F1_UNTIL_2020}, {"name": "Frontline web seats", "sku": F1_NOW}, {"name": "Backup seat"}]


@pytest.mark.parametrize(
    ("as_of", "service", "verdict"),
    [
        (TODAY, "L1", "AUTO"),
        (date(2021, 4, 1), "L1", "AUTO"),
        (date(2021, 3, 30), None, "UNMATCHED"),  # renamed within the year: a list may still mean the product before
        (date(2020, 3, 31), "L0", "AUTO"),
        (None, None, "UNMATCHED"),
    ],
    ids=str,
)
def test_a_name_two_products_had_in_turn_is_told_apart_by_the_day(as_of: date | None, service: str | None, verdict: str) -> None:
    row = link(CATALOGUE, {"name": "MS NCE M365 F1 1YR COMMIT"}, as_of=as_of)
    assert (None if pd.isna(row.left_id) else row.left_id, row.verdict) == (service, verdict)


@pytest.mark.parametrize("as_of", [None, TODAY], ids=str)
def test_a_catalogues_old_name_is_never_dated(as_of: date | None) -> None:
    """A service may have been called Microsoft 365 F1 since 2019, and mean what is F3 today."""
    row = link([{"name": "Microsoft 365 F1"}, {"name": "Backup seat"}], {"name": "Microsoft 365 F1"}, as_of=as_of)
    assert (row.left_id, row.verdict, row.conflicts) == ("L0", "PROPOSE", "the name was that of several products")


def map_product(product: dict[str, Any], services: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """PRODUCT_MAPPING's row of one product."""
    rows = [
        {"service_id": str(n), "service_code": f"S{n}", "service_name": row["name"], "vendor_sku": row.get("sku"), "is_active": True}
        | {"source": "psa", "evidence": f"psa/{n}"}
        for n, row in enumerate(services)
    ]
    seen = {"source": "vendor", "vendor_product_id": "p", "is_free": False, "evidence": "vendor/p"} | product
    tables = make_rows(CANONICAL["services"], rows), make_rows(CANONICAL["vendor_products"], [seen])
    rules = parse({"version": 1}, Rules, where="test")
    return dict(suggest_products(*tables, {}, {}, rules=rules, connectors={"vendor": "x"}, **more).to_pylist()[0])


def test_the_month_being_mapped_says_the_day() -> None:
    found = {day: map_product({"product_name": "M365 F1"}, CATALOGUE, as_of=day) for day in (None, TODAY)}
    assert (found[None]["state"], found[None]["service_id"]) == ("unmapped", None)
    assert (found[TODAY]["state"], found[TODAY]["service_id"], found[TODAY]["verdict"]) == ("suggested", "1", "AUTO")


def test_a_pack_of_a_product_never_maps_to_the_single_one_by_its_id() -> None:
    """One id, fifty units: counted as one, forty-nine would never be billed."""
    ids = ("7001-22", "QM-7")
    table = own_table(*(Alias("acme:alpha", "part_number", one, None, None, "s") for one in ids))
    pack = {"vendor_product_id": ids[0], "product_name": "Quillmark Sign 50-pack"}
    found = [map_product(pack, [{"name": name, "sku": ids[1]}], aliases=table) for name in ("Quillmark Sign", "Signatures 50-pack")]
    assert [(row["state"], row["verdict"] == "AUTO") for row in found] == [("suggested", False), ("mapped", True)]


def own_table(*aliases: Alias) -> AliasTable:
    table = read_aliases()
    own = [Product(key, "acme", f"Acme {key[5:].title()}") for key in ("acme:alpha", "acme:beta")]
    return make_table([*table.products.values(), *own], [*table.aliases, *aliases])


def test_an_id_that_passed_to_another_product_is_dated_too() -> None:
    table = own_table(
        *(
            Alias("acme:alpha", "part_number", "A-1", None, date(2020, 12, 31), "s"),
            Alias("acme:alpha", "part_number", "OLD", None, None, "s"),
        ),
        *(Alias("acme:beta", "part_number", "A-1", date(2021, 1, 1), None, "s"), Alias("acme:beta", "part_number", "NEW", None, None, "s")),
    )
    ours = [{"name": "First seat", "sku": "OLD"}, {"name": "Second seat", "sku": "NEW"}]
    row = link(ours, {"name": "Some seat", "sku": "A-1"}, as_of=TODAY, aliases=table)
    assert (row.left_id, row.verdict, row.decided_by) == ("L1", "AUTO", "alias")
    assert link(ours, {"name": "Some seat", "sku": "A-1"}, aliases=table).verdict != "AUTO"


def test_a_name_cut_off_is_never_auto_though_a_term_stands_beside_it() -> None:
    ours = [{"name": "Microsoft Defender for Business"}]
    cut = {"name": "Microsoft Defender for Busines"}
    assert len(cut["name"]) == 30
    for term in (None, "P1Y"):
        row = link(ours, cut | {"term": term})
        assert "a name is cut at 30 characters" in row.conflicts
        assert row.verdict != "AUTO"


def test_an_id_of_the_psa_that_is_somebodys_part_number_by_chance_says_nothing() -> None:
    table = own_table(
        Alias("acme:alpha", "part_number", "101", None, None, "s"), Alias("acme:alpha", "part_number", "ALPHA", None, None, "s")
    )
    ours = [{"id": "101", "name": "Office cleaning"}, {"id": "102", "name": "Firewall care"}]
    row = link(ours, {"name": "Acme Alpha", "sku": "ALPHA"}, aliases=table)
    assert row.points_alias == 0
    assert row.verdict == "UNMATCHED"


def test_ids_of_one_row_that_contradict_each_other_are_never_auto() -> None:
    ours = [
        {"name": "Standard seats", "sku": "O365_BUSINESS_PREMIUM"},
        {"name": "Premium seats", "sku": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"},
    ]
    row = link(ours, {"id": "f245ecc8-75af-4f8e-b61f-27d8114de5f3", "name": "Business seats", "sku": "SPB"})
    assert row.verdict != "AUTO"
    row = link(ours, {"id": "f245ecc8-75af-4f8e-b61f-27d8114de5f3", "name": "Business seats", "sku": "CFQ7TTC0LDPB"})
    assert (row.left_id, row.verdict) == ("L0", "AUTO")  # a family's id and one of the family agree


def test_a_part_number_may_be_a_number() -> None:
    table = own_table(
        Alias("acme:alpha", "part_number", "700122", None, None, "s"), Alias("acme:alpha", "part_number", "ALPHA", None, None, "s")
    )
    row = link([{"name": "First seat", "sku": "ALPHA"}, {"name": "Backup"}], {"name": "Some seat", "sku": 700122}, aliases=table)
    assert (row.left_id, row.verdict, row.decided_by) == ("L0", "AUTO", "alias")


@pytest.mark.parametrize("blank", [None, "", " "])
def test_blank_part_numbers_do_not_make_clients_products(blank: str | None) -> None:
    """Read as products, numbers are plans and sizes, and two funds would be told apart by nothing."""
    row = link([{"name": "Harbor Fund II", "sku": blank}], {"name": "Harbor Fund III", "sku": blank, "term": blank})
    assert "number 2 against 3" in row.conflicts


def test_a_product_two_services_stand_for_is_not_chosen_between_by_the_name() -> None:
    """Two services of one product: the nearer name is no reason to take the one without a person (T28)."""
    premium = {"id": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "name": "Microsoft 365 Business Premium"}
    twice = [{"name": "Premium seats, Microsoft 365 Business", "sku": "SPB"}, {"name": "Everything for users", "sku": premium["id"]}]
    assert link(twice[:1], premium).verdict == "AUTO"
    row = link(twice, premium)
    assert (row.left_id, row.verdict, row.conflicts) == ("L0", "PROPOSE", "")


def test_a_service_of_another_term_is_no_rival() -> None:
    terms = [{"name": "M365 Business Premium annual", "sku": "SPB"}, {"name": "M365 Business Premium monthly", "sku": "SPB"}]
    product = {"id": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "name": "Microsoft 365 Business Premium", "term": "P1Y"}
    assert (link(terms, product).left_id, link(terms, product).verdict) == ("L0", "AUTO")
    assert link(terms, product | {"term": None}).verdict != "AUTO"


def test_a_service_under_two_names_carries_its_part_number_once() -> None:
    """A name with "formerly" in it is read under both; its part number is still one row's."""
    ours = [{"name": "Quillmark Sign (formerly Inkwell)", "sku": "QM-7"}, {"name": "Backup seat"}]
    row = link(ours, {"name": "QMSIGN STD", "sku": "QM-7"})
    assert (row.left_id, row.verdict, row.decided_by) == ("L0", "AUTO", "id")


CONFLICTS = """
AAD_PREMIUM                 | Microsoft Entra ID P1                    |
Microsoft Intune Plan 1     | INTUNE_A                                 |
Microsoft 365 E5 Security   | Microsoft 365 E5 Security (add-on)       |
Office 365 Business Premium | Microsoft 365 Business Standard          |
Office 365 Business Premium | Microsoft 365 Business Premium           | the alias table knows two products
Visio Plan 2 annual         | Visio Pro for Office 365 monthly         | term: annual against monthly
Visio Plan 2                | Visio Plan 2 50-pack                     | quantity: none against 50 pack
Visio Plan 2 10 users       | Visio Plan 2                             |
Acme Gold                   | Acme Silver                              | edition: gold against silver
SPB                         | Microsoft 365 Business Premium nonprofit | segment: none against nonprofit; the alias table knows two products
Visio Plan 1                | Visio Plan 2                             | plan: P1 against P2; the alias table knows two products
"""


@pytest.mark.parametrize("line", CONFLICTS.strip().splitlines())
def test_what_forbids_one_product_is_said_from_the_table_and_from_the_names(line: str) -> None:
    left, right, conflicts = (part.strip() for part in line.split("|"))
    one, two = (_read_product(read_aliases(), None, name, None, None, None) for name in (left, right))
    assert "; ".join(product_conflicts(one, two)) == conflicts


@pytest.mark.parametrize("relation", ["many_to_one", "one_to_one"])
def test_two_products_in_other_letters_are_not_one_by_the_rest_of_their_names(relation: str) -> None:
    ours = pd.DataFrame([{"id": "1", "name": "备份 Gold"}, {"id": "2", "name": "Visio Plan 1"}], dtype=object)
    right = pd.DataFrame([{"id": "a", "name": "安全 Gold", "sku": "X"}, {"id": "b", "name": "备份 GOLD", "sku": None}], dtype=object)
    for theirs in (right, right[:1]):
        rows = suggest_links(ours, theirs, relation=relation).to_dict("records")
        assert [row["verdict"] == "AUTO" for row in rows] == [False, True][: len(theirs)]
