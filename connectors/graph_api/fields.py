"""List what Graph is asked of events, contacts and tasks.

These are Graph's own fields, and MAPI properties for what Graph leaves out and EWS gives.

Source:
    MS-OXPROPS (MAPI properties).
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.ews.fields import ADDRESS, APPOINTMENT, COMMON

PUBLIC = "00020329-0000-0000-c000-000000000046"
SINGLE, MULTI = "singleValueExtendedProperties", "multiValueExtendedProperties"

EVENT = (
    "id,changeKey,type,seriesMasterId,iCalUId,subject,body,categories,importance,sensitivity,showAs,isAllDay,"
    "isCancelled,isOrganizer,isReminderOn,reminderMinutesBeforeStart,hasAttachments,start,end,originalStart,"
    "originalStartTimeZone,originalEndTimeZone,recurrence,location,locations,organizer,attendees,"
    "responseStatus,responseRequested,allowNewTimeProposals,hideAttendees,onlineMeeting,onlineMeetingUrl,"
    "createdDateTime,lastModifiedDateTime"
)
EVENT_LISTED = "id,changeKey,lastModifiedDateTime"
SERIES = "id,changeKey,cancelledOccurrences,exceptionOccurrences"
CONTACT = (
    "id,changeKey,parentFolderId,createdDateTime,lastModifiedDateTime,categories,birthday,fileAs,displayName,"
    "givenName,initials,middleName,nickName,surname,title,yomiGivenName,yomiSurname,yomiCompanyName,"
    "generation,emailAddresses,imAddresses,jobTitle,companyName,department,officeLocation,profession,"
    "businessHomePage,assistantName,manager,homePhones,mobilePhone,businessPhones,homeAddress,"
    "businessAddress,otherAddress,spouseName,personalNotes,children"
)
TASK = (
    "id,title,body,categories,importance,status,isReminderOn,reminderDateTime,startDateTime,dueDateTime,"
    "completedDateTime,recurrence,hasAttachments,createdDateTime,lastModifiedDateTime"
)
TASK_EXPAND = "checklistItems,linkedResources"


def _tags(kind: str, *tags: int) -> tuple[str, ...]:
    return tuple(f"{kind} 0x{tag:x}" for tag in tags)


def _ids(owner: str, kind: str, *ids: int) -> tuple[str, ...]:
    return tuple(f"{kind} {{{owner}}} Id 0x{id_:x}" for id_ in ids)


def _public(*names: str) -> tuple[str, ...]:
    return tuple(f"String {{{PUBLIC}}} Name {name}" for name in names)


def expand(ids: Iterable[str], name: str = SINGLE) -> str:
    """Return the part of $expand that asks for these properties.

    Args:
        ids: the properties' ids.
        name: the collection: single-valued or multi-valued properties.

    Source:
        https://learn.microsoft.com/graph/api/singlevaluelegacyextendedproperty-get
    """
    terms = " or ".join(f"id eq '{id_}'" for id_ in ids)
    return f"{name}($filter={terms})"


_ITEM = (
    *_tags("String", 0x001A),  # message class
    *_tags("Integer", 0x1016),  # what the text was typed as
    *_tags("Boolean", 0x0E1B),  # anything attached, pictures inside the text included
    *_ids(COMMON, "Boolean", 0x8506),  # private
)
EVENT_EXPAND = expand(
    (
        *_ITEM,
        *_ids(APPOINTMENT, "Integer", 0x8201, 0x8214, 0x8217),  # sequence, colour label, state
        *_ids(APPOINTMENT, "String", 0x8209, 0x8234, 0x8248),  # workspace, zone's name, NetShow
        *_ids(APPOINTMENT, "Binary", 0x8233, 0x825E, 0x825F, 0x8260),  # zones: old, start, end, series
        *_public("OnlineMeetingConfLink", "OnlineMeetingExternalLink", "SkypeTeamsMeetingUrl"),
    )
)
CONTACT_EXPAND = ",".join(
    (
        expand(
            (
                *_ITEM,
                *_tags("Integer", 0x0036),  # sensitivity
                *_tags("SystemTime", 0x3A41),  # anniversary
                # telephones and faxes
                *_tags("String", 0x3A02, 0x3A08, 0x3A09, 0x3A1A, 0x3A1B, 0x3A1C, 0x3A1D, 0x3A1E, 0x3A1F),
                *_tags("String", 0x3A21, 0x3A23, 0x3A24, 0x3A25, 0x3A2C, 0x3A2D, 0x3A2E, 0x3A2F, 0x3A4B),
                *_tags("String", 0x3A57),
                # account, government id, language, organisational id, hobbies, referred by, computer,
                # customer id, FTP site, personal home page
                *_tags("String", 0x3A00, 0x3A07, 0x3A0C, 0x3A10, 0x3A43, 0x3A47, 0x3A49, 0x3A4A, 0x3A4C),
                *_tags("String", 0x3A50),
                *_tags("Short", 0x3A4D),  # gender
                *_ids(ADDRESS, "Boolean", 0x8015),  # has a picture
                *_ids(ADDRESS, "Integer", 0x8022),  # the mailing address
                # web page, phonetic names, user fields, free/busy address
                *_ids(ADDRESS, "String", 0x802B, 0x802C, 0x802D, 0x802E, 0x804F, 0x8050, 0x8051, 0x8052),
                *_ids(ADDRESS, "String", 0x80D8),
                # e-mail addresses: name, routing, address
                *_ids(ADDRESS, "String", 0x8080, 0x8082, 0x8083, 0x8090, 0x8092, 0x8093),
                *_ids(ADDRESS, "String", 0x80A0, 0x80A2, 0x80A3),
                *_ids(ADDRESS, "SystemTime", 0x80DE, 0x80DF),  # birthday, anniversary as they were written
                *_ids(COMMON, "Boolean", 0x8503),  # a reminder
                *_ids(COMMON, "String", 0x8534, 0x8535),  # mileage, billing
            )
        ),
        expand(_ids(COMMON, "StringArray", 0x8539), MULTI),  # companies
    )
)
FOLDER_EXPAND = expand((*_tags("String", 0x3613), *_tags("Boolean", 0x10F4)))
"""For a calendar or address book: its class, and if it is hidden."""
