"""Prepare the handshakes of NTLM and Kerberos for a session of requests, as exchangelib writes them."""

from __future__ import annotations

from typing import Any

from exchangelib import Configuration, Credentials
from exchangelib.errors import InvalidEnumValue
from exchangelib.protocol import BaseProtocol
from exchangelib.transport import GSSAPI, NTLM
from spnego.exceptions import SpnegoError

from connectors.ews.settings import EwsSettings
from model.errors import Misconfigured

__all__ = ["SpnegoError", "prepare_session"]


class _SessionFactory(BaseProtocol):  # type: ignore[misc] # exchangelib is untyped
    """Run exchangelib's session factory on our sockets.

    exchangelib's own Protocol is not used, because it is cached for the life of the process.
    """

    def __init__(self, config: Configuration, session: Any) -> None:
        super().__init__(config)
        self._ours = session

    def raw_session(self, *_: Any, **__: Any) -> Any:
        """Return our session; see exchangelib."""
        return self._ours


def prepare_session(settings: EwsSettings, session: Any, name: str, password: str) -> None:
    """Prepare a session for the handshake that the settings name.

    Args:
        settings: the settings; `auth` is "ntlm" or "kerberos".
        session: a session of requests.
        name: the login; Kerberos takes that of its ticket.
        password: the password; Kerberos needs none.

    Raises:
        Misconfigured: an extra of the package is missing.
    """
    ntlm = settings.auth == "ntlm"
    try:
        config = Configuration(
            credentials=Credentials(username=name, password=password) if ntlm else None,
            service_endpoint=settings.url,
            auth_type=NTLM if ntlm else GSSAPI,
        )
    except InvalidEnumValue:
        where = settings.where("auth")
        raise Misconfigured(where, "kerberos needs the extra kogge[kerberos]") from None
    _SessionFactory(config, session).create_session()
