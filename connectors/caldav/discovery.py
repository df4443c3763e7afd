"""Run the caldav library over our own HTTP client, for discovery only.

The library sends the requests of discovery and reads the answers as trees. Listings and bodies go through
`connectors.http.multistatus`, which holds no tree.

By itself the library would follow redirects with our credentials, retry a refused login, sleep as long as a
server asks, and log a server's words. Therefore its HTTP session is LibraryTransport: redirects are followed
within the origin only, errors are raised before the library sees them, and input that is not XML never
reaches it.
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
# The library publishes its tree of features before the tree is filled, so one thread must ask for it first.
FeatureSet.feature_tree()

HOPS = 5
OWN = frozenset({"Depth", "Content-Type"})
MOST = 5000  # responses of one answer
Properties = Mapping[str, etree._Element]


@dataclass(frozen=True, slots=True)
class LibraryResponse:
    """Hold what the library reads of a response; the names are those of requests.Response."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """Hold one response.

    Attributes:
        path: its canonical path.
        properties: the properties that were found, by tag.
        untold: the tags of those that the server neither tells nor says to be missing.
    """

    path: str
    properties: Properties
    untold: frozenset[str] = frozenset()

    def text(self, tag: str) -> str:
        """Return a property's text, or ""."""
        element = self.properties.get(tag)
        return (element.text or "").strip() if element is not None else ""


@dataclass(frozen=True, slots=True)
class DiscoveryAnswer:
    """Hold an answer.

    Attributes:
        status: the HTTP status.
        landed: the path that answered, after redirects.
        resources: the resources of our origin only.
        said: the server's explanation of a refusal.
    """

    status: int
    landed: str
    resources: tuple[Resource, ...] = ()
    said: ServerWords = NOTHING

    def error(self) -> MigrationError:
        """Return the error for a refusal without a special meaning for the caller."""
        return status_error(self.status).quoting(self.said)


class LibraryTransport:
    """Replace the library's requests.Session: send one request within the origin."""

    def __init__(self, http: HttpClient, path: str, follow: bool) -> None:
        self._http = http
        self._follow = follow
        self.landed = path
        self.status = 0
        self.said = NOTHING

    def request(
        self, method: str, _url: str, *, data: bytes, headers: Mapping[str, str], **_ignored: object
    ) -> LibraryResponse:
        """Send one request, following redirects within the origin if allowed.

        The library's own name, proxies, certificates and credentials are ignored; those of the HTTP client
        count.

        Args:
            method: the HTTP method.
            _url: ignored.
            data: the body.
            headers: the library's headers; only Depth and Content-Type are used.
            _ignored: further arguments of the library.

        Raises:
            Transient, Blocked: as in `HttpClient.look`; also "redirected-elsewhere", "not-dav".
        """
        own = {name: value for name, value in headers.items() if name.title() in OWN}
        for _hop in range(HOPS):
            answer = self._http.look(method, self.landed, own, data)
            if answer.status not in REDIRECTS or not self._follow:
                break
            target = self._http.origin.path(answer.headers.get("location", ""), self.landed)
            if target is None or target == self.landed:
                break
            self.landed = target
        if answer.status in REDIRECTS:
            raise answer.error()
        self.status, self.said = answer.status, answer.words
        # The library makes an exception with the server's words of an error; it only gets what it can read.
        content = _check_multistatus(answer.body) if answer.status == 207 else b""
        return LibraryResponse(207 if content else 204, {"Content-Type": "text/xml"}, content)

    def close(self) -> None:
        """Do nothing: the HTTP client outlives this session."""


class CaldavLibrary:
    """Hold one caldav.DAVClient.

    Its attribute `said` holds the server's words of the latest refused PROPFIND.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self.said = NOTHING
        self._client = DAVClient(url=f"{http.origin}/", enable_rfc6764=False)

    def propfind(
        self, path: str, properties: Iterable[type[BaseElement]], depth: int = 0, *, follow: bool = False
    ) -> DiscoveryAnswer:
        """Send a PROPFIND and return its answer whatever the status.

        Args:
            path: the canonical path.
            properties: the properties to ask for.
            depth: 0 or 1.
            follow: True to follow redirects within the origin.

        Raises:
            Transient: "not-dav", and the retries are used up.
            Blocked: "login-refused", "redirected-elsewhere".
        """
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
                yield Resource(path, _properties_of(response), _untold(response))


def _check_multistatus(content: bytes) -> bytes:
    """Return the content when it is a multistatus without a DTD; raise Garbage otherwise."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, LookupError, ValueError):
        raise Garbage from None
    if root.tag != f"{DAV}multistatus" or root.getroottree().docinfo.internalDTD is not None:
        raise Garbage
    return content


def _properties_of(response: etree._Element) -> Properties:
    """Return the properties that were found, by tag."""
    return {
        element.tag: element
        for propstat in response.findall(f"{DAV}propstat")
        if " 200" in (propstat.findtext(f"{DAV}status") or " 200")
        for element in propstat.iterfind(f"{DAV}prop/*")
        if isinstance(element.tag, str)
    }


def _untold(response: etree._Element) -> frozenset[str]:
    """Return the tags of the properties whose status is neither 200 nor 404."""
    return frozenset(
        element.tag
        for propstat in response.findall(f"{DAV}propstat")
        if not any(code in (propstat.findtext(f"{DAV}status") or " 200") for code in (" 200", " 404"))
        for element in propstat.iterfind(f"{DAV}prop/*")
        if isinstance(element.tag, str)
    )
