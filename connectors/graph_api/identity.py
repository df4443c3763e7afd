"""Read who owns a mailbox, as Graph states it."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.graph_api.client import GraphClient, query
from model.errors import Blocked
from model.protocols import Identity


def identity(client: GraphClient) -> Identity:
    """Return the owner from the directory: the user's object id, which a re-created account does not have.

    Raises:
        Blocked: "mailbox-missing" when the directory gives no id.
        GraphRefusal, Transient: the server refuses, or cannot be asked now.
    """
    fields = "id,mail,userPrincipalName,proxyAddresses"
    user = client.get(client.home, query(select=fields))
    id_ = str(user.get("id") or "")
    if not id_:
        raise Blocked("mailbox-missing", "the directory gives no id of this user")
    return Identity("graph", id_, frozenset(_addresses(user.get("mail"), user.get("proxyAddresses"))))


def _addresses(mail: object, proxies: object) -> Iterator[str]:
    if isinstance(mail, str) and "@" in mail:
        yield mail.lower()
    for proxy in proxies if isinstance(proxies, list) else ():
        scheme, _, address = str(proxy).partition(":")
        if scheme.lower() == "smtp" and "@" in address:
            yield address.lower()
