"""The attachments of the composer: chips, drop zone, progress (compose_files.jsx), and the button that adds one.

Everything goes over HTTP (endpoints/drafts.py) and lives in the browser: no state of ours takes part.
"""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.editor import FILES_ASSET, KEEPER_ASSET
from mailcrm.state.i18n import tr

#: For `rx.call_script` after the server has changed a draft's files (a template's, for example).
REFRESH = "window.mailcrmFiles?.refresh()"


class ComposeFiles(rx.NoSSRComponent):
    """The files that go along with a draft."""

    library = f"$/public{FILES_ASSET}"
    tag = "ComposeFiles"

    upload_url: rx.Var[str]
    labels: rx.Var[dict[str, str]]
    #: The mailbox it goes out from; another one may have another limit.
    mailbox: rx.Var[int]


class ComposerKeeper(rx.NoSSRComponent):
    """Opens the composer again when a restarted server has lost the tab's state; draws nothing."""

    library = f"$/public{KEEPER_ASSET}"
    tag = "ComposerKeeper"

    version: rx.Var[int]
    draft: rx.Var[int]
    place: rx.Var[str]
    on_lost: rx.EventHandler[rx.event.passthrough_event_spec(int)]


def compose_files(upload_url: Any, *, mailbox: Any, key: Any) -> rx.Component:
    """Return the list of attachments; anything dropped on the form around it is attached too."""
    labels = {
        "files": tr("Attachments"),
        "remove": tr("Remove {name}"),
        "removed": tr("{name} removed"),
        "not_removed": tr("The file could not be removed. Try again."),
        "undo": tr("Undo"),
        "again": tr("Try again"),
        "progress": tr("{sent} of {size}"),
        "room": tr("{used} of {most} MB"),
        "too_large": tr("has {size}; all files may have {most} MB. Send a link to it."),
        "lost": tr("gone from the server; attach it again"),
        "folder": tr("A folder can’t be attached. Put it into an archive first."),
        "drop_here": tr("Drop files to attach them, up to {most} MB in all"),
        "upload_failed": tr("The file did not reach the server. Try again."),
        "list_failed": tr("The attachments could not be loaded."),
    }
    return ComposeFiles.create(upload_url=upload_url, labels=labels, mailbox=mailbox, key=key)


def attach_button() -> rx.Component:
    """Return the paper clip of the composer's footer."""
    return icon_button(
        "paperclip",
        tr("Attach files"),
        on_click=rx.call_script("window.mailcrmFiles.choose()"),
        data_testid="compose-attach",
    )
