"""Checks the evidence of a migration offline, and trusts nothing: not the migrator, its ledger, or the pack.

    python verify_kogge.py PACK... --pubkey operator.pub [--root HEX]... [--tsa-root tsa.pem] [--json]

It needs Python 3.11 and `cryptography`. wave.dsse.json signs for every file below data/. Who has the key can
sign anew; that nobody did, --root shows (its SHA-256, on paper), or wave.tsr of within 31 days.
Exit codes: 0 ok; 1 tampered; 2 incomplete; 3 unanchored, all else is well; 4 no verdict: not readable."""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # what lies beside this file shall not pose as a library

import argparse
import gzip
import io
import json
import os
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any

try:
    from datetime import UTC, datetime, timedelta
    from hashlib import file_digest, new, sha256

    from cryptography import exceptions, x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.x509 import verification  # noqa: F401 (there since 42)
except ImportError:
    sys.stderr.write("no verdict: it needs Python 3.11, and the package cryptography of 42 or newer\n")
    sys.exit(4)

OK, TAMPERED, INCOMPLETE, UNANCHORED, UNREADABLE = range(5)
WORDS = ("ok", "tampered", "incomplete", "unanchored", "no verdict")
STATEMENT, MANIFEST, ROOTS, STAMP = "wave.dsse.json", "manifest-sha256.txt", "data/roots.jsonl", "wave.tsr"
TAGGED, TAGS = "tagmanifest-sha256.txt", ("bag-info.txt", "bagit.txt", MANIFEST, STATEMENT)
PAYLOAD = r"data/roots\.jsonl|data/(?:inventory|results)/m-[0-9a-z]{1,64}\.jsonl\.gz"
STATES = ["application/vnd.in-toto+json", "https://in-toto.io/Statement/v1", "urn:kogge:evidence:wave:v1"]
LARGEST = {".gz": 1 << 32, ".json": 1 << 25, ".tsr": 1 << 20}  # bytes; of any other file 1 << 28
BATCH, LISTS = 4096, ("data/inventory", "data/results")


class VerificationFailed(ValueError):
    """A text and a code: what is there is not what was signed, or contradicts itself, or is not there."""


def need(fact: object, otherwise: str, code: int = TAMPERED) -> None:
    if not fact:
        raise VerificationFailed(otherwise, code)


def placed(path: Path) -> str:
    """A file's name as a person finds it: two of one name are in inventory/ and results/."""
    return "/".join(path.parts[-2:] if path.parent.name in ("inventory", "results") else path.parts[-1:])


@contextmanager
def opened(path: Path, digest: str | None = None) -> Iterator[io.BufferedReader]:
    """What is in a file, gzipped or not. It is not looked into unless it has the SHA-256 that is given."""
    size = path.lstat().st_size
    own = path.is_file() and os.path.realpath(path) == str(path) and size <= LARGEST.get(path.suffix, 1 << 28)
    need(own, f"{placed(path)} is a link, behind one, no file, or larger than any such file")
    with path.open("rb") as file:
        need(digest in (None, file_digest(file, "sha256").hexdigest()), f"{placed(path)} was changed")
        file.seek(0)
        yield io.BufferedReader(gzip.GzipFile(fileobj=file), 1 << 20) if path.suffix == ".gz" else file


def take(file: io.BufferedReader, count: int, most: int = 1 << 14) -> list[bytes]:
    """The next lines; fewer than count at the end alone. most: bytes of the first; the others are short."""
    first = file.readline(most)
    found = [first, *islice(iter(lambda: file.readline(1 << 14), b""), count - 1)] if first else []
    *lines, rest = b"".join(found).split(b"\n")
    need(len(lines) == len(found) and not rest, "a line is too long, or has no end")
    return lines


def manifest_of(raw: bytes, names: str) -> dict[str, str]:
    """SHA-256 by name. names: a regular expression, so that no name leads out of the pack."""
    told = {name: digest for digest, name in re.findall(f"(?m)^([0-9a-f]{{64}})  ({names})\n", raw.decode())}
    need(len(told) == raw.count(b"\n") and raw.endswith(b"\n"), "it names a file twice, or what is no file")
    return told


