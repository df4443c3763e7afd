"""What one DAV product does that no request tells, as data: one small file a product, core code asks the
facts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Headers = Mapping[str, str]
Silence = Literal["never-sends", "measured", "unproven"]


@dataclass(frozen=True, slots=True)
class ProductSign:
    """What shows anybody that a server is the product that was measured.

    features         words of its DAV header, each of which no other product has
    server           how its Server header begins; "" where that tells nothing
    oldest           the first major version that is believed; 0: any
    status, service  where that is told, as JSON: the path of status, beside that of service
    editable         in the same place, what people may change of their own profile (OCS); "" for nowhere
    """

    features: frozenset[str] = frozenset()
    server: str = ""
    oldest: int = 0
    status: str = ""
    service: str = ""
    editable: str = ""

    def beside(self, path: str, other: str) -> str:
        """The path of other, as seen from a path below service."""
        before, below, _ = path.partition(self.service)
        return (before if below else "") + other


@dataclass(frozen=True, slots=True)
class Profile:
    """One product's habits.

    silence          see model.optional_protocols.Schedules: of a server that is this product
    tell             how a server shows that it is; what was measured counts for no other
    put, delete      headers of every PUT and DELETE that keep the server from mailing anybody
    writers          how many requests may write to one account at a time
    calendar, tasks, contacts  last path segment of the user's default collection; "" for none
    artefacts        beginnings of the titles of what a new account holds
    hidden           beginnings of the segments of collections that the server fills by itself
    files            beside tell.service, the folder of an account's files, whose id goes with the account; ""
                     for none. {user} is the principal's own name
    self_stated      people may change the addresses that the server states of them
    uid_scope        where a UID is unique: in one collection, or in the account
    uid_conflict     status of a PUT's refusal -> words of its body that mean this UID is taken; an empty
                     tuple: any body may mean it
    finds_uid        a calendar-query for a UID sees every object; else all are read
    needs_if_match   a PUT without If-Match onto an existing object is 409: look before it means anything
    trash            path below the calendar home of deleted objects whose UIDs stay taken; "" for none
    trash_refusals   statuses of a PUT whose UID lies there
    collections_full statuses that refuse a new collection because the user has as many as are allowed
    collections_every seconds between new collections where the server limits them and does not tell
    vcard, groups, recurring_tasks, silent_agent, category_commas, max_bytes, attachment_bytes
                     see Capabilities
    """

    name: str
    silence: Silence = "unproven"
    tell: ProductSign = field(default_factory=ProductSign)
    put: Headers = field(default_factory=dict)
    delete: Headers = field(default_factory=dict)
    writers: int = 4
    calendar: str = ""
    tasks: str = ""
    contacts: str = ""
    artefacts: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    files: str = ""
    self_stated: bool = True
    uid_scope: Literal["collection", "account"] = "collection"
    uid_conflict: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    finds_uid: bool = True
    needs_if_match: bool = False
    trash: str = ""
    trash_refusals: frozenset[int] = frozenset()
    collections_full: frozenset[int] = frozenset()
    collections_every: float | None = None
    user_agent: str = "Kogge"
    vcard: str = "3.0"
    groups: bool = True
    recurring_tasks: bool = True
    silent_agent: bool = False
    category_commas: bool = True
    max_bytes: Mapping[str, int] = field(default_factory=dict)
    attachment_bytes: int | None = None
