"""A scripted EWS endpoint on loopback, for what a well-meaning server would never send."""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

from judges.scripted import hear

NAMESPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
    '<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1544" MinorBuildNumber="4"'
    ' Version="V2017_07_11" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/>'
    "</s:Header><s:Body>"
)
TAIL = "</s:Body></s:Envelope>"


@dataclass
class Request:
    operation: str
    xml: str
    number: int
    headers: dict[str, str]

    @property
    def ids(self) -> list[str]:
        return re.findall(r'<t:ItemId Id="([^"]*)"', self.xml)

    @property
    def mime(self) -> bool:
        return "IncludeMimeContent" in self.xml


@dataclass
class Answer:
    """cut: only so many bytes of the body are sent, then the connection ends. length: False leaves
    Content-Length out. stall: seconds before the answer."""

    body: str | bytes = ""
    status: int = 200
    kind: str = "text/xml; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: bool = True
    stall: float = 0


@dataclass
class Responder:
    url: str
    requests: list[Request]

    def of(self, operation: str) -> list[Request]:
        return [one for one in self.requests if one.operation == operation]


Script = Callable[[Request], Answer]


@contextmanager
def responder(script: Script) -> Iterator[Responder]:
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found = re.search(r"<s:Body><m:(\w+)", body)
            request = Request(found[1] if found else "token", body, len(seen), dict(self.headers))
            seen.append(request)
            if found:
                hear("POST", self.path, request.headers, body.encode())
            self._send(script(request))

        def _send(self, answer: Answer) -> None:
            time.sleep(answer.stall)
            data = answer.body.encode() if isinstance(answer.body, str) else answer.body
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.length:
                    self.send_header("Content-Length", str(len(data)))
                else:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(data if answer.cut is None else data[: answer.cut])
                if answer.cut is not None or not answer.length:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Responder(f"http://127.0.0.1:{server.server_port}/EWS/Exchange.asmx", seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def envelope(operation: str, *messages: str) -> str:
    inner = f"<m:ResponseMessages>{''.join(messages)}</m:ResponseMessages>"
    return f"{HEAD}<m:{operation}Response {NAMESPACES}>{inner}</m:{operation}Response>{TAIL}"


def message(operation: str, content: str) -> str:
    name = f"m:{operation}ResponseMessage"
    return f'<{name} ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{content}</{name}>'


def error(operation: str, code: str, values: dict[str, str] | None = None) -> str:
    name = f"m:{operation}ResponseMessage"
    xml = "".join(f'<t:Value Name="{key}">{value}</t:Value>' for key, value in (values or {}).items())
    return (
        f'<{name} ResponseClass="Error"><m:MessageText>secret words</m:MessageText>'
        f"<m:ResponseCode>{code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
        f"{f'<m:MessageXml>{xml}</m:MessageXml>' if xml else ''}<m:Items/></{name}>"
    )


def fault(code: str, values: dict[str, str] | None = None) -> Answer:
    xml = "".join(f'<t:Value Name="{key}">{value}</t:Value>' for key, value in (values or {}).items())
    return Answer(
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        '<faultcode xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">'
        f"a:{code}</faultcode><faultstring>secret words</faultstring><detail>"
        f'<e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">{code}'
        '</e:ResponseCode><t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
        f"{xml}</t:MessageXml></detail></s:Fault></s:Body></s:Envelope>",
        status=500,
    )


def item(id_: str, body: bytes | str | None, *, key: str = "K1", extra: str = "") -> str:
    """A GetItem ResponseMessage; body is the message's bytes, or base64 text as it is to stand."""
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    mime = "" if text is None else f'<t:MimeContent CharacterSet="UTF-8">{text}</t:MimeContent>'
    return message(
        "GetItem",
        f'<m:Items><t:Message>{mime}<t:ItemId Id="{escape(id_)}" ChangeKey="{key}"/>'
        f"<t:ItemClass>IPM.Note</t:ItemClass>{extra}</t:Message></m:Items>",
    )


def items(request: Request, bodies: dict[str, bytes]) -> Answer:
    """What a friendly server answers to GetItem."""
    parts = [
        item(one, bodies[one] if request.mime else None)
        if one in bodies
        else error("GetItem", "ErrorItemNotFound")
        for one in request.ids
    ]
    return Answer(envelope("GetItem", *parts))


def root_folder() -> Answer:
    folder = '<m:Folders><t:Folder><t:FolderId Id="ROOT" ChangeKey="R1"/></t:Folder></m:Folders>'
    return Answer(envelope("GetFolder", message("GetFolder", folder)))
