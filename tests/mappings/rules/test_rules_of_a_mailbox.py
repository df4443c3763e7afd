"""All rules of a mailbox in one script: LMTP delivers, and mail lies where Exchange would put it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rule_records import Case, by_ews, mailbox, table
from servers.pigeonhole import Pigeonhole, start_pigeonhole
from services import needed

from mappings.rules.fit_rule import fit_rules
from model.sieve_rule import quoted
from practice.servers.pigeonhole import has_rules

FOLDERS = ("INBOX", "Archiv/Grün", "Trash")


@pytest.fixture(scope="module")
def server() -> Iterator[Pigeonhole]:
    needed(has_rules(), "Dovecot with Pigeonhole and LMTP is not installed")
    made = start_pigeonhole(["anna"])
    made.admin("mailbox", "create", "-u", "anna", "Archiv/Grün")
    _write_script(made)
    yield made
    made.stop()


def _write_script(server: Pigeonhole) -> None:
    rules = [
        by_ews(one.get("conditions", ""), one.get("exceptions", ""), one["actions"], number=number)
        for number, one in enumerate(table("rule"))
    ]
    fitted = fit_rules(reversed(rules), mailbox())
    assert [one.rule.active for one in fitted] == [one.get("active", True) for one in table("rule")]
    said = [one.rule for one in fitted if one.rule.active]
    needs = sorted(frozenset[str]().union(*(one.extensions for one in said)))
    blocks = [f"if {one.test}\n{{ {' '.join(one.actions)} }}\n" for one in said]
    script = server.home("anna") / ".dovecot.sieve"
    script.write_text(f"require [{', '.join(map(quoted, needs))}];\n{''.join(blocks)}", encoding="utf-8")
    script.chmod(0o644)


@pytest.mark.parametrize("case", table("letter"), ids=lambda case: case["name"])
def test_a_letter_lies_where_exchange_puts_it(server: Pigeonhole, case: Case) -> None:
    server.deliver("anna", f"Subject: {case['name']}\nTo: anna@new.example\n{case['mail']}")
    found = [folder for folder in FOLDERS if case["name"] in server.subjects("anna", folder)]
    assert found == case["folders"]
    for folder in found:
        said = server.admin(
            "fetch", "-u", "anna", "flags", "mailbox", folder, "header", "subject", case["name"]
        )
        flags = said.removeprefix("flags:").strip("\f\n ").split()
        assert sorted(set(flags) - {"\\Recent"}) == case.get("flags", [])