VALUES = {
    "D": '"(?:[0-9a-f]{32}|[0-9]{1,10}:[0-9]{1,10})"',  # where: a pseudonym, or UIDVALIDITY:UID
    "H": "[0-9a-f]{32}",  # a pseudonym
    "N": "0|[1-9][0-9]{0,17}",  # a number
    "P": '"[0-9a-f]{32}"',
    "R": '"[0-9a-f]{64}"',  # a root
    "S": '"mail"|"calendar"|"contacts"|"tasks"|"notes"|"files"',
    "T": r"[0-9]{1,11}(?:\.[0-9]{1,6})?",  # seconds since 1970
    "W": '"[ !#-Z^-z]{1,4000}"',  # a code
}


def form(text: str) -> re.Pattern[bytes]:
    """A line exactly as it must have been written, to the byte: its keys, and letters for the values."""
    line = re.sub(r"(\w+)=", r'"\1":', text).replace(" ", ",")
    line = re.sub(r"\b([A-Z])\b(\??)", lambda m: f"(?:{VALUES[m[1]]}{'|null' * bool(m[2])})", line)
    return re.compile(f"^{{{line}}}$".encode(), re.MULTILINE)


ROW = form('mailbox="(m-[0-9a-z]{1,64})" section=(S) pass=(N) n=(N) inventory=(R) results=(R) verdicts=(.*)')
BEFORE = form(r"section=(S) pass=(N) at=T after=(R?) earlier=(N) folders=\[(.*)\]")
FOLDER = form('box="(H)" name=P kind=(?:S|"settings") total=N? listed=(N) omit=W?')
AFTER = form("section=(S) pass=(N) inventory=(R) n=(N) state=W verified=T? sealed=T")
LISTED = form('i=(N) box="(H)" src="(H)" n=N? what=(?:"new"|"changed")')
EQUAL = '"match" rule=null|"normalised" rule="rebuilt"|"converted" rule="[a-z-]+:[a-z0-9:,-]+"'
GONE = r'"withdrawn" rule=(?:null|"not-ours"|"rekeyed")|"later" rule="pass\x20[1-9][0-9]{0,8}"'
OTHER, NOT = '"(?:failed|skipped|open)" rule=', "dst=null h_src=null h_dst=null n_dst=null"
FATE = rf"verdict=(?:{EQUAL}) dst=D h_src=(P) h_dst=\5 n_dst=N?|verdict={OTHER}W dst=D h_src=P? h_dst=null"
FATE += rf' n_dst=N?|verdict=(?:{GONE}|{OTHER}(?!"unverified")W) {NOT}'
RESULT = form(f'i=(N) src="(H)" (?=verdict="([a-z]+)" rule=(W?) )(?:{FATE}) mid=P?')


def joined(level: list[bytes], leaves: bool = False) -> bytes:
    """RFC 9162, 2.1.1: level by level in pairs; who has no partner moves up. leaves: of lines."""
    level = [sha256(b"\0" + line).digest() for line in level] if leaves else level
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0] if level else sha256(b"").digest()


def der(data: bytes) -> list[tuple[bytes, bytes]]:
    """The values that follow one another (ITU-T X.690): the content of each, and all of it."""
    found, at = list[tuple[bytes, bytes]](), 0
    while at < len(data):
        start, length = at + 2, data[at + 1]
        if length > 127:
            start, length = start + length - 128, int.from_bytes(data[at + 2 : start + length - 128], "big")
        need(start + length <= len(data) and data[at] & 31 < 31 > len(found), "it is no DER")
        found.append((data[start : start + length], data[at : start + length]))
        at = start + length
    return found


RSADSI, NIST, STAMPS = bytes.fromhex("2a864886f70d01"), bytes.fromhex("6086480165030402"), "1.3.6.1.5.5.7.3.8"
TST, TYPE, DIGEST, BOUND = (RSADSI + bytes(at) for at in ((9, 16, 1, 4), (9, 3), (9, 4), (9, 16, 2, 47)))
HASHES: Any = {NIST + b"\1": hashes.SHA256(), NIST + b"\2": hashes.SHA384(), NIST + b"\3": hashes.SHA512()}


