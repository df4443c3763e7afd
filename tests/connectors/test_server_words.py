"""What a server said is carried, and nothing shows it: no repr, no log, no copy, no other process."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from urllib.parse import urlencode

import cloudpickle
import pytest

from connectors.retry import RetryPolicy
from connectors.settings import Secret
from model.errors import Blocked, MigrationError, Misconfigured, Rejected, Transient
from model.masking import KNOWN_MOST, MASK, SECRETS, Secrets
from model.server_words import KEPT_MOST, NOTHING, ServerWords, of_body, of_json, of_line

MARKER = "Anna Angst's folder Kündigungen"


def error() -> Rejected:
    return Rejected("refused-by-target").quoting(ServerWords(MARKER))


def raised() -> MigrationError:
    """As a flow meets it: one that came of another, raised from a frame whose locals carry the words."""
    try:
        try:
            words = ServerWords(MARKER)
            raise Blocked("server-refuses").quoting(words)
        except Blocked as cause:
            raise Transient("busy").quoting(cause.words) from cause
    except Transient as found:
        return found


def test_who_asks_for_the_words_gets_them() -> None:
    assert error().words.spoken() == MARKER
    assert bool(error().words)
    assert not NOTHING
    assert MigrationError("busy").words.spoken() == ""


def test_no_repr_shows_them() -> None:
    found = raised()
    shown = [
        repr(found),
        str(found),
        repr(found.words),
        str(found.words),
        f"{found.words}",
        repr(vars(found)),
    ]
    whole = traceback.TracebackException.from_exception(found, capture_locals=True)
    shown += ["".join(whole.format()), "".join(traceback.format_exception(found))]
    assert "model.errors.Blocked" in shown[-1], "the chain is shown"
    assert [text for text in shown if "Anna" in text] == []


def test_no_log_shows_them(caplog: pytest.LogCaptureFixture) -> None:
    found = raised()
    logging.getLogger("kogge.test").error("failed: %s %r", found, found.words, exc_info=found)
    assert "busy" in caplog.text
    assert "Anna" not in caplog.text


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_no_pickle_takes_them_along(dumps: Callable[[object], bytes]) -> None:
    found = raised()
    for kept in (found, found.words, [found], vars(found), found.__cause__):
        data = dumps(kept)
        assert b"Anna" not in data
    back = pickle.loads(dumps(found))
    assert (back.code, back.words.spoken()) == ("busy", "")


def test_no_copy_takes_them_along() -> None:
    words = error().words
    assert [one.spoken() for one in (copy.copy(words), copy.deepcopy(words))] == ["", ""]
    assert copy.deepcopy(error()).words.spoken() == ""


def test_what_was_heard_outlives_a_sentence_that_is_empty() -> None:
    assert error().quoting(NOTHING).words.spoken() == MARKER


def test_patience_that_ends_keeps_what_was_heard() -> None:
    with pytest.raises(Transient) as caught:
        RetryPolicy(0, lambda _: None, {}).pause(Transient("busy").quoting(ServerWords(MARKER)))
    assert caught.value.words.spoken() == MARKER


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b'<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:exception>X'
            b"</s:exception><s:message>Calendar &quot;Anna&quot; is\n full</s:message></d:error>",
            'Calendar "Anna" is full',
        ),
        (b"<html><head><style>p{}</style><title>403</title></head><body><p>No &amp; no</p>", "403 No & no"),
        (b'{"ocs": {"meta": {"message": "Path already shared"}}}', "Path already shared"),
        (b'{"error": {"code": "x", "message": "Anna is away"}}', "Anna is away"),
        (b'{"error": "invalid_client", "error_description": "AADSTS7000215"}', "AADSTS7000215"),
        (b'{"error": "invalid_client"}', "invalid_client"),
        (b"plain  words\r\nof a server", "plain words of a server"),
        (b"\xff\xfe plain", "\ufffd\ufffd plain"),
        (b'{"error": ' * 3000, ('{"error": ' * 100)),
        (b"[" * 20_000, "[" * KEPT_MOST),
        (b"<p>No &#" + b"1" * 5000 + b"; no</p>", "No &#" + "1" * (KEPT_MOST - 5)),
        (b"", ""),
    ],
)
def test_the_words_of_a_body(body: bytes, said: str) -> None:
    assert of_body(body).spoken() == said.strip()


def test_what_is_no_json_of_an_error_says_nothing() -> None:
    assert [of_json(one).spoken() for one in (None, [], "text", {}, {"error": {"message": 3}})] == [
        "", "", "text", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [b"A" * (1 << 20), b"<" * (1 << 20), b"<s:message " * 100_000, b"<style>" * 150_000, b"&amp;" * 200_000],
)
def test_a_megabyte_is_a_sentence(body: bytes) -> None:
    assert len(of_body(body).spoken()) <= KEPT_MOST
    assert len(of_line(body).spoken()) <= KEPT_MOST


def test_a_secret_that_was_read_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_TEST_SECRET", "s3cret w/ord")
    Secret(env="KOGGE_TEST_SECRET").read()
    basic = base64.b64encode(b"anna:s3cret w/ord").decode()
    plain = base64.b64encode(b"\0anna\0s3cret w/ord").decode()
    for told in ("s3cret w/ord", "s3cret%20w%2Ford", basic, basic.rstrip("="), plain):
        assert ServerWords(f"login {told} refused").spoken() == f"login {MASK} refused"
    assert of_line(f"NO {plain}".encode()).spoken() == f"NO {MASK}"


@pytest.mark.parametrize("secret", ["k\u00fcche-7", 'pa"ss\\word', 'it\'s "so"', "a b+c"])
def test_a_secret_is_masked_however_it_is_quoted(secret: str) -> None:
    secrets = Secrets()
    secrets.learn(secret)
    sent = secret.replace("\\", "\\\\").replace('"', '\\"')
    ways = [secret, sent, repr(secret.encode())[2:-1], repr(sent.encode())[2:-1], json.dumps(secret)[1:-1]]
    for told in [*ways, urlencode({"p": secret})[2:]]:
        assert secrets.masked(f"LOGIN anna <{told}> unknown") == f"LOGIN anna <{MASK}> unknown"


def test_what_follows_a_scheme_is_masked() -> None:
    told = SECRETS.masked("Bearer eyJhbGciOi.x.y, Basic QW5uYQ== refused")
    assert told == f"Bearer {MASK} Basic {MASK} refused"


def test_a_secret_cut_by_the_bound_is_masked() -> None:
    secrets = Secrets()
    secrets.learn("correct horse battery")
    assert secrets.masked(f"{'x' * 990} correct horse battery") == f"{'x' * 990} {MASK}"


def test_the_bounds_of_what_is_masked() -> None:
    secrets = Secrets()
    secrets.learn("abc")
    assert secrets.masked("abc") == "abc", "too short to mask: each place of it would be told"
    for number in range(KNOWN_MOST + 1):
        secrets.learn(f"secret-{number:05}")
    assert secrets.masked("secret-00000 secret-00001") == f"secret-00000 {MASK}"


def test_misconfigured_carries_none() -> None:
    assert Misconfigured("kogge.toml", "wrong").words.spoken() == ""
