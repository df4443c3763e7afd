"""What a command shows in a Prefect that runs already: events while it works, and an artifact at its end.

Runs of Prefect have a context of their own; a command has none. Where no Prefect runs nothing is shown, and
none is started. What is shown is counts, codes and random ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.control.error_log import spare
from flows.deploy.api import configured_api, environment_of, running_api
from flows.display import prefect_events
from flows.process.run_note import notes_of_the_dead
from model.errors import MigrationError

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.store import Ledger


@contextmanager
def telling(config: Config) -> Iterator[None]:
    """Let what happens within the block reach a Prefect that runs, as events.

    Args:
        config: says which Prefect.

    Raises:
        Misconfigured: if Prefect's address may not be used.
    """
    api = running_api(config)
    if api is None:
        yield
        return
    settle_killed_commands(config)
    with environment_of(api):
        try:
            yield
        finally:
            prefect_events.farewell()


def settle_killed_commands(config: Config) -> int:
    """Settle the runs of commands that were killed on this machine, if Prefect answers.

    It is for commands that are about something else: it raises nothing, and asks Prefect only if there is
    something to settle.

    Args:
        config: says which Prefect, and where notes of runs lie.

    Returns:
        How many runs it were.
    """
    with spare("runs of killed commands"):
        try:
            if not notes_of_the_dead(config.state_directory, configured_api(config) or ""):
                return 0
            api = running_api(config)
        except MigrationError:
            return 0
        if api is not None:
            from flows.deploy.killed_runs import settle_at  # imported late, as below

            return settle_at(api, config.state_directory)
    return 0


def show_links(config: Config, wave: str, ends: Mapping[str, int]) -> bool:
    """Show where the links of a wave lead: the artifact `links-NAME`.

    Args:
        config: says which Prefect.
        wave: the wave.
        ends: counts by `moved`, or by the reason why a link leads nowhere.

    Returns:
        False if no Prefect runs, so that nothing is shown.

    Raises:
        Misconfigured: if Prefect's address may not be used.
    """
    from flows.display.problem_pages import links_phrase, links_text

    now = datetime.now(UTC)
    told = f"{links_phrase(ends)} ({now:%d %b %H:%M} UTC)"
    return _show(config, ("links", wave), told, links_text(wave, ends, now))


def show_cutovers(config: Config, ledger: Ledger, codes: Mapping[str, str | None]) -> bool:
    """Show where each mailbox of these waves is: the artifacts `cutover-NAME`.

    Args:
        config: says which Prefect.
        ledger: the ledger.
        codes: by mailbox, why its cutover ended; None if it is where it was to go.

    Returns:
        False if no Prefect runs, so that nothing is shown.

    Raises:
        Misconfigured: if Prefect's address may not be used.
    """
    if not codes or running_api(config) is None:
        return False
    # Imported late: without a running Prefect the command need not load it.
    from flows.display.cutover_page import cutover_phrase, cutover_text, read_lines

    now = datetime.now(UTC)
    shown = True
    for wave in sorted({row.wave for row in ledger.mailboxes(ids=codes)}):
        lines = read_lines(ledger, ledger.mailboxes(wave), codes)
        with spare("the page of a cutover"):
            told = f"{cutover_phrase(lines)} ({now:%H:%M} UTC)"
            shown &= _show(config, ("cutover", wave), told, cutover_text(wave, lines, now))
    return shown


def _show(config: Config, key: tuple[str, str], told: str, text: str) -> bool:
    """Make an artifact, if it can be shown. Return False if no Prefect runs."""
    api = running_api(config)
    if api is None:
        return False
    # Imported late, as above.
    from prefect import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    from flows.deploy.setup import talking_to
    from flows.process.background_task import draw
    from reports.progress import slug

    made = ArtifactCreate(key=slug(*key), type="markdown", description=told, data=text)

    async def put() -> None:
        async with get_client() as client:  # outside of a run, which alone may use prefect.artifacts
            await client.create_artifact(made)

    with talking_to(api, config):
        asyncio.run(draw("an artifact of a command", put))
    return True
