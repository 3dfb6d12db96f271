"""Many clients on a pool, each of which knows what must be true for it; see `python3 -m stress --help`."""
