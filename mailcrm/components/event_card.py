"""The card of an invitation: what, when, where, who; and what is said of signed and encrypted email."""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.event_card import EventRow
from mailcrm.state.i18n import tr


def event_card(row: rx.Var[EventRow]) -> rx.Component:
    """Return the card; only for messages with an invitation."""
    return rx.el.section(
        rx.el.div(
            rx.match(
                row.kind,
                ("cancelled", icon("calendar-x")),
                ("reply", icon("calendar-check")),
                icon("calendar-days"),
            ),
            rx.el.span(row.label, class_name="t1 b", dir="auto"),
            rx.el.span(class_name="grow"),
            rx.el.a(
                icon("download", size=14),
                rx.el.span(tr("Download the event"), class_name="sr"),
                href=row.href,
                reload_document=True,
                class_name="icon-btn",
                title=tr("Download the event"),
            ),
            class_name="event-head",
        ),
        rx.el.p(row.title, class_name="event-title b", dir="auto", custom_attrs={"data-kind": row.kind}),
        rx.el.dl(
            _line(tr("When"), row.when, row.series),
            _line(tr("Where"), row.where),
            _line(tr("Organizer"), row.organizer),
            _line(tr("Guests"), row.guests),
            class_name="event-facts",
        ),
        class_name="event-card",
        aria_label=row.label,
        data_testid="event-card",
    )


def _line(label: rx.Var[str], text: rx.Var[str], more: rx.Var[str] | None = None) -> rx.Component:
    second = rx.fragment()
    if more is not None:
        second = rx.cond(more != "", rx.el.span(more, class_name="dim event-more"), rx.fragment())
    return rx.cond(
        text != "",
        rx.el.div(rx.el.dt(label, class_name="t1 dim"), rx.el.dd(rx.el.bdi(text), second)),
        rx.fragment(),
    )
