"""Digest logins: the examples of RFC 2617 and 7616, and challenges that mean no good."""

from __future__ import annotations

import pytest

from connectors.http.digest_auth import Digest

NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
OLD = (
    f'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="{NONCE}", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
NEW = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def header(digest: Digest, user: str, secret: str, path: str) -> str:
    return digest.headers(user, secret, "GET", path)["Authorization"]


def test_the_example_of_rfc_2617(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0a4f113b")
    digest = Digest()
    assert digest.headers("Mufasa", "Circle Of Life", "GET", "/dir/index.html") == {}
    assert digest.challenged(OLD, answered=False)
    told = header(digest, "Mufasa", "Circle Of Life", "/dir/index.html")
    assert 'response="6629fae49393a05397450978507c4ef1"' in told
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in told
    assert "nc=00000001" in told
    assert "nc=00000002" in header(digest, "Mufasa", "Circle Of Life", "/dir/index.html")


def test_the_example_of_rfc_7616(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    digest = Digest()
    assert digest.challenged(f'Basic realm="x", {NEW}', answered=False)
    told = header(digest, "Mufasa", "Circle of Life", "/dir/index.html")
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in told


def test_a_refused_answer_is_not_given_again_unless_the_nonce_is_stale() -> None:
    digest = Digest()
    assert digest.challenged(OLD, answered=False)
    assert not digest.challenged(OLD, answered=True)
    assert digest.challenged(OLD + ", stale=true", answered=True)


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        'Basic realm="x"',
        'Digest realm="x"',
        'Digest realm="x", nonce="n", algorithm=ROT13',
        'Digest realm="x", nonce="n", qop="auth-int"',
    ],
)
def test_what_cannot_be_answered_is_not(challenge: str) -> None:
    assert not Digest().challenged(challenge, answered=False)


def test_names_cannot_end_the_header() -> None:
    digest = Digest()
    digest.challenged(OLD, answered=False)
    assert r'username="a\"b\\c"' in header(digest, 'a"b\\c', "x", "/")
