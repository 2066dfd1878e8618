"""What a provider's refusal means: RFC 6749 §4.1.2.1 and §5.2, Google's own words, Microsoft's AADSTS numbers. Pure.

The same word means different things at different times: "invalid_grant" in exchange for a code is a code that was used
or is too old; in exchange for a refresh token it is the end of the grant.
"""

from __future__ import annotations

import re

from mailcrm.errors import GrantLost, MailcrmError, PermanentError, TransientError, UserError
from mailcrm.services.mail.oauth.values import NAMES, Provider

_AADSTS = re.compile(r"AADSTS(\d{4,8})")
_DECLINED = ("access_denied", "consent_declined", "authorization_declined", "user_cancelled")
_ADMIN = ("admin_policy_enforced", "org_internal", "admin_consent_required", "interaction_blocked")
_CLIENT = (
    "invalid_client", "unauthorized_client", "deleted_client", "disabled_client", "unsupported_grant_type",
    "invalid_tenant",
)  # fmt: skip
_LOST = (
    "invalid_grant", "interaction_required", "consent_required", "login_required", "account_selection_required",
    "invalid_scope",
)  # fmt: skip
_BUSY = ("temporarily_unavailable", "server_error", "slow_down", "internal_failure", "rate_limit_exceeded")
#: learn.microsoft.com/entra/identity-platform/reference-error-codes
_NUMBERS = {
    "50011": "redirect",  # the redirect URI is not registered
    "7000215": "client", "7000222": "client", "700016": "client", "7000216": "client", "700025": "client",
    "90002": "client", "50194": "client", "900023": "client", "50020": "client",
    "65001": "consent", "65004": "declined", "90094": "admin", "90095": "admin", "90008": "admin",
    "90033": "busy", "90055": "busy", "50196": "busy", "90006": "busy", "90012": "busy", "90024": "busy",
}  # fmt: skip


def of_answer(
    provider: Provider, error: str, description: str, *, renewing: bool, redirect_uri: str = ""
) -> MailcrmError:
    """Return the error that a refusal means; `renewing`: in exchange for a refresh token."""
    name = NAMES[provider]
    number = _AADSTS.search(description)
    kind = _NUMBERS.get(number[1], "") if number else ""
    if kind == "busy" or error in _BUSY:
        return TransientError("oauth.unavailable", provider=name)
    if kind == "redirect" or "redirect_uri" in error or "redirect_uri" in description:
        return PermanentError("oauth.redirect", provider=name, uri=redirect_uri)
    if kind == "client" or error in _CLIENT:
        return PermanentError("oauth.client", provider=name)
    if renewing:
        if error in _LOST or kind:
            return GrantLost(provider=name)
        # An endpoint of ours that is wrong, or a page in place of an answer: nobody's grant is lost for that.
        return TransientError("oauth.unavailable", provider=name)
    if kind == "admin" or error in _ADMIN:
        return UserError("oauth.admin", provider=name)
    if kind in ("declined", "consent") or error in _DECLINED:
        return UserError("oauth.declined", provider=name)
    if error == "invalid_scope":
        return UserError("oauth.scope", provider=name)
    if error == "invalid_grant":
        return UserError("oauth.expired")
    return UserError("oauth.refused", provider=name, answer=_shown(description or error))


def _shown(text: str) -> str:
    first = text.split("Trace ID", maxsplit=1)[0].split("\n", maxsplit=1)[0]
    return "".join(char for char in first if char.isprintable()).strip()[:120]
