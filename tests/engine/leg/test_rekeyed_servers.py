"""An Exchange mailbox that moved to another database: every id of it is another one, at EWS and at Graph."""

from __future__ import annotations

import pytest
from test_dates_servers import Office, exchange, microsoft365

from engine.assembly import build_leg
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from ledger.db.rows import LegState, Phase
from model.kinds import Kind

pytestmark = pytest.mark.dovecot
__all__ = ["exchange", "microsoft365"]
KINDS = [Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.NOTES, Kind.TASKS]


def run(office: Office, kind: Kind) -> LegResult:
    (leg,) = office.ledger.legs(mailbox=office.id, workload=kind)
    return build_leg(office.config, leg.id, options=RunOptions(level="both")).run()


def work(result: LegResult) -> tuple[int, int, int, int]:
    tally = result.tally
    return tally.new, tally.replaced, tally.amended, tally.withdrawn


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.LIVE])
@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
def test_nothing_is_copied_again(
    request: pytest.FixtureRequest, source: str, phase: Phase, kind: Kind
) -> None:
    if source == "microsoft365" and kind is Kind.NOTES:
        pytest.skip("Graph does not give out notes")
    office: Office = request.getfixturevalue(source)
    assert run(office, kind).state is LegState.VERIFIED
    office.ledger.set_phase(office.id, phase, "somebody")
    before = {item.id for item in office.box.messages()}
    office.box.move_database()
    assert before.isdisjoint(item.id for item in office.box.messages())
    for _ in range(2):
        result = run(office, kind)
        assert (result.state, result.code) == (LegState.VERIFIED, None)
        assert work(result) == (0, 0, 0, 0)


def test_whose_top_folder_is_another_one_is_another_mailbox(exchange: Office) -> None:
    """By that folder's id Exchange tells whose it is: nobody writes on a guess."""
    exchange.coexist(Kind.MAIL, Phase.STAGING)
    exchange.box.move_database(roots=True)
    result = run(exchange, Kind.MAIL)
    assert (result.state, result.code) == (LegState.BLOCKED, "identity-changed")
    assert work(result) == (0, 0, 0, 0)
