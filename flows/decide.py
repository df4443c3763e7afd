"""The Prefect flow `decide`: what a person decides at night about mailboxes that stopped, without a terminal.

It does what `kogge retry` and `kogge approve CODE` do, and records who decided and why. What is signed, and
what Prefect's one login must not decide (engine.approvals.acceptances.BY_FORM), is refused with the command
for it. A decision is one transaction: cut in its middle it has not happened, and is pressed again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from engine.approvals.acceptances import APPROVABLE, BY_FORM
from engine.approvals.unneeded_approvals import refuse_needless
from engine.config.file_errors import unknown
from engine.config.registry import chosen
from engine.control.ledger_patience import patience_of
from engine.control.log_filter import quieten
from engine.cutover.given_back import GIVING_BACK
from engine.cutover.requeue import Requeued, going_back, requeue
from engine.verify.compare import DIFFERS
from flows.deploy.deployments import WAVE
from flows.display.states import refused
from flows.own_run import mark
from flows.process.parameters import Boxes, Configuration, RunParameters, WaveName, refuse_unknown_wave
from ledger.db.rows import LegRow, MailboxRow
from ledger.open_ledgers import opened
from ledger.plan.decision import deciding
from ledger.store import Ledger
from model.errors import Blocked, MigrationError, Misconfigured
from model.plural import many

THROUGH = "prefect"
"""Where the decision was typed: the login there is one for all."""
LEFT = "left"
NO_ADDRESS = r"^[^@]*[^@\s][^@]*$"
"""Something is written, and no address: Prefect keeps what is typed into a form."""

Decision = Literal["retry", "accept", "leave"]
Words = Annotated[str, Field(max_length=200, pattern=NO_ADDRESS)]


class DecideParameters(RunParameters):
    """Decide about mailboxes that stopped: choose them by random id, by code, or by both.

    Prefect keeps what you type: no address and no name of a person who is migrated.
    """

    wave: WaveName
    decision: Decision = Field(
        title="Decision",
        description="retry: try again; accept: take responsibility for the code, and try again;"
        " leave: nothing is done, which is recorded",
    )
    code: str = Field(
        "",
        title="Code",
        description="Only mailboxes that stopped for this code, as the page of the wave names it",
        pattern="^[a-z0-9-]*$",
        max_length=60,
    )
    mailboxes: Boxes = Field(default=[], description="Random ids (m-...); empty: all with the code")
    rejected: bool = Field(
        False, title="Rejected items too", description="With retry: give rejected items new attempts as well"
    )
    operator: Words = Field(title="Who decides", description="A name or sign of your own; recorded")
    reason: Words = Field(title="Why", description="Recorded; an auditor will ask")
    configuration: Configuration = ""

    @property
    def asked(self) -> dict[str, str]:
        """Return what an event says of who decided."""
        return {"by": self.operator.strip(), "reason": self.reason.strip(), "through": THROUGH}


@flow(name="decide", flow_run_name="{parameters.decision} in {parameters.wave}", persist_result=False)
async def decide(parameters: DecideParameters) -> State[Any]:
    """Record a decision about mailboxes that stopped, and let those that may go on be tried again."""
    quieten()
    await mark(parameters.wave)
    try:
        message = await asyncio.to_thread(_decided, parameters)
    except MigrationError as error:
        return refused(error)
    return Completed(message=message)


def _decided(order: DecideParameters) -> str:
    """Do what the form asks for; return what became of it."""
    if not order.code and not order.mailboxes:
        raise Misconfigured("mailboxes", "choose mailboxes by their ids, or all with a code, or both")
    if order.decision == "accept":
        _refuse_acceptance(order)
    config = chosen(order.configuration)
    with opened(config.ledger_url(), patience=patience_of(config)) as ledger:
        refuse_unknown_wave(ledger, order.wave)
        rows = _rows(ledger, order)
        if order.decision == "leave":
            return _left(ledger, order, rows)
        if leaving := going_back(ledger, config.hooks, rows):
            raise Blocked(GIVING_BACK, f"{', '.join(sorted(leaving))}; nothing was changed")
        accepts = order.decision == "accept"
        if accepts:
            refuse_needless(config, ledger, order.code, [*rows], of_wave=False)
        again = requeue(
            ledger,
            order.wave,
            {row.id for row in rows},
            codes=_stopped_for(order),
            rejected=order.rejected and order.decision == "retry",
            asked=order.asked,
            accepted=dict.fromkeys((row.id for row in rows), order.code) if accepts else None,
        )
    return _outcome(order, len(rows), again)


def _refuse_acceptance(order: DecideParameters) -> None:
    """Raise Misconfigured for a code that is not accepted in a form, with the command where there is one."""
    code = order.code
    if code not in APPROVABLE:
        raise Misconfigured("code", unknown(code, BY_FORM))
    if code not in BY_FORM:
        whose = f"-m {order.mailboxes[0]}" if len(order.mailboxes) == 1 else "-m MAILBOX"
        command = f"kogge approve {code} {whose} --by NAME --reason TEXT"
        raise Misconfigured(
            "code", f"{code} is not accepted in Prefect, whose login is one for all: `{command}`"
        )


def _rows(ledger: Ledger, order: DecideParameters) -> list[MailboxRow]:
    """Return the mailboxes that the form chooses.

    Raises:
        Misconfigured: an id is not one of the wave's, or none has the code.
    """
    rows = {row.id: row for row in ledger.mailboxes(order.wave)}
    strange = sorted({*order.mailboxes} - {*rows})
    if strange:
        raise Misconfigured("mailboxes", f"not in wave {order.wave}: {', '.join(strange)}")
    wanted = [rows[number] for number in dict.fromkeys(order.mailboxes)] or list(rows.values())
    if not order.code or (order.mailboxes and order.decision == "accept"):
        return wanted
    legs = ledger.legs(order.wave, of=[row.id for row in wanted])
    coded = {leg.mailbox for leg in legs if leg.code == order.code}
    if not coded:
        raise Misconfigured("code", f"no mailbox of these stopped for {order.code}; {_codes(legs)}")
    return [row for row in wanted if row.id in coded]


def _stopped_for(order: DecideParameters) -> frozenset[str]:
    """Return which workloads are tried again, by the codes that they stopped for; empty for all.

    A difference that is accepted may be one of several for which a workload stopped.
    """
    if order.decision == "accept":
        return frozenset({order.code, DIFFERS})
    return frozenset({order.code} - {""})


def _codes(legs: Collection[LegRow]) -> str:
    """Return for which codes workloads stopped, the most frequent first."""
    counts = Counter(leg.code for leg in legs if leg.code)
    found = ", ".join(f"{code} ({count})" for code, count in counts.most_common())
    return f"now: {found}" if found else "none stopped"


def _left(ledger: Ledger, order: DecideParameters, rows: Collection[MailboxRow]) -> str:
    with deciding(ledger, order.wave) as decision:
        for row in rows:
            decision.event(LEFT, {**order.asked, "code": order.code}, subject=row.id)
    return f"{_of(len(rows))} left as {'it is' if len(rows) == 1 else 'they are'}; recorded"


def _outcome(order: DecideParameters, count: int, again: Requeued) -> str:
    """Return what the run says at its end, with what comes next."""
    first = ""
    if order.decision == "accept":
        first = f"{order.code} is accepted for {_of(count)}: {APPROVABLE[order.code]}. "
    if not again.legs:
        return f"{first}Nothing is pending again: no workload of {_of(count)} waits for a person"
    legs = many(again.legs, "workload is", "workloads are")
    items = (
        f", {many(again.items, 'rejected item', 'rejected items')} with new attempts" if again.items else ""
    )
    return (
        f"{first}{legs} pending again in {_of(len(again.mailboxes))}{items}."
        f' Next: the deployment "{WAVE.name_of(order.wave)}"'
    )


def _of(count: int) -> str:
    return many(count, "mailbox", "mailboxes")
