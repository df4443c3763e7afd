"""kogge.toml: what it accepts, and how precisely it refuses."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from connectors.catalogue.entries import targets
from connectors.http.proxy import Proxy
from engine.config.load import Config, load
from engine.config.mail_address import is_address
from engine.config.template import TOML
from model.errors import Misconfigured
from model.kinds import Kind

SIMPLE = """\
[source]
kind = "imap"
host = "old.example"
password = { env = "SOURCE" }

[target.mail]
kind = "imap"
host = "new.example"
password = { file = "secret" }
"""


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str | bytes) -> Path:
        path = tmp_path / "kogge.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def refusal(path: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        load(path)
    return caught.value.advice


def test_defaults(write, tmp_path: Path) -> None:
    config = load(write(SIMPLE))
    assert config.workloads == (Kind.MAIL,)
    assert config.run.mailboxes_at_once == 4
    assert config.run.batch == 25
    assert config.verify.level == "target"
    assert config.prefect.dispatch == "inline"
    assert config.state_directory == tmp_path / "kogge-state"
    assert config.ledger_url() == f"sqlite:///{tmp_path}/kogge-state/ledger.db"


def test_a_secret_s_command_works_where_the_configuration_lies(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever types a command from elsewhere, or a worker, gets the same secret."""
    program = tmp_path / "ask"
    program.write_text("#!/bin/sh\ncat word\n")
    program.chmod(0o700)
    (tmp_path / "word").write_text("hunter2\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load(write(SIMPLE.replace('{ env = "SOURCE" }', '{ command = "./ask" }')))
    secret = getattr(config.source_of(Kind.MAIL), "password")  # noqa: B009 (a field of the source's own kind)
    assert secret.read().get_secret_value() == "hunter2"


def test_a_proxy_is_told_to_every_http_server(write) -> None:
    dav = """
[target.calendar]
kind = "caldav"
url = "https://cloud.example"
password = { env = "TARGET" }
"""
    network = '[network]\nproxy = "http://proxy:3128"\nno_proxy = ["cloud.example"]\n'
    config = load(write(SIMPLE + dav + network))
    asked = config.target.of(Kind.CALENDAR).network
    assert asked.proxy_for("https://graph.microsoft.com/v1.0") == Proxy("http://proxy:3128")
    assert asked.proxy_for("https://cloud.example/dav") is None
    assert "network.proxy: give http://HOST:PORT" in refusal(write(SIMPLE + '[network]\nproxy = "proxy"\n'))


def test_what_init_writes_is_accepted(write) -> None:
    config = load(write(TOML))
    assert config.source_of(Kind.MAIL).kind == "ews"
    assert config.target.mail.auth == "master-user"


def test_every_commented_setting_of_init_is_accepted(write) -> None:
    """A commented line shows a real setting: uncommented, it must load."""
    lines = TOML.replace("\n# directory = ", '\ndirectory = "directory.csv" # ').splitlines()
    shown = [
        line[2:] if line.startswith("# ") and is_setting(line) and not ends_a_sentence(line) else line
        for line in lines
    ]
    text = "\n".join(shown).replace('url = "sqlite:///kogge-state/ledger.db"', "")
    config = load(write(text))
    assert config.ledger.url.startswith("postgresql+psycopg://")
    assert config.run.attempts == 5
    assert config.gate.control == "control@example.org"
    assert config.prefect.work_pool == "kogge"
    assert set(config.workloads) == {kind for kind in Kind if targets(kind)}
    assert config.invitation_probe is not None


ALTERNATIVES = re.findall(r"^(?:## .*\n)+", TOML, re.MULTILINE)


@pytest.mark.parametrize("shown", ALTERNATIVES)
def test_every_table_that_may_stand_in_place_of_another_is_accepted(write, shown: str) -> None:
    table = re.sub("^## ", "", shown, flags=re.MULTILINE)
    others = re.sub(r"(?ms)^\[source\]$.*?^$", "", TOML) if "[source]" in table else TOML
    config = load(write(others + table))
    asked = [*config.source.tables().values(), *(config.target.of(kind) for kind in config.workloads)]
    assert re.search('kind = "(.+?)"', table)[1] in {one.kind for one in asked}


def test_the_other_tables_are_those_of_other_connectors() -> None:
    kinds = re.findall('^## kind = "(.+?)"', TOML, re.MULTILINE)
    assert kinds == ["graph", "imap", "exo-agenda", "webdav", "exo"]


def is_setting(line: str) -> bool:
    return " = " in line or line.startswith("# [")


def ends_a_sentence(line: str) -> bool:
    return line.endswith(".") or line.startswith("# For auth")


def test_relative_paths_are_the_files_own(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(SIMPLE)
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.chdir("/")
    config = load(path)
    assert config.target.mail.password.read().get_secret_value() == "s3cret"
    assert config.file(Path("deny.txt")) == tmp_path / "deny.txt"
    assert config.path == path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[run]\nbacth = 3", "kogge.toml:2: run.bacth: unknown; did you mean batch?"),
        (
            "[run]\nmailboxes_at_once = 0",
            "kogge.toml:2: run.mailboxes_at_once: give 1 or more",
        ),
        ('[run]\nmailboxes_at_once = "four"', "kogge.toml:2: run.mailboxes_at_once: give a whole number"),
        ("[run]\nlegs = 3", "kogge.toml:2: run.legs: is now called mailboxes_at_once; rename it"),
        (
            "[admission]\nsource_legs = 3",
            "kogge.toml:2: admission.source_legs: is now called source_at_once; rename it",
        ),
        ("[workers]\nlegs = 4", "kogge.toml:1: workers: unknown; did you mean plan.workers?"),
        ("[rnu]\nlegs = 4", "kogge.toml:1: rnu: unknown; did you mean run?"),
        (
            '[verify]\nlevel = "all"',
            "kogge.toml:2: verify.level: give 'counts', 'sample', 'target' or 'both'",
        ),
        (
            '[cutover]\nlevel = "counts"',
            "kogge.toml:2: cutover.level: a cutover is scored by what is read back: give target or both",
        ),
        ('[cutover]\nlevel = "all"', "kogge.toml:2: cutover.level: give 'target' or 'both'"),
        (
            '[ledger]\nurl = "mysql://x"',
            "kogge.toml:2: ledger.url: give sqlite:///FILE or postgresql+psycopg://user@host/name",
        ),
        (
            '[ledger]\nurl = "postgresql+psycopg://u:hunter2@h/d"',
            "kogge.toml:2: ledger.url: keep the password out of the url",
        ),
        (
            '[canary]\nhost = "a@x.org"\nguest = "b@x.org"',
            "kogge.toml:1: canary: is now called [invitation_probe]; rename it",
        ),
        ('[gate]\ncontrol = "control"', "kogge.toml:2: gate.control: give a full e-mail address"),
        ('[gate]\naccept = "directory"', 'kogge.toml:1: gate: accept = "directory" needs directory'),
        ("[prefect]\nport = 99999", "kogge.toml:2: prefect.port: give 65535 or less"),
        ('[prefect]\napi_url = "localhost:4200"', "kogge.toml:2: prefect.api_url: give a URL"),
    ],
)
def test_refusals_name_file_line_and_field(write, line: str, expected: str) -> None:
    advice = refusal(write(line + "\n" + SIMPLE))
    assert advice.startswith(expected)


