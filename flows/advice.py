"""What to do about every code: one sentence an operator can act on at night."""

from __future__ import annotations

from mappings.losses import SKIPS

RETRY = "Passing; Kogge tries again by itself. If it stays, run the command again later."
PERSON = "`kogge failures` says where it lies; save it by hand if somebody needs it."

MAILBOX = {
    "proof-weaker-than-approved": "Proven worse than when approved; repair that, or check and approve anew.",
    "not-approved": "Its plan is not signed as it is: `kogge check`, `approve`; if it is blocked, `retry`.",
    "account-disabled": "The account is disabled in the directory; enable it, or leave it out.",
    "address-not-primary": "Write the mailbox's primary address into the row.",
    "access-denied": "Let it read this mailbox: EWS access policy, or the app's permission and scope.",
    "control-mailbox": "A credential has too much power; restrict it, or `kogge approve control-mailbox`.",
    "canary-account-full": "An account of [canary] holds too much; give two that are used for nothing else.",
    "canary-refused": "The server does not take the canary's meeting; see whether its accounts may write.",
    "container-missing": "Somebody removed a folder at the target; `kogge retry` makes it anew.",
    "denied": "On the deny list, which no approval overrides; take its row out of mailboxes.csv.",
    "directory-disagrees": "Compare the row with the directory export: one of them names the wrong person.",
    "drive-missing": "Give its owner the licence back, or have the site unlocked; what moved stays there.",
    "folder-lent": "Its folder is a person's, who shares it; make another, or `kogge approve folder-lent`.",
    "folder-replaced": "Another folder has its place at the target; rename that one back, or approve this.",
    "folders-refused": "The target takes no folder, whatever its name; see whether this account may write.",
    "hook-failed": "A hook of its cutover did not do its work; look into [state]/logs/hooks, run it again.",
    "home-of-another": "The server sends this account's items into another's home; correct it there first.",
    "identity-bound-elsewhere": "Another mailbox already uses this account; correct the row.",
    "identity-changed": "The account was deleted and made anew since the first run; find out why first.",
    "identity-not-proven": "Name both in the directory export, or check them and `kogge approve asserted`.",
    "impersonation-refused": "Give the service account the ApplicationImpersonation role for this mailbox.",
    "library-missing": "The site has no library at this address; correct the row, or name the site alone.",
    "live-phase": "Its user works there, and Kogge only adds; what it wrote `kogge rollback` takes back.",
    "malformed-calendar": "A defect: what was made cannot be read again. Nothing is lost; report it.",
    "narrower-rights": "Its folder would show what was for fewer people; take that out, or approve this.",
    "not-verified": "Not every workload of it is verified: `kogge migrate`, then `kogge cutover` again.",
    "no-calendar": "An account of [canary] has no calendar; log in as it once, or make one.",
    "no-dav-access": "Ask the host for DAV access: token exchange, app passwords, or a secret command.",
    "redirected-elsewhere": "The url leads to another server; write that one into [target], if it is yours.",
    "reply-too-large": "The server answers with more than any account holds; look at it before going on.",
    "silence-unproven": "Nobody knows yet whether it mails invitations: set a canary, then `kogge check`.",
    "silence-broken": "It mails invitations in spite of everything sent; do not migrate calendars to it.",
    "too-many-collections": "The account has as many calendars as the server allows; raise its limit.",
    "no-files-access": "Nothing answers as this person's files; correct url, root, or log in there once.",
    "no-agenda-access": "Nothing answers as this person's agenda; correct [target.calendar]'s url, or login.",
    "not-agenda": "The url does not lead to eXo's agenda; correct [target.calendar].url.",
    "not-files": "The url does not lead to a file server; correct the target's url.",
    "not-dav": "The url does not lead to a DAV service; correct [target].url.",
    "login-refused": "Correct login, password, secret or client_id; then `kogge check` and `kogge retry`.",
    "may-write": "Take back what may write or send; reading is enough. Or `kogge approve may-write`.",
    "mailbox-not-online": "Not in Exchange Online, or not active there: read an on-premises one over EWS.",
    "mailbox-missing": "No such mailbox on that server, or the master user may not open it; correct the row.",
    "mailbox-unknown": "The ledger has no such mailbox; `kogge status` lists the ids.",
    "no-mail-permission": "Give the application Mail.Read: by scope (RBAC), or by consent.",
    "no-calendar-permission": "Give the application Calendars.Read: by scope (RBAC), or by consent.",
    "no-contacts-permission": "Give the application Contacts.Read: by scope (RBAC), or by consent.",
    "no-tasks-permission": "Consent to Tasks.Read.All; To Do knows no scope.",
    "no-notes-permission": "The source gives out no notes; take them out of the mailbox's workloads.",
    "no-files-permission": "Consent to Files.Read.All; for libraries Sites.Selected and a grant each do.",
    "no-permission": "The target forbids this; give the account the right (ACL), then `kogge retry`.",
    "not-graph": "The url does not lead to Microsoft Graph; correct source.graph_url.",
    "not-soap": "The url does not lead to Exchange Web Services; correct source.url.",
    "not-in-plan": "No row of mailboxes.csv names it any more; put the row back if it is to run.",
    "over-quota": "Raise the target's quota, then `kogge retry`; the copy goes on where it stopped.",
    "plan-changed": "A row differs from what was already copied; restore it, or let the old mailbox be.",
    "rolled-back": "Taken back, as approved. `kogge retry` and `kogge migrate` move it again.",
    "rolling-back": "Its rollback has not ended: run `kogge rollback --execute` again.",
    "release-begun": "A release hook of it has run: it only goes on, with `kogge cutover`.",
    "score-low": "See `kogge cutover --status`; if it may go live so, `kogge approve score-low`.",
    "taking-back": "Taking it back was begun and has not ended: run `kogge cutover --back` again.",
    "sent-items-implausible": "Look whose mailbox the source is; if it is right, `kogge approve sent-items`.",
    "quota-too-small": "The source's mail does not fit into the target's quota; raise it before the wave.",
    "server-refuses": "The server does not accept the request; `kogge check` shows version and rights.",
    "server-too-old": "Exchange 2010 SP2 or newer is needed.",
    "site-missing": "No such site in the tenant, or the application may not read it; correct the row.",
    "source-address-differs": "The source opens another person's mailbox; correct the row or its login.",
    "source-quota": "The source mailbox is over its quota and closed; raise it, then `kogge retry`.",
    "source-rekeyed": "Known items have new ids: was it restored? Then `kogge approve source-rekeyed`.",
    "source-shrunk": "Many items disappeared at once; find out why, then `kogge approve source-shrunk`.",
    "spool-full": "Free space in the spool directory below [state], then `kogge retry`.",
    "spool-unusable": "Make the spool directory below [state] writable for this account.",
    "target-address-differs": "The target account is another person's; correct the row or its login.",
    "target-not-empty": "The target holds items not ours; empty it, or `kogge approve target-not-empty`.",
    "tenant-wide": "Scope these by RBAC, take their consent back; or `kogge approve tenant-wide --wave W`.",
    "tls-failed": "Set tls.ca_file to the authority that signed the server's certificate.",
}

