"""Answer about users over Graph, as the directory does."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable

from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.errors import bad_request, no_such_object
from practice.graph.query import checked, paged
from practice.graph.wire import Json
from practice.harness.dice import digest
from practice.world.people import Directory, Person

NEEDS = frozenset({"User.Read.All"})
_FIELDS: dict[str, Callable[[Person], object]] = {
    "businessPhones": lambda _: [],
    "displayName": lambda one: one.name,
    "givenName": lambda one: one.given,
    "jobTitle": lambda _: None,
    "mail": lambda one: one.address,
    "mobilePhone": lambda _: None,
    "officeLocation": lambda _: None,
    "preferredLanguage": lambda one: {"de": "de-DE", "fr": "fr-FR", "en": "en-GB"}[one.locale],
    "surname": lambda one: one.family,
    "userPrincipalName": lambda one: one.address,
}
_ASKED: dict[str, Callable[[Person], object]] = {
    "proxyAddresses": lambda one: [
        f"SMTP:{one.address}",
        *(f"smtp:{proxy}" for proxy in one.proxies),
        f"X500:{one.legacy_dn}",
    ],
    "accountEnabled": lambda _: True,
    "userType": lambda _: "Member",
    "mailNickname": lambda one: one.address.partition("@")[0],
    "otherMails": lambda _: [],
}
_BY_MAIL = re.compile(r"(?:mail|userPrincipalName) eq '([^']*)'", re.IGNORECASE)
_BY_PROXY = re.compile(r"proxyAddresses/any\(\s*(\w+):\s*\1 eq 'smtp:([^']*)'\)", re.IGNORECASE)
_PAGE = 100


def user_id(seed: int, index: int) -> str:
    """Return the object id: a GUID that depends on the person alone, and hides which one."""
    return str(uuid.UUID(bytes=_mask(seed, index)[:12] + (index ^ _salt(seed)).to_bytes(4, "big")))


def _mask(seed: int, index: int) -> bytes:
    return digest(seed, "user", index)


def _salt(seed: int) -> int:
    return int.from_bytes(digest(seed, "users")[:4], "big")


def find_user(people: Directory, given: str) -> Person:
    """Return a person by object id or user principal name; other addresses are no names of users.

    Raises:
        KeyError: there is none.
    """
    try:
        index = uuid.UUID(given).int % (1 << 32) ^ _salt(people.seed)
    except ValueError:
        person = people.find(given)
        if person.address != given.lower():
            raise KeyError("no such user") from None
        return person
    if user_id(people.seed, index) != given.lower():
        raise KeyError("no such user")
    return people.at(index)


def _shown(context: Context, person: Person) -> Json:
    content: Json = {name: getter(person) for name, getter in _FIELDS.items()}
    content["id"] = user_id(context.world.seed, person.index)
    for name in context.query.select or ():
        if name in _ASKED:
            content[name] = _ASKED[name](person)
    return content


def _get(context: Context) -> Reply:
    query = checked(context.query, (*_FIELDS, *_ASKED), "user", ())
    try:
        person = find_user(context.world.people, context.names["user"])
    except KeyError:
        raise no_such_object(context.names["user"]) from None
    content = query.shown(_shown(context, person))
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#users/$entity", **content})


def _list(context: Context) -> Reply:
    query = checked(context.query, (*_FIELDS, *_ASKED), "user", ())
    rows = [_shown(context, person) for person in _people(context.world.people, query.filter)]
    return context.say(paged(context.ask, rows, query, _PAGE))


def _people(people: Directory, text: str | None) -> Iterable[Person]:
    if text is None:
        return (people.at(index) for index in range(people.count))
    match = _BY_MAIL.fullmatch(text) or _BY_PROXY.fullmatch(text)
    if match is None:
        raise bad_request("Invalid filter clause: unsupported or invalid query filter clause specified.",
                          "Request_UnsupportedQuery")  # fmt: skip
    try:
        found = people.find(match[match.lastindex or 1])
    except KeyError:
        return ()
    return (found,) if match.re is _BY_PROXY or found.address == match[1].lower() else ()


ROUTES = (
    Route("users", "ListUsers", NEEDS, _list, directory=True),
    Route("users/{user}", "GetUser", NEEDS, _get, directory=True),
)