def test_unknown_kind(write) -> None:
    advice = refusal(write(SIMPLE.replace('kind = "imap"\nhost = "old', 'kind = "exchange"\nhost = "old')))
    assert advice == 'kogge.toml:2: source.kind: give kind = "ews" or kind = "graph" or kind = "imap"'


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('uri = "x"', "files.uri: unknown; did you mean url?"),
        ("bulk_bellow = 1", "files.bulk_bellow: unknown; did you mean bulk_below?"),
        ('flavour = "jcr"', 'files: flavour: belongs to kind = "exo"'),
        ('username = "{logn}"', "files.username: only {login} and {address} are replaced"),
    ],
)
def test_typing_errors_in_a_target(lines: str, said: str, write) -> None:
    """Each target's table has its own fields, by its kind."""
    url = 'url = "https://cloud.example"\npassword = { env = "FILES" }'
    text = f'{SIMPLE}[target.files]\nkind = "nextcloud"\n{url}\n{lines}\n'
    assert f"target.{said}" in refusal(write(text))


@pytest.mark.parametrize("kind", ["webdav", "exo"])
def test_versions_where_the_target_keeps_none_in_order(write, kind: str) -> None:
    text = f'{SIMPLE}[target.files]\nkind = "{kind}"\nurl = "https://files.example.org"\nversions = 3\n'
    said = refusal(write(text + 'password = { env = "FILES" }\n'))
    assert f'files: versions: kind = "{kind}" keeps none in order with their dates: leave it 0' in said


def test_missing_tables_and_fields(write) -> None:
    assert "source: is missing" in refusal(write(SIMPLE.partition("[target")[2].join(["[target", ""])))
    assert (
        refusal(write(SIMPLE.replace('host = "new.example"\n', "")))
        == "kogge.toml:6: target.mail.host: is missing"
    )


