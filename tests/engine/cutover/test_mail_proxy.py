"""Nobody reconfigures a mail client: two real Dovecots, and a third as the proxy of docs/mail-proxy.md, whose
map the hooks of that page write."""

from __future__ import annotations

import shutil
import smtplib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from cutting import Rig, Step
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from mail_proxy import Proxy, Servers, Submission, a_proxy, block, replaced, ship
from servers.dovecot import Dovecot, start_dovecot
from services import need_dovecot, needed
from undoing import undone
from walking import SOURCE, TARGET

from engine.config.hooks import Action, Hook
from engine.config.load import Config, load
from engine.cutover import hooks
from engine.cutover.hooks import HookMailbox
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind
from practice.servers.dovecot import LIBRARIES, REREAD_SECONDS

pytestmark = pytest.mark.dovecot
BERT, CARL = "bert@old.example", "carl@old.example"
BASIC = """
[ledger]
url = "sqlite:///ledger.db"
[source]
kind = "imap"
host = "127.0.0.1"
security = "none"
password = { env = "NONE" }
[target.mail]
kind = "imap"
host = "127.0.0.1"
security = "none"
password = { env = "NONE" }
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    need_dovecot()
    there = any((folder / "submission-login").exists() for folder in LIBRARIES)
    needed(there, "Dovecot's submission server (dovecot-submissiond) is not installed")
    with ExitStack() as stack:
        dovecots = []
        for users, name in (((SOURCE, BERT, CARL), "at the old"), ((TARGET,), "at the new")):
            dovecots.append(start_dovecot(users, tls=True))
            stack.callback(dovecots[-1].stop)
            for user in users:
                mark(dovecots[-1], user, name)
        submissions = []
        for name, starttls in (("old", False), ("new", True)):
            submissions.append(Submission(tmp_path_factory.mktemp(name), starttls=starttls))
            stack.callback(submissions[-1].stop)
        yield Servers(*dovecots, *submissions)


def mark(server: Dovecot, user: str, folder: str) -> None:
    with IMAPClient(server.host, port=server.port, ssl=False) as client:
        client.login(user, server.user_password)
        client.create_folder(folder)


@pytest.fixture
def proxy(servers: Servers) -> Iterator[Proxy]:
    with a_proxy(servers) as running:
        yield running


@dataclass
class Office(Rig):
    """A mailbox before its cutover, with the page's hooks as real programs."""

    config: Config | None = None

    def _act(self, step: Step, hook: Hook, action: Action, person: HookMailbox) -> str | None:
        step(f"hook {hook.name}")
        code = hooks.run(hook, action, person, self.trial.directory, sleep=lambda _: None)
        said = "".join(file.read_text() for file in (self.trial.directory / "logs" / "hooks").iterdir())
        assert code is None, said
        step(f"hook {hook.name} done")
        return code


@pytest.fixture
def office(rig: Rig, proxy: Proxy, servers: Servers) -> Office:
    planned = PlannedMailbox(BERT, BERT, "later", Phase.STAGING, frozenset({Kind.MAIL}))
    rig.trial.ledger.add_mailboxes([planned])
    directory = rig.trial.directory
    file = directory / "kogge.toml"
    program = ship(directory, proxy, file)
    table = replaced(block("toml"), {**servers.replacements(), "/usr/local/bin/mail-routes": str(program)})
    file.write_text(BASIC + table)
    config = load(file)
    return Office(rig.trial, hooks=config.hooks, delivers={}, config=config)


def where(proxy: Proxy, servers: Servers, login: str) -> str:
    """Where a login leads, for reading and for sending: one answer for both."""
    time.sleep(REREAD_SECONDS)
    (reading,) = proxy.folders(login) & {"at the old", "at the new"}
    before = len(servers.old_submission.logins), len(servers.new_submission.logins)
    proxy.send(login)
    sent = len(servers.old_submission.logins), len(servers.new_submission.logins)
    assert sent == (before[0] + (reading == "at the old"), before[1] + (reading == "at the new"))
    return reading


