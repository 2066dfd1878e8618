"""Signing in: passwords, sessions, the rate limit, users and invitations."""
