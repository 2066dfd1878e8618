"""Where a tracked link leads: kept in the database for ever, looked up there and remembered by this process.

A link's destination never changes (T10), so what was read once may be answered again without a query. The first look
is one prepared statement: on SQLite over a connection of its own, in a fraction of the time that a session takes, and
short enough for who answers to wait. Only what a sender wrote is ever answered, as it was written; what a header can't
carry is spelled as browsers spell it.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import idna
from sqlalchemy import select

from mailcrm.models import TrackedLink, TrackedMessage
from mailcrm.services.db import engine, reading
from mailcrm.services.rows import rows, table_of

REMEMBERED = 20_000  # links; some 5 MB

_WEB = re.compile(r"(https?)://([^/?#\\]+)(.*)", re.IGNORECASE | re.DOTALL)
_DROPPED = re.compile(r"[\t\n\r]")  # browsers drop these anywhere in a URL (WHATWG URL, "basic URL parser")
_OUTER = "".join(map(chr, range(0x21)))  # and these around it
#: What stays as it was written: all that is printable ASCII, but for what browsers spell as %XX themselves.
_AS_WRITTEN = "!#$%&'()*+,-./:;=?@[\\]^_`{|}~"

_known: OrderedDict[tuple[str, int], str] = OrderedDict()
_lock = threading.Lock()
_OF_NONCE = (
    "SELECT tracked_links.position, tracked_links.url FROM tracked_messages JOIN tracked_links"
    " ON tracked_links.tracked_id = tracked_messages.id WHERE tracked_messages.nonce = ?"
)
#: The connection that `at_once` reads through, and whose database it is.
_line: tuple[str, sqlite3.Connection] | None = None
_on_line = threading.Lock()


def remembered(nonce: str, position: int) -> str | None:
    """Return the Location of a link that was looked up before. No query."""
    with _lock:
        found = _known.get((nonce, position))
        if found is not None:
            _known.move_to_end((nonce, position))
        return found


def at_once(nonce: str, position: int) -> str | None:
    """Return the Location of a link where the database can be read without waiting: SQLite, and nobody in the way.

    None when `look_up` must be asked. Reading takes some 20 µs then, less than to hand it to a thread.
    """
    if not _on_line.acquire(blocking=False):
        return None
    try:
        line = _opened()
        return None if line is None else _remember(nonce, line.execute(_OF_NONCE, (nonce,))).get(position)
    except sqlite3.Error:  # it is locked, or just being made: whoever waits for it says what is wrong
        return None
    finally:
        _on_line.release()


def look_up(nonce: str, position: int) -> str | None:
    """Return the Location of a link; None when there is none. One query, which brings the message's other links too."""
    links, messages = table_of(TrackedLink), table_of(TrackedMessage)
    statement = (
        select(links.c.position, links.c.url)
        .join(messages, messages.c.id == links.c.tracked_id)
        .where(messages.c.nonce == nonce)
    )
    with reading() as session:
        return _remember(nonce, rows(session, statement)).get(position)


def _opened() -> sqlite3.Connection | None:
    global _line
    url = engine().url
    name = url.database or ""
    if url.get_backend_name() != "sqlite":
        return None
    if _line is None or _line[0] != name:
        _hang_up()
        read_only = f"{Path(name).absolute().as_uri()}?mode=ro"
        _line = name, sqlite3.connect(read_only, uri=True, timeout=0, check_same_thread=False, isolation_level=None)
    return _line[1]


def _hang_up() -> None:
    global _line
    if _line is not None:
        with closing(_line[1]):
            _line = None


def _remember(nonce: str, found: Iterable[Sequence[Any]]) -> dict[int, str]:
    """Keep a message's links, and return those that lead somewhere by their position."""
    locations = {int(at): location for at, url in found if (location := safe_location(str(url))) is not None}
    with _lock:
        for each, location in locations.items():
            _known[nonce, each] = location
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return locations


def forget() -> None:
    """Forget what was looked up (tests have many databases)."""
    with _lock:
        _known.clear()
    with _on_line:
        _hang_up()


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
