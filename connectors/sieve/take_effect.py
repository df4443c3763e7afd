"""Let the rules act that were brought, below what a person has; and give the account back as it was.

Until then they lie in a script that does not act (record.py). Each step may be the last one of a worker: a
repeat ends the same. What a person wrote is never lost, and what a person changed is never changed back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from connectors.sieve.dialects.dialect import Dialect
from connectors.sieve.merged import Merged, Placed, taken_apart
from connectors.sieve.record import NAME, Kept, Record, Took, digest_of, load, save, store
from connectors.sieve.script import ends_before, parts_of, required
from connectors.sieve.session import Session, whole
from model.errors import Blocked, Rejected, Transient

UNLISTED: Final = "dovecot.orig"
"""The name that Pigeonhole gives to a script that acted and was not listed."""


@dataclass(frozen=True, slots=True)
class TookEffect:
    """Say what came of it.

    Attributes:
        added: the hrefs of the rules that act since this call.
        touched: of those that stay as a person changed them.
        removed: of those that a person removed; they do not come back.
        replaced: True if another script of the person acted before, and is kept under its name.
        unreached: True if the person's own script stops before the rules in any case.
    """

    added: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    replaced: bool = False
    unreached: bool = False


def take_effect(session: Session, dialect: Dialect, *, live: bool = False) -> TookEffect:
    """Let the rules of the record act.

    Idempotent. If it raises, some steps may be done, and the server acts by the whole old script or by the
    whole new one: call it again.

    Args:
        session: the session.
        dialect: how the rules are written.
        live: True to add what is missing, and to change nothing else.

    Raises:
        Blocked: "own-reply-active": the person's own script answers mail, and so would a rule; in live the
            rule is left out instead; "other-script-active": a person chose another script since, or the web
            client's script acts no more; "script-switched-off": the script that would act holds rules that a
            person switched off; "script-unreadable": the person's script makes no sense; "sieve-quota";
            "scripts-refused".
        Rejected: "changed-at-target": a person removes scripts at this moment.
        Transient: "busy": a person changes the script at this moment; see Session.
    """
    record = load(session)
    active = _active(session)
    chosen_since = record.took is not None and record.took.into != active
    if live and chosen_since and all(kept.taken for kept in record.rules.values()):
        return TookEffect()  # a person chose so, and nothing is to be added
    if not record.rules and record.took is None and not _has_rules(session, active):
        return TookEffect()
    if active is not None and record.looking:
        record = replace(record, looking=False)
        save(session, record)
    if active is None and record.took is None:
        active = _unlisted(session, record)
    took, present = _whereto(session, dialect, record, active)
    if _answers(present) and any(_is_reply(kept) for kept in record.rules.values()):
        if not live:
            raise Blocked("own-reply-active", "let the person remove one of the two")
        record = record.with_rules(
            kept for kept in record.rules.values() if kept.taken or not _is_reply(kept)
        )
    merged = _merged(dialect, record, present, took, live=live)
    unreached = _checked(session, merged, present, took.into)
    if merged.script() != present.script() or took.into != active:
        _refuse_changed(session, active, present)
        store(session, took.into, merged.script().encode())
        if took.into != active:
            _refuse_changed(session, active, present)
            whole(session, lambda: session.activate(took.into), lambda: _active(session) == took.into)
    there = {rule.href for rule in merged.rules}
    taken = frozenset(kept.href for kept in record.rules.values() if kept.taken)
    now = record.with_rules(replace(kept, taken=True) for kept in record.rules.values())
    done = replace(now, took=took, looking=False)
    if done.script() != record.script() or not record.exists:
        save(session, done)
    return TookEffect(
        added=frozenset(there & record.rules.keys() - taken),
        touched=frozenset(rule.href for rule in merged.rules if rule.touched),
        removed=frozenset(taken - there),
        replaced=took.source not in (None, took.into),
        unreached=unreached,
    )


def acting_rules(session: Session, record: Record) -> dict[str, Placed]:
    """Return the rules that stand in the script that acts, by their hrefs; none where another script acts.

    Raises:
        Blocked: "script-unreadable".
        Transient: see Session.
    """
    took = record.took
    if took is None or _active(session) != took.into:
        return {}
    return {rule.href: rule for rule in _parts(session, took.into).rules}


def take_out(session: Session) -> None:
    """Take out of the script that acts what the record does not have; a rule that a person changed stays.

    Idempotent. Where another script acts since, nothing of ours does.

    Raises:
        Blocked: "script-unreadable"; "sieve-quota"; "scripts-refused".
        Transient: "busy": a person changes the script at this moment; see Session.
    """
    record = load(session)
    took = record.took
    if took is None or _active(session) != took.into:
        return
    present = _parts(session, took.into)
    rules = tuple(rule for rule in present.rules if rule.href in record.rules or rule.touched)
    if rules != present.rules:
        _refuse_changed(session, took.into, present)
        store(session, took.into, replace(present, rules=rules).script().encode())


def give_back(session: Session) -> None:
    """Let the person's script act again as it was before `take_effect`, if nobody changed anything since.

    Idempotent, as `take_effect` is. The rules stay in the record.

    Raises:
        Rejected: "changed-at-target": a person changed the script, or a rule in it.
        Blocked: "script-unreadable"; "scripts-refused".
        Transient: see Session.
    """
    record = load(session)
    active = _active(session)
    took = record.took or _marked(session, active)
    if took is None:
        return
    if took.source == took.into:
        present = _parts(session, took.into)
        if took.into != active or digest_of(present.own.encode()) != took.digest:
            raise _changed()
        _refuse_touched(present)
        if present.took is not None:
            store(session, took.into, present.own.encode())
    else:
        _activate_old(session, took, active)
    waiting = record.with_rules(replace(kept, taken=False) for kept in record.rules.values())
    save(session, replace(waiting, took=None))


def _activate_old(session: Session, took: Took, active: str | None) -> None:
    """Let the older script act in place of the one that was made, and delete that."""
    if active not in (took.into, took.source):
        raise _changed()
    made = session.read(took.into)
    if made is not None:
        present = _parts(session, took.into)
        if present.took is None or digest_of(present.own.encode()) != took.digest:
            raise _changed()
        _refuse_touched(present)
    elif active == took.into:
        raise _changed()
    if took.source is not None:
        old = session.read(took.source)
        if old is None or digest_of(old) != took.digest:
            raise _changed()
    if active != took.source:
        whole(session, lambda: session.activate(took.source or ""), lambda: _active(session) == took.source)
    if made is not None:
        whole(session, lambda: session.delete(took.into), lambda: session.read(took.into) is None)


def _refuse_touched(present: Merged) -> None:
    if any(rule.touched for rule in present.rules):
        raise _changed()


def _answers(present: Merged) -> bool:
    """Return True if the person's own script may answer mail (RFC 5230, 4.7: one answer a run, at most)."""
    try:
        return "vacation" in required(parts_of(present.own))
    except ValueError:
        raise _unreadable() from None


