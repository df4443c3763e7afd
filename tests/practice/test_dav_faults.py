"""Faults on the line to a DAV server: what the client sees of them, and what they leave behind."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from server_fixtures import radicale_fixture
from servers.dav.dav_proxy import DavProxy
from servers.dav.faults import Fault, Faults

from practice.dav.radicale import USER_PASSWORD, RadicaleServer

CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Anna\r\nN:A;;;;\r\nEND:VCARD\r\n"
ANNA = ("anna", USER_PASSWORD)


radicale = radicale_fixture(["anna"], provisioned=True)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(auth=ANNA, timeout=20) as one:
        yield one


def there(radicale: RadicaleServer, name: str) -> bool:
    answer = httpx.get(f"{radicale.home('anna')}contacts/{name}", auth=ANNA)
    httpx.delete(f"{radicale.home('anna')}contacts/{name}", auth=ANNA)
    return answer.status_code == 200


@pytest.mark.parametrize(
    ("fault", "took_effect"), [(Fault.LOST, True), (Fault.CUT, True), (Fault.UNSENT, False)]
)
def test_a_reply_that_does_not_come(
    radicale: RadicaleServer, client: httpx.Client, fault: Fault, took_effect: bool
) -> None:
    with DavProxy(radicale, [Faults({("PUT", 1): fault})]) as proxy:
        with pytest.raises(httpx.RemoteProtocolError):
            client.put(f"{proxy.home('anna')}contacts/a.vcf", content=CARD)
        assert there(radicale, "a.vcf") is took_effect
        assert client.put(f"{proxy.home('anna')}contacts/a.vcf", content=CARD).status_code == 201
    assert there(radicale, "a.vcf")


@pytest.mark.parametrize(
    ("fault", "status", "took_effect"),
    [
        (Fault.BUSY, 503, False),
        (Fault.LATE, 503, True),
        (Fault.LIMIT, 429, False),
        (Fault.LOCKED, 423, False),
        (Fault.BROKEN, 500, False),
        (Fault.PAGE, 200, False),
        (Fault.FULL, 507, False),
    ],
)
def test_another_answer(
    radicale: RadicaleServer, client: httpx.Client, fault: Fault, status: int, took_effect: bool
) -> None:
    faults = Faults({("*", 2): fault}, retry_after=7)
    with DavProxy(radicale, [faults]) as proxy:
        client.get(f"{proxy.home('anna')}contacts/a.vcf")
        answer = client.put(f"{proxy.home('anna')}contacts/a.vcf", content=CARD)
    assert answer.status_code == status
    assert (answer.headers.get("Retry-After") == "7") is (status in (503, 429))
    assert there(radicale, "a.vcf") is took_effect
    assert faults.struck == [fault]


def test_a_body_that_is_cut(radicale: RadicaleServer, client: httpx.Client) -> None:
    with DavProxy(radicale, [Faults({("PROPFIND", 1): Fault.CUT})]) as proxy:
        with pytest.raises(httpx.RemoteProtocolError):
            client.request("PROPFIND", proxy.home("anna"), headers={"Depth": "1"})
        assert client.request("PROPFIND", proxy.home("anna")).status_code == 207


def test_the_proxy_keeps_connections_counts_and_refuses_what_has_no_length(radicale: RadicaleServer) -> None:
    with DavProxy(radicale) as proxy, httpx.Client(auth=ANNA) as client:
        assert client.request("PROPFIND", proxy.home("anna")).http_version == "HTTP/1.1"
        first = client.request("PROPFIND", proxy.home("anna")).extensions["network_stream"]
        again = client.request("PROPFIND", proxy.home("anna")).extensions["network_stream"]
        assert first.get_extra_info("client_addr") == again.get_extra_info("client_addr")
        url = f"{proxy.home('anna')}contacts/a.vcf"
        assert client.put(url, content=iter([CARD])).status_code == 411
        assert [one.method for one in proxy.requests] == ["PROPFIND"] * 3
        assert proxy.requests[0].user == "anna"
    assert not there(radicale, "a.vcf")


def test_what_a_layer_raises_is_not_hidden(radicale: RadicaleServer) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    proxy = DavProxy(radicale, [broken]).start()  # type: ignore[list-item]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(proxy.url)
    with pytest.raises(ZeroDivisionError):
        proxy.stop()
