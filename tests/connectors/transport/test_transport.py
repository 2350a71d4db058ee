"""What the transport promises every connector, each promise against a vendor that breaks it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from pydantic import SecretStr

from reconlib.connectors.sign_in import ClientCredentials, basic_auth
from reconlib.connectors.transport import MAX_TRIES, Transport
from reconlib.errors import AuthenticationError, SettingsError, ShapeError, VendorError

BASE = "https://api.vendor.example/v1"
NOW = datetime(2026, 11, 3, 6, tzinfo=UTC)
SECRET = "s3cr3t-value"


class Fake:
    def __init__(self, *answers):
        self.answers, self.requests, self.slept = list(answers), [], []

    def __call__(self, request):
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open(self, **settings):
        settings = {"auth": basic_auth("user", SecretStr(SECRET)), "now": lambda: NOW, "sleep": self.slept.append} | settings
        return Transport(BASE, source="pax", http_transport=httpx.MockTransport(self), **settings)


def ok(content=None, **more):
    return httpx.Response(200, json={"a": 1} if content is None else content, **more)


def test_answer_keeps_bytes_exact_numbers_and_a_request_without_host_or_secret():
    fake = Fake(httpx.Response(200, content=b'{"price": 12.10}'))
    with fake.open() as transport:
        answer = transport.get("products", "products", {"page": 0, "api_key": SECRET})
    assert answer.body == b'{"price": 12.10}'
    assert answer.content == {"price": Decimal("12.10")}
    assert answer.request == "GET /v1/products?page=0&api_key=***"


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ({"Retry-After": "7"}, [7.0]),
        ({"Retry-After": "Tue, 03 Nov 2026 06:00:09 GMT"}, [9.0]),
        ({"Retry-After": "Tue, 03 Nov 2026 06:00:09 GMT", "Date": "Tue, 03 Nov 2026 06:00:05 GMT"}, [4.0]),
        ({"Retry-After": "Tue, 03 Nov 2026 05:00:00 GMT"}, [0.0]),
        ({"Retry-After": "Tue, 03 Nov 2026 06:00:09 GMT", "Date": "today"}, [9.0]),
        ({"Retry-After": "Tue, 03 Nov 2026 06:00:09 -0000"}, [9.0]),
        ({"Retry-After": "soon"}, [1.0]),
        ({}, [1.0]),
    ],
)
def test_429_waits_as_long_as_asked(headers, slept):
    fake = Fake(httpx.Response(429, headers=headers), ok())
    with fake.open() as transport:
        assert transport.get("products", "products").content == {"a": 1}
    assert fake.slept == slept


@pytest.mark.parametrize("retry_after", ["3600", "Tue, 03 Nov 2026 07:00:00 GMT"])
def test_a_wait_beyond_the_cap_is_an_error_not_an_early_retry(retry_after):
    fake = Fake(httpx.Response(429, headers={"Retry-After": retry_after}), ok())
    with fake.open() as transport, pytest.raises(VendorError, match="wait until 2026-11-03 07:00:00 UTC"):
        transport.get("products", "products")
    assert (len(fake.requests), fake.slept) == (1, [])


def test_an_absurd_wait_is_an_error_too():
    fake = Fake(httpx.Response(503, headers={"Retry-After": "9" * 12}))
    with fake.open() as transport, pytest.raises(VendorError, match="wait until"):
        transport.get("products", "products")


@pytest.mark.parametrize("fault", [httpx.Response(500), httpx.Response(502), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut")])
def test_passing_faults_are_tried_again_with_back_off(fault):
    fake = Fake(fault, fault, ok())
    with fake.open() as transport:
        assert transport.get("products", "products").content == {"a": 1}
    assert fake.slept == [1.0, 2.0]


@pytest.mark.parametrize("fault", [httpx.Response(500), httpx.Response(429, headers={"Retry-After": "1"}), httpx.ReadTimeout("slow")])
def test_lasting_faults_end(fault):
    fake = Fake(fault)
    with fake.open() as transport, pytest.raises(VendorError, match="source pax, products") as caught:
        transport.get("products", "products")
    assert len(fake.requests) == MAX_TRIES
    assert not isinstance(caught.value, ShapeError)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_the_source_and_are_not_tried_again(status):
    fake = Fake(httpx.Response(status, json={"message": f"bad {SECRET}"}))
    with fake.open() as transport, pytest.raises(AuthenticationError, match="source pax, products") as caught:
        transport.get("products", "products")
    assert len(fake.requests) == 1
    assert SECRET not in str(caught.value)


def test_hints_of_a_connector_explain_a_status():
    fake = Fake(httpx.Response(404))
    with fake.open(hints={404: "check the codebase"}) as transport, pytest.raises(VendorError, match="check the codebase"):
        transport.get("companies", "companies")


def test_unknown_host_names_source_and_host():
    fake = Fake(httpx.ConnectError("Name or service not known"))
    with fake.open() as transport, pytest.raises(VendorError, match=r"source pax, products: cannot reach api\.vendor\.example"):
        transport.get("products", "products")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("target", ["https://elsewhere.example/v1/products", "/v2/products", "http://["])
def test_redirects_are_not_followed(target):
    fake = Fake(httpx.Response(302, headers={"Location": target}), ok())
    with fake.open() as transport, pytest.raises(VendorError, match="redirects to"):
        transport.get("products", "products")
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/v1/products?page=2",
        "http://api.vendor.example/v1/products?page=2",
        "https://api.vendor.example:8443/v1/products?page=2",
        "https://api.vendor.example@elsewhere.example/p",
        "https://user:pass@api.vendor.example/v1/products?page=2",
        "//elsewhere.example/p",
        "/v1/products?page=2",
        "string",
        "",
        "http://[",
    ],
)
def test_a_next_link_to_another_origin_raises_before_anything_is_sent(link):
    fake = Fake(ok())
    with fake.open() as transport, pytest.raises(VendorError, match="not followed"):
        transport.follow("products", link)
    assert fake.requests == []


def test_a_next_link_on_the_same_origin_is_followed_with_its_cursor():
    fake = Fake(ok(headers={"Link": f'<{BASE}/products?page=2>; rel="next", <{BASE}/products?page=9>; rel="last"'}), ok([]))
    with fake.open() as transport:
        first = transport.get("products", "products", {"page": 1})
        second = transport.follow("products", first.next_url or "")
    assert [str(r.url) for r in fake.requests] == [f"{BASE}/products?page=1", f"{BASE}/products?page=2"]
    assert second.next_url is None


def test_default_port_written_out_is_the_same_origin():
    fake = Fake(ok())
    with fake.open() as transport:
        assert transport.follow("products", "https://API.vendor.example:443/v1/products?page=2").content == {"a": 1}


def test_pages_in_a_circle_end():
    fake = Fake(ok())
    with fake.open() as transport:
        transport.follow("products", f"{BASE}/products?page=2")
        with pytest.raises(VendorError, match="circle"):
            transport.follow("products", f"{BASE}/products?page=2")
    assert len(fake.requests) == 1


def test_pages_told_apart_by_a_header_are_no_circle_and_the_header_is_of_its_own_page():
    fake = Fake(ok())
    with fake.open() as transport:
        for cursor in ("a", "b"):
            transport.get("products", "products", headers={"Cursor": cursor})
        transport.get("products", "products")
        with pytest.raises(VendorError, match="circle"):
            transport.get("products", "products", headers={"Cursor": "a"})
    assert [r.headers.get("Cursor") for r in fake.requests] == ["a", "b", None]


def test_pages_without_end_end():
    fake = Fake(ok())
    with fake.open(max_pages=3) as transport:
        for page in range(3):
            transport.get("products", "products", {"page": page})
        with pytest.raises(VendorError, match="more than 3 pages"):
            transport.get("products", "products", {"page": 3})
    assert len(fake.requests) == 3


@pytest.mark.parametrize("body", [b'{"content": [{"id": 1}, {"i', b"", b"<html>login</html>", b"[NaN]", b"\xff\xfe{", b"[" * 100_000])
def test_a_body_that_is_not_whole_json_names_source_and_endpoint(body):
    fake = Fake(httpx.Response(200, content=body))
    with fake.open() as transport, pytest.raises(ShapeError, match=r"source pax, products: .*(cut or not JSON|web page)"):
        transport.get("products", "products")


@pytest.mark.parametrize(
    "address",
    ["http://api.vendor.example", "ftp://api.vendor.example", "api.vendor.example", "", "https://u:p@api.vendor.example", "https://h/?k=v"],
)
def test_addresses_that_would_show_secrets_are_settings_errors(address):
    with pytest.raises(SettingsError, match="source pax, base_url"):
        Transport(address, source="pax")


@pytest.mark.parametrize("address", [f"https://me:{SECRET}@h.example:port/v1", f"https://me:{SECRET}/@[", f"ftp:///?key={SECRET}"])
def test_an_address_that_cannot_be_read_is_shown_without_what_may_be_a_password(address):
    with pytest.raises(SettingsError, match="source pax, base_url") as caught:
        Transport(address, source="pax")
    assert SECRET not in f"{caught.value!r}"


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1", "https://api.vendor.example"])
def test_https_and_loopback_are_accepted(address):
    Transport(address, source="pax").__exit__()


def test_token_bucket_spreads_requests():
    fake, clock = Fake(ok()), [0.0]
    with fake.open(rate_per_s=2.0, burst=2, clock=lambda: clock[0]) as transport:
        for page in range(4):
            transport.get("agents", "agents", {"page": page})
    assert fake.slept == [0.5, 0.5]


@pytest.mark.parametrize("value", [f"{SECRET}\n", f" {SECRET}", f"{SECRET}\x00", "s3cr3t-välue", ""])
def test_a_credential_no_header_can_carry_is_named_and_not_shown(value):
    with pytest.raises(AuthenticationError, match="source pax: the value for clientId holds") as caught:
        Transport(BASE, source="pax", headers={"clientId": value})
    assert SECRET not in f"{caught.value!r}"
    assert "välue" not in f"{caught.value!r}"


def test_the_words_of_a_fault_that_may_quote_a_header_are_not_shown():
    fake = Fake(httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}'"))
    with fake.open() as transport, pytest.raises(VendorError, match=r"cannot reach api\.vendor\.example: LocalProtocolError") as caught:
        transport.get("a", "a")
    assert SECRET not in f"{caught.value!r}"


class Tokens:
    """A vendor whose tokens are t1, t2, …"""

    def __init__(self, *api):
        self.api, self.token_requests, self.given = Fake(*api), [], []
        self.token_answer = lambda n: httpx.Response(200, json={"access_token": f"t{n}", "expires_in": 3600})

    def __call__(self, request):
        if request.url.host == "login.vendor.example":
            request.read()
            self.token_requests.append(request)
            return self.token_answer(len(self.token_requests))
        self.given.append(request.headers.get("Authorization"))
        return self.api(request)

    def open(self, now=lambda: NOW, **more):
        auth = ClientCredentials(
            "https://login.vendor.example/oauth/token", SecretStr("id-1"), SecretStr(SECRET), source="pax", now=now, **more
        )
        return Transport(BASE, source="pax", auth=auth, now=now, sleep=self.api.slept.append, http_transport=httpx.MockTransport(self))


def test_one_token_serves_many_requests_until_it_ends():
    vendor, at = Tokens(ok()), [NOW]
    with vendor.open(now=lambda: at[0]) as transport:
        transport.get("a", "a")
        transport.get("b", "b")
        at[0] = datetime(2026, 11, 3, 6, 59, 30, tzinfo=UTC)
        transport.get("c", "c")
    assert vendor.given == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_a_token_refused_early_is_renewed_once():
    vendor = Tokens(ok(), httpx.Response(401), ok())
    with vendor.open() as transport:
        transport.get("a", "a")
        assert transport.get("b", "b").content == {"a": 1}
    assert vendor.given == ["Bearer t1", "Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(("encoding", "kind"), [("form", "application/x-www-form-urlencoded"), ("json", "application/json")])
def test_token_body_as_the_vendor_wants_it(encoding, kind):
    vendor = Tokens(ok())
    with vendor.open(encoding=encoding, extra={"audience": "https://api.vendor.example"}) as transport:
        transport.get("a", "a")
    request = vendor.token_requests[0]
    assert request.headers["Content-Type"] == kind
    assert b"client_credentials" in request.content
    assert SECRET.encode() in request.content
    assert b"audience" in request.content


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_client_is_an_authentication_error_without_the_secret(status):
    vendor = Tokens(ok())
    vendor.token_answer = lambda _: httpx.Response(status, json={"error": f"invalid {SECRET}"})
    with vendor.open() as transport, pytest.raises(AuthenticationError, match="source pax, token") as caught:
        transport.get("a", "a")
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert vendor.given == []


def test_a_token_is_not_asked_for_twice_blindly():
    vendor = Tokens(ok())
    vendor.token_answer = lambda _: httpx.Response(500)
    with vendor.open() as transport, pytest.raises(VendorError, match="source pax, token: answered 500"):
        transport.get("a", "a")
    assert len(vendor.token_requests) == 1


def test_a_token_endpoint_may_ask_to_wait():
    vendor = Tokens(ok())
    vendor.token_answer = lambda n: (
        httpx.Response(429, headers={"Retry-After": "3"}) if n == 1 else httpx.Response(200, json={"access_token": "t"})
    )
    with vendor.open() as transport:
        assert transport.get("a", "a").content == {"a": 1}
    assert vendor.api.slept == [3.0]


def test_an_answer_without_token_says_so():
    vendor = Tokens(ok())
    vendor.token_answer = lambda _: httpx.Response(200, content=b'{"access_token": "eyJhbGciOi')
    with vendor.open() as transport, pytest.raises(ShapeError, match="source pax, token") as caught:
        transport.get("a", "a")
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize("token", ["t0k\nen", "t0k en", "t0kén"])
def test_a_token_no_header_can_carry_is_refused_and_not_shown(token):
    vendor = Tokens(ok())
    vendor.token_answer = lambda _: httpx.Response(200, json={"access_token": token})
    with vendor.open() as transport, pytest.raises(ShapeError, match=r"source pax, token: .* holds blanks") as caught:
        transport.get("a", "a")
    assert "t0k" not in f"{caught.value!r}"
    assert vendor.given == []


def test_no_query_and_no_secret_in_the_log(caplog):
    vendor = Tokens(ok())
    with caplog.at_level(logging.DEBUG), vendor.open() as transport:
        transport.get("a", "a", {"api_key": SECRET, "page": 3})
    assert "/v1/a" in caplog.text
    assert SECRET not in caplog.text
    assert "page=3" not in caplog.text
