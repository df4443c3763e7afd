"""Define a file server's section of the configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.endpoints import Header, Template, Url, filled, refuse_readable
from connectors.http.proxy import Networked
from connectors.settings import Account, Secret, Tls
from connectors.webdav.product import FilesProfile
from connectors.webdav.product_exo import DRIVES, JCR
from connectors.webdav.product_generic import PROFILE as WEBDAV
from connectors.webdav.product_nextcloud import PROFILE as NEXTCLOUD

FilesKind = Literal["webdav", "nextcloud", "exo"]
FilesAuth = Literal["basic", "bearer", "appapi", "digest"]


class FilesSettings(Networked):
    """Configure one file server.

    Attributes:
        url: webdav: the folder of an account's files; nextcloud, exo: the address that people open in the
            browser. {login} and {address} are replaced in its path.
        flavour: of eXo: "jcr" (6 and 7.0) or "drives" (7.1 and later).
        auth: as for CalDAV, and "digest" (eXo's drives).
        username: as for CalDAV; likewise password, app_id, app_version and appapi_version.
        root: the folder below the account's files where everything goes; {login} and {address} are replaced.
        drive: of eXo's drives: its id; without it the portal is asked for the user's own drive.
        groups: a CSV file of the groups' names here, with the columns source,target.
    """

    kind: FilesKind
    url: Url
    flavour: Literal["jcr", "drives"] = "drives"
    auth: FilesAuth = "basic"
    username: Template = "{login}"
    password: Secret
    app_id: Header | None = Field(default=None, description="EX-APP-ID, for auth = appapi")
    app_version: Header = "1.0.0"
    appapi_version: Header = Field(default="1.0.0", description="AA-VERSION")
    root: Template = ""
    drive: str = ""
    groups: str = ""
    groups_by_name: bool = Field(
        default=False, description="share with a group that no line of groups names by the same name here"
    )
    tls: Tls = Tls()
    plain_http: bool = Field(default=False, description="allow http:// to a host other than this one")
    user_agent: Header | None = Field(default=None, description="instead of the profile's")
    timeout_seconds: float = Field(
        default=300.0, gt=0, le=3600, description="putting a large upload together takes a while"
    )
    patience_seconds: float = Field(default=300.0, ge=0, description="how long busy answers are waited out")
    connections: int = Field(default=4, ge=1, le=8, description="at most; the profile may say fewer")
    batch_items: int = Field(default=100, ge=1, le=1000)
    batch_bytes: int = Field(default=50_000_000, ge=100_000)
    bulk_below: int = Field(default=1_000_000, ge=0, description="smaller files go in bulk; 0: none does")
    bulk_items: int = Field(default=100, ge=1, le=1000)
    bulk_bytes: int = Field(default=10_000_000, ge=100_000)
    versions: int = Field(
        default=0, ge=0, le=1000, description="how many older versions of a new file move with it, the newest"
    )
    chunk_above: int = Field(default=100_000_000, ge=1, description="larger files go in chunks")
    chunk_bytes: int = Field(default=20_000_000, ge=1, le=5_000_000_000)
    spool_above: int = Field(default=4_000_000, ge=65_536, description="larger bodies go through a file")
    artefacts: tuple[str, ...] = Field(
        default=(),
        description="beginnings of the names of files that a new account holds, after their folder's and a"
        " slash (Photos/Birdie); the product's unless given",
    )

    @model_validator(mode="before")
    @classmethod
    def _by_kind(cls, values: object) -> object:
        """Set the product's artefacts unless they are configured."""
        if not isinstance(values, dict) or "artefacts" in values:
            return values
        return {**values, "artefacts": NEXTCLOUD.artefacts} if values.get("kind") == "nextcloud" else values

    @field_validator("root")
    @classmethod
    def _is_folder(cls, value: str) -> str:
        names = [name for name in value.split("/") if name]
        if any(name in {".", ".."} or not name.isprintable() for name in names):
            raise ValueError("not a path of folders")
        return "/".join(names)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse_readable("url", self.url, self.plain_http)
        if self.auth == "appapi" and not self.app_id:
            raise ValueError('auth = "appapi" needs app_id')
        if self.versions and not self.profile.versions:
            raise ValueError(
                f'versions: kind = "{self.kind}" keeps none in order with their dates: leave it 0'
            )
        for name in self.model_fields_set & {"flavour", "drive"} if self.kind != "exo" else ():
            raise ValueError(f'{name}: belongs to kind = "exo"')
        return self

    @property
    def profile(self) -> FilesProfile:
        """Return the product's profile."""
        if self.kind == "exo":
            return JCR if self.flavour == "jcr" else DRIVES
        return NEXTCLOUD if self.kind == "nextcloud" else WEBDAV

    def user(self, account: Account) -> str:
        """Return the user name for an account, by the template `username`."""
        return filled(self.username, account)

    def folder(self, account: Account) -> tuple[str, ...]:
        """Return the names down to the folder where everything goes: the account's own folder, or `root`."""
        if account.folder:
            return tuple(name for name in account.folder.split("/") if name)
        return tuple(filled(name, account) for name in self.root.split("/") if name)
