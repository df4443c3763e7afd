"""The part of `kogge check` that proves a calendar server silent before anybody's meetings go there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.settings import Account
from engine.config.load import Config, InvitationProbeSettings
from engine.control.remedies import advice
from engine.opening.open_sides import open_target
from engine.planning.mailbox_list import Person
from engine.preflight.invitation_probe import ProbeResult
from engine.preflight.invitation_probe import Progress as Report
from engine.preflight.preflight import PreflightResult, never, side_of
from engine.preflight.probe_run import prove_server
from engine.steps import invitation_policy
from kogge.terminal.options import errors
from kogge.terminal.tables import BAD, CARE, GOOD
from ledger.store import Ledger
from model.errors import Misconfigured
from model.protocols import Kind

UNPROVEN = "unproven"
WORDS = {
    "control": "invitation probe: waiting for the control meeting",
    "quiet": "invitation probe: listening",
}
CODES = {"silent": None, "not-silent": "silence-broken", "no-control": "silence-unproven"}


@dataclass(frozen=True, slots=True)
class InvitationEvidence:
    """What is known of one workload's target. code: None when it may be written to. fresh: what an
    invitation probe showed just now."""

    workload: Kind
    code: str | None
    fresh: ProbeResult | None = None

    def line(self) -> Text:
        name = f"target.{self.workload}: "
        if self.code is not None:
            told = f" ({', '.join(self.fresh.heard)})" if self.fresh and self.fresh.heard else ""
            return Text(f"{name}{self.code}{told}: {advice(self.code)}", style=BAD)
        if self.fresh is None:
            return Text(f"{name}an invitation probe showed before that it invites nobody", style=GOOD)
        watched = f"{self.fresh.watched / 60:.0f} min" if self.fresh.watched >= 120 else "a while"
        tidy = "" if self.fresh.tidy else "; the probe's own objects could not all be removed"
        text = f"{name}the probe's control arrived, and nothing was heard for {watched} of what Kogge writes"
        return Text(text + tidy, style=GOOD if self.fresh.tidy else CARE)

    def document(self) -> dict[str, object]:
        return {
            "workload": str(self.workload),
            "code": self.code,
            "heard": list(self.fresh.heard) if self.fresh else [],
            "watched_seconds": round(self.fresh.watched) if self.fresh else None,
        }


def said_by(looks: Iterable[PreflightResult]) -> dict[Kind, str]:
    """What the targets say of their silence (model.optional_protocols.Schedules), the worst word of all
    mailboxes."""
    said: dict[Kind, str] = {}
    for look in looks:
        for workload in invitation_policy.SCHEDULED:
            word = look.facts.get(side_of(workload), {}).get("silence")
            if word is not None and said.get(workload) != UNPROVEN:
                said[workload] = word
    return said


def concerned(config: Config, said: Mapping[Kind, str]) -> bool:
    """Whether any target may mail invitations: by its own word, else by that of its profile."""
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
    """Proves each target that may mail invitations, once for one server; what was proven before counts unless
    again. Records what it showed. Raises Misconfigured, Transient and Blocked of the probe's accounts."""
    heard: list[InvitationEvidence] = []
    results: dict[str, ProbeResult] = {}
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
            if server not in results:
                results[server] = _prove(config, config.invitation_probe, settings, people)
                invitation_policy.record(
                    ledger, settings, results[server].outcome, round(results[server].watched)
                )
            heard.append(InvitationEvidence(workload, CODES[results[server].outcome], results[server]))
    return sorted(heard, key=lambda one: one.workload)


def _prove(
    config: Config, probe: InvitationProbeSettings, settings: DavSettings, people: Sequence[Person]
) -> ProbeResult:
    taken = {name for one in people for name in (one.source, one.target, one.target_login)}
    if taken & {probe.host, probe.guest}:
        raise Misconfigured("invitation_probe", "its accounts stand in mailboxes.csv; they must be nobody's")
    host, guest = (Account(login=name, address=name) for name in (probe.host, probe.guest))
    mail = None
    if config.target.mail is not None:
        moment = datetime.now(UTC)
        mail = open_target(config, guest, Kind.MAIL, never, live=False, not_after=moment)
    try:
        with _shown() as progress:
            return prove_server(settings, host, guest, mail, arrival=probe.arrival_seconds, progress=progress)
    finally:
        if mail is not None:
            mail.close()


@contextmanager
def _shown() -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors(), disable=not sys.stderr.isatty(), transient=True) as bar:
        job = bar.add_task("invitation probe", total=None)

        def report(phase: str, over: float, most: float) -> None:
            bar.update(job, description=WORDS.get(phase, phase), completed=over, total=most)

        yield report
