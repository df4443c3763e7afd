"""The webdavclient3 library over our own HTTP client: the plain verbs of WebDAV.

Left to itself the library (3.14.7) asks a HEAD before most verbs, prints the names of new folders, takes a
405 for success, drops names made of dots from a path, says Depth: 1 in a PROPPATCH, which WsgiDAV refuses,
sends what cannot be rewound as nothing, and puts the server's words in its errors. So its HTTP session is
LibraryTransport: it sends one request to the path that was meant, and what came back is told by us. Listings
and bodies do not go through it at all.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.http.client import HttpAnswer, HttpClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its source has an escape that Python no longer knows
    from webdav3.client import Client, WebDavXmlUtils

logging.getLogger("webdav3.client").disabled = True


@dataclass(frozen=True, slots=True)
class LibraryResponse:
    """What the library looks at of requests.Response."""

    status_code: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class LibraryTransport:
    """Stands in for the library's requests.Session: one request, and its answer."""

    auth = None

    def __init__(self, http: HttpClient, path: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self._path = path
        self._headers = headers
        self.answer: HttpAnswer | None = None

    def request(
        self, method: str, url: str, *, data: object, headers: Mapping[str, str], **_ignored: object
    ) -> LibraryResponse:
        """Sends one request. Ignores the library's own address, headers and trust: those of the HTTP client
        count."""
        del url, headers
        body = data.encode() if isinstance(data, str) else data if isinstance(data, bytes) else b""
        self.answer = self._http.ask(method, self._path, self._headers, body)
        return LibraryResponse()


class WebdavLibrary:
    """MKCOL, MOVE, DELETE, PROPPATCH; each is one attempt. Raises what HttpClient.ask raises."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def mkdir(self, path: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self._sent("mkdir", path, headers or {})

    def move(
        self, path: str, to: str, *, overwrite: bool = False, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        where = {"Destination": f"{self._http.origin}{to}", "Overwrite": "T" if overwrite else "F"}
        return self._sent("move", path, {**(headers or {}), **where})

    def delete(self, path: str, match: str = "", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self._sent("clean", path, {**(headers or {}), **({"If-Match": match} if match else {})})

    def set_property(self, path: str, name: str, value: str) -> HttpAnswer:
        """A property of the DAV: namespace."""
        option = {"namespace": "DAV:", "name": name, "value": value}
        body = WebDavXmlUtils.create_set_property_batch_request_content([option])
        kind = {"Content-Type": "application/xml; charset=utf-8"}
        return self._sent("set_property", path, kind, body)

    def _sent(self, action: str, path: str, headers: Mapping[str, str], body: object = None) -> HttpAnswer:
        client = Client({"webdav_hostname": str(self._http.origin), "disable_check": True})
        courier = LibraryTransport(self._http, path, headers)
        client.session = courier
        client.execute_request(action, path, body)
        if courier.answer is None:
            raise AssertionError("unreachable: the library sends one request")
        return courier.answer
