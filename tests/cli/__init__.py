"""The `adapter` command: what it prints, and with which status it ends."""
