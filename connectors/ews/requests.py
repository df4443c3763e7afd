"""Build the requests as XML. Pure functions: ids and addresses are escaped, nothing else is variable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

MAIL_FIELDS = (
    "item:ItemClass", "item:Size", "item:DateTimeReceived", "item:DateTimeSent", "item:DateTimeCreated",
    "item:Importance", "item:Categories", "item:IsDraft", "item:IsAssociated", "message:IsRead",
    "message:IsReadReceiptRequested", "message:InternetMessageId", "message:From",
)  # fmt: skip
REBUILD_FIELDS = (
    "item:Subject", "item:Body", "item:Attachments", "item:InReplyTo", "item:Sensitivity", "message:Sender",
    "message:ToRecipients", "message:CcRecipients", "message:BccRecipients", "message:ReplyTo",
    "message:References",
)  # fmt: skip
DELIVERY_TIME, FLAG_STATUS, LAST_VERB = 0x0E06, 0x1090, 0x1081
FOLDER_SIZE, FOLDER_HIDDEN = 0x0E08, 0x10F4
MAIL_TAGS = ((DELIVERY_TIME, "SystemTime"), (FLAG_STATUS, "Integer"), (LAST_VERB, "Integer"))
FOLDER_FIELDS = (
    "folder:ParentFolderId", "folder:DisplayName", "folder:FolderClass", "folder:TotalCount",
    "folder:ChildFolderCount",
)  # fmt: skip
FOLDER_RIGHTS = ("folder:EffectiveRights",)
FOLDER_TAGS = ((FOLDER_SIZE, "Long"), (FOLDER_HIDDEN, "Boolean"))
FOLDERS_A_PAGE = 500


def _fields(names: Iterable[str], tags: Iterable[tuple[int, str]] = ()) -> str:
    uris = "".join(f'<t:FieldURI FieldURI="{name}"/>' for name in names)
    tagged = "".join(
        f'<t:ExtendedFieldURI PropertyTag="0x{tag:04X}" PropertyType="{kind}"/>' for tag, kind in tags
    )
    return f"<t:AdditionalProperties>{uris}{tagged}</t:AdditionalProperties>" if uris or tagged else ""


def distinguished(name: str, mailbox: str) -> str:
    """Return a DistinguishedFolderId element for this mailbox."""
    return (
        f"<t:DistinguishedFolderId Id={quoteattr(name)}><t:Mailbox>"
        f"<t:EmailAddress>{escape(mailbox)}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
    )


def folder_id(folder: str) -> str:
    """Return a FolderId element."""
    return f"<t:FolderId Id={quoteattr(folder)}/>"


def get_folders(folders: Iterable[str]) -> str:
    """Return a GetFolder request; `folders` are distinguished() or folder_id() elements."""
    return (
        "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>"
        f"{_fields(('folder:DisplayName', 'folder:TotalCount'))}</m:FolderShape>"
        f"<m:FolderIds>{''.join(folders)}</m:FolderIds></m:GetFolder>"
    )


def get_rights(folders: Iterable[str]) -> str:
    """Return a GetFolder request for the rights to folders, by their ids: FindFolder does not carry them."""
    return (
        "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>"
        f"{_fields(('folder:PermissionSet',))}</m:FolderShape>"
        f"<m:FolderIds>{''.join(map(folder_id, folders))}</m:FolderIds></m:GetFolder>"
    )


def find_folders(
    root: str, offset: int, *, tags: bool = True, rights: bool = False, traversal: str = "Deep"
) -> str:
    """Return a FindFolder request for all folders below a root.

    Args:
        root: a distinguished() or folder_id() element.
        offset: the number of folders to skip.
        tags: True to ask for the size and if a folder is hidden.
        rights: True to ask for the effective rights.
        traversal: "Deep" or "Shallow".
    """
    fields = _fields(FOLDER_FIELDS + (FOLDER_RIGHTS if rights else ()), FOLDER_TAGS if tags else ())
    return (
        f'<m:FindFolder Traversal="{traversal}"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>'
        f"{fields}</m:FolderShape>"
        f'<m:IndexedPageFolderView MaxEntriesReturned="{FOLDERS_A_PAGE}" Offset="{offset}"'
        f' BasePoint="Beginning"/><m:ParentFolderIds>{root}</m:ParentFolderIds></m:FindFolder>'
    )


def sync_items(
    folder: str, state: str | None, most: int, *, types: bool = False, classes: bool = False
) -> str:
    """Return a SyncFolderItems request for one page of ids, change keys and sizes.

    Args:
        folder: the folder's id.
        state: the sync state; None for the beginning.
        most: the most changes, up to 512.
        types: True to ask if an appointment is an occurrence.
        classes: True to ask for the items' classes.

    Source:
        https://learn.microsoft.com/exchange/client-developer/web-service-reference/maxchangesreturned
    """
    state_ = f"<m:SyncState>{escape(state)}</m:SyncState>" if state else ""
    wanted = (("item:ItemClass", classes), ("item:Size", True), ("calendar:CalendarItemType", types))
    fields = [field for field, is_wanted in wanted if is_wanted]
    return (
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
        f"{_fields(fields)}</m:ItemShape><m:SyncFolderId>{folder_id(folder)}</m:SyncFolderId>"
        f"{state_}<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"
    )


def get_items(
    ids: Sequence[str],
    *,
    mime: bool,
    fields: Iterable[str] = MAIL_FIELDS,
    html: bool = False,
    tags: bool = True,
) -> str:
    """Return a GetItem request with fields.

    Args:
        ids: the items.
        mime: True to ask for the message bytes, too.
        fields: the names of fields.
        html: True to ask for the best body type.
        tags: True to ask for the mail's MAPI tags.
    """
    shape = "<t:IncludeMimeContent>true</t:IncludeMimeContent>" if mime else ""
    shape += "<t:BodyType>Best</t:BodyType>" if html else ""
    return _get_items(ids, shape + _fields(fields, MAIL_TAGS if tags else ()))


def get_records(ids: Sequence[str], fields: Iterable[str]) -> str:
    """Return a GetItem request for records.

    A text comes as HTML where it was written as HTML or RTF, else as plain text.

    Args:
        ids: the items.
        fields: elements of AdditionalProperties.
    """
    shape = f"<t:BodyType>Best</t:BodyType><t:AdditionalProperties>{''.join(fields)}</t:AdditionalProperties>"
    return _get_items(ids, shape)


def _get_items(ids: Sequence[str], shape: str) -> str:
    """Return a GetItem request with this shape."""
    items = "".join(f"<t:ItemId Id={quoteattr(id_)}/>" for id_ in ids)
    return (
        f"<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{shape}</m:ItemShape>"
        f"<m:ItemIds>{items}</m:ItemIds></m:GetItem>"
    )


def get_attachments(ids: Sequence[str]) -> str:
    """Return a GetAttachment request for contents of files and message bytes of attached items."""
    elements = "".join(f"<t:AttachmentId Id={quoteattr(id_)}/>" for id_ in ids)
    return (
        "<m:GetAttachment><m:AttachmentShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
        f"</m:AttachmentShape><m:AttachmentIds>{elements}</m:AttachmentIds></m:GetAttachment>"
    )


def expand_list(item: str) -> str:
    """Return an ExpandDL request for a distribution list in this mailbox."""
    return (
        "<m:ExpandDL><m:Mailbox><t:MailboxType>PrivateDL</t:MailboxType>"
        f"<t:ItemId Id={quoteattr(item)}/></m:Mailbox></m:ExpandDL>"
    )


def calendar_view(folder: str, start: datetime, end: datetime, most: int) -> str:
    """Return a FindItem request with a CalendarView: the occurrences that overlap [start, end).

    Args:
        folder: the calendar's id.
        start: an aware datetime.
        end: an aware datetime, at most two years later.
        most: the most entries; there are no pages.
    """
    fields = _fields(("calendar:UID", "calendar:Start", "calendar:End", "calendar:CalendarItemType"))
    return (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{fields}'
        f'</m:ItemShape><m:CalendarView MaxEntriesReturned="{most}" StartDate="{_stamp(start)}"'
        f' EndDate="{_stamp(end)}"/><m:ParentFolderIds>{folder_id(folder)}</m:ParentFolderIds></m:FindItem>'
    )


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def find_newest(folder: str, most: int) -> str:
    """Return a FindItem request for the newest items of a folder element."""
    return (
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
        f'<m:IndexedPageItemView MaxEntriesReturned="{most}" Offset="0" BasePoint="Beginning"/>'
        '<m:SortOrder><t:FieldOrder Order="Descending"><t:FieldURI FieldURI="item:DateTimeSent"/>'
        f"</t:FieldOrder></m:SortOrder><m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
    )


def resolve_names(address: str) -> str:
    """Return a ResolveNames request for an address."""
    return (
        '<m:ResolveNames ReturnFullContactData="true">'
        f"<m:UnresolvedEntry>{escape(address)}</m:UnresolvedEntry></m:ResolveNames>"
    )


def get_delegates(mailbox: str) -> str:
    """Return a GetDelegate request."""
    return (
        '<m:GetDelegate IncludePermissions="false"><m:Mailbox>'
        f"<t:EmailAddress>{escape(mailbox)}</t:EmailAddress></m:Mailbox></m:GetDelegate>"
    )


def get_reply(mailbox: str) -> str:
    """Return a GetUserOofSettings request."""
    return (
        "<m:GetUserOofSettingsRequest><t:Mailbox>"
        f"<t:Address>{escape(mailbox)}</t:Address></t:Mailbox></m:GetUserOofSettingsRequest>"
    )


def get_rules(mailbox: str) -> str:
    """Return a GetInboxRules request."""
    return (
        f"<m:GetInboxRules><m:MailboxSmtpAddress>{escape(mailbox)}</m:MailboxSmtpAddress></m:GetInboxRules>"
    )


def get_configuration(name: str, folder: str, mailbox: str) -> str:
    """Return a GetUserConfiguration request for the XML of a configuration in a distinguished folder."""
    return (
        f"<m:GetUserConfiguration><m:UserConfigurationName Name={quoteattr(name)}>"
        f"{distinguished(folder, mailbox)}</m:UserConfigurationName>"
        "<m:UserConfigurationProperties>XmlData</m:UserConfigurationProperties></m:GetUserConfiguration>"
    )
