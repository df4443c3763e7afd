"""Ways to log in to a private Dovecot."""

from __future__ import annotations

import logging

import pytest
from imap_items import OpenTarget, item
from servers.dovecot import Dovecot

from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container

pytestmark = pytest.mark.dovecot


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"auth": "plain-authzid"},
        {"auth": "password", "username": None, "password": {"env": "USER_PASSWORD"}},
    ],
)
def test_ways_to_log_in(target: OpenTarget, way: dict[str, object]) -> None:
    assert target(**way).identity().id


@pytest.mark.parametrize("auth", ["master-user", "plain-authzid"])
def test_an_account_that_does_not_exist(target: OpenTarget, auth: str) -> None:
    with pytest.raises(Blocked, match="mailbox-missing"):
        target(login="nobody-of-that-name", auth=auth).identity()


def test_a_wrong_password(target: OpenTarget) -> None:
    with pytest.raises(Blocked, match="login-refused"):
        target(password={"env": "USER_PASSWORD"}).identity()


def test_tls_with_our_own_authority(dovecot: Dovecot, target: OpenTarget) -> None:
    tls = {"ca_file": str(dovecot.ca_file)}
    assert target(security="tls", port=dovecot.tls_port, tls=tls).identity().id
    assert target(security="starttls", tls=tls).identity().id


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_that_nobody_vouches_for(dovecot: Dovecot, target: OpenTarget, security: str) -> None:
    port = dovecot.tls_port if security == "tls" else dovecot.port
    with pytest.raises(Blocked, match="tls-failed"):
        target(security=security, port=port).identity()


def test_the_identity_is_another_after_re_creation(dovecot: Dovecot, user: str, target: OpenTarget) -> None:
    first = target().identity()
    assert target(auth="plain-authzid").identity() == first
    dovecot.remove_user(user)
    dovecot.add_users([user])
    assert target().identity() != first


@pytest.mark.parametrize("auth", ["master-user", "plain-authzid"])
def test_the_most_talkative_log_names_nobody(
    caplog: pytest.LogCaptureFixture, user: str, target: OpenTarget, auth: str
) -> None:
    caplog.set_level(logging.DEBUG)
    opened = target(auth=auth)
    href = opened.ensure(Container(Kind.MAIL, "x", ("Vertraulich",)))
    list(opened.write(href, [item(1)]))
    list(opened.listing(href))
    for secret in (user, "Vertraulich", "example.org", "migratorpw"):
        assert secret not in caplog.text
