"""`kogge keys`: what approvers sign with, and who seals evidence."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.config.approval import ApprovalSettings
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import echo, help_text, say
from model.errors import Misconfigured

keys = typer.Typer(help="Makes and shows keys that sign approvals and evidence.", no_args_is_help=True)

PrintTo = Annotated[
    Path | None, typer.Option("--print", metavar="FILE", help="Write what --by is to sign elsewhere.")
]
Signed = Annotated[
    Path | None, typer.Option("--signed", metavar="FILE", help="Take in what was signed: FILE.sig.")
]
PassphraseEnv = Annotated[
    str | None,
    typer.Option("--passphrase-env", metavar="NAME", help="The environment variable with its passphrase."),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="The file with its passphrase."),
]


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, as approvals will say.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the private key goes.")],
    passphrase_env: PassphraseEnv = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Makes a key to sign approvals or evidence with. Prints its public half, a line for the configuration.

    Each approver makes one, on a machine of their own; the private key never leaves it. Never overwrites.

    Example: kogge keys new "A. Approver" --out approver.pem
    """
    from model.signing_keys import new_key, write_key

    passphrase = passphrase_of(passphrase_env, passphrase_file)
    pem, line = new_key(passphrase)
    try:
        ApprovalSettings(approvers={name: line})
    except ValueError:
        raise Misconfigured("NAME", "give a name of at most 64 characters") from None
    write_key(out, pem)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    echo(f'"{quoted}" = "{line}"')
    say(f"The private key is in {out}; it stays with you.")
    say("To approve: the line above goes below [approval.approvers] in kogge.toml.")
    key = f"--key {shlex.quote(str(out))}{_unlocking(passphrase_env, passphrase_file)}"
    say(f"To seal evidence: kogge audit seal --wave WAVE {key}")
    half = shlex.quote(f"{out.name if out.suffix == '.pub' else out.stem}.pub")
    say(f"  Hand {half} to the auditor, before the first seal: kogge keys public {key} > {half}")
    if passphrase is None:
        say("It has no passphrase: whoever reads the file can sign.")


def _unlocking(env: str | None, file: Path | None) -> str:
    """Return the options once more, as passphrase_of takes them."""
    if env is not None:
        return f" --passphrase-env {shlex.quote(env)}"
    return "" if file is None else f" --passphrase-file {shlex.quote(str(file))}"


def passphrase_of(env: str | None, file: Path | None) -> str | None:
    """Return the passphrase that the options name. Raise Misconfigured, without the passphrase."""
    if env is not None and file is not None:
        raise Misconfigured("--passphrase-env", "give it or --passphrase-file, not both")
    if env is not None:
        if (found := os.environ.get(env)) is None:
            raise Misconfigured(f"--passphrase-env {env}", "there is no such variable")
        if not found:
            raise Misconfigured(f"--passphrase-env {env}", "this variable is empty")
        return found
    if file is None:
        return None
    try:
        found = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise Misconfigured(f"--passphrase-file {file}", f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"--passphrase-file {file}", "cannot be read (no UTF-8)") from None
    if not found:
        raise Misconfigured(f"--passphrase-file {file}", "is empty")
    return found


def public(
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key.")],
    passphrase_env: PassphraseEnv = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Prints the public half of a key: what an auditor needs to check a sealed pack.

    Example: kogge keys public --key operator.pem > operator.pub
    """
    from model.signing_keys import line_of, read_key

    echo(line_of(read_key(key, passphrase_of(passphrase_env, passphrase_file))))


keys.command("new", help=help_text(new), cls=GivenOnceCommand)(new)
keys.command("public", help=help_text(public), cls=GivenOnceCommand)(public)
