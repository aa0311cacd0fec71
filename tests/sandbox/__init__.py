"""The sandbox held against contracts/customerio.md."""
