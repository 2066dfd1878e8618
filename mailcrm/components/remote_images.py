"""Remote images: the bar above a message that has some, and the section of Settings › Profile.

assets/keys.js shows the bar and fills in how many trackers were blocked, from what the frame's document says.
"""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.icons import icon
from mailcrm.components.settings import option
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.present import MessageRow
from mailcrm.state.remote_images import ImageChoiceRow, RemoteImagesState

STATE = RemoteImagesState


def remote_bar(row: rx.Var[MessageRow], on_show: Any) -> rx.Component:
    """Return the offer to show a message's images from the network: this once, or from now on."""
    return rx.el.div(
        rx.el.span(
            icon("image-off", size=14),
            rx.el.span(
                tr("Remote images are hidden"),
                rx.el.span(class_name="remote-count", custom_attrs={"data-trackers": ""}),
                class_name="b",
            ),
            class_name="row gap6 grow",
            title=tr("Loading them would tell the sender that you read this. Shown, they are fetched by this server."),
        ),
        rx.el.span(
            button(tr("Show images"), look="ghost", size="btn-sm", on_click=on_show, data_testid="show-remote"),
            rx.dropdown_menu.root(
                rx.dropdown_menu.trigger(
                    icon_button("chevron-down", tr("Show images from now on"), data_testid="remote-menu")
                ),
                rx.dropdown_menu.content(
                    rx.dropdown_menu.item(tr("Show in this email"), on_select=on_show, data_testid="remote-message"),
                    rx.cond(
                        ~row.mine & (row.domain != ""),
                        rx.fragment(
                            rx.dropdown_menu.item(
                                tr("Always from {address}", address=row.address),
                                on_select=STATE.allow(row.id, "sender"),
                                data_testid="remote-sender",
                            ),
                            rx.dropdown_menu.item(
                                tr("Always from everybody at {domain}", domain=row.domain),
                                on_select=STATE.allow(row.id, "domain"),
                                data_testid="remote-domain",
                            ),
                        ),
                    ),
                    rx.dropdown_menu.item(
                        tr("Always, from everybody"),
                        on_select=STATE.allow(row.id, "always"),
                        data_testid="remote-always",
                    ),
                    align="end",
                ),
            ),
            class_name="row gap4",
        ),
        class_name="remote-bar remote-offer",
        hidden=True,
        data_testid="remote-bar",
    )


def tracker_note() -> rx.Component:
    """Return the line that says how many trackers were blocked, where there is no bar to say it."""
    return rx.el.p(
        icon("shield-check", size=14),
        rx.el.span(custom_attrs={"data-trackers": ""}),
        class_name="hint row gap6 remote-note",
        hidden=True,
        data_testid="tracker-note",
    )


def remote_images() -> rx.Component:
    """Return the section of the settings page."""
    return option(
        tr("Remote images"),
        tr("They would tell senders that you read their email."),
        rx.cond(
            STATE.loaded,
            rx.fragment(
                rx.el.label(
                    rx.el.span(
                        rx.el.span(tr("Always show"), class_name="b"),
                        rx.el.span(
                            tr(
                                "Off, each email asks. On or off, this server fetches them, never your browser, and "
                                "known trackers stay blocked."
                            ),
                            class_name="t1 dim",
                        ),
                        class_name="col grow",
                    ),
                    rx.switch(
                        checked=STATE.always, on_change=STATE.switch, size="1", data_testid="remote-always-switch"
                    ),
                    class_name="switch-row",
                ),
                rx.cond(
                    STATE.rows.length() > 0,
                    rx.fragment(
                        rx.el.p(tr("Shown without asking:"), class_name="t1 dim"),
                        rx.el.ul(rx.foreach(STATE.rows, _row), class_name="blocked-list", data_testid="remote-list"),
                    ),
                ),
            ),
            bones(2),
        ),
    )


def _row(row: rx.Var[ImageChoiceRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(row.shown, class_name="cut grow", dir="auto"),
        rx.el.span(row.kind, class_name="t1 dim"),
        icon_button(
            "x",
            tr("Hide images from {address} again", address=row.shown),
            on_click=STATE.remove(row.id),
            data_testid="remote-remove",
        ),
        class_name="row blocked-row",
        data_testid="remote-row",
        key=row.id,
    )
