"""A mail proxy between two servers, with the configuration of docs/mail-proxy.md: paths, ports and hosts are
those of the machine that tests, and nothing else is changed."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from imapclient import IMAPClient
from servers.dovecot import Dovecot

from practice.harness.tls import make_certificate

PAGE = Path(__file__).parents[3] / "docs" / "mail-proxy.md"
START_SECONDS = 20.0
USER = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
GROUP = subprocess.run(["id", "-gn", USER.pw_name], capture_output=True, text=True, check=True).stdout.strip()
LAB = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = {lab}/run
state_dir = {lab}/state
log_path = {lab}/dovecot.log
listen = 127.0.0.1
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service submission-login {{
  chroot =
}}
"""


def block(language: str) -> str:
    """The only block of this language in the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def replaced(text: str, values: Mapping[str, str]) -> str:
    """The text with each of these, all of which it has, replaced."""
    for old, new in values.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))


@dataclass
class Submission:
    """A server that takes mail of those who log in with the right password: from the first byte in TLS, or
    after STARTTLS. logins: the names, one for each mail."""

    directory: Path
    starttls: bool
    port: int = field(default_factory=free_port)
    logins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        made = make_certificate(self.directory)
        self.ca = made.ca
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.ca, made.key)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=None if self.starttls else context,
            authenticator=self._judge,
            auth_require_tls=self.starttls,
            tls_context=context if self.starttls else None,
        )
        if not self.starttls:
            self._controller._trigger_server = self._greet  # type: ignore[method-assign]
        self._controller.start()

    def _greet(self) -> None:
        """What aiosmtpd does after its start, with a context of a client: it takes the server's."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as line,
            trusting(self.ca).wrap_socket(line, server_hostname="127.0.0.1") as secured,
        ):
            secured.recv(64)

    def _judge(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        right = data.password == b"userpw" and b"nobody" not in data.login
        return AuthResult(success=right, handled=False, auth_data=data.login.decode())

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The hook of aiosmtpd."""
        del server, envelope
        if not session.authenticated:
            return "530 Log in first"
        self.logins.append(str(session.auth_data))
        return "250 OK"

    def stop(self) -> None:
        self._controller.stop()


@dataclass
class Servers:
    """What is behind the proxy."""

    old: Dovecot
    new: Dovecot
    old_submission: Submission
    new_submission: Submission

    def replacements(self) -> dict[str, str]:
        """From the page's hosts and ports to these, in Kogge's configuration."""
        old, new = self.old_submission.port, self.new_submission.port
        return {
            'imap.old = { host = "mail.example.org", port = 993 }': _server(self.old.tls_port),
            'imap.new = { host = "imap.example.net", port = 993 }': _server(self.new.tls_port, "imap.new"),
            'submission.old = { host = "mail.example.org", port = 465 }': _server(old, "submission.old"),
            'submission.new = { host = "smtp.example.net", port = 587,': (
                f'submission.new = {{ host = "127.0.0.1", port = {new},'
            ),
        }


def _server(port: int, name: str = "imap.old") -> str:
    return f'{name} = {{ host = "127.0.0.1", port = {port} }}'


@dataclass
class Proxy:
    """A Dovecot that keeps no mail. routes: where it reads the map. log(): what it says."""

    lab: Path
    servers: Servers
    imaps: int = field(default_factory=free_port)
    submissions: int = field(default_factory=free_port)

    @property
    def routes(self) -> Path:
        return self.lab / "routes"

    def __post_init__(self) -> None:
        made = make_certificate(self.lab)
        servers = self.servers
        authorities = [
            servers.old.ca_file,
            servers.new.ca_file,
            servers.old_submission.ca,
            servers.new_submission.ca,
        ]
        (self.lab / "authorities.pem").write_text("".join(file.read_text() for file in authorities))
        text = replaced(
            block("dovecot"),
            {
                "/etc/ssl/mail.pem": str(made.ca),
                "/etc/ssl/mail.key": str(made.key),
                "/etc/ssl/certs/ca-certificates.crt": f"{self.lab}/authorities.pem",
                "/etc/dovecot/routes": str(self.routes),
                "mail.example.org": "127.0.0.1",
                "'993', '465'": f"'{servers.old.tls_port}', '{servers.old_submission.port}'",
                "port = 993": f"port = {self.imaps}",
                "port = 465": f"port = {self.submissions}",
            },
        )
        head = LAB.format(lab=self.lab, user=USER.pw_name, group=GROUP)
        (self.lab / "dovecot.conf").write_text(head + text)
        self.routes.mkdir()
        for path in (self.lab, *self.lab.rglob("*")):
            _give(path)
        self._trust = trusting(made.ca)

    def start(self) -> None:
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        drop = {"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        self._process = subprocess.Popen(
            [program, "-F", "-c", str(self.lab / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.lab,
            **drop,  # type: ignore[call-overload]
        )
        deadline = time.monotonic() + START_SECONDS
        while not all(map(_answers, (self.imaps, self.submissions))):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends every process, as systemd does when it stops the service."""
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(START_SECONDS)
        children = [int(child) for child in listed.split()]
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while any(map(_lives, children)):
            assert time.monotonic() < deadline, "a session outlives the proxy"
            time.sleep(0.02)

    def log(self) -> str:
        file = self.lab / "dovecot.log"
        return file.read_text() if file.exists() else ""

    def client(self) -> IMAPClient:
        """A client that is not logged in yet."""
        return IMAPClient("127.0.0.1", port=self.imaps, ssl_context=self._trust, timeout=20)

    def folders(self, login: str, password: str = "userpw") -> set[str]:
        """The folders that a client sees there. Raises IMAPClientError when it is refused."""
        with self.client() as client:
            client.login(login, password)
            return {name for _, _, name in client.list_folders()}

    def send(self, login: str, password: str = "userpw") -> None:
        """Sends a mail as a client does. Raises SMTPException when it is refused."""
        mail = EmailMessage()
        mail["subject"] = "x"
        mail.set_content("x")
        with smtplib.SMTP_SSL(
            "127.0.0.1", self.submissions, context=self._trust, timeout=20, local_hostname="client"
        ) as client:
            client.login(login, password)
            client.send_message(mail, "a@example.org", ["b@example.org"])


def ship(directory: Path, proxy: Proxy, config: Path) -> Path:
    """The page's program that writes the map and brings it to the proxy."""
    owner = f"-o {USER.pw_name} -g {GROUP}"
    program = directory / "ship-routes"
    text = replaced(
        block("sh"),
        {
            "/opt/kogge/.venv/bin/kogge": str(Path(sys.executable).parent / "kogge"),
            "/etc/kogge/kogge.toml": str(config),
            "/etc/kogge/mail-routes": str(config.parent / "mail-routes"),
            "/run/lock/mail-routes": str(directory / "lock"),
            "-o dovecot -g dovecot": owner,
            "/etc/dovecot/routes": str(proxy.routes),
        },
    )
    program.write_text(text)
    program.chmod(0o755)
    return program


@contextmanager
def a_proxy(servers: Servers) -> Iterator[Proxy]:
    lab = Path(tempfile.mkdtemp(prefix="kogge-proxy-"))
    proxy = Proxy(lab, servers)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        shutil.rmtree(lab)


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, USER.pw_uid, USER.pw_gid)


def _lives(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has collected has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


__all__ = ["Proxy", "Servers", "Submission", "a_proxy", "block", "replaced", "ship"]
