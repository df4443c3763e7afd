"""Write the files of `kogge init` and `kogge practice up`: a configuration that explains itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from model.errors import Misconfigured

TOML = """\
# Kogge's configuration. Lines that begin with # are explanations, or settings at their default; a table whose
# lines begin with ## may stand in place of the one before it.
# Relative paths are relative to this file. Secrets are named here, never written here.
#
# Next: fill in mailboxes.csv, then  kogge check   and   kogge migrate --wave pilot --dry-run

mailboxes = "mailboxes.csv"
# addresses = "x500.csv"                    # columns x500,address, from the directory's proxyAddresses

[ledger]
# What is planned and what happened. SQLite serves one machine, PostgreSQL many workers:
# url = "postgresql+psycopg://kogge@db.example.org/kogge"
# password = { env = "KOGGE_DB_PASSWORD" }
# tls.ca_file = "authority.pem"             # where the system does not trust its certificate
# plain = false                             # true: without TLS, in a network that nobody else can reach
url = "sqlite:///kogge-state/ledger.db"

[state]
# Spool for large mail, logs, the local Prefect server. Holds people's mail while it moves: keep it private.
directory = "kogge-state"

# [network]                                 # where only an HTTP proxy leads out, for every https:// server
# proxy = "environment"                     # as HTTPS_PROXY and NO_PROXY say; or "http://proxy.example.org:3128"

[source]
# Where everything comes from: "ews" (Exchange 2010 SP2 and newer), "graph" (Microsoft 365, with files), or
# "imap" for mail alone.
kind = "ews"
url = "https://mail.example.org/EWS/Exchange.asmx"
auth = "basic"                              # basic, ntlm, oauth2, kerberos
username = "svc-migration@example.org"      # with the ApplicationImpersonation role
password = { env = "KOGGE_SOURCE_PASSWORD" }  # or { file = "…" }, { command = "…" }, { block = "…" }
# tls = { ca_file = "/etc/ssl/our-authority.pem" }
# For auth = "oauth2": tenant, client_id, and client_secret = { … } or certificate_file.

## [source]
## kind = "graph"                           # Microsoft 365; see docs/sources/microsoft-365.md
## tenant = "example.onmicrosoft.com"       # its id, or one of its domains
## client_id = "00000000-0000-0000-0000-000000000000"
## certificate_file = "kogge.pem"           # certificate and RSA key; or client_secret = { env = "…" }
## company = "Example"                      # in the User-Agent, by which Microsoft tells well-behaved traffic
## concurrent_requests = 4                  # at once for one mailbox: Microsoft's own limit
## count_versions = false                   # count each file's older versions: a request more for each

[target.mail]
kind = "imap"
host = "imap.example.org"
port = 993
security = "tls"
auth = "master-user"                        # password, master-user, plain-authzid, xoauth2
username = "migrator"                       # logs in as user*migrator
password = { env = "KOGGE_TARGET_PASSWORD" }
# artefacts = ["Welcome"]                   # beginnings of the subjects of mail a new account holds
# folder_language = "de_DE"                 # Open-Xchange's names for the folder of sent mail and its like
# category_colours = { "Customer" = "red" } # in which Open-Xchange shows mail of a category
# special_folders = { sent = "Sent", archive = "Archive" }  # one by one; drafts, trash, junk

# One table for each workload; what has none does not move. Take away the # of those you want.
# Open-Xchange: api = "https://ox.example.org/appsuite/api" adds what DAV does not list or keep.
# [target.calendar]
# kind = "caldav"
# url = "https://cloud.example.org"         # found by /.well-known, or the service's own address
# profile = "nextcloud"                     # nextcloud, open-xchange, cyrus, radicale, generic
# auth = "basic"                            # basic, bearer, appapi (a Nextcloud app writes as anybody)
# username = "{login}"
# password = { command = "app-password {login}" }  # of each person, or the one of an app
# rate_limit = 1500                         # requests of all workers in rate_limit_seconds; 0: none
# rate_limit_seconds = 300                  # both are the profile's unless given (open-xchange: these)
# own_address = false                       # true: each machine reaches it from an address of its own

## [target.calendar]
## kind = "exo-agenda"                      # eXo: each person has one calendar that nobody else writes in
## url = "https://exo.example.org"
## zone = "Europe/Berlin"                   # whose clock series keep
## password = { command = "password-of {login}" }

