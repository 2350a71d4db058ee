"""Lists people have become rows of their own table: all or none, once, and nothing that was known means something else after."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import xlsxwriter
from typer.testing import CliRunner

from reconlib.aliases import plain_words, read_aliases
from reconlib.aliases.files import read_rows
from reconlib.aliases.importing import PRICE_LIST, read_microsoft, read_price_list
from reconlib.aliases.table import KINDS, Alias
from reconlib.aliases.writing import check_new_name, read_with, write_aliases
from reconlib.cli import app
from reconlib.errors import DataError, SettingsError
from reconlib.settings import Params

SPEC = Path(__file__).parents[3] / "shared" / "specs" / "msgraph" / "m365-product-names.csv"
PREMIUM = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
NEW_GUID, OTHER_GUID = "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666"
MICROSOFT = f"""Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id
Microsoft 365 Business Premium,SPB,{PREMIUM},EXCHANGE_S_STANDARD,9aaf7827-d63c-4b61-89c3-182f06f82e5c
Microsoft 365 Business Premium,SPB,{PREMIUM},TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929
Contoso Kiosk Plan,KIOSK_PLAN,{NEW_GUID},TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929
Visio Plan 1,VISIO_OTHER,{OTHER_GUID},TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929
"""
PRICES = """ProductTitle,ProductId,SkuId,SkuTitle,Publisher,TermDuration,BillingPlan,Segment,UnitPrice,EffectiveStartDate
Microsoft 365 E5 Security,CFQ7TTC0ZZZ1,0001,Microsoft 365 E5 Security,Microsoft Corporation,P1Y,Monthly,Commercial,9.00,2026-01-01
Microsoft 365 E5 Security,CFQ7TTC0ZZZ1,0001,Microsoft 365 E5 Security,Microsoft Corporation,P1M,Monthly,Commercial,9.50,2026-01-01
Microsoft 365 E5 Security,CFQ7TTC0ZZZ1,0001,Microsoft 365 E5 Security,Microsoft Corporation,P1Y,Monthly,Charity,3.00,2026-01-01
Microsoft 365 Business Premium,CFQ7TTC0LCHC,2,Microsoft 365 Business Premium,Microsoft Corporation,P1Y,Monthly,Commercial,18.00,2026-01-01
Quillmark Sign,CFQ7TTC0ZZZ2,0003,Quillmark Sign Pro,Quillmark,P1Y,Annual,Commercial,4.00,2026-01-01
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def own(tmp_path):
    return tmp_path / "params" / "aliases.csv"


def import_microsoft(path, own):
    found = read_microsoft(path, read_with(own), source="list of 2026-08")
    return found, write_aliases(own, found.aliases)


def import_prices(path, own, **options):
    found = read_price_list(path, read_with(own), source="prices of 2026-01", **options)
    return found, write_aliases(own, found.aliases)


def test_microsofts_list_adds_what_is_new_and_only_that(tmp_path, own):
    found, added = import_microsoft(write(tmp_path / "list.csv", MICROSOFT), own)
    assert [row.alias[:3] for row in read_rows(own)] == [
        (NEW_GUID, "product", "Contoso Kiosk Plan"),
        (NEW_GUID, "string_id", "KIOSK_PLAN"),
        (OTHER_GUID, "product", "Visio Plan 1 [VISIO_OTHER]"),
        (OTHER_GUID, "string_id", "VISIO_OTHER"),
    ]
    assert (added, found.known) == (4, 2)
    table = read_with(own)
    assert table.keys("Contoso kiosk plan") == table.keys("KIOSK_PLAN") == table.keys(NEW_GUID.upper()) == (NEW_GUID,)
    assert table.keys("Visio Plan 1") == table.keys("VISIOONLINE_PLAN1")


def test_importing_twice_changes_nothing(tmp_path, own):
    import_microsoft(write(tmp_path / "list.csv", MICROSOFT), own)
    import_prices(write(tmp_path / "prices.csv", PRICES), own)
    before = own.read_bytes()
    assert import_microsoft(tmp_path / "list.csv", own)[1] == import_prices(tmp_path / "prices.csv", own)[1] == 0
    assert own.read_bytes() == before


