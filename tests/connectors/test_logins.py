"""One refusal after a success is not the last word; one without is."""

from __future__ import annotations

import pytest

from connectors.errors import Blocked, Transient
from connectors.logins import APPLICATION, PERSON, Logins, login_of

ERROR = Blocked("login-refused", "refused")
ANNA = login_of("imap.example:993", "password", "", "anna", "secret")


@pytest.fixture
def logins() -> Logins:
    return Logins()


def test_a_login_that_was_never_accepted_is_refused_at_once(logins: Logins) -> None:
    logins.accepted(login_of("imap.example:993", "password", "", "anna", "another secret"))
    assert logins.refused(ANNA, ERROR) is ERROR


@pytest.mark.parametrize("confirmations", [PERSON, APPLICATION])
def test_a_refusal_after_a_success_is_confirmed_first(logins: Logins, confirmations: int) -> None:
    logins.accepted(ANNA)
    for _ in range(confirmations):
        passing = logins.refused(ANNA, ERROR, confirmations)
        assert isinstance(passing, Transient)
        assert passing.code == "login-unconfirmed"
        assert passing.after is not None
    assert logins.refused(ANNA, ERROR, confirmations) is ERROR
    assert logins.refused(ANNA, ERROR, confirmations) is ERROR


def test_a_success_begins_anew(logins: Logins) -> None:
    for _ in range(5):
        logins.accepted(ANNA)
        assert isinstance(logins.refused(ANNA, ERROR), Transient)


def test_no_secret_is_kept() -> None:
    assert b"secret" not in ANNA
