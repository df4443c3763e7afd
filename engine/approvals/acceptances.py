"""Name what a person can take responsibility for, and which of it in Prefect's form."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.db.rows import (
    KEPT,
    ORGANIZER_FIRST,
    RULES_SEND_OUT,
    SCORE_LOW,
    STALE,
    TARGET_RESTORED,
    TOUCHED,
    UNSTABLE,
)

APPROVABLE: Mapping[str, str] = {
    "asserted": "only mailboxes.csv says that both are one person's; I have checked that they are",
    TOUCHED: "its user deleted or changed these late items before they were checked; they may stay so",
    "control-mailbox": "a credential opens mailboxes outside every wave; I accept that",
    STALE: "the source renders mail otherwise than when it was copied; the copies may stay as they are",
    "folder-lent": "a person shares the folder with the account, and keeps it; it may hold these files",
    "folder-replaced": "the target's folder is another one than before; I have checked whose it is",
    "kills-worker": "workers died with these items alone in hand; I have seen to them, and they stay behind",
    KEPT: "the target keeps items otherwise than they were written; they may stay so",
    "ledger-restored": "the ledger was restored from a backup; it may find out what was done since",
    "may-write": "the source's credential may write and send; I accept that",
    "narrower-rights": "who has a folder gets what is in it, also what was for fewer; they may",
    ORGANIZER_FIRST: "meetings of colleagues who move later may be missing until those are copied",
    "readable-by-others": "others may read these mailboxes at the target, as its rights say; they may",
    "recall": "with rollback: also from every folder that somebody moved it to; it is misdirected mail",
    "rollback": "what was written may be taken back, where nobody has changed it since",
    RULES_SEND_OUT: "these rules send mail out of the own domains; I have seen to whom, and they may act",
    SCORE_LOW: "its cutover scored low; I have looked at what is missing, and it may go live",
    "sent-items": "most Sent Items name another sender; I have checked whose mailbox it is",
    "source-rekeyed": "the source gave known items new ids; I know why",
    "source-shrunk": "many items disappeared at the source; I know why, and they may leave the target",
    "target-in-use": "nobody but Kogge works in the target; what was changed there may be put right",
    "target-not-empty": "the target held items before us; they may stay beside ours",
    TARGET_RESTORED: "the target was put back to a backup; what it lost may be written again",
    UNSTABLE: "the source gives items otherwise at each reading; the copies may be as one of them",
    "tenant-wide": "the source's credential reads every mailbox of the tenant; I accept that",
}
"""In the words that a person takes responsibility with."""

BY_FORM = frozenset({TOUCHED, STALE, KEPT, UNSTABLE, ORGANIZER_FIRST, "kills-worker"})
"""What may be accepted in Prefect, whose login is one for all: it leaves copies as they are, or items behind.

Whose a mailbox is, what a credential may do, who may read, what is removed or written again, and whether
somebody goes live are decided by a command alone.
"""
