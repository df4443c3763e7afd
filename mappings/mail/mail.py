"""Map an Exchange message, or an RFC 822 message with IMAP properties, to an Item.

The message's bytes are not changed here: what a strict server makes of them (mappings.mail.digest) is named
as a loss. Everything outside of the bytes (flags, categories, importance and date) is mapped.

Properties of "ews-message" and "graph-message": ItemClass, MessageId, From: str; IsRead, IsDraft,
IsReadReceiptRequested, IsAssociated, Rebuilt: bool; Categories: tuple of str; Importance "Low|Normal|High";
Flag "NotFlagged|Flagged|Complete"; LastVerb: int or None (MS-OXOMSG PidTagLastVerbExecuted); Received, Sent,
Created: aware datetime or None; Size: int. Properties of "rfc822": FLAGS: frozenset of str; INTERNALDATE:
aware datetime; RFC822.SIZE: int. A missing property means its neutral value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mappings.fields import flags as names
from mappings.fields.bounded_reading import decoded, head_of
from mappings.fields.message_id import HeaderStream, read_message_id
from mappings.losses.catalogue import lose
from mappings.mail.digest import Digested, canonical
from model.errors import Rejected
from model.kinds import Kind
from model.names import readable
from model.protocols import Capabilities, Item, Loss, Mapped, Native, key_of

MAIL_CLASSES = (
    "ipm.note",
    "ipm.post",
    "ipm.schedule.meeting",
    "ipm.sharing",
    "ipm.recall",
    "ipm.outlook.recall",
    "ipm.taskrequest",
    "report",
)
"""Message classes that are mail, each with all its sub-classes (MS-OXCMSG; classes have no case)."""

SKIPPED_CLASSES: Mapping[str, str] = {
    "ipm.stickynote": "sticky-note-in-mail-folder",
    "ipm.activity": "journal-in-mail-folder",
    "ipm.appointment": "appointment-in-mail-folder",
    "ipm.contact": "contact-in-mail-folder",
    "ipm.distlist": "contact-in-mail-folder",
    "ipm.abchperson": "contact-in-mail-folder",
    "ipm.task": "task-in-mail-folder",
}

REPLIED_VERBS, FORWARDED_VERB, NO_VERB = (102, 103), 104, (None, 0)

_HEAD_MOST = 65_536
"""Octets that are read for a subject."""

Labels = tuple[tuple[str, str], ...]
Properties = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Marks:
    """Hold what stands outside of the body: flags of the target, their labels, what was lost."""

    flags: frozenset[str]
    labels: Labels
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class _Format:
    """Say how one dialect is read."""

    marks: Callable[[Properties, Capabilities], _Marks]
    date: Callable[[Properties], datetime | None]
    skip: Callable[[Properties], str | None]


def map_mail(native: Native, target: Capabilities, read_at: datetime) -> Mapped:
    """Return the item and what it loses. Ask skip_reason first.

    Args:
        native: the record, with its body.
        target: what the target can hold.
        read_at: when the record was read; later dates are clamped to it.

    Raises:
        Rejected: "unknown-format", "unknown-class", "body-missing", "empty-message" or "too-large".
    """
    form = _form(native)
    if native.body is None:
        raise Rejected("body-missing", "the record was fetched without its body")
    with native.body() as stream:
        head = HeaderStream(stream)
        digested = canonical(head)
    _check_size(digested, target)
    marks = form.marks(native.properties, target)
    date, date_losses = _clamped(form.date(native.properties), read_at, target.oldest_date)
    item = Item(
        kind=Kind.MAIL,
        key=key_of(native.ref.id),
        digest=digested.digest,
        size=digested.size,
        body=native.body,
        flags=marks.flags,
        date=date,
        message_id=head.message_id(),
    )
    losses = (*_body_losses(digested, native.properties), *marks.losses, *date_losses)
    return Mapped(item, losses, marks.labels)


def flags_of(native: Native, target: Capabilities) -> tuple[frozenset[str], Labels, tuple[Loss, ...]]:
    """Return flags, labels and losses alone: enough to amend an item without its body.

    Raises:
        Rejected: "unknown-format" or "unknown-class".
    """
    marks = _form(native).marks(native.properties, target)
    return marks.flags, marks.labels, marks.losses


def title_of(native: Native) -> str:
    """Return the subject of a mail; "" if it has none.

    Raises:
        Rejected: "body-missing".
    """
    if native.body is None:
        raise Rejected("body-missing", "the record was fetched without its body")
    with native.body() as stream:
        head = head_of(stream.read(_HEAD_MOST))
    return decoded(str(head.get("Subject", "")))


def message_id_of(native: Native) -> str | None:
    """Return the Message-ID of a record that cannot be mapped; None if it has none."""
    if native.body is None:
        return None
    with native.body() as stream:
        return read_message_id(stream)


def skip_reason(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this record does not move by rule.

    Returns:
        None if it moves.
    """
    form = FORMATS.get(native.format)
    return form.skip(native.properties) if form else None


