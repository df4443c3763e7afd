"""An HTTP proxy in front of a practice Radicale, in a thread of this process: what stands in its layers sees
every request before Radicale does and every reply before the client does.

with DavProxy(radicale, [layer, ...]) as proxy:
    proxy.url       # http://127.0.0.1:PORT, in place of radicale.url
    proxy.requests  # what came in, in order
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

import httpx

from practice.dav.proxy import Forward, Fronted, Layer, Reply, Request, stack
from practice.dav.radicale import RadicaleServer

HOP = ("connection", "keep-alive", "transfer-encoding", "accept-encoding", "host", "content-length", "expect")
SECONDS = 30.0


def login(user: str, password: str) -> httpx.Headers:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return httpx.Headers({"Authorization": f"Basic {token}"})


def upstream(radicale: RadicaleServer) -> Forward:
    """Asks Radicale itself, a connection a request."""
    address = urlsplit(radicale.url).netloc

    def ask(request: Request) -> Reply:
        line = http.client.HTTPConnection(address, timeout=SECONDS)
        try:
            headers = {name: text for name, text in request.headers.items() if name not in HOP}
            line.request(request.method, quote(request.path), request.body or None, headers)
            came = line.getresponse()
            kept = httpx.Headers([one for one in came.getheaders() if one[0].lower() not in HOP])
            return Reply(came.status, kept, came.read())
        finally:
            line.close()

    return ask


class DavProxy(Fronted):
    """See the module. Layers may be replaced while it runs: requests then under way keep theirs."""

    def __init__(self, radicale: RadicaleServer, layers: Sequence[Layer] = ()) -> None:
        self.radicale = radicale
        self.layers = tuple(layers)
        self.requests: list[Request] = []
        self._last = upstream(radicale)
        super().__init__()

    @property
    def users(self) -> frozenset[str]:
        return self.radicale.users

    @property
    def user_password(self) -> str:
        return self.radicale.user_password

    def home(self, user: str) -> str:
        """As RadicaleServer.home, through the proxy."""
        return f"{self.url}/{quote(user)}/"

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        answered = stack(self.layers, self._last)(request)
        if "Location" in answered.headers:
            headers = answered.headers.copy()
            headers["Location"] = headers["Location"].replace(self.radicale.url, self.url)
            return replace(answered, headers=headers)
        return answered


def puts_event(request: Request) -> bool:
    return request.method == "PUT" and b"BEGIN:VCALENDAR" in request.body


def stored(request: Request, rest: Forward) -> bytes | None:
    """What the user's object is now; None when there is none."""
    known = httpx.Headers({"Authorization": request.headers.get("Authorization", "")})
    found = rest(Request("GET", request.path, known))
    return found.body if found.status == 200 else None
