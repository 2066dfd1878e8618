"""Google, through google-auth-oauthlib and google-auth.

Refresh tokens of Google stay the same when they are used, and only come with `access_type=offline` and a consent
(`prompt=consent`). Revoking one ends all access of the app to that account. Scopes granted before are kept
(`include_granted_scopes`: incremental consent).
"""

# google-auth-oauthlib and requests-oauthlib have no types of their own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from google.auth import exceptions
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from oauthlib.oauth2 import OAuth2Error

from mailcrm.config import OAuthApp
from mailcrm.errors import GrantLost, TransientError, UserError
from mailcrm.models import utcnow
from mailcrm.services import crypto
from mailcrm.services.mail.oauth import http, identity, refusals
from mailcrm.services.mail.oauth.values import NEEDED, SCOPES, Grant, Journey, redirect_uri

NAME = "Google"


def begin(app: OAuthApp, state: str, address: str) -> Journey:
    """Return where to send a person; `address` is offered to them as the account."""
    nonce, verifier = crypto.token(), crypto.token()
    flow = _flow(app, state=state, code_verifier=verifier)
    hint = {"login_hint": address} if address else {}
    url, _ = flow.authorization_url(
        access_type="offline",
        include_granted_scopes="true",
        prompt="consent" if address else "consent select_account",
        nonce=nonce,
        **hint,
    )
    return Journey(url, {"nonce": nonce, "verifier": verifier})


def finish(app: OAuthApp, kept: dict[str, Any], params: Mapping[str, str]) -> Grant:
    """Exchange the code that came back. Raises UserError, PermanentError or TransientError."""
    flow = _flow(app, state=params.get("state", ""), code_verifier=str(kept["verifier"]))
    http.prepare(flow.oauth2session)
    token = _exchange(flow, params.get("code", ""))
    claims = identity.claims_of("google", app, token.get("id_token"), str(kept["nonce"]))
    subject, address = identity.account("google", claims)
    granted = str(token.get("scope", "")).split() if isinstance(token.get("scope"), str) else token.get("scope", ())
    if not set(NEEDED["google"]) <= set(cast("list[str]", granted)):
        raise UserError("oauth.scope", provider=NAME)
    if not token.get("refresh_token"):
        raise UserError("oauth.no_refresh", provider=NAME)
    return Grant(str(token["refresh_token"]), str(token["access_token"]), _end(token), subject, address)


def _exchange(flow: Flow, code: str) -> dict[str, Any]:
    uri = redirect_uri("google")
    try:
        with http.reaching("google"):
            return dict(flow.fetch_token(code=code, include_client_id=True))
    except Warning as changed:  # oauthlib: other scopes were granted than asked for, which is looked at by the caller
        return dict(getattr(changed, "token", {}))
    except OAuth2Error as error:
        words = str(error.description or "")
        raise refusals.of_answer("google", str(error.error), words, renewing=False, redirect_uri=uri) from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TransientError("oauth.unavailable", provider=NAME) from error


def refresh(app: OAuthApp, refresh_token: str) -> Grant:
    """Exchange a refresh token. Raises GrantLost, PermanentError or TransientError."""
    credentials = Credentials(
        None, refresh_token=refresh_token, token_uri=app.token_url, client_id=app.client_id,
        client_secret=app.client_secret,
    )  # fmt: skip
    try:
        with http.reaching("google"):
            credentials.refresh(Request(http.session()))
    except exceptions.RefreshError as error:
        said = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
        if not said and "reauthentication" in str(error).lower():  # a Workspace whose sessions end
            raise GrantLost(provider=NAME) from error
        code, words = str(said.get("error", "")), str(said.get("error_description", ""))
        raise refusals.of_answer("google", code, words, renewing=True) from error
    except (exceptions.GoogleAuthError, TypeError, ValueError, KeyError, AttributeError) as error:
        # The last four: a page in place of an answer, which google-auth takes for one.
        raise TransientError("oauth.unavailable", provider=NAME) from error
    if not credentials.token:
        raise TransientError("oauth.unavailable", provider=NAME)
    ends = credentials.expiry.replace(tzinfo=UTC) if credentials.expiry else utcnow() + timedelta(hours=1)
    return Grant(str(credentials.refresh_token or refresh_token), str(credentials.token), ends)


def revoke(app: OAuthApp, refresh_token: str) -> bool:
    """Take the grant back at Google; return whether it answered that it did. Raises TransientError."""
    with http.reaching("google"):
        answer = http.session().post(
            app.revoke_url,
            data={"token": refresh_token, "client_id": app.client_id, "client_secret": app.client_secret},
        )
    return answer.status_code == 200


def _flow(app: OAuthApp, **more: Any) -> Flow:
    web = {
        "client_id": app.client_id, "client_secret": app.client_secret, "auth_uri": app.authorize_url,
        "token_uri": app.token_url,
    }  # fmt: skip
    return Flow.from_client_config(
        {"web": web}, list(SCOPES["google"]), redirect_uri=redirect_uri("google"),
        autogenerate_code_verifier=False, **more,
    )  # fmt: skip


def _end(token: dict[str, Any]) -> datetime:
    try:
        return utcnow() + timedelta(seconds=float(token["expires_in"]))
    except (KeyError, TypeError, ValueError):
        return utcnow() + timedelta(hours=1)
