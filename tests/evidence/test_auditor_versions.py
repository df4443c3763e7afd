"""Verifiers and packs of other versions: what is newer is called newer, and never tampered with.

tests/evidence/verifiers holds the verifier of each version, named by its month. It grows by a file with each
release: `gzip -9n < evidence/verifier.py > tests/evidence/verifiers/YEAR-MONTH.py.gz`.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from auditing import KEY, OTHER, Desk, files_of, one_small, predicate_of
from packs import ANNA, KEYS, Pack, Thing, section, two_mailboxes, write_files

from evidence import verifier
from model.kinds import Kind

OLDER = sorted((Path(__file__).parent / "verifiers").glob("*.py.gz"))
NEWER = "a newer version of Kogge made it: take the verifier that belongs to that version"


def of_kind(kind: str) -> Pack:
    return Pack({ANNA: [section(KEYS[ANNA], [Thing("a", "/Folder")], kind=kind)]})


@pytest.mark.parametrize("file", OLDER, ids=lambda file: file.name.removesuffix(".py.gz"))
@pytest.mark.parametrize("kind", ["", *Kind])
def test_a_kept_verifier_reads_the_packs_of_today(tmp_path: Path, desk: Desk, file: Path, kind: str) -> None:
    """Of a kind that came after it, it says nothing good: only later ones know to call it newer."""
    sealed = desk.seal(of_kind(kind) if kind else Pack(two_mailboxes()))
    program = tmp_path / "verify_kogge.py"
    program.write_bytes(gzip.decompress(file.read_bytes()))
    known = re.search(r'^WORKLOAD = "(.+)"$', program.read_text(), re.MULTILINE)
    assert known
    command = [sys.executable, "-I", str(program), str(sealed.path), "--pubkey", str(desk.key)]
    done = subprocess.run(
        [*command, "--root", sealed.statement], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert (done.returncode == verifier.OK) == (kind in {"", *known[1].split("|")}), done.stdout


@pytest.mark.parametrize(
    "pack",
    [
        of_kind("toys"),
        replace(one_small(), change={"workloads": ["mail", "calendar", "toys"]}),
        replace(one_small(), form="urn:kogge:evidence:wave:v2"),
        replace(one_small(), form="urn:kogge:evidence:wave:v12", change={"workloads": None}),
    ],
    ids=["section", "named", "version", "much newer"],
)
def test_a_newer_pack_is_no_tampered_one(desk: Desk, pack: Pack) -> None:
    sealed = desk.seal(pack)
    for options in ({}, {"root": sealed.statement}, {"root": sealed.statement, "sample": 5}):
        found = desk.audit(**options)
        assert found.code == verifier.UNREADABLE
        assert NEWER in found.text
        assert "tampered" not in found.text


def test_newer_says_only_who_signed_it(desk: Desk) -> None:
    """With another key anybody could keep a changed pack from being called so."""
    sealed = desk.seal(of_kind("toys"), key=OTHER)
    assert desk.audit(root=sealed.statement).code == verifier.TAMPERED


@pytest.mark.parametrize(
    "pack",
    [
        replace(one_small(), form="urn:kogge:evidence:other:v2"),
        replace(one_small(), form="urn:kogge:evidence:wave:v0"),
        replace(one_small(), form="urn:kogge:evidence:wave:v"),
        replace(one_small(), form="urn:kogge:evidence:wave:v-2"),
        replace(one_small(), change={"workloads": ["mail"]}),
        replace(one_small(), change={"workloads": ["mail", "calendar", "notes"]}),
        replace(one_small(), change={"workloads": ["calendar", "mail"]}),
        replace(one_small(), change={"workloads": 5}),
        replace(one_small(), change={"workloads": [[]]}),
    ],
)
def test_what_is_not_newer_and_not_so_is_tampered_with(desk: Desk, pack: Pack) -> None:
    sealed = desk.seal(pack)
    assert desk.audit(root=sealed.statement).code == verifier.TAMPERED


def test_a_pack_that_does_not_name_its_workloads_is_read(desk: Desk) -> None:
    """As the first packs were."""
    pack = one_small()
    told = {name: value for name, value in predicate_of(pack).items() if name != "workloads"}
    sealed = write_files(desk.packs / "wave-1", files_of(pack), told, KEY)
    assert desk.audit(root=sealed.statement).code == verifier.OK
