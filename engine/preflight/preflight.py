"""Check both sides of a mailbox and write nothing: can it be reached, opened, proven, and does it fit?

One mailbox's trouble is a line in the result; the others are checked nevertheless.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Literal, NoReturn, TypeAlias

from connectors.server_settings import ServerSettings
from connectors.settings import Account
from engine.config.load import Config
from engine.config.sources import SOURCE
from engine.context.restored_ledger_breaker import CODE
from engine.control.error_log import Defect, contain_defects
from engine.identity.identity_gate import (
    LEVELS,
    NEEDS_APPROVAL,
    GateRules,
    IdentityProof,
    Pair,
    is_emptiness_unproven,
    prove_identity,
    refuse_denied,
)
from engine.identity.other_readers import CODE as READABLE
from engine.opening.open_sides import open_source, open_target
from engine.pacing.login_breaker import UNREACHABLE, LoginBreaker
from engine.planning.mailbox_list import Person
from engine.preflight.credential_scope import refuse_excess, together, withheld
from engine.preflight.parallel_checks import map_mailboxes
from engine.preflight.side_settings import login_place
from engine.steps.beginning.ledger_generation import newest_left_at
from ledger.store import Ledger
from model.errors import Blocked, Corrupt, LeaseLost, MigrationError, Misconfigured, Transient
from model.kinds import Kind
from model.optional_protocols import Rights, SupportsQuota, SupportsRights, SupportsServerInfo
from model.protocols import Source, Target
from model.readers import TellsReaders

Passes: TypeAlias = Mapping[tuple[str, Kind], tuple[str, int]]
NO_PASSES: Passes = MappingProxyType({})
EMPTINESS = "emptiness-unproven"
Hint: TypeAlias = tuple[Literal["source", "target"], str]
"""Which side an advice is about, and its code."""
"""The code of the advice for a target whose listings leave out items, and which has no other way to tell."""
LOST = frozenset({"connection-closed", "connection-cut", "connection-lost"})
"""The codes of a connection that ended in the middle: another one may do."""


@dataclass(slots=True)
class PreflightResult:
    """Hold what was found about one mailbox.

    Attributes:
        person: the row of the list.
        level: how well its identity is proven; None if it is not known.
        items: the source's own count; None if it does not count.
        kinds: the source's counts by workload.
        untold: the workloads that the source does not count.
        bytes: the source's own size; None if it is unknown.
        free: bytes that the target's quota leaves; None if it is unknown.
        faults: side and code of each fault.
        warnings: side and code of each warning.
        passing: how many of the faults may be gone next time.
        causes: what this machine found (MigrationError.local), for the terminal only.
        facts: what each side says of itself.
        rights: the rights of the source's credential; None if they are unknown.
        self_stated: True if, for some workload, the address that the target states proves nothing, because
            people write their own.
        accepted: the codes of warnings that a person approved for this mailbox or its wave.
        earlier_stands: True if the ledger keeps the result of an earlier check, because this one did not get
            through.
    """

    person: Person
    level: str | None = None
    items: int | None = None
    kinds: Counter[Kind] = field(default_factory=Counter)
    untold: set[Kind] = field(default_factory=set)
    bytes: int | None = None
    free: int | None = None
    faults: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    passing: int = 0
    causes: set[str] = field(default_factory=set)
    facts: dict[str, Mapping[str, str]] = field(default_factory=dict)
    rights: Rights | None = None
    self_stated: bool = False
    accepted: frozenset[str] = frozenset()
    earlier_stands: bool = False

    @property
    def open_warnings(self) -> list[tuple[str, str]]:
        """The warnings that no person accepted."""
        return [warning for warning in self.warnings if warning[1] not in self.accepted]

    @property
    def ready(self) -> bool:
        """True if a run would write to it, as far as the identity gate is concerned."""
        return not self.faults and not self.open_warnings

    @property
    def proof(self) -> str | None:
        """The level, and what would prove more if its owner could not change it; None if it is unknown."""
        return f"{self.level} (address, self-stated)" if self.self_stated else self.level


@dataclass(frozen=True, slots=True)
class Power:
    """Say whether a side's credential opens the control mailbox.

    Attributes:
        side: the side.
        opens: None if it could not be asked, or was not tried.
        tried: False if each person has a password of their own there.
    """

    side: str
    opens: bool | None
    tried: bool = True


def _has_other_faults(faults: Sequence[tuple[str, str]]) -> bool:
    """Return True if there are faults that leave the gate nothing to ask."""
    return any(code != CODE for _, code in faults)


def never() -> NoReturn:
    """Raise LeaseLost: the guard of a check, which writes nothing."""
    raise LeaseLost("lease-lost", "a preflight writes nothing")


def examine_all(
    config: Config,
    people: Sequence[Person],
    rules: Mapping[Kind, GateRules],
    progress: Callable[[], None],
    begun: frozenset[str] = frozenset(),
    passes: Passes = NO_PASSES,
    live: frozenset[str] = frozenset(),
) -> list[PreflightResult]:
    """Check every mailbox, several at once, and return the results in the order given.

    A mailbox that shows no fault but a lost connection is looked at once more.

    Args:
        config: the configuration.
        people: the mailboxes.
        rules: the rules of the identity gate, by workload.
        progress: called after each mailbox.
        begun: the sources of the mailboxes whose targets hold something of ours already.
        passes: what the ledger knows of the passes of each leg, by source and workload.
        live: the sources of the mailboxes that are live.

    Raises:
        Misconfigured: if several logins in a row are refused.
    """
    breaker = LoginBreaker(describe=partial(login_place, config))

    def look_once(person: Person) -> PreflightResult:
        try:
            with contain_defects(f"line {person.line}"):
                known = {"begun": person.source in begun, "live": person.source in live}
                return examine(config, person, rules, breaker, passes=passes, **known)
        except Defect as error:
            return PreflightResult(person, faults=[("mailbox", error.code)])

    def look(person: Person) -> PreflightResult:
        first = look_once(person)
        return look_once(person) if _is_only_lost(first) else first

    return map_mailboxes(people, config.run.mailboxes_at_once, look, progress)


def _is_only_lost(look: PreflightResult) -> bool:
    return bool(look.faults) and {code for _, code in look.faults} <= LOST


def examine(
    config: Config,
    person: Person,
    rules: Mapping[Kind, GateRules],
    breaker: LoginBreaker | None = None,
    *,
    begun: bool = False,
    live: bool = False,
    passes: Passes = NO_PASSES,
) -> PreflightResult:
    """Check everything about one mailbox.

    Args:
        config: the configuration.
        person: the mailbox.
        rules: the rules of the identity gate, by workload.
        breaker: counts refused logins; None for a new one.
        begun: True if its target holds something of ours already.
        live: True if it is live: whom its owner lets read something is not asked.
        passes: what the ledger knows of the passes of each leg, by source and workload.

    Raises:
        Misconfigured: if the configuration cannot be used. This concerns all mailboxes.
        Corrupt: if an invariant of the ledger is broken. This concerns all mailboxes.
    """
    look, breaker = PreflightResult(person), breaker or LoginBreaker()
    pair = Pair(person.source_account, person.target_account, bound=begun)
    workloads = person.moves(config.workloads)
    with ExitStack() as stack:
        sources: dict[Kind, Source | None] = {}
        for side, kinds in config.source.asked(workloads).items():
            with _noting(look, side):
                refuse_denied(pair, next(iter(rules.values())))
                opened = stack.enter_context(closing(open_source(config, pair.source, kinds, looking=True)))
                with breaker.login(side, person.source):
                    opened.identity()
                # Without an answer it is not put here: the gate would wait a second time.
                sources |= dict.fromkeys(kinds, opened)
                _look_at_source(look, side, opened, kinds)
        for workload in workloads:
            known, source = passes.get((person.source, workload)), sources.get(workload)
            _examine_target(look, config, workload, pair, source, rules[workload], breaker, known)
        if live:
            look.warnings = [warning for warning in look.warnings if warning[1] != READABLE]
    # Once copying has begun, the copies take a part of the quota.
    if not begun and look.bytes is not None and look.free is not None and look.bytes > look.free:
        look.faults.append(("target", "quota-too-small"))
    return look


def _examine_target(
    look: PreflightResult,
    config: Config,
    workload: Kind,
    pair: Pair,
    source: Source | None,
    rules: GateRules,
    breaker: LoginBreaker,
    known_pass: tuple[str, int] | None,
) -> None:
    side = side_of(workload)
    faults = len(look.faults)
    with ExitStack() as stack:
        target = None
        with _noting(look, side):
            target = stack.enter_context(closing(_target(config, pair.target, workload)))
            with breaker.login(side, look.person.source):
                target.identity()
            _look_at_target(look, side, target)
            pair = _as_begun(look, pair, target, known_pass)
        if source is None or target is None or _has_other_faults(look.faults[faults:]):
            return
        passed = False
        with _noting(look, "gate"):
            _note_weakest(look, prove_identity(pair, source, target, rules))
            passed = True
        if not passed and not any(side == "gate" and code != CODE for side, code in look.faults):
            with _noting(look, "gate"):  # the level of proof, for the person who approves
                _note_weakest(
                    look, prove_identity(pair, source, target, replace(rules, approved=_approve_all))
                )


def _as_begun(look: PreflightResult, pair: Pair, target: Target, known: tuple[str, int] | None) -> Pair:
    """Asks, as a pass does, whether the target knows of a newer pass than the ledger."""
    mailbox, number = known or ("", 0)
    if not mailbox or newest_left_at(target, mailbox) <= number:
        return pair
    if ("gate", CODE) not in look.faults:
        look.faults.append(("gate", CODE))
    return replace(pair, begun=True)


def _note_weakest(look: PreflightResult, proof: IdentityProof) -> None:
    """Note the weakest proof of the workloads."""
    look.level = proof.level if look.level is None else min(look.level, proof.level, key=LEVELS.index)
    look.self_stated |= proof.self_stated


def _approve_all(_code: str) -> bool:
    return True


def side_of(workload: Kind) -> str:
    """Return the name of a workload's target in faults and warnings."""
    return "target" if workload is Kind.MAIL else f"target.{workload}"


