"""Keep in the ledger what `kogge check` found of each mailbox, for those who approve the wave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from engine.approvals.plan_approval import is_accepted, suspended
from engine.approvals.signed_list import refuse_changed_list
from engine.approvals.unneeded_approvals import OF_WAVES
from engine.config.load import Config
from engine.control.ledger_access import opened_ledger
from engine.identity.identity_gate import ASKED_ONCE
from engine.planning.load_plan import plan, planned_mailbox
from engine.preflight.preflight import PreflightResult
from ledger.plan.approvals import Check, PlanRow, keep_checks, plan_rows
from ledger.plan.early_checks import keep_early
from ledger.plan.mailboxes import FIELDS, PlannedMailbox
from model.errors import Misconfigured


def renew_plan(config: Config, wave: str) -> None:
    """Load the wave into the plan, as `kogge migrate` would; every other plan stays as it is."""
    with opened_ledger(config) as ledger:
        plan(config, ledger, wave)


def plan_what_was_seen(config: Config, looks: Sequence[PreflightResult]) -> str | None:
    """Load every wave of the list into the plan, so that the results of a check of all can be kept.

    Nothing is loaded while a row has no wave yet, where no check got through, or if the list says otherwise
    than a plan that approvers signed: only the name of its wave says that such a plan is to change.

    Args:
        config: the configuration.
        looks: the results, of all rows.

    Returns:
        Why nothing was loaded, if that is because of a signed plan; None otherwise.
    """
    if not all(look.person.wave for look in looks) or all(look.passing for look in looks):
        return None
    with opened_ledger(config) as ledger:
        try:
            refuse_changed_list(config, ledger, None)
        except Misconfigured as error:
            return error.advice
        plan(config, ledger, None)
    return None


def keep(
    config: Config,
    wave: str | None,
    looks: Sequence[PreflightResult],
    begun: Collection[str] = frozenset(),
    *,
    all_listed: bool = False,
) -> None:
    """Keep the results of the mailboxes that the ledger has planned as the list has them.

    Those of other mailboxes are kept until a wave is planned for them. A ledger is made for rows without a
    wave alone.
    Where a check did not get through, the result of an earlier one stays, and `earlier_stands` is set.

    Args:
        config: the configuration.
        wave: the wave; None for all.
        looks: the results.
        begun: the sources of the mailboxes of which something was copied.
        all_listed: True if the whole list was checked.
    """
    has_waves = all(look.person.wave for look in looks)
    if has_waves and config.ledger_file is not None and not config.ledger_file.exists():
        return
    with opened_ledger(config) as ledger:
        rows = {row.source: row for row in plan_rows(ledger, wave)}
        known = {row.mailbox for row in rows.values() if row.at is not None}
        results = []
        for look in looks:
            check = _check_of(config, look, rows, begun)
            if check is not None:
                results.append(check)
                look.earlier_stands = check.passing and check.mailbox in known
        keep_checks(ledger, results)
        if wave is None:
            unplanned = [look for look in looks if look.person.source not in rows]
            early = [(planned_mailbox(config, look.person), _result(look, "")) for look in unplanned]
            keep_early(ledger, early, all_listed=all_listed)


def note_accepted(config: Config, looks: Iterable[PreflightResult]) -> None:
    """Note which of the warnings a person accepted (`kogge approve CODE`). No ledger is made.

    Only mailboxes that the ledger has planned as the list has them are considered.
    """
    results = {look.person.source: look for look in looks if look.warnings}
    if not results or (config.ledger_file is not None and not config.ledger_file.exists()):
        return
    with opened_ledger(config) as ledger:
        for row in plan_rows(ledger):
            look = results.get(row.source)
            if look is not None and not _differs(row, planned_mailbox(config, look.person)):
                codes = {code for _, code in look.warnings}
                look.accepted = frozenset(code for code in codes if is_accepted(ledger, row, code))


def accepted_of_wave(config: Config, wave: str | None) -> frozenset[str]:
    """Return the codes about credentials that a person approved for this wave. No ledger is made."""
    if wave is None or (config.ledger_file is not None and not config.ledger_file.exists()):
        return frozenset()
    with opened_ledger(config) as ledger:
        return frozenset(code for code in OF_WAVES if ledger.approved(f"wave:{wave}", code))


def suspended_approvals(config: Config, waves: Collection[str]) -> dict[str, list[str]]:
    """Return by wave who signed another result of a check than the newest one. No ledger is made.

    Their approvals do not count until a check finds again what they signed. Waves of which nobody did are
    left out.
    """
    if config.ledger_file is not None and not config.ledger_file.exists():
        return {}
    with opened_ledger(config) as ledger:
        found = {
            wave: sorted({entry.statement.approver for entry in suspended(config, ledger, wave)})
            for wave in sorted(waves)
        }
    return {wave: names for wave, names in found.items() if names}


def _differs(row: PlanRow, planned: PlannedMailbox) -> bool:
    return any(getattr(row, name) != getattr(planned, name) for name in FIELDS)


def _check_of(
    config: Config, look: PreflightResult, rows: dict[str, PlanRow], begun: Collection[str]
) -> Check | None:
    planned = planned_mailbox(config, look.person)
    row = rows.get(planned.source)
    if row is None or _differs(row, planned):
        return None
    result = _result(look, row.mailbox)
    if result.code is None and look.person.source in begun and row.code in ASKED_ONCE:
        return replace(result, code=row.code)  # it was not asked for again: what approvers saw still holds
    return result


def _result(look: PreflightResult, mailbox: str) -> Check:
    codes = [code for _, code in (*look.faults, *look.warnings)]
    code = codes[0] if codes else None
    return Check(mailbox, look.level, code, look.items or 0, look.bytes or 0, _is_passing(look))


def _is_passing(look: PreflightResult) -> bool:
    """Return True if a check did not get through this time."""
    return bool(look.faults) and look.passing == len(look.faults)
