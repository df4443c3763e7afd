"""Provide what answering one Graph request needs: whose mailbox, by which app, and what was asked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from practice.exchange.wire import Reply
from practice.graph.errors import GraphError, malformed_id, no_mailbox, not_found
from practice.graph.query import Query
from practice.graph.tokens import App
from practice.graph.wire import Ask, Json, ews_id, json_reply, rest_id
from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.world import World


@dataclass(frozen=True, slots=True)
class Context:
    """Hold one request.

    Attributes:
        mailbox: None where the address names no user.
        names: what the route's pattern caught.
        unconvertible: whether the server makes no MIME of the item, ever.
        steps: tasks have steps and links.
        lists_days: a series says which of its days were changed and deleted.
        variant: which rendering of its MIME an item has.
    """

    world: World
    app: App
    ask: Ask
    query: Query
    mailbox: Mailbox | None
    names: Mapping[str, str]
    unconvertible: Callable[[Message], bool] = lambda _: False
    steps: bool = False
    lists_days: bool = True
    variant: int = 0

    @property
    def box(self) -> Mailbox:
        """Return the mailbox.

        Raises:
            GraphError: there is none.
        """
        if self.mailbox is None:
            raise no_mailbox()
        return self.mailbox

    def item_id(self, item: Message) -> str:
        """Return the kind of id that the request prefers."""
        return rest_id(item.immutable_id if self.ask.prefer.immutable else item.id)

    def gone_id(self, folder: Folder, number: int) -> str:
        """Return the id that an item had in this folder, which is no longer there."""
        if not self.ask.prefer.immutable:
            return rest_id(self.box.ids.item(folder.number, number))
        return rest_id(self.box.ids.immutable(*folder.came.get(number, (folder.number, number))))

    def item(self, given: str) -> Message:
        """Return an item by either kind of id, whatever the request prefers.

        Raises:
            GraphError: there is none.
        """
        return find_item(self.box, given)

    def folder(self, given: str) -> Folder:
        """Return a folder by id.

        Raises:
            GraphError: there is none.
        """
        try:
            return self.box.folder(ews_id(given))
        except KeyError:
            raise _unknown(given) from None

    def say(self, content: Json) -> Reply:
        """Return an answer of JSON."""
        return json_reply(content, headers=self.ask.prefer.applied())


@dataclass(frozen=True, slots=True)
class Route:
    """Describe what one address answers.

    Attributes:
        pattern: segments divided by "/", of which "{name}" catches one.
        operation: what requests are counted by.
        needs: the permissions of which one must be given.
        item: the name of the segment that is an item.
        directory: True if no mailbox is asked.
    """

    pattern: str
    operation: str
    needs: frozenset[str]
    answer: Callable[[Context], Reply]
    item: str | None = None
    directory: bool = False
    method: str = "GET"

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the pattern's segments."""
        return tuple(self.pattern.split("/"))

    def caught(self, method: str, path: tuple[str, ...]) -> Mapping[str, str] | None:
        """Return what the pattern's names stand for; None for another address."""
        segments = self.segments
        if method != self.method or len(segments) != len(path):
            return None
        names: dict[str, str] = {}
        for wanted, given in zip(segments, path, strict=True):
            if wanted.startswith("{"):
                names[wanted[1:-1]] = given
            elif wanted.lower() != given.lower():
                return None
        return names


def best(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes in an order in which the first that fits is meant: words before names."""
    return tuple(sorted(routes, key=lambda route: [one.startswith("{") for one in route.segments]))


def find_item(mailbox: Mailbox, given: str) -> Message:
    """Return an item by either kind of id.

    Raises:
        GraphError: there is none.
    """
    wanted = ews_id(given)
    try:
        if mailbox.ids.read_immutable(wanted) is not None:
            return mailbox.item_for_ever(wanted)
        return mailbox.item(wanted)
    except KeyError:
        raise _unknown(given) from None


def _unknown(given: str) -> GraphError:
    """Return the error of an id that names nothing, or is none at all."""
    try:
        base64.b64decode(ews_id(given), validate=True)
    except (binascii.Error, ValueError):
        return malformed_id()
    return not_found() if len(given) > 32 else malformed_id()
