"""Pages beside a conversation: an email as it was sent, its text files, and a view for paper.

`/m/{id}/original` shows the headers and the source, `/m/{id}/attachments/{n}/text` a text file, `…/pdf` the first pages
of a PDF as pictures, `/m/{id}/print` and
`/print/{thread_id}` one email or a conversation with nothing folded. All are documents without scripts, under a policy of
their own; who may read is decided as for bodies (`messages.py`). Printing itself is the page around the frame's to start.
"""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailcrm import routes
from mailcrm.endpoints.messages import authorised, body_headers, labels_in, number
from mailcrm.errors import NotFound
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, long_day, zone
from mailcrm.services.mail import messages, pdf_pages, threads
from mailcrm.services.mail.parse.charsets import decode_bytes, safe_text
from mailcrm.services.mail.parse.headers import header_fields, header_text, trim_start
from mailcrm.services.mail.parse.quoting import is_forwarding
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.previews import preview_of
from mailcrm.services.mail.remote_images import shown
from mailcrm.services.mail.render import Theme, document_of, render_body
from mailcrm.services.mail.views import AddressView, MessageView

#: Threads of their own: a PDF that takes a minute must not hold those that everything else runs in.
_DRAWS = ThreadPoolExecutor(2 * pdf_pages.AT_ONCE, thread_name_prefix="pdf")
MAX_SOURCE = 600_000  # characters on the page; the whole of it is a download
MAX_TEXT = 600_000
MAX_PRINTED = 200  # emails of one conversation
_FIELDS = 12  # shown in the table, of these names
_SHOWN = (
    "message-id", "date", "from", "sender", "reply-to", "to", "cc", "subject", "return-path", "authentication-results",
    "received-spf", "list-unsubscribe",
)  # fmt: skip
_PAGE = (
    "body{margin:0}.mail{overflow:visible;contain:none}.page{max-width:860px;margin:0 auto;padding:24px}"
    "h1{font-size:17px;line-height:24px;margin:0 0 12px}table.facts{border-collapse:collapse;width:100%;margin:0 0 16px;"
    "table-layout:fixed}.facts th{width:190px;text-align:start;font-weight:500;color:#60646c;vertical-align:top;"
    "padding:3px 12px 3px 0}.facts td{padding:3px 0}pre{font:12px/18px ui-monospace,Menlo,Consolas,'Noto Sans Mono',"
    "monospace;overflow-wrap:anywhere;margin:0}pre.source{padding:12px;border-radius:8px;background:#f0f0f3}"
    "html[data-theme=dark] pre.source{background:#212225}html[data-theme=dark] .facts th{color:#b0b4ba}"
    ".down{display:inline-block;margin:0 0 16px;padding:4px 12px;border-radius:6px;background:#e8e8ec;color:#1c2024;"
    "text-decoration:none;font-weight:500}html[data-theme=dark] .down{background:#2e3135;color:#edeef0}"
    ".leaf{display:block;width:100%;height:auto;margin:0 0 12px;background:#fff;box-shadow:0 0 0 1px rgb(0 0 0/.12)}"
    "@media(max-width:600px){.page{padding:12px}.facts th{width:110px}}"
)
_DARK_PAGE = "html{background:#111113}"
_PAPER = (
    "h1{font-size:20px;line-height:26px;margin:0 0 4px}.when{color:#60646c;font-size:12px;margin:0 0 16px}"
    "section.one{border-top:1px solid #d9d9e0;padding:12px 0 16px;break-inside:auto}section.one>header{margin:0 0 10px;"
    "break-after:avoid}section.one>header p{margin:0;font-size:13px;line-height:18px}.dim{color:#60646c}"
    ".files{margin:10px 0 0;font-size:12px;color:#60646c}img,table{break-inside:avoid}summary{display:none}"
    "@page{margin:16mm}"
)


