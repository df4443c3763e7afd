"""An SMTP server, in a thread of this process, that keeps what it is given and sends nothing on.

with SmtpSink() as sink:
    ...            # something mails to sink.host, sink.port
    sink.mails     # (sender, recipient, message), one for each recipient, in order of arrival
"""

from __future__ import annotations

import asyncio
import smtplib
import threading
import time
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

START_SECONDS = 10.0
PARSER = BytesParser(EmailMessage, policy=policy.default)


@dataclass(frozen=True, slots=True)
class Mail:
    """sender and recipient are the envelope's."""

    sender: str
    recipient: str
    message: EmailMessage

    @property
    def method(self) -> str | None:
        """The iTIP method of an invitation and its kin ("REQUEST", "CANCEL", "REPLY"); else None."""
        for part in self.message.walk():
            if part.get_content_type() == "text/calendar":
                return str(part.get_param("method", "", unquote=True)).upper() or None
        return None


@dataclass
class SmtpSink:
    """See the module. mails only grows, until clear()."""

    host: str = "127.0.0.1"
    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The hook of aiosmtpd."""
        del server, session
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        with self._arrived:
            for recipient in envelope.rcpt_tos:
                message = PARSER.parsebytes(content)
                self.mails.append(Mail(envelope.mail_from or "", recipient, message))
            self._arrived.notify_all()
        return "250 OK"

    def clear(self) -> None:
        with self._arrived:
            self.mails.clear()

    def wait(self, count: int, seconds: float) -> bool:
        """Whether at least count mails are there; waits for them at most that long."""
        deadline = time.monotonic() + seconds
        with self._arrived:
            while len(self.mails) < count:
                left = deadline - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    return len(self.mails) >= count
        return True

    def send(self, sender: str, recipient: str, message: EmailMessage) -> None:
        """Mails to the sink, as any server would."""
        with smtplib.SMTP(self.host, self.port, local_hostname="practice", timeout=START_SECONDS) as line:
            line.send_message(message, sender, [recipient])

    def start(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="smtp-sink", daemon=True)
        self._thread.start()
        if not ready.wait(START_SECONDS):
            raise RuntimeError("the SMTP sink does not start")
        return self

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        making = self._loop.create_server(lambda: SMTP(self, hostname="practice"), self.host, self.port)
        server = self._loop.run_until_complete(making)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def stop(self) -> None:
        """Safe more than once; the mails stay to be looked at."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
