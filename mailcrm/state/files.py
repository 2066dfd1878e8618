"""From an attachment's view to its row. Pure, as present.py."""

from dataclasses import dataclass
from typing import Any

from mailcrm import routes
from mailcrm.services import i18n
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.previews import preview_of


@dataclass(frozen=True)
class FileRow:
    """An attachment."""

    name: str
    head: str
    tail: str
    size: str
    href: str
    key: str
    n: int
    on_server: bool
    message: str
    preview: str = ""  # image, text or pdf, for what can be looked at in the page
    view: str = ""


def file_row(message_id: int, view: Any, eyes: Any) -> FileRow:
    """Return a file of a message card; a long name is cut in the middle, so that its type stays in sight."""
    name = view.filename or gettext(eyes.language, "Unnamed file")
    preview = "" if view.on_server else preview_of(view.content_type, view.filename)
    cut = max(len(name) - 8, 0) if len(name) > 20 else len(name)
    return FileRow(
        name=name,
        head=name[:cut],
        tail=name[cut:],
        size=i18n.format_size(view.size, eyes.language),
        href=routes.attachment(message_id, view.n),
        key=f"{message_id}-{view.n}",
        n=view.n,
        on_server=view.on_server,
        preview=preview,
        view={
            "image": routes.attachment(message_id, view.n) + "?inline=1",
            "text": routes.text_file(message_id, view.n),
            "pdf": routes.pdf_file(message_id, view.n),
        }.get(preview, ""),
        message=routes.attached_message(message_id, view.n) if view.content_type == "message/rfc822" else "",
    )
