"""What the folders of a mailbox are for: RFC 6154 attributes first, well-known names after. Pure.

Names are matched decoded, case-folded and without the namespace prefix (providers.md section 7). Does not talk to a
server; names are decoded by `names.py`, the table is in `folder_names.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from mailcrm.services.mail.imap.folder_names import NAMES
from mailcrm.services.mail.imap.values import FolderStatus

FolderRole = Literal["inbox", "sent", "drafts", "archive", "all", "junk", "trash", "flagged"]

_ATTRIBUTES: dict[str, FolderRole] = {
    "\\inbox": "inbox",
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",
    "\\junk": "junk",
    "\\spam": "junk",
    "\\trash": "trash",
    "\\flagged": "flagged",
    "\\starred": "flagged",
}

_PREFIXES = ("inbox", "[gmail]", "[imap]", "[google mail]")


def folded(name: str) -> str:
    """Return a name as names are compared."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


_ROLE_OF_NAME: dict[str, FolderRole] = {
    folded(name): cast("FolderRole", role) for role, names in NAMES.items() for name in names.split(", ")
}


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder as the server lists it; RFC 3501 calls it a mailbox.

    `name` is decoded for people and is what the other calls take; `delimiter` is None in flat namespaces. `status` is
    there when the server told it with the listing.
    """

    name: str
    delimiter: str | None
    role: FolderRole | None
    selectable: bool
    status: FolderStatus | None = None


def _plain_name(name: str, delimiter: str | None) -> str:
    text = folded(name)
    if delimiter:
        head, found, tail = text.partition(delimiter)
        if found and head in _PREFIXES:
            return tail
    return text


def with_roles(listed: Iterable[tuple[tuple[str, ...], str | None, str]]) -> list[RemoteFolder]:
    """Return folders with their roles from (attributes, delimiter, name) triples, in the order given.

    Each role is given once: to the folder whose attribute claims it, else to the first whose name suggests it.
    """
    rows = [({a.casefold() for a in attributes}, delimiter, name) for attributes, delimiter, name in listed]
    roles: dict[int, FolderRole] = {}
    for n, (attributes, _, name) in enumerate(rows):
        if name.upper() == "INBOX":
            roles[n] = "inbox"
        else:
            for attribute in sorted(attributes):
                role = _ATTRIBUTES.get(attribute)
                if role and role != "inbox" and role not in roles.values():
                    roles[n] = role
                    break
    for n, (_, delimiter, name) in enumerate(rows):
        role = _ROLE_OF_NAME.get(_plain_name(name, delimiter))
        if n not in roles and role and role not in roles.values():
            roles[n] = role
    return [
        RemoteFolder(name, delimiter, roles.get(n), not attributes & {"\\noselect", "\\nonexistent"})
        for n, (attributes, delimiter, name) in enumerate(rows)
    ]
