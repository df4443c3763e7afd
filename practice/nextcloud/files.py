"""Serve a practice Nextcloud for files, in a thread of this process.

It answers WebDAV, uploads in chunks, bulk uploads, and what OCS says of accounts and abilities, as 32.0.1 was
measured.

with NextcloudFiles(["anna"]) as cloud:
    cloud.url       # http://127.0.0.1:PORT
    cloud.requests  # what came in, in order; without bodies that are large
    cloud.shelves["anna"]

Logins are Basic with USER_PASSWORD, or AppAPI with app. Layers stand in front, as those of
practice.dav.proxy. A body in Transfer-Encoding chunks makes an empty file. After eleven wrong logins
everybody is refused with 429, unless this host is on the list of the allowed.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

import httpx

from practice.dav.proxy import Fronted, Handler, Layer, Reply, Request, reply, stack
from practice.harness.lent_folder import LentFolder
from practice.nextcloud.bulk import PATH as BULK
from practice.nextcloud.bulk import bulk
from practice.nextcloud.dav import FILES, UPLOADS, files, refused, uploads, versions
from practice.nextcloud.store import (
    ENDINGS,
    FORBIDDEN,
    WINDOWS_CHARACTERS,
    WINDOWS_STEMS,
    Refusal,
    Shelf,
    composed,
)
from practice.nextcloud.versions import VERSIONS

USER_PASSWORD = "userpw"
WRONG_MOST = 11
REMEMBERED = 1_000_000  # bytes of a body in requests
OCS = "/ocs/v2.php"
Answerer = Callable[[Shelf, str, tuple[str, ...], Request], Reply]


@dataclass(frozen=True)
class App:
    """Hold an app that may act as any user (AppAPI)."""

    id: str = "kogge"
    secret: str = "appsecret"


class NextcloudFiles(Fronted):
    """Serve files; see the module.

    The layers may be replaced while it runs.

    Attributes:
        windows: True if names are those that Windows takes.
        slow: seconds that a PUT holds its file's lock.
        logins: the logins of users whose user id is another, as from a directory of people.
        ocs: more answers below /ocs/v2.php, by path.
        abilities: more capabilities.
        changeable: what people may change of their own profile.
    """

    def __init__(
        self,
        users: Iterable[str],
        *,
        windows: bool = False,
        allow_listed: bool = False,
        app: App | None = None,
    ) -> None:
        self._folder = LentFolder("kogge-nextcloud-")
        self.shelves = {user: Shelf(self._folder.path / user, windows=windows) for user in users}
        self.windows = windows
        self.bulk = True
        self.versioning = True
        self.allow_listed = allow_listed
        self.app = app
        self.logins: dict[str, str] = {}
        self.layers: tuple[Layer, ...] = ()
        self.slow = 0.0
        self.ocs: dict[str, Callable[[str, Request], Reply]] = {}
        self.abilities: dict[str, Callable[[], Mapping[str, object]]] = {}
        self.requests: list[Request] = []
        self.user_password = USER_PASSWORD
        self.changeable: list[str] = ["displayname", "email", "phone", "address", "website"]
        self._wrong = 0
        self._locked: set[tuple[str, ...]] = set()
        self._lock = threading.RLock()
        super().__init__(FilesHandler)

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request."""
        with self._lock:
            small = len(request.body) <= REMEMBERED
            self.requests.append(request if small else replace(request, body=b""))
        return stack(self.layers, self._answered)(request)

    def stop(self) -> None:
        """Stop it; its files are gone, too."""
        try:
            super().stop()
        finally:
            self._folder.close()

    # -- internals

    def _answered(self, request: Request) -> Reply:
        if request.path == f"{OCS}/cloud/capabilities":
            return self._data(self._capabilities())
        user = self._user(request)
        if user is None:
            with self._lock:
                self._wrong += 1
                blocked = self._wrong > WRONG_MOST and not self.allow_listed
            return reply(429) if blocked else _unauthorized()
        if self._wrong > WRONG_MOST and not self.allow_listed:
            return reply(429)
        try:
            return self._routed(user, request)
        except Refusal as refusal:
            return refused(refusal)

    def _user(self, request: Request) -> str | None:
        """Return the user whom a request names, if the login proves it."""
        if self.app is not None and "authorization-app-api" in request.headers:
            named, secret = _pair(request.headers["authorization-app-api"])
            known = secret == self.app.secret and request.headers.get("ex-app-id") == self.app.id
            return named if known and named in self.shelves else None
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        named, secret = _pair(text)
        known = scheme.lower() == "basic" and secret == self.user_password
        user = self.logins.get(named, "" if named in self.logins.values() else named)
        return user if known and user in self.shelves else None

    def _routed(self, user: str, request: Request) -> Reply:
        shelf = self.shelves[user]
        if request.path.startswith(OCS):
            return self._ocs(user, request)
        if request.path == BULK and self.bulk:
            with self._lock:
                return bulk(shelf, request)
        for base, answerer in ((FILES, files), (UPLOADS, uploads), (VERSIONS, versions)):
            if request.path.startswith(base):
                named, _, rest = request.path[len(base) :].partition("/")
                if named != user:
                    raise Refusal(403 if named in self.shelves else 404)
                return self._alone(answerer, shelf, user, composed(rest), request)
        raise Refusal(404)

    def _alone(
        self, answerer: Answerer, shelf: Shelf, user: str, names: tuple[str, ...], request: Request
    ) -> Reply:
        """Answer 423 to a PUT of a file that another request is writing."""
        mark = (user, str(answerer), *names)
        if request.method != "PUT":
            with self._lock:
                return answerer(shelf, user, names, request)
        with self._lock:
            if mark in self._locked:
                raise Refusal(423)
            self._locked.add(mark)
        try:
            time.sleep(self.slow)
            with self._lock:
                return answerer(shelf, user, names, request)
        finally:
            with self._lock:
                self._locked.discard(mark)

    def _ocs(self, user: str, request: Request) -> Reply:
        if request.headers.get("ocs-apirequest") != "true":
            raise Refusal(412)
        path = request.path[len(OCS) :]
        more = next((answer for start, answer in self.ocs.items() if path.startswith(start)), None)
        if more is not None:
            with self._lock:
                return more(user, request)
        if path == "/cloud/user":
            email = user if "@" in user else f"{user}@example.org"
            return self._data({"id": user, "email": email, "display-name": user.title()})
        if path == "/cloud/user/fields":
            return self._data(self.changeable)
        raise Refusal(404)

    def _data(self, data: object) -> Reply:
        text = json.dumps({"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": data}})
        return reply(200, text, kind="application/json; charset=utf-8")

    def _capabilities(self) -> Mapping[str, object]:
        windows = self.windows
        names: Mapping[str, object] = {
            "forbidden_filenames": sorted(FORBIDDEN),
            "forbidden_filename_basenames": sorted(WINDOWS_STEMS) if windows else [],
            "forbidden_filename_characters": ["\\", "/", *(WINDOWS_CHARACTERS if windows else "")],
            "forbidden_filename_extensions": [*((" ", ".") if windows else ()), *ENDINGS],
        }
        can = {
            "core": {"pollinterval": 60},
            "bruteforce": {
                "delay": 25_000 if self._wrong > WRONG_MOST else 0,
                "allow-listed": self.allow_listed,
            },
            "files": {"bigfilechunking": True, "versioning": self.versioning, **names},
            "dav": {"chunking": "1.0", **({"bulkupload": "1.0"} if self.bulk else {})},
            **{name: ability() for name, ability in self.abilities.items()},
        }
        version = {"major": 32, "minor": 0, "micro": 1, "string": "32.0.1"}
        return {"version": version, "capabilities": can}


