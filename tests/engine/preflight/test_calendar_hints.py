"""A check says in words what to know of a target's calendars: unproven emptiness, reminders that ring."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connectors.caldav.products import ProfileName
from connectors.caldav.settings import DavSettings
from connectors.server_settings import ServerSettings
from connectors.settings import Secret
from engine.config.sources import Sources
from engine.control.remedies import advice
from engine.planning.mailbox_list import Person
from engine.preflight import preflight
from engine.preflight.preflight import PreflightResult
from kogge.prepare.check import _care
from model.kinds import Kind
from model.protocols import Capabilities

ANNA = Person(2, "a@old.example", "a@new.example", "pilot", "a@old.example", "a@new.example")


class Partly:
    """A target whose listings leave out events."""

    def __init__(self, partly: bool) -> None:
        self.capabilities = Capabilities(kinds=frozenset({Kind.CALENDAR}), lists_partly=partly)


class WithAnotherWay(Partly):
    """It tells everything otherwise."""

    def whole(self, href: str) -> Any:
        return iter(())


def configured(targets: dict[Kind, ServerSettings]) -> Any:
    source = Sources(ServerSettings(kind="practice"), {})
    return SimpleNamespace(source=source, target=SimpleNamespace(of=targets.get))


@pytest.mark.parametrize(
    ("target", "hinted"), [(Partly(True), True), (Partly(False), False), (WithAnotherWay(True), False)]
)
def test_a_check_says_that_emptiness_is_not_proven(target: Any, hinted: bool) -> None:
    result = PreflightResult(ANNA)
    preflight._look_at_target(result, "target.calendar", target)
    config = configured({})
    assert preflight.hints(config, [result]) == ([("target", preflight.EMPTINESS)] if hinted else [])
    assert [line.partition(": ")[0] for line in _care(config, [result])] == ["target"] * hinted
    assert result.ready
    assert "`api`" in advice(preflight.EMPTINESS)


@pytest.mark.parametrize(
    ("kinds", "profile", "hinted"),
    [
        ((Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS), "nextcloud", True),
        ((Kind.TASKS,), "nextcloud", True),
        ((Kind.CONTACTS,), "nextcloud", False),
        ((Kind.CALENDAR, Kind.TASKS), "radicale", False),
    ],
)
def test_a_check_says_once_that_reminders_ring_before_the_move(
    kinds: tuple[Kind, ...], profile: ProfileName, hinted: bool
) -> None:
    url, password = "https://cloud.example.org", Secret(env="X")
    settings = DavSettings(kind="caldav", url=url, profile=profile, password=password)
    config = configured(dict.fromkeys(kinds, settings))
    lines = list(_care(config, [PreflightResult(ANNA)]))
    assert [line.startswith("target: reminders-ring: ") for line in lines] == [True] * hinted
    assert "sendEventRemindersPush" in advice("reminders-ring")
