"""Run the plain verbs of WebDAV: the webdavclient3 library over our own HTTP client.

By itself the library (3.14.7) sends a HEAD before most verbs, prints the names of new folders, takes a 405
for a success, drops names made of dots from a path, sends Depth: 1 in a PROPPATCH, which WsgiDAV refuses,
sends nothing in place of what cannot be rewound, and puts the server's words into its errors. Therefore its
HTTP session is LibraryTransport: it sends one request to the intended path, and we read the answer ourselves.
Listings and bodies do not go through the library at all.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.http.client import HttpAnswer, HttpClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its source has an escape sequence that Python warns about
    from webdav3.client import Client, WebDavXmlUtils

logging.getLogger("webdav3.client").disabled = True


@dataclass(frozen=True, slots=True)
class LibraryResponse:
    """Hold what the library reads of requests.Response."""

    status_code: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class LibraryTransport:
    """Replace the library's requests.Session: send one request and keep its answer."""

    auth = None

    def __init__(self, http: HttpClient, path: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self._path = path
        self._headers = headers
        self.answer: HttpAnswer | None = None

    def request(
        self, method: str, url: str, *, data: object, headers: Mapping[str, str], **_ignored: object
    ) -> LibraryResponse:
        """Send one request.

        The library's own address, headers and certificate settings are ignored; those of the HTTP client
        count.

        Args:
            method: the HTTP method.
            url: ignored.
            data: the body: str or bytes; anything else is no body.
            headers: ignored.
            _ignored: further arguments of the library.

        Raises:
            Transient: the connection broke; the request may have been carried out.
            Blocked: "login-refused".
        """
        del url, headers
        body = data.encode() if isinstance(data, str) else data if isinstance(data, bytes) else b""
        self.answer = self._http.ask(method, self._path, self._headers, body)
        return LibraryResponse()


class WebdavLibrary:
    """Run MKCOL, MOVE, DELETE and PROPPATCH, each in one attempt.

    Each method raises what `HttpClient.ask` raises and returns the answer whatever its status.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def mkdir(self, path: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Create a folder with MKCOL.

        Args:
            path: the canonical path.
            headers: further headers.
        """
        return self._send("mkdir", path, headers or {})

    def move(
        self, path: str, to: str, *, overwrite: bool = False, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Move a file or folder with MOVE.

        Args:
            path: the canonical path.
            to: the canonical path of the destination.
            overwrite: True to replace what is there.
            headers: further headers.
        """
        destination = {"Destination": f"{self._http.origin}{to}", "Overwrite": "T" if overwrite else "F"}
        return self._send("move", path, {**(headers or {}), **destination})

    def delete(self, path: str, match: str = "", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Remove a file or folder with DELETE.

        Args:
            path: the canonical path.
            match: an ETag for If-Match; "" for none.
            headers: further headers.
        """
        return self._send("clean", path, {**(headers or {}), **({"If-Match": match} if match else {})})

    def set_property(self, path: str, name: str, value: str) -> HttpAnswer:
        """Set a property of the DAV: namespace with PROPPATCH.

        Args:
            path: the canonical path.
            name: the property's name without its namespace.
            value: the text.
        """
        option = {"namespace": "DAV:", "name": name, "value": value}
        body = WebDavXmlUtils.create_set_property_batch_request_content([option])
        kind = {"Content-Type": "application/xml; charset=utf-8"}
        return self._send("set_property", path, kind, body)

    def _send(self, action: str, path: str, headers: Mapping[str, str], body: object = None) -> HttpAnswer:
        client = Client({"webdav_hostname": str(self._http.origin), "disable_check": True})
        courier = LibraryTransport(self._http, path, headers)
        client.session = courier
        client.execute_request(action, path, body)
        if courier.answer is None:
            raise AssertionError("unreachable: the library sends one request")
        return courier.answer
