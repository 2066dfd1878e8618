"""The bell and its list (T08): opens, clicks, problems. Opens never toast or make a sound."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button, icon_link
from mailcrm.components.icons import icon, tracking_icon
from mailcrm.components.states import empty
from mailcrm.state.bell import BellRow, BellState
from mailcrm.state.i18n import tr, trn


def notification_bell(*, testid: str = "notification-bell") -> rx.Component:
    """Return the bell with its popover."""
    return rx.popover.root(
        rx.popover.trigger(
            rx.el.button(
                icon("bell"),
                rx.cond(
                    BellState.unread > 0,
                    rx.el.span(
                        rx.el.span(
                            trn("{n} new notification", "{n} new notifications", BellState.unread), class_name="sr"
                        ),
                        class_name="bell-dot",
                    ),
                ),
                type="button",
                class_name="icon-btn",
                aria_label=tr("Notifications"),
                title=tr("Notifications"),
                data_testid=testid,
                custom_attrs={"data-unread": BellState.unread},
            )
        ),
        rx.popover.content(
            rx.el.div(
                rx.el.h2(tr("Notifications"), class_name="t2 b grow"),
                button(tr("Mark all read"), look="ghost", size="btn-sm", on_click=BellState.read_all),
                rx.popover.close(
                    icon_link(
                        "settings",
                        tr("Notification settings"),
                        routes.SETTINGS_NOTIFICATIONS,
                        data_testid="bell-settings",
                    )
                ),
                class_name="row",
                style={"padding": "12px 10px 6px 16px"},
            ),
            rx.el.div(
                _kind("all", tr("All")),
                _kind("open", tr("Opens")),
                _kind("click", tr("Clicks")),
                _kind("problem", tr("Problems")),
                class_name="seg",
                style={"padding": "0 10px 8px"},
            ),
            rx.el.div(
                rx.cond(
                    BellState.rows.length() > 0,
                    rx.el.ul(rx.foreach(BellState.rows, _row)),
                    rx.el.div(
                        empty("bell", tr("Nothing yet"), tr("Opens, clicks and problems show up here.")),
                        style={"blockSize": "180px"},
                    ),
                ),
                class_name="scroll",
            ),
            rx.popover.close(
                rx.el.a(
                    tr("All tracking activity"),
                    href=routes.REPORT_TRACKING,
                    class_name="bell-all",
                    data_testid="bell-all",
                )
            ),
            class_name="pop bell",
            side="bottom",
            align="start",
        ),
    )


def _kind(kind: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        label, type="button", on_click=BellState.show(kind), custom_attrs={"aria-pressed": BellState.kind == kind}
    )


def _row(row: rx.Var[BellRow]) -> rx.Component:
    return rx.el.li(
        rx.popover.close(
            rx.el.button(
                rx.el.span(
                    tracking_icon(row.icon),
                    class_name="tl-ico",
                    style={"margin": "0"},
                    custom_attrs={"data-kind": rx.cond(row.tracking, "tracking", row.kind)},
                ),
                rx.el.span(
                    rx.el.span(row.title, dir="auto"),
                    rx.el.span(row.detail, class_name="t1 dim", dir="auto"),
                    class_name="col",
                ),
                rx.el.span(row.when, class_name="t1 dim num"),
                type="button",
                class_name="bell-item",
                on_click=BellState.follow(row.id, row.thread_id, row.kind),
                data_testid="notification-item",
                custom_attrs={"data-unread": ~row.read, "data-kind": row.kind},
            )
        ),
        key=row.id,
    )