# [target.tasks]
# kind = "caldav"                           # the same server again: task lists of their own are made
# url = "https://cloud.example.org"
# profile = "nextcloud"
# password = { command = "app-password {login}" }

# [target.contacts]
# kind = "carddav"
# url = "https://cloud.example.org"
# profile = "nextcloud"
# password = { command = "app-password {login}" }

# [target.notes]
# kind = "imap"                             # the mail server again: notes go into the folder "Notes"
# host = "imap.example.org"
# auth = "master-user"
# username = "migrator"
# password = { env = "KOGGE_TARGET_PASSWORD" }

# [target.files]
# kind = "nextcloud"                        # from Microsoft 365 alone
# url = "https://cloud.example.org"
# auth = "appapi"                           # basic, bearer, appapi (a Nextcloud app writes as anybody)
# app_id = "kogge"
# password = { env = "KOGGE_CLOUD_PASSWORD" }
# root = "OneDrive"                         # where it goes in each account; else the whole account
# groups = "groups.csv"                     # columns source,target: whom a group is here; others get nothing
# chunk_above = 100_000_000                 # larger files go in chunks, which a later run goes on with
# versions = 0                              # older versions of a new file to move: docs/targets/nextcloud.md
# bulk_below = 1_000_000                    # smaller ones go many at once, into folders made by Kogge

## [target.files]
## kind = "webdav"                          # any WebDAV server
## url = "https://files.example.org/dav/{login}"
## password = { command = "password-of {login}" }

## [target.files]
## kind = "exo"
## url = "https://exo.example.org"
## flavour = "drives"                       # 7.1 and newer; "jcr" for 6 and 7.0
## auth = "digest"                          # basic for "jcr"
## password = { command = "webdav-key {login}" }

[gate]
# Nothing is written before source and target are proven to be the same person's.
# directory = "directory.csv"               # an export, independent of mailboxes.csv, with source,target
# deny = "deny.txt"                         # addresses, @domains or sites that no wave may touch
# control = "control@example.org"           # outside every wave: who can open it has too much power
accept = "address"                          # or "directory": the lowest proof without an approval

# [invitation_probe]
# Two accounts at the target that are nobody's. `kogge check` has one invite the other, to see that a calendar
# server of which that is not known mails nobody because of a migration.
# host = "probe-a@example.org"
# guest = "probe-b@example.org"
# host_login = "probe-a"                    # where a login is not the address; guest_login likewise
# external = "probe-b+outside@example.org"  # no user of the calendar server: it is invited by mail alone
# external_mail = { kind = "imap", host = "imap.example.net", password = { env = "X" } }  # if it is elsewhere
# arrival_seconds = 120

[approval]
# Nothing is written before so many different people signed the wave's plan, and its cutover once more:
#   kogge keys new NAME --out NAME.pem      each approver, on a machine of their own; prints the line below
#   kogge check --wave W; kogge approve --wave W --key NAME.pem --reason "..."
# required = 2                              # 0: one person alone may start a wave
# [approval.approvers]
# "A. Approver" = "ed25519:Eh4gL1QdDB8qI2/imMMFDsg2FIot0l29cHoV3rEsvTA="

[run]
# mailboxes_at_once = 4                     # in a batch; of one mailbox one workload after the other
# batch = 25                                # mailboxes of one flow run
# lease_seconds = 60
# write_grace_seconds = 5
# attempts = 5                              # tries of a passing fault before a mailbox is left waiting
# canary = true                             # a wave's first mailbox runs alone, before the others

[plan]
# How `kogge plan` makes waves of the list. Dates and windows of waves are in a CSV file that it writes.
# waves = "waves.csv"
# relations = "relations.csv"               # person,department,manager,delegates,shared: who moves together
# inventory = "inventory.csv"               # what `kogge discover --csv inventory.csv` wrote
# mailboxes = 500                           # of one wave at most
# largest_bytes = 500_000_000_000           # of one wave at most
# pilot = 20                                # mailboxes of the first wave; 0 for none
# first = 2027-01-16                        # its date
# days = 7                                  # to the next wave
# window = "nights"                         # one of [windows]
# timezone = "UTC"                          # in which a date begins, where no window says
# workers = 1                               # that run batches at once, each `mailboxes_at_once` of [run]
# source_at_once = 27                       # what the source allows at once, overall
# source_requests = 100                     # and in a second; estimates follow both
# rates = { mail = 10, calendar = 5, contacts = 10, tasks = 5, notes = 5, files = 3, bytes = 2_000_000 }

