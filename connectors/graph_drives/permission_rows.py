"""From Graph's permissions to Kogge's grants.

What a row tells of a person is of the day on which something was shared with them; an address may be somebody
else's by now. So people are who the directory says they are, by object id. What is not understood becomes a
grant all the same, an odd one, that no target makes a share of.
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
"""In login names and addresses of who is not of this tenant."""

KINDS = {"view": False, "edit": True}
"""Whether who has a link may write. Other kinds let people upload and not look, or look and not download."""


@dataclass(frozen=True, slots=True)
class User:
    """Who somebody is by the directory's word. address: "" where it knows none."""

    address: str
    guest: bool


@dataclass(frozen=True, slots=True)
class KnownPrincipals:
    """users: by object id, or by address where a row tells no id; None: nobody whom the directory knows.
    domains: some of the tenant's own. owner: the object id of the drive's owner. site: how the site is called
    whose groups these are."""

    users: Mapping[str, User | None] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    owner: str = ""
    site: Callable[[], str] = str


def names_of(row: Json) -> Iterator[str]:
    """By what to ask the directory who has this permission."""
    for party in _parties(row):
        id_, address, _ = _told(party)
        if id_ or address:
            yield id_ or address


def grants_of(row: Json, known: KnownPrincipals) -> Iterator[Grant]:
    """What the row grants; nothing of the owner's own rights."""
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
        found = _who(party, known)
        if found is None:
            yield Grant(Sharing.EXTERNAL, str(row.get("id") or ""), odd=True)
        elif not known.owner or found != (Sharing.USER, known.owner):
            odd = write is None and found[0] is not Sharing.EXTERNAL
            yield Grant(*found, bool(write), expires, odd=odd)


def is_less(above: Iterable[Grant], here: Iterable[Grant]) -> bool:
    """Whether somebody who has what lies above has less here, or nothing."""
    has = _reach(here)
    return any(party not in has or (write and not has[party]) for party, write in _reach(above).items())


def _reach(grants: Iterable[Grant]) -> dict[tuple[str, ...], bool]:
    """Who may write, of those with whom a target may share."""
    found: dict[tuple[str, ...], bool] = {}
    for grant in grants:
        made = grant.kind is not Sharing.LINK or (grant.everyone and not grant.password)
        if made and not grant.odd and grant.kind in {Sharing.USER, Sharing.GROUP, Sharing.LINK}:
            found[grant.party] = found.get(grant.party, False) or grant.write
    return found


def _parties(row: Json) -> list[Json]:
    if isinstance(row.get("link"), dict):
        given = row.get("grantedToIdentitiesV2") or row.get("grantedToIdentities") or []
    else:
        given = [row.get("grantedToV2") or row.get("grantedTo") or _invited(row)]
    return [one for one in given if isinstance(one, dict) and one]


def _invited(row: Json) -> Json:
    """Who was asked in by mail and has not come yet."""
    invitation = row.get("invitation")
    address = _address(str(invitation.get("email") or "")) if isinstance(invitation, dict) else ""
    return {"invited": address} if address else {}


def _is_understood(row: Json) -> bool:
    link = row.get("link")
    if isinstance(link, dict):
        return str(link.get("scope") or "").lower() == "users"
    return bool(_parties(row))


def _writes(row: Json, link: Json | None) -> bool | None:
    """None: rights that are neither to read nor to write."""
    roles = {str(role).lower() for role in row.get("roles") or ()}
    if not roles <= READERS | WRITERS or not (roles or link):
        return None
    if link is None:
        return bool(roles & WRITERS)
    edits = None if link.get("preventsDownload") is True else KINDS.get(str(link.get("type")).lower())
    return edits if edits is None else edits and (not roles or bool(roles & WRITERS))


def _who(party: Json, known: KnownPrincipals) -> tuple[Sharing, str] | None:
    """None for an application, and for whom nothing names. The owner is told by id."""
    if invited := str(party.get("invited") or ""):
        return Sharing.EXTERNAL, invited
    group, of_site = (_part(party, name) for name in ("group", "siteGroup"))
    if group or of_site:
        name = str((group or of_site).get("displayName") or "")
        who = (_mail(group) or name) if group else name and f"{known.site()}:{name}"
        return (Sharing.GROUP, who) if who else None
    user, site = _part(party, "user"), _part(party, "siteUser")
    id_, address, login = _told(party)
    if login and not user and "membership|" not in login:
        return Sharing.GROUP, str(site.get("displayName") or login)  # "everyone", and other claims
    if not id_ and not address:
        return None
    if id_ and id_ == known.owner:
        return Sharing.USER, id_
    return _person(known, id_, address, login, str(site.get("id") or ""))


def _person(known: KnownPrincipals, id_: str, address: str, login: str, number: str) -> tuple[Sharing, str]:
    found = known.users.get(id_ or address)
    marked = any(mark in text for mark in GUESTS for text in (login, address))
    foreign = bool(known.domains) and "@" in address and address.rpartition("@")[2] not in known.domains
    if marked or (found is None and foreign) or (found is not None and found.guest):
        return Sharing.EXTERNAL, _abroad(address or (found.address if found else "")) or id_
    if found is None or not found.address:
        return Sharing.USER, id_ or number  # whom no address tells
    return Sharing.USER, found.address


def _told(party: Json) -> tuple[str, str, str]:
    """A person's object id, address and login name, as far as they are told."""
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


def _abroad(address: str) -> str:
    """A guest's own address, out of the name that the tenant gave them (ben_firma.de#ext#@tenant)."""
    name, mark, _ = address.partition(GUESTS[0])
    local, _, domain = name.rpartition("_")
    return f"{local}@{domain}" if mark and local and domain else address
