"""The commands about folders and what changed in them, in the best words that the server knows.

    capabilities   from the greeting and the sign-in answer where the server says them there (RFC 3501 §7.1)
    folders        LIST … RETURN (STATUS) (RFC 5819), else XLIST, else LIST
    changes        EXAMINE (QRESYNC …), UID FETCH (CHANGEDSINCE … VANISHED) (RFC 7162), else (CHANGEDSINCE …)

An extension is used when the server offers it; QRESYNC and UTF8=ACCEPT only when ENABLE was confirmed by ENABLED
(iCloud offers QRESYNC, confirms nothing, and sends VANISHED that nobody can read: providers.md §3). A refusal of the
better words is answered by asking in the plain ones, once for each connection. Returns values, raises what imaplib
raises: `client.py` translates.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import imaplib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mailcrm.services.mail.imap import answers, listing, names
from mailcrm.services.mail.imap.listing import ListedFolder
from mailcrm.services.mail.imap.values import Changes, FolderStatus, State
from mailcrm.services.mail.imap.wire import Wire
from mailcrm.services.mail.providers import table

_ASK_AGAIN = ("mail.me.com",)  # iCloud's proxy rewrites what the sign-in answer says of capabilities (providers.md §3)
_COREMAIL = b"X-CM-EXT-1"  # NetEase's software, also under other names


@dataclass(frozen=True, slots=True)
class Survey:
    """What LIST said. `whole` is False when a line could not be read: nothing may be taken for missing then."""

    folders: list[ListedFolder]
    statuses: dict[bytes, FolderStatus]
    whole: bool


def settle_capabilities(wire: Wire) -> None:
    """Learn what the server offers after sign-in: from its answer, else by asking; then agree on UTF-8."""
    if wire._spec.host.endswith(_ASK_AGAIN):
        wire._imap.untagged_responses.pop("CAPABILITY", None)
    offered = wire.capabilities()
    known = table.bears(wire._spec.host)
    if (known is not None and known.send_id) or _COREMAIL in offered:
        tell_who(wire)
    if b"ENABLE" in offered and (b"UTF8=ACCEPT" in offered or b"UTF8=ONLY" in offered):
        enable(wire, "UTF8=ACCEPT", *(("QRESYNC",) if b"QRESYNC" in offered else ()))


def tell_who(wire: Wire) -> None:
    """Say which program this is (ID, RFC 2971): NetEase opens no folder before, "Unsafe Login" (providers.md §3).

    Only where the table or the server asks for it: others need not know. A refusal changes nothing.
    """
    try:
        wire._imap._simple_command("ID", '("name" "mailcrm" "vendor" "mailcrm")')
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        pass
    wire._imap.untagged_responses.pop("ID", None)


def enable(wire: Wire, *extensions: str) -> None:
    """Ask for extensions (RFC 5161); what the server confirms is in `wire.enabled` then."""
    wire._imap.untagged_responses.pop("ENABLED", None)
    try:
        typ, _ = wire._imap._simple_command("ENABLE", " ".join(extensions))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        typ = "BAD"
    said: list[Any] = wire._imap.untagged_responses.pop("ENABLED", []) if typ == "OK" else []
    wire.asked |= set(extensions)
    wire.enabled |= {
        word.decode("ascii", "replace").upper() for line in said if isinstance(line, bytes) for word in line.split()
    }


def can_resync(wire: Wire) -> bool:
    """Whether QRESYNC is agreed on; asks once, before the first folder is opened."""
    if "QRESYNC" not in wire.asked and wire._imap.state == "AUTH":
        wire.asked.add("QRESYNC")
        if wire.has_capability("QRESYNC") and wire.has_capability("ENABLE"):
            enable(wire, "QRESYNC")
    return "QRESYNC" in wire.enabled


def survey(wire: Wire, *, counts: bool) -> Survey:
    """List every folder; with `counts`, and where LIST-STATUS is offered, also how each of them stands."""
    untagged = wire._imap.untagged_responses
    for kind in ("LIST", "XLIST", "STATUS"):
        untagged.pop(kind, None)
    plain = not wire.has_capability("SPECIAL-USE") and wire.has_capability("XLIST")
    command, options = ("XLIST" if plain else "LIST"), ""
    if counts and wire.has_capability("LIST-STATUS") and not wire.plain_list:
        special = "SPECIAL-USE " if wire.has_capability("SPECIAL-USE") else ""
        command, options = "LIST", f"RETURN ({special}STATUS ({' '.join(_status_items(wire))}))"
    try:
        typ, data = wire._imap._simple_command(command, '""', '"*"', *([options] if options else []))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        if not options and command == "LIST":
            raise
        typ, data = "BAD", []
    if typ != "OK" and (options or command == "XLIST"):  # IF: Microsoft's RETURN options may answer BAD
        wire.plain_list = True
        command = "LIST"
        for kind in ("LIST", "XLIST", "STATUS"):
            untagged.pop(kind, None)
        typ, data = wire._imap._simple_command(command, '""', '"*"')
    wire._checkok("list", typ, data)
    found, whole = listing.folders(untagged.pop(command, []))
    return Survey(found, listing.statuses(untagged.pop("STATUS", [])), whole)


def status(wire: Wire, name: str) -> FolderStatus:
    """STATUS of one folder. Raises KeyError when the server leaves a count out."""
    wire._imap.untagged_responses.pop("STATUS", None)
    typ, data = wire._imap._simple_command("STATUS", wire._normalise_folder(name), f"({' '.join(_status_items(wire))})")
    wire._checkok("status", typ, data)
    found = listing.statuses(wire._imap.untagged_responses.pop("STATUS", []))
    raw = wire.raw_name(name)
    if raw not in found and len(found) == 1:  # some spell the name in their own way
        (raw,) = found
    return found[raw]


def _status_items(wire: Wire) -> list[str]:
    items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
    if wire.has_capability("CONDSTORE") or wire.has_capability("QRESYNC"):
        items.append("HIGHESTMODSEQ")
    # Cyrus 3.6 (known by ANNOTATE-EXPERIMENT-1) answers with freed memory here, line breaks included: the answer is out
    # of step then. EXAMINE gives its MAILBOXID right (tests/integration/writeback/test_servers.py met it).
    if wire.has_capability("OBJECTID") and not wire.has_capability("ANNOTATE-EXPERIMENT-1"):
        items.append("MAILBOXID")
    return items


def examine(
    wire: Wire, name: str, *, resync: tuple[int, int, int] | None = None
) -> tuple[FolderStatus, Changes | None]:
    r"""EXAMINE a folder; with `resync` (uidvalidity, modseq, highest known UID) also learn what changed since.

    The changes are None where the server did not take part. Raises KeyError without UIDVALIDITY or EXISTS.
    Courier keeps no UIDs for EXAMINE: to a folder that no program ever opened it gives another UIDVALIDITY each
    second, and new messages have UIDs that may be others' later. It is known by leaving out UIDNEXT, and is sent a
    SELECT, which takes no flag but `\\Recent` away (tests/integration/servers).
    """
    folder = wire._normalise_folder(name)
    agreed = can_resync(wire)
    asked = False
    typ: str = ""
    data: Any = []
    if agreed and resync is not None and not wire.plain_examine:
        validity, modseq, highest = resync
        asked = True
        typ, data = _open(wire, folder + f" (QRESYNC ({validity} {modseq} 1:{highest}))".encode())
        if typ != "OK":
            wire.plain_examine = True
    if typ != "OK":
        asked = False
        counted = not agreed and wire.has_capability("CONDSTORE") and not wire.plain_examine
        typ, data = _open(wire, folder + b" (CONDSTORE)" if counted else folder)
        if typ != "OK" and counted:
            wire.plain_examine = True
            typ, data = _open(wire, folder)
    wire._checkok("examine", typ, data)
    if "UIDNEXT" not in wire._imap.untagged_responses and not wire.plain_select:
        asked = False  # what the first answer said of changes goes with it
        typ, data = _open(wire, folder, readonly=False)
        if typ != "OK":
            wire.plain_select = True
            typ, data = _open(wire, folder)
            wire._checkok("examine", typ, data)
    said: dict[str, list[Any]] = wire._imap.untagged_responses
    found = listing.status_of(
        {
            b"UIDVALIDITY": said["UIDVALIDITY"][0],
            b"UIDNEXT": (said.get("UIDNEXT") or [0])[0],  # RFC 3501 has old servers that leave it out
            b"MESSAGES": said["EXISTS"][-1],
            b"HIGHESTMODSEQ": (said.get("HIGHESTMODSEQ") or [None])[0] if "NOMODSEQ" not in said else None,
            b"MAILBOXID": bytes(said["MAILBOXID"][0]).strip(b"()") if said.get("MAILBOXID") else None,
        }
    )
    changes = _changes(wire, said.pop("FETCH", []), told=True) if asked else None
    said.pop("FETCH", None)
    said.pop("VANISHED", None)
    return found, changes


def _open(wire: Wire, argument: bytes, *, readonly: bool = True) -> tuple[str, Any]:
    """EXAMINE (or SELECT), with a BAD as an answer like NO."""
    try:
        imap: Any = wire._imap  # its select takes bytes as well as text
        return imap.select(argument, readonly)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as exc:
        if "BAD" not in str(exc):
            raise
        return "BAD", [str(exc).encode("utf-8", "replace")]


def changes_since(wire: Wire, lo: int, hi: int, since: int) -> Changes:
    """Fetch what changed among the UIDs lo..hi of the open folder after the mod-sequence `since`."""
    told = can_resync(wire)
    items = ["FLAGS", "MODSEQ", *(["X-GM-LABELS"] if wire.has_capability("X-GM-EXT-1") else [])]
    wire._imap.untagged_responses.pop("VANISHED", None)
    data = wire._fetch_data(f"{lo}:{hi}", items, f"CHANGEDSINCE {since}{' VANISHED' if told else ''}")
    return _changes(wire, data, told=told)


def states(wire: Wire, sequence_set: str) -> dict[int, State]:
    """Fetch what may change about these messages."""
    items = ["FLAGS", *(["X-GM-LABELS"] if wire.has_capability("X-GM-EXT-1") else [])]
    return _states(wire._fetch_data(sequence_set, items))


def _changes(wire: Wire, data: list[Any], *, told: bool) -> Changes:
    gone = wire._imap.untagged_responses.pop("VANISHED", [])
    return Changes(_states(data), answers.vanished(gone, earlier=True) if told else None)


def _states(data: list[Any]) -> dict[int, State]:
    return {
        uid: State(flag_set(flags), modseq, label_set(labels))
        for uid, (flags, modseq, labels) in answers.states(data).items()
    }


def flag_set(value: Any) -> frozenset[str]:
    r"""Return flags as text, without `\\Recent`: that is about the session, not about the message."""
    if not isinstance(value, tuple):
        return frozenset()
    return frozenset(
        (flag.decode("latin-1") if isinstance(flag, bytes) else str(flag)).replace("\0", "")[:128]
        for flag in value
        if flag != b"\\Recent"
    )


def label_set(value: Any) -> tuple[str, ...] | None:
    """Return Gmail's labels decoded and in order; None where the server said nothing of them."""
    if value is None:
        return None
    spelled: Iterable[Any] = value if isinstance(value, tuple) else (value,)
    return tuple(sorted({text for text in map(names.label, spelled) if text}))
