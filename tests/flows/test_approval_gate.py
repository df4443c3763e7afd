"""A suspended run goes on only with what the ledger approves, however it is resumed. A real local server."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause, PrefectHTTPStatusError
from prefect.flow_engine import run_flow_async
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed

from engine.approvals.plan_approval import CUTOVER, detail_of, new_statement, plan_of
from engine.config.load import Config, load
from flows.approval_gate import wait_for_approval
from flows.deploy import prefect_server
from ledger.db.rows import Phase
from ledger.plan.approvals import Check, keep_checks, record
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind
from model.signing_keys import line_of

pytestmark = [
    pytest.mark.prefect,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
YES = {"approve": True, "operator": "night shift"}
NO = {"approve": False, "operator": "night shift"}


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[str]:
    state = prefect_state()
    yield prefect_server.up(state, port=0).api
    prefect_server.down(state)
    gc.collect()


@dataclass
class Waiting:
    """A run of a deployment, run in this process as a worker would in its own."""

    config: Config
    ledger: Ledger
    keys: dict[str, Ed25519PrivateKey]
    client: PrefectClient
    id: UUID
    flow: Any
    passed: list[str]
    shown: list[str]

    def sign(self) -> None:
        plan = plan_of(self.config, self.ledger, "w")
        for name, key in self.keys.items():
            statement = new_statement("w", CUTOVER, plan, name, "agreed")
            record(self.ledger, "w", CUTOVER, detail_of(statement), key.sign(statement.to_sign()))

    async def run(self) -> str | None:
        """The state in which a process leaves it."""
        with suppress(Pause):
            await run_flow_async(self.flow, flow_run=await self.read(), return_type="state")
        return (await self.read()).state_name

    async def read(self) -> FlowRun:
        return await self.client.read_flow_run(self.id)

    async def resume(self, answer: dict[str, Any] | None) -> str | None:
        await self.client.resume_flow_run(self.id, run_input=answer)
        return await self.run()


@asynccontextmanager
async def waiting(api: str, folder: Path) -> AsyncIterator[Waiting]:
    keys = {name: Ed25519PrivateKey.generate() for name in ("Anna", "Bernd")}
    lines = "".join(f'{name} = "{line_of(key)}"\n' for name, key in keys.items())
    server_of = 'kind = "imap"\nhost = "x.example"\nusername = "x"\npassword = { env = "X" }\n'
    toml = f"[approval.approvers]\n{lines}[source]\n{server_of}[target.mail]\n{server_of}"
    (folder / "kogge.toml").write_text(toml)
    config = load(folder / "kogge.toml")
    config.state_directory.mkdir()
    ledger = Ledger(config.ledger_url())
    ledger.migrate()
    planned = PlannedMailbox("a@old.example", "a@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))
    (number,) = ledger.add_mailboxes([planned])
    keep_checks(ledger, [Check(str(number), "directory", None, 1, 1)])
    passed: list[str] = []
    shown: list[str] = []

    async def show(why: str) -> None:
        shown.append(why)

    @flow(name="gate", persist_result=False)
    async def gate() -> Any:
        await wait_for_approval(config, ledger, "w", CUTOVER, waits=show)
        passed.append("through")
        return Completed(message="through")

    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            flow_id = await client.create_flow(gate)
            deployment = await client.create_deployment(flow_id, name=folder.name)
            run = await client.create_flow_run_from_deployment(deployment)
            yield Waiting(config, ledger, keys, client, run.id, gate, passed, shown)
    ledger.close()


def play(api: str, folder: Path, scene: Any) -> None:
    async def whole() -> None:
        async with waiting(api, folder) as one:
            await scene(one)

    asyncio.run(whole())


def test_with_the_signatures_there_nobody_is_asked(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        one.sign()
        assert await one.run() == "Completed"

    play(api, tmp_path, scene)


def test_approving_in_the_form_alone_moves_nothing(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        assert await one.run() == "Suspended"
        message = str((await one.read()).state.message)  # type: ignore[union-attr]
        assert "the cutover of wave w has 0 of 2 approvals of its plan" in message
        assert "approve --wave w --stage cutover --key FILE --reason TEXT" in message
        assert "Then press Resume here" in message
        assert str(tmp_path) not in message
        assert one.shown == [message]
        for _ in range(2):
            assert await one.resume(YES) == "Suspended"
        assert one.passed == []
        one.sign()
        assert await one.resume(YES) == "Completed"
        assert one.passed == ["through"]

    play(api, tmp_path, scene)


def test_a_resume_without_an_answer_stays_suspended(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        assert await one.run() == "Suspended"
        one.sign()
        for answer in (None, {}, {"operator": "x"}):
            try:
                assert await one.resume(answer) == "Suspended"
            except PrefectHTTPStatusError:  # the server itself wants an answer
                assert (await one.read()).state_name == "Suspended"
        assert one.passed == []
        assert await one.resume(YES) == "Completed"

    play(api, tmp_path, scene)


def test_an_empty_name_is_answered_by_a_sentence(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        assert await one.run() == "Suspended"
        one.sign()
        for answer in ({"approve": True}, {"approve": True, "operator": " "}):
            assert await one.resume(answer) == "Suspended"
            message = str((await one.read()).state.message)  # type: ignore[union-attr]
            assert "Nobody said who resumes" in message
        assert one.passed == []
        assert await one.resume(YES) == "Completed"

    play(api, tmp_path, scene)


def test_the_newest_answer_counts(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        assert await one.run() == "Suspended"
        assert await one.resume(YES) == "Suspended"
        one.sign()
        assert await one.resume(NO) == "Suspended"
        assert one.passed == []
        assert await one.resume(YES) == "Completed"

    play(api, tmp_path, scene)


def test_a_run_that_starts_from_the_top_without_being_resumed_waits_again(api: str, tmp_path: Path) -> None:
    """As after a worker's death, or a retry in the UI: the state is set by force, and no answer is there."""

    async def scene(one: Waiting) -> None:
        from prefect.states import Scheduled

        assert await one.run() == "Suspended"
        one.sign()
        await one.client.set_flow_run_state(one.id, Scheduled(), force=True)
        assert await one.run() == "Suspended"
        assert one.passed == []
        assert await one.resume(YES) == "Completed"

    play(api, tmp_path, scene)


def test_a_plan_that_changes_while_it_waits_needs_new_signatures(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        assert await one.run() == "Suspended"
        one.sign()
        (row,) = one.ledger.mailboxes("w")
        keep_checks(one.ledger, [Check(row.id, "address", None, 1, 1)])
        assert await one.resume(YES) == "Suspended"
        one.sign()
        assert await one.resume(YES) == "Completed"

    play(api, tmp_path, scene)


def test_a_run_that_nobody_could_resume_is_refused(api: str, tmp_path: Path) -> None:
    async def scene(one: Waiting) -> None:
        with pytest.raises(Blocked, match="not-approved"):
            await one.flow()

    play(api, tmp_path, scene)
