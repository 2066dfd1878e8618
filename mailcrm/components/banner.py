"""The banner above the sheet: a mailbox that needs its user to sign in again (M10, DESIGN.md §2)."""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.reconnect import ReconnectState

OUT = ReconnectState.first


def reconnect_banner() -> rx.Component:
    """Return the banner with its one button; nothing while all mailboxes are let in."""
    return rx.cond(
        OUT.id > 0,
        rx.el.div(
            icon("key-round"),
            rx.el.p(
                rx.el.span(tr("{address} needs you.", address=OUT.address), class_name="b", dir="auto"),
                " ",
                rx.el.span(OUT.sentence),
                class_name="grow",
            ),
            rx.el.a(
                tr("Sign in again"),
                href=OUT.url,
                class_name="btn btn-ink btn-sm",
                reload_document=True,  # the provider's page, or a form that reads the address when it is loaded
                data_testid="reconnect-go",
            ),
            class_name="banner banner-warn reconnect-banner",
            role="alert",
            data_testid="reconnect-banner",
            custom_attrs={"data-address": OUT.address},
        ),
    )