def is_signed(key: Any, signature: bytes, data: bytes, kind: Any = None) -> bool:
    """kind: of hash; with none, or MD5 or SHA-1, an Ed25519 key alone can have signed."""
    strong = kind and kind.digest_size > 20
    pss = padding.PSS(padding.MGF1(kind), padding.PSS.AUTO) if strong else None
    ways: list[Any] = [(ec.ECDSA(kind),), (padding.PKCS1v15(), kind), (pss, kind), ()] if strong else [()]
    for how in ways:
        with suppress(exceptions.InvalidSignature, TypeError):
            key.verify(signature, data, *how)
            return True
    return False


def has_issued(one: x509.Certificate, other: x509.Certificate, at: int) -> bool:
    rights = [found.value for found in one.extensions if isinstance(found.value, x509.BasicConstraints)]
    may = any(right.ca and (right.path_length is None or right.path_length >= at - 1) for right in rights)
    proof = other.signature, other.tbs_certificate_bytes, other.signature_hash_algorithm
    return may and one.subject == other.issuer and is_signed(one.public_key(), *proof)


def stamped(reply: bytes, data: bytes, roots: list[x509.Certificate]) -> tuple[datetime, str]:
    """When this was stamped, and by whom (RFC 3161, RFC 5652, RFC 5816)."""
    (status, _), (token, _) = der(*[one for one, _ in der(reply)])
    _, _, (kept, _), (certificates, _), *_, (signers, _) = der(der(der(token)[1][0])[0][0])
    (content, _), (octets, _) = der(kept)
    ((info, _),), ((signer, _),) = der(octets), der(signers)
    _, _, (algorithm, _), (pairs, attributes), _, (signature, _), *_ = der(signer)
    told = {name: der(found)[0][0] for (name, _), (found, _) in (der(pair) for pair, _ in der(pairs))}
    _, _, (imprint, _), _, (moment, _), *_ = der(der(info)[0][0])
    (hashed, _), (digest, _) = der(imprint)
    kind, of = (HASHES[der(one)[0][0]] for one in (algorithm, hashed))
    well = der(status)[0][0] in (b"\0", b"\1") and content == told[TYPE] == TST
    well = well and told[DIGEST] == new(kind.name, info).digest() and digest == new(of.name, data).digest()
    need(well, f"it is no time stamp of {STATEMENT}, or was changed")
    more = [x509.load_der_x509_certificate(one) for _, one in der(certificates)]
    named = [part for part, _ in der(der(der(told[BOUND])[0][0])[0][0])] if BOUND in told else []
    bound = [one for one in more if not named or any(one.fingerprint(of) in named for of in HASHES.values())]
    path = [c for c in bound if is_signed(c.public_key(), signature, b"\x31" + attributes[1:], kind)][:1]
    need(path, "it is not signed by a certificate that it names")
    usage = path[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    need(usage.critical and [one.dotted_string for one in usage.value] == [STAMPS], "it is for other things")
    while path[-1] not in roots:
        found = [one for one in roots + more if one not in path and has_issued(one, path[-1], len(path))]
        need(found, "its certificates do not lead to --tsa-root")
        path.append(found[0])
    at = datetime.strptime((moment[:14] + moment[-1:]).decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    need(all(c.not_valid_before_utc <= at <= c.not_valid_after_utc for c in path), "not valid at that time")
    return at, ascii(path[0].subject.rfc4514_string())


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len(dict(pairs)) == len(pairs), "a key is there twice")
    return dict(pairs)


def stated(raw: bytes, keys: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is signed: the predicate, and the SHA-256 of two files."""
    envelope = json.loads(raw.decode(), object_pairs_hook=unique, parse_constant=int)
    (signed,), kind = envelope["signatures"], envelope["payloadType"]
    body, signature = (b64decode(text, validate=True) for text in (envelope["payload"], signed["sig"]))
    data = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)
    need(any(is_signed(key, signature, data) for key in keys), "another key signed it, or it was changed")
    statement = json.loads(body.decode(), object_pairs_hook=unique, parse_constant=int)
    files = {one["name"]: str(one["digest"]["sha256"]) for one in statement["subject"]}
    said = [kind, statement["_type"], statement["predicateType"], *files]
    need([*said, len(statement["subject"])] == [*STATES, ROOTS, MANIFEST, 2], "it states something else")
    about = statement["predicate"]
    need([type(about[name]) for name in ("wave", "root", "number")] == [str, str, int], "it is malformed")
    return about, files


class Pack:
    """findings: a code and a text each. stamps: of it, or of a later one. anchored: 0 not, 1 items, 2 all."""

    def __init__(self, path: Path) -> None:
        self.path, self.findings, self.stamps = path, list[tuple[int, str]](), list[datetime]()
        self.about, self.digest, self.total, self.anchored = dict[str, Any](), "", Counter[str](), 0

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            self.findings.append((INCOMPLETE, f"{what}: {placed(Path(error.filename))} is missing"))
        except Exception as error:  # noqa: BLE001 (what is malformed makes a parser raise anything)
            away = isinstance(error, OSError) and error.strerror  # gzip's own errors have none
            told = (f"it cannot be read ({away})", UNREADABLE) if away else ("it is malformed", TAMPERED)
            text, code = error.args if isinstance(error, VerificationFailed) else told
            self.findings.append((code, f"{what}: {text}"))

    def check(self, keys: list[Any], authorities: list[x509.Certificate]) -> None:
        with self.step(STATEMENT), opened(self.path / STATEMENT) as file:
            raw = file.read()
            (self.about, files), self.digest = stated(raw, keys), sha256(raw).hexdigest()
            text = "signed: wave {wave!a}, number {number}, sealed {sealed!a}; SHA-256 ".format(**self.about)
            self.findings.append((OK, f"{STATEMENT}: {text}{self.digest}"))
            with self.step("data"):
                self.data(files)
            if authorities and os.path.lexists(self.path / STAMP):
                with self.step(STAMP), opened(self.path / STAMP) as file:
                    at, by = stamped(file.read(), raw, authorities)
                    self.stamps.append(at)
                    self.findings.append((OK, f"{STAMP}: stamped {at:%Y-%m-%d %H:%M:%S} UTC by {by}"))
            elif os.path.lexists(self.path / STAMP):
                self.findings.append((OK, f"{STAMP}: time stamp: not checked (no --tsa-root)"))
        with self.step(TAGGED), opened(self.path / TAGGED) as file:
            tags = manifest_of(file.read(), "|".join(TAGS))
            for name in TAGS:
                with opened(self.path / name, tags[name]):
                    continue
        others = {one.name for one in self.path.iterdir()} - {*TAGS, TAGGED, STAMP, "wave.tsq", "data"}
        if others:
            told = ", ".join(map(ascii, sorted(others)[:10])) + ", ..." * (len(others) > 10)
            self.findings.append((OK, f"not covered: {told}; nothing vouches for it"))

    def data(self, files: dict[str, str]) -> None:
        with opened(self.path / MANIFEST, files[MANIFEST]) as file:
            manifest = manifest_of(file.read(), PAYLOAD)
        with opened(self.path / ROOTS, files[ROOTS]) as file:
            lines = take(file, 1 << 21)  # now it is certain that data/ is no link
        tops = [top for top in ("data", *LISTS) if (self.path / top).is_dir()]
        more = {f"{t}/{one.name}" for t in tops for one in (self.path / t).iterdir()} - {*manifest, *LISTS}
        need(not more, f"no manifest names {min(more, default='')!a}")
        boxes, before = list[str](), len(self.findings)
        for name, rows in groupby((ROW.findall(line)[0] for line in lines), key=lambda row: row[0]):
            boxes.append(name.decode())
            with self.step(boxes[-1]):
                paths = [f"{top}/{boxes[-1]}.jsonl.gz" for top in LISTS]
                one, other = (opened(self.path / path, manifest[path]) for path in paths)
                with one as listed, other as results:
                    self.mailbox(rows, listed, results)
        count = len(set(boxes))
        need(len(boxes) == count == len(manifest) // 2, f"{MANIFEST} names other mailboxes than {ROOTS}")
        if len(self.findings) == before:
            lost, total = self.total.pop("lost", 0) + self.total["open"], +self.total
            items, named = total.total() - total["later"], len(self.about["incomplete"])
            sums: Any = {"mailboxes": count, "sections": len(lines), "items": items, "verdicts": dict(total)}
            sums["root"] = joined(lines, leaves=True).hex()
            wrong = ", ".join(name for name in sums if self.about[name] != sums[name])
            need(not wrong, f"other {wrong} were signed")
            self.findings.append((OK, "data: " + re.sub("[{':}]", "", str(sums))))
            need(not lost + named, f"{lost} items and {named} workloads are not accounted for", INCOMPLETE)

    def mailbox(self, rows: Iterable[tuple[bytes, ...]], *files: io.BufferedReader) -> None:
        """Its two files, side by side, section by section."""
        left = VALUES["S"].encode().split(b"|")
        for kind, passes in groupby(rows, key=lambda row: row[1]):
            del left[: left.index(kind) + 1]  # a ValueError where they are out of order
            self.settled, self.due, before = set[bytes](), dict[bytes, tuple[int, int]](), b"null"
            for number, row in enumerate(passes, 1):
                need(int(row[2]) == number, "a pass is missing")
                self.section(row, before, files)
                before = row[4]
            self.total["lost"] += len(self.due)
        need(not any(take(file, 1) for file in files), f"it has more lines than {ROOTS} says")

    def section(self, row: tuple[bytes, ...], previous: bytes, files: tuple[io.BufferedReader, ...]) -> None:
        _, kind, number, n, *roots, told = row
        boxes, verdicts, tops = Counter[bytes](), Counter[str](), list[tuple[bytes, bytes]]()
        for first in range(0, int(n) + 1, BATCH):
            numbers = range(first, min(first + BATCH, int(n) + 1))
            before, after = (take(file, len(numbers), 1 << 14 if first else 1 << 25) for file in files)
            tops.append((joined(before, leaves=True), joined(after, leaves=True)))
            if first == 0:  # the headers
                ((*about, earlier, text),) = BEFORE.findall(before.pop(0))
                folders = dict(FOLDER.findall(text.replace(b"},{", b"}\n{")))
                need(about == [kind, number, previous], "an inventory does not follow the one before")
                need(len(folders) == bool(text) + text.count(b"},{"), "a folder is there twice, or is none")
                need(AFTER.findall(after.pop(0)) == [(kind, number, roots[0], n)], "results of another")
                self.total["lost"] += int(earlier)  # items that no line names
            listed, results = LISTED.findall(b"\n".join(before)), RESULT.findall(b"\n".join(after))
            ids = [b"%d" % number for number in numbers if number]
            need([one[0] for one in listed] == [one[0] for one in results] == ids, "lines are out of order")
            need([one[2] for one in listed] == [one[1] for one in results], "results are of other items")
            boxes.update([one[1] for one in listed])
            verdicts += self.judged(results, int(number))
        need(boxes == Counter({k: int(v) for k, v in folders.items()}), "a folder has other lines than told")
        counts = json.dumps(dict(sorted(verdicts.items())), separators=(",", ":")).encode()
        made = [b'"%s"' % joined(list(top)).hex().encode() for top in zip(*tops, strict=True)]
        need([*made, counts] == [*roots, told], f"a root or a count is not what {ROOTS} says")
        self.total += verdicts

    def judged(self, results: list[tuple[bytes, ...]], turn: int) -> Counter[str]:
        """How many have which verdict. Raises Failed where an item has two."""
        final = {one[1]: turn for one in results if one[2] != b"later"}
        later = {one[1]: int(one[3][6:-1]) for one in results if one[2] == b"later"}
        awaited = [(n, *self.due.pop(one, (n, 0))) for one, n in (final | later).items()]
        need(all(n == due and by < turn for n, due, by in awaited), "an item is back early, or there twice")
        need(turn < min(later.values(), default=turn + 1), "an item is to be back before")
        self.due |= {one: (n, turn) for one, n in later.items()}
        need(len({*final, *later} - self.settled) == len(results), "an item has two verdicts")
        self.settled.update(final)  # |= would make another set of all
        return Counter([one[2].decode() for one in results])


def chain(packs: list[Pack], roots: set[str]) -> None:
    """Whether each names the one before it, whether one is missing, and what is anchored."""
    packs.sort(key=lambda p: min(p.stamps, default=datetime.max.replace(tzinfo=UTC)), reverse=True)
    packs = sorted({one.digest: one for one in packs if one.about}.values(), key=lambda p: p.about["number"])
    left = roots - {name for one in packs for name in (one.digest, one.about["root"])}
    for before, pack in reversed(list(zip([None, *packs], packs, strict=False))):
        with pack.step("chain"):
            wave, number, told, wrong = (pack.about[k] for k in ("wave", "number", "previous", "corrects"))
            pack.anchored = max(pack.anchored, pack.about["root"] in roots, 2 * (pack.digest in roots))
            need(number == 1 if told is None else told["number"] == number - 1 > 0, "it names no wave before")
            sealed = [p.digest for p in packs[: packs.index(pack)] if p.about["wave"] == wave]
            need(not sealed or wrong, "it hides that it corrects one")
            gone = {number - 1, wrong["number"] if wrong else 0} - {0, *(p.about["number"] for p in packs)}
            need(not gone or len(packs) == 1, f"number {max(gone, default=0)} is missing", INCOMPLETE)
            need(not sealed or wrong["statement"] == sealed[-1], "it says to correct another")
            if before:
                need(told["statement"] == before.digest, f"another number {number - 1} went before")
                before.anchored = max(before.anchored, pack.anchored & 2)
                before.stamps += pack.stamps
        with pack.step("anchor"):
            made = datetime.strptime(pack.about["sealed"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
            away = min(pack.stamps, default=made) - made
            gap = f"sealed {made:%F %R} UTC" + f", stamped {made + away:%F %R} UTC" * bool(pack.stamps)
            need(away >= timedelta(minutes=-10), f"{gap}: nothing is stamped before it is sealed")
            well = pack.anchored > 1 or (pack.stamps and away <= timedelta(days=31))
            need(not left, "--root names another, or a missing one", INCOMPLETE if well else TAMPERED)
            need(well, f"{gap}: give --root its statement hash{', not its root' * pack.anchored}", UNANCHORED)
            pack.findings.append((OK, f"anchor: of all that it states; {gap}"))


def public_key(name: str) -> Any:
    raw = Path(name).read_bytes()
    own = raw[:8] == b"ed25519:" and ed25519.Ed25519PublicKey.from_public_bytes(b64decode(raw[8:]))
    return own or serialization.load_pem_public_key(raw)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("packs", nargs="+", type=os.path.realpath, metavar="PACK")
    parser.add_argument("--pubkey", action="append", required=True, type=public_key, metavar="FILE")
    parser.add_argument("--root", action="append", default=[], type=str.lower, metavar="HEX")
    parser.add_argument("--tsa-root", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    try:
        options = parser.parse_args(arguments)
        trusted = x509.load_pem_x509_certificates(options.tsa_root.read_bytes()) if options.tsa_root else []
        places = [one for top in map(Path, options.packs) for one in (top, *sorted(top.iterdir()))]
        packs = [Pack(one) for one in places if one.is_dir() and {*os.listdir(one)} & {*TAGS, "data"}]  # noqa: PTH208
        need(packs and all(re.fullmatch("[0-9a-f]{64}", one) for one in options.root), "no pack, or no root")
    except SystemExit as end:
        return UNREADABLE if end.code else OK
    except Exception as error:  # noqa: BLE001 (as above)
        sys.stderr.write(f"{error.args[0] if type(error) is VerificationFailed else error}\n")
        return UNREADABLE
    for pack in packs:
        pack.check(options.pubkey, trusted)
    chain(packs, set(options.root))
    code = min((code for pack in packs for code, _ in pack.findings), key=(1, 4, 2, 3, 0).index)
    told = [{"pack": one.path.name, "statement": one.digest, "findings": one.findings} for one in packs]
    lines = [f"{WORDS[code]:<11} {one.path.name!a} {text}" for one in packs for code, text in one.findings]
    document = json.dumps({"verdict": WORDS[code], "exit": code, "packs": told}, indent=2)
    sys.stdout.write((document if options.json else "\n".join([*lines, f"verdict: {WORDS[code]}"])) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
