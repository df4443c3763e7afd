"""Ask a process of practice servers for something, from another terminal.

The process listens on a Unix socket in a folder that only its user may enter. A request and its answer are a
line of JSON each. The socket goes with the process, however that ends.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from practice.harness.lent_folder import LentFolder

Request = Mapping[str, object]
Answer = Callable[[Request], Mapping[str, object]]

FOLDER = "kogge-control-"
ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.05


class NotServedError(OSError):
    """Say that no process listens at a socket any more."""


@contextmanager
def controlled(answer: Answer) -> Iterator[Path]:
    """Answer requests in threads, until the context ends.

    Yields:
        The socket's path.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            answered = answer(json.loads(self.rfile.readline()))
            self.wfile.write(json.dumps(answered).encode() + b"\n")

    folder = LentFolder(FOLDER)
    path = folder.path / "socket"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        try:
            yield path
        finally:
            server.shutdown()
            folder.close()


def ask(path: Path, request: Request) -> Mapping[str, object]:
    """Return the answer to one request.

    Raises:
        NotServedError: the process has ended, or does not answer in time.
    """
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_SECONDS)
            line.connect(str(path))
            with line.makefile("rwb") as stream:
                stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                answered: Mapping[str, object] = json.loads(stream.readline())
                return answered
    except (OSError, ValueError) as error:
        raise NotServedError(str(error)) from error
