"""What Graph says of a refusal goes with the error."""

from __future__ import annotations

import pytest
from graph_script import HOME, INBOX, Answer, Ask, Cloud, Open, error

from model.errors import Blocked, Transient
from model.protocols import Failed, Ref

SAID = "Anna Angst cannot be reached"
"""In every error of the scripted cloud."""


@pytest.mark.parametrize(
    ("code", "status", "becomes"),
    [
        ("ErrorCorruptData", 400, "corrupt-at-source"),
        ("Foo", 400, "item-refused"),
        ("Bar", 500, "poison-item"),
    ],
)
def test_an_item_that_is_not_given(source: Open, code: str, status: int, becomes: str) -> None:
    def script(ask: Ask) -> Answer:
        return error(code, status) if ask.path.startswith(f"{HOME}/messages/") else Answer({"id": "F1"})

    (failed,) = source(Cloud(script)).fetch(INBOX, [Ref("m1", "listed")])
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.words.spoken()) == (becomes, SAID)
    assert "Anna" not in f"{failed.error!r} {failed.error} {failed.error.words!r}"


@pytest.mark.parametrize(
    ("code", "status", "becomes", "kind"),
    [("ErrorInvalidUser", 404, "mailbox-missing", Blocked), ("TooManyRequests", 429, "busy", Transient)],
)
def test_what_concerns_everything(
    source: Open, code: str, status: int, becomes: str, kind: type[Exception]
) -> None:
    cloud = Cloud(lambda _: error(code, status))
    with pytest.raises((Blocked, Transient)) as caught:
        list(source(cloud, patience_seconds=0.3).containers())
    assert isinstance(caught.value, kind)
    assert (caught.value.code, caught.value.words.spoken()) == (becomes, SAID)


def test_a_token_that_is_not_given(source: Open) -> None:
    told = {"error": "invalid_client", "error_description": "AADSTS7000215: practice-migrator does not fit"}
    cloud = Cloud(lambda _: Answer({}), token=lambda _: Answer(told, status=401))
    with pytest.raises(Blocked, match="login-refused") as caught:
        source(cloud).identity()
    assert caught.value.words.spoken() == "AADSTS7000215: *** does not fit"
