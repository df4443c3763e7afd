"""Prove whose mailbox it is: nothing is written before both sides are proven to be the same person's.

Levels of proof, best first:

- directory: an independent export names both.
- address: the target states the row's own target address, and one system states the other one's address.
  The address that joins both is the main one of its account, because several people may have one alias.
- asserted: only the mapping file says so. This is never called proven, and needs an approval.

A source that states no address is known by its login, if that is an address. The level is also asserted if
both sides state an alias that several people may have (info@), if a person can write the address into their
own profile, or if someone else lets the account use a folder.

A server that states neither addresses nor an id of its own (most IMAP servers) cannot tell that two logins
open one account. There, the login must be the address for any level above asserted (or the directory names
the login), and the target must be empty until the first item of this mailbox is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from connectors.settings import Account
from engine.config.mail_address import is_address
from engine.context.leg_context import nothing_approved
from engine.identity.own_items import own_items
from engine.identity.provisioning_items import artefacts_among
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory, exact
from model.errors import Blocked
from model.kinds import KINDS, Kind
from model.optional_protocols import ListsWhole, SupportsSenders, TellsEmpty
from model.protocols import Container, Identity, Source, Target
from model.sites import Site

LEVELS = ("asserted", "address", "directory")
NEEDS_APPROVAL = {
    "identity-not-proven": "asserted",
    "sent-items-implausible": "sent-items",
    "target-not-empty": "target-not-empty",
    "readable-by-others": "readable-by-others",
}
"""Maps a code of the gate to the code that `kogge approve` takes."""
ASKED_ONCE = frozenset({"sent-items-implausible", "target-not-empty"})
"""Codes that are no longer asked for once an item of a mailbox was written."""

ARTEFACTS_MOST = 10
"""Items of a container that are read to recognise provisioning artefacts; of files, only names are asked."""
ARTEFACT_FILES_MOST = 100


@dataclass(frozen=True, slots=True)
class GateRules:
    """Hold the rules of the gate.

    Attributes:
        directory: the independent export.
        deny: the deny list.
        accept: the lowest level that needs no approval.
        artefacts: how the subjects of provisioning mail begin.
        apart: the workloads that are read from another server; a person has another account there.
        approved: returns True if a person approved this code for this mailbox or its wave.
    """

    directory: Directory = field(default_factory=Directory)
    deny: DenyList = field(default_factory=DenyList)
    accept: str = "address"
    artefacts: tuple[str, ...] = ()
    apart: frozenset[Kind] = frozenset()
    approved: Callable[[str], bool] = nothing_approved


@dataclass(frozen=True, slots=True)
class Pair:
    """Name both sides of a mailbox as the mapping file does.

    Attributes:
        source: the account at the source.
        target: the account at the target.
        bound: True if the ledger has bound them.
        begun: True if the ledger has not bound them, but the target has a mark of this mailbox; its content
            is examined later.
    """

    source: Account
    target: Account
    bound: bool = False
    begun: bool = False


@dataclass(frozen=True, slots=True)
class IdentityProof:
    """Hold the identities of both sides, and how they were proven.

    Attributes:
        source: the identity of the source.
        target: the identity of the target.
        level: one of LEVELS.
        self_stated: True if the level would be address, but the owner may change what the target states.
    """

    source: Identity
    target: Identity
    level: str
    self_stated: bool = False


def prove_identity(
    pair: Pair, source: Source, target: Target, rules: GateRules, ours: frozenset[str] = frozenset()
) -> IdentityProof:
    """Prove that both accounts are one person's.

    The caller binds the proof in the ledger, which compares it with what was bound before. Nothing is
    written.

    Args:
        pair: both sides as the mapping file names them.
        source: the open source.
        target: the open target.
        rules: the rules of the gate.
        ours: containers of the target that other workloads of this mailbox made.

    Returns:
        What is proven.

    Raises:
        Blocked: the first thing that speaks against writing: `denied`, `source-address-differs`,
            `target-address-differs`, `directory-disagrees`, `identity-not-proven`, `folder-lent`,
            `sent-items-implausible` or `target-not-empty`.
    """
    refuse_denied(pair, rules)
    giver, taker = source.identity(), target.identity()
    stated = giver.addresses | taker.addresses
    other_names = (rules.directory.also(address, address) for address in stated)
    if rules.deny.denies(stated.union(*other_names)):
        raise Blocked("denied", "the deny list names this mailbox under another address")
    if giver.addresses and pair.source.address not in giver.addresses:
        raise Blocked("source-address-differs", "the source says this mailbox belongs to another address")
    level = _level(pair, giver, taker, rules)
    if LEVELS.index(level) < LEVELS.index(rules.accept) and not rules.approved("asserted"):
        raise Blocked("identity-not-proven", f"that source and target are one person's is only {level}")
    if not pair.bound:
        refuse_lent(taker, rules.approved)
        _plausible(source, giver.addresses | {pair.source.address}, rules)
        if not pair.begun:
            refuse_filled(target, rules.approved, rules.artefacts, ours)
    if giver.lent or taker.lent:
        level = LEVELS[0]  # the owner of the account is proven, the owner of the folder is not
    is_self_stated = level == LEVELS[0] and taker.self_stated and _states_the_same(pair, giver, taker)
    return IdentityProof(giver, taker, level, self_stated=is_self_stated)


def refuse_denied(pair: Pair, rules: GateRules) -> None:
    """Refuse a mailbox on the deny list, before anything is opened. The deny list overrides every wave.

    It denies a person under every address that the directory export gives to the person whom the row names.

    Raises:
        Blocked: `denied`.
    """
    names = {pair.source.address, pair.source.login, pair.target.address, pair.target.login}
    other_names = (rules.directory.also(name, name) for name in names)
    if rules.deny.denies(names.union(*other_names)):
        raise Blocked("denied", "the deny list names this mailbox")


def refuse_lent(taker: Identity, approved: Callable[[str], bool]) -> None:
    """Refuse a folder that another person shares with the account, as long as nothing was put into it.

    Raises:
        Blocked: `folder-lent` unless approved.
    """
    if taker.lent and not approved("folder-lent"):
        raise Blocked("folder-lent", "the folder is a person's, who shares it with the account")


def _level(pair: Pair, ours: Identity, theirs: Identity, rules: GateRules) -> str:
    site = Site.read(pair.source.address)
    if site is not None:
        return _level_of_site(site, pair.target, theirs, rules)
    is_named = rules.directory.names(pair.source.address, pair.target.address)
    if is_named is False:
        raise Blocked("directory-disagrees", "the directory gives source or target to somebody else")
    opens = bool(is_named) and _opens_what_is_named(pair, ours, theirs, rules)
    is_foreign = theirs.addresses and not theirs.addresses & (ours.addresses or {pair.source.address})
    excused = is_named and pair.target.address in theirs.addresses
    if is_foreign and not excused and not (opens and theirs.self_stated):
        raise Blocked("target-address-differs", "the target says this account belongs to another address")
    if opens:
        return "directory"
    return "address" if not theirs.self_stated and _states_the_same(pair, ours, theirs) else "asserted"


def _level_of_site(site: Site, target: Account, theirs: Identity, rules: GateRules) -> str:
    """Return the level of a site's files.

    A site has no address that a target could state: only the directory proves who may hold its files.
    """
    is_named = rules.directory.gives(site, target.address)
    if is_named is False:
        raise Blocked("directory-disagrees", "the directory gives the site's files to somebody else")
    stated = target.address in theirs.addresses
    opens = _is_login(target) or rules.directory.gives(site, target.login) is True
    if theirs.addresses and not stated and is_address(target.address) and not (opens and theirs.self_stated):
        raise Blocked("target-address-differs", "the target says this account belongs to another address")
    proven = opens or (stated and not theirs.self_stated and _is_main(target, theirs))
    return "directory" if is_named and proven else "asserted"


def _states_the_same(pair: Pair, ours: Identity, theirs: Identity) -> bool:
    """Return True if the target states the row's target address, and one side the other side's address.

    A common alias says little, also where the row names it: several people may have it. So the address that
    one side states of the other has to be the main one there. A silent source is taken to be the account that
    its login names, if the login is the address itself.
    """
    if pair.target.address not in theirs.addresses or not (ours.addresses or _is_login(pair.source)):
        return False
    is_source_stated = pair.source.address in theirs.addresses and _is_main(pair.source, ours)
    return is_source_stated or (pair.target.address in ours.addresses and _is_main(pair.target, theirs))


def _is_main(account: Account, stated: Identity) -> bool:
    """Return True if the row names an account by its main address, by the system's own word.

    A system that does not say which of several addresses is the main one is believed if the login is it.
    """
    if stated.primary:
        return stated.primary == account.address
    return _is_login(account) or stated.addresses == {account.address}


def _is_login(account: Account) -> bool:
    return exact(account.login) == exact(account.address)


def _opens_what_is_named(pair: Pair, ours: Identity, theirs: Identity, rules: GateRules) -> bool:
    """Return True if the logins open the accounts that the directory names.

    The directory names addresses, but a login opens the account. A login that is not the address proves
    nothing, unless the directory names the login, or the system itself states the address as the main one or
    beside others of which the directory gives the main one, or all, to this person: an alias may be several
    people's. A target that states addresses, none of which the directory gives to this person, is not opened
    by its address.
    """
    directory, source, target = rules.directory, pair.source, pair.target
    known = directory.also(source.address, target.address)
    believed = replace(theirs, addresses=frozenset(), primary="") if theirs.self_stated else theirs
    opens_target = _opens(target, believed, known) or (
        not _is_login(target) and directory.names(source.address, target.login) is True
    )
    opens_source = _opens(source, ours, known) or (
        not _is_login(source) and directory.names(source.login, target.address) is True
    )
    return opens_source and opens_target


def _opens(account: Account, stated: Identity, known: frozenset[str]) -> bool:
    """Return True if a login opens the account of the person whom the directory gives these addresses."""
    if not stated.addresses:
        return _is_login(account)
    if stated.primary:
        return stated.primary in known
    if _is_login(account):
        return not stated.addresses.isdisjoint(known)
    return account.address in stated.addresses and stated.addresses <= known


def _plausible(source: Source, addresses: frozenset[str], rules: GateRules) -> None:
    """Refuse if most of the newest Sent Items were sent by someone else. No Sent Items prove nothing."""
    if not isinstance(source, SupportsSenders):
        return
    senders = Counter(sender.lower() for sender in source.sent_from(50))
    if not senders:
        return
    own = sum(count for sender, count in senders.items() if sender in addresses)
    if own * 2 < senders.total() and not rules.approved("sent-items"):
        raise Blocked("sent-items-implausible", "most of the newest Sent Items were sent by someone else")


def refuse_filled(
    target: Target, approved: Callable[[str], bool], artefacts: Sequence[str], ours: Collection[str]
) -> None:
    """Refuse a target that holds items other than provisioning artefacts and ours.

    This is asked at the first binding, and again before the first item is written.

    Raises:
        Blocked: `target-not-empty` unless approved.
    """
    if is_filled(target, artefacts, ours) and not approved("target-not-empty"):
        raise Blocked("target-not-empty", "the target account already holds items that are not ours")


def is_filled(target: Target, artefacts: Sequence[str], ours: Collection[str]) -> bool:
    """Return True if a target holds anything beside provisioning artefacts and the content of our containers.

    Args:
        target: the open target.
        artefacts: how the titles of provisioning artefacts begin.
        ours: the ids of our containers.
    """
    for container in _not_empty(target, ours):
        most = ARTEFACT_FILES_MOST if KINDS[container.kind].by_name else ARTEFACTS_MOST
        listed = [item.href for item in islice(own_items(target, container.id), most + 1)]
        if len(listed) > most or len(artefacts_among(target, container.id, listed, artefacts)) < len(listed):
            return True
    return False


def _not_empty(target: Target, ours: Collection[str]) -> Iterator[Container]:
    """Yield the containers that may hold something of the account's owner, beside ours.

    What others share with the account, or the server fills by itself, does not count.
    """
    looked_at = (
        container
        for container in target.containers()
        if container.id not in ours and container.omit is None and not container.readonly
    )
    if not isinstance(target, TellsEmpty):
        yield from looked_at
        return
    listed = list(looked_at)
    empty = target.empty([container.id for container in listed])
    yield from (container for container in listed if container.id not in empty)


def is_emptiness_unproven(target: Target) -> bool:
    """Return True if a container may hold items that neither a listing nor anything else tells."""
    return target.capabilities.lists_partly and not isinstance(target, ListsWhole)
