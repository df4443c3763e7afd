"""A client that believes nothing: raw SOAP over requests, for what exchangelib would hide."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import requests
from lxml import etree
from servers.faulty.exchange import FaultyExchange

from practice.exchange.soap import MESSAGES_NS, SOAP_NS, TYPES_NS

NS = {"s": SOAP_NS, "m": MESSAGES_NS, "t": TYPES_NS}
IDS_ONLY = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
MIME = (
    "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
    '<t:FieldURI FieldURI="item:MimeContent"/></t:AdditionalProperties></m:ItemShape>'
)


def envelope(content: str, impersonate: str | None = None) -> bytes:
    header = '<t:RequestServerVersion Version="Exchange2016"/>'
    if impersonate:
        header += (
            "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>"
            f"{impersonate}</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
        )
    names = f'xmlns:s="{SOAP_NS}" xmlns:m="{MESSAGES_NS}" xmlns:t="{TYPES_NS}"'
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope {names}><s:Header>{header}</s:Header>'
        f"<s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


class Asker:
    """Posts as the first service account, impersonating `as_` unless that is None."""

    def __init__(self, server: FaultyExchange, as_: str | None) -> None:
        account = next(iter(server.world.service_accounts.values()))
        self.server = server
        self.as_ = as_
        self.http = requests.Session()
        self.http.trust_env = False  # REQUESTS_CA_BUNDLE would win over verify
        self.http.auth = (account.address, account.password)
        if server.ca_file:
            self.http.verify = str(server.ca_file)

    def post(self, content: str, timeout: float = 30) -> requests.Response:
        return self.raw(envelope(content, self.as_), timeout)

    def raw(self, body: bytes, timeout: float = 30) -> requests.Response:
        head = {"Content-Type": "text/xml; charset=utf-8"}
        return self.http.post(self.server.url, data=body, headers=head, timeout=timeout)

    def ask(self, content: str) -> etree._Element:
        response = self.post(content)
        assert response.status_code == 200, response.text
        return etree.fromstring(response.content)

    def close(self) -> None:
        self.http.close()


@contextlib.contextmanager
def asking(server: FaultyExchange, as_: str | None) -> Iterator[Asker]:
    asker = Asker(server, as_)
    try:
        yield asker
    finally:
        asker.close()


def get_items(*ids: str, shape: str = IDS_ONLY) -> str:
    each = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
    return f"<m:GetItem>{shape}<m:ItemIds>{each}</m:ItemIds></m:GetItem>"


def sync_items(folder: str, state: str = "", limit: int = 512, extra: str = "") -> str:
    """folder is an element; extra goes before MaxChangesReturned."""
    given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
    return (
        f"<m:SyncFolderItems>{IDS_ONLY}<m:SyncFolderId>{folder}</m:SyncFolderId>{given}{extra}"
        f"<m:MaxChangesReturned>{limit}</m:MaxChangesReturned></m:SyncFolderItems>"
    )


def distinguished(name: str, address: str | None = None) -> str:
    inner = f"<t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox>" if address else ""
    return f'<t:DistinguishedFolderId Id="{name}">{inner}</t:DistinguishedFolderId>'


def get_folder(*elements: str, shape: str = "<t:BaseShape>Default</t:BaseShape>") -> str:
    folders = f"<m:FolderIds>{''.join(elements)}</m:FolderIds>"
    return f"<m:GetFolder><m:FolderShape>{shape}</m:FolderShape>{folders}</m:GetFolder>"


INBOX = distinguished("inbox")


def changes(root: etree._Element) -> list[tuple[str, str]]:
    found = root.find(".//m:Changes", NS)
    assert found is not None
    return [(etree.QName(each).localname, _id(each)) for each in found]


def _id(change: etree._Element) -> str:
    element = change.find(".//t:ItemId", NS)
    assert element is not None
    return str(element.get("Id"))


def state_of(root: etree._Element) -> str:
    return root.findtext(".//m:SyncState", namespaces=NS) or ""


def is_last(root: etree._Element) -> bool:
    return root.findtext(".//m:IncludesLastItemInRange", namespaces=NS) == "true"


def codes(root: etree._Element) -> list[str]:
    return [each.text or "" for each in root.iterfind(".//m:ResponseCode", NS)]