def _target(config: Config, account: Account, workload: Kind) -> Target:
    return open_target(
        config, account, workload, never, live=False, not_after=datetime.now(UTC), looking=True
    )


@contextmanager
def _noting(look: PreflightResult, side: str) -> Iterator[None]:
    """Note a fault of this mailbox by its code; what a person may approve is a warning."""
    try:
        with contain_defects(f"line {look.person.line}"):
            yield
    except (Misconfigured, Corrupt):
        raise
    except MigrationError as error:
        results = look.warnings if error.code in NEEDS_APPROVAL else look.faults
        if error.local:
            look.causes.add(f"{error.code}: {error.local}")
        if (side, error.code) not in results:  # the gate reports the same for several workloads
            results.append((side, error.code))
            look.passing += isinstance(error, Transient)


def _look_at_source(look: PreflightResult, side: str, source: Source, workloads: frozenset[Kind]) -> None:
    look.rights = together(look.rights, source.rights() if isinstance(source, SupportsRights) else None)
    look.facts[side] = (
        source.server() if isinstance(source, SupportsServerInfo) else source.capabilities.facts
    )
    closed = [(side, code) for code in withheld(source)]
    look.faults += closed
    if not closed:
        _count(look, source, workloads)


def _count(look: PreflightResult, source: Source, workloads: frozenset[Kind]) -> None:
    """Add a source's own counts. A workload that it counts only in part is not counted."""
    moving = [
        container
        for container in source.containers()
        if container.omit is None and container.kind in workloads
    ]
    look.untold |= {entry.kind for entry in moving if entry.total is None}
    for entry in moving:
        if entry.kind not in look.untold:
            look.kinds[entry.kind] += entry.total or 0
    look.items = look.kinds.total() if look.kinds or not look.untold else None
    sizes = [entry.size for entry in moving]
    if any(size is not None for size in sizes):
        look.bytes = (look.bytes or 0) + sum(size or 0 for size in sizes)


