"""Run an IMAP server from pip alone: pymap with its in-memory backend, in a process of its own.

What it has: MULTIAPPEND, UIDPLUS, LITERAL+, OBJECTID, APPENDLIMIT, INTERNALDATE, mUTF-7 names, SASL PLAIN
with an authzid for a master user and, by the two subclasses below, keywords.

What it does not have: persistence (mail is gone when it stops), SPECIAL-USE, CONDSTORE, METADATA, quota, LIST
extensions. Its MULTIAPPEND is not atomic, a zero-length message is taken for a cancellation, and it ends
other sessions whose open mailbox is renamed. About 1,500 messages of 8 KB a second, written or read.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pymap.mime
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, DictBackend, Identity, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet
from pymap.exceptions import AuthorizationFailure
from pymap.imap import IMAPServer
from pymap.parsing.specials import ObjectId
from pymap.parsing.specials.flag import Flag, Wildcard
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

from practice.harness.child import Child

MASTER = "migrator"
MASTER_PASSWORD = "migratorpw"
USER_PASSWORD = "userpw"
LINE_BYTES = 1 << 20
Serve: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


class KeywordMailbox(MailboxData):
    r"""Store keywords: pymap supports \* and its in-memory backend does not offer it."""

    @property
    def permanent_flags(self) -> frozenset[Flag]:
        """Return the flags that stay, any keyword among them."""
        return frozenset(super().permanent_flags | {Wildcard})


class KeywordMailboxes(MailboxSet):
    """Hold mailboxes that store keywords."""

    def __init__(self) -> None:
        super().__init__()
        self._inbox = self._new()

    def _new(self) -> KeywordMailbox:
        return KeywordMailbox(self._content_cache, self._thread_cache)

    async def add_mailbox(self, name: str) -> ObjectId:
        """Add an empty mailbox."""
        async with self._set_lock.write_lock():
            if name in self._set:
                raise ValueError(name)
            self._set[name] = made = self._new()
            return made.mailbox_id


class StrictLogin(Login):
    """Refuse at the login to act for an account that does not exist, as Dovecot does."""

    async def authorize(self, authenticated: Any, authzid: str) -> Identity:
        """Return the identity that a login acts for."""
        if authzid not in self.users_dict:
            raise AuthorizationFailure
        return await super().authorize(authenticated, authzid)


def whole(view: memoryview, *parts: Sequence[tuple[int, int, int]]) -> memoryview:
    """Return a message whole.

    It stands in for pymap.mime.get_raw, which drops the last byte of a message that has headers, no empty
    line and no body (pymap 0.36.7).
    """
    lines = [line for part in parts for line in part]
    return view[lines[0][0] : lines[-1][2]] if lines else view[:0]


def holding_tasks(serve: Serve) -> Serve:
    """Hold each connection's task while it runs.

    Nothing else does (proxy-protocol 0.11.3): from Python 3.12 on the garbage collector would end connections
    that are at work.
    """
    tasks = set[asyncio.Task[Any] | None]()

    async def connected(*given: Any) -> None:
        tasks.add(task := asyncio.current_task())
        try:
            await serve(*given)
        finally:
            tasks.discard(task)

    return connected


async def _serve(users: list[str]) -> None:
    pymap.mime.get_raw = whole  # type: ignore[attr-defined]
    arguments = Namespace(
        host="127.0.0.1",
        port=0,
        debug=False,
        demo_data=False,
        demo_user=MASTER,
        demo_password=MASTER_PASSWORD,
        tls=False,
        cert=None,
        key=None,
        passlib_cfg=None,
        proxy_protocol=None,
        inherited_sockets=None,
    )
    config = Config.from_args(arguments, hash_context=Cleartext())
    config.apply_context()
    login = StrictLogin(config)
    login.users_dict[MASTER] = UserMetadata(
        config, MASTER, password=MASTER_PASSWORD, roles=frozenset({"admin"})
    )
    for user in users:
        login.users_dict[user] = UserMetadata(config, user, password=USER_PASSWORD)
        config.set_cache[user] = (KeywordMailboxes(), FilterSet())
    backend = DictBackend(login, config)
    handler = ProxyProtocolReader(config.proxy_protocol).get_callback(
        holding_tasks(IMAPServer(backend.login, config))
    )
    server = await asyncio.start_server(handler, "127.0.0.1", 0, limit=LINE_BYTES)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    serving = asyncio.ensure_future(server.serve_forever())
    # whoever started us holds our standard input open: at its end we go too, however it died
    await asyncio.to_thread(sys.stdin.read)
    serving.cancel()


@dataclass
class PymapServer:
    """Hold a running pymap; see start_pymap. Users log in with user_password, or through the master."""

    port: int
    _child: Child
    host: str = "127.0.0.1"
    security: str = "none"
    master_user: str = MASTER
    master_password: str = MASTER_PASSWORD
    user_password: str = USER_PASSWORD
    auth: str = "plain-authzid"
    product: str = "pymap"

    def stop(self) -> None:
        """Stop it; all mail in it is gone. Safe to call again."""
        self._child.stop()


def start_pymap(users: Iterable[str]) -> PymapServer:
    """Start a pymap that knows users.

    Raises:
        RuntimeError: it does not start.
    """
    child = Child("practice.servers.pymap_server", *users)
    return PymapServer(child.port, child)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
