"""Check the evidence of a migration offline. Trust nothing: not the migrator, its ledger, or the pack.

    python verify_kogge.py PACK... --pubkey operator.pub [--root HEX]... [--tsa-root tsa.pem] [--json]

It needs Python 3.11 and `cryptography`. wave.dsse.json signs for every file below data/. Who has the key can
sign anew; that nobody did, --root shows (its SHA-256, on paper), or wave.tsr of within 31 days.
Exit codes: 0 ok; 1 tampered; 2 incomplete; 3 unanchored, all else is well; 4 no verdict: not readable.
In this file: the form of each line; files and manifests; hash trees; signatures and the statement; time
stamps; the lines of one workload; one pack; the row of packs; the command, where it begins."""

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
from collections import Counter, namedtuple
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

try:
    from datetime import UTC, datetime, timedelta
    from hashlib import file_digest, new, sha256

    from cryptography import exceptions, x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.x509 import verification  # noqa: F401 (there since 42)
except ImportError:
    sys.stderr.write("no verdict: it needs Python 3.11, and the package cryptography of 42 or newer\n")
    sys.exit(4)

OK, TAMPERED, INCOMPLETE, UNANCHORED, UNREADABLE = range(5)
WORDS = ("ok", "tampered", "incomplete", "unanchored", "no verdict")
WORST_FIRST = (TAMPERED, UNREADABLE, INCOMPLETE, UNANCHORED, OK)
STATEMENT, MANIFEST, ROOTS, STAMP = "wave.dsse.json", "manifest-sha256.txt", "data/roots.jsonl", "wave.tsr"
TAG_MANIFEST, TAG_FILES = "tagmanifest-sha256.txt", ("bag-info.txt", "bagit.txt", MANIFEST, STATEMENT)
LINE_FOLDERS = ("data/inventory", "data/results")
TYPES = ("application/vnd.in-toto+json", "https://in-toto.io/Statement/v1", "urn:kogge:evidence:wave:v1")
LARGEST = {".gz": 1 << 32, ".json": 1 << 25, ".tsr": 1 << 20}  # bytes of a file, by the end of its name
LARGEST_OTHER, MOST_SECTIONS = 1 << 28, 1 << 21  # bytes of any other file; lines of data/roots.jsonl
LONGEST_LINE, LONGEST_HEADER = 1 << 14, 1 << 25  # bytes; a header lists all folders of a mailbox
BATCH = 4096  # lines in memory; a power of two, so that the tree of a batch is a whole part of its tree
CLOCKS_DIFFER, STAMPED_WITHIN = timedelta(minutes=10), timedelta(days=31)

# The form of each line. It is JSON without blanks, with its keys in a fixed order, and it is compared to the
# byte: so a line can hold nothing that is not described here (a name in clear, a key that is there twice).
NUMBER = "(?:0|[1-9][0-9]{0,17})"
SECONDS = r"[0-9]{1,11}(?:\.[0-9]{1,6})?"  # since 1970
PSEUDONYM, HASH = "[0-9a-f]{32}", "[0-9a-f]{64}"
CODE = '"[ !#-Z^-z]{1,4000}"'
PLACE = '"(?:[0-9a-f]{32}|[0-9]{1,10}:[0-9]{1,10})"'  # a pseudonym, or UIDVALIDITY:UID
WORKLOAD = "mail|calendar|contacts|tasks|notes|files"
WORKLOADS = WORKLOAD.split("|")  # in the order of a mailbox's files
MAILBOX = "m-[0-9a-z]{1,64}"