def hints(config: Config, looks: Sequence[PreflightResult]) -> list[Hint]:
    """Return advice about servers as a whole; nothing is refused because of it.

    Returns:
        each once.
    """
    found: dict[Hint, None] = {}
    for side, source in config.source.tables().items():
        products = {look.facts.get(side, {}).get("product", "") for look in looks}
        found |= dict.fromkeys(("source", code) for code in source.advice(products))
    for settings in filter(None, map(config.target.of, (Kind.CALENDAR, Kind.TASKS))):
        found |= dict.fromkeys(("target", code) for code in settings.advice(()))
    if any(stated.get("emptiness") == "unproven" for look in looks for stated in look.facts.values()):
        found["target", EMPTINESS] = None
    return list(found)


def _look_at_target(look: PreflightResult, side: str, target: Target) -> None:
    capabilities = target.capabilities
    facts = dict(capabilities.facts)
    if capabilities.max_bytes is not None:
        facts["largest item"] = f"{capabilities.max_bytes:,} bytes"
    if is_emptiness_unproven(target):
        facts["emptiness"] = "unproven"
    look.facts[side] = facts
    if isinstance(target, TellsReaders):
        readers = target.readers(None)
        look.warnings += [(side, READABLE)] if readers.open else []
        look.facts[side] = facts | ({"rights of folders": "not told"} if readers.untold else {})
    quota = target.quota() if isinstance(target, SupportsQuota) else None
    if quota is not None:
        look.free = max(0, quota[1] - quota[0])


