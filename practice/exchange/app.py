"""Answer the HTTP of the practice Exchange: routes, authentication, dispatch."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from practice.exchange.auth import (
    BASIC_REALM,
    Caller,
    Gatekeeper,
    Tokens,
    Unauthorized,
    open_session,
)
from practice.exchange.configurations import get_configuration
from practice.exchange.context import Context, Known, Limits
from practice.exchange.directory import (
    get_delegate,
    get_inbox_rules,
    get_reply,
    resolve_names,
)
from practice.exchange.folders import find_folder, get_folder
from practice.exchange.items import find_item, get_attachment, get_item
from practice.exchange.people import convert_id, expand_dl
from practice.exchange.soap import Call, Dialect, SoapFault, parse_call
from practice.exchange.sync import sync_folder_items
from practice.exchange.wire import Reply
from practice.world.world import World

EWS_PATH = "/EWS/Exchange.asmx"
CHOKED = b"<html><body>Bad Request</body></html>"
TOKEN_PATHS = ("/token", "/{tenant}/oauth2/v2.0/token")
Operation = Callable[[Context, Call], Iterator[bytes]]

# Answered as a list of response messages
_WRAPPED: dict[str, Operation] = {
    "GetFolder": get_folder,
    "FindFolder": find_folder,
    "FindItem": find_item,
    "GetAttachment": get_attachment,
    "SyncFolderItems": sync_folder_items,
    "ResolveNames": resolve_names,
    "ConvertId": convert_id,
    "ExpandDL": expand_dl,
    "GetUserConfiguration": get_configuration,
}
# Answered by an element of their own
_BARE: dict[str, Operation] = {
    "GetInboxRules": get_inbox_rules,
    "GetUserOofSettingsRequest": get_reply,
    "GetDelegate": get_delegate,
}


class Exchange:
    """Answer requests from the world.

    Attributes:
        requests: counts them by operation, those that fail included.
    """

    def __init__(self, world: World, dialect: Dialect, limits: Limits, token_seconds: int) -> None:
        self.world = world
        self.dialect = dialect
        self.limits = limits
        self.requests: Counter[str] = Counter()
        self.tokens = Tokens(token_seconds)
        self.gatekeeper = Gatekeeper(world, self.tokens, bearer=dialect.bearer)
        self._known = Known()
        self._choked: set[bytes] = set()
        self._count = threading.Lock()

    def app(self) -> Starlette:
        """Return the application that answers."""
        routes = [Route(EWS_PATH, self._ews, methods=["GET", "POST"])]
        routes += [Route(path, self._token, methods=["POST"]) for path in TOKEN_PATHS]
        return Starlette(routes=routes)

    async def _ews(self, request: Request) -> Response:
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        return (await run_in_threadpool(self.answer, headers, body)).response()

    def answer(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the reply to one request; the pieces of a GetItem are made while they are sent."""
        if self._chokes(body):
            return Reply(400, "text/html", iter([CHOKED]))
        try:
            with self.world.lock:
                caller = self.gatekeeper.authenticate(headers)
            return self._authenticated(caller, body)
        except Unauthorized as refusal:
            self._tally("unauthorized")
            return _refusal(refusal)
        except SoapFault as fault:
            return self._fault(fault)

    def _chokes(self, body: bytes) -> bool:
        """Return whether this request is too large, as long as it was not sent before."""
        most = self.dialect.habits.chokes_at
        if most is None or len(body) < most or body in self._choked:
            return False
        self._choked.add(body)
        self._tally("choked")
        return True

    def _authenticated(self, caller: Caller, body: bytes) -> Reply:
        call = parse_call(body)
        self._tally(plain_name(call))
        with self.world.lock:
            session = open_session(self.world, caller, call)
            if session.own is not None:
                self._known.add(session.own)
        context = Context(self.world, session, self._known, self.dialect, self.limits)
        return self.replied(caller, context, call)

    def replied(self, caller: Caller, context: Context, call: Call) -> Reply:  # noqa: ARG002
        """Return the reply to a call of whoever may ask."""
        return Reply(200, self.dialect.content_type, self.pieces(context, call))

    def pieces(self, context: Context, call: Call) -> Iterator[bytes]:
        """Return the pieces of an answer.

        Everything but GetItem is answered under one hold of the lock: one moment of the world.
        """
        name = call.operation
        if name == "GetItem":
            return self.dialect.envelope(name, get_item(context, call))
        operation = _WRAPPED.get(name) or _BARE.get(name)
        if operation is None:
            raise self._unknown(name)
        with self.world.lock:
            pieces = list(operation(context, call))
        return self.dialect.envelope(name, pieces) if name in _WRAPPED else iter(pieces)

    def _unknown(self, name: str) -> SoapFault:
        if self.dialect.name == "gromox":
            return SoapFault("ErrorInvalidOperation", f"Unknown request '{name}'.")
        return SoapFault("ErrorInvalidOperation", "The requested operation is not available here.")

    def _fault(self, fault: SoapFault) -> Reply:
        return Reply(fault.status, self.dialect.content_type, iter([self.dialect.fault(fault)]))

    def _tally(self, operation: str) -> None:
        with self._count:
            self.requests[operation] += 1

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        form.update(_client(request.headers.get("authorization", "")))
        self._tally("token")
        try:
            if not self.dialect.bearer or form.get("grant_type") != "client_credentials":
                return _json(400, {"error": "unsupported_grant_type"})
            token = self.gatekeeper.grant(form)
        except Unauthorized:
            return _json(401, {"error": "invalid_client"})
        return _json(200, {"token_type": "Bearer", "expires_in": self.tokens.seconds, "access_token": token})


def plain_name(call: Call) -> str:
    """Return the operation's name; one request's element has another name."""
    return call.operation.removesuffix("Request")


def _client(authorization: str) -> dict[str, str]:
    """Client id and secret from HTTP Basic (RFC 6749, 2.3.1)."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": name, "client_secret": secret}


def _refusal(refusal: Unauthorized) -> Reply:
    challenges = refusal.challenges or (BASIC_REALM,)
    return Reply(
        401, "text/html", iter([b"<html><body>401 - Unauthorized</body></html>"]), challenges=challenges
    )


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(json.dumps(content), status, media_type="application/json")