def test_all_faults_at_once_in_the_files_order(write) -> None:
    text = SIMPLE.replace('host = "old', 'hots = "old') + "port = 0\n[run]\nbatch = 0\n"
    lines = refusal(write(text)).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["kogge.toml:1", "source.host"],
        ["kogge.toml:3", "source.hots"],
        ["kogge.toml:10", "target.mail.port"],
        ["kogge.toml:12", "run.batch"],
    ]


def test_a_password_in_the_file_is_refused_and_not_repeated(write) -> None:
    advice = refusal(write(SIMPLE.replace('{ env = "SOURCE" }', '"hunter2"')))
    assert "kogge.toml:4: source.password: a secret is named, never written here" in advice
    assert "hunter2" not in advice


@pytest.mark.parametrize(
    ("text", "line"),
    [("[source\nkind = 1", 1), ('[source]\nkind = "ews', 2), ("a = 1\na = 2", 2), ("[run]\nlegs = ", 2)],
)
def test_toml_errors_have_a_line(write, text: str, line: int) -> None:
    advice = refusal(write(text))
    assert advice.startswith(f"kogge.toml:{line}: not TOML: ")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('[source]\nkind = "ews\n', "is the quote at the end missing?"),
        ('[source]\nkind = "ews', "is the quote at the end missing?"),
        ("[source]\nkind = ews\n", "a text stands in quotes"),
    ],
)
def test_toml_errors_have_a_hint(write, text: str, hint: str) -> None:
    assert refusal(write(text)).endswith(f"; {hint}")


def test_a_file_that_a_field_names_is_told_with_its_place(write, tmp_path: Path) -> None:
    config = load(write(SIMPLE.replace("[target", 'tls = { ca_file = "none.pem" }\n[target')))
    with pytest.raises(Misconfigured) as caught:
        config.source_of(Kind.MAIL).tls.context("test")
    told = f"{tmp_path}/none.pem cannot be read (No such file or directory)"
    assert caught.value.advice == f"kogge.toml:6: source.tls.ca_file: {told}"


def test_files_that_cannot_be_read(write, tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert refusal(missing) == f"{missing}: no such file; it is the configuration; `kogge init` writes one"
    assert refusal(write(b'\n[source]\nhost = "M\xfcller"')).startswith("kogge.toml:3: not UTF-8")
    assert "cannot be read" in refusal(tmp_path)


def test_byte_order_mark_is_tolerated(write) -> None:
    assert load(write(b"\xef\xbb\xbf" + SIMPLE.encode())).source_of(Kind.MAIL).host == "old.example"


def test_ledger_password_is_read_late_and_quoted(write, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '[ledger]\nurl = "postgresql+psycopg://kogge@db.example/kogge"\npassword = { env = "LEDGER" }\n'
        + SIMPLE
    )
    config = load(write(text))
    with pytest.raises(
        Misconfigured, match=r"kogge\.toml:3: ledger\.password: secret from env LEDGER is not set"
    ):
        config.ledger_url()
    monkeypatch.setenv("LEDGER", "p@ss/w:rd")
    address, _, _ = config.ledger_url().partition("?")
    assert address == "postgresql+psycopg://kogge:p%40ss%2Fw%3Ard@db.example/kogge"
    assert "p@ss" not in repr(config)


def test_line_of_dotted_keys_and_quoted_tables(write) -> None:
    text = SIMPLE + '[run]\n"mailboxes_at_once" = 2\n[prefect]\nport = 1\n'
    assert load(write(text)).run.mailboxes_at_once == 2
    dotted = SIMPLE.replace("[source]\nkind", 'source.kind = "imap"\nsource.port = 0\n[xsource]\nkind')
    assert "kogge.toml:2: source.port" in refusal(write(dotted))


def test_config_is_frozen(write) -> None:
    config = load(write(SIMPLE))
    with pytest.raises(ValueError, match="frozen"):
        config.run.mailboxes_at_once = 9  # type: ignore[misc]
    assert isinstance(config, Config)


@pytest.mark.parametrize("text", ["a@b", "ä.ö@münchen.example", "a+b@c.d"])
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text", ["", "a", "@b", "a@", "a b@c", "a@b@c", "a,b@c", "<a@b>", "a@b..c", "a\x00@b", "a" * 320 + "@b"]
)
def test_not_addresses(text: str) -> None:
    assert not is_address(text)


def test_no_address_has_a_blank_or_what_cannot_be_printed() -> None:
    """For every character there is."""
    for number in range(sys.maxunicode + 1):
        one = chr(number)
        wrong = one.isspace() or not one.isprintable() or one in '@,;:<>"()[]{}`|\\$*'
        assert is_address(f"a{one}b@example.org") is not wrong, hex(number)
