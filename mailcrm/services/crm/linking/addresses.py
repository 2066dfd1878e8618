"""When two addresses are the same one, for linking. Pure.

The whole address counts, in lower case: `mika+news@x` and `m.ika@x` are not `mika@x`, whatever one provider does with
dots and tags, because at another provider they are other people. Only spellings of one and the same address are one:
a domain in Unicode and in Punycode (RFC 5890), a letter composed or decomposed (SMTPUTF8, RFC 6532), and a local part
in quotes that it does not need (RFC 5322 3.2.4). Letters that only look alike stay different.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

_PLAIN = re.compile(r"[a-z0-9._%+&'/=?^`{|}~!#$*-]+@[a-z0-9.-]+")
_NEEDS_NO_QUOTES = re.compile(r'"([^\s"\\@<>()\[\],;:]+)"')


@functools.lru_cache(10_000)
def same(address: str) -> str:
    """Return one spelling for all spellings of an address: what addresses are compared by. Remembers the last 10,000."""
    if "xn--" not in address and _PLAIN.fullmatch(address):
        return address  # nearly every address
    text = unicodedata.normalize("NFC", address.lower())
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    bare = _NEEDS_NO_QUOTES.fullmatch(local)
    if bare and not (bare[1].startswith(".") or bare[1].endswith(".") or ".." in bare[1]):
        local = bare[1]
    return f"{local}@{_in_ascii(domain)}"


def spellings(addresses: Iterable[str]) -> list[str]:
    """Return these addresses in every spelling in which a row may hold them, each once."""
    found: dict[str, None] = {}
    for address in addresses:
        one = same(address)
        local, _, domain = one.rpartition("@")
        for each in dict.fromkeys((domain, _in_unicode(domain))):
            found.update(dict.fromkeys((f"{local}@{each}", f'"{local}"@{each}')))
        found[address] = None
        for form in ("NFC", "NFD"):
            found[unicodedata.normalize(form, address)] = None
    return list(found)


def _in_ascii(domain: str) -> str:
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii").lower()
    except UnicodeError:  # no host name: stays as it is
        return domain


def _in_unicode(domain: str) -> str:
    try:
        return domain.encode("ascii").decode("idna") if "xn--" in domain else domain
    except UnicodeError:
        return domain
