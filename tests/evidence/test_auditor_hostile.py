"""The verifier on packs made by somebody who wants to hurt it: no traceback, no wait, a clear verdict."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tracemalloc
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from auditing import FILES, KEY, OTHER, Desk, compacted, files_of, one_small, predicate_of
from packs import (
    ANNA,
    KEYS,
    Pack,
    Sealed,
    Thing,
    envelope,
    manifest_of,
    section,
    sha,
    write_files,
    write_tags,
)
from powerless import powerless

from evidence import verifier

TAMPERED, UNANCHORED = verifier.TAMPERED, verifier.UNANCHORED
ROOTS, MANIFEST, STATEMENT = "data/roots.jsonl", "manifest-sha256.txt", "wave.dsse.json"


# Envelopes


def enveloped(desk: Desk, small: Sealed, change: Callable[[dict[str, Any]], object]) -> int:
    """The verdict on another envelope around the same statement, with the tag manifest made anew."""
    told = json.loads((small.path / STATEMENT).read_bytes())
    other = change(told)
    data = other if isinstance(other, bytes) else compacted(told)
    write_tags(small.path, (small.path / MANIFEST).read_bytes(), data)
    return desk.audit(root=small.root).code


def test_an_envelope_has_one_signature_over_one_kind_of_payload(desk: Desk, small: Sealed) -> None:
    (own,) = json.loads((small.path / STATEMENT).read_bytes())["signatures"]
    payload = json.loads((small.path / STATEMENT).read_bytes())["payload"]
    other = json.loads(envelope(b64decode(payload), OTHER))["signatures"][0]
    wrong = json.loads(envelope(b64decode(payload), KEY, "text/plain"))
    assert enveloped(desk, small, lambda told: told.update(keyid="more")) == UNANCHORED
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda told: told.update(signatures=[own, own]),
        lambda told: told.update(signatures=[other, own]),
        lambda told: told.update(signatures=[]),
        lambda told: told.update(signatures=own),
        lambda told: told.update(signatures=None),
        lambda told: told.update(signatures=[{**own, "sig": own["sig"][:-4]}]),
        lambda told: told.update(signatures=[{**own, "sig": "\u00fc" + own["sig"][1:]}]),
        lambda told: told.update(signatures=[{**own, "sig": 5}]),
        lambda told: told.update(signatures=[{"keyid": ""}]),
        lambda told: told.update(payloadType="text/plain", signatures=[own]),
        lambda told: told.update(wrong),
        lambda told: told.update(payload=b64decode(payload).decode()),
        lambda told: told.update(payload=payload + "!"),
        lambda told: told.pop("payload"),
        lambda told: told.pop("signatures"),
        lambda told: compacted(told).replace(b'"payload":', b'"payload":"","payload":'),
        lambda told: compacted(told).decode().encode("utf-16"),
        lambda told: b"\xef\xbb\xbf" + compacted(told),
        lambda told: b"[" * 100_000,
        lambda told: b"",
        lambda told: b"null",
        lambda told: b'{"payload":NaN}',
        lambda told: b'{"payload":' + b"9" * 10_000 + b"}",
    ]
    for number, change in enumerate(changes):
        told = compacted(
            {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": [own]}
        )
        (small.path / STATEMENT).write_bytes(told)
        assert enveloped(desk, small, change) == TAMPERED, number


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Statement/v1", b"Statement/v2"),
        (b"wave:v1", b"wave:v0"),
        (b'"number":1', b'"number":1,"number":1'),
        (b'"number":1', b'"number":NaN'),
        (b'"sha256":"', b'"sha256":null,"sha":"'),
        (b'"score":null', b'"score":NaN'),
        (b'"number":1', b'"number":' + b"9" * 10_000),
        (b'"data/roots.jsonl"', b'"data/../data/roots.jsonl"'),
        (b'"manifest-sha256.txt"', b'"data/roots.jsonl"'),
        (b'"subject":[', b'"subject":[{"name":"x","digest":{"sha256":"x"}},'),
        (b'"digest":{"sha256"', b'"digest":{"sha512"'),
        (b'"subject":[', b'"subject":[{"name":"data/roots.jsonl","digest":{"sha256":"0"}},'),
        (b'"previous":null', b'"previous":' + b"[" * 50_000 + b"]" * 50_000),
        (b'"wave":"pilot"', b'"wave":{"a":1}'),
    ],
)
def test_a_statement_of_another_form_is_found(desk: Desk, small: Sealed, old: bytes, new: bytes) -> None:
    payload = b64decode(json.loads((small.path / STATEMENT).read_bytes())["payload"])
    assert old in payload
    signed = envelope(payload.replace(old, new, 1), KEY)
    write_tags(small.path, (small.path / MANIFEST).read_bytes(), signed)
    found = desk.audit(root=small.root)
    assert found.code == TAMPERED


def test_nothing_that_a_pack_says_reaches_the_terminal_as_it_is(desk: Desk) -> None:
    name = "\x1b[31mpilot\u202e\ud800\n\u2028"
    payload = replace(one_small(), change={"wave": name})
    sealed = desk.seal(payload)
    for json_ in (False, True):
        options = {"root": sealed.statement, **({"json": True} if json_ else {})}
        found = desk.audit(**options)
        assert found.code == 0
        assert found.text.isascii()
        assert found.text.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["number", "root", "previous", "corrects", "incomplete", "wave", "verdicts"])
def test_a_statement_without_a_field_is_found(desk: Desk, name: str) -> None:
    pack = one_small()
    told = {key: value for key, value in predicate_of(pack).items() if key != name}
    sealed = write_files(desk.packs / "wave", files_of(pack), {"root": "", **told}, KEY)
    assert desk.audit(root=sealed.statement).code == TAMPERED


# Manifests, links, bombs


def manifested(desk: Desk, small: Sealed, change: Callable[[bytes], bytes]) -> int:
    """The verdict on another manifest, signed."""
    pack = Pack({ANNA: [section(KEYS[ANNA], [Thing("a")])]})
    shutil.rmtree(small.path)
    sealed = desk.seal(pack)
    statement = json.loads(b64decode(json.loads((sealed.path / STATEMENT).read_bytes())["payload"]))
    other = change((sealed.path / MANIFEST).read_bytes())
    statement["subject"][1]["digest"]["sha256"] = sha(other)
    write_tags(sealed.path, other, envelope(compacted(statement), KEY))
    return desk.audit(root=sealed.statement).code


def first_line(data: bytes) -> bytes:
    return data.partition(b"\n")[0] + b"\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + first_line(data),
        lambda data: data + b"0" * 64 + b"  data/../../etc/passwd\n",
        lambda data: data + b"0" * 64 + b"  /etc/passwd\n",
        lambda data: data + b"0" * 64 + b"  data/results/m-0000000a.jsonl.gz\n",
        lambda data: data + b"0" * 64 + b"  data\\results\\m-0000000a.jsonl.gz\n",
        lambda data: data + b"0" * 64 + "  data/results/m-0000000\u0430.jsonl.gz\n".encode(),
        lambda data: data + b"0" * 64 + b"  data/results/m-0000000c.jsonl.gz\n",
        lambda data: data.replace(b"  ", b" *", 1),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.upper(),
        lambda data: data[:-1],
        lambda data: b"\n" + data,
        lambda data: b"",
        lambda data: data[len(first_line(data)) :],
    ],
)
def test_a_manifest_names_plain_files_of_the_pack_once(
    desk: Desk, small: Sealed, change: Callable[[bytes], bytes]
) -> None:
    assert manifested(desk, small, lambda data: data) == 0
    assert manifested(desk, Sealed(desk.packs / "wave-1", "", ""), change) == TAMPERED


@pytest.mark.parametrize("name", [name for name in FILES if "/" in name or name == STATEMENT])
def test_a_link_in_place_of_a_file_is_found(desk: Desk, small: Sealed, tmp_path: Path, name: str) -> None:
    """Though it leads to the same bytes: a pack that is handed on must hold them itself."""
    outside = tmp_path / "outside"
    (small.path / name).rename(outside)
    (small.path / name).symlink_to(outside)
    assert desk.audit(root=small.statement).code == TAMPERED


def test_devices_pipes_and_folders_in_place_of_a_file_are_found(desk: Desk, small: Sealed) -> None:
    makers: list[Callable[[Path], None]] = [os.mkfifo, Path.mkdir]
    makers += [lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(".")]
    for make in makers:
        for name in (STATEMENT, ROOTS, "bagit.txt"):
            path = small.path / name
            held = path.read_bytes()
            path.unlink()
            make(path)
            assert desk.audit(root=small.statement).code == TAMPERED
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            path.write_bytes(held)


def test_a_linked_folder_is_found(desk: Desk, small: Sealed, tmp_path: Path) -> None:
    (small.path / "data" / "results").rename(tmp_path / "results")
    (small.path / "data" / "results").symlink_to(tmp_path / "results", target_is_directory=True)
    assert desk.audit(root=small.statement).code == TAMPERED


def test_a_linked_payload_is_found_and_not_walked(desk: Desk, small: Sealed) -> None:
    shutil.rmtree(small.path / "data")
    (small.path / "data").symlink_to("/usr/share", target_is_directory=True)
    assert desk.audit(root=small.statement).code in (TAMPERED, verifier.INCOMPLETE)


def test_folders_beside_those_of_a_pack_are_found(desk: Desk, small: Sealed) -> None:
    makers: list[Callable[[Path], None]] = [Path.mkdir, os.mkfifo]
    makers += [lambda path: path.symlink_to("/usr"), lambda path: path.symlink_to(path.name)]
    for make in makers:
        path = small.path / "data" / "more"
        make(path)
        found = desk.audit(root=small.statement)
        assert (found.code, "no manifest names" in found.text) == (TAMPERED, True)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_links_that_lead_to_themselves_among_packs_are_no_packs(desk: Desk, small: Sealed) -> None:
    (desk.packs / "loop").symlink_to("loop")
    assert desk.audit(root=small.statement).code == 0


def test_a_linked_pack_among_packs_is_found(desk: Desk, small: Sealed, tmp_path: Path) -> None:
    small.path.rename(tmp_path / "elsewhere")
    small.path.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert desk.audit(root=small.statement).code == TAMPERED
    assert desk.audit(small.path, root=small.statement).code == 0  # the auditor named it


@pytest.mark.parametrize("name", [STATEMENT, f"data/results/{ANNA}.jsonl.gz"])
def test_a_file_that_is_too_large_is_not_read(desk: Desk, small: Sealed, name: str) -> None:
    with (small.path / name).open("r+b") as file:
        file.truncate((1 << 25) + 1 if name == STATEMENT else (1 << 32) + 1)
    found = desk.audit(root=small.statement)
    assert (found.code, "larger than any such file" in found.text) == (TAMPERED, True)


def bomb(size: int, piece: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    whole = b"".join(packer.compress(piece * 1024) for _ in range(size // (len(piece) * 1024)))
    return whole + packer.flush()


@pytest.mark.parametrize(
    "piece", [b"\0" * 1024, b"{" * 1024, b"\n" * 1024, b"x" * 1023 + b"\n", b"x" * 16_000 + b"\n"]
)
@pytest.mark.parametrize("folder_", ["inventory", "results"])
def test_a_bomb_goes_off_in_little_memory(desk: Desk, piece: bytes, folder_: str) -> None:
    pack = Pack({ANNA: [section(KEYS[ANNA], [Thing("a"), Thing("b")])]})
    files = files_of(pack)
    huge = bomb(200_000_000, piece)
    assert len(huge) < 2_000_000
    files[f"data/{folder_}/{ANNA}.jsonl.gz"] = huge
    sealed = write_files(desk.packs / "wave", files, predicate_of(pack), KEY)
    tracemalloc.start()
    try:
        assert desk.audit(root=sealed.statement).code == TAMPERED
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


TAILS = [b"\0", b"junk", *(gzip.compress(one, mtime=0) for one in (b"{}\n", b"x" * 100))]


@pytest.mark.parametrize("tail", TAILS)
def test_what_follows_the_lines_in_their_file_is_found_or_nothing(desk: Desk, tail: bytes) -> None:
    pack = Pack({ANNA: [section(KEYS[ANNA], [Thing("a")])]})
    files = files_of(pack)
    files[f"data/results/{ANNA}.jsonl.gz"] += tail
    sealed = write_files(desk.packs / "wave", files, predicate_of(pack), KEY)
    code = desk.audit(root=sealed.statement).code
    assert code == (0 if tail == b"\0" else TAMPERED)  # gzip pads with zeros


def test_a_file_of_lines_that_is_no_gzip_is_found(desk: Desk) -> None:
    pack = Pack({ANNA: [section(KEYS[ANNA], [Thing("a")])]})
    plain = files_of(pack)
    for data in (b"", b"\x1f\x8b", b"plain\n", gzip.compress(b"")[:10] + b"\xff" * 40):
        files = {**plain, f"data/inventory/{ANNA}.jsonl.gz": data}
        sealed = write_files(desk.packs / "wave", files, predicate_of(pack), KEY)
        assert desk.audit(root=sealed.statement).code == TAMPERED


def test_what_cannot_be_read_gets_no_verdict(
    desk: Desk, small: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def refused(path: Path, *rest: Any, **options: Any) -> Any:
        if path.name == "roots.jsonl":
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **options)

    monkeypatch.setattr(Path, "open", refused)
    found = desk.audit(root=small.statement)
    assert (found.code, "Permission denied" in found.text) == (verifier.UNREADABLE, True)
    (small.path / "bagit.txt").write_bytes(b"")
    assert desk.audit(root=small.statement).code == TAMPERED


def test_tag_manifests_that_leave_something_out_are_found(desk: Desk, small: Sealed) -> None:
    path = small.path / "tagmanifest-sha256.txt"
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):
        path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        assert desk.audit(root=small.statement).code == TAMPERED
    path.write_bytes(b"".join(lines) + manifest_of({"wave.tsr": b""}))
    assert desk.audit(root=small.statement).code == TAMPERED


def test_the_same_bytes_in_base64_of_another_kind_are_another_file(desk: Desk, small: Sealed) -> None:
    told = json.loads((small.path / STATEMENT).read_bytes())
    told["payload"] = b64encode(b64decode(told["payload"])).decode().replace("=", "") + "===="
    write_tags(small.path, (small.path / MANIFEST).read_bytes(), compacted(told))
    assert desk.audit(root=small.statement).code == TAMPERED


@pytest.mark.parametrize(
    "change",
    [
        {"items": 13},
        {"items": "14"},
        {"items": None},
        {"mailboxes": 2},
        {"sections": 4},
        {"root": "0" * 64},
        {"root": None},
        {"root": []},
        {"verdicts": {}},
        {"verdicts": []},
        {"verdicts": {"match": "8"}},
        {"number": 0},
        {"number": -1},
        {"number": 1.0},
        {"number": 10**30},
        {"number": None},
        {"previous": 5},
        {"previous": {}},
        {"previous": {"number": 0}},
        {"previous": [1]},
    ],
)
def test_a_statement_that_is_not_so_is_found(desk: Desk, change: dict[str, object]) -> None:
    sealed = desk.seal(replace(one_small(), change=change))
    assert desk.audit(root=sealed.statement).code == TAMPERED


def test_a_pack_that_may_not_be_read_is_no_verdict(desk: Desk) -> None:
    one, two = desk.seal_chain(2)
    for shut, root in ((one, two), (two, one)):
        shut.path.chmod(0)
        try:
            with powerless():
                assert desk.audit(root=root.statement).code == verifier.UNREADABLE
        finally:
            shut.path.chmod(0o755)


@pytest.mark.parametrize("folder", ["data", "data/inventory", "data/results"])
@pytest.mark.parametrize("mode", [0o444, 0o111])
def test_a_folder_that_may_not_be_read_is_no_verdict(
    desk: Desk, small: Sealed, folder: str, mode: int
) -> None:
    (small.path / folder).chmod(mode)
    try:
        with powerless():
            assert desk.audit(root=small.statement).code == verifier.UNREADABLE
    finally:
        (small.path / folder).chmod(0o755)
