"""The alarms of Prefect that `prefect.alarms` switches on: what wakes somebody at night, and what to do then.

Each is an automation that waits for an event of Kogge, or of Prefect itself. It tells once and is silent for
a while, so that one fault of a server is one message and not five hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from engine.config.prefect import PrefectSettings
from flows.deploy.deployments import DEPLOYMENTS, TAG

QUIET = timedelta(minutes=10)
"""After an alarm the same one is silent for so long."""
ANY = ResourceSpecification({"prefect.resource.id": ["kogge.*"]})
GUIDE = "docs/night-guide.md"
PLACE = "at /artifacts in Prefect's UI, where no menu leads"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Describe an alarm.

    Attributes:
        name: of the automation.
        subject: what has happened, as a template of Prefect.
        advice: what to do, as a template of Prefect.
        trigger: when it fires.
    """

    name: str
    subject: str
    advice: str
    trigger: EventTrigger


def blocked() -> Alarm:
    """Return the alarm for blocked mailboxes: the first one of a wave within QUIET."""
    return Alarm(
        "Kogge tells of blocked mailboxes",
        "a mailbox of wave {{ event.payload.wave }} is blocked: {{ event.payload.code }}",
        "Mailbox {{ event.payload.mailbox }} needs a person, and perhaps others do. The artifact "
        f"wave-{{{{ event.payload.wave }}}} ({PLACE}) lists them with what to do. The others go on.",
        _reactive({"kogge.mailbox.blocked"}, "kogge.wave"),
    )


def crashed() -> Iterator[Alarm]:
    """Yield the alarms for runs of Kogge whose process died.

    Of runs, the first one of each flow within QUIET. That people may be locked out is said by whoever finds a
    cutover dead and asks the ledger; Prefect's own event does not know it.
    """
    yield Alarm(
        "Kogge tells of cutovers that crashed",
        "the cutover of wave {{ event.payload.wave }} crashed: {{ event.payload.mailboxes }} of its people "
        "may be locked out",
        "Start the cutover again: it goes on where it stopped. The artifact "
        f"cutover-{{{{ event.payload.wave }}}} ({PLACE}) says who is frozen, and how people get their old "
        "mailbox back.",
        _reactive({"kogge.cutover.died"}, "prefect.resource.id"),
    )
    yield Alarm(
        "Kogge tells of runs that crashed",
        "the run {{ event.resource.name }} crashed",
        "Its process or its machine died, and perhaps others did. Nothing is lost. A wave goes on by itself "
        "within minutes. Start any other run again: it goes on where it stopped.",
        _of_runs({name_of(one.entrypoint) for one in DEPLOYMENTS}, each="related:flow:prefect.resource.id"),
    )


def name_of(entrypoint: str) -> str:
    """Return the name of the flow at an entry point."""
    return entrypoint.rpartition(".")[2]


def untimely() -> Iterator[Alarm]:
    """Yield the alarms that whoever is told of waves hears in any case: of what nobody expects."""
    yield blocked()
    yield from crashed()


def alarms(settings: PrefectSettings) -> Iterator[Alarm]:
    """Yield all alarms."""
    hours = settings.frozen_hours
    yield from untimely()
    yield Alarm(
        "Kogge tells of mailboxes that stay frozen",
        "mailbox {{ event.payload.mailbox }} of wave {{ event.payload.wave }} is frozen for "
        f"more than {hours:g} hours",
        "Its user may be locked out. The artifact cutover-{{ event.payload.wave }} "
        f"({PLACE}) says what is missing and what to type; "
        "`kogge give-back -m {{ event.payload.mailbox }}` gives the old mailbox back, released "
        "or not.",
        EventTrigger(
            after={"kogge.cutover.frozen"},
            expect={"kogge.cutover.finished", "kogge.cutover.taken-back"},
            match=ANY,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(hours=hours),
        ),
    )
    yield Alarm(
        "Kogge tells of windows that end with work left",
        "the window of wave {{ event.payload.wave }} is over, and work is left",
        "Nothing is lost; the next window goes on. The artifact wave-{{ event.payload.wave }} "
        f"({PLACE}) says what is left.",
        _reactive({"kogge.wave.window-closed"}, "kogge.wave"),
    )
    yield Alarm(
        "Kogge tells of servers that fail",
        "the server {{ event.payload.system }} fails: {{ event.payload.code }}",
        "Kogge asks it less, or only now and then, and goes on by itself once it is well. If that lasts, "
        "tell who runs the server; `kogge pause` stops a wave.",
        _reactive({"kogge.server.unwell"}, "prefect.resource.id"),
    )
    yield Alarm(
        "Kogge tells of missing workers",
        "no worker asks the queue {{ event.resource.name }} for runs any more",
        "Start one: `kogge worker`. Until then nobody notices runs that died with their workers: Prefect "
        "shows them as Running. Minutes after one works, those that had begun are Crashed, and waves go "
        "on by themselves; a cutover is started again by a person. Runs that had not begun are put back, and "
        "begin.",
        _reactive(
            {"prefect.work-queue.not-ready"},
            None,
            match=ResourceSpecification({"prefect.resource.id": ["prefect.work-queue.*"]}),
            match_related=_related("work-pool", "name", [settings.work_pool]),
        ),
    )


def _of_runs(flows: set[str], each: str) -> EventTrigger:
    """Return a trigger that fires when a run of these flows of ours is Crashed."""
    return _reactive(
        {"prefect.flow-run.Crashed"},
        each,
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        match_related=[
            ResourceSpecification(
                {"prefect.resource.role": ["tag"], "prefect.resource.id": [f"prefect.tag.{TAG}"]}
            ),
            ResourceSpecification(
                {"prefect.resource.role": ["flow"], "prefect.resource.name": sorted(flows)}
            ),
        ],
    )


def _related(role: str, label: str, values: list[str]) -> ResourceSpecification:
    return ResourceSpecification({"prefect.resource.role": [role], f"prefect.resource.{label}": values})


def _reactive(
    events: set[str],
    each: str | None,
    match: ResourceSpecification = ANY,
    match_related: ResourceSpecification | list[ResourceSpecification] | None = None,
) -> EventTrigger:
    """Return a trigger that fires at the first event, and then is silent for QUIET.

    Args:
        events: their names.
        each: the label of the resource by which it is silent; None for all together.
        match: the resource.
        match_related: related resources.
    """
    return EventTrigger(
        expect=events,
        match=match,
        match_related=match_related or ResourceSpecification({}),
        for_each=set() if each is None else {each},
        posture=Posture.Reactive,
        threshold=1,
        within=QUIET,
    )
