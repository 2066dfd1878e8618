"""The MIME tree as plain parts: fast-mail-parser first, the stdlib where it is wrong.

The stdlib (compat32, its default, never policy.default: 55 times slower and it raises on real mail)
takes over when fast-mail-parser raises (bad base64, a header starting with a space) or
when a part's header is not ASCII after its decoding: it decodes encoded words and
8-bit octets before the declared charset can be asked, and reports no raw octets.
It also turns the line ends of quoted-printable attachments into CRLF, leaves uuencode
alone, drops 8-bit octets from quoted-printable, loses the text of a multipart without parts, and takes any line with a colon as a
field; each goes to the stdlib or is mended here. The stdlib's one loss: the octets of an
embedded message are written anew, so their size may differ. Does not choose a body or name attachments.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any, cast

import fast_mail_parser

from mailcrm.services.mail.parse.charsets import decode_bytes, is_wide
from mailcrm.services.mail.parse.headers import header_text, loose_base64, parameters
from mailcrm.services.mail.parse.values import MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_PARTS, UnparsableMessage

_MAX_BOUNDARY_LINES = 20_000  # for the stdlib only: it is slow on floods of parts
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n", re.MULTILINE)
_KEPT = (
    "content-type",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-location",
    "subject",
)


@dataclass(slots=True)
class Part:
    """One node. `content` is transfer-decoded; b'' for a multipart."""

    content_type: str  # lower-cased, text/plain where none could be read
    params: dict[str, str]
    disposition: str  # '' when absent
    disposition_params: dict[str, str]
    content_id: str
    subject: str  # of a message inside message/rfc822, else ''
    content: bytes
    children: list[Part] = field(default_factory=list["Part"])
    consumed: bool = False  # it wraps or signs the rest (wrapped.py): not a file of its own

    @property
    def is_multipart(self) -> bool:
        """Whether it only holds others: multipart/* with at least one child."""
        return self.content_type.startswith("multipart/") and bool(self.children)

    def walk(self) -> Iterator[Part]:
        """Yield the node and all below it, depth first; embedded messages stay closed."""
        stack: list[Part] = [self]
        while stack:
            part = stack.pop()
            yield part
            if part.is_multipart:
                stack.extend(reversed(part.children))


def parse_tree(raw: bytes, *, clean_header: bool = True) -> Part:
    """Return the root part; the stdlib's where the header did not end well. Raises UnparsableMessage at a cap or when both parsers fail."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise UnparsableMessage("quarantine.too_large", most=MAX_MESSAGE_BYTES // 1024**2)
    tree = fast_tree(raw) if clean_header else None
    if tree is None or not any(part.content.strip() for part in tree.walk()):
        return stdlib_tree(raw)
    return tree


def fast_tree(raw: bytes) -> Part | None:
    """Parse with fast-mail-parser; None where the stdlib has to look."""
    try:
        root = fast_mail_parser.parse_email_tree(raw, mode="lazy")
    except fast_mail_parser.ParseError:
        return None
    return _from_fast(root, 0, _Budget(), raw.isascii())


def stdlib_tree(raw: bytes) -> Part:
    """Parse with the stdlib. Raises UnparsableMessage for whatever it raises."""
    if raw.count(b"\n--") > _MAX_BOUNDARY_LINES:
        raise UnparsableMessage("quarantine.parts")
    try:
        return _from_stdlib(message_from_bytes(raw), 0, _Budget())
    except UnparsableMessage:
        raise
    except RecursionError as error:
        raise UnparsableMessage("quarantine.nested") from error
    except Exception as error:  # the stdlib raises a dozen kinds on hostile input
        raise UnparsableMessage("quarantine.unreadable", kind=type(error).__name__) from error


class _Budget:
    def __init__(self) -> None:
        self.parts = 0

    def take(self, depth: int) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise UnparsableMessage("quarantine.more_parts", most=MAX_PARTS)
        if depth > MAX_DEPTH:
            raise UnparsableMessage("quarantine.deeper", most=MAX_DEPTH)


def _from_fast(node: fast_mail_parser.PyLazyMimePart, depth: int, budget: _Budget, is_ascii: bool) -> Part | None:
    budget.take(depth)
    headers: dict[str, str] = {}
    for name, values in node.headers.items():
        key = name.strip().lower()
        if key in _KEPT and values:
            if key != "subject" and not values[0].isascii():
                return None
            headers.setdefault(key, values[0])
    children: list[Part] = []
    for child in node.children:
        part = _from_fast(child, depth + 1, budget, is_ascii)
        if part is None:
            return None
        children.append(part)
    try:
        content = node.content or b""
    except fast_mail_parser.ParseError:
        return None
    part = _part(headers, children)
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    is_text = is_ascii and part.content_type.startswith("text/") and not is_wide(part.params.get("charset"))
    if encoding == "quoted-printable" and not is_text:
        return None
    if part.content_type.startswith("multipart/") and not children:
        return None
    if encoding not in ("base64", "quoted-printable"):
        content = decode_transfer(content, encoding)
    part.content = content
    return part


def _from_stdlib(node: Any, depth: int, budget: _Budget) -> Part:
    budget.take(depth)
    headers: dict[str, str] = {}
    for name, value in node.raw_items():
        key = name.strip().lower()
        if key in _KEPT:
            octets = str(value).encode("ascii", "surrogateescape")
            line = b"".join(octets.splitlines())
            headers.setdefault(key, header_text(line) if key == "subject" else decode_bytes(line, None).strip())
    # Without this header get_payload(decode=True) returns the octets as they came;
    # decode=False would decode 8-bit text with the declared charset.
    del node["content-transfer-encoding"]
    payload = node.get_payload()
    inner = cast("list[Any]", payload) if isinstance(payload, list) else []  # only of Message
    part = _part(headers, [_from_stdlib(child, depth + 1, budget) for child in inner])
    if inner and not part.is_multipart:  # message/*: the octets that the stdlib took apart
        part.content = b"\n".join(child.as_bytes() for child in inner)
    elif isinstance(payload, str):
        octets = node.get_payload(decode=True)
        part.content = decode_transfer(
            octets if isinstance(octets, bytes) else b"", headers.get("content-transfer-encoding", "")
        )
    return part


def _part(headers: dict[str, str], children: list[Part]) -> Part:
    token, params = parameters(headers.get("content-type", "text/plain"))
    disposition, disposition_params = parameters(headers.get("content-disposition", ""))
    return Part(
        content_type=_content_type(token),
        params=params,
        disposition=disposition,
        disposition_params=disposition_params,
        content_id=headers.get("content-id", ""),
        subject=headers.get("subject", ""),
        content=b"",
        children=children,
    )


def _content_type(token: str) -> str:
    """Return `type/subtype` of RFC 2045 tokens, text/plain for anything else."""
    kind, slash, sub = token.partition("/")
    sub = sub.split()[0] if sub.split() else ""
    if not slash or not re.fullmatch(r"[\w!#$&^.+-]{1,80}", kind) or not re.fullmatch(r"[\w!#$&^.+-]{1,120}", sub):
        return "text/plain"
    return f"{kind}/{sub}" if (kind + sub).isascii() else "text/plain"


def decode_transfer(content: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding, as far as it goes; unknown ones change nothing."""
    name = encoding.strip().strip('"').lower().split(" ", 1)[0].split(";", 1)[0]
    if name == "base64":
        return loose_base64(content)
    if name == "quoted-printable":
        if not any(blank in content for blank in (b" \n", b"\t\n", b" \r", b"\t\r")):
            return binascii.a2b_qp(content)
        # RFC 2045 6.7 rule 3: blanks before a line end were added on the way.
        lines = (line.rstrip(b" \t\r") + line[len(line.rstrip(b"\r")) :] for line in content.split(b"\n"))
        return binascii.a2b_qp(b"\n".join(lines))
    if name in ("x-uuencode", "uuencode", "uue", "x-uue"):
        return _uudecode(content)
    return content


def _uudecode(content: bytes) -> bytes:
    begin = _UU_BEGIN.search(content)
    if begin is None:
        return content
    out = bytearray()
    for line in content[begin.end() :].splitlines():
        if line.strip() == b"end":
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            # A broken encoder counted wrong: decode what the length octet promises.
            wanted = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
            try:
                out += binascii.a2b_uu(line[:wanted])
            except binascii.Error:
                continue
    return bytes(out)
