"""Describe what one DAV product does that no request reveals, as data: one small file per product.

Core code asks the facts only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.http.rate_limit import RateLimit
from model.event_habits import PLAIN_EVENTS, EventHabits
from model.kept_fields import WHOLE_CARDS, WHOLE_TASKS, CardLimits, TaskLimits
from model.kinds import Kind

Headers = Mapping[str, str]
Silence = Literal["never-sends", "measured", "unproven"]


@dataclass(frozen=True, slots=True)
class ProductSign:
    """Describe how a server shows that it is the product that was measured.

    Attributes:
        features: words of its DAV header that no other product has.
        server: how its Server header begins; "" where that tells nothing.
        oldest: the first major version that is accepted; 0: any.
        status: the path that states the version as JSON, relative to `service`.
        service: the part of a path that marks the service's root.
        editable: the path, relative to `service`, that lists what people may change of their own profile
            (OCS); "" for none.
    """

    features: frozenset[str] = frozenset()
    server: str = ""
    oldest: int = 0
    status: str = ""
    service: str = ""
    editable: str = ""

    def beside(self, path: str, other: str) -> str:
        """Return the path of a resource relative to the service's root.

        Args:
            path: a path of the server, such as the principal's.
            other: the path to add, such as `status`.

        Returns:
            `other` below what comes before `service` in `path`; `other` alone where `path` has no `service`.
        """
        before, below, _ = path.partition(self.service)
        return (before if below else "") + other


@dataclass(frozen=True, slots=True)
class Profile:
    """Describe one product.

    Attributes:
        name: the product's name.
        silence: see `model.optional_protocols.Schedules`, for a server that is this product.
        tell: how a server shows that it is this product; measurements count for no other product.
        gathers: seconds for which the server may hold notifications back before it sends them.
        put: headers of every PUT that keep the server from mailing anybody.
        delete: the same for every DELETE.
        writers: how many requests may write to one account at a time.
        calendar: last path segment of the user's default calendar; "" for none.
        tasks: the same for tasks.
        contacts: the same for contacts.
        numbered: kinds whose collections have numbers for names, and whose default has the number right
            before that of the default task list, or the lowest of all; no path and no property tell it.
        artefacts: beginnings of the titles of what a new account holds.
        hidden: beginnings of the segments of collections that the server fills by itself.
        files: path, relative to `tell.service`, of the folder of an account's files, whose id changes with
            the account; "" for none. {user} is the principal's own name.
        self_stated: True if people may change the addresses that the server states.
        uid_scope: where a UID is unique: in one collection, or in the account.
        uid_conflict: by status of a refused PUT, the words of its body that mean that the UID is taken; an
            empty tuple: any body may mean it.
        finds_uid: True if a calendar-query for a UID sees every object; else all objects are read.
        gives_to_uid: True if GET of <UID>.ics finds the object of a UID in a collection, whatever its name.
        named_by_uid: kinds of which every object is stored as <UID>.ics, whatever name the PUT had.
        listed_partly: kinds of which every listing leaves out objects, such as events of other years.
        may_drop: kinds of which a PUT may be 201 though nothing was stored.
        hides: kinds of which the server may hold items that DAV never shows, such as distribution lists, so
            that no collection is known to be empty.
        shares_events: kinds of which one object is everybody's who is invited, wherever it shows.
        paged: True if a PROPFIND of too many objects is 400, and sync-collection gives them in pages.
        unique_titles: True if a new collection with a sibling's display name is 403.
        adds_with_bind: True if a collection that states no DAV:bind is nobody's own, such as the list of all
            users.
        sequence_rises: True if a PUT whose SEQUENCE is below the stored one is 409, and the server raises the
            number by itself.
        needs_if_match: True if a PUT without If-Match onto an existing object is 409, so that 409 must be
            examined.
        trash: path below the calendar home of deleted objects whose UIDs stay taken; "" for none.
        trash_refusals: statuses of a PUT whose UID is in the trash.
        collections_full: statuses that refuse a new collection because the user has too many.
        collections_every: seconds between new collections where the server limits them without stating a
            delay.
        reminds: True if the server itself reminds people of what is written, whatever device they use.
        shares: True if collections are shared by Nextcloud's requests (oc:share, oc:invite).
        http_api: True if the product has Open-Xchange's HTTP API beside DAV.
        user_agent: the User-Agent.
        vcard: see `model.protocols.Capabilities`; likewise for the following fields.
        groups: see Capabilities.
        recurring_tasks: see Capabilities.
        silent_agent: see Capabilities.
        category_commas: see Capabilities.
        busy_words: see Capabilities.
        event_habits: see Capabilities.
        cards: see Capabilities.
        todos: see Capabilities.tasks.
        position_types: see Capabilities.
        max_bytes: by kind; see Capabilities.
        attachment_bytes: by kind; the most bytes of an attachment that stands inside of an item.
        managed_attachment_bytes: the most bytes of an attachment of an event that is added by RFC 8607, where
            the server offers it; None if that is not to be used.
        rate_limit: how many requests the server takes, as it is shipped; None for no known limit.
        rate_limit_remedy: what its host can do about the limit.
    """

    name: str
    silence: Silence = "unproven"
    tell: ProductSign = field(default_factory=ProductSign)
    gathers: float = 0.0
    put: Headers = field(default_factory=dict)
    delete: Headers = field(default_factory=dict)
    writers: int = 4
    calendar: str = ""
    tasks: str = ""
    contacts: str = ""
    numbered: frozenset[Kind] = frozenset()
    artefacts: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    files: str = ""
    self_stated: bool = True
    uid_scope: Literal["collection", "account"] = "collection"
    uid_conflict: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    finds_uid: bool = True
    gives_to_uid: bool = False
    named_by_uid: frozenset[Kind] = frozenset()
    listed_partly: frozenset[Kind] = frozenset()
    may_drop: frozenset[Kind] = frozenset()
    hides: frozenset[Kind] = frozenset()
    shares_events: frozenset[Kind] = frozenset()
    paged: bool = False
    unique_titles: bool = False
    adds_with_bind: bool = False
    sequence_rises: bool = False
    needs_if_match: bool = False
    trash: str = ""
    trash_refusals: frozenset[int] = frozenset()
    collections_full: frozenset[int] = frozenset()
    collections_every: float | None = None
    shares: bool = False
    reminds: bool = False
    http_api: bool = False
    user_agent: str = "Kogge"
    vcard: str = "3.0"
    groups: bool = True
    recurring_tasks: bool = True
    silent_agent: bool = False
    category_commas: bool = True
    busy_words: bool = True
    event_habits: EventHabits = PLAIN_EVENTS
    cards: CardLimits = WHOLE_CARDS
    todos: TaskLimits = WHOLE_TASKS
    position_types: bool = False
    max_bytes: Mapping[str, int] = field(default_factory=dict)
    attachment_bytes: Mapping[Kind, int] = field(default_factory=dict)
    managed_attachment_bytes: int | None = None
    rate_limit: RateLimit | None = None
    rate_limit_remedy: str = ""
