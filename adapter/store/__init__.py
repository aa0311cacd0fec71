"""Everything that talks to Redis. Nothing outside this package knows a key."""
