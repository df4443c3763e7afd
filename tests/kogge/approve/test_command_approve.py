"""`kogge keys`, `kogge approve --wave`, `kogge approvals`: what a person types, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from commands import run
from configurations import imap_sides
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from services import NEEDS_OPENSSL

from engine.approvals.plan_approval import VOIDED, plan_of
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from ledger.db.rows import LegState, Phase
from ledger.plan.approvals import Check, keep_checks
from ledger.plan.mailboxes import PlannedMailbox
from model.errors import Misconfigured
from model.kinds import Kind
from model.signing_keys import read_key

SYSTEMS = imap_sides("old.example", "new.example")
SIGN = ("--reason", "as agreed", "--yes")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """What was printed since it was asked last, as one line."""

    def words() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    return words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A checked wave of two, and three approvers with keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    lines = []
    for name in ("Anna", "Bernd", "Carla"):
        assert run("keys", "new", name, "--out", f"{name}.pem") == 0
        lines.append(capsys.readouterr().out)
    (tmp_path / "kogge.toml").write_text("[approval.approvers]\n" + "".join(lines) + SYSTEMS)
    with opened_ledger(load(tmp_path / "kogge.toml")) as ledger:
        planned = [
            PlannedMailbox(
                f"{one}@old.example", f"{one}@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL})
            )
            for one in ("a", "b")
        ]
        ids = ledger.add_mailboxes(planned)
        keep_checks(ledger, [Check(str(one), "directory", None, 20, 3_000_000) for one in ids])
    return tmp_path


def recheck(place: Path, code: str | None, level: str | None = "directory") -> None:
    with opened_ledger(load(place / "kogge.toml")) as ledger:
        keep_checks(ledger, [Check(ledger.mailboxes("w")[0].id, level, code, 20, 3_000_000)])


def test_a_key_is_its_owners_alone_and_never_overwritten(place: Path, said) -> None:
    assert (place / "Anna.pem").stat().st_mode & 0o777 == 0o600
    before = (place / "Anna.pem").read_text()
    assert run("keys", "new", "Anna", "--out", "Anna.pem") == 2
    assert (place / "Anna.pem").read_text() == before
    assert run("keys", "new", "x" * 65, "--out", "x.pem") == 2
    assert not (place / "x.pem").exists()


def test_the_public_half_of_a_key_is_printed_alone(place: Path, said) -> None:
    assert run("keys", "new", "Dora", "--out", "Dora.pem") == 0
    line = re.search(r"ed25519:[^\"]+", said())
    assert run("keys", "public", "--key", "Dora.pem") == 0
    assert line is not None
    assert said().strip() == line.group()
    assert run("keys", "public", "--key", "no.pem") == 2


def test_a_public_key_signs_nothing(place: Path, said) -> None:
    """And is not said to have leaked, though others can read it."""
    (place / "Anna.pub").write_text("ed25519:" + "A" * 43 + "=\n")
    (place / "Anna.pub").chmod(0o644)
    with pytest.raises(Misconfigured, match="is a public key already"):
        read_key(place / "Anna.pub")


def test_a_key_may_come_through_a_pipe(place: Path, said) -> None:
    end, other = os.pipe()
    os.write(other, (place / "Anna.pem").read_bytes())
    os.close(other)
    assert run("keys", "public", "--key", f"/dev/fd/{end}") == 0
    os.close(end)
    assert said().startswith("ed25519:")


def test_what_is_public_already_is_no_leak(place: Path, said) -> None:
    pem = load_pem_private_key((place / "Anna.pem").read_bytes(), None).public_key()
    assert isinstance(pem, Ed25519PublicKey)
    line = b"ed25519:" + b64encode(pem.public_bytes_raw()) + b"\n"
    for text in (pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), line):
        (place / "operator.pub").write_bytes(text)
        (place / "operator.pub").chmod(0o644)
        assert run("keys", "public", "--key", "operator.pub") == 2
        assert (
            said()
            == "--key operator.pub: is a public key already, to hand out; here the private one is wanted"
        )


@pytest.mark.parametrize(
    ("options", "unlocking"),
    [
        ([], ""),
        (["--passphrase-env", "PASS"], " --passphrase-env PASS"),
        (["--passphrase-file", "a pass"], " --passphrase-file 'a pass'"),
    ],
)
def test_a_new_key_says_what_to_do_with_it(
    place: Path, said, monkeypatch: pytest.MonkeyPatch, options: list[str], unlocking: str
) -> None:
    monkeypatch.setenv("PASS", "open sesame")
    (place / "a pass").write_text("open sesame\n")
    assert run("keys", "new", "Operator", "--out", "operator.pem", *options) == 0
    told = said()
    assert "goes below [approval.approvers] in kogge.toml" in told
    assert f"kogge audit seal --wave WAVE --key operator.pem{unlocking}" in told
    command = f"kogge keys public --key operator.pem{unlocking} > operator.pub"
    assert f"Hand operator.pub to the auditor, before the first seal: {command}" in told
    assert run(*shlex.split(command)[1:-2]) == 0


def test_a_passphrase_is_asked_for_and_never_told(place: Path, said, monkeypatch) -> None:
    monkeypatch.setenv("PASS", "open sesame")
    assert run("keys", "new", "Dora", "--out", "Dora.pem", "--passphrase-env", "PASS") == 0
    line = re.search(r'"Dora" = "ed25519:[^"]+"', said())
    assert line is not None
    text = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(text.replace("[source]", line.group() + "\n[source]", 1))
    (place / "pass").write_text("open sesame\n")
    assert "ENCRYPTED" in (place / "Dora.pem").read_text()
    assert run("approve", "-w", "w", "--key", "Dora.pem", *SIGN) == 2
    assert "has a passphrase" in said()
    monkeypatch.setenv("PASS", "wrong words")
    assert run("approve", "-w", "w", "--key", "Dora.pem", "--passphrase-env", "PASS", *SIGN) == 2
    assert "wrong words" not in said()
    assert run("approve", "-w", "w", "--key", "Dora.pem", "--passphrase-file", "pass", *SIGN) == 0
    told = said()
    assert "start of wave w: 1 of 2 approvals" in told
    assert "sesame" not in told


def test_two_people_approve_and_the_plan_is_shown_without_a_person(place: Path, said) -> None:
    assert run("approvals", "--wave", "w") == 1
    said()
    assert run("approve", "-w", "w", "--key", "Anna.pem", *SIGN) == 0
    told = said()
    assert "2 mailboxes, 40 items, 6.0 MB" in told
    assert "proof 2 directory" in told
    assert re.search(r"plan [0-9a-f]{64}", told)
    assert "@" not in told
    assert run("approve", "-w", "w", "--key", "Anna.pem", *SIGN) == 0
    assert "counts once" in said()
    assert run("approve", "-w", "w", "--key", "Carla.pem", *SIGN) == 0
    assert "2 of 2 approvals" in said()
    assert run("approvals", "--wave", "w") == 0
    said()
    assert run("approvals", "--wave", "w", "--json") == 0
    document = json.loads(said())
    assert [(one["approver"], one["void"]) for one in document["approvals"]] == [
        ("Anna", None),
        ("Carla", None),
    ]


def test_what_was_approved_is_void_once_the_plan_changes(place: Path, said) -> None:
    for name in ("Anna", "Bernd"):
        assert run("approve", "-w", "w", "--key", f"{name}.pem", *SIGN) == 0
    recheck(place, None, "address")
    said()
    assert run("approvals", "--wave", "w") == 1
    assert said().count("no: the plan is another one now") == 2
    (place / "mailboxes.csv").write_text(
        "source,target,wave\na@old.example,a@new.example,w\nb@old.example,b@new.example,w\n"
    )
    assert run("migrate", "--wave", "w") == 1
    told = said()
    assert "not-approved" in told
    assert "it changed since" in told
    assert "kogge approve --wave w" in told


def test_what_to_type_next_is_for_the_same_configuration_and_stage(place: Path, said) -> None:
    (place / "mailboxes.csv").write_text(
        "source,target,wave\na@old.example,a@new.example,w\nb@old.example,b@new.example,w\n"
    )
    (place / "kogge.toml").rename(place / "other.toml")
    assert run("migrate", "--wave", "w", "-c", "other.toml") == 1
    assert "Next: kogge approve --wave w --key FILE --reason TEXT -c other.toml" in said()
    cutover = ("--stage", "cutover", "--accept-not-ready")
    elsewhere = ("--print", "st", "--by", "Bernd", "--reason", "elsewhere")
    assert run("approve", "-w", "w", *cutover, *elsewhere, "-c", "other.toml") == 0
    assert "Then: kogge approve --wave w --stage cutover --signed st -c other.toml" in said()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--key", "stranger.pem"), "no approver's"),
        (("--key", "Anna.pem", "--by", "Bernd"), "another approver's"),
        (("--key", "open.pem"), "others can read"),
        (("--key", "missing.pem"), "cannot be read"),
        (("--key", "kogge.toml"), "chmod 600"),
        (("--key", "Anna.pem", "--print", "x"), "give one of"),
        ((), "give one of"),
        (("--print", "x"), "--by"),
        (("--print", "x", "--by", "Nobody"), "--by"),
    ],
)
def test_what_is_refused(place: Path, said, arguments: tuple[str, ...], told: str) -> None:
    assert run("keys", "new", "Stranger", "--out", "stranger.pem") == 0
    shutil.copy("Anna.pem", "open.pem")
    Path("open.pem").chmod(0o644)
    said()
    assert run("approve", "-w", "w", *arguments, *SIGN) == 2
    assert told in said()
    assert run("approvals", "-w", "w") == 1
    assert "of 2 approvals, 0 of its start" in said()


def test_no_plan_is_shown_for_a_key_that_cannot_be_read(place: Path, said) -> None:
    assert run("approve", "-w", "w", "--key", "missing.pem", *SIGN) == 2
    assert "mailbox" not in said().replace("missing.pem", "")


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_needed(place: Path, said, reason: str) -> None:
    assert run("approve", "-w", "w", "--key", "Anna.pem", "--reason", reason, "--yes") == 2
    assert "--reason" in said()


def test_nobody_approves_without_being_asked(place: Path, said) -> None:
    assert run("approve", "-w", "w", "--key", "Anna.pem", "--reason", "x") == 2
    assert "--yes" in said()


def test_a_code_and_a_plan_are_not_approved_in_one_breath(place: Path, said) -> None:
    assert run("approve", "asserted", "-w", "w", "--key", "Anna.pem", *SIGN) == 2
    assert run("approve", "--key", "Anna.pem", *SIGN) == 2
    assert run("approve", "asserted", "-w", "w", "--reason", "x") == 2
    assert "--by" in said()


def test_what_was_never_checked_cannot_be_approved(place: Path, said) -> None:
    with opened_ledger(load(place / "kogge.toml")) as ledger:
        planned = PlannedMailbox("c@old.example", "c@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))
        ledger.add_mailboxes([planned])
    assert run("approve", "-w", "w", "--key", "Anna.pem", "--accept-not-ready", *SIGN) == 2
    told = said()
    assert "kogge check --wave w" in told
    assert "proof 2 directory checked the oldest" in told


def test_of_a_wave_that_was_never_checked_no_proof_is_told(place: Path, said) -> None:
    with opened_ledger(load(place / "kogge.toml")) as ledger:
        planned = PlannedMailbox("d@old.example", "d@new.example", "v", Phase.STAGING, frozenset({Kind.MAIL}))
        ledger.add_mailboxes([planned])
    assert run("approve", "-w", "v", "--key", "Anna.pem", *SIGN) == 2
    told = said()
    assert "workloads 1 mail never checked 1 " in told
    assert "(1 never checked)" not in told
    assert "proof" not in told


def test_approvers_see_that_no_mailbox_goes_first(place: Path, said) -> None:
    with (place / "kogge.toml").open("a") as file:
        file.write("[run]\ncanary = false\n")
    assert run("approve", "-w", "w", "--key", "Anna.pem", *SIGN) == 0
    assert "first all at once (run.canary)" in said()


def test_what_is_not_ready_is_left_out_only_when_said(place: Path, said) -> None:
    recheck(place, "login-refused", None)
    assert run("approve", "-w", "w", "--key", "Anna.pem", *SIGN) == 2
    assert "1 login-refused" in said()
    assert run("approve", "-w", "w", "--key", "Anna.pem", "--accept-not-ready", *SIGN) == 0
    assert "not ready 1 (1 login-refused)" in said()


def test_a_cutover_is_approved_when_all_is_verified(place: Path, said) -> None:
    stage = ("--stage", "cutover")
    assert run("approve", "-w", "w", *stage, "--key", "Anna.pem", *SIGN) == 2
    assert "2 pending" in said()
    with opened_ledger(load(place / "kogge.toml")) as ledger:
        for leg in ledger.legs():
            lease = ledger.claim(leg.id, "worker", 60)
            assert lease is not None
            ledger.release(lease, LegState.VERIFIED)
    assert run("approve", "-w", "w", *stage, "--key", "Anna.pem", *SIGN) == 0
    told = said()
    assert "cutover of wave w: 1 of 2" in told
    assert "score perfect (2 perfect, 0 good, 0 investigate, 0 poor)" in told
    said()
    assert run("approvals", "-w", "w") == 1, "its start is another thing"
    assert "of 2 approvals, 0 of its start, 1 of its cutover" in said()
    assert run("approve", "-w", "w", *stage, "--key", "Bernd.pem", *SIGN) == 0
    assert "Next: kogge cutover --wave w --by NAME" in said()


def test_the_approvals_of_every_wave_are_listed(place: Path, said) -> None:
    with opened_ledger(load(place / "kogge.toml")) as ledger:
        ledger.add_mailboxes(
            [PlannedMailbox("z@old.example", "z@new.example", "x", Phase.STAGING, frozenset({Kind.MAIL}))]
        )
    for name in ("Anna", "Bernd"):
        assert run("approve", "-w", "w", "--key", f"{name}.pem", *SIGN) == 0
    said()
    assert run("approvals") == 1, "another wave is not approved"
    told = said()
    assert "wave w, plan" in told
    assert "wave x, plan" in told
    assert "of 2 approvals, 2 of its start, 0 of its cutover" in told
    assert run("approvals", "--json") == 1
    found = {one["wave"]: one["approved"] for one in json.loads(said())["waves"]}
    assert found == {"w": True, "x": False}


def signed(place: Path, signer: str) -> None:
    command = [
        "openssl",
        "pkeyutl",
        "-sign",
        "-rawin",
        "-inkey",
        f"{signer}.pem",
        "-in",
        "st",
        "-out",
        "st.sig",
    ]
    subprocess.run(command, check=True, cwd=place)


@NEEDS_OPENSSL
def test_signing_elsewhere(place: Path, said) -> None:
    elsewhere = ("--print", "st", "--by", "Bernd", "--reason", "elsewhere")
    assert run("approve", "-w", "w", *elsewhere) == 0
    assert "openssl pkeyutl" in said()
    assert run("approve", "-w", "w", "--signed", "st") == 2, "not signed yet"
    signed(place, "Anna")
    assert run("approve", "-w", "w", "--signed", "st") == 2
    assert "not signed with the key" in said()
    signed(place, "Bernd")
    assert run("approve", "-w", "w", "--signed", "st", "--stage", "cutover", "--accept-not-ready") == 2
    said()
    assert run("approve", "-w", "w", "--signed", "st") == 0
    assert "1 of 2 approvals" in said()
    recheck(place, None, "address")
    assert run("approve", "-w", "w", "--signed", "st") == 2
    assert "it changed since" in said()


@NEEDS_OPENSSL
def test_what_was_signed_elsewhere_is_taken_in_once(place: Path, said) -> None:
    """The plan was another one meanwhile, and a run was refused for it."""
    assert run("approve", "-w", "w", "--print", "st", "--by", "Bernd", "--reason", "elsewhere") == 0
    signed(place, "Bernd")
    assert run("approve", "-w", "w", "--signed", "st") == 0
    config = load(place / "kogge.toml")
    with opened_ledger(config) as ledger:
        text = plan_of(config, ledger, "w").hash
        ledger.event("w", VOIDED, {"plan": text}, subject="wave:w")
    said()
    assert run("approve", "-w", "w", "--signed", "st") == 2
    assert "was recorded before, and has ended since" in said()


@pytest.mark.parametrize("change", [b"another", b" ", b""])
def test_an_altered_statement_is_refused(place: Path, said, change: bytes) -> None:
    assert run("approve", "-w", "w", "--print", "st", "--by", "Bernd", "--reason", "elsewhere") == 0
    text = (place / "st").read_bytes()
    altered = text.replace(b"elsewhere", change) if change.strip() else text + change if change else b"{}"
    (place / "st").write_bytes(altered)
    (place / "st.sig").write_bytes(b"x" * 64)
    assert run("approve", "-w", "w", "--signed", "st") == 2
    assert "--signed" in said()
