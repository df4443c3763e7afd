"""The caldav library over our own HTTP client. The library sends the requests of discovery and reads the
answers as trees.
Listings and bodies go through connectors.http.multistatus, which holds no tree.

Left to itself the library would follow redirects with our credentials, try a refused login again, sleep as
long as a server asks, and log a server's words. So its HTTP session is Courier: redirects are taken within
the origin only, errors are told before the library sees them, and what is no XML never reaches it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from caldav.compatibility_hints import FeatureSet
from caldav.davclient import DAVClient
from caldav.elements.base import BaseElement
from lxml import etree

from connectors.caldav.xml_elements import DAV, propfind
from connectors.http.client import HttpClient
from connectors.http.dav_errors import REDIRECTS, status_error
from connectors.http.multistatus import Garbage
from model.errors import MigrationError
from model.server_words import NOTHING, ServerWords

# It logs addresses, names and whole answers, some of them as warnings.
logging.getLogger("caldav").disabled = True
# It publishes its tree of features before the tree is filled, so no two threads may ask for it first.
FeatureSet.feature_tree()

HOPS = 5
OWN = frozenset({"Depth", "Content-Type"})
MOST = 5000  # responses of one answer
Properties = Mapping[str, etree._Element]


@dataclass(frozen=True, slots=True)
class LibraryResponse:
    """What the library makes a response from; the names are those of requests.Response."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One response: its canonical path, and the properties that were found, by tag."""

    path: str
    properties: Properties

    def text(self, tag: str) -> str:
        found = self.properties.get(tag)
        return (found.text or "").strip() if found is not None else ""


@dataclass(frozen=True, slots=True)
class DiscoveryAnswer:
    """An answer. landed: the path that gave it, after redirects. resources: those of our origin only. said:
    of a refusal."""

    status: int
    landed: str
    resources: tuple[Resource, ...] = ()
    said: ServerWords = NOTHING

    def error(self) -> MigrationError:
        """For a refusal that no caller has a meaning of its own for."""
        return status_error(self.status).said(self.said)


class LibraryTransport:
    """Stands in for the library's requests.Session: one request, within the origin."""

    def __init__(self, http: HttpClient, path: str, follow: bool) -> None:
        self._http = http
        self._follow = follow
        self.landed = path
        self.status = 0
        self.said = NOTHING

    def request(
        self, method: str, _url: str, *, data: bytes, headers: Mapping[str, str], **_ignored: object
    ) -> LibraryResponse:
        """Sends one request. Ignores the library's own name, proxies, trust and credentials: those of the
        HTTP client count."""
        own = {name: value for name, value in headers.items() if name.title() in OWN}
        for _hop in range(HOPS):
            answer = self._http.look(method, self.landed, own, data)
            if answer.status not in REDIRECTS or not self._follow:
                break
            there = self._http.origin.path(answer.headers.get("location", ""), self.landed)
            if there is None or there == self.landed:
                break
            self.landed = there
        if answer.status in REDIRECTS:
            raise answer.error()
        self.status, self.said = answer.status, answer.words
        # Of an error the library makes an exception with the server's words; it only gets what it can read.
        content = _checked(answer.body) if answer.status == 207 else b""
        return LibraryResponse(207 if content else 204, {"Content-Type": "text/xml"}, content)

    def close(self) -> None:
        """The HTTP client outlives this session."""


class CaldavLibrary:
    """One caldav.DAVClient. said: with the newest refusal of a PROPFIND."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self.said = NOTHING
        self._client = DAVClient(url=f"{http.origin}/", enable_rfc6764=False)

    def propfind(
        self, path: str, properties: Iterable[type[BaseElement]], depth: int = 0, *, follow: bool = False
    ) -> DiscoveryAnswer:
        """Raises Transient, Blocked("login-refused", "redirected-elsewhere"); any other status is told."""
        courier = LibraryTransport(self._http, path, follow)
        self._client.session = courier
        body = propfind(properties).decode()
        headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        response = self._client.request(f"{self._http.origin}{path}", "PROPFIND", body, headers)
        if courier.status != 207:
            self.said = courier.said
            return DiscoveryAnswer(courier.status, courier.landed, said=courier.said)
        if response.tree is None:
            raise Garbage
        return DiscoveryAnswer(207, courier.landed, tuple(self._resources(response.tree, courier.landed)))

    def _resources(self, root: etree._Element, landed: str) -> Iterable[Resource]:
        for response in root.findall(f"{DAV}response")[:MOST]:
            path = self._http.origin.path(response.findtext(f"{DAV}href") or "", landed)
            if path is not None:
                yield Resource(path, _found(response))


def _checked(content: bytes) -> bytes:
    """content, when it is a multistatus without a DTD; raises Garbage."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, LookupError, ValueError):
        raise Garbage from None
    if root.tag != f"{DAV}multistatus" or root.getroottree().docinfo.internalDTD is not None:
        raise Garbage
    return content


def _found(response: etree._Element) -> Properties:
    return {
        one.tag: one
        for propstat in response.findall(f"{DAV}propstat")
        if " 200" in (propstat.findtext(f"{DAV}status") or " 200")
        for one in propstat.iterfind(f"{DAV}prop/*")
        if isinstance(one.tag, str)
    }
