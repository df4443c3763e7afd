"""Parts of a kogge.toml: two sides that nobody reaches, and a practice Microsoft 365 as the source."""

from __future__ import annotations

from practice.graph.server import GraphServer

NO_APPROVAL = "[approval]\nrequired = 0\n"

LOGIN = 'username = "x"'
SILENT = 'port = 1\nsecurity = "none"'
"""Nobody answers at this port."""


def imap_sides(
    source: str = "127.0.0.1", target: str = "127.0.0.1", more: str = LOGIN, password: str = "X"
) -> str:
    """Mail from one IMAP server to another.

    source, target: the hosts. more: further lines of both. password: a variable of the environment.
    """
    both = f'{more}\npassword = {{ env = "{password}" }}\n'
    return (
        f'[source]\nkind = "imap"\nhost = "{source}"\n{both}'
        f'[target.mail]\nkind = "imap"\nhost = "{target}"\n{both}'
    )


def graph_source(server: GraphServer, secret: str = "KOGGE_TEST_SECRET", patience: int = 5) -> str:
    """The table [source]. secret: a variable of the environment; patience: in seconds."""
    return f"""\
[source]
kind = "graph"
tenant = "{server.tenant}"
client_id = "{server.client_id}"
client_secret = {{ env = "{secret}" }}
graph_url = "{server.url}"
authority = "{server.authority}"
patience_seconds = {patience}
"""
