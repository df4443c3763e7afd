"""docker-compose.yml with Docker: the guide's steps, a wave while containers die, workers elsewhere, an
upgrade, a backup. Each test goes on where the one before ended."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import guide
import pytest
from containers import docker, free_port, say
from followed import GUIDE, Site, whole
from place import Place, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]
BACKUPS = "privacy-and-backups.md"
SERVICES = ("postgres", "redis", "api1", "api2", "services", "proxy", "watch", "worker")
SECRETS = (
    "db-admin-password",
    "db-password",
    "prefect-db-password",
    "redis-password",
    "prefect-login",
    "prefect-key",
)
MOST_BYTES = 450_000_000
"""Of the image, with its base."""
COPIED = "item WHERE state IN (4, 5)"
OPEN = "item WHERE state IN (0, 1)"
SLOW = 0.05
STEP = 5
MIGRATION = '''\
"""Something that the next version needs."""

import sqlalchemy as sa
from alembic import op

revision = "{new}"
down_revision = "{old}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("of_the_next_version", sa.Column("id", sa.Integer(), primary_key=True))
'''


def complete(site: Site, place: Place | None = None) -> None:
    """Runs the wave until it is done; then each message of the source is at the target once, or skipped."""
    place = place or site.place
    for _ in range(4):
        done = place.migrate()
        if done.code == 0:
            break
    assert done.code == 0, f"{done.out[-3000:]}\n{done.err[-3000:]}\n{place.logs()}"
    whole(site, place)


def ui(place: Place, path: str, **headers: str) -> tuple[int, bytes]:
    port = place.compose("port", "proxy", "8080").rpartition(":")[2]
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=30) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, b""


def test_the_steps_of_the_guide_lead_to_a_healthy_stack(site: Site) -> None:
    """No secret is seen from outside, all of ours is the operator's account, Prefect's pages are served."""
    place = site.place
    image = docker("image", "inspect", "-f", "{{.Size}}", place.environment["KOGGE_IMAGE"])
    assert int(image) <= MOST_BYTES
    kept = [(place.directory / "secrets" / name).read_text().strip() for name in SECRETS]
    for service in SERVICES:
        running = place.containers(service)
        assert len(running) == (2 if service == "worker" else 1), service
        for told in json.loads(docker("inspect", *running)):
            assert told["State"]["Health"]["Status"] == "healthy", service
            assert told["HostConfig"]["ReadonlyRootfs"], service
            if service not in ("postgres", "redis"):
                assert told["Config"]["User"] == f"{place.number}:{place.number}", service
            assert not [one for one in kept if one in json.dumps(told)], service
    assert not [one for one in kept if one in place.compose("config")]
    status, page = ui(place, "/", Accept="text/html")
    assert status == 200
    assert b"<html" in page
    assert ui(place, "/api/flow_runs/count")[0] in (401, 405)


def test_a_wave_outlives_its_containers(site: Site) -> None:
    """Each dies or begins anew while mailboxes are half copied. The next run brings the rest."""
    place, mail = site.place, site.mail
    mail.exchange.trickle = SLOW
    with place.migrating() as wave:
        goes_on(place, "the wave copies")
        say("a worker is killed at its work")
        worker, held = place.busiest()
        docker("kill", worker)
        assert held & place.owners(), "it had ended its work before it died"
        goes_on(place, "the other worker copies", without=held)
        say("an API server is killed")
        docker("kill", place.containers("api1")[0])
        goes_on(place, "the wave goes on without it", without=held)
        say("Redis begins anew")
        place.compose("restart", "redis")
        goes_on(place, "the wave goes on after it", without=held)
        say("the database begins anew")
        place.compose("restart", "postgres")
        mail.exchange.trickle = None
        say("what died is started")
        place.compose("up", "-d", "--wait")
        wave.wait(900)
    say("the wave is run again")
    complete(site)


def goes_on(place: Place, what: str, without: Collection[str] = ()) -> None:
    """Waits until more is copied, and more is left to copy."""
    copied = place.number_of(COPIED)
    until(lambda: place.number_of(COPIED) >= copied + STEP, 300, what)
    assert place.number_of(OPEN) > 0, f"{what}: nothing is left to disturb"
    assert place.owners() - set(without), f"{what}: nobody is at work"


def test_workers_on_another_machine_do_a_wave_alone(site: Site) -> None:
    """They have their own project and network, and reach the first machine's published ports alone."""
    place, mail, address = site.place, site.mail, site.mail.address
    database, tls = str(free_port()), str(free_port())
    here = {
        "COMPOSE_FILE=/opt/kogge/docker-compose.yml:/opt/kogge/deploy/machines.yml": (
            f"COMPOSE_FILE={site.files()}:{site.opt}/deploy/machines.yml"
        ),
        "192.0.2.10 ": f"{address} ",
        "KOGGE_DB_PORT=5432": f"KOGGE_DB_PORT={database}",
        "KOGGE_TLS_PORT=4443": f"KOGGE_TLS_PORT={tls}",
        "/opt/kogge/docker-compose.yml:/opt/kogge/deploy/worker-only.yml": (
            f"{site.opt}/docker-compose.yml:{site.opt}/deploy/worker-only.yml"
        ),
        "COMPOSE_PROJECT_NAME=kogge": f"COMPOSE_PROJECT_NAME={place.project}-elsewhere",
        "KOGGE_DIRECTORY=/srv/kogge": f"KOGGE_DIRECTORY={site.folder / 'elsewhere'}",
        "KOGGE_USER=1000:1000": f"KOGGE_USER={place.number}:{place.number}",
    }
    blocks = guide.steps(GUIDE, "Workers on other machines", here)
    more, start, others, begin = blocks
    names = {"tls-certificate": mail.certificates.certificate, "tls-key": mail.certificates.key}
    for name, file in names.items():
        place.write(f"secrets/{name}", file.read_text())
    place.follow(f"cat >> .env <<'END'\n{more}END\n")
    addresses = {"192.0.2.10:5432": f"{address}:{database}", "192.0.2.10:4443": f"{address}:{tls}"}
    site.configure(guide.tables(GUIDE, "Workers on other machines", addresses))
    say("the first machine lets others in")
    place.follow(start)
    there = site.another("elsewhere")
    try:
        copied = ["config", "secrets/db-password", "secrets/prefect-login"]
        there.follow("mkdir -m 700 secrets state")
        there.follow("".join(f"cp -a {place.directory}/{one} {one}\n" for one in copied))
        there.follow(f"cat > .env <<'END'\n{others}END\n")
        say("a worker on another machine")
        there.follow(begin.replace("docker compose build\n", ""))
        place.compose("stop", "worker")
        mail.deliver()
        complete(site)
        place.compose("start", "worker")
    finally:
        there.down()


