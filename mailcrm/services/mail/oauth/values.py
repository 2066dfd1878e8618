"""What the two providers have in common: names, scopes and what a grant consists of. Opens no connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mailcrm.config import OAuthApp, config
from mailcrm.errors import NotFound, PermanentError

Provider = Literal["google", "microsoft"]
NAMES: dict[Provider, str] = {"google": "Google", "microsoft": "Microsoft"}
#: The least that reading and sending mail over IMAP and SMTP needs, and the account's address.
SCOPES: dict[Provider, tuple[str, ...]] = {
    "google": ("openid", "https://www.googleapis.com/auth/userinfo.email", "https://mail.google.com/"),
    "microsoft": (
        "email",  # msal adds openid, profile and offline_access by itself
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
    ),
}
#: Without these a grant is of no use; people can untick them on Google's page.
NEEDED: dict[Provider, tuple[str, ...]] = {
    "google": ("https://mail.google.com/",),
    "microsoft": ("IMAP.AccessAsUser.All", "SMTP.Send"),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider granted; `refresh` lives for months, `access` for about an hour.

    `subject` is the account's own id there, `address` its sign-in name; both "" in an answer to a renewal. `claimed` is
    another address that the provider tells without having verified it: nothing rests on it until a mail server lets the
    token in under it.
    """

    refresh: str = field(repr=False)
    access: str = field(repr=False)
    expires_at: datetime
    subject: str = ""
    address: str = ""
    claimed: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant and who gave it."""

    provider: Provider
    grant: Grant


@dataclass(frozen=True, slots=True)
class Journey:
    """Where to send a person, and what must be remembered until they are back (JSON; it is sealed)."""

    url: str
    kept: dict[str, Any] = field(repr=False)


def known(provider: str) -> Provider:
    """Return `provider` as one of ours. Raises NotFound, which repeats nothing: it comes from an address."""
    if provider == "google" or provider == "microsoft":
        return provider
    raise NotFound


def app_of(provider: Provider) -> OAuthApp:
    """Return the operator's app at a provider. Raises PermanentError("oauth.not_set_up")."""
    app = config().google if provider == "google" else config().microsoft
    if not app.is_set_up:
        raise PermanentError("oauth.not_set_up", provider=NAMES[provider])
    return app


def redirect_uri(provider: Provider) -> str:
    """Return the address that the operator registers at the provider: of our public URL, whatever proxy is before us."""
    return f"{config().public_url}/oauth/{provider}/callback"
