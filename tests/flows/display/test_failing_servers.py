"""Since when a server fails, and what a wave says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from test_standing_still import LINES, MOVING, NOW

from flows.display.artifact_text import wave_phrase, wave_text
from flows.display.failing_servers import PATIENCE, UNHEARD, FailingServer, FailingServers
from flows.display.narration import progress_line
from ledger.views.server_health import Health

MAIL = "target.mail-notes"
USED = {MAIL, "source.imap"}
TICK = timedelta(seconds=10)


def seen(calls: int = 0, errors: int = 0, pace: float = 1.0, system: str = MAIL) -> Health:
    return Health(system, "w-1", calls, errors, 0.1, pace)


def systems(found: Any) -> list[str]:
    return [one.system for one in found]


def test_a_server_fails_since_it_was_halted_until_calls_to_it_succeed() -> None:
    """Between two tries neither a call nor an error is seen, and the pace is a little above nothing."""
    watch = FailingServers()
    assert watch.look([seen(calls=50)], USED, NOW) == ()
    down = (FailingServer(MAIL, NOW + TICK),)
    assert watch.look([seen(calls=3, errors=3, pace=0)], USED, NOW + TICK) == down
    for step, look in enumerate((seen(pace=0.04), seen(1, 1, 0.07), seen(pace=0.07)), start=2):
        assert watch.look([look], USED, NOW + step * TICK) == down
    assert watch.look([seen(calls=2, pace=0.07)], USED, NOW + 5 * TICK) == ()


def test_only_servers_of_the_wave_are_told() -> None:
    rows = [seen(pace=0), seen(pace=0, system="target.files")]
    assert systems(FailingServers().look(rows, USED, NOW)) == [MAIL]


def test_a_server_that_nobody_asks_is_forgotten_after_a_while() -> None:
    watch = FailingServers()
    watch.look([seen(pace=0)], USED, NOW)
    assert systems(watch.look([], USED, NOW + UNHEARD)) == [MAIL]
    assert watch.look([], USED, NOW + UNHEARD + TICK) == ()


@pytest.mark.parametrize("text", [wave_text, wave_phrase, lambda now: progress_line(now, LINES)])
def test_a_wave_names_the_server_that_fails_and_no_time_left(text: Any) -> None:
    down = replace(MOVING, down=(FailingServer(MAIL, NOW - timedelta(minutes=5)),))
    told = text(down)
    assert "target.mail-notes fails since 22:09 UTC" in told
    assert "90 minutes left" not in told


def test_a_server_that_fails_for_long_is_told_to_who_runs_it() -> None:
    since = NOW - PATIENCE
    assert "Tell who runs it." in FailingServer(MAIL, since).in_words(NOW)
    assert "Tell who runs it." not in FailingServer(MAIL, since + TICK).in_words(NOW)
