"""Signing in at a real OpenID Connect provider, and with its tokens at real mail servers."""
