"""Tokens: by secret or certificate, renewed in mid-run, once after a refusal, with the claims asked for."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from graph_script import Answer, Ask, Cloud, Open, error, token

from connectors.accepted_logins import APPLICATION, LOGINS, WAIT_SECONDS
from connectors.settings import Account, Secret, Tls
from model.errors import Blocked, Misconfigured, Transient
from practice.graph.server import GraphServer
from practice.world.world import World

USER = {"id": "U-1", "mail": "anna@example.org"}


def user(_: Ask) -> Answer:
    return Answer(USER)


def test_a_token_is_asked_for_once_and_sent_with_every_request(source: Open) -> None:
    cloud = Cloud(user)
    opened = source(cloud)
    opened.identity()
    opened.identity()
    (form,) = cloud.forms
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "https://graph.microsoft.com/.default"
    assert form["client_secret"] == "practice-migrator"
    assert [ask.headers["authorization"] for ask in cloud.asks] == ["Bearer token-1"] * 2
    assert str(cloud.sent[0].url) == "https://login.example.org/example.org/oauth2/v2.0/token"


def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(source: Open) -> None:
    lives = iter([200, 3600])
    cloud = Cloud(user, token=lambda _: token(f"token-{len(cloud.forms)}", next(lives)))
    opened = source(cloud)
    for _ in range(3):
        opened.identity()
    assert [ask.headers["authorization"] for ask in cloud.asks] == [
        "Bearer token-1",
        "Bearer token-2",
        "Bearer token-2",
    ]


def test_a_refused_token_is_renewed_once_in_mid_run(source: Open) -> None:
    def script(ask: Ask) -> Answer:
        old = ask.headers["authorization"] == "Bearer token-1"
        return error("InvalidAuthenticationToken", 401) if old else Answer(USER)

    cloud = Cloud(script)
    assert source(cloud).identity().id == "U-1"
    assert len(cloud.forms) == 2


def test_a_token_refused_twice_blocks_and_is_not_tried_again(source: Open) -> None:
    cloud = Cloud(lambda _: error("InvalidAuthenticationToken", 401))
    opened = source(cloud)
    for _ in range(2):
        with pytest.raises(Blocked, match="login-refused"):
            opened.identity()
    assert len(cloud.forms) == 2
    assert len(cloud.asks) == 2


def test_an_application_that_was_accepted_is_confirmed_before_it_is_refused(
    source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that was refused asks nothing more; the next ones confirm it, a minute apart."""
    well, now = [True], [0.0]
    monkeypatch.setattr(LOGINS, "clock", lambda: now[0])
    cloud = Cloud(lambda _: Answer(USER) if well[0] else error("InvalidAuthenticationToken", 401))
    source(cloud).identity()
    well[0] = False
    for _ in range(APPLICATION):
        opened = source(cloud)
        asked = len(cloud.asks)
        for _ in range(2):
            with pytest.raises(Transient, match="login-unconfirmed"):
                opened.identity()
        assert len(cloud.asks) == asked + 2  # with the token it had, and with a new one
        now[0] += WAIT_SECONDS
    with pytest.raises(Blocked, match="login-refused"):
        source(cloud).identity()


def test_a_claims_challenge_is_answered_with_those_claims(source: Open) -> None:
    claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1700000000"}}})
    wanted = base64.b64encode(claims.encode()).decode()

    def script(ask: Ask) -> Answer:
        if ask.headers["authorization"] == "Bearer token-1":
            challenge = f'Bearer realm="", error="insufficient_claims", claims="{wanted}"'
            return error("InvalidAuthenticationToken", 401, WWW_Authenticate=challenge)
        return Answer(USER)

    cloud = Cloud(script)
    assert source(cloud).identity().id == "U-1"
    assert "cp1" in cloud.forms[0]["claims"], "without it no challenge would come"
    assert json.loads(cloud.forms[1]["claims"])["access_token"]["nbf"]["value"] == "1700000000"


