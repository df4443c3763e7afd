"""Read what the administrator of a Nextcloud lets people share, from its capabilities (files_sharing)."""

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
    """Hold what the administrator lets people share.

    Attributes:
        groups: True if groups are allowed.
        links: True if links are allowed.
        link_writes: True if a link may allow changes.
        link_password: True if a link needs a password.
        link_days: a link must end within so many days; None: it need not end.
        inner_days: the same for shares with people and groups.
    """

    groups: bool = True
    links: bool = True
    link_writes: bool = True
    link_password: bool = False
    link_days: int | None = None
    inner_days: int | None = None

    @classmethod
    def of(cls, capability: Mapping[str, object]) -> ShareRules | None:
        """Read the rules from the capability files_sharing; None: nothing can be shared.

        Args:
            capability: the capability.
        """
        if not capability.get("api_enabled"):
            return None
        public = mapping(capability.get("public"))
        return cls(
            groups=capability.get("group_sharing") is not False,
            links=public.get("enabled") is True,
            link_writes=public.get("upload") is not False,
            link_password=mapping(public.get("password")).get("enforced") is True,
            link_days=_enforced(public.get("expire_date")),
            inner_days=_enforced(public.get("expire_date_internal")),
        )

    def refusal(self, grant: Grant, now: datetime) -> Loss | None:
        """Return why the server would refuse a grant, or None.

        Args:
            grant: the grant.
            now: the present time.
        """
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
    """Return the loss for a refused grant."""
    return Loss("share", "link-refused" if grant.kind is Sharing.LINK else "refused")


def kept(
    rules: ShareRules | None, grants: Iterable[Grant], now: datetime
) -> tuple[tuple[Grant, ...], tuple[Loss, ...]]:
    """Return the grants that the target would keep; see `model.optional_protocols.SupportsShares`.

    Args:
        rules: the server's rules; None: nothing can be shared.
        grants: the grants of one item.
        now: the present time.

    Returns:
        The grants, one for each person, group and link; and the losses.
    """
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


def _enforced(value: object) -> int | None:
    """Return the days after which a share must end, or None."""
    rule = mapping(value)
    days = rule.get("days")
    if rule.get("enforced") is not True:
        return None
    return int(days) if isinstance(days, int | str) and str(days).isdecimal() else 0


def _day(expires: datetime | None) -> datetime | None:
    """Return the beginning of a share's last day, so that it ends no later than it did."""
    if expires is None:
        return None
    return expires.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _width(grant: Grant) -> tuple[bool, bool, float]:
    expires = grant.expires
    return grant.write, expires is None, 0.0 if expires is None else expires.timestamp()


def _differ(several: list[Grant]) -> bool:
    """Return True if the widest grant does not include everything that the others give."""
    widest = max(several, key=_width)
    return any(_width(grant)[1:] > _width(widest)[1:] for grant in several)
