"""deploy/systemd, started by a systemd as the guide says, on a machine of its own."""

from __future__ import annotations

import secrets

import guide
import pytest
from followed import GUIDE, Site
from machine import Machine, booted
from place import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]
UNITS = (
    "prefect-server",
    "prefect-services",
    "kogge-watch",
    "kogge-worker@1",
    "kogge-worker@2",
    "kogge-metrics",
)
CHAPTER, BEFORE = "As services of systemd", "Prefect on PostgreSQL and Redis, without containers"
CONFIGURATION = """\
[ledger]
url = "postgresql+psycopg://kogge@127.0.0.1/kogge"
password = { env = "KOGGE_DB_PASSWORD" }
[state]
directory = "/var/lib/kogge"
[prefect]
api_url = "http://127.0.0.1:4200/api"
dispatch = "deployment"
"""
AS_KOGGE = "setpriv --reuid=kogge --regid=kogge --init-groups --"
CHECK = "/opt/kogge/deploy/check-services"


def test_systemd_starts_what_the_guide_says(site: Site) -> None:
    """Each unit stays, the metrics' one with a password from the variables; what is gone is noticed."""
    called = site.place.environment
    with booted(called["KOGGE_SYSTEMD_IMAGE"], called["KOGGE_IMAGE"], site.opt / "deploy") as machine:
        followed(machine, site)
        try:
            until(lambda: "kogge_ledger_up 1.0" in metrics(machine), 120, "the metrics are served")
            until(
                lambda: machine.sh(f"{check()} && echo well || true").endswith("well"), 180, "all is at work"
            )
            assert not [one for one in UNITS if not machine.steady(one)]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{machine.journal(*UNITS)}") from None
        first = pid(machine)
        machine.sh(
            f"sed -i 's/^GRACE_SECONDS = .*/GRACE_SECONDS = 0/; s/^IDLE_M.*/IDLE_MILLISECONDS = 0/' {CHECK}"
        )
        until(lambda: pid(machine) not in ("0", first), 120, "what is not at work begins anew")


def followed(machine: Machine, site: Site) -> None:
    """The guide's steps, word for word but for the passwords."""
    db, prefect, redis = (secrets.token_hex(12) for _ in range(3))
    login = f"operator:{secrets.token_hex(12)}"
    machine.sh(f"echo 'requirepass {redis}' >> /etc/redis/redis.conf; systemctl restart redis-server")
    roles = (
        guide.chapter(GUIDE, BEFORE).partition("The two roles")[2].partition("\n\n")[2].partition("\n\n")[0]
    )
    for password in (db, prefect):
        roles = roles.replace("'...'", f"'{password}'", 1)
    machine.write("/tmp/roles", roles)
    machine.sh(
        "chmod a+r /tmp/roles\n"
        "setpriv --reuid=postgres --clear-groups -- psql -v ON_ERROR_STOP=1 -f /tmp/roles"
    )
    accounts, copied, servers, workers, last = guide.steps(GUIDE, CHAPTER, {})[0].splitlines()
    machine.sh(f"{accounts}\n{copied}")
    configure(machine, site, db, login)
    urls = "--database postgresql://prefect@127.0.0.1/prefect --redis redis://127.0.0.1:6379"
    told = (
        "--password-env DB --redis-password-env REDIS --login-env LOGIN --out /etc/kogge/prefect-server.env"
    )
    machine.sh(
        f"export DB={prefect} REDIS={redis} LOGIN={login} PATH=/opt/kogge/bin:$PATH; cd /etc/kogge\n"
        f"kogge server environment {urls} {told}\n"
        "set -a; . ./prefect-server.env; prefect server database upgrade -y"
    )
    machine.sh(servers)
    machine.sh(
        "cd /etc/kogge; export KOGGE_CONFIG=/etc/kogge/kogge.toml HOME=/var/lib/kogge\n"
        f"export PREFECT_API_AUTH_STRING={login} KOGGE_DB_PASSWORD={db}\n"
        f"install -d -o kogge -m 700 /var/lib/kogge; {AS_KOGGE} /opt/kogge/.venv/bin/kogge setup"
    )
    machine.sh(f"{workers}\n{last}")


def configure(machine: Machine, site: Site, password: str, login: str) -> None:
    """What /etc/kogge holds, by the guide's table."""
    rows = "".join(f"{one},{one}\n" for one in site.mail.people)
    machine.write("/etc/kogge/kogge.toml", CONFIGURATION + site.mail.tables())
    machine.write("/etc/kogge/directory.csv", f"source,target\n{rows}")
    machine.write("/etc/kogge/mailboxes.csv", "source,target,wave\n" + rows.replace("\n", ",pilot\n"))
    machine.write("/etc/kogge/authority.pem", site.mail.certificates.authority.read_text())
    for name, secret in site.mail.passwords().items():
        machine.write(f"/etc/kogge/secrets/{name}", secret + "\n")
    machine.sh("chmod 755 /etc/kogge; chown -R kogge /etc/kogge/*")
    machine.write("/etc/kogge/secrets/prefect-login", login)
    machine.write("/etc/kogge/kogge.env", f"KOGGE_DB_PASSWORD={password}\n")


def check() -> str:
    return "systemctl start prefect-services-check"


def metrics(machine: Machine) -> str:
    return machine.sh("curl -s http://127.0.0.1:9464/metrics || true")


def pid(machine: Machine) -> str:
    return machine.sh("systemctl show -p MainPID --value prefect-services")