def refuse_power(config: Config, ledger: Ledger, wave: str) -> None:
    """Refuse a credential that opens what lies outside of every wave, because it may also write there.

    Raises:
        Blocked: `control-mailbox`, `tenant-wide` or `may-write` unless a person accepted that for the wave.
    """
    refuse_excess(config, ledger, wave)
    if ledger.approved(f"wave:{wave}", "control-mailbox"):
        return
    if any(power.opens for power in _powers_once(config)):
        raise Blocked("control-mailbox", f"a credential opens the control mailbox; not approved for {wave}")


def _powers_once(config: Config) -> list[Power]:
    """Return powers(); this process remembers a clear answer, because a wave asks several times."""
    key = (str(config.path), config.gate.control)
    with _asking:
        answer = _answers.get(key)
        if answer is None:
            answer = powers(config)
            if all(power.opens is not None or not power.tried for power in answer):
                _answers[key] = answer
    return answer


_asking = threading.Lock()
_answers: dict[tuple[str, str | None], list[Power]] = {}


def unreachable_sides(looks: Sequence[PreflightResult]) -> frozenset[str]:
    """Return the sides that could not be reached for any mailbox."""
    faulty = {side for look in looks for side, code in look.faults if code in UNREACHABLE}
    return frozenset(faulty - {side for look in looks for side in look.facts})


def powers(config: Config, away: frozenset[str] = frozenset()) -> list[Power]:
    """Try the control mailbox, which no credential should open, on each side.

    Only a credential that serves many mailboxes is tried: a person's own password opens no other mailbox, and
    trying it on this one could lock its owner out.

    Args:
        config: the configuration.
        away: the sides that cannot be reached; they are not asked.

    Returns:
        A result for each side; [] if no control mailbox is configured.
    """
    control = config.gate.control
    if control is None:
        return []
    account = Account(login=control, address=control.lower())
    sides: list[tuple[str, ServerSettings, Callable[[], Source | Target]]] = [
        (side, config.source.tables()[side], partial(_control_source, config, account, side, kinds))
        for side, kinds in config.source.asked(config.workloads).items()
    ]
    sides += [
        (side_of(kind), config.target.of(kind), _opening(config, account, kind)) for kind in config.workloads
    ]
    return [
        Power(side, None if side in away else _opens(open_side))
        if settings.is_shared
        else Power(side, None, tried=False)
        for side, settings, open_side in sides
    ]


def _control_source(config: Config, account: Account, side: str, kinds: frozenset[Kind]) -> Source:
    asked = frozenset({Kind.MAIL}) if side == SOURCE else kinds
    return open_source(config, account, asked, looking=True, side=side)


def _opening(config: Config, account: Account, workload: Kind) -> Callable[[], Target]:
    return lambda: _target(config, account, workload)


def _opens(open_side: Callable[[], Source | Target]) -> bool | None:
    """Return True if the mailbox opens.

    A directory may state whose a closed mailbox is, so its content is asked for too.
    """
    try:
        with contain_defects("control mailbox"), closing(open_side()) as side:
            side.identity()
            next(iter(side.containers()), None)
            return True
    except Blocked:
        return False
    except (Transient, Defect):
        return None
