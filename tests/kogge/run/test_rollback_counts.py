"""A look at several mailboxes, of which some could not be asked."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from engine.rollback.report import RollbackReport
from engine.rollback.run_many import RollbackResult
from kogge.shown.rollback_counts import DONE, DONE_OF_ONE, OF_ONE, WORDS, after_look, passes, show_counts


def looked(code: str | None, ours: int) -> RollbackResult:
    leg: Any = SimpleNamespace(workload="mail", mailbox="m-1")
    return RollbackResult(leg, RollbackReport(Counter(ours=ours), code=code))


def test_what_was_seen_is_counted_apart_from_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    show_counts([looked(None, 5), looked("timeout", 2), looked("timeout", 0)], execute=False)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("mail ")]
    assert rows[0][:3] == ["mail", "1", "5"]
    assert rows[1][:3] == ["mail", "2", "unknown"]
    assert len(rows) == 2


@pytest.mark.parametrize(("execute", "said"), [(False, "that is empty then"), (True, "removed")])
def test_one_folder_is_told_as_one(execute: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    leg: Any = SimpleNamespace(workload="mail", mailbox="m-1")
    counts = Counter({"ours": 2, "containers": 1, "changed": 2})
    show_counts([RollbackResult(leg, RollbackReport(counts))], execute=execute)
    out = " ".join(capsys.readouterr().out.split())
    assert "1 folder that we made" in out
    assert said in out
    assert "2 changed by somebody since: they stay" in out


def test_what_is_told_of_one_is_told_of_many() -> None:
    assert OF_ONE.keys() <= WORDS.keys()
    assert DONE_OF_ONE.keys() == DONE.keys()


@pytest.mark.parametrize(
    ("codes", "leads", "again"),
    [
        ((None, None), True, True),
        ((None, "timeout"), False, True),
        ((None, "mailbox-missing"), True, False),
        (("mailbox-missing", "mailbox-missing"), False, False),
        ((), True, True),
    ],
)
def test_a_look_leads_to_the_command_if_another_look_would_see_no_more(
    codes: tuple[str | None, ...], leads: bool, again: bool
) -> None:
    ended = [looked(code, 1) for code in codes]
    assert ("To do it: kogge x" in after_look(ended, "Nothing was done.", "kogge x")) is leads
    assert passes(ended) is again
