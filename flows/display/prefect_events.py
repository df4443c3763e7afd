"""What happened, as Prefect events: automations of an organisation wait for them.

An event names a wave, a random mailbox id, counts and codes; anything else is left out of it. Where no
Prefect API is at hand nothing is sent, and what is sent may not fail a run: the ledger is the record,
this is the bell.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from engine.control.error_log import spare
from flows.process.prefect_insides import send_or_drop_events

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

Kind: TypeAlias = Literal[
    "wave.started",
    "wave.finished",
    "wave.incomplete",
    "wave.paused",
    "wave.resumed",
    "wave.canary-failed",
    "wave.window-closed",
    "wave.approved",
    "wave.frozen",
    "wave.live",
    "wave.rolled-back",
    "mailbox.blocked",
    "mailbox.verified",
    "cutover.started",
    "cutover.frozen",
    "cutover.taken-back",
    "cutover.step",
    "cutover.hook-failed",
    "cutover.waiting",
    "cutover.finished",
    "cutover.ended",
    "cutover.died",
    "legs.requeued",
    "server.unwell",
]

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
"""What a text in an event may look like: an id, a name of a wave or step, a code. No address, no sentence."""
LEFT_OUT = "?"

FAREWELL_SECONDS = 15.0
"""How long the end of a run waits for what Prefect is still to be told. Prefect itself waits for good: seven
seconds an event and more once its server is gone."""

Value: TypeAlias = str | int | float | bool | None


def tell(kind: Kind, wave: str, **payload: Value) -> None:
    """Send `kogge.{kind}` to the Prefect API of this context.

    With a mailbox or a system (a server) in the payload the event is about that, else about the wave.
    """
    if not os.environ.get("PREFECT_API_URL") and "prefect" not in sys.modules:
        return
    with spare("an event"):
        _tell(kind, wave, payload)


def _tell(kind: Kind, wave: str, payload: Mapping[str, Value]) -> None:
    # Imported late: a command without Prefect need not load it.
    from prefect.context import FlowRunContext
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value() is None:  # Prefect would start a server of its own
        return
    told = {name: shown(value) for name, value in payload.items()} | {"wave": shown(wave)}
    resource = _resource(told)
    within = FlowRunContext.get()
    run = None if within is None else within.flow_run
    emit(f"kogge.{kind}", resource, [*_related(resource), *run_of(run)], told)


def emit(
    event: str,
    resource: dict[str, str],
    related: list[dict[str, str]],
    payload: Mapping[str, object],
    **more: Any,
) -> None:
    """Send an event that is related to nothing but what it names.

    Prefect would add flow, deployment, queue, pool and tags of the run that it is sent from; its server
    stores a row for each.
    """
    from prefect.context import FlowRunContext, TaskRunContext
    from prefect.events import emit_event

    def send() -> None:
        # Prefect's sender looks at them later, in a copy of this context; where they are not set, at its own.
        for one in (FlowRunContext, TaskRunContext):
            known: Any = one.__var__
            known.set(None)
        emit_event(event, resource=resource, related=related, payload={**payload}, **more)

    with spare("an event"):
        copy_context().run(send)


def run_of(run: FlowRun | None) -> list[dict[str, str]]:
    """Return the run of a flow as a resource; its timeline and its events have what is related to it."""
    if run is None:
        return []
    number = f"prefect.flow-run.{run.id}"
    return [
        {
            "prefect.resource.id": number,
            "prefect.resource.role": "flow-run",
            "prefect.resource.name": run.name,
        }
    ]


def farewell() -> bool:
    """Send what waits, with Prefect's own events and logs, or drop it after FAREWELL_SECONDS.

    What comes later goes to the API of its own context; Prefect would stay with the first one of this
    process. Do not call it within an event loop.

    Returns:
        False if something was dropped.
    """
    if "prefect.events.worker" not in sys.modules:
        return True
    return send_or_drop_events(FAREWELL_SECONDS)


def shown(value: Value) -> Value:
    """Return the value if it may be seen by anyone, else LEFT_OUT."""
    return value if not isinstance(value, str) or CODE.fullmatch(value) else LEFT_OUT


def _resource(told: Mapping[str, Value]) -> dict[str, str]:
    wave = f"{told['wave']}"
    kind = next((name for name in ("mailbox", "system") if told.get(name) is not None), "wave")
    name = f"{told[kind]}"
    about = f"kogge.{'server' if kind == 'system' else kind}.{name}"
    return {"prefect.resource.id": about, "prefect.resource.name": name, "kogge.wave": wave}


def _related(resource: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the wave of an event about something else, so that the wave's list has the event, too."""
    wave = f"kogge.wave.{resource['kogge.wave']}"
    if resource["prefect.resource.id"] == wave:
        return []
    name = resource["kogge.wave"]
    return [{"prefect.resource.id": wave, "prefect.resource.role": "wave", "prefect.resource.name": name}]
