"""What a practice mailbox holds by the world's own word, and what an EWS source makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from connectors.ews.source import EwsSource
from model.protocols import Container, Failed, Native, Ref, Role, key_of
from practice.world.mailbox import Mailbox

LARGE = 5_000_000
Open = Callable[..., EwsSource]
SERVICE = "migrator@practice.example"


def truth(mailbox: Mailbox) -> dict[str, str]:
    """Every item's id and the digest of its bytes, by the world's own word."""
    return {item.id: digest(mailbox.letter(item).mime()) for item in mailbox.messages()}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def listing(source: EwsSource) -> dict[str, tuple[Container, dict[str, Ref]]]:
    found = {}
    for container in source.containers():
        if container.omit is None:
            refs = [ref for page in source.changes(container, None) for ref in page.refs]
            assert len({ref.id for ref in refs}) == len(refs)
            found[container.id] = (container, {ref.id: ref for ref in refs if not ref.deleted})
    return found


def copied(source: EwsSource) -> dict[str, str]:
    """Every item's id and its digest, or the code it failed with."""
    found: dict[str, str] = {}
    for container, refs in listing(source).values():
        ids = {key_of(id_): id_ for id_ in refs}
        for one in source.fetch(container, refs.values()):
            key = one.key if isinstance(one, Failed) else key_of(one.ref.id)
            assert ids[key] not in found
            found[ids[key]] = one.error.code if isinstance(one, Failed) else body_digest(one)
    return found


def body_digest(native: Native) -> str:
    assert native.body is not None
    with native.body() as stream:
        return digest(stream.read())


def inbox(source: EwsSource) -> Container:
    return next(one for one in source.containers() if one.role is Role.INBOX)
