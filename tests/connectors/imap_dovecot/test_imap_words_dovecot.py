"""What a real Dovecot says of a refusal goes with the error, and nothing shows it."""

from __future__ import annotations

import pytest
from imap_items import WORK, OpenTarget, item
from servers.dovecot import Dovecot

from model.errors import Blocked

pytestmark = pytest.mark.dovecot


def test_a_full_account(dovecot: Dovecot, user: str, target: OpenTarget) -> None:
    dovecot.set_quota(user, 10_000)
    full = target()
    with pytest.raises(Blocked, match="over-quota") as caught:
        list(full.write(full.ensure(WORK), [item(1, 50_000)]))
    said = caught.value.words.spoken()
    assert "OVERQUOTA" in said
    assert "quota" in said.lower()
    assert said not in f"{caught.value!r} {caught.value} {caught.value.words!r}"


def test_a_password_that_is_wrong(target: OpenTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PASSWORD", "not-the-password")
    with pytest.raises(Blocked, match="login-refused") as caught:
        target().identity()
    assert "[AUTHENTICATIONFAILED]" in caught.value.words.spoken()
    assert "not-the-password" not in caught.value.words.spoken()