def test_a_price_list_gives_ids_to_products_known_by_name_and_makes_the_others(tmp_path, own):
    found, _ = import_prices(write(tmp_path / "prices.csv", PRICES), own)
    assert [row.alias[:3] for row in read_rows(own)] == [
        ("26124093-3d78-432b-b5dc-48bf992543d5", "product_id", "CFQ7TTC0ZZZ1:0001"),
        ("quillmark:quillmark-sign-pro", "product", "Quillmark Sign Pro"),
        ("quillmark:quillmark-sign-pro", "product_id", "CFQ7TTC0ZZZ2:0003"),
    ]
    assert read_with(own).keys("P1M:CFQ7TTC0ZZZ1:0001:1") == ("26124093-3d78-432b-b5dc-48bf992543d5",)
    assert found.shared == []


def test_an_offer_matrix_says_the_guid_itself(tmp_path, own):
    text = "ProductTitle,ProductId,SkuId,SkuTitle,ProvisioningId,ProvisioningString\n"
    text += f"Contoso Kiosk Plan,CFQ7TTC0ZZZ9,0001,Contoso Kiosk Plan,{NEW_GUID},KIOSK_PLAN\n"
    import_prices(write(tmp_path / "matrix.csv", text), own)
    assert read_with(own).keys("CFQ7TTC0ZZZ9:0001") == read_with(own).keys("KIOSK_PLAN") == (NEW_GUID,)


def test_a_workbook_with_other_headers_is_mapped_and_lost_zeros_come_back(tmp_path, own):
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([("Item", "Stock Code", "ProductId", "SkuId"), ("Quillmark Sign Pro", "QM-7", "CFQ7TTC0ZZZ2", 3)]):
            sheet.write_row(row, 0, cells)
    import_prices(path, own, vendor="Quillmark", columns={"name": "Item", "part_number": "Stock Code"})
    table = read_with(own)
    assert table.keys("QM-7") == table.keys("CFQ7TTC0ZZZ2:0003") == ("quillmark:quillmark-sign-pro",)


WRONG = """
microsoft  | ,SPB,{guid},x,y                  | row 2, column Product_Display_Name: is empty
microsoft  | Name,,{guid},x,y                 | row 2, column String_Id: is empty
microsoft  | Name,ID,nonsense,x,y             | row 2, column GUID: 'nonsense' is no GUID
microsoft  | =cmd(),ID,{guid},x,y             | row 2, column Product_Display_Name: '=cmd()' is no name or id
price-list | A,CFQ7TTC0ZZZ1,0001,,Acme        | row 2, column SkuTitle: is empty
price-list | A,CFQ7TTC0ZZZ1,,A,Acme           | row 2, columns ProductId and SkuId, or a part number: has no id
price-list | A,CFQ7TTC0ZZZ1,0001,A,           | row 2, column vendor: says no vendor
"""


@pytest.mark.parametrize("line", WRONG.strip().splitlines())
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path, own, line):
    form, row, message = (part.strip().replace("{guid}", NEW_GUID) for part in line.split("|"))
    head = MICROSOFT.splitlines()[0] if form == "microsoft" else "ProductTitle,ProductId,SkuId,SkuTitle,Publisher"
    path = write(tmp_path / "list.csv", f"{head}\n{row}\n")
    with pytest.raises(DataError) as error:
        (import_microsoft if form == "microsoft" else import_prices)(path, own)
    assert str(error.value).startswith(f"{path} {message}")
    assert not own.exists()


def test_one_id_with_two_titles_is_an_error(tmp_path, own):
    text = "ProductId,SkuId,SkuTitle,Publisher\nCFQ7TTC0ZZZ1,0001,Quillmark Sign,Q\nCFQ7TTC0ZZZ1,0001,Quillmark Seal,Q\n"
    with pytest.raises(DataError, match=r"'CFQ7TTC0ZZZ1:0001' is 'Quillmark Sign' in .* row 2 and 'Quillmark Seal' here"):
        import_prices(write(tmp_path / "list.csv", text), own)


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path, own):
    path = write(tmp_path / "list.csv", "ProductTitel,ProductId,SkuId\na,b,c\n")
    with pytest.raises(DataError, match=r"no column SkuTitle or ProductTitle.*\n.*--column name=HEADER"):
        import_prices(path, own)
    with pytest.raises(SettingsError, match="no role 'prce'"):
        import_prices(path, own, columns={"prce": "ProductId"})


