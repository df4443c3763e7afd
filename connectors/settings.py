"""Define what every connector's settings share: secrets by reference, and TLS.

A secret is never written in the configuration: it is named, and read when it is needed.
"""

from __future__ import annotations

import os
import shlex
import ssl
import subprocess
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator

from connectors.script_arguments import goes_to_remote_shell, is_run_as_script
from model.errors import Misconfigured
from model.masking import SECRETS

COMMAND_SECONDS = 30


class Strict(BaseModel):
    """Refuse unknown fields: a typing error must not silently become a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    _places: dict[str, str] = PrivateAttr(default_factory=dict)

    def where(self, field: str) -> str:
        """Return the place of a field for errors: as name_fields set it, else its name alone."""
        return self._places.get(field, field)

    def readable(self, field: str) -> bytes:
        """Return the content of the file that a field names.

        Raises:
            Misconfigured: the file cannot be read; the error names field and file.
        """
        path = Path(str(getattr(self, field)))
        try:
            return path.read_bytes()
        except OSError as error:
            raise Misconfigured(self.where(field), f"{path} cannot be read ({error.strerror})") from None


class Secret(Strict):
    """Refer to a secret: exactly one of env, file, command or block.

    {login} and {address} in env, file and command are replaced by the account's, so that one line serves many
    people. A command's arguments are split as a shell does, but no shell is run. Whoever writes the list of
    mailboxes chooses neither another folder by a login nor an option of the command.

    Attributes:
        env: the name of an environment variable.
        file: the path of a file.
        command: a command that prints the secret. It works in the folder of the configuration.
        block: the name of a Prefect Secret block.
    """

    env: str | None = None
    file: str | None = None
    command: str | None = None
    block: str | None = Field(default=None, description="name of a Prefect Secret block")
    _field: str = PrivateAttr(default="")
    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        """Check that exactly one reference is given."""
        references = [name for name in ("env", "file", "command", "block") if getattr(self, name)]
        if len(references) != 1:
            raise ValueError("give exactly one of env, file, command or block")
        return self

    @field_validator("command")
    @classmethod
    def _no_script(cls, command: str | None) -> str | None:
        """Check that no shell runs what a login or an address says."""
        try:
            parts = shlex.split(command or "")
        except ValueError:
            raise ValueError("its quotation marks do not match") from None
        if goes_to_remote_shell(parts, _names_account) or is_run_as_script(parts, _names_account):
            raise ValueError(
                "a shell would run what a login says: name a program that gets it as an argument"
            )
        return command

    def read(self, login: str = "", address: str = "") -> SecretStr:
        """Return the secret's value without the final line end.

        Args:
            login: replaces {login}.
            address: replaces {address}.

        Raises:
            Misconfigured: the secret is not set, is empty or cannot be read. The error names the field (see
                name_fields) and the reference as it was written, never the value, a login or an address.
        """
        value = self._value({"login": login, "address": address})
        if not value:
            raise self._fault("is empty")
        SECRETS.learn(value)
        return SecretStr(value)

    def _fault(self, what: str) -> Misconfigured:
        reference = f"secret from {self._reference()}"
        return (
            Misconfigured(self._field, f"{reference} {what}")
            if self._field
            else Misconfigured(reference, what)
        )

    def _reference(self) -> str:
        """Return the reference for errors; a command is left out, because its arguments may be secret."""
        if self.env:
            return f"env {self.env}"
        if self.file:
            return f"file {self.file}"
        return "command" if self.command else f"block {self.block}"

    def _value(self, names: dict[str, str]) -> str:
        if self.env:
            value = os.environ.get(_fill_names(self.env, names))
            if value is None:
                raise self._fault("is not set")
            return value
        if self.file:
            return self._from_file(self._filled_path(self.file, names))
        if self.command:
            return self._from_command([self._filled_part(part, names) for part in shlex.split(self.command)])
        return self._from_block(str(self.block))

    def _filled_path(self, template: str, names: dict[str, str]) -> Path:
        filled = _fill_names(template, names)
        climbs = _steps_of(filled) != _steps_of(template)
        if climbs or filled.startswith("/") != template.startswith("/"):
            raise self._fault("is not read: with this login or address it would be a file elsewhere")
        return Path(filled)

    def _filled_part(self, template: str, names: dict[str, str]) -> str:
        filled = _fill_names(template, names)
        if filled.startswith("-") and not template.startswith("-"):
            raise self._fault("is not asked for: a login or an address would be an option of it")
        return filled

    def _from_file(self, path: Path) -> str:
        try:
            return path.read_text().rstrip("\r\n")
        except OSError as error:
            raise self._fault(f"cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise self._fault("cannot be read (no UTF-8)") from None

    def _from_command(self, arguments: list[str]) -> str:
        try:
            done = subprocess.run(
                arguments,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=True,
                cwd=self._folder,
            )
        except OSError as error:
            raise self._fault(f"cannot be started ({error.strerror})") from None
        except subprocess.TimeoutExpired:
            raise self._fault(f"was not there within {COMMAND_SECONDS} seconds") from None
        except subprocess.CalledProcessError as error:
            raise self._fault(f"is not there: it ended with {error.returncode}") from None
        except UnicodeDecodeError:
            raise self._fault("is no UTF-8") from None
        return done.stdout.rstrip("\r\n")

    def _from_block(self, name: str) -> str:
        """Return the value of a block. It is read as text: no block of Prefect is loaded as code."""
        from prefect import get_client
        from prefect.exceptions import ObjectNotFound

        try:
            with get_client(sync_client=True) as client:
                document = client.read_block_document_by_name(name, "secret")
        except ObjectNotFound:
            raise self._fault("does not exist in Prefect") from None
        return str(document.data.get("value", ""))


def name_fields(
    settings: Strict,
    where: Callable[[str], str] = str,
    within: str = "",
    folder: Path | None = None,
) -> None:
    """Set, for every table and secret, the names that errors use for their fields.

    Args:
        settings: the settings.
        where: returns what to show for a dotted name ("source.password").
        within: the prefix of the dotted names.
        folder: in which the command of a secret works; None for where this process is.
    """
    for name, value in settings:
        field = f"{within}{name}"
        settings._places[name] = where(field)
        if isinstance(value, Secret):
            value._field, value._folder = where(field), folder
        elif isinstance(value, Strict):
            name_fields(value, where, f"{field}.", folder)


def _fill_names(text: str, names: dict[str, str]) -> str:
    """Return a text with {login} and {address} replaced."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def _names_account(text: str) -> bool:
    return "{login}" in text or "{address}" in text


