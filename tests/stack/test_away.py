"""Each service dies while a wave is at work, for a second and for two minutes: the wave ends verified, though
all that a person did was to start it in Prefect."""

from __future__ import annotations

import time

import pytest
from containers import say
from followed import Site, whole
from place import Place, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]
COPIED = "item WHERE state IN (4, 5)"
LETTERS = 12
"""For each person, in each wave."""
SLOW = 0.05
BEGINS_WITHIN = 900.0
"""Seconds until a wave copies, whatever else this machine does."""
ENDS_WITHIN = 1500.0
"""Seconds. A run that died with its worker is noticed after a minute, its wave begun again minutes later."""
SERVICES = ("worker", "postgres", "redis", "api1", "api2", "services", "proxy", "watch")
AWAY = [(one, seconds) for one in SERVICES for seconds in (1, 120)]


@pytest.mark.parametrize(("service", "seconds"), AWAY)
def test_a_wave_ends_by_itself_though_a_service_was_away(site: Site, service: str, seconds: int) -> None:
    survived(site, service, seconds)


@pytest.mark.parametrize("service", ["watch", "worker"])
def test_a_wave_ends_by_itself_though_its_node_was_drained(site: Site, service: str) -> None:
    """SIGTERM, and then as long as the container's grace."""
    survived(site, service, 1, gently=True)


def survived(site: Site, service: str, seconds: int, *, gently: bool = False) -> None:
    """Begins a wave, ends a service in its midst for so long, and waits until the wave has ended."""
    place, mail = site.place, site.mail
    for _ in range(LETTERS):
        mail.deliver()
    runs, copied = len(place.waves()), place.number_of(COPIED)
    mail.exchange.trickle = SLOW
    try:
        place.start()
        until(
            lambda: place.number_of(COPIED) > copied and bool(place.owners()),
            BEGINS_WITHIN,
            "the wave copies",
        )
        say(f"{service} is {'stopped' if gently else 'killed'} for {seconds} s")
        gone = place.kill(service, gently=gently)
        time.sleep(seconds)
        place.revive(gone)
    finally:
        mail.exchange.trickle = None
    until(lambda: _ended(place, runs), ENDS_WITHIN, f"the wave ends: {place.waves()[runs:]} at first")
    say(f"the wave ended: {place.waves()[runs:]}")
    whole(site, place)


def _ended(place: Place, before: int) -> bool:
    """Whether the newest run of the wave is at its good end, and no other one is at work."""
    runs = place.waves()[before:]
    return runs[-1:] == ["Completed"] and not {"Running", "Pending", "Scheduled"} & set(runs)
