"""A scripted Microsoft Graph in place of the network, for what a well-meaning server would never send."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import parse_qs, parse_qsl, unquote

import httpx
import urllib3
from judges.scripted import hear

from connectors.graph.source import GraphSource
from connectors.http.hrefs import Origin
from connectors.http.transport import Send
from connectors.settings import Account
from model.kinds import Kind
from model.protocols import Container, Role

ACCOUNT = Account(login="anna@example.org", address="anna@example.org")
HOME = "/users/anna@example.org"
INBOX = Container(Kind.MAIL, "F1", ("Inbox",), Role.INBOX)
ORIGIN = "https://graph.example.org"
Open = Callable[..., GraphSource]
"""Opens a source of a Cloud or a practice server, with these settings changed."""


@dataclass(frozen=True)
class Ask:
    """One request, alone or part of a batch. path: below /v1.0, decoded."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    batched: bool


@dataclass(frozen=True)
class Answer:
    """json: the body, unless data gives its bytes. error: a code, in Graph's shape."""

    json: object = None
    data: bytes | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.data if self.data is not None else json.dumps(self.json).encode()


def error(code: str, status: int, **headers: str) -> Answer:
    message = "Anna Angst cannot be reached"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        {"error": {"code": code, "message": message, "innerError": {}}}, status=status, headers=sent
    )


Script = Callable[[Ask], Answer]


def scripted(respond: Callable[[httpx.Request], httpx.Response]) -> Send:
    """What takes the place of the network: `respond` answers each request."""

    def send(
        origin: Origin, method: str, target: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.BaseHTTPResponse:
        content = body if isinstance(body, bytes) else body.read()
        answer = respond(httpx.Request(method, f"{origin}{target}", headers=dict(headers), content=content))
        stream = io.BytesIO(answer.content)
        return urllib3.HTTPResponse(
            stream, dict(answer.headers), answer.status_code, preload_content=False, decode_content=False
        )

    return send


class Cloud:
    """Answers by script, and remembers. outer: answers to whole batches, where it gives one; token: answers
    of the token endpoint."""

    def __init__(
        self,
        script: Script,
        *,
        outer: Callable[[int, list[Ask]], Answer | None] = lambda *_: None,
        token: Callable[[Mapping[str, str]], Answer] | None = None,
    ) -> None:
        self.script = script
        self.outer = outer
        self.token = token
        self.asks: list[Ask] = []
        self.batches: list[list[Ask]] = []
        self.forms: list[dict[str, str]] = []
        self.sent: list[httpx.Request] = []

    @property
    def network(self) -> Send:
        return scripted(self._answer)

    def paths(self) -> list[str]:
        return [ask.path for ask in self.asks]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        hear(request.method, request.url.raw_path.decode(), request.headers, request.content)
        if request.url.path.endswith("/oauth2/v2.0/token"):
            answer = self._token(request.content.decode())
        elif request.url.path.endswith("/$batch"):
            answer = self._batch(json.loads(request.content)["requests"])
        else:
            url = request.url.raw_path.decode().removeprefix("/v1.0")
            answer = self._part(url, dict(request.headers), batched=False)
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content)

    def _token(self, text: str) -> Answer:
        self.forms.append({name: values[0] for name, values in parse_qs(text).items()})
        if self.token is not None:
            return self.token(self.forms[-1])
        return token(f"token-{len(self.forms)}")

    def _part(self, url: str, headers: Mapping[str, str], *, batched: bool) -> Answer:
        path, _, query = url.partition("?")
        ask = Ask(unquote(path), dict(parse_qsl(query)), headers, batched)
        self.asks.append(ask)
        return self.script(ask)

    def _batch(self, requests: list[dict[str, Any]]) -> Answer:
        parts = []
        asks = []
        for part in requests:
            headers = {name.lower(): value for name, value in part["headers"].items()}
            path, _, query = part["url"].partition("?")
            asks.append(Ask(unquote(path), dict(parse_qsl(query)), headers, True))
        self.batches.append(asks)
        whole = self.outer(len(self.batches), asks)
        if whole is not None:
            return whole
        for part in requests:
            answer = self._part(part["url"], {k.lower(): v for k, v in part["headers"].items()}, batched=True)
            body = answer.json if answer.data is None else base64.b64encode(answer.data).decode()
            row = {"id": part["id"], "status": answer.status, "headers": dict(answer.headers), "body": body}
            parts.append(row)
        return Answer({"responses": parts[::-1]})  # in any order


def token(text: str, seconds: int = 3600) -> Answer:
    return Answer({"token_type": "Bearer", "access_token": text, "expires_in": seconds})


def message(id_: str, **changes: object) -> dict[str, object]:
    """A message as its properties come."""
    tags = {"String 0x1a": "IPM.Note", "Integer 0xe08": str(changes.pop("size", 500))}
    return {
        "id": id_,
        "@odata.etag": f'W/"CK-{id_}"',
        "changeKey": f"CK-{id_}",
        "isRead": False,
        "isDraft": False,
        "parentFolderId": "F1",
        "importance": "normal",
        "receivedDateTime": "2024-02-03T04:05:06Z",
        "singleValueExtendedProperties": [{"id": k, "value": v} for k, v in tags.items()],
        **changes,
    }
