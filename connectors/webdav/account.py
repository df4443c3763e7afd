"""Find out whose account it is and where its files are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from connectors import json_answer
from connectors.endpoints import filled
from connectors.http.client import HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import quoted
from connectors.settings import Account
from connectors.webdav.ocs_capabilities import Ocs, mapping
from connectors.webdav.propfind import PropfindEntry
from connectors.webdav.settings import FilesSettings
from model.errors import Blocked, Transient
from model.protocols import Identity

LONGEST_ADDRESS = 320
CROWDS = 3


@dataclass(frozen=True, slots=True)
class Home:
    """Hold the canonical paths of an account. Paths of folders end with a slash.

    Attributes:
        user: the account's id on the server.
        files: the root of the account's files.
        folder: the names from `files` down to the folder where everything goes.
        addresses: lower-case e-mail addresses that the server states.
        named: True if the row of mailboxes.csv names the folder.
        uploads: where large files are assembled; "" where the product has no such place.
        versions: where versions are listed; "" where the product has no such place.
        bulk: the path of the bulk upload; "" without one.
        ocs: the path of the OCS interface; "" without one.
        self_stated: True if the owner may change the addresses.
    """

    user: str
    files: str
    folder: tuple[str, ...]
    addresses: frozenset[str] = frozenset()
    named: bool = False
    uploads: str = ""
    versions: str = ""
    bulk: str = ""
    ocs: str = ""
    self_stated: bool = False


def home(client: HttpClient, settings: FilesSettings, account: Account) -> Home:
    """Find the account's paths, user and addresses.

    Args:
        client: the HTTP client.
        settings: the server's settings.
        account: the account.

    Raises:
        Blocked: "login-refused", "no-files-access".
        Transient: the server cannot be asked now.
    """
    profile, start = settings.profile, _start(settings, account)
    user, addresses, self_stated = settings.user(account), frozenset[str](), False
    if profile.ocs:
        ocs = Ocs(client, start + profile.ocs)
        user, addresses = _person(ocs)
        self_stated = bool(addresses) and ocs.lets_change("email", profile.editable)
    if profile.drives:
        user = settings.drive or _drive(client, start + _fill_template(profile.drives, user))
        user = f"{account.login} ({user})"
    return Home(
        user=user,
        files=start + _fill_template(profile.home, user) + "/",
        folder=settings.folder(account),
        addresses=addresses,
        named=bool(account.folder),
        uploads=start + _fill_template(profile.uploads, user) + "/" if profile.uploads else "",
        versions=start + _fill_template(profile.versions, user) + "/" if profile.versions else "",
        bulk=start + profile.bulk if profile.bulk else "",
        ocs=start + profile.ocs if profile.ocs else "",
        self_stated=self_stated,
    )


def identity(client: HttpClient, account_home: Home, kind: str, root: PropfindEntry | None) -> Identity:
    """Return the account's place on its server, as a hash.

    The path is hashed, because an id may be shown and a path often holds the login.

    Args:
        client: the HTTP client.
        account_home: the account's paths.
        kind: the name of the system.
        root: the entry of the folder where everything goes; None where it does not exist yet.
    """
    text = "\n".join((str(client.origin), account_home.user, account_home.files, *account_home.folder))
    return Identity(
        kind,
        hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
        account_home.addresses,
        part=root.id if root is not None else "",
        user=account_home.user if account_home.ocs else "",
        lent=root is not None and root.lent,
        self_stated=account_home.self_stated,
    )


def no_access() -> Blocked:
    """Return the error for a server without a file account for this user."""
    return Blocked("no-files-access", "nothing answers as a file account: correct url, root or the login")


def _start(settings: FilesSettings, account: Account) -> str:
    """Return the path of the configured URL, without a slash at its end."""
    names = urlsplit(settings.url).path.split("/")
    parts = (quoted(filled(unquote(name), account)) for name in names if name)
    return "".join(f"/{part}" for part in parts)


def _fill_template(template: str, user: str) -> str:
    """Put the user into a path template; {crowd} becomes eXo's folders of name beginnings."""
    lead = [f"{user[:length]}___" for length in range(1, min(CROWDS, len(user) - 1) + 1)]
    crowd = "/".join(quoted(name) for name in (*lead, user))
    return template.replace("{user}", quoted(user)).replace("{crowd}", crowd)


def _person(ocs: Ocs) -> tuple[str, frozenset[str]]:
    """Return the account's user and its addresses."""
    profile = ocs.person()
    user, email = profile.get("id"), profile.get("email")
    if not isinstance(user, str) or not user:
        raise no_access()
    plain = isinstance(email, str) and "@" in email and len(email) <= LONGEST_ADDRESS and email.isprintable()
    return user, frozenset({str(email).lower()} if plain else ())


def _drive(client: HttpClient, path: str) -> str:
    """Return the id of a user's drive from eXo's portal."""
    answer = client.look("GET", path, {"Accept": "application/json"})
    if answer.status in GONE:
        raise no_access().quoting(answer.words)
    if not answer.ok:
        raise answer.error()
    try:
        drive_id = mapping(json_answer.read(answer.body)).get("id")
    except ValueError:
        raise Transient("not-files", "something answered that is no file server") from None
    if not isinstance(drive_id, str | int) or not str(drive_id).isalnum():
        raise no_access()
    return str(drive_id)
