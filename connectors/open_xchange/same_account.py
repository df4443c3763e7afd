"""Prove that the HTTP API opens the account that DAV opens.

The two have addresses of their own in the configuration. One may lead to a copy of the server, or to another
context, where the same user name and password are another person's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.caldav.principal import Principal
from connectors.http.hrefs import segment
from model.errors import Blocked

ADDRESS_FIELDS: Final = ("email1", "email2", "email3")
_NUMBER: Final = re.compile(r"\d{1,10}", re.ASCII)
_RESOURCE: Final = re.compile(r"urn:uuid:([0-9a-f]{8})-0000-([0-9a-f]{4})-", re.ASCII | re.IGNORECASE)
"""A user's URN: context and number, as recorded on 8.19 (53 and 3: 00000035-0000-0003-00fc-…)."""


@dataclass(frozen=True, slots=True)
class ApiAccount:
    """Hold what the API says of the account of a session.

    Attributes:
        user: the account's number.
        context: the number of the context; None where the API does not say.
        addresses: the account's addresses in lower case; empty where the API does not say.
    """

    user: int
    context: int | None
    addresses: frozenset[str]


def stated_addresses(user: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses that the API states of a user, in lower case.

    Args:
        user: the fields of the user. `email1` and `aliases` were measured on 8.19; the others are read in the
            vendor's documents.
    """
    aliases = user.get("aliases")
    values = [user.get(name) for name in ADDRESS_FIELDS] + (aliases if isinstance(aliases, list) else [])
    return frozenset(value.lower() for value in values if isinstance(value, str) and "@" in value)


def prove_same_account(told: ApiAccount, owner: Principal) -> None:
    """Return if both ways lead to one account.

    The number must be the same. So must context and address where both ways state them, and one of the two
    must be stated: numbers begin with 3 in every context.

    Args:
        told: what the API says of the account.
        owner: what DAV says of it.

    Raises:
        Blocked: "api-of-another".
    """
    number = segment(owner.path)
    if not _NUMBER.fullmatch(number) or int(number) != told.user:
        raise _another()
    proofs = [told.context == context for context in _contexts(owner, told.user) if told.context is not None]
    if owner.addresses and told.addresses:
        proofs.append(bool(owner.addresses & told.addresses))
    if not proofs or not all(proofs):
        raise _another()


def _contexts(owner: Principal, user: int) -> list[int]:
    """Return the context that the principal's URN names, if it has one."""
    found = [match for urn in owner.urns if (match := _RESOURCE.match(urn))]
    return [int(match[1], 16) for match in found if int(match[2], 16) == user]


def _another() -> Blocked:
    return Blocked("api-of-another", "the HTTP API opens another account than the DAV service: correct api")
