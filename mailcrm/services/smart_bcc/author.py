"""Who wrote a message, strictly: one From field, one address, nothing that two readers could read differently.

Pure. Forgers live of parsers that disagree (security.md 19: several From fields, groups, an address in the display
name, NUL, encoded words in place of an address), so whatever is unusual has no author here and is set aside.
"""

from __future__ import annotations

import re

from mailcrm.services.mail.parse.addresses import parse_addresses
from mailcrm.services.mail.parse.headers import header_fields

_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,998}"')
_COMMENT = re.compile(r"\([^()\\]{0,998}\)")
_ADDRESS = r"([^\s<>@,;:\"()\\\[\]]{1,64}@[^\s<>@,;:\"()\\\[\]=?]{1,253})"
_NAMED = re.compile(rf"[^<>,;:@()\"]{{0,998}}<\s*{_ADDRESS}\s*>")
_BARE = re.compile(_ADDRESS)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def sole_author(raw: bytes) -> str | None:
    """Return the address in From, in lower case; None where there is not exactly one that everybody reads alike."""
    fields, _clean = header_fields(raw)
    values = fields.get("from", ())
    if len(values) != 1 or len(_from_lines(raw)) != 1 or _CONTROL.search(values[0]):
        return None
    try:
        text = values[0].decode("utf-8")
    except UnicodeDecodeError:
        return None
    text = _COMMENT.sub(" ", _QUOTED.sub("q", text)).strip()
    found = _NAMED.fullmatch(text) or _BARE.fullmatch(text)
    if found is None:
        return None
    address = found[1].lower()
    read = parse_addresses(values[0])
    return address if len(read) == 1 and read[0].address.lower() == address else None


def _from_lines(raw: bytes) -> list[bytes]:
    """The lines of the header that any reader may take for From, also those that ours does not."""
    head = re.split(rb"\r?\n\r*\n", raw[: 256 * 1024], maxsplit=1)[0]
    return re.findall(rb"(?im)^[ \t]{0,20}from[ \t\x00]{0,20}:", re.sub(rb"\r\n?", b"\n", head))
