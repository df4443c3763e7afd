"""The first mailbox of a wave: it runs alone and is verified fully, before any other is written.

What is wrong with a whole wave (a server, a mapping, a right) then harms one mailbox. Which one: what
waves.csv calls the canary; else of those with the highest priority the smallest that has something. Once it
was verified, the wave has passed, as long as its systems are the same, that one is in it and not rolled back,
and its plan names no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.config.load import Config
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from ledger.db.audit_log import newest_detail
from ledger.db.engine import reading
from ledger.db.rows import ROLLED_BACK, UNSTABLE, LegRow, LegState
from ledger.plan.approvals import plan_rows
from ledger.plan.wave_control import priorities
from ledger.plan.waves import Waves
from ledger.store import Ledger
from model.errors import Blocked

CHOSEN, PASSED, FAILED = "first-mailbox", "first-mailbox-verified", "canary-failed"
"""Kinds of events about a wave; the last is a code as well."""
UNFINISHED = "unfinished"
"""Of a first mailbox that no fault stopped; no event, as it may still pass."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Hold a wave's batches in two stages.

    Attributes:
        others: the batches of the second stage.
        first: the mailbox that goes alone; None if none has to.
        alone: its batch; empty if it cannot run now, because it is blocked.
    """

    others: Sequence[BatchParameters]
    first: str | None = None
    alone: Sequence[BatchParameters] = ()


def apart(
    config: Config,
    ledger: Ledger,
    asked: WaveParameters | VerifyParameters,
    shards: Sequence[BatchParameters],
) -> Stages:
    """Split the batches of a wave into two stages. Idempotent: the chosen mailbox stays the first."""
    first = _first(config, ledger, asked, [one for shard in shards for one in shard.mailboxes])
    if first is None:
        return Stages(shards)
    parts = [[one for one in shard.mailboxes if one != first] for shard in shards]
    parts = [part for part in parts if part]
    runs = any(first in shard.mailboxes for shard in shards)
    of = len(parts) + runs
    others = [
        shards[0].model_copy(update={"mailboxes": part, "number": number, "of": of})
        for number, part in enumerate(parts, 1 + runs)
    ]
    alone = {"mailboxes": [first], "level": "both", "number": 1, "of": of}
    return Stages(others, first, [shards[0].model_copy(update=alone)] if runs else [])


def passed(
    config: Config, ledger: Ledger, asked: WaveParameters | VerifyParameters, first: str
) -> str | None:
    """Return None if the first mailbox is verified, else the code that prevents it. The result is recorded.

    It is UNFINISHED if nothing is known against the mailbox: its batch ended before the mailbox did.
    """
    legs = ledger.legs(asked.wave, mailbox=first)
    not_verified = _not_verified(config, legs, asked.workloads)
    bad = min(not_verified, key=lambda leg: leg.code is None, default=None)
    if bad is not None and bad.code is None and bad.state in (LegState.PENDING, LegState.RUNNING):
        return UNFINISHED
    if bad is not None:
        code = bad.code or str(bad.state)
        _record(ledger, asked.wave, FAILED, {"mailbox": first, "code": code})
        return code
    if all(leg.state is LegState.VERIFIED or _unseen(config, leg) for leg in legs):
        _record(ledger, asked.wave, PASSED, {"mailbox": first, "systems": _systems(config)[0]})
    return None


def refuse_before_first(config: Config, ledger: Ledger, asked: BatchParameters) -> None:
    """Refuse a batch that writes before the first mailbox of its wave was verified.

    Such a batch was started without its wave. One mailbox may go by itself, as it may in a wave for it alone.

    Raises:
        Blocked: `canary-failed`.
    """
    here = set(asked.mailboxes)
    if not config.run.canary or not asked.options.writes or len(here) < 2:
        return
    planned, chosen = Waves(ledger).read(asked.wave).canary, _chosen_before(ledger, asked.wave)
    have = _have_passed(config, ledger, asked.wave) & {leg.mailbox for leg in ledger.legs(asked.wave)}
    if have and (planned not in here or planned in have):
        return
    # Of some workloads it has passed only for them, and no event says so.
    tried = ledger.legs(asked.wave, mailbox=chosen) if chosen is not None else []
    if tried and planned not in here - {chosen} and not _not_verified(config, tried, asked.workloads):
        return
    raise Blocked(FAILED, "the first mailbox of the wave is not verified; start the wave: it goes alone")


def _not_verified(config: Config, legs: Sequence[LegRow], workloads: Sequence[str]) -> list[LegRow]:
    """Return the legs that prevent their mailbox from being called verified.

    Args:
        config: says how deep a verification looks.
        legs: of one mailbox.
        workloads: those that count; empty for all.
    """
    wanted = [leg for leg in legs if not workloads or str(leg.workload) in workloads]
    return [leg for leg in wanted if leg.state is not LegState.VERIFIED and not _unseen(config, leg)]


def _unseen(config: Config, leg: LegRow) -> bool:
    """Return True if a leg differs only in what is not looked for in other mailboxes of the wave.

    That the source gives one item in two ways shows only if both sides are read.
    """
    return leg.state is LegState.DIFFERS and leg.code == UNSTABLE and config.verify.level != "both"


def _first(
    config: Config, ledger: Ledger, asked: WaveParameters | VerifyParameters, ready: Sequence[str]
) -> str | None:
    if not config.run.canary or isinstance(asked, VerifyParameters) or asked.dry_run or not ready:
        return None
    legs = [leg for leg in ledger.legs(asked.wave) if leg.withheld is None]
    members = {leg.mailbox for leg in legs} & set(asked.mailboxes or (leg.mailbox for leg in legs))
    members -= {leg.mailbox for leg in legs if leg.code == ROLLED_BACK}
    planned, chosen = Waves(ledger).read(asked.wave).canary, _chosen_before(ledger, asked.wave)
    have = _have_passed(config, ledger, asked.wave).intersection(leg.mailbox for leg in legs)
    if len(members) < 2 or (planned in have if planned in members else have):
        return None
    first = next((one for one in (planned, chosen) if one in members), None)
    if first is None:
        first = _chosen(ledger, asked.wave, [one for one in ready if one in members] or ready)
    if first != chosen:
        _record(ledger, asked.wave, CHOSEN, {"mailbox": first})
    return first


def _chosen(ledger: Ledger, wave: str, ready: Sequence[str]) -> str:
    ranks, amounts = priorities(ledger, wave), _items(ledger, wave)

    def order(number: str) -> tuple[int, bool, int, str]:
        items = amounts.get(number, 0)
        return -ranks.get(number, 0), items == 0, items, number

    return min(ready, key=order)


def _items(ledger: Ledger, wave: str) -> Mapping[str, int]:
    """Return the items that were listed for each mailbox, or what the newest check counted."""
    found = {row.mailbox: row.items for row in plan_rows(ledger, wave)}
    listed: dict[str, int] = {}
    for leg in ledger.legs(wave):
        listed[leg.mailbox] = listed.get(leg.mailbox, 0) + leg.items
    return {number: items or found.get(number, 0) for number, items in listed.items()}


def _have_passed(config: Config, ledger: Ledger, wave: str) -> set[str]:
    """Return the first mailboxes of any plan of this wave that show that it can be moved as it is now."""
    found: dict[str, object] = {}
    for one in ledger.events(wave):
        if one.kind == ROLLED_BACK and one.subject is not None:
            found.pop(one.subject, None)
        elif one.kind == PASSED:
            found[str(one.detail["mailbox"])] = one.detail.get("systems")
    systems = _systems(config) if found else []
    return {mailbox for mailbox, then in found.items() if then in systems}


def _systems(config: Config) -> list[str]:
    """Return the digests of the systems in every version of the form, the newest first."""
    # Imported late: most flows on a supervising machine need no connectors.
    from engine.approvals.signed_plan import digests_of_systems

    return digests_of_systems(config)


def _chosen_before(ledger: Ledger, wave: str) -> str | None:
    with reading(ledger.engine) as connection:
        detail = newest_detail(connection, f"wave:{wave}", CHOSEN)
    return None if detail is None else str(detail["mailbox"])


def _record(ledger: Ledger, wave: str, kind: str, detail: dict[str, str | int]) -> None:
    ledger.event(wave, kind, detail, subject=f"wave:{wave}")
