"""The Prefect flows `pause` and `resume`: the brake of a wave, for those who work in Prefect's UI.

They do what `kogge pause` and `kogge resume` do: the ledger keeps the decision, and every run of the wave
asks it every two seconds, on every machine.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from engine.config.registry import chosen
from engine.control.ledger_patience import patience_of
from engine.control.log_filter import quieten
from flows.deploy.deployments import RESUME, WAVE
from flows.display.states import refused
from flows.own_run import mark
from flows.process.parameters import Configuration, RunParameters, WaveName, refuse_unknown_wave
from ledger.open_ledgers import opened
from ledger.plan.wave_control import set_paused
from model.errors import MigrationError

BY = "prefect"
"""Who decided, where the form says nothing. Of a name the event says that it was typed in Prefect: the login
there is one for all."""


class PauseParameters(RunParameters):
    """Stop a wave, or let it run again. Recorded in the ledger, as everything that people decide."""

    wave: WaveName
    operator: str = Field(
        "",
        title="Who decides",
        description="A name or sign of your own; recorded. Empty is recorded as prefect",
        max_length=100,
    )
    configuration: Configuration = ""


@flow(name="pause", flow_run_name="pause {parameters.wave}", persist_result=False)
async def pause(parameters: PauseParameters) -> State[Any]:
    """Stop every run of a wave within seconds, and let none begin until it is resumed."""
    return await _set(parameters, paused=True)


@flow(name="resume", flow_run_name="resume {parameters.wave}", persist_result=False)
async def resume(parameters: PauseParameters) -> State[Any]:
    """Let a paused wave run again. It starts nothing by itself."""
    return await _set(parameters, paused=False)


async def _set(parameters: PauseParameters, *, paused: bool) -> State[Any]:
    quieten()
    try:
        changed = await asyncio.to_thread(_record, parameters, paused)
    except MigrationError as error:
        return refused(error)
    finally:
        await mark(parameters.wave)  # only now: the wave need not wait for Prefect's answers
    return Completed(message=result_text(parameters.wave, paused=paused, changed=changed))


def _record(parameters: PauseParameters, paused: bool) -> bool:
    config = chosen(parameters.configuration)
    patience = patience_of(config)
    with opened(config.ledger_url(), patience=patience) as ledger:

        def record() -> bool:
            refuse_unknown_wave(ledger, parameters.wave)
            by = parameters.operator.strip() or BY
            return set_paused(ledger, parameters.wave, paused, by, through="" if by == BY else BY)

        return patience.ask(record)


def result_text(wave: str, *, paused: bool, changed: bool) -> str:
    """Return what the run says at its end, with what comes next."""
    if paused:
        now = f"wave {wave} is paused" if changed else f"wave {wave} was paused already"
        going_on = f'the deployment "{RESUME.name_of(wave)}", then "{WAVE.name_of(wave)}"'
        return f"{now}: what is at work settles within seconds. To go on: {going_on}"
    now = f"wave {wave} may run again" if changed else f"wave {wave} was not paused"
    return f'{now}. Nothing runs yet: the deployment "{WAVE.name_of(wave)}" starts it'
