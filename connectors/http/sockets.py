"""Register the open sockets of one connection to a server, also those of urllib3 pools.

close() must be able to end, from any thread, a request that blocks another thread.
"""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import threading
import time
import weakref
from typing import Any

import urllib3

from connectors.http.proxy import Proxy

PoolClasses = dict[str, type[Any]]
BLOCK = 1 << 18
"""Bytes of a body that are sent at a time. To hash and send a GB took 0.96 s of CPU in urllib3's 16 KiB,
0.71 s in these, and 0.82 s in 1 MiB, which is in no cache of a core any more when it is sent."""

IDLE_SECONDS = 60.0
"""After so many seconds without a request a connection is not used again: load balancers and firewalls forget
it without a word, and a request on it would wait for its whole time limit."""


class Sockets:
    """Hold the open sockets of one source or target.

    Attributes:
        closed: set once nothing can be connected any more.
        cuts: how often all of them were ended: what ends with its connection looks whole then.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.closed = threading.Event()

    def add(self, sock: socket.socket) -> None:
        """Register a socket.

        Raises:
            OSError: the sockets were shut; this one is shut, too.
        """
        with self._lock:
            self._open.add(sock)
            closed = self.closed.is_set()
        if closed:
            _shut(sock)
            raise OSError("closed")

    def shut(self) -> None:
        """End every read and write; nothing can be connected any more."""
        self.closed.set()
        self.cut()

    def cut(self) -> None:
        """End every read and write; new sockets may be connected."""
        with self._lock:
            self.cuts += 1
            sockets = list(self._open)
        for sock in sockets:
            _shut(sock)


def _shut(sock: socket.socket) -> None:
    try:
        # SSLSocket.shutdown would let a reading thread see the ciphertext.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return


class _FreshPool(urllib3.HTTPConnectionPool):
    """Close a connection that was idle for too long; urllib3 opens it anew."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        """Return a connection; see urllib3."""
        connection: Any = super()._get_conn(timeout)
        if time.monotonic() - getattr(connection, "idle_since", math.inf) > IDLE_SECONDS:
            connection.close()
        return connection

    def _put_conn(self, conn: Any) -> None:
        """Take a connection back; see urllib3."""
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class _FinalResponse(http.client.HTTPResponse):
    """Skip every interim response (102 Processing, 103 Early Hints), as http.client skips 100 Continue.

    Otherwise it would pass for the answer, and the answer for that of the next request.

    Source:
        RFC 9110, section 15.2.
    """

    def _read_status(self) -> tuple[str, int, str]:
        """Return version, status and reason; see http.client."""
        version, status, reason = super()._read_status()  # type: ignore[misc] # private there
        if status == http.client.SWITCHING_PROTOCOLS:  # nobody asked for it
            raise http.client.BadStatusLine("")
        return version, http.client.CONTINUE if 100 <= status < 200 else status, reason


def pool_classes(sockets: Sockets) -> PoolClasses:
    """Return pool classes by scheme, for urllib3.PoolManager.pool_classes_by_scheme.

    Their connections register their sockets, and are opened anew after IDLE_SECONDS without a request.
    urllib3 itself sets TCP_NODELAY.
    """

    class Plain(urllib3.connection.HTTPConnection):
        response_class = _FinalResponse

        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class Secure(urllib3.connection.HTTPSConnection):
        response_class = _FinalResponse

        def _new_conn(self) -> socket.socket:
            sock = super()._new_conn()
            sockets.add(sock)
            return sock

        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class PlainPool(_FreshPool):
        ConnectionCls = Plain

    class SecurePool(_FreshPool, urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def pool(
    scheme: str,
    host: str,
    port: int,
    sockets: Sockets,
    context: ssl.SSLContext,
    size: int,
    proxy: Proxy | None = None,
) -> urllib3.HTTPConnectionPool:
    """Return a pool of keep-alive connections to one server.

    Args:
        scheme: "http" or "https".
        host: the host.
        port: the port.
        sockets: registers the sockets.
        context: the TLS context, for https.
        size: the most connections.
        proxy: a proxy, for https; None for a direct connection.
    """
    if proxy is not None and scheme == "https":
        manager = urllib3.ProxyManager(
            proxy.url,
            num_pools=1,
            maxsize=size,
            blocksize=BLOCK,
            ssl_context=context,
            proxy_headers=proxy.headers,
        )
        manager.pool_classes_by_scheme = pool_classes(sockets)
        return manager.connection_from_host(host, port, scheme)
    trust = {"ssl_context": context} if scheme == "https" else {}
    connections: urllib3.HTTPConnectionPool = pool_classes(sockets)[scheme](
        host, port, maxsize=size, blocksize=BLOCK, **trust
    )
    return connections
