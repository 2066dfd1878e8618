r"""The IMAP commands that change a mailbox, APPEND aside: STORE of one flag, MOVE, COPY, UID EXPUNGE of named messages.

Used by services/mail/writeback alone. Opens a folder with SELECT, which only this module sends, and leaves it with
UNSELECT or another SELECT: CLOSE would expunge, and so would a plain EXPUNGE, other programs' deletions too. Neither is
sent, and no folder is ever made, renamed or removed.
RFC 3501, 3691 (UNSELECT), 4315 (UIDPLUS), 6851 (MOVE), 8474 (OBJECTID).
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import imaplib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mailcrm.errors import PermanentError, TransientError
from mailcrm.services.mail.imap import answers, uidset
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.imap.wire import quoted, refuse_control
from mailcrm.services.mail.parse.headers import message_id

MOST = 10_000  # UIDs believed in one COPYUID; many more than one command names


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder opened for writing."""

    uidvalidity: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as the server shows it; `rfc_message_id` None: it has none."""

    flags: frozenset[str]
    rfc_message_id: str | None


@dataclass(frozen=True, slots=True)
class Landed:
    """COPYUID: where copies are, target UID by source UID, under the target's UIDVALIDITY."""

    uidvalidity: int
    uids: dict[int, int]


class Writer:
    """A connection's writing half; one thread, like the connection itself."""

    def __init__(self, connection: ImapConnection) -> None:
        self._connection = connection
        self._wire = connection._wire
        self.capabilities = connection.capabilities()

    def select(self, folder: str) -> Opened:
        """Open a folder to write in. Raises PermanentError `imap.folder_missing`, `writeback.read_only`."""
        with self._connection._call(folder=folder):
            refuse_control("folder", folder)
            try:
                answer = self._wire.select_folder(folder, readonly=False)
            except imaplib.IMAP4.readonly as exc:
                raise PermanentError("writeback.read_only", folder=folder) from exc
            return Opened(int(answer[b"UIDVALIDITY"]))

    def leave(self) -> None:
        """Leave the folder that is open, where the server can (RFC 3691); nothing is expunged."""
        if "UNSELECT" in self.capabilities and self._connection.alive:
            with self._connection._call():
                self._wire.unselect_folder()

    def look(self, uids: Iterable[int]) -> dict[int, Seen]:
        """Return flags and Message-ID of those of these UIDs that exist, without marking them read."""
        out: dict[int, Seen] = {}
        wanted = set(uids)
        for sequence in uidset.sets(wanted):
            with self._connection._call():
                answer = self._wire.fetch_set(sequence, ("FLAGS", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"))
                for uid, item in answer.items():
                    header = answers.header_fields(item)
                    if uid in wanted and b"FLAGS" in item and header is not None:
                        flags = frozenset(flag.decode("latin-1") for flag in item[b"FLAGS"] if isinstance(flag, bytes))
                        out[uid] = Seen(flags, message_id(header.partition(b":")[2].strip()))
        return out

    def find(self, remote_id: str | None, rfc_message_id: str | None) -> list[int]:
        """Return the UIDs in the open folder of the message by the server's own name for it, else by Message-ID."""
        criteria = _named(remote_id) if remote_id else ""
        if not criteria:
            if not rfc_message_id:
                return []
            # Some servers search for the text between the brackets only (Exchange), none minds its absence.
            criteria = f"HEADER Message-ID {quoted(rfc_message_id)}"
        with self._connection._call():
            return sorted(set(self._wire.search_raw(criteria)))

    def marked(self, uids: Iterable[int], field: str, value: str) -> list[int]:
        """Return those of these UIDs, in order, whose message has this header field with exactly this value."""
        found: set[int] = set()
        wanted = set(uids)
        for sequence in uidset.sets(wanted):
            with self._connection._call():
                answer = self._wire.fetch_set(sequence, (f"BODY.PEEK[HEADER.FIELDS ({field.upper()})]",))
                for uid, item in answer.items():
                    said = (answers.header_fields(item) or b"").partition(b":")[2].strip()
                    if uid in wanted and said == value.encode():
                        found.add(uid)
        return sorted(found)

    def store_seen(self, uids: Iterable[int], seen: bool) -> None:
        r"""Put \Seen on messages of the open folder or take it off; no other flag is touched."""
        sign = "+" if seen else "-"
        for sequence in uidset.sets(set(uids)):
            self._uid("STORE", sequence, f"{sign}FLAGS.SILENT", "(\\Seen)")

    def move(self, uids: Iterable[int], folder: str) -> Landed | None:
        """MOVE messages of the open folder; None when the server does not say where they went."""
        return self._away("MOVE", uids, folder)

    def copy(self, uids: Iterable[int], folder: str) -> Landed | None:
        """COPY messages of the open folder; None when the server does not say where the copies are."""
        return self._away("COPY", uids, folder)

    def remove(self, uids: Iterable[int]) -> None:
        r"""Remove messages of the open folder whose copies were seen: \Deleted, and UID EXPUNGE of exactly them."""
        for sequence in uidset.sets(set(uids)):
            self._uid("STORE", sequence, "+FLAGS.SILENT", "(\\Deleted)")
            self._uid("EXPUNGE", sequence)

    def _away(self, command: str, uids: Iterable[int], folder: str) -> Landed | None:
        landed: dict[int, int] = {}
        validity: int | None = None
        refuse_control("folder", folder)
        wire = self._wire
        target = wire._normalise_folder(folder)
        for sequence in uidset.sets(set(uids)):
            wire._imap.untagged_responses.pop("COPYUID", None)
            self._uid(command, sequence, target, folder=folder)
            for line in wire._imap.untagged_responses.pop("COPYUID", None) or []:
                found = copyuid(line)
                if found is None:
                    continue
                if validity is not None and found.uidvalidity != validity:
                    raise TransientError("server.protocol", host=wire._spec.host, port=wire._spec.port)
                validity = found.uidvalidity
                landed.update(found.uids)
        return None if validity is None else Landed(validity, landed)

    def _uid(self, command: str, *args: Any, folder: str | None = None) -> None:
        with self._connection._call(folder=folder):
            typ, data = self._wire._imap.uid(command, *args)
            self._wire._checkok(command.lower(), typ, data)


def copyuid(line: object) -> Landed | None:
    """Read COPYUID's three parts; None when they make no sense (then the copies are looked for)."""
    parts = line.split() if isinstance(line, bytes) else str(line).encode("latin-1", "replace").split()
    if len(parts) < 3 or not parts[0].isdigit():
        return None
    source, target = _in_order(parts[1]), _in_order(parts[2])
    if not source or len(source) != len(target):
        return None
    return Landed(int(parts[0]), dict(zip(source, target, strict=True)))


def _in_order(sequence: bytes) -> list[int]:
    """Return the UIDs of a set in the order it names them (they correspond by place); [] when it is no set."""
    out: list[int] = []
    for item in sequence.split(b","):
        lo, found, hi = item.partition(b":")
        if not lo.isdigit() or (found and not hi.isdigit()):
            return []
        first, last = int(lo), int(hi or lo)
        if abs(last - first) + len(out) > MOST:
            return []
        out += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return out


def _named(remote_id: str) -> str:
    kind, _, name = remote_id.partition(":")
    if kind == "gm" and name.isdigit():
        return f"X-GM-MSGID {name}"
    if kind == "emailid" and name and all(c.isalnum() or c in "-_" for c in name):  # RFC 8474's objectid
        return f"EMAILID {name}"
    return ""