def _form(native: Native) -> _Format:
    form = FORMATS.get(native.format)
    if form is None:
        raise Rejected("unknown-format", "no mapping for this kind of record")
    return form


def _check_size(digested: Digested, target: Capabilities) -> None:
    if digested.size == 0:
        raise Rejected("empty-message", "the message has no bytes")
    if target.max_bytes is not None and digested.size > target.max_bytes:
        raise Rejected("too-large", "larger than the target takes; raise its limit or leave it out")


def _body_losses(digested: Digested, properties: Properties) -> tuple[Loss, ...]:
    conditions = (
        (digested.bare_lf > 0, "bare-lf"),
        (digested.nul > 0, "nul-bytes"),
        (digested.lost_cr > 0, "surplus-cr"),
        (properties.get("Rebuilt") is True, "mime-rebuilt"),
    )
    return tuple(lose("body", reason) for happened, reason in conditions if happened)


def date_of(
    native: Native, target: Capabilities, read_at: datetime
) -> tuple[datetime | None, tuple[Loss, ...]]:
    """Return the date that map_mail gives the mail, and what is lost of it. It needs no body."""
    return _clamped(_form(native).date(native.properties), read_at, target.oldest_date)


def _clamped(
    date: datetime | None, read_at: datetime, oldest: int
) -> tuple[datetime | None, tuple[Loss, ...]]:
    """Return whole seconds in UTC, as INTERNALDATE has no fractions.

    Dovecot 2.4 turns a future date into the present one and a date before 1970 into 1970-01-01. Clamping
    first makes the result ours, and comparable.
    """
    if date is None:
        return None, (lose("date", "unknown"),)
    whole = date.astimezone(UTC).replace(microsecond=0)
    earliest = datetime.fromtimestamp(oldest, UTC)
    if whole < earliest:
        return earliest, (lose("date", "before-1970"),)
    latest = read_at.astimezone(UTC).replace(microsecond=0)
    if whole > latest:
        return latest, (lose("date", "in-the-future"),)
    return whole, ()


def _ews_skip(properties: Properties) -> str | None:
    if properties.get("IsAssociated") is True:
        return "associated-item"
    return next((code for name, code in SKIPPED_CLASSES.items() if _is_class(properties, name)), None)


def _is_class(properties: Properties, name: str) -> bool:
    actual = str(properties.get("ItemClass") or "").lower()
    return actual == name or actual.startswith(name + ".")


def _ews_date(properties: Properties) -> datetime | None:
    dates = (properties.get(name) for name in ("Received", "Sent", "Created"))
    return next((date for date in dates if isinstance(date, datetime)), None)


def _ews_marks(properties: Properties, target: Capabilities) -> _Marks:
    if not any(_is_class(properties, name) for name in MAIL_CLASSES):
        raise Rejected("unknown-class", "the item's class is not known as mail")
    wanted, losses = _ews_flags(properties)
    labels, category_losses = _labels(properties.get("Categories"))
    wanted |= {(word, "categories") for word, _ in labels}
    colours = _colours(properties.get("Categories"), target.mail.colours)
    wanted |= {(word, "categories") for word in colours[:1]}
    if target.keywords and len(colours) > 1:
        category_losses.append(lose("categories", "colour-not-kept"))
    return _kept(wanted, labels, [*losses, *category_losses], target.keywords)