def _is_reply(kept: Kept) -> bool:
    return kept.rule.active and any(action.startswith("vacation ") for action in kept.rule.actions)


def _changed() -> Rejected:
    return Rejected("changed-at-target", "a person changed the script since; it stays as it is")


def _active(session: Session) -> str | None:
    """Return the name of the script that acts. Our record does nothing, even where somebody activated it."""
    return next((script.name for script in session.scripts() if script.active and script.name != NAME), None)


def _unlisted(session: Session, record: Record) -> str | None:
    """Bring a script to light that acts and is not listed; return its name, or None if there is none.

    Pigeonhole lists no script that a person or an administrator put in place as a plain file. It moves it
    into the list, switched off, once any script is chosen, or none (measured on 2.4.1): so none is chosen,
    and what came to light is chosen again. The record says so meanwhile, for a worker that dies in between.

    Raises:
        Blocked: "script-switched-off": there is such a one from before.
    """
    listed = UNLISTED in {script.name for script in session.scripts()}
    if listed and not record.looking:
        raise Blocked("script-switched-off", "remove or rename the script that does not act, then retry")
    if not listed:
        save(session, replace(record, looking=True))
        session.activate("")
        listed = UNLISTED in {script.name for script in session.scripts()}
    if listed:
        whole(session, lambda: session.activate(UNLISTED), lambda: _active(session) == UNLISTED)
    save(session, replace(record, looking=False))
    return UNLISTED if listed else None


def _has_rules(session: Session, active: str | None) -> bool:
    return _marked(session, active) is not None


def _marked(session: Session, active: str | None) -> Took | None:
    """Return what the active script says it took over; for a worker that died before the record said so."""
    return _parts(session, active).took if active is not None else None


def _parts(session: Session, name: str) -> Merged:
    """Return the parts of a script; of one that does not exist, nothing.

    Raises:
        Blocked: "script-unreadable".
    """
    try:
        return taken_apart((session.read(name) or b"").decode())
    except ValueError:
        raise _unreadable() from None


def _unreadable() -> Blocked:
    return Blocked("script-unreadable", "repair or remove the script that acts, then retry")


