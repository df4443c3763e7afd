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
    mail, proxies = user.get("mail"), user.get("proxyAddresses")
    addresses = frozenset(_addresses(mail, proxies))
    return Identity("graph", id_, addresses, primary=_primary(mail, proxies))


def _primary(mail: object, proxies: object) -> str:
    """Return the primary address, whose scheme is written in capitals; "" if the directory states none.

    Source:
        https://learn.microsoft.com/troubleshoot/entra/entra-id/user-prov-sync/proxyaddresses-attribute-populate
    """
    for proxy in proxies if isinstance(proxies, list) else ():
        scheme, _, address = str(proxy).partition(":")
        if scheme == "SMTP" and "@" in address:
            return address.lower()
    return mail.lower() if isinstance(mail, str) and "@" in mail else ""


def _addresses(mail: object, proxies: object) -> Iterator[str]:
    if isinstance(mail, str) and "@" in mail:
        yield mail.lower()
    for proxy in proxies if isinstance(proxies, list) else ():
        scheme, _, address = str(proxy).partition(":")
        if scheme.lower() == "smtp" and "@" in address:
            yield address.lower()
