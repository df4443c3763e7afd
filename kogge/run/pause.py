"""`kogge pause`, `kogge resume`; and which waves may be worked on now."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import By, ConfigPath, OneWave, echo, given, say
from model.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from engine.pacing.watchdog import WavePolicy
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")]
OutsideHours = Annotated[
    bool,
    typer.Option(
        "--now", help="Run outside of the wave's window, too, or while it is paused; recorded, with --by."
    ),
]
WhoNow = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="With --now: who decides; recorded.")
]


def pause(wave: OneWave, by: By, reason: Why = "", config: ConfigPath = DEFAULT) -> None:
    """Stops a wave between two batches within seconds, on every machine; nothing of it begins until resumed.

    What is at work is settled and left pending, as paused. Recorded in the wave's event chain. A ledger
    whose database does not answer is waited for, as long as runs wait: they write nothing meanwhile.

    Example: kogge pause --wave wave-001 --by "Night shift" --reason "storage of the target is full"
    """
    _set(wave, True, by, reason, config)
    say(f"Next: {next_command(config, f'resume --wave {shlex.quote(wave)} --by NAME')}")


def resume(wave: OneWave, by: By, config: ConfigPath = DEFAULT) -> None:
    """Ends a pause of a wave, and starts nothing: `kogge migrate` does, or its schedule. Recorded.

    Example: kogge resume --wave wave-001 --by "Night shift"
    """
    _set(wave, False, by, "", config)
    say(f"Next: {next_command(config, f'migrate --wave {shlex.quote(wave)}')}")


def _set(wave: str, paused: bool, by: str, reason: str, config: ConfigPath) -> None:
    from engine.control.ledger_patience import LedgerPatience
    from ledger.plan.wave_control import set_paused

    decider = given("--by", by, "who decides is recorded")
    settings = load(config)
    patience = LedgerPatience(settings.run.ledger_patience_seconds, say=say)

    def decide(ledger: Ledger) -> bool:
        _refuse_unknown(settings, ledger, wave)
        return set_paused(ledger, wave, paused, decider, reason.strip())

    with opened_ledger(settings, patience=patience) as ledger:
        changed = patience.ask(lambda: decide(ledger))
    if paused:
        echo(f"wave {wave} is paused" if changed else f"wave {wave} was paused already")
    else:
        echo(f"wave {wave} is not paused any more" if changed else f"wave {wave} was not paused")


def _refuse_unknown(config: Config, ledger: Ledger, wave: str) -> None:
    """Raise Misconfigured for a wave of which nothing is planned.

    A name that was mistyped would stop nothing.
    """
    from engine.planning.missing_wave import missing_wave
    from ledger.plan.waves import Waves

    known = {row.name for row in Waves(ledger).all()} | {row.wave for row in ledger.mailboxes()}
    if wave not in known:
        raise Misconfigured("--wave", missing_wave(config, wave, known))


def that_may_run(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], override_by: str | None
) -> list[MailboxRow]:
    """Return the mailboxes whose waves may run now. The other waves are named and left out.

    Args:
        config: the configuration.
        ledger: is read.
        rows: the mailboxes.
        override_by: who lets those run that may not; a pause stays.

    Raises:
        Transient: none may run.
        Misconfigured: the plan cannot be used.
    """
    from engine.planning.maintenance_windows import CLOSED, refuse_closed
    from ledger.plan.wave_control import override

    closed: dict[str, Transient] = {}
    for wave in sorted({row.wave for row in rows}):
        try:
            refuse_closed(config, ledger, wave, datetime.now(UTC))
        except Transient as error:
            if override_by is None or error.code != CLOSED:
                closed[wave] = error
                continue
            override(ledger, wave, override_by)
            say(f"wave {wave} runs outside of its hours; recorded")
    left = [row for row in rows if row.wave not in closed]
    if closed and not left:
        raise next(iter(closed.values()))
    for reason in closed.values():
        say(f"left out: {reason}")
    return left


def may_look(ledger: Ledger, rows: Sequence[MailboxRow]) -> list[WavePolicy]:
    """Return what looking goes by: it may at any time, also while the wave is paused."""
    from engine.pacing.watchdog import WavePolicy
    from ledger.plan.waves import Waves

    waves = sorted({row.wave for row in rows})
    return [WavePolicy(wave, hours=False, pause=not Waves(ledger).read(wave).paused) for wave in waves]


def may_work(
    config: Config,
    ledger: Ledger,
    rows: Sequence[MailboxRow],
    what: str,
    now_by: str | None,
    *,
    paused_too: bool = True,
    ends: bool = True,
) -> list[WavePolicy]:
    """Return what the work goes by, for each wave that may be worked on now; others are named and left out.

    Args:
        config: the configuration.
        ledger: is read, and records who decided.
        rows: the mailboxes.
        what: the command.
        now_by: who lets it run outside of a wave's hours; recorded.
        paused_too: also while the wave is paused; a pause that comes later counts.
        ends: the work has to end with the wave's hours.

    Raises:
        Transient: none may run.
        Misconfigured: the plan cannot be used.
    """
    from engine.pacing.watchdog import WavePolicy
    from engine.planning.maintenance_windows import PAUSED, gate_of, next_opening_text
    from ledger.plan.wave_control import let_outside

    found: list[WavePolicy] = []
    closed: list[Transient] = []
    for wave in sorted({row.wave for row in rows}):
        opening, now = gate_of(config, ledger, wave), datetime.now(UTC)
        code = opening.refusal(now)
        if code is not None and (now_by is None or (code == PAUSED and not paused_too)):
            also = "; or with --now" if code == PAUSED and paused_too else ""
            closed.append(Transient(code, next_opening_text(opening, now) + also))
            continue
        if now_by is not None and (code is not None or opening.window is not None):
            let_outside(ledger, wave, now_by, what)
        found.append(WavePolicy(wave, now_by is None, code != PAUSED, ends))
    if closed and not found:
        raise closed[0]
    for reason in closed:
        say(f"left out: {reason}")
    return found
