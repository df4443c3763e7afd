"""Resolve the addresses of an EWS mailbox to SMTP addresses.

Exchange names its own users by legacyExchangeDN ("/o=Land/ou=.../cn=Recipients/cn=erika", routing type EX),
and towards the Internet by the same, encapsulated: IMCEAEX-_O=LAND_OU=..._CN=RECIPIENTS_CN=ERIKA@example.org
(MS-OXOABK 2.2.3.14, MS-OXPROPS X500 addresses). Only the directory knows which SMTP address that is.
"""

from __future__ import annotations

import hashlib
import re

from mappings.fields.context import Reading
from mappings.fields.ews_xml import Element, child, printable, text
from mappings.losses.catalogue import lose
from model.protocols import Loss

_IMCEAEX = "imceaex-"
_ESCAPE = re.compile(r"\+([0-9a-fA-F]{2})")
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\[\]\\,;:\"]+")
_QUOTED = re.compile(r"\"[^\"\s]+\"@[^\s@<>()\[\]\\,;:\"]+")


def smtp(mailbox: Element, context: Reading) -> tuple[str | None, Loss | None]:
    """Return the SMTP address of an element.

    Args:
        mailbox: an element that has EmailAddress and RoutingType, or a Mailbox with them.
        context: its addresses are the directory export.

    Returns:
        The address as it was written, or None if there is none; and the loss of an address that the directory
        does not know or that is none.
    """
    box = child(mailbox, "t:Mailbox")
    box = mailbox if box is None else box
    written = printable(text(box, "t:EmailAddress")).strip()
    routing = text(box, "t:RoutingType").strip().upper() or "SMTP"
    return resolve(written, context, routing)


def resolve(written: str, context: Reading, routing: str = "SMTP") -> tuple[str | None, Loss | None]:
    """Return the SMTP address of an address as text, as smtp() does.

    Args:
        written: SMTP, "smtp:...", X.500 or IMCEAEX.
        context: its addresses are the directory export.
        routing: the routing type.
    """
    plain = written.strip().strip("<>").strip()
    plain = plain[5:] if plain.lower().startswith("smtp:") else plain
    if not plain:
        return None, None
    listed = next(
        (context.addresses[spelling] for spelling in spellings(plain) if spelling in context.addresses), None
    )
    if listed is not None:
        return listed, None
    if is_smtp(plain):
        return plain, None
    return None, lose("address", "not-in-directory" if _internal(plain, routing) else "no-address")


def spellings(written: str) -> tuple[str, ...]:
    """Return the lower-case forms under which a directory export may list an address."""
    lower = written.lower()
    forms = [lower, lower.removeprefix("x500:"), lower.removeprefix("ex:")]
    if lower.startswith(_IMCEAEX):
        local = lower.rpartition("@")[0] or lower
        forms += [local, legacy_dn(written).lower()]
    return tuple(dict.fromkeys(forms))


def legacy_dn(encapsulated: str) -> str:
    """Return the legacyExchangeDN inside an IMCEAEX address: "_" stands for "/", "+20" for a space.

    Source:
        MS-OXOABK 2.2.3.14.
    """
    local = encapsulated.rpartition("@")[0] or encapsulated
    body = local[len(_IMCEAEX) :].replace("_", "/")
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), body)


def is_smtp(written: str) -> bool:
    """Return True if mail can be sent to such an address. An encapsulated address is none."""
    if written.lower().startswith("imcea") or len(written) > 320:
        return False
    return bool(_ADDRESS.fullmatch(written) or _QUOTED.fullmatch(written))


def nowhere(name: str) -> str:
    """Return a URI for a person without an address.

    Mail cannot be sent to it, and two such people stay two, because servers tell participants apart by their
    URI alone. Apple's clients and servers use "invalid:nomail" for the same.
    """
    mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"invalid:nomail-{mark}"


def _internal(plain: str, routing: str) -> bool:
    return routing in ("EX", "X500") or plain.startswith("/") or plain.lower().startswith(_IMCEAEX)
