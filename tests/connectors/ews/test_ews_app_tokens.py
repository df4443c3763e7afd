"""An application's tokens over EWS: what the token endpoint receives, when a token is renewed, what shows."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from ews_responder import Answer, Request, Responder, responder, root_folder
from ews_scripts import Open, unwrapped

from connectors.ews.source import EwsSource
from connectors.exchange.app_credential import Registration
from connectors.exchange.app_tokens import AppTokens
from connectors.settings import Account, Secret, Strict
from model.errors import Blocked, MigrationError, Misconfigured, Transient

SECRET = "practice-client-secret"
ENV = "EWS_CLIENT_SECRET"
PEMS = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def oauth(server: Responder, path: str = "/token", **changes: Any) -> dict[str, Any]:
    url = server.url.replace("/EWS/Exchange.asmx", path)
    return {
        "auth": "oauth2",
        "client_id": "app",
        "token_url": url,
        "client_secret": Secret(env=ENV),
        **changes,
    }


@pytest.fixture(autouse=True)
def known_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, SECRET)


def granted(number: int, **more: object) -> Answer:
    return Answer(json.dumps({"access_token": f"granted-{number}", **more}), kind="application/json")


class Endpoint:
    """An Exchange and its token endpoint, which gives granted-1, granted-2, … or what `tokens` yields."""

    def __init__(self, tokens: Iterator[Answer] | None = None, refuses: Iterator[bool] | None = None) -> None:
        self.tokens = tokens
        self.refuses = refuses
        self.asked: list[dict[str, str]] = []
        self.bearers: list[str] = []

    def __call__(self, request: Request) -> Answer:
        if request.operation != "token":
            self.bearers.append(request.headers.get("Authorization", ""))
            refused = self.refuses is not None and next(self.refuses)
            return Answer("", status=401) if refused else root_folder()
        assert "Authorization" not in request.headers
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        self.asked.append({name: values[0] for name, values in parse_qs(request.xml).items()})
        return next(self.tokens) if self.tokens else granted(len(self.asked), expires_in=3600)


@dataclass(frozen=True)
class Signer:
    """A PEM file with key and certificate, and what an endpoint knows of it."""

    path: Path
    certificate: x509.Certificate

    def thumbprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        return self.certificate.fingerprint(algorithm)

    def verify(self, assertion: str, pad: padding.AsymmetricPadding) -> None:
        signed, _, signature = assertion.rpartition(".")
        public = self.certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(unurl(signature), signed.encode(), pad, hashes.SHA256())


def unurl(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kogge")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("signer") / "app.pem"
    path.write_bytes(key.private_bytes(*PEMS) + made.public_bytes(serialization.Encoding.PEM))
    return Signer(path, made)


def asserted(
    source: Open, signer: Signer, path: str
) -> tuple[str, Mapping[str, str], Mapping[str, Any], str]:
    """The assertion that the endpoint at a path receives, its header and claims, and the endpoint's URL."""
    endpoint = Endpoint()
    with responder(endpoint) as server:
        changes = oauth(server, path, client_secret=None, certificate_file=str(signer.path))
        source(server, **changes).server()
    (form,) = endpoint.asked
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in form
    head, claims, _ = form["client_assertion"].split(".")
    assert endpoint.bearers == ["Bearer granted-1"]
    return form["client_assertion"], json.loads(unurl(head)), json.loads(unurl(claims)), changes["token_url"]


@pytest.mark.parametrize("path", ["/organization/oauth2/v2.0/token", "/token", "/"])
def test_a_certificate_signs_as_entra_wants_it(source: Open, signer: Signer, path: str) -> None:
    assertion, head, claims, url = asserted(source, signer, path)
    signer.verify(assertion, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH))
    assert (head["alg"], "x5t" in head) == ("PS256", False)
    assert unurl(head["x5t#S256"].rstrip("=")) == signer.thumbprint(hashes.SHA256())
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("app", "app", url)
    assert claims["exp"] > claims["iat"]
    assert claims["jti"]


