"""Providers: recognising them, and the contract suite of their servers."""
