"""List what is asked of each kind of item, as elements of AdditionalProperties.

NEEDED holds what every server since Exchange 2010 SP2 supports and no item may move without. OPTIONAL holds
what a server may refuse: newer fields, and MAPI properties beyond EWS's own names.

Source:
    MS-OXPROPS (MAPI properties).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from model.kinds import Kind

FORMATS: Mapping[Kind, str] = {
    Kind.CALENDAR: "ews-event",
    Kind.CONTACTS: "ews-contact",
    Kind.TASKS: "ews-task",
    Kind.NOTES: "ews-note",
}
APPOINTMENT = "00062002-0000-0000-c000-000000000046"
TASK = "00062003-0000-0000-c000-000000000046"
ADDRESS = "00062004-0000-0000-c000-000000000046"
COMMON = "00062008-0000-0000-c000-000000000046"
NOTE = "0006200e-0000-0000-c000-000000000046"

_ITEM = (
    "ItemClass", "Subject", "Sensitivity", "Body", "Attachments", "Size", "Categories", "Importance",
    "DateTimeCreated", "ReminderDueBy", "ReminderIsSet", "ReminderMinutesBeforeStart", "HasAttachments",
    "LastModifiedTime",
)  # fmt: skip
_EVENT = (
    "UID", "RecurrenceId", "Start", "End", "OriginalStart", "IsAllDayEvent", "LegacyFreeBusyStatus",
    "Location", "IsMeeting", "IsCancelled", "IsRecurring", "MeetingRequestWasSent", "IsResponseRequested",
    "CalendarItemType", "MyResponseType", "Organizer", "RequiredAttendees", "OptionalAttendees", "Resources",
    "AppointmentReplyTime", "AppointmentSequenceNumber", "AppointmentState", "Recurrence", "FirstOccurrence",
    "LastOccurrence", "ModifiedOccurrences", "DeletedOccurrences", "StartTimeZone", "EndTimeZone",
    "AllowNewTimeProposal", "IsOnlineMeeting", "MeetingWorkspaceUrl", "NetShowUrl",
)  # fmt: skip
_EVENT_OTHER = (  # the first is of Exchange 2007, the last ones of 2013
    "MeetingTimeZone", "TimeZone", "DateTimeStamp", "EnhancedLocation", "JoinOnlineMeetingUrl",
    "OnlineMeetingSettings",
)  # fmt: skip
_CONTACT = (
    "FileAs", "FileAsMapping", "DisplayName", "GivenName", "Initials", "MiddleName", "Nickname",
    "CompleteName", "CompanyName", "AssistantName", "Birthday", "BusinessHomePage", "Children", "Companies",
    "Department", "Generation", "JobTitle", "Manager", "Mileage", "OfficeLocation", "PostalAddressIndex",
    "Profession", "SpouseName", "Surname", "WeddingAnniversary",
)  # fmt: skip
_CONTACT_LATER = ("HasPicture", "PhoneticFullName", "PhoneticFirstName", "PhoneticLastName")
_PHONES = (
    "AssistantPhone", "BusinessFax", "BusinessPhone", "BusinessPhone2", "Callback", "CarPhone",
    "CompanyMainPhone", "HomeFax", "HomePhone", "HomePhone2", "Isdn", "MobilePhone", "OtherFax",
    "OtherTelephone", "Pager", "PrimaryPhone", "RadioPhone", "Telex", "TtyTddPhone",
)  # fmt: skip
_INDEXED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("contacts:EmailAddress", ("EmailAddress1", "EmailAddress2", "EmailAddress3")),
    ("contacts:ImAddress", ("ImAddress1", "ImAddress2", "ImAddress3")),
    ("contacts:PhoneNumber", _PHONES),
    *(
        (f"contacts:PhysicalAddress:{part}", ("Business", "Home", "Other"))
        for part in ("Street", "City", "State", "CountryOrRegion", "PostalCode")
    ),
)
_TASK = (
    "ActualWork", "AssignedTime", "BillingInformation", "ChangeCount", "Companies", "CompleteDate",
    "Contacts", "DelegationState", "Delegator", "DueDate", "IsComplete", "IsRecurring", "IsTeamTask",
    "Mileage", "Owner", "PercentComplete", "Recurrence", "StartDate", "Status", "StatusDescription",
    "TotalWork",
)  # fmt: skip


def _uris(prefix: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f'<t:FieldURI FieldURI="{prefix}:{name}"/>' for name in names)


def _tags(kind: str, *tags: int) -> tuple[str, ...]:
    return tuple(f'<t:ExtendedFieldURI PropertyTag="0x{tag:04X}" PropertyType="{kind}"/>' for tag in tags)


def _ids(owner: str, kind: str, *ids: int) -> tuple[str, ...]:
    return tuple(
        f'<t:ExtendedFieldURI PropertySetId="{owner}" PropertyId="{id_}" PropertyType="{kind}"/>'
        for id_ in ids
    )


def _public(*names: str) -> tuple[str, ...]:
    return tuple(
        f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="{name}"'
        ' PropertyType="String"/>'
        for name in names
    )


CLASS_ONLY = _uris("item", ("ItemClass",))
_PRIVATE = _ids(COMMON, "Boolean", 0x8506)
_LATER = _uris("item", ("TextBody",))  # Exchange 2013

NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.CALENDAR: _uris("item", _ITEM) + _uris("calendar", _EVENT),
    Kind.CONTACTS: (
        *_uris("item", _ITEM),
        *_uris("contacts", _CONTACT),
        *(
            f'<t:IndexedFieldURI FieldURI="{uri}" FieldIndex="{index}"/>'
            for uri, indexes in _INDEXED
            for index in indexes
        ),
        *_uris("distributionlist", ("Members",)),
    ),
    Kind.TASKS: _uris("item", _ITEM) + _uris("task", _TASK),
    Kind.NOTES: _uris("item", _ITEM),
}
OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    Kind.CALENDAR: (
        *_LATER,
        *_uris("calendar", _EVENT_OTHER),
        *_ids(APPOINTMENT, "Integer", 0x8214),  # colour label
        *_PRIVATE,
        *_public(
            "OnlineMeetingConfLink", "OnlineMeetingExternalLink", "SkypeTeamsMeetingUrl", "UCMeetingSetting"
        ),
    ),
    Kind.CONTACTS: (
        *_LATER,
        *_uris("contacts", _CONTACT_LATER),
        # account, government id, language, organisational id, hobbies, referred by, computer, customer id,
        # FTP site, personal home page
        *_tags("String", 0x3A00, 0x3A07, 0x3A0C, 0x3A10, 0x3A43, 0x3A47, 0x3A49, 0x3A4A, 0x3A4C, 0x3A50),
        *_tags("Short", 0x3A4D),  # gender
        # web page, phonetic names, user fields, free/busy address
        *_ids(ADDRESS, "String", 0x802B, 0x802C, 0x802D, 0x802E, 0x804F, 0x8050, 0x8051, 0x8052, 0x80D8),
        *_ids(ADDRESS, "SystemTime", 0x80DE, 0x80DF),  # birthday and anniversary as they were written
        *_ids(COMMON, "String", 0x8535),  # billing information
        *_PRIVATE,
    ),
    Kind.TASKS: (
        *_LATER,
        *_ids(TASK, "SystemTime", 0x8104, 0x8105),  # start and due as days: midnight UTC of the local day
        *_ids(COMMON, "SystemTime", 0x8516, 0x8517),  # start and due as moments
        *_PRIVATE,
    ),
    Kind.NOTES: (*_LATER, *_ids(NOTE, "Integer", 0x8B00)),  # colour
}


class Shape:
    """Hold the fields that one kind of item is asked for, on one connection."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._needed = NEEDED[kind]
        self._optional = OPTIONAL[kind]
        self._is_probed = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the fields to ask for."""
        return self._needed + self._optional

    def lessen(self, accepts: Callable[[tuple[str, ...]], bool]) -> bool:
        """Find out, once, which optional fields this server accepts, and ask only for these from then on.

        Args:
            accepts: returns True if the server accepts a request with these fields.

        Returns:
            False when nothing changes: it is known already, or other fields are refused.
        """
        if self._is_probed:
            return False
        kept = self._accepted(self._optional, accepts) if accepts(self._needed) else self._optional
        lessened = kept != self._optional
        self._optional, self._is_probed = kept, True
        return lessened

    def _accepted(
        self, fields: tuple[str, ...], accepts: Callable[[tuple[str, ...]], bool]
    ) -> tuple[str, ...]:
        """Return the accepted ones of some fields, by halving."""
        if not fields or accepts(self._needed + fields):
            return fields
        if len(fields) == 1:
            return ()
        middle = len(fields) // 2
        return self._accepted(fields[:middle], accepts) + self._accepted(fields[middle:], accepts)