@pytest.mark.parametrize("path", ["/adfs/oauth2/token/", "/ADFS/oauth2/token"])
def test_a_certificate_signs_as_ad_fs_understands_it(source: Open, signer: Signer, path: str) -> None:
    assertion, head, claims, url = asserted(source, signer, path)
    signer.verify(assertion, padding.PKCS1v15())
    assert (head["alg"], "x5t#S256" in head) == ("RS256", False)
    sha1 = signer.thumbprint(hashes.SHA1())
    assert unurl(head["x5t"].rstrip("=")) == sha1
    assert (claims["iss"], claims["aud"]) == ("app", url)


def test_a_secret_proves_the_application(source: Open) -> None:
    endpoint = Endpoint()
    with responder(endpoint) as server:
        one = source(server, **oauth(server, scope="first second"))
        for _ in range(3):
            one.server()
    (form,) = endpoint.asked
    wanted = {"grant_type": "client_credentials", "client_id": "app", "client_secret": SECRET}
    assert {name: form[name] for name in wanted} == wanted
    assert form["scope"] == "first second"
    assert "claims" not in form, "EWS answers no claims challenge"
    assert endpoint.bearers == ["Bearer granted-1"] * len(endpoint.bearers)


def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(source: Open) -> None:
    endpoint = Endpoint(iter([granted(1, expires_in="200"), granted(2, expires_in="3600")]))
    with responder(endpoint) as server:
        one = source(server, **oauth(server))
        for _ in range(3):
            one.server()
    assert endpoint.bearers == ["Bearer granted-1", "Bearer granted-2", "Bearer granted-2"]


def test_a_token_that_the_server_refuses_is_renewed_in_mid_run(source: Open) -> None:
    endpoint = Endpoint(refuses=iter([False, True, False, False]))
    with responder(endpoint) as server:
        one = source(server, **oauth(server))
        for _ in range(3):
            one.server()
    assert endpoint.bearers == [
        "Bearer granted-1",
        "Bearer granted-1",
        "Bearer granted-2",
        "Bearer granted-2",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"expires_in": "soon"},
        {"expires_in": 3600, "scope": "other"},
        {"expires_in": 3600, "refresh_in": -1},
    ],
)
def test_a_token_is_kept_whatever_else_the_answer_says(source: Open, more: dict[str, object]) -> None:
    endpoint = Endpoint(iter([granted(1, **more)]))
    with responder(endpoint) as server:
        one = source(server, **oauth(server))
        for _ in range(3):
            one.server()
    assert len(endpoint.asked) == 1