class FilesHandler(Handler):
    """Read requests whose bodies may be chunked."""

    def serve(self) -> None:
        """Answer one request."""
        headers = httpx.Headers(list(self.headers.items()))
        body = self._body(headers)
        if body is None:
            self.close_connection = True
            return
        path = urlsplit(self.path).path
        request = Request(self.command, unquote(path, errors="surrogateescape"), headers, body, self.path)
        self._send(self.server.proxy.answer(request))

    def _body(self, headers: httpx.Headers) -> bytes | None:
        """Return the body; None when it breaks off.

        A body in Transfer-Encoding chunks is read, and none of it is used.
        """
        if "transfer-encoding" not in headers:
            length = int(headers.get("content-length", "0"))
            body = self.rfile.read(length)
            return body if len(body) == length else None
        while (size := int(self.rfile.readline().split(b";")[0], 16)) > 0:
            self.rfile.read(size + 2)
        self.rfile.readline()
        return b""

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = serve  # noqa: N815
    do_PROPFIND = do_PROPPATCH = do_MKCOL = do_MOVE = serve  # noqa: N815


def _pair(text: str) -> tuple[str, str]:
    try:
        named, _, secret = base64.b64decode(text).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return named, secret


def _unauthorized() -> Reply:
    answer = reply(401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="Nextcloud", charset="UTF-8"'
    return answer
