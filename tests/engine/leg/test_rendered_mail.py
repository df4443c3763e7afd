"""A server renders the MIME of a mail from what its owner changes about it, and of a draft with the moment of
reading: no cutover stops for it, at Exchange and at Microsoft 365."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from test_dates_servers import Office, exchange, microsoft365

from engine.assembly import build_leg
from engine.leg.run_options import RunOptions
from ledger.db.rows import LegState, Outcome
from model.protocols import Kind
from practice.mail.mime_habits import MimeHabits
from practice.world.mailbox import Mailbox
from practice.world.messages import DRAFT, UNMARKED, Message

pytestmark = pytest.mark.dovecot
__all__ = ["exchange", "microsoft365"]
ASKED = replace(UNMARKED, read_receipt=True)
CHANGES: dict[str, Callable[[Mailbox, Message], None]] = {
    "category": lambda box, item: box.categorize(item, "Gr\u00fcn", "Neu"),
    "high": lambda box, item: box.mark(item, replace(item.marks, importance="High")),
    "low": lambda box, item: box.mark(item, replace(item.marks, importance="Low")),
    "follow-up": lambda box, item: box.flag(item),
    "receipt": lambda box, item: box.mark_read(item),
}


def verdict(office: Office, *, verify_only: bool = False) -> tuple[LegState, str | None]:
    (leg,) = office.ledger.legs(mailbox=office.id, workload=Kind.MAIL)
    options = RunOptions(level="both", verify_only=verify_only)
    result = build_leg(office.config, leg.id, options=options).run()
    return result.state, result.code


@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
def test_what_is_carried_as_a_flag_makes_no_other_mail(request: pytest.FixtureRequest, source: str) -> None:
    """Between two passes; a mail's body is never written again, so no later pass could mend it."""
    office: Office = request.getfixturevalue(source)
    office.world.mime = MimeHabits(marks=True)
    inbox = office.box.distinguished("inbox")
    items = {
        name: office.box.deliver(inbox, subject=name, text="text", marks=ASKED if name == "receipt" else None)
        for name in CHANGES
    }
    assert verdict(office) == (LegState.VERIFIED, None)
    for name, change in CHANGES.items():
        change(office.box, items[name])
    assert verdict(office) == (LegState.VERIFIED, None)
    assert verdict(office, verify_only=True) == (LegState.VERIFIED, None)


@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
def test_a_draft_has_no_date_that_counts(request: pytest.FixtureRequest, source: str) -> None:
    office: Office = request.getfixturevalue(source)
    office.world.mime = MimeHabits(drafts=True)
    for number in range(2):
        office.box.deliver(office.box.distinguished("drafts"), subject=f"draft {number}", marks=DRAFT)
    assert verdict(office) == (LegState.VERIFIED, None)
    assert verdict(office, verify_only=True) == (LegState.VERIFIED, None)
    (leg,) = office.ledger.legs(mailbox=office.id, workload=Kind.MAIL)
    outcomes = [finding.outcome for _, finding in office.ledger.findings(leg.id)]
    assert outcomes.count(Outcome.REBUILT) >= 2
