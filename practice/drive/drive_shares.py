"""Describe with whom practice files are shared: one row of /permissions each."""

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
    """Name who may use a link."""

    ANONYMOUS = "anonymous"
    ORGANIZATION = "organization"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Grantee:
    """Name who gets a permission.

    Attributes:
        address: "" of a site group.
        mail: True if the row states the address, False if only a login name does.
        id: a user's object id, if the address was another when something was shared; "" if the address names
            the user.
    """

    party: Party
    name: str
    address: str = ""
    mail: bool = True
    id: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Describe a link.

    Attributes:
        to: whom the scope USERS is for.
    """

    scope: Scope
    edit: bool = False
    to: tuple[Grantee, ...] = ()


@dataclass(frozen=True, slots=True)
class Permission:
    """Hold one permission: `to` or `link`.

    Attributes:
        password: True if the link has one.
    """

    roles: tuple[str, ...]
    to: Grantee | None = None
    link: Link | None = None
    expires: datetime | None = None
    password: bool = False


def user(address: str, name: str = "", *, write: bool = False, mail: bool = True) -> Permission:
    """Return a user's permission."""
    return Permission(_roles(write), Grantee(Party.USER, name or address, address, mail))


def guest(address: str, *, write: bool = False, mail: bool = True) -> Permission:
    """Return a guest's permission."""
    return Permission(_roles(write), Grantee(Party.GUEST, address, address, mail))


def group(name: str, address: str = "", *, write: bool = False) -> Permission:
    """Return a group's permission."""
    return Permission(_roles(write), Grantee(Party.GROUP, name, address))


def site_group(name: str, *roles: str) -> Permission:
    """Return a site group's permission."""
    return Permission(roles or ("read",), Grantee(Party.SITE_GROUP, name))


def link(
    scope: Scope,
    *to: Grantee,
    edit: bool = False,
    expires: datetime | None = None,
    password: bool = False,
) -> Permission:
    """Return a link's permission."""
    return Permission(_roles(edit), None, Link(scope, edit, to), expires, password)


def _roles(write: bool) -> tuple[str, ...]:
    return ("write",) if write else ("read",)
