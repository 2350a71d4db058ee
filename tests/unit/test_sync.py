"""Sync: a failed source is marked and never counted, the others carry on, and a complete one is not read twice."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import httpx
import pytest

from reconlib.connectors import CONNECTORS
from reconlib.connectors.contract import Connector, Page, Reject, Row
from reconlib.errors import ShapeError, VendorError
from reconlib.period import Period
from reconlib.settings import Source
from reconlib.snapshots import latest_any
from reconlib.sync import sync_source

NOW = datetime(2026, 11, 3, 6, tzinfo=UTC)


class Feed:
    """A connector whose pages and faults a test sets."""

    def __init__(self):
        self.bodies, self.fault, self.fetches, self.seen = [b"one", b"two"], None, 0, None

    def fetch(self, f):
        self.fetches, self.seen = self.fetches + 1, f
        for number, body in enumerate(self.bodies):
            yield Page("things", f"GET /things?page={number}", body)
        if self.fault:
            raise self.fault

    def normalize(self, pages, source):
        for stored in pages:
            if stored.page.body == b"reshaped":
                raise ShapeError("no field 'quantity'", where=f"source {source}, things, record 0")
            if stored.page.body == b"bad":
                yield Reject("quantity", "x", "is not a number", stored.evidence(0))
            else:
                yield Row("usage_records", {"source": source, "evidence": stored.evidence(0)})


@pytest.fixture
def feed(monkeypatch):
    made = Feed()
    monkeypatch.setitem(CONNECTORS, "feed", Connector(made.fetch, made.normalize, "vendor", ("KEY",), "https://api.vendor.example"))
    return made


def sync(root, source=None, **more):
    settings = {"environ": {"F_KEY": "s3cr3t"}, "now": lambda: NOW, "refresh": False, "as_of": date(2026, 10, 31)} | more
    return sync_source(
        "f",
        source or Source(connector="feed", credentials="F"),
        snapshots_root=root / "snapshots",
        root=root,
        period=Period(2026, 10),
        **settings,
    )


def test_a_complete_read(tmp_path, feed):
    result = sync(tmp_path)
    assert (result.status, result.pages, result.records, result.rejects, result.exit_code) == ("complete", 2, 2, 0, 0)
    assert result.as_of_at == NOW
    assert latest_any(tmp_path / "snapshots", "2026-10", "f") == result.snapshot
    assert result.snapshot.records == 2
    assert feed.seen.credentials["KEY"].get_secret_value() == "s3cr3t"


def test_running_twice_reads_once_and_gives_the_same(tmp_path, feed):
    assert sync(tmp_path) == sync(tmp_path)
    assert feed.fetches == 1


def test_refresh_reads_again_and_keeps_both(tmp_path, feed):
    first, second = sync(tmp_path), sync(tmp_path, refresh=True)
    assert feed.fetches == 2
    assert first.snapshot.id == second.snapshot.id
    assert first.snapshot.folder != second.snapshot.folder


def test_a_snapshot_that_cannot_be_read_fails_the_source_until_it_is_read_again(tmp_path, feed):
    manifest = sync(tmp_path).snapshot.folder / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{", "utf-8")
    result = sync(tmp_path)
    assert (result.status, result.exit_code) == ("failed", 5)
    assert "sync again with --refresh" in result.error
    assert sync(tmp_path, refresh=True).status == "complete"
    assert sync(tmp_path).status == "complete"


def test_t1_a_failed_refresh_is_not_covered_by_the_older_snapshot(tmp_path, feed):
    sync(tmp_path)
    feed.fault = VendorError("answered 500", where="source f, things")
    result = sync(tmp_path, refresh=True)
    assert (result.status, result.snapshot, result.as_of_at, result.exit_code) == ("failed", None, None, 4)
    assert result.error == "source f, things: answered 500"
    assert latest_any(tmp_path / "snapshots", "2026-10", "f").pages == 2


def test_after_a_failure_the_next_run_tries_again(tmp_path, feed):
    feed.fault = VendorError("answered 500")
    assert sync(tmp_path).status == "failed"
    feed.fault = None
    assert sync(tmp_path).status == "complete"


def test_a_shape_that_changed_inside_the_records_fails_the_source(tmp_path, feed):
    feed.bodies = [b"one", b"reshaped"]
    result = sync(tmp_path)
    assert (result.status, result.exit_code) == ("failed", 4)
    assert "no field 'quantity'" in result.error
    assert latest_any(tmp_path / "snapshots", "2026-10", "f").status == "failed"


def test_rows_that_cannot_be_used_are_counted(tmp_path, feed):
    feed.bodies = [b"one", b"bad"]
    result = sync(tmp_path)
    assert (result.status, result.records, result.rejects) == ("complete", 1, 1)


@pytest.mark.parametrize(
    ("source", "more", "exit_code", "words"),
    [
        (Source(connector="fed", credentials="F"), {}, 2, "did you mean 'feed'"),
        (Source(connector="feed", credentials="F"), {"environ": {}}, 3, "F_KEY"),
        (Source(connector="file"), {}, 2, "no path"),
        (Source(connector="pax8", credentials="F", base_url="http://127.0.0.1:9/v1"), {}, 2, "token_url"),
        (
            Source(connector="huntress", credentials="H", base_url="http://h.example"),
            {"environ": {"H_KEY": "a", "H_SECRET": "b"}},
            2,
            "plain http",
        ),
    ],
)
def test_wrong_settings_are_the_sources_own_failure(tmp_path, feed, source, more, exit_code, words):
    result = sync(tmp_path, source, **more)
    assert (result.status, result.exit_code) == ("failed", exit_code)
    assert words in result.error


def test_one_source_down_the_others_carry_on(tmp_path, feed, monkeypatch):
    def refuse(_, request):
        raise httpx.ConnectError("Connection refused", request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", refuse)
    sources = {
        "down": Source(connector="huntress", credentials="H", base_url="https://down.example"),
        "up": Source(connector="feed", credentials="F"),
    }
    results = [
        sync_source(
            name,
            source,
            snapshots_root=tmp_path,
            root=tmp_path,
            period=Period(2026, 10),
            as_of=date(2026, 10, 31),
            environ={"F_KEY": "x", "H_KEY": "k3y", "H_SECRET": "s3cr3t"},
            now=lambda: NOW,
        )
        for name, source in sources.items()
    ]
    assert [(r.source, r.status, r.exit_code) for r in results] == [("down", "failed", 4), ("up", "complete", 0)]
    assert results[0].error.startswith("source down, organizations: cannot reach down.example: Connection refused")


def test_no_secret_reaches_the_disk(tmp_path, feed):
    feed.fault = RuntimeError("leaks s3cr3t")
    with pytest.raises(RuntimeError):
        sync(tmp_path)
    feed.fault = None
    sync(tmp_path)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2 * 4
    assert not [path for path in written if b"s3cr3t" in path.read_bytes()]


def test_t2_a_vendor_is_not_read_for_a_month_long_over(tmp_path, feed):
    result = sync(tmp_path, now=lambda: datetime(2027, 3, 1, tzinfo=UTC))
    assert (result.status, feed.fetches) == ("failed", 0)
    assert result.error.startswith("source f: 2026-10 ended 121 days ago and was never read")


def test_t2_a_month_long_over_is_not_read_again_on_demand_and_nothing_false_is_said_of_it(tmp_path, feed):
    sync(tmp_path)
    result = sync(tmp_path, now=lambda: datetime(2027, 3, 1, tzinfo=UTC), refresh=True)
    assert (result.status, feed.fetches) == ("failed", 1)
    assert result.error.startswith("source f: 2026-10 ended 121 days ago: the vendor would answer for today")


def test_t2_an_old_month_that_was_read_in_time_runs_again(tmp_path, feed):
    first = sync(tmp_path)
    assert sync(tmp_path, now=lambda: datetime(2027, 3, 1, tzinfo=UTC)).snapshot == first.snapshot


def test_t2_a_month_read_while_it_ran_is_read_again_when_it_is_over(tmp_path, feed):
    early = datetime(2026, 10, 20, 6, tzinfo=UTC)
    first = sync(tmp_path, now=lambda: early, as_of=early.date())
    assert sync(tmp_path, now=lambda: early, as_of=early.date()).snapshot == first.snapshot
    feed.bodies = [b"one", b"two", b"three"]
    result = sync(tmp_path)
    assert (result.as_of_at, result.pages, feed.fetches) == (NOW, 3, 2)
    late = sync(tmp_path / "late", now=lambda: early, as_of=early.date())
    assert late.status == "complete"
    failed = sync(tmp_path / "late", now=lambda: datetime(2027, 3, 1, tzinfo=UTC))
    assert "ended 121 days ago and was read on 2026-10-20 only, too early, or from another address or account" in failed.error


def source(base_url, token_url=None):
    return Source(connector="feed", credentials="F", base_url=base_url, token_url=token_url)


@pytest.mark.parametrize(
    ("first", "second", "fetches"),
    [
        (source("http://127.0.0.1:8007"), source("https://api.vendor.example"), 2),
        (source("https://eu.vendor.example"), source("https://us.vendor.example"), 2),
        (source("https://vendor.example/v1"), source("https://vendor.example/v2"), 2),
        (source("https://vendor.example:8443"), source("https://vendor.example:9443"), 2),
        (source("http://vendor.example"), source("https://vendor.example"), 2),
        (source("https://v.example", "https://login.example/a"), source("https://v.example", "https://login.example/b"), 2),
        (source(None), source("https://api.vendor.example/"), 1),
        (source("http://127.0.0.1:8007/psa"), source("http://127.0.0.1:9011/psa"), 1),
        (source("http://127.0.0.1:8007/psa"), source("http://127.0.0.1:8007/pax8"), 2),
        (source("http://127.0.0.1:1", "http://127.0.0.1:1/{tenant}"), source("http://127.0.0.1:2", "http://127.0.0.1:2/{tenant}"), 1),
    ],
)
def test_a_snapshot_is_used_again_only_for_the_same_address(tmp_path, feed, first, second, fetches):
    sync(tmp_path, first)
    assert sync(tmp_path, second).status == "complete"
    assert feed.fetches == fetches


def test_a_snapshot_is_used_again_only_for_the_same_credentials(tmp_path, feed):
    both = {"environ": {"F_KEY": "s3cr3t", "G_KEY": "an0ther"}}
    sync(tmp_path, **both)
    assert sync(tmp_path, Source(connector="feed", credentials="G"), **both).snapshot.read_from["credentials"] == "G"
    assert feed.seen.credentials["KEY"].get_secret_value() == "an0ther"
    assert (sync(tmp_path, Source(connector="feed", credentials="G"), **both).status, feed.fetches) == ("complete", 2)


def test_a_snapshot_that_does_not_name_its_credentials_stands(tmp_path, feed):
    manifest = sync(tmp_path).snapshot.folder / "manifest.json"
    facts = json.loads(manifest.read_bytes())
    del facts["read_from"]["credentials"]
    manifest.chmod(0o644)
    manifest.write_text(json.dumps(facts), "utf-8")
    assert (sync(tmp_path).status, feed.fetches) == ("complete", 1)


def test_a_changed_profile_reads_its_export_anew_and_a_comment_in_it_does_not(tmp_path):
    (tmp_path / "seats.csv").write_text("Customer,Product,Seats,Paid\nAlder,Mail,3,5\n", "utf-8")
    seats = Source(connector="file", path="seats.csv", profile="seats.yaml")
    ids = []
    for text in ("Seats", "Seats}  # read by hand", "Paid"):
        start, _, rest = text.partition("}")
        (tmp_path / "seats.yaml").write_text(
            f"table: usage\ncolumns: {{account: Customer, product: Product, quantity: {start}}}{rest}", "utf-8"
        )
        ids.append(sync(tmp_path, seats).snapshot.id)
    assert ids[0] == ids[1] != ids[2]


def test_a_folder_named_like_a_pattern_is_no_pattern(tmp_path):
    root = tmp_path / "msp [2026] *"
    root.mkdir()
    (root / "seats.csv").write_text("Customer,Product,Seats\nAlder,Mail,3\n", "utf-8")
    (root / "seats.yaml").write_text("{table: usage, columns: {account: Customer, product: Product, quantity: Seats}}", "utf-8")
    seats = Source(connector="file", path="s*.csv", profile="seats.yaml")
    first, second = sync(root, seats), sync(root, seats)
    assert (first.error, first.records, second.snapshot) == (None, 3, first.snapshot)
    assert sync(root, Source(connector="file", path="{period}.csv", profile="seats.yaml"), refresh=True).error.startswith(
        "source f: no file matches msp [2026] */2026-10.csv"
    )


def test_a_manifest_says_where_it_was_read_without_a_secret(tmp_path, feed):
    result = sync(tmp_path, source("https://me:s3cr3t@v.example:8443/api/?key=s3cr3t", "https://login.example/token?code=s3cr3t"))
    found = {
        "base_url": "https://v.example:8443/api",
        "token_url": "https://login.example/token",
        "as_of": "2026-10-31",
        "credentials": "F",
    }
    assert result.snapshot.read_from == found
    assert b"s3cr3t" not in (result.snapshot.folder / "manifest.json").read_bytes()


def test_a_snapshot_of_a_manifest_that_does_not_say_is_read_again(tmp_path, feed):
    first = sync(tmp_path).snapshot
    manifest = first.folder / "manifest.json"
    facts = json.loads(manifest.read_bytes())
    del facts["read_from"]
    manifest.chmod(0o644)
    manifest.write_text(json.dumps(facts), "utf-8")
    assert sync(tmp_path).snapshot.folder != first.folder
    assert feed.fetches == 2
