"""Header fields of many messages, and the search for an address: what "contacts only" asks before it fetches bodies.

Reads only (BODY.PEEK, SEARCH in a folder opened with EXAMINE). Addresses are attackers' text (F12): quoted, and what
can't be quoted is not sent. RFC 3501 §6.4.4, §6.4.5.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailcrm.services.mail.imap import uidset
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.imap.wire import quoted

BATCH = 500  # messages in one fetch: their address fields are a few hundred bytes each, seldom 100 KB
MOST_ADDRESS = 120  # octets of an address that is searched for: five times in one command of at most 1,000

_KEY = b"BODY[HEADER.FIELDS"  # servers spell the rest of the section in their own way


def fetch_fields(connection: ImapConnection, uids: Iterable[int], names: Sequence[str]) -> dict[int, bytes]:
    """Fetch these header fields of messages in the opened folder, as they stand on the wire.

    UIDs that are gone, or whose answer has another shape, are not in the result.
    """
    item = f"BODY.PEEK[HEADER.FIELDS ({' '.join(names)})]"
    wanted = sorted(set(uids))
    out: dict[int, bytes] = {}
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        asked = set(part)
        for sequence in uidset.sets(part):
            with connection._call():
                for uid, found in connection._wire.fetch_set(sequence, (item,)).items():
                    value = next((v for k, v in found.items() if bytes(k).upper().startswith(_KEY)), None)
                    if uid in asked and isinstance(value, bytes):
                        out[uid] = value
    return out


def can_search(address: str) -> bool:
    """Whether `search_address` can ask for it: plain ASCII without control characters, and short enough."""
    return address.isascii() and address.isprintable() and 0 < len(address) <= MOST_ADDRESS


def search_address(connection: ImapConnection, address: str) -> list[int]:
    """Return the UIDs in the opened folder with this text in From, Reply-To, To, Cc or Bcc.

    SEARCH finds parts of words, so the result may hold more. Only for what `can_search` allows.
    """
    text = quoted(address)
    criteria = f"OR OR OR OR FROM {text} TO {text} CC {text} BCC {text} HEADER Reply-To {text}"
    with connection._call():
        return sorted(connection._wire.search_raw(criteria))
