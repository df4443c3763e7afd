"""Personal distribution lists, and the public ones that ExpandDL knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from practice.contacts.cards import PLAIN, Contact, Email
from practice.exchange.soap import escape
from practice.harness.dice import Dice
from practice.world.desk import Desk, share
from practice.world.people import DOMAIN, LEGACY_PREFIX, Directory, Person
from practice.world.record_elements import filled, leaf, present
from practice.world.records import Common, Element, Record

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

MemberKind = Literal["Mailbox", "OneOff", "Contact", "PublicDL", "PrivateDL", "Unknown"]
PUBLIC_LISTS = ("bauamt", "alle", "leer")


@dataclass(frozen=True, slots=True)
class Member:
    """key: of the contact or list of the same mailbox that is meant; the item may be gone."""

    name: str
    address: str | None = None
    routing: str | None = "SMTP"
    kind: MemberKind = "OneOff"
    key: str | None = None
    status: Literal["Normal", "Demoted", "Unrecognized"] = "Normal"


@dataclass(frozen=True, slots=True)
class DistributionList:
    """A personal distribution list. key as a contact's."""

    key: str
    name: str
    members: tuple[Member, ...] = ()
    common: Common = PLAIN
    file_as: str | None = None
    item_class: str = "IPM.DistList"

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:  # noqa: ARG002
        found = _items(item, {member.key for member in self.members if member.key})
        members = "".join(_member(member, found.get(member.key or "")) for member in self.members)
        rows = (
            ("contacts:DisplayName", leaf("DisplayName", self.name) if self.name else ""),
            ("contacts:FileAs", leaf("FileAs", self.name if self.file_as is None else self.file_as)),
            ("contacts:ContactSource", leaf("ContactSource", "Store")),
            ("distributionlist:Members", f"<t:Members>{members}</t:Members>" if members else ""),
        )
        return present(rows)


def expand(item: Message) -> list[str]:
    """The <t:Mailbox> elements of a personal list's members, as ExpandDL gives them: one level only."""
    record = item.record
    members = record.members if isinstance(record, DistributionList) else ()
    found = _items(item, {member.key for member in members if member.key})
    return [_mailbox(member, found.get(member.key or "")) for member in members]


def public_members(people: Directory, address: str) -> tuple[Person, ...] | None:
    """Who is on one of the organisation's lists, at most ten; None for an address that is none."""
    local, _, domain = address.lower().partition("@")
    if domain != DOMAIN or local not in PUBLIC_LISTS:
        return None
    count = {"alle": 10, "bauamt": 3}.get(local, 0)
    return tuple(people.at(index) for index in range(min(people.count, count)))


def _items(item: Message, keys: set[str]) -> dict[str, Message]:
    """Where the mailbox's contacts and lists of these keys are now."""
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
    """The lists of mailbox number index, whose contacts are `cards`; nested lists come before those that hold
    them. Five neighbours hold every kind. Not odd: one list of some contacts."""
    contacts = [card for card in cards if isinstance(card, Contact)]
    names = share(seed, index, "group", _KINDS) if odd else ["contacts"]
    made: list[DistributionList] = []
    for name in names:
        made += _KINDS[name](Desk(seed, index, f"group/{name}"), contacts)
    return [_finished(seed, index, group) for group in made]


def _finished(seed: int, index: int, group: DistributionList) -> DistributionList:
    return replace(group, common=Desk(seed, index, group.key).dated(group.common, group.name))


def _of(contact: Contact) -> Member:
    """A contact is a member by one of its addresses; without any, by its name."""
    email = next((each for each in contact.emails if each and each.address), Email(""))
    routing = (email.routing or "SMTP") if email.address else None
    return Member(contact.display_name, email.address or None, routing, "Contact", contact.key)


