"""What could not be done in the mailbox on the server: reason, try again, let go (settings_writes.py)."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.state.i18n import tr
from mailcrm.state.settings_writes import WriteRow, WritesState


def unwritten() -> rx.Component:
    """Return the list, nothing while all is well."""
    return rx.cond(
        WritesState.rows.length() > 0,
        rx.el.div(
            rx.el.h4(tr("Not done on the server"), class_name="b"),
            rx.el.p(
                tr("You did this here, and the mailbox did not take it. Here it stays as you left it."),
                class_name="t1 dim",
            ),
            rx.el.ul(rx.foreach(WritesState.rows, _item), class_name="aside-list", data_testid="write-list"),
            class_name="col gap6",
        ),
    )


def _item(row: rx.Var[WriteRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.p(
                rx.el.span(row.what, class_name="b"),
                rx.el.span(row.subject, dir="auto"),
                class_name="cut aside-who",
            ),
            rx.el.p(row.reason, class_name="t1"),
            rx.el.p(
                rx.el.span(row.at, class_name="num"),
                rx.el.span(row.next, class_name="num"),
                class_name="t1 dim row gap12",
            ),
            class_name="grow aside-words",
        ),
        rx.cond(
            row.failed,
            button(tr("Let it go"), size="btn-sm", on_click=WritesState.dismiss(row.id), data_testid="write-dismiss"),
        ),
        button(tr("Try again"), size="btn-sm", on_click=WritesState.retry(row.id), data_testid="write-retry"),
        class_name="aside-item",
        key=row.id,
        data_testid="write-item",
    )
