"""Splitting and merging conversations: the item in a message's menu, and the search for the other conversation."""

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.dialogs import form_dialog
from mailcrm.components.icons import icon
from mailcrm.state.arrange import ArrangeState
from mailcrm.state.i18n import tr
from mailcrm.state.present import MessageRow, Row
from mailcrm.state.thread import ThreadState


def message_menu(row: rx.Var[MessageRow]) -> rx.Component:
    """Return a message's menu; only on own conversations, and not on the message that begins one."""
    return rx.cond(
        ThreadState.own & (ThreadState.first_id != row.id),
        rx.dropdown_menu.root(
            rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More"), data_testid="message-menu")),
            rx.dropdown_menu.content(
                rx.dropdown_menu.item(
                    icon("split", size=14),
                    tr("Split from here"),
                    on_select=ArrangeState.split(row.id),
                    data_testid="split-here",
                ),
                align="end",
            ),
        ),
        rx.fragment(),
    )


def merge_button() -> rx.Component:
    """Return the toolbar's way to merge the open conversation with another one, and its dialog."""
    return rx.fragment(
        icon_button("merge", tr("Merge with…"), on_click=ArrangeState.ask(True), data_testid="merge"),
        form_dialog(
            rx.el.input(
                placeholder=tr("Search your conversations"),
                aria_label=tr("Search your conversations"),
                on_change=ArrangeState.find.debounce(200),
                class_name="input",
                auto_focus=True,
                data_testid="merge-search",
            ),
            rx.cond(
                ArrangeState.found.length() > 0,
                rx.el.ul(rx.foreach(ArrangeState.found, _choice), class_name="choices"),
                rx.el.p(tr("Nothing matches"), class_name="dim"),
            ),
            open_when=ArrangeState.asking,
            on_open_change=ArrangeState.ask,
            title=tr("Merge with another conversation"),
            text=tr("This conversation moves into the one you choose. Nothing changes on the server."),
        ),
    )


def _choice(row: rx.Var[Row]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(
                rx.el.span(row.subject, class_name="cut b", dir="auto"),
                rx.el.span(row.who, class_name="t1 dim cut", dir="auto"),
                class_name="col grow",
            ),
            rx.el.span(row.when, class_name="t1 dim num"),
            type="button",
            class_name="menu-item",
            on_click=ArrangeState.merge(row.id),
            data_testid="merge-option",
        ),
        key=row.id,
    )
