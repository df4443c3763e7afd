"""What was lost is said in sentences, folded by concern."""

from __future__ import annotations

import pytest

from mappings.losses.severity import Class
from model.kinds import Kind
from reports.loss_texts import by_concern, closing_lines

LOST = {
    (Kind.MAIL, "flags", "follow-up-completed"): 21,
    (Kind.MAIL, "body", "bare-lf"): 1_500,
    (Kind.TASKS, "assignment", "not-shown"): 1,
    (Kind.CALENDAR, "name", "taken"): 2,
    (Kind.CONTACTS, "name", "taken"): 3,
    (Kind.CONTACTS, "name", "shortened"): 4,
}


def test_each_concern_has_a_title_and_its_sentences() -> None:
    lines = list(closing_lines(LOST))
    assert [line for line in lines if not line.startswith("   ")] == [
        "  content: something that was written or sent is missing, or says something else",
        "  functional: all of it is there, and something about it works otherwise",
        "  cosmetic: only how it looks or is spelt: 1,500 details of 1 kind",
    ]
    assert any(
        line.startswith("    21 messages: A follow-up flag was marked as completed;") for line in lines
    )
    assert any(line.startswith("    1 task: ") for line in lines)
    assert not any("follow-up-completed" in line for line in lines)


def test_what_several_workloads_lost_alike_is_one_sentence() -> None:
    lines = [line.strip() for line in closing_lines(LOST)]
    assert "5 folders: Another folder had the name already; a number was added." in lines
    assert [line for line in lines if line.startswith("4 contacts: ")]


def test_a_loss_of_an_earlier_version_is_named_by_its_code() -> None:
    (one,) = by_concern({(Kind.NOTES, "no-such", "thing"): 2})
    assert (one.class_, one.lines) == (Class.CONTENT, ("2 notes: no-such thing",))


@pytest.mark.parametrize(
    ("shown", "rest"), [(1, "and 2 more kinds of loss"), (2, "and 1 more kind of loss"), (3, "")]
)
def test_what_is_not_said_is_counted(shown: int, rest: str) -> None:
    lost = {
        (Kind.MAIL, "date", "unknown"): 1,
        (Kind.MAIL, "flags", "unknown-value"): 3,
        (Kind.MAIL, "last-verb", "no-equivalent"): 2,
    }
    (one,) = by_concern(lost, dict.fromkeys(Class, shown))
    assert one.lines[0].startswith("3 messages")
    assert (len(one.lines), one.rest) == (shown, rest)
