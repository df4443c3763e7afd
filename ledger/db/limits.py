"""State how long the ledger's database may take, where nobody configured it."""

CONNECT_SECONDS = 10
LOCK_SECONDS = 60
"""How long a statement waits for what another statement has locked."""
STATEMENT_SECONDS = 120
IDLE_SECONDS = 120
LONG_SECONDS = 3_600
"""What a report, an export or a seal may take: they read whole waves in one statement."""
MARGIN_SECONDS = 10
"""How much longer than the server this side waits: the server's own word comes first where it can."""
