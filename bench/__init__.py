"""Benchmarks: what a webhook costs, measured beside what else one would write. `make bench`."""
