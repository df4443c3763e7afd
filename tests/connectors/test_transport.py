"""The transport: what it makes of a URL, of a late answer, and of close()."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import BinaryIO

import pytest
import urllib3

from connectors.http.hrefs import Origin
from connectors.http.proxy import Network
from connectors.http.transport import Transport, target_of
from connectors.settings import Tls
from model.errors import MigrationError, Transient

SERVER = Origin("https", "mail.example.org", 443)


@dataclass(frozen=True)
class Reached:
    tls: Tls = field(default_factory=Tls)
    network: Network = field(default_factory=Network)
    timeout_seconds: float = 5.0


def closed() -> MigrationError:
    return Transient("source-closed")


def answered(body: bytes = b"x", **headers: str) -> urllib3.HTTPResponse:
    return urllib3.HTTPResponse(io.BytesIO(body), headers, 200, preload_content=False)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.example", "/"),
        ("https://a.example?x=/y", "/?x=/y"),
        ("https://a.example/b%2Fc/d?e=f?g#h", "/b%2Fc/d?e=f?g"),
        ("https://a.example:8443//b", "//b"),
    ],
)
def test_the_target_of_a_url_is_sent_as_it_is_written(url: str, target: str) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize("url", ["https://[/x", "https://a.example:99999/x"])
def test_an_address_that_is_none_is_a_passing_fault(url: str) -> None:
    with pytest.raises(Transient, match="connection-cut"):
        Transport(Reached(), closed, 1).send_to("GET", url, {})


def test_an_answer_that_is_there_when_the_time_is_over_is_closed() -> None:
    """Its head may have been cut off."""
    ended = Event()
    answer = answered()
    transport = Transport(Reached(), closed, 1, answer_seconds=0.05)
    shut = transport._sockets.cut

    def cut() -> None:
        shut()
        ended.set()

    transport._sockets.cut = cut  # type: ignore[method-assign]

    def request() -> urllib3.HTTPResponse:
        assert ended.wait(10)
        return answer

    with pytest.raises(Transient, match="timeout"):
        transport.within(request)
    assert answer.closed


def test_an_answer_that_is_there_when_the_transport_is_closed_is_closed() -> None:
    answer = answered()

    def send(
        origin: Origin, method: str, target: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.HTTPResponse:
        transport.close()
        return answer

    transport = Transport(Reached(), closed, 1, send=send)
    with pytest.raises(Transient, match="source-closed"):
        transport.send(SERVER, "GET", "/", {})
    assert answer.closed


def test_headers_are_found_in_lower_case() -> None:
    transport = Transport(Reached(), closed, 1, send=lambda *_: answered(ETag='"1"'))
    with transport.send(SERVER, "GET", "/", {}) as response:
        assert response.headers["etag"] == '"1"'
        assert response.read(1, Transient("reply-too-large")) == b"x"


def test_an_answer_has_a_largest_size() -> None:
    transport = Transport(Reached(), closed, 1, send=lambda *_: answered(b"xx"))
    with (
        transport.send(SERVER, "GET", "/", {}) as response,
        pytest.raises(Transient, match="reply-too-large"),
    ):
        response.read(1, Transient("reply-too-large"))
