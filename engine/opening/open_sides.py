"""Open both sides of a mailbox as the configuration says. Dispatch is by the settings' `kind`.

A connector is imported when a side of its kind is opened, so that a run loads no library of the others.
"""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import BaseModel

from connectors.catalogue.connector import SourceRequest, StoreRequest, TargetRequest
from connectors.catalogue.entries import connectors
from connectors.http.hrefs import Mine, anybody
from connectors.server_settings import ServerSettings
from connectors.settings import Account
from engine.config.load import Config
from engine.context.leg_context import Opener
from engine.identity.identity_gate import Pair
from engine.opening.gate_files import rights_list
from engine.opening.one_answer import one_answer
from engine.pacing.shared_budget import request_budget
from ledger.db.rows import MailboxRow, Phase
from ledger.inventory.lines import message_mark
from ledger.open_ledgers import held_open
from ledger.plan.mailboxes import Planned, refuse_code
from ledger.store import Ledger
from mappings.fields.message_id import message_id
from mappings.registry import ITEM_FORMS
from model.errors import Blocked, Misconfigured
from model.kinds import Kind
from model.private_files import make_directory, using_state
from model.protocols import Guard, Loss, Source, Target
from model.rights_store import RightsStore
from model.working_hours import AvailabilityStore

T = TypeVar("T", bound=BaseModel)
LOOKING_SECONDS = 20.0
"""How many seconds a command that only looks waits for a server that is away or busy."""


def open_ledger(config: Config) -> Ledger:
    """Return the ledger, in this version's schema; there is one for each process and address."""
    return held_open(config.ledger_url())


def opener(
    config: Config,
    ledger: Ledger,
    mailbox: MailboxRow,
    workload: Kind,
    pair: Pair,
    *,
    removes: bool | None = None,
    stop: threading.Event | None = None,
) -> Opener:
    """Return how to open this mailbox's sides; every call gives new connections.

    Args:
        config: the configuration.
        ledger: the ledger.
        mailbox: the mailbox.
        workload: the workload.
        pair: the accounts of both sides.
        removes: True if the target removes in any phase, as for an approved rollback; False if it never does;
            None if the phase decides.
        stop: see open_target.
    """
    live = mailbox.phase is Phase.LIVE if removes is None else not removes
    return Opener(
        source=lambda: open_source(config, pair.source, frozenset({workload}), stop=stop),
        target=lambda guard, moment: open_target(
            config,
            pair.target,
            workload,
            guard,
            live=live,
            not_after=moment,
            mine=lambda key: ledger.has(mailbox.id, key),
            stop=stop,
        ),
    )


def accounts(ledger: Ledger, mailbox: MailboxRow) -> Pair:
    """Return the accounts of both sides as the ledger's plan has them."""
    return planned_pair(ledger.planned(mailbox.id))


def planned_pair(planned: Planned) -> Pair:
    """Return the accounts of both sides of a mailbox."""
    mailbox = planned.mailbox
    return Pair(
        source=Account(login=planned.source_login or mailbox.source, address=mailbox.source.lower()),
        target=Account(
            login=planned.target_login or mailbox.target,
            address=mailbox.target.lower(),
            folder=planned.folder,
        ),
        bound=mailbox.target_identity is not None,
    )


def refuse_replanned(ledger: Ledger, mailbox_id: str, pair: Pair) -> None:
    """Refuse a mailbox whose plan changed between reading it and claiming the leg.

    From here on it cannot change, because a mailbox at work keeps its accounts.

    Raises:
        Blocked: `not-in-plan` or `plan-changed`.
    """
    now = ledger.planned(mailbox_id)
    refuse_code(now.withheld)
    planned = planned_pair(now)
    if (planned.source, planned.target) != (pair.source, pair.target):
        raise Blocked("plan-changed", "the row changed just before the workload was claimed")


