"""List what a server may add or rewrite in an object without changing its meaning, with one reason each.

Nothing else is ignored, except properties that no mapping writes and no field of
mappings.compare.semantic_digest reads. Each entry has a test of its name.
"""

from __future__ import annotations

from collections.abc import Mapping

BOTH: Mapping[str, str] = {
    "order": "That of properties and parameters means nothing (RFC 5545 section 3.1, RFC 6350 section 3.3).",
    "folding": "Where a line is folded, and how it ends, is no content (RFC 5545 section 3.1).",
    "case of names": "Properties and parameters have none (RFC 5545 section 2, RFC 6350 section 3.3).",
    "quoting of parameters": "A parameter's value is the same with quotes and without them.",
    "escaping in addresses": "Some servers escape commas in URIs as if they were text.",
    "blanks at line ends": "No reader shows blanks at the end of a line or blank lines at the end of a text.",
    "control characters": "No text may hold them (RFC 5545 section 3.3.11); Nextcloud takes them out.",
    "PRODID": "It names the program that wrote this copy.",
    "X-properties of others": "Servers and clients keep notes of their own; nobody's data is in them.",
}

CALENDAR: Mapping[str, str] = {
    "METHOD": "A stored object has none (RFC 4791 section 4.1).",
    "CALSCALE": "GREGORIAN is the only value, and the default (RFC 5545 section 3.7.1).",
    "DTSTAMP": "It says when this copy was made.",
    "CREATED": "A server may set it to the time it stored the object.",
    "LAST-MODIFIED": "A server may set it to the time it stored the object.",
    "SEQUENCE": "A scheduling server counts its own revisions in it.",
    "REQUEST-STATUS": "What a server noted about an invitation it sent.",
    "VTIMEZONE": "The moments themselves are compared, so that only a difference in time counts.",
    "TZID": "The moments themselves are compared, so that a zone may have another name.",
    "RRULE and RDATE": "The moments themselves are compared, so that a rule may be written in another way.",
    "EXDATE": "What it takes out is gone from the moments; one value a line or many is the same.",
    "DTEND or DURATION": "Both say how long it lasts.",
    "exceptions that change nothing": "A server may drop one that is where and what the master has it.",
    "default values": "Left out or written is the same: ROLE=REQ-PARTICIPANT, CUTYPE=INDIVIDUAL, "
    "PARTSTAT=NEEDS-ACTION, RELATED=START, TRANSP:OPAQUE, CLASS:PUBLIC, PRIORITY:0, PERCENT-COMPLETE:0 "
    "(100 of a completed task), STATUS:CONFIRMED of an event and NEEDS-ACTION of a task, and as "
    "X-MICROSOFT-CDO-BUSYSTATUS what TRANSP and STATUS imply.",
    "CN": "A server writes its directory's name for the same address.",
    "RSVP": "It asks for an answer that has been given or is no longer awaited; servers clear it.",
    "SCHEDULE-AGENT": "It says who mails; so do SCHEDULE-STATUS and SCHEDULE-FORCE-SEND (RFC 6638).",
    "other parameters of people": "SENT-BY, DIR, EMAIL, LANGUAGE and X- ones are a directory's.",
    "the organizer among the attendees": "Some servers add the organizer, who comes, to the attendees.",
    "UID of an alarm": "Servers and clients number alarms to tell them apart.",
    "text of an alarm": "A reminder shows its event; servers fill in a default text.",
    "trigger spelling": "-P1D, -PT24H, -PT1440M, or for a single event the moment itself.",
    "media type of an attachment": "The content is compared; its type is a server's or a name's guess.",
    "X-APPLE-STRUCTURED-LOCATION": "It repeats LOCATION and GEO for Apple's clients.",
    "label of a conference": "A text in the writer's language; the link is compared.",
}

CARD: Mapping[str, str] = {
    "VERSION": "3.0 and 4.0 hold the same; a server gives the version it was asked for.",
    "REV": "It says when this copy was made.",
    "types without meaning": "VOICE, INTERNET, INTL, POSTAL, PARCEL and OTHER: defaults of vCard 3.0 that "
    "4.0 has no longer.",
    "spelling of types": "TYPE=WORK,PREF is TYPE=work;TYPE=pref is TYPE=work;PREF=1, with X- or without.",
    "spelling of dates": "1980-01-01, 19800101, and either with a time behind it.",
    "spelling of URIs": "tel:, mailto: and urn:uuid: before what a text could hold as well.",
    "spelling of pictures": "A data: URI or ENCODING=b: the bytes are compared, not their media type.",
    "spelling of groups": "X-ADDRESSBOOKSERVER-KIND and -MEMBER are KIND and MEMBER of 4.0.",
    "X- before what 4.0 has": "ANNIVERSARY, GENDER, HOBBY, LANG, RELATED and others have X- names in 3.0.",
    "group names": "item1.TEL and item2.TEL are the same; the label of a group counts.",
    "empty components": "Semicolons at the end of a name, an address or an organisation say nothing. "
    "An N without any name is none.",
    "order of numbers": "PREF and X-2ND beside another type: which of two numbers of a kind stands first.",
    "SORT-AS": "It repeats how a name is spoken, which has a property of its own.",
}

IGNORED: Mapping[str, str] = {**BOTH, **CALENDAR, **CARD}
