"""The mail page: list, reading pane, CRM panel. One layout for every folder and for a conversation's own address."""

import reflex as rx

from mailcrm.components.deal_panel import deal_panel
from mailcrm.components.reading import reading_pane
from mailcrm.components.shell import shell
from mailcrm.components.thread_list import thread_list
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.panel import PanelState


def mail_page(here: str) -> rx.Component:
    """Lay out a folder; `here` is its navigation entry."""
    return shell(
        rx.el.div(
            thread_list(),
            reading_pane(),
            deal_panel(),
            class_name="mail",
            custom_attrs={"data-open": InboxState.selected > 0, "data-crm": PanelState.shown},
        ),
        here=here,
        skips=(
            rx.el.a(tr("Skip to the list"), href="#list", class_name="sr skip"),
            rx.el.a(tr("Skip to the conversation"), href="#conversation", class_name="sr skip"),
            rx.el.a(tr("Skip to person and deal"), href="#linked", class_name="sr skip"),
        ),
    )


def inbox() -> rx.Component:
    """The inbox."""
    return mail_page("inbox")


def drafts() -> rx.Component:
    """The drafts."""
    return mail_page("drafts")


def outbox() -> rx.Component:
    """The outbox."""
    return mail_page("outbox")


def sent() -> rx.Component:
    """Sent mail."""
    return mail_page("sent")


def archive() -> rx.Component:
    """The archive."""
    return mail_page("archive")


def thread() -> rx.Component:
    """A conversation at its own address, with the inbox beside it."""
    return mail_page("inbox")
