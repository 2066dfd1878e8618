"""Message bodies, attachments and raw messages over HTTP, for the reading frame and for downloads.

`/m/{id}/body` answers a whole document under a policy of its own (`?remote=1` shows
remote images this once, `?theme=dark` follows the interface, `?paper=1` keeps it on white), `/m/{id}/image` one of
those images, fetched by us and never by the browser, `/m/{id}/attachments/{n}` a
file, `/m/{id}/attachments/{n}/message` an attached email to read, `/m/{id}/raw` the message as it came. Whatever a sender declares, nothing but
raster images is shown inside the browser. Absent, foreign and malformed ids answer
alike. Does not decide who may read: `services/mail/messages.py` does.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailcrm.endpoints.client import sure_address_of
from mailcrm.errors import MailcrmError, NotFound, TransientError, UserError
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.i18n import gettext, long_day, ngettext, sentence, zone
from mailcrm.services.mail import messages, own_links
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.quoting import is_forwarding
from mailcrm.services.mail.parse.values import ParsedMessage, UnparsableMessage
from mailcrm.services.mail.previews import IMAGES
from mailcrm.services.mail.remote_images import shown
from mailcrm.services.mail.remote_images.fetch import MOST_AT_ONCE, Fetched
from mailcrm.services.mail.render import Labels, RenderedBody, Theme, notice, render_body
from mailcrm.services.tracking import followed

Answer = TypeVar("Answer")
#: Threads of their own: senders' slow servers must not hold those that everything else here runs in.
_FETCHES = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="images")

_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
_SAFE_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,80}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
_NOT_ASCII = re.compile(r"[^A-Za-z0-9 ._()+-]")
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
# The parent measures the frame (allow-same-origin) and links open new tabs; no scripts, ever, beside it.
_SANDBOX = "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"


async def message_body(request: Request) -> Response:
    """Answer the document of a message's body, for the frame."""
    once = request.query_params.get("remote") == "1"
    paper = request.query_params.get("paper") == "1"
    theme: Theme = "dark" if request.query_params.get("theme") == "dark" and not paper else "light"

    def load(actor: Actor, message_id: int) -> tuple[RenderedBody, str]:
        content = messages.load_body(actor, message_id)
        if content.parsed is None:
            text = gettext(
                actor.language, "This message can’t be displayed. Download it to read it in another program."
            )
            return RenderedBody(notice(text, theme), 0, True), ""
        parts = {a.content_id: a.n for a in reversed(content.parsed.attachments) if a.content_id}
        body = render_body(
            content.parsed.html,
            content.parsed.text,
            content_hash=content.content_hash,
            remote_images=once or shown.is_chosen(actor, message_id) != "",
            attachment_url=lambda cid: f"attachments/{parts[cid]}?inline=1" if cid in parts else None,
            remote_url=shown.addresses(actor, message_id),
            theme=theme,
            labels=labels_in(actor.language),
            forwarded=is_forwarding(content.parsed.subject),
            paper=paper,
        )
        said = ngettext(actor.language, "{n} tracker blocked", "{n} trackers blocked", body.trackers)
        document = followed.marked(
            body.document,
            followed.followed(actor, message_id),
            lambda n: ngettext(actor.language, "Clicked once", "Clicked {n} times", n),
        )
        return replace(body, document=document), said if body.trackers else ""

    answer = await authorised(request, load)
    if isinstance(answer, Response):
        return answer
    body, said = answer
    facts = {
        "X-Mailcrm-Blocked-Images": str(body.blocked_images),
        "X-Mailcrm-Blocked-Trackers": str(body.trackers),
        "X-Mailcrm-Fallback": "1" if body.fallback else "0",
    }
    # The page around the frame offers remote images when some were left out; it can read this, not the headers.
    told = f'<html data-blocked="{body.blocked_images}" data-trackers="{escape(said)}"'
    return Response(body.document.replace("<html", told, 1), headers={**body_headers(), **facts})


async def remote_image(request: Request) -> Response:
    """Answer one image of a message from the network: signed for its reader, fetched by us, kept."""
    u, s = request.query_params.get("u", ""), request.query_params.get("s", "")
    found = await authorised(request, lambda actor, message_id: shown.kept(actor, message_id, u, s))
    if found is None:
        found = await authorised(request, lambda actor, message_id: shown.load(actor, message_id, u, s), _FETCHES)
    if not isinstance(found, Fetched):
        return found
    headers = {**COMMON, "Content-Type": found.content_type, "Content-Security-Policy": "default-src 'none'; sandbox"}
    headers["Cache-Control"] = "private, max-age=86400"  # its address is its reader's own
    return Response(found.content, headers=headers)


async def message_attachment(request: Request) -> Response:
    """Answer one attachment; `?inline=1` shows it when it is a raster image, else it downloads."""
    n = number(request.path_params.get("n"))
    found = await authorised(request, lambda actor, message_id: messages.load_attachment(actor, message_id, n))
    if isinstance(found, Response):
        return found
    attachment, content = found
    inline = request.query_params.get("inline") == "1" and _is_image(attachment.content_type, content)
    return _file(content, attachment.content_type, attachment.filename, inline=inline)


