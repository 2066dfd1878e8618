"""Fetches large messages without their large attachments, and without ever holding a message in memory whole.

    RFC822.SIZE > LARGE ─▶ structure ─▶ large parts that are files? ─ yes ─▶ header and small parts: a message whose
                               │ nonsense        │ no                        large parts hold a mark; each is fetched
                               ▼                 ▼                           when it is opened (services/mail/absent.py)
                            the whole message, piece by piece into the blob store; parsed without its large files
                            (thin.py), or its first HEAD bytes where it has no parts

A partial message's raw bytes are made here from the server's own header and parts; its size is the server's. The mark
is made from the header, so that the same message always has the same bytes. Whether the parts that were put together
read as meant is tried at once: if not, the whole message is fetched.
Network and files, no database. RFC 3501 §6.4.5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from mailcrm.services.mail import blobs
from mailcrm.services.mail.imap.client import MAX_MESSAGE, RemoteMessage, RemoteMeta, Unfetchable
from mailcrm.services.mail.imap.structure import Section
from mailcrm.services.mail.parse.message import attachment_contents, parse_for_list, readable
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.mail.parse.wrapped import is_looked_into
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync import thin

LARGE = 10 * 1024 * 1024  # bytes: of 1,000 messages some 5 are larger; eight of them fit a worker's memory
PART = 5 * 1024 * 1024  # bytes as transferred: an attachment above this stays on the server until it is opened
HEAD = 3 * 1024 * 1024  # bytes of a message without parts that are kept in memory while it streams by
_MAX_HEADER = 1024 * 1024  # of all headers together; a real one has 20 KB

_FIELD = re.compile(rb"(?im)^content-transfer-encoding[ \t]*:.*\r?\n(?:[ \t].*\r?\n)*")
_FULL_LINE = 78  # octets of a full base64 line with its CRLF, 57 octets of content


@dataclass(frozen=True, slots=True)
class LargeMessage:
    """A large message that is in the blob store already, read as far as it is here. `size` is the server's."""

    uid: int
    flags: frozenset[str]
    internal_date: datetime | None
    sha: str
    size: int
    parsed: ParsedMessage | None
    broke: str = ""  # the parser's exception, where there is no `parsed`: a hole of ours


Fetched = RemoteMessage | Unfetchable | LargeMessage


def fetch(
    connection: MailConnection,
    uids: Sequence[int],
    meta: dict[int, RemoteMeta],
    following: Sequence[Sequence[int]] = (),
) -> Iterator[Fetched]:
    """Fetch a batch: large messages each by itself, the others together. `following` are the next batches."""
    large = [uid for uid in uids if uid in meta and LARGE < meta[uid].size <= MAX_MESSAGE]
    # Where a message is large, something else is asked in between.
    following = () if large else [*takewhile(lambda part: all(meta[uid].size <= LARGE for uid in part), following)]
    yield from connection.fetch_raw([uid for uid in uids if uid not in large], meta=meta, following=following)
    for uid in large:
        found = fetch_partial(connection, meta[uid]) or fetch_whole(connection, meta[uid])
        if found is not None:
            yield found


def fetch_partial(connection: MailConnection, meta: RemoteMeta) -> LargeMessage | None:
    """Fetch a message without its large files; None when it has none, or when its structure can't be relied on."""
    root = connection.fetch_structure(meta.uid)
    if root is None:
        return None
    leaves = list(root.leaves())
    absent = [leaf for leaf in leaves if _is_absent(leaf, first=leaf is leaves[0])]
    present = [leaf for leaf in leaves if leaf not in absent]
    if not absent or sum(leaf.size for leaf in present) > LARGE:
        return None
    wanted = ["HEADER", *(leaf.number for leaf in present), *(f"{s.number}.MIME" for s in _below(root))]
    found = connection.fetch_sections(meta.uid, wanted)
    if len(found) != len(set(wanted)) or sum(map(len, found.values())) > LARGE + _MAX_HEADER:
        return None
    marks = {leaf.number: mark_of(found["HEADER"], leaf.number) for leaf in absent}
    raw = _assembled(root, found, marks)
    if raw is None:
        return None
    parsed = with_sections(raw, {marks[leaf.number]: leaf for leaf in absent})
    if parsed is None:
        return None
    return LargeMessage(meta.uid, meta.flags, meta.internal_date, blobs.put(raw), meta.size, parsed)