# [windows.nights]
# When waves may run that name it in waves.csv; one that is at work then stops between two batches.
# spans = ["mon-fri 20:00-06:00", "sat-sun 00:00-24:00"]
# timezone = "Europe/Berlin"
# last_start_minutes = 10                   # before it closes: no mailbox is begun any more

[admission]
# How much is asked of the servers at once, and of one that is not well.
# source_at_once = 27                       # mailboxes at work against the source, of all workers together
# slow_ms = 2000                            # a call takes longer on average: slow down
# slow_ms_of = { "target.files" = 5000 }    # "source", or "target." and a workload
# errors_percent = 20                       # of calls that fail: slow down, halt, try now and then
# regulate = true

# [hooks]
# What you do yourselves at a cutover, in this order; a hook that may have run is run again: let that do no
# harm.
# {mailbox} is a random id; {source} and {target} are addresses, which a command finds in KOGGE_SOURCE and
# KOGGE_TARGET as well. `undo` is run when a frozen mailbox is taken back.
# [[hooks.freeze]]                          # before the final delta: redirect mail, close the source
# name = "redirect"
# command = ["/usr/local/bin/redirect", "{mailbox}"]
# undo = { command = ["/usr/local/bin/redirect", "--back", "{mailbox}"] }
# timeout_seconds = 60
# attempts = 3
# [[hooks.release]]                         # verified and approved: open the target, notify
# name = "open-target"
# url = "https://idm.example.org/accounts/open"
# method = "POST"
# headers = { authorization = { env = "KOGGE_IDM_HEADER" } }
# body = { account = "{target}", wave = "{wave}" }

# [cutover]
# level = "both"                            # of the verification after the final delta: target, both

# [mail_routes]                             # for a Dovecot that is a proxy: docs/mail-proxy.md
# imap = { old = { host = "mail.example.org", port = 993 }, new = { host = "imap.example.org", port = 993 } }

[verify]
level = "target"                            # counts, sample, target, both
# sample_percent = 5

[report]
# contact = "IT service desk, telephone 1234, weekdays 8-17"   # on the page of each person (kogge report)
# organisation = "City of Example"          # at the top of every page
# logo = "logo.svg"                         # a PNG or SVG file of at most 256 KiB
# timezone = "Europe/Berlin"                # of the times in the pages; else that of [plan] and its window

# [logging]
# format = "text"                           # or "json": runs and workers log one JSON object a line

[prefect]
# Without api_url, Kogge starts a server of its own on this machine.
# api_url = "https://prefect.example.org/api"
# plain_http = true                         # allow http:// to another machine: private networks only
# port = 4200
# dispatch = "inline"                       # or "deployment": workers of work_pool run the batches
# work_pool = "kogge"
# waves = 8                                 # that workers watch over at once; `kogge setup` tells Prefect
# mail = { env = "KOGGE_MAIL_URL" }         # mailtos://user:password@smtp.example.org?to=night@example.org
# webhook = { env = "KOGGE_WEBHOOK_URL" }   # called with what happens to waves and mailboxes
# blocks = ["ms-teams-webhook/nights"]      # notification blocks made in Prefect
# alarms = true                             # blocked, frozen too long, window over, server fails, no worker
# frozen_hours = 2                          # after which a mailbox that stays frozen raises an alarm
"""

CSV = """\
source,target,wave
anna.example@example.org,anna.example@example.org,pilot
"""


def refuse_existing(directory: Path, names: Iterable[str], remedy: str = "choose another directory") -> None:
    """Refuse to write if one of the files exists.

    Raises:
        Misconfigured: with the remedy.
    """
    existing = [path for path in (directory / name for name in names) if path.exists()]
    if existing:
        raise Misconfigured(str(existing[0]), f"exists already and is left as it is; {remedy}")


def write_new(directory: Path, files: dict[str, str]) -> list[Path]:
    """Write all files, or none if one exists. Only their owner can read them.

    Raises:
        Misconfigured: if one exists, or if they cannot be written.
    """
    refuse_existing(directory, files)
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            _write(directory / name, text)
            written.append(directory / name)
    except OSError as error:
        raise Misconfigured(str(directory), f"cannot be written ({error.strerror})") from None
    return written


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
