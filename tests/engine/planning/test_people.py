"""mailboxes.csv, directory.csv and the deny list."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.deny_list import read_deny
from engine.planning.mailbox_list import read_directory, read_mailboxes
from ledger.db.rows import Phase
from model.errors import Misconfigured

HEAD = "source,target,wave\n"


@pytest.fixture
def write(tmp_path: Path):
    def written(content: str | bytes, name: str = "mailboxes.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def faults(path: Path) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read_mailboxes(path)
    return caught.value.advice.splitlines()


@pytest.mark.parametrize(
    "content",
    [
        "source,target,wave\na@x,a@y,1\n",
        "\ufeffsource;target;wave\r\na@x;a@y;1\r\n",
        "source\ttarget\twave\n\n  \na@x\ta@y\t1",
        'Source , TARGET,wave,,\n"A@X", a@Y ,1,,\n,,\n',
        "source,target,wave\ra@x,a@y,1\r",
    ],
)
def test_tolerated_shapes(write, content: str) -> None:
    (person,) = read_mailboxes(write(content))
    assert (person.source, person.target, person.wave) == ("a@x", "a@y", "1")
    assert person.source_account.login == "a@x"
    assert person.phase is Phase.STAGING


def test_utf16_of_a_spreadsheet(write) -> None:
    content = (HEAD + "ä@x,a@y,1\n").encode("utf-16")
    assert read_mailboxes(write(content))[0].source == "ä@x"


def test_optional_columns(write) -> None:
    text = "wave,source,target,source_login,target_login,phase,priority\nw,a@x,a@y,DOM\\a,a01,Live,5\n"
    (person,) = read_mailboxes(write(text))
    assert (person.source_login, person.target_login) == ("DOM\\a", "a01")
    assert (person.phase, person.priority) == (Phase.LIVE, 5)
    assert (person.line, person.target_account.login) == (2, "a01")


def test_latin_1_is_refused_with_its_line(write) -> None:
    content = HEAD.encode() + b"a@x,a@y,1\nm\xfcller@x,b@y,1\n"
    assert faults(write(content)) == [
        "mailboxes.csv:3: not UTF-8 (perhaps Latin-1 or Windows-1252); save the file as UTF-8 and try again"
    ]


def test_all_faults_at_once(write) -> None:
    rows = ["a@x,a@y,1", "a@x,b@y,1", "c@x,A@Y,1", ",d@y,1", "e,e@y,", "f@x,f@y,1,extra", "g@x,g@y"]
    assert faults(write(HEAD + "\n".join(rows))) == [
        "mailboxes.csv:3: source: the same source as in line 2",
        "mailboxes.csv:4: target: the same target as in line 2",
        "mailboxes.csv:5: source: is empty",
        "mailboxes.csv:6: source: not an e-mail address",
        "mailboxes.csv:6: wave: is empty; `kogge plan --write` fills it in",
        "mailboxes.csv:7: has more cells than the 3 columns",
        "mailboxes.csv:8: wave: is empty; `kogge plan --write` fills it in",
    ]


def test_a_duplicate_of_a_row_with_another_fault_is_told_at_once(write) -> None:
    """Otherwise it is told only after the other fault was mended."""
    rows = ["a@x,a@y,", "a@x,b@y,1", "no address,c@y,1", "d@x,c@y,1", "no address,e@y,1"]
    assert faults(write(HEAD + "\n".join(rows))) == [
        "mailboxes.csv:2: wave: is empty; `kogge plan --write` fills it in",
        "mailboxes.csv:3: source: the same source as in line 2",
        "mailboxes.csv:4: source: not an e-mail address: it holds a blank",
        "mailboxes.csv:5: target: the same target as in line 4",
        "mailboxes.csv:6: source: not an e-mail address: it holds a blank",
    ]


def test_no_fault_repeats_a_value(write) -> None:
    text = "\n".join(faults(write(HEAD + "secret.person,b@y,1\nc@x,secret@person@x,1\n")))
    assert "secret" not in text


def test_a_duplicate_row_is_told_once(write) -> None:
    assert faults(write(HEAD + "a@x,a@y,1\na@x,a@y,1\n")) == [
        "mailboxes.csv:3: source: the same source as in line 2",
        "mailboxes.csv:3: target: the same target as in line 2",
    ]


@pytest.mark.parametrize("column", ["source_login", "target_login"])
@pytest.mark.parametrize("login", ['"anna\nA2 DELETE INBOX"', "an\0na", "an\u202ena", "an\x7fna"])
def test_a_login_holds_nothing_that_cannot_be_seen(write, column: str, login: str) -> None:
    text = f"source,target,wave,{column}\na@x,a@y,1,{login}\n"
    line = 2 + login.count("\n")
    assert faults(write(text)) == [f"mailboxes.csv:{line}: {column}: holds a character that cannot be seen"]


def test_logins_are_one_to_one_too(write) -> None:
    text = "source,target,wave,source_login\na@x,a@y,1,b@x\nb@x,b@y,1,\n"
    assert faults(write(text)) == ["mailboxes.csv:3: source_login: the same source_login as in line 2"]


def test_columns(write) -> None:
    assert faults(write("source,target,wafe\n")) == [
        "mailboxes.csv:1: column 3: unknown; did you mean wave?",
        "mailboxes.csv:1: wave: the column is missing",
    ]
    assert faults(write("source,target,wave,wave\n")) == ["mailboxes.csv:1: wave: the column is there twice"]
    named = ["mailboxes.csv:1: is a row already; the first line names the columns: source,target,wave"]
    assert faults(write("a@example.org,a@example.org,pilot\n")) == named
    assert faults(write("https://example.org/sites/a;https://example.org/a;pilot\n")) == named
    assert faults(write("\n\n")) == [
        "mailboxes.csv: is empty; the first line names the columns: source,target,wave"
    ]
    assert faults(write(HEAD)) == ["mailboxes.csv: names no mailbox; add a row: source,target,wave"]


def test_values_of_optional_columns(write) -> None:
    text = "source,target,wave,phase,priority\na@x,a@y,1,gone,high\n"
    assert faults(write(text)) == [
        "mailboxes.csv:2: phase: give one of staging, frozen, live",
        "mailboxes.csv:2: priority: give a whole number",
    ]


def test_unfinished_quotes(write) -> None:
    (fault,) = faults(write(HEAD + 'a@x,"a@y,1\n'))
    assert fault.startswith("mailboxes.csv:2: not CSV: ")


def test_thousands_of_faults_are_cut_short(write) -> None:
    lines = faults(write(HEAD + "bad,bad,1\n" * 500))
    assert lines[-1] == "and 980 more"
    assert len(lines) == 21


@given(st.binary(max_size=400))
def test_any_bytes_give_rows_or_a_clear_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "mailboxes.csv"
    path.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        read_mailboxes(path)
    assert caught.value.advice.startswith("mailboxes.csv")


def test_directory(write) -> None:
    text = "name;source;target\nA;a@x a.old@x;a@y|A2@Y\nB;b@x;b@y\nC;c@x;b@y\n"
    directory = read_directory(write(text))
    assert directory.names("A@X", "a2@y") is True
    assert directory.names("a.old@x", "a@y") is True
    assert directory.names("a@x", "b@y") is False
    assert directory.names("b@x", "b@y") is False, "two people claim the target"
    assert directory.names("z@x", "z@y") is None
    assert directory.names("a@x", "z@y") is False


def test_directory_faults(write) -> None:
    with pytest.raises(Misconfigured, match=r"mailboxes.csv:2: source: names no e-mail address"):
        read_directory(write("source,target\nx,a@y\n"))
    with pytest.raises(Misconfigured, match="target: the column is missing"):
        read_directory(write("source,mail\n"))


def test_deny_list(write) -> None:
    deny = read_deny(write("# judges\nJudge@Court.example\n\n@council.example # all\n", "deny.txt"))
    assert deny.denies(["x@x", "judge@court.EXAMPLE"])
    assert deny.denies(["anyone@council.example"])
    assert not deny.denies(["other@court.example", "council.example", ""])


@pytest.mark.parametrize("line", ["judge", "@", "court.example", "a@b c@d"])
def test_a_deny_list_half_understood_is_refused(write, line: str) -> None:
    with pytest.raises(Misconfigured, match=r"deny.txt:2: neither"):
        read_deny(write(f"a@b\n{line}\n", "deny.txt"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("*@court.example", "a pattern"),
        ("ceo@*", "a pattern"),
        ("ce?@old.example", "a pattern"),
        ("mailto:ceo@old.example", "neither"),
        ("sip:ceo@old.example", "neither"),
        ("x400:ceo@old.example", "neither"),
        ("'ceo@old.example'", "neither"),
        ("ceo@old.example/x", "neither"),
        ("{ceo}@old.example", "neither"),
        ("c\N{CYRILLIC SMALL LETTER IE}o@old.example", "not Latin"),
        ("ceo@old.ex\N{CYRILLIC SMALL LETTER A}mple", "not Latin"),
        ("\N{GREEK SMALL LETTER OMICRON}@old.example", "not Latin"),
    ],
)
def test_an_entry_that_would_deny_nobody_is_refused(write, line: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=rf"deny.txt:2: .*{why}"):
        read_deny(write(f"a@b\n{line}\n", "deny.txt"))


@pytest.mark.parametrize(
    ("line", "denied"),
    [
        ("SMTP:Ceo@Old.example", "ceo@old.example"),
        ("smtp:ceo@old.example", "CEO@old.example"),
        ("o'brien@court.example", "O'Brien@court.example"),
        ("jürgen@court.example", "ju\N{COMBINING DIAERESIS}rgen@court.example"),
        ("ju\N{COMBINING DIAERESIS}rgen@court.example", "jürgen@court.example"),
        ("@xn--grn-ioa.example", "x@grün.example"),
        ("ceo@old.example", "ceo@old.example*master"),
        ("ceo@old.example", "admin*ceo@old.example"),
        ("ceo@old.example", "OLD/ceo@old.example"),
        ("ceo@old.example", "service@old.example/ceo"),
    ],
)
def test_an_entry_denies_each_spelling(write, line: str, denied: str) -> None:
    assert read_deny(write(f"{line}\n", "deny.txt")).denies([denied])


def test_which_entries_meet_nobody(write) -> None:
    lines = ["ceo@old.example", "ceo@odl.example", "@court.example", "@cuort.example", "smtp:judge@a.example"]
    sites = ["site:files.old.example:/sites/hr", "site:files.old.example:/sites/rh"]
    deny = read_deny(write("\n".join([*lines, *sites]), "deny.txt"))
    names = ["CEO@old.example", "x@sub.court.example", "A\\judge", "site:files.old.example:/sites/hr"]
    assert deny.unmet(names) == (2, 4, 7)
    assert deny.unmet([]) == (1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize("text", ["a$IFS@old.example", "a{target}@x", "a*@x", "a:b@x", "a\\b@x", "[a]@x"])
def test_no_address_holds_what_a_shell_or_a_template_reads(write, text: str) -> None:
    assert faults(write(f"source,target,wave\n{text},b@y,1\n")) == [
        "mailboxes.csv:2: source: not an e-mail address"
    ]


def test_a_missing_deny_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no such file"):
        read_deny(tmp_path / "deny.txt")


STRANGE = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
"""What str.splitlines takes for the end of a line, and CSV does not (RFC 4180)."""


@pytest.mark.parametrize("mark", STRANGE)
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_display_name_is_no_row(write, mark: str, quote: str) -> None:
    name = (
        f"{quote}Mallory{mark}ceo@old.example,other@new.example{quote}"
        if quote
        else f"Mallory{mark}ceo@old.example"
    )
    rows = [f"{name},mallory@old.example,mallory@new.example", "Ceo,ceo@old.example,ceo@new.example"]
    text = "\n".join(["name,source,target", *rows])
    directory = read_directory(write(text, "directory.csv"))
    assert directory.names("ceo@old.example", "ceo@new.example") is True
    assert set(directory.sources) == {"mallory@old.example", "ceo@old.example"}


@pytest.mark.parametrize("mark", STRANGE)
def test_a_comment_in_the_deny_list_is_one_line(write, mark: str) -> None:
    deny = read_deny(write(f"# of Mallory{mark}anna@old.example\njudge@court.example\n", "deny.txt"))
    assert deny.entries == {"judge@court.example"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_editors_do(write, end: str) -> None:
    lines = ["source,target,wave,\u2028", "a@x,a@y,1", "\x85", "", "b@x,nobody,1"]
    assert faults(write(end.join(lines))) == ["mailboxes.csv:5: target: not an e-mail address"]


def test_the_directory_names_logins_beside_addresses(write) -> None:
    text = "source,target\nanna@old.example OLD\\anna,anna@new.example|Alice\nb@old.example,b@new.example\n"
    directory = read_directory(write(text, "directory.csv"))
    assert directory.names("anna@old.example", "alice") is True
    assert directory.names("old\\anna", "anna@new.example") is True
    assert directory.names("b@old.example", "alice") is False


def test_a_column_of_logins_alone_is_another_column(write) -> None:
    path = write("source,target\nanna@old.example,alice\nb@x@y,b@new.example\n", "directory.csv")
    with pytest.raises(Misconfigured) as caught:
        read_directory(path)
    assert str(caught.value).splitlines() == [
        "misconfigured: directory.csv:2: target: names no e-mail address; a login goes beside one",
        "directory.csv:3: source: neither an e-mail address nor a login",
    ]


@pytest.mark.parametrize("address", ["-rf@x.example", "a`id`@x.example", "a|b@x.example"])
def test_what_a_program_takes_for_something_else_is_no_address(write, address: str) -> None:
    assert faults(write(f"{HEAD}{address},a@y,1\n")) == ["mailboxes.csv:2: source: not an e-mail address"]


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("a b@x.example", "a blank"),
        ("a\u00a0b@x.example", "a blank"),
        ("a\u200bb@x.example", "a character that cannot be seen"),
    ],
)
def test_what_one_does_not_see_in_an_address_is_named(write, address: str, hidden: str) -> None:
    told = f"mailboxes.csv:2: source: not an e-mail address: it holds {hidden}"
    assert faults(write(f"{HEAD}{address},a@y,1\n")) == [told]
