"""Describe kogge.toml, and load it with errors that name file, line and field.

Relative paths in it are relative to the file, so that a command gives the same result from anywhere, and a
worker may run in another directory.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from connectors.catalogue.connector import named
from connectors.catalogue.entries import connectors, sources
from connectors.http.proxy import Network, Networked
from connectors.server_settings import ServerSettings
from connectors.settings import Account, Strict, name_fields
from engine.config.approval import ApprovalSettings
from engine.config.evidence_key import EvidenceSettings
from engine.config.file_errors import Problem, lowered, misconfigured, read_text
from engine.config.hooks import CutoverSettings, HooksSettings
from engine.config.ledger import LedgerSettings
from engine.config.log import LoggingSettings
from engine.config.mail_address import is_address
from engine.config.mail_routes import MailRoutesSettings
from engine.config.maintenance_windows import Windows
from engine.config.notify import NotifySettings
from engine.config.planning import PlanSettings
from engine.config.prefect import PrefectSettings
from engine.config.report import ReportSettings
from engine.config.sources import (
    SOURCE,
    Sources,
    faults,
    model_of_source,
    read_sources,
    side_of_own,
    target_of,
)
from engine.config.throttling import AdmissionSettings
from engine.config.toml_errors import explained, lines_of
from model.errors import Misconfigured
from model.kinds import Kind

PATHS = frozenset({"export", "file", "ca_file", "certificate_file", "groups", "key_file"})
"""Fields of connectors' settings that name a file."""


if TYPE_CHECKING:
    SourceTables: TypeAlias = Sources
    MailTargetSettings: TypeAlias = ServerSettings
else:
    MailTargetSettings = Annotated[Any, BeforeValidator(functools.partial(target_of, Kind.MAIL))]
    SourceTables = Annotated[Any, BeforeValidator(read_sources)]


def _target_field(workload: Kind) -> tuple[Any, None]:
    return Annotated[Any, BeforeValidator(functools.partial(target_of, workload))] | None, None


class StateSettings(Strict):
    """Hold the settings of [state].

    Attributes:
        directory: holds the spool, the logs and the local Prefect server's home.
    """

    directory: Path = Path("kogge-state")


class _Targets(Strict):
    """Hold one table for each workload; a workload without one does not move."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not any(self.of(kind) for kind in Kind):
            raise ValueError("give at least one table, such as [target.mail]")
        return self

    def of(self, workload: Kind) -> Any:
        """Return the settings of a workload's target; None if it has none."""
        return getattr(self, workload.value, None)


if TYPE_CHECKING:
    Targets: TypeAlias = _Targets
else:
    Targets = create_model("Targets", __base__=_Targets, **{kind.value: _target_field(kind) for kind in Kind})


class GateSettings(Strict):
    """Hold the settings of [gate]: how it is proven that both mailboxes are one person's.

    Attributes:
        directory: a CSV export, independent of the mapping, that names source and target of each person.
        deny: addresses that no wave may touch, one on each line.
        control: a mailbox outside every wave: a credential that opens it has too much power.
        accept: the lowest level of proof that needs no approval.
    """

    directory: Path | None = None
    deny: Path | None = None
    control: str | None = None
    accept: Literal["directory", "address"] = "address"

    @field_validator("control")
    @classmethod
    def _address(cls, control: str | None) -> str | None:
        if control is not None and not is_address(control):
            raise ValueError("give a full e-mail address")
        return control

    @model_validator(mode="after")
    def _directory_given(self) -> GateSettings:
        if self.accept == "directory" and self.directory is None:
            raise ValueError('accept = "directory" needs directory = "directory.csv"')
        return self


