"""A small HTTP proxy that takes CONNECT: what stands between an administration's network and the internet."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Mapping


class ConnectProxy:
    """Passes on what comes after CONNECT. Use as a context manager.

    hosts   by name, the port of 127.0.0.1 that stands for a host nobody else can reach
    login   "user:password" that it asks for; "" for none
    asked   what was asked for, in order: "graph.example.org:443"
    """

    def __init__(self, hosts: Mapping[str, int] | None = None, login: str = "") -> None:
        self._hosts = hosts or {}
        self._login = base64.b64encode(login.encode()).decode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.asked: list[str] = []

    def __enter__(self) -> ConnectProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listening, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._sockets.append(client)
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            method, place, *_ = head.decode("latin-1").split()
            if method != "CONNECT":
                client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                return
            self.asked.append(place)
            if (
                self._login
                and f"\r\nproxy-authorization: basic {self._login}\r\n".lower()
                not in head.decode("latin-1").lower()
            ):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            name, _, port = place.rpartition(":")
            server = socket.create_connection(("127.0.0.1", self._hosts.get(name, int(port))))
            self._sockets.append(server)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=self._pass, args=(server, client), daemon=True).start()
            self._pass(client, server)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
