"""The command line: what people type, and what they see. Only this room uses typer and rich."""
