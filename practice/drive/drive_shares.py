"""With whom practice files are shared: one row of /permissions each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Party(StrEnum):
    """USER of this tenant, GUEST of another, GROUP of the directory, SITE_GROUP of SharePoint's own."""

    USER = "user"
    GUEST = "guest"
    GROUP = "group"
    SITE_GROUP = "siteGroup"


class Scope(StrEnum):
    """Who may use a link."""

    ANONYMOUS = "anonymous"
    ORGANIZATION = "organization"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Grantee:
    """address: "" of a site group; mail: whether the row states it, or only a login name does. id: a user's
    object id, whose address was another when something was shared with them; "": of whom the address is."""

    party: Party
    name: str
    address: str = ""
    mail: bool = True
    id: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """to: of the scope USERS, for whom."""

    scope: Scope
    edit: bool = False
    to: tuple[Grantee, ...] = ()


@dataclass(frozen=True, slots=True)
class Permission:
    """Either to or link. password: of a link."""

    roles: tuple[str, ...]
    to: Grantee | None = None
    link: Link | None = None
    expires: datetime | None = None
    password: bool = False


def user(address: str, name: str = "", *, write: bool = False, mail: bool = True) -> Permission:
    return Permission(_roles(write), Grantee(Party.USER, name or address, address, mail))


def guest(address: str, *, write: bool = False, mail: bool = True) -> Permission:
    return Permission(_roles(write), Grantee(Party.GUEST, address, address, mail))


def group(name: str, address: str = "", *, write: bool = False) -> Permission:
    return Permission(_roles(write), Grantee(Party.GROUP, name, address))


def site_group(name: str, *roles: str) -> Permission:
    return Permission(roles or ("read",), Grantee(Party.SITE_GROUP, name))


def link(
    scope: Scope,
    *to: Grantee,
    edit: bool = False,
    expires: datetime | None = None,
    password: bool = False,
) -> Permission:
    return Permission(_roles(edit), None, Link(scope, edit, to), expires, password)


def _roles(write: bool) -> tuple[str, ...]:
    return ("write",) if write else ("read",)