ITEM = {
    "attachment-damaged": "The source gives an attachment nobody can read. " + PERSON,
    "changed-at-target": "Its user, or a program, changed it there; what they made of it stays.",
    "date-out-of-range": "A date outside of 1601 to 9999; correct it, then `kogge retry --rejected`.",
    "delivered-already": "The target was delivered it, too; nothing to do.",
    "duplicate-uid": "Another item of the mailbox has the same UID, and has moved; nothing to do.",
    "empty-series": "Every occurrence was deleted; delete the series at the source.",
    "exception-without-origin": "The source does not say which occurrence was changed. " + PERSON,
    "groups-unsupported": "The target keeps no distribution lists; its owner makes them anew.",
    "malformed-card": "A defect: what was made cannot be read again. Nothing is lost; report it.",
    "malformed-record": "The source's record cannot be understood. " + PERSON,
    "start-missing": "It has no start; correct it at the source, then `kogge retry --rejected`.",
    "uid-conflict": "Organisers first, then `kogge retry --rejected`; if it stays, compare with the owner.",
    "uid-in-trash": "Empty the target's trash bin, then `kogge retry --rejected`.",
    "recurrence-not-kept": "The target cannot repeat it so. " + PERSON,
    "unknown-recurrence": "Kogge does not know its recurrence. " + PERSON,
    "unknown-time-zone": "Kogge knows no such time zone; add it at the source. " + PERSON,
    "cannot-remove": "The target keeps what we wanted to withdraw; remove it by hand, or leave it.",
    "flag-not-allowed": "The target refuses one of its flags; the message itself is there.",
    "blocked-by-source": "The source withholds it, as malware or by a rule; ask who runs the source.",
    "hash-mismatch": "Its bytes changed on the way at every attempt; look for what alters them in between.",
    "name-taken": "The target has something else of that name; rename that, `kogge retry --rejected`.",
    "not-a-file": "A notebook or package (export it by hand), or a shortcut to what somebody else shares.",
    "body-missing": "The source gave no content. " + PERSON,
    "corrupt-at-source": "The source server calls it corrupt. " + PERSON,
    "empty-message": "It has no content at all. " + PERSON,
    "item-refused": "The source does not give it out. " + PERSON,
    "kills-worker": "It ended a worker twice; look at the log, then `kogge retry --rejected`.",
    "mime-conversion-failed": "The source cannot make a message of it. " + PERSON,
    "mime-damaged": "The source's message is damaged. " + PERSON,
    "name-not-allowed": "Rename it at the source, then `kogge retry --rejected`.",
    "occurrence-missing": "Its series lacks a changed date; save it in Outlook, `kogge retry --rejected`.",
    "one-calendar": "eXo has one calendar a person, and its name stays; nothing to do.",
    "poison-item": "The source fails on this item alone. " + PERSON,
    "refused-by-target": "The target refuses it. " + PERSON,
    "refused-by-server": "The target refuses it. " + PERSON,
    "too-large": "Raise the target's message size limit and `kogge retry --rejected`, or save it by hand.",
    "too-large-to-read": "Raise the source's EWS limit and `kogge retry --rejected`, or save it by hand.",
    "unknown-class": "Kogge has no mapping for this kind of item. " + PERSON,
    "unknown-format": "Kogge has no mapping for this format. " + PERSON,
    "vanished": "Deleted at the source while it was copied; the next run settles it.",
}