async def original(request: Request) -> Response:
    """Answer the page that shows an email as it came: its main headers, its source, and its download."""
    theme = _theme(request)

    def load(actor: Actor, message_id: int) -> str:
        raw = messages.load_raw(actor, message_id)
        source = safe_text(decode_bytes(raw[: MAX_SOURCE * 2], "utf-8"))
        cut = len(source) > MAX_SOURCE or len(raw) > MAX_SOURCE * 2
        t = actor.language
        facts = "".join(
            f'<tr><th>{escape(name)}</th><td dir="auto">{escape(value)}</td></tr>' for name, value in _fields(raw)
        )
        said = gettext(t, "The rest is too long to show. Download it to read it all.")
        note = f'<p class="note">{escape(said)}</p>' if cut else ""
        return (
            f"<h1>{escape(gettext(t, 'Original email'))}</h1>"
            f'<a class="down" href="raw" download>{escape(gettext(t, "Download as .eml"))}</a>'
            f'<table class="facts">{facts}</table><pre class="source" dir="auto" tabindex="0">'
            f"{escape(source[:MAX_SOURCE])}</pre>{note}"
        )

    found = await authorised(request, load)
    return found if isinstance(found, Response) else _answer(_document(found, theme), "allow-downloads")


async def text_file(request: Request) -> Response:
    """Answer a text file of an email as a page; NotFound for everything that is no plain text."""
    theme, n = _theme(request), number(request.path_params.get("n"))

    def load(actor: Actor, message_id: int) -> str:
        attachment, content = messages.load_attachment(actor, message_id, n)
        if preview_of(attachment.content_type, attachment.filename) != "text":
            raise NotFound
        text = safe_text(decode_bytes(content[: MAX_TEXT * 4], None))
        cut = gettext(actor.language, "The rest is too long to show. Download it to read it all.")
        note = f'<p class="note">{escape(cut)}</p>' if len(text) > MAX_TEXT or len(content) > MAX_TEXT * 4 else ""
        return f'<pre dir="auto">{escape(text[:MAX_TEXT])}</pre>{note}'

    found = await authorised(request, load)
    return found if isinstance(found, Response) else _answer(_document(found, theme))


async def pdf_file(request: Request) -> Response:
    """Answer the first pages of a PDF file as pictures on a page; NotFound for everything else."""
    theme, n = _theme(request), number(request.path_params.get("n"))

    def load(actor: Actor, message_id: int) -> str:
        attachment, content = messages.load_attachment(actor, message_id, n)
        if preview_of(attachment.content_type, attachment.filename) != "pdf":
            raise NotFound
        drawn, t = pdf_pages.draw(content), actor.language
        if not drawn.pages:
            said = gettext(t, "This file can’t be shown. Download it to open it.")
        elif len(drawn.pages) < drawn.count:
            shown_now = {"shown": len(drawn.pages), "all": drawn.count}
            said = gettext(t, "Pages 1 to {shown} of {all}. Download the file to read the rest.", **shown_now)
        else:
            said = ""
        pages = "".join(
            f'<img class="leaf" alt="{escape(gettext(t, "Page {n}", n=at))}" src="data:image/png;base64,'
            f'{b64encode(page).decode()}">'
            for at, page in enumerate(drawn.pages, 1)
        )
        return pages + (f'<p class="note">{escape(said)}</p>' if said else "")

    found = await authorised(request, load, _DRAWS)
    return found if isinstance(found, Response) else _answer(_document(found, theme))


async def printed_message(request: Request) -> Response:
    """Answer one email for paper."""

    def load(actor: Actor, message_id: int) -> str:
        thread = threads.open_thread(actor, threads.thread_of_message(actor, message_id))
        views = [each for each in thread.messages if each.id == message_id]
        if not views:  # a copy of it is what the conversation shows
            raise NotFound
        return _printed(actor, views[0].subject, views)

    found = await authorised(request, load)
    return found if isinstance(found, Response) else _answer(found, "allow-modals")


async def printed_thread(request: Request) -> Response:
    """Answer a conversation for paper, oldest email first."""

    def load(actor: Actor, thread_id: int) -> str:
        thread = threads.open_thread(actor, thread_id)
        return _printed(actor, thread.subject, list(thread.messages[-MAX_PRINTED:]))

    found = await authorised(request, load)
    return found if isinstance(found, Response) else _answer(found, "allow-modals")


