"""Finds a provider's module when it is first needed: its libraries take 11 MB and 0.2 s, and most processes need none."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from mailcrm.config import OAuthApp
from mailcrm.services.mail.oauth.values import Grant, Journey, Provider


class Library(Protocol):
    """What google.py and microsoft.py offer."""

    def begin(self, app: OAuthApp, state: str, address: str) -> Journey:
        """Return where to send a person."""
        ...

    def finish(self, app: OAuthApp, kept: dict[str, Any], params: Mapping[str, str]) -> Grant:
        """Exchange the code that came back."""
        ...

    def refresh(self, app: OAuthApp, refresh_token: str) -> Grant:
        """Exchange a refresh token."""
        ...

    def revoke(self, app: OAuthApp, refresh_token: str) -> bool:
        """Take a grant back; return whether that was done."""
        ...


def of(provider: Provider) -> Library:
    """Return the provider's module."""
    return cast("Library", import_module(f"mailcrm.services.mail.oauth.{provider}"))
