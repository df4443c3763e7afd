"""How web clients write rules into a script, so that people see them and can change them: one file each."""
