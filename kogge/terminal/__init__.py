"""Options, exit codes, tables and progress that all commands share."""
