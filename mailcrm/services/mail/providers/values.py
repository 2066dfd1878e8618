"""How a mail server is addressed: the value that connections are made from.

Knows nothing of providers' names and opens no connection; `hosts.py` resolves and vets the address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Security = Literal["ssl", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """Where and how to reach one IMAP or SMTP server.

    `security`: "ssl" is TLS from the first byte, "starttls" upgrades before anything secret is sent, "none" is
    plain text and refused anywhere but on a loopback address (checked on the resolved address, not on the name).
    An empty `username` means that the server asks for no sign-in (SMTP on loopback).
    """

    host: str
    port: int
    security: Security
    username: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a provider granted in place of a password; good for about an hour (RFC 6749 §1.4)."""

    value: str = field(repr=False)


#: What a mailbox signs in with.
Secret = str | AccessToken


def secret_text(secret: Secret) -> str:
    """Return the characters that travel to the server."""
    return secret.value if isinstance(secret, AccessToken) else secret
