"""Settings › Webhooks: programs that are told when a tracked email is opened, clicked or answered (B14)."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog, question
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.webhooks import DeliveryRow, WebhookRow, WebhooksState

STATE = WebhooksState


def settings_webhooks() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.el.p(
            tr("Programs of yours that are told of events of email that you may see. They get ids and times, no text."),
            " ",
            rx.el.a(tr("REST documentation"), href="/api/v1/docs", class_name="link", reload_document=True),
            class_name="dim",
        ),
        rx.cond(
            STATE.loaded,
            rx.cond(
                STATE.rows.length() > 0,
                rx.el.ul(rx.foreach(STATE.rows, _webhook), class_name="col gap12"),
                empty("webhook", tr("No webhooks yet"), tr("Add one with the address that your program listens at.")),
            ),
            bones(3),
        ),
        _form(),
        _secret(),
        question(
            open_when=STATE.deleting > 0,
            on_open_change=STATE.close_delete,
            title=tr("Delete this webhook?"),
            text=tr("Its log goes with it, and what waits to be sent."),
            label=tr("Delete"),
            on_confirm=STATE.delete,
            testid="webhook-delete-yes",
        ),
        here="webhooks",
        title=tr("Webhooks"),
        action=button(tr("Add a webhook"), look="ink", on_click=STATE.ask(True), data_testid="webhook-add"),
    )


def _webhook(row: rx.Var[WebhookRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.div(
                rx.el.p(row.url, class_name="b cut", dir="ltr", title=row.url),
                rx.el.p(
                    rx.cond(row.opened, rx.el.span(icon("eye", size=14), tr("Opens"), class_name="row gap4")),
                    rx.cond(
                        row.clicked,
                        rx.el.span(icon("mouse-pointer-click", size=14), tr("Clicks"), class_name="row gap4"),
                    ),
                    rx.cond(row.replied, rx.el.span(icon("reply", size=14), tr("Answers"), class_name="row gap4")),
                    rx.cond(
                        row.active,
                        rx.cond(row.last != "", rx.el.span(tr("Last delivered {when}", when=row.last))),
                        rx.cond(
                            row.failed,
                            rx.el.span(
                                icon("triangle-alert", size=14),
                                tr("Switched off after failures"),
                                class_name="row gap4 bad",
                            ),
                            rx.el.span(tr("Switched off")),
                        ),
                    ),
                    class_name="row gap12 t1 dim wrap",
                ),
                class_name="col grow",
                style={"minInlineSize": "0"},
            ),
            rx.switch(
                checked=row.active,
                on_change=lambda on: STATE.switch(row.id, on),
                size="1",
                aria_label=tr("Deliver to {url}", url=row.url),
                data_testid="webhook-active",
            ),
            button(
                tr("noun|Log"),
                size="btn-sm",
                on_click=STATE.show_log(row.id),
                custom_attrs={"aria-expanded": STATE.open_id == row.id},
                data_testid="webhook-log",
            ),
            rx.dropdown_menu.root(
                rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More actions"), data_testid="webhook-menu")),
                rx.dropdown_menu.content(
                    rx.dropdown_menu.item(
                        tr("Send a test event"), on_select=STATE.test(row.id), data_testid="webhook-test"
                    ),
                    rx.dropdown_menu.item(
                        tr("Make a new secret"), on_select=STATE.renew(row.id), data_testid="webhook-renew"
                    ),
                    rx.dropdown_menu.item(
                        tr("Delete"), color="red", on_select=STATE.ask_delete(row.id), data_testid="webhook-delete"
                    ),
                    align="end",
                ),
            ),
            class_name="row gap12",
        ),
        rx.cond(STATE.open_id == row.id, _log()),
        class_name="ledger-box",
        style={"padding": "12px 14px"},
        key=row.id,
        data_testid="webhook",
    )


def _log() -> rx.Component:
    return rx.cond(
        STATE.log.length() > 0,
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(tr("Event")),
                    rx.el.th(tr("When")),
                    rx.el.th(tr("Tries")),
                    rx.el.th(tr("noun|Answer")),
                    rx.el.th(rx.el.span(tr("Send again"), class_name="sr")),
                )
            ),
            rx.el.tbody(rx.foreach(STATE.log, _line)),
            class_name="table",
        ),
        rx.el.p(tr("Nothing was sent yet. The log keeps 30 days."), class_name="dim t1"),
    )


def _line(row: rx.Var[DeliveryRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.kind, dir="ltr"),
        rx.el.td(row.at, class_name="num"),
        rx.el.td(row.tries, class_name="num"),
        rx.el.td(
            rx.match(
                row.state,
                ("delivered", rx.el.span(icon("check", size=14), row.answer, class_name="row gap4")),
                ("failed", rx.el.span(icon("x", size=14), row.answer, class_name="row gap4 bad")),
                rx.cond(
                    row.next != "",
                    rx.el.span(row.answer, " ", tr("Next try {when}.", when=row.next)),
                    rx.el.span(tr("Waits to be sent"), class_name="dim"),
                ),
            )
        ),
        rx.el.td(
            rx.cond(
                row.state == "failed",
                button(tr("Send again"), size="btn-sm", on_click=STATE.retry(row.id), data_testid="webhook-retry"),
            )
        ),
        key=row.id,
        data_testid="webhook-delivery",
    )


def _form() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Address"),
                text_input(
                    "webhook_url",
                    type="url",
                    required=True,
                    placeholder="https://example.com/hook",
                    dir="ltr",
                    data_testid="webhook-url",
                ),
                name="webhook_url",
            ),
            rx.el.fieldset(
                rx.el.legend(tr("Tell it of")),
                _event("message_opened", tr("Opens")),
                _event("message_clicked", tr("Clicks")),
                _event("message_replied", tr("Answers")),
                class_name="col gap6",
                style={"border": "0", "padding": "0", "margin": "0"},
            ),
            error_line(STATE.wrong),
            dialog_actions(tr("Add the webhook"), "webhook-save"),
            on_submit=STATE.create,
            class_name="col gap12",
        ),
        open_when=STATE.adding,
        on_open_change=STATE.ask,
        title=tr("New webhook"),
        text=tr("Each delivery is signed with a secret that you see once, and tried for a day and a half."),
    )


def _event(name: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.label(
        rx.el.input(type="checkbox", name=name, default_checked=True, data_testid=f"webhook-{name}"),
        label,
        class_name="row gap6",
    )


def _secret() -> rx.Component:
    return form_dialog(
        rx.el.input(
            value=STATE.secret,
            read_only=True,
            class_name="input",
            dir="ltr",
            aria_label=tr("Secret"),
            data_testid="webhook-secret",
        ),
        rx.el.div(
            button(
                icon("copy", size=14),
                tr("Copy"),
                look="ink",
                on_click=rx.set_clipboard(STATE.secret),
                data_testid="webhook-copy",
            ),
            class_name="dlg-actions",
        ),
        open_when=STATE.secret != "",
        on_open_change=STATE.hide_secret,
        title=tr("Copy the secret now"),
        text=tr("Your program checks signatures with it. It is not shown again."),
    )