PASSING = dict.fromkeys(
    (
        "append-unconfirmed",
        "body-changed",
        "busy",
        "connection-closed",
        "connection-cut",
        "connection-lost",
        "container-renumbered",
        "cursor-lost",
        "folder-elsewhere",
        "folder-vanished",
        "protocol-error",
        "reply-incomplete",
        "server-busy",
        "server-bye",
        "server-error",
        "source-closed",
        "source-silent",
        "sync-stuck",
        "target-read-empty",
        "timeout",
        "token-unreadable",
    ),
    RETRY,
) | {
    "prefect-unavailable": "Prefect does not answer; `kogge server status`, then run the command again.",
    "ledger-changed": "Something of the wave changed while it was sealed; run `kogge audit seal` again.",
    "ledger-unavailable": "The ledger's database does not answer; start it, then run the command again.",
    "server-unreachable": "The server cannot be reached; check host, port and firewall, then run again.",
    "unreachable": "The server cannot be reached; check url, name resolution and firewall, then run again.",
}

RUN = {
    "canary-failed": "Its first mailbox is not verified: repair it, `kogge retry -m`, `kogge migrate`.",
    "changed-since": "The source changed while it was verified; run `kogge migrate` again.",
    "claimed-elsewhere": "Another worker has it; nothing to do.",
    "dry-run": "Only looked at; run without --dry-run to move it.",
    "ews-ends": 'Exchange Online closes EWS, tenant by tenant, for good on 2027-04-01: use kind = "graph".',
    "verification-differs": "See `kogge verify -m M`; `kogge retry -m M` and `kogge migrate` repair it.",
    "evidence-damaged": "An inventory was altered; stop, keep a copy of the ledger, compare with a backup.",
    "event-chain-broken": "The ledger's decisions were altered; stop, keep a copy, compare with a backup.",
    "internal-error": "A defect in Kogge; the traceback is in the local log. Nothing is lost; report it.",
    "item-state": "The ledger contradicts itself; stop, keep a copy, report it.",
    "items-open": "Something of it is still to be done; `kogge migrate`, then seal the wave.",
    "lease-lost": "Another worker took over; nothing to do.",
    "ledger-damaged": "The file is damaged; stop, restore the newest backup, `kogge verify` before all else.",
    "ledger-inconsistent": "The ledger contradicts itself; stop, keep a copy, report it.",
    "misconfigured": "Correct the file and field that the message names.",
    "no-inventory": "Nothing of it was ever listed; `kogge migrate` does, then seal the wave.",
    "not-run": "Not run yet, so there is nothing to verify; `kogge migrate` comes first.",
    "releasing": "Its cutover has opened it and has not ended: `kogge cutover`; later passes only add.",
    "source-gone": "Live, and its source is no longer there: nothing late to bring, nothing to do.",
    "paused": "Somebody paused the wave (`kogge log`); `kogge resume`, then the same command, goes on.",
    "stopped": "Stopped on request; run the command that was stopped again, and it goes on.",
    "target-unwell": "A server fails, so it is left alone; Kogge goes on by itself once it is well.",
    "window-closed": "Not in its hours now; its schedule, or the command then, goes on where it stopped.",
    "undeclared-loss": "A defect in Kogge; nothing is lost. Report it.",
    "verified-by-counts": "Only counts were compared; `kogge verify --level target` reads everything back.",
    "worker-gone": "Its worker died in the middle; `kogge migrate` goes on where it stopped.",
    "verified-by-sample": "Only a sample was read back; `kogge verify --level target` reads everything.",
}