class InvitationProbeSettings(Strict):
    """Hold the settings of [invitation_probe].

    A meeting between two accounts at the target that belong to no person shows whether the calendar server
    invites people.

    Attributes:
        host: the address of the account that invites.
        guest: the address of the invited account.
        host_login: what opens the account that invites; None if that is its address.
        guest_login: what opens the invited account; None if that is its address.
        external: an address that is no user of the calendar server, as a second guest; None for none. Its
            mail arrives in the guest's mailbox, such as that of "guest+x@example.org", unless external_mail
            is set.
        external_mail: the mail server on which `external` is a login.
        arrival_seconds: how long an ordinary invitation may take.
    """

    host: str
    guest: str
    host_login: str | None = Field(default=None, min_length=1)
    guest_login: str | None = Field(default=None, min_length=1)
    external: str | None = None
    external_mail: MailTargetSettings | None = None
    arrival_seconds: float = Field(default=120.0, ge=1, le=3600)

    @field_validator("host", "guest", "external")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        if not is_address(address):
            raise ValueError("give a full e-mail address")
        return address.lower()

    @model_validator(mode="after")
    def _different(self) -> InvitationProbeSettings:
        if self.host == self.guest or self.inviting.login == self.invited.login:
            raise ValueError("host and guest must be two accounts")
        if self.external in (self.host, self.guest):
            raise ValueError("external must be no account of the calendar server")
        if self.external_mail is not None and self.external is None:
            raise ValueError("external_mail needs external: the address that it receives mail for")
        return self

    @property
    def inviting(self) -> Account:
        """Return the account that invites."""
        return Account(login=self.host_login or self.host, address=self.host)

    @property
    def invited(self) -> Account:
        """Return the invited account."""
        return Account(login=self.guest_login or self.guest, address=self.guest)


class RunSettings(Strict):
    """Hold the settings of [run].

    Attributes:
        mailboxes_at_once: mailboxes that are at work at once in one batch.
        batch: mailboxes of one flow run.
        lease_seconds: seconds for which a lease is valid.
        write_grace_seconds: seconds to wait before settling after an owner that did not release its lease.
        ledger_patience_seconds: how long work waits for a ledger whose database does not answer, and a wave
            for Prefect's API, whose database may be on the same server.
        attempts: how often a passing fault is tried again within a run before the workload is left waiting.
        canary: True if a wave's first mailbox runs alone, and is verified fully, before the others.
    """

    mailboxes_at_once: int = Field(default=4, ge=1, le=64)
    batch: int = Field(default=25, ge=1, le=500)
    lease_seconds: int = Field(default=60, ge=10, le=3600)
    write_grace_seconds: int = Field(default=5, ge=1, le=600)
    ledger_patience_seconds: int = Field(default=900, ge=0, le=86_400)
    attempts: int = Field(default=5, ge=1, le=100)
    canary: bool = True


class VerifySettings(Strict):
    """Hold the settings of [verify].

    Attributes:
        level: how much verification reads again: counts < sample < target < both.
        sample_percent: the share of bodies that is read at the level `sample`.
    """

    level: Literal["counts", "sample", "target", "both"] = "target"
    sample_percent: float = Field(default=5.0, gt=0, le=100)


