"""Secrets at rest: keys that are rotated while everything runs, and secrets that must be nowhere in clear."""
