"""TipTap as a Reflex component: editor.jsx beside this file does the work."""

from typing import Any

import reflex as rx

from mailcrm.state.i18n import tr

TIPTAP = "3.34.0"
_ASSET = rx.asset("editor.jsx", shared=True)


class MailEditor(rx.NoSSRComponent):
    """The rich text field; uncontrolled, so give it a new `key` for another draft."""

    library = f"$/public{_ASSET}"
    tag = "MailEditor"
    lib_dependencies: list[str] = [
        f"@tiptap/react@{TIPTAP}",
        f"@tiptap/starter-kit@{TIPTAP}",
        f"@tiptap/pm@{TIPTAP}",
        f"@tiptap/core@{TIPTAP}",
    ]

    initial_html: rx.Var[str]
    labels: rx.Var[dict[str, str]]
    autofocus: rx.Var[bool]
    on_save: rx.EventHandler[rx.event.passthrough_event_spec(str)]


def mail_editor(html: rx.Var[str], on_save: Any, *, key: Any, autofocus: Any = False) -> rx.Component:
    """Return the editor with `html` in it; `on_save` receives HTML after each pause."""
    labels = {
        "body": tr("Email text"),
        "tools": tr("Formatting"),
        "bold": tr("Bold"),
        "italic": tr("Italic"),
        "underline": tr("Underline"),
        "bullets": tr("Bulleted list"),
        "numbers": tr("Numbered list"),
        "quote": tr("Quote"),
        "link": tr("noun|Link"),
        "clear": tr("Clear formatting"),
        "address": tr("Address of the link"),
    }
    return MailEditor.create(initial_html=html, labels=labels, on_save=on_save, key=key, autofocus=autofocus)
