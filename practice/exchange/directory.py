"""Answer what is asked about people rather than about mail: names, out of office, rules, delegates.

Which people have a rule, a delegate or an absence follows from their index in the directory, so that a
preflight finds some of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from practice.exchange.auth import find_mailbox
from practice.exchange.context import Context
from practice.exchange.soap import (
    Call,
    EwsError,
    M,
    T,
    boolean,
    escape,
    failed,
    failure,
    message,
)
from practice.world.people import Person
from practice.world.replies import ews_reply
from practice.world.rules import ews_rules

_LIMIT = 100
_DOMAIN_SID = "S-1-5-21-1333220396-2200287332-232816053"


def resolve_names(context: Context, call: Call) -> Iterator[bytes]:
    """Answer ResolveNames."""
    entry = (call.element.findtext(f"{M}UnresolvedEntry") or "").strip()
    full = call.element.get("ReturnFullContactData", "").lower() in ("true", "1")
    found = _resolve(context, entry)
    if not found:
        error = EwsError("ErrorNameResolutionNoResults", "No results were found.")
        yield failure("ResolveNames", error).encode()
        return
    last = len(found) <= _LIMIT
    contact = None if not full else _sparse_contact if context.dialect.name == "gromox" else _contact
    each = "".join(_resolution(person, contact) for person in found[:_LIMIT])
    content = (
        f'<m:ResolutionSet TotalItemsInView="{min(len(found), _LIMIT)}"'
        f' IncludesLastItemInRange="{boolean(last)}">{each}</m:ResolutionSet>'
    )
    if len(found) == 1:
        yield message("ResolveNames", content).encode()
        return
    many = EwsError("ErrorNameResolutionMultipleResults", "Multiple results were found.")
    yield failure("ResolveNames", many, content, kind="Warning").encode()


def _resolve(context: Context, entry: str) -> list[Person]:
    """Return people by address, by legacyExchangeDN, or by the beginning of a name."""
    kind, colon, rest = entry.partition(":")
    wanted = rest if colon and kind.lower() in ("smtp", "ex", "sip") else entry
    if not wanted:
        return []
    if wanted.lower().startswith("/o="):
        try:
            return [context.world.people.find_legacy(wanted)]
        except KeyError:
            return []
    return context.world.people.search(wanted, limit=_LIMIT + 1)


def _resolution(person: Person, contact: Callable[[Person], str] | None) -> str:
    mailbox = (
        f"<t:Mailbox><t:Name>{escape(person.name)}</t:Name><t:EmailAddress>{person.address}</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
    )
    return f"<t:Resolution>{mailbox}{contact(person) if contact else ''}</t:Resolution>"


def _contact(person: Person) -> str:
    """Return a person's contact; as in proxyAddresses, SMTP marks the primary address, smtp the others."""
    addresses = [f"SMTP:{person.address}", *(f"smtp:{proxy}" for proxy in person.proxies)][:3]
    entries = "".join(
        f'<t:Entry Key="EmailAddress{at}">{address}</t:Entry>' for at, address in enumerate(addresses, 1)
    )
    return (
        f"<t:Contact><t:DisplayName>{escape(person.name)}</t:DisplayName>"
        f"<t:GivenName>{escape(person.given)}</t:GivenName><t:EmailAddresses>{entries}</t:EmailAddresses>"
        f"<t:ContactSource>ActiveDirectory</t:ContactSource><t:Surname>{escape(person.family)}</t:Surname>"
        "</t:Contact>"
    )


def _sparse_contact(person: Person) -> str:
    """Return a person's contact as gromox states it: no addresses, and the first name as initials."""
    given, family, name = escape(person.given), escape(person.family), escape(person.name)
    return (
        f"<t:Contact><t:DisplayName>{name}</t:DisplayName><t:Initials>{given}</t:Initials><t:CompleteName>"
        f"<t:LastName>{family}</t:LastName><t:Initials>{given}</t:Initials><t:FullName>{name}</t:FullName>"
        f"</t:CompleteName><t:Surname>{family}</t:Surname></t:Contact>"
    )


def _owner(context: Context, address: str | None) -> Person:
    """Return the person whose settings are asked for.

    Raises:
        EwsError: the caller does not have that mailbox.
    """
    return context.session.open((address or "").strip() or None).owner


