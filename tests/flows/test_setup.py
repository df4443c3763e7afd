"""`kogge setup` against a real Prefect server; what prefect.yaml says is what it makes."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prefect import flow, get_client, task
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Running
from servers.smtp_sink import Mail, SmtpSink

from engine.config.load import load
from engine.config.maintenance_windows import WindowSpan
from flows.deploy import deployed, deployments, prefect_server, work_pools
from flows.deploy.automations import RETIRED
from flows.deploy.dead_runs import crash_task_runs
from flows.display import prefect_events
from kogge.app import main
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.kinds import Kind

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROOT = Path(__file__).parents[2]
VERBS = ("start", "verify", "cutover", "pause", "resume", "decide")
SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'
TOML = f"""
{SIDES}{SIDES.replace("source", "target.mail")}
[windows.nights]
spans = ["mon-fri 20:00-06:00", "sat-sun 08:30-24:00"]
timezone = "Europe/Berlin"
[prefect]
waves = 3
"""


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[str]:
    state = prefect_state()
    yield prefect_server.up(state, port=0).api
    prefect_server.down(state)


@pytest.fixture
def place(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_API_URL", api)
    monkeypatch.chdir(tmp_path)
    return write(tmp_path)


def write(directory: Path, more: str = "") -> Path:
    (directory / "kogge.toml").write_text(TOML + more)
    (directory / "kogge-state").mkdir(exist_ok=True)
    return directory


def planned(place: Path) -> None:
    """One wave with a window, one without, one whose mailboxes are past staging."""
    ledger = Ledger(load(place / "kogge.toml").ledger_url())
    ledger.migrate()
    mail = frozenset({Kind.MAIL})
    phases = {"first": Phase.STAGING, "second": Phase.STAGING, "third": Phase.LIVE}
    ledger.add_mailboxes(
        [PlannedMailbox(f"{wave}@a", f"{wave}@b", wave, phase, mail) for wave, phase in phases.items()]
    )
    Waves(ledger).put([WaveRow("first", window="nights")])
    ledger.close()


def kogge(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(str(ended.value.code))


def setup(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, tuple[str, bool]]]:
    capsys.readouterr()
    code = kogge("setup", "--json", *arguments)
    found = json.loads(capsys.readouterr().out)
    return code, {f"{one['kind']} {one['name']}": (one["found"], one["done"]) for one in found}


def asked(api: str, ask: Callable[[Any], Any]) -> Any:
    async def with_client() -> Any:
        async with get_client() as client:
            return await ask(client)

    with temporary_settings({PREFECT_API_URL: api}):
        return asyncio.run(with_client())


@pytest.mark.prefect
def test_it_makes_what_is_missing_and_then_nothing(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planned(place)
    code, looked = setup(capsys, "--check")
    assert code == 1
    assert set(looked.values()) == {("missing", False)}
    code, made = setup(capsys)
    assert code == 0
    assert set(made.values()) == {("missing", True)}
    assert list(made) == list(looked)
    code, again = setup(capsys)
    assert (code, set(again.values())) == (0, {("there", False)})
    assert setup(capsys, "--check")[0] == 0
    of_waves = {name.removeprefix("deployment ") for name in made if name.endswith((" first", " third"))}
    assert of_waves == {f"{verb} {wave}" for verb in VERBS for wave in ("first", "third")}
    first = asked(api, lambda client: client.read_deployment_by_name("wave/start first"))
    assert first.parameters == {"parameters": {"wave": "first", "configuration": "kogge"}}
    assert {"kogge", "wave", "wave:first"} == {*first.tags}
    assert choice(first) == ["first"]
    whole = asked(api, lambda client: client.read_deployment_by_name("wave/wave"))
    assert choice(whole) == ["first", "second", "third"]


def choice(deployment: Any) -> list[str]:
    """The waves that a deployment's form offers."""
    models = deployment.parameter_openapi_schema["definitions"].values()
    (field,) = [one["properties"]["wave"] for one in models if "wave" in one.get("properties", {})]
    assert field["position"] == 0
    return [*field["enum"]]


