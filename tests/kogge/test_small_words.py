"""What a person reads after a slip: the thing that is wrong by its name, and no word of a library."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run

from connectors.settings import Secret
from engine.planning.target_rates import _duration
from model.errors import Misconfigured


def test_a_directory_that_cannot_be_made_is_named_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "/proc/foo") == 2
    assert capsys.readouterr().err.startswith("/proc/foo: cannot be written")


def test_a_key_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("keys", "public", "--key", "no.pem") == 2
    assert capsys.readouterr().err == "--key no.pem: cannot be read (No such file or directory)\n"


def test_a_wrong_choice_is_said_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "--level", "bth") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "'bth' is not one of 'counts', 'sample', 'target', 'both'" in told.replace("│ ", "")
    assert "Value error" not in told


def test_a_variable_that_is_not_set_is_not_called_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(Misconfigured, match="env NOT_THERE: is not set"):
        Secret(env="NOT_THERE").read()
    monkeypatch.setenv("NOT_THERE", "")
    with pytest.raises(Misconfigured, match="env NOT_THERE: is empty"):
        Secret(env="NOT_THERE").read()


def test_no_time_is_said_to_be_zero() -> None:
    assert (_duration(1.0), _duration(5400.0)) == ("1 minute", "1.5 hours")


def test_a_shell_gets_its_completions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("completion", "bash") == 0
    assert "complete -o default -F _kogge_completion kogge" in capsys.readouterr().out
    monkeypatch.setenv("_KOGGE_COMPLETE", "complete_bash")
    for words, found in (("kogge stat", "status"), ("kogge plan d", "diff"), ("kogge log --c", "--config")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert run() == 0
        assert capsys.readouterr().out.split() == [found]
