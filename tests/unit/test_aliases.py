"""The dated table: renames, ids, ambiguity, and rows that are wrong."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from reconlib.aliases import find_products, modern_name, read_aliases, split_attributes
from reconlib.aliases.files import COLUMNS, check_table, packaged_rows, read_rows, read_sources
from reconlib.aliases.phrases import read_phrases
from reconlib.aliases.table import ID_KINDS, Alias, Product, make_table, name_key
from reconlib.aliases.words import ABBREVIATIONS, VOCABULARY
from reconlib.errors import DataError

TABLE = read_aliases()
STANDARD = "f245ecc8-75af-4f8e-b61f-27d8114de5f3"
PREMIUM = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
ON_2019, TODAY = date(2019, 6, 30), date(2026, 10, 31)

MEANS = """
2019-06-30 | Office 365 Business Premium                        | O365_BUSINESS_PREMIUM
2026-10-31 | Office 365 Business Premium                        | O365_BUSINESS_PREMIUM
2019-06-30 | Microsoft 365 Business                             | SPB
2026-10-31 | MICROSOFT 365 BUSINESS PREMIUM                     | SPB
2019-06-30 | Office 365 Business Essentials                     | O365_BUSINESS_ESSENTIALS
2019-06-30 | Office 365 Business                                | O365_BUSINESS
2019-06-30 | Office 365 ProPlus                                 | OFFICESUBSCRIPTION
2019-06-30 | Microsoft 365 F1                                   | SPE_F1
2026-10-31 | Microsoft 365 F1                                   | M365_F1_COMM
2026-10-31 | Office 365 F1                                      | DESKLESSPACK
2026-10-31 | Azure Active Directory Premium P1                  | AAD_PREMIUM
2026-10-31 | Azure AD Premium P2                                | AAD_PREMIUM_P2
2026-10-31 | Office 365 ATP Plan 2                              | THREAT_INTELLIGENCE
2026-10-31 | Office 365 Advanced Threat Protection (Plan 1)     | ATP_ENTERPRISE
2026-10-31 | Microsoft Defender ATP                             | WIN_DEF_ATP
2026-10-31 | Skype for Business Cloud PBX                       | MCOEV
2026-10-31 | Skype for Business PSTN Conferencing               | MCOMEETADV
2026-10-31 | Microsoft Flow Free                                | FLOW_FREE
2026-10-31 | Project Online Professional                        | PROJECTPROFESSIONAL
2026-10-31 | Visio Pro for Office 365                           | VISIOCLIENT
2026-10-31 | Copilot for Microsoft 365                          | Microsoft_365_Copilot
2026-10-31 | MS NCE M365 BUSINESS STD 1YR COMMIT                | O365_BUSINESS_PREMIUM
2026-10-31 | MS NCE MICROSOFT DEFENDER FORO365 PLAN 1 1MTH COMM | ATP_ENTERPRISE
2026-10-31 | Microsoft NCE M365 F3 (12 month commit paid monthl | SPE_F1
2026-10-31 | Microsoft Defender for Endpoint P2 (NCE COM MTH)   | WIN_DEF_ATP
2021-06-30 | Exchange Online Essentials                         | EXCHANGEESSENTIALS
2026-10-31 | Exchange Online Essentials                         | EXCHANGE_S_ESSENTIALS
2026-10-31 | spe_e3                                             | SPE_E3
2026-10-31 | CBDC14AB-D96C-4C30-B9F4-6ADA7CDC1D46               | SPB
2026-10-31 | CFQ7TTC0LCHC:0002                                  | SPB
2026-10-31 | P1Y:CFQ7TTC0LCHC:0002:1:                           | SPB
2026-10-31 | USCFQ7TTC0LCHC0002                                 | SPB
2026-10-31 | CFQ7TTC0LFLS:0002:Commercial                       | AAD_PREMIUM
2026-10-31 | CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ                     | AAD_PREMIUM
"""
MEANS_NOTHING = (
    "",
    "Acme Backup Gold",
    "Microsoft 365 Business Premium EEA (no Teams) Trial",
    "DO NOT USE - Microsoft Defende",
    "CFQ7TTC0LCHC:0009",
    "00000000-0000-0000-0000-000000000000",
)


@pytest.mark.parametrize("line", MEANS.strip().splitlines())
def test_a_name_or_id_means_the_product_it_meant_on_that_day(line):
    day, value, string_id = (part.strip() for part in line.split("|"))
    assert find_products(value, on=date.fromisoformat(day)) == find_products(string_id)
    assert len(find_products(string_id)) == 1


def test_the_trap_of_2020_both_ways():
    assert find_products("Office 365 Business Premium", on=ON_2019) == (STANDARD,)
    assert find_products("Microsoft 365 Business", on=ON_2019) == (PREMIUM,)
    assert find_products("Microsoft 365 Business Premium", on=TODAY) == (PREMIUM,)


@pytest.mark.parametrize("value", MEANS_NOTHING)
def test_what_is_not_known_means_nothing(value):
    assert TABLE.find(value) == ()


def test_a_name_two_products_had_is_ambiguous_until_a_day_decides():
    both = TABLE.find("Microsoft 365 F1")
    assert [(alias.since, alias.until) for alias in both] == [(date(2020, 4, 1), None), (None, date(2020, 3, 31))]
    assert len(TABLE.find("Microsoft 365 F1", on=date(2020, 3, 31))) == len(TABLE.find("Microsoft 365 F1", on=date(2020, 4, 1))) == 1


def test_a_segment_is_said_behind_the_key_where_one_guid_has_them_all():
    names = ("M365 Business Premium (Nonprofit)", "CHTY Microsoft 365 Business (Nonprofit Staff Pricing)")
    assert {find_products(name) for name in names} == {(f"{PREMIUM}+nonprofit",)}
    assert find_products("Microsoft 365 E3 (no Teams) nonprofit")[0].startswith("dcf0408c")


def test_why_says_product_dates_and_source():
    said = TABLE.why("Office 365 Business Premium", STANDARD)
    assert (
        said == "'Office 365 Business Premium' was a name of 'Microsoft 365 Business Standard' until 2020-04-20 (source: ms-business-2020)"
    )
    assert TABLE.why("SPB", PREMIUM) == "'SPB' is a string id of 'Microsoft 365 Business Premium' (source: ms-business-2020)"
    assert TABLE.why("SPB", STANDARD) == ""


def test_products_are_found_by_words_for_a_person():
    names = [product.name for product in TABLE.products_named("intercept advanced server")]
    assert names == ["Sophos Intercept X Advanced for Server", "Sophos Intercept X Advanced for Server with XDR"]


def test_only_these_names_are_shared_by_products_at_one_time():
    shared = {
        name_key(alias.value)
        for alias in TABLE.aliases
        if alias.kind == "name" and len(TABLE.find(alias.value, on=alias.since or ON_2019)) > 1
    }
    windows = {name_key("Windows 10 Enterprise E3"), name_key("Windows 10/11 Enterprise E3")}
    assert shared == windows | {name_key("Microsoft 365 Business Standard EEA (no Teams)")}


def test_no_packaged_row_contradicts_another():
    products, rows = packaged_rows()
    assert check_table(products, rows, []).aliases == TABLE.aliases


def test_every_packaged_name_finds_its_product_and_carries_a_source():
    for alias in TABLE.aliases:
        on = alias.until or alias.since or TODAY
        assert alias.product in [found.product for found in TABLE.find(alias.value, on=on)], alias
        assert read_sources()[alias.source][0], alias
    assert {phrase.source for phrase in read_phrases()} <= read_sources().keys()
    assert len(TABLE.products) >= 150


def test_no_whole_word_of_a_name_looks_cut():
    """A word that begins a longer known word is known itself; else a name that ends in it at 30 characters would be called cut."""
    words = {word for alias in TABLE.aliases if alias.kind == "name" for word in re.findall(r"[a-z]{3,}", alias.value.lower())}
    begins = {word for word in words - VOCABULARY - ABBREVIATIONS.keys() if any(known.startswith(word) for known in VOCABULARY)}
    assert begins <= {"knowbe"}


def test_every_source_is_used_and_has_an_address_or_is_our_own():
    used = {alias.source for alias in TABLE.aliases} | {phrase.source for phrase in read_phrases()}
    assert used == set(read_sources())
    assert {key for key, (_, address) in read_sources().items() if not address} == {"msp-abbreviation", "own-label"}


MODERN = """
AZURE ACTIVE DIRECTORY PREMIUM P1 for Faculty | microsoft entra id p1 for faculty
Microsoft 365 Business (Nonprofit)            | microsoft 365 business premium nonprofit
Microsoft 365 Business Basic                  | microsoft 365 business basic
Office 365 Enterprise E3                      | office 365 e3
Dynamics 365 for Sales Enterprise Edition     | dynamics 365 sales enterprise
MICROSOFT 365 PHONE SYSTEM_USGOV_DOD          | microsoft teams phone standard usgov dod
Planner and Project Plan 3                    | planner project plan 3
"""


@pytest.mark.parametrize("line", MODERN.strip().splitlines())
def test_old_words_become_todays(line):
    name, modern = (part.strip() for part in line.split("|"))
    assert modern_name(name) == modern
    assert modern_name(modern) == modern


def test_phrases_never_take_a_qualifier_away():
    for phrase in read_phrases():
        for said in ("nonprofit", "for GCC", "add-on", "trial"):
            assert split_attributes(modern_name(f"{phrase.old} {said}")).segments == split_attributes(f"{phrase.new} {said}").segments


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return path


OWN = "acme:backup-gold,product,Acme Backup Gold,,,price list of 2026"


def test_a_users_rows_join_the_table(tmp_path):
    table = read_aliases(write(tmp_path / "own.csv", OWN, "acme:backup-gold,part_number,ACM-7,,,price list of 2026"))
    assert table.keys("ACM-7") == table.keys("ACME BACKUP GOLD 1YR") == ("acme:backup-gold",)
    assert find_products("ACM-7") == ()
    assert table.keys("SPB") == (PREMIUM,)


WRONG = """
acme:backup,name,Acme,,,x                                   | row 2, column product: no product 'acme:backup'
Acme Backup,name,Acme,,,x                                   | row 2, column product: 'Acme Backup' is no product key
{premium},nam,Premium,,,x                                   | row 2, column kind: no kind 'nam'
{premium},name,,,,x                                         | row 2, column value: is empty
{premium},name,Premium,,,                                   | row 2, column source: is empty
{premium},name,Premium,21.04.2020,,x                        | row 2, column since: '21.04.2020' is no day
{premium},name,Premium,2020-04-21,2019-01-01,x              | row 2, column until: ends on 2019-01-01, before it begins on 2020-04-21
{premium},guid,not-a-guid,,,x                               | row 2, column value: 'not-a-guid' is no GUID
{premium},string_id,SPE_E3,,,x                              | row 2, column value: 'SPE_E3' is 'Microsoft 365 E3''s already
{premium},name,microsoft 365 BUSINESS-premium,,,x           | row 2, column value: 'microsoft 365 BUSINESS-premium' is this product's already
{premium},product,Another Premium,,,x                       | row 2, column product: product '{premium}' is there already
{premium},name,Premium,,,=cmd()                             | row 2, column source: '=cmd()' is no source
{premium},name,(!),,,x                                      | row 2, column value: '(!)' is no name
{premium},name,Premium,,,x,more                             | row 2: another number of cells than the first line
"""


@pytest.mark.parametrize("line", WRONG.strip().splitlines())
def test_a_wrong_row_is_named_with_file_row_and_column(tmp_path, line):
    row, message = (part.strip().replace("{premium}", PREMIUM) for part in line.split("|"))
    with pytest.raises(DataError) as error:
        read_aliases(write(tmp_path / "own.csv", row))
    assert str(error.value).startswith(f"{tmp_path / 'own.csv'} {message}")
    assert "\nHint: " in str(error.value)


def test_one_id_may_pass_from_one_product_to_another_when_the_dates_do_not_meet(tmp_path):
    rows = (OWN, "acme:backup-gold,part_number,A-1,,2020-12-31,x", f"{PREMIUM},part_number,A-1,2021-01-01,,x")
    table = read_aliases(write(tmp_path / "own.csv", *rows))
    assert table.keys("A-1", on=date(2020, 12, 31)) == ("acme:backup-gold",)
    assert table.keys("A-1", on=date(2021, 1, 1)) == (PREMIUM,)
    assert len(table.keys("A-1")) == 2
    with pytest.raises(DataError, match="end one before the other begins"):
        read_aliases(write(tmp_path / "own.csv", *rows[:2], f"{PREMIUM},part_number,A-1,2020-12-31,,x"))


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\u2028", "\x85"], ids=ascii)
def test_a_line_break_inside_a_cell_is_refused_and_never_taken_out(tmp_path, sign):
    path = tmp_path / "own.csv"
    path.write_bytes(f'{",".join(COLUMNS)}\n{PREMIUM},name,"Our{sign}Premium",,,x\n'.encode())
    with pytest.raises(DataError, match=r"column value: 'Our.*Premium' is no name or id"):
        read_rows(path)


@pytest.mark.parametrize("text", ["product,kind\n", "", "\x00", 'product,kind,value,since,until,source\n"open'])
def test_a_file_that_is_no_table_is_an_error(tmp_path, text):
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError):
        read_rows(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "absent.csv")


def test_the_order_of_rows_does_not_change_what_a_name_means():
    products = [Product("a:x", "a", "X One"), Product("a:y", "a", "Y One")]
    aliases = [Alias("a:x", "name", "X One", None, date(2020, 1, 1), "s"), Alias("a:y", "name", "X One", date(2020, 1, 2), None, "s")]
    for rows in (aliases, aliases[::-1]):
        table = make_table(products, rows)
        assert table.keys("x one", on=date(2020, 1, 1)) == ("a:x",)
        assert set(table.keys("x one")) == {"a:x", "a:y"}


def test_names_in_any_script_are_names_of_their_own(tmp_path):
    """Words in other letters were dropped once: then "备份 Gold" was "Gold", and a name in Japanese was every name in Japanese."""
    rows = ("acme:backup,product,备份,,,list", "acme:gold,product,备份 Gold,,,list", "acme:street,product,Straße Øst,,,list")
    table = read_aliases(write(tmp_path / "own.csv", *rows))
    assert (table.keys("备份"), table.keys("备份 GOLD"), table.keys("straße øst")) == (("acme:backup",), ("acme:gold",), ("acme:street",))
    assert [table.keys(name) for name in ("安全", "安全 Gold", "Gold", "", "---", "🦊")] == [()] * 6
    assert modern_name("备份 Office 365 F1") == "备份 office 365 f3"


def test_an_id_is_never_read_as_another_kind_of_id():
    ids = [alias.value.casefold() for alias in TABLE.aliases if alias.kind in ID_KINDS]
    assert len(ids) == len(set(ids))
    assert check_table({}, [], []).aliases == ()
