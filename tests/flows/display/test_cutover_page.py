"""The page of a cutover in Prefect: who is frozen, since when, what is missing, and what to type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flows.display.cutover_page import (
    AFTER_TOLD,
    BACK_TOLD,
    NOW_TOLD,
    SHOWN,
    WORKING,
    CutoverLine,
    cutover_lines,
    cutover_phrase,
    cutover_text,
    held_phrase,
    next_steps,
    way_back,
    work_phrase,
)
from ledger.db.rows import MailboxRow, Phase
from ledger.leg.cutover_steps import DONE, FAILED, StepRow

NOW = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)


def box(mailbox: str, phase: Phase) -> MailboxRow:
    return MailboxRow(mailbox, "pilot", phase, "secret.person@a.example", "secret@b.example", None, None)


def step(mailbox: str, name: str, state: str, minutes: int, code: str | None = None) -> StepRow:
    return StepRow(mailbox, name, state, code, 1, NOW - timedelta(minutes=minutes))


BOXES = [
    box("m-live", Phase.LIVE),
    box("m-late", Phase.FROZEN),
    box("m-next", Phase.STAGING),
    box("m-hook", Phase.STAGING),
    box("m-open", Phase.FROZEN),
]
STEPS = {
    "m-live": [step("m-live", "freeze:redirect", DONE, 200), step("m-live", "live", DONE, 100)],
    "m-late": [step("m-late", "frozen", DONE, 45), step("m-late", "score", FAILED, 40, "poor")],
    "m-hook": [step("m-hook", "freeze:redirect", FAILED, 10, "exit-4")],
    "m-open": [
        step("m-open", "frozen", DONE, 30),
        step("m-open", "release", DONE, 20),
        step("m-open", "release:open", FAILED, 15, "http-500"),
    ],
}
CODES = {"m-late": "score-low", "m-hook": "hook-failed", "m-open": "hook-failed"}


def lines() -> list[CutoverLine]:
    return cutover_lines(BOXES, STEPS, CODES)


def test_who_is_held_longest_comes_first_and_who_is_live_last() -> None:
    assert [line.mailbox for line in lines()] == ["m-late", "m-open", "m-hook", "m-next", "m-live"]
    assert [line.held for line in lines()] == [True, True, True, False, False]
    assert cutover_phrase(lines()) == "1 of 5 mailboxes live, 3 frozen, 3 stopped"


def test_a_first_hook_that_began_counts_as_frozen() -> None:
    """Its mail may be redirected already, whatever the phase says."""
    told = held_phrase(cutover_lines(BOXES[3:4], STEPS, CODES), NOW)
    assert told.startswith("1 mailbox is frozen: its user may be locked out, the first since")
    assert told.endswith(" 29 Nov 22:50 UTC (10 minutes): m-hook")


def test_the_text_says_what_to_type_with_the_name_of_the_wave() -> None:
    text = cutover_text("pilot one", lines(), NOW)
    assert "| `m-late` | frozen, `score-low` | 29 Nov 22:15 UTC | score failed |" in text
    assert "- `score-low` (1 mailbox): See `kogge score`" in text
    commands = next_steps("pilot one", lines())
    assert commands == [
        "kogge score --wave 'pilot one'",
        "kogge approve score-low --wave 'pilot one' --by NAME --reason TEXT",
        "kogge cutover --wave 'pilot one' --status",
        "kogge cutover --wave 'pilot one' --by NAME",
    ]
    assert all(f"    {command}" in text for command in commands)
    assert "kogge cutover --wave 'pilot one' --back --by NAME" in text
    assert "secret" not in text


def test_a_cutover_at_work_is_no_emergency_and_offers_no_command() -> None:
    going = cutover_lines([BOXES[0], BOXES[1]], {"m-late": STEPS["m-late"][:1]}, {})
    text = cutover_text("pilot", going, NOW, at_work="If the run dies, start it again.")
    assert WORKING in text
    assert "1 mailbox is frozen, the first since 29 Nov 22:15 UTC (45 minutes): m-late." in text
    assert "If the run dies, start it again." in text
    assert ("locked out" in text, "kogge " in text) == (False, False)
    assert "locked out" in cutover_text("pilot", going, NOW)
    assert "kogge cutover --wave pilot --back" in cutover_text("pilot", going, NOW)


def test_a_mailbox_that_stopped_is_told_although_the_run_goes_on_with_others() -> None:
    text = cutover_text("pilot", stopped_and_going(), NOW, at_work="")
    assert WORKING not in text
    assert "1 mailbox is frozen: its user may be locked out" in text
    assert "minutes): m-hook." in text
    assert "1 mailbox is frozen, the first since 29 Nov 22:15 UTC (45 minutes): m-late." in text
    assert "- `hook-failed` (1 mailbox):" in text


def stopped_and_going() -> list[CutoverLine]:
    return cutover_lines([BOXES[1], BOXES[3]], STEPS | {"m-late": STEPS["m-late"][:1]}, {})


def test_while_a_run_goes_on_its_page_says_what_to_type_now_and_what_after_it() -> None:
    """A run of a large wave takes an hour, and somebody who is locked out asks at its begin."""
    text = cutover_text("pilot", stopped_and_going(), NOW, at_work="")
    now, after = text.index(NOW_TOLD), text.index(AFTER_TOLD)
    assert now < text.index("    kogge cutover --wave pilot --status") < after
    assert after < text.index("    kogge cutover --wave pilot --by NAME") < text.index(BACK_TOLD)
    assert text.index(BACK_TOLD) < text.index("    kogge cutover --wave pilot --back --by NAME")


def test_a_page_with_something_to_do_does_not_say_that_there_is_nothing() -> None:
    early = [box("m-early", Phase.STAGING), BOXES[1]]
    steps = {"m-late": STEPS["m-late"][:1]}
    text = cutover_text("pilot", cutover_lines(early, steps, {"m-early": "not-verified"}), NOW, at_work="")
    assert WORKING not in text
    assert (
        f"{AFTER_TOLD}\n\n    kogge migrate --wave pilot\n    kogge cutover --wave pilot --by NAME\n" in text
    )
    assert NOW_TOLD not in text


def test_a_mailbox_is_called_the_same_in_the_sentence_and_in_the_table() -> None:
    """Its phase is still staging while its first hook runs, and its user may be locked out."""
    for at_work in (None, ""):
        text = cutover_text("pilot", stopped_and_going(), NOW, at_work=at_work)
        assert "| `m-hook` | frozen, `hook-failed` |" in text
        assert "staging" not in text


def test_who_was_frozen_by_hand_is_kept_from_a_mailbox_too() -> None:
    by_hand = cutover_lines([box("m-hand", Phase.FROZEN)], {}, {"m-hand": "frozen-by-hand"})
    text = cutover_text("pilot", by_hand, NOW)
    assert "1 mailbox is frozen: its user may be locked out, it is not recorded since when: m-hand" in text
    assert "Nobody is kept" not in text
    both = cutover_lines([box("m-hand", Phase.FROZEN), BOXES[1]], STEPS, {})
    assert "2 mailboxes are frozen" in held_phrase(both, NOW)
    assert ", the first that is recorded since 29 Nov 22:15 UTC (45 minutes): " in held_phrase(both, NOW)


def test_what_to_type_stands_before_the_rows() -> None:
    text = cutover_text("pilot one", lines(), NOW)
    assert text.index("kogge cutover --wave 'pilot one' --back") < text.index("| `m-late`")
    assert 'the deployment "cutover pilot one"' in text


def test_the_log_says_at_which_steps_a_cutover_is() -> None:
    assert work_phrase(lines()) == (
        "1 of 5 mailboxes live, 3 frozen, 3 stopped. "
        "Newest steps: freeze:redirect (1), release:open (1), score (1)."
    )
    assert work_phrase(lines()[3:]) == "1 of 2 mailboxes live. Nobody is kept from a mailbox."


def test_a_minute_is_one_minute() -> None:
    rows = [step("m-open", "frozen", DONE, 1)]
    assert "(1 minute)" in held_phrase(cutover_lines([BOXES[4]], {"m-open": rows}, {}), NOW)


def test_a_score_that_failed_is_known_without_a_result_of_this_run() -> None:
    (line,) = cutover_lines(BOXES[1:2], STEPS, {})
    assert line.code == "score-low"


def test_a_score_of_what_is_not_verified_asks_for_another_pass_and_for_no_approval() -> None:
    steps = {"m-late": [step("m-late", "score", FAILED, 40, "not-verified")]}
    (line,) = cutover_lines(BOXES[1:2], steps, {})
    assert line.code == "not-verified"
    assert next_steps("pilot", [line]) == [
        "kogge migrate --wave pilot",
        "kogge cutover --wave pilot --by NAME",
    ]


def test_what_is_released_goes_back_by_give_back_alone() -> None:
    give_back = "kogge give-back -m m-open --by NAME --reason TEXT"
    assert way_back("pilot", cutover_lines(BOXES[4:], STEPS, CODES)) == [give_back]
    assert way_back("pilot", lines()) == ["kogge cutover --wave pilot --back --by NAME", give_back]
    assert f"    {give_back}\n" in cutover_text("pilot", lines(), NOW)
    assert way_back("pilot", cutover_lines(BOXES[:1], STEPS, {})) == []


def test_the_table_is_whole() -> None:
    rows = [line for line in cutover_text("pilot", lines(), NOW).splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1


def test_all_live_leaves_nothing_to_do() -> None:
    done = cutover_lines(BOXES[:1], STEPS, {})
    assert (held_phrase(done, NOW), next_steps("pilot", done)) == ("", [])
    assert "What to type next" not in cutover_text("pilot", done, NOW)


def test_what_is_not_verified_is_migrated_before_it_is_cut_over() -> None:
    rows = cutover_lines([box("m-early", Phase.STAGING)], {}, {"m-early": "not-verified"})
    assert next_steps("pilot", rows)[0] == "kogge migrate --wave pilot"


def test_a_cutover_that_waits_says_why_first() -> None:
    why = "not-approved: 0 of 2 approvals. Next: kogge approve --wave pilot --stage cutover"
    text = cutover_text("pilot", lines(), NOW, why)
    assert f"**It waits for a person.** {why}" in text


def test_five_hundred_mailboxes_stay_readable() -> None:
    many = [box(f"m-{number:03}", Phase.STAGING) for number in range(500)]
    text = cutover_text("pilot", cutover_lines(many, {}, {"m-499": "not-verified"}), NOW)
    assert text.count("| `m-") == SHOWN == 15
    assert "`m-499`" in text, "what is stopped comes before what is well"
