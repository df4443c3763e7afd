"""`kogge audit verify`, `prove`, `verifier`: what an auditor does with a pack."""

from __future__ import annotations

import json
import re
import shlex
import sys
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import CODES, AsJson, Exit, echo, emit, help_text, say
from model.errors import Misconfigured

if TYPE_CHECKING:
    from evidence.message_proof import Checked, MailboxMails, ProofItem
    from evidence.pack_reader import MailboxKey

MISUSE = 4
VERDICTS = (
    "Exit codes: 0 ok; 1 tampered; 2 incomplete; 3 unanchored, all else is well; 4 no verdict, for wrong "
    "input or because something cannot be read; 130 interrupted. Of several, the first of 1, 4, "
    "2, 3 is given."
)
PROOFS = (
    "Exit codes: 0 it arrived, or the proof holds; 1 it did not, or the proof does not hold; 2 wrong input; "
    "3 the proof holds, but nothing anchors it; 130 interrupted."
)
LARGEST_PROOF = 1 << 26
"""Bytes: a statement, and a few lines of each item."""


UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
"""Whatever is wrong in a command line; Typer gives it no public name."""


class VerifyingCommand(GivenOnceCommand):
    """End a misuse with an exit code that does not look like a verdict."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line. Raise UsageError with the exit code MISUSE."""
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            error.exit_code = MISUSE  # type: ignore[attr-defined]
            raise


Packs = Annotated[
    list[Path], typer.Argument(metavar="PACK", help="Packs, or directories of packs.", show_default=False)
]
PACK = typer.Argument(metavar="PACK", help="The directory of a pack.")
PackPath = Annotated[Path, PACK]
PublicKeys = Annotated[
    list[str],
    typer.Option(
        "--pubkey",
        metavar="KEY",
        help="The signer's public key: a file (PEM, or a line ed25519:…), or that line; repeatable.",
    ),
]
Roots = Annotated[
    list[str] | None,
    typer.Option(
        "--root",
        metavar="HEX",
        help="The statement's hash, from the protocol of acceptance; repeatable. (A wave's root vouches for "
        "its items alone.)",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FILE", help="The mailbox's key (kogge audit keys export)."),
]


ProofFiles = Annotated[
    list[Path] | None,
    typer.Option("--proof", metavar="FILE", help="A proof of one item, held against the packs; repeatable."),
]
StampRoots = Annotated[
    Path | None,
    typer.Option("--tsa-root", metavar="FILE", help="Whose time stamps are trusted: certificates, PEM."),
]
ReportPage = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write a page (HTML) that says what was checked."),
]
Language = Annotated[
    str | None,
    typer.Option("--lang", metavar="LANG", help="Of text and page: en, de or fr; else as the terminal."),
]


