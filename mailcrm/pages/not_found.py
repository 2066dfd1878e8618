"""The page of an address that leads nowhere. It asks for no data, so it is the same for everybody."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.shell import logo
from mailcrm.state.i18n import tr


def not_found() -> rx.Component:
    """Say that there is nothing here, and lead back."""
    return rx.el.main(
        rx.el.div(
            logo(),
            rx.el.h1(tr("There is nothing at this address"), class_name="t5", style={"marginBlock": "14px 6px"}),
            rx.el.p(tr("The link may be old, or cut off. Nothing of yours is lost."), class_name="dim"),
            rx.el.p(
                rx.el.a(tr("Go to the inbox"), href=routes.INBOX, class_name="link", data_testid="lost-home"),
                style={"marginBlockStart": "18px"},
            ),
            class_name="gate-card",
        ),
        class_name="gate",
    )
