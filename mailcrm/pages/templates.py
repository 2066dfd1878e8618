"""Templates: folders and list, the one being written, and how somebody would get it (design/templates.png)."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import icon_button, ink
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.editor import mail_editor
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.template_list import template_list
from mailcrm.components.template_side import template_side
from mailcrm.components.writing import file_picker, subject_fields
from mailcrm.state.i18n import tr
from mailcrm.state.template_rows import KeptRow
from mailcrm.state.templates import TemplatesState

STATE = TemplatesState
ONE = TemplatesState.current
PAUSE_MS = 180
TYPING_PAUSE_MS = 500


def templates() -> rx.Component:
    """Return the page."""
    return shell(
        rx.el.div(
            template_list(),
            rx.el.section(
                rx.cond(
                    ONE.id > 0,
                    rx.fragment(_bar(), rx.el.div(_writing(), template_side(), class_name="tpl-body")),
                    rx.cond(
                        STATE.loaded,
                        empty(
                            "layout-template", tr("No template is open"), tr("Choose one from the list, or make one.")
                        ),
                        bones(3),
                    ),
                ),
                class_name="tpl-pane",
                aria_label=tr("Template"),
            ),
            class_name="tpl",
            custom_attrs={"data-open": ONE.id > 0},
        ),
        _folder_dialog(),
        here="templates",
    )


def _bar() -> rx.Component:
    return rx.el.header(
        icon_button("arrow-left", tr("Back to the list"), on_click=STATE.close, cls="tpl-back"),
        rx.el.span(STATE.saved, class_name="dim", role="status", data_testid="template-saved"),
        rx.cond(~ONE.changeable, rx.el.span(tr("By {name}", name=ONE.owner), class_name="dim cut")),
        rx.el.span(class_name="grow"),
        rx.cond(
            ONE.changeable,
            rx.fragment(
                rx.el.select(
                    rx.el.option(tr("No folder"), value=""),
                    rx.foreach(STATE.folders, lambda each: rx.el.option(each, value=each)),
                    rx.el.option(tr("New folder…"), value="+"),
                    value=ONE.folder,
                    on_change=STATE.set_folder,
                    class_name="pick bar-pick tpl-pick",
                    aria_label=tr("Folder"),
                    data_testid="template-folder",
                ),
                rx.el.button(
                    rx.cond(ONE.shared, icon("users-round", size=14), icon("lock", size=14)),
                    rx.cond(ONE.shared, tr("Shared"), tr("Only you")),
                    type="button",
                    class_name="btn btn-line btn-sm",
                    on_click=STATE.share(~ONE.shared),
                    title=rx.cond(
                        ONE.shared,
                        tr("Everyone uses it. Click to keep it to yourself."),
                        tr("Only you use it. Click to share it."),
                    ),
                    data_testid="template-share",
                    custom_attrs={"aria-pressed": ONE.shared},
                ),
                _menu(),
            ),
        ),
        icon_button("copy", tr("Make a copy"), on_click=STATE.copy, data_testid="template-copy"),
        rx.cond(
            ONE.changeable,
            icon_button("trash-2", tr("Delete template"), on_click=STATE.delete, data_testid="template-delete"),
        ),
        ink(
            icon("pen-line"),
            rx.el.span(tr("Use in email"), class_name="not-phone"),
            on_click=STATE.use,
            aria_label=tr("Use in email"),
            data_testid="template-use",
        ),
        class_name="bar bar-line tpl-bar",
    )


def _menu() -> rx.Component:
    return rx.popover.root(
        rx.popover.trigger(icon_button("ellipsis", tr("More"), data_testid="template-more")),
        rx.popover.content(
            rx.el.div(
                _item("arrow-up", tr("Move up"), STATE.shift(-1), "template-up"),
                _item("arrow-down", tr("Move down"), STATE.shift(1), "template-down"),
                rx.cond(
                    ONE.folder != "",
                    rx.fragment(
                        _item("folder-up", tr("Move folder up"), STATE.shift_folder(-1), "folder-up"),
                        _item("folder-down", tr("Move folder down"), STATE.shift_folder(1), "folder-down"),
                        _item("folder-pen", tr("Rename folder"), STATE.ask_name("rename", ONE.folder), "folder-rename"),
                    ),
                ),
                _item("send", tr("Send a test to yourself"), STATE.send_test, "template-test"),
                class_name="col",
                style={"padding": "6px", "minInlineSize": "196px"},
            ),
            class_name="pop",
            align="end",
        ),
    )


def _item(name: str, label: Any, act: Any, testid: str) -> rx.Component:
    return rx.popover.close(
        rx.el.button(
            icon(name),
            rx.el.span(label, class_name="grow"),
            type="button",
            class_name="menu-item",
            on_click=act,
            data_testid=testid,
        )
    )


def _writing() -> rx.Component:
    return rx.el.div(
        rx.el.input(
            id="template-name",
            default_value=ONE.name,
            key=f"name-{STATE.version}",
            on_change=lambda text: STATE.change_name(text, ONE.id).debounce(TYPING_PAUSE_MS),
            on_blur=lambda text: STATE.change_name(text, ONE.id),  # before another one's name is typed
            read_only=~ONE.changeable,
            class_name="tpl-name t5",
            aria_label=tr("Name of the template"),
            dir="auto",
            max_length=120,
            data_testid="template-name",
        ),
        rx.el.div(
            rx.el.label(tr("Subject"), html_for="template-subject", class_name="dim"),
            rx.el.input(
                id="template-subject",
                default_value=ONE.subject,
                key=f"subject-{STATE.version}",
                on_change=lambda text: STATE.change_subject(text, ONE.id).debounce(TYPING_PAUSE_MS),
                on_blur=lambda text: STATE.change_subject(text, ONE.id),
                read_only=~ONE.changeable,
                class_name="b grow",
                dir="auto",
                data_testid="template-subject",
            ),
            rx.cond(ONE.changeable, subject_fields(STATE.fields, "template-subject", "template-subject-field")),
            class_name="tpl-subject",
        ),
        rx.cond(STATE.wrong != "", rx.el.div(error_line(STATE.wrong), class_name="tpl-wrong")),
        rx.cond(
            ONE.changeable,
            rx.el.div(
                mail_editor(
                    ONE.html,
                    lambda html, number: STATE.change_body(html, number, ONE.id),
                    key=STATE.version,
                    fields=STATE.fields,
                    upload_url=f"/templates/{ONE.id}/pictures",
                    pictures_url=f"/templates/{ONE.id}/pictures/",
                    draft=f"template.{ONE.id}",
                    saved=STATE.saved_body,
                ),
                class_name="tpl-editor",
            ),
            rx.el.p(
                icon("lock", size=14),
                tr("{name} and administrators change this template. Make a copy to write your own.", name=ONE.owner),
                class_name="hint tpl-wrong",
            ),
        ),
        rx.el.p(tr("Your signature is added when you use this template."), class_name="dim tpl-note"),
        rx.el.div(
            rx.cond(
                STATE.files.length() > 0,
                rx.el.ul(rx.foreach(STATE.files, _file), class_name="files", aria_label=tr("Files")),
            ),
            rx.cond(
                ONE.changeable,
                file_picker(f"/templates/{ONE.id}/files", STATE.files_changed, tr("Attach files"), "template-attach"),
            ),
            class_name="tpl-files",
        ),
        class_name="tpl-write",
    )


def _file(each: rx.Var[KeptRow]) -> rx.Component:
    return rx.el.li(
        icon("paperclip", size=14),
        rx.el.a(
            each.name,
            href=f"/templates/{ONE.id}/files/{each.n}",
            class_name="cut",
            download=True,
            dir="auto",
            reload_document=True,
        ),
        rx.el.span(each.size, class_name="dim num"),
        rx.cond(
            ONE.changeable,
            icon_button("x", tr("Remove file"), on_click=STATE.remove_file(each.n), data_testid="template-file-remove"),
        ),
        class_name="file",
        key=each.n,
    )


def _folder_dialog() -> rx.Component:
    return form_dialog(
        rx.form(
            field(
                tr("Name"),
                text_input(
                    "folder",
                    auto_focus=True,
                    max_length=120,
                    dir="auto",
                    data_testid="folder-name",
                    default_value=rx.cond(STATE.naming == "rename", STATE.folder_before, ""),
                ),
                name="folder",
            ),
            rx.cond(
                STATE.naming == "new", rx.el.p(tr("A new template is made in it."), class_name="hint"), rx.fragment()
            ),
            dialog_actions(tr("Save"), "folder-save"),
            on_submit=STATE.name_folder,
            class_name="col gap12",
        ),
        open_when=STATE.naming != "",
        on_open_change=STATE.close_naming,
        title=rx.cond(STATE.naming == "rename", tr("Rename folder"), tr("New folder")),
        text=None,
    )
