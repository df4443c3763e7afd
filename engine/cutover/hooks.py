"""Run what the organisation configured for a cutover: a command, or an HTTP request.

What a hook says is stored in one file of the state directory, readable by its owner only, and is logged
nowhere else. A hook may be run again after it did its work, if its result was lost: it has to be idempotent.
On one machine it never runs beside itself or beside its undo.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from pydantic import JsonValue

from connectors.http.proxy import Network
from connectors.settings import Secret, Tls
from engine.config.hooks import Action, Hook, HooksSettings
from engine.control.environment import plain
from model.errors import MigrationError, Misconfigured, Transient
from model.private_files import make_directory, using_state

if TYPE_CHECKING:
    from connectors.http.transport import Transport

GRACE = 2.0
"""Seconds between asking a command to end and killing it."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LOOK_SECONDS = 0.1
KEPT_BYTES = 1_000_000
"""How much of an HTTP answer is kept."""
LOGS = Path("logs") / "hooks"


@dataclass(frozen=True, slots=True)
class HookMailbox:
    """Say for whose mailbox a hook runs.

    Attributes:
        mailbox: the id of the mailbox.
        source: its address at the source; only the hook itself gets it.
        target: its address at the target; only the hook itself gets it.
        wave: the name of its wave.
    """

    mailbox: str
    source: str
    target: str
    wave: str

    def names(self) -> dict[str, str]:
        """Return the values by the names that templates use."""
        return {
            "mailbox": self.mailbox,
            "source": self.source,
            "target": self.target,
            "wave": self.wave,
        }


@dataclass(frozen=True, slots=True)
class Inherited:
    """Hold what a command inherits from this process.

    Attributes:
        lock: the descriptor of the lock file.
        environment: names of variables.
        directory: where it works; None for where this process does.
    """

    lock: int
    environment: tuple[str, ...]
    directory: Path | None


def patience_of(hook: Hook) -> float:
    """Return the seconds after which a run of a hook, or of its undo, has ended whatever happened."""
    return hook.attempts * (hook.timeout_seconds + GRACE + LONGEST_PAUSE) + GRACE + hook.timeout_seconds


def refuse_unreadable(settings: HooksSettings) -> None:
    """Check secrets and environment before a mailbox is frozen.

    Every secret is read once, and the variables that commands are to have are looked for.

    Raises:
        Misconfigured: if a secret cannot be read or a variable is not set.
    """
    missing = [name for name in settings.environment if name not in os.environ]
    if missing:
        raise Misconfigured("hooks.environment", f"is not set here: {', '.join(missing)}")
    for hook in (*settings.freeze, *settings.release):
        for action in (hook, hook.undo):
            if action is not None:
                _headers(action)


def run(
    hook: Hook,
    action: Action,
    person: HookMailbox,
    state_directory: Path,
    sleep: Callable[[float], None] = time.sleep,
    environment: Sequence[str] = (),
    directory: Path | None = None,
) -> str | None:
    """Run an action of a hook, as often as the hook says until it succeeds.

    Args:
        hook: the hook.
        action: the hook itself, or its undo.
        person: the mailbox.
        state_directory: where the output is kept.
        sleep: waits so many seconds.
        environment: names of variables that a command gets.
        directory: where a command works; None for where this process does.

    Returns:
        None if the action did its work. Else a code: exit-N, killed-N, http-N, timeout, not-started,
            still-running, unreachable, connection-cut, tls-failed. The action may have done its work even
            then.

    Raises:
        Misconfigured: if a secret cannot be read.
    """
    code: str | None = None
    label = hook.name if action is hook else f"{hook.name}.undo"
    with _exclusive(state_directory, f"{person.mailbox}.{hook.name}", hook.timeout_seconds) as lock:
        if lock is None:
            return "still-running"
        inherited = Inherited(lock, tuple(environment), directory)
        for attempt in range(hook.attempts):
            if attempt:
                sleep(min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE))
            with _output(state_directory, f"{person.mailbox}.{label}") as output:
                code = _attempt(action, person, hook.timeout_seconds, output, inherited)
                with suppress(OSError):  # a full disk does not undo what was done
                    output.write(f"\n-- {code or 'done'}\n".encode())
            if code is None:
                return None
    return code


