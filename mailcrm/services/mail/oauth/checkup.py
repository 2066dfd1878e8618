"""What `doctor` says about the operator's app at a provider: its redirect URI, its scopes, whether its secret is right.

The client ID and secret are tried with a code that nobody gave out: "invalid_grant" means that the app was recognised.
Whether the redirect URI is registered is only seen when somebody signs in; it is printed to be compared. Changes nothing.
"""

from __future__ import annotations

import ipaddress
from typing import Any, cast
from urllib.parse import urlsplit

from mailcrm.config import config
from mailcrm.errors import ConfigError, MailcrmError
from mailcrm.services.mail.oauth import http, refusals
from mailcrm.services.mail.oauth.values import SCOPES, Provider, app_of, redirect_uri

LOCAL = ("localhost", "127.0.0.1", "::1")


def look(provider: Provider) -> str:
    """Return one line about the app, or that none is set up. Raises MailcrmError with what is wrong."""
    app = config().google if provider == "google" else config().microsoft
    if not app.is_set_up:
        return "not set up; docs/oauth.md shows how"
    _address_can_be_registered()
    uri = redirect_uri(provider)
    answer = _try_client(provider, uri)
    if answer is not None:
        raise answer
    scopes = " ".join(SCOPES[provider])
    return f"the app is recognised. Its redirect URI must be {uri} and its scopes {scopes}"


def _address_can_be_registered() -> None:
    """Both providers refuse plain http but on this machine, and Google refuses addresses that are numbers."""
    parts = urlsplit(config().public_url)
    host = parts.hostname or ""
    if host in LOCAL:
        return
    why = ""
    if parts.scheme != "https":
        why = "Google and Microsoft send people back to https addresses only"
    else:
        try:
            ipaddress.ip_address(host)
            why = "Google sends people back to names only, not to numbers"
        except ValueError:
            pass
    if why:
        raise ConfigError("config.invalid", name="MAILCRM_PUBLIC_URL", value=config().public_url, why=why)


def _try_client(provider: Provider, uri: str) -> MailcrmError | None:
    app = app_of(provider)
    form = {
        "grant_type": "authorization_code", "code": "doctor", "code_verifier": "d" * 43, "redirect_uri": uri,
        "client_id": app.client_id, "client_secret": app.client_secret,
    }  # fmt: skip
    with http.reaching(provider):
        answer = http.session().post(app.token_url, data=form)
    try:
        said: object = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return ConfigError(
            "config.invalid", name=f"MAILCRM_OAUTH_{provider.upper()}_TOKEN_URL", value=app.token_url,
            why="what answers there is no token endpoint",
        )  # fmt: skip
    found = cast("dict[str, Any]", said)
    error = refusals.of_answer(
        provider, str(found.get("error", "")), str(found.get("error_description", "")), renewing=False, redirect_uri=uri
    )
    # "invalid_grant": this app may exchange codes, and the one it was given is none.
    return None if error.code == "oauth.expired" else error