def test_a_login_leads_to_the_new_server_from_the_cutover_on_and_back_after_a_back_out(
    office: Office, proxy: Proxy, servers: Servers
) -> None:
    everybody = (SOURCE, SOURCE.upper(), BERT, CARL)
    assert {where(proxy, servers, login) for login in everybody} == {"at the old"}, "there is no map yet"
    assert office.cut().code is None
    assert {where(proxy, servers, login) for login in (SOURCE, SOURCE.upper(), TARGET)} == {"at the new"}
    assert servers.new_submission.logins[-1] == TARGET
    assert {where(proxy, servers, login) for login in (BERT, CARL)} == {"at the old"}
    undone(office.trial)
    assert office.phase is Phase.LIVE
    assert where(proxy, servers, SOURCE) == "at the new", "a rollback alone undoes no hook"
    assert office.cut(back=True).code is None
    assert office.phase is Phase.STAGING
    assert {where(proxy, servers, login) for login in (SOURCE, TARGET, BERT)} == {"at the old"}
    assert servers.old_submission.logins[-2] == SOURCE, "under the name that the old server knows"


def test_who_stops_frozen_stays_at_the_old_server(office: Office, proxy: Proxy, servers: Servers) -> None:
    office.cut()  # so that there is a map
    undone(office.trial)
    office.cut(back=True)
    office.trial.ledger.requeue()
    assert office.trial.run().state == "verified"
    approve, office.approved = [0], True

    def change(name: str) -> None:
        approve[0] += 1
        if name == "hook routes done":
            office.approved = False

    assert office.cut(change).code == "not-approved"
    assert office.phase is Phase.FROZEN
    assert where(proxy, servers, SOURCE) == "at the old"


def test_only_who_the_server_behind_lets_in_is_let_in(office: Office, proxy: Proxy) -> None:
    assert office.cut().code is None
    time.sleep(REREAD_SECONDS)
    for login, password in ((SOURCE, "wrong"), (BERT, "wrong"), (CARL, ""), ("nobody@old.example", "userpw")):
        with pytest.raises(IMAPClientError):
            proxy.folders(login, password)
        with pytest.raises(smtplib.SMTPException):
            proxy.send(login, password)


def test_without_a_map_that_can_be_read_nobody_reaches_the_old_server(office: Office, proxy: Proxy) -> None:
    assert office.cut().code is None
    time.sleep(REREAD_SECONDS)
    assert proxy.folders(SOURCE)
    shutil.rmtree(proxy.routes)
    proxy.routes.symlink_to("/proc/self/mem")
    time.sleep(REREAD_SECONDS)
    for login in (SOURCE, BERT):
        with pytest.raises(IMAPClientError):
            proxy.folders(login)


def test_a_map_that_leads_the_proxy_to_itself_lets_nobody_in(proxy: Proxy) -> None:
    line = f"{SOURCE}:::::::nopassword=yes proxy=yes host=127.0.0.1 port={proxy.imaps} ssl=yes\n"
    (proxy.routes / "imap").write_text(line)
    (proxy.routes / "imap").chmod(0o644)
    time.sleep(REREAD_SECONDS)
    with pytest.raises(IMAPClientError):
        proxy.folders(SOURCE)
    assert "Proxying loops to itself" in proxy.log()


def test_a_connection_that_is_open_stays_until_the_proxy_is_restarted(office: Office, proxy: Proxy) -> None:
    client = proxy.client()
    client.login(SOURCE, "userpw")
    assert office.cut().code is None
    time.sleep(REREAD_SECONDS)
    assert client.folder_exists("at the old")
    proxy.stop()
    with pytest.raises((IMAPClientError, OSError)):
        client.noop()
    client.shutdown()
    proxy.start()
    assert "at the new" in proxy.folders(SOURCE)