def test_a_row_that_contradicts_the_table_leaves_the_file_as_it_was(own):
    write_aliases(own, [Alias(PREMIUM, "name", "Our Premium", None, None, "us")])
    before = own.read_bytes()
    with pytest.raises(DataError, match=r"aliases.csv row 4, column value: 'SPE_E3' is 'Microsoft 365 E3''s already"):
        write_aliases(
            own, [Alias(PREMIUM, "part_number", "OUR-1", None, None, "us"), Alias(PREMIUM, "string_id", "SPE_E3", None, None, "us")]
        )
    assert own.read_bytes() == before
    assert [path.name for path in own.parent.iterdir() if not path.name.endswith(".lock")] == ["aliases.csv"]


def test_a_name_of_another_product_needs_days_that_differ():
    table = read_aliases()
    (e3,) = table.keys("SPE_E3")
    with pytest.raises(DataError, match="names 'Microsoft 365 Business Premium' then"):
        check_new_name(Alias(e3, "name", "M365 Business Premium", None, None, "us"), table)
    check_new_name(Alias(e3, "part_number", "M365 Business Premium", None, None, "us"), table)


@pytest.mark.skipif(not SPEC.exists(), reason="Microsoft's whole list is not on this machine")
def test_microsofts_whole_list_changes_no_meaning_that_was_known(own):
    found, added = import_microsoft(SPEC, own)
    before, after = read_aliases(), read_with(own)
    assert added == len(found.aliases) > 400
    assert found.shared == ["MCOPSTN5"]
    for alias in before.aliases:
        assert [key.product for key in after.find(alias.value)] == [key.product for key in before.find(alias.value)], alias
    assert import_microsoft(SPEC, own)[1] == 0


def run(*words):
    result = CliRunner().invoke(app, ["aliases", *map(str, words)])
    return result.exit_code, result.output, result.exception


def test_the_command_line_finds_adds_and_imports(tmp_path, own):
    at = ("--file", own)
    assert "Microsoft 365 Business Standard  (f245ecc8" in run("find", "Office 365 Business Premium", *at)[1]
    assert "ambiguous" in run("find", "Microsoft 365 F1", *at)[1]
    assert "ambiguous" not in run("find", "Microsoft 365 F1", "--on", "2026-10-01", *at)[1]
    assert "segment nonprofit" in run("find", "M365 Business Premium Nonprofit", *at)[1]
    said = run("add", "QM-7", "--product", "quillmark:sign", "--name", "Quillmark Sign", "--kind", "part_number", "--source", "list", *at)
    assert said[:2] == (0, f"added: QM-7 → quillmark:sign, in {own}\n")
    assert "there already" in run("add", "QM-7", "--product", "quillmark:sign", "--kind", "part_number", "--source", "list", *at)[1]
    assert (
        "added: QM 7 → quillmark:sign"
        in run("add", "QM 7", "--product", "Quillmark Sign", "--source", "us", "--since", "2026-01-01", *at)[1]
    )
    prices = write(tmp_path / "prices.csv", PRICES)
    assert run("import", prices, "--format", "price-list", *at)[1] == f"added 3, known already 3, in {own}\n"
    assert run("import", prices, "--format", "price-list", *at)[1].startswith("added 0, ")


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("find", "Busines Premium Gold"), DataError, "is not in the table"),
        (("find", "SPB", "--on", "yesterday"), SettingsError, "--on: 'yesterday' is no day"),
        (("add", "X", "--product", "nothing", "--source", "s"), SettingsError, "no product 'nothing'"),
        (("add", "X", "--product", "Microsoft 365 F1", "--source", "s"), SettingsError, "is several products"),
        (("add", "X", "--product", "no key", "--name", "New", "--source", "s"), DataError, "'no key' is no product key"),
        (("add", "X", "--product", "SPB", "--kind", "colour", "--source", "s"), DataError, "no kind 'colour'"),
        (
            ("add", "Q-1", "--product", "q:x", "--name", "Visio Plan 1", "--kind", "part_number", "--source", "s"),
            DataError,
            "'Visio Plan 1' names",
        ),
        (("import", "absent.csv", "--format", "microsoft"), DataError, "absent.csv: cannot be read"),
        (("import", "absent.csv", "--format", "price-list", "--column", "part"), SettingsError, "'part' maps nothing"),
    ],
)
def test_the_command_line_says_what_is_wrong(own, words, error, said):
    code, _, raised = run(*words, "--file", own)
    assert code
    assert isinstance(raised, error)
    assert said in str(raised)
    assert not own.exists()


