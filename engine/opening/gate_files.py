"""Read the files of the configuration that say who is who, and whom no wave may touch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from connectors.catalogue.entries import connectors
from connectors.folder_rights.settings import FolderRightsSettings
from connectors.settings import Account
from connectors.webdav.settings import FilesSettings
from engine.config.file_cache import FileCache
from engine.config.load import Config
from engine.context.principals import Parties, read_groups
from engine.identity.identity_gate import GateRules
from engine.pacing.server_names import read_elsewhere
from engine.planning.deny_list import DenyList, read_deny
from engine.planning.mailbox_list import Directory, Person, exact, read_addresses, read_directory
from engine.planning.rights_list import RightsList, read_rights
from ledger.store import Ledger
from model.kinds import Kind

_directory, _deny = FileCache(read_directory), FileCache(read_deny)
_addresses, _groups = FileCache(read_addresses), FileCache(read_groups)
_rights = FileCache(read_rights)


def addresses(config: Config) -> Mapping[str, str]:
    """Return the SMTP address of each X.500 address, from the directory's export.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    return _addresses(config.file(config.addresses)) if config.addresses else {}


def parties(config: Config, ledger: Ledger, gate_rules: GateRules) -> Parties:
    """Return who people and groups of the source are at the target of files.

    Raises:
        Misconfigured: if the file of groups cannot be used.
    """
    settings = config.target.of(Kind.FILES)
    if not isinstance(settings, FilesSettings):
        return Parties()
    return Parties(
        targets=lambda sources: ledger.targets(sources, Kind.FILES),
        directory=gate_rules.directory,
        deny=gate_rules.deny,
        groups=_groups(Path(settings.groups)) if settings.groups else {},
        by_name=settings.groups_by_name,
        login=lambda login, address: settings.user(Account(login=login, address=address)),
    )


def grantees(
    config: Config, ledger: Ledger, gate_rules: GateRules
) -> Callable[[Kind, str], Mapping[str, str | None]]:
    """Return who people are at the targets whose folders may be shared with them.

    A server's own word for a person is the one of the workload that its folders hold. The leg of permissions
    itself has the word of the first server that keeps rights, since there the owner's name may be another one
    than the login.
    """
    first = next((kind for kind in config.workloads if _keeps_rights(config, kind)), None)

    def people(kind: Kind, address: str) -> Mapping[str, str | None]:
        workload = Kind.PERMISSIONS if kind is first else kind
        found = Parties(
            targets=lambda sources: ledger.targets(sources, workload),
            directory=gate_rules.directory,
            deny=gate_rules.deny,
        )
        return found.people({address}) or _later(address, gate_rules)

    return people


def _keeps_rights(config: Config, kind: Kind) -> bool:
    settings = config.target.of(kind)
    return connectors()[settings.kind].keeps_rights(settings, kind)


def _later(address: str, gate_rules: GateRules) -> dict[str, str | None]:
    """Return a person whom the directory knows, and no wave that was planned yet, as one who moves later."""
    known = gate_rules.directory.source_rows(address)
    is_known = len(known) == 1 and not gate_rules.deny.denies({address})
    return {address: None} if is_known else {}


def rules(config: Config, workload: Kind, approved: Callable[[str], bool]) -> GateRules:
    """Return the rules of the identity gate, from the files of the configuration.

    Raises:
        Misconfigured: if a file cannot be used.
    """
    directory = config.gate.directory
    return GateRules(
        directory=_directory(config.file(directory)) if directory else Directory(),
        deny=deny_list(config),
        accept=config.gate.accept,
        artefacts=tuple(getattr(config.target.of(workload), "artefacts", ())),
        apart=read_elsewhere(config, workload),
        approved=approved,
    )


def unmet_denials(config: Config, people: Iterable[Person]) -> tuple[int, ...]:
    """Return the lines of the deny list that name nobody of the directory export and of the list.

    Without a directory export nobody can say: whom a deny list names is seldom in the list of mailboxes.

    Args:
        config: the configuration.
        people: the rows of the list.

    Raises:
        Misconfigured: if a file cannot be used.
    """
    if not config.gate.directory:
        return ()
    directory = _directory(config.file(config.gate.directory))
    named = (
        name
        for person in people
        for name in (person.source, person.target, person.source_login, person.target_login)
    )
    return deny_list(config).unmet({*directory.sources, *directory.targets, *directory.sites, *named})


def rights_list(config: Config) -> RightsList:
    """Return the rights that an administrator exported; an empty list if none is configured.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    file = rights_file(config)
    return RightsList() if file is None else _rights(file)


def rights_file(config: Config) -> Path | None:
    """Return the file of rights that an administrator exported; None if none is configured."""
    settings = config.target.of(Kind.PERMISSIONS)
    export = settings.export if isinstance(settings, FolderRightsSettings) else None
    return Path(export) if export else None


def unmet_rights(config: Config, people: Iterable[Person]) -> tuple[int, ...]:
    """Return the lines of the exported rights that begin a mailbox which the list of mailboxes lacks.

    Args:
        config: the configuration.
        people: the rows of the list.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    known = {exact(person.source) for person in people}
    return tuple(sorted(line for one, line in rights_list(config).lines.items() if one not in known))


def deny_list(config: Config) -> DenyList:
    """Return the people whom no wave may touch; an empty list if none is configured.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    deny = config.gate.deny
    return _deny(config.file(deny)) if deny else DenyList()
