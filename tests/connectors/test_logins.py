"""One refusal after a success is not the last word; one without is."""

from __future__ import annotations

import pytest
from clocks import Clock

from connectors.accepted_logins import APPLICATION, PERSON, WAIT_SECONDS, Logins, login_of
from model.errors import Blocked, Transient

ERROR = Blocked("login-refused", "refused")
ANNA = login_of("imap.example:993", "password", "", "anna", "secret")


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def logins(clock: Clock) -> Logins:
    return Logins(clock)


def test_a_login_that_was_never_accepted_is_refused_at_once(logins: Logins) -> None:
    logins.accepted(login_of("imap.example:993", "password", "", "anna", "another secret"))
    assert logins.refused(ANNA, ERROR) is ERROR


@pytest.mark.parametrize("confirmations", [PERSON, APPLICATION])
def test_a_refusal_after_a_success_is_confirmed_first(
    logins: Logins, clock: Clock, confirmations: int
) -> None:
    logins.accepted(ANNA)
    for _ in range(confirmations):
        logins.refuse_doubtful(ANNA)
        passing = logins.refused(ANNA, ERROR, confirmations)
        assert isinstance(passing, Transient)
        assert passing.code == "login-unconfirmed"
        assert passing.after == WAIT_SECONDS
        clock.now += WAIT_SECONDS
    logins.refuse_doubtful(ANNA)
    assert logins.refused(ANNA, ERROR, confirmations) is ERROR
    logins.refuse_doubtful(ANNA)
    assert logins.refused(ANNA, ERROR, confirmations) is ERROR


def test_of_many_workers_with_one_secret_one_confirms(logins: Logins, clock: Clock) -> None:
    """What was under way when the first was refused counts with it."""
    logins.accepted(ANNA)
    for _ in range(5):
        assert isinstance(logins.refused(ANNA, ERROR), Transient)
    with pytest.raises(Transient, match="login-unconfirmed") as waits:
        logins.refuse_doubtful(ANNA)
    assert waits.value.after == WAIT_SECONDS
    clock.now += WAIT_SECONDS
    logins.refuse_doubtful(ANNA)  # this one tries
    with pytest.raises(Transient, match="login-unconfirmed"):
        logins.refuse_doubtful(ANNA)  # no other does meanwhile
    logins.accepted(ANNA)
    logins.refuse_doubtful(ANNA)


def test_a_success_begins_anew(logins: Logins) -> None:
    for _ in range(5):
        logins.accepted(ANNA)
        assert isinstance(logins.refused(ANNA, ERROR), Transient)


def test_no_secret_is_kept() -> None:
    assert b"secret" not in ANNA
