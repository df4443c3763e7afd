"""What an Exchange server says of a refusal goes with the error."""

from __future__ import annotations

import pytest
from ews_responder import Answer, error, fault, responder
from ews_scripts import INBOX, REFS, Open, flawed

from connectors.settings import Secret
from model.errors import Blocked, Transient
from model.protocols import Failed

SAID = "secret words"
"""In every MessageText and faultstring of the scripted server."""


@pytest.mark.parametrize(
    ("code", "becomes", "said"),
    [("ErrorCorruptData", "corrupt-at-source", SAID), ("ErrorFoo", "item-refused", f"ErrorFoo {SAID}")],
)
def test_an_item_that_is_not_given(source: Open, code: str, becomes: str, said: str) -> None:
    refused = Answer(
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope'
        ' xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:GetItemResponse'
        ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><m:ResponseMessages>'
        f"{error('GetItem', code)}</m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>"
    )
    with responder(flawed(lambda request, _: refused)) as server:
        (failed,) = source(server).fetch(INBOX, REFS[:1])
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.words.spoken()) == (becomes, said)
    shown = f"{failed.error!r} {failed.error} {failed.error.words!r}"
    assert SAID not in shown
    assert "ErrorFoo" not in shown


@pytest.mark.parametrize(
    ("code", "becomes", "kind"),
    [
        ("ErrorNonExistentMailbox", "mailbox-missing", Blocked),
        ("ErrorServerBusy", "busy", Transient),
    ],
)
def test_a_fault(source: Open, code: str, becomes: str, kind: type[Exception]) -> None:
    with responder(lambda _: fault(code)) as server, pytest.raises((Blocked, Transient)) as caught:
        list(source(server, patience_seconds=0.3).containers())
    assert isinstance(caught.value, kind)
    assert (caught.value.code, caught.value.words.spoken()) == (becomes, SAID)


def test_a_token_that_is_not_given(source: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_TEST_SECRET", "client-secret-value")
    told = (
        '{"error": "invalid_client", "error_description": "AADSTS7000215: client-secret-value does not fit"}'
    )
    with responder(lambda _: Answer(told, status=401, kind="application/json")) as server:
        one = source(
            server,
            auth="oauth2",
            client_id="app",
            client_secret=Secret(env="KOGGE_TEST_SECRET"),
            token_url=f"{server.url}/token",
        )
        with pytest.raises(Blocked, match="login-refused") as caught:
            one.identity()
    assert caught.value.words.spoken() == "AADSTS7000215: *** does not fit"
