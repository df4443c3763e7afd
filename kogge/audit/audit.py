"""`kogge audit`: evidence of a wave, which anybody can check without Kogge."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from unicodedata import normalize

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from kogge.audit.locate import register as register_locate
from kogge.audit.reconcile import reconcile
from kogge.audit.sample import register as register_sample
from kogge.audit.verify import PackPath, register
from kogge.prepare.keys import PassphraseEnv, PassphraseFile, passphrase_of
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import (
    CODES,
    AsJson,
    ConfigPath,
    Decider,
    OneWave,
    Reason,
    Yes,
    chosen,
    echo,
    emit,
    given,
    help_text,
    progress_bar,
    refuse_unsure,
    say,
    screen,
)
from kogge.terminal.tables import table
from model.errors import Misconfigured

if TYPE_CHECKING:
    from ledger.store import Ledger

audit = typer.Typer(help="Seals, shows and checks the evidence of a wave.", no_args_is_help=True)

SigningKey = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="The private key to sign with (kogge keys new).")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="The directory that the pack goes into.")]
Incomplete = Annotated[
    bool, typer.Option("--incomplete", help="Seal what there is; the pack names what is missing.")
]
Correct = Annotated[
    str | None, typer.Option("--correct", metavar="REASON", help="A pack in place of the newest, and why.")
]
_AT = re.compile(r"@|\(\s*at\s*\)", re.IGNORECASE)
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be sealed; write nothing.")]


def seal(
    wave: OneWave,
    key: SigningKey = None,
    out: Out = Path(),
    incomplete: Incomplete = False,
    correct: Correct = None,
    passphrase_env: PassphraseEnv = None,
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
    config: ConfigPath = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Writes the evidence of a wave: what was at the source, what became of each item, signed.

    The pack (wave-NAME) names no owner, correspondent, address or subject, and is checked without Kogge
    (docs/evidence.md). A wave is sealed once all of it is verified, and once: another pack in its place says
    what it corrects; the same command again changes nothing. Interrupted, it goes on. Then have the pack
    time-stamped, or print its statement's hash into a protocol.

    Example: kogge audit seal --wave pilot --key operator.pem --out evidence
    """
    from evidence.reseal import interrupted
    from evidence.seal import SealRequest, outlook, write
    from kogge.shown import seal_messages as telling
    from model.signing_keys import read_key

    if key is None and not dry_run:
        raise Misconfigured("--key", "give the private key to sign with; `kogge keys new` makes one")
    settings = load(config)
    private = None if key is None else read_key(key, passphrase_of(passphrase_env, passphrase_file))
    reason = None if correct is None else _plain("--correct", correct, "it stands in the pack")
    secret = passphrase_env, passphrase_file
    asked = telling.SealOptions(wave, key, out, incomplete, reason, *secret, config, as_json)
    with opened_ledger(settings) as ledger, telling.advising(asked):
        chosen(settings, ledger, wave)
        order = None if private is None else SealRequest(wave, private, out, incomplete, reason)
        if dry_run or order is None:
            raise typer.Exit(telling.foretell(settings, ledger, asked, outlook(ledger, wave), order))
        if (done := interrupted(ledger, order)) is not None:
            say("An interrupted run had sealed it; its pack is in its place now.")
            raise typer.Exit(telling.tell(asked, done))
        found = outlook(ledger, wave)
        if (ended := telling.tell_sealed_already(asked, order, found)) is not None:
            telling.tell_in_use(ledger, asked)
            raise typer.Exit(ended)
        telling.refuse(asked, found)
        telling.tell_in_use(ledger, asked)
        telling.warn(ledger, order.key)
        with progress_bar("sealing", len(found.ready)) as advance:
            made = write(settings, ledger, order, found, advance)
    raise typer.Exit(telling.tell(asked, made))


def _plain(option: str, text: str | None, why: str) -> str:
    """Return a reason as given.

    Raises:
        Misconfigured: it names an address. It is stored for good, and others read it.
    """
    reason = given(option, text, why)
    if _AT.search(normalize("NFKC", reason)):
        raise Misconfigured(option, "names an address (it has @ or (at)); it is kept: name nobody in it")
    return reason


def show(pack: PackPath, as_json: AsJson = False) -> None:
    """Says what a pack states, for people. Checks nothing: `kogge audit verify` does.

    Example: kogge audit show evidence/wave-pilot
    """
    from kogge.shown.pack_summary import Shown, read

    shown: Shown = read(pack)
    if as_json:
        emit(shown.document())
        return
    for line in shown.lines():
        echo(line)
    screen().print(table(shown.columns, shown.rows))
    for line in shown.meanings():
        echo(line)
    place = shlex.quote(str(pack))
    say("Nothing of this was checked. The next command does that, and counts the items by rule and code:")
    say(f"  kogge audit verify {place} --pubkey operator.pub --root HEX --report check.html")


keys = typer.Typer(help="Makes, exports and destroys the keys of pseudonyms.", no_args_is_help=True)
One = Annotated[
    str, typer.Option("--mailbox", "-m", metavar="M", help="The mailbox (random id, or address).")
]

