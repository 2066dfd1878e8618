"""A draft, or an email on its way out: what becomes of it, what can be done, and each try to hand it over (B10)."""

from typing import Any

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.outgoing import Outgoing
from mailcrm.state.remind import RemindState
from mailcrm.state.tries import TriesState


def outgoing_row(row: rx.Var[Outgoing]) -> rx.Component:
    """Return the row; the words have a line of their own, so that no button cuts the time."""
    return rx.el.li(
        rx.el.div(
            avatar(row.initials, row.hue),
            rx.el.div(
                rx.el.div(
                    rx.el.span(tr("To: {names}", names=row.recipients), class_name="tr-who cut", dir="auto"),
                    rx.el.span(rx.el.span(row.when, class_name="num"), class_name="tr-side"),
                    class_name="tr-line",
                ),
                rx.el.div(rx.el.span(row.subject, class_name="tr-subject cut", dir="auto"), class_name="tr-line"),
                rx.el.div(
                    rx.cond(row.failed, icon("triangle-alert", size=14)),
                    rx.el.span(row.said, class_name=rx.cond(row.failed, "bad grow", "dim grow"), title=row.said),
                    class_name="out-said t1",
                    data_testid="outgoing-said",
                ),
                rx.cond(row.state != "draft", _acts(row)),
                class_name="col",
            ),
            class_name="thread-row outgoing-row",
            role="button",
            tab_index=-1,
            on_click=rx.cond(row.state == "draft", ComposerState.open_draft(row.id), rx.noop()),
            data_testid="outgoing-row",
            custom_attrs={"data-state": row.state},
        ),
        rx.cond(TriesState.open_id == row.id, _tries()),
        key=row.id,
    )


def _acts(row: rx.Var[Outgoing]) -> rx.Component:
    return rx.el.div(
        rx.cond(row.can_edit, _act(tr("Edit"), ComposerState.open_draft(row.id), "outgoing-edit")),
        rx.cond(row.unknown, _act(tr("It arrived"), RemindState.arrived(row.id), "outgoing-arrived")),
        rx.cond(
            (row.state == "failed") | row.unknown,
            _act(tr("Try again"), InboxState.retry_send(row.id), "outgoing-retry"),
        ),
        rx.cond(
            row.can_cancel,
            rx.fragment(
                _act(tr("Send now"), InboxState.send_now(row.id), "outgoing-now"),
                _act(tr("Cancel"), InboxState.cancel_send(row.id), "outgoing-cancel", title=tr("Back to drafts")),
            ),
        ),
        rx.cond(
            row.tried,
            button(
                rx.cond(TriesState.open_id == row.id, icon("chevron-up", size=14), icon("chevron-down", size=14)),
                tr("Tries"),
                look="ghost",
                size="btn-sm",
                on_click=TriesState.show(row.id).stop_propagation,
                data_testid="outgoing-tries",
                custom_attrs={"aria-expanded": TriesState.open_id == row.id},
            ),
        ),
        class_name="out-acts",
    )


def _act(label: rx.Var[str], act: Any, testid: str, **props: Any) -> rx.Component:
    return button(label, size="btn-sm", on_click=act.stop_propagation, data_testid=testid, **props)


def _tries() -> rx.Component:
    return rx.el.ol(
        rx.foreach(
            TriesState.rows,
            lambda each: rx.el.li(
                rx.match(
                    each.outcome,
                    ("sent", icon("check", size=14)),
                    ("running", icon("loader-circle", size=14)),
                    ("later", icon("clock", size=14)),
                    icon("triangle-alert", size=14),
                ),
                rx.el.span(each.at, class_name="num dim"),
                rx.el.span(each.said, dir="auto"),
                custom_attrs={"data-outcome": each.outcome},
            ),
        ),
        class_name="out-tries t1",
        aria_label=tr("Tries"),
        data_testid="outgoing-attempts",
    )