async def attached_message(request: Request) -> Response:
    """Answer an attached email as a document: its head and its cleaned body, under the body's own policy."""
    n = number(request.path_params.get("n"))

    def load(actor: Actor, message_id: int) -> str:
        attachment, content = messages.load_attachment(actor, message_id, n)
        if attachment.content_type != "message/rfc822":
            raise NotFound
        try:
            parsed = own_links.restored(parse_message(content))
        except UnparsableMessage:
            return notice(
                gettext(actor.language, "This message can’t be displayed. Download it to read it in another program.")
            )
        body = render_body(
            parsed.html,
            parsed.text,
            content_hash=hashlib.sha256(content).hexdigest(),
            remote_images=False,
            attachment_url=lambda _cid: None,
            labels=labels_in(actor.language),
        )
        return re.sub(r"(<body[^>]*>)", lambda tag: tag[0] + _head(actor, parsed), body.document, count=1)

    document = await authorised(request, load)
    if isinstance(document, Response):
        return document
    return Response(document, headers=body_headers())


def _head(actor: Actor, parsed: ParsedMessage) -> str:
    """The lines above an attached email: who, to whom, when, about what."""
    people = (
        ", ".join(f"{each.name} {each.address}".strip() for each in side[:20]) for side in (parsed.from_, parsed.to)
    )
    sender, to = people
    sent = parsed.sent_at
    when = long_day(actor.language, sent, datetime.now(UTC), zone(actor.time_zone)) if sent is not None else ""
    lines = (
        (gettext(actor.language, "Subject"), parsed.subject),
        (gettext(actor.language, "From"), sender),
        (gettext(actor.language, "To"), to),
        (gettext(actor.language, "Sent"), when),
        (
            gettext(actor.language, "Attachments"),
            ", ".join(each.filename for each in parsed.attachments if not each.inline),
        ),
    )
    said = "".join(f"<div><b>{escape(label)}:</b> <bdi>{escape(text)}</bdi></div>" for label, text in lines if text)
    page = "body{margin:0 auto;padding:24px;max-width:820px}.note{margin-bottom:16px}"  # it is no frame: it has a page
    return f'<style>{page}</style><div class="note">{said}</div>'


async def message_raw(request: Request) -> Response:
    """Answer the message as it was received, for download."""
    raw = await authorised(request, messages.load_raw)
    if isinstance(raw, Response):
        return raw
    return _file(raw, "message/rfc822", f"message-{request.path_params['message_id']}.eml", inline=False)


ROUTES = [
    Route("/m/{message_id}/body", message_body, methods=["GET"]),
    Route("/m/{message_id}/image", remote_image, methods=["GET"]),
    Route("/m/{message_id}/attachments/{n}", message_attachment, methods=["GET"]),
    Route("/m/{message_id}/attachments/{n}/message", attached_message, methods=["GET"]),
    Route("/m/{message_id}/raw", message_raw, methods=["GET"]),
]


async def authorised(
    request: Request, load: Callable[[Actor, int], Answer], threads: Executor | None = None
) -> Answer | Response:
    """Run `load` for the session's actor in a thread (of `threads`); a refusal is a response."""
    cookie, address = request.headers.get("cookie", ""), sure_address_of(request)
    message_id = number(request.path_params.get("message_id"))

    def work() -> Answer | Response:
        actor = sessions.actor_of_cookie(cookie, address)
        if actor is None:
            return _refusal(401, gettext("en", "You were signed out. Sign in again to go on."))
        try:
            return load(actor, message_id)
        except NotFound as error:
            return _refusal(404, gettext(actor.language, str(error)))
        except MailcrmError as error:  # what was left on the server could not be fetched
            status = 410 if isinstance(error, UserError) else 503 if isinstance(error, TransientError) else 502
            return _refusal(status, sentence(error, actor.language))

    return await asyncio.get_running_loop().run_in_executor(threads, work)


def number(text: object) -> int:
    """Read an id from a path; anything else becomes 0, which no row has."""
    value = str(text)
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def _refusal(status: int, text: str) -> Response:
    return PlainTextResponse(text, status, headers={**COMMON, "Content-Security-Policy": "default-src 'none'; sandbox"})


def labels_in(language: str) -> Labels:
    """Return the words in a body's document."""
    return Labels(
        quote=gettext(language, "Quoted text"),
        fallback=gettext(
            language, "This message is shown as plain text, because its formatting can’t be displayed safely."
        ),
        cut=gettext(language, "The rest of this message is too long to show. Download it to read it all."),
    )


def body_headers() -> dict[str, str]:
    """Return the headers of a body's document: its policy is the second wall behind the cleaner."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; img-src 'self' data:; form-action 'none'; "
        f"base-uri 'none'; frame-ancestors 'self'; {_SANDBOX}"
    )
    return {**COMMON, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}


def _is_image(content_type: str, content: bytes) -> bool:
    """Whether the bytes are the raster image that the sender declares."""
    return content_type in IMAGES and content.startswith(_MAGIC[content_type])


def _file(content: bytes, content_type: str, filename: str, *, inline: bool) -> Response:
    kind = content_type if inline or _SAFE_TYPE.fullmatch(content_type) else "application/octet-stream"
    if not inline and (kind.startswith("text/") or "html" in kind or "xml" in kind or "script" in kind):
        kind = "application/octet-stream"  # never a document of this origin, whatever opens it
    return Response(
        content,
        headers={
            **COMMON,
            "Content-Type": kind,
            "Content-Disposition": disposition(filename, inline=inline),
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


def disposition(filename: str, *, inline: bool) -> str:
    """Return a Content-Disposition value that no file name can break out of (RFC 6266, RFC 8187)."""
    plain = _NOT_ASCII.sub("_", filename)[:120] or "attachment"
    exact = quote(filename.encode("utf-8", "replace")[:600], safe="")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