def verify(
    packs: Packs,
    pubkey: PublicKeys,
    root: Roots = None,
    tsa_root: StampRoots = None,
    proof: ProofFiles = None,
    report: ReportPage = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Checks packs: signature, files, hash trees, sums, the chain of seals, and what anchors them.

    It runs the one file that `kogge audit verifier` prints, which knows nothing of Kogge. An auditor runs
    that one, on another machine.

    Example: kogge audit verify evidence/wave-pilot --pubkey operator.pub --root 5b1f… --report check.html
    """
    from evidence import verifier as auditor

    options = [f"--pubkey={one}" for one in pubkey] + [f"--root={one}" for one in root or ()]
    options += [] if tsa_root is None else [f"--tsa-root={tsa_root}"]
    options += [f"--proof={one}" for one in proof or ()]
    options += [] if report is None else [f"--report={report}"]
    options += [] if language is None else [f"--lang={language}"]
    options += ["--json"] if as_json else []
    raise typer.Exit(auditor.main([*options, "--", *map(str, packs)], "kogge audit verify"))


PUBLISHED = "docs/verifier.sha256"


def verifier(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, and print its SHA-256.")
    ] = None,
) -> None:
    """Prints the verifier: one Python file that needs the package cryptography, and nothing of Kogge.

    With --out it writes the file and prints its SHA-256, which is published with each release
    (docs/verifier.sha256): compare both before you trust the file.

    Example: kogge audit verifier --out verify_kogge.py
    """
    from evidence import verifier as auditor

    source = Path(auditor.__file__).read_bytes()
    if out is None:
        sys.stdout.write(source.decode("utf-8"))  # our own, byte for byte
        return
    try:
        with out.open("xb") as file:
            file.write(source)
    except OSError as error:
        raise Misconfigured("--out", f"{out} cannot be written ({error.strerror})") from None
    echo(f"{sha256(source).hexdigest()}  {out}")
    say(f"Compare it with {PUBLISHED} of this release, which you get by another route than this file.")


def prove(
    pack: Annotated[Path | None, PACK] = None,
    message_id: Annotated[
        str | None,
        typer.Option("--message-id", metavar="ID", help="As in the message's header: '<…>'."),
    ] = None,
    keys: KeyFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the proof there, for you alone.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Check a proof instead of making one.")
    ] = None,
    pubkey: Annotated[
        list[str] | None,
        typer.Option("--pubkey", metavar="KEY", help="With --check: the signer's public key; repeatable."),
    ] = None,
    root: Roots = None,
    as_json: AsJson = False,
) -> None:
    """Proves that a message arrived: finds it by its Message-ID, and writes a proof that needs no pack.

    A proof shows that a line was sealed. Which message the line is about, only the mailbox's key shows: give
    --message-id and --keys with --check, too. The one file checks proofs without Kogge: verify_kogge.py
    --proof.

    Example: kogge audit prove evidence/wave-pilot --message-id '<1@old.example>' --keys m-7f3a9c01.key
    """
    if proof is not None:
        if pack is not None or out is not None:
            raise Misconfigured("--check", "needs the proof alone: no PACK, no --out")
        raise typer.Exit(_check(proof, pubkey or [], root or [], message_id, keys, as_json))
    if pack is None:
        raise Misconfigured("PACK", "give a pack; or --check, and a proof")
    if pubkey or root:
        raise Misconfigured("--pubkey", "and --root go with --check")
    raise typer.Exit(_find(pack, _needed("--message-id", message_id), _needed("--keys", keys), out, as_json))


def _needed(option: str, value: Any) -> Any:
    if value is None:
        raise Misconfigured(option, "is missing")
    return value


def _find(pack: Path, message_id: str, keys: Path, out: Path | None, as_json: bool) -> Exit:
    from evidence.message_proof import find
    from evidence.pack_reader import read_key

    key = read_key(keys)
    found = find(pack, message_id, key)
    if as_json:
        told = {"mails": found.mails, "without_message_id": found.nameless, **found.document()}
        emit(told)
    else:
        for item in found.items:
            echo(_told(item))
        if not found.items:
            echo(f"{key.mailbox}: no mail in this pack has this Message-ID")
            say(
                f"Of {found.mails:,} mails {found.nameless:,} are recorded without one: they have none, or "
                "were never read. With another mailbox's key nothing is found, either."
            )
    say_unchecked(pack)
    if out is not None and found.items:
        _write(out, found)
    return Exit.OK if any(item.arrived for item in found.items) else Exit.OPEN


def say_unchecked(pack: Path) -> None:
    """Say on standard error that nothing was checked, after an answer out of a pack."""
    place = shlex.quote(str(pack))
    say(f"Nothing of this pack was checked here: kogge audit verify {place} --pubkey operator.pub --root HEX")


def _write(out: Path, found: MailboxMails) -> None:
    """Write a proof. Raise Misconfigured, which says that there is no proof."""
    from model.signing_keys import write_key

    try:
        write_key(out, json.dumps(found.document(), indent=1) + "\n")
    except Misconfigured as error:
        raise Misconfigured("the proof was not written", error.advice) from None
    check = f"--proof {shlex.quote(str(out))} --pubkey operator.pub --root HEX"
    say(f"The proof is in {out}. Anybody can check it: python -I verify_kogge.py {check}")


def _told(item: ProofItem) -> str:
    place, fate = item.place, item.fate
    line = f"{place['mailbox']}, {place['section']}, pass {place['pass']}, line {fate['i']} of {place['n']:,}"
    return f"{line}: {_fate(fate)}"


WITHDRAWN = {
    None: "was deleted at the source meanwhile, and is not at the target",
    "not-ours": "was deleted at the source meanwhile, and a copy that was not ours stays",
    "rekeyed": "has another id at the source since: the line of that id has its copy",
}


def _fate(fate: Any) -> str:
    where = f" (UIDVALIDITY:UID {fate['dst']})" if ":" in (fate["dst"] or "") else ""
    texts = {
        "match": f"arrived{where}, was read back, and is equal",
        "normalised": f"arrived{where}; the source renders it in other bytes that say the same",
        "converted": f"arrived{where}, without {fate['rule']}",
        "skipped": f"was skipped by a rule ({fate['rule']})",
        "failed": f"did not arrive ({fate['rule']})",
        "withdrawn": WITHDRAWN.get(fate["rule"], WITHDRAWN[None]),
        "later": f"was listed again: its fate stands in {fate['rule']}",
        "open": f"was not settled when the wave was sealed ({fate['rule']})",
    }
    return texts[fate["verdict"]]


def _check(
    proof: Path,
    pubkey: list[str],
    roots: list[str],
    message_id: str | None,
    keys: Path | None,
    as_json: bool,
) -> int:
    from evidence.message_proof import Standing, check, is_about
    from evidence.pack_reader import read_key

    if not pubkey:
        raise Misconfigured("--pubkey", "is missing: a proof is worth nothing without the key that signed it")
    if (message_id is None) != (keys is None):
        raise Misconfigured("--message-id", "goes with --keys: it takes both to know whose line it is")
    wrong = [root for root in roots if not re.fullmatch("[0-9a-fA-F]{64}", root)]
    if wrong:
        raise Misconfigured("--root", "is no root: it has 64 hexadecimal digits")
    key: MailboxKey | None = None if keys is None else read_key(keys)
    found = check(_bytes(proof), [_public(one) for one in pubkey], roots)
    other = key is not None and not all(is_about(item, message_id or "", key) for item in found.items)
    if as_json:
        emit(_checked(found, other))
    else:
        _show(found, other, known=key is not None)
    if found.standing is Standing.BROKEN or other:
        return Exit.OPEN
    return Exit.OK if found.standing is Standing.ANCHORED else Exit.AGAIN


def _bytes(proof: Path) -> bytes:
    try:
        told = proof.stat()
        if not S_ISREG(told.st_mode) or told.st_size > LARGEST_PROOF:
            raise Misconfigured("--check", "is no proof: that is a file of some kilobytes")
        return proof.read_bytes()
    except OSError as error:
        raise Misconfigured("--check", f"cannot be read ({error.strerror})") from None


def _public(key: str) -> object:
    from evidence import verifier as auditor
    from evidence.pack_reader import MALFORMED

    try:
        return auditor.public_key(key)
    except OSError as error:
        raise Misconfigured("--pubkey", f"cannot be read ({error.strerror})") from None
    except MALFORMED:
        raise Misconfigured("--pubkey", "is neither a public key in PEM nor a line ed25519:…") from None


def _checked(found: Checked, other: bool) -> dict[str, object]:
    return {
        "standing": "another message" if other else str(found.standing),
        "why": found.why,
        "wave": None if found.about is None else found.about["wave"],
        "statement": found.statement,
        "items": [{**item.place, **item.fate} for item in found.items],
    }


def _show(found: Checked, other: bool, *, known: bool) -> None:
    from evidence.message_proof import Standing

    if found.standing is Standing.BROKEN or found.about is None:
        echo(f"the proof does not hold: {found.why}")
        return
    for item in found.items:
        echo(_told(item))
    if other:
        echo("the proof holds, but is of another message, or of another mailbox than the key")
        return
    echo(f"the proof holds: wave {found.about['wave']!a}, root {found.about['root']}")
    echo(f"statement {found.statement}")
    if found.standing is Standing.UNANCHORED:
        say("Nothing anchors it: compare root or statement with the protocol of acceptance, or give --root.")
    if not known:
        say("Which message this is, only the mailbox's key shows: --message-id and --keys.")


def register(group: typer.Typer) -> None:
    """Add the commands of this file to the group `audit`."""
    group.command(help=help_text(verify), epilog=VERDICTS, cls=VerifyingCommand)(verify)
    group.command(help=help_text(prove), epilog=PROOFS, cls=GivenOnceCommand)(prove)
    group.command(help=help_text(verifier), epilog=CODES, cls=GivenOnceCommand)(verifier)
