"""The part of `kogge check` that proves a calendar server silent before anybody's meetings go there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.server_settings import ServerSettings
from connectors.settings import Account
from engine.config.load import Config, InvitationProbeSettings
from engine.control.remedies import advice
from engine.opening.open_sides import open_target
from engine.pacing.server_notices import clock_time
from engine.pacing.shared_budget import request_budget
from engine.planning.mailbox_list import Person
from engine.preflight.invitation_probe import ProbeResult
from engine.preflight.invitation_probe import Progress as Report
from engine.preflight.preflight import PreflightResult, never, side_of
from engine.preflight.probe_run import OutsideGuest, prove_server
from engine.preflight.probe_state import LedgerMemory
from engine.steps.beginning import invitation_policy
from kogge.terminal.options import errors, say
from kogge.terminal.tables import BAD, CARE, GOOD
from ledger.store import Ledger
from model.errors import Blocked, MigrationError, Misconfigured, Transient
from model.kinds import Kind
from model.protocols import Target

UNPROVEN = "unproven"
WORDS = {
    "control": "invitation probe: waits for its control meetings until {until} at the latest",
    "quiet": "invitation probe: listens until {until}",
    "away": "invitation probe: a server is away; it is tried until {until}",
}
SHIFT_SECONDS = 90.0
"""By how much an announced time has to move before it is announced again."""
OUTSIDE = "; no guest outside of the server was tried: set external in [invitation_probe]"
CODES = {"silent": None, "not-silent": "silence-broken", "no-control": "silence-unproven"}


@dataclass(frozen=True, slots=True)
class InvitationEvidence:
    """Hold what is known of one workload's target.

    Attributes:
        code: None if it may be written to.
        fresh: what an invitation probe showed just now.
        fault: why the probe ended early.
    """

    workload: Kind
    code: str | None
    fresh: ProbeResult | None = None
    fault: MigrationError | None = None

    @property
    def passing(self) -> bool:
        """Return True if the probe ended early, and the next one goes on."""
        return isinstance(self.fault, Transient)

    def line(self) -> Text:
        """Return the line for the screen."""
        name = f"target.{self.workload}: "
        if self.fault is not None:
            return Text(f"{name}{self.fault}. {advice(self.fault.code)}", style=BAD)
        if self.code is not None:
            told = f" ({', '.join(self._causes())})" if self._causes() else ""
            return Text(f"{name}{self.code}{told}: {advice(self.code)}", style=BAD)
        if self.fresh is None:
            return Text(f"{name}an invitation probe showed before that it invites nobody", style=GOOD)
        watched = f"{self.fresh.watched / 60:.0f} min" if self.fresh.watched >= 120 else "a while"
        tidy = "" if self.fresh.tidy else "; the probe's own objects could not all be removed"
        text = f"{name}the probe's control arrived, and nothing was heard for {watched} of what Kogge writes"
        outside = "" if "external" in self.fresh.guests else OUTSIDE
        good = self.fresh.tidy and not outside
        return Text(text + tidy + outside, style=GOOD if good else CARE)

    def _causes(self) -> list[str]:
        """Return what was heard, or whose control was not."""
        if self.fresh is None:
            return []
        return [*self.fresh.heard, *(f"no control for the {guest} guest" for guest in self.fresh.unheard)]

    def document(self) -> dict[str, object]:
        """Return the evidence for JSON."""
        return {
            "workload": str(self.workload),
            "code": self.code,
            "heard": list(self.fresh.heard) if self.fresh else [],
            "guests": list(self.fresh.guests) if self.fresh else [],
            "unheard": list(self.fresh.unheard) if self.fresh else [],
            "watched_seconds": round(self.fresh.watched) if self.fresh else None,
        }


def said_by(looks: Iterable[PreflightResult]) -> dict[Kind, str]:
    """Return what the targets say of their silence, the worst answer of all mailboxes.

    See model.optional_protocols.Schedules.
    """
    said: dict[Kind, str] = {}
    for look in looks:
        for workload in invitation_policy.SCHEDULED:
            word = look.facts.get(side_of(workload), {}).get("silence")
            if word is not None and said.get(workload) != UNPROVEN:
                said[workload] = word
    return said


def concerned(config: Config, said: Mapping[Kind, str]) -> bool:
    """Return True if a target may mail invitations: by its own answer, else by that of its profile."""
    targets = ((workload, config.target.of(workload)) for workload in invitation_policy.SCHEDULED)
    return any(isinstance(one, DavSettings) and _is_unproven(one, said.get(kind)) for kind, one in targets)


def _is_unproven(settings: DavSettings, word: str | None) -> bool:
    return (word or PROFILES[settings.profile].silence) == UNPROVEN


def listen(
    config: Config,
    ledger: Ledger,
    people: Sequence[Person],
    *,
    again: bool,
    said: Mapping[Kind, str] = MappingProxyType({}),
) -> list[InvitationEvidence]:
    """Prove each target that may mail invitations, once for one server, and record what it showed.

    What was proven before counts, unless it is to be proven again. A probe that a fault ends does not end the
    check: see InvitationEvidence.fault.

    Raises:
        Misconfigured: the settings of the probe cannot be used.
    """
    heard: list[InvitationEvidence] = []
    shown: dict[str, InvitationEvidence] = {}
    for workload in invitation_policy.SCHEDULED & set(config.workloads):
        settings = config.target.of(workload)
        if not isinstance(settings, DavSettings):
            continue
        server = invitation_policy.kind_of(settings)
        unproven = _is_unproven(settings, said.get(workload))
        if not again and (not unproven or invitation_policy.is_proven(ledger, settings)):
            heard += [InvitationEvidence(workload, None)] if unproven else []
        elif config.invitation_probe is None:
            heard += [InvitationEvidence(workload, "silence-unproven")] if unproven else []
        else:
            if server not in shown:
                memory = LedgerMemory(ledger, server)
                prove = partial(_prove, config, config.invitation_probe, settings, people, memory)
                shown[server] = _probed(ledger, settings, workload, prove)
            heard.append(replace(shown[server], workload=workload))
    return sorted(heard, key=lambda one: one.workload)


def _probed(
    ledger: Ledger, settings: DavSettings, workload: Kind, prove: Callable[[], ProbeResult]
) -> InvitationEvidence:
    """Return and record what a probe showed, or the fault that ended it, which proves nothing."""
    try:
        result = prove()
    except (Transient, Blocked) as error:
        return InvitationEvidence(workload, error.code, fault=error)
    invitation_policy.record(ledger, settings, result.outcome, round(result.watched))
    return InvitationEvidence(workload, CODES[result.outcome], result)


def _prove(
    config: Config,
    probe: InvitationProbeSettings,
    settings: DavSettings,
    people: Sequence[Person],
    memory: LedgerMemory,
) -> ProbeResult:
    taken = {name for one in people for name in (one.source, one.target, one.target_login)}
    host, guest = probe.inviting, probe.invited
    if taken & {host.login, host.address, guest.login, guest.address, probe.external}:
        raise Misconfigured("invitation_probe", "its accounts stand in mailboxes.csv; they must be nobody's")
    mail = None if config.target.of(Kind.MAIL) is None else partial(_mailbox, config, guest)
    outside = _outside(config, probe)
    with _shown() as progress:
        return prove_server(
            settings,
            host,
            guest,
            mail,
            outside=outside,
            arrival=probe.arrival_seconds,
            progress=progress,
            memory=memory,
            budget=request_budget(config, settings),
        )


def _mailbox(config: Config, account: Account, settings: ServerSettings | None = None) -> Target:
    return open_target(
        config, account, Kind.MAIL, never, live=False, not_after=datetime.now(UTC), settings=settings
    )


def _outside(config: Config, probe: InvitationProbeSettings) -> OutsideGuest | None:
    """Return the guest who is no user of the calendar server, and where its mail arrives."""
    if probe.external is None:
        return None
    settings = probe.external_mail
    if settings is None:
        if config.target.of(Kind.MAIL) is None:
            raise Misconfigured("invitation_probe.external", "set external_mail, or [target.mail]")
        return OutsideGuest(probe.external)
    account = Account(login=probe.external, address=probe.external)
    return OutsideGuest(probe.external, lambda: _mailbox(config, account, settings))


class _Announcements:
    """Say once, where no bar is drawn, until when the probe waits; and again when that moves."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last: tuple[str, float] | None = None

    def text(self, phase: str, over: float, most: float) -> tuple[str, bool]:
        """Return the line of a phase, and True if it is news."""
        until = self._clock() + most - over
        last = self._last
        is_news = last is None or last[0] != phase or abs(until - last[1]) > SHIFT_SECONDS
        if is_news:
            self._last = (phase, until)
        return WORDS[phase].format(until=clock_time(until)), is_news


@contextmanager
def _shown() -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    drawn, announcements = sys.stderr.isatty(), _Announcements()
    with Progress(*columns, console=errors(), disable=not drawn, transient=True) as bar:
        job = bar.add_task("invitation probe", total=None)

        def report(phase: str, over: float, most: float) -> None:
            line, is_news = announcements.text(phase, over, most)
            bar.update(job, description=line, completed=over, total=most)
            if is_news and not drawn:
                say(line)

        yield report
