"""The frame around every page: navigation, sheet, bottom tabs on a phone, and the docked composer."""

from typing import Any

import reflex as rx
from reflex.style import set_color_mode

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.banner import reconnect_banner
from mailcrm.components.buttons import button, kbd
from mailcrm.components.composer import docked
from mailcrm.components.forms import NativeForm
from mailcrm.components.icons import icon
from mailcrm.components.keymap import key_sheet, offline_banner
from mailcrm.components.notification_bell import notification_bell
from mailcrm.components.palette import palette
from mailcrm.components.preview import preview
from mailcrm.components.search_box import search_box
from mailcrm.components.views import nav_views
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.nav import NavState
from mailcrm.state.profile import ProfileState


def shell(*content: rx.Component, here: str, skips: tuple[rx.Component, ...] = ()) -> rx.Component:
    """Return a page in the frame; `here` names the current navigation entry, `skips` are more links past it."""
    return rx.fragment(
        rx.el.a(tr("Skip to the page"), href="#page", class_name="sr skip"),
        *skips,
        rx.el.div(
            _nav(here),
            rx.el.main(offline_banner(), reconnect_banner(), *content, class_name="sheet", id="page", tab_index=-1),
            _tabs(here),
            class_name="shell",
        ),
        docked(),
        palette(),
        key_sheet(),
        preview(),
        rx.cond(
            NavState.me.theme != "",
            rx.el.span(hidden=True, key=NavState.me.theme, on_mount=set_color_mode(NavState.me.theme)),
        ),
    )


def logo() -> rx.Component:
    """Return the mark."""
    return rx.el.img(src="/favicon.svg", alt="", class_name="logo")


def _nav(here: str) -> rx.Component:
    return rx.el.nav(
        rx.el.div(
            logo(),
            rx.el.span(NavState.workspace, class_name="b cut grow nav-ws", dir="auto"),
            notification_bell(),
            class_name="nav-top",
        ),
        rx.el.button(
            icon("plus", style={"strokeWidth": "2.5"}),
            rx.el.span(tr("Compose")),
            kbd("C"),
            type="button",
            class_name="nav-compose",
            on_click=ComposerState.compose,
            aria_label=tr("Compose"),
            data_testid="compose-open",
            custom_attrs={"data-key": "c"},
        ),
        search_box("nav"),
        _item("inbox", routes.INBOX, tr("Inbox"), here, NavState.inbox, "g i", key="inbox"),
        _item("file-pen-line", routes.DRAFTS, tr("Drafts"), here, NavState.drafts, "g f", key="drafts"),
        _item("calendar-clock", routes.OUTBOX, tr("Outbox"), here, NavState.outbox, "g o", key="outbox"),
        _item("send", routes.SENT, tr("Sent"), here, None, "g s", key="sent"),
        _item("archive", routes.ARCHIVE, tr("noun|Archive"), here, None, "g a", key="archive"),
        nav_views(),
        rx.el.p(tr("Sales"), class_name="nav-group"),
        _item("circle-dollar-sign", routes.DEALS, tr("Deals"), here, None, "g d", key="deals"),
        _item("sprout", routes.LEADS, tr("Leads"), here, NavState.leads, "g l", key="leads"),
        _item("users-round", routes.PEOPLE, tr("Contacts"), here, None, "g c", key="people"),
        rx.el.p(tr("Tools"), class_name="nav-group"),
        _item("layout-template", routes.TEMPLATES, tr("Templates"), here, None, "g t", key="templates"),
        _item("chart-column", routes.REPORT_TRACKING, tr("Reports"), here, None, "g r", key="reports"),
        _item("settings", routes.SETTINGS_SYNC, tr("Settings"), here, None, "g ,", key="settings"),
        _footer(),
        class_name="nav",
        aria_label=tr("Main"),
    )


