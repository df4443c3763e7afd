"""The work pool, its queues and the deployments, as `kogge setup` makes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from engine.config.load import Config
from engine.config.maintenance_windows import DAY, WindowSpan
from engine.planning.mailbox_list_checks import mailboxes
from flows.deploy.deployed import Deployed
from flows.deploy.deployments import DELTA, DEPLOYMENTS, QUEUES, WAVES, Queue, Schedule, deployments_of
from flows.deploy.setup import MISSING, Inspection, Thing
from flows.deploy.work_pool import Pool
from ledger.db.rows import Phase
from ledger.plan.waves import Waves
from ledger.store import Ledger

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """Describe a queue of the pool.

    Attributes:
        limit: runs at the same time, of all workers together; None for as many as the workers take.
    """

    pool: str
    queue: Queue
    limit: int | None
    kind: str = "work queue"

    @property
    def name(self) -> str:
        """Return its name."""
        return self.queue.name

    async def look(self, client: PrefectClient) -> Inspection:
        """Compare the queue in Prefect with what is wanted."""
        try:
            found = await client.read_work_queue_by_name(self.name, work_pool_name=self.pool)
        except ObjectNotFound:
            return MISSING
        return Inspection.at(name for name, value in self._wanted().items() if getattr(found, name) != value)

    def _wanted(self) -> dict[str, Any]:
        given = (self.queue.description, self.limit, self.queue.priority)
        return dict(zip(("description", "concurrency_limit", "priority"), given, strict=True))

    async def put(self, client: PrefectClient) -> None:
        """Create or update the queue."""
        wanted = self._wanted()
        try:
            found = await client.read_work_queue_by_name(self.name, work_pool_name=self.pool)
        except ObjectNotFound:
            await client.create_work_queue(self.name, work_pool_name=self.pool, **wanted)
        else:
            await client.update_work_queue(found.id, **wanted)


def work(config: Config, ledger: Ledger) -> Iterator[Thing]:
    """Yield all that has to be there, in the order in which it must be made."""
    pool = config.prefect.work_pool
    yield Pool(pool)
    for queue in QUEUES:
        yield WorkQueue(pool, queue, config.prefect.waves if queue.name == WAVES else None)
    own = own_waves(config, ledger)
    known = own | {row.wave for row in ledger.mailboxes()}
    for one in DEPLOYMENTS:
        schedules = nightly(config, ledger) if one is DELTA else one.schedules
        yield Deployed(one, schedules, config, known)
    for wave in sorted(own):
        for one in deployments_of(wave):
            yield Deployed(one, (), config, frozenset({wave}))


def own_waves(config: Config, ledger: Ledger) -> frozenset[str]:
    """Return the waves of this configuration: those of its list, or of the ledger if no list is at hand.

    The ledger may have waves of another configuration, too.
    """
    planned = frozenset(row.wave for row in ledger.mailboxes())
    if not config.file(config.mailboxes).exists():
        return planned
    return frozenset(one.wave for one in mailboxes(config, unplanned=True) if one.wave)


def nightly(config: Config, ledger: Ledger) -> tuple[Schedule, ...]:
    """Return when each wave with mailboxes in staging is brought up to date: as its window opens."""
    staging = {row.wave for row in ledger.mailboxes() if row.phase is Phase.STAGING}
    staging &= own_waves(config, ledger)
    planned = Waves(ledger)
    found = []
    for wave in sorted(staging):
        window = config.windows.get(planned.read(wave).window or "")
        zone = config.plan.timezone if window is None else window.timezone
        lines = ["0 20 * * *"] if window is None else [cron_of(span) for span in window.parsed()]
        for number, line in enumerate(lines, 1):
            found.append(Schedule(f"{wave}-{number}", line, zone, {"wave": wave}))
    return tuple(found)


def cron_of(span: WindowSpan) -> str:
    """Return the moments at which a span begins, as a line of cron."""
    hour, minute = divmod(span.begins % DAY, 60)
    days = "*" if len(span.days) == len(DAYS) else ",".join(DAYS[day] for day in sorted(span.days))
    return f"{minute} {hour} * * {days}"