HASH_TEXT = re.compile(HASH)
TAG_NAME = re.compile(r"bag-info\.txt|bagit\.txt|manifest-sha256\.txt|wave\.dsse\.json")
PAYLOAD_NAME = re.compile(rf"data/roots\.jsonl|data/(?:inventory|results)/{MAILBOX}\.jsonl\.gz")
ROOTS_LINE = re.compile(
    f'(?m)^{{"mailbox":"({MAILBOX})","section":"({WORKLOAD})","pass":({NUMBER}),"n":({NUMBER}),'
    f'"inventory":"({HASH})","results":"({HASH})","verdicts":(.*)}}$'.encode()
)
INVENTORY_HEADER = re.compile(
    f'(?m)^{{"section":"({WORKLOAD})","pass":({NUMBER}),"at":{SECONDS},"after":(?:"({HASH})"|null),'
    f'"earlier":({NUMBER}),"folders":\\[(.*)\\]}}$'.encode()
)
FOLDER = re.compile(
    f'(?m)^{{"box":"({PSEUDONYM})","name":"{PSEUDONYM}","kind":"(?:{WORKLOAD}|settings)",'
    f'"total":(?:{NUMBER}|null),"listed":({NUMBER}),"omit":(?:{CODE}|null)}}$'.encode()
)
INVENTORY_LINE = re.compile(
    f'(?m)^{{"i":({NUMBER}),"box":"({PSEUDONYM})","src":"({PSEUDONYM})","n":(?:{NUMBER}|null),'
    f'"what":(?:"new"|"changed")}}$'.encode()
)
RESULTS_HEADER = re.compile(
    f'(?m)^{{"section":"({WORKLOAD})","pass":({NUMBER}),"inventory":"({HASH})","n":({NUMBER}),'
    f'"state":{CODE},"verified":(?:{SECONDS}|null),"sealed":{SECONDS}}}$'.encode()
)
EQUAL_COPY = (  # written, read back, equal: h_dst is as h_src, which is the fifth group of RESULTS_LINE
    '"verdict":(?:"match","rule":null|"normalised","rule":"rebuilt"|"converted","rule":"[a-z-]+:[a-z0-9:,-]+"),'
    f'"dst":{PLACE},"h_src":("{PSEUDONYM}"),"h_dst":\\5,"n_dst":(?:{NUMBER}|null)'
)
OTHER_COPY = (  # written, and never read back as equal
    f'"verdict":"(?:failed|skipped|open)","rule":{CODE},'
    f'"dst":{PLACE},"h_src":(?:"{PSEUDONYM}"|null),"h_dst":null,"n_dst":(?:{NUMBER}|null)'
)
NO_COPY = (
    '"verdict":(?:"withdrawn","rule":(?:null|"not-ours"|"rekeyed")|"later","rule":"pass [1-9][0-9]{0,8}"'
    f'|"(?:failed|skipped|open)","rule":(?!"unverified"){CODE}),'
    '"dst":null,"h_src":null,"h_dst":null,"n_dst":null'
)
RESULTS_LINE = re.compile(  # groups: number, item, verdict, rule; (?=…) looks at the latter two in advance
    f'(?m)^{{"i":({NUMBER}),"src":"({PSEUDONYM})",(?="verdict":"([a-z]+)","rule":({CODE}|null),)'
    f'(?:{EQUAL_COPY}|{OTHER_COPY}|{NO_COPY}),"mid":(?:"{PSEUDONYM}"|null)}}$'.encode()
)
# A line of data/roots.jsonl: one pass of a workload. count: of lines after the header; then two tree roots.
Section = namedtuple("Section", "mailbox workload number count inventory results verdicts")


class VerificationFailed(ValueError):
    """Tell by a text and an exit code that something is changed, contradicts itself, or is not there."""


def require(condition: object, message: str, code: int = TAMPERED) -> None:
    """Raise VerificationFailed with this message and exit code, unless the condition is true."""
    if not condition:
        raise VerificationFailed(message, code)


def display_name(path: Path) -> str:
    """Return a file's name as a person finds it: two of one name are in inventory/ and results/."""
    return "/".join(path.parts[-2:]) if path.parent.name in ("inventory", "results") else path.name


@contextmanager
def open_file(path: Path, digest: str | None = None) -> Iterator[io.BufferedReader]:
    """Open a file of a pack; one that ends in .gz is unpacked while it is read.

    A link, a device or a huge file is refused unread: a pack must hold all itself. digest: SHA-256, from
    a manifest or the statement; nothing is looked into before the whole file has it."""
    size, name = path.lstat().st_size, display_name(path)
    is_own = path.is_file() and os.path.realpath(path) == str(path)
    is_small = size <= LARGEST.get(path.suffix, LARGEST_OTHER)
    require(is_own and is_small, f"{name} is a link, behind one, no file, or larger than any such file")
    with path.open("rb") as file:
        if digest is not None:
            require(file_digest(file, "sha256").hexdigest() == digest, f"{name} was changed")
            file.seek(0)
        if path.suffix == ".gz":
            yield io.BufferedReader(gzip.GzipFile(fileobj=file), 1 << 20)
        else:
            yield file


def read_lines(file: io.BufferedReader, count: int, first_limit: int = LONGEST_LINE) -> list[bytes]:
    """Read the next lines, without their line feeds; fewer than count at the file's end alone.

    first_limit: bytes that the first line may have. A longer line is refused before it fills the memory."""
    raw, limit = list[bytes](), first_limit
    for _ in range(count):
        line = file.readline(limit)
        if not line:
            break
        raw.append(line)
        limit = LONGEST_LINE
    lines = b"".join(raw).split(b"\n")
    rest = lines.pop()
    require(len(lines) == len(raw) and not rest, "a line is too long, or has no end")
    return lines


