"""Whoever lacks several secrets is told of all at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.config.load import Config, load
from engine.config.missing_secrets import naming_missing_secrets, refuse_missing_secrets
from engine.control.stop_signal import Stop
from engine.pacing.run_legs import Boundary
from model.errors import Misconfigured
from model.kinds import Kind

TEXT = """
mailboxes = "mailboxes.csv"

[source]
kind = "ews"
url = "https://old.example/EWS/Exchange.asmx"
username = "migrator"
password = { env = "KOGGE_TEST_EWS" }

[source.mail]
kind = "imap"
host = "old.example"
password = { file = "nowhere" }

[target.mail]
kind = "imap"
host = "new.example"
password = { env = "KOGGE_TEST_MAIL" }

[target.calendar]
kind = "caldav"
url = "https://new.example"
profile = "nextcloud"
password = { env = "KOGGE_TEST_{login}" }
"""


@dataclass(frozen=True)
class MailboxState:
    code: str | None
    accepted: bool = False


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "kogge.toml").write_text(TEXT)
    return load(tmp_path / "kogge.toml")


def said(config: Config, error: Exception) -> list[str]:
    with pytest.raises(type(error)) as raised, naming_missing_secrets(config, between="\n"):
        raise error
    return str(raised.value).removeprefix("misconfigured: ").splitlines()


def lacking(config: Config) -> Misconfigured:
    mail = config.target.mail
    assert mail is not None
    with pytest.raises(Misconfigured) as raised:
        mail.password.read()  # type: ignore[attr-defined]
    return raised.value


def test_all_that_are_missing_are_named(config: Config, tmp_path: Path) -> None:
    assert said(config, lacking(config)) == [
        "kogge.toml:18: target.mail.password: secret from env KOGGE_TEST_MAIL is not set",
        "kogge.toml:8: source.password: secret from env KOGGE_TEST_EWS is not set",
        f"kogge.toml:13: source.mail.password: secret from file {tmp_path}/nowhere"
        " cannot be read (No such file or directory)",
    ]


def test_what_is_there_is_not_named(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lacking(config)
    monkeypatch.setenv("KOGGE_TEST_EWS", "much")
    (tmp_path / "nowhere").write_text("more")
    assert said(config, first) == [
        "kogge.toml:18: target.mail.password: secret from env KOGGE_TEST_MAIL is not set"
    ]


def test_another_error_stays_as_it_is(config: Config) -> None:
    assert said(config, Misconfigured("--wave", "is unknown")) == ["--wave: is unknown"]


def test_a_run_says_it_in_one_line_and_a_command_around_it_in_several(config: Config) -> None:
    error = lacking(config)
    with pytest.raises(Misconfigured) as raised, naming_missing_secrets(config):
        raise error
    (line,) = str(raised.value).splitlines()
    assert line.count("; ") == 2
    assert said(config, raised.value) == said(config, error)


def test_the_boundary_of_a_run_names_them_all(config: Config) -> None:
    boundary = Boundary(Stop(), config=config)

    def act() -> MailboxState:
        raise lacking(config)

    boundary.within("m-1", act, lambda error: MailboxState(error.code))
    assert str(boundary.fault).count("is not set") == 2
    assert "cannot be read" in str(boundary.fault)


def test_only_secrets_of_the_sides_that_are_opened_refuse(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_missing_secrets(config, [])
    with pytest.raises(Misconfigured, match=r"KOGGE_TEST_EWS"):
        refuse_missing_secrets(config, [Kind.CALENDAR])
    monkeypatch.setenv("KOGGE_TEST_EWS", "much")
    refuse_missing_secrets(config, [Kind.CALENDAR])
