"""Read the settings and rights of one mailbox at both sides, one line for each. Shown, and never stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from connectors.folder_rights.target import FORMAT as RIGHT
from connectors.settings import Account
from connectors.sieve.target import FORMAT as RULE
from engine.control.error_log import contain_defects
from engine.opening.open_sides import accounts, open_source, open_target
from engine.preflight.preflight import never, side_of
from ledger.db.rows import ContainerRow, ItemRow, MailboxRow, State
from ledger.views.report_rows import items_of, paths_of
from mappings.registry import ITEM_FORMS
from model.errors import Corrupt, MigrationError, Misconfigured, Rejected
from model.folder_rights import right_of
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Ref, Source, Target, key_of
from model.sieve_rule import rule_of
from model.taking_effect import Effect, TellsEffects

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.store import Ledger

SHOWN = (Kind.SETTINGS, Kind.PERMISSIONS)
"""The workloads whose items are shown, in this order."""
THERE, ABSENT, UNKNOWN = "there", "not there", "not known"
"""What an item that does not act by itself is at the target; what an item is that a side has no more, or of
which that side says nothing since it cannot be asked."""
MOST = 262_144
"""So many bytes of an item's text are shown, at most."""
SHORT = 40
"""So many characters of an action are shown on a screen."""
NOTHING = ("", "")
Located = tuple[ContainerRow, ItemRow]


@dataclass(frozen=True, slots=True)
class SettingLine:
    """Describe one item at both sides.

    Attributes:
        mailbox: the random id of the mailbox.
        kind: the workload.
        key: of the item, in hexadecimal.
        source: what the source says; UNKNOWN if it cannot be asked.
        target: what the target has, in short; "" if it has nothing.
        text: what the target has, as it was brought; "" if it has nothing.
        effect: what it does at the target: of model.taking_effect.Effect, THERE or ABSENT; UNKNOWN if the
            target cannot be asked.
        state: the item's fate.
        code: why the item is not there, or not yet; "" if the fate says all.
        losses: what it lost, each by field and reason.
    """

    mailbox: str
    kind: Kind
    key: str
    source: str
    target: str
    text: str
    effect: str
    state: State
    code: str
    losses: tuple[str, ...]


@dataclass(slots=True)
class Sides:
    """Hold what both sides said.

    Attributes:
        lines: the items.
        faults: why a side could not be read: the mailbox's id, the side's name, and a code.
    """

    lines: list[SettingLine] = field(default_factory=list)
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    @contextmanager
    def noting(self, side: str, mailbox: MailboxRow) -> Iterator[None]:
        """Note why a side cannot be read, in place of raising it."""
        try:
            with contain_defects(mailbox.id):
                yield
        except (Misconfigured, Corrupt):
            raise
        except MigrationError as error:
            self.faults.append((mailbox.id, side, error.code))


def both_sides(
    config: Config, ledger: Ledger, mailbox: MailboxRow, sides: Sides, kinds: Sequence[Kind] = SHOWN
) -> None:
    """Read the items of a mailbox's settings and rights at both sides, as far as these can be asked.

    Args:
        config: names the servers.
        ledger: an open ledger; nothing is recorded in it.
        mailbox: the mailbox.
        sides: takes what was read.
        kinds: of SHOWN, the workloads that are read.

    Raises:
        Misconfigured: the configuration does not allow to ask.
        Corrupt: an invariant of the ledger is broken.
    """
    pair, paths = accounts(ledger, mailbox), paths_of(ledger, mailbox.id)
    lines: list[SettingLine] = []
    for leg in ledger.legs(mailbox=mailbox.id):
        kind = leg.workload
        if kind not in kinds or kind not in config.workloads:
            continue
        items = list(items_of(ledger, leg.id))
        said: dict[bytes, str] | None = None
        with (
            sides.noting(config.source.side(kind), mailbox),
            closing(open_source(config, pair.source, frozenset({kind}), looking=True)) as source,
        ):
            said = dict(_said(source, items, paths))
        there: dict[str, tuple[str, str]] | None = None
        effects: Mapping[str, Effect] = {}
        with sides.noting(side_of(kind), mailbox), closing(_target(config, pair.target, kind)) as target:
            there = dict(_there(target, items))
            effects = target.effects() if isinstance(target, TellsEffects) else {}
        lost: dict[bytes, list[str]] = defaultdict(list)
        for _, key, loss in ledger.losses(leg.id):
            lost[key].append(f"{loss.field} {loss.reason}")
        for _, item in items:
            href = item.href or ""
            stands = THERE if href in (there or {}) else ABSENT
            line = SettingLine(
                mailbox.id,
                kind,
                item.key.hex(),
                UNKNOWN if said is None else said.get(item.key, ABSENT),
                *(there or {}).get(href, NOTHING),
                UNKNOWN if there is None else str(effects.get(href, stands)),
                item.state,
                item.code or "",
                tuple(lost[item.key]),
            )
            lines.append(line)
    sides.lines += sorted(lines, key=lambda one: SHOWN.index(one.kind))


def _target(config: Config, account: Account, kind: Kind) -> Target:
    now = datetime.now(UTC)
    return open_target(config, account, kind, never, live=False, not_after=now, looking=True)


def _said(
    source: Source, items: Sequence[Located], paths: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[bytes, str]]:
    """Yield what the source calls each item that it still has, by key."""
    for _, group in groupby(items, key=lambda one: one[0].id):
        own = list(group)
        row = own[0][0]
        refs = [Ref(item.source_id, item.version) for _, item in own if item.state is not State.GONE]
        container = Container(row.kind, row.source_id, row.path, row.role)
        for native in source.fetch(container, refs, bodies=True):
            if isinstance(native, Failed):
                continue
            with suppress(Rejected):
                title = ITEM_FORMS[row.kind].title(native)
                path = paths.get(str(native.properties.get("Folder", "")))
                yield key_of(native.ref.id), f"{title}, in {' > '.join(path)}" if path else title


def _there(target: Target, items: Sequence[Located]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what the target has of each item, by its href: in short, and as it was brought."""
    for place, group in groupby(items, key=lambda one: one[0].href):
        hrefs = [item.href for _, item in group if item.href is not None]
        if place is None or not hrefs:
            continue
        for href, native in target.read(place, hrefs):
            if isinstance(native, Native) and native.body is not None:
                with native.body() as stream:
                    text = stream.read(MOST).decode(errors="replace")
                yield href, (_in_short(native.format, text), text)


def _in_short(form: str, text: str) -> str:
    """Return the text of an item for a screen: what a rule does, or who may do what in which folder."""
    try:
        if form == RULE:
            return " ".join(_shortened(action) for action in rule_of(text).actions)
        if form == RIGHT:
            right = right_of(text)
            return f"{right.who}: {right.words}, in {right.folder}"
    except ValueError:
        return _shortened(text)
    return _shortened(text.partition("\n")[0])


def _shortened(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
