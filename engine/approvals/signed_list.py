"""Refuse a list that says otherwise than the plan that approvers signed, before anything of it is taken over.

A command that runs a wave loads the list into the ledger's plan. If the list was edited after the plan was
signed, that would end the signatures, although nobody decided to change the plan. So the command is refused,
and the ledger stays as it is: either the edit is undone, or somebody plans the wave anew on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from engine.approvals.plan_approval import is_plan_signed
from engine.config.hints import next_command
from engine.config.load import Config
from engine.planning.load_plan import waves_listed
from engine.planning.plan_diff import PlanChange, changes
from ledger.plan.approvals import waves_ever_approved
from ledger.store import Ledger
from model.errors import Misconfigured
from model.plural import many

UNSIGNED = frozenset({"priority", "wave's priority"})
"""Changes of what approvers do not sign."""


def refuse_changed_list(config: Config, ledger: Ledger, wave: str | None) -> None:
    """Refuse to run a wave if loading its list would change a plan that approvers signed. Writes nothing.

    The ledger's signatures decide, not how many this configuration asks for: another one may share the
    ledger.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the wave that is to be loaded; None for all waves of the list.

    Raises:
        Misconfigured: the list (or waves.csv) says otherwise than a plan whose signatures count.
        Corrupt: the chain of events is broken.
    """
    if not config.file(config.mailboxes).exists() or not (signed := waves_ever_approved(ledger)):
        return
    if wave in signed and wave not in waves_listed(config) and is_plan_signed(config, ledger, wave):
        raise Misconfigured(*_refused_withdrawal(config, wave))
    found = [(change, _waves(change)) for change in changes(config, ledger) if _is_signed_part(change)]
    touched = {name for _, names in found for name in names if wave is None or wave in names}
    for name in sorted(touched & signed):
        if is_plan_signed(config, ledger, name):
            raise Misconfigured(*_refusal(config, name, [change for change, names in found if name in names]))


def refuse_changed_rows(config: Config, ledger: Ledger, mailboxes: Collection[str]) -> None:
    """Refuse to run mailboxes whose rows of the list say otherwise than the ledger's plan, signed or not.

    A run of their wave takes the list over first; this writes nothing. Another worker's machine may have no
    list, and relies on the ledger.

    Args:
        config: the configuration.
        ledger: the ledger.
        mailboxes: their ids.

    Raises:
        Misconfigured: the list says otherwise.
    """
    if not config.file(config.mailboxes).exists():
        return
    found = [one for one in changes(config, ledger) if one.mailbox in mailboxes and one.kind not in UNSIGNED]
    if found:
        told = many(len(found), "place", "places")
        advice = f"differs from the plan in {told}; start the wave, which takes the list over"
        raise Misconfigured(config.mailboxes.name, advice)


def _refused_withdrawal(config: Config, wave: str) -> tuple[str, str]:
    return (
        config.mailboxes.name,
        f"has no row of wave {wave}, whose plan approvers signed. Nothing was changed, and the approvals"
        " count as before. Put the rows back, or name the configuration whose list has them with --config."
        " A signed wave is not withdrawn: nobody runs it while no list has its rows",
    )


def _is_signed_part(change: PlanChange) -> bool:
    """Return False for what leaves the signed document as it is.

    A mailbox that has begun keeps its row, and one that was withdrawn is in the plan still.
    """
    withdrawn = change.kind == "added" and change.mailbox is not None
    return change.kind not in UNSIGNED and not change.refused and not withdrawn


def _waves(change: PlanChange) -> frozenset[str]:
    """Return the waves whose plans a change is about: of a mailbox that moved, both."""
    names = {change.wave, change.was} if change.kind == "moved" else {change.wave}
    return frozenset(name for name in names if name)


def _refusal(config: Config, wave: str, found: list[PlanChange]) -> tuple[str, str]:
    kinds = ", ".join(
        f"{count:,} {kind}" for kind, count in sorted(Counter(one.kind for one in found).items())
    )
    files = " and ".join(sorted({one.file for one in found}))
    differs = "differs" if len({one.file for one in found}) == 1 else "differ"
    return (
        files,
        f"{differs} from the signed plan of wave {wave} in {many(len(found), 'place', 'places')} ({kinds}):"
        f" `{next_command(config.path, 'plan diff')}` shows where. Nothing was changed, and the approvals"
        f" count as before. Undo the edit; or plan the wave anew with"
        f" `{next_command(config.path, f'check --wave {wave}')}`, and have it approved again",
    )
