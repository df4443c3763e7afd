"""The demonstration's report is of the sealed wave."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from practice import demo


def test_the_report_is_written_after_the_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[tuple[str, ...]] = []

    def run(state: Path, *arguments: str, out: IO[str] | None = None) -> int:
        typed.append(arguments)
        if arguments[:2] == ("audit", "seal"):
            (state / "evidence" / "wave-pilot").mkdir(parents=True)
            (state / "evidence" / "wave-pilot" / "wave.dsse.json").write_text("{}")
        return 0

    monkeypatch.setattr(demo, "run", run)
    assert demo.sealed(tmp_path) == 0
    named = [words[0] for words in typed]
    assert named.count("report") == 1
    assert named[-1] == "report", "nothing that it tells changes after it"
    assert ("audit", "seal") in [words[:2] for words in typed[:-1]]


def test_a_wave_that_is_not_sealed_has_no_such_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed: list[str] = []

    def run(_state: Path, *arguments: str, out: IO[str] | None = None) -> int:
        typed.append(arguments[0])
        return 1 if arguments[0] == "audit" else 0

    monkeypatch.setattr(demo, "run", run)
    assert demo.sealed(tmp_path) == 1
    assert "report" not in typed
