"""Records in a practice mailbox, written as Exchange would and read as exchangelib reads."""

from __future__ import annotations

from typing import Any

from lxml import etree

from practice.exchange.soap import EXCHANGE, TYPES_NS, Dialect
from practice.world.records import Record
from practice.world.world import Mailbox, World

SEED = 7
_SCHEMA = {
    "Contact": "FileAs FileAsMapping DisplayName GivenName Initials MiddleName Nickname CompleteName"
    " CompanyName EmailAddresses PhysicalAddresses PhoneNumbers AssistantName Birthday"
    " BusinessHomePage Children Companies ContactSource Department Generation ImAddresses"
    " JobTitle Manager Mileage OfficeLocation PostalAddressIndex Profession SpouseName Surname"
    " WeddingAnniversary HasPicture PhoneticFullName PhoneticFirstName PhoneticLastName Alias",
    "Task": "ActualWork AssignedTime BillingInformation ChangeCount Companies CompleteDate Contacts"
    " DelegationState Delegator DueDate IsAssignmentEditable IsComplete IsRecurring IsTeamTask"
    " Mileage Owner PercentComplete Recurrence StartDate Status StatusDescription TotalWork",
    "DistributionList": "DisplayName FileAs ContactSource Members",
}
ORDER = {kind: names.split() for kind, names in _SCHEMA.items()}
"""The elements of types.xsd, in its order."""


def mailbox_of(*records: Record, folder: str = "contacts", index: int = 0) -> Mailbox:
    """A mailbox that holds these alone, in this order."""
    world = World(seed=SEED, people=5, items=0, nasty=False)
    mailbox = world.mailbox(world.addresses()[index])
    for record in records:
        mailbox.put(mailbox.distinguished(folder), record)
    return mailbox


def written(mailbox: Mailbox, dialect: Dialect = EXCHANGE) -> list[etree._Element]:
    """An element <t:Item> of each record's own elements, in the order in which they were put."""
    found = []
    for item in mailbox.messages():
        assert item.record is not None
        inner = "".join(each.xml for each in item.record.elements(item, dialect))
        found.append(etree.fromstring(f'<t:Item xmlns:t="{TYPES_NS}">{inner}</t:Item>'))
    return found


def parsed(kind: Any, record: Record) -> Any:
    """By exchangelib's class of this kind."""
    return kind.from_xml(written(mailbox_of(record))[0], None)


def tags(element: etree._Element) -> list[str]:
    return [etree.QName(each).localname for each in element]


def properties(record: Record) -> dict[str, str]:
    """The text of each extended property by its name or number, as it is written."""
    found: dict[str, str] = {}
    for xml in record.common.properties:
        root = etree.fromstring(f'<r xmlns:t="{TYPES_NS}">{xml}</r>')
        uri = root[0][0]
        name = uri.get("PropertyTag") or uri.get("PropertyName") or hex(int(uri.get("PropertyId", "0")))
        found[name] = "".join(root[0][1].itertext())
    return found
