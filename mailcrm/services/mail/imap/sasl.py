"""SASL with a token in place of a password: XOAUTH2 (Google's and Microsoft's) and OAUTHBEARER (RFC 7628). Pure.

Both send one line and may be answered by a JSON document that says why not. XOAUTH2 wants an empty line then,
OAUTHBEARER a Ctrl-A, before the server says no. imapclient's own `oauth2_login` sends the token a second time in place
of that and loses the document (sync.md A9 #16). Opens no connection and knows no server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import cast

#: XOAUTH2 first: it is what both large providers document, and what their servers see all day.
MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
MOST_ANSWER = 4096  # characters of a refusal that are read


def choose(capabilities: Iterable[str]) -> str | None:
    """Return the mechanism to use of those that a server offers ("AUTH=XOAUTH2" or "XOAUTH2"); None for neither."""
    offered = {each.upper().removeprefix("AUTH=") for each in capabilities}
    return next((each for each in MECHANISMS if each in offered), None)


class Exchange:
    """One sign-in: what to send first, what to answer to a refusal, and what the refusal said."""

    def __init__(self, mechanism: str, username: str, token: str, host: str, port: int) -> None:
        self.mechanism = mechanism
        self.refusal: dict[str, str] = {}
        if mechanism == "XOAUTH2":
            self.first = f"user={username}\x01auth=Bearer {token}\x01\x01"
        else:
            # RFC 5801 §4: "=" and "," of a name are escaped in the GS2 header
            name = username.replace("=", "=3D").replace(",", "=2C")
            self.first = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
        self._begun = False

    def answer(self, challenge: bytes | None = None) -> str:
        """Return the next line; the token is sent once, a refusal is read and acknowledged."""
        if not self._begun:
            self._begun = True
            return self.first
        self.refusal = refusal(challenge or b"")
        return "" if self.mechanism == "XOAUTH2" else "\x01"

    def begun(self) -> str:
        """Return the first line for a command that carries it (SASL-IR); what comes next is a refusal."""
        self._begun = True
        return self.first

    @property
    def is_about_token(self) -> bool:
        """Whether the server said that the token is not good: another one may be."""
        return self.refusal.get("status", "") in ("400", "401", "invalid_token", "invalid_request")


def refusal(challenge: bytes) -> dict[str, str]:
    """Read the JSON document of a refusal ({"status": "401", "scope": …}); {} when it is none."""
    try:
        found: object = json.loads(challenge[:MOST_ANSWER])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    pairs = cast("dict[str, object]", found)
    return {name: str(value)[:200] for name, value in pairs.items()}