def parse_manifest(raw: bytes, allowed: re.Pattern[str]) -> dict[str, str]:
    """Return SHA-256 by name; a name that is not allowed could lead out of the pack (RFC 8493, 2.1.3)."""
    message = "it names a file twice, or what is no file"
    require(raw.endswith(b"\n"), message)
    digests = dict[str, str]()
    for line in raw.decode().removesuffix("\n").split("\n"):
        digest, blanks, name = line[:64], line[64:66], line[66:]
        require(HASH_TEXT.fullmatch(digest) and blanks == "  " and allowed.fullmatch(name), message)
        require(name not in digests, message)
        digests[name] = digest
    return digests


def combine_nodes(nodes: list[bytes]) -> bytes:
    """Return the root over nodes (RFC 6962, 2.1): level by level in pairs; one without a partner moves up."""
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        last = nodes[-1:] if len(nodes) % 2 else []
        nodes = [sha256(b"\1" + left + right).digest() for left, right in pairs] + last
    return nodes[0] if nodes else sha256(b"").digest()


def tree_root(lines: list[bytes]) -> bytes:
    """Return the root over lines. Lines are hashed behind 0x00, nodes behind 0x01: so both differ."""
    return combine_nodes([sha256(b"\0" + line).digest() for line in lines])


def public_key(name: str) -> Any:
    """Read a public key from a file: a line `ed25519:…`, or PEM."""
    raw = Path(name).read_bytes()
    if raw.startswith(b"ed25519:"):
        return ed25519.Ed25519PublicKey.from_public_bytes(b64decode(raw.removeprefix(b"ed25519:")))
    return serialization.load_pem_public_key(raw)


def is_signature(key: Any, signature: bytes, data: bytes, algorithm: Any = None) -> bool:
    """Return whether a key signed the data.

    algorithm: of the hash. MD5 and SHA-1 can be forged: with them, or with none, a key that brings its own
    (Ed25519) alone can have signed. An RSA key may have signed with either padding (RFC 8017, 8)."""
    ways: list[tuple[Any, ...]] = [()]
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        if algorithm is None or algorithm.digest_size <= hashes.SHA1.digest_size:
            return False
        ways = [(ec.ECDSA(algorithm),)]
    if isinstance(key, rsa.RSAPublicKey):
        pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
        ways = [(padding.PKCS1v15(), algorithm), (pss, algorithm)]
    for way in ways:
        try:
            key.verify(signature, data, *way)
        except (exceptions.InvalidSignature, TypeError):
            continue
        return True
    return False


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. A key that is there twice is refused: two readers could see two values."""
    found = dict(pairs)
    require(len(found) == len(pairs), "a key is there twice")
    return found


def parse_json(raw: bytes) -> Any:
    """Read strict JSON in UTF-8. (int refuses NaN and Infinity, which are no JSON.)"""
    return json.loads(raw.decode(), object_pairs_hook=unique_keys, parse_constant=int)


def check_statement(raw: bytes, keys: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Check that one of the keys signed wave.dsse.json, and return what it states.

    The signature is over the payload and its type, each with its length. Returns the predicate, and the
    SHA-256 of the two files that it is about. Source: DSSE 1.0 (protocol.md); in-toto Statement v1."""
    envelope = parse_json(raw)
    (signed,) = envelope["signatures"]
    kind = envelope["payloadType"]
    payload = b64decode(envelope["payload"], validate=True)
    signature = b64decode(signed["sig"], validate=True)
    data = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    is_signed = any(is_signature(key, signature, data) for key in keys)
    require(is_signed, "another key signed it, or it was changed")
    statement = parse_json(payload)
    subjects = statement["subject"]
    files = {subject["name"]: str(subject["digest"]["sha256"]) for subject in subjects}
    is_ours = (kind, statement["_type"], statement["predicateType"]) == TYPES
    require(is_ours and list(files) == [ROOTS, MANIFEST] and len(subjects) == 2, "it states something else")
    stated = statement["predicate"]
    kinds = [type(stated[name]) for name in ("wave", "root", "number")]
    require(kinds == [str, str, int], "it is malformed")
    return stated, files


# Time stamps. An authority's reply (RFC 3161) is a message in CMS (RFC 5652), and that is DER: a value has a
# tag, a length and a content, which may be values again. Object identifiers are compared as bytes.
TST_INFO = bytes.fromhex("2a864886f70d0109100104")  # 1.2.840.113549.1.9.16.1.4
CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")  # 1.2.840.113549.1.9.3
MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")  # 1.2.840.113549.1.9.4
SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910022f")  # version 2: 1.2.840.113549.1.9.16.2.47
HASHES: dict[bytes, Any] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256(),  # 2.16.840.1.101.3.4.2.1
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
TIME_STAMPING, GRANTED, MOST_VALUES = "1.3.6.1.5.5.7.3.8", (b"\0", b"\1"), 31
DerValue = namedtuple("DerValue", "content encoded")  # what it holds, and all its bytes
SignerInfo = namedtuple("SignerInfo", "algorithm attributes signed signature")  # signed: bytes of attributes


