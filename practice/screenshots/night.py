"""Take pictures of what an operator sees at night: artifacts, a cutover that waits, people who are frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from flows.deploy.server_login import header
from practice.harness.practice_run import PracticeFailed, environment
from practice.harness.warden import die_with_the_starter
from practice.screenshots.stage import WAVE, Stage

WAIT_SECONDS = 240.0
WIDTH = 1280
HOOK = """
[[hooks.freeze]]
name = "close-source"
attempts = 1
command = ["/bin/false"]
"""
"""A freeze hook that fails: people are frozen, and somebody has to look."""


def artifacts(stage: Stage) -> None:
    """Show the cards of all artifacts of a wave."""
    stage.migrated()
    stage.browser.open(f"{stage.prefect()}/artifacts", WIDTH, 900)
    stage.browser.wait_for_text(f"losses-{WAVE}")
    stage.picture("night-artifacts")


def mailboxes(stage: Stage) -> None:
    """Show the mailboxes of a wave while a server refuses the login, then repair that."""
    stage.migrated()
    password = stage.world.directory / "dav-password"
    right = password.read_text()
    password.write_text("wrong")
    stage.world.shell(f"kogge migrate --wave {WAVE}")
    _open_artifact(stage, f"wave-{WAVE}", "What to do")
    stage.picture("night-mailboxes", height=760)
    password.write_text(right)
    stage.world.kogge(f"retry --wave {WAVE}")
    stage.world.kogge(f"migrate --wave {WAVE}")


def not_ready(stage: Stage) -> None:
    """Show deployments before a worker has asked for runs."""
    stage.approved()
    stage.prefect()
    stage.once("setup", ("setup",))
    stage.browser.open(f"{stage.prefect()}/deployments", WIDTH, 560)
    stage.browser.wait_for_text("Not Ready")
    stage.picture("night-not-ready")


def suspended(stage: Stage) -> None:
    """Show a cutover that waits for approvals: its run, and the form behind Resume."""
    stage.migrated()
    run = _waiting(stage)
    stage.browser.open(f"{stage.prefect()}/runs/flow-run/{run}", WIDTH, 800)
    stage.browser.wait_for_text("suspended: not-approved")
    stage.browser.settle(10.0)  # the time line writes its first labels over one another, and mends that
    stage.picture("night-suspended")
    stage.browser.click("Resume")
    stage.browser.wait_for_text("Who resumes")
    stage.picture("night-resume")


def frozen(stage: Stage) -> None:
    """Show the cutover of a wave whose people are frozen because a hook failed."""
    stage.migrated()
    run = _waiting(stage)
    keys = ("approver-one.pem", "approver-two.pem")
    sign = f'approve --wave {WAVE} --stage cutover --reason "a picture" --yes --key'
    with (stage.world.directory / "kogge.toml").open("a") as file:
        file.write(HOOK)
    stage.once("frozen", tuple(f"{sign} {key}" for key in keys))
    answer = {"run_input": {"approve": True, "operator": "night shift"}}
    _api(stage, f"flow_runs/{run}/resume", answer)
    with _worker(stage):
        _until(stage, run, "Incomplete")
    _open_artifact(stage, f"cutover-{WAVE}", "What to type next")
    stage.picture("night-frozen", height=760)


def _waiting(stage: Stage) -> str:
    """Return the id of a run of the cutover that waits for approvals."""
    stage.prefect()
    stage.once("setup", ("setup",))
    with _worker(stage):
        deployment = _api(stage, f"deployments/name/cutover/cutover%20{WAVE}")["id"]
        run = str(_api(stage, f"deployments/{deployment}/create_flow_run", {})["id"])
        _until(stage, run, "Suspended")
    return run


def _until(stage: Stage, run: str, name: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while _api(stage, f"flow_runs/{run}")["state"]["name"] != name:
        if time.monotonic() > deadline:
            raise PracticeFailed(f"a run of the cutover does not become {name}")
        time.sleep(1)


@contextmanager
def _worker(stage: Stage) -> Iterator[None]:
    """Run a worker until the context ends."""
    process = subprocess.Popen(
        ["kogge", "worker", "--limit", "3"],
        cwd=stage.world.directory,
        env=environment() | {"PREFECT_API_URL": f"{stage.prefect()}/api"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_the_starter,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _open_artifact(stage: Stage, key: str, text: str) -> None:
    """Show an artifact's newest version, and wait for a text of it."""
    asked = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    number = _api(stage, "artifacts/filter", asked)[0]["id"]
    stage.browser.open(f"{stage.prefect()}/artifacts/artifact/{number}", WIDTH, 700)
    stage.browser.wait_for_text(text)


def _api(stage: Stage, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask Prefect's API.

    Args:
        stage: has the server.
        path: below the API's address.
        body: is sent; None to only read.

    Returns:
        The answer.
    """
    url = f"{stage.prefect()}/api/{path}"
    method, login = "GET" if body is None else "POST", header(stage.login)
    reply = httpx.request(method, url, json=body, headers=login, timeout=60)
    reply.raise_for_status()
    return reply.json()
