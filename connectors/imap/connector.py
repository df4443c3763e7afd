"""Describe the connector of IMAP: a source of mail, a target of mail and notes, and rights to folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, SourceRequest, StoreRequest, TargetRequest
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.imap.rights import ImapRights
    from connectors.imap.settings import ImapSettings
    from connectors.imap.source import ImapSource
    from connectors.imap.target import ImapTarget


def _source(settings: ImapSettings, request: SourceRequest) -> ImapSource:
    from connectors.imap.source import ImapSource

    return ImapSource(settings, request.account, request.spool)


def _target(settings: ImapSettings, request: TargetRequest) -> ImapTarget:
    from connectors.imap.target import ImapTarget
    from connectors.imap.verify_uid import Judge

    return ImapTarget(
        settings,
        request.account,
        request.guard,
        request.spool,
        kind=request.kind,
        live=request.live,
        judge=Judge(request.digest, request.mark),
    )


def _rights(settings: ImapSettings, request: StoreRequest) -> ImapRights:
    from connectors.imap.rights import ImapRights

    return ImapRights(settings, request.account, request.guard)


CONNECTORS = (
    Connector(
        kind="imap",
        settings="connectors.imap.settings:ImapSettings",
        reads=frozenset({Kind.MAIL}),
        writes=frozenset({Kind.MAIL, Kind.NOTES}),
        open_source=_source,
        open_target=_target,
        rights=frozenset({Kind.MAIL}),
        open_rights=_rights,
    ),
)
