"""Convert Graph's permissions into grants.

A row describes a person as of the day when something was shared with them; the address may belong to another
person by now. Therefore the directory decides who people are, by object id. A permission that is not
understood becomes an odd grant, of which no target makes a share.

Source:
    https://learn.microsoft.com/graph/api/resources/permission
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.graph_api.client import Json
from connectors.graph_api.messages import moment
from model.optional_protocols import Grant, Sharing

READERS = frozenset({"read", "sp.read"})
WRITERS = frozenset({"write", "owner", "sp.full control", "sp.edit", "sp.contribute", "sp.design"})
GUESTS = ("#ext#", "urn:spo:guest", "urn:spo:anon", "urn%3aspo%3aguest")
"""Marks in login names and addresses of people outside of this tenant."""

KINDS = {"view": False, "edit": True}
"""True for kinds of links that allow changes. Other kinds allow only uploads, or no downloads."""


@dataclass(frozen=True, slots=True)
class User:
    """Hold who a person is, as the directory states it.

    Attributes:
        address: lower case; "" where the directory has none.
        guest: True for a guest.
    """

    address: str
    guest: bool


@dataclass(frozen=True, slots=True)
class KnownPrincipals:
    """Hold what is known about principals.

    Attributes:
        users: by object id, or by address where a row has no id; None: the directory does not know the
            person.
        domains: some of the tenant's own domains.
        owner: the object id of the drive's owner; "" for a site.
        site: returns the name of the site whose groups these are.
    """

    users: Mapping[str, User | None] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    owner: str = ""
    site: Callable[[], str] = str


def names_of(row: Json) -> Iterator[str]:
    """Yield the ids or addresses by which to ask the directory about a permission."""
    for party in _parties(row):
        id_, address, _ = _login_facts(party)
        if id_ or address:
            yield id_ or address


def grants_of(row: Json, principals: KnownPrincipals) -> Iterator[Grant]:
    """Yield what a row grants; the owner's own rights are left out.

    Args:
        row: the permission.
        principals: what is known about principals.
    """
    link, expires = row.get("link"), moment(row.get("expirationDateTime"))
    write = _writes(row, link if isinstance(link, dict) else None)
    if isinstance(link, dict):
        scope = str(link.get("scope") or "").lower()
        if scope in {"anonymous", "organization"}:
            yield Grant(
                Sharing.LINK,
                "",
                bool(write),
                expires,
                password=row.get("hasPassword") is True,
                everyone=scope == "anonymous",
                odd=write is None,
            )
            return
        if scope == "existingaccess":
            return
    if not _is_understood(row):
        yield Grant(Sharing.EXTERNAL, str(row.get("id") or ""), odd=True)
        return
    for party in _parties(row):
        principal = _who(party, principals)
        if principal is None:
            yield Grant(Sharing.EXTERNAL, str(row.get("id") or ""), odd=True)
        elif not principals.owner or principal != (Sharing.USER, principals.owner):
            odd = write is None and principal[0] is not Sharing.EXTERNAL
            yield Grant(*principal, bool(write), expires, odd=odd)


def is_less(above: Iterable[Grant], own: Iterable[Grant]) -> bool:
    """Return True if somebody who has access above has less access here, or none.

    Args:
        above: the grants of the folders above.
        own: the grants of the item with those that it inherits.
    """
    has = _reach(own)
    return any(party not in has or (write and not has[party]) for party, write in _reach(above).items())


def _reach(grants: Iterable[Grant]) -> dict[tuple[str, ...], bool]:
    """Return by party if they may write, for parties with whom a target may share."""
    rights: dict[tuple[str, ...], bool] = {}
    for grant in grants:
        made = grant.kind is not Sharing.LINK or (grant.everyone and not grant.password)
        if made and not grant.odd and grant.kind in {Sharing.USER, Sharing.GROUP, Sharing.LINK}:
            rights[grant.party] = rights.get(grant.party, False) or grant.write
    return rights


def _parties(row: Json) -> list[Json]:
    """Return the people and groups of a permission."""
    if isinstance(row.get("link"), dict):
        identities = row.get("grantedToIdentitiesV2") or row.get("grantedToIdentities") or []
    else:
        identities = [row.get("grantedToV2") or row.get("grantedTo") or _invitee(row)]
    return [identity for identity in identities if isinstance(identity, dict) and identity]


def _invitee(row: Json) -> Json:
    """Return the person who was invited by mail and has not accepted yet."""
    invitation = row.get("invitation")
    address = _address(str(invitation.get("email") or "")) if isinstance(invitation, dict) else ""
    return {"invited": address} if address else {}


def _is_understood(row: Json) -> bool:
    link = row.get("link")
    if isinstance(link, dict):
        return str(link.get("scope") or "").lower() == "users"
    return bool(_parties(row))


def _writes(row: Json, link: Json | None) -> bool | None:
    """Return True if a permission allows changes; None for rights that are neither read nor write."""
    roles = {str(role).lower() for role in row.get("roles") or ()}
    if not roles <= READERS | WRITERS or not (roles or link):
        return None
    if link is None:
        return bool(roles & WRITERS)
    edits = None if link.get("preventsDownload") is True else KINDS.get(str(link.get("type")).lower())
    return edits if edits is None else edits and (not roles or bool(roles & WRITERS))


def _who(party: Json, principals: KnownPrincipals) -> tuple[Sharing, str] | None:
    """Return kind and name of a party; None for an application, and for a party without a name.

    The owner is given by id.
    """
    if invited := str(party.get("invited") or ""):
        return Sharing.EXTERNAL, invited
    group, of_site = (_part(party, name) for name in ("group", "siteGroup"))
    if group or of_site:
        name = str((group or of_site).get("displayName") or "")
        who = (_mail(group) or name) if group else name and f"{principals.site()}:{name}"
        return (Sharing.GROUP, who) if who else None
    user, site = _part(party, "user"), _part(party, "siteUser")
    id_, address, login = _login_facts(party)
    if login and not user and "membership|" not in login:
        return Sharing.GROUP, str(site.get("displayName") or login)  # "everyone", and other claims
    if not id_ and not address:
        return None
    if id_ and id_ == principals.owner:
        return Sharing.USER, id_
    return _person(principals, id_, address, login, str(site.get("id") or ""))


def _person(
    principals: KnownPrincipals, id_: str, address: str, login: str, number: str
) -> tuple[Sharing, str]:
    """Return kind and name of a person."""
    user = principals.users.get(id_ or address)
    marked = any(mark in text for mark in GUESTS for text in (login, address))
    foreign = (
        bool(principals.domains) and "@" in address and address.rpartition("@")[2] not in principals.domains
    )
    if marked or (user is None and foreign) or (user is not None and user.guest):
        return Sharing.EXTERNAL, _guest_address(address or (user.address if user else "")) or id_
    if user is None or not user.address:
        return Sharing.USER, id_ or number  # no address identifies this person
    return Sharing.USER, user.address


def _login_facts(party: Json) -> tuple[str, str, str]:
    """Return a person's object id, address and login name, "" for each that is missing."""
    user, site = _part(party, "user"), _part(party, "siteUser")
    login = str(site.get("loginName") or "").lower()
    if login and not user and "membership|" not in login:
        return "", "", login
    address = _mail(user) or _mail(site) or _address(login.rpartition("|")[2])
    return str(user.get("id") or ""), address, login


def _part(party: Json, name: str) -> Json:
    found = party.get(name)
    return found if isinstance(found, dict) else {}


def _mail(party: Json) -> str:
    return _address(str(party.get("email") or party.get("userPrincipalName") or ""))


def _address(text: str) -> str:
    return text.strip().lower() if "@" in text else ""


def _guest_address(address: str) -> str:
    """Return a guest's own address from the name in this tenant (ben_firma.de#ext#@tenant)."""
    name, mark, _ = address.partition(GUESTS[0])
    local, _, domain = name.rpartition("_")
    return f"{local}@{domain}" if mark and local and domain else address