STAYS = {
    "archive-mailbox": "the online archive, which is not read; export it, or import it into the mailbox",
    "delegates": "rights given to other people; set them anew at the target",
    "deleted-folder": "calendars and address books in Deleted Items, which Graph does not give out; move "
    "them out to keep them",
    "distribution-lists": "personal lists of people, which Graph does not give out; write them down",
    "flagged-emails": "To Do's list of flagged mails; the mails move with their folders, flags and all",
    "groups": "Microsoft 365 groups, each with a mailbox, a calendar and files of its own",
    "hidden": "hidden folders of the system",
    "holds": "items kept by a legal hold; ask your legal department before the source is switched off",
    "inbox-rules": "server-side rules; the user makes them anew at the target",
    "journal": "Outlook's journal; there is no place for it at the target",
    "no-select": "names without a mailbox behind them",
    "notes": "sticky notes, which Graph does not give out; export them from Outlook",
    "not-mail": "folders of other workloads",
    "public-folders": "public folders; they belong to nobody's mailbox",
    "recoverable-items": "deleted items the server still keeps",
    "search-folder": "search folders: views, their items move with the real folders",
    "shared": "calendars and lists that somebody else shares; they move with their owner's mailbox",
    "sync-issues": "logs of Outlook's synchronisation",
    "system-folder": "folders in which applications keep their own data",
    "unreachable": "folders more than 300 deep, or inside themselves; move them up at the source",
}
"""What does not move, by the code of connectors.base.Container.omit and of a source's extras()."""

ADVICE = MAILBOX | ITEM | PASSING | RUN


def advice(code: str) -> str:
    """What to do about a code; "" for one that is not in the table."""
    return ADVICE.get(code) or SKIPS.get(code, "")


GROUPS = (
    ("A mailbox is blocked", "What to do", MAILBOX),
    ("An item is rejected, or not quite as it should be", "What to do", ITEM),
    ("Passing: the mailbox is left waiting", "What to do", PASSING),
    ("A run, a verification, the ledger", "What to do", RUN),
    ("What `kogge discover` says stays behind", "What it is", STAYS),
)


def handbook() -> str:
    """Every code as Markdown tables, for docs/operations.md."""
    lines: list[str] = []
    for title, head, texts in GROUPS:
        lines += [f"### {title}", "", f"| Code | {head} |", "| --- | --- |"]
        lines += [f"| `{code}` | {text} |" for code, text in sorted(texts.items())]
        lines.append("")
    return "\n".join(lines)
