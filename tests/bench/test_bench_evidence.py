"""What it takes to write the evidence of a wave, and to check it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench_board import Board
from bench_evidence import wave_of

from evidence import verifier

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
MAILBOXES, ITEMS, MANY = 4, 50_000, 1_000_000


def test_writing_the_evidence_of_a_wave(board: Board, tmp_path: Path) -> None:
    """From the ledger to a signed pack, with everything on the disk; of the processor's time."""
    wave = wave_of(tmp_path / "wave", MAILBOXES, ITEMS)
    wall, spent = time.perf_counter(), time.process_time()
    made = wave.seal()
    spent, wall = time.process_time() - spent, time.perf_counter() - wall
    count = MAILBOXES * ITEMS
    size = sum(path.stat().st_size for path in made.pack.rglob("*") if path.is_file())
    listed = (json.loads(line)["n"] for line in (made.pack / "data" / "roots.jsonl").read_text().splitlines())
    assert sum(listed) == count
    board.put("evidence-write-per-s", count / spent)
    told = f"{count / wall:,.0f}/s by the clock, {size / count:.0f} bytes/item"
    board.notes.append((f"evidence of {count:,} items", told))


AUDIT = """
import json, re, runpy, sys, time
script, *arguments = sys.argv[1:]
sys.argv = [script, *arguments]
try:
    runpy.run_path(script, run_name="__main__")
except SystemExit as end:
    peak = int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024 / 1e6
    print(json.dumps({"code": end.code, "seconds": time.process_time(), "peak_mb": peak}))
"""


def test_checking_the_evidence_of_a_million_mails(board: Board, tmp_path: Path) -> None:
    """All of one mailbox, so that nothing can be forgotten in between; as a script of its own, as an auditor
    runs it. Of the processor's time, its start included."""
    wave = wave_of(tmp_path / "wave", 1, MANY)
    made = wave.seal()
    arguments = [str(made.pack), "--pubkey", str(wave.public), "--root", made.seal.statement.hex()]
    command = [sys.executable, "-I", "-c", AUDIT, verifier.__file__, *arguments]
    wall = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - wall
    taken = json.loads(ran.stdout.splitlines()[-1])
    assert (taken["code"], f"items {MANY}" in ran.stdout) == (0, True)
    board.put("evidence-verify-per-s", MANY / taken["seconds"])
    board.put("memory-evidence-mb", taken["peak_mb"])
    board.notes.append((f"{MANY:,} items verified", f"{MANY / wall:,.0f}/s by the clock"))
