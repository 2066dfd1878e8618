"""Where a tracked link leads: kept in the database for ever, looked up there and remembered by this process.

A link's destination never changes (T10), so what was read once may be answered again without a query. Only what a
sender wrote is ever answered, as it was written; what a header can't carry is spelled as browsers spell it.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from urllib.parse import quote, urlsplit

import idna
from sqlalchemy import select

from mailcrm.models import TrackedLink, TrackedMessage
from mailcrm.services.db import reading
from mailcrm.services.rows import rows, table_of

REMEMBERED = 20_000  # links; some 5 MB

_WEB = re.compile(r"(https?)://([^/?#\\]+)(.*)", re.IGNORECASE | re.DOTALL)
_DROPPED = re.compile(r"[\t\n\r]")  # browsers drop these anywhere in a URL (WHATWG URL, "basic URL parser")
_OUTER = "".join(map(chr, range(0x21)))  # and these around it
#: What stays as it was written: all that is printable ASCII, but for what browsers spell as %XX themselves.
_AS_WRITTEN = "!#$%&'()*+,-./:;=?@[\\]^_`{|}~"

_known: OrderedDict[tuple[str, int], str] = OrderedDict()
_lock = threading.Lock()


def remembered(nonce: str, position: int) -> str | None:
    """Return the Location of a link that was looked up before. No query."""
    with _lock:
        found = _known.get((nonce, position))
        if found is not None:
            _known.move_to_end((nonce, position))
        return found


def look_up(nonce: str, position: int) -> str | None:
    """Return the Location of a link; None when there is none. One query, which brings the message's other links too."""
    links, messages = table_of(TrackedLink), table_of(TrackedMessage)
    statement = (
        select(links.c.position, links.c.url)
        .join(messages, messages.c.id == links.c.tracked_id)
        .where(messages.c.nonce == nonce)
    )
    with reading() as session:
        found = {int(row[0]): safe_location(str(row[1])) for row in rows(session, statement)}
    with _lock:
        for each, location in found.items():
            if location is not None:
                _known[nonce, each] = location
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return found.get(position)


def forget() -> None:
    """Forget what was looked up (tests have many databases)."""
    with _lock:
        _known.clear()


def safe_location(url: str) -> str | None:
    """Return a URL fit for a Location header: http or https, printable ASCII, one line; None for anything else.

    An ASCII URL comes out byte for byte; the rest gets the spelling that browsers give it.
    """
    url = _DROPPED.sub("", url.strip(_OUTER))
    match = _WEB.fullmatch(url)
    if match is None:
        return None
    scheme, host, rest = match[1], match[2], match[3]
    if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in host) or not _brackets_hold(host):
        return None
    if not host.isascii():
        host = _ascii_host(host)
    return f"{scheme}://{host}{_spelled(rest)}"


def _brackets_hold(netloc: str) -> bool:
    """Whether what stands in brackets is an IPv6 address, and nothing else has any."""
    try:
        urlsplit(f"http://{netloc}/")
    except ValueError:
        return False
    return True


def _spelled(text: str) -> str:
    return quote(text, safe=_AS_WRITTEN, errors="replace")


def _ascii_host(netloc: str) -> str:
    before, at, host = netloc.rpartition("@")
    name, colon, port = host.partition(":")
    try:
        name = idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        name = _spelled(name)  # browsers decode it and try themselves
    return f"{_spelled(before)}{at}{name}{colon}{_spelled(port)}"
