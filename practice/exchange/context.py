"""Provide what an operation works with: the world, the caller's rights, the server's dialect and limits."""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass
from weakref import WeakValueDictionary

from lxml import etree

from practice.exchange.auth import Session
from practice.exchange.soap import Dialect, EwsError, T, schema_fault
from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.world import World

MALFORMED = "Id is malformed."
FOLDER_NOT_FOUND = "The specified folder could not be found in the store."
ITEM_NOT_FOUND = (
    "The specified object was not found in the store., The process failed to get the correct properties."
)
_GUID = slice(4, 40)

# DistinguishedFolderIdNameType of the schema; anything else is a schema error, as Exchange has it.
DISTINGUISHED = frozenset(
    [
        "root",
        "msgfolderroot",
        "inbox",
        "outbox",
        "sentitems",
        "deleteditems",
        "drafts",
        "junkemail",
        "calendar",
        "contacts",
        "tasks",
        "notes",
        "journal",
        "publicfoldersroot",
        "voicemail",
        "searchfolders",
        "recoverableitemsroot",
        "recoverableitemsdeletions",
        "recoverableitemsversions",
        "recoverableitemspurges",
        "recoverableitemssubstrateholds",
        "archiveroot",
        "archivemsgfolderroot",
        "archivedeleteditems",
        "archiveinbox",
        "archiverecoverableitemsroot",
        "archiverecoverableitemsdeletions",
        "archiverecoverableitemsversions",
        "archiverecoverableitemspurges",
        "syncissues",
        "conflicts",
        "localfailures",
        "serverfailures",
        "recipientcache",
        "quickcontacts",
        "conversationhistory",
        "adminauditlogs",
        "todosearch",
        "mycontacts",
        "directory",
        "imcontactlist",
        "peopleconnect",
        "favorites",
        "mecontact",
        "personmetadata",
        "teamchat",
        "allcategorizeditems",
        "allcontacts",
        "allitems",
        "allpersonmetadata",
        "companycontacts",
        "dlppolicyevaluation",
        "fromfavoritesenders",
        "inference",
        "onenotepagepreviews",
        "peoplecentricconversationbuddies",
        "qedcdefaultretention",
        "qedclongretention",
        "qedcmediumretention",
        "qedcshortretention",
        "quarantinedemail",
        "quarantinedemaildefaultcategory",
        "relevantcontacts",
        "sharepointnotifications",
        "shortnotes",
        "temporarysaves",
        "usercuratedcontacts",
        "archive",
        "clutter",
        "favoritesprivate",
        "workingset",
    ]
)


class Known:
    """Hold mailboxes by GUID, as clients have opened them: an id names its mailbox by GUID.

    It holds them while the world does. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mailboxes: WeakValueDictionary[str, Mailbox] = WeakValueDictionary()

    def add(self, mailbox: Mailbox) -> None:
        """Remember a mailbox."""
        with self._lock:
            self._mailboxes[str(mailbox.guid)] = mailbox

    def find(self, guid: str) -> Mailbox | None:
        """Return a mailbox; None also for the GUID that a mailbox had before it was re-created."""
        with self._lock:
            mailbox = self._mailboxes.get(guid)
        return mailbox if mailbox is not None and str(mailbox.guid) == guid else None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limit answers.

    Attributes:
        page: the most rows of FindItem and FindFolder.
        changes: the most of SyncFolderItems (512 on Exchange).
        partial: True if FindItem sometimes gives fewer rows than asked for, as a real server may.
    """

    page: int = 1000
    changes: int = 512
    partial: bool = True


@dataclass(frozen=True, slots=True)
class Context:
    """Hold what an operation works with.

    Attributes:
        variant: which rendering of its MIME an item has.
    """

    world: World
    session: Session
    known: Known
    dialect: Dialect
    limits: Limits
    variant: int = 0

    def mailbox_of(self, object_id: str) -> Mailbox:
        """Return the mailbox that an item or folder id belongs to.

        Raises:
            EwsError: as Exchange raises it.
        """
        try:
            guid = base64.b64decode(object_id, validate=True)[_GUID].decode("ascii")
        except (binascii.Error, ValueError):
            raise EwsError(self.dialect.malformed, MALFORMED) from None
        if len(guid) != 36 or guid.count("-") != 4:
            raise EwsError(self.dialect.malformed, MALFORMED)
        own = self.session.own
        if own is not None and str(own.guid) == guid:
            return own
        mailbox = self.known.find(guid)
        if mailbox is None:
            raise EwsError("ErrorNonExistentMailbox", "No mailbox with such guid.")
        return self.session.allowed(mailbox)

    def folder(self, element: etree._Element) -> Folder:
        """Return the folder that a FolderId or DistinguishedFolderId names.

        Raises:
            EwsError: there is none.
            SoapFault: the schema forbids the id.
        """
        if element.tag == f"{T}DistinguishedFolderId":
            return self._distinguished(element)
        if element.tag != f"{T}FolderId":
            raise schema_fault("A folder id is required.")
        folder_id = element.get("Id", "")
        try:
            return self.mailbox_of(folder_id).folder(folder_id)
        except KeyError:
            raise EwsError("ErrorItemNotFound", ITEM_NOT_FOUND) from None

    def _distinguished(self, element: etree._Element) -> Folder:
        name = element.get("Id", "")
        if name not in DISTINGUISHED:
            raise schema_fault(
                f"The 'Id' attribute is invalid - The value '{name}' is invalid according to its datatype"
                " 'DistinguishedFolderIdNameType' - The Enumeration constraint failed."
            )
        mailbox = self.session.open(element.findtext(f"{T}Mailbox/{T}EmailAddress"))
        self.known.add(mailbox)
        if name.startswith(self.dialect.roles_missing):
            raise EwsError("ErrorFolderNotFound", FOLDER_NOT_FOUND)
        try:
            return mailbox.distinguished(name)
        except KeyError:
            if name == "publicfoldersroot":
                raise EwsError("ErrorNoPublicFolderReplicaAvailable", "No public folder replica.") from None
            raise EwsError("ErrorFolderNotFound", FOLDER_NOT_FOUND) from None

    def item(self, item_id: str) -> Message:
        """Return the item of an id as of now.

        Raises:
            EwsError: there is none.
        """
        try:
            return self.mailbox_of(item_id).item(item_id)
        except KeyError:
            raise EwsError("ErrorItemNotFound", ITEM_NOT_FOUND) from None