def fetch_whole(connection: MailConnection, meta: RemoteMeta) -> LargeMessage | Unfetchable | None:
    """Stream a message into the blob store; None when the server hands nothing out (the message is gone)."""
    head, thinner = bytearray(), thin.Thinner()
    with blobs.Writer() as writer:
        for piece in connection.fetch_pieces(meta.uid):
            writer.write(piece)
            head += piece[: max(HEAD - len(head), 0)]
            thinner.feed(piece)
            if writer.size > MAX_MESSAGE:
                return Unfetchable(meta.uid, "too_large")
        if not writer.size:
            return None
        sha = writer.close()
    parsed, broke = None, ""
    try:
        if len(readable(bytes(head))) < len(head):
            parsed = parse_for_list(readable(bytes(head)))  # one long text
        elif (left := thinner.close()) is not None:
            parsed = thin.sized(*left)
        if parsed is None:
            parsed = parse_for_list(readable(blobs.get(sha)))
    except Exception as error:  # a hole in the parser: this message waits, the others go on
        broke = type(error).__name__
    return LargeMessage(meta.uid, meta.flags, meta.internal_date, sha, writer.size, parsed, broke)


def with_sections(raw: bytes, absent: dict[str, Section]) -> ParsedMessage | None:
    """Parse an assembled message and tell its attachments what they stand for; None unless each was found once."""
    named: dict[int, Section] = {}
    try:
        parsed = parse_for_list(raw)
        for attachment, content in attachment_contents(raw):
            section = absent.get(content.strip().decode("latin-1")) if len(content) < 200 else None
            if section is not None:
                named[attachment.n] = section
    except Exception:  # capped, or a hole in the parser: the whole message says which
        return None
    if len(named) != len(absent):
        return None
    if any(is_looked_into(each.content_type, each.filename) for each in parsed.attachments if each.n in named):
        return None  # the body and the files are in it
    attachments = tuple(
        replace(each, section=named[each.n].number, size=_decoded_size(named[each.n])) if each.n in named else each
        for each in parsed.attachments
    )
    return replace(parsed, attachments=attachments)


def _is_absent(leaf: Section, *, first: bool) -> bool:
    """Whether a part is a large file. A text that turns out to be body brings the whole message (`with_sections`)."""
    is_file = not first or not leaf.content_type.startswith("text/") or leaf.disposition == "attachment"
    return is_file and leaf.size > PART


def _below(root: Section) -> Iterator[Section]:
    """Yield every part that has a MIME header of its own: all but the message itself."""
    stack = list(reversed(root.children))
    while stack:
        section = stack.pop()
        yield section
        stack.extend(reversed(section.children))


def _assembled(root: Section, found: dict[str, bytes], marks: dict[str, str]) -> bytes | None:
    """Put header, MIME headers and contents together; None when a boundary is not where it should be."""
    out: list[bytes] = []

    def add(section: Section, header: bytes) -> bool:
        if section.number in marks and not section.children:
            out.append(_without_encoding(header))
            out.append(marks[section.number].encode() + b"\r\n")
            return True
        out.append(_ended(header))
        if not section.children:
            out.append(found[section.number])
            return True
        boundary = section.boundary.encode("latin-1")
        if boundary not in header:
            return False
        for child in section.children:
            out.append(b"\r\n--" + boundary + b"\r\n")
            if not add(child, found[f"{child.number}.MIME"]):
                return False
        out.append(b"\r\n--" + boundary + b"--\r\n")
        return True

    return b"".join(out) if add(root, found["HEADER"]) else None


def _ended(header: bytes) -> bytes:
    """Return a header that ends with one empty line."""
    return header.rstrip(b"\r\n") + b"\r\n\r\n"


def _without_encoding(header: bytes) -> bytes:
    """The mark is plain text, whatever the content's encoding is."""
    return _ended(_FIELD.sub(b"", header.rstrip(b"\r\n") + b"\r\n"))


def mark_of(header: bytes, number: str) -> str:
    return f"mailcrm-absent-{hashlib.sha256(header + number.encode()).hexdigest()}"


def _decoded_size(leaf: Section) -> int:
    """About how large the content is; exactly once it was fetched."""
    return leaf.size * 57 // _FULL_LINE if leaf.encoding == "base64" else leaf.size
