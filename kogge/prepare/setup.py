"""`kogge setup`: gets a Prefect API ready for workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import AsJson, ConfigPath, Exit, echo, emit, say
from model.errors import Transient

if TYPE_CHECKING:
    from flows.deploy.api import Api
    from flows.deploy.setup import SetupOutcome

AWAITS_SECONDS = 120.0
"""How long an API that does not answer is asked again: it may be starting, or its machine is busy."""
ADVICE = (
    "Schedules are switched off until somebody switches them on, in Prefect under Deployments: `janitor`, "
    "and `delta` for waves that are to be brought up to date every night. Quick run of the deployment "
    "`start W` starts the wave W, `pause W` stops it, and `decide W` asks what to do with what stopped."
)


def setup(
    config: ConfigPath = DEFAULT,
    check: Annotated[bool, typer.Option("--check", help="Compare; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Gets Prefect ready for workers: work pool, queues, deployments, schedules, automations.

    Each wave gets deployments of its own, which ask nothing: wave/NAME, verify/NAME, cutover/NAME,
    pause/NAME and resume/NAME; those of a wave that is gone are removed. Run it again after every change of
    kogge.toml, of the waves, or of Kogge: it changes only what differs, and what you switched on or off in
    Prefect stays so. Exit code 1 when --check finds a difference.

    Example: kogge setup --check
    """
    settings = load(config)
    api, outcomes = _outcomes(settings, check)
    if as_json:
        emit(
            [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "found": str(one.found),
                    "done": one.done,
                    "differs": list(one.differs),
                }
                for one in outcomes
            ]
        )
    else:
        for one in outcomes:
            echo(one.line())
        if any(one.done for one in outcomes):
            say(ADVICE)
    if api.local and settings.prefect.dispatch == "deployment":
        say(f"Runs wait for a worker on this machine: {next_command(config, 'worker')}")
    raise typer.Exit(Exit.OPEN if any(one.open for one in outcomes) else Exit.OK)


def _outcomes(config: Config, check: bool) -> tuple[Api, list[SetupOutcome]]:
    import httpx

    from flows.deploy.api import ensure_api
    from flows.deploy.automations import automations
    from flows.deploy.deployed import arrange_all
    from flows.deploy.setup import talking_to
    from flows.deploy.work_pools import own_waves, work
    from flows.display.from_command import settle_killed_commands

    api = ensure_api(config, 0.0 if check else AWAITS_SECONDS)
    if not check:
        settle_killed_commands(config)
    try:
        with opened_ledger(config) as ledger, talking_to(api, config):
            things = [*work(config, ledger), *automations(config)]
            waves = own_waves(config, ledger)
            return api, asyncio.run(arrange_all(things, config, waves, check=check))
    except httpx.HTTPError:
        raise Transient("prefect-unavailable", "the Prefect API went away; run it again") from None
