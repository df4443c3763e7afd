"""Say for `kogge audit seal` what a seal would be about, why it is refused, and what was sealed.

Every command that it names can be typed as it stands.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.config.hints import next_command
from engine.config.load import Config
from evidence.dsse import payload_in
from evidence.pack_keys import inspect_keys
from evidence.pack_reader import signer_in
from evidence.reseal import NotWhole, damaged, is_sealed_in, is_unpublished, sealed_already
from evidence.seal import Outlook, Sealed, SealRequest, other_signer, place_of
from kogge.shown.pack_summary import in_use_text, missing_text
from kogge.terminal.options import Exit, echo, emit, say
from ledger.db.rows import Phase
from ledger.inventory.keystore import DAMAGED
from ledger.inventory.lines import LATER
from ledger.store import Ledger
from ledger.views.seal_chain import Loose, SealRow, Seals
from model.date_text import date_of
from model.errors import Misconfigured
from model.plural import first_of, many
from model.signing_keys import line_of

SHOWN = 10
ALTERED = (DAMAGED, "inventory-broken")
"""The codes of mailboxes that an incomplete pack leaves out because their evidence was altered."""


@dataclass(frozen=True, slots=True)
class SealOptions:
    """Hold the options of the command, as they were typed.

    Attributes:
        wave: the wave to seal.
        key: the file of the signing key; None if it was not given.
        out: the folder in which packs are written.
        incomplete: True if a part of the wave may be sealed.
        correct: why the pack takes the place of an earlier one; None if it does not.
        passphrase_env: the variable that has the passphrase of the key; None for none.
        passphrase_file: the file that has it; None for none.
        config: the path of the configuration.
        as_json: True if standard output is for a script.
    """

    wave: str
    key: Path | None
    out: Path
    incomplete: bool
    correct: str | None
    passphrase_env: str | None
    passphrase_file: Path | None
    config: Path
    as_json: bool = False

    def line(self, text: str) -> None:
        """Print a line for people: on standard error if standard output is for a script."""
        (say if self.as_json else echo)(text)

    def command(self, *, incomplete: bool = False, correct: str | None = None) -> str:
        """Return the command again, with options that it lacked.

        Args:
            incomplete: True adds --incomplete.
            correct: the reason for --correct; None for the one that was typed, if any.
        """
        options: list[tuple[str, object]] = [("wave", self.wave), ("key", self.key or "operator.pem")]
        options += [("passphrase-env", self.passphrase_env), ("passphrase-file", self.passphrase_file)]
        if self.out != Path():
            options.append(("out", self.out))
        words = [f"--{name} {shlex.quote(str(value))}" for name, value in options if value is not None]
        words += ["--incomplete"] if incomplete or self.incomplete else []
        reason = self.correct if correct is None else correct
        words += [] if reason is None else [f"--correct {shlex.quote(reason)}"]
        return next_command(self.config, f"audit seal {' '.join(words)}")

    def correction(self) -> str:
        """Return the command that makes a pack in place of the sealed one."""
        return self.command(correct=self.correct or "why it takes the place of the other")


@contextmanager
def advising(asked: SealOptions) -> Iterator[None]:
    """Add to the error about a damaged pack the command that makes another pack.

    Raises:
        Misconfigured: in place of NotWhole.
    """
    try:
        yield
    except NotWhole as error:
        text = f"{error.why} make a pack in its place: {asked.correction()}"
        raise Misconfigured(error.where, text) from None


def warn(ledger: Ledger, key: Ed25519PrivateKey) -> None:
    """Warn on standard error if another key signed the newest seal."""
    if (found := other_signer(ledger, key)) is not None:
        for line in _other_key(*found, key):
            say(line)


def _other_key(newest: SealRow, signer: str, key: Ed25519PrivateKey) -> Iterator[str]:
    yield f"Warning: another key than that of seal {newest.number} (wave {newest.wave})."
    yield f"  that one  {signer}"
    yield f"  this one  {line_of(key)}"
    yield "The chain of seals holds, and whoever checks it needs both. Say in a protocol why there are two."


def foretell(
    settings: Config, ledger: Ledger, asked: SealOptions, found: Outlook, order: SealRequest | None
) -> Exit:
    """Print what a seal would be about, and whether it would be made. Write nothing.

    Args:
        settings: the configuration.
        ledger: an open ledger.
        asked: the options.
        found: what the seal would be about.
        order: what would be sealed; None without a key.

    Returns:
        OK if the seal would be made, or is there already. OPEN if it would not be made, or if the pack
        that is there is incomplete and that was not asked for.

    Raises:
        NotWhole: the pack that is there is damaged.
    """
    newest = found.newest
    asked.line(
        f"wave {asked.wave}: {len(found.ready):,} of {found.mailboxes:,} mailboxes have something to seal"
    )
    if newest is not None:
        asked.line(f"sealed before: {_which(newest)}")
        asked.line("it changed since then" if found.changed else "nothing changed since then")
    if order is not None and (other := other_signer(ledger, order.key)) is not None:
        asked.line("\n".join(_other_key(*other, order.key)))
    if newest is not None and _is_there(asked, order, found, newest):
        asked.line("dry run: nothing was written")
        return _incompletely(asked, newest)
    tell_in_use(ledger, asked)
    show_loose(asked, found)
    lacking = list(_lacking(settings, ledger, asked, found))
    for line in lacking:
        asked.line(f"needed: {line}")
    if found.ready:
        asked.line("\n".join(_outcome(ledger, asked, found)))
    asked.line("dry run: nothing was written")
    incomplete = bool(found.loose)
    command = asked.correction() if newest is not None else asked.command()
    if incomplete and not asked.incomplete:
        say(f"Finish the wave ({_status(asked)}), or seal what there is:")
        command = _with_incomplete(asked, newest)
    say(f"Next: {command}")
    return Exit.OPEN if lacking or not found.ready else Exit.OK


def _with_incomplete(asked: SealOptions, newest: SealRow | None) -> str:
    reason = None if newest is None else asked.correct or "why it takes the place of the other"
    return asked.command(incomplete=True, correct=reason)


def _is_there(asked: SealOptions, order: SealRequest | None, found: Outlook, newest: SealRow) -> bool:
    """Return True, and print why, if the run would seal nothing new.

    Its pack is there, or a run was interrupted that the same command finishes.

    Raises:
        NotWhole: the pack is damaged.
    """
    place = place_of(asked.out, asked.wave, newest.corrects, newest.number)
    if asked.correct is not None:
        if order is None or sealed_already(order, found) is None:
            return False
        asked.line(f"its pack is {place}, for that reason: the run would change nothing")
        return True
    if is_unpublished(asked.out, newest):
        asked.line("a run was interrupted then: the same command signs its pack and gives it its name")
        return True
    if found.changed or not place.is_dir():
        return False
    if not is_sealed_in(place, newest):
        raise damaged(place)
    asked.line(f"its pack is {place}: the run would change nothing. Another one in its place:")
    asked.line(f"  {asked.correction()}")
    return True


def _lacking(settings: Config, ledger: Ledger, asked: SealOptions, found: Outlook) -> Iterator[str]:
    """Yield what keeps the run from sealing."""
    if not found.ready:
        yield f"something to seal: {_migrate(asked)}"
    if found.at_work:
        yield "that the workers end: " + ", ".join(found.at_work[:SHOWN])
    if found.newest is not None and asked.correct is None:
        yield "--correct REASON: a pack in place of the one before says why"
    if found.newest is None and asked.correct is not None:
        yield "no --correct: the wave was never sealed, there is nothing to correct"
    if found.loose and not asked.incomplete:
        yield "--incomplete, or that what is not accounted for is finished first"
    evidence = inspect_keys(settings, ledger)
    if evidence.why:
        yield f"the key of keys: {evidence.why}"
    elif evidence.shut:
        yield f"a sound ledger: {evidence.line()}"
    place = _place(ledger, asked, found)
    if place.exists():
        yield f"another --out: {place} is there already, and is none of this ledger's"


def _place(ledger: Ledger, asked: SealOptions, found: Outlook) -> Path:
    corrects = None if found.newest is None else found.newest.number
    return place_of(asked.out, asked.wave, corrects, _number(ledger, asked))


def _number(ledger: Ledger, asked: SealOptions) -> int:
    newest = Seals(ledger).basis(asked.wave).newest
    return 1 if newest is None else newest.number + 1


def _outcome(ledger: Ledger, asked: SealOptions, found: Outlook) -> Iterator[str]:
    corrects = "" if found.newest is None else f", in place of seal {found.newest.number}"
    yield f"would be written: {_place(ledger, asked, found)}, seal {_number(ledger, asked)}{corrects}"
    boxes = many(len(found.ready), "mailbox", "mailboxes")
    yield (
        f"  {boxes}, {found.sections:,} sections, {found.lines:,} lines; "
        f"{len(found.loose):,} entries of what is incomplete"
    )


def tell_in_use(ledger: Ledger, asked: SealOptions) -> None:
    """Say on standard error how many mailboxes of the wave are in use at the target, unless all are."""
    rows = ledger.mailboxes(asked.wave)
    counts = Counter(str(row.phase) for row in rows)
    if counts.get(Phase.LIVE, 0) == len(rows):
        return
    say(f"In use: {in_use_text(counts)}.")
    if any(row.phase is not Phase.STAGING for row in rows):
        names = [row.id for row in rows if row.phase is not Phase.LIVE]
        say(f"  not in use: {first_of(names, SHOWN)}. After their cutover, seal with --correct.")


def show_loose(asked: SealOptions, found: Outlook) -> None:
    """Print what is not accounted for, by state and code, with the mailboxes, and who is at work."""
    counts = Counter((one.state, one.code) for one in found.loose)
    for (state, code), count in counts.most_common():
        asked.line(f"not accounted for: {missing_text(state, code, count)}")
        names = [_name(one) for one in found.loose if (one.state, one.code) == (state, code)]
        asked.line(f"  {first_of(names, SHOWN)}")
    if found.at_work:
        asked.line(f"at work now: {', '.join(found.at_work[:SHOWN])}")


def _name(one: Loose) -> str:
    return one.mailbox if one.section is None else f"{one.mailbox} {one.section}"


def tell_sealed_already(asked: SealOptions, order: SealRequest, found: Outlook) -> Exit | None:
    """Print what was sealed, if there is nothing new to seal.

    Returns:
        None if there is something to seal. Otherwise the exit code; see `tell`.

    Raises:
        Misconfigured: another key was given than the one that signed the pack.
        NotWhole: the pack is damaged.
    """
    done = sealed_already(order, found)
    if done is None:
        return None
    if (signer := signer_in(done.pack)) != line_of(order.key):
        raise Misconfigured(
            "--key",
            f"is not the one that the wave is sealed with already ({signer}); a pack that is signed with"
            f" {line_of(order.key)} says why: {asked.correction()}",
        )
    say(f"wave {asked.wave} is sealed already, as {_which(done.seal)}: {done.pack}. Nothing changed since.")
    return max(tell(asked, done), _incompletely(asked, done.seal))


def _incompletely(asked: SealOptions, seal: SealRow) -> Exit:
    """Return OPEN, and say what to do, if only a part is sealed and that was not asked for."""
    if asked.incomplete or seal.complete is not False:
        return Exit.OK
    say(f"That pack is incomplete. Finish the wave ({_status(asked)}), then: {asked.correction()}")
    return Exit.OPEN


def refuse(asked: SealOptions, found: Outlook) -> None:
    """End the command unless the wave may be sealed.

    Raises:
        Misconfigured: the wave is sealed already, --correct is wrong, or there is nothing to seal.
        typer.Exit: with OPEN, if the wave is incomplete or a worker is at it. What is missing is printed.
    """
    old = found.newest
    if asked.correct is None and old is not None:
        raise Misconfigured(
            "--wave", f"{asked.wave} is sealed already, as {_which(old)}: {_why(asked, found)}"
        )
    if asked.correct is not None and old is None:
        raise Misconfigured("--correct", "the wave was never sealed: there is nothing to correct")
    if found.complete or (asked.incomplete and not found.at_work):
        if not found.ready:
            raise Misconfigured("--wave", f"nothing of it was ever listed; first: {_migrate(asked)}")
        return
    show_loose(asked, found)
    if found.at_work:
        say(f"Not sealed: somebody works on it. Let that end, then: {asked.command()}")
    else:
        say(f"Not sealed. Finish the wave ({_status(asked)}); or seal what there is, and the pack names")
        say(f"what is missing: {asked.command(incomplete=True)}")
    raise typer.Exit(Exit.OPEN)


def _why(asked: SealOptions, found: Outlook) -> str:
    again = f"A pack in its place: {asked.correction()}"
    if found.changed:
        return f"it changed since then. {again}"
    place = asked.out.absolute()
    return (
        f"nothing changed since then, but its pack is not in {place}. Give the --out of that time: a run that"
        f" was interrupted goes on there. {again}"
    )


def _which(seal: SealRow) -> str:
    return f"seal {seal.number} of {date_of(round(seal.at))} UTC"


def _migrate(asked: SealOptions) -> str:
    return next_command(asked.config, f"migrate --wave {shlex.quote(asked.wave)}")


def _status(asked: SealOptions) -> str:
    return next_command(asked.config, f"status --wave {shlex.quote(asked.wave)}")


def tell(asked: SealOptions, made: Sealed) -> Exit:
    """Print what was sealed, and how to anchor it.

    Returns:
        OPEN if mailboxes are left out because their evidence was altered; otherwise OK.
    """
    said = payload_in(made.pack)["predicate"]
    seal = made.seal
    if asked.as_json:
        emit({"pack": made.pack, "statement": seal.statement.hex(), **said})
    else:
        final = {verdict: count for verdict, count in said["verdicts"].items() if verdict != LATER}
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in final.items())
        echo(f"wave {seal.wave} is sealed as number {seal.number}: {said['items']:,} items ({counts})")
        if again := said["verdicts"].get(LATER):
            echo(f"{many(again, 'more line', 'more lines')}: the item is listed again later")
        for name, text in (
            ("pack", made.pack),
            ("statement", seal.statement.hex()),
            ("root", seal.root.hex()),
        ):
            echo(f"{name:10} {text}")
    if said["incomplete"]:
        count = len(said["incomplete"])
        are = "workload is" if count == 1 else "workloads are"
        say(f"Incomplete: {count:,} {are} missing or not accounted for.")
    pack = shlex.quote(str(made.pack))
    stamp = f"curl -H 'Content-Type: application/timestamp-query' --data-binary @{pack}/wave.tsq"
    say("Anchor it now, where Kogge and its operator cannot reach: print the statement's hash, which covers")
    say("all, into the protocol of acceptance that both sides sign; or have it time-stamped:")
    say(f"  {stamp} -o {pack}/wave.tsr URL-OF-THE-AUTHORITY")
    say("What auditors get, and how they check it: docs/auditors-guide.md (German and French beside it).")
    lost = {(one["code"], one["mailbox"]) for one in said["incomplete"] if one["code"] in ALTERED}
    for code in sorted({code for code, _ in lost}):
        _say_lost(code, sorted(mailbox for why, mailbox in lost if why == code))
    return Exit.OPEN if lost else Exit.OK


def _say_lost(code: str, lost: list[str]) -> None:
    say(f"Left out ({code}): what the ledger recorded of {first_of(lost, SHOWN)} was altered.")
    say("Compare the ledger with a backup of it; the pack names them as incomplete.")
