"""The practice servers, and a configuration that leads to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.deploy.prefect_server import PORT
from model.plural import many

if TYPE_CHECKING:
    from practice.exchange.server import ExchangeServer
    from practice.graph.server import GraphServer
    from practice.servers.pigeonhole import Pigeonhole

APPROVERS = ("approver-one", "approver-two")
"""Who approves in practice."""
PILOT, ODD, CLOUD = "pilot", "odd", "cloud"
"""The waves."""
ODD_MOST = 200
"""So many mails has an odd mailbox beside plain ones: in more, what is lost would be too small a share to
stop its cutover."""
CONTROL = "practice.json"
"""The file that says where the servers' process listens for `kogge practice work`."""
EMBEDDED = "pymap"
HOOKS = """\
# Where yours would redirect somebody's mail, and open the new account, these write a line into hooks.log.
[[hooks.freeze]]
name = "redirect"
command = ["/bin/sh", "-c", "echo redirected: $1 >> hooks.log", "hook", "{mailbox}"]
undo = { command = ["/bin/sh", "-c", "echo redirected back: $1 >> hooks.log", "hook", "{mailbox}"] }

[[hooks.release]]
name = "open"
command = ["/bin/sh", "-c", "echo opened: $1 >> hooks.log", "hook", "{mailbox}"]
undo = { command = ["/bin/sh", "-c", "echo closed: $1 >> hooks.log", "hook", "{mailbox}"] }
"""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Describe the practice Microsoft 365 and the file server that its people move to.

    Attributes:
        authority_file: what a client must trust to reach it.
    """

    url: str
    authority: str
    tenant: str
    client_id: str
    secret: str
    authority_file: Path
    files: str
    files_password: str
    addresses: Sequence[str]


@dataclass(frozen=True, slots=True)
class Stage:
    """Describe running practice servers. Their passwords are public: nothing real is behind them.

    Attributes:
        addresses: the people of Exchange whose items are odd.
        plain: those whose items are not.
        control: the socket where the servers' process listens.
        rules: the IMAP server, if it keeps rules and rights, too.
    """

    url: str
    username: str
    password: str
    imap_host: str
    imap_port: int
    imap_auth: str
    imap_product: str
    master: str
    master_password: str
    dav: str
    dav_password: str
    addresses: Sequence[str]
    cloud: Cloud | None = None
    prefect_port: int = PORT
    plain: Sequence[str] = ()
    control: Path | None = None
    rules: Pigeonhole | None = None

    @property
    def waves(self) -> dict[str, Sequence[str]]:
        """Return the people of Exchange by wave; plain ones, if there are any, are the pilot."""
        if not self.plain:
            return {PILOT: self.addresses}
        return {PILOT: self.plain, ODD: self.addresses} if self.addresses else {PILOT: self.plain}

    @property
    def embedded(self) -> bool:
        """Return True if the IMAP server is the one that comes with Kogge, for lack of a Dovecot."""
        return self.imap_product == EMBEDDED

    def lines(self) -> list[str]:
        """Return endpoints and credentials, for people."""
        told = [
            f"Exchange      {self.url}",
            f"              {self.username}  {self.password}  (impersonates everybody)",
            f"IMAP target   {self.imap_host}:{self.imap_port}  ({self.imap_product})",
            f"              {self.master}  {self.master_password}  (opens every account, {self.imap_auth})",
            f"DAV target    {self.dav}  (radicale)",
            f"              any address, password {self.dav_password}",
            *(f"wave {wave:<9}{_people(addresses)}" for wave, addresses in self.waves.items()),
        ]
        if self.cloud is None:
            return told
        return [
            *told,
            f"Microsoft 365 {self.cloud.url}",
            f"              client {self.cloud.client_id}  {self.cloud.secret}  (tenant {self.cloud.tenant})",
            f"file target   {self.cloud.files}  (a practice Nextcloud)",
            f"              any address, password {self.cloud.files_password}",
            f"wave {CLOUD:<9}{_people(self.cloud.addresses)}",
        ]

    def files(self, required: int = 2) -> dict[str, str]:
        """Return what to write into a directory, by name.

        There are two approvers, whose keys lie next to the configuration, as no real approver's would.

        Args:
            required: how many approvals a wave takes.
        """
        from model.signing_keys import new_key

        pems = {name: new_key() for name in APPROVERS}
        approval = _approval(required, {name: line for name, (_, line) in pems.items()})
        files = {
            **{f"{name}.pem": pem for name, (pem, _) in pems.items()},
            "kogge.toml": self._toml(approval),
            "mailboxes.csv": "source,target,wave\n"
            + "".join(rows(addresses, f",{wave}") for wave, addresses in self.waves.items()),
            "directory.csv": "source,target\n" + rows([*self.plain, *self.addresses, *self._clouded()]),
            "source-password": self.password + "\n",
            "target-password": self.master_password + "\n",
            "dav-password": self.dav_password + "\n",
        }
        if self.control is not None:
            files[CONTROL] = json.dumps({"socket": str(self.control)}) + "\n"
        if self.cloud is None:
            return files
        return {
            **files,
            "microsoft365.toml": self._cloud_toml(self.cloud, approval),
            "microsoft365.csv": "source,target,wave\n" + rows(self.cloud.addresses, f",{CLOUD}"),
            "microsoft365.pem": self.cloud.authority_file.read_text(encoding="ascii"),
            "client-secret": self.cloud.secret + "\n",
            "files-password": self.cloud.files_password + "\n",
        }

    def _clouded(self) -> Sequence[str]:
        return self.cloud.addresses if self.cloud is not None else ()

    def _toml(self, approval: str) -> str:
        return f"""\
