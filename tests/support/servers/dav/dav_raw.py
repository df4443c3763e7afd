"""A scripted HTTP server on loopback, for what a well-meaning one would never send."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Script = Callable[[str, bytes], Iterable[bytes]]
"""The request line and everything of the request -> raw bytes of the answer; the connection ends after it."""


def head(status: int = 207, *more: str, kind: str = "application/xml") -> bytes:
    lines = (f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", *more, "", "")
    return "\r\n".join(lines).encode()


def whole(body: str | bytes, status: int = 207, *more: str) -> Iterator[bytes]:
    data = body.encode() if isinstance(body, str) else body
    yield head(status, f"Content-Length: {len(data)}", *more) + data


@dataclass
class RawServer:
    script: Script
    requests: list[bytes] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _answer(self, line: socket.socket) -> None:
        with line:
            try:
                asked = _request(line)
                self.requests.append(asked)
                for part in self.script(asked.partition(b"\r\n")[0].decode(), asked):
                    line.sendall(part)
            except OSError:
                return


def _request(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = line.recv(65536)
        if not part:
            return data
        data += part
    lower = data.lower()
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    until = data.index(b"\r\n\r\n") + 4 + length
    while len(data) < until and (part := line.recv(65536)):
        data += part
    return data


@contextmanager
def raw(script: Script, context: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(script)
    if context is not None:
        server._listener = context.wrap_socket(
            server._listener, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.close()


SPACES = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:r="urn:ietf:params:xml:ns:carddav"'


def response(href: str, prop: str) -> str:
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{prop}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def multistatus(*responses: str) -> str:
    return f"<d:multistatus {SPACES}>{''.join(responses)}</d:multistatus>"


PRINCIPAL = response("/", "<d:current-user-principal><d:href>/p/anna/</d:href></d:current-user-principal>")
HOME = response(
    "/p/anna/",
    "<c:calendar-home-set><d:href>/cal/anna/</d:href></c:calendar-home-set>"
    "<r:addressbook-home-set><d:href>/cal/anna/</d:href></r:addressbook-home-set>"
    "<c:calendar-user-address-set><d:href>MAILTO:Anna@Example.org</d:href><d:href>urn:uuid:7</d:href>"
    "<d:href>/p/anna/</d:href></c:calendar-user-address-set>",
)
WORK = response("/cal/anna/work/", "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>")


def account(line: str, asked: bytes) -> str | None:
    """The answers of a plain account with one calendar, /cal/anna/work/; None for any other request."""
    if line.startswith(("PROPFIND /.well-known/", "PROPFIND / ")):
        return multistatus(PRINCIPAL)
    if line.startswith("PROPFIND /p/anna/"):
        return multistatus(HOME)
    if line.startswith("PROPFIND /cal/anna/ "):
        return multistatus(WORK)
    return multistatus() if line.startswith("OPTIONS") else None
