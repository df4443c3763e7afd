"""An HTTP proxy that is configured is used for every HTTP server, and no other one is."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from servers.connect_proxy import ConnectProxy
from test_deadline import ANNA, SIZE, Answering

from connectors.caldav.settings import DavSettings
from connectors.ews.client import EwsClient
from connectors.ews.settings import EwsSettings
from connectors.graph_api.client import GraphClient
from connectors.graph_api.settings import GraphSettings
from connectors.http.client import HttpClient
from connectors.http.proxy import Network, Networked, Proxy
from connectors.settings import Secret, Tls
from model.errors import Blocked, Misconfigured, Transient
from practice.harness.tls import Certificate, make_certificate

Opened = tuple[Networked, Callable[[], object]]


class Habits:
    writers, user_agent = 2, "Kogge"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def port(certificate: Certificate) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.ca, certificate.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def dav(base: str, tls: Tls, network: Network, spool: Path) -> int:
    settings = DavSettings(kind="caldav", url=f"{base}/", password=Secret(env="NET_PASSWORD"), tls=tls)
    settings._network = network
    client = HttpClient(settings, ANNA, Habits())
    try:
        return len(client.ask("PROPFIND", "/").body)
    finally:
        client.close()


def ews(base: str, tls: Tls, network: Network, spool: Path) -> int:
    settings = EwsSettings(url=f"{base}/EWS", auth="oauth2", tenant="t", client_id="c", tls=tls,
                           client_secret=Secret(env="NET_PASSWORD"), token_url=f"{base}/token")  # fmt: skip
    settings._network = network
    client = EwsClient(settings, ANNA, spool)
    try:
        return sum(map(len, client._post(b"<x/>").chunks()))
    finally:
        client.close()


def graph(base: str, tls: Tls, network: Network, spool: Path) -> int:
    settings = GraphSettings(tenant="t", client_id="c", client_secret=Secret(env="NET_PASSWORD"), tls=tls,
                             graph_url=f"{base}/v1.0", authority=base)  # fmt: skip
    settings._network = network
    client = GraphClient(settings, ANNA, spool)
    try:
        with client.opened("GET", f"{base}/download", {}, bearer=False) as response:
            return sum(map(len, response.chunks()))
    finally:
        client.close()


WIRES = pytest.mark.parametrize("asks", [dav, ews, graph])
Asks = Callable[[str, Tls, Network, Path], int]


@WIRES
def test_a_host_that_only_the_proxy_knows_is_reached(
    asks: Asks, port: int, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    with ConnectProxy({"localhost": port}) as proxy:
        network = Network(proxy=proxy.url, no_proxy=("127.0.0.1",))
        assert asks("https://localhost:9", Tls(ca_file=str(certificate.ca)), network, tmp_path) == SIZE + 1
        assert set(proxy.asked) == {"localhost:9"}


@WIRES
def test_a_host_that_is_excepted_is_reached_directly(
    asks: Asks, port: int, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # not used: the configuration names a proxy
    with ConnectProxy() as proxy:
        network = Network(proxy=proxy.url, no_proxy=("127.0.0.1",))
        tls = Tls(ca_file=str(certificate.ca))
        assert asks(f"https://127.0.0.1:{port}", tls, network, tmp_path) == SIZE + 1
        assert proxy.asked == []


@WIRES
def test_a_proxy_that_is_not_there_is_a_passing_fault(
    asks: Asks, port: int, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    network = Network(proxy="http://127.0.0.1:9")
    with pytest.raises(Transient):
        asks(f"https://localhost:{port}", Tls(ca_file=str(certificate.ca)), network, tmp_path)


@WIRES
def test_a_proxy_gets_the_login_that_it_asks_for(
    asks: Asks, port: int, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    monkeypatch.setenv("PROXY_PASSWORD", "pässwort")
    login = {"proxy_user": "kogge", "proxy_password": Secret(env="PROXY_PASSWORD")}
    with ConnectProxy({"localhost": port}, login="kogge:pässwort") as proxy:
        network = Network(proxy=proxy.url, **login)
        assert asks("https://localhost:9", Tls(ca_file=str(certificate.ca)), network, tmp_path) == SIZE + 1


@WIRES
def test_a_proxy_that_refuses_the_login_is_asked_once(
    asks: Asks, port: int, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    with ConnectProxy({"localhost": port}, login="kogge:right") as proxy:
        network = Network(proxy=proxy.url)
        with pytest.raises(Blocked, match="proxy-refused"):
            asks("https://localhost:9", Tls(ca_file=str(certificate.ca)), network, tmp_path)
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    "login",
    [
        {"proxy_user": "kogge"},
        {"proxy_password": Secret(env="X")},
        {"proxy_user": "a:b", "proxy_password": Secret(env="X")},
        {"proxy": None, "proxy_user": "kogge", "proxy_password": Secret(env="X")},
        {"proxy": "environment", "proxy_user": "kogge", "proxy_password": Secret(env="X")},
    ],
)
def test_half_a_login_of_a_proxy_is_refused(login: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="proxy_user"):
        Network(**{"proxy": "http://proxy:3128", **login})


def test_the_hosts_without_a_proxy() -> None:
    network = Network(proxy="http://proxy:3128", no_proxy=("mail.example.org", ".intern.example.org"))
    direct = ["https://mail.example.org/x", "https://a.intern.example.org", "https://intern.example.org",
              "http://other.example.org"]  # fmt: skip
    assert [network.proxy_for(url) for url in direct] == [None] * 4
    for url in ("https://graph.microsoft.com", "https://xmail.example.org", "https://xintern.example.org"):
        assert network.proxy_for(url) == Proxy("http://proxy:3128")


@pytest.mark.parametrize("proxy", ["proxy:3128", "https://p:1", "http://p", "http://u:x@p:1", "http://p:x"])
def test_a_proxy_that_cannot_be_used_is_refused(proxy: str) -> None:
    with pytest.raises(ValidationError, match="HOST:PORT"):
        Network(proxy=proxy)


@WIRES
def test_the_proxy_of_the_environment_is_used_where_the_configuration_says_so(
    asks: Asks, port: int, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    tls = Tls(ca_file=str(certificate.ca))
    with ConnectProxy({"localhost": port}, login="kogge:p@ss:wort") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://kogge:p%40ss%3Awort@"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        network = Network(proxy="environment")
        assert asks("https://localhost:9", tls, network, tmp_path) == SIZE + 1
        assert set(proxy.asked) == {"localhost:9"}
        assert asks(f"https://127.0.0.1:{port}", tls, network, tmp_path) == SIZE + 1
        assert set(proxy.asked) == {"localhost:9"}


def test_the_proxies_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(proxy="environment", no_proxy=("mail.example.org",))
    monkeypatch.setenv("no_proxy", ".intern.example.org, old.example.org, some.example.org:8443")
    monkeypatch.setenv("https_proxy", "proxy:3128")  # many write it so
    direct = ["https://mail.example.org", "https://a.intern.example.org", "https://old.example.org",
              "http://other.example.org"]  # fmt: skip
    assert [network.proxy_for(url) for url in direct] == [None] * 4
    assert network.proxy_for("https://some.example.org:8443") is None
    for url in ("https://graph.microsoft.com", "https://some.example.org"):
        assert network.proxy_for(url) == Proxy("http://proxy:3128")
    monkeypatch.setenv("no_proxy", "*")
    assert network.proxy_for("https://graph.microsoft.com") is None


@pytest.mark.parametrize(
    "named",
    ["", "socks5://p:1", "http://user:hidden@p", "http://user:hidden@p:x", "http://joe:12#hidden@proxy:3128"],
)
def test_an_environment_that_names_no_usable_proxy(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is asked without it; and the error holds no login."""
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(Misconfigured, match="HTTPS_PROXY") as refused:
        Network(proxy="environment").proxy_for("https://graph.microsoft.com")
    assert "hidden" not in str(refused.value)


def test_a_login_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hidden@proxy:3128")
    proxy = Network(proxy="environment").proxy_for("https://graph.microsoft.com")
    assert repr(proxy) == "Proxy(url='http://proxy:3128')"


@WIRES
def test_whoever_cannot_be_reached_is_told_of_a_proxy_that_is_not_used(
    asks: Asks, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NET_PASSWORD", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    with pytest.raises(Transient) as refused:
        asks("https://127.0.0.1:9", Tls(ca_file=str(certificate.ca)), Network(), tmp_path)
    assert refused.value.code == "unreachable"
    assert "HTTPS_PROXY is set and not used" in refused.value.local
