"""A practice Open-Xchange App Suite 8.19, in a thread of this process.

with SmtpSink() as sink, OpenXchangeServer(["alice", "bob"], sink=sink) as server:
    server.url               # http://127.0.0.1:PORT; CalDAV is at /caldav/, CardDAV at /carddav/
    server.user_password     # of every user
    server.clock.set(...)    # what it takes for now
    server.requests          # what came in, in order

Its habits are in the modules beside this one, each with the sentence that says what was measured. It keeps
everything in memory. Not imitated, because nobody recorded them: LOCK, ACL, free-busy, MOVE and COPY, and
shared calendars that the other user writes to.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from practice.dav.proxy import Fronted, Layer, Reply, Request, stack
from servers.open_xchange import api_modules, mailfilter
from servers.open_xchange.api import HttpApi
from servers.open_xchange.attachments import INLINE_MOST, Attachments
from servers.open_xchange.context import Clock, Context, User
from servers.open_xchange.dav import Dav, answer, page
from servers.open_xchange.scheduling import Mailer
from servers.open_xchange.suite import MAX_RESULTS, Suite
from servers.smtp_sink import SmtpSink

USER_PASSWORD = "userpw"
DOMAIN = "practice.test"
WELL_KNOWN = ("/.well-known/caldav", "/.well-known/carddav")


@dataclass
class Rate:
    """servlet.maxRate: 429 for more requests in so many seconds from one address with one User-Agent. What is
    refused does not count, nor does what is answered with 401, and another User-Agent is still served.
    Retry-After is always the same."""

    most: int = 1500
    seconds: float = 300.0
    retry_after: int = 300
    _seen: dict[tuple[str, str], deque[datetime]] = field(default_factory=dict)

    def refuses(self, request: Request, now: datetime, *, counts: bool) -> bool:
        seen = self._seen.setdefault((request.address, request.headers.get("User-Agent", "")), deque())
        while seen and (now - seen[0]).total_seconds() >= self.seconds:
            seen.popleft()
        if len(seen) >= self.most:
            return True
        if counts:
            seen.append(now)
        return False


class OpenXchangeServer(Fronted):
    """See the module.

    users: logins, or login -> display name; a login that is no mail address has one at `domain`.
    sink: gets every mail; None: none is sent. now: what it takes for now, from the start on; None: the time
    itself; see also clock. rate: see Rate. months, years: what listings see, before and
    after today (com.openexchange.caldav.interval.*). max_results: of events in one answer. inline_most: bytes
    of an inline attachment that is kept. locale: the users' language. layers: as of practice.dav.proxy,
    nearest to the client first.
    """

    product = "open-xchange"

    def __init__(
        self,
        users: Iterable[str] | Mapping[str, str],
        *,
        sink: SmtpSink | None = None,
        domain: str = DOMAIN,
        now: datetime | None = None,
        rate: Rate | None = None,
        months: int = 1,
        years: int = 1,
        max_results: int = MAX_RESULTS,
        inline_most: int = INLINE_MOST,
        locale: str = "en_US",
        layers: Sequence[Layer] = (),
    ) -> None:
        named = users if isinstance(users, Mapping) else {login: _name(login) for login in users}
        self.clock = Clock()
        self.clock.set(now)
        self.rate = rate or Rate()
        self.context = Context(named, domain, self.clock, locale)
        self.suite = Suite(
            self.context, Mailer(self.context, sink), Attachments(inline_most), months, years, max_results
        )
        self.api = HttpApi(self.suite, USER_PASSWORD, {**api_modules.ACTIONS, **mailfilter.ACTIONS})
        self.user_password = USER_PASSWORD
        self.layers = tuple(layers)
        self.requests: list[Request] = []
        self._lock = threading.RLock()
        super().__init__()

    @property
    def users(self) -> frozenset[str]:
        return frozenset(self.context.users)

    def home(self, user: str) -> str:
        """The URL of the user's calendars: every login has the same."""
        del user
        return f"{self.url}/caldav/"

    def answer(self, request: Request) -> Reply:
        """Answers a request, also without the network. What is in requests is in the order of arrival."""
        self.requests.append(request)
        return stack(self.layers, self._answer)(request)

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            if request.path in WELL_KNOWN:
                return self._redirect(request)
            api = request.path.startswith("/ajax/")
            user = None if api else self._user(request)
            if self.rate.refuses(request, self.clock.now(), counts=api or user is not None):
                return self._limited()
            if user is None:
                return self.api.answer(request) if api else _unauthorized()
            return Dav(self.suite, user, request)()

    def _redirect(self, request: Request) -> Reply:
        """By the proxy in front, as in the documented set-up."""
        host = request.headers.get("Host", self.url.removeprefix("http://"))
        location = f"http://{host}/{request.path.rpartition('/')[2]}/"
        return answer(301, headers={"Location": location, "Content-Type": "text/html"})

    def _limited(self) -> Reply:
        title = "Too Many Requests - Your request is being rate limited."
        reply = page(429, title)
        reply.headers["Content-Type"] = "text/html;charset=UTF-8"
        reply.headers["Retry-After"] = str(self.rate.retry_after)
        return reply

    def _user(self, request: Request) -> User | None:
        """By Basic, which is all that DAV takes."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            login, _, password = base64.b64decode(token).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        right = hmac.compare_digest(password.encode(), USER_PASSWORD.encode())
        return self.context.users.get(login) if right and scheme.lower() == "basic" else None


def _name(login: str) -> str:
    return login.partition("@")[0].replace(".", " ").title()


def _unauthorized() -> Reply:
    reply = page(401, "Authorization Required!")
    reply.headers["WWW-Authenticate"] = 'Basic realm="OX WebDAV", encoding="UTF-8"'
    return reply
