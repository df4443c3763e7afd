"""Commands before a wave: init, setup, check, plan, links, keys, server, worker, ledger."""