def _steps_of(path: str) -> int:
    """Return how many parts of a path lead up."""
    return path.split("/").count("..")


class Tls(Strict):
    """Configure trust: the system's authorities, or a private one by `ca_file`.

    There is no switch to turn verification off.

    Attributes:
        ca_file: a PEM file with authorities; None for the system's.
    """

    ca_file: str | None = None

    def context(self, purpose: str) -> ssl.SSLContext:
        """Return the context for all connections of a purpose; reading the authorities takes 10 ms.

        The libraries store in it which protocols they offer, so two of them must not share one.

        Args:
            purpose: the user of the context, such as "imap" or "http".

        Raises:
            Misconfigured: `ca_file` cannot be read or is not PEM.
        """
        try:
            changed = Path(self.ca_file).stat().st_mtime_ns if self.ca_file else 0
            return _context(self.ca_file, changed, purpose)
        except ssl.SSLError:
            raise Misconfigured(self.where("ca_file"), f"{self.ca_file} is no PEM file") from None
        except OSError as error:
            advice = f"{self.ca_file} cannot be read ({error.strerror})"
            raise Misconfigured(self.where("ca_file"), advice) from None


@lru_cache(maxsize=16)
def _context(ca_file: str | None, changed: int, purpose: str) -> ssl.SSLContext:
    del changed, purpose
    return ssl.create_default_context(cafile=ca_file)


class Account(Strict):
    """Hold one side of one mailbox, as mailboxes.csv names it.

    Attributes:
        login: the login.
        address: the e-mail address; "" where the row names none.
        folder: the folder for this mailbox's files below the target account's, in place of the configured
            root; "" where the row names none.
    """

    login: str
    address: str = ""
    folder: str = ""


Port = Annotated[int, Field(ge=1, le=65535)]
Security = Literal["tls", "starttls", "none"]
