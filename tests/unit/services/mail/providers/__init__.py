"""Unit tests of the provider table."""
