"""TipTap as a Reflex component: editor.jsx beside this file and its parts (editor_*.js) do the work.

Uncontrolled: what is typed lives in the browser, reaches the server through `on_save` and is confirmed through
`saved`. Python talks to the editor through `window.mailcrmEditor` (`rx.call_script`): insertHtml(html),
setSignature(id, html), insertMerge(field, label, fallback), attachImage(url, cid, alt), focus().
"""

from typing import Any

import reflex as rx

from mailcrm.components.beside import beside
from mailcrm.state.i18n import tr

TIPTAP = "3.34.0"
_ASSET = beside("editor.jsx")
# beside it, because parts import one another; the attachments of the composer share its uploads
FILES_ASSET = beside("compose_files.jsx")
KEEPER_ASSET = beside("compose_keeper.jsx")
for _part in (
    "floats.jsx",
    "guard.js",
    "nodes.js",
    "paste.js",
    "pictures.js",
    "popover.jsx",
    "save.js",
    "tools.jsx",
    "upload.js",
):
    beside(f"editor_{_part}")


def _no_fields() -> rx.Var[list[dict[str, str]]]:
    return rx.Var.create([]).to(list[dict[str, str]])


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
    #: Merge fields, each with `name`, `label` and the real `value` ("" when there is none).
    fields: rx.Var[list[Any]]
    #: Whose values these are, "" for nobody's.
    who: rx.Var[str]
    #: Where `/` on an empty line finds templates, "" for none; `on_template` gets the number of the one chosen.
    templates_url: rx.Var[str]
    #: Where pictures are posted to, "" for a text without pictures; and what a cid is appended to for showing one.
    upload_url: rx.Var[str]
    pictures_url: rx.Var[str]
    #: The draft's number, or another name for this text: of the copy that this browser keeps until it is saved.
    draft: rx.Var[Any]
    #: The number of the last save that the server confirmed.
    saved: rx.Var[int]
    #: Written without formatting; switching asks once and calls `on_plain` with the new answer.
    plain: rx.Var[bool]
    on_save: rx.EventHandler[rx.event.passthrough_event_spec(str, int)]
    on_plain: rx.EventHandler[rx.event.passthrough_event_spec(bool)]
    on_template: rx.EventHandler[rx.event.passthrough_event_spec(int)]


def mail_editor(
    html: rx.Var[str],
    on_save: Any,
    *extra_tools: rx.Component,
    key: Any,
    autofocus: Any = False,
    fields: Any = None,
    who: Any = "",
    templates_url: Any = "",
    upload_url: Any = "",
    pictures_url: Any = "",
    draft: Any = 0,
    saved: Any = 0,
    plain: Any = False,
    on_plain: Any = None,
    on_template: Any = None,
) -> rx.Component:
    """Return the editor with `html` in it; `on_save` receives the HTML and a number to confirm through `saved`.

    `extra_tools` are buttons (class `icon-btn`) that stand in the toolbar behind the merge fields.
    """
    return MailEditor.create(
        *extra_tools,
        initial_html=html,
        labels=labels(),
        on_save=on_save,
        key=key,
        autofocus=autofocus,
        fields=_no_fields() if fields is None else fields,
        who=who,
        templates_url=templates_url,
        upload_url=upload_url,
        pictures_url=pictures_url,
        draft=draft,
        saved=saved,
        plain=plain,
        **{
            name: handler
            for name, handler in (("on_plain", on_plain), ("on_template", on_template))
            if handler is not None
        },
    )


def labels() -> dict[str, Any]:
    """Return the editor's words."""
    return {
        "body": tr("Email text"),
        "tools": tr("Formatting"),
        "style": tr("Text style"),
        "small": tr("Small"),
        "normal": tr("Normal"),
        "large": tr("Large"),
        "huge": tr("Very large"),
        "title": tr("Title"),
        "heading": tr("Heading"),
        "code_block": tr("Code block"),
        "bold": tr("Bold"),
        "italic": tr("Italic"),
        "underline": tr("Underline"),
        "strike": tr("Strikethrough"),
        "code": tr("Code"),
        "colour": tr("Colour"),
        "text_colour": tr("Text colour"),
        "highlight": tr("Highlight"),
        "black": tr("Black"),
        "grey": tr("Grey"),
        "red": tr("Red"),
        "amber": tr("Amber"),
        "green": tr("Green"),
        "teal": tr("Teal"),
        "blue": tr("Blue"),
        "purple": tr("Purple"),
        "none": tr("No highlight"),
        "yellow": tr("Yellow"),
        "lime": tr("Lime"),
        "sky": tr("Sky blue"),
        "pink": tr("Pink"),
        "bullets": tr("Bulleted list"),
        "numbers": tr("Numbered list"),
        "quote": tr("Quote"),
        "direction": tr("Right to left"),
        "link": tr("noun|Link"),
        "address": tr("Address of the link"),
        "link_text": tr("Text to show"),
        "bad_link": tr("That isn’t an address a link can go to. Check it."),
        "remove_link": tr("Remove link"),
        "save": tr("Save"),
        "picture": tr("Insert picture"),
        "picture_gone": tr("This picture is gone. Insert it again."),
        "upload_failed": tr("The file did not reach the server. Try again."),
        "merge": tr("Merge fields"),
        "find_field": tr("Find a field"),
        "no_field": tr("No such field"),
        "field_empty": tr("no value"),
        "preview_uses": tr("Preview uses {name}"),
        "templates": tr("Templates"),
        "no_template": tr("No template has these words"),
        "no_templates": tr("No templates yet"),
        "new_template": tr("New template"),
        "templates_failed": tr("Couldn’t load this list"),
        "set_fallback": tr("click to set a fallback"),
        "fallback": tr("Text when there is no value"),
        "remove_field": tr("Remove field"),
        "table": tr("Table"),
        "table_size": tr("{rows} × {columns} table"),
        "table_hint": tr("Size of the table: arrow keys, then Enter"),
        "row_above": tr("Insert row above"),
        "row_below": tr("Insert row below"),
        "column_before": tr("Insert column before"),
        "column_after": tr("Insert column after"),
        "header_row": tr("Header row"),
        "merge_cells": tr("Merge or split cells"),
        "delete_row": tr("Delete row"),
        "delete_column": tr("Delete column"),
        "delete_table": tr("Delete table"),
        "more": tr("More formatting"),
        "align_left": tr("Align left"),
        "align_center": tr("Centre"),
        "align_right": tr("Align right"),
        "undo": tr("Undo"),
        "redo": tr("Redo"),
        "plain": tr("Plain text"),
        "clear": tr("Clear formatting"),
        "ask_file": tr("Did you mean to attach a file?"),
        "attach": tr("Attach a file"),
        "send_anyway": tr("Send anyway"),
        "waiting": tr("It will be sent when the files are uploaded."),
        "too_long": tr("This text is too long to be saved. Shorten it, or attach it as a file."),
        "upload_open": tr("A picture did not reach the server. Remove it or insert it again, then send."),
        "ask_left": tr("This browser has a text from {when} that the server never got."),
        "use_left": tr("Use it"),
        "drop_left": tr("Discard it"),
        "ask_plain": tr("Plain text has no formatting, pictures or tables."),
        "use_plain": tr("Use plain text"),
        "keep_rich": tr("Keep formatting"),
        "close": tr("Close"),
    }
