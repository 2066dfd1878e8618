"""Finds the message that somebody forwarded: attached whole (message/rfc822), or written below a block of header lines.

Pure. What was attached is the original's bytes. What was written is built anew from what the block says (author,
recipients, date, subject), the text, the HTML and the files below it. Its Message-ID is what the forward answers to:
Gmail, Outlook and Apple Mail write the forwarded message's into In-Reply-To or References, so that it merges with the
copy in a mailbox. What the user wrote above it is told beside it: the message itself stays what its author sent.
"""

from __future__ import annotations

import hashlib
import html as markup
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mailcrm.services.mail.outbox.build import File, Mail, Unbuildable, build
from mailcrm.services.mail.outbox.mime_headers import is_message_id
from mailcrm.services.mail.parse.addresses import addresses_of_text
from mailcrm.services.mail.parse.message import attachment_contents
from mailcrm.services.mail.parse.text import text_of_html
from mailcrm.services.mail.parse.values import Address, ParsedMessage
from mailcrm.services.smart_bcc import forms
from mailcrm.services.smart_bcc.dates import read_date
from mailcrm.services.smart_bcc.forms import Block

MOST = 20  # attached messages of one forward
_BREAKS = re.compile(r"(?:<br[^<>]{0,40}>\s{0,9}){1,20}", re.IGNORECASE)
MOST_WORDS = 4_000  # characters of the user's own that are shown beside the message
MOST_DEPTH = 40  # elements around the block of header lines; programs write under 15
MOST_HTML = 2_000_000  # characters; longer HTML is left out, and its text kept


@dataclass(frozen=True, slots=True)
class Original:
    """A message that was forwarded: its bytes, and how it was found: "attached" or "below".

    `words`: what the user wrote above, without their signature; the same for each of several.
    """

    raw: bytes
    how: str
    words: str = ""


def find(raw: bytes, parsed: ParsedMessage, zone: tzinfo) -> tuple[Original, ...]:
    """Return what was forwarded in this message, nothing where it is no forward. `zone`: of dates that tell none."""
    # Words below an announced block come first: messages attached to those are files that their author chose, and would
    # have others say what they never said.
    attached = _attached(raw)
    announced = forms.find_block(parsed.text.split("\n"))
    if not attached or (announced is not None and announced.announced):
        built = _below(raw, parsed, zone)
        if built:
            return (Original(built, "below", _words_of(parsed, announced)),)
    words = _words_of(parsed, None)
    return tuple(Original(each, "attached", words) for each in attached)


def _words_of(parsed: ParsedMessage, block: Block | None) -> str:
    """What the user wrote: everything above the block, up to a signature (RFC 3676 4.3)."""
    lines = parsed.text.split("\n")[: block.start if block is not None else None]
    ends = next((i for i, line in enumerate(lines) if line.rstrip("\r") in ("-- ", "--")), len(lines))
    return "\n".join(line.rstrip() for line in lines[:ends]).strip()[:MOST_WORDS]


def _attached(raw: bytes) -> list[bytes]:
    found: list[bytes] = []
    for attachment, content in attachment_contents(raw):
        name = attachment.filename.lower()
        is_file = name.endswith(".eml") and attachment.content_type in ("application/octet-stream", "text/plain")
        is_message = attachment.content_type == "message/rfc822" or is_file
        if is_message and b":" in content[:1000] and len(found) < MOST:
            found.append(content)
    return found


def _below(raw: bytes, parsed: ParsedMessage, zone: tzinfo) -> bytes | None:
    lines = parsed.text.split("\n")
    block = forms.find_block(lines)
    if block is None:
        return None
    author = _people(block.fields["from"])
    if not author:
        return None
    quoted = block.announced and lines[block.start + 1 :][:1] and _is_quoted(lines[block.start + 1 : block.end])
    below = [forms.bare(line) if quoted else line for line in lines[block.end :]]
    text = "\n".join(below).strip("\n")
    sent_at = read_date(block.fields.get("date", ""), zone) or parsed.sent_at
    if sent_at is None:
        return None
    html = _html_below(parsed.html or "", block) or _as_html(text)
    mail = Mail(
        message_id=_name_of(parsed, block, sent_at),
        at=sent_at,
        sender=_pair(author[0]),
        to=tuple(map(_pair, _people(block.fields.get("to", "")))),
        cc=tuple(map(_pair, _people(block.fields.get("cc", "")))),
        subject=block.fields.get("subject", ""),
        html=html,
        files=_files(raw),
    )
    try:
        return build(mail)
    except (Unbuildable, ValueError):
        return None