def _item(name: str, href: str, label: Any, here: str, count: Any, keys: str, *, key: str) -> rx.Component:
    current = {"aria-current": "page"} if here == key else {}
    return rx.el.a(
        icon(name),
        rx.el.span(label),
        rx.cond(count != "", rx.el.span(count, class_name="nav-count num")) if count is not None else rx.fragment(),
        href=href,
        class_name="nav-item",
        title=label,
        custom_attrs={"data-key": keys, **current},
    )


def _footer() -> rx.Component:
    return rx.el.div(
        rx.popover.root(
            rx.popover.trigger(
                rx.el.button(
                    avatar(NavState.me.initials, mine=True),
                    rx.el.span(
                        rx.el.span(NavState.me.name, class_name="b cut", dir="auto"),
                        rx.el.span(
                            _sync_dot(),
                            rx.el.span(NavState.sync_text, class_name="cut", title=NavState.sync_why),
                            class_name="row gap6 t1 dim",
                            data_testid="sync-status",
                            role="status",
                            custom_attrs={"data-kind": NavState.sync_kind},
                        ),
                        class_name="col grow",
                    ),
                    icon("chevrons-up-down", size=14, cls="dim"),
                    type="button",
                    class_name="nav-me",
                    aria_label=tr("You and your mailboxes"),
                )
            ),
            rx.popover.content(
                rx.el.div(
                    rx.el.p(NavState.me.email, class_name="t1 dim", style={"padding": "4px 10px"}),
                    rx.el.a(icon("refresh-cw"), tr("Email sync"), href=routes.SETTINGS_SYNC, class_name="menu-item"),
                    rx.el.a(icon("user-round"), tr("Profile"), href=routes.SETTINGS_PROFILE, class_name="menu-item"),
                    rx.el.button(
                        icon("sun-moon"),
                        tr("Light or dark"),
                        type="button",
                        class_name="menu-item",
                        on_click=[
                            rx.toggle_color_mode,
                            ProfileState.change("theme", rx.color_mode_cond(light="dark", dark="light")),
                        ],
                        data_testid="toggle-theme",
                    ),
                    NativeForm.create(
                        rx.el.button(
                            icon("log-out"), tr("Log out"), type="submit", class_name="menu-item", data_testid="logout"
                        ),
                        action=routes.AUTH_LOGOUT,
                        method="post",
                    ),
                    class_name="col",
                    style={"padding": "6px", "minInlineSize": "196px"},
                ),
                class_name="pop",
                side="top",
                align="start",
            ),
        ),
        class_name="nav-foot",
    )


def _sync_dot() -> rx.Component:
    return rx.match(
        NavState.sync_kind,
        ("ok", rx.el.span(class_name="dot dot-ok")),
        ("syncing", icon("loader-circle", size=12, cls="spin")),
        ("reconnect", rx.el.span(class_name="dot dot-warn")),
        ("error", rx.el.span(class_name="dot dot-bad")),
        rx.el.span(class_name="dot dot-off"),
    )


def _tabs(here: str) -> rx.Component:
    return rx.el.nav(
        _tab("inbox", routes.INBOX, tr("Mail"), here in ("inbox", "drafts", "outbox", "sent", "archive")),
        _tab("circle-dollar-sign", routes.DEALS, tr("Deals"), here == "deals"),
        _tab("sprout", routes.LEADS, tr("Leads"), here == "leads"),
        _tab("users-round", routes.PEOPLE, tr("Contacts"), here == "people"),
        _tab("menu", routes.SETTINGS_SYNC, tr("More"), here == "settings"),
        button(
            icon("plus", size=24),
            look="go",
            cls="fab",
            aria_label=tr("Compose"),
            on_click=ComposerState.compose,
        ),
        class_name="tabs",
        aria_label=tr("Main"),
    )


def _tab(name: str, href: str, label: Any, current: bool) -> rx.Component:
    return rx.el.a(icon(name, size=20), label, href=href, custom_attrs={"aria-current": "page"} if current else {})