# Practice: the servers run only as long as `kogge practice up` does.
[source]
kind = "ews"
url = "{self.url}"
auth = "basic"
username = "{self.username}"
password = {{ file = "source-password" }}

{self._imap("notes")}
{approval}
{self._both()}"""

    def _cloud_toml(self, cloud: Cloud, approval: str) -> str:
        return f"""\
# Practice: a second source, Microsoft 365, with the ledger and the Prefect of kogge.toml.
mailboxes = "microsoft365.csv"

[plan]
waves = "microsoft365.waves.csv"

[source]
kind = "graph"
tenant = "{cloud.tenant}"
client_id = "{cloud.client_id}"
client_secret = {{ file = "client-secret" }}
graph_url = "{cloud.url}"
authority = "{cloud.authority}"
tls = {{ ca_file = "microsoft365.pem" }}

[target.files]
kind = "nextcloud"
url = "{cloud.files}"
password = {{ file = "files-password" }}

{approval}
{self._both()}"""

    def _both(self) -> str:
        """Return what both configurations have."""
        return f"""\
{self._imap("mail")}
{self._rules_and_rights(self.rules) if self.rules is not None else ""}
{self._dav("calendar", "caldav")}
{self._dav("tasks", "caldav")}
{self._dav("contacts", "carddav")}
[gate]
directory = "directory.csv"

[prefect]
port = {self.prefect_port}

{HOOKS}"""

    def _imap(self, workload: str) -> str:
        return f"""\
[target.{workload}]
kind = "imap"
host = "{self.imap_host}"
port = {self.imap_port}
security = "none"
auth = "{self.imap_auth}"
username = "{self.master}"
password = {{ file = "target-password" }}
"""

    def _rules_and_rights(self, server: Pigeonhole) -> str:
        return f"""\
[target.settings]
kind = "managesieve"
host = "{self.imap_host}"
port = {server.sieve_port}
security = "none"
dialect = "roundcube"
auth = "{self.imap_auth}"
username = "{self.master}"
password = {{ file = "target-password" }}

[target.permissions]
kind = "folder-rights"
"""

    def _dav(self, workload: str, kind: str) -> str:
        return f"""\