def test_an_upgrade_waits_for_the_workers(site: Site) -> None:
    """A new version with a new schema comes while a wave is at work: refused until the guide is followed."""
    place, mail = site.place, site.mail
    versions = site.opt / "ledger" / "migrations" / "versions"
    old = max(file.name[:4] for file in versions.glob("[0-9]*_*.py"))
    new = f"{int(old) + 1:04}"
    build, upgrade = guide.steps(GUIDE, "Upgrading the containers", {})
    build, stop, look = build.splitlines()
    (versions / f"{new}_next.py").write_text(MIGRATION.format(old=old, new=new))
    say("a new version is built while workers run")
    place.follow(build)
    mail.deliver()
    mail.exchange.trickle = 0.5
    with place.migrating(within="watch") as wave:
        until(lambda: bool(place.owners()), 900, "the wave is at work")
        refused = place.kogge("ledger", "upgrade")
        assert refused.code == 3, f"{refused.out} {refused.err}"
        assert place.revision() == old
        say("it is refused; the workers are stopped")
        place.follow(stop)
        wave.kill()
    mail.exchange.trickle = None
    until(lambda: "nobody is at work" in place.kogge("ledger", "upgrade", "--check").out, 120, look)
    place.follow(guide.steps(BACKUPS, "Backups of the containers", {})[0])
    say("the ledger is upgraded")
    place.follow(upgrade)
    assert place.revision() == new
    complete(site)


def test_the_evidence_verifies(site: Site) -> None:
    """Of all that was moved so far; alone, of a wave that nothing disturbed."""
    complete(site)
    sealed(site.place, "first")
    checked(site.place)


def test_a_backup_goes_on_in_another_project(site: Site) -> None:
    """The old stack is gone with its volumes; the new one has its ledger, its Prefect and its keys."""
    place, mail = site.place, site.mail
    known = place.items()
    assert known, "the wave that the test of the evidence moves: run both together"
    runs = place.number_of("flow_run", "prefect")
    restored = site.another("restored")
    here = {"/srv/kogge": str(place.directory), "/srv/restored": str(restored.directory)}
    (backup,) = guide.steps(BACKUPS, "Backups of the containers", {})[:1]
    unpack, restore = guide.steps(BACKUPS, "Backups of the containers", here)[1:]
    say("a backup")
    place.follow(backup)
    place.compose("down", "-v")
    try:
        restored.follow(unpack)
        env = restored.directory / ".env"
        told = env.read_text().replace(str(place.directory), str(restored.directory))
        env.write_text(told.replace(f"={place.project} ", f"={restored.project} "))
        say("it is restored in another project")
        restored.follow(restore)
        assert restored.items() == known
        assert restored.number_of("flow_run", "prefect") >= runs
        mail.deliver()
        complete(site, restored)
        assert restored.items() == known + len(mail.people)
        sealed(restored, "second", "--correct", "mail came after the first one")
        checked(restored)
    finally:
        restored.down()


def sealed(place: Place, name: str, *why: str) -> None:
    """Seals the wave with a key of its own, in a new folder. why: if it is not the first seal."""
    folder = f"/state/{name}"
    (place.directory / "state" / name).mkdir(mode=0o700)
    os.chown(place.directory / "state" / name, place.number, place.number)
    key = ["--key", f"{folder}/operator.pem"]
    made = place.kogge("keys", "new", "An operator", "--out", key[1])
    assert made.code == 0, made.err
    public = place.kogge("keys", "public", *key)
    say("the wave is sealed")
    out = ["--out", f"{folder}/evidence", "--json"]
    seal = place.kogge("audit", "seal", "--wave", "pilot", *key, *out, *why)
    assert seal.code == 0, seal.err
    place.write(f"state/{name}/operator.pub", public.out)


def checked(place: Place) -> None:
    """The auditor's verifier finds the first pack well, and nobody anchored it."""
    pack = ["/state/first/evidence/wave-pilot", "--pubkey", "/state/first/operator.pub"]
    found = place.kogge("audit", "verify", *pack, "--json")
    assert found.code == 3, f"{found.out[-3000:]} {found.err[-2000:]}"
