"""The same on a real Dovecot: a worker dies at every commit of the ledger, before and in the middle of real
IMAP writes; the next run must lead to the same mailbox, read by a client that is not ours."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import Died, a_mailbox, edit

from ledger.db.rows import LegState
from mappings.mail.digest import canonical

pytestmark = [pytest.mark.soak, pytest.mark.dovecot]
USERS = [f"user{number}" for number in range(300)]


dovecot = dovecot_fixture(USERS)


class Commits:
    """Dies before the n-th commit, and stays dead."""

    def __init__(self, die_at: int | None = None) -> None:
        self.count = 0
        self._die_at = die_at

    def __call__(self) -> None:
        self.count += 1
        if self._die_at is not None and self.count >= self._die_at:
            raise Died


class Mailbox(OnDovecot):
    def contents(self) -> Counter[tuple[str, bytes, frozenset[bytes], object]]:
        """Read with imapclient alone."""
        found: Counter[tuple[str, bytes, frozenset[bytes], object]] = Counter()
        with self.client() as client:
            for _, _, name in client.list_folders():
                client.select_folder(name, readonly=True)
                uids = client.search("ALL")
                wanted = ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"]
                for data in client.fetch(uids, wanted).values() if uids else ():
                    flags = frozenset(flag for flag in data[b"FLAGS"] if flag != b"\\Recent")
                    digest = canonical(io.BytesIO(data[b"BODY[]"])).digest
                    found[name, digest, flags, data[b"INTERNALDATE"]] += 1
        return found


def trial(directory: Path, server: Dovecot, user: str) -> Mailbox:
    directory.mkdir()
    made = Mailbox(directory, a_mailbox(6), MemoryStore())
    made.server, made.user = server, user
    return made


def interrupted(each: Mailbox, commits: Commits) -> None:
    quiet = each.commits(commits)
    try:
        each.run()
    except Died:
        return
    finally:
        quiet()


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_before_every_commit_leaves_the_same_mailbox(
    quick_path: Path, dovecot: Dovecot, changed: bool
) -> None:
    users = iter(USERS[150:] if changed else USERS[:150])

    def begun(name: str) -> Mailbox:
        each = trial(quick_path / name, dovecot, next(users))
        if changed:
            assert each.run().state is LegState.VERIFIED
            edit(each.mailbox)
        return each

    calm, counted = begun("calm"), Commits()
    interrupted(calm, counted)
    wanted = calm.contents()
    assert counted.count > 20
    for number in range(1, min(counted.count, 140) + 1):
        each = begun(str(number))
        interrupted(each, Commits(number))
        result = each.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), f"died at commit {number}"
        assert each.contents() == wanted, f"died at commit {number}"
        each.discard()
