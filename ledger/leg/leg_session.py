"""Write everything that a leg's worker records: each method is one transaction, fenced by the epoch (R6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from sqlalchemy import Connection, Engine, bindparam, delete, select, update

from ledger.db import incidents, readers
from ledger.db.audit_log import append_event, last_refusal, newest_detail
from ledger.db.incidents import IncidentLedger
from ledger.db.lease_statements import MINE
from ledger.db.leases import AT_TARGET, terms
from ledger.db.readers import CHUNK
from ledger.db.rows import Finding, ItemRow, Lease, PageCount, State, Tally
from ledger.db.schema import finding, leg
from ledger.inventory.inventory import InventoryLedger
from ledger.leg import count_changes, item_states, listing_diff, phase_moves, rekeying, target_accounts
from ledger.leg.containers import LegContainers
from ledger.leg.created_folders import FolderLedger
from ledger.leg.item_states import Unwritten
from ledger.leg.meetings import MeetingLedger
from ledger.leg.named_losses import NamedLosses
from ledger.leg.rekeying import Refated, Rekeyed
from ledger.leg.rollback import RollbackLedger
from ledger.leg.shares import ShareLedger
from ledger.leg.target_accounts import Doubt
from ledger.leg.versions import VersionLedger
from ledger.plan.mailboxes import wave_of
from model.protocols import Loss, Mapped, Page, Stored

_GENERATION = select(leg.c.generation).where(leg.c.id == bindparam("of"))


class LegLedger(LegContainers):
    """Read and write one leg. Belongs to one thread and holds one connection; a context manager.

    Methods that write raise LeaseLost, having written nothing, once another worker claimed the leg. Each is
    one transaction: if it raises Corrupt or LeaseLost, nothing of it was recorded; if it raises Transient, it
    may have been. Keys that are unknown, or whose state does not allow the step, raise Corrupt("item-state").

    Attributes:
        tally: what it recorded as done.
        shares: the shares of the leg.
        versions: the counts of older versions of files.
        incidents: the trouble of single items.
        folders: the folders that the leg made.
        losses: items by a certain loss.
        meetings: what became of meetings in the legs of those who called them.
        rollback: what a rollback writes.
        inventory: the inventory of the source.
    """

    def __init__(self, engine: Engine, lease: Lease, *, mirror: bool, tally: Tally | None = None) -> None:
        super().__init__(engine, lease)
        self._mirror = mirror
        self.tally = Tally() if tally is None else tally
        self.shares = ShareLedger(self._transaction, self._census.lost)
        self.versions = VersionLedger(self._transaction)
        self.incidents = IncidentLedger(self._transaction, lease.leg)
        self.folders = FolderLedger(self._transaction, lease.leg)
        self.losses = NamedLosses(self._transaction, lease.leg, self._census)
        self.meetings = MeetingLedger(self._transaction, lease)
        self.rollback = RollbackLedger(self._transaction, lease)
        self._intended: dict[tuple[int, bytes], int] = {}  # sizes, until it is settled
        self._begun: dict[tuple[int, bytes], bool] = {}  # which had a place then, until it is settled
        self.inventory = InventoryLedger(self._transaction, lease)

    # Listing

    def record_page(
        self, container_id: int, page: Page, *, keep_cursor: bool = True, moves: bool = False
    ) -> PageCount:
        """Record a page's refs and its cursor in one transaction (R1). Idempotent.

        Args:
            container_id: the container.
            page: of the source's listing.
            keep_cursor: False for an enumeration that replaces an earlier one; it commits its cursor only at
                its end, by finish_listing.
            moves: True if the source names a moved item in its new container alone. Then an item that is new
                here, or is back, has left the container of the leg where it was, and an item that is gone is
                gone from wherever it was.
        """
        before, of = self._census.counted(container_id), (self._lease.leg, container_id)
        empty, rows = before is not None and not before.counts, self._rows
        with self._placing((container_id,)) as connection:
            number, mirror = self.inventory.number(connection), self._mirror
            plan = listing_diff.plan_listing(
                connection, *of, page.refs, number, mirror=mirror, moves=moves, empty=empty
            )
            for where in plan.left:
                self._touch(where)
            self._apply(connection, plan)
            self.inventory.record(connection, container_id, plan.entries)
            if keep_cursor:
                listing_diff.go_on(connection, *of, page.cursor)
        self._keep_rows(rows, {container_id: {"cursor": page.cursor}} if keep_cursor else {})
        if not plan.left:
            self._census.follow(container_id, count_changes.after_listing(before, plan.counts))
        return plan.count

    def finish_listing(
        self, container_id: int, cursor: str | None, keys: Collection[bytes] | None = None
    ) -> PageCount:
        """Record that an enumeration reached its end.

        Args:
            container_id: the container.
            cursor: continues after the enumeration.
            keys: the keys that it named; every other item is deleted. None if it was no full enumeration.
        """
        before, rows = self._census.counted(container_id), self._rows
        with self._placing(() if keys is None else (container_id,)) as connection:
            plan = listing_diff.ListingChanges()
            if keys is not None:
                for unseen in listing_diff.unseen_items(connection, container_id, frozenset(keys)):
                    listing_diff.plan_deletion(plan, unseen, mirror=self._mirror)
                self._apply(connection, plan)
            listing_diff.finish(connection, self._lease.leg, {container_id: cursor})
        self._keep_rows(rows, {container_id: {"cursor": cursor, "complete": True}})
        if keys is not None:
            self._census.follow(container_id, count_changes.after_listing(before, plan.counts))
        return plan.count

    def finish_listings(self, cursors: Mapping[int, str]) -> None:
        """Record the end of several enumerations, without deletions: all or none."""
        if cursors:
            rows = self._rows
            with self._placing() as connection:
                listing_diff.finish(connection, self._lease.leg, cursors)
            ends = {number: {"cursor": cursor, "complete": True} for number, cursor in cursors.items()}
            self._keep_rows(rows, ends)

    def close_inventory(self, kek: bytes) -> int | None:
        """Root what was listed since the last time, before anything of it is copied; recorded with an event.

        Args:
            kek: the key that wraps the mailbox's evidence key.

        Returns:
            The inventory's number; None if nothing was listed. The first inventory is closed even if it is
            empty.

        Raises:
            MigrationError: as ledger.inventory.keystore.
        """
        return self.inventory.close(kek)

    # Reading

    def counts(self, container_id: int | None = None) -> dict[State, int]:
        """Count items by state, of one container or of the whole leg; states without items are absent."""
        census = self._census.load()
        if (cached := census.total() if container_id is None else census.counts(container_id)) is not None:
            return dict(cached)
        with self._reading() as connection:
            counts = readers.counts_of(connection, self._lease.leg, container_id)
        self._census.note(container_id, counts)
        return counts

    def generation(self) -> int:
        """Return the number of the newest pass that began to write; 0 if none did."""
        with self._reading() as connection:
            return int(connection.execute(_GENERATION, {"of": self._lease.leg}).scalar_one())

    def moves(self) -> phase_moves.Moves:
        """Return which moves of the mailbox from phase to phase this ledger has."""
        with self._reading() as connection:
            return phase_moves.read(connection, self._lease.mailbox)

    def begun(self) -> bool:
        """Return True if anything was ever sent to the target for this leg, as far as can be known."""
        with self._reading() as connection:
            return readers.begun(connection, self._lease.leg)

    def take_account(self, fingerprint: str, outwaited: Doubt | None = None) -> bool | Doubt:
        """Take an account that two logins may open, before the first item is written into it.

        Args:
            fingerprint: of the account (Identity.fingerprint).
            outwaited: a doubt for which this leg waited longer than anything can be on its way. It stops
                nobody any more, unless a worker claimed the other leg since.

        Returns:
            True if another mailbox of this ledger was here with the same fingerprint; what it wrote would be
            visible by now. False if none was. A Doubt if the other mailbox's first items may be on their way;
            then nothing was taken.
        """
        with self._writing(()) as connection:
            return target_accounts.take(connection, self._lease, fingerprint, outwaited)

    def last_event(self, kind: str) -> Mapping[str, str | int] | None:
        """Return the detail of the newest event of this kind about the mailbox; None if there is none."""
        with self._reading() as connection:
            return newest_detail(connection, self._lease.mailbox, kind)

    def last_refusal(self, code: str, spent_as: str) -> Mapping[str, str | int] | None:
        """Return what this workload last refused with this code; see audit_log.last_refusal."""
        lease = self._lease
        with self._reading() as connection:
            return last_refusal(connection, lease.mailbox, code, spent_as, lease.workload.value)

    def pending(
        self, container_id: int, limit: int, *, states: Collection[State] = (State.SEEN,)
    ) -> list[ItemRow]:
        """Return at most `limit` open items in these states, in listing order."""
        if self._census.load().has_none(container_id, states):
            return []
        if (few := self._few.of(container_id, states)) is not None:
            return few[:limit]
        with self._reading() as connection:
            return readers.pending_items(connection, container_id, limit, states)

    def rows(self, container_id: int, states: Collection[State] | None = None) -> Iterator[ItemRow]:
        """Yield all items, or those in these states, in the order of their keys.

        They are read page by page, and no transaction is held in between: what is written meanwhile may or
        may not show.
        """
        if self._census.load().has_none(container_id, states):
            return
        if (few := self._few.of(container_id, states)) is not None:
            yield from sorted(few, key=lambda row: row.key)
            return
        after: bytes | None = None
        while True:
            with self._reading() as connection:
                page = readers.items_by_key(connection, container_id, after, states)
            yield from page
            if len(page) < CHUNK:
                return
            after = page[-1].key

    def row(self, container_id: int, key: bytes) -> ItemRow | None:
        """Return one item; None if there is none of this key."""
        with self._reading() as connection:
            return readers.item_by_key(connection, container_id, key)

    def claimed(self, href: str) -> set[str]:
        """Return the item hrefs that rows already own, of the leg's containers with this container href."""
        with self._reading() as connection:
            return readers.claimed_of(connection, self._lease.leg, href).get(href, set())

    def claimed_anywhere(self) -> dict[str, set[str]]:
        """Return the item hrefs that rows already own, by container href."""
        with self._reading() as connection:
            return readers.claimed_of(connection, self._lease.leg)

    def labels(self) -> dict[str, str]:
        """Return the leg's whole map from keyword to text."""
        with self._reading() as connection:
            return readers.labels_of(connection, self._lease.leg)

    def findings(self, container_id: int) -> list[Finding]:
        """Return what the last verification recorded, in its order."""
        if self._census.load().has_no_findings(container_id):
            return []
        with self._reading() as connection:
            return readers.findings_of(connection, container_id)

    # Copying

    def begin(self, container_id: int, keys: Iterable[bytes], since: str) -> None:
        """Set items to WRITING, with one attempt more, before anything is fetched (R2).

        Args:
            container_id: the container.
            keys: of the items.
            since: the target's position.

        Raises:
            Corrupt: "inventory-open" while there is an inventory to close.
        """
        before, unique = self._census.counted(container_id), set(keys)
        with self._writing((container_id,)) as connection:
            self.inventory.refuse_open(connection)
            begun = item_states.begin(connection, container_id, unique, since)
        self._begun.update({(container_id, key): there for key, there in begun.items()})
        self._census.follow(container_id, count_changes.after_begin(before, len(unique)))

    def intend(
        self, container_id: int, mapped: Iterable[Mapped], unwritten: Iterable[Unwritten] = ()
    ) -> None:
        """Record what will be written, before any byte is sent: digest, size, flags, date, losses, labels.

        Args:
            container_id: the container.
            mapped: the batch.
            unwritten: mails that were fetched and will not be written.
        """
        batch, before = list(mapped), self._census.counted(container_id)
        lossless = self._census.has_no_losses(container_id)
        self._note_losses(container_id, [entry.losses for entry in batch])
        with self._writing((container_id,)) as connection:
            item_states.intend(connection, container_id, batch, lossless=lossless)
            item_states.name_letters(connection, container_id, unwritten)
            self._intended.update({(container_id, entry.item.key): entry.item.size for entry in batch})
            labels = dict(pair for entry in batch for pair in entry.labels)
            item_states.keep_labels(connection, self._lease.leg, labels)
        self._census.follow(container_id, before)  # no item of it got another state

    def settle(
        self,
        container_id: int,
        stored: Iterable[Stored],
        rejected: Iterable[tuple[bytes, str]] = (),
        skipped: Iterable[tuple[bytes, str]] = (),
        unsettled: Iterable[bytes] = (),
        gone: Iterable[bytes] = (),
    ) -> None:
        """Record what became of items. Version and attempts stay.

        Args:
            container_id: the container.
            stored: they become WRITTEN.
            rejected: pairs of a key and a code.
            skipped: pairs of a key and a code.
            unsettled: they are to be written again.
            gone: the source no longer had them.
        """
        written, refused, left_out = list(stored), list(rejected), list(skipped)
        back, vanished = list(unsettled), list(gone)
        before = None if back or vanished else self._census.counted(container_id)
        self._note_losses(container_id, [copy.losses for copy in written])
        with self._writing((container_id,)) as connection:
            replaced = self._replaced(connection, container_id, [copy.key for copy in written])
            item_states.store(connection, container_id, written)
            item_states.decide(connection, container_id, State.REJECTED, refused)
            item_states.decide(connection, container_id, State.SKIPPED, left_out)
            item_states.give_back(connection, container_id, back, refund=False)
            item_states.vanish(connection, container_id, vanished, mirror=self._mirror)
            done = len(written) + len(refused) + len(left_out)
            size = self._written_size(connection, container_id, [copy.key for copy in written])
            item_states.progress(connection, self._lease.leg, done=done, size=size, copied=len(written))
        for key in (*(key for key, _ in (*refused, *left_out)), *back, *vanished):
            self._intended.pop((container_id, key), None)
            self._begun.pop((container_id, key), None)
        fates = {State.WRITTEN: len(written), State.REJECTED: len(refused), State.SKIPPED: len(left_out)}
        self._census.follow(container_id, count_changes.after_settling(before, fates))
        self.tally.add(Tally(new=len(written) - replaced, replaced=replaced))

    def restore(
        self,
        container_id: int,
        keys: Iterable[bytes],
        *,
        refund: bool,
        deaths: Mapping[bytes, int] | None = None,
        doubted: Mapping[bytes, Collection[str]] | None = None,
    ) -> None:
        """Set WRITING items, which are not at the target, back to be written.

        Args:
            container_id: the container.
            keys: of the items.
            refund: True if the attempt does not count.
            deaths: how many deaths of workers now count for these items (R10).
            doubted: of files, all names under which a write of them may still land.
        """
        with self._writing((container_id,)) as connection:
            item_states.give_back(connection, container_id, keys, refund=refund)
            item_states.doubt(connection, container_id, doubted or {})
            incidents.add_deaths(connection, container_id, deaths or {})
        if deaths:
            self.incidents.changed()

    # What is at the target

    def amended(
        self,
        container_id: int,
        amendments: Iterable[tuple[Stored, frozenset[str]]],
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Set CHANGED items to WRITTEN with these flags, and keep the labels of new keywords."""
        batch = list(amendments)
        self._note_losses(container_id, [copy.losses for copy, _ in batch])
        with self._writing((container_id,)) as connection:
            item_states.keep_labels(connection, self._lease.leg, labels or {})
            count = item_states.amend(connection, container_id, batch)
            item_states.progress(connection, self._lease.leg, done=count)
        self.tally.add(Tally(amended=count))

    def unamended(self, container_id: int, keys: Iterable[bytes]) -> None:
        """Record that the source's change cannot be read (code "change-unreadable").

        What was written stays.
        """
        with self._writing((container_id,)) as connection:
            count = item_states.mark_unreadable(connection, container_id, keys)
            item_states.progress(connection, self._lease.leg, done=count)

    def keep(self, container_id: int) -> None:
        """Keep, in the live phase, what the source changed or deleted before as it was written."""
        with self._writing((container_id,)) as connection:
            count = item_states.keep(connection, container_id)
            item_states.progress(connection, self._lease.leg, done=count)

    def recheck(self, container_id: int, keys: Collection[bytes], *, counted: bool = True) -> None:
        """Set items back to be amended again.

        Args:
            container_id: the container.
            keys: of the items.
            counted: True to count a rewrite, because verification found other flags than were written.
        """
        with self._writing((container_id,)) as connection:
            count = item_states.reopen(connection, container_id, keys, {"state": State.CHANGED.value})
            if counted:
                incidents.add_rewrites(connection, container_id, keys)
            item_states.progress(connection, self._lease.leg, done=-count)
        if keys and counted:
            self.incidents.changed()

    def rewrite(self, container_id: int, keys: Iterable[bytes], *, counted: bool = False) -> None:
        """Set items back to be written anew.

        Their copy at the target is gone: removed by us, or missing. The date stays: a date that was clamped
        is clamped to the same moment again.

        Args:
            container_id: the container.
            keys: of the items.
            counted: True to count a rewrite, because verification found it missing or different.
        """
        forgotten = [name for name in item_states.FORGOTTEN if name != "date"]
        values = {"state": State.SEEN.value, "attempts": 0, "code": None, **dict.fromkeys(forgotten)}
        gone = set(keys)
        with self._writing((container_id,)) as connection:
            count = item_states.reopen(connection, container_id, gone, values)
            incidents.add_rewrites(connection, container_id, gone if counted else ())
            item_states.progress(connection, self._lease.leg, done=-count)
        if counted and gone:
            self.incidents.changed()
        self.tally.add(Tally(new=-len(gone), replaced=len(gone)))  # writing them again is no first time

    def reconsider(self, code: str, *, held: bool = False) -> int:
        """Set items with this code back to be copied after all; return how many.

        These are the leg's SKIPPED and REJECTED items that have nothing at the target; with `held`, the
        others too.
        """
        with self._writing(None) as connection:
            count = item_states.reconsider(connection, self._lease.leg, code, held=held)
            item_states.progress(connection, self._lease.leg, done=-count)
            return count

    def withdrawn(
        self,
        container_id: int,
        keys: Iterable[bytes],
        *,
        removed: bool = True,
        code: str | None = None,
        traces: bool | None = None,
    ) -> None:
        """Set items to GONE.

        Args:
            container_id: the container.
            keys: of the items.
            removed: True if they were removed from the target; False if the copy was not ours.
            code: why a copy is still at the target; None if none is.
            traces: True if TRACES of them stay; None means that they stay if the items were removed.
        """
        kept = removed if traces is None else traces
        forgotten = [name for name in item_states.FORGOTTEN if not kept or name not in item_states.TRACES]
        values = {"state": State.GONE.value, "code": code, **dict.fromkeys(forgotten)}
        with self._writing((container_id,)) as connection:
            count = item_states.move(connection, container_id, keys, AT_TARGET, values)
        self.tally.add(Tally(withdrawn=count if removed else 0))

    def lost(self, container_id: int, keys: Collection[bytes], code: str) -> None:
        """Set items to REJECTED whose copies the target lost; a person decides about them.

        Digest and date stay: by them a copy is known that turns up elsewhere.

        Args:
            container_id: the container.
            keys: of the items.
            code: why.
        """
        gone = dict.fromkeys(("href", "since", "target_version", "place"))
        values = {"state": State.REJECTED.value, "code": code, "attempts": 0, **gone}
        with self._writing((container_id,)) as connection:
            settled = item_states.reopen(connection, container_id, keys, values)
            item_states.progress(connection, self._lease.leg, done=len(set(keys)) - settled)

    def rehref(self, container_id: int, hrefs: Mapping[bytes, str]) -> None:
        """Record where items are now, after the server renumbered a folder (a changed UIDVALIDITY)."""
        with self._writing((container_id,)) as connection:
            item_states.rehref(connection, container_id, hrefs)

    def rekeyed(self, container_id: int, pairs: Collection[Rekeyed], fates: Collection[Refated] = ()) -> None:
        """Give copies and fates to the rows of their new source ids: all or none.

        Args:
            container_id: the container whose SEEN rows get them. The rows of the old ids are GONE from then
                on.
            pairs: copies that the source lists under other ids now.
            fates: items without a copy, which were SKIPPED.
        """
        if not pairs and not fates:
            return
        others = {pair.container for pair in pairs} | {pair.container for pair in fates}
        self._census.lost(container_id)  # those of the old ids come with them
        with self._writing((container_id, *others)) as connection:
            settled = rekeying.transfer(connection, container_id, list(pairs))
            settled += rekeying.carry_over(connection, container_id, fates)
            item_states.progress(connection, self._lease.leg, done=settled)

    def held_elsewhere(self, container_id: int, alike: rekeying.Likenesses) -> list[tuple[int, ItemRow]]:
        """Return rows of other containers with copies that are like items of this one; see Likenesses."""
        with self._reading() as connection:
            return rekeying.held_elsewhere(connection, self._lease.leg, container_id, alike)

    def skipped_as(self, code: str, digests: Collection[bytes]) -> list[bytes]:
        """Return the digests, among these, of items that were SKIPPED with a code, one for each item."""
        with self._reading() as connection:
            return rekeying.skipped_as(connection, self._lease.leg, code, digests)

    def placed_apart(self) -> dict[bytes, str]:
        """Return, by key, the place of every copy whose place does not follow from its row's key."""
        with self._reading() as connection:
            return rekeying.placed_apart(connection, self._lease.leg)

    def verified(self, container_id: int, keys: Iterable[bytes]) -> None:
        """Set WRITTEN items to VERIFIED; items in any other state stay as they are."""
        good = list(keys)
        over, before = self.incidents.among(container_id, good), self._census.counted(container_id)
        with self._writing((container_id,)) as connection:
            moved = item_states.mark_verified(connection, container_id, good)
            incidents.forget(connection, container_id, over)
        self._census.follow(container_id, count_changes.after_verifying(before, moved))
        if over:
            self.incidents.changed()

    def doubted(self, container_id: int, keys: Iterable[bytes]) -> None:
        """Set VERIFIED items to WRITTEN, because a later look found something.

        Other items stay as they are.
        """
        with self._writing((container_id,)) as connection:
            item_states.mark_doubted(connection, container_id, keys)

    # Findings, losses, events

    def replace_findings(self, container_id: int, findings: Iterable[Finding]) -> None:
        """Replace the findings of a container. Idempotent."""
        rows = list(findings)
        if not rows and self._census.load().has_no_findings(container_id):
            return
        self._census.note_findings(container_id, any_=True)  # unless it is known that none were recorded
        with self._writing(()) as connection:
            connection.execute(delete(finding).where(finding.c.container == container_id))
            item_states.record_findings(connection, container_id, rows)
        self._census.note_findings(container_id, any_=bool(rows))

    def lose(self, container_id: int, key: bytes | None, losses: Iterable[Loss]) -> None:
        """Add losses of an item, or of the container itself (None; read back as key b""). Idempotent."""
        lost = list(losses)
        self._note_losses(container_id, [lost])
        with self._writing(()) as connection:
            item_states.lose(connection, container_id, [(key or b"", item_loss) for item_loss in lost])

    def keep_generation(self, number: int) -> None:
        """Record that a pass of this number begins to write. Idempotent."""
        with self._writing(()) as connection:
            connection.execute(update(leg).where(MINE).values(generation=number), terms(self._lease))

    def event(self, kind: str, detail: Mapping[str, str | int]) -> None:
        """Record a decision in the chain of the mailbox's wave, with the mailbox as its subject.

        Not idempotent.
        """
        of = self._lease.mailbox
        with self._writing(()) as connection:
            append_event(connection, wave_of(connection, of), kind, detail, subject=of)

    def _apply(self, connection: Connection, plan: listing_diff.ListingChanges) -> None:
        listing_diff.apply(connection, plan)
        item_states.progress(connection, self._lease.leg, items=plan.new, done=plan.done)

    def _note_losses(self, container_id: int, losses: Iterable[Collection[Loss]]) -> None:
        if any(losses):
            self._census.lost(container_id)

    def _replaced(self, connection: Connection, container_id: int, keys: list[bytes]) -> int:
        """Count those of these items that had a place at the target before; see item_states.begin."""
        begun = {key: self._begun.pop((container_id, key), None) for key in keys}
        unknown = [key for key, there in begun.items() if there is None]
        return sum(filter(None, begun.values())) + item_states.placed(connection, container_id, unknown)

    def _written_size(self, connection: Connection, container_id: int, keys: list[bytes]) -> int:
        intended = {key: self._intended.pop((container_id, key), None) for key in keys}
        unknown = [key for key, size in intended.items() if size is None]
        return sum(filter(None, intended.values())) + item_states.sizes(connection, container_id, unknown)
