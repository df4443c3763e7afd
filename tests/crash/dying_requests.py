"""A worker dies at the requests that its target makes of a server, and another one finishes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

import pytest
from dying import Countdown
from memory.doubles import Step, no_step
from memory.shelf import MOMENT
from walking import Died, Trial

from connectors.http.client import HttpClient
from ledger.db.rows import LegState
from mappings.registry import ITEM_FORMS
from model.kinds import Kind


class OnServer(Trial, ABC):
    """A trial of calendars whose target is on a server."""

    step: Step = staticmethod(no_step)

    @abstractmethod
    def contents(self) -> Counter[Any]:
        """What "the same calendars" means."""


Begun = Callable[[str], AbstractContextManager[OnServer]]
"""Makes a trial in a new directory of that name, up to the run that is to be interrupted."""


def meaning(stream: BinaryIO) -> bytes:
    return ITEM_FORMS[Kind.CALENDAR].digest(stream, MOMENT)


def every_request_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is sent, and after its answer came."""
    sent = HttpClient._send

    def stepping(client: HttpClient, method: str, *rest: Any) -> Any:
        OnServer.step(method)
        response = sent(client, method, *rest)
        try:
            OnServer.step(f"{method} done")
        except Died:
            response.close()
            raise
        return response

    monkeypatch.setattr(HttpClient, "_send", stepping)


def interrupted(trial: OnServer, count: Countdown, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = trial.commits(count)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(OnServer, "step", staticmethod(count))
            trial.run()
    except Died:
        return
    finally:
        quiet()


def die_everywhere(begun: Begun, lasting: set[str], monkeypatch: pytest.MonkeyPatch, *, every: bool) -> int:
    """At every step, or right after every request of the lasting verbs. Returns how often there was a moment
    to die at."""
    counted = Countdown()
    with begun("calm") as calm:
        interrupted(calm, counted, monkeypatch)
        wanted = calm.contents()
    assert wanted
    after = {f"{verb} done" for verb in lasting}
    moments = [number for number, step in enumerate(counted.steps, 1) if every or step in after]
    for number in moments:
        with begun(str(number)) as trial:
            interrupted(trial, Countdown(number), monkeypatch)
            result = trial.finish()
            where = f"died at step {number}: {counted.steps[number - 1]}"
            assert (result.state, result.code) == (LegState.VERIFIED, None), where
            assert trial.contents() == wanted, where
            trial.discard()
    return len(moments)
