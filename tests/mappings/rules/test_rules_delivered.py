"""Pigeonhole compiles what a rule says, and puts mail where Exchange would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rule_records import Case, by_ews, mailbox, table
from servers.sieve_runs import Outcome, SieveRuns, available
from services import needed

from mappings.rules.fit_rule import fit_rule
from mappings.rules.rule import Rule

FROM, TO, SUBJECT = "From: kurt@far.example\n", "To: anna@new.example\n", "Subject: Hallo\n"
MOVE = "<MoveToFolder><FolderId Id='F-1'/></MoveToFolder>"
ASKED = "<ContainsSubjectStrings><String>Hallo</String></ContainsSubjectStrings>"
INBOX, MOVED = Outcome(("INBOX",)), Outcome(("Archiv/Grün",))


@pytest.fixture(scope="module")
def pigeonhole() -> Iterator[SieveRuns]:
    needed(available(), "Pigeonhole (sieve-test) is not installed")
    made = SieveRuns()
    yield made
    made.close()


def mail(written: str) -> str:
    """A whole mail of what a table says of it."""
    head, _, body = written.partition("\n\n") if not written.startswith("\n") else ("", "", written[1:])
    head = f"{head}\n" if head and not head.endswith("\n") else head
    if body.startswith("{"):
        body = "x" * 70 + "\n"
        body *= int(written.strip("\n{}")) // 71
    missing = [one for one in (FROM, TO, SUBJECT) if f"\n{one.partition(':')[0]}:" not in f"\n{head}"]
    return head + "".join(missing) + "\n" + (body or "Text\n")


def delivered(pigeonhole: SieveRuns, rule: Rule, written: str) -> Outcome:
    fitted = fit_rule(rule, mailbox())
    assert fitted.rule.active
    return pigeonhole.outcome(fitted.rule.text(), mail(written))


@pytest.mark.parametrize("case", table("condition"), ids=lambda case: case["name"])
def test_mail_of_a_condition_is_moved_and_other_mail_stays(pigeonhole: SieveRuns, case: Case) -> None:
    rule = by_ews(case["ews"], actions=MOVE)
    for written in case["hits"]:
        assert delivered(pigeonhole, rule, written) == MOVED, written
    for written in case["misses"]:
        assert delivered(pigeonhole, rule, written) == INBOX, written


@pytest.mark.parametrize("case", table("condition"), ids=lambda case: case["name"])
def test_mail_of_an_exception_stays(pigeonhole: SieveRuns, case: Case) -> None:
    rule = by_ews("", case["ews"], actions=MOVE)
    fitted = fit_rule(rule, mailbox())
    for written in case["hits"]:
        assert pigeonhole.outcome(fitted.rule.text(), mail(written)) == INBOX, written
    for written in case["misses"] if fitted.rule.active else []:
        assert pigeonhole.outcome(fitted.rule.text(), mail(written)) == MOVED, written


@pytest.mark.parametrize("case", table("action"), ids=lambda case: case["name"])
def test_an_action_does_what_it_says(pigeonhole: SieveRuns, case: Case) -> None:
    fitted = fit_rule(by_ews(ASKED, actions=case["ews"]), mailbox())
    outcome = pigeonhole.outcome(fitted.rule.text(), mail(""))
    if fitted.rule.active:
        wanted = (tuple(case["folders"]), tuple(case.get("flags", ())), tuple(case.get("redirects", ())))
        assert outcome == Outcome(*wanted)
        assert pigeonhole.outcome(fitted.rule.text(), mail("Subject: Other\n")) == INBOX


def test_all_conditions_must_hold_and_no_exception_may(pigeonhole: SieveRuns) -> None:
    conditions = ASKED + "<ContainsSenderStrings><String>kurt</String></ContainsSenderStrings>"
    exceptions = "<SentCcMe>true</SentCcMe><Importance>High</Importance>"
    rule = by_ews(conditions, exceptions, actions=MOVE)
    assert delivered(pigeonhole, rule, "") == MOVED
    for other in (
        "Subject: Other\n",
        "From: a@far.example\n",
        "Cc: anna@new.example\n",
        "Importance: high\n",
    ):
        assert delivered(pigeonhole, rule, other) == INBOX, other


def test_what_is_not_complete_moves_nothing_when_somebody_switches_it_on(pigeonhole: SieveRuns) -> None:
    for parts in ((f"{ASKED}<Categories/>", ""), (ASKED, "<IsVoicemail>true</IsVoicemail>")):
        fitted = fit_rule(by_ews(*parts, actions=MOVE), mailbox())
        assert not fitted.rule.active
        assert pigeonhole.outcome(fitted.rule.text(), mail("")) == INBOX
