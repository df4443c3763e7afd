"""What it takes to write the evidence of a wave."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bench_board import Board
from bench_evidence import wave_of

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
MAILBOXES, ITEMS = 4, 50_000


def test_writing_the_evidence_of_a_wave(board: Board, tmp_path: Path) -> None:
    """From the ledger to a signed pack, with everything on the disk; of the processor's time."""
    wave = wave_of(tmp_path / "wave", MAILBOXES, ITEMS)
    wall, spent = time.perf_counter(), time.process_time()
    made = wave.seal()
    spent, wall = time.process_time() - spent, time.perf_counter() - wall
    count = MAILBOXES * ITEMS
    size = sum(path.stat().st_size for path in made.pack.rglob("*") if path.is_file())
    board.put("evidence-write-per-s", count / spent)
    told = f"{count / wall:,.0f}/s by the clock, {size / count:.0f} bytes/item"
    board.notes.append((f"evidence of {count:,} items", told))