def _name_of(parsed: ParsedMessage, block: Block, sent_at: datetime) -> str:
    """The Message-ID of what was forwarded, else one made of what is known of it: the same for every forward of it."""
    answered = parsed.in_reply_to or (parsed.references[-1] if parsed.references else "")
    if answered and is_message_id(answered):
        return answered
    known = "\n".join((block.fields["from"], block.fields.get("subject", ""), sent_at.isoformat()))
    return f"{hashlib.sha256(known.encode()).hexdigest()[:40]}@forwarded.invalid"


def _is_quoted(lines: Iterable[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    return bool(filled) and all(line.lstrip()[:1] in (">", "＞") for line in filled)


def _people(text: str) -> tuple[Address, ...]:
    """Read a list of people as programs write it: with commas or semicolons, also "Name [mailto:a@b]"."""
    text = text.replace("[mailto:", "<").replace("]", ">" if "[mailto:" in text else "]").replace("、", ",")
    read = addresses_of_text(text.replace(";", ","))
    return tuple(each for each in read if each.address)


def _pair(person: Address) -> tuple[str, str]:
    return person.name, person.address


def _files(raw: bytes) -> tuple[File, ...]:
    return tuple(
        File(each.filename, each.content_type, content, each.content_id)
        if not each.content_type.startswith("message/")
        else File(each.filename or "message.eml", "application/octet-stream", content)  # which may be encoded
        for each, content in attachment_contents(raw)
        if not each.content_type.startswith("multipart/")
    )


def _as_html(text: str) -> str:
    paragraphs = (markup.escape(each).replace("\n", "<br>") for each in text.split("\n\n"))
    return "".join(f"<p>{each}</p>" for each in paragraphs)


def _html_below(html: str, block: Block) -> str:
    """The HTML after the block of header lines, "" where it can't be told."""
    if not html or len(html) > MOST_HTML:
        return ""
    tree = LexborHTMLParser(html)
    body = tree.body
    address = (_people(block.fields["from"]) or (Address("", ""),))[0].address
    marks = [each for each in (address, _words(block.fields.get("subject", ""))) if each]
    if body is None or not marks:
        return ""
    head = _deepest(body, marks)
    if head is None:
        return ""
    pieces = _after_head(head, block) + _following(head, body)
    found = "".join(pieces).strip()
    leading = _BREAKS.match(found)
    found = found[leading.end() :] if leading else found
    return found if text_of_html(found).strip() else ""


def _deepest(node: LexborNode, marks: list[str]) -> LexborNode | None:
    """The innermost element that holds all of the block's marks: the first such, in the order of the text."""
    if not all(mark in _words(node.text()) for mark in marks):
        return None
    for _ in range(MOST_DEPTH):  # each level reads all text below it
        inner = next((child for child in _children(node) if all(mark in _words(child.text()) for mark in marks)), None)
        if inner is None:
            return node
        node = inner
    return None


def _after_head(head: LexborNode, block: Block) -> list[str]:
    """What of the innermost element comes after the block: in Apple Mail each line of it is an element beside the text."""
    children = _children(head)
    if len(children) < 3:
        return []
    wanted = [_words(value) for value in block.fields.values() if value]
    last = -1
    for i, child in enumerate(children[:30]):
        text = _words(child.text())
        if text and len(text) < 2000 and any(value and value in text for value in wanted):
            last = i
        elif text and last >= 0 and i > last + 2:
            break
    return [child.html or "" for child in children[last + 1 :]] if last >= 0 else []


def _following(head: LexborNode, body: LexborNode) -> list[str]:
    """Everything that stands after an element, up to the end of the body."""
    found: list[str] = []
    node: LexborNode | None = head
    while node is not None and node.mem_id != body.mem_id:
        beside = node.next
        while beside is not None:
            found.append(beside.html or "")
            beside = beside.next
        node = node.parent
    return found


def _children(node: LexborNode) -> list[LexborNode]:
    found: list[LexborNode] = []
    child = node.child
    while child is not None:
        found.append(child)
        child = child.next
    return found


def _words(text: str) -> str:
    return " ".join(text.split())
