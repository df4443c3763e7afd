"""Whose mailbox is it? Nothing is written before both sides are proven to be the same person's.

Levels of proof, best first: directory (an independent export names both), address (the target states the
row's own target address, and one system states the other one's address), asserted (only the mapping file says
so: never called proven, needs an approval). A source that states no address is known by its login, if that is
an address. That both state an alias that several may have (info@), that a person wrote the address into a
profile of theirs, or that somebody else lets the account use a folder, is asserted too.

A server that states neither addresses nor an id of its own (most IMAP servers) cannot tell that two logins
open one account. There, the login must be the address for any level but asserted (or the directory names the
login), and the target must be empty until the first item of this mailbox is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice

from connectors.settings import Account
from engine.config.load import is_address
from engine.context.leg_context import nothing_approved
from engine.identity.provisioning_items import artefacts_among
from engine.planning.mailbox_list import DenyList, Directory, canonical
from model.errors import Blocked
from model.optional_protocols import SupportsSenders
from model.protocols import Identity, Kind, Source, Target
from model.sites import Site

LEVELS = ("asserted", "address", "directory")
NEEDS_APPROVAL = {
    "identity-not-proven": "asserted",
    "sent-items-implausible": "sent-items",
    "target-not-empty": "target-not-empty",
}
"""Code of the gate -> the code that `kogge approve` takes."""
ASKED_ONCE = frozenset({"sent-items-implausible", "target-not-empty"})
"""Of these, what is asked no more once something of a mailbox was written."""

ARTEFACTS_MOST = 10
"""Items of a container that are read to tell; of files, only names are asked."""
ARTEFACT_FILES_MOST = 100


@dataclass(frozen=True, slots=True)
class GateRules:
    """accept: the lowest level that needs no approval. artefacts: how subjects of provisioning mail
    begin. approved: whether a person approved this code for this mailbox or its wave."""

    directory: Directory = field(default_factory=Directory)
    deny: DenyList = field(default_factory=DenyList)
    accept: str = "address"
    artefacts: tuple[str, ...] = ()
    approved: Callable[[str], bool] = nothing_approved


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of a mailbox as the mapping file names them, and whether the ledger has bound them. begun:
    it has not, but the target has a mark of this mailbox; what is in it is looked at later."""

    source: Account
    target: Account
    bound: bool = False
    begun: bool = False


@dataclass(frozen=True, slots=True)
class IdentityProof:
    """Both sides' identities, and how they were proven. self_stated: it would be address, but the owner may
    change what the target states."""

    source: Identity
    target: Identity
    level: str
    self_stated: bool = False


def prove_identity(
    pair: Pair, source: Source, target: Target, rules: GateRules, ours: frozenset[str] = frozenset()
) -> IdentityProof:
    """Raises Blocked with the first thing that speaks against writing; else says what is proven. The
    caller binds the proof in the ledger, which compares it with what was bound before. ours: containers of
    the target that this mailbox's other workloads made."""
    refuse_denied(pair, rules)
    giver, taker = source.identity(), target.identity()
    stated = giver.addresses | taker.addresses
    known = (rules.directory.also(address, address) for address in stated)
    if rules.deny.denies(stated.union(*known)):
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
        level = LEVELS[0]  # it is proven whose the account is, and not whose the folder
    told = level == LEVELS[0] and taker.self_stated and _states_the_same(pair, giver, taker)
    return IdentityProof(giver, taker, level, self_stated=told)


def refuse_denied(pair: Pair, rules: GateRules) -> None:
    """Before anything is opened: the deny list overrides every wave. It denies a person under every address
    that the directory export gives to whom the row names."""
    names = {pair.source.address, pair.source.login, pair.target.address, pair.target.login}
    known = (rules.directory.also(name, name) for name in names)
    if rules.deny.denies(names.union(*known)):
        raise Blocked("denied", "the deny list names this mailbox")


def refuse_lent(taker: Identity, approved: Callable[[str], bool]) -> None:
    """As long as nothing was put into it."""
    if taker.lent and not approved("folder-lent"):
        raise Blocked("folder-lent", "the folder is a person's, who shares it with the account")


