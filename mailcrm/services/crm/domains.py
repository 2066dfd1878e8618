"""The mail domains by which an organization is recognised: one spelling of each, never one of free mail. Pure.

A domain in Unicode and in Punycode (RFC 5890) is one: the ASCII one is kept, `shown` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailcrm.errors import UserError
from mailcrm.services.crm import checks
from mailcrm.services.crm.free_mail import is_free

MOST = 50  # of one organization
_DOMAIN = re.compile(r"[^\s@<>\"',;:\\()\[\]/\x00-\x1f\x7f]{1,150}\.[^\s@<>\"',;:\\()\[\]/\x00-\x1f\x7f]{2,100}")


def domain(value: str) -> str:
    """Return a domain in lower case, in the ASCII spelling that mail carries (RFC 5890).

    Takes an address for its domain. Raises UserError for free mail and for what is no domain.
    """
    text = value.strip().lower().rpartition("@")[2].rstrip(".")
    try:
        plain = text if text.isascii() else text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        plain = ""
    if not _DOMAIN.fullmatch(plain) or ".." in plain or plain.startswith(".") or plain.rpartition(".")[2].isdigit():
        shown = checks.line(value[:200], "Domain", most=10_000)[:40]
        raise UserError("input.invalid", value=shown, field="Domain")
    if is_free(plain):
        raise UserError("organization.free_domain", domain=plain)
    return plain


def domains(values: Sequence[str]) -> list[str]:
    """Return the domains that were filled in, each once, in order."""
    if len(values) > MOST:
        raise UserError("organization.too_many_domains", most=MOST)
    return list(dict.fromkeys(domain(value) for value in values if value.strip()))


def shown(value: str) -> str:
    """Return how a stored domain reads: Punycode in Unicode, but only where it means the same."""
    try:
        readable = value.encode("ascii").decode("idna") if "xn--" in value else value
        return readable if readable.encode("idna").decode("ascii").lower() == value else value
    except UnicodeError:
        return value
