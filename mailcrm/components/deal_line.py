"""A deal in the side of another record's page."""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.present import DealRow


def deal_line(row: rx.Var[DealRow], testid: str) -> rx.Component:
    """Show a deal's title, where it stands and its value, as a link."""
    return rx.el.li(
        rx.el.a(
            rx.el.span(
                rx.el.span(row.title, class_name="b cut", dir="auto"),
                rx.match(
                    row.status,
                    ("won", rx.el.span(icon("trophy", size=14), tr("Won"), class_name="row gap4 won t1")),
                    ("lost", rx.el.span(icon("thumbs-down", size=14), tr("Lost"), class_name="row gap4 dim t1")),
                    rx.el.span(row.stage, class_name="t1 dim cut", dir="auto"),
                ),
                class_name="col grow",
            ),
            rx.el.span(row.value, class_name="num"),
            href=row.href,
            class_name="row row-link",
            data_testid=testid,
        ),
        key=row.id,
    )
