"""Storms over a whole adapter, judged by what the load generator knows must have arrived."""
