"""A record's history: emails as cards that open in place, other happenings as lines (M03)."""

from typing import Any

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button
from mailcrm.components.icons import icon, tracking_icon
from mailcrm.components.message_card import message_body
from mailcrm.components.states import empty
from mailcrm.components.tracking_mark import marks
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.present import Item


def timeline(
    items: rx.Var[list[Item]],
    open_ids: rx.Var[list[int]],
    remote_ids: rx.Var[list[int]],
    *,
    on_fold: Any,
    on_remote: Any,
    shown: Any = "all",
) -> rx.Component:
    """Return the history; `shown` is all, emails or changes."""
    return rx.el.div(
        rx.cond(
            items.length() > 0,
            rx.el.ol(
                rx.foreach(items, lambda row: _item(row, open_ids, remote_ids, on_fold, on_remote, shown)),
                class_name="timeline",
            ),
            empty("history", tr("Nothing yet"), tr("Linked email shows up here.")),
        ),
        data_testid="deal-timeline",
    )


def _item(row: rx.Var[Item], open_ids: Any, remote_ids: Any, on_fold: Any, on_remote: Any, shown: Any) -> rx.Component:
    hidden = ((shown == "emails") & ~row.has_message) | ((shown == "changes") & row.has_message)
    return rx.el.li(
        rx.el.span(tracking_icon(row.icon), class_name="tl-ico", custom_attrs={"data-kind": row.kind}),
        rx.cond(
            row.has_message,
            _email(row, open_ids.contains(row.message.id), remote_ids.contains(row.message.id), on_fold, on_remote),
            rx.el.div(
                rx.el.span(row.text, class_name="grow", dir="auto"),
                rx.el.span(row.when, class_name="t1 dim num"),
                class_name="tl-line",
            ),
        ),
        class_name="tl",
        hidden=hidden if isinstance(hidden, rx.Var) else False,
        key=row.key,
        data_testid="timeline-item",
    )


def _email(row: rx.Var[Item], opened: Any, remote: Any, on_fold: Any, on_remote: Any) -> rx.Component:
    message = row.message
    return rx.el.article(
        rx.el.div(
            rx.el.div(
                avatar(message.initials, message.hue, size="sm", mine=message.mine),
                rx.el.span(message.who, class_name="b cut", dir="auto"),
                rx.el.span(message.recipients, class_name="t1 dim cut grow", dir="auto"),
                rx.cond(
                    message.files.length() > 0,
                    rx.el.span(icon("paperclip", size=14), message.files.length(), class_name="row gap4 t1 dim num"),
                ),
                marks(message.mark, pill=True),
                rx.el.span(row.when, class_name="t1 dim num"),
                class_name="row",
            ),
            rx.el.button(
                rx.el.span(message.subject, class_name="b cut", dir="auto"),
                rx.cond(opened, rx.fragment(), rx.el.span(message.snippet, class_name="dim cut", dir="auto")),
                type="button",
                class_name="tl-open",
                style={"paddingInlineStart": "28px"},
                on_click=on_fold(message.id),
                custom_attrs={"aria-expanded": opened},
                data_testid="timeline-open",
            ),
            class_name="col",
        ),
        rx.cond(
            opened,
            rx.fragment(
                rx.el.div(message_body(message, remote, on_remote(message.id)), style={"marginInlineStart": "-10px"}),
                rx.el.div(
                    button(
                        icon("reply", size=14),
                        tr("Reply"),
                        size="btn-sm",
                        on_click=ComposerState.reply(message.id, "reply", "record"),
                        data_testid="timeline-reply",
                    ),
                    button(
                        icon("reply-all", size=14),
                        tr("Reply all"),
                        size="btn-sm",
                        on_click=ComposerState.reply(message.id, "reply_all", "record"),
                    ),
                    class_name="row gap6",
                    style={"marginBlockStart": "8px", "paddingInlineStart": "28px"},
                ),
            ),
        ),
        class_name="card tl-card",
        custom_attrs={"data-message-id": message.id},
    )
