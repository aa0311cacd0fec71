"""Whole processes, real HTTP, a real Valkey: the adapter as its users meet it."""