Unsealed = Annotated[
    bool,
    typer.Option("--unsealed", help="Destroy it though nothing of it was ever sealed: its evidence is lost."),
]


def create(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, readable for you alone.")
    ] = None,
) -> None:
    """Makes a key that wraps the keys of all mailboxes, for `[evidence] key`. Never overwrites.

    One machine alone needs none: it makes its own at the first run, next to the state directory. Several
    share one. Whoever loses it can no longer seal, and never again say whose line is whose.

    Example: kogge audit keys create --out evidence.key
    """
    import secrets
    from base64 import b64encode

    from model.signing_keys import write_key

    text = b64encode(secrets.token_bytes(32)).decode("ascii")
    if out is None:
        echo(text)
        say('Keep it in a file, for you alone. In kogge.toml: [evidence] key = { file = "evidence.key" }.')
        return
    write_key(out, text + "\n")
    say(f'The key is in {out}. In kogge.toml: [evidence] key = {{ file = "{out}" }}. Keep a copy elsewhere.')


def export(
    mailbox: One,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write it there, for you alone.")],
    by: Decider = None,
    config: ConfigPath = DEFAULT,
) -> None:
    """Gives out one mailbox's key, for an auditor who compares contents, or proves that a message arrived.

    Whoever has it can tell whether a message, a folder or an item they know of is in the pack. Recorded.

    Example: kogge audit keys export --mailbox m-7f3a9c01 --out m-7f3a9c01.key --by "A. Auditor"
    """
    from evidence.pack_keys import export_key

    who = given("--by", by, "who gets it is recorded")
    settings = load(config)
    with opened_ledger(settings) as ledger:
        export_key(settings, ledger, _number(settings, ledger, mailbox), out, who)
    say(f"The key is in {out}: give it to the auditor by a safe route, and delete it when they are done.")


def destroy(
    mailbox: One,
    by: Decider = None,
    reason: Reason = None,
    unsealed: Unsealed = False,
    yes: Yes = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Destroys one mailbox's key, for good: its lines in every pack name nobody any more, and still verify.

    That is how a person is erased from evidence. No pass can record this mailbox any more: do it after its
    last one, and after its wave is sealed. What servers said about it (kogge failures --server-words) is
    removed from this machine too. What backups of the ledger, exported keys or other machines hold of it must
    be destroyed there. Recorded.

    Example: kogge audit keys destroy --mailbox m-7f3a9c01 --by "D. P. Officer" --reason "Art. 17" --yes
    """
    from evidence.pack_keys import EXPORTED
    from ledger.inventory.keystore import destroy as destroy_key

    who = given("--by", by, "who decides is recorded")
    why = _plain("--reason", reason, "an auditor will ask")
    settings = load(config)
    with opened_ledger(settings) as ledger:
        (row,) = chosen(settings, ledger, None, [mailbox], by_line=False)
        number, wave = row.id, row.wave
        if not unsealed:
            _refuse_unsealed(ledger, wave, config)
        if not yes:
            _ask(number)
        _erase_words(settings, number)
        if not destroy_key(ledger.engine, number, who, why):
            raise Misconfigured("--mailbox", "its key was destroyed before")
    echo(f"the key of {number} is destroyed")
    log = next_command(config, f"log {shlex.quote(wave)}")
    say(f"Destroy it in backups of the ledger too, and every file that it was exported into: {log} names who")
    say(f"got one ({EXPORTED}).")


def _erase_words(settings: Config, number: str) -> None:
    """Remove what servers said about this mailbox from this machine."""
    from engine.control.server_words_file import FOLDER, Words

    try:
        Words(settings.state_directory).erase(number)
    except OSError as error:
        where = settings.state_directory / FOLDER
        raise Misconfigured(str(where), f"{number} cannot be removed from it ({error.strerror})") from None


def _refuse_unsealed(ledger: Ledger, wave: str, config: Path) -> None:
    """Raise Misconfigured if something of a wave is in no pack, because it never will be."""
    from kogge.shown.seal_messages import SealOptions
    from ledger.views.seal_chain import Seals

    seals = Seals(ledger)
    asked = SealOptions(wave, None, Path(), False, None, None, None, config)
    if not seals.all(wave):
        state, command = "was never sealed", asked.command()
    elif wave in seals.changed(wave):
        state, command = "changed since it was sealed", asked.correction()
    else:
        return
    raise Misconfigured(
        "--mailbox", f"its wave {state}; first: {command}. Or give --unsealed: then its evidence is lost"
    )


def _number(settings: Config, ledger: Ledger, name: str) -> str:
    (row,) = chosen(settings, ledger, None, [name])
    return row.id


def _ask(number: str) -> None:
    question = f"Destroy the key of {number}? It cannot be made again"
    refuse_unsure(question, "destroy", Misconfigured("destroy", "not destroyed"))


for _group, _commands in ((audit, (seal, show)), (keys, (create, export, destroy))):
    for _command in _commands:
        _group.command(help=help_text(_command), epilog=CODES, cls=GivenOnceCommand)(_command)
audit.add_typer(keys, name="keys")
register(audit)
register_sample(audit)
register_locate(audit)
audit.command(help=help_text(reconcile), epilog=CODES, cls=GivenOnceCommand)(reconcile)
