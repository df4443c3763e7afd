"""The form `decide`: what it does to the ledger, what it refuses, and what Prefect never gets to keep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from dying import Countdown
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import ValidationError
from ready_prefect import LOGIN
from scripted import SIDES, add, opened
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove
from walking import Died

from engine.approvals.acceptances import APPROVABLE, BY_FORM
from engine.config.load import Config
from engine.control.remedies import advice
from flows import decide
from flows.decide import DecideParameters
from flows.deploy.server_login import header
from ledger.db.rows import KEPT, LegState
from ledger.store import Ledger
from model.errors import MigrationError

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

WHO = {"operator": " night shift ", "reason": "seen in the page"}
STOPS: list[tuple[LegState, str | None]] = [
    (LegState.BLOCKED, "login-refused"),
    (LegState.BLOCKED, "login-refused"),
    (LegState.BLOCKED, "over-quota"),
    (LegState.DIFFERS, KEPT),
    (LegState.DIFFERS, "verification-differs"),
    (LegState.VERIFIED, None),
]


@dataclass
class Night:
    config: Config
    ledger: Ledger
    ids: list[str]

    def decide(self, **form: Any) -> str:
        return decide._decided(DecideParameters(wave="w", **{**WHO, **form}))

    def refused(self, **form: Any) -> str:
        before = self.ledger.legs(), self.events()
        with pytest.raises(MigrationError) as error:
            self.decide(**form)
        assert (self.ledger.legs(), self.events()) == before
        return str(error.value)

    def states(self) -> list[str]:
        found = {leg.mailbox: str(leg.state) for leg in self.ledger.legs()}
        return [found[number] for number in self.ids]

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(one.kind, str(one.subject), dict(one.detail)) for one in self.ledger.events("w")]


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with opened(tmp_path, SIDES) as (config, ledger):
        monkeypatch.setenv("KOGGE_CONFIG", str(config.path))
        ids = add(ledger, "w", [(f"{n}@a.example", f"{n}@b.example") for n in range(len(STOPS))])
        legs = {leg.mailbox: leg.id for leg in ledger.legs()}
        for number, (state, code) in zip(ids, STOPS, strict=True):
            lease = ledger.claim(legs[number], "worker", 60)
            assert lease is not None
            ledger.release(lease, state, code)
        yield Night(config, ledger, ids)


def test_retry_of_all_with_a_code(night: Night) -> None:
    told = night.decide(decision="retry", code="login-refused")
    assert told == '2 workloads are pending again in 2 mailboxes. Next: the deployment "start w"'
    assert night.states() == ["pending", "pending", "blocked", "differs", "differs", "verified"]
    asked = {"by": "night shift", "reason": "seen in the page", "through": "prefect"}
    assert night.events() == [("retried", "None", {"legs": 2, "rejected": 0, **asked})]
    assert "no mailbox of these stopped for login-refused; now: " in night.refused(
        decision="retry", code="login-refused"
    )


def test_retry_of_chosen_mailboxes(night: Night) -> None:
    told = night.decide(decision="retry", mailboxes=[night.ids[2], night.ids[5]])
    assert told.startswith("1 workload is pending again in 1 mailbox.")
    assert night.states() == ["blocked", "blocked", "pending", "differs", "differs", "verified"]
    again = night.decide(decision="retry", mailboxes=[night.ids[2]])
    assert again == "Nothing is pending again: no workload of 1 mailbox waits for a person"
    assert len(night.events()) == 1


def test_a_code_narrows_the_chosen_mailboxes(night: Night) -> None:
    night.decide(decision="retry", code="login-refused", mailboxes=night.ids[1:4])
    assert night.states() == ["blocked", "pending", "blocked", "differs", "differs", "verified"]


def test_what_is_accepted_is_recorded_for_each_mailbox_and_tried_again(night: Night) -> None:
    told = night.decide(decision="accept", code=KEPT)
    assert told.startswith(f"{KEPT} is accepted for 1 mailbox: {APPROVABLE[KEPT]}. 1 workload is pending")
    assert night.states()[3:5] == ["pending", "differs"]
    assert night.ledger.approved(night.ids[3], KEPT)
    assert not night.ledger.approved(night.ids[4], KEPT)
    kinds = [(kind, subject, detail.get("through")) for kind, subject, detail in night.events()]
    assert kinds == [(f"approved:{KEPT}", night.ids[3], "prefect"), ("retried", "None", "prefect")]


def test_one_of_several_differences_is_accepted_by_the_id(night: Night) -> None:
    night.decide(decision="accept", code=KEPT, mailboxes=[night.ids[4]])
    assert night.ledger.approved(night.ids[4], KEPT)
    assert night.states()[3:5] == ["differs", "pending"]


FORMS: list[dict[str, Any]] = [
    {"decision": "retry", "code": "login-refused"},
    {"decision": "accept", "code": KEPT},
    {"decision": "leave", "code": "login-refused"},
]


@contextmanager
def statements(step: Countdown) -> Iterator[None]:
    """Count every statement and commit of the process; the countdown may die before one."""

    def executes(*_: object) -> None:
        step("statement")

    def commits(*_: object) -> None:
        step("commit")

    hooks = {"before_cursor_execute": executes, "commit": commits}
    for name, hook in hooks.items():
        listen(Engine, name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            remove(Engine, name, hook)


@pytest.mark.parametrize("form", FORMS)
def test_a_decision_is_made_whole_or_not_at_all_wherever_it_is_cut(
    night: Night, form: dict[str, Any]
) -> None:
    kinds = {"retry": ["retried"], "accept": [f"approved:{KEPT}", "retried"], "leave": ["left", "left"]}
    again = {"retry": 2, "accept": 1, "leave": 0}[form["decision"]]
    before = night.ledger.legs(), night.events()
    for die_at in count(1):
        with suppress(Died), statements(Countdown(die_at)):
            night.decide(**form)
        if (night.ledger.legs(), night.events()) != before:
            break
    assert die_at > 8
    assert [kind for kind, _, _ in night.events()] == kinds[form["decision"]]
    assert night.states().count("pending") == again


def test_accepting_one_code_tries_nothing_else_again(night: Night) -> None:
    told = night.refused(decision="accept", code=KEPT, mailboxes=[night.ids[0]])
    assert f"nothing asks for {KEPT}" in told


def test_to_leave_is_recorded_and_changes_nothing(night: Night) -> None:
    before = night.states()
    assert night.decide(decision="leave", code="login-refused") == "2 mailboxes left as they are; recorded"
    assert night.states() == before
    detail = {
        "by": "night shift",
        "code": "login-refused",
        "reason": "seen in the page",
        "through": "prefect",
    }
    assert sorted(night.events(), key=str) == [("left", one, detail) for one in sorted(night.ids[:2])]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"decision": "retry"}, "mailboxes: choose mailboxes by their ids, or all with a code, or both"),
        ({"decision": "retry", "code": "login-refusd"}, "now: login-refused (2), "),
        ({"decision": "retry", "mailboxes": ["m-00000000"]}, "not in wave w: m-00000000"),
        ({"decision": "accept", "mailboxes": ["m-00000000"]}, "code: unknown"),
        ({"decision": "accept", "code": "kept-otherwize"}, "did you mean kept-otherwise?"),
        ({"decision": "accept", "code": "asserted"}, "`kogge approve asserted -m MAILBOX --by NAME"),
        ({"decision": "accept", "code": "source-shrunk"}, "is not accepted in Prefect"),
        ({"decision": "accept", "code": "score-low"}, "is not accepted in Prefect"),
        ({"decision": "retry", "code": "over-quota", "wave": "ww"}, "wave: unknown; did you mean w?"),
    ],
)
def test_what_the_form_refuses(night: Night, form: dict[str, Any], words: str) -> None:
    before = night.ledger.legs(), night.events()
    with pytest.raises(MigrationError) as error:
        decide._decided(DecideParameters(**{"wave": "w", **WHO, **form}))
    assert words in str(error.value)
    assert (night.ledger.legs(), night.events()) == before


def test_what_a_worker_holds_stays_with_it(night: Night) -> None:
    (leg,) = night.ledger.legs(mailbox=night.ids[2])
    night.ledger.requeue([leg.id])
    assert night.ledger.claim(leg.id, "worker", 60) is not None
    told = night.decide(decision="retry", mailboxes=[night.ids[2]])
    assert told.startswith("Nothing is pending again")
    assert night.states()[2] == "running"


def test_a_form_takes_no_code_that_decides_whose_a_mailbox_is_or_what_is_removed() -> None:
    assert APPROVABLE.keys() > BY_FORM
    alone = {"asserted", "sent-items", "rollback", "recall", "source-shrunk", "score-low", "target-not-empty"}
    assert not BY_FORM & alone
    assert all(advice(code) for code in BY_FORM)


@pytest.mark.parametrize(
    "typed",
    [
        {"operator": "a@b.example"},
        {"reason": "asked a@b.example"},
        {"reason": "  "},
        {"operator": ""},
        {"mailboxes": ["a@b.example"]},
        {"code": "a@b.example"},
    ],
)
def test_an_address_is_no_answer(typed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DecideParameters(**{"wave": "w", "decision": "retry", **WHO, **typed})


@pytest.mark.prefect
def test_prefect_keeps_no_address_that_is_typed_into_the_form(
    night: Night, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kogge.app import main

    monkeypatch.setenv("PREFECT_API_URL", api)
    with pytest.raises(SystemExit) as ended:
        main(["setup", "--config", str(night.config.path)])
    assert ended.value.code == 0

    def ask(method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(method, f"{api}{path}", json=body, headers=header(LOGIN), timeout=60)

    found = ask("GET", "/deployments/name/decide/decide w").json()
    assert found["parameter_openapi_schema"]["required"] == ["parameters"]
    assert ask("GET", "/deployments/name/pause/pause w").json()["parameter_openapi_schema"]["required"] == []
    own = found["parameters"]["parameters"]
    start = f"/deployments/{found['id']}/create_flow_run"
    good = {**own, "decision": "leave", "code": "over-quota", **WHO}
    for typed in ({"reason": "asked a@b.example"}, {"mailboxes": ["a@b.example"]}, {"operator": ""}):
        assert ask("POST", start, {"parameters": {"parameters": {**good, **typed}}}).status_code in (409, 422)
    assert ask("POST", "/flow_runs/count", {}).json() == 0
    with temporary_settings({PREFECT_API_URL: api}):
        ends = [
            asyncio.run(decide.decide(DecideParameters(**form), return_state=True))
            for form in (good, {**good, "wave": "ww"})
        ]
    assert [(end.name, str(end.message)) for end in ends] == [
        ("Completed", "1 mailbox left as it is; recorded"),
        ("Failed", "misconfigured: wave: unknown; did you mean w?"),
    ]
