"""Signing in over an open IMAP connection: with a password (LOGIN, SASL PLAIN), or a token (RFC 7628, XOAUTH2).

Both forget what the server said before, and believe what it says with its answer. Raises what `wire.py` raises.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import imaplib

from mailcrm.errors import NeedsReconnect, PermanentError
from mailcrm.services.mail.imap import sasl
from mailcrm.services.mail.imap.wire import Wire
from mailcrm.services.mail.providers.values import AccessToken, ServerSpec


def with_password(wire: Wire, username: str, password: str) -> None:
    """LOGIN, or SASL PLAIN for what LOGIN can't carry: imaplib sends arguments as ASCII."""
    wire._cached_capabilities = None
    wire._imap.untagged_responses.pop("CAPABILITY", None)  # what was said before sign-in; the answer may bring its own
    if username.isascii() and password.isascii():
        wire.login(username, password)
    else:
        wire.plain_login(username, password)
    wire._imap.untagged_responses.pop("OK", None)


def with_token(wire: Wire, spec: ServerSpec, token: AccessToken) -> None:
    """AUTHENTICATE with the mechanism that is offered; in one round trip where the server has SASL-IR (RFC 4959)."""
    # STARTTLS forgot what was said in clear (starttls); over TLS from the start the greeting's own list is believed.
    greeted = wire._imap.capabilities if spec.security == "ssl" else ()
    offered = {str(each).upper() for each in greeted}
    if not any(each.startswith("AUTH=") for each in offered):
        offered = {each.decode("ascii", "replace").upper() for each in wire.capabilities()}
    mechanism = sasl.choose(offered)
    if mechanism is None:
        raise PermanentError("oauth.no_mechanism", host=spec.host)
    wire._cached_capabilities = None
    wire._imap.untagged_responses.pop("CAPABILITY", None)
    exchange = sasl.Exchange(mechanism, spec.username, token.value, spec.host, spec.port)
    try:
        wire.authenticate(mechanism, exchange, at_once="SASL-IR" in offered)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as exc:
        if exchange.is_about_token:
            raise NeedsReconnect("oauth.token_refused", host=spec.host) from exc
        raise
    wire._imap.untagged_responses.pop("OK", None)