@contextmanager
def _exclusive(state_directory: Path, name: str, seconds: float) -> Iterator[int | None]:
    """Wait until an earlier run of the hook, or of its undo, has ended on this machine.

    A command outlives a process that began it and was killed. The wait is no longer than a command may take.

    Yields:
        The lock, which a command is to hold as well; None if the earlier run, or what it left behind, still
            holds it.
    """
    until = time.monotonic() + seconds
    with _output(state_directory, name) as file:
        while not (locked := _try_lock(file)) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        yield file.fileno() if locked else None


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _attempt(
    action: Action, person: HookMailbox, seconds: float, output: BinaryIO, inherited: Inherited
) -> str | None:
    if action.command is not None:
        return _command(action.command, person, seconds, output, inherited)
    return _request(action, person, seconds, output)


def _output(state_directory: Path, name: str) -> BinaryIO:
    """Open the file for a hook's output, at its end."""
    directory = state_directory / LOGS
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with using_state():
        make_directory(directory)
        return os.fdopen(os.open(directory / f"{name}.log", flags, 0o600), "ab", buffering=0)


# Commands


def _command(
    command: tuple[str, ...], person: HookMailbox, seconds: float, output: BinaryIO, inherited: Inherited
) -> str | None:
    variables = {f"KOGGE_{name.upper()}": value for name, value in person.names().items()}
    try:
        process = subprocess.Popen(
            [filled(part, person.names()) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=inherited.directory,
            env={**plain(inherited.environment), **variables},
            pass_fds=(inherited.lock,),
            start_new_session=True,
        )
    except (OSError, ValueError):
        return "not-started"
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        return "timeout"
    except BaseException:  # this process ends: its command must not go on
        _end(process)
        raise
    if code < 0:
        return f"killed-{-code}"
    return f"exit-{code}" if code else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything that it started, unless that left its process group."""
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


# Requests


@dataclass(frozen=True, slots=True)
class HookTransport:
    """Say how a hook's server is reached: directly; see `connectors.http.transport.TransportSettings`."""

    tls: Tls
    timeout_seconds: float
    network: Network = field(default_factory=Network)


def _request(action: Action, person: HookMailbox, seconds: float, output: BinaryIO) -> str | None:
    """Send the request. However slowly the server answers, it has ended after `seconds`."""
    from connectors.http.transport import Transport  # what only reads the ledger loads no HTTP library

    transport = Transport(HookTransport(action.tls, seconds), _late, connections=1)
    clock = threading.Timer(seconds, transport.close)
    clock.daemon = True
    try:
        clock.start()
        status = _send(action, person, output, transport)
    except MigrationError as error:
        if error.code == "misconfigured":
            raise
        return error.code
    finally:
        clock.cancel()
        transport.close()
    return None if 200 <= status < 300 else f"http-{status}"


def _late() -> Transient:
    return Transient("timeout", "the hook's server takes too long")


def _send(action: Action, person: HookMailbox, output: BinaryIO, transport: Transport) -> int:
    names = person.names()
    url = filled(str(action.url), {name: quote(value, safe="") for name, value in names.items()})
    body, kind = _body(action.body, names)
    headers = {"user-agent": "Kogge", **kind, **_headers(action)}
    with transport.send_to(action.method, url, headers, body or b"") as response:
        with suppress(MigrationError, OSError):  # only the status counts
            _keep(response.chunks(decode=True), output)
        return response.status


def _keep(chunks: Iterator[bytes], output: BinaryIO) -> None:
    """Write the beginning of an answer."""
    room = KEPT_BYTES
    for chunk in chunks:
        output.write(chunk[:room])
        room -= len(chunk)
        if room <= 0:
            return


def _body(
    body: str | dict[str, JsonValue] | None, names: Mapping[str, str]
) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    if isinstance(body, str):
        return filled(body, names).encode(), {"content-type": "text/plain; charset=utf-8"}
    return json.dumps(_deep(body, names)).encode(), {"content-type": "application/json"}


def _deep(value: JsonValue, names: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        return filled(value, names)
    if isinstance(value, dict):
        return {name: _deep(inner, names) for name, inner in value.items()}
    return [_deep(inner, names) for inner in value] if isinstance(value, list) else value


def _headers(action: Action) -> dict[str, str]:
    return {
        name.lower(): value.read().get_secret_value() if isinstance(value, Secret) else value
        for name, value in action.headers.items()
    }


def filled(template: str, names: Mapping[str, str]) -> str:
    """Return the template with each {name} replaced by its value; values are not expanded again."""
    parts = template.split("{")
    text = parts[0]
    for part in parts[1:]:
        name, brace, rest = part.partition("}")
        text += f"{names[name]}{rest}" if brace and name in names else "{" + part
    return text
