"""What Prefect does by itself, as `kogge setup` makes it: it tells people what happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import BlockDocumentCreate, BlockDocumentUpdate
from prefect.client.schemas.objects import BlockDocument
from prefect.events.actions import (
    ActionTypes,
    CallWebhook,
    DoNothing,
    SendNotification,
)
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from connectors.settings import Secret
from engine.config.load import Config
from flows.deploy.alarms import GUIDE, Alarm, alarms, untimely
from flows.deploy.setup import MISSING, Inspection, Presence, Thing
from model.errors import Misconfigured

HOOK = "webhook"
MAIL = "slack-webhook"
"""Prefect has no block for mail of one's own. This one gives any URL that is not Slack's to Apprise, whose
mailto:// sends mail (Prefect 3.9.1)."""

SUBJECT = "{{ event.payload.wave }}: {{ event.event }}"
BODY = """\
{{ event.event }} at {{ event.occurred }}
{% for name, value in event.payload.items() if value is not mapping %}{{ name }}: {{ value }}
{% endfor %}"""
JSON = (
    '{"event": {{ event.event | tojson }}, "at": "{{ event.occurred }}", '
    '"payload": {{ (event.payload if event.event[:6] == "kogge." else {}) | tojson }}'
)
"""Prefect's own events may carry the text of an exception: that goes nowhere."""

CLOSED = "kogge.wave.window-closed"
WAVES = (
    "kogge.wave.started",
    "kogge.wave.finished",
    "kogge.wave.incomplete",
    "kogge.wave.paused",
    CLOSED,
    "kogge.wave.canary-failed",
    "kogge.wave.approved",
    "kogge.wave.rolled-back",
    "kogge.cutover.hook-failed",
    "kogge.cutover.waiting",
    "kogge.cutover.ended",
)
RETIRED = ("Kogge notices runs that died",)
"""Automations of earlier versions. This one called a run dead whose heartbeats could not be written."""
MADE = "Made by `kogge setup`, from [prefect] of kogge.toml"


@dataclass(frozen=True, slots=True)
class Channel:
    """Describe a block of Prefect that takes a notification.

    Attributes:
        url: where it leads, if Kogge has to make it.
    """

    type: str
    block: str
    url: Secret | None = None
    kind: str = "block"

    @property
    def name(self) -> str:
        """Return the name of the block with its type."""
        return f"{self.type}/{self.block}"

    async def look(self, client: PrefectClient) -> Inspection:
        """Compare the block in Prefect with what is wanted."""
        found = await self.read(client)
        if found is None:
            return MISSING
        same = self.url is None or found.data.get("url") == self._url()
        return Inspection.at(() if same else ("url",))

    async def put(self, client: PrefectClient) -> None:
        """Create or update the block.

        Raises:
            Misconfigured: a block that a person has to make is missing, or the server knows no blocks of its
                type.
        """
        if self.url is None:
            raise Misconfigured("prefect.blocks", f"Prefect has no block {self.name}; make it there first")
        # Not by the block's own class: that loads all that Apprise can do.
        data, found = {"url": self._url()}, await self.read(client)
        if found is not None:
            await client.update_block_document(found.id, BlockDocumentUpdate(data=data))
            return
        kind = await client.read_block_type_by_slug(self.type)
        schema = await client.get_most_recent_block_schema_for_block_type(kind.id)
        if schema is None:
            raise Misconfigured("prefect", f"this server knows no blocks of type {self.type}")
        await client.create_block_document(
            BlockDocumentCreate(name=self.block, data=data, block_type_id=kind.id, block_schema_id=schema.id)
        )

    async def read(self, client: PrefectClient) -> BlockDocument | None:
        """Return the block as Prefect has it; None if there is none."""
        try:
            return await client.read_block_document_by_name(self.block, self.type, include_secrets=True)
        except ObjectNotFound:
            return None

    def _url(self) -> str:
        return "" if self.url is None else self.url.read().get_secret_value()

    def action(self, block: UUID, alarm: Alarm | None) -> ActionTypes:
        """Return what an automation does with this block; without an alarm, the event says what happened."""
        if self.type == HOOK:
            return CallWebhook(block_document_id=block, payload=_payload(alarm))
        subject = f"Kogge: {SUBJECT if alarm is None else alarm.subject}"
        body = BODY if alarm is None else f"{alarm.advice} ({GUIDE})\n\n{BODY}"
        return SendNotification(block_document_id=block, subject=subject, body=body)


