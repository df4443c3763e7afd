"""Describe [notify]: how people are told of their move, by mail."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from connectors.settings import Strict
from connectors.smtp.settings import SmtpSettings
from engine.config.mail_address import is_address


class NotifySettings(Strict):
    """Hold the settings of [notify].

    Attributes:
        smtp: the server that takes the mails; None if they are only written as files.
        sender: the address that they come from.
        sender_name: the name beside it.
        reply_to: the address that answers go to; None for the sender's.
        language: of the mails: "en", "de" or "fr".
        templates: a directory with templates of your own; what it lacks is taken from Kogge. None for none.
    """

    smtp: SmtpSettings | None = None
    sender: str | None = None
    sender_name: str = Field(default="", max_length=200)
    reply_to: str | None = None
    language: Literal["en", "de", "fr"] = "en"
    templates: Path | None = None

    @field_validator("sender", "reply_to")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        if address is not None and not is_address(address):
            raise ValueError("give a full e-mail address")
        return address

    @field_validator("sender_name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("give a name of one line")
        return name.strip()