def test_the_papers_show_what_the_command_says(own):
    papers = (Path(__file__).parents[2] / "docs" / "aliases.md").read_text("utf-8")
    said = run("find", "Office 365 Business Premium", "--file", own)[1]
    assert f'$ recon aliases find "Office 365 Business Premium"\n{said}```' in papers
    assert f"`{' '.join(plain_words('MS NCE M365 BUSINESS STD 1YR COMMIT'))}`" in papers
    assert all(f"| `{kind}` |" in papers for kind in KINDS)
    assert all(f"`{role}`" in papers for role in PRICE_LIST)


def test_rows_are_added_in_the_columns_of_the_file_and_what_stands_there_stays_to_the_byte(own):
    """Since and until the other way round in the file, a column of the user's own, a spreadsheet's signs and line ends."""
    own.parent.mkdir()
    before = f"\ufeffproduct,kind,value,until,since,note,source\r\n{PREMIUM},name,Unser Büro,2019-12-31,2018-01-01,seen,us".encode()
    own.write_bytes(before)
    assert write_aliases(own, [Alias(PREMIUM, "name", "Our Premium", date(2020, 1, 1), date(2021, 12, 31), "us")]) == 1
    assert own.read_bytes() == before + f"\n{PREMIUM},name,Our Premium,2021-12-31,2020-01-01,,us\n".encode()
    assert [row.alias[3:5] for row in read_rows(own)] == [(date(2018, 1, 1), date(2019, 12, 31)), (date(2020, 1, 1), date(2021, 12, 31))]


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path):
    write(tmp_path / "params", "a file, not a folder")
    with pytest.raises(DataError, match=r"params.aliases.csv: cannot be written"):
        write_aliases(tmp_path / "params" / "aliases.csv", [Alias(PREMIUM, "name", "Our Premium", None, None, "us")])


TITLES = "Product Name,Vendor Name,Part Number\n"


def test_products_whose_names_differ_in_signs_only_stay_apart(tmp_path, own):
    """Each part number is one product's, though both names make one key; twice is once."""
    path = write(tmp_path / "list.csv", TITLES + "Gold,Acme,G-1\nGold+,Acme,G-2\n备份,Acme,G-3\n安全,Acme,G-4\n")
    assert import_prices(path, own)[1] == 8
    assert len({read_with(own).keys(f"G-{n}") for n in range(1, 5)}) == 4
    assert read_with(own).keys("Gold+") == read_with(own).keys("G-2")
    assert import_prices(path, own)[1] == 0


def test_another_vendors_product_of_a_known_name_is_not_that_product(tmp_path, own):
    rows = "Audio Conferencing,Zoomable,Z-1\nAudio Conferencing,Microsoft Corporation,M-1\nDatto RMM,Some Distributor,D-1\n"
    import_prices(write(tmp_path / "list.csv", TITLES + rows), own)
    table = read_with(own)
    assert table.keys("Z-1") == ("zoomable:audio-conferencing",)
    assert table.keys("M-1") == read_aliases().keys("Audio Conferencing") == table.keys("Audio Conferencing")
    assert table.keys("D-1") == read_aliases().keys("Datto RMM")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (date(2026, 1, 3), r"row 2, column Part Number: 2026-01-03.* is a date or a time\nHint: Excel made it"),
        (1234567890123456789, r"row 2, column Part Number: .* is no name or id\nHint: Excel has rounded it"),
    ],
)
def test_a_part_number_excel_spoilt_is_named_and_never_left_out(tmp_path, own, cell, said):
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("Product Name", "Vendor Name", "ProductId", "SkuId", "Part Number"))
        sheet.write_row(1, 0, ("Quillmark Sign", "Quillmark", "CFQ7TTC0ZZZ2", "0003"))
        if isinstance(cell, date):
            sheet.write_datetime(1, 4, cell, book.add_format({"num_format": "yyyy-mm-dd"}))
        else:
            sheet.write_number(1, 4, cell)
    with pytest.raises(DataError, match=said):
        import_prices(path, own)
    assert not own.exists()


def test_params_name_own_tables():
    assert Params(book="b", sources={}, aliases=["params/aliases.csv"]).aliases == ["params/aliases.csv"]
    assert Params(book="b", sources={}).aliases == []
