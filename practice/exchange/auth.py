"""Find out who is calling, and as whom: Basic, OAuth bearer with client credentials, and impersonation.

The passwords are practice passwords. A client id is a service account's address, its secret that account's
password, as the practice world states them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from practice.exchange.soap import Call, EwsError, SoapFault
from practice.world.mailbox import Mailbox
from practice.world.people import Person
from practice.world.world import World

BASIC_REALM = 'Basic realm="practice"'
BEARER_REALM = 'Bearer client_id="practice", trusted_issuers="practice"'
EXPIRED = f'{BEARER_REALM}, error="invalid_token"'
_IMPERSONATION_KINDS = frozenset({"PrimarySmtpAddress", "SmtpAddress", "PrincipalName"})


class Unauthorized(Exception):
    """HTTP 401. challenges are the WWW-Authenticate headers to send."""

    def __init__(self, *challenges: str) -> None:
        super().__init__("unauthorized")
        self.challenges = challenges


@dataclass(frozen=True, slots=True)
class Caller:
    """Hold an authenticated account.

    Attributes:
        person: None for a service account, which has no mailbox.
    """

    login: str
    person: Person | None
    may_impersonate: bool
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """Hold whose a token is, and how long it lives."""

    login: str
    expires: float


class Tokens:
    """Issued bearer tokens. Thread-safe. seconds is how long a token lives."""

    def __init__(self, seconds: int = 3600, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: dict[str, Token] = {}

    def issue(self, login: str) -> str:
        """Return a new token for a login."""
        value = secrets.token_urlsafe(48)
        with self._lock:
            self._issued[value] = Token(login, self._clock() + self.seconds)
        return value

    def owner(self, value: str) -> str | None:
        """Return the login that the token was issued to; None when it is unknown, expired or revoked."""
        with self._lock:
            token = self._issued.get(value)
        return token.login if token and token.expires > self._clock() else None

    def revoke(self, value: str) -> None:
        """Make a token invalid."""
        with self._lock:
            self._issued.pop(value, None)

    def revoke_all(self) -> None:
        """Make all tokens invalid."""
        with self._lock:
            self._issued.clear()


class Gatekeeper:
    """Authenticate requests against the world.

    Attributes:
        refused: counts failed logins by login name, to show that no account was locked out.
    """

    def __init__(self, world: World, tokens: Tokens, *, bearer: bool = True) -> None:
        self._world = world
        self._bearer = bearer
        self.tokens = tokens
        self.refused: Counter[str] = Counter()

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Return who is calling.

        Raises:
            Unauthorized: the login is wrong, or there is none.
        """
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return self._basic(value.strip())
        if scheme.lower() == "bearer" and self._bearer:
            return self._by_token(value.strip())
        raise Unauthorized(*self._challenges())

    def _challenges(self) -> tuple[str, ...]:
        return (BASIC_REALM, BEARER_REALM) if self._bearer else (BASIC_REALM,)

    def _basic(self, value: str) -> Caller:
        try:
            login, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthorized(*self._challenges()) from None
        caller = self._account(login)
        if caller is None or not hmac.compare_digest(self._password(caller).encode(), password.encode()):
            self.refused[login.lower()] += 1
            raise Unauthorized(*self._challenges())
        return caller

    def _by_token(self, value: str) -> Caller:
        login = self.tokens.owner(value)
        account = self._account(login) if login else None
        if account is None:
            raise Unauthorized(EXPIRED)
        return Caller(account.login, account.person, account.may_impersonate, value)

    def _account(self, login: str) -> Caller | None:
        account = self._world.service_accounts.get(login.lower())
        if account is not None:
            return Caller(account.address, None, account.may_impersonate)
        try:
            person = self._world.person(login)
        except KeyError:
            return None
        return Caller(person.address, person, may_impersonate=False)

    def _password(self, caller: Caller) -> str:
        if caller.person:
            return caller.person.password
        return self._world.service_accounts[caller.login].password

    def grant(self, form: Mapping[str, str]) -> str:
        """Return a token for OAuth's client credentials (RFC 6749, 4.4).

        Raises:
            Unauthorized: they are wrong.
        """
        wanted = form.get("client_id", "").lower()
        secret = form.get("client_secret", "")
        account = self._world.service_accounts.get(wanted)
        if account and hmac.compare_digest(account.password.encode(), secret.encode()):
            return self.tokens.issue(account.address)
        self.refused[wanted] += 1
        raise Unauthorized(BEARER_REALM)


@dataclass(frozen=True, slots=True)
class Session:
    """Hold one request's rights.

    Attributes:
        own: the mailbox that ids without a mailbox mean; None for an account without one.
    """

    world: World
    caller: Caller
    own: Mailbox | None

    def open(self, address: str | None) -> Mailbox:
        """Return the mailbox that a folder id names.

        Raises:
            EwsError: as Exchange raises it.
        """
        if not address:
            if self.own is None:
                raise EwsError("ErrorMissingEmailAddress", _MISSING_ADDRESS)
            return self.own
        mailbox = find_mailbox(self.world, address)
        if mailbox is None:
            raise EwsError("ErrorNonExistentMailbox", _NO_MAILBOX)
        if mailbox.address != address.lower():
            raise EwsError("ErrorNonPrimarySmtpAddress", "The primary SMTP address must be specified.")
        return self.allowed(mailbox)

    def allowed(self, mailbox: Mailbox) -> Mailbox:
        """Return the mailbox if the caller may open it.

        A service account with the right to impersonate also has full access as a delegate; a person, or
        whoever impersonates one, has that person's mailbox only.
        """
        if self.own is not None and self.own.guid == mailbox.guid:
            return mailbox
        if self.own is None and self.caller.may_impersonate:
            return mailbox
        raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials and try again.")


_MISSING_ADDRESS = (
    "When making a request as an account that does not have a mailbox, you must specify the mailbox primary"
    " SMTP address for any distinguished folder Ids."
)
_NO_MAILBOX = "The SMTP address has no mailbox associated with it."


def find_mailbox(world: World, address: str) -> Mailbox | None:
    """Return the mailbox of an address; None if there is none."""
    try:
        return world.mailbox(address)
    except KeyError:
        return None


def open_session(world: World, caller: Caller, call: Call) -> Session:
    """Return the rights of a call.

    Raises:
        SoapFault: the caller may not act as the person whom the header names.
    """
    if call.impersonate is None:
        own = find_mailbox(world, caller.person.address) if caller.person else None
        return Session(world, caller, own)
    kind, value = call.impersonate
    if kind not in _IMPERSONATION_KINDS or not value:
        raise SoapFault(
            "ErrorInvalidExchangeImpersonationHeaderData", "The ExchangeImpersonation header is invalid."
        )
    if not caller.may_impersonate:
        raise SoapFault(
            "ErrorImpersonateUserDenied",
            "The account does not have permission to impersonate the requested user.",
        )
    mailbox = find_mailbox(world, value)
    if mailbox is None:
        raise SoapFault("ErrorNonExistentMailbox", _NO_MAILBOX)
    if kind == "PrimarySmtpAddress" and mailbox.address != value.lower():
        raise SoapFault("ErrorNonPrimarySmtpAddress", "The primary SMTP address must be specified.")
    return Session(world, caller, mailbox)
