"""kogge.toml: its tables, its defaults and the errors it gets."""
