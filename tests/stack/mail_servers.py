"""What is moved, and whereto: the practice Exchange behind TLS, and a Dovecot in a container. Both listen at
the address by which containers of all networks reach this machine."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from certificates import Certified, certified
from containers import docker, free_port, gateway
from imapclient import IMAPClient
from servers.faulty.exchange import FaultyExchange

from practice.servers.dovecot import MASTER, MASTER_PASSWORD, USER_PASSWORD
from practice.world.world import World

RELAY = """\
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
  uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  client_max_body_size 100m;
  server {{
    listen {address}:{port} ssl;
    ssl_certificate /certificates/server.pem;
    ssl_certificate_key /certificates/server.key;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / {{ proxy_pass http://127.0.0.1:{inner}; }}
  }}
}}
"""
PATIENCE = 60.0


@dataclass
class MailServers:
    exchange: FaultyExchange
    address: str
    exchange_port: int
    imap_port: int
    certificates: Certified

    @property
    def people(self) -> list[str]:
        return list(self.exchange.world.addresses())

    def deliver(self) -> None:
        """A new letter for everybody."""
        world = self.exchange.world
        with world.lock:
            for one in world.addresses():
                mailbox = world.mailbox(one)
                mailbox.deliver(mailbox.distinguished("inbox"))

    def held(self, person: str) -> int:
        """How many messages the account at the source holds."""
        return sum(1 for _ in self.exchange.world.mailbox(person).messages())

    def arrived(self, person: str) -> int:
        """How many messages the account at the target holds."""
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        with IMAPClient(self.address, self.imap_port, ssl_context=context) as client:
            client.login(person, USER_PASSWORD)
            folders = [name for flags, _, name in client.list_folders() if b"\\Noselect" not in flags]
            return sum(int(client.folder_status(name, ["MESSAGES"])[b"MESSAGES"]) for name in folders)

    def tables(self) -> str:
        """Of kogge.toml."""
        account = next(a for a in self.exchange.world.service_accounts.values() if a.may_impersonate)
        return f"""\
[source]
kind = "ews"
url = "https://{self.address}:{self.exchange_port}/EWS/Exchange.asmx"
auth = "basic"
username = "{account.address}"
password = {{ file = "secrets/source-password" }}
tls = {{ ca_file = "authority.pem" }}
[target.mail]
kind = "imap"
host = "{self.address}"
port = {self.imap_port}
security = "tls"
auth = "master-user"
username = "{MASTER}"
password = {{ file = "secrets/target-password" }}
tls = {{ ca_file = "authority.pem" }}
[gate]
directory = "directory.csv"
[approval]
required = 0
[verify]
level = "both"
[run]
batch = 1
mailboxes_at_once = 1
canary = false
lease_seconds = 20
write_grace_seconds = 1
"""

    def passwords(self) -> dict[str, str]:
        account = next(a for a in self.exchange.world.service_accounts.values() if a.may_impersonate)
        return {"source-password": account.password, "target-password": MASTER_PASSWORD}


@contextmanager
def serving(folder: Path, images: dict[str, str], world: World) -> Iterator[MailServers]:
    """Both servers, gone at the end."""
    address, name = gateway(), f"kogge-mail-{secrets.token_hex(4)}"
    made = certified(folder, address)
    for file in (folder, made.key):
        file.chmod(0o755)
    with FaultyExchange(world) as exchange:
        port = free_port(address)
        (folder / "relay.conf").write_text(RELAY.format(address=address, port=port, inner=exchange.port))
        mounted = ["-v", f"{folder}:/certificates:ro"]
        try:
            relay = [images["nginx"], "nginx", "-c", "/certificates/relay.conf", "-g", "daemon off;"]
            docker("run", "-d", "--name", f"{name}-relay", "--network", "host", *mounted, *relay)
            imap = ["-p", f"{address}::993", *mounted, images["dovecot"]]
            docker("run", "-d", "--name", f"{name}-imap", *imap)
            imap_port = int(docker("port", f"{name}-imap", "993").rpartition(":")[2])
            servers = MailServers(exchange, address, port, imap_port, made)
            _await(servers)
            yield servers
        finally:
            docker("rm", "-f", "-v", f"{name}-relay", f"{name}-imap")


def _await(servers: MailServers) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            servers.arrived(servers.people[0])
            return
        except OSError:
            assert time.monotonic() < deadline, "the mail server does not answer"
            time.sleep(0.3)
