"""Which hostile cases run through each module that parses what somebody else wrote.

A module that parses and stands in no table fails a test: whoever writes a reader of foreign text gives it to
tests/hostile/readers.py, and names it here.
"""

from __future__ import annotations

from collections.abc import Mapping

READERS: Mapping[str, str] = {
    "connectors/caldav/discovery.py": "multistatus of discovery",
    "connectors/ews/response_stream.py": "reply of Exchange",
    "connectors/http/errors.py": "date",
    "connectors/imap/folders.py": "folder",
    "connectors/imap/source.py": "sender",
    "connectors/json_answer.py": "json",
    "connectors/webdav/propfind.py": "multistatus",
    "engine/preflight/probe_mail.py": "probe",
    "mappings/icalendar/values.py": "event",
    "mappings/exchange/graph_json.py": "record of Graph",
    "mappings/fields/bounded_reading.py": "links",
    "mappings/fields/charsets.py": "links",
    "mappings/fields/ews_xml.py": "record of Exchange",
    "mappings/fields/html_text.py": "plain",
    "mappings/fields/mime_header.py": "tolerant",
    "mappings/mail/delivery.py": "delivery content",
    "mappings/mail/header.py": "tolerant",
    "mappings/mail/links.py": "links",
    "mappings/mail/mail.py": "map",
    "mappings/registry.py": "tolerant",
}
"""By module, the reader in tests/hostile/readers.py that goes through it."""

THROUGH_OTHERS: Mapping[str, str] = {
    "connectors/caldav/principal.py": "json",
    "connectors/caldav/scheduling.py": "json",
    "connectors/exchange/app_tokens.py": "json",
    "connectors/exo/client.py": "json",
    "connectors/files/bulk_upload.py": "json",
    "connectors/files/shares.py": "json",
    "connectors/graph_api/auth.py": "json",
    "connectors/graph_api/client.py": "json",
    "connectors/graph_api/errors.py": "json",
    "connectors/open_xchange/answers.py": "json",
    "connectors/webdav/account.py": "json",
    "connectors/webdav/ocs_capabilities.py": "json",
    "engine/steps/listing/rekeyed_fates.py": "tolerant",
}
"""Modules that parse with nothing but a reader of another module."""

OURS: Mapping[str, str] = {
    "connectors/ews/distribution_lists.py": "an element that response_stream read, written by lxml",
    "connectors/ews/mime_fallback.py": "an element that response_stream read, written by lxml",
    "connectors/ews/rights.py": "an element that response_stream read, written by lxml",
    "connectors/exo/convert.py": "an event that the mapping made",
    "connectors/open_xchange/group_cards.py": "a card that the mapping made",
    "connectors/open_xchange/task_fields.py": "a task that the mapping made, and a rule of its own grammar",
    "connectors/sieve/record.py": "a script that Kogge wrote, no longer than the server takes one",
    "engine/approvals/signed_plan.py": "a plan that Kogge wrote",
    "engine/config/file_errors.py": "the operator's file",
    "engine/config/load.py": "the operator's file",
    "engine/control/server_words_file.py": "a file that Kogge wrote",
    "engine/pacing/request_budget.py": "a file that Kogge wrote",
    "engine/planning/missing_wave.py": "the operator's file",
    "engine/planning/waves_csv.py": "the operator's file",
    "engine/preflight/probe_caldav.py": "a note that Kogge wrote",
    "engine/preflight/probe_state.py": "a file that Kogge wrote",
    "engine/verify/occurrences.py": "an event that the mapping made",
    "kogge/approve/approve.py": "a statement that an approver signed",
    "kogge/prepare/practice.py": "a file of the practice servers",
    "kogge/shown/pack_summary.py": "a pack whose seal was checked",
    "kogge/terminal/options.py": "text that Kogge prints",
    "mappings/fit/exo_limits.py": "an event that the mapping made",
    "mappings/time/vtimezone.py": "a rule that the mapping made",
}
"""Modules whose parsers get what Kogge, or the operator, wrote."""
