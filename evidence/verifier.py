"""Check the evidence of a migration offline. Trust nothing: not the migrator, its ledger, or the pack.

    python -I verify_kogge.py PACK... --pubkey operator.pub --root HEX [--report report.html]
    python -I verify_kogge.py PACK --pubkey operator.pub --root HEX --sample 60 [--sheet sample.csv]
    python -I verify_kogge.py --proof proof.json --pubkey operator.pub --root HEX

It needs Python 3.11 or newer, and `cryptography`. The signature in wave.dsse.json covers every file below
data/. Who has the key can sign a pack again. That this was not done is shown by --root, the SHA-256 of
wave.dsse.json from a signed paper, or by a time stamp (wave.tsr) that was made within 31 days after the
sealing.
Exit codes, the first that is true: 1 tampered; 4 no verdict, something cannot be read; 2 incomplete;
3 unanchored, all else is well; 0 ok.
In this file: the form of each line; files and manifests; hash trees; signatures and the statement; time
stamps; the draw of a sample; the lines of one workload; one pack; the chain of packs; a proof of one item.
These make the verdict. The rest writes it down, as text, page and work sheet; then the command, where it
begins.
"""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # what lies beside this file shall not pose as a library

import argparse
import csv
import gzip
import hmac
import io
import json
import os
import re
import shlex
from base64 import b64decode
from collections import Counter, namedtuple
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from heapq import heappush, heappushpop
from html import escape
from itertools import groupby
from math import comb
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

try:
    from datetime import UTC, datetime, timedelta
    from hashlib import file_digest, new, sha256

    import cryptography
    from cryptography import exceptions, x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.x509 import verification  # noqa: F401 (there since 42)
except ImportError:
    sys.stderr.write(
        "no verdict: it needs Python 3.11 or newer, and the package cryptography of 42 or newer\n"
    )
    sys.exit(4)

OK, TAMPERED, INCOMPLETE, UNANCHORED, UNREADABLE, NOT_CHECKED = range(6)
WORDS = ("ok", "tampered", "incomplete", "unanchored", "no verdict", "not checked")
WORST_FIRST = (TAMPERED, UNREADABLE, INCOMPLETE, UNANCHORED, OK)
MEANINGS = (  # of the exit codes
    "Nothing in the record was changed or is missing, and it matches what you gave: it was not signed again.",
    "Something in the record is not what was signed, contradicts itself, or is not what you asked for.",
    "What is there is what was signed, but something is missing, or was never accounted for.",
    "The record fits together, but nothing from outside shows that it was not rewritten and signed anew.",
    "Something could not be read or is missing, or this file is too old for the record: there is no verdict.",
)
STATEMENT, MANIFEST, ROOTS, STAMP = "wave.dsse.json", "manifest-sha256.txt", "data/roots.jsonl", "wave.tsr"
REQUEST = "wave.tsq"
VOUCHING = {STATEMENT: "the signed statement", MANIFEST: f"{MANIFEST}, which names all data,"}
TAG_MANIFEST, TAG_FILES = "tagmanifest-sha256.txt", ("bag-info.txt", "bagit.txt", MANIFEST, STATEMENT)
LINE_FOLDERS = ("data/inventory", "data/results")
TYPES = ("application/vnd.in-toto+json", "https://in-toto.io/Statement/v1", "urn:kogge:evidence:wave:v1")
NEWER = "a newer version of Kogge made it: take the verifier that belongs to that version"
PROOF, PROOF_PARTS = "urn:kogge:evidence:proof:v1", ("inventory", "results", "section")
AS_IT_WAS = (b"match", b"later")  # verdicts whose rules need not be counted
MOST_RULES, OTHER_RULES = 1_000, b"(other rules)"  # kept in memory; what the rest is counted as
COPIED = (b"match", b"normalised", b"converted")  # verdicts of what is at the target: a sample is drawn of it
LARGEST_SAMPLE = 10_000
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
WORKLOAD = "mail|calendar|contacts|tasks|notes|files|settings|permissions"
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
    """Report by a text and an exit code that something is changed, contradicts itself, or is not there."""


def require(condition: object, message: str, code: int = TAMPERED) -> None:
    """Raise VerificationFailed with this message and exit code, unless the condition is true."""
    if not condition:
        raise VerificationFailed(message, code)


def display_name(path: Path) -> str:
    """Return a file's path in its pack: two files of one name are in data/inventory and data/results."""
    depth = {"data": 2, "inventory": 3, "results": 3}.get(path.parent.name, 1)
    return "/".join(path.parts[-depth:])


@contextmanager
def located(place: str) -> Iterator[None]:
    """Say where, in a VerificationFailed that is raised within."""
    try:
        yield
    except VerificationFailed as error:
        text, code = error.args
        raise VerificationFailed(f"{place}: {text}", code) from None


@contextmanager
def open_file(path: Path, digest: str | None = None) -> Iterator[io.BufferedReader]:
    """Open a file of a pack; one that ends in .gz is unpacked while it is read.

    A link, a device or a huge file is refused unread: a pack must hold all itself. digest: SHA-256, from
    a manifest or the statement; nothing is looked into before the whole file has it.
    """
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

    first_limit: bytes that the first line may have. A longer line is refused before it fills the memory.
    """
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


def is_included(line: bytes, index: int, size: int, path: Iterable[bytes], root: bytes) -> bool:
    """Return whether a tree of so many lines has this root, and this line at this place, counted from 0.

    path: the hashes from the leaf to the root, one from each level that has a partner. Source: RFC 9162,
    2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    first, last, node = index, size - 1, sha256(b"\0" + line).digest()
    for step in path:
        if last == 0:
            return False
        is_right = first & 1 or first == last
        node = sha256(b"\1" + (step + node if is_right else node + step)).digest()
        while is_right and not first & 1 and first:
            first, last = first >> 1, last >> 1
        first, last = first >> 1, last >> 1
    return last == 0 and node == root


def public_key(name: str) -> Any:
    """Read a public key: the line `ed25519:…` itself, as it stands on paper, or a file with it, or PEM."""
    raw = key_bytes(name)
    if raw.startswith(b"ed25519:"):
        line = b64decode(raw.removeprefix(b"ed25519:"), validate=True)
        key: Any = ed25519.Ed25519PublicKey.from_public_bytes(line)
    else:
        key = serialization.load_pem_public_key(raw)
    fixed = b"\1" + bytes(63)  # a signature that nobody made fits a key without a private half
    is_nobodys = any(is_signature(key, fixed, bytes([number])) for number in range(256))
    require(not is_nobodys, "is nobody's: everybody can sign for this key")
    return key


def key_bytes(name: str) -> bytes:
    """Return what --pubkey names. A line that is typed may be grouped by blanks."""
    is_line = name.startswith("ed25519:")
    return "".join(name.split()).encode() if is_line else Path(name).read_bytes().strip()


def is_signature(key: Any, signature: bytes, data: bytes, algorithm: Any = None) -> bool:
    """Return whether a key signed the data.

    algorithm: of the hash. MD5 and SHA-1 can be forged: with them, or with none, a key that brings its own
    (Ed25519) alone can have signed. An RSA key may have signed with either padding (RFC 8017, 8).
    """
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
    """Read strict JSON in UTF-8; int refuses NaN and Infinity, which are no JSON."""
    return json.loads(raw.decode(), object_pairs_hook=unique_keys, parse_constant=int)


def is_newer(statement: dict[str, Any]) -> bool:
    """Return True if a signed statement has a version, or is about workloads, that came after this file."""
    form, _, version = str(statement["predicateType"]).rpartition(":v")
    is_later = version.isdecimal() and int(version[:9]) > int(TYPES[2].rpartition(":v")[2])
    workloads = statement["predicate"].get("workloads", ())  # the first packs do not name them
    return (form == TYPES[2].rpartition(":v")[0] and is_later) or not {*workloads} <= {*WORKLOADS}


