"""The book of exports, its profiles and its papers say what is true."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Fetch, Reject, Row, StoredPage
from reconlib.connectors.file import FILE
from reconlib.connectors.profile import TARGETS, Profile, read_profile
from reconlib.period import Period
from reconlib.rules import read_rules
from reconlib.settings import Params, Sandbox, Source, read_params

ROOT = Path(__file__).parents[3]
OCTOBER = Period(2026, 10)


def rows(name: str) -> list[Row | Reject]:
    source = read_params(ROOT / "params/files.yaml").sources[name]
    paths = {"path": str(ROOT / str(source.path)), "profile": str(ROOT / str(source.profile))}
    pages = FILE.fetch(Fetch(name, "", "", {}, OCTOBER, OCTOBER.end, **paths))
    return list(FILE.normalize((StoredPage(page, f"{name}/abc/p{n:05d}") for n, page in enumerate(pages, 1)), name))


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("psa", {"agreement_lines": 15, "agreements": 7, "clients": 6, "services": 5}),
        ("rmm", {"usage_records": 26, "vendor_accounts": 6, "vendor_products": 1}),
        ("licences", {"purchases": 9, "vendor_accounts": 7, "vendor_products": 3}),
    ],
)
def test_every_row_of_the_example_exports_is_read(source, counts):
    assert Counter(row.table if isinstance(row, Row) else "rejects" for row in rows(source)) == counts


def test_the_distributors_own_total_is_what_was_read():
    seats = sum(row.values["quantity_qty"] for row in rows("licences") if isinstance(row, Row) and row.table == "purchases")
    closing = (ROOT / "params/exports/distributor-licences-2026-10.csv").read_text("utf-8").splitlines()[-1]
    assert closing.split(";")[5] == "36"
    assert seats == Decimal(36)


def test_the_book_of_exports_needs_no_credentials_and_rules_only_services_it_has():
    params = read_params(ROOT / "params/files.yaml")
    assert {source.connector for source in params.sources.values()} == {"file"}
    codes = {row.values["service_code"] for row in rows("psa") if isinstance(row, Row) and row.table == "services"}
    assert set(read_rules(ROOT / rule for rule in params.rules).services) == codes


@pytest.mark.parametrize("path", sorted((ROOT / "params/profiles").glob("*.yaml")), ids=lambda path: path.name)
def test_every_profile_is_right(path):
    assert read_profile(path).columns


def test_the_profile_papers_name_every_key_and_every_target():
    text = (ROOT / "params/profiles/README.md").read_text("utf-8")
    keys = text.split("## Keys")[1].split("## Targets")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", keys, re.MULTILINE)) == set(Profile.model_fields)
    for table, targets in TARGETS.items():
        (listed,) = re.findall(rf"^\*\*{table}\*\* – (.*?)\n\n", text, re.MULTILINE | re.DOTALL)
        names = [name.strip() for name in listed.replace("\n", " ").split(",")]
        assert sorted(name.strip("*") for name in names) == sorted(targets)
        assert {name.strip("*") for name in names if name.startswith("**")} == {name for name, target in targets.items() if target.need}


def test_the_example_book_shows_every_key_and_every_connector():
    text = (ROOT / "params/example.yaml").read_text("utf-8")
    params = read_params(ROOT / "params/example.yaml")
    written = yaml.safe_load(text)
    assert set(written) == set(Params.model_fields) - {"sandbox"}
    assert all(re.search(rf"\b{key}:", text) for key in ("sandbox", *Sandbox.model_fields))
    assert {key for source in written["sources"].values() for key in source} == set(Source.model_fields)
    assert {source.connector for source in params.sources.values()} == set(CONNECTORS)
    for name, source in params.sources.items():
        for field in CONNECTORS[source.connector].credential_fields:
            assert f"{source.credentials}_{field}" in text, f"{name}: {field} is not explained"
