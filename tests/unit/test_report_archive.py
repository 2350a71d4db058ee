"""The archive: whole versions, proven by hash, signed ones never written again."""

from __future__ import annotations

import json

import pytest

from reconlib.errors import DataError, SignOffError
from reconlib.report.archive import publish_version, read_months, verify_version, write_index, write_manifest, write_month_index
from reconlib.report.html import PageHead

FACTS = {
    "book": "b",
    "period": "2026-10",
    "version": 1,
    "status": "draft",
    "currency": "USD",
    "under_billed": "10.5",
    "over_billed": "2",
    "recovered": "",
}


def build(folder, text="x", **facts):
    (folder / "clients").mkdir(parents=True)
    (folder / "clients" / "a.html").write_text(text)
    (folder / "findings.csv").write_text(text)
    write_manifest(folder, FACTS | facts)
    return folder


def test_a_version_as_published_verifies(tmp_path):
    assert verify_version(build(tmp_path / "v1")) == []


def test_changed_missing_and_extra_files_are_named(tmp_path):
    folder = build(tmp_path / "v1")
    (folder / "findings.csv").write_text("y")
    (folder / "clients" / "a.html").unlink()
    (folder / "new.txt").write_text("")
    assert verify_version(folder) == [
        "findings.csv: changed since it was published",
        "clients/a.html: missing",
        "new.txt: not part of the published version",
    ]


def test_a_folder_without_manifest_is_no_version(tmp_path):
    with pytest.raises(DataError, match="no manifest"):
        verify_version(tmp_path)


def test_a_draft_is_replaced_whole(tmp_path):
    final = tmp_path / "b" / "v1"
    publish_version(build(tmp_path / "one"), final)
    (final / "left.txt").write_text("")
    publish_version(build(tmp_path / "two", "new"), final)
    assert (final / "findings.csv").read_text() == "new"
    assert verify_version(final) == []
    assert [p.name for p in final.parent.iterdir()] == ["v1"]


@pytest.mark.parametrize("status", ["signed", "approved"])
def test_a_signed_version_is_never_written_again(tmp_path, status):
    final = publish_version(build(tmp_path / "one", status=status), tmp_path / "v1")
    before = {p: p.read_bytes() for p in final.rglob("*") if p.is_file()}
    with pytest.raises(SignOffError, match="never written again"):
        publish_version(build(tmp_path / "two", "new"), final)
    assert {p: p.read_bytes() for p in final.rglob("*") if p.is_file()} == before


def test_a_run_killed_between_the_renames_loses_nothing(tmp_path):
    final = tmp_path / "v1"
    build(tmp_path / ".v1.old", status="signed")
    with pytest.raises(SignOffError):
        publish_version(build(tmp_path / "two"), final)
    assert json.loads((final / "manifest.json").read_text())["status"] == "signed"


def test_the_index_has_one_row_a_month_and_reads_without_scripts(tmp_path):
    for period, version in (("2026-09", 1), ("2026-09", 2), ("2026-10", 1)):
        build(tmp_path / "b" / period / f"v{version}", period=period, version=version, preparer="<i>P</i>")
    months = read_months(tmp_path)
    assert len(months) == 3
    html = write_index(tmp_path, months).read_text()
    body = html.split("<tbody>")[1].split("</tbody>")[0]
    assert body.count("<tr>") == 2
    assert 'href="b/2026-09/v2/index.html"' in body
    assert 'href="b/2026-09/v1/index.html">v1' in body
    assert "10.50 USD" in body
    assert "<i>P" not in html
    assert "<polyline" in html
    assert all(month["hash"][:12] in html for month in months if (month["period"], month["version"]) != ("2026-09", 1))


def test_an_empty_archive_has_an_index_too(tmp_path):
    assert "No month has been archived yet" in write_index(tmp_path, []).read_text()


def test_the_month_index_lists_every_file_with_its_hash(tmp_path):
    folder = build(tmp_path / "v1")
    head = PageHead("b", "2026-10", "2026-10-31", "USD", "draft", "v1")
    path = write_month_index(
        folder,
        head=head,
        cards=[("Under-billed", "10.50 USD", "", "under")],
        pages=[("Sync", "10_sync.html", "Trust?")],
        provenance={"Snapshots": ["psa <x>"]},
    )
    html = path.read_text()
    for listed in ("clients/a.html", "findings.csv", "psa &lt;x&gt;", "10_sync.html", "Under-billed"):
        assert listed in html
