"""Hold the automatic replies of some mailboxes, in Graph's words: of every eighth person another one.

They are one for everybody in HTML, one with dates, one that is switched off, one for people inside alone, one
for contacts alone, and one that is over.

Source:
    https://learn.microsoft.com/graph/api/resources/automaticrepliessetting
    types.xsd (UserOofSettings): the order of the elements
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from practice.world.people import Person


@dataclass(frozen=True, slots=True)
class AutomaticReply:
    """Describe a reply in Graph's words; dates in UTC, used where the status is "scheduled"."""

    status: str = "disabled"
    audience: str = "none"
    inside: str = ""
    outside: str = ""
    start: str = "2026-01-05T07:00:00"
    end: str = "2036-01-05T16:30:00"


_HTML = (
    "<html><body><p>Ich bin <b>im Urlaub</b>.</p><p>Vertretung: Müller &amp; Söhne</p>"
    "<p># Zimmer 7</p></body></html>"
)
REPLIES = {
    2: AutomaticReply("alwaysEnabled", "all", _HTML, "Away until further notice.\nBack soon"),
    3: AutomaticReply("scheduled", "all", "Bis Januar 2036 weg", "Away"),
    4: AutomaticReply("disabled", "all", "alter Text"),
    5: AutomaticReply("alwaysEnabled", "none", "Nur für Kollegen", "Nobody reads this"),
    6: AutomaticReply("alwaysEnabled", "contactsOnly", "Drinnen", "For contacts"),
    7: AutomaticReply("scheduled", "all", "Vorbei", "Over", "2020-01-05T07:00:00", "2020-01-06T07:00:00"),
}
"""By a person's number; the others have none."""
_STATES = {"disabled": "Disabled", "alwaysEnabled": "Enabled", "scheduled": "Scheduled"}
_AUDIENCES = {"none": "None", "contactsOnly": "Known", "all": "All"}


def reply_of(person: Person) -> AutomaticReply:
    """Return the reply of a person."""
    return REPLIES.get(person.index % 8, AutomaticReply())


def graph_reply(person: Person) -> dict[str, Any]:
    """Return a person's automaticRepliesSetting."""
    reply = reply_of(person)
    return {
        "status": reply.status,
        "externalAudience": reply.audience,
        "internalReplyMessage": reply.inside,
        "externalReplyMessage": reply.outside,
        "scheduledStartDateTime": {"dateTime": f"{reply.start}.0000000", "timeZone": "UTC"},
        "scheduledEndDateTime": {"dateTime": f"{reply.end}.0000000", "timeZone": "UTC"},
    }


def ews_reply(person: Person) -> str:
    """Return a person's <t:OofSettings>."""
    reply = reply_of(person)
    return (
        f"<t:OofSettings><t:OofState>{_STATES[reply.status]}</t:OofState>"
        f"<t:ExternalAudience>{_AUDIENCES[reply.audience]}</t:ExternalAudience>"
        f"<t:Duration><t:StartTime>{reply.start}Z</t:StartTime><t:EndTime>{reply.end}Z</t:EndTime></t:Duration>"
        f"<t:InternalReply><t:Message>{escape(reply.inside)}</t:Message></t:InternalReply>"
        f"<t:ExternalReply><t:Message>{escape(reply.outside)}</t:Message></t:ExternalReply></t:OofSettings>"
    )
