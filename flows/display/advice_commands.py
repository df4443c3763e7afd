"""What an advice asks a person to type or to press, whole, for the mailboxes that a page shows. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from engine.approvals.acceptances import BY_FORM
from engine.control.remedies import MAILBOX, advice
from flows.deploy.deployments import DECIDE

APPROVE = re.compile(r"\bapprove (?!anew\b)([a-z]+(?:-[a-z]+)*)")
ITSELF = frozenset({"this", "it"})
SIGNED = "--by NAME --reason TEXT"
NAMED = 3
"""Of so many mailboxes each has a command of its own."""


def commands(code: str, mailboxes: Sequence[str], wave: str) -> list[str]:
    """Return what to type because of a code, in its order; [] if its advice names no command that decides.

    Args:
        code: the code.
        mailboxes: those that have it, by their random ids.
        wave: their wave.
    """
    text, every = advice(code), f"--wave {shlex.quote(wave)}"
    each = [f"-m {one}" for one in mailboxes] if len(mailboxes) <= NAMED else ["-m MAILBOX"]
    found = APPROVE.search(text)
    typed = []
    if found is not None:
        approved = code if found[1] in ITSELF else found[1]
        typed += [f"kogge approve {approved} {one} {SIGNED}" for one in each]
    if "`kogge cutover" in text or "score-low" in text:
        typed += [f"kogge cutover {every} --by NAME"]
    elif code in MAILBOX and (typed or "`kogge retry`" in text):
        typed += [f"kogge retry {' '.join(each) if len(mailboxes) <= NAMED else every}"]
    if "give-back`" in text:
        typed += [f"kogge give-back {one} {SIGNED}" for one in each]
    return typed


def actions(code: str, mailboxes: Sequence[str], wave: str) -> list[str]:
    """Return what a person can do about a code, as Markdown: each command, and the form in Prefect for it.

    Args:
        code: the code.
        mailboxes: those that have it, by their random ids.
        wave: their wave.
    """
    typed = commands(code, mailboxes, wave)
    form = _form(code, typed, wave)
    return [*(f"`{command}`" for command in typed), *([form] if form else [])]


def _form(code: str, typed: Sequence[str], wave: str) -> str:
    """Return how the form decides the same; "" if it takes a command."""
    if any(command.startswith(f"kogge approve {code} ") for command in typed) and code in BY_FORM:
        decision = "accept"
    elif typed and all(command.startswith("kogge retry ") for command in typed):
        decision = "retry"
    else:
        return ""
    return f'or in Prefect: the deployment "{DECIDE.name_of(wave)}", decision `{decision}`, code `{code}`'
