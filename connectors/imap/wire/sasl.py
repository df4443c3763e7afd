"""Log in with SASL in one round trip where the server can, and read the capabilities that it names by itself.

Source:
    RFC 4959 (SASL-IR); RFC 9051, section 7.1 (the response code CAPABILITY).
"""

from __future__ import annotations

import base64
import imaplib

from imapclient import IMAPClient
from imapclient.exceptions import LoginError


def plain(user: str, password: str, owner: str = "") -> str:
    """Return the response of the mechanism PLAIN.

    Args:
        user: who logs in.
        password: the password of that user.
        owner: whose account is opened; "": the user's own.

    Source:
        RFC 4616, section 2.
    """
    return f"{owner}\0{user}\0{password}"


def xoauth2(user: str, token: str) -> str:
    """Return the response of the mechanism XOAUTH2."""
    return f"user={user}\1auth=Bearer {token}\1\1"


def authenticate(client: IMAPClient, mechanism: str, response: str) -> None:
    """Log in; send the response together with the command where the server takes it so.

    A server that asks for the response nevertheless gets it again.

    Args:
        client: the connection, before the login.
        mechanism: PLAIN or XOAUTH2.
        response: what the mechanism sends.

    Raises:
        LoginError: the server refuses.
    """
    imap = client._imap
    initial = base64.b64encode(response.encode()).decode()
    arguments = (mechanism, initial) if "SASL-IR" in imap.capabilities else (mechanism,)
    imap.literal = imaplib._Authenticator(lambda _: response).process
    try:
        status, answer = imap._simple_command("AUTHENTICATE", *arguments)
    except imaplib.IMAP4.error as error:
        raise LoginError(str(error)) from error
    if status != "OK":
        raise LoginError(answer[-1].decode("utf-8", "replace"))
    imap.state = "AUTH"


def take_capabilities(imap: imaplib.IMAP4) -> tuple[str, ...]:
    """Return the capabilities that the server named by itself since the last call, in upper case.

    Returns:
        () if it named none, or not the protocol among them.
    """
    named = imap.untagged_responses.pop("CAPABILITY", None)
    last = named[-1] if named else b""
    text = last.decode("ascii", "replace") if isinstance(last, bytes) else ""
    names = tuple(text.partition("]")[0].upper().split())
    return names if any(name.startswith("IMAP4") for name in names) else ()
