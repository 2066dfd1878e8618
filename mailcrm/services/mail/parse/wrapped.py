"""Takes a message out of its wrappings: opaque S/MIME signatures and TNEF, and marks what only wraps.

Works on the tree, before a body is chosen: what was inside becomes parts like any other. `consumed` parts stay listed
(their numbers are stable, they can be downloaded) but are no files of their own: signatures beside what they sign,
winmail.dat, the calendar form of an alternative. Nothing is verified or decrypted. Pure and bounded.
"""

from __future__ import annotations

from mimetypes import MimeTypes

from mailcrm.services.mail.parse.body import choose_body, part_text
from mailcrm.services.mail.parse.calendar import read_event
from mailcrm.services.mail.parse.cms import signed_content
from mailcrm.services.mail.parse.tnef import Tnef, read_tnef
from mailcrm.services.mail.parse.tree import Part, parse_tree
from mailcrm.services.mail.parse.values import MAX_CALENDAR_BYTES, UnparsableMessage, words

SIGNATURES = words(
    "application/pkcs7-signature application/x-pkcs7-signature application/pgp-signature application/pgp-encrypted"
)
SMIME = words("application/pkcs7-mime application/x-pkcs7-mime")
CALENDARS = words("text/calendar application/ics")
_TNEF = words("application/ms-tnef application/vnd.ms-tnef")
_MAX_UNWRAPPED = 3  # signatures around signatures
_TYPES = MimeTypes(())  # the library's own table, not the machine's files


def unwrap(root: Part) -> Part:
    """Return the tree with what was wrapped in it; the same tree when nothing was."""
    for _ in range(_MAX_UNWRAPPED):
        root, found = _open_signatures(root)
        if not found:
            break
    for part in root.walk():
        if part.content_type == "multipart/signed" or part.content_type == "multipart/encrypted":
            for child in part.children:
                child.consumed = child.consumed or child.content_type in SIGNATURES
        elif part.content_type == "multipart/alternative":
            for child in part.children:
                child.consumed = child.consumed or _is_event(child)  # the card shows it
    return _open_tnef(root)


def is_looked_into(content_type: str, filename: str) -> bool:
    """Whether the message itself may be in this file, however large; calendars that large are not read."""
    return content_type in SMIME | _TNEF or filename.lower() == "winmail.dat"


def _is_event(part: Part) -> bool:
    is_calendar = part.content_type in CALENDARS and len(part.content) <= MAX_CALENDAR_BYTES
    return is_calendar and read_event(part_text(part)) is not None


def _open_signatures(root: Part) -> tuple[Part, bool]:
    """Put what an opaque signature covers before the signature; both in a part of their own."""
    found = False

    def opened(part: Part) -> Part:
        nonlocal found
        if part.content_type not in SMIME or part.consumed or not part.content:
            return part
        inner = signed_content(part.content)
        if not inner:
            return part
        try:
            tree = parse_tree(inner)
        except UnparsableMessage:
            return part
        part.consumed = found = True
        return _mixed([tree, part])

    for part in list(root.walk()):
        if part.is_multipart:
            part.children = [opened(child) for child in part.children]
    return opened(root), found


def _open_tnef(root: Part) -> Part:
    envelopes = [part for part in root.walk() if _is_tnef(part)]
    if not envelopes:
        return root
    body = choose_body(root)
    empty = not body.text.strip() and body.html is None

    def opened(part: Part) -> Part:
        nonlocal empty
        if not any(part is envelope for envelope in envelopes):
            return part
        inner = read_tnef(part.content)
        if inner is None or not (inner.files or (empty and (inner.text.strip() or inner.html))):
            return part
        part.consumed = True
        made = _mixed([part, *_files(inner), *(_bodies(inner) if empty else ())])
        empty = False
        return made

    for part in list(root.walk()):
        if part.is_multipart:
            part.children = [opened(child) for child in part.children]
    return opened(root)


def _is_tnef(part: Part) -> bool:
    name = (part.disposition_params.get("filename") or part.params.get("name") or "").lower()
    return not part.is_multipart and (part.content_type in _TNEF or name == "winmail.dat")


def _files(inner: Tnef) -> list[Part]:
    made: list[Part] = []
    for file in inner.files:
        kind = file.content_type or _TYPES.guess_type(file.name)[0] or "application/octet-stream"
        part = _leaf(kind if kind.count("/") == 1 and kind.isascii() else "application/octet-stream", file.content)
        part.disposition, part.disposition_params = "attachment", {"filename": file.name}
        part.content_id = file.content_id
        made.append(part)
    return made


def _bodies(inner: Tnef) -> list[Part]:
    made: list[Part] = []
    for kind, text in (("text/plain", inner.text), ("text/html", inner.html or "")):
        if text.strip():
            part = _leaf(kind, text.encode("utf-8", "replace"))
            part.params = {"charset": "utf-8"}
            made.append(part)
    return [_multipart("multipart/alternative", made)] if made else []


def _mixed(children: list[Part]) -> Part:
    return _multipart("multipart/mixed", children)


def _multipart(kind: str, children: list[Part]) -> Part:
    part = _leaf(kind, b"")
    part.children = children
    return part


def _leaf(kind: str, content: bytes) -> Part:
    return Part(kind, {}, "", {}, "", "", content)