ROUTES = [
    Route("/m/{message_id}/original", original, methods=["GET"]),
    Route("/m/{message_id}/print", printed_message, methods=["GET"]),
    Route("/m/{message_id}/attachments/{n}/text", text_file, methods=["GET"]),
    Route("/m/{message_id}/attachments/{n}/pdf", pdf_file, methods=["GET"]),
    Route("/print/{message_id}", printed_thread, methods=["GET"]),
]


def _theme(request: Request) -> Theme:
    return "dark" if request.query_params.get("theme") == "dark" else "light"


def _document(body: str, theme: Theme) -> str:
    style = _PAGE + (_DARK_PAGE if theme == "dark" else "")
    return document_of(f'<style>{style}</style><div class="page">{body}</div>', theme)


def _answer(document: str, allowed: str = "") -> Response:
    headers = body_headers()
    if allowed:
        headers["Content-Security-Policy"] += f" {allowed}"  # the sandbox is the last directive
    return Response(document, headers=headers)


def _fields(raw: bytes) -> list[tuple[str, str]]:
    """The main header fields, decoded; how they were spelled stands in the source below."""
    try:
        fields, _ = header_fields(trim_start(raw))
    except UnparsableMessage:
        return []
    found = [(name, value) for name in _SHOWN for value in fields.get(name, ())[:2]]
    return [(name.title().replace("Id", "ID"), header_text(value)[:2000]) for name, value in found[:_FIELDS]]


def _printed(actor: Actor, subject: str, views: list[MessageView]) -> str:
    t = actor.language
    now = datetime.now(UTC)
    said = gettext(t, "Printed {when} from mailcrm", when=long_day(t, now, now, zone(actor.time_zone)))
    parts = "".join(_section(actor, view, now) for view in views)
    title = escape(subject or gettext(t, "(no subject)"))
    body = (
        f'<style>{_PAGE}{_PAPER}</style><title>{title}</title><div class="page"><h1 dir="auto">{title}</h1>'
        f'<p class="when">{escape(said)}</p>{parts}</div>'
    )
    return document_of(body, "light", paper=True)


def _section(actor: Actor, view: MessageView, now: datetime) -> str:
    t = actor.language
    name, address = escape(view.sender.name or view.sender.address), escape(view.sender.address)
    lines = [f'<p><b><bdi>{name}</bdi></b> <span class="dim">{address if view.sender.name else ""}</span></p>']
    for label, people in ((gettext(t, "To"), view.to), (gettext(t, "Cc"), view.cc), (gettext(t, "Bcc"), view.bcc)):
        if people:
            lines.append(
                f'<p class="dim">{escape(label)}: {", ".join(f"<bdi>{escape(_said(p))}</bdi>" for p in people[:50])}</p>'
            )
    lines.append(f'<p class="dim">{escape(long_day(t, view.at, now, zone(actor.time_zone)))}</p>')
    files = ", ".join(escape(each.filename) for each in view.attachments if not each.inline)
    below = f'<p class="files">{escape(gettext(t, "Attachments"))}: {files}</p>' if files else ""
    return f'<section class="one"><header>{"".join(lines)}</header>{_body(actor, view)}{below}</section>'


def _body(actor: Actor, view: MessageView) -> str:
    content = messages.load_body(actor, view.id)
    if content.parsed is None:
        said = gettext(actor.language, "This message can’t be displayed. Download it to read it in another program.")
        return f'<p class="note">{escape(said)}</p>'
    parts = {a.content_id: a.n for a in reversed(content.parsed.attachments) if a.content_id}
    ours = shown.addresses(actor, view.id)
    body = render_body(
        content.parsed.html,
        content.parsed.text,
        content_hash=content.content_hash,
        remote_images=shown.is_chosen(actor, view.id) != "",
        attachment_url=lambda cid: f"attachments/{parts[cid]}?inline=1" if cid in parts else None,
        remote_url=lambda url: routes.message_part(view.id, ours(url)),
        labels=labels_in(actor.language),
        forwarded=is_forwarding(content.parsed.subject),
        whole=True,
    ).body
    # What is cleaned is kept for all copies of a content, so it names its pictures relative to the message's own path.
    return body.replace('src="attachments/', f'src="{routes.message_part(view.id, "attachments/")}')


def _said(person: AddressView) -> str:
    return f"{person.name} <{person.address}>" if person.name else person.address
