"""Describe [prefect]: where Prefect is, how work reaches workers, and whom it notifies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from connectors.endpoints import refuse_readable
from connectors.settings import Port, Secret, Strict


class PrefectSettings(Strict):
    """Hold the settings of [prefect].

    Attributes:
        api_url: the URL of Prefect's API; None to start a local server on port.
        port: the port of the local server.
        dispatch: "inline" runs batches in this process; "deployment" as runs of a deployment that workers of
            work_pool pick up.
        work_pool: the name of the work pool.
        waves: how many waves workers watch over at once.
        mail: a URL mailto(s)://user:password@host?to=...; `kogge setup` makes the automations that use it.
        webhook: a URL http(s)://...; `kogge setup` makes the automations that use it.
        blocks: notification blocks of Prefect that are notified as well, each "type/name".
        alarms: True if `kogge setup` makes the automations that wake somebody: a mailbox is blocked or stays
            frozen, a window ends with work left, a server fails, no worker asks for runs. They tell mail,
            webhook and blocks; without these they only show in Prefect that they fired.
        frozen_hours: hours after which a mailbox that stays frozen raises an alarm.
        plain_http: True if api_url may be http:// on another machine, for private networks.
    """

    api_url: str | None = None
    port: Port = 4200
    dispatch: Literal["inline", "deployment"] = "inline"
    work_pool: str = "kogge"
    waves: int = Field(default=8, ge=1, le=1000)
    mail: Secret | None = None
    webhook: Secret | None = None
    blocks: tuple[str, ...] = ()
    alarms: bool = False
    frozen_hours: float = Field(default=2.0, ge=0.01, le=720.0)
    plain_http: bool = False

    @field_validator("api_url")
    @classmethod
    def _api(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("give a URL like https://host/api")
        return url

    @model_validator(mode="after")
    def _private(self) -> PrefectSettings:
        if self.api_url is not None:
            refuse_readable("api_url", self.api_url, self.plain_http)
        return self

    @field_validator("blocks")
    @classmethod
    def _named(cls, blocks: tuple[str, ...]) -> tuple[str, ...]:
        for block in blocks:
            kind, separator, name = block.partition("/")
            if not (kind and separator and name):
                raise ValueError('give each as "type/name", like "ms-teams-webhook/nights"')
        return blocks
