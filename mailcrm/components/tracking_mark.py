"""Tracking marks: eye for opens, pointer for clicks; outlined grey when nothing happened, jade with a count when it did.

Hover, focus, click, tap or T opens the card (tracking_mark.jsx, tracking_card.py). Nothing when untracked (T05).
"""

import reflex as rx

from mailcrm.components.beside import beside
from mailcrm.components.icons import icon
from mailcrm.components.tracking_card import tracking_card
from mailcrm.state.marks import MarkState
from mailcrm.state.present import Mark

_ASSET = beside("tracking_mark.jsx")


class TrackingMark(rx.Component):
    """The marks, which are its first child, and their card, which is its second."""

    library = f"$/public{_ASSET}"
    tag = "TrackingMark"

    message_id: rx.Var[int]
    label: rx.Var[str]
    #: A button of its own; else a part of a row that is one.
    pill: rx.Var[bool]
    on_card: rx.EventHandler[rx.event.passthrough_event_spec(bool, int)]


def marks(mark: rx.Var[Mark], *, pill: bool = False) -> rx.Component:
    """Return the marks of a message with their card."""
    return rx.cond(
        mark.message_id > 0,
        TrackingMark.create(
            rx.el.span(
                rx.cond(mark.opens_on, _mark(mark, "open", pill)),
                rx.cond(mark.clicks_on, _mark(mark, "click", pill)),
                rx.cond(mark.fresh, rx.el.span(class_name="dot dot-signal", aria_hidden="true")),
                class_name="marks-in",
            ),
            tracking_card(mark=mark),
            message_id=mark.message_id,
            label=mark.label,
            pill=pill,
            on_card=MarkState.show,
        ),
    )


def still_marks(mark: rx.Var[Mark]) -> rx.Component:
    """Return the marks without a card, where a card would be in the way."""
    return rx.el.span(
        rx.cond(mark.opens_on, _mark(mark, "open", False)),
        rx.cond(mark.clicks_on, _mark(mark, "click", False)),
        class_name="marks",
    )


def _mark(mark: rx.Var[Mark], kind: str, pill: bool) -> rx.Component:
    count = mark.opens if kind == "open" else mark.clicks
    return rx.el.span(
        icon("eye" if kind == "open" else "mouse-pointer-click", size=14),
        rx.cond(count > 0, rx.el.span(count, class_name="num")),
        class_name="mark mark-pill" if pill else "mark",
        role="img",
        aria_label=mark.opens_label if kind == "open" else mark.clicks_label,
        data_testid=f"tracking-{kind}-icon",
        custom_attrs={"data-state": rx.cond(count > 0, "seen", "none")},
    )
