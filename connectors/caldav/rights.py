"""Keep the rights to calendars, address books and task lists where people share them as in Nextcloud.

A POST to the owner's collection shares it, and is 200 also if the server skipped the person: unknown, sharing
is switched off, or no common group. Only the property oc:invite tells who has what. As measured with
Nextcloud 32.0.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

from caldav.elements import dav
from lxml import etree

from connectors.caldav import principal
from connectors.caldav import xml_elements as elements
from connectors.caldav.collections import Collections
from connectors.caldav.discovery import CaldavLibrary, Resource
from connectors.caldav.principal import Principal
from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import folder as folder_of
from connectors.http.hrefs import segment
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.settings import Account
from model.errors import Blocked, Rejected
from model.folder_rights import READ, READ_WRITE, RightsForm
from model.kinds import Kind
from model.protocols import Guard, Identity

PRINCIPAL = "principal:"
PERSON = "principals/users/"
PUBLIC = "public-calendars/"
"""Who has the right of a public link. Names with a slash are no person's."""
_XML = {"Content-Type": "application/xml; charset=utf-8"}
_WRITES = f"{elements.OC}access/{elements.OC}read-write"


class DavRights:
    """Keep rights by sharing. Implements `model.rights_store.RightsStore`.

    A person is named by their id. A group, a circle or a person of another server is named by the whole path
    of its principal, a public link by `PUBLIC`: these are listed, and never given or taken away.
    """

    form = RightsForm.SHARE

    def __init__(
        self,
        settings: DavSettings,
        account: Account,
        guard: Guard,
        *,
        kind: Kind,
        budget: RequestBudget = NO_BUDGET,
    ) -> None:
        """Prepare; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to open.
            guard: the write fence; called before each change.
            kind: what the collections hold.
            budget: asked before each request.
        """
        self._url = settings.url
        self._kind = kind
        self._guard = guard
        self._profile = PROFILES[settings.profile]
        self._client = HttpClient(settings, account, self._profile, budget=budget)
        self._library = CaldavLibrary(self._client)
        self._found: Principal | None = None
        self._collections: Collections | None = None

    def identity(self) -> Identity:
        """Return `connectors.caldav.principal.identity`, with the person's id."""
        return principal.identity(self._library, self._client, self._principal(), self._profile)

    def all_rights(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rights to each collection; see `model.rights_store.RightsStore.all_rights`."""
        known = self._collection_set().known(fresh=True)
        for home in self._principal().homes:
            answer = self._library.propfind(home, (elements.Invite, elements.PublishUrl), 1)
            if answer.status != 207:
                raise answer.error()
            for one in answer.resources:
                collection = known.get(folder_of(one.path))
                if collection is not None and not collection.shared:
                    yield collection.path, self._rights_of(one)

    def rights(self, folder: str) -> Mapping[str, str]:
        """Return the rights to a collection; see `model.rights_store.RightsStore.rights`."""
        self._refuse_foreign(folder)
        answer = self._library.propfind(folder, (dav.ResourceType, elements.Invite, elements.PublishUrl))
        if answer.status in GONE:
            raise Rejected("vanished")
        if answer.status != 207:
            raise answer.error()
        own = next((one for one in answer.resources if folder_of(one.path) == folder), None)
        if own is None:
            raise Rejected("vanished")
        return self._rights_of(own)

    def grant(self, folder: str, who: str, words: str) -> None:
        """Share with somebody; see `model.rights_store.RightsStore.grant`."""
        if words not in (READ, READ_WRITE):
            raise Rejected("refused-by-target", "the server has no such right")
        if not who or "/" in who or not who.isprintable() or self._is_owner(who):
            raise Rejected("person-not-there", "it is the name of nobody with whom to share")
        before = self.rights(folder)
        if any(_is_other_spelling(other, who) for other in before):
            raise Rejected("person-not-there", "the server spells the name in another way")
        self._post(folder, elements.share(_href(who), writes=words == READ_WRITE))
        after = self.rights(folder)
        if after.get(who) == words:
            return
        # the server may know the person by another spelling, which nobody has proven to be theirs
        for other in after.keys() - before.keys():
            if _is_other_spelling(other, who):
                self._post(folder, elements.unshare(_href(other)))
        code = "refused-by-target" if who in after else "person-not-there"
        raise Rejected(code, "the server says that it shared the collection, and did not")

    def revoke(self, folder: str, who: str) -> None:
        """Share with somebody no longer; see `model.rights_store.RightsStore.revoke`."""
        try:
            if who not in self.rights(folder):
                return
            if "/" in who:
                raise Rejected("refused-by-target", "a right of many people is not ours to take away")
            self._post(folder, elements.unshare(_href(who)))
            if who in self.rights(folder):
                raise Rejected("refused-by-target", "the server keeps the right")
        except Rejected as error:
            if error.code != "vanished":
                raise

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._client.close()

    # -- internals

    def _post(self, folder: str, body: bytes) -> None:
        """Send a change, which is the same if it is sent twice."""

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask("POST", folder, _XML, body))

        answer = self._client.patiently(attempt)
        if answer.status in GONE:
            raise Rejected("vanished")
        if not answer.ok:
            raise Rejected("refused-by-target", "the server does not share the collection").quoting(
                answer.words
            )

    def _rights_of(self, resource: Resource) -> dict[str, str]:
        invite = resource.properties.get(str(elements.Invite.tag))
        if invite is None:
            raise Blocked("no-rights-at-target", "the server does not say with whom a collection is shared")
        found = {}
        for user in invite.findall(f"{elements.OC}user"):
            who = _name(user)
            if who and not self._is_owner(who):
                found[who] = READ if user.find(_WRITES) is None else READ_WRITE
        if elements.texts(resource.properties.get(str(elements.PublishUrl.tag))):
            found[PUBLIC] = READ
        return found

    def _refuse_foreign(self, folder: str) -> None:
        """Refuse a collection that is not the account's own: its owner decides who has it."""
        collections = self._collection_set()
        own = collections.known().get(folder) or collections.known(fresh=True).get(folder)
        if own is None or own.shared:
            raise Rejected("vanished")

    def _is_owner(self, who: str) -> bool:
        return who.casefold() == unquote(segment(self._principal().path)).casefold()

    def _principal(self) -> Principal:
        if self._found is None:
            self._found = principal.principal(self._library, self._client, self._url, self._kind)
        return self._found

    def _collection_set(self) -> Collections:
        if self._collections is None:
            self._collections = Collections(
                self._library, self._client, self._profile, self._principal(), self._kind, self._guard
            )
        return self._collections


def _is_other_spelling(other: str, who: str) -> bool:
    return other != who and other.casefold() == who.casefold()


def _href(who: str) -> str:
    return f"{PRINCIPAL}{PERSON}{quote(who, safe='')}"


def _name(user: etree._Element) -> str:
    """Return a person's id, or the whole path of another principal."""
    path = (user.findtext(f"{elements.DAV}href") or "").strip().removeprefix(PRINCIPAL)
    below = path.removeprefix(PERSON)
    return unquote(below) if below != path and "/" not in unquote(below) else path
