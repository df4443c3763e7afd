"""A CalDAV server that schedules: a proxy in front of Radicale that mails real invitations (iTIP by SMTP) for
what its users write, and puts them into the calendars and schedule inboxes of its other users, unless it is
silenced the way the product it plays is silenced.

with SmtpSink() as sink, start_scheduling(radicale, "nextcloud", sink) as server:
    server.url; sink.mails
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, unquote

import httpx
from lxml import etree

from practice.dav.proxy import Forward, Layer, Reply, Request
from practice.dav.radicale import RadicaleServer
from servers.dav.dav_proxy import DavProxy, upstream
from servers.dav.scheduling_itip import Agents, Notice, notices
from servers.dav.scheduling_post import CALDAV, DAV, INBOX, LocalCalendars, PostOffice
from servers.smtp_sink import SmtpSink

ProductName = Literal["nextcloud", "open-xchange", "cyrus", "deaf", "mute"]
DOMAIN = "practice.test"
CLIENT = frozenset({"CLIENT"})
CLIENT_OR_NONE = frozenset({"CLIENT", "NONE"})
Silent = Callable[[Request], bool]


def _says(request: Request, header: str, value: str) -> bool:
    return str(request.headers.get(header, "")).strip().lower() == value


def _nextcloud(request: Request) -> bool:
    """x-nc-scheduling counts on PUT alone, Schedule-Reply (RFC 6638 8.1) on both."""
    quiet = request.method == "PUT" and _says(request, "x-nc-scheduling", "false")
    return quiet or _says(request, "Schedule-Reply", "f")


def _open_xchange(request: Request) -> bool:
    """Some versions know the one header, some the other: silent only with both."""
    return _says(request, "Scheduling", "none") and _says(request, "Schedule-Reply", "f")


def _cyrus(request: Request) -> bool:
    return _says(request, "Scheduling-Enabled", "f")


def _never(request: Request) -> bool:
    del request
    return False


@dataclass(frozen=True, slots=True)
class Product:
    """How one product is silenced.

    silent      a request after which nothing leaves, to anyone
    agents      the values of SCHEDULE-AGENT that keep one attendee, or one organizer, out of it
    pool        how long it gathers notifications before it mails them
    past_local  what is wholly past, and is mailed by none, still enters its own users' calendars
    shared      one event for all its own users: it is in the attendees' calendars however silent the request,
                by the name its organizer gave it
    mute        sends nothing, whatever is asked
    """

    silent: Silent = _never
    agents: Agents = field(default_factory=Agents)
    pool: timedelta = timedelta(0)
    past_local: bool = False
    shared: bool = False
    mute: bool = False


PRODUCTS: Mapping[ProductName, Product] = {
    # sabre/dav, as shipped with Nextcloud 32
    "nextcloud": Product(_nextcloud, Agents(CLIENT), past_local=True),
    "open-xchange": Product(_open_xchange, pool=timedelta(minutes=5)),
    # Cyrus 3.10
    "cyrus": Product(_cyrus, Agents(CLIENT_OR_NONE, CLIENT_OR_NONE)),
    "deaf": Product(),
    "mute": Product(mute=True),
}


def address_of(user: str) -> str:
    """A user's mail address: the login itself where it is one, else at DOMAIN."""
    return user.lower() if "@" in user else f"{user.lower()}@{DOMAIN}"


@dataclass
class Scheduling:
    """The layer: passes requests on, and lets out what follows from those that took effect.

    let_out  how many notices left or wait to, since the start
    """

    product: Product
    office: PostOffice
    local: LocalCalendars
    clock: Callable[[], datetime]
    let_out: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        self.office.deliver_due()
        if request.method not in ("PUT", "DELETE") or request.path.endswith(("/", ".vcf")):
            return _as_scheduling_server(rest(request))
        with self._lock:  # or before and after would be of two different changes
            before = self._stored(request, rest)
            answer = rest(request)
            after = self._stored(request, rest) if request.method == "PUT" else None
        if answer.took_effect and not self.product.mute:
            self._let_out(request, before, after)
        self.office.deliver_due()
        return answer

    def _stored(self, request: Request, rest: Forward) -> bytes | None:
        known = httpx.Headers({"Authorization": request.headers.get("Authorization", "")})
        found = rest(Request("GET", request.path, known))
        return found.body if found.status == 200 else None

    def _let_out(self, request: Request, before: bytes | None, after: bytes | None) -> None:
        if request.path.split("/")[-2] == INBOX:
            return
        silent = self.product.silent(request)
        user = address_of(request.user or "")
        for notice in notices(before, after, user, self.product.agents, self.clock()):
            if self.product.shared or not silent:
                self._enter(notice, request.path.rpartition("/")[2] if self.product.shared else "")
            if not silent and notice.future:
                self.let_out += 1
                self.office.hand_in(notice)

    def _enter(self, notice: Notice, name: str) -> None:
        if notice.future or self.product.past_local or self.product.shared:
            self.local.deliver(notice, name)


