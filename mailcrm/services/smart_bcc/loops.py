"""Which mail nobody wrote to be kept: bounces, automatic answers, lists, and what goes in circles. Pure.

It is ignored with its reason, and nothing is ever sent in answer to any mail.
"""

from __future__ import annotations

from mailcrm.services.mail.outbox.mime_headers import MARK
from mailcrm.services.mail.parse.headers import header_fields, header_text
from mailcrm.services.mail.parse.values import ParsedMessage

MOST_HOPS = 50  # Received fields; RFC 5321 6.3 asks for a limit of at least 100 in all, real mail has under 20


def why_ignored(raw: bytes, parsed: ParsedMessage, mail_from: str | None) -> str:
    """Return the code of the reason to ignore a message, "" for none; `mail_from` None: the envelope is not known."""
    fields, _ = header_fields(raw)
    if MARK.lower() in fields:
        return "smart_bcc.own_mail"
    if len(fields.get("received", ())) > MOST_HOPS:
        return "smart_bcc.loop"
    if mail_from == "" or header_text(next(iter(fields.get("return-path", ())), b"")).strip() == "<>":
        return "smart_bcc.bounce"
    if parsed.auto_submitted:
        return "smart_bcc.automatic"
    precedence = header_text(next(iter(fields.get("precedence", ())), b"")).strip().lower()
    if parsed.list_id or precedence in ("bulk", "list", "junk"):
        return "smart_bcc.list"
    return ""
