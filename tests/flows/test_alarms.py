"""The alarms that `kogge setup` makes, and what sets them off."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jinja2 import Environment
from prefect.events.actions import CallWebhook, DoNothing
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.events.schemas.events import ReceivedEvent
from prefect.server.events.schemas.automations import EventTrigger as ServerTrigger

from engine.config.load import Config, load
from flows.deploy.alarms import QUIET, alarms
from flows.deploy.automations import BODY, Automated, automations
from flows.display import prefect_events
from flows.display.failing_servers import failing
from ledger.views.server_health import Health
from model.errors import Misconfigured

SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'
SIDES += SIDES.replace("source", "target.mail")


class Server:
    """A Prefect without automations that has every block."""

    async def read_block_document_by_name(self, *_: Any, **__: Any) -> Any:
        from types import SimpleNamespace
        from uuid import UUID

        return SimpleNamespace(id=UUID(int=7), data={"url": "x"})


def configured(folder: Path, more: str) -> Config:
    (folder / "kogge.toml").write_text(f"{SIDES}[prefect]\n{more}")
    return load(folder / "kogge.toml")


def wanted_of(one: Automated) -> AutomationCore:
    found = asyncio.run(one._wanted(Server(), enabled=True))  # type: ignore[arg-type]
    assert found is not None
    return found


def names(config: Config) -> set[str]:
    return {one.name for one in automations(config) if isinstance(one, Automated)}


def test_a_setting_switches_them_on(tmp_path: Path) -> None:
    assert names(configured(tmp_path, "")) == set()
    config = configured(tmp_path, "alarms = true\n")
    assert names(config) == {one.name for one in alarms(config.prefect)}


def test_with_a_channel_blocked_mailboxes_are_told_without_the_setting(tmp_path: Path) -> None:
    found = names(configured(tmp_path, 'blocks = ["ms-teams-webhook/nights"]\n'))
    assert found == {
        "Kogge tells of waves",
        "Kogge tells of blocked mailboxes",
        "Kogge tells of cutovers that crashed",
        "Kogge tells of runs that crashed",
    }


@pytest.mark.parametrize("more", ["", "alarms = true\n"])
def test_a_pause_and_the_end_of_a_window_are_told_once(tmp_path: Path, more: str) -> None:
    config = configured(tmp_path, f'blocks = ["ms-teams-webhook/nights"]\n{more}')
    made = [one.trigger for one in automations(config) if isinstance(one, Automated)]
    for event in ("kogge.wave.paused", "kogge.wave.window-closed", "kogge.cutover.ended"):
        assert sum(event in one.expect for one in made) == 1


class Crash:
    """A run of a flow, with these tags, that became Crashed."""

    def __init__(self, flow: str, tags: list[str]) -> None:
        self.number = f"prefect.flow-run.{uuid4()}"
        related = [("tag", f"prefect.tag.{tag}", tag) for tag in tags] + [("flow", f"flow-{flow}", flow)]
        self.event = ReceivedEvent(
            occurred=datetime.now(UTC),
            received=datetime.now(UTC),
            event="prefect.flow-run.Crashed",
            resource={"prefect.resource.id": self.number, "prefect.resource.name": f"{flow} pilot"},
            related=[
                {"prefect.resource.role": role, "prefect.resource.id": number, "prefect.resource.name": name}
                for role, number, name in related
            ],
            payload={"validated_state": {"name": "Crashed", "message": "/srv/secret.toml is no file"}},
            id=uuid4(),
        )


def heard(config: Config, crash: Crash) -> dict[str, str]:
    """Who of the alarms hears of it, and by what it is silent then."""
    found = {}
    for one in alarms(config.prefect):
        trigger = ServerTrigger.model_validate(one.trigger.model_dump(mode="json") | {"id": str(uuid4())})
        if trigger.covers(crash.event):
            found[one.name] = trigger.bucketing_key(crash.event)[0]
    return found


def died(wave: str) -> ReceivedEvent:
    """A cutover was found dead, and left mailboxes between old and new."""
    resource = {"prefect.resource.id": f"kogge.wave.{wave}", "prefect.resource.name": wave}
    now = datetime.now(UTC)
    return ReceivedEvent(
        occurred=now,
        received=now,
        event="kogge.cutover.died",
        resource=resource,
        payload={"wave": wave, "mailboxes": 3},
        id=uuid4(),
    )


def test_that_people_may_be_locked_out_is_told_for_each_wave_where_the_ledger_says_so(tmp_path: Path) -> None:
    config = configured(tmp_path, "")
    for wave in ("pilot", "later"):
        crash = Crash("cutover", ["kogge"])
        crash.event = died(wave)
        assert heard(config, crash) == {"Kogge tells of cutovers that crashed": f"kogge.wave.{wave}"}


@pytest.mark.parametrize("flow", ["wave", "batch", "verify", "cutover", "rollback", "janitor"])
def test_another_run_that_crashed_is_told_once_for_its_flow(tmp_path: Path, flow: str) -> None:
    found = heard(configured(tmp_path, ""), Crash(flow, ["kogge"]))
    assert found == {"Kogge tells of runs that crashed": f"flow-{flow}"}


def test_a_run_that_is_not_ours_raises_no_alarm(tmp_path: Path) -> None:
    assert heard(configured(tmp_path, ""), Crash("cutover", ["theirs"])) == {}


def test_a_mail_about_a_crash_is_read_by_people(tmp_path: Path) -> None:
    crash = Crash("cutover", ["kogge"])
    said = Environment(autoescape=False).from_string(BODY).render(event=crash.event)
    assert "{" not in said


def test_a_webhook_about_a_crash_hears_no_text_of_an_exception(tmp_path: Path) -> None:
    config = configured(tmp_path, 'alarms = true\nwebhook = { env = "X" }\n')
    (one,) = (one for one in automations(config) if one.name == "Kogge tells of runs that crashed")
    assert isinstance(one, Automated)
    (action,) = wanted_of(one).actions
    assert isinstance(action, CallWebhook)
    said = (
        Environment(autoescape=False)
        .from_string(str(action.payload))
        .render(event=Crash("cutover", []).event)
    )
    told = json.loads(said)
    assert told["payload"] == {}
    assert told["subject"] == "the run cutover pilot crashed"
    assert "secret" not in said


def test_an_alarm_of_a_cutover_says_of_how_many(tmp_path: Path) -> None:
    (one,) = (one for one in alarms(configured(tmp_path, "").prefect) if "cutovers" in one.name)
    said = Environment(autoescape=False).from_string(one.subject).render(event=died("pilot"))
    assert said == "the cutover of wave pilot crashed: 3 of its people may be locked out"


def test_without_a_channel_an_alarm_still_shows_in_prefect(tmp_path: Path) -> None:
    for one in automations(configured(tmp_path, "alarms = true\n")):
        assert isinstance(one, Automated)
        wanted = wanted_of(one)
        assert one.alarm is None or wanted.actions == [DoNothing()]


def test_a_webhook_hears_what_to_do(tmp_path: Path) -> None:
    config = configured(tmp_path, 'alarms = true\nwebhook = { env = "X" }\n')
    made = [one for one in automations(config) if isinstance(one, Automated) and one.alarm is not None]
    for one in made:
        wanted = wanted_of(one)
        (action,) = wanted.actions
        assert isinstance(action, CallWebhook)
        assert one.alarm is not None
        assert f'"do": "{one.alarm.advice}"' in str(action.payload)


def test_a_mailbox_that_goes_live_in_time_raises_no_alarm(tmp_path: Path) -> None:
    config = configured(tmp_path, "alarms = true\nfrozen_hours = 0.5\n")
    trigger = next(one.trigger for one in alarms(config.prefect) if "stay frozen" in one.name)
    assert trigger.posture is Posture.Proactive
    assert trigger.within.total_seconds() == 1800
    assert trigger.after == {"kogge.cutover.frozen"}
    assert trigger.expect == {"kogge.cutover.finished", "kogge.cutover.taken-back"}


def test_an_alarm_is_silent_for_a_while_after_it_fired(tmp_path: Path) -> None:
    found = [one.trigger for one in alarms(configured(tmp_path, "").prefect)]
    assert {one.within for one in found if one.posture is Posture.Reactive} == {QUIET}


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "100000"])
def test_hours_that_make_no_sense_are_refused(tmp_path: Path, hours: str) -> None:
    with pytest.raises(Misconfigured, match="frozen_hours"):
        configured(tmp_path, f"frozen_hours = {hours}\n")


def test_a_server_fails_when_it_is_halted_or_every_fifth_call_does() -> None:
    rows = [
        Health("target.mail", "w-1", 100, 25, 1.0, 0.5),
        Health("target.files", "w-1", 100, 2, 1.0, 0.5),
        Health("target.tasks", "w-1", 3, 3, 1.0, 1.0),
        Health("source", "w-1", 0, 0, 0.0, 0.0),
    ]
    assert failing(rows) == {"target.mail", "source"}


def test_a_server_is_the_resource_of_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    found: list[dict[str, str]] = []
    monkeypatch.setattr(
        "prefect.events.emit_event", lambda _name, resource, related, payload: found.append(resource)
    )
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        prefect_events.tell("server.unwell", "pilot", system="target.mail", code="timeout")
    assert found[0]["prefect.resource.id"] == "kogge.server.target.mail"
    assert found[0]["kogge.wave"] == "pilot"
