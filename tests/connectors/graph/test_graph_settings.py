"""What a Graph source may be configured with, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.graph.source import READERS, GraphSettings, GraphSource
from connectors.settings import Account
from model.kinds import Kind
from model.optional_protocols import SupportsExtras, SupportsSenders, SupportsServerInfo

LEAST: dict[str, Any] = {"tenant": "example.org", "client_id": "a-b-c", "client_secret": {"env": "SECRET"}}


def test_the_least_that_is_needed() -> None:
    settings = GraphSettings.model_validate(LEAST)
    assert settings.graph_url == "https://graph.microsoft.com/v1.0"
    assert settings.authority == "https://login.microsoftonline.com"
    assert (settings.concurrent_requests, settings.requests_per_10_minutes) == (4, 10_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"client_secret": None}, "either client_secret or certificate_file"),
        ({"certificate_file": "x.pem"}, "either client_secret or certificate_file"),
        ({"key_file": "x.pem"}, "belongs to certificate_file"),
        ({"graph_url": "http://graph.example.org/v1.0"}, "use https"),
        ({"authority": "http://login.example.org"}, "use https"),
        ({"graph_url": "graph.example.org"}, "not a URL"),
        ({"graph_url": "https://[graph"}, "not a URL"),
        ({"graph_url": "https://a:b@graph.example.org"}, "credentials"),
        ({"graph_url": "https://graph.example.org?x=1"}, "neither query"),
        ({"tenant": "common"}, "name one tenant"),
        ({"tenant": "a/b"}, "only letters"),
        ({"client_id": "a b"}, "only letters"),
        ({"company": "a|b"}, "printable ASCII"),
        ({"company": "Behörde"}, "printable ASCII"),
        ({"concurrent_requests": 5}, "less than or equal to 4"),
        ({"requests_per_10_minutes": 10_001}, "less than or equal to 10000"),
        ({"clientid": "x"}, "Extra inputs"),
    ],
)
def test_what_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GraphSettings.model_validate({**LEAST, **change})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8443/v1.0", "http://localhost/v1.0"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert GraphSettings.model_validate({**LEAST, "graph_url": f"{url}/"}).graph_url == url


def test_a_source_tells_what_a_preflight_asks(tmp_path: Any) -> None:
    source = GraphSource(GraphSettings.model_validate(LEAST), Account(login="anna@example.org"), tmp_path)
    assert isinstance(source, SupportsServerInfo)
    assert isinstance(source, SupportsExtras)
    assert isinstance(source, SupportsSenders)
    assert source.capabilities.kinds == READERS.keys()
    source.close()


def test_only_the_kinds_that_are_asked_for_are_read(tmp_path: Any) -> None:
    settings = GraphSettings.model_validate(LEAST)
    account = Account(login="anna@example.org")
    source = GraphSource(settings, account, tmp_path, kinds=frozenset({Kind.MAIL}))
    assert source.capabilities.kinds == {Kind.MAIL}
    assert not source.capabilities.moves
    assert list(GraphSource(settings, account, tmp_path, kinds=frozenset()).containers()) == []
    source.close()
