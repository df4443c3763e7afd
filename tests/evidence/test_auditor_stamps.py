"""Time stamps (RFC 3161) by a real authority, OpenSSL's, as the verifier reads them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from auditing import Desk, Verdict, one_small
from cryptography.x509.oid import ExtendedKeyUsageOID
from packs import SEALED, Sealed
from services import NEEDS_OPENSSL
from stamping import ROOT, SIGNER, STAMPING, YEAR, Authority, Certified, authority, new_key
from stamps_by_hand import ByHand

from evidence import verifier

pytestmark = NEEDS_OPENSSL
OK, TAMPERED, UNANCHORED = verifier.OK, verifier.TAMPERED, verifier.UNANCHORED
DAY = timedelta(days=1)


@pytest.fixture
def sealed(desk: Desk) -> Sealed:
    return desk.seal(one_small())


def stamp(sealed: Sealed, by: Authority, imprint: str = "sha256") -> bytes:
    reply = by.reply(sealed.path / "wave.dsse.json", imprint)
    (sealed.path / "wave.tsr").write_bytes(reply)
    return reply


def judged(desk: Desk, by: Authority) -> Verdict:
    return desk.audit(tsa_root=by.root_file())


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384", "brainpool"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_a_time_stamp_anchors_all_that_is_stated(
    desk: Desk, sealed: Sealed, tmp_path: Path, kind: str, digest: str
) -> None:
    tsa = authority(tmp_path / "tsa", replace(SIGNER, kind=kind), digest=digest)
    stamp(sealed, tsa)
    found = judged(desk, tsa)
    assert found.code == OK
    assert "all that it states" in found.text
    assert f"stamped {datetime.now(UTC):%Y-%m-%d}" in found.text
    assert "CN=Time stamps 1" in found.text
    assert desk.audit().code == UNANCHORED  # nobody said whom to trust


def test_openssl_says_the_same(sealed: Sealed, tmp_path: Path) -> None:
    """Of what these tests stamp with: it is a stamp that others accept, too."""
    tsa = authority(tmp_path / "tsa")
    stamp(sealed, tsa)
    files = {
        "-data": sealed.path / "wave.dsse.json",
        "-in": sealed.path / "wave.tsr",
        "-CAfile": tsa.root_file(),
    }
    arguments = [str(part) for pair in files.items() for part in pair]
    ran = subprocess.run(
        ["openssl", "ts", "-verify", *arguments], capture_output=True, text=True, timeout=120
    )
    assert "Verification: OK" in ran.stdout


def test_an_imprint_by_another_hash_is_as_good(desk: Desk, sealed: Sealed, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    stamp(sealed, tsa, "sha512")
    assert judged(desk, tsa).code == OK


def test_the_newest_stamp_anchors_the_whole_chain(desk: Desk, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    one, two, three = desk.seal_chain(3)
    stamp(two, tsa)
    found = judged(desk, tsa)
    assert found.code == UNANCHORED  # the third came later
    stamp(three, tsa)
    (two.path / "wave.tsr").unlink()
    assert judged(desk, tsa).code == OK
    assert desk.audit(one.path, tsa_root=tsa.root_file()).code == UNANCHORED


def test_certificates_in_between_lead_to_the_root(desk: Desk, sealed: Sealed, tmp_path: Path) -> None:
    (tmp_path / "tsa").mkdir()
    root = ROOT.by()
    upper = Certified("Upper", kind="p256", ca=True, path=1).by(root)
    lower = Certified("Lower", ca=True, path=0).by(upper)
    tsa = Authority(tmp_path / "tsa", root, SIGNER.by(lower), (upper, lower))
    stamp(sealed, tsa)
    assert judged(desk, tsa).code == OK
    assert judged(desk, tsa.with_root(upper)).code == OK  # whom one trusts is one's own choice
    assert judged(desk, tsa.with_root(ROOT.by())).code == TAMPERED
    stamp(sealed, replace(tsa, chain=(lower,)))
    assert judged(desk, tsa).code == TAMPERED


@pytest.mark.parametrize("case", ["not-ca", "no-constraints", "too-long", "expired", "not-begun"])
def test_certificates_in_between_that_may_not_issue(
    desk: Desk, sealed: Sealed, tmp_path: Path, case: str
) -> None:
    (tmp_path / "tsa").mkdir()
    root = ROOT.by()
    cases = {
        "not-ca": Certified("Between", ca=False),
        "no-constraints": Certified("Between"),
        "too-long": Certified("Between", ca=True),
        "expired": Certified("Between", ca=True, ends=-DAY),
        "not-begun": Certified("Between", ca=True, begins=DAY),
    }
    between = cases[case].by(root)
    if case == "too-long":
        upper = Certified("Upper", ca=True, path=0).by(root)
        between = cases[case].by(upper)
        tsa = Authority(tmp_path / "tsa", root, SIGNER.by(between), (upper, between))
    else:
        tsa = Authority(tmp_path / "tsa", root, SIGNER.by(between), (between,))
    stamp(sealed, tsa)
    assert judged(desk, tsa).code == TAMPERED


def test_a_root_of_the_same_name_is_another(desk: Desk, sealed: Sealed, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    stamp(sealed, tsa)
    found = judged(desk, tsa.with_root(ROOT.by()))
    assert (found.code, "do not lead to --tsa-root" in found.text) == (TAMPERED, True)


def test_several_roots_in_one_file(desk: Desk, sealed: Sealed, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    stamp(sealed, tsa)
    path = tmp_path / "roots.pem"
    path.write_bytes(ROOT.by().pem() + tsa.root.pem())
    assert desk.audit(tsa_root=path).code == OK


def test_a_stamp_of_another_file_is_found(desk: Desk, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    one, two = desk.seal_chain(2)
    stamp(one, tsa)
    shutil.copy(one.path / "wave.tsr", two.path / "wave.tsr")
    found = desk.audit(two.path, tsa_root=tsa.root_file())
    assert (found.code, "no time stamp of wave.dsse.json" in found.text) == (TAMPERED, True)


# By hand: what OpenSSL would never say


def by_hand(desk: Desk, sealed: Sealed, tsa: Authority, **other: Any) -> Verdict:
    data = (sealed.path / "wave.dsse.json").read_bytes()
    reply = ByHand(data, **{"signer": tsa.signer, **other}).reply()
    (sealed.path / "wave.tsr").write_bytes(reply)
    return judged(desk, tsa)


def test_a_right_one_by_hand(desk: Desk, sealed: Sealed, tsa: Authority) -> None:
    assert by_hand(desk, sealed, tsa).code == OK
    assert by_hand(desk, sealed, tsa, bound=tsa.signer).code == OK
    assert by_hand(desk, sealed, tsa, status=1).code == OK  # granted with changes
    assert by_hand(desk, sealed, tsa, hash="sha384").code == OK
    assert by_hand(desk, sealed, tsa, time=f"{datetime.now(UTC):%Y%m%d%H%M%S}.123456Z").code == OK


def test_rsa_pss_and_ed25519_by_hand(desk: Desk, sealed: Sealed, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    assert by_hand(desk, sealed, tsa, pss=True).code == OK
    tsa = authority(tmp_path / "tsa", replace(SIGNER, kind="ed25519"))
    assert by_hand(desk, sealed, tsa).code == OK


@pytest.mark.parametrize(
    "other",
    [
        {"status": 2},
        {"content": "1.2.840.113549.1.7.1"},
        {"typed": None},
        {"typed": "1.2.840.113549.1.7.1"},
        {"digest": b"\0" * 32},
        {"digest": b""},
        {"imprint": b"\0" * 32},
        {"imprint": b""},
        {"hash": "sha1"},
        {"imprint_hash": "sha1"},
        {"time": "20260230000000Z"},
        {"time": "yesterday"},
        {"time": "99991231235959Z"},
        {"time": "00000000000000Z"},
        {"signed_by": new_key("p256")},
        {"signed_by": new_key("rsa")},
        {"bound": ROOT.by()},
    ],
    ids=lambda change: "-".join(
        f"{name}-{one}" if isinstance(one, str) else name for name, one in change.items()
    ),
)
def test_a_stamp_that_is_wrong_somewhere(
    desk: Desk, sealed: Sealed, tsa: Authority, other: dict[str, Any]
) -> None:
    assert by_hand(desk, sealed, tsa, **other).code == TAMPERED


@pytest.mark.parametrize("after", [-2 * YEAR, -YEAR - DAY, YEAR + DAY])
def test_a_certificate_that_was_not_valid_when_it_stamped(
    desk: Desk, sealed: Sealed, tsa: Authority, after: timedelta
) -> None:
    assert by_hand(desk, sealed, tsa, at=datetime.now(UTC) + after).code == TAMPERED


def test_a_certificate_that_ended_since_was_valid_when_it_stamped(
    desk: Desk, sealed: Sealed, tmp_path: Path
) -> None:
    """A stamp outlives its certificate: an auditor comes years later."""
    sealed = desk.seal(replace(one_small(), sealed=SEALED - 2 * DAY))
    tsa = authority(tmp_path / "tsa", replace(SIGNER, ends=-DAY))
    assert by_hand(desk, sealed, tsa, at=SEALED - 2 * DAY).code == OK
    assert by_hand(desk, sealed, tsa).code == TAMPERED


def test_an_authority_whose_certificate_expired_stamps_in_vain(
    desk: Desk, sealed: Sealed, tmp_path: Path
) -> None:
    tsa = authority(tmp_path / "tsa", replace(SIGNER, ends=-DAY))
    stamp(sealed, tsa)
    found = judged(desk, tsa)
    assert (found.code, "not valid at that time" in found.text) == (TAMPERED, True)


@pytest.mark.parametrize(
    "signer",
    [
        Certified("None"),
        Certified("Loose", uses=STAMPING, critical=False),
        Certified("More", uses=(*STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)),
        Certified("Other", uses=(ExtendedKeyUsageOID.CODE_SIGNING,)),
        Certified("Any", uses=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)),
    ],
    ids=lambda one: one.name,
)
def test_a_certificate_that_is_not_for_time_stamps_alone(
    desk: Desk, sealed: Sealed, tsa: Authority, signer: Certified
) -> None:
    assert by_hand(desk, sealed, tsa, signer=signer.by(tsa.root)).code == TAMPERED


def test_a_certificate_that_nobody_issued(desk: Desk, sealed: Sealed, tsa: Authority) -> None:
    assert by_hand(desk, sealed, tsa, signer=SIGNER.by()).code == TAMPERED
    assert by_hand(desk, sealed, tsa, signer=SIGNER.by(), certificates=(tsa.root,)).code == TAMPERED
    assert by_hand(desk, sealed, tsa, signer=SIGNER.by(ROOT.by())).code == TAMPERED
    again = SIGNER.by(tsa.signer)  # by one that may stamp, and not issue
    assert by_hand(desk, sealed, tsa, signer=again, certificates=(again, tsa.signer)).code == TAMPERED


def test_certificates_that_issue_one_another_in_a_ring(desk: Desk, sealed: Sealed, tsa: Authority) -> None:
    one = Certified("A", kind="p256", ca=True).by()
    two = Certified("B", kind="p256", ca=True).by(one)
    ring = replace(one, certificate=Certified("A", kind="p256", ca=True).by(two).certificate)
    signer = SIGNER.by(two)
    assert by_hand(desk, sealed, tsa, signer=signer, certificates=(signer, two, ring, one)).code == TAMPERED


# When, held against what the statement says


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (timedelta(minutes=-9), OK),  # two clocks
        (timedelta(minutes=-11), TAMPERED),
        (-5 * DAY, TAMPERED),
        (30 * DAY, OK),
        (32 * DAY, UNANCHORED),
        (300 * DAY, UNANCHORED),
    ],
)
def test_a_stamp_is_of_the_days_after_the_sealing(
    desk: Desk, sealed: Sealed, tsa: Authority, after: timedelta, code: int
) -> None:
    """Who signs anew a year later may date it back, and have it stamped by the best of authorities."""
    found = by_hand(desk, sealed, tsa, at=SEALED + after)
    assert found.code == code
    told = f"sealed {SEALED:%Y-%m-%d %H:%M} UTC, stamped {SEALED + after:%Y-%m-%d %H:%M} UTC"
    assert told in found.text
    anchored = desk.audit(tsa_root=tsa.root_file(), root=sealed.statement)
    assert anchored.code == (TAMPERED if code == TAMPERED else OK)


def test_a_later_wave_s_stamp_says_nothing_of_the_time_before(desk: Desk, tsa: Authority) -> None:
    old = replace(one_small("wave 1"), sealed=SEALED - 100 * DAY)
    one = desk.seal(old)
    two = desk.seal(replace(old.follow(one, wave="wave 2"), sealed=SEALED))
    stamp(two, tsa)
    assert judged(desk, tsa).code == UNANCHORED
    by_hand(desk, one, tsa, at=SEALED - 99 * DAY)
    assert judged(desk, tsa).code == OK


def test_a_statement_without_a_time_is_found(desk: Desk) -> None:
    zones = [f"2026-02-03T00:00:00.000000{zone}" for zone in ("", "+02:00")]
    for wrong in ("\x07", "soon", 5, None, "2026-02-30T00:00:00.000000Z", *zones):
        shutil.rmtree(desk.packs / "wave-1", ignore_errors=True)
        sealed = desk.seal(replace(one_small(), change={"sealed": wrong}))
        assert desk.audit(root=sealed.statement).code == TAMPERED


# Bytes


def test_a_bit_flipped_in_a_stamp_never_makes_another_time(
    desk: Desk, sealed: Sealed, tmp_path: Path
) -> None:
    """Some bits of a reply are in nobody's signature (its status, the order of certificates): what is left
    says the same, or is found."""
    tsa = authority(tmp_path / "tsa", replace(SIGNER, kind="p256"), replace(ROOT, kind="p256"))
    reply = stamp(sealed, tsa)
    roots, data = [tsa.root.certificate], (sealed.path / "wave.dsse.json").read_bytes()
    right = verifier.check_time_stamp(reply, data, roots)
    accepted = 0
    for at in range(len(reply)):
        other = reply[:at] + bytes([reply[at] ^ 1 << at % 8]) + reply[at + 1 :]
        pack = verifier.Pack(sealed.path)
        with pack.step("stamp"):
            assert verifier.check_time_stamp(other, data, roots) == right
            accepted += 1
        assert [code for code, _ in pack.findings] in ([], [TAMPERED])
    assert accepted < len(reply) / 4


def test_a_stamp_that_is_cut_off_goes_on_or_is_nothing(desk: Desk, sealed: Sealed, tsa: Authority) -> None:
    reply = stamp(sealed, tsa)
    path = sealed.path / "wave.tsr"
    for other in (
        b"",
        b"\0",
        reply[:-1],
        reply[:100],
        reply + b"\0",
        reply + reply,
        b"\x30\x80" + reply,
        b"<html>",
    ):
        path.write_bytes(other)
        assert judged(desk, tsa).code == TAMPERED
    for other in (b"\x30\x84\xff\xff\xff\xff", b"\x30\xff" * 1000, b"\x1f\x81" * 100, b"\x30\x84" * 100_000):
        path.write_bytes(other)
        assert judged(desk, tsa).code == TAMPERED


def test_a_stamp_that_is_missing_anchors_nothing(desk: Desk, sealed: Sealed, tsa: Authority) -> None:
    assert judged(desk, tsa).code == UNANCHORED
    assert desk.audit(tsa_root=tsa.root_file(), root=sealed.statement).code == OK


def test_a_wrong_stamp_is_not_made_good_by_a_root(desk: Desk, sealed: Sealed, tsa: Authority) -> None:
    (sealed.path / "wave.tsr").write_bytes(b"?")
    assert desk.audit(tsa_root=tsa.root_file(), root=sealed.statement).code == TAMPERED


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("after", "code"), [(-5 * DAY, TAMPERED), (DAY, OK)])
def test_a_copy_without_its_stamp_hides_no_stamp(
    desk: Desk, sealed: Sealed, tsa: Authority, after: timedelta, code: int, first: bool
) -> None:
    by_hand(desk, sealed, tsa, at=SEALED + after)
    copy = desk.copy(sealed, "copy")
    (copy / "wave.tsr").unlink()
    places = (copy, desk.packs) if first else (desk.packs, copy)
    assert desk.audit(*places, tsa_root=tsa.root_file(), root=[sealed.statement] * bool(code)).code == code
