"""Secrets by reference: where they come from, and errors that name the field but show nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.settings import Secret, Strict, Tls, name_fields
from model.errors import Misconfigured


class Side(Strict):
    password: Secret
    token: Secret | None = None


class Both(Strict):
    source: Side
    target: Side


def said(secret: Secret) -> str:
    with pytest.raises(Misconfigured) as caught:
        secret.read("anna", "anna@example.org")
    text = str(caught.value)
    assert "anna" not in text
    return text.removeprefix("misconfigured: ")


def test_each_reference_gives_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD_anna", "one")
    (tmp_path / "anna@example.org").write_text("two\n")
    command = f"'{sys.executable}' -c 'import sys; print(sys.argv[1])' {{login}}"
    secrets = [
        Secret(env="PASSWORD_{login}"),
        Secret(file=f"{tmp_path}/{{address}}"),
        Secret(command=command),
    ]
    found = [secret.read("anna", "anna@example.org").get_secret_value() for secret in secrets]
    assert found == ["one", "two", "anna"]


@pytest.mark.parametrize("given", [{}, {"env": "A", "file": "b"}, {"env": ""}])
def test_exactly_one_reference(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        Secret.model_validate(given)


@pytest.mark.parametrize("login", ["../evidence.key", "x/../../evidence.key", "..", "a/.."])
def test_no_login_leads_to_another_file(tmp_path: Path, login: str) -> None:
    """Whoever writes the list would have any file sent to the server, as a password."""
    (tmp_path / "secrets" / "x").mkdir(parents=True)
    (tmp_path / "evidence.key").write_text("key")
    for reference in (f"{tmp_path}/secrets/{{login}}", f"{tmp_path}/secrets/x/../{{login}}"):
        with pytest.raises(Misconfigured, match="would be a file elsewhere") as caught:
            Secret(file=reference).read(login, "anna@example.org")
        assert login not in str(caught.value).replace(reference, "")
    with pytest.raises(Misconfigured, match="would be a file elsewhere"):
        Secret(file="{login}").read(f"{tmp_path}/evidence.key")
    (tmp_path / "secrets" / "..anna").write_text("hers")
    assert Secret(file=f"{tmp_path}/secrets/{{login}}").read("..anna").get_secret_value() == "hers"


@pytest.mark.parametrize("login", ["--config=/tmp/mine", "-c"])
def test_no_login_is_an_option_of_a_command(login: str) -> None:
    with pytest.raises(Misconfigured, match="would be an option of it") as caught:
        Secret(command="echo {login}").read(login)
    assert login not in str(caught.value)
    assert Secret(command="echo --user={login}").read("-x").get_secret_value() == "--user=-x"


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'pass {login}'",
        "sh -c -- 'pass {login}'",
        "bash -ec 'pass {address}'",
        "ssh vault pass {login}",
        "python -c 'x(\"{login}\")'",
    ],
)
def test_no_shell_runs_what_a_login_says(command: str) -> None:
    with pytest.raises(ValidationError, match="a shell would run what a login says"):
        Secret(command=command)


def test_a_script_may_get_a_login_as_its_argument() -> None:
    secret = Secret(command="sh -c 'printf %s \"$1\"' -- {login}")
    assert secret.read("$(id)").get_secret_value() == "$(id)"


def test_a_command_with_an_open_quotation_mark_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="quotation marks"):
        Secret(command="pass 'mail")


def test_errors_name_the_field_and_the_reference(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    both = Both(
        source=Side(password=Secret(env="KOGGE_NOT_SET_{login}"), token=Secret(file=f"{tmp_path}/empty")),
        target=Side(
            password=Secret(file=f"{tmp_path}/none-{{login}}"), token=Secret(command="false {login}")
        ),
    )
    name_fields(both, lambda field: f"kogge.toml:7: {field}")
    assert both.source.token is not None
    assert both.target.token is not None
    at = "kogge.toml:7: "
    assert (
        said(both.source.password)
        == f"{at}source.password: secret from env KOGGE_NOT_SET_{{login}} is not set"
    )
    assert said(both.source.token) == f"{at}source.token: secret from file {tmp_path}/empty is empty"
    missing = f"secret from file {tmp_path}/none-{{login}} cannot be read (No such file or directory)"
    assert said(both.target.password) == f"{at}target.password: {missing}"
    assert said(both.target.token) == (f"{at}target.token: secret from command is not there: it ended with 1")


def test_a_command_that_is_not_there() -> None:
    told = "secret from command: cannot be started (No such file or directory)"
    assert said(Secret(command="kogge-no-such-command {login}")) == told


@pytest.mark.parametrize(
    ("text", "why"), [(None, "cannot be read (No such file or directory)"), ("x", "is no PEM file")]
)
def test_an_authority_that_is_none(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "authority.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        Tls(ca_file=str(path)).context("imap")
    assert caught.value.advice == f"ca_file: {path} {why}"


def test_a_secret_without_a_field_says_where_it_comes_from() -> None:
    assert said(Secret(env="KOGGE_NOT_SET")) == "secret from env KOGGE_NOT_SET: is not set"


def test_a_command_shows_none_of_its_arguments() -> None:
    assert "hunter2" not in said(Secret(command="false --unlock hunter2"))