def _level(pair: Pair, ours: Identity, theirs: Identity, rules: GateRules) -> str:
    site = Site.read(pair.source.address)
    if site is not None:
        return _level_of_site(site, pair.target, theirs, rules)
    named = rules.directory.names(pair.source.address, pair.target.address)
    if named is False:
        raise Blocked("directory-disagrees", "the directory gives source or target to somebody else")
    opens = bool(named) and _opens_what_is_named(pair, ours, theirs, rules)
    strange = theirs.addresses and not theirs.addresses & (ours.addresses or {pair.source.address})
    excused = named and pair.target.address in theirs.addresses
    if strange and not excused and not (opens and theirs.self_stated):
        raise Blocked("target-address-differs", "the target says this account belongs to another address")
    if opens:
        return "directory"
    return "address" if not theirs.self_stated and _states_the_same(pair, ours, theirs) else "asserted"


def _level_of_site(site: Site, target: Account, theirs: Identity, rules: GateRules) -> str:
    """A site has no address that a target could state: only the directory's word proves who may hold it."""
    named = rules.directory.gives(site, target.address)
    if named is False:
        raise Blocked("directory-disagrees", "the directory gives the site's files to somebody else")
    stated = target.address in theirs.addresses
    opens = _is_login(target) or rules.directory.gives(site, target.login) is True
    if theirs.addresses and not stated and is_address(target.address) and not (opens and theirs.self_stated):
        raise Blocked("target-address-differs", "the target says this account belongs to another address")
    proven = opens or (stated and not theirs.self_stated)
    return "directory" if named and proven else "asserted"


def _states_the_same(pair: Pair, ours: Identity, theirs: Identity) -> bool:
    """The target states the row's target address, and either system states the address of the other side:
    that they meet in another one, as an alias, says little. A silent source is taken to be who its login
    names, where that is the address itself."""
    if pair.target.address not in theirs.addresses or not (ours.addresses or _is_login(pair.source)):
        return False
    return pair.source.address in theirs.addresses or pair.target.address in ours.addresses


def _is_login(account: Account) -> bool:
    return canonical(account.login) == canonical(account.address)


def _opens_what_is_named(pair: Pair, ours: Identity, theirs: Identity, rules: GateRules) -> bool:
    """The directory names addresses, but a login opens the account: a login that is not that address
    proves nothing, unless the system itself states the address or the directory names the login. A target
    that states addresses, none of which the directory gives to this person, is not opened by its address."""
    directory, source, target = rules.directory, pair.source, pair.target
    stated = frozenset[str]() if theirs.self_stated else theirs.addresses
    if _is_login(target):
        opened = not stated or bool(stated & directory.also(source.address, target.address))
    else:
        opened = target.address in stated or directory.names(source.address, target.login) is True
    if not opened:
        return False
    told = _is_login(source) or source.address in ours.addresses
    return told or directory.names(source.login, target.address) is True


def _plausible(source: Source, addresses: frozenset[str], rules: GateRules) -> None:
    """The majority sender of Sent Items should be the owner. No Sent Items say nothing."""
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
    """Asked at the first binding, and again before the first item is written. Provisioning artefacts are
    ignored; anything else blocks."""
    if not approved("target-not-empty") and is_filled(target, artefacts, ours):
        raise Blocked("target-not-empty", "the target account already holds items that are not ours")


def is_filled(target: Target, artefacts: Sequence[str], ours: Collection[str]) -> bool:
    """Whether a target holds anything beside provisioning artefacts and what is in these containers."""
    for container in target.containers():
        if container.id in ours or container.omit is not None:
            continue  # what others share with the account is not in it
        most = ARTEFACT_FILES_MOST if container.kind is Kind.FILES else ARTEFACTS_MOST
        listed = [item.href for item in islice(target.listing(container.id), most + 1)]
        if len(listed) > most or len(artefacts_among(target, container.id, listed, artefacts)) < len(listed):
            return True
    return False