def _ews_flags(properties: Properties) -> tuple[set[tuple[str, str]], list[Loss]]:
    """Return pairs of (flag, the property's field in mappings.losses.catalogue)."""
    wanted: set[tuple[str, str]] = set()
    losses: list[Loss] = []
    if properties.get("IsRead") is True:
        wanted.add((names.SEEN, "flags"))
        if properties.get("IsReadReceiptRequested") is True:
            # RFC 3503: without $MDNSent the next client asks the user to send the receipt again.
            wanted.add((names.MDN_SENT, "receipt"))
    if properties.get("IsDraft") is True:
        wanted.add((names.DRAFT, "flags"))
    for decide in (_verb, _follow_up, _importance):
        flag, loss = decide(properties)
        wanted |= {flag} if flag else set()
        losses += [loss] if loss else []
    return wanted, losses


_Decision = tuple[tuple[str, str] | None, Loss | None]


def _verb(properties: Properties) -> _Decision:
    verb = properties.get("LastVerb")
    if verb in REPLIED_VERBS:
        return (names.ANSWERED, "flags"), None
    if verb == FORWARDED_VERB:
        return (names.FORWARDED, "forwarded"), None
    return None, None if verb in NO_VERB else lose("last-verb", "no-equivalent")


def _follow_up(properties: Properties) -> _Decision:
    flag = properties.get("Flag")
    if flag == "Flagged":
        return (names.FLAGGED, "flags"), None
    if flag == "Complete":
        return None, lose("flags", "follow-up-completed")
    return None, None if flag in (None, "NotFlagged") else lose("flags", "unknown-value")


def _importance(properties: Properties) -> _Decision:
    importance = properties.get("Importance")
    if importance == "High":
        return (names.IMPORTANT, "importance"), None
    if importance == "Low":
        return None, lose("importance", "no-equivalent")
    return None, None if importance in (None, "Normal") else lose("importance", "unknown-value")


def _labels(categories: object) -> tuple[Labels, list[Loss]]:
    texts = [str(text) for text in categories] if isinstance(categories, tuple | list) else []
    named = [text for text in texts if text.strip()]
    labels = {names.keyword(text): readable(text) for text in sorted(named, reverse=True)}
    losses = [lose("categories", "empty-name")] if len(named) < len(texts) else []
    return tuple(sorted(labels.items())), losses


def _colours(categories: object, keywords: Mapping[str, str]) -> list[str]:
    """Return the keywords of the colours of categories, each once, in the order of the categories."""
    named = [str(text) for text in categories] if isinstance(categories, tuple | list) else []
    found = [keywords[name] for name in map(names.folded, named) if name in keywords]
    return list(dict.fromkeys(found))


def _imap_date(properties: Properties) -> datetime | None:
    date = properties.get("INTERNALDATE")
    return date if isinstance(date, datetime) else None


def _imap_skip(properties: Properties) -> str | None:
    del properties
    return None


def _imap_marks(properties: Properties, target: Capabilities) -> _Marks:
    keywords = target.keywords
    listed = properties.get("FLAGS")
    flags = sorted(str(flag) for flag in listed) if isinstance(listed, frozenset | set | tuple) else []
    wanted: set[tuple[str, str]] = set()
    renamed: dict[str, str] = {}
    for flag in flags:
        if system := names.system_flag(flag):
            wanted.add((system, "flags"))
        elif flag.startswith("\\"):
            continue  # \Recent and server-private flags: RFC 9051 lets no client set them
        elif names.is_atom(flag):
            wanted.add((flag, "flags"))
        else:
            renamed[names.keyword(flag)] = flag
            wanted.add((names.keyword(flag), "flags"))
    losses = [lose("keywords", "renamed")] if renamed and keywords else []
    return _kept(wanted, tuple(sorted(renamed.items())), losses, keywords)


def _kept(wanted: set[tuple[str, str]], labels: Labels, losses: list[Loss], keywords: bool) -> _Marks:
    """Drop every keyword, and name it as lost, if the target keeps none."""
    if keywords:
        return _Marks(frozenset(flag for flag, _ in wanted), labels, tuple(losses))
    dropped = sorted({field for flag, field in wanted if not flag.startswith("\\")})
    system = frozenset(flag for flag, _ in wanted if flag.startswith("\\"))
    return _Marks(system, (), (*losses, *(lose(field, "keyword-not-kept") for field in dropped)))


FORMATS: Mapping[str, _Format] = {
    "ews-message": _Format(_ews_marks, _ews_date, _ews_skip),
    "graph-message": _Format(_ews_marks, _ews_date, _ews_skip),
    "rfc822": _Format(_imap_marks, _imap_date, _imap_skip),
}
