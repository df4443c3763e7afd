"""How long passing faults are waited out, on a clock that only the waiting moves."""

from __future__ import annotations

import pytest

from connectors import retry
from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.exchange import client as exchange_client
from connectors.http import client as http_client
from connectors.retry import FACTOR, FIRST_WAIT, LONGEST_WAIT, RetryPolicy, WrongServer
from connectors.settings import Account, Secret
from model.errors import Blocked, Transient

BUSY = Transient("busy")


class Waiting:
    """The pauses that were made; they move the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        monkeypatch.setattr(retry.time, "monotonic", lambda: self.now)

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def until_over(self, policy: RetryPolicy, error: Transient = BUSY) -> Transient:
        for _ in range(1000):
            try:
                policy.pause(error)
            except Transient as final:
                return final
        raise AssertionError("it never gives up")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


def test_pauses_grow_up_to_the_longest(waiting: Waiting) -> None:
    final = waiting.until_over(RetryPolicy(300, waiting, {}, lambda: 0.0))
    first = [FIRST_WAIT * FACTOR**number for number in range(6)]
    assert waiting.pauses[:6] == pytest.approx(first)
    assert set(waiting.pauses[6:]) == {LONGEST_WAIT}
    assert sum(waiting.pauses) <= 300 < sum(waiting.pauses) + LONGEST_WAIT
    assert (final.code, final.after) == ("busy", LONGEST_WAIT)


def test_what_was_found_out_of_a_fault_is_kept_when_it_is_given_up(waiting: Waiting) -> None:
    refused = Transient("unreachable").about("ECONNREFUSED").with_local_cause("h:1: Connection refused")
    final = waiting.until_over(RetryPolicy(1, waiting, {}), refused)
    assert (final.code, final.detail, final.local) == (
        "unreachable",
        "ECONNREFUSED",
        "h:1: Connection refused",
    )


def test_chance_shortens_a_pause_by_half_at_most(waiting: Waiting) -> None:
    policy = RetryPolicy(300, waiting, {}, lambda: 1.0)
    policy.pause(BUSY)
    assert waiting.pauses == [FIRST_WAIT / 2]


def test_two_workers_do_not_come_back_at_the_same_moment(waiting: Waiting) -> None:
    for _ in range(2):
        RetryPolicy(300, waiting, {}).pause(BUSY)
    first, second = waiting.pauses
    assert first != second


def test_a_server_is_left_alone_as_long_as_it_asks(waiting: Waiting) -> None:
    policy = RetryPolicy(100, waiting, {})
    policy.pause(Transient("busy", after=42.0))
    assert waiting.pauses == [42.0]
    with pytest.raises(Transient) as caught:
        policy.pause(Transient("busy", after=60.0))
    assert caught.value.after == 60.0
    assert waiting.pauses == [42.0], "what would take too long is not begun"


def test_progress_begins_anew(waiting: Waiting) -> None:
    policy = RetryPolicy(1.0, waiting, {"timeout": 1}, lambda: 0.0)
    for _ in range(50):
        policy.pause(Transient("timeout"))
        policy.progressed()
    assert waiting.pauses == [FIRST_WAIT] * 50


@pytest.mark.parametrize("most", [0, 1, 3])
def test_a_fault_that_waiting_seldom_cures(waiting: Waiting, most: int) -> None:
    waiting.until_over(RetryPolicy(10_000, waiting, {"timeout": most}), Transient("timeout"))
    assert len(waiting.pauses) == most


def test_another_fault_takes_nothing_from_the_pauses_of_this_one(waiting: Waiting) -> None:
    policy = RetryPolicy(10_000, waiting, {"timeout": 1})
    policy.pause(BUSY)
    policy.pause(BUSY)
    policy.pause(Transient("timeout"))
    with pytest.raises(Transient, match="timeout"):
        policy.pause(Transient("timeout"))


@pytest.mark.parametrize("limits", [exchange_client.PAUSES, http_client.PAUSES])
def test_no_refused_login_is_tried_again_by_itself(waiting: Waiting, limits: dict[str, int]) -> None:
    waiting.until_over(RetryPolicy(10_000, waiting, limits), Transient("login-unconfirmed"))
    assert waiting.pauses == []


def gives_up(judge: WrongServer, waiting: Waiting, code: str) -> None:
    judge.pause(RetryPolicy(10_000, waiting, {code: 0}), Transient(code))


def test_a_wrong_server_blocks_the_second_time(waiting: Waiting) -> None:
    judge = WrongServer("not-soap", "it is none")
    with pytest.raises(Transient):
        gives_up(judge, waiting, "not-soap")
    with pytest.raises(Transient):
        gives_up(judge, waiting, "timeout")
    with pytest.raises(Blocked, match="not-soap"):
        gives_up(judge, waiting, "not-soap")


def test_a_wrong_server_that_was_the_right_one_since_blocks_nobody(waiting: Waiting) -> None:
    judge = WrongServer("not-soap", "it is none")
    for _ in range(3):
        with pytest.raises(Transient):
            gives_up(judge, waiting, "not-soap")
        judge.answered()


def test_a_wait_that_keeps_a_rate_limit_uses_no_patience_up(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "a password")
    settings = DavSettings.model_validate(
        {
            "kind": "caldav",
            "url": "https://ox.example.net",
            "password": Secret(env="X"),
            "patience_seconds": 60,
        }
    )
    client = http_client.HttpClient(settings, Account(login="anna"), PROFILES["open-xchange"])
    monkeypatch.setattr(client, "wait", waiting)
    refusals = iter([BUSY, BUSY, BUSY])

    def attempt() -> str:
        client._wait_for_budget(300.0)
        refusal = next(refusals, None)
        if refusal is not None:
            raise refusal
        return "sent"

    assert client.patiently(attempt) == "sent"
    assert sum(waiting.pauses) > 4 * 300