def check_statement(raw: bytes, keys: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Check that one of the keys signed wave.dsse.json, and return what it states.

    The signature is over the payload and its type, each with its length. Returns the predicate, and the
    SHA-256 of the two files that it is about. Source: DSSE 1.0 (protocol.md); in-toto Statement v1.
    """
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
    require(not is_newer(statement), NEWER, UNREADABLE)
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
    Source: RFC 3161, 2.3; RFC 5816, 2.2. Raises VerificationFailed where there is none.
    """
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
    RFC 5652, 5.1, 11.1, 11.2. Raises VerificationFailed; another error where it is malformed.
    """
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


class Draw:
    """Draw a sample of what was copied, so that no person can choose it.

    Each line gets a ticket: the SHA-256 of `SEED MAILBOX WORKLOAD PASS LINE`. The smallest tickets are drawn.
    The seed is the statement's SHA-256; with an auditor's word it is the SHA-256 of `STATEMENT WORD`.
    All who have the pack and the word draw the same. Each set of so many lines is equally likely: a simple
    random sample, without replacement. size: how many to draw. population: how many took part. kept: the
    smallest tickets, with their lines; each is negative, as a heap has its smallest number first.
    """

    def __init__(self, size: int = 0, workload: str | None = None, word: str = "") -> None:
        self.size, self.workload, self.word = size, workload, word
        self.seed, self.population, self.kept = "", 0, list[tuple[int, dict[str, Any]]]()
        self.mailbox, self.begin = "", 0  # whose files are read, and lines before this section in each

    def begin_pack(self, digest: str) -> None:
        """Take the seed from a statement."""
        self.seed = sha256(f"{digest} {self.word}".encode()).hexdigest() if self.word else digest

    def offer(self, section: Section, listed: list[bytes], answers: list[bytes], fates: list[Any]) -> None:
        """Let the lines of a batch take part. fates: what RESULTS_LINE found in answers."""
        workload, turn = section.workload.decode(), int(section.number)
        if not self.size or self.workload not in (None, workload):
            return
        for entry, answer, fate in zip(listed, answers, fates, strict=True):
            if fate[2] not in COPIED:
                continue
            self.population += 1
            ticket = sha256(f"{self.seed} {self.mailbox} {workload} {turn} {int(fate[0])}".encode()).digest()
            number = -int.from_bytes(ticket, "big")
            if len(self.kept) == self.size and number < self.kept[0][0]:
                continue
            place = {"mailbox": self.mailbox, "workload": workload, "pass": turn}
            place |= {"file_line": self.begin + int(fate[0]) + 1}
            one = (number, {**json.loads(entry), **json.loads(answer), **place})
            (heappush if len(self.kept) < self.size else heappushpop)(self.kept, one)

    def drawn(self) -> list[dict[str, Any]]:
        """Return the sample by its tickets: a smaller sample is the beginning of a larger one."""
        return [
            {**line, "ticket": f"{-number:064x}"}
            for number, line in sorted(self.kept, key=itemgetter(0))[::-1]
        ]


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
    of others, the pass that must list them, and the one that said so. lost: items without any verdict.
    """

    def __init__(self, inventory: io.BufferedReader, results: io.BufferedReader, draw: Draw) -> None:
        self.inventory, self.results, self.draw = inventory, results, draw
        self.final, self.awaited = set[bytes](), dict[bytes, tuple[int, int]]()
        self.lost, self.verdicts = 0, Counter[str]()
        self.rules = Counter[tuple[bytes, bytes, bytes]]()  # workload, verdict, rule

    def check(self, sections: Iterable[Section]) -> None:
        """Check all passes: each names the inventory before it, so that none can be taken out."""
        before = b""
        for number, section in enumerate(sections, 1):
            require(int(section.number) == number, "a pass is missing")
            with located(f"{section.workload.decode()}, pass {number}"):
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
            self.count_rules(section.workload, fates)
            self.draw.offer(section, listed, answers, fates)
            verdicts += Counter([fate[2].decode() for fate in fates])
        require(counted == folders, "a folder has other lines than its first line says")
        roots = [combine_nodes(nodes).hex().encode() for nodes in (inventory_nodes, results_nodes)]
        counts = json.dumps(dict(sorted(verdicts.items())), separators=(",", ":")).encode()
        is_same = (*roots, counts) == (section.inventory, section.results, section.verdicts)
        require(is_same, f"a root or a count is not what {ROOTS} says")
        self.verdicts += verdicts
        self.draw.begin += size

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

    def count_rules(self, workload: bytes, fates: list[Any]) -> None:
        """Count by which rule items are not as they were; memory is bounded, whatever the rules are."""
        for _, _, verdict, rule, _ in fates:
            if verdict not in AS_IT_WAS:
                own = (workload, verdict, rule.strip(b'"'))
                is_kept = own in self.rules or len(self.rules) < MOST_RULES
                self.rules[own if is_kept else (workload, verdict, OTHER_RULES)] += 1

    def check_fates(self, fates: list[Any], turn: int) -> None:
        """Check that no item has two verdicts, or is in another pass than was said. turn: this pass."""
        final, awaited = self.final, self.awaited
        for _, item, verdict, rule, _ in fates:
            if item in final:
                raise VerificationFailed("an item has two verdicts", TAMPERED)
            back = turn
            if verdict == b"later":
                back = int(rule[6:-1])  # "pass 2", in quotes
                require(turn < back, "a line says that an earlier pass lists its item again")
            else:
                final.add(item)
            if item in awaited:
                due, said = awaited.pop(item)
                require(
                    due == back and said < turn,
                    "another pass lists an item again than its line says, or it is there twice",
                )
            if back > turn:
                awaited[item] = (back, turn)


class Evidence:
    """Collect what is found of one pack, one proof, or one folder: an exit code and a text each.

    digest: SHA-256 of its statement. facts: what it says, once that is checked, for the page.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.findings, self.digest = path, list[tuple[int, str]](), ""
        self.facts = dict[str, str]()

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

    def note_others(self, names: Iterable[str], text: str) -> None:
        """Say of files and folders that they were not looked at."""
        others = [ascii(name) for name in sorted(names)]
        if others:
            told, more = ", ".join(others[:10]), f" and {len(others) - 10} more" if len(others) > 10 else ""
            self.findings.append((NOT_CHECKED, f"{told}{more}: {text}"))


class Pack(Evidence):
    """Check one pack.

    stated: the predicate. stamps: when it, or a later pack, was stamped. anchored: 0 not, 1 its items, 2 all
    that it states. lost, verdicts, rules: sums over all mailboxes. is_read: all lines were checked and
    counted.
    """

    def __init__(self, path: Path, draw: Draw | None = None) -> None:
        super().__init__(path)
        self.stated, self.number, self.anchored = dict[str, Any](), 0, 0
        self.stamps, self.lost, self.verdicts, self.draw = list[datetime](), 0, Counter[str](), draw or Draw()
        self.manifest, self.is_read = dict[str, str](), False
        self.rules = Counter[tuple[bytes, bytes, bytes]]()  # workload, verdict, rule

    def check(self, keys: list[Any], authorities: list[x509.Certificate]) -> None:
        """Check statement, data, time stamp and tag files. authorities: trusted certificates, may be none."""
        with self.step(STATEMENT), self.open_vouching(STATEMENT) as file:
            raw = file.read()
            self.stated, files = check_statement(raw, keys)
            self.number, self.digest = self.stated["number"], sha256(raw).hexdigest()
            wave, sealed = self.stated["wave"], self.stated["sealed"]
            told = f"signed: wave {wave!a}, number {self.number}, sealed {sealed!a}; SHA-256 {self.digest}"
            self.findings.append((OK, f"{STATEMENT}: {told}"))
            self.facts |= {"Wave": wave, "Number of the seal": str(self.number)}
            self.facts |= {"Sealed, as it says": f"{str(sealed)[:16].replace('T', ' ')} UTC"}
            self.facts |= {"Statement (SHA-256 of wave.dsse.json)": self.digest}
            self.draw.begin_pack(self.digest)
            with self.step("data"):
                self.check_data(files)
            if not self.is_read and INCOMPLETE in dict(self.findings):
                self.check_present()
            self.check_stamp(raw, authorities)
        with self.step(TAG_MANIFEST), open_file(self.path / TAG_MANIFEST) as file:
            digests = parse_manifest(file.read(), TAG_NAME)
            for name in TAG_FILES:
                with open_file(self.path / name, digests[name]):
                    continue
        with self.step("folder"):
            own = {*TAG_FILES, TAG_MANIFEST, STAMP, REQUEST, "data"}
            others = {entry.name for entry in self.path.iterdir()} - own
            self.note_others(others, "not of the pack, nothing vouches for it")

    @contextmanager
    def open_vouching(self, name: str, digest: str | None = None) -> Iterator[io.BufferedReader]:
        """Open a file that all else is held against: without it, what is there may be anything."""
        is_there = os.path.lexists(self.path / name)
        require(
            is_there, f"{VOUCHING[name]} is missing: nothing could be held against a signature", UNREADABLE
        )
        with open_file(self.path / name, digest) as file:
            yield file

    def check_present(self) -> None:
        """Hold what is there against the manifest, where something else is missing."""
        for name, digest in self.manifest.items():
            if os.path.lexists(self.path / name):
                with self.step("data"), open_file(self.path / name, digest):
                    continue

    def check_stamp(self, raw: bytes, authorities: list[x509.Certificate]) -> None:
        """Check the time stamp of the statement; one that was not checked anchors nothing."""
        if not os.path.lexists(self.path / STAMP):
            is_asked = os.path.lexists(self.path / REQUEST)
            request = f"; {REQUEST} is the request for one" if is_asked else ""
            text = f"there is no time stamp in the pack, which needs none{request}"
            self.findings.append((NOT_CHECKED, f"{STAMP}: {text}"))
            return
        if not authorities:
            self.findings.append((NOT_CHECKED, f"{STAMP}: time stamp: not checked (no --tsa-root)"))
            return
        with self.step(STAMP), open_file(self.path / STAMP) as file:
            made, signer = check_time_stamp(file.read(), raw, authorities)
            self.stamps.append(made)
            self.findings.append((OK, f"{STAMP}: stamped {made:%Y-%m-%d %H:%M:%S} UTC by {signer}"))

    def check_data(self, files: dict[str, str]) -> None:
        """Check all that is below data/, and the sums. files: SHA-256 by name, as signed."""
        with self.open_vouching(MANIFEST, files[MANIFEST]) as file:
            manifest = self.manifest = parse_manifest(file.read(), PAYLOAD_NAME)
        data = self.path / "data"
        require(not data.exists() or os.path.realpath(data) == str(data), "data is a link, or behind one")
        folders = [folder for folder in ("data", *LINE_FOLDERS) if (self.path / folder).is_dir()]
        found = {f"{folder}/{one.name}" for folder in folders for one in (self.path / folder).iterdir()}
        others = found - {*manifest, *LINE_FOLDERS}
        first = min(others, default="")
        require(not others, f"no manifest names {first!a}")
        with open_file(self.path / ROOTS, files[ROOTS]) as file:
            lines = read_lines(file, MOST_SECTIONS)
        mailboxes, findings_before = list[str](), len(self.findings)
        sections = (Section(*ROOTS_LINE.findall(line)[0]) for line in lines)
        for mailbox, own in groupby(sections, key=attrgetter("mailbox")):
            name = mailbox.decode()
            mailboxes.append(name)
            with self.step(f"mailbox {name}"):
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
            last, self.draw.mailbox, self.draw.begin = -1, name, 0
            for kind, passes in groupby(sections, key=attrgetter("workload")):
                place = WORKLOADS.index(kind.decode())
                require(place > last, "it is malformed")
                last = place
                workload = Workload(inventory, results, self.draw)
                workload.check(passes)
                self.lost += workload.lost
                self.verdicts += workload.verdicts
                self.add_rules(workload.rules)
            is_end = not read_lines(inventory, 1) and not read_lines(results, 1)
            require(is_end, f"it has more lines than {ROOTS} says")

    def add_rules(self, rules: Counter[tuple[bytes, bytes, bytes]]) -> None:
        """Add what a workload of a mailbox counted."""
        for (workload, verdict, rule), count in rules.items():
            own = (workload, verdict, rule)
            is_kept = own in self.rules or len(self.rules) < MOST_RULES
            self.rules[own if is_kept else (workload, verdict, OTHER_RULES)] += count

    def check_sums(self, lines: list[bytes], mailboxes: int) -> None:
        """Check that signed sums and root are those of the lines of data/roots.jsonl; nothing may be open."""
        verdicts, sections, root = self.verdicts, len(lines), tree_root(lines).hex()
        lost, loose = self.lost + verdicts["open"], len(self.stated["incomplete"])
        items = verdicts.total() - verdicts["later"]
        sums: dict[str, Any] = {"mailboxes": mailboxes, "sections": sections, "items": items}
        sums |= {"verdicts": dict(verdicts), "root": root}
        if "workloads" in self.stated:
            there = {ROOTS_LINE.findall(line)[0][1].decode() for line in lines}
            sums["workloads"] = [one for one in WORKLOADS if one in there]
        wrong = ", ".join([name for name in sums if self.stated[name] != sums[name]])
        require(not wrong, f"the signed statement says otherwise of {wrong}")
        counts = ", ".join([f"{one} {count}" for one, count in verdicts.items() if one != "later"])
        again = f"; {verdicts['later']} more lines do not count: a later pass lists their items again"
        again *= "later" in verdicts
        told = f"mailboxes {mailboxes}, sections {sections}, items {items} ({counts}){again}; root {root}"
        self.findings.append((OK, f"data: {told}"))
        self.facts |= {"Mailboxes": f"{mailboxes:,}", "Items": f"{items:,}", "Root of the wave": root}
        self.is_read = True
        require(lost + loose == 0, f"{lost} items and {loose} workloads are not accounted for", INCOMPLETE)

    def earliest_stamp(self) -> datetime:
        """Return the earliest time stamp, or the end of time where there is none."""
        return min(self.stamps, default=datetime.max.replace(tzinfo=UTC))


OTHER_HASH = "none of these packs has the hash of --root: is it typed right, and is it of this wave?"
SLIPS = 4  # digits of a hash that a slip in typing makes wrong; nobody can make a file whose hash is so close


def refuse_slip(given: Iterable[str], names: Iterable[str]) -> None:
    """Refuse a hash that was typed wrong: it differs in a few digits from one that is there."""
    for one in given:
        for name in names:
            wrong = [place for place, (a, b) in enumerate(zip(one, name, strict=False), 1) if a != b]
            places = ", ".join(map(str, wrong))
            text = f"--root differs from the hash of this pack in digit {places} alone: it is typed wrong"
            require(not 0 < len(wrong) <= SLIPS, text, UNREADABLE)


def check_row(packs: list[Pack], roots: set[str]) -> None:
    """Check that each pack names the one before it, and what anchors each, from the newest to the oldest.

    roots: hashes of statements, and roots of waves, that the auditor has from elsewhere.
    """
    packs.sort(key=Pack.earliest_stamp, reverse=True)  # those without a stamp first
    row = {pack.digest: pack for pack in packs if pack.stated}  # of copies, the one that was stamped first
    ordered = sorted(row.values(), key=attrgetter("number"))
    names = {name for pack in ordered for name in (pack.digest, pack.stated["root"])}
    is_whole = all(os.path.lexists(pack.path / STATEMENT) for pack in packs)
    for place in reversed(range(len(ordered))):
        pack = ordered[place]
        with pack.step("chain"):
            if pack.stated["root"] in roots and pack.anchored == 0:
                pack.anchored = 1
            if pack.digest in roots:
                pack.anchored = 2
            check_predecessor(pack, ordered, place)
        with pack.step("anchor"):
            refuse_slip(roots - names, [pack.digest, pack.stated["root"]])
            check_anchor(pack, roots - names, is_whole=is_whole)


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


def check_anchor(pack: Pack, unknown_roots: set[str], *, is_whole: bool) -> None:
    """Check that a hash from elsewhere, or a stamp soon after sealing, shows that it was not signed later.

    is_whole: no pack lacks its statement. Otherwise an unknown hash may be of that one.
    """
    sealed = datetime.strptime(pack.stated["sealed"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    told, is_anchored = f"sealed {sealed:%Y-%m-%d %H:%M} UTC", pack.anchored == 2
    if pack.stamps:
        stamped = min(pack.stamps)
        told += f", stamped {stamped:%Y-%m-%d %H:%M} UTC"
        require(stamped - sealed >= -CLOCKS_DIFFER, f"{told}: nothing is stamped before it is sealed")
        is_anchored = is_anchored or stamped - sealed <= STAMPED_WITHIN
    code = INCOMPLETE if is_anchored or not is_whole else TAMPERED
    require(not unknown_roots, OTHER_HASH, code)
    hint = ", not its root" if pack.anchored == 1 else ""
    require(is_anchored, f"{told}: give --root the hash of its statement{hint}", UNANCHORED)
    pack.findings.append((OK, f"anchor: all that it states is anchored; {told}"))


# A proof of one item: its line of the inventory, its line of results, and the line of data/roots.jsonl about
# both; each with its way up a tree; and the signed statement, which has the root that they end at.
ProvenLine = namedtuple("ProvenLine", "line index size path")
VERDICT_COUNT = '"[a-z]+":[1-9][0-9]{0,17}'
VERDICT_COUNTS = re.compile(rf"\{{(?:{VERDICT_COUNT}(?:,{VERDICT_COUNT})*)?\}}".encode())


def parse_proven(told: dict[str, Any]) -> ProvenLine:
    """Return a line, its place, and its way up; what is not of that form is refused."""
    line, index, size, path = (
        told["line"],
        told["index"],
        told["size"],
        list(map(bytes.fromhex, told["path"])),
    )
    require(type(index) is int and type(size) is int, "a place in it is no number")
    require("\n" not in line, "a line in it is several")
    require(all(len(step) == 32 for step in path) and len(path) < 64, "a way in it is none")
    return ProvenLine(line.encode(), index, size, path)


def check_item(item: Iterable[ProvenLine], stated: dict[str, Any]) -> None:
    """Check that three proven lines are of one item, and lead to the root that the statement has."""
    listed, answer, section = item
    ((_, _, _, count, *roots, counts),) = ROOTS_LINE.findall(section.line)
    require(VERDICT_COUNTS.fullmatch(counts), "what its section counts is malformed")
    ((number, _, source),) = INVENTORY_LINE.findall(listed.line)
    ((answered, target, *_),) = RESULTS_LINE.findall(answer.line)
    require((number, source) == (answered, target), "its two lines are of different items")
    for one, root in zip((listed, answer), roots, strict=True):
        require((one.index, one.size) == (int(number), int(count) + 1), "a line has another place")
        require(is_included(*one, bytes.fromhex(root.decode())), "a line is not in its section's tree")
    require(section.size == stated["sections"], "the wave has another number of sections")
    require(is_included(*section, bytes.fromhex(stated["root"])), "its section is not in the wave's tree")


def check_proof(raw: bytes, keys: list[Any]) -> tuple[dict[str, Any], str, list[list[ProvenLine]]]:
    """Check a proof; return its statement's predicate, the SHA-256 of its statement, and its items."""
    told = parse_json(raw)
    envelope = told["statement"].encode()
    stated, _ = check_statement(envelope, keys)
    items = [[parse_proven(item[part]) for part in PROOF_PARTS] for item in told["items"]]
    require(items, "it proves nothing")
    for item in items:
        check_item(item, stated)
    return stated, sha256(envelope).hexdigest(), items


def message_names(message_id: str, key: bytes) -> list[str]:
    """Return what stands for a Message-ID in the lines of the mailbox that has this key.

    It is compared with its angle brackets, and without white space; without brackets both forms are tried.
    """
    bare = "".join(message_id.split())
    start = bare.find("<")
    end = bare.find(">", start)
    forms = [bare[start : end + 1]] if 0 <= start < end else [bare, f"<{bare}>"]
    numbers = [sha256(form.encode("utf-8", "surrogateescape")).digest()[:8] for form in forms]
    return [hmac.digest(key, b"mid\0" + number, "sha256")[:16].hex() for number in numbers]


class Proof(Evidence):
    """Check that a line was sealed, and what became of its item."""

    def check(self, keys: list[Any], roots: set[str], packs: list[Pack], message: tuple[str, Any]) -> None:
        """Check a proof against packs, where some are given, or else against roots.

        message: a Message-ID and its mailbox's key, which show whose line it is; the key may be None.
        """
        with self.step("proof"), open_file(self.path) as file:
            raw = file.read()
            is_proof = raw[:1] == b"{" and PROOF.encode() in raw
            require(is_proof, "it is no proof: give what `kogge audit prove --out` wrote", UNREADABLE)
            stated, self.digest, items = check_proof(raw, keys)
            self.facts = {"Wave": stated["wave"], "Statement (SHA-256 of wave.dsse.json)": self.digest}
            for item in items:
                self.findings.append((OK, f"proof: {item_text(*item[1:])}"))
            self.check_message(items, *message)
            if packs:
                of_one = any(pack.digest == self.digest for pack in packs)
                require(of_one, "it is of another pack than these")
                return
            is_anchored = roots & {self.digest, stated["root"]}
            refuse_slip(() if is_anchored else roots, [self.digest, stated["root"]])
            require(is_anchored or not roots, "it is of another wave than --root names, or of a changed one")
            require(is_anchored, "give --root the hash of its statement, from elsewhere", UNANCHORED)

    def check_message(self, items: list[list[ProvenLine]], message_id: str, key: Any) -> None:
        """Check that all items are of this Message-ID."""
        if key is None:
            text = "proof: of which message it is (that takes --message-id and --keys)"
            self.findings.append((NOT_CHECKED, text))
            return
        names, mailbox = message_names(message_id, bytes.fromhex(key["key"])), key["mailbox"]
        for _, answer, section in items:
            is_own = json.loads(section.line)["mailbox"] == mailbox
            require(
                is_own and json.loads(answer.line)["mid"] in names, "it is of another message, or mailbox"
            )
        self.findings.append((OK, "proof: it is of the message with this Message-ID"))


def item_text(answer: ProvenLine, section: ProvenLine) -> str:
    """Say which line a proof is about, and what became of the item."""
    place, fate = json.loads(section.line), json.loads(answer.line)
    where = f"{place['mailbox']}, {place['section']}, pass {place['pass']}, line {fate['i']} of {place['n']}"
    rule = f" ({fate['rule']})" if fate["rule"] else ""
    target = f"; at the target it is {fate['dst']}" if fate["dst"] else "; it is not at the target"
    return f"{where}: {fate['verdict']}{rule}{target}"


# From here on: what was found is written down. Nothing below changes a verdict.


# What is said, in three languages: English, German, French. {} stands for what differs from check to check.
TEXTS = r"""
ok
in Ordnung
conforme

tampered
verändert
modifié

incomplete
unvollständig
incomplet

unanchored
nicht verankert
sans ancrage

no verdict
kein Ergebnis
pas de résultat

not checked
nicht geprüft
non vérifié

rules
Regeln
règles

losses
Verluste
pertes

sample
Stichprobe
échantillon

verdict: {}
Ergebnis: {}
résultat : {}

Verdict: {} (exit code {}).
Ergebnis: {} (Rückgabewert {}).
Résultat : {} (code de sortie {}).

Nothing in the record was changed or is missing, and it matches what you gave: it was not signed again.
Am Nachweis wurde nichts verändert, und nichts fehlt. Was Sie angegeben haben, zeigt, dass niemand ihn neu unterschrieben hat.
Rien n’a été modifié dans la preuve et rien n’y manque. Ce que vous avez donné montre que personne ne l’a signée de nouveau.

Something in the record is not what was signed, contradicts itself, or is not what you asked for.
Etwas im Nachweis ist nicht das, was unterschrieben wurde, widerspricht sich oder ist nicht das, wonach Sie gefragt haben.
Quelque chose dans la preuve n’est pas ce qui a été signé, se contredit, ou n’est pas ce que vous avez demandé.

What is there is what was signed, but something is missing, or was never accounted for.
Was da ist, ist das Unterschriebene. Aber etwas fehlt, oder sein Verbleib ist nicht geklärt.
Ce qui est là est bien ce qui a été signé, mais il manque quelque chose, ou son sort n’est pas établi.

The record fits together, but nothing from outside shows that it was not rewritten and signed anew.
Der Nachweis ist in sich stimmig. Aber nichts von außen zeigt, dass er nicht neu geschrieben und neu unterschrieben wurde.
La preuve est cohérente, mais rien d’extérieur ne montre qu’elle n’a pas été réécrite et signée de nouveau.

Something could not be read or is missing, or this file is too old for the record: there is no verdict.
Etwas war nicht lesbar oder fehlt, oder diese Datei ist zu alt für den Nachweis. Darum gibt es kein Ergebnis.
Quelque chose n’a pas pu être lu ou manque, ou ce fichier-ci est trop ancien pour la preuve : il n’y a donc pas de résultat.

Write the hash of the statement and this verdict into your report.
Übernehmen Sie den Hashwert der Erklärung und dieses Ergebnis in Ihren Bericht.
Reportez l’empreinte de la déclaration et ce résultat dans votre rapport.

First compare the key, and the hash that you gave, with the paper, digit by digit. Then keep the pack as it is, ask for another copy by another route, and check that. Report what stays.
Vergleichen Sie zuerst den Schlüssel und den angegebenen Hashwert Zeichen für Zeichen mit dem Papier. Bewahren Sie das Paket dann so auf, wie es ist, lassen Sie sich auf einem anderen Weg eine zweite Kopie geben, und prüfen Sie diese. Nehmen Sie in den Bericht auf, was bleibt.
Comparez d’abord la clé et l’empreinte donnée avec le papier, caractère par caractère. Gardez ensuite le paquet tel quel, demandez une autre copie par un autre moyen, et vérifiez-la. Signalez ce qui demeure.

Ask for what is missing, as the findings below name it, and check again.
Fordern Sie an, was fehlt (die Zeilen unten nennen es), und prüfen Sie noch einmal.
Demandez ce qui manque (les lignes ci-dessous le nomment), puis vérifiez de nouveau.

Ask for the hash of the statement in the signed protocol of acceptance, and give it with --root.
Lassen Sie sich den Hashwert der Erklärung aus dem unterschriebenen Abnahmeprotokoll geben, und geben Sie ihn mit --root an.
Demandez l’empreinte de la déclaration, qui figure dans le procès-verbal de réception signé, et donnez-la avec --root.

See below what could not be read, and check again.
Unten steht, was nicht lesbar war. Prüfen Sie danach noch einmal.
Voyez ci-dessous ce qui n’a pas pu être lu, puis vérifiez de nouveau.

Check of migration evidence
Prüfung eines Umzugsnachweises
Vérification d’une preuve de transfert

What was checked
Was geprüft wurde
Ce qui a été vérifié

What was not looked at
Was nicht angesehen wurde
Ce qui n’a pas été examiné

What this verdict does not prove
Was dieses Ergebnis nicht beweist
Ce que ce résultat ne prouve pas

How the check was made
Wie geprüft wurde
Comment la vérification a été faite

Checked by
Geprüft von
Vérifié par

Name and office
Name und Stelle
Nom et service

Place and date
Ort und Datum
Lieu et date

Signature
Unterschrift
Signature

Result
Ergebnis
Résultat

Pack {}
Paket {}
Paquet {}

Proof {}
Beleg {}
Attestation {}

Wave
Welle
Vague

Number of the seal
Nummer der Versiegelung
Numéro du scellement

Sealed, as it says
Versiegelt, nach eigener Angabe
Scellé, selon lui-même

Statement (SHA-256 of wave.dsse.json)
Erklärung (SHA-256 von wave.dsse.json)
Déclaration (SHA-256 de wave.dsse.json)

Mailboxes
Postfächer
Boîtes

Items
Elemente
Éléments

Root of the wave
Wurzel der Welle
Racine de la vague

What became of the items
Was aus den Elementen wurde
Ce que sont devenus les éléments

Meaning
Bedeutung
Signification

copied, read back from the target, and found equal
kopiert, am Ziel zurückgelesen und gleich
copié, relu à destination et trouvé identique

copied and read back; the source gives the same content in other bytes each time
kopiert und zurückgelesen; die Quelle liefert denselben Inhalt jedes Mal in anderen Bytes
copié et relu ; la source donne chaque fois le même contenu en d’autres octets

copied, read back, and equal to what was written; named parts could not be carried over
kopiert, zurückgelesen und gleich dem Geschriebenen; genannte Teile ließen sich nicht übernehmen
copié, relu et identique à ce qui a été écrit ; des parties nommées n’ont pas pu être reprises

stays at the source, by a rule
bleibt nach einer Regel an der Quelle
reste à la source, en application d’une règle

was not copied, or was never found equal
wurde nicht kopiert oder nie gleich gefunden
n’a pas été copié, ou n’a jamais été trouvé identique

was deleted or moved at the source before the end
wurde vor dem Ende an der Quelle gelöscht oder verschoben
a été supprimé ou déplacé à la source avant la fin

is not settled yet
ist noch nicht abgeschlossen
n’est pas encore réglé

as above
wie oben
comme ci-dessus

deleted at the source; a copy that others put at the target stays there
an der Quelle gelöscht; eine Kopie, die andere ans Ziel gelegt haben, bleibt dort
supprimé à la source ; une copie que d’autres ont mise à destination y reste

the source lists it under another id since; the line of that id has its copy
die Quelle führt es seither unter einer anderen Kennung; deren Zeile hat die Kopie
la source le liste depuis sous un autre identifiant ; la ligne de celui-ci a sa copie

the source was read once more, and says the same in other bytes
die Quelle wurde noch einmal gelesen und sagt dasselbe in anderen Bytes
la source a été relue et dit la même chose en d’autres octets

written, and never read back as equal
geschrieben und nie als gleich zurückgelesen
écrit, et jamais relu comme identique

What is not match
Was nicht „match“ ist
Ce qui n’est pas « match »

What is not match, by rule
Was nicht „match“ ist, nach Regel
Ce qui n’est pas « match », par règle

Rule
Regel
Règle

Workload
Art
Type

Class
Klasse
Classe

What it means to the person
Was das für die Person heißt
Ce que cela veut dire pour la personne

content
Inhalt
contenu

functional
Funktion
fonction

cosmetic
Aussehen
apparence

(none)
(keine)
(aucune)

others
andere
autres

{} more rows
{} weitere Zeilen
{} lignes de plus

a detail of appearance or of a rarely used function
eine Kleinigkeit im Aussehen oder in einer selten benutzten Funktion
un détail d’apparence ou d’une fonction rarement utilisée

The rule of a converted item is part:reason, for each part that is not as at the source. The class says how much a loss matters: content is missing or says something else; a function works otherwise; or only the appearance differs. The sentences are those that people read on their own page; they come with this program, not from the pack.
Die Regel eines übertragenen Elements (converted) lautet Teil:Grund, für jeden Teil, der nicht ist wie an der Quelle. Die Klasse sagt, wie schwer ein Verlust wiegt: Inhalt fehlt oder sagt etwas anderes; eine Funktion arbeitet anders; oder nur das Aussehen weicht ab. Die Sätze sind die, die Menschen auf ihrer eigenen Seite lesen; sie stammen aus diesem Programm, nicht aus dem Paket.
La règle d’un élément converti (converted) est partie:raison, pour chaque partie qui n’est pas comme à la source. La classe dit la gravité d’une perte : un contenu manque ou dit autre chose ; une fonction marche autrement ; ou seule l’apparence diffère. Les phrases sont celles que chacun lit sur sa propre page ; elles viennent de ce programme, non du paquet.

that the source told all it had. Compare the counts of folders with an export of your own.
dass die Quelle alles genannt hat, was sie hatte. Vergleichen Sie die Zahlen der Ordner mit einer eigenen Auflistung.
que la source a nommé tout ce qu’elle avait. Comparez les nombres par dossier avec un relevé à vous.

that the migration program told the truth. Draw a sample and look at both systems.
dass das Umzugsprogramm die Wahrheit gesagt hat. Ziehen Sie eine Stichprobe, und sehen Sie in beiden Systemen nach.
que le programme de transfert a dit vrai. Tirez un échantillon et regardez dans les deux systèmes.

that the items are at the target today. They were, when they were read back.
dass die Elemente heute am Ziel sind. Sie waren es, als sie zurückgelesen wurden.
que les éléments sont aujourd’hui à destination. Ils y étaient quand ils ont été relus.

that a loss did or did not matter. The rules above say what was lost.
dass ein Verlust wichtig oder unwichtig war. Die Regeln oben sagen, was verloren ging.
qu’une perte était grave ou non. Les règles ci-dessus disent ce qui a été perdu.

that times, states and approvals in it are true. They are the word of whoever signed.
dass Zeiten, Zustände und Freigaben darin stimmen. Dafür steht allein, wer unterschrieben hat.
que les heures, états et accords y sont vrais. Ils n’engagent que celui qui a signé.

who had the signing key in hand.
wer den Schlüssel zum Unterschreiben in der Hand hatte.
qui avait en main la clé de signature.

that this page is genuine, if somebody else made it. Run the command below yourself.
dass diese Seite echt ist, wenn jemand anderes sie erstellt hat. Führen Sie den Befehl unten selbst aus.
que cette page est authentique, si un autre l’a faite. Lancez vous-même la commande ci-dessous.

approvals, decisions, scores and times: they are signed, and held against nothing else
Freigaben, Entscheidungen, Bewertungen und Zeiten: Sie sind unterschrieben, aber mit nichts anderem abgeglichen
accords, décisions, notes et heures : ils sont signés, mais comparés à rien d’autre

When
Wann
Quand

{} UTC, by the clock of this machine
{} UTC, nach der Uhr dieses Rechners
{} UTC, d’après l’horloge de cette machine

The same check again
Dieselbe Prüfung noch einmal
La même vérification encore une fois

SHA-256 of this program
SHA-256 dieses Programms
SHA-256 de ce programme

SHA-256 of {}
SHA-256 von {}
SHA-256 de {}

Key that you gave (--pubkey)
Schlüssel, den Sie angegeben haben (--pubkey)
Clé que vous avez donnée (--pubkey)

Hashes that you gave (--root)
Hashwerte, die Sie angegeben haben (--root)
Empreintes que vous avez données (--root)

none
keine
aucune

Sample: work sheet
Stichprobe: Arbeitsblatt
Échantillon : feuille de travail

number
Nummer
numéro

mailbox
Postfach
boîte

workload
Art
type

pass
Durchgang
passage

line
Zeile
ligne

verdict
Verbleib
sort

rule
Regel
règle

what to ask for
wonach zu fragen ist
quoi demander

found at source
an der Quelle gefunden
trouvé à la source

found at target
am Ziel gefunden
trouvé à destination

same content
gleicher Inhalt
même contenu

remarks
Bemerkungen
remarques

who
wer
qui

date
Datum
date

Same content: yes or no. A converted item is right (yes) if all is the same but the parts that its rule names; write these parts under remarks.
Gleicher Inhalt: ja oder nein. Ein übertragenes Element (converted) ist richtig (ja), wenn alles gleich ist bis auf die Teile, die seine Regel nennt; schreiben Sie diese Teile unter Bemerkungen.
Même contenu : oui ou non. Un élément converti (converted) est juste (oui) si tout est pareil sauf les parties que sa règle nomme ; notez ces parties sous remarques.

A fault is a no, or an item that is not found on one side.
Ein Fehler ist ein Nein oder ein Element, das auf einer Seite nicht zu finden ist.
Une erreur est un non, ou un élément introuvable d’un côté.

the item of this line, shown at the source and at the target
das Element dieser Zeile, gezeigt an der Quelle und am Ziel
l’élément de cette ligne, montré à la source et à destination

all workloads
alle Arten
tous types

note
Notiz
note

message (it has no Message-ID)
Nachricht, sie hat keine Message-ID
message, il n’a pas de Message-ID

at the target, UID {} in the folder with UIDVALIDITY {}; at the source, the message with the same Message-ID
am Ziel die UID {} im Ordner mit UIDVALIDITY {}; an der Quelle die Nachricht mit derselben Message-ID
à destination, l’UID {} du dossier d’UIDVALIDITY {} ; à la source, le message de même Message-ID

at the target, UID {} in the folder with UIDVALIDITY {}; at the source, this {}, which the operator must show
am Ziel die UID {} im Ordner mit UIDVALIDITY {}; an der Quelle dieses Element ({}), das der Betreiber zeigen muss
à destination, l’UID {} du dossier d’UIDVALIDITY {} ; à la source, cet élément ({}), que l’exploitant doit montrer

{} of {} items that arrived ({}), drawn by the seed {}
{} von {} angekommenen Elementen ({}), gezogen mit dem Startwert {}
{} des {} éléments arrivés ({}), tirés avec la graine {}

the seed is the SHA-256 of the statement's hash, a blank, and the word {}
der Startwert ist der SHA-256 aus dem Hashwert der Erklärung, einem Leerzeichen und dem Wort {}
la graine est le SHA-256 de l’empreinte de la déclaration, d’une espace et du mot {}

that is every one of them: the sample leaves nothing open
das sind alle: Die Stichprobe lässt nichts offen
c’est la totalité : l’échantillon ne laisse rien ouvert

if {} of these are faulty, at most (confidence) of the {} that arrived are: {}
sind {} davon fehlerhaft, so sind es (bei dieser Sicherheit) von den {} angekommenen höchstens: {}
si {} d’entre eux sont fautifs, le sont au plus (niveau de confiance), sur les {} arrivés : {}

signed: wave {}, number {}, sealed {}; SHA-256 {}
unterschrieben: Welle {}, Nummer {}, versiegelt {}; SHA-256 {}
signé : vague {}, numéro {}, scellé {} ; SHA-256 {}

mailboxes {}, sections {}, items {} ({}); {} more lines do not count: a later pass lists their items again; root {}
Postfächer {}, Abschnitte {}, Elemente {} ({}); {} weitere Zeilen zählen nicht: Ein späterer Durchgang führt ihre Elemente noch einmal auf; Wurzel {}
boîtes {}, sections {}, éléments {} ({}) ; {} autres lignes ne comptent pas : une passe ultérieure liste de nouveau leurs éléments ; racine {}

mailboxes {}, sections {}, items {} ({}); root {}
Postfächer {}, Abschnitte {}, Elemente {} ({}); Wurzel {}
boîtes {}, sections {}, éléments {} ({}) ; racine {}

all that it states is anchored; sealed {} UTC, stamped {} UTC
alles, was sie sagt, ist verankert; versiegelt {} UTC, gestempelt {} UTC
tout ce qu’elle dit est ancré ; scellé {} UTC, horodaté {} UTC

all that it states is anchored; sealed {} UTC
alles, was sie sagt, ist verankert; versiegelt {} UTC
tout ce qu’elle dit est ancré ; scellé {} UTC

sealed {}: give --root the hash of its statement, not its root
versiegelt {}: Geben Sie mit --root den Hashwert der Erklärung an, nicht die Wurzel
scellé {} : donnez avec --root l’empreinte de la déclaration, non sa racine

sealed {}: give --root the hash of its statement
versiegelt {}: Geben Sie mit --root den Hashwert der Erklärung an
scellé {} : donnez avec --root l’empreinte de la déclaration

there is no time stamp in the pack, which needs none; {} is the request for one
im Paket ist kein Zeitstempel, und es braucht keinen; {} ist nur die Anfrage nach einem
le paquet n’a pas d’horodatage, et n’en a pas besoin ; {} n’est que la demande d’en obtenir un

there is no time stamp in the pack, which needs none
im Paket ist kein Zeitstempel, und es braucht keinen
le paquet n’a pas d’horodatage, et n’en a pas besoin

time stamp: not checked (no --tsa-root)
Zeitstempel: nicht geprüft (ohne --tsa-root)
horodatage : non vérifié (sans --tsa-root)

stamped {} by {}
gestempelt {} von {}
horodaté {} par {}

the signed statement is missing: nothing could be held against a signature
die unterschriebene Erklärung fehlt: Nichts ließ sich mit einer Unterschrift abgleichen
la déclaration signée manque : rien n’a pu être comparé à une signature

manifest-sha256.txt, which names all data, is missing: nothing could be held against a signature
manifest-sha256.txt fehlt, das alle Daten nennt: Nichts ließ sich mit einer Unterschrift abgleichen
il manque manifest-sha256.txt, qui nomme toutes les données : rien n’a pu être comparé à une signature

a newer version of Kogge made it: take the verifier that belongs to that version
eine neuere Version von Kogge hat es geschrieben: nehmen Sie das Prüfprogramm dieser Version
une version plus récente de Kogge l’a écrit : prenez le vérificateur de cette version

another key signed it, or it was changed
ein anderer Schlüssel hat unterschrieben, oder sie wurde verändert
une autre clé l’a signée, ou elle a été modifiée

none of these packs has the hash of --root: is it typed right, and is it of this wave?
keines dieser Pakete hat den Hashwert aus --root: Ist er richtig abgetippt, und gehört er zu dieser Welle?
aucun de ces paquets n’a l’empreinte de --root : est-elle bien recopiée, et est-elle de cette vague ?

--root differs from the hash of this pack in digit {} alone: it is typed wrong
--root weicht vom Hashwert dieses Pakets nur in Stelle {} ab: Er ist falsch abgetippt
--root ne diffère de l’empreinte de ce paquet qu’au caractère {} : elle est mal recopiée

{} items and {} workloads are not accounted for
von {} Elementen und {} Teilen von Postfächern ist der Verbleib nicht geklärt
le sort de {} éléments et de {} parties de boîtes n’est pas établi

number {} is missing
Nummer {} fehlt
le numéro {} manque

not of the pack, nothing vouches for it
gehört nicht zum Paket, nichts bürgt dafür
n’est pas du paquet, rien n’en répond

not a pack, not looked at
kein Paket, nicht angesehen
n’est pas un paquet, non examiné

a root or a count is not what data/roots.jsonl says
eine Wurzel oder eine Zahl ist nicht die aus data/roots.jsonl
une racine ou un nombre n’est pas celui de data/roots.jsonl

no manifest names {}
kein Manifest nennt {}
aucun manifeste ne nomme {}

it cannot be read ({})
nicht lesbar ({})
illisible ({})

it is malformed
die Form ist falsch
la forme est fausse

{} was changed
{} wurde verändert
{} a été modifié

{} is missing
{} fehlt
il manque {}
"""  # noqa: E501, RUF001 (a sentence is a line)
# Classes and everyday sentences of losses, as the reports for people have them: section, name, codes, words.
EVERYDAY = r"""
[
["class", "content", "address:no-address address:not-in-directory address:unknown-kind anniversary:unreadable assignment:not-shown attachment:left-out attachment:not-kept attachment:not-readable attachment:refused-by-target attachment:too-large attendee:not-in-shared-meeting attendee:not-kept attendee:proposed-time attendee:too-many attendee:unknown-answer birthday:unreadable body:mime-rebuilt copy:changed-before-check copy:differs-at-source copy:kept-otherwise deleted-occurrence:not-told due:unreadable email:no-internet-address email:not-taken email:unresolved-address end:clock-change links:too-long list:name-and-members-only location:addresses-of-several location:coordinates-not-kept location:note-not-kept location:shortened members:unresolved-address modified-occurrence:not-kept modified-occurrence:only-times-known modified-occurrence:twice name:shortened other:not-kept people:not-kept photo:not-read photo:one-only photo:too-large photo:unknown-format recurrence:current-occurrence-only recurrence:regenerates series:hour-twice start:moved-to-due start:unreadable text:shortened text:truncated title:shortened user-defined:left-out", {}],
["class", "functional", "all-day:not-at-midnight attachment:not-in-text attendee:answer-of-occurrence attendee:answer-stays attendee:guests-of-series attendee:list-was-hidden attendee:owner-added categories:keyword-not-kept categories:not-kept categories:too-many certificate:left-out copy:unstable-at-source date:before-1970 date:in-the-future date:unknown end:before-start file-name:characters-replaced file-name:reserved file-name:taken file-name:truncated flags:change-unreadable flags:follow-up-completed flags:keyword-not-kept flags:unknown-value folder-name:left-empty folder-name:refused-by-target folder-name:rename-refused follow-up:no-flags forwarded:keyword-not-kept free-busy:not-kept importance:keyword-not-kept importance:no-equivalent importance:unknown-value keywords:limit-reached last-verb:no-equivalent location:impossible-coordinates members:not-linked modified-occurrence:not-in-series modified:before-1970 modified:in-the-future modified:not-kept modified:unknown name:flattened name:in-one-container name:path-shortened name:taken name:truncated note:formatting organizer:stays-behind organizer:unknown own-answer:differs-in-shared-meeting percent:impossible phone:unknown-kind priority:not-kept receipt:keyword-not-kept recurrence:completed recurrence:day-apart recurrence:over recurrence:rule-not-kept reminder:action-not-kept reminder:already-done reminder:first-occurrence-only reminder:impossible-time reminder:no-alarms reminder:no-time reminder:not-kept reminder:past reply:again-after-a-month reply:formatting reply:known-senders right:details right:meeting-copies right:own-items right:parts right:private-items right:send-on-behalf right:sources-differ rule:action-not-said rule:condition-narrower rule:condition-not-said rule:earlier-rule-lost rule:exception-not-said rule:folder-not-migrated rule:forward-as-redirect rule:mail-stays rule:not-supported rule:nothing-left rule:sends-out rule:too-long rule:was-broken scheduling:agent-client sensitivity:no-class sensitivity:not-marked sensitivity:privacy-of-occurrence sensitivity:shown-as-private series:end-added series:occurrence-alone share:expired share:external share:group-unknown share:held-back share:link-password share:link-refused share:narrower-than-parent share:not-understood share:organisation-link share:other-rights share:person-later share:person-unknown share:refused share:several-rights share:share-differs share:unreadable shared-meeting:own-part-not-kept show-as:free-or-busy show-as:outlook-only show-as:unknown-value start:after-due start:from-recurrence start:not-in-series state:shown-as-confirmed state:unknown-value status:no-equivalent status:unknown-value steps:in-text text:formatting text:formatting-not-kept time-zone:hour-twice time-zone:zone-of-series time-zone:zone-of-target uid:too-long versions:left-behind versions:not-kept versions:unreadable", {}],
["class", "cosmetic", "attendee:empty attendee:twice body:bare-lf body:nul-bytes body:surplus-cr categories:colour-not-kept categories:comma-replaced categories:empty-name colour:label-not-kept colour:not-kept deleted-occurrence:not-in-series email:display-name file-name:unicode-normalised folder-date:not-kept keywords:renamed name:characters-replaced name:none-given name:reserved name:separator-replaced name:trimmed name:unicode-normalised organisation:semicolon-replaced percent:rounded reminder:over scheduling:delivery-note scheduling:force-send text:control-characters versions:date-changed", {}],
["change", "private", "sensitivity:no-class sensitivity:not-marked sensitivity:privacy-of-occurrence", {"en": ["Private entries", "Some entries may no longer carry the mark “private”."], "de": ["Private Einträge", "Einige Einträge tragen vielleicht nicht mehr das Kennzeichen „privat“."], "fr": ["Entrées privées", "Certaines entrées ne portent peut-être plus la marque « privé »."]}],
["change", "sharing-wider", "share:narrower-than-parent share:several-rights share:share-differs", {"en": ["Files that others can see", "Some files or folders are shared otherwise than before. Somebody may see or change more than they could."], "de": ["Dateien, die andere sehen können", "Einige Dateien oder Ordner sind anders freigegeben als vorher. Jemand kann vielleicht mehr sehen oder ändern."], "fr": ["Fichiers que d’autres peuvent voir", "Certains fichiers ou dossiers sont partagés autrement qu’avant. Quelqu’un peut peut-être voir ou modifier davantage."]}],
["change", "sharing", "share:external share:group-unknown share:held-back share:link-password share:link-refused share:not-understood share:organisation-link share:other-rights share:person-later share:person-unknown share:refused share:unreadable", {"en": ["Files that you had shared", "Some files or folders are no longer shared with all the people who had access, or a link to them is gone."], "de": ["Dateien, die Sie freigegeben hatten", "Einige Dateien oder Ordner sind nicht mehr für alle freigegeben, die Zugriff hatten, oder ein Link darauf fehlt."], "fr": ["Fichiers que vous aviez partagés", "Certains fichiers ou dossiers ne sont plus partagés avec tous ceux qui y avaient accès, ou un lien vers eux a disparu."]}],
["change", "times", "all-day:not-at-midnight end:before-start end:clock-change series:hour-twice start:not-in-series time-zone:zone-of-target", {"en": ["Day and time of appointments", "The day, the time or the length of some appointments may differ."], "de": ["Tag und Uhrzeit von Terminen", "Bei einigen Terminen können der Tag, die Uhrzeit oder die Dauer abweichen."], "fr": ["Jour et heure des rendez-vous", "Le jour, l’heure ou la durée de certains rendez-vous peuvent être différents."]}],
["change", "single-days", "deleted-occurrence:not-told modified-occurrence:not-in-series modified-occurrence:not-kept modified-occurrence:only-times-known modified-occurrence:twice", {"en": ["Single days of a series", "A day that you had deleted may take place again. A day that you had changed may show what the whole series says."], "de": ["Einzelne Tage einer Serie", "Ein Tag, den Sie gelöscht hatten, findet vielleicht wieder statt. Ein Tag, den Sie geändert hatten, zeigt vielleicht, was für die ganze Serie gilt."], "fr": ["Un jour d’une série", "Un jour que vous aviez supprimé peut avoir lieu de nouveau. Un jour que vous aviez modifié peut montrer ce qui vaut pour toute la série."]}],
["change", "state", "state:shown-as-confirmed state:unknown-value", {"en": ["Tentative and cancelled appointments", "They look like firm appointments."], "de": ["Vorläufige und abgesagte Termine", "Sie sehen aus wie feste Termine."], "fr": ["Rendez-vous provisoires ou annulés", "Ils ont l’air de rendez-vous fermes."]}],
["change", "silent-meetings", "scheduling:agent-client", {"en": ["Changes to a meeting", "If you change or cancel one of these meetings, the guests may not get a message."], "de": ["Änderungen an einer Besprechung", "Wenn Sie eine dieser Besprechungen ändern oder absagen, bekommen die Gäste vielleicht keine Nachricht."], "fr": ["Modifications d’une réunion", "Si vous modifiez ou annulez une de ces réunions, les invités ne reçoivent peut-être pas de message."]}],
["change", "organizer", "organizer:stays-behind organizer:unknown", {"en": ["Meetings that somebody else called", "These meetings stand in your calendar by themselves. If the person who called one changes it, your entry does not follow."], "de": ["Besprechungen, zu denen andere eingeladen haben", "Diese Besprechungen stehen in Ihrem Kalender für sich. Wenn die einladende Person etwas ändert, ändert sich Ihr Eintrag nicht mit."], "fr": ["Réunions organisées par d’autres", "Ces réunions sont dans votre agenda à part entière. Si la personne qui les a organisées change quelque chose, votre entrée ne suit pas."]}],
["change", "guests", "attendee:guests-of-series attendee:not-in-shared-meeting attendee:not-kept attendee:too-many", {"en": ["Guests of a meeting", "Somebody may be missing from the list of guests, or a single day may have the guests of the whole series."], "de": ["Gäste einer Besprechung", "In der Gästeliste fehlt vielleicht jemand, oder an einem einzelnen Tag stehen die Gäste der ganzen Serie."], "fr": ["Invités d’une réunion", "Quelqu’un manque peut-être dans la liste des invités, ou un jour isolé a les invités de toute la série."]}],
["change", "guests-visible", "attendee:list-was-hidden", {"en": ["Who sees the guests", "The list of guests was hidden. Now everybody who is invited can see it."], "de": ["Wer die Gäste sieht", "Die Gästeliste war verborgen. Jetzt können alle Eingeladenen sie sehen."], "fr": ["Qui voit les invités", "La liste des invités était masquée. Maintenant toutes les personnes invitées peuvent la voir."]}],
["change", "answers", "attendee:answer-of-occurrence attendee:answer-stays attendee:proposed-time attendee:unknown-answer own-answer:differs-in-shared-meeting", {"en": ["Answers to invitations", "Some answers (yes, no, perhaps) are not the newest, or a proposal for another time is missing."], "de": ["Antworten auf Einladungen", "Einige Antworten (ja, nein, vielleicht) sind nicht die neuesten, oder ein Vorschlag für eine andere Zeit fehlt."], "fr": ["Réponses aux invitations", "Certaines réponses (oui, non, peut-être) ne sont pas les plus récentes, ou une proposition d’une autre heure manque."]}],
["change", "own-part", "shared-meeting:own-part-not-kept", {"en": ["Your own settings for a meeting", "A meeting with colleagues is there once for everybody. What you alone had set is missing: a reminder, a category, a note."], "de": ["Ihre eigenen Angaben zu einer Besprechung", "Eine Besprechung mit Kolleginnen und Kollegen gibt es einmal für alle. Was nur Sie eingestellt hatten, fehlt: eine Erinnerung, eine Kategorie, eine Notiz."], "fr": ["Vos propres réglages d’une réunion", "Une réunion avec des collègues existe une seule fois pour tous. Ce que vous aviez réglé pour vous-même manque : un rappel, une catégorie, une note."]}],
["change", "occurrence-alone", "series:occurrence-alone", {"en": ["One day of somebody else's series", "The appointment stands by itself, as the series is not in your calendar."], "de": ["Einzelner Tag einer fremden Serie", "Der Termin steht für sich, denn die Serie ist nicht in Ihrem Kalender."], "fr": ["Un jour isolé d’une série", "Le rendez-vous est à part entière, car la série n’est pas dans votre agenda."]}],
["change", "series-end", "series:end-added", {"en": ["Series without an end", "They now end in ten years."], "de": ["Serien ohne Ende", "Sie enden jetzt in zehn Jahren."], "fr": ["Séries sans fin", "Elles se terminent désormais dans dix ans."]}],
["change", "repeating-tasks", "recurrence:completed recurrence:current-occurrence-only recurrence:regenerates recurrence:rule-not-kept", {"en": ["Tasks that repeat", "The task is there once. It does not come back by itself."], "de": ["Aufgaben, die sich wiederholen", "Die Aufgabe ist einmal da. Sie kommt nicht von selbst wieder."], "fr": ["Tâches qui se répètent", "La tâche est là une fois. Elle ne revient pas d’elle-même."]}],
["change", "reminder", "reminder:action-not-kept reminder:first-occurrence-only reminder:impossible-time reminder:no-alarms reminder:no-time reminder:not-kept", {"en": ["Reminders", "Some reminders are missing."], "de": ["Erinnerungen", "Einige Erinnerungen fehlen."], "fr": ["Rappels", "Certains rappels manquent."]}],
["change", "attachment", "attachment:left-out attachment:not-kept attachment:not-readable attachment:refused-by-target attachment:too-large", {"en": ["Attached files", "A file that was attached is missing."], "de": ["Angehängte Dateien", "Eine angehängte Datei fehlt."], "fr": ["Fichiers joints", "Un fichier joint manque."]}],
["change", "text-cut", "links:too-long location:shortened name:shortened text:shortened text:truncated title:shortened", {"en": ["Long texts", "A text was too long, and only its beginning is there; or a long link is missing."], "de": ["Lange Texte", "Ein Text war zu lang, und nur sein Anfang ist da; oder ein langer Link fehlt."], "fr": ["Textes longs", "Un texte était trop long, et seul son début est là ; ou bien un long lien manque."]}],
["change", "address", "address:no-address address:not-in-directory address:unknown-kind email:no-internet-address email:not-taken email:unresolved-address members:unresolved-address", {"en": ["Addresses of people", "An address could not be taken over. A distribution list may lack that member."], "de": ["Adressen von Personen", "Eine Adresse ließ sich nicht übernehmen. In einer Verteilerliste fehlt dieses Mitglied vielleicht."], "fr": ["Adresses de personnes", "Une adresse n’a pas pu être reprise. Il manque peut-être ce membre dans une liste de distribution."]}],
["change", "photo", "photo:not-read photo:one-only photo:too-large photo:unknown-format", {"en": ["Pictures of contacts", "The picture of a contact is missing."], "de": ["Bilder von Kontakten", "Das Bild eines Kontakts fehlt."], "fr": ["Photos de contacts", "La photo d’un contact manque."]}],
["change", "list", "list:name-and-members-only members:not-linked", {"en": ["Distribution lists", "The name and the members are there. Notes on the list may be missing, and it does not follow when a contact changes."], "de": ["Verteilerlisten", "Der Name und die Mitglieder sind da. Notizen zur Liste fehlen vielleicht, und sie ändert sich nicht mit, wenn sich ein Kontakt ändert."], "fr": ["Listes de distribution", "Le nom et les membres sont là. Des notes sur la liste manquent peut-être, et elle ne suit pas quand un contact change."]}],
["change", "dates-missing", "anniversary:unreadable birthday:unreadable due:unreadable start:unreadable", {"en": ["Dates", "A birthday, an anniversary or the date of a task could not be read, and is missing."], "de": ["Daten und Jahrestage", "Ein Geburtstag, ein Jahrestag oder das Datum einer Aufgabe war nicht lesbar und fehlt."], "fr": ["Dates", "Un anniversaire, une date de fête ou la date d’une tâche n’était pas lisible et manque."]}],
["change", "fields", "free-busy:not-kept other:not-kept user-defined:left-out", {"en": ["Rarely used fields", "Fields of your own are missing, or fields that few programs show (for example mileage)."], "de": ["Selten benutzte Felder", "Eigene Felder fehlen, oder Felder, die nur wenige Programme zeigen (zum Beispiel gefahrene Kilometer)."], "fr": ["Champs rarement utilisés", "Il manque des champs que vous aviez créés, ou que peu de programmes montrent (par exemple les kilomètres parcourus)."]}],
["change", "certificate", "certificate:left-out", {"en": ["Encrypted mail", "The certificate of a contact is missing."], "de": ["Verschlüsselte E-Mail", "Das Zertifikat eines Kontakts fehlt."], "fr": ["Courriel chiffré", "Le certificat d’un contact manque."]}],
["change", "follow-up", "flags:change-unreadable flags:keyword-not-kept flags:unknown-value follow-up:no-flags", {"en": ["Flags for follow-up", "Some flags for follow-up are missing."], "de": ["Kennzeichnung zur Nachverfolgung", "Einige Fähnchen zur Nachverfolgung fehlen."], "fr": ["Indicateurs de suivi", "Certains indicateurs de suivi manquent."]}],
["change", "categories", "categories:keyword-not-kept categories:not-kept categories:too-many keywords:limit-reached", {"en": ["Categories", "Some categories are missing."], "de": ["Kategorien", "Einige Kategorien fehlen."], "fr": ["Catégories", "Certaines catégories manquent."]}],
["change", "task-people", "assignment:not-shown people:not-kept", {"en": ["Whose task it is", "To whom a task was given, or whom it is about, is not shown any more."], "de": ["Wessen Aufgabe es ist", "Wem eine Aufgabe zugewiesen war oder um wen es in ihr geht, wird nicht mehr angezeigt."], "fr": ["À qui est la tâche", "La personne à qui une tâche était confiée, ou qu’elle concerne, n’est plus affichée."]}],
["change", "versions", "versions:left-behind versions:not-kept versions:unreadable", {"en": ["Older versions of files", "The newest version is there. Not all older ones are."], "de": ["Ältere Fassungen von Dateien", "Die neueste Fassung ist da. Von den älteren sind es nicht alle."], "fr": ["Anciennes versions de fichiers", "La version la plus récente est là. Les plus anciennes n’y sont pas toutes."]}],
["change", "folder-name", "folder-name:refused-by-target folder-name:rename-refused name:flattened name:path-shortened name:taken name:truncated", {"en": ["Names of folders", "Some folders have a slightly different name, or lie in another place."], "de": ["Namen von Ordnern", "Einige Ordner heißen etwas anders oder liegen an einer anderen Stelle."], "fr": ["Noms des dossiers", "Certains dossiers ont un nom un peu différent, ou sont à un autre endroit."]}],
["change", "folder-left", "folder-name:left-empty", {"en": ["Folders that you had deleted", "They are still there, empty."], "de": ["Ordner, die Sie gelöscht hatten", "Sie sind noch da, aber leer."], "fr": ["Dossiers que vous aviez supprimés", "Ils sont encore là, vides."]}],
["change", "file-name", "file-name:characters-replaced file-name:reserved file-name:taken file-name:truncated", {"en": ["Names of files", "Some files have a slightly different name. A document that links to one may not find it."], "de": ["Namen von Dateien", "Einige Dateien heißen etwas anders. Ein Dokument, das auf eine davon verweist, findet sie vielleicht nicht."], "fr": ["Noms des fichiers", "Certains fichiers ont un nom un peu différent. Un document qui renvoie à l’un d’eux ne le trouve peut-être pas."]}],
["change", "message-rebuilt", "body:mime-rebuilt", {"en": ["Messages that were put together again", "The old system could not give them as they had been received. They may look different, and a digital signature may no longer be valid."], "de": ["Nachrichten, die neu zusammengesetzt wurden", "Das alte System konnte sie nicht so herausgeben, wie sie angekommen waren. Sie sehen vielleicht anders aus, und eine digitale Signatur ist vielleicht nicht mehr gültig."], "fr": ["Messages recomposés", "L’ancien système ne pouvait pas les donner tels qu’ils avaient été reçus. Leur aspect peut être différent, et une signature électronique peut ne plus être valable."]}],
["change", "one-calendar", "name:in-one-container", {"en": ["One calendar", "The new system has one calendar for each person. What lay in another calendar is in it."], "de": ["Ein einziger Kalender", "Das neue System hat für jede Person einen Kalender. Was in einem anderen lag, steht jetzt in ihm."], "fr": ["Un seul agenda", "Le nouveau système a un agenda par personne. Ce qui était dans un autre agenda s’y trouve."]}],
["change", "availability", "show-as:free-or-busy show-as:outlook-only show-as:unknown-value", {"en": ["Availability", "Colleagues see you as free or busy, and no longer as “out of office” or “working elsewhere”."], "de": ["Verfügbarkeit", "Andere sehen Sie als frei oder gebucht, aber nicht mehr als „abwesend“ oder „an einem anderen Ort tätig“."], "fr": ["Disponibilité", "Vos collègues vous voient libre ou occupé, et non plus « absent » ou « travaillant ailleurs »."]}],
["change", "place", "location:addresses-of-several location:coordinates-not-kept location:impossible-coordinates location:note-not-kept", {"en": ["Places", "The name of a place is there. Its address, its point on the map or a note may be missing."], "de": ["Orte", "Der Name eines Ortes ist da. Seine Anschrift, sein Punkt auf der Karte oder eine Anmerkung fehlt vielleicht."], "fr": ["Lieux", "Le nom d’un lieu est là. Son adresse, son point sur la carte ou une remarque manque peut-être."]}],
["change", "picture-in-text", "attachment:not-in-text", {"en": ["Pictures inside a text", "The picture is among the attachments. The text has a gap in its place."], "de": ["Bilder im Text", "Das Bild liegt bei den Anhängen. Im Text ist an seiner Stelle eine Lücke."], "fr": ["Images dans un texte", "L’image est parmi les pièces jointes. À sa place, le texte a un vide."]}],
["change", "text-plain", "note:formatting text:formatting text:formatting-not-kept", {"en": ["Formatting", "All words are there. Bold type, colours and the like are not."], "de": ["Formatierung", "Alle Wörter sind da. Fettschrift, Farben und Ähnliches fehlen."], "fr": ["Mise en forme", "Tous les mots sont là. Le gras, les couleurs et le reste de la mise en forme n’y sont pas."]}],
["change", "task-steps", "steps:in-text", {"en": ["Steps of a task", "They are a list in the text of the task."], "de": ["Schritte einer Aufgabe", "Sie stehen als Liste im Text der Aufgabe."], "fr": ["Étapes d’une tâche", "Elles forment une liste dans le texte de la tâche."]}],
["change", "task-start", "start:after-due start:from-recurrence start:moved-to-due", {"en": ["Start of a task", "The start is missing, or is another day. The day on which the task is due is as it was."], "de": ["Beginn einer Aufgabe", "Der Beginn fehlt oder ist ein anderer Tag. Der Tag, an dem die Aufgabe fällig ist, ist derselbe."], "fr": ["Début d’une tâche", "Le début manque, ou c’est un autre jour. Le jour de l’échéance n’a pas changé."]}],
["change", "task-status", "status:no-equivalent status:unknown-value", {"en": ["State of a task", "“Waiting for someone” shows as in progress, and “deferred” as not started."], "de": ["Stand einer Aufgabe", "„Wartet auf jemand anderen“ erscheint als „in Bearbeitung“ und „zurückgestellt“ als „nicht begonnen“."], "fr": ["État d’une tâche", "« En attente de quelqu’un » apparaît comme en cours, et « reporté » comme non commencé."]}],
["change", "importance", "importance:keyword-not-kept importance:no-equivalent importance:unknown-value priority:not-kept", {"en": ["Importance", "High or low importance does not show in every program."], "de": ["Wichtigkeit", "Hohe oder niedrige Wichtigkeit zeigt nicht jedes Programm an."], "fr": ["Importance", "Tous les programmes ne montrent pas une importance haute ou basse."]}],
["change", "done-flags", "flags:follow-up-completed", {"en": ["Flags that you had ticked off", "What you had flagged and then ticked off as done has no flag now, and no tick. It is not flagged as still to do, either."], "de": ["Erledigte Kennzeichnungen", "Was Sie gekennzeichnet und dann als erledigt abgehakt hatten, hat jetzt weder Fähnchen noch Häkchen. Als noch zu tun ist es auch nicht gekennzeichnet."], "fr": ["Indicateurs cochés comme terminés", "Ce que vous aviez marqué, puis coché comme terminé, n’a plus ni indicateur ni coche. Ce n’est pas non plus marqué comme restant à faire."]}],
["change", "marks", "forwarded:keyword-not-kept last-verb:no-equivalent receipt:keyword-not-kept", {"en": ["What you did with a message", "The mark is missing that you forwarded it, voted or answered. You may be asked once more for a read receipt."], "de": ["Was Sie mit einer Nachricht getan haben", "Das Zeichen fehlt, dass Sie sie weitergeleitet, über etwas abgestimmt oder geantwortet haben. Vielleicht werden Sie noch einmal nach einer Lesebestätigung gefragt."], "fr": ["Ce que vous avez fait d’un message", "Il manque la marque que vous l’avez transféré, que vous avez voté ou répondu. On vous demandera peut-être encore une fois un accusé de lecture."]}],
["change", "date", "date:before-1970 date:in-the-future date:unknown modified:before-1970 modified:in-the-future modified:not-kept modified:unknown", {"en": ["Date in the list", "The list shows another date, often that of the move. The order may differ."], "de": ["Datum in der Liste", "Die Liste zeigt ein anderes Datum, oft das des Umzugs. Die Reihenfolge kann anders sein."], "fr": ["Date dans la liste", "La liste montre une autre date, souvent celle du transfert. L’ordre peut être différent."]}],
["change", "copy", "copy:changed-before-check copy:differs-at-source copy:kept-otherwise copy:unstable-at-source", {"en": ["Copies that differ", "The old and the new system show something differently. Somebody looked at it and accepted it."], "de": ["Kopien, die abweichen", "Das alte und das neue System zeigen etwas verschieden an. Jemand hat es sich angesehen und so angenommen."], "fr": ["Copies différentes", "L’ancien et le nouveau système montrent quelque chose différemment. Quelqu’un l’a regardé et accepté."]}],
["change", "rules", "rule:action-not-said rule:condition-narrower rule:condition-not-said rule:earlier-rule-lost rule:exception-not-said rule:folder-not-migrated rule:forward-as-redirect rule:mail-stays rule:not-supported rule:nothing-left rule:sends-out rule:too-long rule:was-broken", {"en": ["Rules for incoming mail", "Some of your rules are switched off, or do not do all that they did."], "de": ["Regeln für eingehende E-Mails", "Einige Ihrer Regeln sind ausgeschaltet oder tun nicht mehr alles."], "fr": ["Règles pour le courrier entrant", "Certaines de vos règles sont désactivées, ou ne font plus tout ce qu’elles faisaient."]}],
["change", "reply", "reply:again-after-a-month reply:formatting reply:known-senders", {"en": ["Automatic reply", "Your automatic reply answers as plain text, or is switched off for people outside."], "de": ["Automatische Antwort", "Ihre automatische Antwort kommt als reiner Text oder ist für Personen außerhalb ausgeschaltet."], "fr": ["Réponse automatique", "Votre réponse automatique part en texte brut, ou est désactivée pour les personnes extérieures."]}],
["change", "rights", "right:details right:meeting-copies right:own-items right:parts right:private-items right:send-on-behalf right:sources-differ", {"en": ["Rights that others have to your folders", "Some people may do less in your folders than before. Nobody may do more."], "de": ["Rechte anderer an Ihren Ordnern", "Einige dürfen in Ihren Ordnern weniger als vorher. Niemand darf mehr."], "fr": ["Droits d’autres personnes sur vos dossiers", "Certaines personnes peuvent faire moins qu’avant dans vos dossiers. Personne ne peut faire plus."]}],
["refusal", "too-large", "too-large", {"en": ["Too large", "They are larger than the new system allows."], "de": ["Zu groß", "Sie sind größer, als das neue System erlaubt."], "fr": ["Trop volumineux", "Ils sont plus volumineux que le nouveau système ne le permet."]}],
["refusal", "repetition", "date-out-of-range exception-without-origin occurrence-missing recurrence-not-kept start-missing unknown-recurrence unknown-time-zone", {"en": ["Dates that the new system cannot hold", "They repeat in a way, or lie at a time, that the new system cannot store."], "de": ["Zeiten, die das neue System nicht speichern kann", "Sie wiederholen sich so oder liegen zu einer Zeit, dass das neue System sie nicht speichern kann."], "fr": ["Dates que le nouveau système ne peut pas garder", "Ils se répètent d’une façon, ou ont lieu à un moment, que le nouveau système ne peut pas enregistrer."]}],
["refusal", "lists", "groups-unsupported", {"en": ["Distribution lists", "The new system keeps no distribution lists among the contacts."], "de": ["Verteilerlisten", "Das neue System führt keine Verteilerlisten bei den Kontakten."], "fr": ["Listes de distribution", "Le nouveau système n’a pas de listes de distribution parmi les contacts."]}],
["refusal", "withheld", "blocked-by-source", {"en": ["Held back by the old system", "The old system does not hand them out, for example because it takes them for malware."], "de": ["Vom alten System zurückgehalten", "Das alte System gibt sie nicht heraus, zum Beispiel weil es sie für Schadsoftware hält."], "fr": ["Retenus par l’ancien système", "L’ancien système ne les donne pas, par exemple parce qu’il les prend pour des logiciels malveillants."]}],
["refusal", "not-a-file", "not-a-file", {"en": ["Notebooks and shortcuts", "These are no files that could be copied."], "de": ["Notizbücher und Verknüpfungen", "Das sind keine Dateien, die man kopieren könnte."], "fr": ["Blocs-notes et raccourcis", "Ce ne sont pas des fichiers que l’on pourrait copier."]}],
["refusal", "name-taken", "name-taken", {"en": ["The name was taken", "Something else of the same name is already in the new system."], "de": ["Der Name war vergeben", "Im neuen System gibt es schon etwas mit demselben Namen."], "fr": ["Le nom était pris", "Le nouveau système contient déjà quelque chose du même nom."]}],
["refusal", "unreadable", "attachment-damaged body-missing corrupt-at-source hash-mismatch malformed-card malformed-record unknown-class unknown-format", {"en": ["Not readable", "The old system could not hand them over in a form that can be read."], "de": ["Nicht lesbar", "Das alte System konnte sie nicht in lesbarer Form herausgeben."], "fr": ["Illisibles", "L’ancien système n’a pas pu les donner sous une forme lisible."]}],
["refusal", "empty", "empty-message empty-series", {"en": ["Empty", "There is nothing in them: messages without content, or series of which every day was deleted."], "de": ["Leer", "Es ist nichts darin: Nachrichten ohne Inhalt, oder Serien, von denen jeder Tag gelöscht war."], "fr": ["Vides", "Il n’y a rien dedans : des messages sans contenu, ou des séries dont chaque jour était supprimé."]}],
["refusal", "twin", "delivered-already duplicate-uid meeting-twice moved-at-source", {"en": ["There already", "The same is in the new system already. Nothing is missing."], "de": ["Schon da", "Dasselbe ist bereits im neuen System. Es fehlt nichts."], "fr": ["Déjà là", "La même chose est déjà dans le nouveau système. Il ne manque rien."]}],
["stay", "delegates", "delegates folder-rights", {"en": ["Rights that you gave to others", "The new system has other rights."], "de": ["Rechte, die Sie anderen gegeben haben", "Das neue System hat andere Rechte."], "fr": ["Droits que vous avez donnés à d’autres", "Le nouveau système a d’autres droits."]}],
["stay", "inbox-rules", "inbox-rules", {"en": ["Rules for incoming mail", "The new system has rules of its own."], "de": ["Regeln für eingehende E-Mail", "Das neue System hat eigene Regeln."], "fr": ["Règles pour le courrier entrant", "Le nouveau système a ses propres règles."]}],
["stay", "reply", "reply-not-at-target", {"en": ["Automatic reply", "The new system does not send it by itself."], "de": ["Automatische Antwort", "Das neue System sendet sie nicht von selbst."], "fr": ["Réponse automatique", "Le nouveau système ne l’envoie pas de lui-même."]}],
["stay", "hours", "hours-not-at-target hours-unsaid", {"en": ["Working hours", "The new system does not know your working hours."], "de": ["Arbeitszeiten", "Das neue System kennt Ihre Arbeitszeiten nicht."], "fr": ["Heures de travail", "Le nouveau système ne connaît pas vos heures de travail."]}],
["stay", "hours-later", "hours-later setting-until-frozen", {"en": ["Working hours that are set later", "They are set when you begin to work in the new system."], "de": ["Arbeitszeiten, die später gesetzt werden", "Sie werden gesetzt, wenn Sie im neuen System zu arbeiten beginnen."], "fr": ["Heures de travail posées plus tard", "Elles sont posées quand vous commencez à travailler dans le nouveau système."]}],
["stay", "own-hours", "own-hours", {"en": ["Your own working hours", "You set working hours in the new system yourself. Those stay."], "de": ["Ihre eigenen Arbeitszeiten", "Sie haben im neuen System selbst Arbeitszeiten eingestellt. Diese bleiben."], "fr": ["Vos propres heures de travail", "Vous avez indiqué vous-même des heures de travail dans le nouveau système. Elles restent."]}],
["stay", "rights-later", "folder-later person-later right-until-frozen", {"en": ["Rights that are given later", "These people, or the folder, have yet to move. The right is given then."], "de": ["Rechte, die später vergeben werden", "Diese Personen oder der Ordner ziehen erst um. Das Recht wird dann vergeben."], "fr": ["Droits donnés plus tard", "Ces personnes, ou le dossier, doivent encore migrer. Le droit est donné ensuite."]}],
["stay", "rights-left", "right-denied right-for-everyone right-for-outsider right-not-at-source right-of-unknown right-of-unmoved-folder right-unsaid rights-untold send-as send-on-behalf", {"en": ["Rights that nobody has any more", "The new system does not know such a right, or the person."], "de": ["Rechte, die niemand mehr hat", "Das neue System kennt ein solches Recht oder die Person nicht."], "fr": ["Droits que plus personne n’a", "Le nouveau système ne connaît pas un tel droit, ou la personne."]}],
["stay", "lists", "distribution-lists", {"en": ["Personal distribution lists", "The old system does not hand them out."], "de": ["Persönliche Verteilerlisten", "Das alte System gibt sie nicht heraus."], "fr": ["Listes de distribution personnelles", "L’ancien système ne les donne pas."]}],
["stay", "notes", "notes", {"en": ["Sticky notes", "The old system does not hand them out."], "de": ["Haftnotizen", "Das alte System gibt sie nicht heraus."], "fr": ["Pense-bêtes", "L’ancien système ne les donne pas."]}],
["stay", "archive", "archive-mailbox", {"en": ["Online archive", "It was not read."], "de": ["Onlinearchiv", "Es wurde nicht gelesen."], "fr": ["Archive en ligne", "Elle n’a pas été lue."]}],
["stay", "in-trash", "deleted-folder", {"en": ["Deleted calendars and address books", "They lie among the deleted items."], "de": ["Gelöschte Kalender und Adressbücher", "Sie liegen bei den gelöschten Elementen."], "fr": ["Agendas et carnets d’adresses supprimés", "Ils sont parmi les éléments supprimés."]}],
["stay", "elsewhere", "appointment-in-mail-folder contact-in-calendar contact-in-mail-folder mail-in-calendar not-a-contact not-a-note not-a-task not-an-appointment note-in-calendar sticky-note-in-mail-folder task-in-calendar task-in-mail-folder", {"en": ["Entries in a folder of another kind", "For example an appointment that lies in a mail folder."], "de": ["Einträge in einem Ordner anderer Art", "Zum Beispiel ein Termin, der in einem Mailordner liegt."], "fr": ["Entrées dans un dossier d’un autre type", "Par exemple un rendez-vous qui se trouve dans un dossier de courrier."]}],
["stay", "of-others", "groups public-folders shared shared-folder", {"en": ["What belongs to others", "Shared calendars, groups and public folders do not move with your mailbox."], "de": ["Was anderen gehört", "Freigegebene Kalender, Gruppen und öffentliche Ordner ziehen nicht mit Ihrem Postfach um."], "fr": ["Ce qui appartient à d’autres", "Les agendas partagés, les groupes et les dossiers publics ne sont pas transférés avec votre boîte."]}],
["stay", "deep", "unreachable", {"en": ["Folders that lie very deep", "They could not be reached."], "de": ["Sehr tief liegende Ordner", "Sie waren nicht erreichbar."], "fr": ["Dossiers très profonds", "Ils n’étaient pas accessibles."]}],
["stay", "journal", "journal journal-entry journal-in-calendar journal-in-mail-folder", {"en": ["Journal", "The new system has no journal."], "de": ["Journal", "Das neue System hat kein Journal."], "fr": ["Journal", "Le nouveau système n’a pas de journal."]}],
["stay", "views", "flagged-emails search-folder virtual-folder", {"en": ["Search folders and views", "They only showed items of other folders. Those have moved with their own folders."], "de": ["Suchordner und Ansichten", "Sie zeigten nur, was in anderen Ordnern liegt. Das ist mit seinem eigenen Ordner umgezogen."], "fr": ["Dossiers de recherche et vues", "Ils montraient seulement ce qui est dans d’autres dossiers. Cela a été transféré avec son propre dossier."]}],
["stay", "holds", "holds", {"en": ["Kept for legal reasons", "Others decide what becomes of them."], "de": ["Aus rechtlichen Gründen aufbewahrt", "Was daraus wird, entscheiden andere."], "fr": ["Conservés pour des raisons juridiques", "D’autres décident de ce qu’ils deviennent."]}],
["stay", "deleted", "recoverable-items", {"en": ["Deleted for good", "You had deleted them, and the old system still kept them."], "de": ["Endgültig gelöscht", "Sie hatten es gelöscht, und das alte System bewahrte es noch auf."], "fr": ["Supprimés définitivement", "Vous les aviez supprimés, et l’ancien système les gardait encore."]}],
["stay", "other-kinds", "not-mail", {"en": ["Folders of another kind", "They belong to another part of your mailbox, for example to the calendar."], "de": ["Ordner anderer Art", "Sie gehören zu einem anderen Teil Ihres Postfachs, zum Beispiel zum Kalender."], "fr": ["Dossiers d’un autre type", "Ils font partie d’un autre contenu de votre boîte, par exemple de l’agenda."]}],
["stay", "technical", "associated-item free-busy-for-everyone hidden no-select reply-inside-only reply-without-text right-named-twice right-of-deleted right-of-owner right-to-nothing sync-issues system-folder", {"en": ["Technical data", "Hidden settings and folders of the programs. Nothing that you wrote is in them."], "de": ["Technische Daten", "Verborgene Einstellungen und Ordner der Programme. Nichts, was Sie geschrieben haben, ist darin."], "fr": ["Données techniques", "Des réglages et des dossiers cachés des programmes. Rien de ce que vous avez écrit n’y est."]}]
]
"""  # noqa: E501, RUF001 (written by handbook/verifier_words.py)
LANGUAGES = ("en", "de", "fr")


def fields_of(text: str, form: list[str]) -> list[str] | None:
    """Return what stands between the parts of a form; None for a text of another form.

    Each part is found where it stands last. A regular expression with as many gaps would take hours for a
    long text of a forged pack.
    """
    found, end = list[str](), len(text) - len(form[-1])
    if end < 0 or not text.endswith(form[-1]):
        return None
    for part in form[-2:0:-1]:
        start = text.rfind(part, 0, end)
        if start < 0:
            return None
        found.append(text[start + len(part) : end])
        end = start
    begins = text.startswith(form[0]) and len(form[0]) <= end
    return [text[len(form[0]) : end], *reversed(found)] if begins else None


class Speaker:
    """Say in a language what this file says in English. What has no translation is said in English.

    language: one of LANGUAGES.
    """

    def __init__(self, language: str = "en") -> None:
        self.language, place = language, LANGUAGES.index(language)
        blocks = [block.split("\n") for block in TEXTS.strip().split("\n\n")]
        self.texts = {block[0]: block[place] for block in blocks} if place else {}
        self.forms = [(text.split("{}"), own) for text, own in self.texts.items() if "{}" in text]
        self.classes, self.words = dict[str, str](), dict[tuple[str, str], list[str]]()
        for section, name, codes, told in parse_json(EVERYDAY.encode()):
            for code in codes.split():
                if section == "class":
                    self.classes[code] = name
                else:
                    self.words[section, code] = told[language]

    def __call__(self, text: str) -> str:
        """Return a text in this language; of one with a place before it (`data: …`), what comes after."""
        if text in self.texts or not self.texts:
            return self.texts.get(text, text)
        for form, own in self.forms:
            found = fields_of(text, form)
            if found is not None:
                return own.format(*[self.texts.get(one, one) for one in found])
        place, colon, rest = text.partition(": ")
        return f"{place}: {self(rest)}" if colon else text


def language_of(environment: dict[str, str]) -> str:
    """Return the language of a terminal, as far as this file speaks it."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    told = next((environment[name] for name in names if environment.get(name)), "")
    return told[:2].lower() if told[:2].lower() in LANGUAGES else LANGUAGES[0]


def find_packs(places: list[str], draw: Draw) -> list[Pack | Evidence]:
    """Return the packs at these places and right below them; and for what else is below, a note."""
    found = list[Pack | Evidence]()
    for top in map(Path, places):
        require(not top.is_file(), "is a file: unpack an archive, and give the folder", UNREADABLE)
        inner = [] if is_pack(top) else sorted(top.iterdir())
        packs = [one for one in (top, *inner) if is_pack(one)]
        found += [Pack(one, draw) for one in packs]
        folder = Evidence(top)
        folder.note_others([one.name for one in inner if one not in packs], "not a pack, not looked at")
        found += [folder] if folder.findings else []
    return found


def is_pack(folder: Path) -> bool:
    """Return whether a folder has something that a pack has."""
    return folder.is_dir() and bool({*os.listdir(folder)} & {*TAG_FILES, "data"})  # noqa: PTH208


def most_faulty(size: int, faults: int, confidence: float) -> float:
    """Return the largest share of faulty items in the whole that so many faults in a sample leave possible.

    It is the one-sided limit of Clopper and Pearson (1934): the share p at which so few faults would be found
    in 1 - confidence of all samples. This chance is the sum of C(size, k) p^k (1 - p)^(size - k) over all k
    from 0 to faults. The share is found by halving. Without faults it is 1 - (1 - confidence)^(1 / size). A
    sample without replacement, as this one, excludes a little more than that.
    """
    low, high = 0.0, 1.0
    for _ in range(50):
        share = (low + high) / 2
        chances = [comb(size, k) * share**k * (1 - share) ** (size - k) for k in range(faults + 1)]
        low, high = (share, high) if sum(chances) > 1 - confidence else (low, share)
    return high


SHOWN_RULES, SHOWN_ROWS = 20, 200  # in a line of text; in the page's table
CONFIDENCES, FAULTS = (0.9, 0.95, 0.99), range(4)
COLUMNS = "number,mailbox,workload,pass,line,verdict,rule,what to ask for,bytes at source,file,"
COLUMNS += "line of the file,sha256 of the file,item,folder,statement,ticket"
SHEET = COLUMNS.split(",")
HOW_TO_FILL_IN = (
    "Same content: yes or no. A converted item is right (yes) if all is the same but the parts that its rule "
    "names; write these parts under remarks.",
    "A fault is a no, or an item that is not found on one side.",
)
TO_FILL_IN = ("found at source", "found at target", "same content", "remarks", "who", "date")


def what_to_ask(line: dict[str, Any]) -> str:
    """Say what an auditor asks the operator for, to see an item on both systems."""
    if ":" not in line["dst"]:
        return "the item of this line, shown at the source and at the target"
    validity, uid = line["dst"].split(":")
    target = f"at the target, UID {uid} in the folder with UIDVALIDITY {validity}"
    if line["mid"]:
        return f"{target}; at the source, the message with the same Message-ID"
    what = "note" if line["workload"] == "notes" else "message (it has no Message-ID)"
    return f"{target}; at the source, this {what}, which the operator must show"


def sheet_rows(pack: Pack) -> list[tuple[str, ...]]:
    """Return the rows of a work sheet: a sampled item each, in the columns of SHEET."""
    rows = list[tuple[str, ...]]()
    for number, line in enumerate(pack.draw.drawn(), 1):
        name = f"{LINE_FOLDERS[1]}/{line['mailbox']}.jsonl.gz"
        row = [number, *(line[column] for column in ("mailbox", "workload", "pass", "i", "verdict"))]
        row += [line["rule"] or "", what_to_ask(line), "" if line["n"] is None else line["n"], name]
        row += [line["file_line"], pack.manifest[name], line["src"], line["box"]]
        rows.append(tuple(map(str, [*row, pack.digest, line["ticket"]])))
    return rows


def sample_text(draw: Draw) -> list[str]:
    """Say of what a sample was drawn, how, and what it shows."""
    count, what = len(draw.kept), draw.workload or "all workloads"
    lines = [f"{count} of {draw.population:,} items that arrived ({what}), drawn by the seed {draw.seed}"]
    if draw.word:
        lines.append(f"the seed is the SHA-256 of the statement's hash, a blank, and the word {draw.word!a}")
    if count == draw.population:
        lines.append("that is every one of them: the sample leaves nothing open")
        return lines
    for faults in FAULTS[: count + 1]:
        limits = [f"{most_faulty(count, faults, one):.1%} ({one:.0%})" for one in CONFIDENCES]
        told = f"at most (confidence) of the {draw.population:,} that arrived are: {', '.join(limits)}"
        lines.append(f"if {faults} of these are faulty, {told}")
    return lines


def rule_rows(pack: Pack) -> list[tuple[str, str, str, int]]:
    """Return verdict, rule, workload and count of all items that are not as they were, the most first."""
    rows, order = list[tuple[str, str, str, int]](), list(FATES)
    for (workload, verdict, rule), count in pack.rules.items():
        rows.append((verdict.decode(), "" if rule == b"null" else rule.decode(), workload.decode(), count))
    return sorted(rows, key=lambda row: (order.index(row[0]), -row[3], row))


def rule_lines(pack: Pack) -> Iterator[str]:
    """Say by which rules items are not as they were, a verdict a line."""
    for verdict, own in groupby(rule_rows(pack), key=itemgetter(0)):
        sums = Counter[str]()
        for _, rule, _, count in own:
            sums[rule] += count
        without = sums.pop("", 0)  # a verdict may need no rule
        told = [f"{rule} {count}" for rule, count in sums.most_common(SHOWN_RULES)]
        rest = sums.total() - sum(count for _, count in sums.most_common(SHOWN_RULES))
        told += [f"{len(sums) - SHOWN_RULES} other rules {rest}"] if rest else []
        told += [f"without a rule {without}"] if told and without else []
        yield ": ".join([f"{verdict} {sums.total() + without}", *([", ".join(told)] if told else [])])


def loss_lines(say: Speaker, pack: Pack) -> Iterator[str]:
    """Say what converted, failed and skipped items mean to people, the most first; a rule a line."""
    for verdict, rule, kind, count in rule_rows(pack)[:SHOWN_RULES]:
        if rule:
            kind_of_loss, told = everyday_words(say, verdict, rule)
            weight = f"{kind_of_loss}. " if kind_of_loss else ""
            yield f"{rule} {count} ({kind}): {weight}{told}"


def as_text(say: Speaker, found: list[Evidence], samples: list[Pack], code: int) -> str:
    """Return all findings and the verdict, line by line."""
    width = max(len(say(word)) for word in (*WORDS, "rules", "sample"))

    def line(word: str, text: str) -> str:
        return f"{say(word).ljust(width)} {text}"

    lines = [
        line(WORDS[finding], f"{one.path.name!a} {say(text)}")
        for one in found
        for finding, text in one.findings
    ]
    for one in found:
        if isinstance(one, Pack) and one.is_read:
            lines += [line("rules", f"{one.path.name!a} {text}") for text in rule_lines(one)]
            lines += [line("losses", f"{one.path.name!a} {text}") for text in loss_lines(say, one)]
    for pack in samples:
        lines += [line("sample", say(text)) for text in sample_text(pack.draw)]
        for row in sheet_rows(pack):
            told = dict(zip(SHEET, row, strict=True))
            names = ("number", "mailbox", "workload", "pass", "line", "verdict", "rule", "what to ask for")
            number, mailbox, workload, turn, place, verdict, rule, ask = (told[name] for name in names)
            where = f"{mailbox}, {workload}, {say('pass')} {turn}, {say('line')} {place}"
            fate = f"{verdict} ({rule})" if rule else verdict
            lines.append(line("sample", f"{number.rjust(3)}. {where}: {fate}; {say(ask)}"))
    return "\n".join([*lines, say(MEANINGS[code]), say("verdict: {}").format(say(WORDS[code]))])


def as_json(found: list[Evidence], samples: list[Pack], code: int) -> str:
    """Return the same as one JSON document."""
    kinds = {"packs": Pack, "proofs": Proof, "folders": Evidence}
    told: dict[str, Any] = {"verdict": WORDS[code], "exit": code, "meaning": MEANINGS[code]}
    say = Speaker()  # who reads JSON looks for the words of this file
    for name, kind in kinds.items():
        own = [one for one in found if type(one) is kind]
        told[name] = [
            {"pack": one.path.name, "statement": one.digest, "findings": one.findings} for one in own
        ]
    columns = ("verdict", "rule", "workload", "items")
    for one, shown in zip([one for one in found if type(one) is Pack], told["packs"], strict=True):
        shown["rules"] = [
            dict(zip(columns, row, strict=True))
            | dict(zip(("class", "meaning"), everyday_words(say, *row[:2]), strict=True))
            for row in rule_rows(one)
            if one.is_read
        ]
    for pack in samples:
        rows = [dict(zip(SHEET, row, strict=True)) for row in sheet_rows(pack)]
        told["sample"] = {"seed": pack.draw.seed, "of": pack.draw.population, "items": rows}
    return json.dumps(told, indent=2)


def as_csv(pack: Pack) -> str:
    """Return a work sheet for a spreadsheet: the sampled items, and columns that are to be filled in."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow((*SHEET, *TO_FILL_IN))
    writer.writerows((*row, *[""] * len(TO_FILL_IN)) for row in sheet_rows(pack))
    return file.getvalue()


# The page. It holds no script and loads nothing; all that is not written here goes through html_text.
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2330;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h3{font-size:1rem}
h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #c8ced8}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid #dfe3ea}
td,li{overflow-wrap:anywhere}td:first-child{min-width:6rem}
.scroll{overflow-x:auto}
.verdict{padding:.8rem 1rem;border:2px solid #8a4b00;background:#fff6e8}
.exit0{border-color:#1d6b34;background:#eef8f0}
.exit1{border-color:#a3161a;background:#fdeeee}
.sheet{font-size:.8rem}.sheet td{border:1px solid #8a93a3;height:2.4rem;overflow-wrap:normal}
.rules td:nth-child(2){min-width:9rem}.rules td:nth-child(6){min-width:16rem}
.rules td:nth-child(3),.rules td:nth-child(5){overflow-wrap:normal}
.work td:first-child{min-width:2rem}.work td:nth-child(2){white-space:nowrap}
.work td:nth-child(8){min-width:14rem}.work td:nth-child(n+9){min-width:3.5rem}
@media print{body{max-width:none;margin:0;font-size:10pt}tr{break-inside:avoid}h2,h3{break-after:avoid}}
@media print{.sheet{font-size:8pt}.scroll{overflow:visible}.work{page:wide}}
@page{margin:15mm}@page wide{size:landscape}
"""
HEAD = """<!doctype html>
<html lang="{}"><head><meta charset="utf-8"><title>{}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline'">
<style>{}</style></head><body><main><h1>{}</h1>"""
FATES = {
    "match": "copied, read back from the target, and found equal",
    "normalised": "copied and read back; the source gives the same content in other bytes each time",
    "converted": "copied, read back, and equal to what was written; named parts could not be carried over",
    "skipped": "stays at the source, by a rule",
    "failed": "was not copied, or was never found equal",
    "withdrawn": "was deleted or moved at the source before the end",
    "open": "is not settled yet",
}
RULES = {
    "": "as above",
    "not-ours": "deleted at the source; a copy that others put at the target stays there",
    "rekeyed": "the source lists it under another id since; the line of that id has its copy",
    "rebuilt": "the source was read once more, and says the same in other bytes",
    "unverified": "written, and never read back as equal",
}
RULES_TOLD = (
    "The rule of a converted item is part:reason, for each part that is not as at the source. The class "
    "says how much a loss matters: content is missing or says something else; a function works otherwise; "
    "or only the appearance differs. The sentences are those that people read on their own page; they "
    "come with this program, not from the pack."
)
CLASSES = ("content", "functional", "cosmetic")  # of losses, the gravest first
DETAIL = "a detail of appearance or of a rarely used function"
NO_PROOF = (
    "that the source told all it had. Compare the counts of folders with an export of your own.",
    "that the migration program told the truth. Draw a sample and look at both systems.",
    "that the items are at the target today. They were, when they were read back.",
    "that a loss did or did not matter. The rules above say what was lost.",
    "that times, states and approvals in it are true. They are the word of whoever signed.",
    "who had the signing key in hand.",
    "that this page is genuine, if somebody else made it. Run the command below yourself.",
)
NEXT = (
    "Write the hash of the statement and this verdict into your report.",
    "First compare the key, and the hash that you gave, with the paper, digit by digit. Then keep the pack "
    "as it is, ask for another copy by another route, and check that. Report what stays.",
    "Ask for what is missing, as the findings below name it, and check again.",
    "Ask for the hash of the statement in the signed protocol of acceptance, and give it with --root.",
    "See below what could not be read, and check again.",
)


def html_text(text: object) -> str:
    """Return a text for the page; characters that do not print, or turn the line, are spelled out."""
    plain = str(text)
    return escape(plain if plain.isprintable() else ascii(plain))


def html_table(
    say: Speaker, name: str, head: Iterable[str], rows: Iterable[Iterable[object]], kind: str = ""
) -> str:
    """Return a table. name: said by a screen reader; head: the names of its columns, maybe none.

    Who has no mouse can scroll it: it takes the focus.
    """
    names = "".join([f'<th scope="col">{html_text(say(one))}</th>' for one in head])
    lines = [f"<thead><tr>{names}</tr></thead>"] if names else []
    cells = ([f"<td>{html_text(one)}</td>" for one in row] for row in rows)
    lines += ["<tr>" + "".join(row) + "</tr>" for row in cells]
    label = f'class="scroll" tabindex="0" role="group" aria-label="{html_text(say(name))}"'
    return f'<div {label}><table class="{kind}">' + "\n".join(lines) + "</table></div>"


def html_list(say: Speaker, texts: Iterable[str]) -> str:
    """Return a list."""
    return "<ul>" + "\n".join([f"<li>{html_text(say(text))}</li>" for text in texts]) + "</ul>"


def html_evidence(say: Speaker, one: Evidence) -> str:
    """Return the part of the page about a pack, or a proof."""
    title = say("Pack {}" if isinstance(one, Pack) else "Proof {}").format(one.path.name)
    parts = [
        f"<h3>{html_text(title)}</h3>",
        html_table(say, title, (), [(say(name), told) for name, told in one.facts.items()]),
    ]
    if isinstance(one, Pack) and one.is_read:
        counts = [(word, one.verdicts[word], say(told)) for word, told in FATES.items()]
        rows = [(word, f"{count:,}", told) for word, count, told in counts if count]
        head = ("What became of the items", "Items", "Meaning")
        parts.append(html_table(say, head[0], head, rows))
        parts += html_rules(say, one)
    checked = [(say(WORDS[code]), say(text)) for code, text in one.findings if code != NOT_CHECKED]
    columns = ("Result", "What was checked")
    return "\n".join([*parts, html_table(say, columns[1], columns, checked)])


def rule_meaning(verdict: str, rule: str) -> str:
    """Say what a rule names; of a converted item, the parts that differ from the source, and why."""
    if verdict != "converted":
        return RULES.get(rule, FATES[verdict])
    parts = [part.partition(":") for part in re.split(",(?=[a-z-]+:)", rule)]
    told = [f"{field.replace('-', ' ')} ({reason.replace('-', ' ')})" for field, _, reason in parts]
    return f"all is there but: {', '.join(told)}"


def everyday_words(say: Speaker, verdict: str, rule: str) -> tuple[str, str]:
    """Return the gravest class of what a rule names, and what it means to the person; English if untold."""
    if verdict != "converted":
        told = say.words.get(({"failed": "refusal", "skipped": "stay"}.get(verdict, ""), rule))
        return "", ". ".join(told) if told else say(rule_meaning(verdict, rule))
    classes, texts = list[str](), list[str]()
    for part in re.split(",(?=[a-z-]+:)", rule):
        classes.append(say.classes.get(part, CLASSES[0]))
        is_known, told = part in say.classes, say.words.get(("change", part))
        name = rule_meaning(verdict, part).partition(": ")[2]
        texts.append(". ".join(told) if told else f"{name}: {say(DETAIL)}" if is_known else name)
    gravest = min(classes, key=CLASSES.index)
    return say(gravest), " ".join(f"{text.removesuffix('.')}." for text in texts)


def html_rules(say: Speaker, pack: Pack) -> list[str]:
    """Return the table of what is not as it was, and what its rules are."""
    rows = rule_rows(pack)
    if not rows:
        return []
    shown = [
        (verdict, rule or say("(none)"), kind, f"{count:,}", *everyday_words(say, verdict, rule))
        for verdict, rule, kind, count in rows[:SHOWN_ROWS]
    ]
    rest, more = sum(count for *_, count in rows[SHOWN_ROWS:]), f"{len(rows) - SHOWN_ROWS:,} more rows"
    shown += [(say("others"), "", "", f"{rest:,}", "", say(more))] if rest else []
    head = ("What is not match", "Rule", "Workload", "Items", "Class", "What it means to the person")
    title = "What is not match, by rule"
    table = html_table(say, title, head, shown, "rules")
    return [f"<h4>{html_text(say(title))}</h4>", table, f"<p>{html_text(say(RULES_TOLD))}</p>"]


def html_sample(say: Speaker, pack: Pack) -> str:
    """Return the work sheet of a sample, to be printed and filled in."""
    columns = ("number", "mailbox", "workload", "pass", "line", "verdict", "rule", "what to ask for")
    places = [SHEET.index(name) for name in columns]
    shown = ([row[place] for place in places] for row in sheet_rows(pack))
    rows = [[*row[:-1], say(row[-1]), *[""] * len(TO_FILL_IN)] for row in shown]
    texts = html_list(say, [*[f"{say(text)}." for text in sample_text(pack.draw)], *HOW_TO_FILL_IN])
    title = "Sample: work sheet"
    sheet = html_table(say, title, (*columns, *TO_FILL_IN), rows, "sheet")
    return f'<div class="work"><h2>{html_text(say(title))}</h2>{texts}{sheet}</div>'


def as_page(
    say: Speaker, found: list[Evidence], samples: list[Pack], code: int, about: dict[str, str]
) -> str:
    """Return a page for people who do not read the lines. about: how the check was made."""
    unseen = [
        f"{one.path.name}: {say(text)}"
        for one in found
        for finding, text in one.findings
        if finding == NOT_CHECKED
    ]
    unseen.append("approvals, decisions, scores and times: they are signed, and held against nothing else")
    verdict = say("Verdict: {} (exit code {}).").format(say(WORDS[code]), code)
    meaning = f"{html_text(say(MEANINGS[code]))}<br>{html_text(say(NEXT[code]))}"
    title, signed = say("Check of migration evidence"), ("Name and office", "Place and date", "Signature")

    def heading(text: str) -> str:
        return f"<h2>{html_text(say(text))}</h2>"

    parts = [
        HEAD.format(say.language, html_text(title), STYLE, html_text(title)),
        f'<p class="verdict exit{code}"><strong>{html_text(verdict)}</strong> {meaning}</p>',
        heading("What was checked"),
        *[html_evidence(say, one) for one in found if type(one) is not Evidence],
        heading("What was not looked at"),
        html_list(say, unseen),
        heading("What this verdict does not prove"),
        html_list(say, NO_PROOF),
        heading("How the check was made"),
        html_table(
            say, "How the check was made", (), [(say(name), say(told)) for name, told in about.items()]
        ),
        heading("Checked by"),
        html_table(say, "Checked by", signed, [("", "", "")], "sheet"),
        *[html_sample(say, pack) for pack in samples],
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


def read_input(option: str, name: str, read: Callable[[str], Any], what: str) -> Any:
    """Return what an option names. Raises VerificationFailed with what it should be."""
    try:
        return read(name)
    except VerificationFailed as error:
        problem = error.args[0] or f"is not {what}"
    except Exception as error:  # noqa: BLE001 (whatever is wrong with a key, a certificate or a folder)
        reason = error.strerror if isinstance(error, OSError) else None
        problem = f"cannot be read ({reason})" if reason else f"is not {what}"
    raise VerificationFailed(f"{option} {name!a} {problem}", UNREADABLE)


def read_certificates(name: str) -> list[x509.Certificate]:
    """Read the certificates of a PEM file."""
    return x509.load_pem_x509_certificates(Path(name).read_bytes())


def read_mailbox_key(name: str) -> dict[str, str]:
    """Read the key of a mailbox, as `kogge audit keys export` writes it."""
    told = parse_json(Path(name).read_bytes())
    require(len(bytes.fromhex(told["key"])) == 32 and isinstance(told["mailbox"], str), "")
    return {"key": told["key"], "mailbox": told["mailbox"]}


def write_new(option: str, name: str, text: str) -> None:
    """Write a file that is not there yet. Raises VerificationFailed."""
    try:
        with Path(name).open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise VerificationFailed(
            f"{option} {name!a} cannot be written ({error.strerror})", UNREADABLE
        ) from None


def root_hash(text: str) -> str:
    """Return a hash in small letters."""
    if not HASH_TEXT.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError("it must have 64 hexadecimal digits")
    return text.lower()


def plain_word(text: str) -> str:
    """Return the auditor's word."""
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError("it must be text that can be printed")
    return text


def sample_size(text: str) -> int:
    """Return how many items to draw."""
    if not re.fullmatch("[1-9][0-9]{0,4}", text) or int(text) > LARGEST_SAMPLE:
        raise argparse.ArgumentTypeError(f"it must be a number from 1 to {LARGEST_SAMPLE}")
    return int(text)


def parse_options(program: str, arguments: list[str]) -> argparse.Namespace:
    """Return the options. Raises SystemExit, after it said what is wrong."""
    usage = f"{program} PACK... --pubkey FILE [--root HEX] [--tsa-root FILE] [--report FILE] [--sample N]\n"
    usage += f"       {program} --proof FILE --pubkey FILE [--root HEX] [--message-id ID --keys FILE]"
    style = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(program, usage, __doc__, formatter_class=style, allow_abbrev=False)
    add = parser.add_argument
    add("packs", nargs="*", type=os.path.realpath, metavar="PACK", help="a pack, or a folder with packs")
    add(
        "--pubkey",
        action="append",
        metavar="KEY",
        help="who must have signed: a file, or ed25519:…; repeatable",
    )
    text = "SHA-256 of a wave.dsse.json, which came to you by another route; repeatable"
    add("--root", action="append", default=[], type=root_hash, metavar="HEX", help=text)
    add("--tsa-root", metavar="FILE", help="certificates (PEM) of authorities whose time stamps you trust")
    add(
        "--proof",
        action="append",
        default=[],
        type=os.path.realpath,
        metavar="FILE",
        help="a proof of an item",
    )
    add("--message-id", metavar="ID", help="the message that the proof must be of; takes --keys")
    add("--keys", metavar="FILE", help="the key of its mailbox")
    add(
        "--sample",
        type=sample_size,
        default=0,
        metavar="N",
        help="draw N items that arrived, to look at them",
    )
    add("--workload", choices=WORKLOADS, metavar="KIND", help="draw from one: " + ", ".join(WORKLOADS))
    add("--word", type=plain_word, metavar="TEXT", help="your own word in the seed of the sample")
    add("--sheet", metavar="FILE", help="write the sample as a work sheet (CSV)")
    add("--report", metavar="FILE", help="write a page (HTML) for people")
    add("--json", action="store_true", help="print one JSON document")
    add("--lang", choices=LANGUAGES, default=language_of(dict(os.environ)), help="language of text and page")
    options, unknown = parser.parse_known_args(arguments)
    refuse_unknown(parser, unknown)
    if not options.pubkey:
        parser.error("--pubkey KEY is needed: the signer's public key")
    if not options.packs and not options.proof:
        parser.error("give a PACK, or --proof FILE")
    if (options.message_id is None) != (options.keys is None) or (options.keys and not options.proof):
        parser.error("--message-id and --keys go together, with --proof")
    if not options.sample and (options.workload or options.word or options.sheet):
        parser.error("--workload, --word and --sheet go with --sample")
    return options


def refuse_unknown(parser: argparse.ArgumentParser, unknown: list[str]) -> None:
    """Refuse what is no option, and name the one that may be meant. Raises SystemExit."""
    for one in unknown:
        known = [name for action in parser._actions for name in action.option_strings]
        close = get_close_matches(one.partition("=")[0], known, 1)
        hint = f"; do you mean {close[0]}?" if close else ""
        parser.error(f"{one!a} is no option{hint}")


def refuse_place(option: str, name: str | None, found: list[Evidence]) -> None:
    """Refuse to write over a file, or into a pack, before all is checked."""
    if name is not None:
        place = Path(os.path.realpath(name))
        require(not os.path.lexists(name), f"{option} {name!a} is there already", UNREADABLE)
        is_inside = any(one.path in place.parents for one in found if isinstance(one, Pack))
        require(not is_inside, f"{option} {name!a} is in a pack, which must stay as it is", UNREADABLE)


def about_check(arguments: list[str], options: argparse.Namespace) -> dict[str, str]:
    """Say how a check was made, so that anybody can make it again."""
    own = sha256(Path(__file__).read_bytes()).hexdigest()
    about = {"When": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, by the clock of this machine"}
    command = shlex.join(["python", "-I", "verify_kogge.py", *arguments])
    about |= {"The same check again": command, "SHA-256 of this program": own}
    about |= {"Python": sys.version.split()[0], "cryptography": cryptography.__version__}
    for name in [*options.pubkey, *([options.tsa_root] if options.tsa_root else [])]:
        shown = f"SHA-256 of {Path(name).name}" if os.path.lexists(name) else "Key that you gave (--pubkey)"
        about[shown] = sha256(Path(name).read_bytes()).hexdigest() if os.path.lexists(name) else name
    about["Hashes that you gave (--root)"] = ", ".join(options.root) or "none"
    return about


def check_all(options: argparse.Namespace) -> list[Evidence]:
    """Check all that the options name. Raises VerificationFailed where that cannot begin."""
    keys = [read_input("--pubkey", one, public_key, "a public key") for one in options.pubkey]
    trusted, key = list[x509.Certificate](), None
    if options.tsa_root:
        trusted = read_input(
            "--tsa-root", options.tsa_root, read_certificates, "a file of certificates (PEM)"
        )
    if options.keys:
        key = read_input("--keys", options.keys, read_mailbox_key, "the key of a mailbox")
    draw, found = Draw(options.sample, options.workload, options.word or ""), list[Evidence]()
    for place in options.packs:
        found += read_input("PACK", place, lambda one: find_packs([one], draw), "a folder")
    packs = [one for one in found if isinstance(one, Pack)]
    require(packs or not options.packs, "there is no pack in these folders", UNREADABLE)
    require(len(packs) == 1 or not draw.size, "--sample is drawn from one pack: give one alone", UNREADABLE)
    for option, name in (("--report", options.report), ("--sheet", options.sheet)):
        refuse_place(option, name, found)
    for pack in packs:
        pack.check(keys, trusted)
    check_row(packs, set(options.root))
    for name in options.proof:
        proof = Proof(Path(name))
        proof.check(keys, set(options.root), packs, (options.message_id, key))
        found.append(proof)
    return found


def write_files(
    options: argparse.Namespace, given: list[str], found: list[Evidence], samples: list[Pack], code: int
) -> list[Evidence]:
    """Write sheet and page; return what could not be written, which is no verdict but for a worse one."""
    lost = Evidence(Path(options.sheet or options.report or ""))
    try:
        if options.sheet and samples:
            write_new("--sheet", options.sheet, as_csv(samples[0]))
        if options.report:
            lost.path = Path(options.report)
            page = as_page(Speaker(options.lang), found, samples, code, about_check(given, options))
            write_new("--report", options.report, page)
    except VerificationFailed as error:
        lost.findings.append((UNREADABLE, error.args[0]))
        return [lost]
    return []


def worst(found: list[Evidence]) -> int:
    """Return the exit code: the worst of all findings."""
    return next(code for code in WORST_FIRST if any(code in dict(one.findings) for one in found))


def main(arguments: list[str] | None = None, program: str = "") -> int:
    """Check all, write what was found, and return the exit code."""
    program, given = program or Path(sys.argv[0]).name, sys.argv[1:] if arguments is None else arguments
    try:
        options = parse_options(program, given)
        found = check_all(options)
    except (SystemExit, VerificationFailed) as end:
        if isinstance(end, SystemExit) and not end.code:
            return OK
        text = f"{end.args[0]}\n" if isinstance(end, VerificationFailed) else ""
        sys.stderr.write(f"{text}verdict: {WORDS[UNREADABLE]}\n")
        return UNREADABLE
    code = worst(found)
    packs = [one for one in found if isinstance(one, Pack) and one.is_read]
    samples = packs if options.sample and code not in (TAMPERED, UNREADABLE) else []
    found += write_files(options, given, found, samples, code)
    code = worst(found)
    told = (as_json if options.json else partial(as_text, Speaker(options.lang)))(found, samples, code)
    sys.stdout.write(told + "\n")
    if options.sample and not samples:
        sys.stderr.write("no sample is drawn from a pack that was changed, or not read to its end\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
