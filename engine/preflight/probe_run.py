"""Run an invitation probe at one server of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Final

from connectors.caldav.products import ProfileName
from connectors.caldav.settings import DavSettings
from connectors.settings import Account
from engine.preflight.invitation_probe import (
    ARRIVAL_SECONDS,
    InvitationChannel,
    ProbeResult,
    Progress,
    Time,
    probe_invitations,
)
from engine.preflight.probe_caldav import CalendarHost, CalendarWatch, Desk
from engine.preflight.probe_mail import MailWatch
from model.protocols import Target

TWENTY_MINUTES: Final = 1200.0
GATHERS: Final[Mapping[ProfileName, float]] = {"open-xchange": TWENTY_MINUTES, "generic": TWENTY_MINUTES}
"""Seconds for which a product may hold notifications back; for an unknown product the worst is assumed."""

ONE_EVENT_FOR_ALL: Final[frozenset[ProfileName]] = frozenset({"open-xchange"})
"""Products that keep one event for all their own users: it is in the invited calendar at once, however silent
the server is. There, only mail can show an invitation."""


def prove_server(
    settings: DavSettings,
    host: Account,
    guest: Account,
    mail: Target | None,
    *,
    arrival: float = ARRIVAL_SECONDS,
    gathers: float | None = None,
    times: Time | None = None,
    progress: Progress = lambda _phase, _over, _most: None,
) -> ProbeResult:
    """Run an invitation probe between two accounts of one calendar server; see probe_invitations.

    Args:
        settings: the settings of the server.
        host: the account that invites.
        guest: the invited account.
        mail: the guest's account on the mail target, for invitations by mail; the caller closes it. None for
            no mail.
        arrival: seconds that the control may take.
        gathers: seconds, instead of the profile's; None for these.
        times: the clocks; None for the real ones.
        progress: called as time passes.
    """
    with closing(Desk(settings, host)) as inviting, closing(Desk(settings, guest)) as invited:
        watches: list[InvitationChannel] = []
        if mail is None or settings.profile not in ONE_EVENT_FOR_ALL:
            watches.append(CalendarWatch(invited))
        if mail is not None:
            watches.append(MailWatch(mail))
        return probe_invitations(
            CalendarHost(inviting),
            CalendarHost(invited).address,
            watches,
            keepers=(CalendarWatch(invited), CalendarWatch(inviting)),
            arrival=arrival,
            gathers=GATHERS.get(settings.profile, 0.0) if gathers is None else gathers,
            times=times,
            progress=progress,
        )
