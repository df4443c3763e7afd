"""Decide if a server mails nobody: the profile's statement, as far as the server itself confirms it.

A profile is what somebody wrote into a configuration. A server that offers scheduling cannot be one that
never sends, and a measurement holds for the product and the version that was measured.
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

MANAGES: Final = "calendar-managed-attachments"
"""The word of the DAV header for attachments that are added one by one. Source: RFC 8607, section 5."""
SCHEDULES: Final = frozenset({"calendar-auto-schedule", "calendar-schedule"})
"""The words of the DAV header for scheduling. Source: RFC 6638, and its last draft."""


@dataclass(frozen=True, slots=True)
class SchedulingEvidence:
    """Hold what the server shows.

    Attributes:
        silence: see `model.optional_protocols.Schedules`.
        because: why it is unproven, in a few words; "" otherwise.
        schedules: True if the server says that it schedules.
        manages: True if the server says that it manages attachments (RFC 8607).
    """

    silence: Silence
    because: str = ""
    schedules: bool = False
    manages: bool = False

    def facts(self) -> Mapping[str, str]:
        """Return the values for a preflight."""
        values = {"silence": str(self.silence), "auto-schedule": "yes" if self.schedules else "no"}
        return {**values, "because": self.because} if self.because else values


def hear(client: HttpClient, profile: Profile, principal: Principal) -> SchedulingEvidence:
    """Ask the server how it schedules.

    Args:
        client: the HTTP client.
        profile: the product.
        principal: the principal.

    Raises:
        Transient, Blocked: the server cannot be asked.
    """
    answer = client.look("OPTIONS", principal.homes[0])
    offers = frozenset(word.strip().lower() for word in answer.headers.get("dav", "").split(","))
    because = _reason_to_doubt(client, profile, principal, answer, offers)
    silence: Silence = "unproven" if because else profile.silence
    return SchedulingEvidence(silence, because, bool(offers & SCHEDULES), MANAGES in offers)


def _reason_to_doubt(
    client: HttpClient, profile: Profile, principal: Principal, answer: HttpAnswer, offers: frozenset[str]
) -> str:
    """Return why the profile's statement does not hold for this server, or ""."""
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
    if tell.oldest and _version(client, tell, principal) < tell.oldest:
        return f"it does not show that it is {profile.name} {tell.oldest} or newer"
    return ""


def _version(client: HttpClient, tell: ProductSign, principal: Principal) -> int:
    """Return the server's major version; 0 when it states none."""
    path = tell.beside(principal.path, tell.status)

    def attempt() -> HttpAnswer:
        answer = client.ask("GET", path)
        if answer.status in BUSY:
            raise answer.error()
        return answer

    answer = client.patiently(attempt)
    try:
        content = json_answer.read(answer.body) if answer.ok else None
    except ValueError:
        return 0
    version = str(content.get("versionstring", "")).partition(".")[0] if isinstance(content, dict) else ""
    return int(version) if version.isascii() and version.isdigit() and len(version) < 5 else 0
