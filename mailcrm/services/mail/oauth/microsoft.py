"""Microsoft (work, school and personal accounts), through msal.

msal looks an authority's endpoints up before anything else; ours are settings, so the look-up is answered here without
the network. Every use of a refresh token brings another one; the one before goes on to work for some time. Microsoft
has no endpoint that revokes one app's tokens: people take access back at https://myapps.microsoft.com.
"""

# msal has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import msal
import requests

from mailcrm.config import OAuthApp
from mailcrm.errors import TransientError, UserError
from mailcrm.models import utcnow
from mailcrm.services.mail.oauth import http, identity, refusals
from mailcrm.services.mail.oauth.values import NEEDED, SCOPES, Grant, Journey, redirect_uri

NAME = "Microsoft"


class _Endpoints:
    """msal's HTTP client: it knows the endpoints, and asks the network for everything else."""

    def __init__(self, app: OAuthApp) -> None:
        self._session = http.session()
        self._known = json.dumps(
            {"authorization_endpoint": app.authorize_url, "token_endpoint": app.token_url, "issuer": ""}
        )

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        """Answer the look-up of endpoints; GET anything else."""
        if url.endswith("/.well-known/openid-configuration"):
            answer = requests.Response()
            answer.status_code = 200
            answer._content = self._known.encode()  # pyright: ignore[reportPrivateUsage]
            return answer
        return self._session.get(url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        """POST to the token endpoint."""
        return self._session.post(url, **kwargs)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def begin(app: OAuthApp, state: str, address: str) -> Journey:
    """Return where to send a person; `address` is offered to them as the account."""
    with warnings.catch_warnings():
        # msal would rather have the code posted; browsers don't send our session's cookie with another site's POST.
        warnings.simplefilter("ignore", UserWarning)
        kept: dict[str, Any] = _client(app).initiate_auth_code_flow(
            list(SCOPES["microsoft"]),
            redirect_uri=redirect_uri("microsoft"),
            state=state,
            login_hint=address or None,
            prompt=None if address else "select_account",
        )
    if "code_verifier" not in kept or "nonce" not in kept:  # msal's; without them nobody is sent away
        raise RuntimeError("msal made a sign-in without PKCE or nonce")
    return Journey(str(kept["auth_uri"]), kept)


def finish(app: OAuthApp, kept: dict[str, Any], params: Mapping[str, str]) -> Grant:
    """Exchange the code that came back. Raises UserError, PermanentError or TransientError."""
    try:
        with http.reaching("microsoft"):
            found = cast("dict[str, Any]", _client(app).acquire_token_by_auth_code_flow(dict(kept), dict(params)))
    except (KeyError, TypeError, AttributeError) as error:
        raise TransientError("oauth.unavailable", provider=NAME) from error
    except (ValueError, RuntimeError) as error:  # msal: another state, another nonce, an ID token of another time
        raise UserError("oauth.expired") from error
    _complain(found, renewing=False)
    claims = cast("dict[str, Any]", found.get("id_token_claims") or {})
    identity.check(app, claims, None)  # msal compared the nonce's hash
    subject, address = identity.account("microsoft", claims)
    granted = str(found.get("scope", ""))
    if not all(scope in granted for scope in NEEDED["microsoft"]):
        raise UserError("oauth.scope", provider=NAME)
    if not found.get("refresh_token"):
        raise UserError("oauth.no_refresh", provider=NAME)
    return replace(_grant(found, "", subject, address), claimed=identity.claimed(claims))


def refresh(app: OAuthApp, refresh_token: str) -> Grant:
    """Exchange a refresh token. Raises GrantLost, PermanentError or TransientError."""
    try:
        with http.reaching("microsoft"):
            found = cast(
                "dict[str, Any]",
                _client(app).acquire_token_by_refresh_token(refresh_token, list(SCOPES["microsoft"])),
            )
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        # A page in place of an answer, which msal takes for one.
        raise TransientError("oauth.unavailable", provider=NAME) from error
    _complain(found, renewing=True)
    return _grant(found, refresh_token)


def revoke(app: OAuthApp, refresh_token: str) -> bool:
    """Say that nothing was taken back: Microsoft has no endpoint for it, and what is deleted here is of use to nobody."""
    del app, refresh_token
    return False


def _client(app: OAuthApp) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        app.client_id,
        client_credential=app.client_secret,
        authority=f"https://login.microsoftonline.com/{app.tenant}",
        instance_discovery=False,
        http_client=_Endpoints(app),
    )


def _complain(found: dict[str, Any], *, renewing: bool) -> None:
    if "access_token" not in found:
        raise refusals.of_answer(
            "microsoft", str(found.get("error", "")), str(found.get("error_description", "")),
            renewing=renewing, redirect_uri=redirect_uri("microsoft"),
        )  # fmt: skip


def _grant(found: dict[str, Any], before: str, subject: str = "", address: str = "") -> Grant:
    ends = utcnow() + timedelta(seconds=float(found.get("expires_in") or 3600))
    return Grant(str(found.get("refresh_token") or before), str(found["access_token"]), ends, subject, address)
