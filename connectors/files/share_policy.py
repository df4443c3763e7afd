"""What the administrator of a Nextcloud lets people share, as its capabilities tell (files_sharing)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from connectors.webdav.ocs_capabilities import mapping
from model.optional_protocols import Grant, Sharing
from model.protocols import Loss


@dataclass(frozen=True, slots=True)
class ShareRules:
    """What a server's administrator lets people share. *_days: None where nothing must end; else at the
    latest so many days from now."""

    groups: bool = True
    links: bool = True
    link_writes: bool = True
    link_password: bool = False
    link_days: int | None = None
    inner_days: int | None = None

    @classmethod
    def of(cls, told: Mapping[str, object]) -> ShareRules | None:
        """told: of the capabilities, files_sharing. None: nothing can be shared there."""
        if not told.get("api_enabled"):
            return None
        public = mapping(told.get("public"))
        return cls(
            groups=told.get("group_sharing") is not False,
            links=public.get("enabled") is True,
            link_writes=public.get("upload") is not False,
            link_password=mapping(public.get("password")).get("enforced") is True,
            link_days=_enforced(public.get("expire_date")),
            inner_days=_enforced(public.get("expire_date_internal")),
        )

    def refusal(self, grant: Grant, now: datetime) -> Loss | None:
        """Why the server would not share so."""
        if grant.kind is Sharing.EXTERNAL:
            return Loss("share", "external")
        link = grant.kind is Sharing.LINK
        if link and (not self.links or self.link_password or (grant.write and not self.link_writes)):
            return Loss("share", "link-refused")
        if grant.kind is Sharing.GROUP and not self.groups:
            return Loss("share", "refused")
        days = self.link_days if link else self.inner_days
        if days is not None and (grant.expires is None or grant.expires > now + timedelta(days=days)):
            return refused(grant)
        return None


def refused(grant: Grant) -> Loss:
    return Loss("share", "link-refused" if grant.kind is Sharing.LINK else "refused")


def kept(
    rules: ShareRules | None, grants: Iterable[Grant], now: datetime
) -> tuple[tuple[Grant, ...], tuple[Loss, ...]]:
    """See model.optional_protocols.SupportsShares; rules None: nothing can be shared."""
    parties: dict[tuple[str, ...], list[Grant]] = defaultdict(list)
    losses = []
    for grant in grants:
        if rules is None:
            losses.append(Loss("share", "refused"))
            continue
        dated = replace(grant, expires=_day(grant.expires))
        if dated.expires is not None and dated.expires <= now:
            losses.append(Loss("share", "expired"))
        elif loss := rules.refusal(dated, now):
            losses.append(loss)
        else:
            parties[dated.party].append(dated)
    losses += [Loss("share", "several-rights") for several in parties.values() if _differ(several)]
    return tuple(max(several, key=_width) for several in parties.values()), tuple(losses)


def _enforced(told: object) -> int | None:
    """The days after which a share must end."""
    rule = mapping(told)
    days = rule.get("days")
    if rule.get("enforced") is not True:
        return None
    return int(days) if isinstance(days, int | str) and str(days).isdecimal() else 0


def _day(expires: datetime | None) -> datetime | None:
    """A share ends when its last day begins: never later than it did."""
    if expires is None:
        return None
    return expires.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _width(grant: Grant) -> tuple[bool, bool, float]:
    expires = grant.expires
    return grant.write, expires is None, 0.0 if expires is None else expires.timestamp()


def _differ(several: list[Grant]) -> bool:
    """Whether the widest does not hold all that the others give."""
    widest = max(several, key=_width)
    return any(_width(one)[1:] > _width(widest)[1:] for one in several)