@pytest.mark.prefect
def test_a_wave_that_is_gone_loses_its_deployments(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planned(place)
    assert setup(capsys)[0] == 0
    rows = "".join(f"{wave}@a.example,{wave}@b.example,{wave}\n" for wave in ("first", "third"))
    (place / "mailboxes.csv").write_text("source,target,wave\n" + rows)
    gone = {f"deployment {verb} second" for verb in VERBS}
    code, found = setup(capsys, "--check")
    assert (code, {name for name, (state, _) in found.items() if state == "unwanted"}) == (1, gone)
    capsys.readouterr()
    assert kogge("setup") == 0
    assert "deployment start second: removed (its wave is not there any more)" in capsys.readouterr().out
    code, found = setup(capsys, "--check")
    assert (code, gone & {*found}) == (0, set())


@pytest.mark.prefect
def test_an_automation_of_an_earlier_version_is_removed(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It called runs dead that lived. One that a person made stays."""
    (old,), theirs = RETIRED, "theirs"
    for name in (old, theirs):
        trigger = EventTrigger(
            expect={"x"}, posture=Posture.Reactive, threshold=1, within=timedelta(minutes=1)
        )
        made = AutomationCore(name=name, trigger=trigger, actions=[DoNothing()])
        asked(api, lambda client, made=made: client.create_automation(made))
    setup(capsys)  # removes it, with all else that differs
    assert asked(api, lambda client: client.read_automations_by_name(old)) == []
    assert len(asked(api, lambda client: client.read_automations_by_name(theirs))) == 1
    code, found = setup(capsys, "--check")
    assert (code, f"automation {old}" in found) == (0, False)


@pytest.mark.prefect
def test_a_night_for_each_wave_in_staging_switched_off(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planned(place)
    setup(capsys)
    delta = asked(api, lambda client: client.read_deployment_by_name("wave/delta"))
    found = {one.slug: (one.schedule.cron, one.schedule.timezone, one.active) for one in delta.schedules}
    assert found == {
        "first-1": ("0 20 * * MON,TUE,WED,THU,FRI", "Europe/Berlin", False),
        "first-2": ("30 8 * * SAT,SUN", "Europe/Berlin", False),
        "second-1": ("0 20 * * *", "UTC", False),
    }
    (wave,) = {one.parameters["parameters"]["wave"] for one in delta.schedules if one.slug == "second-1"}
    assert wave == "second"
    assert delta.parameters["parameters"]["configuration"] == "kogge"


@pytest.mark.prefect
def test_what_a_person_switched_on_stays_on(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    setup(capsys)

    async def switch(client: Any) -> None:
        found = await client.read_deployment_by_name("janitor/janitor")
        await client.update_deployment_schedule(found.id, found.schedules[0].id, active=True)

    asked(api, switch)
    assert setup(capsys, "--check")[0] == 0
    write(place, 'work_pool = "other"\n')
    changed = setup(capsys)[1]
    assert changed["deployment janitor"] == ("different", True)
    janitor = asked(api, lambda client: client.read_deployment_by_name("janitor/janitor"))
    assert [one.active for one in janitor.schedules] == [True]
    assert janitor.work_pool_name == "other"


def backwards(value: Any) -> Any:
    """The same tables, with their keys in another order, as PostgreSQL keeps them."""
    if isinstance(value, dict):
        return {name: backwards(value[name]) for name in reversed(value)}
    return value


@pytest.mark.prefect
def test_the_order_of_keys_is_no_difference(
    place: Path, api: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(place)
    assert setup(capsys)[0] == 0
    read = deployed.Deployed._read

    async def reordered(self: Any, client: Any) -> Any:
        found = await read(self, client)
        if found is not None:
            found.parameters = backwards(found.parameters)
            found.parameter_openapi_schema = backwards(found.parameter_openapi_schema)
            for one in found.schedules:
                one.parameters = backwards(one.parameters)
        return found

    monkeypatch.setattr(deployed.Deployed, "_read", reordered)
    code, found = setup(capsys, "--check")
    assert {name for name, (state, _) in found.items() if state != "there"} == set()
    assert code == 0


@pytest.mark.prefect
def test_it_says_what_differs(place: Path, api: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(capsys)[0] == 0

    async def change(client: Any) -> None:
        found = await client.read_deployment_by_name("verify/verify")
        body = {"description": "something else", "parameters": {"parameters": {"wave": "anothers"}}}
        await client._client.patch(f"/deployments/{found.id}", json=body)

    asked(api, change)
    capsys.readouterr()
    assert kogge("setup", "--check") == 1
    assert (
        "deployment verify: is different (description, default values of the form)" in capsys.readouterr().out
    )
    assert setup(capsys)[0] == 0


@pytest.mark.prefect
def test_queues_are_asked_in_their_order_and_waves_have_a_limit(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    setup(capsys)
    queues = asked(api, lambda client: client.read_work_queues(work_pool_name="kogge"))
    ranked = sorted((one.priority, one.name) for one in queues if one.name != "default")
    assert [name for _, name in ranked] == ["waves", "urgent", "normal", "nightly"]
    assert {one.name: one.concurrency_limit for one in queues}["waves"] == 3


@pytest.mark.prefect
def test_a_missing_block_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place, 'blocks = ["ms-teams-webhook/nobody-made-it"]\n')
    assert kogge("setup") == 2
    assert "ms-teams-webhook/nobody-made-it" in capsys.readouterr().err


CRASHED = "prefect.flow-run.Crashed"


class Hook(http.server.BaseHTTPRequestHandler):
    bodies: list[dict[str, Any]]

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.bodies.append(json.loads(self.rfile.read(size)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.prefect
def test_mail_and_a_webhook_tell_of_blocked_mailboxes_and_of_waves(
    place: Path, api: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(Hook, "bodies", heard, raising=False)
    with SmtpSink() as post, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            monkeypatch.setenv("KOGGE_HOOK", f"http://127.0.0.1:{listener.server_port}/secret-path")
            address = f"mailto://{post.host}:{post.port}?from=kogge@a.example&to=night@a.example"
            monkeypatch.setenv("KOGGE_MAIL", address)
            more = 'webhook = { env = "KOGGE_HOOK" }\nmail = { env = "KOGGE_MAIL" }\nalarms = true\n'
            write(place, more)
            assert setup(capsys)[0] == 0
            assert setup(capsys, "--check")[0] == 0
            wait_for_events(api, heard, post)
        finally:
            listener.shutdown()
            thread.join()
    told = {one["event"]: one["payload"] for one in heard}
    assert told["kogge.mailbox.blocked"] == {"mailbox": "m-1", "code": "over-quota", "wave": "first"}
    assert told["kogge.wave.finished"] == {"mailboxes": 5, "wave": "first"}
    assert told["kogge.server.unwell"]["system"] == "target.mail"
    alarm = next(one for one in heard if one["event"] == "kogge.mailbox.blocked")
    assert alarm["subject"] == "a mailbox of wave first is blocked: over-quota"
    assert "The artifact wave-first (at /artifacts" in alarm["do"]
    crash = next(one for one in heard if one["event"] == CRASHED)
    assert crash["subject"] == "the run cutover first crashed"
    counted = Counter(one["event"] for one in heard)
    assert counted["kogge.mailbox.blocked"] == 1, "one message, however many are blocked"
    mail = blocked(post)[0]
    assert (mail.recipient, mail.message["subject"]) == (
        "night@a.example",
        "Kogge: a mailbox of wave first is blocked: over-quota",
    )
    body = mail.message.get_body(("plain", "html"))
    assert body is not None
    assert "over-quota" in body.get_content()


def wait_for_events(api: str, heard: list[dict[str, Any]], post: SmtpSink) -> None:
    """Tells again until they are heard: the server loads new automations after a while."""
    deadline = time.monotonic() + 250
    wanted = {
        "kogge.mailbox.blocked",
        "kogge.wave.finished",
        "kogge.server.unwell",
        "kogge.wave.window-closed",
        CRASHED,
    }

    @flow(name="cutover")
    def cutover() -> None: ...

    async def crash(client: Any) -> None:
        tags = [deployments.TAG, "wave:first"]
        run = await client.create_flow_run(cutover, name="cutover first", tags=tags, state=Running())
        await client.set_flow_run_state(run.id, Crashed(), force=True)

    with temporary_settings({PREFECT_API_URL: api}):
        while {one["event"] for one in heard} < wanted or not blocked(post):
            assert time.monotonic() < deadline, (heard, post.mails)
            prefect_events.tell("mailbox.blocked", "first", mailbox="m-1", code="over-quota")
            asked(api, crash)
            prefect_events.tell("wave.finished", "first", mailboxes=5)
            prefect_events.tell("wave.window-closed", "first", open=2)
            prefect_events.tell("server.unwell", "first", system="target.mail", code="server-error")
            time.sleep(1)


def blocked(post: SmtpSink) -> list[Mail]:
    return [one for one in post.mails if "blocked" in str(one.message["subject"])]


def test_prefect_yaml_says_the_same() -> None:
    text = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    by_name = {one["name"]: one for one in text["deployments"]}
    assert list(by_name) == [one.name for one in deployments.DEPLOYMENTS]
    for wanted in deployments.DEPLOYMENTS:
        found = by_name[wanted.name]
        assert found["entrypoint"] == wanted.entrypoint
        assert found["description"] == wanted.description
        assert found["tags"] == wanted.tags
        assert found["work_pool"]["work_queue_name"] == wanted.queue
        assert "job_variables" not in found["work_pool"]
        assert found.get("concurrency_limit", {}).get("limit") == wanted.limit
        schedules = [(one["slug"], one["cron"], one["timezone"]) for one in found.get("schedules", [])]
        assert schedules == [(one.slug, one.cron, one.timezone) for one in wanted.schedules]
        assert not any(one["active"] for one in found.get("schedules", []))


def test_a_wave_may_be_called_as_a_form() -> None:
    forms = {one.name for one in deployments.DEPLOYMENTS}
    for wave in ("pilot", "delta", "pause", "start"):
        assert not forms & {one.name for one in deployments.deployments_of(wave)}


def test_only_what_was_made_for_this_configuration_is_left_over() -> None:
    def why(wave: str, configuration: str, *tags: str, name: str = "") -> str:
        given = {"parameters": {"wave": wave, "configuration": configuration}}
        one: Any = SimpleNamespace(name=name or f"start {wave}", tags=[*tags], parameters=given)
        return deployed.why_left(one, "kogge", frozenset({"pilot"}))

    assert why("old", "kogge", "kogge", "wave", "wave:old") == "its wave is not there any more"
    assert why("pilot", "kogge", "kogge", "wave", "wave:pilot") == ""
    assert why("old", "other", "kogge", "wave", "wave:old") == ""
    assert why("old", "kogge", "kogge") == "", "somebody made it by hand"
    assert why("pilot", "kogge", "kogge", "wave:pilot", name="ours") == "", "somebody made it by hand"
    older = "it has another name now"
    assert why("pilot", "kogge", "kogge", "wave", "wave:pilot", name="pilot") == older
    assert why("pilot", "kogge", "kogge", "pause", "wave:pilot", name="start pilot") == older


@pytest.mark.prefect
def test_an_older_deployment_of_a_wave_gives_its_schedules_to_the_new_one(
    place: Path, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every deployment of a wave was called by its wave alone once."""
    planned(place)
    setup(capsys)

    async def as_before(client: Any) -> None:
        new = await client.read_deployment_by_name("wave/start first")
        await client.delete_deployment(new.id)
        nightly = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 3 * * *"), active=True, slug="mine")
        await client.create_deployment(
            flow_id=new.flow_id,
            name="first",
            tags=new.tags,
            parameters=new.parameters,
            schedules=[nightly],
        )

    asked(api, as_before)
    _, made = setup(capsys)
    assert made["deployment start first"] == ("missing", True)
    assert made["deployment first"] == ("unwanted", True)
    (schedule,) = asked(api, lambda client: client.read_deployment_by_name("wave/start first")).schedules
    assert (schedule.slug, schedule.active, schedule.schedule.cron) == ("mine", True, "0 3 * * *")
    assert {found for found, _ in setup(capsys)[1].values()} == {"there"}


def test_batches_wait_by_priority() -> None:
    assert deployments.queue_of(None, 0) == "normal"
    assert deployments.queue_of("delta", 0) == "nightly"
    assert deployments.queue_of("delta", 1) == "urgent"


@pytest.mark.parametrize(
    ("span", "line"),
    [
        ("mon-sun 00:00-24:00", "0 0 * * *"),
        ("sat 22:15-04:00", "15 22 * * SAT"),
        ("sun-mon 20:00-06:00", "0 20 * * MON,SUN"),
    ],
)
def test_a_schedule_begins_with_its_window(span: str, line: str) -> None:
    assert work_pools.cron_of(WindowSpan.read(span)) == line


@pytest.mark.prefect
def test_the_janitor_leaves_alone_what_is_anothers(api: str) -> None:
    """A flow of somebody else's may have the name of one of ours."""

    @flow(name="batch")
    def batch() -> None: ...

    @task
    def leg() -> None: ...

    async def sweep(client: Any) -> list[str]:
        made = []
        for tags in ([deployments.TAG], ["theirs"]):
            run = await client.create_flow_run(batch, tags=tags, state=Running())
            one = await client.create_task_run(leg, run.id, dynamic_key="0", state=Running())
            await client.set_flow_run_state(run.id, Completed(), force=True)
            made.append(one.id)
        assert await crash_task_runs(client, timedelta(0)) == 1
        return [(await client.read_task_run(number)).state_name for number in made]

    assert asked(api, sweep) == ["Crashed", "Running"]
