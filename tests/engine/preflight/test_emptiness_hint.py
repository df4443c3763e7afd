"""A check says in words where nothing can prove that a calendar is empty."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connectors.server_settings import ServerSettings
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


@pytest.mark.parametrize(
    ("target", "hinted"), [(Partly(True), True), (Partly(False), False), (WithAnotherWay(True), False)]
)
def test_a_check_says_that_emptiness_is_not_proven(target: Any, hinted: bool) -> None:
    result = PreflightResult(ANNA)
    preflight._look_at_target(result, "target.calendar", target)
    config: Any = SimpleNamespace(source=Sources(ServerSettings(kind="practice"), {}))
    assert preflight.hints(config, [result]) == ([preflight.EMPTINESS] if hinted else [])
    assert [line.partition(": ")[0] for line in _care(config, [result])] == ["target"] * hinted
    assert result.ready
    assert "`api`" in advice(preflight.EMPTINESS)
