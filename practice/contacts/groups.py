"""Personal distribution lists, and the public ones that ExpandDL knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from practice.contacts.cards import PLAIN, Contact, Email
from practice.exchange.soap import escape
from practice.harness.dice import Dice
from practice.world.case_records import reading
from practice.world.cases import DATA, Case, Reading, read
from practice.world.desk import SAMPLE, Desk, share
from practice.world.people import DOMAIN, Directory, Person
from practice.world.record_elements import filled, leaf, present
from practice.world.records import Common, Element, Record

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

MemberKind = Literal["Mailbox", "OneOff", "Contact", "PublicDL", "PrivateDL", "Unknown"]
PUBLIC_LISTS = ("bauamt", "alle", "leer")


@dataclass(frozen=True, slots=True)
class Member:
    """Name a member of a list.

    Attributes:
        key: of the contact or list of the same mailbox that is meant; the item may be gone.
    """

    name: str
    address: str | None = None
    routing: str | None = "SMTP"
    kind: MemberKind = "OneOff"
    key: str | None = None
    status: Literal["Normal", "Demoted", "Unrecognized"] = "Normal"


@dataclass(frozen=True, slots=True)
class DistributionList:
    """Hold a personal distribution list. Its key is as a contact's."""

    key: str
    name: str
    members: tuple[Member, ...] = ()
    common: Common = PLAIN
    file_as: str | None = None
    item_class: str = "IPM.DistList"

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:  # noqa: ARG002
        """Return the list's own elements."""
        found = _items(item, {member.key for member in self.members if member.key})
        members = "".join(_member(member, found.get(member.key or "")) for member in self.members)
        rows = (
            (
                "contacts:DisplayName",
                leaf("DisplayName", self.name) if self.name else "",
            ),
            (
                "contacts:FileAs",
                leaf("FileAs", self.name if self.file_as is None else self.file_as),
            ),
            ("contacts:ContactSource", leaf("ContactSource", "Store")),
            (
                "distributionlist:Members",
                f"<t:Members>{members}</t:Members>" if members else "",
            ),
        )
        return present(rows)


def expand(item: Message) -> list[str]:
    """Return the <t:Mailbox> elements of a list's members, as ExpandDL gives them: one level only."""
    record = item.record
    members = record.members if isinstance(record, DistributionList) else ()
    found = _items(item, {member.key for member in members if member.key})
    return [_mailbox(member, found.get(member.key or "")) for member in members]


def public_members(people: Directory, address: str) -> tuple[Person, ...] | None:
    """Return who is on one of the organisation's lists, at most ten; None if the address is no list's."""
    local, _, domain = address.lower().partition("@")
    if domain != DOMAIN or local not in PUBLIC_LISTS:
        return None
    count = {"alle": 10, "bauamt": 3}.get(local, 0)
    return tuple(people.at(index) for index in range(min(people.count, count)))


def _items(item: Message, keys: set[str]) -> dict[str, Message]:
    """Return where the mailbox's contacts and lists of these keys are now."""
    found: dict[str, Message] = {}
    for each in item.folder.mailbox.messages() if keys else ():
        record = each.record
        if isinstance(record, Contact | DistributionList) and record.key in keys:
            found.setdefault(record.key, each)
    return found


def _member(member: Member, item: Message | None) -> str:
    # Outlook keeps an entry id here; all that counts is that it is the member's own.
    key = Dice(member.name, member.address, member.key).hex(32)
    status = leaf("Status", member.status)
    return f'<t:Member Key="{key}">{_mailbox(member, item)}{status}</t:Member>'


def _mailbox(member: Member, item: Message | None) -> str:
    inner = leaf("Name", member.name) if member.name else ""
    inner += filled("EmailAddress", member.address) + filled("RoutingType", member.routing)
    inner += leaf("MailboxType", member.kind)
    if item is not None:
        inner += f'<t:ItemId Id="{item.id}" ChangeKey="{escape(item.change_key)}"/>'
    return f"<t:Mailbox>{inner}</t:Mailbox>"


# What a mailbox holds


def sample_groups(seed: int, index: int, cards: Sequence[Record], *, odd: bool = True) -> list[Record]:
    """Return the lists of a mailbox; nested lists come before those that hold them.

    Five neighbours hold every kind. Without oddities it is one list of some contacts.

    Args:
        seed: of the world.
        index: of the mailbox.
        cards: its contacts.
        odd: False for no oddities.
    """
    contacts = [card for card in cards if isinstance(card, Contact)]
    names = share(seed, index, "group", _CASES) if odd else ["contacts"]
    made: list[DistributionList] = []
    for name in names:
        made += _lists(_CASES[name], Desk(seed, index, f"group/{name}"), contacts)
    return [_finished(seed, index, group) for group in made]


def _finished(seed: int, index: int, group: DistributionList) -> DistributionList:
    return replace(group, common=Desk(seed, index, group.key).dated(group.common, group.name))


def _of(contact: Contact) -> Member:
    """Return a contact as a member: by one of its addresses, or by its name if it has none."""
    email = next((each for each in contact.emails if each and each.address), Email(""))
    routing = (email.routing or "SMTP") if email.address else None
    return Member(contact.display_name, email.address or None, routing, "Contact", contact.key)


def _lists(case: Case, desk: Desk, contacts: Sequence[Contact]) -> list[DistributionList]:
    """Return the list of a case, after those that stand below it.

    A list there is a member by its name; `contacts`: so many of the mailbox's contacts are members.
    """
    own = {field.name for field in fields(DistributionList)}
    below = {key: value for key, value in case.table.items() if isinstance(value, dict) and key not in own}
    tables = {f"{desk.key}/{key}": (key, table) for key, table in below.items()}
    if rest := {key: value for key, value in case.table.items() if key not in below}:
        tables[desk.key] = ("", rest)
    plain = reading(case, desk)

    def members(reader: Reading, value: object, at: str) -> tuple[Member, ...]:
        rows = reader.value(tuple[_Named, ...], value, at)
        return tuple(one for row in cast(tuple[_Named, ...], rows) for one in row.members(desk.key, contacts))

    reader = replace(plain, special={**plain.special, "DistributionList.members": members})
    return [reader.of(DistributionList, table, at, key=key) for key, (at, table) in tables.items()]


@dataclass(frozen=True, slots=True)
class _Named(Member):
    """Hold one or more members as a case names them."""

    name: str = ""
    list: str | None = None
    contacts: int | None = None

    def members(self, key: str, contacts: Sequence[Contact]) -> Sequence[Member]:
        if self.contacts is not None:
            return tuple(map(_of, contacts[: self.contacts]))
        if self.list is not None:
            return (Member(self.name, None, "MAPIPDL", "PrivateDL", f"{key}/{self.list}"),)
        return (Member(self.name, self.address, self.routing, self.kind, self.key, self.status),)


def cases(folder: Path = DATA) -> dict[str, Case]:
    """Return the cases of a data folder.

    Raises:
        CaseError: one of them is not understood.
    """
    found = read("lists", folder)
    for case in found.values():
        _lists(case, SAMPLE, ())  # says now what is wrong
    return found


_CASES = cases()
