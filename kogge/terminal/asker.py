"""Who asks: the name that the ledger records when somebody looks up whose mailbox it is."""

from __future__ import annotations

import os
import pwd

from kogge.terminal.options import given

VARIABLE = "KOGGE_BY"


def asker(by: str | None, why: str) -> str:
    """Return the name given by --by, or else KOGGE_BY, or else the login of this account.

    The login is that of the process, not a variable that anybody may set, and it is recorded as a login. The
    login of root names no person, so that a name has to be given there. Only a question takes a name from
    here: a decision names its decider each time.

    Args:
        by: what --by says; None if it was not given.
        why: why the name is asked for.

    Raises:
        Misconfigured: --by or KOGGE_BY is given and empty, or nothing names a person.
    """
    if by is not None:
        return given("--by", by, why)
    if (name := os.environ.get(VARIABLE)) is not None:
        return given(VARIABLE, name, why)
    if login := _login():
        return f"{login} (login)"
    return given("--by", None, f"{why}; {VARIABLE} names you for a whole shift")


def _login() -> str:
    """Return the login of this process; "" for root, and for an account without one."""
    number = os.getuid()
    if number == 0:
        return ""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""