def open_source(
    config: Config,
    account: Account,
    kinds: frozenset[Kind],
    *,
    looking: bool = False,
    side: str | None = None,
    stop: threading.Event | None = None,
) -> Source:
    """Open a source; its answers are clean (engine.opening.one_answer).

    Args:
        config: the configuration.
        account: the account.
        kinds: what will be asked of it; all of one source.
        looking: True if a person waits for the answer: outages are not waited out for long.
        side: the table in which the source is set; None for that of the kinds.
        stop: see open_target.

    Raises:
        Misconfigured: if there is no connector for the kind.
    """
    wanted = config.source_of(next(iter(kinds))) if side is None else config.source.tables()[side]
    settings = brief(wanted) if looking else wanted
    opened = connectors()[settings.kind].open_source
    if opened is None:
        raise Misconfigured(settings.where("kind"), "no connector reads from it")
    budget = request_budget(config, settings, stop)
    listed = rights_list(config).of(account.address or account.login) if Kind.PERMISSIONS in kinds else ()
    return one_answer(opened(settings, SourceRequest(account, kinds, spool(config), looking, budget, listed)))


def brief(settings: T) -> T:
    """Return the settings for a command that only looks: outages are not waited out for minutes."""
    patience = getattr(settings, "patience_seconds", 0.0)
    if patience <= LOOKING_SECONDS:
        return settings
    return settings.model_copy(update={"patience_seconds": LOOKING_SECONDS})


def open_target(
    config: Config,
    account: Account,
    workload: Kind,
    guard: Guard,
    *,
    live: bool,
    not_after: datetime,
    mine: Mine = anybody,
    looking: bool = False,
    stop: threading.Event | None = None,
    settings: ServerSettings | None = None,
) -> Target:
    """Open a target; its answers are clean (engine.opening.one_answer).

    Args:
        config: the configuration.
        account: the account.
        workload: the workload.
        guard: raises LeaseLost if this worker may not write.
        live: True if existing items must not be changed or removed.
        not_after: later dates are clamped to this moment.
        mine: returns True if this mailbox wrote the object with this key.
        looking: see open_source.
        stop: set when whoever uses it is to stop; None if it is never stopped from outside.
        settings: of another server than the workload's; None for that one.

    Raises:
        Misconfigured: if there is no connector for the kind.
    """
    wanted = settings or config.target.of(workload)
    settings = brief(wanted) if looking else wanted
    opened, form = connectors()[settings.kind].open_target, ITEM_FORMS[workload]
    if opened is None:
        raise Misconfigured(f"target.{workload}", "no connector writes to it")

    def shared(own: BinaryIO, found: BinaryIO, owner: frozenset[str]) -> tuple[Loss, ...] | None:
        return None if form.shared is None else form.shared(own, found, not_after, owner)

    request = TargetRequest(
        account,
        workload,
        guard,
        spool(config),
        live,
        digest=lambda stream: form.digest(stream, not_after),
        mark=mark_of,
        shared=shared,
        mine=mine,
        budget=request_budget(config, settings, stop),
        stores=lambda: _rights_stores(config, account, guard, looking=looking, stop=stop),
        hours=lambda: _hours_store(config, account, guard, looking=looking, stop=stop),
    )
    return one_answer(opened(settings, request))


def _rights_stores(
    config: Config, account: Account, guard: Guard, *, looking: bool, stop: threading.Event | None
) -> dict[Kind, RightsStore]:
    """Return where the rights to an account's folders lie, by what these hold; nothing is asked."""
    stores = {}
    for kind in config.workloads:
        settings = config.target.of(kind)
        connector = connectors()[settings.kind]
        if connector.open_rights is not None and connector.keeps_rights(settings, kind):
            budget = request_budget(config, settings, stop)
            request = StoreRequest(account, kind, guard, spool(config), budget)
            stores[kind] = connector.open_rights(brief(settings) if looking else settings, request)
    return stores


def _hours_store(
    config: Config, account: Account, guard: Guard, *, looking: bool, stop: threading.Event | None
) -> AvailabilityStore | None:
    """Return where the working hours of an account lie: on the server of its calendars; nothing is asked."""
    if Kind.CALENDAR not in config.workloads:
        return None
    settings = config.target.of(Kind.CALENDAR)
    opened = connectors()[settings.kind].open_hours
    if opened is None:
        return None
    request = StoreRequest(
        account, Kind.CALENDAR, guard, spool(config), request_budget(config, settings, stop)
    )
    return opened(brief(settings) if looking else settings, request)


def mark_of(header: bytes) -> int | None:
    """Return the mark of a message by its header; None if it has no Message-ID."""
    return message_mark(message_id(header))


def spool(config: Config) -> Path:
    """Return the directory in which large bodies wait; only this user may read it.

    Raises:
        Blocked: `state-full` or `state-unusable`.
    """
    with using_state():
        return make_directory(config.state_directory / "spool")