[target.{workload}]
kind = "{kind}"
url = "{self.dav}"
profile = "radicale"
password = {{ file = "dav-password" }}
"""


def _approval(required: int, lines: Mapping[str, str]) -> str:
    keys = "".join(f'{name} = "{line}"\n' for name, line in lines.items())
    return f"[approval]\nrequired = {required}\n\n[approval.approvers]\n{keys}"


def rows(addresses: Sequence[str], end: str = "") -> str:
    """Return lines of a mapping to the same address."""
    return "".join(f"{address},{address}{end}\n" for address in addresses)


def _people(addresses: Sequence[str]) -> str:
    return f"{many(len(addresses), 'mailbox', 'mailboxes')}, from {addresses[0]} on"


@contextmanager
def practising(
    people: int,
    items: int,
    seed: int,
    pim: int = 0,
    cloud: int = 0,
    prefect_port: int = PORT,
    plain: int = 0,
    *,
    rules: bool = False,
) -> Iterator[Stage]:
    """Start the servers, and end them with the context. Dovecot serves IMAP if it is installed.

    Args:
        people: how many of Exchange's mailboxes are odd.
        items: mails of a mailbox.
        seed: of the generator.
        pim: events, contacts, tasks and notes of a mailbox, so many of each.
        plain: how many of Exchange's mailboxes are not odd.
        cloud: how many people have their mailboxes and files in Microsoft 365, in addition to those of
            Exchange.
        prefect_port: where a run's Prefect is to listen, if that port is free and no other practice world's;
            0 for any free one.
        rules: see staged.
    """
    from practice.drive.drives import Drives
    from practice.drive.pointers import strew
    from practice.exchange.server import ExchangeServer
    from practice.graph.server import GraphServer
    from practice.graph_items.drives import GraphDrives
    from practice.world.world import World

    own = people + plain
    world = World(
        seed=seed,
        people=own + cloud,
        items=lambda index: mails_of(index, people, plain, items),
        pim=pim,
        nasty=lambda index: not people <= index < own,
    )
    graph = None
    if cloud:
        drives = Drives(world)
        strew(world, drives, world.addresses()[own:])
        graph = GraphServer(world, services=[GraphDrives(drives)], https=True)
    with staged(ExchangeServer(world), own, graph, prefect_port, plain, rules=rules) as stage:
        yield stage


def mails_of(index: int, people: int, plain: int, items: int) -> int:
    """Return how many mails the mailbox at this index has.

    Odd ones come first, and have at most ODD_MOST if there are plain ones, whose wave may be large.
    """
    return min(items, ODD_MOST) if plain and index < people else items


@contextmanager
def staged(
    exchange: ExchangeServer,
    people: int,
    graph: GraphServer | None = None,
    prefect_port: int = PORT,
    plain: int = 0,
    *,
    rules: bool = False,
) -> Iterator[Stage]:
    """Return that Exchange with empty IMAP and DAV targets, and an account for everybody.

    The first people are Exchange's, the last `plain` of them with plain mailboxes; the others are Microsoft
    365's, which has a file server as a target too.

    Args:
        exchange: the source, which is not served yet.
        people: how many are Exchange's.
        graph: the other source.
        prefect_port: see practising.
        plain: how many have plain mailboxes.
        rules: True for a target of rules and rights, where the installed Dovecot has them.
    """
    from practice.dav.radicale import start_radicale
    from practice.harness.control import controlled
    from practice.harness.reserved_port import reserved_port
    from practice.servers.imap import start_imap
    from practice.servers.people_at_work import PeopleAtWork
    from practice.servers.pigeonhole import Pigeonhole

    addresses = list(exchange.world.addresses())
    account = next(one for one in exchange.world.service_accounts.values() if one.may_impersonate)
    with ExitStack() as stack:
        target = start_imap(addresses, rules=rules)
        stack.callback(target.stop)
        dav = start_radicale(addresses, provisioned=True)
        stack.callback(dav.stop)
        cloud = stack.enter_context(clouded(graph, addresses[people:])) if graph is not None else None
        port = stack.enter_context(reserved_port(prefect_port))
        people_at_work = PeopleAtWork(exchange.world, target, dav.url, dav.user_password)
        control = stack.enter_context(controlled(people_at_work.answer))
        with exchange:
            yield Stage(
                exchange.url,
                account.address,
                account.password,
                target.host,
                target.port,
                target.auth,
                target.product,
                target.master_user,
                target.master_password,
                dav.url,
                dav.user_password,
                addresses[: people - plain],
                cloud,
                port,
                addresses[people - plain : people],
                control,
                target if isinstance(target, Pigeonhole) else None,
            )


@contextmanager
def clouded(graph: GraphServer, addresses: Sequence[str]) -> Iterator[Cloud]:
    """Serve Microsoft 365 with an empty file server for these people."""
    from practice.nextcloud.files import NextcloudFiles
    from practice.nextcloud.shares import NextcloudShares

    with graph, NextcloudFiles(addresses) as files:
        NextcloudShares(files, most=10_000)  # as for a host on the list of the allowed
        if graph.ca_file is None:
            raise ValueError("Microsoft 365 is asked for tokens by https alone")
        yield Cloud(
            graph.url,
            graph.authority,
            graph.tenant,
            graph.client_id,
            graph.secret,
            graph.ca_file,
            files.url,
            files.user_password,
            addresses,
        )
