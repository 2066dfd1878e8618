"""The card of a message's tracking: how often, when, which link, how sure, and what can't be known (T05, T06, B03)."""

from typing import Any

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.marks import EventRow, MarkState, RawRow, RecipientRow
from mailcrm.state.present import Mark


@rx.memo
def tracking_card(*, mark: rx.Var[Mark]) -> rx.Component:
    """Return the card; figures are there at once, what only the server knows follows.

    A component of its own: what one card loads renders no row of a list again.
    """
    mine = MarkState.message_id == mark.message_id
    return rx.el.div(
        rx.cond(
            mark.opens_on,
            _block("eye", mark.opens, mark.opens_label, mine, (MarkState.first, MarkState.sure_opens), MarkState.opens),
        ),
        rx.cond(
            mark.clicks_on,
            _block(
                "mouse-pointer-click",
                mark.clicks,
                mark.clicks_label,
                mine,
                (MarkState.sure_clicks,),
                MarkState.clicks,
            ),
        ),
        rx.cond(
            mine,
            rx.fragment(
                rx.cond(
                    MarkState.replied != "",
                    rx.el.p(icon("reply", size=14), MarkState.replied, class_name="hc-replied row gap6"),
                ),
                rx.cond(
                    MarkState.people.length() > 0,
                    rx.el.ul(
                        rx.foreach(MarkState.people, _recipient),
                        class_name="hc-people",
                        aria_label=tr("By recipient"),
                        data_testid="tracking-recipients",
                    ),
                ),
                rx.cond(MarkState.raw.length() > 0, _all()),
                rx.cond(
                    MarkState.limits.length() > 0,
                    rx.el.div(
                        icon("info", size=14),
                        rx.el.div(rx.foreach(MarkState.limits, rx.el.p), class_name="col gap4"),
                        class_name="hc-note",
                        data_testid="tracking-limits",
                    ),
                ),
            ),
            rx.el.div(
                rx.el.div(class_name="bone", style={"blockSize": "9px", "inlineSize": "62%"}),
                rx.el.div(class_name="bone", style={"blockSize": "9px", "inlineSize": "48%"}),
                class_name="hc-bones",
                aria_hidden="true",
            ),
        ),
        data_testid="tracking-card",
        custom_attrs={"data-loaded": mine},
    )


def _block(
    name: str,
    count: rx.Var[int],
    title: rx.Var[str],
    mine: Any,
    facts: tuple[rx.Var[str], ...],
    events: rx.Var[list[EventRow]],
) -> rx.Component:
    return rx.el.div(
        rx.el.span(
            icon(name),
            rx.cond(count > 0, rx.el.span(count, class_name="num")),
            class_name="hc-count",
            custom_attrs={"data-state": rx.cond(count > 0, "seen", "none")},
        ),
        rx.el.div(
            rx.el.p(title, class_name="b"),
            rx.cond(
                count == 0,
                rx.el.p(tr("Tracking is on."), class_name="t1 dim"),
                rx.fragment(*[rx.cond(mine & (fact != ""), rx.el.p(fact, class_name="t1 dim")) for fact in facts]),
            ),
            class_name="col",
            style={"gridColumn": "2 / -1"},
        ),
        rx.cond(mine & (events.length() > 0), rx.el.ul(rx.foreach(events, _event), class_name="hc-list")),
        class_name="hc-block",
    )


def _event(row: rx.Var[EventRow], at: rx.Var[int]) -> rx.Component:
    return rx.el.li(
        rx.el.span(class_name=rx.cond(at == 0, "dot dot-signal", "dot dot-off")),
        rx.el.span(row.when, class_name="num"),
        rx.el.span(row.agent, class_name="t1 dim cut", dir="auto", title=row.agent),
    )


def _recipient(row: rx.Var[RecipientRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.name, class_name="cut grow", dir="auto", title=row.address),
        rx.el.span(row.last, class_name="t1 dim num"),
        rx.el.span(
            icon("eye", size=14),
            rx.el.span(row.opens, class_name="num"),
            class_name="mark",
            role="img",
            aria_label=row.opens_label,
            custom_attrs={"data-state": rx.cond(row.opens > 0, "seen", "none")},
        ),
        rx.el.span(
            icon("mouse-pointer-click", size=14),
            rx.el.span(row.clicks, class_name="num"),
            class_name="mark",
            role="img",
            aria_label=row.clicks_label,
            custom_attrs={"data-state": rx.cond(row.clicks > 0, "seen", "none")},
        ),
    )


def _all() -> rx.Component:
    """Return everything that was recorded, with what made it and why we think so (B03)."""
    return rx.el.details(
        rx.el.summary(MarkState.all_label, icon("chevron-down", size=14), data_testid="tracking-all"),
        rx.el.ol(rx.foreach(MarkState.raw, _raw), class_name="hc-raw"),
        rx.el.p(MarkState.not_listed, class_name="t1 dim hc-rest"),
        class_name="hc-all",
    )


def _raw(row: rx.Var[RawRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.cond(row.action == "open", icon("eye", size=14), icon("mouse-pointer-click", size=14)),
            rx.el.span(row.when, class_name="num"),
            rx.el.span(row.kind_label, class_name="hc-kind", custom_attrs={"data-kind": row.kind}),
            class_name="row gap6",
        ),
        rx.el.p(row.why, class_name="t1"),
        rx.el.p(row.source, class_name="t1 dim", dir="auto"),
        class_name="col",
        data_testid="tracking-event",
        custom_attrs={"data-kind": row.kind, "data-action": row.action},
    )