class Config(Strict):
    """Hold kogge.toml, checked. It is frozen; load() is the only way to make one.

    Attributes:
        mailboxes: the list of mailboxes.
        addresses: a CSV export of the directory with the columns x500,address, for attendees whom Exchange
            names by X.500 address only.
    """

    mailboxes: Path = Path("mailboxes.csv")
    addresses: Path | None = None
    ledger: LedgerSettings = LedgerSettings()
    state: StateSettings = StateSettings()
    source: SourceTables
    target: Targets
    gate: GateSettings = GateSettings()
    invitation_probe: InvitationProbeSettings | None = None
    run: RunSettings = RunSettings()
    verify: VerifySettings = VerifySettings()
    prefect: PrefectSettings = PrefectSettings()
    plan: PlanSettings = PlanSettings()
    windows: Windows = Field(default_factory=dict)
    admission: AdmissionSettings = AdmissionSettings()
    approval: ApprovalSettings = ApprovalSettings()
    hooks: HooksSettings = HooksSettings()
    cutover: CutoverSettings = CutoverSettings()
    mail_routes: MailRoutesSettings | None = None
    report: ReportSettings = ReportSettings()
    notify: NotifySettings = NotifySettings()
    evidence: EvidenceSettings = EvidenceSettings()
    network: Network = Network()
    logging: LoggingSettings = LoggingSettings()
    _path: Path = PrivateAttr()

    @property
    def path(self) -> Path:
        """The absolute path of kogge.toml."""
        return self._path

    @property
    def workloads(self) -> tuple[Kind, ...]:
        """The workloads that have a target, in the order in which they run."""
        return tuple(kind for kind in Kind if self.target.of(kind) is not None)

    @model_validator(mode="after")
    def _sources_fit_targets(self) -> Self:
        found = list(self.source.misfits(self.workloads))
        if found:
            raise faults(found)
        return self

    @property
    def sources(self) -> dict[str, ServerSettings]:
        """The settings of every source that some workload with a target is read from, by side."""
        return {self.source.side(kind): self.source_of(kind) for kind in self.workloads}

    def source_of(self, workload: Kind) -> ServerSettings:
        """Return the settings of the source of a workload.

        Raises:
            Misconfigured: if nothing is configured to read it.
        """
        settings = self.source.of(workload)
        if settings is None:
            raise Misconfigured(side_of_own(workload), "is missing: nothing is set that it is read from")
        return settings

    def file(self, path: Path) -> Path:
        """Return a path of the configuration, taken relative to kogge.toml."""
        return self._path.parent / path

    @property
    def state_directory(self) -> Path:
        """The absolute path of the state directory."""
        return self.file(self.state.directory)

    @property
    def ledger_file(self) -> Path | None:
        """The file in which SQLite keeps the ledger, which may not exist yet.

        None if a database server keeps it.
        """
        url = self.ledger.url
        return self.file(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite:///") else None

    def ledger_url(self, *, reads: bool = False) -> str:
        """Return the URL of the ledger: with an absolute file, or with the password. Never log it.

        Args:
            reads: True for whoever only reads; see LedgerSettings.address.
        """
        file = self.ledger_file
        if file is not None:
            return f"sqlite:///{file}"
        return self.ledger.address(reads=reads)


def load(path: Path) -> Config:
    """Read and check kogge.toml. Read no secret.

    Raises:
        Misconfigured: with every fault.
    """
    text = read_text(path, "the configuration; `kogge init` writes one", str(path))
    raw, folder = _parse(path, text), path.absolute().parent
    try:
        config = Config.model_validate(_anchor(raw, folder))
    except ValidationError as error:
        raise misconfigured(path, explained(error, text, Config, raw, _by_kind)) from None
    config._path = path.absolute()
    line_of = lines_of(text)

    def place(field: str) -> str:
        return Problem(line_of(tuple(field.split("."))), field, "").where(path.name)

    name_fields(config, place, folder=folder)
    tables = config.source.tables()
    for side, table in tables.items():
        name_fields(table, place, f"{side}.", folder)
    for settings in (*tables.values(), *(config.target.of(kind) for kind in Kind)):
        if isinstance(settings, Networked):
            settings._network = config.network
    return config


def _by_kind(field: str, kind: str) -> type[Strict] | None:
    if field == SOURCE:
        return model_of_source(kind) if kind in sources() or not kind else None
    known = connectors()
    return named(known[kind].settings) if kind in known else None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        raise misconfigured(
            path, [Problem(_line(place, text), "", f"not TOML: {lowered(reason)}{_hint(reason)}")]
        ) from None


def _hint(reason: str) -> str:
    """Return what is probably missing: tomllib says only what it met."""
    if "\\n" in reason or "Unterminated string" in reason:
        return "; is the quote at the end missing?"
    return "; a text stands in quotes" if reason == "Invalid value" else ""


def _line(place: str, text: str) -> int:
    """Return the line of an error: tomllib says "line 3, column 9)" or "end of document)"."""
    digits = place.removeprefix("line ").partition(",")[0]
    return int(digits) if digits.isdigit() else text.count("\n") + 1


def _anchor(value: Any, root: Path, key: str = "") -> Any:
    """Return the parsed TOML with the file names of connectors' settings made absolute."""
    if isinstance(value, dict):
        return {n: inner if n == "body" else _anchor(inner, root, n) for n, inner in value.items()}
    if isinstance(value, list):
        return [_anchor(inner, root) for inner in value]
    if key in PATHS and isinstance(value, str) and value:
        return str(root / value)
    return value


__all__ = ["Config", "Misconfigured", "load"]
