"""Tracking marks: eye for opens, pointer for clicks; outlined grey when nothing happened, jade with a count when it did.

A mark is a button. Hover opens the card; what tracking can't know is always in it (T05, T06). Nothing when untracked.
"""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.marks import EventRow, MarkState
from mailcrm.state.present import Mark

HOVER_MS = 300


def marks(mark: rx.Var[Mark], *, pill: bool = False) -> rx.Component:
    """Return the marks of a message with their card."""
    return rx.cond(
        mark.message_id > 0,
        rx.hover_card.root(
            rx.hover_card.trigger(
                rx.el.span(
                    rx.cond(mark.opens_on, _mark(mark, "open", pill)),
                    rx.cond(mark.clicks_on, _mark(mark, "click", pill)),
                    rx.cond(mark.fresh, rx.el.span(class_name="dot dot-signal", aria_hidden="true")),
                    class_name="marks",
                    custom_attrs={"data-own-click": "true"},
                )
            ),
            rx.hover_card.content(_card(mark), class_name="pop hc", side="bottom", align="end"),
            open_delay=HOVER_MS,
            on_open_change=lambda on: MarkState.show(on, mark.message_id),
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
        tab_index=0 if pill else -1,
        aria_label=mark.opens_label if kind == "open" else mark.clicks_label,
        data_testid=f"tracking-{kind}-icon",
        custom_attrs={"data-state": rx.cond(count > 0, "seen", "none")},
    )


def _card(mark: rx.Var[Mark]) -> rx.Component:
    return rx.el.div(
        rx.cond(mark.opens_on, _block("open", mark.opens, mark.opens_label, MarkState.opens, mark)),
        rx.cond(mark.clicks_on, _block("click", mark.clicks, mark.clicks_label, MarkState.clicks, mark)),
        rx.cond(
            (MarkState.message_id == mark.message_id) & (MarkState.limits.length() > 0),
            rx.el.div(
                icon("info", size=14),
                rx.el.div(rx.foreach(MarkState.limits, rx.el.p), class_name="col gap4"),
                class_name="hc-note",
            ),
        ),
        data_testid="tracking-card",
    )


def _block(
    kind: str, count: rx.Var[int], title: rx.Var[str], events: rx.Var[list[EventRow]], mark: rx.Var[Mark]
) -> rx.Component:
    return rx.el.div(
        rx.el.span(
            icon("eye" if kind == "open" else "mouse-pointer-click"),
            rx.cond(count > 0, rx.el.span(count, class_name="num")),
            class_name="hc-count",
            custom_attrs={"data-state": rx.cond(count > 0, "seen", "none")},
        ),
        rx.el.div(
            rx.el.p(title, class_name="b"),
            rx.cond(
                count == 0,
                rx.el.p(tr("Tracking is on."), class_name="t1 dim"),
                rx.el.p(rx.cond(MarkState.message_id == mark.message_id, MarkState.first, ""), class_name="t1 dim")
                if kind == "open"
                else rx.fragment(),
            ),
            class_name="col",
            style={"gridColumn": "2 / -1"},
        ),
        rx.cond(
            (MarkState.message_id == mark.message_id) & (events.length() > 0),
            rx.el.ul(rx.foreach(events, _event), class_name="hc-list"),
        ),
        class_name="hc-block",
    )


def _event(row: rx.Var[EventRow], at: rx.Var[int]) -> rx.Component:
    return rx.el.li(
        rx.el.span(class_name=rx.cond(at == 0, "dot dot-signal", "dot dot-off")),
        rx.el.span(row.when, class_name="num"),
        rx.el.span(row.agent, class_name="t1 dim cut", dir="auto"),
    )