def parse_der(data: bytes) -> list[DerValue]:
    """Split DER into the values that follow one another; what is cut off is refused. Source: X.690, 8.1."""
    values, position = list[DerValue](), 0
    while position < len(data):
        has_short_tag = data[position] & 31 < 31
        start, length = position + 2, data[position + 1]
        if length > 127:  # so many bytes, and 128, has the length itself
            after_length = start + length - 128
            start, length = after_length, int.from_bytes(data[start:after_length], "big")
        end = start + length
        require(has_short_tag and end <= len(data) and len(values) < MOST_VALUES, "it is no DER")
        values.append(DerValue(data[start:end], data[position:end]))
        position = end
    return values


def first_of(data: bytes) -> bytes:
    """Return the content of the first value."""
    return bytes(parse_der(data)[0].content)


def parse_signer(data: bytes) -> SignerInfo:
    """Take a SignerInfo apart. Its attributes are signed as a SET (tag 0x31). Source: RFC 5652, 5.3, 5.4."""
    _, _, algorithm, signed, _, signature, *_ = parse_der(data)
    attributes = dict[bytes, bytes]()
    for attribute in parse_der(signed.content):
        name, values = parse_der(attribute.content)
        attributes[name.content] = first_of(values.content)
    hash_algorithm = HASHES[first_of(algorithm.content)]
    return SignerInfo(hash_algorithm, attributes, b"\x31" + signed.encoded[1:], signature.content)