def test_a_challenge_that_cannot_be_read_is_a_plain_refusal(source: Open) -> None:
    challenge = 'Bearer error="insufficient_claims", claims="%%%"'
    cloud = Cloud(lambda _: error("InvalidAuthenticationToken", 401, WWW_Authenticate=challenge))
    with pytest.raises(Blocked, match="login-refused"):
        source(cloud).identity()


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "invalid_scope"])
def test_a_refused_application_blocks_without_its_reason(source: Open, code: str) -> None:
    body = {"error": code, "error_description": "AADSTS7000215: anna@example.org"}
    cloud = Cloud(user, token=lambda _: Answer(body, status=401))
    opened = source(cloud)
    for _ in range(2):
        with pytest.raises(Blocked, match="login-refused") as caught:
            opened.identity()
        assert "anna" not in str(caught.value)
    assert len(cloud.forms) == 1


def test_a_busy_token_endpoint_is_waited_out(source: Open) -> None:
    answers = iter([Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503), token("token-9")])
    cloud = Cloud(user, token=lambda _: next(answers))
    assert source(cloud).identity().id == "U-1"
    assert len(cloud.forms) == 3


def test_an_answer_that_is_no_token_passes_or_not_but_is_no_token(source: Open) -> None:
    cloud = Cloud(user, token=lambda _: Answer(data=b"<html>Welcome</html>"))
    with pytest.raises(Transient, match="token-unreadable"):
        source(cloud, patience_seconds=0).identity()


def certificate(folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kogge")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    own, apart = folder / "certificate.pem", folder / "key.pem"
    own.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    apart.write_bytes(pem)
    return own, apart


@pytest.mark.parametrize("password", [None, b"opens it"])
def test_a_certificate_proves_the_application(
    source: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: bytes | None
) -> None:
    own, key = certificate(tmp_path, password)
    monkeypatch.setenv("KEY_PASSWORD", "opens it")
    options = {"key_password": Secret(env="KEY_PASSWORD")} if password else {}
    with GraphServer(World(seed=3, people=1, items=0), https=True) as server:
        server.entra.trust(server.client_id, own.read_bytes())
        address = server.world.addresses()[0]
        opened = source(
            server,
            Account(login=address),
            client_secret=None,
            certificate_file=str(own),
            key_file=str(key),
            tls=Tls(ca_file=str(server.ca_file)),
            **options,
        )
        assert address in opened.identity().addresses


def test_a_certificate_without_its_key_is_the_operators_fault(source: Open, tmp_path: Path) -> None:
    own, _ = certificate(tmp_path)
    opened = source(Cloud(user), client_secret=None, certificate_file=str(own))
    with pytest.raises(Misconfigured) as caught:
        opened.identity()
    told = f"{own} holds no key (PEM) that opens without a password; name another file in key_file"
    assert caught.value.advice == f"certificate_file: {told}"


def test_a_certificate_that_is_not_there_is_the_operators_fault(source: Open, tmp_path: Path) -> None:
    opened = source(Cloud(user), client_secret=None, certificate_file=str(tmp_path / "none.pem"))
    with pytest.raises(Misconfigured) as caught:
        opened.identity()
    told = f"{tmp_path}/none.pem cannot be read (No such file or directory)"
    assert caught.value.advice == f"certificate_file: {told}"


def test_a_key_that_another_password_opens_is_the_operators_fault(
    source: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, key = certificate(tmp_path, b"one")
    monkeypatch.setenv("KEY_PASSWORD", "another")
    options = {"key_file": str(key), "key_password": Secret(env="KEY_PASSWORD")}
    opened = source(Cloud(user), client_secret=None, certificate_file=str(own), **options)
    with pytest.raises(Misconfigured) as caught:
        opened.identity()
    assert caught.value.advice == f"key_file: {key} holds no key (PEM) that key_password opens"


def test_tokens_that_are_revoked_while_a_mailbox_is_read_are_renewed(source: Open) -> None:
    with GraphServer(World(seed=3, people=1, items=30, nasty=False)) as server:
        opened = source(server, Account(login=server.world.addresses()[0]))
        for container in opened.containers():
            if container.total and not container.omit:
                server.entra.revoke_all()
                refs = [ref for page in opened.changes(container, None) for ref in page.refs]
                server.entra.revoke_all()
                assert len(list(opened.fetch(container, refs))) == len(refs)
        assert server.requests["token"] > 4
