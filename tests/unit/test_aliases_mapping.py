"""A book's own table of names and ids reaches the mapping of its products, and what a signature stands for."""

from __future__ import annotations

import pandas as pd
import pytest

from reconlib.aliases import read_aliases
from reconlib.aliases.table import Alias
from reconlib.aliases.writing import write_aliases
from reconlib.errors import DataError
from reconlib.inputs import around_mapping
from reconlib.mapping import suggest_products
from reconlib.matching import suggest_links
from reconlib.month import month_hashes, open_month
from reconlib.rules import Rules
from reconlib.schema import CANONICAL, make_table
from reconlib.settings import parse

OWN = [
    Alias("quillmark:sign", "product", "Quillmark Sign", None, None, "price list"),
    Alias("quillmark:sign", "part_number", "QM-7", None, None, "price list"),
    Alias("quillmark:sign", "part_number", "7001-22", None, None, "distributor"),
]
PARAMS = """
book: aliased
period: "2026-10"
aliases: [own.csv]
sources:
  psa: {connector: file, path: lines.csv, profile: lines.yaml}
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.csv"
    write_aliases(path, OWN)
    return path


def map_product(product, service, aliases=None):
    seen = {"source": "vendor", "is_free": False, "evidence": "vendor/p"} | product
    sold = {"service_id": "1", "service_code": "S1", "is_active": True, "source": "psa", "evidence": "psa/1"} | service
    tables = (make_table(CANONICAL["services"], [sold]), make_table(CANONICAL["vendor_products"], [seen]))
    rules = parse({"version": 1}, Rules, where="test")
    (row,) = suggest_products(*tables, {}, {}, rules=rules, connectors={"vendor": "x"}, aliases=aliases).to_pylist()
    return row["state"], row["service_id"], row["decided_by"]


def test_a_part_number_of_an_own_table_maps(own):
    product = {"vendor_product_id": "7001-22", "product_name": "QMSIGN STD 1YR"}
    service = {"service_name": "Signatures", "vendor_sku": "QM-7"}
    assert map_product(product, service, read_aliases(own)) == ("mapped", "1", "id")
    assert map_product(product, service)[0] != "mapped"


def test_an_old_name_of_the_same_id_is_no_conflict():
    product = {"vendor_product_id": "f245ecc8-75af-4f8e-b61f-27d8114de5f3", "product_name": "Microsoft 365 Business Standard"}
    service = {"service_name": "Office 365 Business Premium", "vendor_sku": "O365_BUSINESS_PREMIUM"}
    assert map_product(product, service) == ("mapped", "1", "id")
    assert map_product(product | {"product_name": "Microsoft 365 Business Standard (Nonprofit)"}, service)[0] != "mapped"


def test_one_guid_in_two_segments_is_never_taken_without_a_person():
    left = pd.DataFrame(
        [{"id": "1", "name": "Microsoft 365 Business Premium", "sku": "SPB"}, {"id": "2", "name": "Backup seat", "sku": None}]
    )
    right = pd.DataFrame(
        [
            {"id": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "name": "Microsoft 365 Business Premium (Nonprofit)", "sku": None},
            {"id": "p", "name": "Microsoft 365 Business", "sku": "SPB"},
        ]
    )
    answer = suggest_links(left, right, relation="many_to_one").set_index("right_id")
    assert answer["left_id"].tolist() == ["1", "1"]
    assert answer["verdict"].tolist() == ["PROPOSE", "AUTO"]
    assert answer["conflicts"].tolist() == ["segment: none against nonprofit", ""]


def test_params_bring_their_table_to_the_mapping_and_into_the_signature(tmp_path, own, monkeypatch):
    (tmp_path / "book.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    month = open_month("book.yaml", environ={})
    assert around_mapping(month)["aliases"].keys("7001-22") == ("quillmark:sign",)
    before = month_hashes(month)["own.csv"]
    write_aliases(own, [Alias("quillmark:sign", "name", "QM Sign", None, None, "us")])
    assert month_hashes(month)["own.csv"] != before
    own.unlink()
    with pytest.raises(DataError, match=r"own.csv: cannot be read"):
        around_mapping(month)
