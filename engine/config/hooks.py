"""Describe [hooks] and [cutover].

What the organisation does itself at a cutover, and how the result is checked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from connectors.endpoints import PLACEHOLDER, Header, refuse_readable
from connectors.script_arguments import goes_to_remote_shell, is_run_as_script
from connectors.settings import Secret, Strict, Tls

NAMES = frozenset({"mailbox", "source", "target", "wave"})
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ADDRESSES = frozenset({"source", "target"})
HOOK_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def _has_address(text: str) -> bool:
    return not ADDRESSES.isdisjoint(PLACEHOLDER.findall(text))


def _template(value: str) -> str:
    if set(PLACEHOLDER.findall(value)) - NAMES:
        raise ValueError("only {mailbox}, {source}, {target} and {wave} are replaced")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(_template(value))
        parts.port  # noqa: B018 - raises on a port that is not one
    except ValueError as error:
        raise ValueError(str(error) if "replaced" in str(error) else "not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or PLACEHOLDER.search(parts.netloc):
        raise ValueError("not a URL: it starts with https:// and names a host")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong in a URL: give a header")
    return value


HookTemplate = Annotated[str, AfterValidator(_template)]
"""Text in which {mailbox} (its random id), {source}, {target} (addresses) and {wave} are replaced."""
HookUrl = Annotated[str, AfterValidator(_url)]


class Action(Strict):
    """Describe one thing to do: a command, or an HTTP request.

    Attributes:
        command: a program by its absolute path, and its arguments; no shell. It gets the addresses in
            KOGGE_SOURCE and KOGGE_TARGET, and KOGGE_MAILBOX, KOGGE_WAVE; of Kogge's own environment only what
            is no secret, and what `environment` of [hooks] names. It works in the folder of the
            configuration, and is done when it exits with 0.
        url: requested by `method` with `headers` and `body`; it is done when the status is 2xx. No redirect
            is followed.
        method: the HTTP method.
        headers: the HTTP headers.
        body: text, or a table that is sent as JSON.
        tls: how the server's certificate is verified.
        plain_http: True to allow http:// to another machine.
    """

    command: tuple[HookTemplate, ...] | None = Field(default=None, min_length=1)
    url: HookUrl | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, Header | Secret] = Field(default_factory=dict)
    body: HookTemplate | dict[str, JsonValue] | None = None
    tls: Tls = Tls()
    plain_http: bool = False

    @field_validator("command")
    @classmethod
    def _absolute(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if command and not Path(command[0]).is_absolute():
            raise ValueError("give the program by its absolute path")
        return command

    @field_validator("command")
    @classmethod
    def _no_script(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        command = command or ()
        if goes_to_remote_shell(command, _has_address):
            raise ValueError(
                "a shell would run what an address says: name a script of your own that reads $KOGGE_SOURCE"
                " and $KOGGE_TARGET, and have it give them to the other machine on standard input"
            )
        if is_run_as_script(command, _has_address):
            raise ValueError('a shell runs what an address says: write "$KOGGE_SOURCE", "$KOGGE_TARGET"')
        return command or None

    @model_validator(mode="after")
    def _one(self) -> Action:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either command or url")
        if self.url is None and (self.headers or self.body is not None):
            raise ValueError("headers and body go with a url")
        if self.url is not None:
            refuse_readable("url", self.url, self.plain_http)
        if isinstance(self.body, dict):
            _check_placeholders(self.body)
        return self


class Undo(Action):
    """Describe what takes a hook back."""


class Hook(Action):
    """Describe an action with a name, which is shown: no person's.

    Attributes:
        name: the name.
        timeout_seconds: of the action, and of its undo.
        attempts: of the action, and of its undo.
        undo: what takes it back; None if nothing does. That of a release hook runs only for a mailbox that
            was rolled back.
    """

    name: str
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    attempts: int = Field(default=3, ge=1, le=20)
    undo: Undo | None = None

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        if not HOOK_NAME.fullmatch(name):
            raise ValueError("give a short name of small letters, digits and hyphens")
        return name


class HooksSettings(Strict):
    """Hold the settings of [hooks].

    Attributes:
        freeze: hooks before the final delta, in this order.
        release: hooks once it is verified and approved.
        environment: names of environment variables that commands get, beside PATH and its like; they get no
            others.
    """

    freeze: tuple[Hook, ...] = ()
    release: tuple[Hook, ...] = ()
    environment: tuple[str, ...] = ()

    @field_validator("environment")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(VARIABLE.fullmatch(name) for name in names):
            raise ValueError("give names of environment variables, such as IDM_TOKEN, and no values")
        return names

    @field_validator("freeze", "release")
    @classmethod
    def _different(cls, hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
        if len({hook.name for hook in hooks}) < len(hooks):
            raise ValueError("two hooks have the same name")
        return hooks

    @model_validator(mode="after")
    def _undone_by_name(self) -> HooksSettings:
        """The undo of a hook is recorded under its name."""
        undone = [hook.name for hook in (*self.freeze, *self.release) if hook.undo is not None]
        if len(set(undone)) < len(undone):
            raise ValueError("a hook of freeze and one of release have the same name, and each has an undo")
        return self


class CutoverSettings(Strict):
    """Hold the settings of [cutover].

    Attributes:
        level: how much the verification after the final delta reads again: never less than every body of the
            target, because the score rests on it.
    """

    level: Literal["target", "both"] = "both"

    @field_validator("level", mode="before")
    @classmethod
    def _read_back(cls, level: object) -> object:
        if level in ("counts", "sample"):
            raise ValueError("a cutover is scored by what is read back: give target or both")
        return level


def _check_placeholders(value: JsonValue) -> None:
    """Raise ValueError for a placeholder that does not exist, at any depth."""
    if isinstance(value, str):
        _template(value)
    elif isinstance(value, dict):
        for inner in value.values():
            _check_placeholders(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_placeholders(inner)
