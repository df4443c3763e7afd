"""Why a server mails nobody: its profile's word, as far as the server itself bears it out.

A profile is what somebody wrote into a configuration. A server that offers scheduling is none that never
sends, and what was measured holds for the product, and the version, that was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors import json_answer
from connectors.caldav.principal import Principal
from connectors.caldav.product import ProductSign, Profile, Silence
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import BUSY

SCHEDULES: Final = frozenset({"calendar-auto-schedule", "calendar-schedule"})
"""RFC 6638, and its last draft."""


@dataclass(frozen=True, slots=True)
class SchedulingEvidence:
    """because: why it is unproven, in a few words. schedules: whether the server says that it does."""

    silence: Silence
    because: str = ""
    schedules: bool = False

    def facts(self) -> Mapping[str, str]:
        known = {"silence": str(self.silence), "auto-schedule": "yes" if self.schedules else "no"}
        return {**known, "because": self.because} if self.because else known


def hear(client: HttpClient, profile: Profile, found: Principal) -> SchedulingEvidence:
    """Asks the server. Raises Transient and Blocked as every request."""
    answer = client.look("OPTIONS", found.homes[0])
    offers = frozenset(one.strip().lower() for one in answer.headers.get("dav", "").split(","))
    because = _doubt(client, profile, found, answer, offers)
    return SchedulingEvidence("unproven" if because else profile.silence, because, bool(offers & SCHEDULES))


def _doubt(
    client: HttpClient, profile: Profile, found: Principal, answer: HttpAnswer, offers: frozenset[str]
) -> str:
    if profile.silence == "unproven":
        return "it was never measured"
    if profile.silence == "never-sends":
        if offers & SCHEDULES:
            return f"it offers scheduling, and {profile.name} has none"
        return "" if "calendar-access" in offers else "it does not say what it offers"
    tell = profile.tell
    by_name = tell.server and answer.headers.get("server", "").startswith(tell.server)
    if not by_name and not offers & tell.features:
        return f"it does not show that it is {profile.name}"
    if tell.oldest and _version(client, tell, found) < tell.oldest:
        return f"it does not show that it is {profile.name} {tell.oldest} or newer"
    return ""


def _version(client: HttpClient, tell: ProductSign, found: Principal) -> int:
    """0 when it does not tell."""
    path = tell.beside(found.path, tell.status)

    def attempt() -> HttpAnswer:
        answer = client.ask("GET", path)
        if answer.status in BUSY:
            raise answer.error()
        return answer

    answer = client.patiently(attempt)
    try:
        told = json_answer.read(answer.body) if answer.ok else None
    except ValueError:
        return 0
    version = str(told.get("versionstring", "")).partition(".")[0] if isinstance(told, dict) else ""
    return int(version) if version.isascii() and version.isdigit() and len(version) < 5 else 0
