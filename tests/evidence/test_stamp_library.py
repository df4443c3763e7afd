"""What `rfc3161-client` says of time stamps: a second opinion on good ones, and why the verifier does not
rest on it (docs/adr/0042-the-verifier-reads-time-stamps-itself.md)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from auditing import Desk, one_small
from packs import Sealed
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
from services import NEEDS_OPENSSL
from stamping import ROOT, SIGNER, Authority, authority
from stamps_by_hand import ByHand

from evidence import verifier

pytestmark = NEEDS_OPENSSL


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    return Desk(tmp_path).seal(one_small())


def is_accepted(reply: bytes, data: bytes, tsa: Authority) -> bool:
    try:
        response = decode_timestamp_response(reply)
        return VerifierBuilder(roots=[tsa.root.certificate]).build().verify_message(response, data)
    except (VerificationError, ValueError):
        return False


def is_accepted_here(reply: bytes, data: bytes, tsa: Authority) -> bool:
    try:
        verifier.check_time_stamp(reply, data, [tsa.root.certificate])
    except (verifier.VerificationFailed, LookupError):
        return False
    return True


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_a_stamp_of_openssl_is_good_for_both(sealed: Sealed, tmp_path: Path, kind: str) -> None:
    tsa = authority(tmp_path / "tsa", replace(SIGNER, kind=kind))
    data = (sealed.path / "wave.dsse.json").read_bytes()
    reply = tsa.reply(sealed.path / "wave.dsse.json")
    assert is_accepted(reply, data, tsa)
    assert is_accepted_here(reply, data, tsa)
    made, _ = verifier.check_time_stamp(reply, data, [tsa.root.certificate])
    assert made == decode_timestamp_response(reply).tst_info.gen_time
    assert not is_accepted(reply, data + b" ", tsa)
    assert not is_accepted_here(reply, data + b" ", tsa)


@pytest.mark.parametrize(
    "other",
    [
        {"bound": ROOT.by()},
        {"typed": None},
        {"typed": "1.2.840.113549.1.7.1"},
        {"hash": "sha1"},
    ],
    ids=["another-certificate", "no-content-type", "another-content-type", "sha1"],
)
def test_the_library_accepts_what_the_verifier_refuses(tsa: Authority, other: dict[str, Any]) -> None:
    data = b"stamped"
    reply = ByHand(data, tsa.signer, **other).reply()
    assert not is_accepted_here(reply, data, tsa)
    assert is_accepted(reply, data, tsa), "it checks this now: is the verifier's own reader still needed?"


@pytest.mark.parametrize("case", ["granted-with-changes", "ed25519", "pss"])
def test_the_library_refuses_what_the_verifier_accepts(tsa: Authority, tmp_path: Path, case: str) -> None:
    data, other = b"stamped", dict[str, Any]()
    if case == "granted-with-changes":
        other = {"status": 1}
    elif case == "ed25519":
        tsa = authority(tmp_path / "other", replace(SIGNER, kind="ed25519"))
    else:
        tsa = authority(tmp_path / "other")
        other = {"pss": True}
    reply = ByHand(data, tsa.signer, **other).reply()
    assert is_accepted_here(reply, data, tsa)
    assert not is_accepted(reply, data, tsa), (
        "it accepts this now: is the verifier's own reader still needed?"
    )
