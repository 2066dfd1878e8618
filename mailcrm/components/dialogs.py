"""Dialogs: a form over the page, and a question before something that can't be undone."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.state.i18n import tr


def form_dialog(
    *content: rx.Component, open_when: Any, on_open_change: Any, title: Any, text: Any = "", wide: bool = False
) -> rx.Component:
    """Return a dialog whose content is a form; Escape and the cross close it."""
    return rx.dialog.root(
        rx.dialog.content(
            rx.el.div(
                rx.dialog.title(title, class_name="t3 grow dlg-title"),
                rx.dialog.close(icon_button("x", tr("Close"))),
                class_name="row",
            ),
            rx.dialog.description(text, class_name="dim dlg-text") if text is not None else rx.fragment(),
            *content,
            class_name="dlg dlg-wide" if wide else "dlg",
        ),
        open=open_when,
        on_open_change=on_open_change,
    )


def dialog_actions(label: Any, testid: str, *, look: str = "ink") -> rx.Component:
    """Return the row below a dialog's fields: Cancel, and the verb."""
    return rx.el.div(
        rx.dialog.close(button(tr("Cancel"))),
        button(label, look=look, type="submit", data_testid=testid),
        class_name="dlg-actions",
    )


def question(
    *, open_when: Any, on_open_change: Any, title: Any, text: Any, label: Any, on_confirm: Any, testid: str
) -> rx.Component:
    """Return a question whose button carries the verb; only for what can't be undone."""
    return rx.alert_dialog.root(
        rx.alert_dialog.content(
            rx.alert_dialog.title(title, class_name="t3 dlg-title", dir="auto"),
            rx.alert_dialog.description(text, class_name="dlg-text"),
            rx.el.div(
                rx.alert_dialog.cancel(button(tr("Cancel"))),
                rx.alert_dialog.action(button(label, look="bad", on_click=on_confirm, data_testid=testid)),
                class_name="dlg-actions",
            ),
            class_name="dlg",
        ),
        open=open_when,
        on_open_change=on_open_change,
    )
