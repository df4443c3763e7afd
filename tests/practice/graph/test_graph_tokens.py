"""The practice Entra ID: what MSAL gets for a secret and a certificate, and what a token opens."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from graph_asking import GraphAsker

from practice.graph.server import GraphServer
from practice.graph.tokens import READS, SCOPABLE, SCOPE, App
from practice.world.world import World


@pytest.fixture(scope="module")
def cloud() -> Iterator[GraphServer]:
    with GraphServer(World(seed=5, people=3, items=5, large=()), https=True) as running:
        yield running


def app(cloud: GraphServer, credential: object, tenant: str | None = None) -> Any:
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win over what is trusted here
    session.verify = str(cloud.ca_file)
    return msal.ConfidentialClientApplication(
        cloud.client_id,
        client_credential=credential,
        authority=f"{cloud.authority}/{tenant or cloud.tenant}",
        http_client=session,
        instance_discovery=False,
    )


def ask(cloud: GraphServer, credential: object) -> dict[str, Any]:
    found: dict[str, Any] = app(cloud, credential).acquire_token_for_client([SCOPE])
    return found


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def key_pair() -> tuple[str, bytes]:
    """A private key and its certificate, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "practice app")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM)


def test_msal_gets_a_token_for_the_secret_and_it_opens_a_mailbox(cloud: GraphServer) -> None:
    answer = ask(cloud, cloud.secret)
    token = answer["access_token"]
    assert answer["token_type"] == "Bearer"
    assert claims(token)["roles"] == sorted({*READS} - SCOPABLE)
    assert claims(token)["exp"] - claims(token)["iat"] == answer["expires_in"] == 3599
    url = f"{cloud.url}/users/{cloud.world.addresses()[0]}/mailFolders/inbox"
    with httpx.Client(verify=ssl.create_default_context(cafile=str(cloud.ca_file))) as client:
        reply = client.get(url, headers={"Authorization": f"Bearer {token}"})
    assert (reply.status_code, reply.json()["displayName"]) == (200, "Posteingang")


@pytest.mark.parametrize("thumbprint", ["thumbprint", None])
def test_msal_gets_a_token_for_a_certificate_that_is_registered(
    cloud: GraphServer, thumbprint: str | None
) -> None:
    private, certificate = key_pair()
    print_ = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA1()).hex()
    credential: dict[str, str] = {"private_key": private}
    credential |= {"thumbprint": print_} if thumbprint else {"public_certificate": certificate.decode()}
    refused = ask(cloud, credential)
    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [700027])
    cloud.entra.trust(cloud.client_id, certificate)
    assert "access_token" in ask(cloud, credential)


def test_msal_hears_that_a_secret_or_a_tenant_is_wrong(cloud: GraphServer) -> None:
    before = cloud.entra.refused[cloud.client_id]
    answer = ask(cloud, "wrong")
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])
    assert cloud.entra.refused[cloud.client_id] == before + 1
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        app(cloud, cloud.secret, tenant="nobody.example")


def test_an_unknown_app_another_grant_and_another_scope_are_refused(cloud: GraphServer) -> None:
    good = {
        "grant_type": "client_credentials",
        "client_id": cloud.client_id,
        "client_secret": cloud.secret,
        "scope": SCOPE,
    }
    wrong = ({"client_id": "x"}, {"grant_type": "password"}, {"scope": "Mail.Read"})
    url = f"{cloud.authority}/{cloud.tenant}/oauth2/v2.0/token"
    with httpx.Client(verify=ssl.create_default_context(cafile=str(cloud.ca_file))) as client:
        replies = [client.post(url, data=good | each) for each in wrong]
        assert client.post(url, data=good).status_code == 200
    assert [one.status_code for one in replies] == [400, 400, 400]
    assert [one.json()["error"] for one in replies] == [
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ]


def test_without_a_good_token_nothing_is_said(asker: GraphAsker) -> None:
    graph, refused = asker.server, (401, "InvalidAuthenticationToken")
    bare = asker.client.get(f"{graph.url}/users/{asker.user}")
    assert (bare.status_code, bare.json()["error"]["code"]) == refused
    assert bare.headers["www-authenticate"].startswith("Bearer")
    for token in ("x.y.z", graph.entra.issue(graph.client_id, seconds=-1)):
        assert asker.code("messages", token=token) == refused
    assert asker.get("messages").status_code == 200
    graph.entra.revoke(asker.token)
    assert asker.code("messages") == refused
    asker.token = graph.token()
    assert asker.get("messages").status_code == 200
    graph.entra.revoke_all()
    assert asker.code("messages") == refused
    assert graph.requests["unauthorized"] == 5


def test_an_app_reads_what_it_was_permitted_and_no_more(asker: GraphAsker, world: World) -> None:
    graph = asker.server
    graph.entra.add(App("mail-only", "s", frozenset({"Mail.ReadWrite"})))
    token = graph.entra.issue("mail-only")
    assert asker.get("messages", token=token).status_code == 200
    assert asker.code("calendars", token=token) == (403, "ErrorAccessDenied")
    assert asker.code("", token=token) == (403, "Authorization_RequestDenied")


def test_a_scope_holds_for_its_mailboxes_and_consent_adds_to_it(asker: GraphAsker, world: World) -> None:
    graph, mine = asker.server, asker.user
    scoped = App("scoped", "s", frozenset(), {"Mail.Read": frozenset({mine})})
    graph.entra.add(scoped)
    token = graph.entra.issue("scoped")
    assert claims(token)["roles"] == []
    assert asker.get("messages", token=token).status_code == 200
    asker.user = world.addresses()[0]
    assert asker.code("messages", token=token) == (403, "ErrorAccessDenied")
    graph.entra.add(replace(scoped, roles=frozenset({"Mail.Read"})))
    assert asker.get("messages", token=token).status_code == 200
