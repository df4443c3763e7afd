"""Read requests to the practice Graph, and write the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from practice.exchange.wire import BLOCK, Reply
from practice.graph.errors import GraphError

Json = dict[str, object]
JSON_TYPE = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)
_KEYED = re.compile(r"\('([^']*)'\)")
_LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Prefer:
    """Hold what the Prefer header asks for."""

    immutable: bool = False
    page: int | None = None
    zone: str | None = None
    body: str | None = None

    @classmethod
    def parse(cls, header: str) -> Prefer:
        """Return what a header asks for."""
        found: dict[str, str] = {}
        for part in header.split(","):
            name, _, value = part.partition("=")
            found[name.strip().lower()] = value.strip().strip('"')
        page = found.get("odata.maxpagesize", "")
        return cls(
            immutable=found.get("idtype", "").lower() == "immutableid",
            page=min(max(int(page), 1), _LARGEST_PAGE) if page.isdigit() else None,
            zone=found.get("outlook.timezone"),
            body=found.get("outlook.body-content-type"),
        )

    def applied(self) -> Mapping[str, str]:
        """Return the Preference-Applied header."""
        rows = (
            ('IdType="ImmutableId"', self.immutable),
            (f"odata.maxpagesize={self.page}", self.page),
            (f'outlook.timezone="{self.zone}"', self.zone),
            (f'outlook.body-content-type="{self.body}"', self.body),
        )
        granted = ", ".join(text for text, given in rows if given)
        return {"Preference-Applied": granted} if granted else {}


@dataclass(frozen=True, slots=True)
class Ask:
    """Hold one request, alone or part of a batch.

    Attributes:
        path: below the version, decoded.
        query: as it was given.
        base: where the service lies ("http://127.0.0.1:1/v1.0").
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str
    prefer: Prefer = field(default_factory=Prefer)

    @classmethod
    def of(cls, method: str, url: str, headers: Mapping[str, str], body: bytes, base: str) -> Ask:
        """Return a request. Keys in parentheses become segments of their own.

        Args:
            method: of HTTP.
            url: what follows the base, with its query.
            headers: with names in lower case.
            body: as it came.
            base: where the service lies.
        """
        path, _, query = url.partition("?")
        segments = _KEYED.sub(lambda match: f"/{match[1]}", path).strip("/").split("/")
        return cls(
            method.upper(),
            tuple(unquote(one) for one in segments),
            dict(parse_qsl(query, keep_blank_values=True)),
            headers,
            body,
            base,
            Prefer.parse(headers.get("prefer", "")),
        )

    def url(self) -> str:
        """Return the request's own address, without its query."""
        return "/".join((self.base, *self.path))


class HeldResponse(Response):
    """Send a response, and say when it was sent, or given up."""

    def __init__(self, response: Response, release: Callable[[], None]) -> None:
        super().__init__()
        self._response, self._release = response, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and release what is held."""
        try:
            await self._response(scope, receive, send)
        finally:
            self._release()


def json_reply(content: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer of JSON."""
    return Reply(200, JSON_TYPE, iter([json.dumps(content, ensure_ascii=False).encode()]), headers or {})


def refused(error: GraphError) -> Reply:
    """Return the answer of an error."""
    headers = {name: value for name, value in error.headers.items() if name != "WWW-Authenticate"}
    challenge = error.headers.get("WWW-Authenticate")
    body = json.dumps(error.body()).encode()
    return Reply(error.status, "application/json", iter([body]), headers, (challenge,) if challenge else ())


def streamed(stream: BinaryIO, content_type: str) -> Reply:
    """Return the bytes of a stream, in pieces; it is closed at their end."""

    def pieces() -> Iterator[bytes]:
        with stream:
            while piece := stream.read(BLOCK):
                yield piece

    return Reply(200, content_type, pieces())


def instant(moment: datetime | None) -> str | None:
    """Return an Edm.DateTimeOffset in UTC, to the second."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")


def rest_id(ews_id: str) -> str:
    """Return the form of an id that fits into an address."""
    return ews_id.replace("/", "-").replace("+", "_")


def ews_id(given: str) -> str:
    """Return the form of an id that EWS gives."""
    return given.replace("-", "/").replace("_", "+")
