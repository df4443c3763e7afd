"""Send requests to Open-Xchange's HTTP API in a session of one account.

It stands on the one HTTP client: the same connections, bounds and retries. No request may notify anybody:
what is written names nobody whom the server could tell, and every request that could schedule is silenced.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from connectors.accepted_logins import LOGINS, login_of
from connectors.caldav.principal import Principal
from connectors.caldav.product import Profile
from connectors.caldav.settings import DavSettings
from connectors.http.auth import SESSION
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.open_xchange.answers import Json, SessionExpired, content, not_api
from connectors.open_xchange.same_account import ApiAccount, prove_same_account, stated_addresses
from connectors.retry import RetryPolicy
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Misconfigured, Rejected, Transient

T = TypeVar("T")
NAMES = ("kogge-migration", "kogge")
"""What the login names as the program. The server refuses a name that is the User-Agent, too."""
QUIET: Mapping[str, str] = {"scheduling": "none"}
"""Parameters of every request. Chronos mails nobody with them; other modules know no such parameter."""
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
JSON = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
GOODBYE_SECONDS = 5.0
"""How long a logout may take: the server ends a forgotten session by itself."""
_TOKEN = re.compile(r"[\w.-]{1,200}", re.ASCII)
_NEXT_COOKIE = re.compile(r",\s*(?=[^\s;,=]+=)")
"""Where one cookie ends and the next begins in headers that were joined; a date holds a comma, too."""


@dataclass(frozen=True, slots=True)
class Session:
    """Hold a session.

    Attributes:
        token: the session's id, a parameter of every request.
        cookies: the header Cookie.
        user: the number of the account.
        context: the number of the context; None where the server does not say.
    """

    token: str
    cookies: str
    user: int
    context: int | None


class _AtOnce:
    """Admit a request only if it need not wait; implements RequestBudget."""

    def __init__(self, budget: RequestBudget) -> None:
        self._budget = budget

    def take(self, pause: Callable[[float], None]) -> None:
        """Take one request, or raise Transient. The budget pauses once before it looks for a share."""
        del pause
        pauses = 0

        def give_up(_seconds: float) -> None:
            nonlocal pauses
            pauses += 1
            if pauses > 1:
                raise Transient("busy", "no request is left")

        self._budget.take(give_up)

    def refused(self, seconds: float | None) -> bool:
        """See RequestBudget."""
        return self._budget.refused(seconds)


class ApiClient:
    """Ask the API as one account. Safe from several threads, close() included."""

    def __init__(
        self,
        settings: DavSettings,
        account: Account,
        profile: Profile,
        owner: Callable[[], Principal],
        budget: RequestBudget = NO_BUDGET,
    ) -> None:
        """Prepare the client; nothing is sent before the first request.

        Args:
            settings: the settings of the DAV account, with `api`.
            account: the account to log in as.
            profile: the product.
            owner: returns what DAV says of the account. A session of another account is not used.
            budget: asked before each request. A logout is left out where it would have to wait.

        Raises:
            Misconfigured: the settings name no API.
        """
        if settings.api is None:
            raise Misconfigured(settings.where("api"), "give the address of the HTTP API")
        self._settings = settings.model_copy(update={"url": settings.api, "auth": SESSION})
        self._account = account
        self._profile = profile
        self._owner = owner
        self._budget = budget
        self._http = HttpClient(self._settings, account, profile, budget=budget)
        self._base = urlsplit(settings.api).path.rstrip("/")
        self._session: Session | None = None
        self._refused: Blocked | Transient | None = None
        self._lock = threading.Lock()

    @property
    def user(self) -> int:
        """Return the number by which the server knows the account; logs in once."""
        return self._known().user

    def patience(self) -> RetryPolicy:
        """Return a new retry state."""
        return self._http.patience()

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`; repeat it while faults may pass.

        Args:
            attempt: one attempt, which may be repeated.

        Raises:
            Transient: the retries are used up.
        """
        return self._http.patiently(attempt)

    def look(self, module: str, action: str, options: Mapping[str, str], body: object = None) -> Json:
        """Send a request that changes nothing; wait out busy answers and cut connections.

        Args:
            module: the module, such as "chronos".
            action: the action, such as "all"; "" for a module without actions.
            options: further parameters.
            body: what to send as JSON; None for a GET.

        Returns:
            The answer's JSON.

        Raises:
            Transient: the retries are used up.
            Blocked, Rejected: see `connectors.open_xchange.answers.content`.
        """
        return self._http.patiently(lambda: self._ask_again(module, action, options, body))

    def ask(self, module: str, action: str, options: Mapping[str, str], body: object = None) -> Json:
        """Send one request, once. Who writes asks the guard before each attempt, so none is repeated here.

        Args:
            module: the module.
            action: the action.
            options: further parameters.
            body: what to send as JSON; None for a GET.

        Returns:
            The answer's JSON.

        Raises:
            Transient: the connection broke, and the request may have been carried out; "busy" if the server
                forgot the session: then it was not.
            Blocked, Rejected: see `connectors.open_xchange.answers.content`.
        """
        try:
            return self._asked(module, action, options, body)
        except SessionExpired:
            raise Transient("busy", "the server forgot the session") from None

    def answers(self, module: str, action: str, options: Mapping[str, str]) -> bool:
        """Return True if a request that changes nothing is answered at once; nothing is waited out.

        Args:
            module: the module.
            action: the action.
            options: further parameters.

        Raises:
            Blocked: see `connectors.open_xchange.answers.content`.
        """
        try:
            with suppress(Rejected):
                self.ask(module, action, options)
        except Transient:
            return False
        return True

    def close(self) -> None:
        """End the session and close every socket; safe from any thread and more than once."""
        self._http.close()
        session, self._session = self._session, None
        if session is not None:
            self._say_goodbye(session)

    # -- internals

    def _ask_again(self, module: str, action: str, options: Mapping[str, str], body: object) -> Json:
        """Send a request that changes nothing; again in a new session if the server forgot the old one."""
        try:
            return self._asked(module, action, options, body)
        except SessionExpired:
            return self.ask(module, action, options, body)

    def _asked(self, module: str, action: str, options: Mapping[str, str], body: object) -> Json:
        """Send one request, once; drop the session if the server forgot it, and raise SessionExpired."""
        session = self._known()
        try:
            return content(self._send(session, module, action, options, body))
        except SessionExpired:
            self._forget(session)
            raise

    def _known(self) -> Session:
        """Return the session; log in unless there is one.

        Raises:
            Blocked: "api-of-another"; see `connectors.open_xchange.same_account`.
        """
        with self._lock:
            if self._session is None:
                owner, session = self._owner(), self._logged_in()
                try:
                    prove_same_account(self._account_of(session), owner)
                except BaseException:
                    self._say_goodbye(session)
                    raise
                self._session = session
            return self._session

    def _account_of(self, session: Session) -> ApiAccount:
        """Return what the server says of the account of a session.

        `get` of the module `user` without a number means the account itself (measured on 8.19). A server that
        refuses it states no addresses.
        """
        try:
            found = self._http.patiently(lambda: content(self._send(session, "user", "get", {}, None)))
        except Rejected:
            found = {}
        except SessionExpired:
            raise Transient("busy", "the server forgets its sessions at once") from None
        stated = found.get("data")
        addresses = stated_addresses(stated) if isinstance(stated, dict) else frozenset()
        return ApiAccount(session.user, session.context, addresses)

    def _forget(self, session: Session) -> None:
        """Drop a session, unless another thread did and has a new one."""
        with self._lock:
            if self._session is session:
                self._session = None

    def _logged_in(self) -> Session:
        """Return a new session.

        A refused password is sent once: the server counts every attempt. R12 holds as for any other login.

        Raises:
            Blocked: "login-refused".
            Transient: the server cannot be asked now; "login-unconfirmed".
        """
        if self._refused is not None:
            raise self._refused
        user = self._settings.user(self._account)
        secret = self._settings.password.read(self._account.login, self._account.address).get_secret_value()
        login = login_of(str(self._http.origin), SESSION, user, secret)
        LOGINS.refuse_doubtful(login)
        form = {"name": user, "password": secret, "client": client_name(self._http.agent), "version": "1"}
        form["rampup"] = "false"
        try:
            session = self._http.patiently(lambda: self._login_once(urlencode(form).encode()))
        except Blocked as error:
            if error.code == "login-refused":
                self._refused = LOGINS.refused(login, error)
                raise self._refused from None
            raise
        LOGINS.accepted(login)
        return session

    def _login_once(self, form: bytes) -> Session:
        answer = self._http.ask("POST", f"{self._base}/login?action=login", FORM, form)
        try:
            found = content(answer)
        except SessionExpired:
            raise not_api() from None
        token, user = str(found.get("session", "")), found.get("user_id")
        if not _TOKEN.fullmatch(token) or not isinstance(user, int):
            raise not_api()
        context = found.get("context_id")
        number = context if isinstance(context, int) else None
        return Session(token, cookies_of(answer.headers.get("set-cookie", "")), user, number)

    def _send(
        self, session: Session, module: str, action: str, options: Mapping[str, str], body: object
    ) -> HttpAnswer:
        named = {"action": action} if action else {}
        query = urlencode({**options, **QUIET, **named, "session": session.token})
        path = f"{self._base}/{module}?{query}"
        headers = {"Cookie": session.cookies}
        if body is None:
            return self._http.ask("GET", path, {**headers, "Accept": "application/json"})
        return self._http.ask("PUT", path, {**headers, **JSON}, json.dumps(body).encode())

    def _say_goodbye(self, session: Session) -> None:
        """Log out, over a connection of its own, because the others are closed."""
        brief = {"timeout_seconds": GOODBYE_SECONDS, "patience_seconds": 0.0}
        settings = self._settings.model_copy(update=brief)
        http = HttpClient(settings, self._account, self._profile, budget=_AtOnce(self._budget))
        query = urlencode({"action": "logout", "session": session.token})
        with suppress(MigrationError):  # the server ends a forgotten session by itself
            http.ask("GET", f"{self._base}/login?{query}", {"Cookie": session.cookies})
        http.close()


def client_name(agent: str) -> str:
    """Return the name of the program for a login with this User-Agent.

    8.19 refuses one that equals the User-Agent (LGI-0021). Whether it heeds case is not relied on.
    """
    return next(name for name in NAMES if name != agent.strip().casefold())


def cookies_of(stated: str) -> str:
    """Return the header Cookie for the headers Set-Cookie of an answer, joined by commas."""
    pairs = []
    for one in _NEXT_COOKIE.split(stated):
        name, separator, value = one.partition(";")[0].strip().partition("=")
        if separator and name.isascii() and value.isascii() and (name + value).isprintable():
            pairs.append(f"{name}={value}")
    return "; ".join(pairs)