def _payload(alarm: Alarm | None) -> str:
    """Return the JSON body of a webhook, with what to do if that is known."""
    texts = {"subject": SUBJECT} if alarm is None else {"subject": alarm.subject, "do": alarm.advice}
    return JSON + "".join(f', "{name}": "{text}"' for name, text in texts.items()) + "}"


@dataclass(frozen=True, slots=True)
class Automated:
    """Describe an automation. One that a person switched off stays off.

    Attributes:
        channels: whom it notifies. Without any it acts by itself, or its firing only shows in Prefect's event
            feed.
        alarm: what it says.
    """

    name: str
    description: str
    trigger: EventTrigger
    actions: Sequence[ActionTypes] = ()
    channels: Sequence[Channel] = field(default=())
    alarm: Alarm | None = None
    kind: str = "automation"

    async def look(self, client: PrefectClient) -> Inspection:
        """Compare the automation in Prefect with what is wanted."""
        found = await self._read(client)
        if found is None:
            return MISSING
        wanted = await self._wanted(client, found.enabled)
        if wanted is None:
            return Inspection.at(("a block that it needs is missing",))
        names = ("trigger", "actions", "description")
        return Inspection.at(name for name in names if getattr(found, name) != getattr(wanted, name))

    async def put(self, client: PrefectClient) -> None:
        """Create or update the automation.

        Raises:
            Misconfigured: a block that it needs is missing.
        """
        found = await self._read(client)
        wanted = await self._wanted(client, found.enabled if found is not None else True)
        if wanted is None:
            raise Misconfigured("prefect", f"a block that the automation {self.name} needs is missing")
        if found is None:
            await client.create_automation(wanted)
        else:
            await client.update_automation(found.id, wanted)

    async def _read(self, client: PrefectClient) -> Automation | None:
        return next(iter(await client.read_automations_by_name(self.name)), None)

    async def _wanted(self, client: PrefectClient, enabled: bool) -> AutomationCore | None:
        """Return the automation as wanted; None while a block of a channel is missing."""
        actions = list(self.actions)
        for channel in self.channels:
            block = await channel.read(client)
            if block is None:
                return None
            actions.append(channel.action(block.id, self.alarm))
        return AutomationCore(
            name=self.name,
            description=self.description,
            enabled=enabled,
            trigger=self.trigger,
            actions=actions or [DoNothing()],
        )


@dataclass(frozen=True, slots=True)
class Retired:
    """Describe an automation of an earlier version that Prefect still has."""

    number: UUID
    name: str
    kind: str = "automation"

    async def look(self, _client: PrefectClient) -> Inspection:
        """Return that it is unwanted."""
        return Inspection(Presence.UNWANTED, ("an earlier version made it",))

    async def put(self, client: PrefectClient) -> None:
        """Delete it."""
        await client.delete_automation(self.number)


async def retired(client: PrefectClient) -> list[Retired]:
    """Return what Prefect still has of RETIRED."""
    found = [one for name in RETIRED for one in await client.read_automations_by_name(name)]
    return [Retired(one.id, one.name) for one in found]


def automations(config: Config) -> Iterator[Thing]:
    """Yield all of them, and before them the blocks that they use."""
    channels = tuple(_channels(config))
    yield from channels
    if channels:
        known = {CLOSED} if config.prefect.alarms else set()  # an alarm tells it, with what to do
        yield Automated("Kogge tells of waves", MADE, _waves(known), channels=channels)
    wanted = alarms(config.prefect) if config.prefect.alarms else untimely() if channels else ()
    for alarm in wanted:
        yield Automated(alarm.name, MADE, alarm.trigger, channels=channels, alarm=alarm)


def _waves(told_elsewhere: set[str]) -> EventTrigger:
    return EventTrigger(
        expect=set(WAVES) - told_elsewhere,
        match=ResourceSpecification({"prefect.resource.id": ["kogge.*"]}),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _channels(config: Config) -> Iterator[Channel]:
    wanted = config.prefect
    if wanted.mail is not None:
        yield Channel(MAIL, "kogge-mail", wanted.mail)
    if wanted.webhook is not None:
        yield Channel(HOOK, "kogge-webhook", wanted.webhook)
    for one in wanted.blocks:
        kind, _, name = one.partition("/")
        yield Channel(kind, name)
