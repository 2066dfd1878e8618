"""Benchmarks: `python -m tests.bench`, or `make bench`. Each prints the machine, the peer and the ratio."""
