"""Reads who granted access out of an ID token that came from the token endpoint itself.

Over TLS from the token endpoint the server's certificate takes the place of the signature (OpenID Connect Core
§3.1.3.7, 6). Issuer, audience and nonce are checked all the same: an answer meant for another app, another sign-in or
from another provider is refused (security.md 10). Its times are not: nothing here lives longer than the exchange, and
a clock that is off would refuse everybody.
"""

from __future__ import annotations

import hmac
from typing import Any, cast
from urllib.parse import urlsplit

import jwt

from mailcrm.config import OAuthApp
from mailcrm.errors import UserError
from mailcrm.services.mail.oauth.values import NAMES, Provider


def claims_of(provider: Provider, app: OAuthApp, id_token: object, nonce: str | None) -> dict[str, Any]:
    """Return the claims of an ID token after looking at whom it is from and for. Raises UserError."""
    try:
        claims: dict[str, Any] = jwt.decode(str(id_token), options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise UserError("oauth.no_address", provider=NAMES[provider]) from error
    check(app, claims, nonce)
    return claims


def check(app: OAuthApp, claims: dict[str, Any], nonce: str | None) -> None:
    """Refuse claims that another provider made, or for another app or another sign-in."""
    audience = claims.get("aud")
    named: list[object] = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    issuer = urlsplit(str(claims.get("iss", "")))
    wanted = urlsplit(app.authorize_url)
    said = str(claims.get("nonce", ""))
    if (
        app.client_id not in named
        # Google says "accounts.google.com" without a scheme in old answers
        or (issuer.netloc or issuer.path) != wanted.netloc
        or (nonce is not None and not hmac.compare_digest(said.encode(), nonce.encode()))
    ):
        raise UserError("oauth.expired")


def account(provider: Provider, claims: dict[str, Any]) -> tuple[str, str]:
    """Return the account's own id and its address. Raises UserError when there is no address.

    At Microsoft a tenant's administrator writes anything into "email", so the sign-in name counts there: its domain was
    proven. Google says whether it verified the address.
    """
    subject = str(claims.get("sub", ""))
    named = ("email",)
    if provider == "microsoft":
        named = ("preferred_username", "upn")
        if claims.get("oid") and claims.get("tid"):
            subject = f"{claims['oid']}.{claims['tid']}"  # the same for every app; "sub" is another for each
    address = next(
        (str(value).strip().lower() for value in map(claims.get, named) if isinstance(value, str) and "@" in value), ""
    )
    if not subject or not address or (provider == "google" and claims.get("email_verified") is False):
        raise UserError("oauth.no_address", provider=NAMES[provider])
    return subject, address


def claimed(claims: dict[str, Any]) -> str:
    """Return the address that Microsoft tells unverified: often the mailbox's, where the sign-in name is another."""
    value = claims.get("email")
    return value.strip().lower() if isinstance(value, str) and "@" in value else ""
