"""Keep the rights to the folders of one account on an IMAP server that has ACL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from connectors.imap.acl import Acl, acls, others, owner_name, set_acl, words_of
from connectors.imap.folders import encoded, folders, namespace
from connectors.imap.server_info import identity
from connectors.imap.session import Session
from connectors.imap.settings import ImapSettings
from connectors.settings import Account
from model.errors import Blocked, Rejected
from model.folder_rights import RightsForm
from model.protocols import Guard, Identity

RESERVED = frozenset({"anyone", "anonymous", "authenticated", "owner", "administrators"})
"""Identifiers that stand for many people, or for the owner (RFC 4314, 3; Dovecot and Cyrus have more)."""
PREFIXES = ("-", "+", "!", "$", "#", "&", "group:", "group=", "group-override=", "user=", "user:", "owner")
"""Beginnings of identifiers that take rights away, or name a group."""


class ImapRights:
    """Keep rights by ACL. Implements `model.rights_store.RightsStore`."""

    form = RightsForm.ACL

    def __init__(self, settings: ImapSettings, account: Account, guard: Guard) -> None:
        """Prepare; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to open.
            guard: the write fence; called before each change.
        """
        self._session = Session(settings, account)
        self._guard = guard
        self._owner: str | None = None

    def identity(self) -> Identity:
        """Return `connectors.imap.server_info.identity`, with the owner's name in the server's ACLs."""
        return replace(identity(self._session), user=self._own())

    def all_rights(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rights to each folder; see `model.rights_store.RightsStore.all_rights`."""
        where = namespace(self._session)
        listed = folders(self._session, counts=False)
        own = [one.key for one in listed if one.selectable and not where.is_foreign(one.name)]
        names = {encoded(href): href for href in own}
        for raw, acl in acls(self._having_acl(), list(names)):
            if acl is not None:
                yield names[raw], self._of_others(acl)

    def rights(self, folder: str) -> Mapping[str, str]:
        """Return the rights to a folder; see `model.rights_store.RightsStore.rights`."""
        ((_, acl),) = acls(self._having_acl(), [encoded(folder)])
        if acl is None:
            raise Rejected("vanished")
        return self._of_others(acl)

    def grant(self, folder: str, who: str, words: str) -> None:
        """Give somebody this right; see `model.rights_store.RightsStore.grant`."""
        if not _is_person(who) or who.lower() == self._own().lower():
            raise Rejected("person-not-there", "the name is the owner's, or stands for more than one person")
        self._guard()
        set_acl(self._having_acl(), folder, who, words)

    def revoke(self, folder: str, who: str) -> None:
        """Take somebody's right away; see `model.rights_store.RightsStore.revoke`."""
        self._guard()
        set_acl(self._having_acl(), folder, who, "")

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._session.close()

    def _own(self) -> str:
        if self._owner is None:
            self._owner = owner_name(self._having_acl())
        return self._owner

    def _of_others(self, acl: Acl) -> dict[str, str]:
        return {who: words_of(acl[who]) for who in others(self._session, acl, self._own())}

    def _having_acl(self) -> Session:
        if not self._session.has("ACL"):
            raise Blocked("no-rights-at-target", "the server has no ACL")
        return self._session


def _is_person(who: str) -> bool:
    lower = who.lower()
    plain = bool(who) and who.isprintable() and who == who.strip()
    return plain and lower not in RESERVED and not lower.startswith(PREFIXES)