def parse_info(data: bytes) -> tuple[Any, bytes, datetime]:
    """Return a TSTInfo's hash algorithm, hash of what was stamped, and time. Source: RFC 3161, 2.4.2."""
    _, _, imprint, _, moment, *_ = parse_der(first_of(data))
    algorithm, digest = parse_der(imprint.content)
    whole_seconds = moment.content[:14] + moment.content[-1:]
    made = datetime.strptime(whole_seconds.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return HASHES[first_of(algorithm.content)], digest.content, made


def find_signer(signer: SignerInfo, certificates: list[x509.Certificate]) -> x509.Certificate:
    """Return the certificate whose key signed, which must be for time stamps alone, and say so critically.

    Where the signature names its certificate by a hash, another one for the same key does not count.
    Source: RFC 3161, 2.3; RFC 5816, 2.2. Raises VerificationFailed where there is none."""
    named = list[bytes]()
    if SIGNING_CERTIFICATE in signer.attributes:
        identifier = first_of(first_of(signer.attributes[SIGNING_CERTIFICATE]))
        named = [part.content for part in parse_der(identifier)]
    for certificate in certificates:
        is_named = not named or any(certificate.fingerprint(one) in named for one in HASHES.values())
        key = certificate.public_key()
        if is_named and is_signature(key, signer.signature, signer.signed, signer.algorithm):
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
            purposes = [purpose.dotted_string for purpose in usage.value]
            require(usage.critical and purposes == [TIME_STAMPING], "it is for other things")
            return certificate
    raise VerificationFailed("it is not signed by a certificate that it names", TAMPERED)


def has_issued(issuer: x509.Certificate, certificate: x509.Certificate, below: int) -> bool:
    """Return whether an issuer that has so many certificates below it signed one (RFC 5280, 4.2.1.9)."""
    limits = [one.value for one in issuer.extensions if isinstance(one.value, x509.BasicConstraints)]
    depths = [below if one.path_length is None else one.path_length + 1 for one in limits if one.ca]
    if issuer.subject != certificate.issuer or max(depths, default=0) < below:
        return False
    signed, algorithm = certificate.tbs_certificate_bytes, certificate.signature_hash_algorithm
    return is_signature(issuer.public_key(), certificate.signature, signed, algorithm)


def check_time_stamp(reply: bytes, data: bytes, roots: list[x509.Certificate]) -> tuple[datetime, str]:
    """Check an authority's reply, and return when it stamped the data, and who it is.

    It must be granted, and be about the data; the signature must be over what it says, and by a certificate
    that leads to one of the roots. All were valid then, and may have ended since. Source: RFC 3161, 2.4.2;
    RFC 5652, 5.1, 11.1, 11.2. Raises VerificationFailed; another error where it is malformed."""
    (response,) = parse_der(reply)
    status, token = parse_der(response.content)
    _, signed_data = parse_der(token.content)
    _, _, encapsulated, enclosed, *_, signers = parse_der(first_of(signed_data.content))
    content_type, content = parse_der(encapsulated.content)
    (info,) = parse_der(content.content)
    (only_signer,) = parse_der(signers.content)
    signer = parse_signer(only_signer.content)
    algorithm, imprint, made = parse_info(info.content)
    is_typed = content_type.content == signer.attributes[CONTENT_TYPE] == TST_INFO
    is_signed = signer.attributes[MESSAGE_DIGEST] == new(signer.algorithm.name, info.content).digest()
    is_right = is_typed and is_signed and imprint == new(algorithm.name, data).digest()
    is_granted = first_of(status.content) in GRANTED
    require(is_granted and is_right, f"it is no time stamp of {STATEMENT}, or was changed")
    certificates = [x509.load_der_x509_certificate(one.encoded) for one in parse_der(enclosed.content)]
    chain = [find_signer(signer, certificates)]
    while chain[-1] not in roots:
        others = [one for one in roots + certificates if one not in chain]
        issuers = [one for one in others if has_issued(one, chain[-1], len(chain))]
        require(issuers, "its certificates do not lead to --tsa-root")
        chain.append(issuers[0])
    is_valid = all(one.not_valid_before_utc <= made <= one.not_valid_after_utc for one in chain)
    require(is_valid, "not valid at that time")
    return made, ascii(chain[0].subject.rfc4514_string())


def parse_folders(text: bytes) -> Counter[bytes]:
    """Return how many lines each folder has, as an inventory's header says."""
    found = dict(FOLDER.findall(text.replace(b"},{", b"}\n{")))
    require(len(found) == bool(text) + text.count(b"},{"), "a folder is there twice, or is none")
    return Counter({folder: int(count) for folder, count in found.items()})


def check_order(numbers: Iterable[int], entries: list[Any], fates: list[Any]) -> None:
    """Check that lines of both files have these numbers, and are of the same items in turn."""
    expected = [b"%d" % number for number in numbers]
    is_ordered = [entry[0] for entry in entries] == [fate[0] for fate in fates] == expected
    require(is_ordered, "lines are out of order")
    is_same = [entry[2] for entry in entries] == [fate[1] for fate in fates]
    require(is_same, "results are of other items")


class Workload:
    """Check one workload of a mailbox, pass after pass: each item has one final verdict over all passes.

    `later` is none: it names the pass that lists the item again. final: items that have a verdict. awaited:
    of others, the pass that must list them, and the one that said so. lost: items without any verdict."""

    def __init__(self, inventory: io.BufferedReader, results: io.BufferedReader) -> None:
        self.inventory, self.results = inventory, results
        self.final, self.awaited = set[bytes](), dict[bytes, tuple[int, int]]()
        self.lost, self.verdicts = 0, Counter[str]()

    def check(self, sections: Iterable[Section]) -> None:
        """Check all passes: each names the inventory before it, so that none can be taken out."""
        before = b""
        for number, section in enumerate(sections, 1):
            require(int(section.number) == number, "a pass is missing")
            self.check_section(section, before)
            before = section.inventory
        self.lost += len(self.awaited)

    def check_section(self, section: Section, before: bytes) -> None:
        """Check a pass, batch by batch, so that memory is bounded. before: the root that it must follow."""
        size = int(section.count) + 1  # with the header
        folders, counted, verdicts = Counter[bytes](), Counter[bytes](), Counter[str]()
        inventory_nodes, results_nodes = list[bytes](), list[bytes]()
        for start in range(0, size, BATCH):
            numbers = range(start, min(start + BATCH, size))
            limit = LONGEST_LINE if start else LONGEST_HEADER
            listed = read_lines(self.inventory, len(numbers), limit)
            answers = read_lines(self.results, len(numbers), limit)
            inventory_nodes.append(tree_root(listed))
            results_nodes.append(tree_root(answers))
            if start == 0:
                folders = self.check_headers(section, before, listed.pop(0), answers.pop(0))
                numbers = numbers[1:]
            entries = INVENTORY_LINE.findall(b"\n".join(listed))
            fates = RESULTS_LINE.findall(b"\n".join(answers))
            check_order(numbers, entries, fates)
            counted.update([entry[1] for entry in entries])
            self.check_fates(fates, int(section.number))
            verdicts += Counter([fate[2].decode() for fate in fates])
        require(counted == folders, "a folder has other lines than told")
        roots = [combine_nodes(nodes).hex().encode() for nodes in (inventory_nodes, results_nodes)]
        counts = json.dumps(dict(sorted(verdicts.items())), separators=(",", ":")).encode()
        is_same = (*roots, counts) == (section.inventory, section.results, section.verdicts)
        require(is_same, f"a root or a count is not what {ROOTS} says")
        self.verdicts += verdicts

    def check_headers(self, section: Section, before: bytes, listed: bytes, answer: bytes) -> Counter[bytes]:
        """Check that both headers are of this section; return how many lines each folder says to have."""
        ((*names, earlier, text),) = INVENTORY_HEADER.findall(listed)
        folders = parse_folders(text)
        is_next = names == [section.workload, section.number, before]
        require(is_next, "an inventory does not follow the one before")
        expected = (section.workload, section.number, section.inventory, section.count)
        require(RESULTS_HEADER.findall(answer) == [expected], "results of another")
        self.lost += int(earlier)  # items from before the evidence, which no line names
        return folders

    def check_fates(self, fates: list[Any], turn: int) -> None:
        """Check that no item has two verdicts, or is in another pass than was said. turn: this pass."""
        final, awaited = self.final, self.awaited
        for _, item, verdict, rule, _ in fates:
            if item in final:
                raise VerificationFailed("an item has two verdicts", TAMPERED)
            back = turn
            if verdict == b"later":
                back = int(rule[6:-1])  # "pass 2", in quotes
                require(turn < back, "an item is to be back before")
            else:
                final.add(item)
            if item in awaited:
                due, said = awaited.pop(item)
                require(due == back and said < turn, "an item is back early, or there twice")
            if back > turn:
                awaited[item] = (back, turn)


class Pack:
    """Check one pack, and collect findings: an exit code and a text each.

    stated: the predicate. digest: SHA-256 of the statement. stamps: when it, or a later pack, was stamped.
    anchored: 0 not, 1 its items, 2 all that it states. lost, verdicts: sums over all mailboxes."""

    def __init__(self, path: Path) -> None:
        self.path, self.findings, self.stamps = path, list[tuple[int, str]](), list[datetime]()
        self.stated, self.number, self.digest, self.anchored = dict[str, Any](), 0, "", 0
        self.lost, self.verdicts = 0, Counter[str]()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Turn whatever is raised within into a finding: what is malformed makes a parser raise anything."""
        try:
            yield
        except VerificationFailed as error:
            text, code = error.args
            self.findings.append((code, f"{what}: {text}"))
        except FileNotFoundError as error:
            name = display_name(Path(error.filename))
            self.findings.append((INCOMPLETE, f"{what}: {name} is missing"))
        except Exception as error:  # noqa: BLE001 (see above)
            reason = error.strerror if isinstance(error, OSError) else None  # gzip's own errors have none
            code = UNREADABLE if reason else TAMPERED
            text = f"it cannot be read ({reason})" if reason else "it is malformed"
            self.findings.append((code, f"{what}: {text}"))

    def check(self, keys: list[Any], authorities: list[x509.Certificate]) -> None:
        """Check statement, data, time stamp and tag files. authorities: trusted certificates, may be none."""
        with self.step(STATEMENT), open_file(self.path / STATEMENT) as file:
            raw = file.read()
            self.stated, files = check_statement(raw, keys)
            self.number, self.digest = self.stated["number"], sha256(raw).hexdigest()
            wave, sealed = self.stated["wave"], self.stated["sealed"]
            told = f"signed: wave {wave!a}, number {self.number}, sealed {sealed!a}; SHA-256 {self.digest}"
            self.findings.append((OK, f"{STATEMENT}: {told}"))
            with self.step("data"):
                self.check_data(files)
            if os.path.lexists(self.path / STAMP):
                self.check_stamp(raw, authorities)
        with self.step(TAG_MANIFEST), open_file(self.path / TAG_MANIFEST) as file:
            digests = parse_manifest(file.read(), TAG_NAME)
            for name in TAG_FILES:
                with open_file(self.path / name, digests[name]):
                    continue
        own = {*TAG_FILES, TAG_MANIFEST, STAMP, "wave.tsq", "data"}
        others = sorted({entry.name for entry in self.path.iterdir()} - own)
        if others:
            told = ", ".join([ascii(name) for name in others[:10]])
            more = ", ..." if len(others) > 10 else ""
            self.findings.append((OK, f"not covered: {told}{more}; nothing vouches for it"))

    def check_stamp(self, raw: bytes, authorities: list[x509.Certificate]) -> None:
        """Check the time stamp of the statement; one that was not checked anchors nothing."""
        if not authorities:
            self.findings.append((OK, f"{STAMP}: time stamp: not checked (no --tsa-root)"))
            return
        with self.step(STAMP), open_file(self.path / STAMP) as file:
            made, signer = check_time_stamp(file.read(), raw, authorities)
            self.stamps.append(made)
            self.findings.append((OK, f"{STAMP}: stamped {made:%Y-%m-%d %H:%M:%S} UTC by {signer}"))

    def check_data(self, files: dict[str, str]) -> None:
        """Check all that is below data/, and the sums. files: SHA-256 by name, as signed."""
        with open_file(self.path / MANIFEST, files[MANIFEST]) as file:
            manifest = parse_manifest(file.read(), PAYLOAD_NAME)
        with open_file(self.path / ROOTS, files[ROOTS]) as file:
            lines = read_lines(file, MOST_SECTIONS)  # now it is certain that data/ is no link
        folders = [folder for folder in ("data", *LINE_FOLDERS) if (self.path / folder).is_dir()]
        found = {f"{folder}/{one.name}" for folder in folders for one in (self.path / folder).iterdir()}
        others = found - {*manifest, *LINE_FOLDERS}
        first = min(others, default="")
        require(not others, f"no manifest names {first!a}")
        mailboxes, findings_before = list[str](), len(self.findings)
        sections = (Section(*ROOTS_LINE.findall(line)[0]) for line in lines)
        for mailbox, own in groupby(sections, key=attrgetter("mailbox")):
            name = mailbox.decode()
            mailboxes.append(name)
            with self.step(name):
                self.check_mailbox(name, own, manifest)
        count = len(set(mailboxes))
        is_same = len(mailboxes) == count == len(manifest) // 2
        require(is_same, f"{MANIFEST} names other mailboxes than {ROOTS}")
        if len(self.findings) == findings_before:
            self.check_sums(lines, count)

    def check_mailbox(self, name: str, sections: Iterable[Section], manifest: dict[str, str]) -> None:
        """Check the two files of a mailbox side by side, workload by workload in their fixed order."""
        first, second = (f"{folder}/{name}.jsonl.gz" for folder in LINE_FOLDERS)
        inventory_file = open_file(self.path / first, manifest[first])
        results_file = open_file(self.path / second, manifest[second])
        with inventory_file as inventory, results_file as results:
            last = -1
            for kind, passes in groupby(sections, key=attrgetter("workload")):
                place = WORKLOADS.index(kind.decode())
                require(place > last, "it is malformed")
                last = place
                workload = Workload(inventory, results)
                workload.check(passes)
                self.lost += workload.lost
                self.verdicts += workload.verdicts
            is_end = not read_lines(inventory, 1) and not read_lines(results, 1)
            require(is_end, f"it has more lines than {ROOTS} says")

    def check_sums(self, lines: list[bytes], mailboxes: int) -> None:
        """Check that signed sums and root are those of the lines of data/roots.jsonl; nothing may be open."""
        verdicts, sections, root = self.verdicts, len(lines), tree_root(lines).hex()
        lost, loose = self.lost + verdicts["open"], len(self.stated["incomplete"])
        items = verdicts.total() - verdicts["later"]
        sums: dict[str, Any] = {"mailboxes": mailboxes, "sections": sections, "items": items}
        sums |= {"verdicts": dict(verdicts), "root": root}
        wrong = ", ".join([name for name in sums if self.stated[name] != sums[name]])
        require(not wrong, f"other {wrong} were signed")
        counts = ", ".join([f"{verdict} {count}" for verdict, count in verdicts.items()])
        told = f"mailboxes {mailboxes}, sections {sections}, items {items}, verdicts {counts}, root {root}"
        self.findings.append((OK, f"data: {told}"))
        require(lost + loose == 0, f"{lost} items and {loose} workloads are not accounted for", INCOMPLETE)

    def earliest_stamp(self) -> datetime:
        """Return the earliest time stamp, or the end of time where there is none."""
        return min(self.stamps, default=datetime.max.replace(tzinfo=UTC))


def check_row(packs: list[Pack], roots: set[str]) -> None:
    """Check that each pack names the one before it, and what anchors each, from the newest to the oldest.

    roots: hashes of statements, and roots of waves, that the auditor has from elsewhere."""
    packs.sort(key=Pack.earliest_stamp, reverse=True)  # those without a stamp first
    row = {pack.digest: pack for pack in packs if pack.stated}  # of copies, the one that was stamped first
    ordered = sorted(row.values(), key=attrgetter("number"))
    names = {name for pack in ordered for name in (pack.digest, pack.stated["root"])}
    for place in reversed(range(len(ordered))):
        pack = ordered[place]
        with pack.step("chain"):
            if pack.stated["root"] in roots and pack.anchored == 0:
                pack.anchored = 1
            if pack.digest in roots:
                pack.anchored = 2
            check_predecessor(pack, ordered, place)
        with pack.step("anchor"):
            check_anchor(pack, roots - names)


def check_predecessor(pack: Pack, ordered: list[Pack], place: int) -> None:
    """Check what the pack at this place says of those before it; what anchors it anchors the one before."""
    earlier, previous, corrects = pack.number - 1, pack.stated["previous"], pack.stated["corrects"]
    if previous is None:
        require(earlier == 0, "it names no wave before")
    else:
        require(previous["number"] == earlier > 0, "it names no wave before")
    same_wave = [one.digest for one in ordered[:place] if one.stated["wave"] == pack.stated["wave"]]
    require(corrects or not same_wave, "it hides that it corrects one")
    needed = {earlier, corrects["number"] if corrects else 0}
    missing = needed - {0} - {one.number for one in ordered}
    newest = max(missing, default=0)
    require(not missing or len(ordered) == 1, f"number {newest} is missing", INCOMPLETE)
    require(not same_wave or corrects["statement"] == same_wave[-1], "it says to correct another")
    if place > 0:
        before = ordered[place - 1]
        require(previous["statement"] == before.digest, f"another number {earlier} went before")
        if pack.anchored == 2:
            before.anchored = 2
        before.stamps += pack.stamps


def check_anchor(pack: Pack, unknown_roots: set[str]) -> None:
    """Check that a hash from elsewhere, or a stamp soon after sealing, shows that it is not signed anew."""
    sealed = datetime.strptime(pack.stated["sealed"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    told, is_anchored = f"sealed {sealed:%Y-%m-%d %H:%M} UTC", pack.anchored == 2
    if pack.stamps:
        stamped = min(pack.stamps)
        told += f", stamped {stamped:%Y-%m-%d %H:%M} UTC"
        require(stamped - sealed >= -CLOCKS_DIFFER, f"{told}: nothing is stamped before it is sealed")
        is_anchored = is_anchored or stamped - sealed <= STAMPED_WITHIN
    code = INCOMPLETE if is_anchored else TAMPERED
    require(not unknown_roots, "--root names another, or a missing one", code)
    hint = ", not its root" if pack.anchored == 1 else ""
    require(is_anchored, f"{told}: give --root its statement hash{hint}", UNANCHORED)
    pack.findings.append((OK, f"anchor: of all that it states; {told}"))


def find_packs(places: list[str]) -> list[Pack]:
    """Return the packs at these places, and right below them."""
    folders = [one for top in map(Path, places) for one in (top, *sorted(top.iterdir())) if one.is_dir()]
    return [Pack(one) for one in folders if {*os.listdir(one)} & {*TAG_FILES, "data"}]  # noqa: PTH208


def report(packs: list[Pack], code: int, as_json: bool) -> str:
    """Return all findings and the verdict, as lines or as one JSON document."""
    verdict = WORDS[code]
    if as_json:
        told = [{"pack": one.path.name, "statement": one.digest, "findings": one.findings} for one in packs]
        return json.dumps({"verdict": verdict, "exit": code, "packs": told}, indent=2)
    lines = list[str]()
    for pack in packs:
        for found, text in pack.findings:
            word, name = WORDS[found].ljust(11), pack.path.name
            lines.append(f"{word} {name!a} {text}")
    return "\n".join([*lines, f"verdict: {verdict}"])


def main(arguments: list[str] | None = None) -> int:
    """Check all packs, write what was found, and return the exit code: the worst of all findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("packs", nargs="+", type=os.path.realpath, metavar="PACK")
    parser.add_argument("--pubkey", action="append", required=True, type=public_key, metavar="FILE")
    parser.add_argument("--root", action="append", default=[], type=str.lower, metavar="HEX")
    parser.add_argument("--tsa-root", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    try:
        options = parser.parse_args(arguments)
        trusted = x509.load_pem_x509_certificates(options.tsa_root.read_bytes()) if options.tsa_root else []
        packs = find_packs(options.packs)
        roots = all(map(HASH_TEXT.fullmatch, options.root))
        require(packs and roots, "there is no pack in these folders, or --root is not 64 hexadecimal digits")
    except SystemExit as end:
        return UNREADABLE if end.code else OK
    except Exception as error:  # noqa: BLE001 (whatever is wrong with a key, a certificate or a folder)
        message = error.args[0] if isinstance(error, VerificationFailed) else error
        sys.stderr.write(f"{message}\n")
        return UNREADABLE
    for pack in packs:
        pack.check(options.pubkey, trusted)
    check_row(packs, set(options.root))
    worst = next(code for code in WORST_FIRST if any(code in dict(pack.findings) for pack in packs))
    sys.stdout.write(report(packs, worst, options.json) + "\n")
    return worst


if __name__ == "__main__":
    sys.exit(main())
