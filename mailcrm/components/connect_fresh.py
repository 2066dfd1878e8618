"""What comes after a mailbox was connected: its folders and history, then its defaults, while the first email comes in."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button
from mailcrm.components.connect_progress import connect_progress
from mailcrm.components.icons import icon
from mailcrm.components.sync_health import importing
from mailcrm.state.connect_fresh import DEFAULTS, FOLDERS, FreshState
from mailcrm.state.i18n import tr

AT_FOLDERS = FreshState.step == FOLDERS


def fresh_mailbox(folders: rx.Component, defaults: rx.Component) -> rx.Component:
    """Return the two steps around the sections they show."""
    return rx.el.section(
        rx.el.div(
            connect_progress(FreshState.step),
            button(tr("Skip"), look="ghost", on_click=FreshState.close, data_testid="mailbox-fresh-skip"),
            class_name="row connect-top",
        ),
        rx.el.div(
            rx.el.h3(tr("{address} is connected", address=FreshState.address), class_name="t6", dir="auto"),
            rx.el.p(
                rx.cond(
                    AT_FOLDERS,
                    tr("Its newest email arrives already. Choose which folders come in and how far back, or go on."),
                    tr("How email of this mailbox is shared, tracked and linked. You can change it at any time."),
                ),
                class_name="dim",
            ),
            class_name="col gap6",
        ),
        rx.cond(
            FreshState.shared != "",
            rx.el.p(
                icon("users-round"),
                rx.el.span(FreshState.shared),
                class_name="note note-warn",
                role="status",
                data_testid="mailbox-shared-warning",
            ),
        ),
        importing(),
        rx.cond(AT_FOLDERS, folders, defaults),
        rx.el.div(
            rx.cond(
                AT_FOLDERS,
                button(
                    tr("Continue"), look="ink", on_click=FreshState.go(DEFAULTS), data_testid="mailbox-fresh-continue"
                ),
                rx.fragment(
                    button(tr("Done"), look="ink", on_click=FreshState.close, data_testid="mailbox-fresh-done"),
                    button(tr("Back"), on_click=FreshState.go(FOLDERS), data_testid="mailbox-fresh-back"),
                ),
            ),
            rx.el.a(
                tr("Read the first email"), href=routes.INBOX, class_name="btn btn-ghost", on_click=FreshState.close
            ),
            class_name="row gap6",
        ),
        class_name="connect connect-fresh",
        aria_label=tr("First steps"),
        data_testid="mailbox-fresh",
    )
