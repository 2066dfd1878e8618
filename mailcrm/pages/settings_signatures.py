"""Settings › Email sync › Signatures: the texts, what each mailbox begins with, how it looks (M08)."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.editor import mail_editor
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, settings_page, sync_tabs, tick
from mailcrm.components.states import bones, empty
from mailcrm.components.writing import preview_frame
from mailcrm.state.i18n import tr
from mailcrm.state.signatures import MailboxRow, SignatureRow, SignaturesState

STATE = SignaturesState
ONE = SignaturesState.current
TYPING_PAUSE_MS = 500


def settings_signatures() -> rx.Component:
    """Return the page."""
    return settings_page(
        sync_tabs("signatures"),
        rx.cond(
            STATE.loaded,
            rx.cond(
                STATE.rows.length() > 0,
                rx.fragment(_texts(), _defaults()),
                empty(
                    "signature",
                    tr("No signatures yet"),
                    tr("Make one, and your emails end with it."),
                    button(
                        icon("plus"),
                        tr("New signature"),
                        look="ink",
                        on_click=STATE.create,
                        data_testid="signature-create-first",
                    ),
                ),
            ),
            bones(3),
        ),
        here="sync",
        title=tr("Email sync"),
        action=rx.cond(
            STATE.rows.length() > 0,
            button(icon("plus"), tr("New signature"), on_click=STATE.create, data_testid="signature-create"),
        ),
    )


def _texts() -> rx.Component:
    return rx.el.section(
        rx.el.ul(rx.foreach(STATE.rows, _row), class_name="sig-rows", aria_label=tr("Signatures")),
        rx.cond(
            ONE.id > 0,
            rx.el.div(
                rx.el.div(
                    rx.el.input(
                        id="signature-name",
                        default_value=ONE.name,
                        key=f"name-{STATE.version}",
                        on_change=lambda text: STATE.rename(text, ONE.id).debounce(TYPING_PAUSE_MS),
                        on_blur=lambda text: STATE.rename(text, ONE.id),  # before another one's name is typed
                        class_name="tpl-name t4 grow",
                        aria_label=tr("Name of the signature"),
                        dir="auto",
                        max_length=120,
                        data_testid="signature-name",
                    ),
                    rx.el.span(STATE.saved, class_name="dim t1", role="status", data_testid="signature-saved"),
                    icon_button(
                        "trash-2", tr("Delete signature"), on_click=STATE.delete, data_testid="signature-delete"
                    ),
                    class_name="row gap6 sig-head",
                ),
                error_line(STATE.wrong),
                rx.el.div(
                    mail_editor(
                        ONE.html,
                        lambda html, number: STATE.change_body(html, number, ONE.id),
                        key=STATE.version,
                        fields=STATE.fields,
                        upload_url=f"/signatures/{ONE.id}/pictures",
                        pictures_url=f"/signatures/{ONE.id}/pictures/",
                        draft=f"signature.{ONE.id}",
                        saved=STATE.saved_body,
                    ),
                    class_name="tpl-editor",
                ),
                rx.el.h3(tr("Preview"), class_name="dim t1"),
                preview_frame(STATE.preview_url, None, tr("Preview")),
                class_name="sig-write col gap12",
            ),
        ),
        class_name="sig",
    )


def _row(row: rx.Var[SignatureRow]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(row.name, class_name="b cut", dir="auto"),
            rx.el.span(row.used, class_name="dim t1 cut", dir="auto"),
            type="button",
            class_name="tpl-row grow",
            on_click=STATE.select(row.id),
            data_testid="signature-row",
            custom_attrs={"aria-current": rx.cond(row.id == ONE.id, "true", "false"), "data-id": row.id},
        ),
        icon_button("arrow-up", tr("Move up"), on_click=STATE.raise_one(row.id), disabled=row.first),
        class_name="row",
        key=row.id,
    )


def _defaults() -> rx.Component:
    return option(
        tr("Default signatures"),
        tr("Each mailbox has its own; the signature follows when you change the sender."),
        rx.cond(
            STATE.mailboxes.length() > 0,
            rx.foreach(STATE.mailboxes, _mailbox),
            rx.el.p(tr("No mailbox is connected yet."), class_name="dim"),
        ),
    )


def _mailbox(row: rx.Var[MailboxRow]) -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend(row.address, class_name="b", dir="ltr"),
        _default(row, "new", tr("New emails"), row.new),
        _default(row, "reply", tr("Replies and forwards"), row.reply),
        class_name="sig-default col gap6",
        key=row.id,
    )


def _default(row: rx.Var[MailboxRow], use: str, label: Any, value: rx.Var[str]) -> rx.Component:
    return rx.el.label(
        rx.el.span(label, class_name="grow"),
        tick(STATE.saved_default == f"{use}-{row.id}"),
        rx.el.select(
            rx.el.option(tr("No signature"), value=""),
            rx.foreach(STATE.rows, lambda each: rx.el.option(each.name, value=each.id.to_string())),
            value=value,
            on_change=lambda chosen: STATE.set_default(row.id, use, chosen),
            class_name="pick",
            data_testid=f"signature-default-{use}",
        ),
        class_name="pick-line",
    )
