"""Write rules to one account: a target for the set of its rules, and for its working hours.

What is written lies in a script that does not act, until `take_effect` is called (R17: what acts takes no
effect before an account is frozen).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import partial
from typing import BinaryIO, Final

from connectors.settings import Account
from connectors.sieve.dialects.dialect import block
from connectors.sieve.dialects.table import DIALECTS
from connectors.sieve.hours import HoursPart
from connectors.sieve.record import LINE_END, Kept, Record, digest_of, load, save
from connectors.sieve.session import Session
from connectors.sieve.settings import SieveSettings
from connectors.sieve.take_effect import TookEffect, acting_rules, give_back, take_effect, take_out
from model.errors import Blocked, MigrationError, Rejected
from model.kinds import Kind
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Listed,
    Native,
    Ref,
    Stored,
)
from model.sieve_limits import SieveLimits
from model.sieve_rule import quoted
from model.taking_effect import Effect
from model.working_hours import HOURS, AvailabilityStore

HREF: Final = "rules"
FORMAT: Final = "sieve-rule"
RULE_MOST: Final = 262_144
BATCH: Final = 1000


class SieveTarget:
    """Write rules to one account on one ManageSieve server.

    Implements `model.protocols.Target`. An item is one rule, its body the text of `model.sieve_rule`; its
    href is made of its key. A batch is one script, which the server replaces as a whole. Working hours are
    kept by another server (connectors.sieve.hours).
    """

    def __init__(
        self,
        settings: SieveSettings,
        account: Account,
        guard: Guard,
        *,
        kind: Kind,
        digest: Callable[[BinaryIO], bytes],
        live: bool = False,
        hours: AvailabilityStore | None = None,
    ) -> None:
        """Prepare the target; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to open.
            guard: the write fence; called before each change.
            kind: the kind of rules.
            digest: returns what a body means.
            live: True in the live phase: write only adds.
            hours: keeps the account's working hours; None if no server does.
        """
        self._hours = HoursPart(hours, digest=digest, live=live)
        self._dialect = DIALECTS[settings.dialect]
        self._session = Session(settings, account, guard)
        self._login = account.login
        self._kind = kind
        self._digest = digest
        self._live = live
        self._limits: SieveLimits | None = None

    @property
    def limits(self) -> SieveLimits:
        """Return what the server takes of a script; asks once."""
        if self._limits is None:
            self._limits = self._session.limits
        return self._limits

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server can do; asks once."""
        limits = self.limits
        facts = {
            "server": self._session.product,
            "sieve": " ".join(sorted(limits.extensions)),
            "redirects": "" if limits.redirects is None else str(limits.redirects),
        }
        return Capabilities(
            kinds=frozenset({self._kind}),
            batch=BATCH,
            keywords=False,
            separator="",
            special_use=False,
            incremental=False,
            replaces=True,
            sieve=limits,
            availability=self._hours.exists,
            facts={name: value for name, value in facts.items() if value},
        )

    def identity(self) -> Identity:
        """Return whose account it is: by the server's word, else the login that it took; hashed."""
        owner = self._session.owner
        named = hashlib.blake2b((owner or self._login).lower().encode(), digest_size=8).hexdigest()
        return Identity("sieve", named, user=owner)

    def containers(self) -> Iterator[Container]:
        """Yield the set of rules, if there is one of ours; see `model.protocols.Target.containers`.

        The place of working hours counts as one that the server fills: it is there, and what a person set
        there is no item of ours.
        """
        record = load(self._session)
        if record.exists:
            yield Container(self._kind, HREF, (HREF,), total=len(record.rules))
        if self._hours.exists:
            yield Container(self._kind, HOURS, (HOURS,), readonly=True)

    def ensure(self, container: Container) -> str:
        """Return the href of the set of rules, or of the working hours; there is nothing to create."""
        return HOURS if container.id == HOURS else HREF

    def rename(self, href: str, container: Container) -> str:
        """Return the href as it is: the set has no name.

        Raises:
            Blocked: "live-phase".
        """
        del container
        self._refuse_when_live()
        return href

    def position(self, href: str) -> str:
        """Return ":0": rules have no order in time."""
        del href
        return ":0"

    def place(self, key: bytes) -> str | None:
        """Return the href that an item of this key gets."""
        return key.hex()

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write rules, all in one script; see `model.protocols.Target.write`.

        Idempotent: a rule that is there already and means the same is a success. If it raises, all of the
        batch are written, or none.

        Raises:
            Blocked: "sieve-quota", "scripts-refused", "script-unreadable".
        """
        if href == HOURS:
            yield from self._hours.write(items)
            return
        record = load(self._session)
        results: list[Stored | Failed] = []
        fresh: dict[str, tuple[Item, Kept]] = {}
        for item in items:
            try:
                kept = self._kept(item, record)
            except Rejected as error:
                results.append(Failed(item.key, error))
                continue
            if kept is not None:
                fresh[kept.href] = (item, kept)
            else:
                results.append(Stored(item.key, item.key.hex(), digest=item.digest))
        refused = self._refused([kept for _, kept in fresh.values()])
        results += [Failed(fresh.pop(name)[0].key, error) for name, error in refused.items()]
        if fresh:
            new = {name: kept for name, (_, kept) in fresh.items()}
            save(self._session, record.with_rules((record.rules | new).values()))
        results += [Stored(item.key, kept.href, digest=item.digest) for item, kept in fresh.values()]
        yield from results

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Check that the rules exist; there is nothing to amend."""
        self._refuse_when_live()
        there = (
            {one.href for one in self._hours.listing()} if href == HOURS else set(load(self._session).rules)
        )
        return _amended(changes, there)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List the rules that are there; see `model.protocols.Target.listing` and `_there`."""
        del since
        if href == HOURS:
            yield from self._hours.listing()
            return
        for kept in self._there().values():
            yield Listed(kept.href, len(kept.text.encode()))

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read rules back that are there; see `model.protocols.Target.read` and `_there`."""
        if href == HOURS:
            yield from self._hours.read(hrefs)
            return
        rules = self._there()
        for name in hrefs:
            kept = rules.get(name)
            if kept is None:
                yield name, Failed(_key(name), Rejected("vanished"))
            else:
                text = kept.text.encode()
                ref = Ref(name, digest_of(text), size=len(text))
                yield name, Native(ref, FORMAT, {}, partial(io.BytesIO, text))

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove rules, from the script that acts, too; see `model.protocols.Target.remove`.

        A rule that a person changed there stays: "changed-at-target".
        """
        self._refuse_when_live()
        return self._hours.remove(stored) if href == HOURS else self._removed(stored)

    def label(self, labels: Mapping[str, str]) -> bool:
        """Return False: there is no place for keywords."""
        del labels
        return False

    def take_effect(self) -> TookEffect:
        """Let the rules act; see `connectors.sieve.take_effect.take_effect`.

        Raises:
            Blocked: "rules-not-reached": the person's own script ends before them; what it raises.
        """
        done = take_effect(self._session, self._dialect, live=self._live)
        if done.unreached and not self._live:
            raise Blocked("rules-not-reached", "the person's own script stops before them")
        return done

    def effects(self) -> dict[str, Effect]:
        """Return what each rule does now, by its href.

        Raises:
            Blocked: "script-unreadable".
        """
        record = load(self._session)
        acting = acting_rules(self._session, record)
        found: dict[str, Effect] = {}
        for href, kept in record.rules.items():
            placed = acting.get(href)
            if placed is not None and placed.touched:
                found[href] = Effect.CHANGED
            elif placed is None and kept.taken:
                found[href] = Effect.ENDED
            elif not kept.rule.active:
                found[href] = Effect.OFF
            else:
                found[href] = Effect.ACTS if kept.taken else Effect.WAITS
        return found

    def give_back(self) -> None:
        """Let the person's own script act again; see `connectors.sieve.take_effect.give_back`."""
        give_back(self._session)

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._session.close()
        self._hours.close()

    # -- internals

    def _refuse_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase")

    def _there(self) -> dict[str, Kept]:
        """Return the rules that are there: of those in force, the ones that act as they were written.

        In the live phase a person may have changed or removed them, and that is theirs: all count as there.
        """
        record = load(self._session)
        if self._live or record.took is None:
            return record.rules
        acting = acting_rules(self._session, record)
        whole = {href for href, rule in acting.items() if not rule.touched}
        return {href: kept for href, kept in record.rules.items() if not kept.taken or href in whole}

    def _kept(self, item: Item, record: Record) -> Kept | None:
        """Return the rule that is to be written; None if it is there already.

        Raises:
            Rejected: "refused-by-target": it is no rule; "too-large"; "changed-at-target".
        """
        with item.body() as stream:
            body = stream.read(RULE_MOST + 1)
        if len(body) > RULE_MOST:
            raise Rejected("too-large")
        old = record.rules.get(item.key.hex())
        if old is not None and self._digest(io.BytesIO(old.text.encode())) == item.digest:
            return None
        if old is not None and self._live:
            raise Rejected("changed-at-target")
        try:
            kept = Kept(item.key.hex(), body.decode(), taken=old is not None and old.taken)
            if "\r" in kept.text or "\0" in kept.text:
                raise ValueError("a line end that is none of ours")
            kept.rule  # noqa: B018 - raises for what is no rule
        except ValueError:
            raise Rejected("refused-by-target", "it is no rule in Sieve") from None
        return kept

    def _refused(self, rules: list[Kept]) -> dict[str, MigrationError]:
        """Return why the server takes some of the rules not, by href; all are asked at once, mostly."""
        if not rules or self._session.accepts(self._alone(rules)).ok:
            return {}
        found: dict[str, MigrationError] = {}
        for kept in rules:
            answer = self._session.accepts(self._alone([kept]))
            if not answer.ok:
                error = Rejected("refused-by-target", "the server takes no such rule")
                found[kept.href] = error.about(answer.known).quoting(answer.said)
        return found

    def _alone(self, rules: list[Kept]) -> bytes:
        """Return the script that these rules would be, each acting."""
        requires = frozenset(one for kept in rules for one in kept.rule.extensions)
        blocks = (block(kept.rule) for kept in rules)
        lines = [f"require [{', '.join(map(quoted, sorted(requires)))}];"] if requires else []
        lines += (line for one in blocks for line in one)
        return "".join(f"{line}{LINE_END}" for line in lines).encode()

    def _removed(self, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        record = load(self._session)
        acting = acting_rules(self._session, record)
        touched = {href for href, rule in acting.items() if rule.touched}
        left = dict(record.rules)
        results: list[Stored | Failed] = []
        for one in stored:
            kept = left.get(one.href)
            if kept is None:
                results.append(one)
            elif one.via:
                results.append(Failed(one.key, Rejected("cannot-remove", "it is a person's")))
            elif one.href in touched or self._digest(io.BytesIO(kept.text.encode())) != one.digest:
                results.append(Failed(one.key, Rejected("changed-at-target")))
            else:
                del left[one.href]
                results.append(one)
        if len(left) < len(record.rules):
            save(self._session, record.with_rules(left.values()))
        take_out(self._session)  # a worker that died may have left this
        yield from results


def _amended(changes: Iterable[Amendment], there: Set[str]) -> Iterator[Stored | Failed]:
    for change in changes:
        key = change.stored.key
        if change.stored.href not in there:
            yield Failed(key, Rejected("vanished"))
        elif change.flags:
            yield Failed(key, Rejected("flag-not-allowed", "settings have no flags"))
        else:
            yield change.stored


def _key(href: str) -> bytes:
    try:
        return bytes.fromhex(href)
    except ValueError:
        return b""
