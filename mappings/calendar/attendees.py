"""Map the people of an event: ORGANIZER and ATTENDEE.

The owner's own answer stands on the owner's own ATTENDEE line (RFC 5545 3.2.12): EWS keeps it apart, in
MyResponseType, and an attendee's copy does not have the others' answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from mappings.fields.addresses import nowhere, smtp
from mappings.fields.context import Reading
from mappings.fields.ews_xml import Element, child, children, flag, number, printable, text
from mappings.icalendar.component import Component
from mappings.icalendar.values import CalendarAddress
from mappings.losses.catalogue import lose
from model.protocols import Loss

ANSWERS: Mapping[str, str] = {
    "Accept": "ACCEPTED",
    "Decline": "DECLINED",
    "Tentative": "TENTATIVE",
    "Organizer": "ACCEPTED",
    "NoResponseReceived": "NEEDS-ACTION",
    "Unknown": "NEEDS-ACTION",
    "": "NEEDS-ACTION",
}
OWN_ANSWERS = frozenset({"Accept", "Decline", "Tentative", "NoResponseReceived"})
"""MyResponseType of a meeting that somebody else called."""

ROLES: Mapping[str, str] = {
    "t:RequiredAttendees/t:Attendee": "REQ-PARTICIPANT",
    "t:OptionalAttendees/t:Attendee": "OPT-PARTICIPANT",
    "t:Resources/t:Attendee": "NON-PARTICIPANT",
}
GROUPS = frozenset({"PublicDL", "PrivateDL", "GroupMailbox", "ImplicitContactGroup"})
_RECEIVED = 2  # AppointmentState, MS-OXOCAL 2.2.1.10 asfReceived


@dataclass(frozen=True, slots=True)
class _Party:
    """Name a person. uri: mailto:, or one that goes nowhere. address: lower case, "" for none."""

    uri: str
    address: str
    name: str


_Attendee = tuple[_Party, CalendarAddress]


def people(element: Element, context: Reading, event: Component) -> list[Loss]:
    """Add ORGANIZER and ATTENDEE to the event.

    An event in which nobody else takes part gets neither.
    """
    losses: list[Loss] = []
    attendees = list(_attendees(element, context, losses))
    if not attendees and not received(element, context):
        return [loss for loss in losses if loss.field == "attendee"]
    called = _organizer(element, context, losses)
    if received(element, context):
        attendees += _owner_added(element, attendees, context, losses)
    if not attendees:
        return [loss for loss in losses if loss.field == "attendee"]
    if called is not None:
        event.add("ORGANIZER", called)
    else:
        losses.append(lose("organizer", "unknown"))
    for _, attendee in attendees:
        event.add("ATTENDEE", attendee)
    return losses


def received(element: Element, context: Reading) -> bool:
    """Return True if somebody else called this meeting."""
    answer = text(element, "t:MyResponseType").strip()
    if answer in OWN_ANSWERS:
        return True
    if answer == "Organizer":
        return False
    state = number(element, "t:AppointmentState")
    if state is not None and state > 0:
        return bool(state & _RECEIVED)
    party = _party(child(element, "t:Organizer"), context, [])
    return flag(element, "t:IsMeeting") and bool(party and party.address not in context.owner | {""})


def _party(element: Element | None, context: Reading, losses: list[Loss]) -> _Party | None:
    """Return a person; None for an element with neither name nor address."""
    if element is None:
        return None
    address, loss = smtp(element, context)
    losses += [loss] if loss else []
    name = " ".join(printable(text(element, "t:Mailbox/t:Name")).split())
    if address is not None:
        return _Party(f"mailto:{quote(address, safe=_SAFE)}", address.lower(), name)
    written = text(element, "t:Mailbox/t:EmailAddress").strip()
    if not name and not written:
        return None
    if loss is None:
        losses.append(lose("address", "no-address"))
    return _Party(nowhere(f"{name}\n{written}"), "", name)


_SAFE = "@!$&'*+-./=?^_`{|}~"


def _attendees(element: Element, context: Reading, losses: list[Loss]) -> Iterator[_Attendee]:
    """Yield each attendee once, in the order of roles: RFC 5545 3.8.4.1 has an address once."""
    seen = set()
    for path, role in ROLES.items():
        for attendee in children(element, path):
            party = _party(attendee, context, losses)
            if party is None:
                losses.append(lose("attendee", "empty"))
            elif party.uri.lower() in seen:
                losses.append(lose("attendee", "twice"))
            else:
                seen.add(party.uri.lower())
                if child(attendee, "t:ProposedStart") is not None:
                    losses.append(lose("attendee", "proposed-time"))
                yield (
                    party,
                    _line(
                        element, attendee, party, role, _kind(element, attendee, role, party), context, losses
                    ),
                )


def _line(
    element: Element,
    attendee: Element,
    party: _Party,
    role: str,
    kind: str,
    context: Reading,
    losses: list[Loss],
) -> CalendarAddress:
    line = _address(party)
    answer = _answer(text(attendee, "t:ResponseType"), losses)
    if party.address in context.owner and text(element, "t:MyResponseType").strip() in OWN_ANSWERS:
        answer = _answer(text(element, "t:MyResponseType"), losses)
    if kind:
        line.parameters["CUTYPE"] = kind
    line.parameters["ROLE"] = role
    line.parameters["PARTSTAT"] = answer
    if answer == "NEEDS-ACTION" and flag(element, "t:IsResponseRequested"):
        line.parameters["RSVP"] = "TRUE"
    return line


def _address(party: _Party) -> CalendarAddress:
    line = CalendarAddress(party.uri)
    if party.name:
        line.parameters["CN"] = party.name
    return line


def _answer(written: str, losses: list[Loss]) -> str:
    answer = ANSWERS.get(written.strip())
    if answer is None:
        losses.append(lose("attendee", "unknown-answer"))
    return answer or "NEEDS-ACTION"


def _kind(element: Element, attendee: Element, role: str, party: _Party) -> str:
    """Return CUTYPE.

    Exchange tells rooms from other resources in its directory alone; an event's own location names the rooms
    in which it takes place.
    """
    if text(attendee, "t:Mailbox/t:MailboxType").strip() in GROUPS:
        return "GROUP"
    if role != "NON-PARTICIPANT":
        return ""
    named = {party.address, party.name.lower()} - {""}
    return "ROOM" if named & _rooms(element) else "RESOURCE"


def _rooms(element: Element) -> frozenset[str]:
    """Return lower-case names and addresses of the places that an event names; Outlook separates them by ".

    ".
    """
    location = printable(text(element, "t:Location"))
    enhanced = [
        text(element, f"t:EnhancedLocation/t:{path}")
        for path in ("DisplayName", "PostalAddress/t:LocationUri", "LocationUri")
    ]
    return frozenset(
        name.strip().lower() for name in (*location.split(";"), location, *enhanced) if name.strip()
    )


def _organizer(element: Element, context: Reading, losses: list[Loss]) -> CalendarAddress | None:
    own_losses: list[Loss] = []
    party = _party(child(element, "t:Organizer"), context, own_losses)
    if (party is None or not party.address) and context.owner and not received(element, context):
        # The owner called it, whatever internal address that is written with.
        return _address(_Party(f"mailto:{_own(context)}", _own(context), party.name if party else ""))
    losses += own_losses
    return None if party is None else _address(party)


def _own(context: Reading) -> str:
    return quote(min(context.owner), safe=_SAFE)


def _owner_added(
    element: Element, attendees: list[_Attendee], context: Reading, losses: list[Loss]
) -> list[_Attendee]:
    """Return the owner's own line if a distribution list was invited.

    Without it no client shows the answer.
    """
    if not context.owner or any(party.address in context.owner for party, _ in attendees):
        return []
    losses.append(lose("attendee", "owner-added"))
    line = _address(_Party(f"mailto:{_own(context)}", _own(context), ""))
    line.parameters["ROLE"] = "REQ-PARTICIPANT"
    line.parameters["PARTSTAT"] = _answer(text(element, "t:MyResponseType"), losses)
    return [(_Party(line.said, _own(context), ""), line)]
