"""Answer the HTTP of the practice Graph: routes, tokens, limits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute

from practice.exchange.wire import Reply
from practice.graph.batch import answered
from practice.graph.context import Context, Route, best
from practice.graph.errors import (
    GraphError,
    bad_request,
    denied,
    forbidden,
    no_mailbox,
    no_such_resource,
    no_such_user,
)
from practice.graph.folders import ROUTES as FOLDERS
from practice.graph.limits import Gauge, Key
from practice.graph.query import parse
from practice.graph.settings import ROUTES as SETTINGS
from practice.graph.tokens import App, Entra, Refused, bearer
from practice.graph.users import ROUTES as USERS
from practice.graph.users import find_user
from practice.graph.wire import Ask, HeldResponse, refused
from practice.graph_items.calendar import ROUTES as CALENDARS
from practice.graph_items.calendar_rights import ROUTES as CALENDAR_RIGHTS
from practice.graph_items.contacts import ROUTES as CONTACTS
from practice.graph_items.messages import ROUTES as MESSAGES
from practice.graph_items.todo import ROUTES as TASKS
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.world import World

VERSION = "/v1.0"
_TENANT = "/{tenant}/oauth2/v2.0/token"
_DISCOVERY = "/{tenant}/v2.0/.well-known/openid-configuration"
_PLAIN_DISCOVERY = "/{tenant}/.well-known/openid-configuration"


class Service(Protocol):
    """Provide what else lies below /v1.0, as files do."""

    @property
    def routes(self) -> Sequence[Route]:
        """Return the addresses below /v1.0."""

    @property
    def web(self) -> Sequence[WebRoute]:
        """Return addresses elsewhere, for which no token is asked."""


class Graph:
    """Answer requests from the world.

    Attributes:
        requests: counts them by operation, those that fail included.
        agents: counts them by the client's User-Agent.
        on_premises: addresses of users whose mailbox is elsewhere.
        unconvertible, steps, lists_days: see GraphServer.
    """

    def __init__(
        self,
        world: World,
        entra: Entra,
        gauge: Gauge,
        services: Sequence[Service] = (),
        unconvertible: Callable[[Message], bool] = lambda _: False,
    ) -> None:
        self.world = world
        self.entra = entra
        self.gauge = gauge
        self.unconvertible = unconvertible
        self.on_premises: set[str] = set()
        self.steps = False
        self.lists_days = True
        self.requests: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self._services = services
        more = [route for service in services for route in service.routes]
        self._routes = best(
            (*USERS, *FOLDERS, *MESSAGES, *CALENDARS, *CALENDAR_RIGHTS, *CONTACTS, *TASKS, *SETTINGS, *more)
        )
        self._count = threading.Lock()

    def app(self) -> Starlette:
        """Return the application that answers."""
        methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
        routes = [WebRoute(VERSION + "/{path:path}", self._graph, methods=methods)]
        routes += [
            WebRoute(_TENANT, self._token, methods=["POST"]),
            WebRoute(_DISCOVERY, self._discovery, methods=["GET"]),
            WebRoute(_PLAIN_DISCOVERY, self._discovery, methods=["GET"]),
        ]
        return Starlette(routes=[*(one for service in self._services for one in service.web), *routes])

    async def _graph(self, request: Request) -> Response:
        body = await request.body()
        held: list[Key] = []
        reply = await run_in_threadpool(self._answer, request, body, held)

        def release() -> None:
            for key in held:
                self.gauge.leave(key)

        return HeldResponse(reply.response(), release)

    def _answer(self, request: Request, body: bytes, held: list[Key]) -> Reply:
        raw = request.scope["raw_path"].decode("ascii").partition("?")[0].removeprefix(VERSION)
        query = request.scope["query_string"].decode("ascii")
        base = f"{request.url.scheme}://{request.url.netloc}{VERSION}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._tally(headers.get("user-agent", ""), self.agents)
        ask = Ask.of(request.method, f"{raw}?{query}" if query else raw, headers, body, base)
        try:
            if ask.path != ("$batch",):
                return self.answer(ask, held)
            self._tally("Batch")
            app = self.entra.app_of(bearer(headers))
            return self.batched(ask, app)
        except GraphError as error:
            return refused(error)

    def batched(self, ask: Ask, app: App) -> Reply:  # noqa: ARG002
        """Return the reply to a batch of an app."""
        return answered(ask, self.wave)

    def wave(self, asks: list[Ask]) -> list[Reply]:
        """Answer requests that arrive at the same time: each takes its place before any is answered."""
        held: list[Key] = []
        try:
            return [self.answer(ask, held) for ask in asks]
        finally:
            for key in held:
                self.gauge.leave(key)

    def answer(self, ask: Ask, held: list[Key]) -> Reply:
        """Return the reply to one request.

        Args:
            ask: the request.
            held: gains the place that it takes, which the caller gives back.
        """
        try:
            return self._authenticated(ask, self.entra.app_of(bearer(ask.headers)), held)
        except GraphError as error:
            if error.status == 401:
                self._tally("unauthorized")
            return refused(error)

    def _authenticated(self, ask: Ask, app: App, held: list[Key]) -> Reply:
        if ask.path[0].lower() == "me":
            raise bad_request("/me request is only valid with delegated authentication flow.")
        route, names = self._route(ask)
        self._tally(route.operation)
        mailbox = self._mailbox(route, names.get("user"))
        address = mailbox.address if mailbox else None
        if not app.may(route.needs, address):
            raise forbidden() if route.directory else denied()
        if address is not None:
            key = (app.client_id, address)
            self.gauge.enter(key)
            held.append(key)
        unconvertible, steps, days = self.unconvertible, self.steps, self.lists_days
        context = Context(self.world, app, ask, parse(ask), mailbox, names, unconvertible, steps, days)
        return self.replied(context, route)

    def replied(self, context: Context, route: Route) -> Reply:
        """Return what a route answers."""
        with self.world.lock:
            return route.answer(context)

    def _route(self, ask: Ask) -> tuple[Route, dict[str, str]]:
        for route in self._routes:
            names = route.caught(ask.method, ask.path)
            if names is not None:
                return route, dict(names)
        if any(route.caught(route.method, ask.path) is not None for route in self._routes):
            raise GraphError(405, "MethodNotAllowed", "The practice Graph is only read.")
        raise no_such_resource(ask.path[-1])

    def _mailbox(self, route: Route, user: str | None) -> Mailbox | None:
        if user is None or route.directory:
            return None
        try:
            person = find_user(self.world.people, user)
        except KeyError:
            raise no_such_user(user) from None
        if person.address in self.on_premises:
            raise no_mailbox()
        return self.world.mailbox(person.address)

    def _tally(self, what: str, where: Counter[str] | None = None) -> None:
        with self._count:
            counter = self.requests if where is None else where
            counter[what] += 1

    def _authority(self, request: Request) -> str:
        return f"{request.url.scheme}://{request.url.netloc}/{request.path_params['tenant']}"

    async def _discovery(self, request: Request) -> Response:
        self._tally("discovery")
        if not self._knows(request):
            return JSONResponse({"error": "invalid_tenant"}, 400)
        return JSONResponse(dict(self.entra.discovery(self._authority(request))))

    async def _token(self, request: Request) -> Response:
        self._tally("token")
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            if not self._knows(request):
                raise Refused(400, "invalid_request", 90002, "Tenant not found.")
            return JSONResponse(dict(self.entra.grant(form, f"{self._authority(request)}/oauth2/v2.0/token")))
        except Refused as refusal:
            return JSONResponse(dict(refusal.body), refusal.status)

    def _knows(self, request: Request) -> bool:
        return bool(request.path_params["tenant"] in (self.entra.tenant, "practice.example"))
