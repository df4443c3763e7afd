"""Fit a task to a target, and write it as one iCalendar object (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from mappings.fields.context import Context
from mappings.fit.attachments import AttachmentBudget, fit_attachments, largest, room
from mappings.fit.described_zones import described_zones
from mappings.fit.item import write_item
from mappings.fit.known_zones import fit_zones
from mappings.fit.task_series import fit_series, percent_done
from mappings.fit.text_limits import without_commas
from mappings.icalendar.component import Component
from mappings.icalendar.values import Text, Word
from mappings.losses.catalogue import lose
from mappings.time.zones import Zone
from model.kept_fields import TaskLimits
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped

STAMPS = frozenset({"UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "RECURRENCE-ID"})
NOT_KEPT: Mapping[str, tuple[str, str]] = {
    "ATTACH": ("attachment", "not-kept"),
    "X-ALT-DESC": ("text", "formatting-not-kept"),
    "CONTACT": ("people", "not-kept"),
    "X-KOGGE-RECURRENCE": ("recurrence", "rule-not-kept"),
}
"""What is lost with a property that a target does not keep; ("other", "not-kept") for the others."""


@dataclass(frozen=True, slots=True)
class TaskRead:
    """Hold a task as its source has it.

    Attributes:
        key: of the item.
        todo: its component.
        losses: what the reading lost.
        once: the day it begins if it does not come back, though its component says that it does; None if it
            has none.
        of_series: what the reading lost if it does come back.
        changed: the changed occurrences of a task that comes back.
        zones: by the name that times have.
        begins_alike: True if DTSTART is where it begins even if it does not come back; `once` is None then.
    """

    key: bytes
    todo: Component
    losses: tuple[Loss, ...]
    once: date | None = None
    of_series: tuple[Loss, ...] = ()
    changed: tuple[Component, ...] = ()
    zones: dict[str, Zone] = field(default_factory=dict)
    begins_alike: bool = False


def fit_task(read: TaskRead, context: Context) -> Mapped:
    """Return the item that the target can hold, with all losses. The components are changed in place.

    Raises:
        Rejected: "too-large", "unknown-time-zone", "unknown-recurrence" or "date-out-of-range".
    """
    target, todo, losses = context.target, read.todo, list(read.losses)
    if not target.event_habits.own_zones:
        losses += fit_zones(todo, read.changed, read.zones)
    stays = fit_series(todo, todo.first("DTSTART") if read.begins_alike else read.once, target)
    losses += read.of_series if stays else (lose("recurrence", "current-occurrence-only"),)
    changed = read.changed if stays else ()
    if changed and not _keeps_changes(target.tasks):
        changed = ()
        losses.append(lose("modified-occurrence", "not-kept"))
    components, space = (todo, *changed), room(target)
    for component in components:
        losses = _fitted(component, target, space, losses)
    zones = described_zones(todo, components, read.zones)
    written = [*zones, *(component.written() for component in components)]
    item = write_item(Kind.TASKS, read.key, todo.said("UID"), written, context)
    return Mapped(item, tuple(dict.fromkeys(losses)))


def _keeps_changes(limits: TaskLimits) -> bool:
    return limits.keeps("RECURRENCE-ID") and not limits.plain_series


def _fitted(todo: Component, target: Capabilities, space: AttachmentBudget, losses: list[Loss]) -> list[Loss]:
    """Change one component in place, and return all losses."""
    limits = target.tasks
    losses = [*losses, *without_commas(todo, target)]
    if limits.keeps("ATTACH"):
        losses += fit_attachments(todo, largest(target, 1), space)
    else:
        losses = _without_attachments(todo, losses)
    losses += _shown(todo, limits)
    if not limits.open_when_done:
        losses += _begun(todo)
    if not limits.past_alarms:
        losses = _without_past_alarms(todo, losses)
    losses += _without(todo, limits)
    return losses


def _without_attachments(todo: Component, losses: list[Loss]) -> list[Loss]:
    """Take out the attachments: what was lost of each does not matter then."""
    others = [loss for loss in losses if loss.field != "attachment"]
    if len(others) == len(losses) and todo.first("ATTACH") is None:
        return losses
    todo.remove("ATTACH")
    return [*others, lose("attachment", "not-kept")]


def _shown(todo: Component, limits: TaskLimits) -> Iterator[Loss]:
    if todo.said("CLASS") == "CONFIDENTIAL" and not limits.confidential:
        todo.set("CLASS", Text("PRIVATE"))
        yield lose("sensitivity", "shown-as-private")


def _begun(todo: Component) -> Iterator[Loss]:
    """Let a task of which a part is done be in process, and one that is not completed be less than done."""
    percent = percent_done(todo)
    if todo.said("STATUS") == "COMPLETED":
        return
    if percent == 100:
        todo.set("PERCENT-COMPLETE", Word("99"))
        yield lose("percent", "rounded")
    if percent and todo.said("STATUS") == "NEEDS-ACTION":
        todo.set("STATUS", Text("IN-PROCESS"))
        yield lose("status", "no-equivalent")


def _without_past_alarms(todo: Component, losses: list[Loss]) -> list[Loss]:
    """Take out an alarm that is over and acknowledged (RFC 9074 section 6.1)."""
    kept = [alarm for alarm in todo.inner if alarm.first("ACKNOWLEDGED") is None]
    if len(kept) == len(todo.inner):
        return losses
    todo.inner = kept
    first = lose("reminder", "first-occurrence-only")
    return [*(loss for loss in losses if loss != first), lose("reminder", "over")]


def _without(todo: Component, limits: TaskLimits) -> list[Loss]:
    """Take out what the target does not keep; each kind of it is a loss."""
    gone = [name for name in todo.properties if not limits.keeps(name) and name not in STAMPS]
    for name in gone:
        todo.remove(name)
    return [lose(*NOT_KEPT.get(name, ("other", "not-kept"))) for name in gone]