def _one_offs(desk: Desk, _: Sequence[Contact]) -> Iterator[DistributionList]:
    members = (
        Member("Ahlers, Fritz", "ahlers@kanzlei.example"),
        Member("山田 太郎", "yamada@tokyo.example"),
        Member("info@verein.example", "info@verein.example"),
        Member("Fax", "+49 431 999", "FAX"),
        Member('Müller; "Söhne", \\', '"a;b, c"@firma.example'),
    )
    yield DistributionList(desk.key, "Skatrunde", members)


def _contacts(desk: Desk, contacts: Sequence[Contact]) -> Iterator[DistributionList]:
    yield DistributionList(desk.key, "Kunden; Nord, Süd", tuple(map(_of, contacts[:12])))


def _mixed(desk: Desk, contacts: Sequence[Contact]) -> Iterator[DistributionList]:
    """Also the owner's colleagues, by either form of address, and one who has left."""
    person = desk.colleague
    members = (
        Member(person.name, person.address, "SMTP", "Mailbox"),
        Member(desk.owner.name, desk.owner.legacy_dn, "EX", "Mailbox"),
        Member("Ehemalige, Grete", f"{LEGACY_PREFIX}{desk.dice().hex(32)}-fort", "EX", "Mailbox"),
        Member("Stadtwerke Kiel", "service@stadtwerke.example"),
        *map(_of, contacts[:2]),
    )
    common = Common(body="Nur für Notfälle\r\nNicht weitergeben", categories=("Rote Kategorie",))
    yield DistributionList(desk.key, "Notfall", members, replace(common, sensitivity="Private"))


def _nested(desk: Desk, contacts: Sequence[Contact]) -> Iterator[DistributionList]:
    inner = DistributionList(f"{desk.key}/inner", "Vorstand", tuple(map(_of, contacts[:3])))
    yield inner
    members = (
        Member(inner.name, None, "MAPIPDL", "PrivateDL", inner.key),
        Member("Bauamt", f"bauamt@{DOMAIN}", "SMTP", "PublicDL"),
        Member("Alle", f"{LEGACY_PREFIX}alle", "EX", "PublicDL"),
    )
    yield DistributionList(desk.key, "Verein", members)


def _circle(desk: Desk, _: Sequence[Contact]) -> Iterator[DistributionList]:
    """Two lists that hold each other."""
    names = ("Hin", "Her")
    keys = [f"{desk.key}/{name}" for name in names]
    for n, name in enumerate(names):
        other = Member(names[1 - n], None, "MAPIPDL", "PrivateDL", keys[1 - n])
        yield DistributionList(keys[n], name, (other, Member("Ute", "ute@firma.example")))


def _empty(desk: Desk, _: Sequence[Contact]) -> Iterator[DistributionList]:
    yield DistributionList(desk.key, "Noch leer", common=Common(body="folgt"))


def _stale(desk: Desk, contacts: Sequence[Contact]) -> Iterator[DistributionList]:
    """Members whose contact was deleted, or who cannot be made out at all; and one twice."""
    gone = Member("Gelöscht, Gerd", "gerd@firma.example", "SMTP", "Contact", "card/gone", "Demoted")
    unknown = Member("", None, None, "Unknown", None, "Unrecognized")
    first = tuple(map(_of, contacts[:1]))
    yield DistributionList(desk.key, "Alte Liste", (gone, unknown, *first, *first))


def _nameless(desk: Desk, _: Sequence[Contact]) -> Iterator[DistributionList]:
    yield DistributionList(desk.key, "", (Member("Ute", "ute@firma.example"),))


def _large(desk: Desk, _: Sequence[Contact]) -> Iterator[DistributionList]:
    members = tuple(Member(f"Mitglied {n}", f"mitglied{n:03d}@verein.example") for n in range(300))
    yield DistributionList(desk.key, "Alle Mitglieder", members, file_as="Mitglieder, alle")


_KINDS = {
    "one_offs": _one_offs,
    "contacts": _contacts,
    "mixed": _mixed,
    "nested": _nested,
    "circle": _circle,
    "empty": _empty,
    "stale": _stale,
    "nameless": _nameless,
    "large": _large,
}
