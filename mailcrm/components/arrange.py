"""A message's menu (split, share, block), and the search for the conversation to merge with."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.dialogs import form_dialog
from mailcrm.components.icons import icon
from mailcrm.state.arrange import ArrangeState
from mailcrm.state.blocking import BlockingState
from mailcrm.state.i18n import tr
from mailcrm.state.present import MessageRow, Row
from mailcrm.state.sharing import SharingState
from mailcrm.state.thread import ThreadState


def message_menu(row: rx.Var[MessageRow]) -> rx.Component:
    """Return a message's menu: what its user may do, and for every reader how to see it otherwise."""
    return rx.dropdown_menu.root(
        rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More"), data_testid="message-menu")),
        rx.dropdown_menu.content(
            rx.cond(row.own, _for_its_user(row), rx.fragment()),
            rx.dropdown_menu.item(
                icon("sun", size=14),
                rx.cond(ThreadState.paper_ids.contains(row.id), tr("Dark background"), tr("Light background")),
                on_select=ThreadState.toggle_paper(row.id),
                class_name="only-dark",
                data_testid="message-paper",
            ),
            rx.dropdown_menu.item(
                icon("printer", size=14),
                tr("Print this email"),
                on_select=_print_now(row.printed),
                data_testid="message-print",
            ),
            rx.dropdown_menu.item(
                icon("file-code", size=14),
                tr("Show original"),
                on_select=rx.call_script(rx.Var(f"mailcrmOriginal({row.original!s})")),
                data_testid="message-original",
            ),
            align="end",
        ),
    )


def _print_now(printed: rx.Var[str]) -> Any:
    """Return what prints a page of ours without leaving this one (assets/reading.js)."""
    return rx.call_script(rx.Var(f"mailcrmPrint({printed!s})"))


def _for_its_user(row: rx.Var[MessageRow]) -> rx.Component:
    return rx.fragment(
        rx.cond(
            ThreadState.own & (ThreadState.first_id != row.id),
            rx.dropdown_menu.item(
                icon("split", size=14),
                tr("Split from here"),
                on_select=ArrangeState.split(row.id),
                data_testid="split-here",
            ),
        ),
        rx.dropdown_menu.item(
            rx.cond(row.private, icon("users-round", size=14), icon("lock", size=14)),
            rx.cond(
                SharingState.waiting_messages.contains(row.id),
                tr("Keep private"),
                rx.cond(row.private, tr("Share this email"), tr("Make this email private")),
            ),
            on_select=SharingState.toggle_message(row.id),
            data_testid="message-visibility",
        ),
        rx.cond(
            ~row.mine & (row.address != ""),
            rx.dropdown_menu.item(
                icon("ban", size=14),
                tr("Block sender…"),
                on_select=BlockingState.ask(row.address),
                data_testid="block-sender",
            ),
        ),
        rx.dropdown_menu.separator(),
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
