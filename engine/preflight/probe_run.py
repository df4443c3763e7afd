"""Run an invitation probe at one server of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.settings import Account
from engine.preflight.invitation_probe import (
    ARRIVAL_SECONDS,
    Guest,
    InvitationChannel,
    ProbeResult,
    Progress,
    Time,
    probe_invitations,
)
from engine.preflight.probe_caldav import CalendarHost, CalendarWatch, Desk
from engine.preflight.probe_mail import MailWatch
from engine.preflight.probe_state import ProbeMemory
from model.protocols import Target

OpenMail = Callable[[], Target]


@dataclass(frozen=True, slots=True)
class OutsideGuest:
    """Describe a guest who is no user of the calendar server.

    Attributes:
        address: the address.
        mail: opens the mailbox where its mail arrives; None if that is the mailbox of the other guest.
    """

    address: str
    mail: OpenMail | None = None


def prove_server(
    settings: DavSettings,
    host: Account,
    guest: Account,
    mail: OpenMail | None,
    *,
    outside: OutsideGuest | None = None,
    arrival: float = ARRIVAL_SECONDS,
    gathers: float | None = None,
    times: Time | None = None,
    progress: Progress = lambda _phase, _over, _most: None,
    memory: ProbeMemory | None = None,
    budget: RequestBudget = NO_BUDGET,
) -> ProbeResult:
    """Run an invitation probe between accounts of one calendar server; see probe_invitations.

    Args:
        settings: the settings of the server.
        host: the account that invites.
        guest: the invited account.
        mail: opens the guest's account on the mail target, for invitations by mail; None for no mail.
        outside: a second guest; None for none.
        arrival: seconds that the control may take.
        gathers: seconds, instead of the profile's; None for these.
        times: the clocks; None for the real ones.
        progress: called as time passes.
        memory: see probe_invitations.
        budget: asked before each request to the calendar server.
    """
    profile = PROFILES[settings.profile]
    with ExitStack() as stack:
        inviting, invited = Desk(settings, host, "host", budget), Desk(settings, guest, "guest", budget)
        stack.callback(inviting.close)
        stack.callback(invited.close)
        mails = [MailWatch(mail)] if mail is not None else []
        watches: list[InvitationChannel] = [*mails]
        # One event for everybody is in the guest's calendar at once, however silent the server is.
        if mail is None or not profile.event_habits.organizer_attends:
            watches.insert(0, CalendarWatch(invited))
        guests = [Guest("internal", CalendarHost(invited).address, tuple(watches))]
        if outside is not None:
            if outside.mail is not None:
                mails.append(MailWatch(outside.mail, "external guest"))
            guests.append(Guest("external", outside.address, tuple(mails[-1:])))
        for watch in mails:
            stack.callback(watch.close)
        return probe_invitations(
            CalendarHost(inviting),
            guests,
            keepers=(CalendarWatch(invited), CalendarWatch(inviting)),
            arrival=arrival,
            gathers=profile.gathers if gathers is None else gathers,
            times=times,
            progress=progress,
            memory=memory,
        )
