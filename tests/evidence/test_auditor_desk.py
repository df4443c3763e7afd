"""What an auditor may be handed in place of the pack, and all that the verifier writes about it.

The verdict is the same on the page, no sample is drawn from what was changed, and there is no traceback."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from auditing import KEY, OTHER, Desk, one_small, rewritten
from packs import ANNA, BERT, Pack, Sealed, public_line, two_mailboxes
from stamping import authority

from evidence import verifier

RESULTS, INVENTORY = f"data/results/{ANNA}.jsonl.gz", f"data/inventory/{ANNA}.jsonl.gz"
TAMPERED, INCOMPLETE, OK = verifier.TAMPERED, verifier.INCOMPLETE, verifier.OK
Change = Callable[[Desk, Sealed], object]


def edit(name: str, change: Callable[[bytes], bytes]) -> Change:
    """A file of the pack, other than it was."""

    def changed(desk: Desk, sealed: Sealed) -> None:
        path = sealed.path / name
        path.write_bytes(change(path.read_bytes()))

    return changed


def zipped(change: Callable[[bytes], bytes], name: str = RESULTS) -> Change:
    return edit(name, lambda data: gzip.compress(change(gzip.decompress(data))))


def swapped(desk: Desk, sealed: Sealed) -> None:
    one, other = (sealed.path / name for name in (RESULTS, INVENTORY))
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def signed_anew(pack: Pack, by_stranger: bool = False) -> Change:
    """The whole pack, written again around other things."""

    def changed(desk: Desk, sealed: Sealed) -> None:
        shutil.rmtree(sealed.path)
        pack.write(sealed.path, OTHER if by_stranger else KEY)

    return changed


def linked(desk: Desk, sealed: Sealed) -> None:
    path = sealed.path / RESULTS
    path.rename(desk.packs.parent / "elsewhere.gz")
    path.symlink_to(desk.packs.parent / "elsewhere.gz")


def signed_twice(data: bytes) -> bytes:
    told = json.loads(data)
    return json.dumps({**told, "signatures": told["signatures"] * 2}).encode()


def one_mailbox_fewer(boxes: dict[str, list[object]]) -> None:
    del boxes[BERT]


def added(name: str) -> Change:
    return lambda desk, sealed: (sealed.path / name).write_text("more")


TAMPERINGS: dict[str, tuple[Change, int]] = {
    "a word": (zipped(lambda text: text.replace(b'"too-large"', b'"too-heavy"', 1)), TAMPERED),
    "a line fewer": (zipped(lambda text: b"".join(text.splitlines(keepends=True)[:-1])), TAMPERED),
    "a line twice": (zipped(lambda text: text + text.splitlines(keepends=True)[-1]), TAMPERED),
    "line ends of Windows": (zipped(lambda text: text.replace(b"\n", b"\r\n")), TAMPERED),
    "zipped again": (zipped(lambda text: text), TAMPERED),
    "a second member": (edit(RESULTS, lambda data: data + gzip.compress(b"{}\n")), TAMPERED),
    "cut off": (edit(RESULTS, lambda data: data[: len(data) // 2]), TAMPERED),
    "two files swapped": (swapped, TAMPERED),
    "a link": (linked, TAMPERED),
    "a file more in data": (added("data/results/m-more.jsonl.gz"), TAMPERED),
    "a path out of the pack": (
        edit("manifest-sha256.txt", lambda data: data.replace(b"data/results", b"../ta/results", 1)),
        TAMPERED,
    ),
    "the manifest": (edit("manifest-sha256.txt", lambda data: data.replace(b"0", b"1", 1)), TAMPERED),
    "the statement": (edit("wave.dsse.json", lambda data: data.replace(b"A", b"B", 1)), TAMPERED),
    "a key twice": (
        edit("wave.dsse.json", lambda data: data.replace(b'"payload":', b'"payload":"","payload":', 1)),
        TAMPERED,
    ),
    "a second signature": (edit("wave.dsse.json", signed_twice), TAMPERED),
    "signed by a stranger": (signed_anew(Pack(two_mailboxes()), by_stranger=True), TAMPERED),
    "a mailbox fewer, signed anew": (
        signed_anew(rewritten(Pack(two_mailboxes()), one_mailbox_fewer)),  # type: ignore[arg-type]
        TAMPERED,
    ),
    "another wave, signed anew": (signed_anew(one_small("other")), TAMPERED),
    "a file missing": (lambda desk, sealed: (sealed.path / RESULTS).unlink(), INCOMPLETE),
    "a file more beside the manifests": (added("README.txt"), OK),
    "garbage as a stamp": (added("wave.tsr"), OK),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_verdict_is_the_same_wherever_it_is_written(desk: Desk, tmp_path: Path, name: str) -> None:
    change, code = TAMPERINGS[name]
    sealed = desk.seal()
    change(desk, sealed)
    page, sheet = tmp_path / "out.html", tmp_path / "sample.csv"
    found = desk.audit(root=sealed.statement, report=page, sheet=sheet, sample=5)
    assert (found.code, found.text.count("Traceback")) == (code, 0)
    assert f"Verdict: {verifier.WORDS[code]} (exit code {code})" in page.read_text()
    assert json.loads(desk.audit(root=sealed.statement, json=True).text)["exit"] == code
    assert sheet.exists() == (code == OK)
    assert ("Sample: work sheet" in page.read_text()) == (code == OK)


def test_what_was_not_looked_at_is_said_where_nothing_is_wrong(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    for name in ("README.txt", "wave.tsr"):
        (sealed.path / name).write_text("more")
    desk.audit(root=sealed.statement, report=tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert "time stamp: not checked (no --tsa-root)" in page
    assert "README.txt&#x27;: not of the pack, nothing vouches for it" in page


def test_a_stamp_that_is_garbage_is_found_where_it_is_looked_at(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    (sealed.path / "wave.tsr").write_text("more")
    tsa = authority(tmp_path / "tsa")
    found = desk.audit(root=sealed.statement, tsa_root=tsa.root_file())
    assert (found.code, "wave.tsr: it is no DER" in found.text) == (TAMPERED, True)


def test_another_key_than_the_one_on_paper(desk: Desk, tmp_path: Path) -> None:
    desk.seal(key=OTHER)
    stranger = tmp_path / "stranger.pub"
    stranger.write_text(public_line(OTHER))
    assert (
        desk.audit(pubkey=stranger).code == verifier.UNANCHORED
    )  # who takes the key from the pack's bringer
    assert desk.audit().code == TAMPERED