def _as_scheduling_server(answer: Reply) -> Reply:
    """What a client looks for: the user's mail address, an inbox, and that the inbox is no calendar."""
    headers = answer.headers.copy()
    if "DAV" in headers:
        headers["DAV"] = f"{headers['DAV']}, calendar-auto-schedule"
    if answer.status != 207:
        return replace(answer, headers=headers)
    found = etree.fromstring(answer.body)
    for one in found.iter(f"{DAV}response"):
        _dress(one)
    return replace(
        answer, headers=headers, body=etree.tostring(found, xml_declaration=True, encoding="utf-8")
    )


def _dress(response: etree._Element) -> None:
    href = unquote(response.findtext(f"{DAV}href") or "")
    user, _, below = href.strip("/").partition("/")
    if below == INBOX:
        for kind in response.iter(f"{DAV}resourcetype"):
            for calendar in kind.findall(f"{CALDAV}calendar"):
                kind.replace(calendar, etree.Element(f"{CALDAV}schedule-inbox"))
    if user and not below:
        for one in response.iter(f"{CALDAV}calendar-user-address-set"):
            etree.SubElement(one, f"{DAV}href").text = f"mailto:{address_of(user)}"
        for missing in response.findall(f".//{CALDAV}schedule-inbox-URL"):
            _found(response, missing, f"/{quote(user)}/{INBOX}/")


def _found(response: etree._Element, missing: etree._Element, href: str) -> None:
    """Radicale does not know the property: it moves out of the propstat of what there is not."""
    parent = missing.getparent()
    if parent is not None:
        parent.remove(missing)
    stated = etree.SubElement(response, f"{DAV}propstat")
    prop = etree.SubElement(stated, f"{DAV}prop")
    found = etree.SubElement(prop, f"{CALDAV}schedule-inbox-URL")
    etree.SubElement(found, f"{DAV}href").text = href
    etree.SubElement(stated, f"{DAV}status").text = "HTTP/1.1 200 OK"


class SchedulingServer(DavProxy):
    """A proxy whose innermost layer schedules. product is the name of what it plays."""

    def __init__(
        self, radicale: RadicaleServer, name: ProductName, scheduling: Scheduling, around: Sequence[Layer]
    ) -> None:
        super().__init__(radicale, (*around, scheduling))
        self.scheduling = scheduling
        self.product = name

    def settle(self) -> None:
        """Lets out what is due by now; for whoever moves the clock."""
        self.scheduling.office.deliver_due()


def now() -> datetime:
    return datetime.now(UTC)


def start_scheduling(
    radicale: RadicaleServer,
    name: ProductName,
    sink: SmtpSink,
    *,
    around: Iterable[Layer] = (),
    clock: Callable[[], datetime] = now,
    shared: bool = False,
) -> SchedulingServer:
    """A running server in front of radicale. around: what else the product does to a client, the first one
    nearest to the client (servers.dav.manners); shared: see Product; clock: decides what is past, and when
    what was gathered is mailed."""
    product = replace(PRODUCTS[name], shared=shared)
    ask = upstream(radicale)
    local = LocalCalendars(ask, {address_of(user): user for user in radicale.users})
    local.make_inboxes()
    scheduling = Scheduling(product, PostOffice(sink, clock, product.pool), local, clock)
    return SchedulingServer(radicale, name, scheduling, tuple(around)).start()
