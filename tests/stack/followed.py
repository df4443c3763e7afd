"""The guide, followed: a stack in a directory, and the servers that it moves mail between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import guide
from containers import free_port, say
from mail_servers import MailServers
from place import Place

GUIDE = "many-workers.md"
CHAPTER = "Docker Compose"


@dataclass
class Site:
    """place: where the guide was followed. opt: what stands for /opt/kogge. folder: for more of them."""

    place: Place
    mail: MailServers
    opt: Path
    folder: Path

    def files(self) -> str:
        """What stands for the guide's docker-compose.yml."""
        return f"{self.opt}/docker-compose.yml:{self.opt}/tests/stack/images/build.yml"

    def another(self, name: str) -> Place:
        """A further directory, with a project of its own."""
        return Place(self.folder / name, f"{self.place.project}-{name}", self.place.environment)

    def configure(self, tables: str) -> None:
        """kogge.toml: the stack's tables as the guide has them, and those of the servers."""
        self.place.write("config/kogge.toml", tables + self.mail.tables())


def begin(site: Site) -> None:
    """The guide's steps, word for word but for places, names and ports."""
    place, mail = site.place, site.mail
    prepare, start = guide.steps(
        GUIDE,
        CHAPTER,
        {
            "/srv/kogge": str(place.directory),
            "/opt/kogge/docker-compose.yml": site.files(),
            "COMPOSE_PROJECT_NAME=kogge ": f"COMPOSE_PROJECT_NAME={place.project} ",
            "KOGGE_PORT=4200": f"KOGGE_PORT={free_port()}",
        },
    )
    say("the image is built, and the directory made")
    place.follow(prepare)
    rows = "".join(f"{one},{one}\n" for one in mail.people)
    place.write("config/directory.csv", f"source,target\n{rows}")
    place.write("config/mailboxes.csv", "source,target,wave\n" + rows.replace("\n", ",pilot\n"))
    place.write("config/authority.pem", mail.certificates.authority.read_text())
    for name, password in mail.passwords().items():
        place.write(f"config/secrets/{name}", password + "\n")
    site.configure(guide.tables(GUIDE, CHAPTER))
    say("the stack starts")
    place.follow(start)
    say("it is up, and `kogge check` agrees")


def whole(site: Site, place: Place) -> None:
    """Each message of the source is at the target once and verified, or skipped."""
    assert place.states() == ["verified"] * len(site.mail.people)
    fates = place.query(
        "SELECT m.target, count(*) FILTER (WHERE i.state = 5), count(*) FILTER (WHERE i.state = 6)"
        " FROM item i JOIN container c ON c.id = i.container JOIN leg l ON l.id = c.leg"
        " JOIN mailbox m ON m.id = l.mailbox GROUP BY 1"
    )
    verified = {person: int(count) for person, count, _ in fates}
    assert {one: site.mail.arrived(one) for one in site.mail.people} == verified
    assert {person: verified[person] + int(skipped) for person, _, skipped in fates} == {
        one: site.mail.held(one) for one in site.mail.people
    }
