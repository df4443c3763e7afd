"""Commands that make ready: init, setup, check, discover, plan, links, keys, server, worker, ledger."""