def _whereto(session: Session, dialect: Dialect, record: Record, active: str | None) -> tuple[Took, Merged]:
    """Return into which script the rules go, and what that script is, or is to begin with."""
    known = record.took
    if known is not None and active != known.into:
        code = "script-switched-off" if active is None else "other-script-active"
        raise Blocked(code, "a person chose so after the rules took effect; it stays so")
    if active is not None:
        present = _parts(session, active)
        if present.took is not None and present.took.into != active:
            raise Blocked("other-script-active", "a person renamed or copied the script of the rules")
        if took := known or present.took:
            return took, present
        if not dialect.fixed or active == dialect.script:
            return _took(present, active, active), present
        return _made_of(session, dialect.script, present, active)
    if dialect.fixed or _is_free(session, dialect.script):
        return _made_of(session, dialect.script, Merged(""), None)
    return _made_of(session, f"{dialect.script}-{NAME}", Merged(""), None)


def _is_free(session: Session, name: str) -> bool:
    """Return True if there is no script of this name, or one that was made here and did not act yet."""
    return session.read(name) is None or _parts(session, name).took is not None


def _made_of(session: Session, into: str, own: Merged, source: str | None) -> tuple[Took, Merged]:
    """Return a new script that begins with the one that acts now.

    Raises:
        Blocked: "script-switched-off": one of this name exists already, and it is a person's.
    """
    if session.read(into) is not None:
        there = _parts(session, into)
        mine = there.took is not None and digest_of(there.own.encode()) == there.took.digest
        if not mine or any(rule.touched for rule in there.rules):
            raise Blocked("script-switched-off", "remove or rename the script that does not act, then retry")
    return _took(own, source, into), own


def _took(own: Merged, source: str | None, into: str) -> Took:
    return Took(digest_of(own.own.encode()), source, into)


def _merged(dialect: Dialect, record: Record, present: Merged, took: Took, *, live: bool) -> Merged:
    """Return what the script is to be."""
    try:
        first = dialect.first(present.own)
        kept_first = dialect.first(present.script())
    except ValueError:
        raise _unreadable() from None
    there = {rule.href: rule for rule in present.rules}
    rules = list(_frozen(dialect, record, there, first)) if not live else list(present.rules)
    placed = {rule.href for rule in rules}
    number = kept_first if live else first + len(record.rules)
    for kept in record.ordered():
        if kept.href not in placed and not kept.taken:
            rules.append(Placed(kept.href, dialect.lines(kept.rule, number)))
            number += 1
    by_hand = live or any(rule.touched for rule in rules)
    names = {rule.href for rule in rules}
    needed = (kept.rule for kept in record.rules.values() if kept.href in names and kept.rule.active)
    requires = frozenset(one for rule in needed for one in rule.extensions)
    requires |= present.requires if by_hand else frozenset()
    changed = replace(present, took=took, rules=tuple(rules), requires=requires)
    return changed if rules or present.took is not None else replace(present, took=None)


def _frozen(dialect: Dialect, record: Record, there: dict[str, Placed], first: int) -> Iterator[Placed]:
    """Yield the rules while nobody works here: as the record has them, or as a person touched them."""
    known = set(record.rules)
    for number, kept in enumerate(record.ordered(), first):
        old = there.get(kept.href)
        if old is not None and old.touched:
            yield old
        elif old is not None or not kept.taken:
            yield Placed(kept.href, dialect.lines(kept.rule, number))
    yield from (rule for rule in there.values() if rule.href not in known and rule.touched)


def _refuse_changed(session: Session, active: str | None, present: Merged) -> None:
    """Look once more right before a change: ManageSieve has no condition for it.

    Raises:
        Transient: "busy": a person changed the script that acts since it was read.
    """
    if active is not None and _parts(session, active) != present:
        raise Transient("busy", "a person is changing the script")


def _checked(session: Session, merged: Merged, present: Merged, into: str) -> bool:
    """Check a script before it acts; return True if its rules are never reached.

    Raises:
        Blocked: "script-unreadable": what the person has is no script by itself; "scripts-refused": the
            server takes each rule, but not all of them together; "sieve-quota".
    """
    try:
        parts_of(merged.script())
        parts_of(present.own)
        above = parts_of(present.above) if not present.below else ()
    except ValueError:
        raise _unreadable() from None
    text = merged.script().encode()
    if merged.script() != present.script():
        session.room(into, len(text))  # CHECKSCRIPT refuses what is too large, without saying so
    answer = session.accepts(text)
    if answer.ok:
        return ends_before(above)
    if not session.accepts(present.own.encode()).ok:
        raise _unreadable().quoting(answer.said)
    raise Blocked("scripts-refused", "the server takes the rules, but not all together").quoting(answer.said)