def get_inbox_rules(context: Context, call: Call) -> Iterator[bytes]:
    """Answer GetInboxRules."""
    if context.dialect.name == "gromox":  # it answers without the ResponseCode the schema demands
        yield from context.dialect.bare(
            "<m:GetInboxRulesResponse><t:OutlookRuleBlobExists>false</t:OutlookRuleBlobExists>"
            "</m:GetInboxRulesResponse>"
        )
        return
    try:
        owner = _owner(context, call.element.findtext(f"{M}MailboxSmtpAddress"))
    except EwsError as error:
        yield from context.dialect.bare(_direct_error("GetInboxRules", error))
        return
    yield from context.dialect.bare(
        '<m:GetInboxRulesResponse ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"<m:OutlookRuleBlobExists>false</m:OutlookRuleBlobExists>{_rules(context, owner)}"
        "</m:GetInboxRulesResponse>"
    )


def _rules(context: Context, owner: Person) -> str:
    mailbox = find_mailbox(context.world, owner.address)
    return "<m:InboxRules/>" if mailbox is None else ews_rules(mailbox)


def get_reply(context: Context, call: Call) -> Iterator[bytes]:
    """Answer GetUserOofSettings."""
    try:
        owner = _owner(context, call.element.findtext(f"{T}Mailbox/{T}Address"))
    except EwsError as error:
        body = f'<m:ResponseMessage ResponseClass="Error">{failed(error)}</m:ResponseMessage>'
    else:
        body = (
            '<m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
            f"</m:ResponseMessage>{ews_reply(owner)}"
        )
    yield from context.dialect.bare(
        f"<m:GetUserOofSettingsResponse>{body}<m:AllowExternalOof>All</m:AllowExternalOof>"
        "</m:GetUserOofSettingsResponse>"
    )


def get_delegate(context: Context, call: Call) -> Iterator[bytes]:
    """Answer GetDelegate."""
    try:
        owner = _owner(context, call.element.findtext(f"{M}Mailbox/{T}EmailAddress"))
    except EwsError as error:
        yield from context.dialect.bare(_direct_error("GetDelegate", error))
        return
    delegates = ""
    count = context.world.people.count
    if context.dialect.name == "exchange" and owner.index % 3 == 0 and count > 1:
        other = context.world.people.at((owner.index + 1) % count)
        delegates = _delegate(other, bare=context.dialect.habits.bare_delegates)
    empty = "<m:ResponseMessages/>" if context.dialect.name == "gromox" else ""
    users = f"<m:ResponseMessages>{delegates}</m:ResponseMessages>" if delegates else empty
    delivers = bool(delegates) and not context.dialect.habits.bare_delegates
    deliver = "<m:DeliverMeetingRequests>DelegatesAndMe</m:DeliverMeetingRequests>" if delivers else ""
    yield from context.dialect.bare(
        '<m:GetDelegateResponse ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"{users}{deliver}</m:GetDelegateResponse>"
    )


def _delegate(person: Person, *, bare: bool) -> str:
    copies = "<t:ReceiveCopiesOfMeetingMessages>false</t:ReceiveCopiesOfMeetingMessages>"
    rights = "" if bare else f"{copies}<t:ViewPrivateItems>false</t:ViewPrivateItems>"
    return (
        '<m:DelegateUserResponseMessageType ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"<m:DelegateUser><t:UserId><t:SID>{_DOMAIN_SID}-{1000 + person.index}</t:SID>"
        f"<t:PrimarySmtpAddress>{person.address}</t:PrimarySmtpAddress>"
        f"<t:DisplayName>{escape(person.name)}</t:DisplayName></t:UserId><t:DelegatePermissions>"
        "<t:CalendarFolderPermissionLevel>Author</t:CalendarFolderPermissionLevel>"
        "<t:ContactsFolderPermissionLevel>Reviewer</t:ContactsFolderPermissionLevel></t:DelegatePermissions>"
        f"{rights}</m:DelegateUser></m:DelegateUserResponseMessageType>"
    )


def _direct_error(operation: str, error: EwsError) -> str:
    return f'<m:{operation}Response ResponseClass="Error">{failed(error)}</m:{operation}Response>'
