"""The commands below an advice are whole: nobody has to guess an option at night."""

from __future__ import annotations

import re

import pytest
from test_standing_still import NOW

from engine.approvals.acceptances import BY_FORM
from engine.control.remedies import ADVICE
from flows.display.advice_commands import actions, commands
from flows.display.mailbox_rows import mailboxes_text
from kogge.approve.decisions import APPROVABLE
from ledger.db.rows import LegState, Phase
from model.kinds import Kind
from reports.mailbox_facts import MailboxFacts, WorkloadFacts


def test_what_is_approved_is_approved_by_name_and_then_tried_again() -> None:
    assert commands("target-not-empty", ["m-1"], "pilot") == [
        "kogge approve target-not-empty -m m-1 --by NAME --reason TEXT",
        "kogge retry -m m-1",
    ]


def test_a_code_may_be_approved_under_another_name_or_as_this() -> None:
    assert commands("identity-not-proven", ["m-1"], "w")[0].startswith("kogge approve asserted -m m-1 ")
    assert commands("folder-replaced", ["m-1"], "w")[0].startswith("kogge approve folder-replaced -m m-1 ")


def test_of_many_mailboxes_one_command_stands_for_each() -> None:
    many = [f"m-{number}" for number in range(9)]
    assert commands("target-not-empty", many, "pilot one") == [
        "kogge approve target-not-empty -m MAILBOX --by NAME --reason TEXT",
        "kogge retry --wave 'pilot one'",
    ]


def test_a_stopped_cutover_goes_on_or_back() -> None:
    assert commands("cutover-stopped", ["m-1"], "w") == [
        "kogge cutover --wave w --by NAME",
        "kogge give-back -m m-1 --by NAME --reason TEXT",
    ]


def test_what_passes_by_itself_needs_no_command() -> None:
    assert commands("server-busy", ["m-1"], "w") == []


def test_what_the_form_in_prefect_may_decide_is_named_beside_its_command() -> None:
    form = 'or in Prefect: the deployment "decide pilot", decision'
    assert actions("over-quota", ["m-1"], "pilot") == [
        "`kogge retry -m m-1`",
        f"{form} `retry`, code `over-quota`",
    ]
    assert actions("kept-otherwise", ["m-1"], "pilot")[-1] == f"{form} `accept`, code `kept-otherwise`"
    assert not [one for one in actions("target-not-empty", ["m-1"], "pilot") if "Prefect" in one]
    assert actions("server-busy", ["m-1"], "pilot") == []


@pytest.mark.parametrize("code", sorted(BY_FORM))
def test_all_that_the_form_accepts_is_offered_where_it_is_needed(code: str) -> None:
    assert any(f"decision `accept`, code `{code}`" in one for one in actions(code, ["m-1"], "w"))


@pytest.mark.parametrize("code", sorted(ADVICE))
def test_only_what_can_be_approved_is_offered(code: str) -> None:
    for command in commands(code, ["m-1"], "w"):
        found = re.match(r"kogge approve (\S+)", command)
        assert found is None or found[1] in APPROVABLE


def test_the_page_of_a_wave_has_them_in_full() -> None:
    facts = {Kind.MAIL: WorkloadFacts(Kind.MAIL, LegState.BLOCKED, 10, 1, "target-not-empty")}
    text = mailboxes_text("pilot", [MailboxFacts("m-1", "pilot", Phase.STAGING, facts)], NOW, "")
    assert (
        "    - `kogge approve target-not-empty -m m-1 --by NAME --reason TEXT`\n    - `kogge retry -m m-1`\n"
        in text
    )


@pytest.mark.parametrize(("phase", "linked"), [(Phase.STAGING, False), (Phase.FROZEN, True)])
def test_a_page_links_the_cutover_only_once_it_has_begun(phase: Phase, linked: bool) -> None:
    facts = {Kind.MAIL: WorkloadFacts(Kind.MAIL, LegState.VERIFIED, 10, 10)}
    text = mailboxes_text("pilot", [MailboxFacts("m-1", "pilot", phase, facts)], NOW, "http://ui")
    assert ("artifacts/key/cutover-pilot" in text) is linked
    assert "artifacts/key/failures-pilot" in text
