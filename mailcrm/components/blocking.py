"""Blocked addresses: the section of Settings › Email sync, and the question in the reading pane."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import form_dialog
from mailcrm.components.forms import error_line
from mailcrm.components.settings import option
from mailcrm.components.states import bones
from mailcrm.state.blocking import BlockedRow, BlockingState, Choice
from mailcrm.state.i18n import tr


def blocked_addresses() -> rx.Component:
    """Return the section of the settings page."""
    return option(
        tr("Blocked addresses"),
        tr("Their email never appears here. Use @domain.com for a whole domain."),
        rx.el.form(
            rx.el.div(
                rx.el.input(
                    id="blocked_pattern",
                    name="blocked_pattern",
                    key=BlockingState.version,
                    default_value="",
                    placeholder=tr("name@company.com or @company.com"),
                    aria_label=tr("Address or domain to block"),
                    auto_complete="off",
                    spell_check=False,
                    dir="auto",
                    on_change=BlockingState.typed.debounce(300),
                    class_name="input grow",
                    data_testid="block-pattern",
                ),
                button(tr("Block"), type="submit", data_testid="block-add"),
                class_name="row",
            ),
            rx.cond(
                BlockingState.is_domain,
                rx.el.label(
                    rx.el.input(
                        type="checkbox",
                        checked=BlockingState.subdomains,
                        on_change=BlockingState.with_subdomains,
                        data_testid="block-subdomains",
                    ),
                    rx.el.span(tr("And its subdomains")),
                    class_name="row gap6",
                ),
            ),
            rx.el.p(BlockingState.effect, class_name="t1 dim", role="status", data_testid="block-effect"),
            error_line(BlockingState.wrong),
            on_submit=BlockingState.add,
            class_name="col gap6",
        ),
        rx.cond(
            BlockingState.loaded,
            rx.cond(
                BlockingState.rows.length() > 0,
                rx.el.ul(rx.foreach(BlockingState.rows, _row), class_name="blocked-list", data_testid="block-list"),
                rx.el.p(tr("Nothing is blocked."), class_name="dim"),
            ),
            bones(2),
        ),
        rx.el.p(
            tr("Email is hidden only when everybody else on it is blocked. Unblocking brings it back."),
            class_name="t1 dim",
        ),
    )


def _row(row: rx.Var[BlockedRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.shown, class_name="cut grow", dir="auto"),
        rx.el.span(row.kind, class_name="t1 dim"),
        rx.el.span(row.hides, class_name="t1 dim num blocked-count"),
        icon_button(
            "x",
            tr("Unblock {address}", address=row.shown),
            on_click=BlockingState.remove(row.id),
            data_testid="block-remove",
        ),
        class_name="row blocked-row",
        data_testid="block-row",
        key=row.id,
    )


def block_question() -> rx.Component:
    """Return the question how to block the sender of an email."""
    return form_dialog(
        rx.el.div(
            rx.cond(
                BlockingState.choices.length() > 0,
                rx.foreach(BlockingState.choices, _choice),
                rx.cond(BlockingState.wrong == "", bones(2)),
            ),
            class_name="col gap12",
            role="radiogroup",
            aria_label=tr("What to block"),
        ),
        error_line(BlockingState.wrong),
        rx.el.div(
            rx.dialog.close(button(tr("Cancel"))),
            button(
                tr("Block"),
                look="ink",
                on_click=BlockingState.block,
                disabled=BlockingState.choices.length() == 0,
                data_testid="block-confirm",
            ),
            class_name="dlg-actions",
        ),
        open_when=BlockingState.asking,
        on_open_change=BlockingState.close,
        title=tr("Block this sender"),
        text=tr("Email is hidden only when everybody else on it is blocked. You can unblock in Settings › Email sync."),
    )


def _choice(row: rx.Var[Choice]) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="block-scope",
            value=row.scope,
            checked=BlockingState.chosen == row.scope,
            on_change=BlockingState.choose(row.scope),
            class_name="radio",
            data_testid="block-scope",
        ),
        rx.el.span(
            rx.el.span(row.label, class_name="b cut", dir="auto"),
            rx.el.span(row.hides, class_name="t1 dim num"),
            class_name="col",
        ),
        class_name="radio-row",
        key=row.scope,
    )
