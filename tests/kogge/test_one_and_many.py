"""What is said of one, and of several."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from engine.approvals.score import Reason, Score, WorkloadScore
from engine.cutover.steps import CutoverResult
from engine.rollback.report import RollbackReport
from flows import cutover
from flows import rollback as rollback_flow
from kogge.approve.decisions import _moved
from kogge.prepare.links import _tell
from kogge.shown.pack_summary import Shown
from kogge.shown.score_tables import Scored, lines_of
from ledger.db.rows import Phase
from mappings.losses.severity import Class
from model.kinds import Kind

ORDER: Any = SimpleNamespace(
    fault=None,
    stop=threading.Event(),
    cutting=SimpleNamespace(stop=threading.Event()),
    boundary=SimpleNamespace(fault=None, stop=threading.Event()),
    worker_slots=SimpleNamespace(watchdog=SimpleNamespace(refusal=None)),
)


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([None], "1 mailbox is live"),
        ([None, None], "2 mailboxes are live"),
        (["busy"], "1 of 1 mailbox is not live: busy"),
        ([None, "busy"], "1 of 2 mailboxes is not live: busy"),
        (["busy", "busy"], "2 of 2 mailboxes are not live: busy"),
    ],
)
def test_the_end_of_a_cutover(codes: Sequence[str | None], told: str) -> None:
    ended = [CutoverResult(f"m-{number}", Phase.FROZEN, code) for number, code in enumerate(codes)]
    assert cutover._end_state("w", ended, len(codes), ORDER, "").message == told


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([None], "1 workload is rolled back: nothing was there"),
        ([None, None], "2 workloads are rolled back: nothing was there"),
        ([None, "busy"], "1 of 2 is not: busy"),
        (["busy", "busy"], "2 of 2 are not: busy"),
    ],
)
def test_the_end_of_a_rollback(codes: Sequence[str | None], told: str) -> None:
    ended: Any = [SimpleNamespace(code=code, report=RollbackReport()) for code in codes]
    crew: Any = SimpleNamespace(refusal=None)
    assert rollback_flow._end_state(ended, len(codes), ORDER, crew).message == told


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (1, 1, "1 mailbox is frozen now; 1 was already"),
        (2_000, 0, "2,000 mailboxes are frozen now; 0 were already"),
    ],
)
def test_a_phase_that_is_set(now: int, before: int, told: str) -> None:
    assert _moved(now, before, "frozen") == told


@pytest.mark.parametrize(
    ("unread", "large", "failed", "told"),
    [
        (
            1,
            1,
            1,
            "1 item could not be read; 1 document is too large to look into\n1 mailbox could not be read",
        ),
        (0, 2, 2, "0 items could not be read; 2 documents are too large to look into\n2 mailboxes could not"),
    ],
)
def test_what_could_not_be_looked_into(
    capsys: pytest.CaptureFixture[str], unread: int, large: int, failed: int, told: str
) -> None:
    codes = {f"m-{number}": "login-refused" for number in range(failed)}
    found: Any = SimpleNamespace(unread=unread, large=large, failed=codes)
    resolver: Any = SimpleNamespace(gave_up=False)
    _tell(found, resolver)
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize(
    ("mailboxes", "items", "told"),
    [(1, 1, "1 mailbox, 1 item"), (0, 0, "0 mailboxes, 0 items"), (2, 1_500, "2 mailboxes, 1,500 items")],
)
def test_what_a_pack_holds(mailboxes: int, items: int, told: str) -> None:
    tool = {"name": "Kogge", "version": "1"}
    stated = {"wave": "w", "number": 1, "sealed": "", "tool": tool, "mailboxes": mailboxes, "items": items}
    lines = Shown({**stated, "root": ""}, "", {}, False).lines()
    assert [line for line in (next(lines) for _ in range(3)) if line.startswith("holds")] == [
        f"holds        {told}"
    ]


def test_a_number_for_a_spreadsheet_has_no_comma() -> None:
    part = WorkloadScore(Kind.MAIL, 2_000, 766, dict.fromkeys(Class, 0))
    row: Any = SimpleNamespace(id="m-1", wave="w")
    scored = Scored(row, Score(2_000, 766, 0, (part,)), [Reason(Kind.MAIL, None, "too-large", 1_234)])
    assert [line["reasons"] for line in lines_of(scored)] == ["1234 too-large"]