def test_a_secret_that_was_replaced_is_read_again(source: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Answer('{"error": "invalid_client"}', status=401, kind="application/json")
    endpoint = Endpoint(iter([granted(1), refused, granted(2)]), refuses=iter([False, True, False]))
    with responder(endpoint) as server:
        one = source(server, **oauth(server))
        one.server()
        monkeypatch.setenv(ENV, "another-client-secret")
        one.server()
    assert [form["client_secret"] for form in endpoint.asked] == [SECRET, SECRET, "another-client-secret"]


@pytest.mark.parametrize(
    "busy",
    [
        Answer("", status=429, headers={"Retry-After": "0"}),
        Answer('{"error": "x"}', status=503, kind="application/json"),
        Answer('{"error": "temporarily_unavailable"}', status=400, headers={"Retry-After": "0"}),
    ],
)
def test_a_busy_endpoint_is_asked_again_and_not_answered_from_memory(source: Open, busy: Answer) -> None:
    endpoint = Endpoint(iter([busy, busy, granted(1)]))
    with responder(endpoint) as server:
        source(server, **oauth(server)).server()
    assert len(endpoint.asked) == 3


def test_what_the_endpoint_asks_to_wait_is_handed_on(source: Open) -> None:
    busy = Answer("", status=503, headers={"Retry-After": "120"})
    with responder(lambda _: busy) as server, pytest.raises(Transient) as caught:
        source(server, **oauth(server), patience_seconds=0).server()
    assert (caught.value.code, caught.value.after) == ("busy", 120.0)


def test_a_redirect_is_not_followed(source: Open) -> None:
    away = Answer("", status=307, headers={"Location": "http://127.0.0.1:9/"})
    with responder(lambda _: away) as server, pytest.raises(Blocked, match="login-refused") as caught:
        source(server, **oauth(server)).server()
    assert caught.value.advice == "the token endpoint sends elsewhere: set token_url"


UNREADABLE = Answer("<html>secret words</html>")
REFUSED = Answer('{"error": "x", "error_description": "secret words"}', status=400, kind="application/json")


def shown(one: EwsSource) -> str:
    """The traceback of a failure, with the variables of every frame."""
    try:
        one.server()
    except MigrationError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(told.format()) + repr(error) + repr(error.words)
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("answer", [UNREADABLE, REFUSED, Answer("", status=503)])
@pytest.mark.parametrize("certified", [False, True])
def test_a_failure_shows_neither_a_secret_nor_what_was_said(
    source: Open, signer: Signer, caplog: pytest.LogCaptureFixture, answer: Answer, certified: bool
) -> None:
    changes = {"client_secret": None, "certificate_file": str(signer.path)} if certified else {}
    with caplog.at_level(logging.DEBUG), responder(lambda _: answer) as server:
        one = source(server, **oauth(server, **changes), patience_seconds=0)
        text = shown(one) + caplog.text
        forms = [parse_qs(request.xml) for request in server.requests]
    kept = forms[0]["client_assertion" if certified else "client_secret"][0]
    for hidden in (kept, "PRIVATE KEY", "secret words"):
        assert hidden not in text


def test_an_assertion_that_the_endpoint_repeats_is_masked(source: Open, signer: Signer) -> None:
    def script(request: Request) -> Answer:
        (assertion,) = parse_qs(request.xml)["client_assertion"]
        told = {"error": "invalid_client", "error_description": f"{assertion} does not fit"}
        return Answer(json.dumps(told), status=401, kind="application/json")

    with responder(script) as server, pytest.raises(Blocked, match="login-refused") as caught:
        source(server, **oauth(server, client_secret=None, certificate_file=str(signer.path))).server()
    assert caught.value.words.spoken() == "*** does not fit"


def test_a_login_with_a_token_shows_no_secret(source: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), responder(Endpoint()) as server:
        one = source(server, **oauth(server))
        one.server()
        inner = unwrapped(one)
        login = inner._client._login
        seen = [
            one,
            inner,
            inner._settings,
            vars(inner._client),
            vars(login),
            vars(login._tokens),
            login._plain,
        ]
        text = "".join(map(repr, seen)) + caplog.text
    assert SECRET not in text
    assert "granted-1" not in text


def test_a_key_of_another_kind_is_the_operators_matter(source: Open, signer: Signer, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    public = signer.certificate.public_bytes(serialization.Encoding.PEM)
    told = {
        ec.generate_private_key(ec.SECP256R1()).private_bytes(*PEMS) + public: "is not an RSA key",
        public: f"{other} holds no key (PEM) that opens without a password",
        signer.path.read_bytes().partition(b"-----BEGIN CERT")[0]: f"{other} holds no certificate (PEM)",
    }
    for pem, advice in told.items():
        other.write_bytes(pem)
        with responder(Endpoint()) as server, pytest.raises(Misconfigured) as caught:
            source(server, **oauth(server, client_secret=None, certificate_file=str(other))).server()
        assert caught.value.advice.startswith("certificate_file: ")
        assert caught.value.advice.endswith(advice)


def test_a_region_of_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSAL_FORCE_REGION", "no region")
    asked: list[str] = []

    @dataclass
    class Granted:
        status_code: int = 200
        content: bytes = b'{"access_token": "granted"}'
        headers: Mapping[str, str] = None  # type: ignore[assignment] # not read for a token

    def post(url: str, headers: Mapping[str, str], form: bytes) -> Granted:
        asked.append(url)
        return Granted()

    url = "https://login.microsoftonline.com/t/oauth2/v2.0/token"
    secret = Secret(env=ENV)
    tokens = AppTokens(
        Registration(Strict(), Account(login="anna"), url, "tenant", "app", "s", secret, None), post
    )
    assert tokens.token() == tokens.token() == "granted"
    assert asked == [url]
